//! Packets of every length: those that go on in further ones, and those that are too long.

use std::io::Write;

use mysql_async::prelude::*;

use crate::{
    client::connect,
    echo::{EchoSql, accounts::Accounts},
    raw::{Answer, LONGEST, Raw, error},
    server::Server,
};

/// A server with this `max_allowed_packet`.
fn allowing(bytes: usize) -> Server {
    let engine = EchoSql::new(Accounts::default(), "8.0.36-test".into(), bytes / 1024 * 1024);
    Server::start_echo(engine, move |builder| builder.max_allowed_packet(bytes))
}

fn echoed(raw: &mut Raw, length: usize) {
    let sql = format!("ECHO {}", "x".repeat(length - 5));
    let Answer::Rows { rows, .. } = raw.query(&sql) else { panic!("rows of {length} bytes") };
    assert!(rows == [[Some(sql)]], "{length} bytes came back changed");
}

#[test]
fn statements_and_rows_of_several_packets_travel_both_ways() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    // The command's byte stands before the statement, and the value's length (four bytes, or nine) before the row.
    for length in [LONGEST - 2, LONGEST - 1, LONGEST, 2 * LONGEST - 1] {
        echoed(&mut raw, length);
    }
    for length in [LONGEST - 4, LONGEST - 9, 2 * LONGEST - 9] {
        echoed(&mut raw, length);
    }
    assert_eq!(raw.query("DO 1").code(), 0);
}

#[tokio::test]
async fn mysql_async_gets_twenty_mebibytes_back() {
    let server = Server::start();
    let mut conn = connect(&server).await;
    let sql = format!("ECHO {}", "y".repeat(20 << 20));
    let echo: String = conn.query_first(sql.as_str()).await.unwrap().unwrap();
    assert!(echo == sql);
    let next: String = conn.query_first("SELECT 2").await.unwrap().unwrap();
    assert_eq!(next, "SELECT 2");
}

#[test]
fn the_longest_packet_is_the_one_that_was_set_and_told() {
    let server = allowing(5_000);
    let mut raw = Raw::login(&server);
    let Answer::Rows { rows, .. } = raw.query("SELECT @@max_allowed_packet") else { panic!() };
    assert_eq!(rows, [[Some("4096".into())]], "a multiple of 1024");
    echoed(&mut raw, 4_095);
    // A header is enough: nothing of what it claims was sent.
    raw.socket.write_all(&[1, 0x10, 0, 0]).unwrap();
    raw.expect_next(1);
    let refused = error(&raw.receive().unwrap());
    let text = "Got a packet bigger than 'max_allowed_packet' bytes".into();
    assert_eq!(refused, Answer::Error { code: 1153, state: "08S01".into(), text });
    assert!(raw.closes_silently());

    let server = allowing(17 << 20);
    let mut raw = Raw::login(&server);
    echoed(&mut raw, (17 << 20) - 1);
    // The second part's header shows it.
    raw.command(0x03, &vec![b'x'; LONGEST - 1][..LONGEST - 2]);
    assert!(matches!(raw.answer().unwrap(), Answer::Rows { .. }));
    raw.socket.write_all(&[0xff, 0xff, 0xff, 0]).unwrap();
    raw.socket.write_all(&vec![b'x'; LONGEST]).unwrap();
    raw.socket.write_all(&[2, 0, 0x10, 1]).unwrap();
    raw.expect_next(1);
    assert_eq!(error(&raw.receive().unwrap()).code(), 1153);
    server.wait_empty();
}
