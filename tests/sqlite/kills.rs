//! What a kill ends, and what it leaves.

use std::time::{Duration, Instant};

use mysql_async::{Conn, prelude::*};

use crate::server::{ENDLESS, Server, code, soon, texts};

/// Lets `conn` run a statement in the background: its outcome and the connection are the task's.
fn run(mut conn: Conn, sql: &'static str) -> tokio::task::JoinHandle<(Conn, Result<(), mysql_async::Error>)> {
    tokio::spawn(async move {
        let result = conn.query_drop(sql).await;
        (conn, result)
    })
}

#[tokio::test]
async fn a_recursive_query_is_killed_in_its_midst_and_its_transaction_lives_on() {
    let server = Server::start();
    let mut victim = server.with_table().await;
    let mut by = server.connect().await;
    victim.query_drop("BEGIN; INSERT INTO t (v) VALUES ('three')").await.unwrap();
    let id = victim.id();
    let victim = run(victim, ENDLESS);
    server.wait_for_state(id, "Sending data", ENDLESS).await;
    assert_eq!(texts(&mut by).await, ["one", "two"], "others go on meanwhile");
    assert!(!victim.is_finished());
    let begin = Instant::now();
    by.query_drop(format!("KILL QUERY {id}")).await.unwrap();
    let (mut victim, result) = soon(victim).await.unwrap();
    let took = begin.elapsed();
    println!("from KILL QUERY to the victim's error: {took:?}");
    assert_eq!(code(result), 1317);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(texts(&mut victim).await, ["one", "two", "three"], "the same connection, the same transaction");
    assert_eq!(texts(&mut by).await, ["one", "two"]);
    victim.query_drop("COMMIT").await.unwrap();
    assert_eq!(texts(&mut by).await, ["one", "two", "three"]);
}

#[tokio::test]
async fn of_a_killed_statement_that_writes_nothing_is_left() {
    let server = Server::start();
    let victim = server.with_table().await;
    let mut by = server.connect().await;
    let id = victim.id();
    let sql = "INSERT INTO t (v) WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT 'x' FROM n";
    let victim = run(victim, sql);
    server.wait_for_state(id, "updating", sql).await;
    by.query_drop(format!("KILL QUERY {id}")).await.unwrap();
    let (mut victim, result) = soon(victim).await.unwrap();
    assert_eq!(code(result), 1317);
    assert_eq!(texts(&mut victim).await, ["one", "two"]);
    victim.query_drop("INSERT INTO t (v) VALUES ('three')").await.unwrap();
    assert_eq!(texts(&mut by).await, ["one", "two", "three"]);
}

/// SQLite gives up the whole transaction then; the client must not take its next statements for a part of it.
#[tokio::test]
async fn a_transaction_that_a_killed_write_took_along_is_not_gone_on_with() {
    let server = Server::start();
    let mut victim = server.with_table().await;
    let mut by = server.connect().await;
    let id = victim.id();
    for (next, outcome) in [
        ("INSERT INTO t (v) VALUES ('half')", Some(1213)),
        ("COMMIT", Some(1213)),
        ("BEGIN", Some(1213)),
        ("SAVEPOINT a", Some(1213)),
        ("ROLLBACK", None),
    ] {
        victim.query_drop("BEGIN; INSERT INTO t (v) VALUES ('three')").await.unwrap();
        let sql =
            "UPDATE t SET v = (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n)";
        let running = run(victim, sql);
        server.wait_for_state(id, "updating", sql).await;
        by.query_drop(format!("KILL QUERY {id}")).await.unwrap();
        let (back, result) = soon(running).await.unwrap();
        victim = back;
        assert_eq!(code(result), 1317);
        let result = victim.query_drop(next).await;
        assert_eq!(result.err().map(|error| code::<()>(Err(error))), outcome, "{next}");
        assert_eq!(texts(&mut by).await, ["one", "two"], "{next}");
        // It was told, and can begin again.
        victim.query_drop("BEGIN; INSERT INTO t (v) VALUES ('again'); ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_killed_in_a_transaction_is_rolled_back_before_it_leaves_the_list() {
    let server = Server::start();
    let mut victim = server.with_table().await;
    let mut by = server.connect().await;
    victim.query_drop("BEGIN; UPDATE t SET v = 'changed'").await.unwrap();
    let id = victim.id();
    by.query_drop(format!("KILL {id}")).await.unwrap();
    loop {
        let ids: Vec<u32> =
            by.exec_map("SHOW PROCESSLIST", (), |row: mysql_async::Row| row.get(0).unwrap()).await.unwrap();
        if !ids.contains(&id) {
            break;
        }
    }
    // Not a try later: the lock is free, and the old data is there.
    by.query_drop("SET innodb_lock_wait_timeout = 1").await.unwrap();
    assert_eq!(texts(&mut by).await, ["one", "two"]);
    by.query_drop("UPDATE t SET v = 'mine' WHERE id = 1").await.unwrap();
    assert_eq!(texts(&mut by).await, ["mine", "two"]);
    assert!(victim.ping().await.is_err());
}

#[tokio::test]
async fn a_connection_killed_while_it_writes_leaves_nothing_either() {
    let server = Server::start();
    let mut victim = server.with_table().await;
    let mut by = server.connect().await;
    victim.query_drop("BEGIN; UPDATE t SET v = 'changed'").await.unwrap();
    let id = victim.id();
    let running = run(victim, ENDLESS);
    server.wait_for_state(id, "Sending data", ENDLESS).await;
    by.query_drop(format!("KILL {id}")).await.unwrap();
    server.wait_gone(id).await;
    assert_eq!(texts(&mut by).await, ["one", "two"]);
    by.query_drop("DELETE FROM t").await.unwrap();
    assert!(soon(running).await.unwrap().1.is_err());
}

#[tokio::test]
async fn a_client_that_vanishes_takes_its_transaction_along() {
    let server = Server::start();
    let mut by = server.with_table().await;
    // Idle in its transaction, and in the midst of a statement.
    for statement in [None, Some(ENDLESS)] {
        let mut victim = server.connect().await;
        victim.query_drop("BEGIN; UPDATE t SET v = 'changed'").await.unwrap();
        let id = victim.id();
        match statement {
            None => drop(victim),
            Some(sql) => {
                let running = run(victim, sql);
                server.wait_for_state(id, "Sending data", ENDLESS).await;
                running.abort();
                assert!(running.await.unwrap_err().is_cancelled(), "its connection went down with it");
            }
        }
        server.wait_gone(id).await;
        assert_eq!(texts(&mut by).await, ["one", "two"]);
        by.query_drop("UPDATE t SET v = v").await.unwrap();
    }
}
