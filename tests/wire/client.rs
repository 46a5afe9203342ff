//! What an ordinary client does, by `mysql_async`.

use mysql_async::{Conn, Error, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, Row, prelude::*};

use crate::server::Server;

pub fn opts(server: &Server, user: &str) -> Opts {
    let builder = OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(server.address.port());
    builder.user(Some(user)).prefer_socket(false).into()
}

pub async fn connect(server: &Server) -> Conn {
    Conn::new(opts(server, "root")).await.unwrap()
}

/// The code of a server's error.
pub fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> u16 {
    match result.expect_err("an error was expected") {
        Error::Server(error) => error.code,
        other => panic!("not an error of the server's: {other}"),
    }
}

#[tokio::test]
async fn it_connects_asks_for_itself_queries_and_leaves() {
    let server = Server::start();
    let mut conn = connect(&server).await;
    assert_eq!(conn.server_version(), (8, 0, 36));
    let id = conn.id();
    let own: (u32, String, Option<String>) =
        conn.query_first("SELECT CONNECTION_ID(), USER(), DATABASE()").await.unwrap().unwrap();
    assert_eq!(own, (id, "root@127.0.0.1".into(), None));
    let echo: String = conn.query_first("SELECT 1").await.unwrap().unwrap();
    assert_eq!(echo, "SELECT 1");
    let rows: Vec<u64> = conn.query("SELECT * FROM seq(1000)").await.unwrap();
    assert_eq!(rows, (1..=1000).collect::<Vec<_>>());
    conn.ping().await.unwrap();
    conn.query_drop("USE test").await.unwrap();
    let database: String = conn.query_first("SELECT DATABASE()").await.unwrap().unwrap();
    assert_eq!(database, "test");
    assert_eq!(code(conn.query_drop("USE nosuch").await), 1049);
    assert_eq!(code(conn.query_drop("KILL 4000000").await), 1094);
    conn.disconnect().await.unwrap();
    tokio::task::spawn_blocking(move || {
        server.wait_empty();
        assert_eq!(server.runtime.status().aborted_clients, 0, "it said goodbye");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_id_of_the_greeting_is_the_one_of_the_list_and_of_kill() {
    let server = Server::start();
    let mut victim = connect(&server).await;
    let mut by = connect(&server).await;
    let rows: Vec<Row> = by.query("SHOW FULL PROCESSLIST").await.unwrap();
    let ids: Vec<u32> = rows.iter().map(|row| row.get("Id").unwrap()).collect();
    assert_eq!(ids, [victim.id(), by.id()]);
    let names: Vec<_> = rows[0].columns_ref().iter().map(|c| c.name_str().into_owned()).collect();
    assert_eq!(names, ["Id", "User", "Host", "db", "Command", "Time", "State", "Info"]);
    by.query_drop(format!("KILL {}", victim.id())).await.unwrap();
    assert!(victim.ping().await.is_err());
}

#[tokio::test]
async fn several_statements_in_one_packet_give_several_results() {
    let server = Server::start();
    let mut conn = connect(&server).await;
    let mut results = conn.query_iter("SELECT 'a;b'; DO 1; SELECT * FROM seq(3); SELECT 2").await.unwrap();
    assert_eq!(results.collect::<String>().await.unwrap(), ["SELECT 'a;b'"]);
    assert_eq!(results.collect::<String>().await.unwrap(), [""; 0]);
    assert_eq!(results.collect::<u8>().await.unwrap(), [1, 2, 3]);
    assert_eq!(results.collect::<String>().await.unwrap(), ["SELECT 2"]);
    results.drop_result().await.unwrap();
    // An error ends the packet: what follows it is not run.
    let error = conn.query_drop("SELECT 1; KILL 999999; SET @ran = 1").await;
    assert_eq!(code(error), 1094);
    let ran: Option<u8> = conn.query_first("SELECT @ran").await.unwrap().unwrap();
    assert_eq!(ran, None);
}

#[tokio::test]
async fn a_pool_that_resets_its_connections_keeps_their_ids_and_forgets_their_state() {
    let server = Server::start();
    let one = PoolOpts::default().with_constraints(PoolConstraints::new(1, 1).unwrap());
    let pool = Pool::new(OptsBuilder::from_opts(opts(&server, "root")).pool_opts(one));
    let first = {
        let mut conn = pool.get_conn().await.unwrap();
        conn.query_drop("SET @x = 5; USE test; BEGIN").await.unwrap();
        conn.id()
    };
    let mut conn = pool.get_conn().await.unwrap();
    assert_eq!(conn.id(), first, "the same connection");
    let x: Option<u8> = conn.query_first("SELECT @x").await.unwrap().unwrap();
    assert_eq!(x, None);
    assert!(conn.reset().await.unwrap());
    let own: u32 = conn.query_first("SELECT CONNECTION_ID()").await.unwrap().unwrap();
    assert_eq!(own, first);
    drop(conn);
    pool.disconnect().await.unwrap();
}
