//! Values and types, there and back.

use mysql_async::{Row, Value, consts::ColumnType, prelude::*};

use crate::server::{Server, code};

#[tokio::test]
async fn every_type_comes_back_as_it_went() {
    let server = Server::start();
    let mut conn = server.connect().await;
    let table = "CREATE TABLE v (i BIGINT, s SMALLINT, f DOUBLE, n DECIMAL(10,2), c VARCHAR(20), x TEXT, b BLOB, \
                 d DATE, p DATETIME, h TIME, y BOOLEAN)";
    conn.query_drop(table).await.unwrap();
    let values = vec![
        Value::Int(i64::MIN),
        Value::Int(-7),
        Value::Double(0.1),
        Value::Bytes(b"12.25".to_vec()),
        Value::Bytes("grüße '\\ \0".into()),
        Value::Bytes(vec![b'x'; 100_000]),
        Value::Bytes(vec![0, 255, 39]),
        Value::Date(2024, 2, 29, 0, 0, 0, 0),
        Value::Date(2024, 2, 29, 23, 59, 58, 123_456),
        Value::Time(true, 1, 2, 3, 4, 5),
        Value::Int(1),
    ];
    conn.exec_drop("INSERT INTO v VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values.clone()).await.unwrap();
    conn.exec_drop("INSERT INTO v (i) VALUES (?)", (None::<u8>,)).await.unwrap();
    let rows: Vec<Row> = conn.exec("SELECT * FROM v", ()).await.unwrap();
    let types: Vec<_> = rows[0].columns_ref().iter().map(|column| column.column_type()).collect();
    use ColumnType::*;
    let expected = [
        MYSQL_TYPE_LONGLONG,
        MYSQL_TYPE_LONGLONG,
        MYSQL_TYPE_DOUBLE,
        MYSQL_TYPE_NEWDECIMAL,
        MYSQL_TYPE_VAR_STRING,
        MYSQL_TYPE_LONG_BLOB,
        MYSQL_TYPE_LONG_BLOB,
        MYSQL_TYPE_DATE,
        MYSQL_TYPE_DATETIME,
        MYSQL_TYPE_TIME,
        MYSQL_TYPE_TINY,
    ];
    assert_eq!(types, expected);
    let [first, second] = <[Row; 2]>::try_from(rows).unwrap().map(Row::unwrap);
    assert_eq!(first, values);
    assert!(second.iter().all(|value| *value == Value::NULL), "{second:?}");
    // The same in the text protocol.
    let texts: Vec<Option<String>> = {
        let row: Row = conn.query_first("SELECT i, s, f, n, c, d, p, h, y FROM v").await.unwrap().unwrap();
        (0..row.len()).map(|place| row.get(place).unwrap()).collect()
    };
    let expected = [
        "-9223372036854775808",
        "-7",
        "0.1",
        "12.25",
        "grüße '\\ \0",
        "2024-02-29",
        "2024-02-29 23:59:58.123456",
        "-26:03:04.000005",
        "1",
    ];
    assert_eq!(texts, expected.map(|text| Some(text.to_owned())));
    assert_eq!(code(conn.exec_drop("SELECT ?", (u64::MAX,)).await), 1264);
}

#[tokio::test]
async fn an_expression_is_what_its_first_value_is() {
    let server = Server::start();
    let mut conn = server.connect().await;
    for (sql, expected) in [
        ("SELECT 1 + 1", Value::Int(2)),
        ("SELECT 1.5", Value::Double(1.5)),
        ("SELECT 'a' || 'b'", Value::Bytes(b"ab".to_vec())),
        ("SELECT x'00'", Value::Bytes(vec![0])),
        ("SELECT NULL", Value::NULL),
    ] {
        let row: Row = conn.exec_first(sql, ()).await.unwrap().unwrap();
        assert_eq!(row.unwrap(), [expected], "{sql}");
    }
}

/// SQLite lets any value be in any column; a client that reads by the column would read something else.
#[tokio::test]
async fn a_value_that_is_none_of_its_columns_is_an_error() {
    let server = Server::start();
    let mut conn = server.connect().await;
    conn.query_drop("CREATE TABLE odd (n INTEGER, d DATE, y BOOLEAN)").await.unwrap();
    conn.query_drop("INSERT INTO odd VALUES (1, '2024-01-01', 0), ('many', 'some day', 1000)").await.unwrap();
    for sql in [
        "SELECT n FROM odd",
        "SELECT d FROM odd",
        "SELECT y FROM odd",
        "SELECT n || '' - n + n FROM odd UNION ALL SELECT 'x'",
    ] {
        assert_eq!(code(conn.query_drop(sql).await), 1366, "{sql}");
        assert_eq!(code(conn.exec_drop(sql, ()).await), 1366, "{sql}");
    }
    let texts: Vec<String> = conn.query("SELECT CAST(n AS TEXT) FROM odd").await.unwrap();
    assert_eq!(texts, ["1", "many"]);
}

#[tokio::test]
async fn a_preparation_says_what_is_known() {
    let server = Server::start();
    let mut conn = server.with_table().await;
    for (sql, params, columns) in [
        ("SELECT id, v, id + ? FROM t WHERE v = ?", 2, &["id", "v", "id + ?"][..]),
        ("INSERT INTO t (v) VALUES (?)", 1, &[]),
        ("SELECT '?', \"?\", `id` FROM t /* ? */", 0, &["'?'", "'?'", "id"]),
        ("SELECT @@version", 0, &["@@version"]),
        ("DESCRIBE main.t", 0, &["Field", "Type", "Null", "Key", "Default", "Extra"]),
        ("BEGIN", 0, &[]),
        ("SET @x = ?", 1, &[]),
    ] {
        let statement = conn.prep(sql).await.unwrap();
        assert_eq!(usize::from(statement.num_params()), params, "{sql}");
        let names: Vec<_> = statement.columns().iter().map(|column| column.name_str().into_owned()).collect();
        assert_eq!(names, columns, "{sql}");
        conn.close(statement).await.unwrap();
    }
    assert_eq!(code(conn.prep("SELECT * FROM nosuch").await), 1146);
    assert_eq!(code(conn.prep("SELEC").await), 1064);
    conn.exec_drop("SET @x = ?", ("two",)).await.unwrap();
    let select = conn.prep("SELECT id FROM t WHERE v = @x AND id < ?").await.unwrap();
    for (below, expected) in [(10, vec![2]), (2, vec![])] {
        let ids: Vec<u8> = conn.exec(&select, (below,)).await.unwrap();
        assert_eq!(ids, expected);
    }
    // The table is another one by now.
    conn.query_drop("ALTER TABLE t ADD COLUMN w DEFAULT 7").await.unwrap();
    let all = conn.prep("SELECT * FROM t WHERE id = ?").await.unwrap();
    conn.query_drop("ALTER TABLE t DROP COLUMN w").await.unwrap();
    let row: Row = conn.exec_first(&all, (1,)).await.unwrap().unwrap();
    assert_eq!(row.len(), 2);
}
