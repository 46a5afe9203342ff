//! Answers that servers of this crate's own do not give.

use mysql_async::prelude::Queryable;
use tokio::net::TcpListener;

use super::stage::{ask, begin, goes_on, played};
use crate::{
    SqlError,
    proxy::backend::tests::player::{ALL, NATIVE, Played},
    wire::test_packets as packets,
};

/// Lets the client in whose statement runs at the played server.
async fn asked(listener: &TcpListener, sql: &str) -> Played {
    let mut main = Played::accept(listener).await;
    main.welcome(ALL).await;
    main.until(sql).await;
    main
}

#[test]
fn an_answer_that_cannot_be_read_is_an_error_and_costs_no_connection() {
    // A type that nobody knows; a number.
    let unknown: &[u8] = b"\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x99\x80\0\0\0\0";
    let number: &[u8] = b"\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x08\x80\0\0\0\0";
    let (end, more): (&[u8], &[u8]) = (b"\xfe\0\0\x02\0\0\0", b"\xfe\0\0\x0a\0\0\0");
    let answers: [&[&[u8]]; 3] = [
        &[b"\x01", unknown, b"\x01x", end],
        &[b"\x01", number, b"\x011", b"\x05x", b"\x012", end],
        &[b"\x01", unknown, b"\x01x", more, b"\x01", number, b"\x011", end],
    ];
    for answer in answers {
        played(async |stage, listener| {
            let alice = stage.alice().await;
            let running = begin(&alice, "SELECT odd");
            let mut main = asked(&listener, "SELECT odd").await;
            main.send(1, answer).await;
            assert_eq!(running.await.unwrap(), 1105);
            goes_on(&alice, &mut main).await;
        });
    }
}

/// A client over the wire asks this of the played server, which answers by these packets: what the client makes of it.
fn asks(sql: &'static str, packets: &'static [&'static [u8]], client: impl AsyncFnOnce(&mut mysql_async::Conn)) {
    played(async |stage, listener| {
        let (opts, end) = stage.serve();
        let mut conn = mysql_async::Conn::new(opts).await.unwrap();
        let answer = async {
            let mut main = asked(&listener, sql).await;
            main.send(1, packets).await;
            // What is asked of its own accord: whether a transaction is open.
            while main.next().await.is_some() {
                main.ok(1).await;
            }
        };
        tokio::select! {
            () = client(&mut conn) => {}
            () = answer => panic!("the connection to the server was closed"),
        }
        drop(conn);
        end().await;
    });
}

/// A count of columns, one of numbers, the number 7, and the end of it, behind which more comes.
const SEVEN: [&[u8]; 4] =
    [b"\x01", b"\x03def\0\0\0\x01?\0\x0c?\0\x01\0\0\0\x08\x80\0\0\0\0", b"\x017", b"\xfe\0\0\x0a\0\0\0"];

#[test]
fn what_a_server_says_to_people_behind_a_statement_is_handed_on() {
    const OK: &[u8] = b"\0\x01\0\x02\0\0\0\x28Rows matched: 2  Changed: 1  Warnings: 0";
    asks("UPDATE x", &[OK], async |client| {
        client.query_drop("UPDATE x").await.unwrap();
        assert_eq!((&*client.info(), client.affected_rows()), ("Rows matched: 2  Changed: 1  Warnings: 0", 1));
    });
}

#[test]
fn a_procedures_own_end_is_none_of_its_rows() {
    const ALL: &[&[u8]] = &[SEVEN[0], SEVEN[1], SEVEN[2], SEVEN[3], b"\0\x03\0\x02\0\0\0"];
    asks("CALL p()", ALL, async |client| {
        let mut results = client.query_iter("CALL p()").await.unwrap();
        let rows: Vec<i64> = results.collect().await.unwrap();
        let end: Vec<i64> = results.collect().await.unwrap();
        assert_eq!((rows, end, results.affected_rows(), results.is_empty()), (vec![7], vec![], 3, true));
    });
}

#[test]
fn an_error_behind_a_result_leaves_the_result_whole() {
    const ALL: &[&[u8]] = &[SEVEN[0], SEVEN[1], SEVEN[2], SEVEN[3], b"\xff\x6c\x06#45000boom"];
    asks("CALL p()", ALL, async |client| {
        let mut results = client.query_iter("CALL p()").await.unwrap();
        let rows: Vec<i64> = results.collect().await.unwrap();
        let error = results.collect::<i64>().await.unwrap_err();
        assert_eq!(rows, [7]);
        assert!(matches!(error, mysql_async::Error::Server(error) if error.code == 1644));
    });
}

#[test]
fn a_client_does_not_hear_why_the_proxys_login_was_refused() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let refuse = async {
            let mut main = Played::accept(&listener).await;
            main.greet(ALL, NATIVE).await;
            let text = "Access denied for user 'app'@'10.0.0.5' (using password: YES)";
            main.send(2, &[&packets::error(&SqlError::new(1045, "28000", text))]).await;
        };
        let (answer, ()) = tokio::join!(ask(&alice, "INSERT x"), refuse);
        let error = answer.unwrap_err();
        let server = listener.local_addr().unwrap();
        assert_eq!(
            error.to_string(),
            format!(
                "ERROR 1045 (28000): MySQL server '{server}' did not accept the proxy's login for 'alice' (see the proxy's log)"
            )
        );
    });
}

#[test]
fn a_server_that_does_not_come_to_an_end_with_changes_is_left() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let tell = async {
            let mut main = asked(&listener, "CALL odd").await;
            // A variable of 60,000 bytes, and another result follows.
            let value = [&b"\x01v\xfd\x60\xea\0"[..], &[b'x'; 60_000]].concat();
            let told = [&b"\0\xfd\x66\xea\0"[..], &value].concat();
            let ok = [&b"\0\0\0\x0a\x40\0\0\0\xfd\x6b\xea\0"[..], &told].concat();
            let mut number = 1u8;
            while main.try_send(number, &ok).await {
                number = number.wrapping_add(1);
            }
        };
        let (answer, ()) = tokio::join!(ask(&alice, "CALL odd"), tell);
        let error = answer.unwrap_err();
        assert!(error.code() == 1158 && error.message().contains("no end of changed variables"), "{error}");
    });
}
