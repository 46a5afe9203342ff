//! What a client may try to do to the host, or to see of others.

use super::*;

#[test]
fn nothing_but_questions_gets_through() {
    for sql in [
        "ATTACH '/tmp/x' AS x",
        "ATTACH DATABASE ':memory:' AS x",
        "PRAGMA temp_store",
        "PRAGMA hard_heap_limit = 1",
        "VACUUM INTO '/tmp/x'",
        "CREATE TABLE information_schema.x (a INT)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "INSERT INTO information_schema.processlist SELECT * FROM information_schema.processlist",
        "REPLACE INTO information_schema.processlist VALUES (1)",
        "UPDATE information_schema.processlist SET user = 'x'",
        "DELETE FROM information_schema.processlist",
        "WITH x AS (SELECT 1) DELETE FROM information_schema.processlist",
        "WITH x AS (SELECT 1) INSERT INTO information_schema.processlist SELECT * FROM x",
        "DROP TABLE information_schema.processlist",
        "SELECT 1; DROP TABLE information_schema.processlist",
        "SELECT 1; SELECT 2",
        "EXPLAIN SELECT 1",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT * FROM information_schema.processlist INDEXED BY x",
        "VALUES (1)",
        "BEGIN",
        "SELECT 1 -> 2",
        "SELECT [user] FROM information_schema.processlist",
        "SELECT :a, $b",
    ] {
        assert_eq!(error(sql).code(), 1064, "{sql}");
    }
}

#[test]
fn only_the_tables_given_are_read() {
    for (table, named) in [
        ("sqlite_master", None),
        ("main.sqlite_master", Some("main.sqlite_master")),
        ("information_schema.sqlite_master", Some("information_schema.sqlite_master")),
        ("information_schema.sqlite_schema", Some("information_schema.sqlite_schema")),
        ("temp.sqlite_temp_schema", Some("temp.sqlite_temp_schema")),
        ("sqlite_temp_master", None),
        ("pragma_database_list", None),
        ("pragma_function_list", None),
        ("information_schema.dbstat", Some("information_schema.dbstat")),
        ("dbstat", None),
        ("sqlite_dbpage", None),
        ("json_each", None),
        ("fts5vocab", None),
    ] {
        for select in ["*", "COUNT(*)", "1"] {
            let found = error(&format!("SELECT {select} FROM {table}"));
            assert!([1146, 1046].contains(&found.code()), "{table}: {found}");
            if named.is_some() {
                assert_eq!(found.code(), 1146, "{table}: {found}");
            }
        }
    }
    for sql in [
        "SELECT rowid FROM information_schema.processlist",
        "SELECT p._rowid_ FROM information_schema.processlist p",
        "SELECT 1 FROM information_schema.processlist ORDER BY oid",
    ] {
        assert_eq!(error(sql).code(), 1054, "{sql}");
    }
}

#[test]
fn sqlites_own_functions_are_unknown() {
    for call in [
        "load_extension('x')",
        "randomblob(9)",
        "zeroblob(1000000000)",
        "printf('%1000000000d', 1)",
        "sqlite_version()",
        "sqlite_compileoption_get(1)",
        "fts3_tokenizer('a', x'00')",
        "json_array(1)",
        "char(1, 2)()",
        "my_concat('a')",
        "readfile('/etc/passwd')",
        "total(1)",
        "likelihood(1, 0.5)",
        "`load_extension`('x')",
        "LOAD_FILE('/etc/passwd')",
        "SLEEP(5)",
        "BENCHMARK(1, 1)",
        "GET_LOCK('a', 1)",
    ] {
        let code = error(&format!("SELECT {call}")).code();
        assert!([1305, 1064].contains(&code), "{call}: {code}");
    }
}

#[test]
fn names_stay_names() {
    for sql in [
        "SELECT `a\"; DROP TABLE x; --` FROM information_schema.processlist",
        "SELECT `x` FROM information_schema.processlist",
        "SELECT \"a\"\"b\" FROM information_schema.processlist WHERE `y\"z` = 1",
    ] {
        assert_eq!(error(sql).code(), 1054, "{sql}");
    }
    let found =
        answer("SELECT id AS `a\"b`, id 'c''d', 1 AS \"e\" FROM information_schema.processlist LIMIT 1").unwrap();
    assert_eq!(names(&found), ["a\"b", "c'd", "e"]);
}

#[test]
fn depth_and_length_are_bounded() {
    let (deep, long) = (1000, 60 << 10);
    for (sql, codes) in [
        (format!("SELECT {}1{}", "(".repeat(deep), ")".repeat(deep)), [1235, 1235]),
        (format!("SELECT {}1{}", "CASE WHEN ".repeat(deep), " THEN 1 END".repeat(deep)), [1235, 1235]),
        (format!("SELECT 1{}", " + 1".repeat(deep)), [1235, 1235]),
        (format!("SELECT 1{}", " UNION SELECT 1".repeat(deep)), [1105, 1105]),
        (format!("SELECT 1{}", ", 1".repeat(deep)), [1105, 1105]),
        (format!("SELECT CONCAT(1{})", ", 1".repeat(deep)), [1105, 1582]),
        (format!("SELECT {}1", "INTERVAL ".repeat(deep)), [1064, 1235]),
        (format!("SELECT {}1", "!".repeat(deep)), [1235, 1235]),
        (format!("SELECT '{}'", "x".repeat(64 << 10)), [1235, 1235]),
        (format!("SELECT 1{}", " DIV 1".repeat(long / 8)), [1235, 1235]),
        (format!("SELECT 1{}", " XOR 1".repeat(long / 8)), [1235, 1235]),
        (format!("SELECT {}1", "!".repeat(long / 2)), [1235, 1235]),
        (format!("SELECT 1{}", ",1".repeat(long / 4) + ", 1 ^ 1".repeat(200).as_str()), [1235, 1235]),
        (format!("SELECT 1{}", " COLLATE x".repeat(long / 12)), [1064, 1064]),
        (format!("SELECT 1{}", ",@a".repeat(long / 4)), [1390, 1105]),
        (format!("SELECT 1{}", ",?".repeat(20_000)), [1390, 1210]),
    ] {
        let found = error(&sql);
        assert!(codes.contains(&found.code()), "{}: {found}", &sql[..40]);
    }
}

#[test]
fn what_sqlite_does_not_take_is_refused_in_mysqls_words() {
    const LIST: &str = "information_schema.processlist";
    for (sql, code, word) in [
        ("SELECT (SELECT 1, 2)", 1241, "Operand should contain 1 column(s)"),
        ("SELECT 1 WHERE (1,2) IN ((1,2),(3))", 1241, "Operand should contain 2 column(s)"),
        ("SELECT (1,2) < (1,2,3)", 1241, "Operand should contain 1 column(s)"),
        ("SELECT 1 FROM LIST a JOIN LIST b USING (nosuch)", 1054, "Unknown column 'nosuch' in 'from clause'"),
        ("SELECT 1 UNION SELECT 2 ORDER BY nosuch", 1054, "Unknown column 'item 1' in 'order clause'"),
        ("SELECT id FROM LIST GROUP BY COUNT(*)", 1111, "Invalid use of group function"),
        ("SELECT id FROM LIST HAVING id = 1", 1235, "'HAVING without GROUP BY'"),
        ("SELECT COUNT(*) OVER w FROM LIST", 3579, "Window name 'w' is not defined."),
        ("SELECT NTILE(0) OVER () FROM LIST", 1210, "Incorrect arguments to ntile"),
        ("SELECT NTH_VALUE(id, 0) OVER () FROM LIST", 1210, "Incorrect arguments to nth_value"),
        ("SELECT SUM(id) OVER (ROWS BETWEEN -1 PRECEDING AND CURRENT ROW) FROM LIST", 3586, "negative"),
        ("SELECT SUM(id) OVER (RANGE 1 PRECEDING) FROM LIST", 3587, "exactly one ORDER BY expression"),
        ("WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT COUNT(*) FROM a) SELECT * FROM a", 3575, "aggregation"),
        ("WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 1 FROM a, a b) SELECT * FROM a", 3577, "'a'"),
        ("SELECT 1 FROM LIST FULL OUTER JOIN LIST p", 1064, "near 'OUTER JOIN"),
        ("SELECT sql FROM `sqlite_master`", 1146, "Table 'sqlite_master' doesn't exist"),
    ] {
        let found = error(&sql.replace("LIST", LIST));
        assert_eq!(found.code(), code, "{sql}: {found}");
        assert!(found.message().contains(word), "{sql}: {found}");
    }
    let many = error(&format!("SELECT 1{}", " UNION SELECT 1".repeat(1000)));
    assert_eq!((many.code(), many.message()), (1105, "The system tables cannot answer this question"));
}
