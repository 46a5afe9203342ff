//! Ordinary statements: what they change, what they stream, what is said of tables.

use mysql_async::{Row, prelude::*};

use crate::server::{Server, code, texts};

#[tokio::test]
async fn what_a_statement_changed_is_counted() {
    let server = Server::start();
    let mut conn = server.with_table().await;
    for (sql, affected, id) in [
        ("INSERT INTO t (v) VALUES ('x')", 1, Some(3)),
        ("INSERT INTO t (v) VALUES ('y'), ('z')", 2, Some(4)),
        ("UPDATE t SET v = upper(v) WHERE id > 2", 3, None),
        ("DELETE FROM t WHERE id = 5", 1, None),
        ("INSERT OR IGNORE INTO t VALUES (1, 'there')", 0, None),
        ("INSERT INTO t VALUES (1, 'there') ON CONFLICT DO UPDATE SET v = 'one'", 1, None),
        ("CREATE TABLE other (x)", 0, None),
        ("DELETE FROM t WHERE id = 99", 0, None),
    ] {
        conn.query_drop(sql).await.unwrap();
        assert_eq!((conn.affected_rows(), conn.last_insert_id()), (affected, id), "{sql}");
    }
    let last: u64 = conn.query_first("SELECT LAST_INSERT_ID()").await.unwrap().unwrap();
    assert_eq!(last, 4);
    let returned: Vec<u64> = conn.query("INSERT INTO t (v) VALUES ('r') RETURNING id").await.unwrap();
    assert_eq!(returned, [5]);
}

#[tokio::test]
async fn rows_stream() {
    let server = Server::start();
    let mut conn = server.connect().await;
    let numbers = |last: u32, pad: u32| {
        format!(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT {last}) \
             SELECT x, printf('%*s', {pad}, x) FROM n"
        )
    };
    let rows: Vec<(u32, String)> = conn.query(numbers(1_000, 0)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), (1..=1_000).collect::<Vec<_>>());
    // Far more than is held for a reader who is behind.
    let rows: Vec<(u32, String)> = conn.exec(numbers(1_000, 10_000), ()).await.unwrap();
    assert_eq!(rows.len(), 1_000);
    assert!(rows.iter().all(|(n, text)| text.len() == 10_000 && text.trim() == n.to_string()));
}

#[tokio::test]
async fn clients_learn_of_themselves_and_of_the_tables() {
    let server = Server::start();
    let mut conn = server.with_table().await;
    let own: (u32, String, Option<String>) =
        conn.query_first("SELECT CONNECTION_ID(), USER(), DATABASE()").await.unwrap().unwrap();
    assert_eq!(own, (conn.id(), "root@127.0.0.1".into(), None));
    assert_eq!(code(conn.query_drop("SHOW TABLES").await), 1046);
    assert_eq!(code(conn.query_drop("USE shop").await), 1049);
    conn.query_drop("USE main").await.unwrap();
    conn.query_drop("CREATE VIEW w AS SELECT v FROM t").await.unwrap();
    let tables: Vec<String> = conn.query("SHOW TABLES").await.unwrap();
    assert_eq!(tables, ["t", "w"]);
    let databases: Vec<String> = conn.query("SHOW DATABASES").await.unwrap();
    assert_eq!(databases, ["main"]);
    type Field = (String, String, String, String, Option<String>, String);
    let field = |name: &str, kind: &str, null: &str, key: &str, extra: &str| -> Field {
        (name.into(), kind.into(), null.into(), key.into(), None, extra.into())
    };
    let (id, v) = (field("id", "INTEGER", "NO", "PRI", "auto_increment"), field("v", "TEXT", "YES", "", ""));
    let both = [id.clone(), v.clone()];
    for (sql, expected) in [
        ("DESCRIBE t", &both[..]),
        ("desc main.t", &both),
        ("SHOW COLUMNS FROM `t`", &both),
        ("SHOW FIELDS IN t FROM main LIKE 'i%'", &both[..1]),
        ("DESC t v", &both[1..]),
    ] {
        let fields: Vec<Field> = conn.query(sql).await.unwrap();
        assert_eq!(fields, expected, "{sql}");
    }
    let full: Vec<Row> = conn.query("SHOW FULL COLUMNS FROM t").await.unwrap();
    assert_eq!(full[0].get::<String, _>("Key").unwrap(), "PRI");
    let created: (String, String) = conn.query_first("SHOW CREATE TABLE t").await.unwrap().unwrap();
    assert_eq!(created, ("t".into(), "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)".into()));
    for (sql, expected) in
        [("DESC nosuch", 1146), ("SHOW CREATE TABLE nosuch", 1146), ("SHOW CREATE TABLE shop.t", 1049)]
    {
        assert_eq!(code(conn.query_drop(sql).await), expected, "{sql}");
    }
}

/// Strings and comments as MySQL's clients write them. A text that a client escaped stays in its quotes.
#[tokio::test]
async fn statements_mean_what_the_client_meant() {
    let server = Server::start();
    let mut conn = server.with_table().await;
    for (sql, expected) in [
        (r"SELECT 'it\'s'", "it's"),
        (r"SELECT 'it''s'", "it's"),
        (r#"SELECT "it's""#, "it's"),
        (r"SELECT '\' OR 1=1 -- '", "' OR 1=1 -- "),
        (r"SELECT 'a\\'", r"a\"),
        ("SELECT 'a' # ' a comment", "a"),
        ("SELECT /* ' */ 'a' -- '", "a"),
        ("SELECT 'a' /*!50000 || 'b' */", "ab"),
        ("SELECT 3--1 || ''", "4"),
        (r"SELECT 'a\0b'", "a\0b"),
        ("SELECT `v` FROM `main`.`t` WHERE `id` = 1", "one"),
        ("SELECT N'a'", "a"),
    ] {
        let value: String = conn.query_first(sql).await.unwrap().unwrap();
        assert_eq!(value, expected, "{sql}");
    }
    let bytes: Vec<u8> = conn.query_first(b"SELECT _binary'\xff\\0\\''".as_slice()).await.unwrap().unwrap();
    assert_eq!(bytes, b"\xff\0'");
    conn.query_drop("SET @name = 'two'").await.unwrap();
    let id: u8 = conn.query_first("SELECT id FROM t WHERE v = @name").await.unwrap().unwrap();
    assert_eq!(id, 2);
    // SQLite's own parameters are none of MySQL's: they would be NULL without a word.
    for sql in ["SELECT ?", "SELECT ?1", "SELECT :x", "SELECT $x", "SELECT 'open", "SELECT 1 \0 2"] {
        assert_eq!(code(conn.query_drop(sql).await), 1064, "{sql}");
    }
    assert_eq!(texts(&mut conn).await, ["one", "two"]);
}
