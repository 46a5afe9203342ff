//! What people ask the process list.

use super::*;

#[test]
fn questions_are_answered() {
    for (sql, expected) in [
        (
            "SELECT user, COUNT(*), MAX(time) FROM information_schema.processlist WHERE command <> 'Sleep' \
             GROUP BY user ORDER BY 2 DESC LIMIT 5",
            "app|2|30/web|1|3",
        ),
        ("SELECT ID FROM INFORMATION_SCHEMA.PROCESSLIST WHERE USER = 'ROOT'", "1"),
        (
            "select id from `information_schema` . `processlist` p where p.Time > 5 and p.USER in ('APP') order by id",
            "2/3",
        ),
        (
            "SELECT db, COUNT(*) n FROM information_schema.processlist GROUP BY db ORDER BY n DESC, db",
            "shop|3/NULL|1/blog|1",
        ),
        ("SELECT DISTINCT db FROM information_schema.processlist WHERE db IS NOT NULL ORDER BY db DESC", "shop/blog"),
        ("SELECT id FROM information_schema.processlist WHERE info LIKE 'select%' ORDER BY id", "2/5"),
        ("SELECT id FROM information_schema.processlist WHERE info LIKE '%\\'x\\'%'", "3"),
        (
            "SELECT p.id, t.thread_id FROM information_schema.processlist p JOIN performance_schema.threads t \
             ON t.processlist_id = p.id ORDER BY 1",
            "2|12/3|13",
        ),
        (
            "SELECT p.id, t.type FROM information_schema.processlist AS p LEFT JOIN performance_schema.threads t \
             ON t.processlist_id = p.id WHERE p.user = 'app' ORDER BY p.id",
            "2|FOREGROUND/3|FOREGROUND/4|NULL",
        ),
        (
            "SELECT id FROM information_schema.processlist WHERE time = (SELECT MAX(time) FROM information_schema.processlist)",
            "1",
        ),
        (
            "SELECT id FROM information_schema.processlist p WHERE EXISTS (SELECT 1 FROM performance_schema.threads t \
             WHERE t.processlist_id = p.id) ORDER BY id LIMIT 1, 1",
            "3",
        ),
        (
            "WITH busy AS (SELECT * FROM information_schema.processlist WHERE command = 'query'), n (c) AS (SELECT \
             COUNT(*) FROM busy) SELECT user, n.c FROM busy, n ORDER BY id",
            "app|3/app|3/web|3",
        ),
        ("SELECT t.user FROM (SELECT user, time FROM information_schema.processlist) t WHERE t.time > 50", "root"),
        ("SELECT 1 UNION SELECT 2 UNION ALL SELECT 2", "1/2/2"),
        ("(SELECT id FROM information_schema.processlist WHERE id < 3) UNION (SELECT 9) ORDER BY 1 DESC", "9/2/1"),
        ("(SELECT id FROM information_schema.processlist LIMIT 1)", "1"),
        ("(SELECT 1 LIMIT 1) UNION DISTINCT (SELECT 1)", "1"),
        ("SELECT COUNT(*) FROM information_schema.processlist;", "5"),
        (
            "SELECT user, SUM(time) s FROM information_schema.processlist GROUP BY user HAVING s > 30 ORDER BY s",
            "app|39/root|100",
        ),
        (
            "SELECT user, ROW_NUMBER() OVER (PARTITION BY user ORDER BY id) FROM information_schema.processlist LIMIT 3",
            "app|1/app|2/app|3",
        ),
        ("SELECT COUNT(DISTINCT db) FROM information_schema.processlist", "2"),
        (
            "SELECT information_schema.processlist.id FROM information_schema.processlist WHERE id = CONNECTION_ID()",
            "2",
        ),
        ("SELECT id FROM information_schema.processlist WHERE login_time < NOW() - INTERVAL 1 HOUR AND id = 1", "1"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n", "1/2/3"),
    ] {
        assert_eq!(rows(sql), expected, "{sql}");
    }
}

#[test]
fn columns_keep_what_they_were_declared_with_and_are_named_as_typed() {
    let found = answer(
        "SELECT p.user, ID AS n, COUNT(*),  max( time ) , 'it''s', 1+1 two, `login_time`, NULL x, 'a' 'b' 'c', -id 'minus', \
         CASE WHEN 1 THEN 2 END, DATE_SUB(login_time, INTERVAL 1 DAY) FROM information_schema.processlist p",
    )
    .unwrap();
    let expected = [
        "user",
        "n",
        "COUNT(*)",
        "max( time )",
        "it's",
        "two",
        "login_time",
        "x",
        "abc",
        "minus",
        "CASE WHEN 1 THEN 2 END",
        "DATE_SUB(login_time, INTERVAL 1 DAY)",
    ];
    assert_eq!(names(&found), expected);
    let all = answer("SELECT * FROM information_schema.processlist").unwrap();
    for (column, declared) in all.columns.iter().zip(columns()) {
        let declared = Column { table: "PROCESSLIST".into(), schema: "information_schema".into(), ..declared };
        assert_eq!(*column, declared);
    }
    assert_eq!(all.rows, tables()[0].rows, "each value as it was");
    let some = answer("SELECT t.*, x.ID FROM information_schema.processlist x, performance_schema.threads t").unwrap();
    assert_eq!(names(&some), ["THREAD_ID", "PROCESSLIST_ID", "TYPE", "ID"]);
}

#[test]
fn computed_columns_have_the_type_of_their_values() {
    for (expression, kind, values) in [
        ("id + 1", ColumnType::BigInt, "2/3/4/5/6"),
        ("id / 2", ColumnType::Double, "0.5/1/1.5/2/2.5"),
        ("NULLIF(id, id)", ColumnType::VarChar, "NULL/NULL/NULL/NULL/NULL"),
        ("IF(id < 3, id, user)", ColumnType::VarChar, "1/2/app/app/web"),
        ("IF(id < 3, id, 0.5)", ColumnType::Double, "1/2/0.5/0.5/0.5"),
        ("MAX(time)", ColumnType::BigInt, "100"),
    ] {
        let found = answer(&format!("SELECT {expression} FROM information_schema.processlist")).unwrap();
        assert_eq!((found.columns[0].kind, &*shown(&found)), (kind, values), "{expression}");
    }
    // A part of a union that is of another type than the first.
    let union = answer("SELECT id FROM information_schema.processlist WHERE id = 1 UNION ALL SELECT 'x'").unwrap();
    assert_eq!((union.columns[0].kind, &*shown(&union)), (ColumnType::VarChar, "1/x"));
    let left = answer(
        "SELECT t.thread_id FROM information_schema.processlist p LEFT JOIN performance_schema.threads t \
         ON t.processlist_id = p.id WHERE p.id < 3 ORDER BY p.id",
    )
    .unwrap();
    assert!(left.columns[0].nullable && left.columns[0].unsigned);
    assert_eq!(left.rows, [[OwnedValue::Null], [OwnedValue::UInt(12)]]);
}

#[test]
fn names_without_a_database_are_of_the_current_one() {
    let current = Facts { database: Some("INFORMATION_SCHEMA".into()), ..facts() };
    let (stop, limits, held) = (Stop::new(|| None), Limits::default(), Held::default());
    let ask = |sql: &str| read_of(sql, current.clone())?.answer(&[], tables(), &stop, &limits, &held);
    assert_eq!(shown(&ask("SELECT COUNT(*), DATABASE() FROM processlist").unwrap()), "5|INFORMATION_SCHEMA");
    let missing = ask("SELECT * FROM nothing").unwrap_err();
    assert_eq!((missing.code(), missing.message()), (1146, "Table 'INFORMATION_SCHEMA.nothing' doesn't exist"));
}

#[test]
fn parameters_and_variables_have_their_values() {
    let sql = "SELECT id FROM information_schema.processlist WHERE user = ? AND id >= @id AND '?' = '?' LIMIT ?";
    let question = read(sql).unwrap();
    assert_eq!(question.params(), 2);
    let params = [OwnedValue::Bytes(b"APP".to_vec()), OwnedValue::Int(1)];
    assert_eq!(shown(&answer_of(sql, &params, &tables()).unwrap()), "3");
    assert_eq!(answer_of(sql, &params[1..], &tables()).unwrap_err().code(), 1210);
    assert_eq!(rows("SELECT @@version, @unset"), "8.0.36-test|NULL");
    assert_eq!(error("SELECT @@nothing").code(), 1193);
}

#[test]
fn a_question_is_described_without_rows() {
    let mut empty = tables();
    empty.iter_mut().for_each(|table| table.rows.clear());
    let question = read("SELECT id, user u, COUNT(*) FROM information_schema.processlist WHERE id = ?").unwrap();
    let found = question.describe(&empty).unwrap();
    let kinds: Vec<_> = found.iter().map(|column| (&*column.name, column.kind)).collect();
    assert_eq!(kinds, [("id", ColumnType::BigInt), ("u", ColumnType::VarChar), ("COUNT(*)", ColumnType::VarChar)]);
    assert_eq!(
        read("SELECT x FROM information_schema.processlist").unwrap().describe(&empty).unwrap_err().code(),
        1054
    );
}

#[test]
fn errors_are_mysqls() {
    let from = "FROM information_schema.processlist";
    for (sql, code, text) in [
        ("SELECT * FROM information_schema.nothing".into(), 1146, "Table 'information_schema.nothing' doesn't exist"),
        ("SELECT * FROM nothing".into(), 1046, "No database selected"),
        (format!("SELECT nothing {from}"), 1054, "Unknown column 'nothing' in 'field list'"),
        (format!("SELECT p.nothing {from} p"), 1054, "Unknown column 'p.nothing' in 'field list'"),
        (format!("SELECT \"nothing\", `nothing` {from} p"), 1054, "Unknown column 'nothing' in 'field list'"),
        (format!("SELECT id {from} ORDER BY 9"), 1054, "Unknown column 'item 1' in 'order clause'"),
        (
            format!("SELECT a.id {from} a, information_schema.processlist b WHERE id = 1"),
            1052,
            "Column 'id' in field list is ambiguous",
        ),
        (format!("SELECT nothing(1) {from}"), 1305, "FUNCTION nothing does not exist"),
        (format!("SELECT shop.f(1) {from}"), 1305, "FUNCTION shop.f does not exist"),
        ("SELECT LEFT('a')".into(), 1582, "Incorrect parameter count in the call to native function 'LEFT'"),
        ("SELECT CONCAT()".into(), 1582, "Incorrect parameter count in the call to native function 'CONCAT'"),
        (format!("SELECT id {from} WHERE COUNT(*) > 1"), 1111, "Invalid use of group function"),
        ("SELECT 1 UNION SELECT 1, 2".into(), 1222, "The used SELECT statements have a different number of columns"),
    ] {
        let found = error(&sql);
        assert_eq!((found.code(), found.message()), (code, text), "{sql}");
    }
    for (sql, near) in [
        ("SELECT 1 FROM information_schema.processlist WHERE", "near '' at line 1"),
        ("SELECT 1 FROM information_schema.processlist\nGROUP user", "near 'user' at line 2"),
        ("SELECT (1", "near '' at line 1"),
        ("SELECT 1)", "near ')' at line 1"),
        ("SELECT 'a", "near ''a' at line 1"),
        ("SELECT 1 DIV", "near 'DIV' at line 1"),
        ("SELECT @x := 1", "near ':= 1' at line 1"),
        ("", "near '' at line 1"),
    ] {
        let found = error(sql);
        assert!(found.code() == 1064 && found.message().ends_with(near), "{sql}: {found}");
    }
    for sql in
        ["SELECT 1 INTO @x", "SELECT id INTO @x FROM information_schema.processlist", "SELECT 1 INTO OUTFILE 'x'"]
    {
        assert_eq!(error(sql).code(), 1064, "{sql}");
    }
}

#[test]
fn a_question_of_its_own_needs_no_column_read() {
    let from = "FROM information_schema.processlist";
    for (sql, expected) in [
        (format!("WITH a AS (SELECT MAX(id) m {from}) SELECT COUNT(*) FROM a"), "1"),
        (format!("WITH `A` (x) AS (SELECT id {from}) SELECT COUNT(*) FROM a"), "5"),
        (format!("WITH a AS (SELECT id {from}), b AS (SELECT 1 FROM a) SELECT 7 FROM b LIMIT 1"), "7"),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) \
             SELECT COUNT(*) FROM n, information_schema.processlist"
                .into(),
            "15",
        ),
        (format!("SELECT COUNT(*) FROM (SELECT 1 {from}) t"), "5"),
    ] {
        assert_eq!(rows(&sql), expected, "{sql}");
    }
    for table in ["sqlite_master", "pragma_function_list", "nothing"] {
        let found = error(&format!("WITH a AS (SELECT 1) SELECT COUNT(*) FROM a, {table}"));
        assert!([1046, 1146].contains(&found.code()), "{table}: {found}");
    }
}
