//! Sessions that write at the same time.

use mysql_async::prelude::*;

use crate::server::{Server, code, soon, texts};

#[tokio::test]
async fn of_two_writers_one_waits_and_goes_on_when_the_other_is_done() {
    let server = Server::start();
    let mut first = server.with_table().await;
    let mut second = server.connect().await;
    let id = second.id();
    first.query_drop("BEGIN; INSERT INTO t (v) VALUES ('first')").await.unwrap();
    let sql = "INSERT INTO t (v) VALUES ('second')";
    let waiting = tokio::spawn(async move { second.query_drop(sql).await });
    server.wait_for_state(id, "Waiting for lock", sql).await;
    first.query_drop("COMMIT").await.unwrap();
    soon(waiting).await.unwrap().unwrap();
    assert_eq!(texts(&mut first).await, ["one", "two", "first", "second"]);
}

#[tokio::test]
async fn one_that_waits_is_killed_and_its_transaction_lives_on() {
    let server = Server::start();
    let mut first = server.with_table().await;
    let mut second = server.connect().await;
    let id = second.id();
    first.query_drop("BEGIN; INSERT INTO t (v) VALUES ('first')").await.unwrap();
    second.query_drop("BEGIN").await.unwrap();
    let sql = "INSERT INTO t (v) VALUES ('second')";
    let waiting = tokio::spawn(async move {
        let result = second.query_drop(sql).await;
        (second, result)
    });
    server.wait_for_state(id, "Waiting for lock", sql).await;
    first.query_drop(format!("KILL QUERY {id}")).await.unwrap();
    let (mut second, result) = soon(waiting).await.unwrap();
    assert_eq!(code(result), 1317);
    let open: u8 = second.query_first("SELECT @@in_transaction").await.unwrap().unwrap();
    assert_eq!(open, 1);
    first.query_drop("COMMIT").await.unwrap();
    second.query_drop("INSERT INTO t (v) VALUES ('again'); COMMIT").await.unwrap();
    assert_eq!(texts(&mut first).await, ["one", "two", "first", "again"]);
}

#[tokio::test]
async fn one_that_has_waited_long_enough_is_told_so() {
    let server = Server::start();
    let mut first = server.with_table().await;
    let mut second = server.connect().await;
    first.query_drop("BEGIN; INSERT INTO t (v) VALUES ('first')").await.unwrap();
    second.query_drop("SET innodb_lock_wait_timeout = 1").await.unwrap();
    assert_eq!(code(second.query_drop("INSERT INTO t (v) VALUES ('second')").await), 1205);
    // Who reads does not wait.
    assert_eq!(texts(&mut second).await, ["one", "two"]);
}

#[tokio::test]
async fn a_transaction_that_would_write_over_what_it_has_not_seen_is_rolled_back() {
    let server = Server::start();
    let mut first = server.with_table().await;
    let mut second = server.connect().await;
    second.query_drop("BEGIN").await.unwrap();
    assert_eq!(texts(&mut second).await, ["one", "two"]);
    first.query_drop("UPDATE t SET v = 'new' WHERE id = 1").await.unwrap();
    assert_eq!(code(second.query_drop("UPDATE t SET v = 'newer' WHERE id = 1").await), 1213);
    let open: u8 = second.query_first("SELECT @@in_transaction").await.unwrap().unwrap();
    assert_eq!(open, 0);
    assert_eq!(texts(&mut second).await, ["new", "two"]);
}
