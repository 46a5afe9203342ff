//! What clients see of `SET`, of `SET STATEMENT` and of hints; `tests/sessions/settings.rs` has what they do.

use mysql_async::prelude::*;

use crate::{
    client::{code, connect},
    server::Server,
};

#[tokio::test]
async fn the_time_of_one_statement_is_not_that_of_the_next_in_a_command() {
    let server = Server::start();
    let mut conn = connect(&server).await;
    for first in [
        "SELECT /*+ MAX_EXECUTION_TIME(100) */ 1",
        "SET max_statement_time = 0.1; SET max_statement_time = 0",
        "SET STATEMENT max_statement_time = 0.1 FOR DO 1",
        "PREPARE s FROM 'SELECT /*+ MAX_EXECUTION_TIME(100) */ 1'; EXECUTE s",
    ] {
        conn.query_drop(format!("{first}; SELECT SLEEP(0.3)")).await.unwrap_or_else(|error| panic!("{first}: {error}"));
    }
    let several = "SELECT 1; SELECT /*+ MAX_EXECUTION_TIME(100) */ SLEEP(1000); SELECT 2";
    assert_eq!(code(conn.query_drop(several).await), 3024);
    conn.disconnect().await.unwrap();
}

#[tokio::test]
async fn prepared_statements_have_their_time_and_their_values() {
    let server = Server::start();
    let mut conn = connect(&server).await;
    let limited = conn.prep("SET STATEMENT max_statement_time = ? FOR SELECT SLEEP(?)").await.unwrap();
    assert_eq!((limited.num_params(), limited.num_columns()), (2, 1));
    assert_eq!(code(conn.exec_drop(&limited, (0.1, 1000)).await), 1969);
    let slept: Option<i64> = conn.exec_first(&limited, (1000, 0.2)).await.unwrap();
    assert_eq!(slept, Some(0));
    conn.exec_drop("SET @x = ?, wait_timeout = ?, max_statement_time = ?", (7, 99, 1.5)).await.unwrap();
    let set: Option<(i64, u64, String)> =
        conn.query_first("SELECT @x, @@wait_timeout, @@max_statement_time").await.unwrap();
    assert_eq!(set, Some((7, 99, "1.500000".into())));
    conn.reset().await.unwrap();
    let set: Option<(u64, u64)> = conn.query_first("SELECT @@wait_timeout, @@global.wait_timeout").await.unwrap();
    assert_eq!(set, Some((28_800, 28_800)));
    conn.disconnect().await.unwrap();
}
