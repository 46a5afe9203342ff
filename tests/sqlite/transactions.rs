//! What begins and ends a transaction, in SQLite itself.

use mysql_async::{Conn, consts::StatusFlags, prelude::*};

use crate::server::{Server, code, texts};

/// What the last answer said: in a transaction, autocommit.
fn flags(conn: &Conn) -> (bool, bool) {
    // Of an OK packet the client keeps the rest only; the variables say the same.
    let status = conn.last_ok_packet().map_or(StatusFlags::empty(), |ok| ok.status_flags());
    (status.contains(StatusFlags::SERVER_STATUS_IN_TRANS), status.contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT))
}

#[tokio::test]
async fn each_statement_leaves_the_flags_and_the_data_that_it_should() {
    let server = Server::start();
    let mut conn = server.with_table().await;
    let mut other = server.connect().await;
    conn.query_drop("DELETE FROM t").await.unwrap();
    // The statement, the flags behind it, and how many rows others see then.
    for (sql, expected, seen) in [
        ("INSERT INTO t (v) VALUES (1)", (false, true), 1),
        ("BEGIN", (true, true), 1),
        ("INSERT INTO t (v) VALUES (2)", (true, true), 1),
        ("ROLLBACK", (false, true), 1),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE", (true, true), 1),
        ("INSERT INTO t (v) VALUES (3)", (true, true), 1),
        ("START TRANSACTION", (true, true), 2),
        ("INSERT INTO t (v) VALUES (4)", (true, true), 2),
        ("COMMIT AND CHAIN", (true, true), 3),
        ("SAVEPOINT `a \"b\"`", (true, true), 3),
        ("INSERT INTO t (v) VALUES (5)", (true, true), 3),
        ("ROLLBACK WORK TO SAVEPOINT `a \"b\"`", (true, true), 3),
        ("RELEASE SAVEPOINT `a \"b\"`", (true, true), 3),
        ("COMMIT", (false, true), 3),
        // Outside of a transaction it is gone at once.
        ("SAVEPOINT a", (false, true), 3),
        ("SET autocommit = 0", (false, false), 3),
        ("INSERT INTO t (v) VALUES (6)", (true, false), 3),
        ("COMMIT", (false, false), 4),
        ("DELETE FROM t WHERE v = 6", (true, false), 4),
        ("ROLLBACK", (false, false), 4),
        ("INSERT INTO t (v) VALUES (7)", (true, false), 4),
        ("SET autocommit = 1", (false, true), 5),
        // As SQLite says it.
        ("BEGIN IMMEDIATE", (true, true), 5),
        ("INSERT INTO t (v) VALUES (8)", (true, true), 5),
        ("END", (false, true), 6),
    ] {
        conn.query_drop(sql).await.unwrap();
        assert_eq!(flags(&conn), expected, "{sql}");
        let count: usize = other.query_first("SELECT count(*) FROM t").await.unwrap().unwrap();
        assert_eq!(count, seen, "{sql}");
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_and_ends_nothing() {
    let server = Server::start();
    let mut conn = server.with_table().await;
    conn.query_drop("START TRANSACTION READ ONLY").await.unwrap();
    assert_eq!(code(conn.query_drop("DELETE FROM t").await), 1792);
    assert_eq!(code(conn.query_drop("ROLLBACK TO nosuch").await), 1305);
    assert_eq!(texts(&mut conn).await, ["one", "two"]);
    conn.query_drop("COMMIT").await.unwrap();
    conn.query_drop("DELETE FROM t WHERE id = 1").await.unwrap();
    assert_eq!(texts(&mut conn).await, ["two"]);
    // A commit that fails leaves the transaction open, and autocommit off.
    conn.query_drop("CREATE TABLE c (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)").await.unwrap();
    conn.query_drop("SET autocommit = 0").await.unwrap();
    conn.query_drop("INSERT INTO c VALUES (99)").await.unwrap();
    assert_eq!(code(conn.query_drop("SET autocommit = 1").await), 1452);
    let state: (u8, u8) = conn.query_first("SELECT @@autocommit, @@in_transaction").await.unwrap().unwrap();
    assert_eq!(state, (0, 1));
    conn.query_drop("DELETE FROM c").await.unwrap();
    conn.query_drop("SET autocommit = 1").await.unwrap();
    let state: (u8, u8) = conn.query_first("SELECT @@autocommit, @@in_transaction").await.unwrap().unwrap();
    assert_eq!(state, (1, 0));
}

#[tokio::test]
async fn a_reset_rolls_back_and_forgets() {
    let server = Server::start();
    let mut conn = server.with_table().await;
    conn.query_drop("SET @x = 1; CREATE TEMP TABLE mine (x); SET autocommit = 0; DELETE FROM t").await.unwrap();
    assert!(conn.reset().await.unwrap());
    assert_eq!(texts(&mut conn).await, ["one", "two"]);
    let state: (u8, Option<u8>) = conn.query_first("SELECT @@autocommit, @x").await.unwrap().unwrap();
    assert_eq!(state, (1, None));
    assert_eq!(code(conn.query_drop("SELECT * FROM mine").await), 1146);
}

#[tokio::test]
async fn the_savepoints_of_a_transaction_are_bounded() {
    let server = Server::start();
    let mut conn = server.with_table().await;
    conn.query_drop("BEGIN").await.unwrap();
    let many = "SAVEPOINT a;".repeat(1_000);
    conn.query_drop(many.trim_end_matches(';')).await.unwrap();
    assert_eq!(code(conn.query_drop("SAVEPOINT a").await), 1038);
    conn.query_drop("COMMIT; BEGIN; SAVEPOINT a").await.unwrap();
}
