//! SQLite's errors, as MySQL's clients see them.

use mysql_async::{Error, prelude::*};
use rusqlite::ffi;

use crate::{
    server::{Server, texts},
    sqlite::errors,
};

#[tokio::test]
async fn errors_have_mysqls_codes() {
    let server = Server::start();
    let mut conn = server.with_table().await;
    conn.query_drop("CREATE TABLE u (k TEXT UNIQUE NOT NULL, n INTEGER CHECK (n < 10), t INTEGER REFERENCES t (id))")
        .await
        .unwrap();
    conn.query_drop("INSERT INTO u (k) VALUES ('a')").await.unwrap();
    for (sql, code, state) in [
        ("INSERT INTO u (k) VALUES ('a')", 1062, "23000"),
        ("INSERT INTO t (id) VALUES (1)", 1062, "23000"),
        ("INSERT INTO u (n) VALUES (1)", 1048, "23000"),
        ("INSERT INTO u (k, n) VALUES ('b', 10)", 3819, "HY000"),
        ("INSERT INTO u (k, t) VALUES ('b', 99)", 1452, "23000"),
        ("SELECT * FROM nosuch", 1146, "42S02"),
        ("SELECT nosuch FROM t", 1054, "42S22"),
        ("INSERT INTO t (nosuch) VALUES (1)", 1054, "42S22"),
        ("SELECT id FROM t, t AS other", 1052, "23000"),
        ("SELECT nosuch(1)", 1305, "42000"),
        ("SELECT abs()", 1582, "42000"),
        ("CREATE TABLE t (x)", 1050, "42S01"),
        ("CREATE TABLE w (x, x)", 1060, "42S21"),
        ("DROP INDEX nosuch", 1091, "42000"),
        ("INSERT INTO t VALUES (1)", 1136, "21S01"),
        ("INSERT INTO t (id) VALUES (1, 2)", 1136, "21S01"),
        ("SELEC 1", 1064, "42000"),
        ("SELECT 1 FROM", 1064, "42000"),
        ("SELECT 1; SELECT , 2", 1064, "42000"),
        ("DELETE FROM sqlite_schema", 1290, "HY000"),
        ("ATTACH '/tmp/other.db' AS other", 1227, "42000"),
        ("VACUUM", 1227, "42000"),
        ("VACUUM INTO '/tmp/other.db'", 1227, "42000"),
        ("PRAGMA synchronous = OFF", 1227, "42000"),
        ("PRAGMA journal_mode = DELETE", 1227, "42000"),
        ("PRAGMA foreign_keys = OFF", 1227, "42000"),
        ("PRAGMA busy_timeout = 1", 1227, "42000"),
        ("SELECT * FROM pragma_journal_mode", 1227, "42000"),
        ("SELECT load_extension('x')", 1227, "42000"),
        ("SELECT zeroblob(100000000)", 1105, "HY000"),
    ] {
        let error = match conn.query_drop(sql).await {
            Err(Error::Server(error)) => error,
            other => panic!("{sql}: {other:?}"),
        };
        assert_eq!((error.code, error.state.as_str()), (code, state), "{sql}: {}", error.message);
        // The session goes on, and tells of the error when asked.
        let shown: (String, u16, String) = conn.query_first("SHOW WARNINGS").await.unwrap().unwrap();
        assert_eq!(shown, ("Error".into(), code, error.message), "{sql}");
    }
    assert_eq!(texts(&mut conn).await, ["one", "two"]);
    let pragma: Vec<String> = conn.query("SELECT name FROM pragma_table_info('t')").await.unwrap();
    assert_eq!(pragma, ["id", "v"], "what only tells is allowed");
}

/// Those that a test cannot bring about.
#[test]
fn other_errors_have_codes_too() {
    for (code, expected) in [
        (ffi::SQLITE_READONLY, (1290, "HY000")),
        (ffi::SQLITE_FULL, (1021, "HY000")),
        (ffi::SQLITE_NOMEM, (1037, "HY001")),
        (ffi::SQLITE_LOCKED, (1205, "HY000")),
        (ffi::SQLITE_BUSY_RECOVERY, (1205, "HY000")),
        (ffi::SQLITE_CONSTRAINT_TRIGGER, (1644, "45000")),
        (ffi::SQLITE_IOERR, (1105, "HY000")),
    ] {
        let error = errors::of(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert_eq!((error.code(), error.state()), expected);
    }
}
