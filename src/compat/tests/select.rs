//! `SELECT` without a table.

use super::*;
use crate::compat::{Stop, cursor::Cursor};
use crate::model::ColumnType;

#[test]
fn scalars_are_named_and_answered_as_mysql_does() {
    play(&[
        ("SELECT VERSION()", "VERSION()\n8.0.36-test"),
        ("select version ( )", "version ( )\n8.0.36-test"),
        ("SELECT @@version, @@VERSION_comment c", "@@version|c\n8.0.36-test|Under test"),
        (
            "SELECT USER(), SESSION_USER(), SYSTEM_USER()",
            "USER()|SESSION_USER()|SYSTEM_USER()\napp@10.0.0.1|app@10.0.0.1|app@10.0.0.1",
        ),
        ("SELECT CURRENT_USER", "CURRENT_USER\napp@%"),
        ("SELECT CURRENT_USER()", "CURRENT_USER()\napp@%"),
        ("SELECT DATABASE(), schema()", "DATABASE()|schema()\nshop|shop"),
        ("SELECT CONNECTION_ID() AS id", "id\n42"),
        ("SELECT @@pseudo_thread_id", "@@pseudo_thread_id\n42"),
        ("SELECT LAST_INSERT_ID()", "LAST_INSERT_ID()\n0"),
        ("SELECT @@identity, @@last_insert_id", "@@identity|@@last_insert_id\n0|0"),
        ("SELECT @x", "@x\n~"),
        ("SELECT @x := 5, @x, @X + 1", "@x := 5|@x|@X + 1\n5|5|6"),
        ("SELECT @x", "@x\n5"),
        ("SELECT @x:='a' AS y;", "y\na"),
        (
            "SELECT @@autocommit, @@session.autocommit, @@global.autocommit, @@local.autocommit",
            "@@autocommit|@@session.autocommit|@@global.autocommit|@@local.autocommit\n1|1|1|1",
        ),
        ("SELECT 1, 'a', NULL, DATABASE()", "1|a|NULL|DATABASE()\n1|a|~|shop"),
        ("SELECT -1 + 2 - 3, DATABASE()", "-1 + 2 - 3|DATABASE()\n-2|shop"),
        (
            "SELECT CONCAT(@@version, '/', 1), UPPER(USER()), LOWER('ÄB')",
            "CONCAT(@@version, '/', 1)|UPPER(USER())|LOWER('ÄB')\n8.0.36-test/1|APP@10.0.0.1|äb",
        ),
        (
            "SELECT IFNULL(@none, 'x'), COALESCE(@none, NULL, 2), CONCAT('a', @none)",
            "IFNULL(@none, 'x')|COALESCE(@none, NULL, 2)|CONCAT('a', @none)\nx|2|~",
        ),
        ("SELECT IF(@@autocommit = 1, 'on', 'off') a, NULLIF(@@port, 3306) b", "a|b\non|~"),
        ("SELECT SUBSTRING_INDEX(USER(), '@', 1) u, SUBSTRING_INDEX(USER(), '@', -1) h", "u|h\napp|10.0.0.1"),
        ("SELECT CAST(@@port AS CHAR) a, CAST('7' AS SIGNED) + @@port b", "a|b\n3306|3313"),
        ("SELECT DATABASE() FROM DUAL LIMIT 1", "DATABASE()\nshop"),
        ("SELECT DATABASE() LIMIT 0", "DATABASE()"),
        ("SELECT DATABASE() LIMIT 1 OFFSET 1", "DATABASE()"),
        ("SELECT DATABASE() LIMIT 1, 5", "DATABASE()"),
        ("SELECT SQL_NO_CACHE DATABASE() AS `my db`", "my db\nshop"),
        ("SELECT DATABASE() 'my db'", "my db\nshop"),
        ("SELECT /* a */ DATABASE() -- b\n, /* c */ @@port # d\n;", "DATABASE()|@@port\nshop|3306"),
        ("/*!40101 SELECT @@port */;", "@@port\n3306"),
        ("SELECT 'ö', @@port\n,\n@@license", "ö|@@port|@@license\nö|3306|GPL"),
        ("SELECT (@@port)", "(@@port)\n3306"),
        (
            "SELECT @@port BETWEEN 1 AND 4000 AND @@license LIKE 'g%' AND @@port NOT IN (1, 2)",
            "@@port BETWEEN 1 AND 4000 AND @@license LIKE 'g%' AND @@port NOT IN (1, 2)\n1",
        ),
        ("SELECT @@socket, @@secure_file_priv", "@@socket|@@secure_file_priv\n~|~"),
        (
            "SELECT @@sql_select_limit, @@long_query_time",
            "@@sql_select_limit|@@long_query_time\n18446744073709551615|10",
        ),
        (
            "SELECT @@query_cache_size, @@query_cache_type, @@tx_isolation, @@transaction_isolation",
            "@@query_cache_size|@@query_cache_type|@@tx_isolation|@@transaction_isolation\n0|OFF|REPEATABLE-READ|REPEATABLE-READ",
        ),
    ]);
}

#[test]
fn what_needs_nothing_of_ours_is_the_servers() {
    for sql in [
        "SELECT 1",
        "SELECT 'literal' AS x",
        "SELECT CONCAT('a', 'b')",
        "SELECT COALESCE(1, 2)",
        "SELECT @@version, my_function(1)",
        "SELECT DATABASE(), (SELECT MAX(a) FROM t)",
        "SELECT DATABASE() FROM t",
        "SELECT @x FROM t",
        "SELECT @x INTO @y",
        "SELECT @x UNION SELECT 1",
        "SELECT @`x`",
        "SELECT @x; SELECT 2",
        "SELECT DATABASE() WHERE 1",
        "SELECT *, DATABASE()",
        "SELECT @@a.b.c",
        "SELECT @@version +",
        "SELECT",
        "SELECT @",
        "SELECT @@",
        "SELECT VERSION(1)",
        "SELECT NOW(7)",
        "SELECT COUNT(*), @x",
        "SELECT VERSION() OVER ()",
    ] {
        assert_eq!(ask(sql), Ok(None), "{sql}");
    }
    // Without the look at the bytes before it, too.
    for sql in ["SELECT 1", "SELECT CONCAT('a', 'b') FROM DUAL", "SELECT IF(1, 2, 3)"] {
        let cursor = Cursor::new(sql).ok().unwrap();
        let found = crate::compat::select::answer(&mut ClientState::new(), &facts(), cursor);
        assert!(matches!(found, Err(Stop::NotOurs)), "{sql}: {found:?}");
    }
}

#[test]
fn variables_that_are_not_there_are_refused() {
    play(&[
        ("SELECT @@nope", "ERROR 1193"),
        ("SELECT @@session.nope", "ERROR 1193"),
        ("SELECT @@session.version", "ERROR 1238"),
        ("SELECT @@global.timestamp", "ERROR 1238"),
        ("SELECT @@global.pseudo_thread_id", "ERROR 1238"),
    ]);
    let e = ask("SELECT @@nope").unwrap_err();
    assert_eq!((e.code(), e.state(), e.message()), (1193, "HY000", "Unknown system variable 'nope'"));
}

#[test]
fn columns_have_types() {
    let kinds = |sql| columns(sql).into_iter().map(|c| (c.kind, c.unsigned)).collect::<Vec<_>>();
    assert_eq!(
        kinds("SELECT @@port, @@autocommit, @@license, NULL, @none, NOW(), 1.5, CONNECTION_ID()"),
        [
            (ColumnType::BigInt, true),
            (ColumnType::BigInt, false),
            (ColumnType::VarChar, false),
            (ColumnType::Null, false),
            (ColumnType::Blob, false),
            (ColumnType::DateTime, false),
            (ColumnType::Decimal, false),
            (ColumnType::BigInt, true),
        ]
    );
}

#[test]
fn the_time_is_the_sessions() {
    play(&[
        ("SET timestamp = 1709210096, time_zone = '+02:00'", "OK 0"),
        (
            "SELECT NOW(), UTC_TIMESTAMP(), CURDATE(), UNIX_TIMESTAMP()",
            "NOW()|UTC_TIMESTAMP()|CURDATE()|UNIX_TIMESTAMP()\n2024-02-29 14:34:56|2024-02-29 12:34:56|2024-02-29|1709210096",
        ),
        ("SELECT CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP\n2024-02-29 14:34:56"),
        ("SELECT NOW(3)", "NOW(3)\n2024-02-29 14:34:56.000"),
        ("SELECT @@timestamp", "@@timestamp\n1709210096"),
        ("SET timestamp = DEFAULT", "OK 0"),
    ]);
    let Ok(Some(Answer::Rows { rows, .. })) = ask("SELECT NOW()") else { panic!() };
    assert!(cell(&rows[0][0]).as_str() > "2025");
}

/// As MySQL 8 has them: `Item_int::set_max_size`, `my_decimal_precision_to_length`, and as MariaDB sends them.
#[test]
fn columns_have_widths_and_decimals() {
    for (item, kind, width, decimals, nullable) in [
        ("1", ColumnType::BigInt, Some(2), None, false),
        ("-1", ColumnType::BigInt, Some(2), None, false),
        ("18446744073709551615", ColumnType::BigInt, Some(20), None, false),
        ("1.5", ColumnType::Decimal, Some(4), Some(1), false),
        ("-1.50", ColumnType::Decimal, Some(5), Some(2), false),
        (".5", ColumnType::Decimal, Some(3), Some(1), false),
        ("0.001", ColumnType::Decimal, Some(6), Some(3), false),
        ("-2.5E-3", ColumnType::Double, Some(7), None, false),
        ("TRUE", ColumnType::BigInt, Some(1), None, false),
        ("'äb'", ColumnType::VarChar, Some(2), None, false),
        ("''", ColumnType::VarChar, Some(0), None, false),
        ("NULL", ColumnType::Null, None, None, true),
        ("@@autocommit", ColumnType::BigInt, Some(1), None, true),
        ("@@session.autocommit", ColumnType::BigInt, Some(1), None, true),
        ("@@port", ColumnType::BigInt, None, None, true),
        ("@@license", ColumnType::VarChar, Some(3), None, true),
        ("@x", ColumnType::Blob, Some(1 << 24), None, true),
        ("NOW()", ColumnType::DateTime, Some(19), Some(0), false),
        ("NOW(3)", ColumnType::DateTime, Some(23), Some(3), false),
        ("CURRENT_TIMESTAMP", ColumnType::DateTime, Some(19), Some(0), false),
        ("USER()", ColumnType::VarChar, Some(288), None, true),
        ("DATABASE()", ColumnType::VarChar, Some(64), None, true),
        ("CONNECTION_ID()", ColumnType::BigInt, None, None, false),
        // Of anything else the value says it.
        ("1 + 1", ColumnType::BigInt, None, None, true),
    ] {
        let all = columns(&format!("SELECT {item}, CONNECTION_ID()"));
        let Column { kind: k, width: w, decimals: d, nullable: n, .. } = &all[0];
        assert_eq!((*k, *w, *d, *n), (kind, width, decimals, nullable), "{item}");
    }
}

#[test]
fn exact_numbers_keep_their_digits() {
    play(&[
        ("SELECT 1.50, -0.10, 007.5, CONNECTION_ID()", "1.50|-0.10|007.5|CONNECTION_ID()\n1.50|-0.10|7.5|42"),
        (
            "SELECT .5 AS a, 12345678901234567890.123 AS b, CONNECTION_ID() AS c",
            "a|b|c\n0.5|12345678901234567890.123|42",
        ),
    ]);
}

/// MySQL counts the warnings of a statement, and a list of them has none of its own.
#[test]
fn a_list_of_warnings_counts_none() {
    let mut client = ClientState::new();
    client.answer("SELECT @@nope", &facts()).unwrap_err();
    assert_eq!(client.done().warnings, 1);
    for sql in ["SHOW WARNINGS", "SHOW COUNT(*) WARNINGS", "SELECT @@warning_count", "SHOW ERRORS"] {
        assert!(client.answer(sql, &facts()).unwrap().is_some());
        assert_eq!((client.done().warnings, client.warnings().len()), (0, 1), "{sql}");
    }
    client.answer("SELECT @@nope", &facts()).unwrap_err();
    assert_eq!(client.done().warnings, 1);
    client.clear_warnings();
    assert_eq!((client.done().warnings, client.warnings().len()), (0, 0));
}
