//! Rows of several packets, on their way through the proxy.

use mysql_async::{OptsBuilder, prelude::Queryable};
use tokio::net::TcpListener;

use super::{
    raw::Raw,
    stage::{Served, Stage, played, stage},
};
use crate::{
    KillMode, SqlError, Target,
    proxy::backend::tests::player::{ALL, Played},
    wire::{MAX_CHUNK, test_packets as packets},
};

#[test]
fn they_pass_in_parts_and_arrive_whole() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        let opts = OptsBuilder::from_opts(opts).max_allowed_packet(Some(1 << 26));
        let mut client = mysql_async::Conn::new(opts).await.unwrap();
        for set in ["utf8mb4", "latin1"] {
            client.query_drop(format!("SET NAMES {set}")).await.unwrap();
            for length in [MAX_CHUNK - 4, 2 * MAX_CHUNK + 7] {
                let rows: Vec<String> = client.query(format!("SELECT LONG {length}")).await.unwrap();
                assert_eq!((rows.len(), rows[0].len(), rows[1].as_str()), (2, length, "behind it"), "{set}");
            }
        }
        client.disconnect().await.unwrap();
        end().await;
    });
}

/// So much of a row's first packet has come.
const COME: usize = 1 << 20;

/// A client in the middle of a long row, and the row's server.
async fn halfway(stage: &Stage, listener: &TcpListener, port: u16) -> (Raw, Played, Vec<u8>) {
    let mut client = Raw::connect(port).await;
    client.send(0, b"\x03SELECT long").await;
    let mut main = Played::accept(listener).await;
    main.welcome(ALL).await;
    main.until("SELECT long").await;
    let text: &[u8] = b"\x03def\0\0\0\x01?\0\x0c-\0\0\0\0\x01\xfc\0\0\0\0\0";
    main.send(1, &[b"\x01", text]).await;
    let long: Vec<u8> = (0..MAX_CHUNK + 50).map(|at| (at % 251) as u8).collect();
    let row = [&[0xfe][..], &(long.len() as u64).to_le_bytes(), &long].concat();
    main.raw(b"\xff\xff\xff\x03").await;
    main.raw(&row[..COME]).await;
    // The number of columns, the column, an EOF.
    for number in 1..=3 {
        assert_eq!(client.packet().await.0, number);
    }
    assert_eq!(client.header().await, (4, MAX_CHUNK));
    // All but what the proxy gathers before it sends it on.
    let begun = COME - (16 << 10);
    assert!(client.bytes(begun).await == row[..begun], "it comes before it is whole");
    assert_eq!(stage.proxy.list(&Served::root()).rows().len(), 1);
    (client, main, row)
}

async fn kill(stage: &Stage, listener: &TcpListener, mode: KillMode) {
    let id = stage.proxy.list(&Served::root()).rows()[0].id;
    let _receipt = stage.proxy.kill(&Served::root(), Target::Session(id), mode).await.unwrap();
    let mut side = Played::accept(listener).await;
    side.welcome(ALL).await;
    side.does("Query").await;
    assert_eq!(side.receive().await, b"\x03KILL QUERY 77");
    side.ok(1).await;
}

#[test]
fn one_whose_statement_is_killed_is_made_whole_before_the_error() {
    played(async |stage, listener| {
        let (opts, end) = stage.serve();
        let (mut client, mut main, row) = halfway(stage, &listener, opts.tcp_port()).await;
        kill(stage, &listener, KillMode::Query).await;
        let rest = async {
            main.raw(&row[COME..MAX_CHUNK]).await;
            main.send(4, &[&row[MAX_CHUNK..], &packets::error(&SqlError::interrupted())]).await;
            assert_eq!(main.receive().await, b"\x03DO 0");
            main.ok(1).await;
        };
        let read = async {
            let begun = COME - (16 << 10);
            assert!(client.bytes(MAX_CHUNK - begun).await == row[begun..MAX_CHUNK]);
            let (number, last) = client.packet().await;
            assert!(number == 5 && last == row[MAX_CHUNK..]);
            let (number, error) = client.packet().await;
            assert_eq!((number, &error[..3]), (6, &b"\xff\x25\x05"[..]));
            client.send(0, b"\x03INSERT next").await;
        };
        tokio::join!(rest, read);
        main.until("INSERT next").await;
        main.ok(1).await;
        assert_eq!(client.packet().await.1[0], 0, "the session goes on");
        drop(client);
        end().await;
    });
}

#[test]
fn a_client_is_cut_off_in_the_middle_of_one_that_will_not_be_whole() {
    for mode in [Some(KillMode::Connection), Some(KillMode::Query), None] {
        played(async |stage, listener| {
            let (opts, end) = stage.serve();
            let (mut client, main, row) = halfway(stage, &listener, opts.tcp_port()).await;
            if let Some(mode) = mode {
                kill(stage, &listener, mode).await;
            }
            let main = (mode == Some(KillMode::Connection)).then_some(main);
            let rest = client.rest().await;
            assert!(rest == row[COME - (16 << 10)..][..rest.len()], "nothing but the row: {mode:?}");
            drop(main);
            end().await;
        });
    }
}
