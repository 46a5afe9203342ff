//! Statements on their way to the primary, and their answers on the way back.

use mysql_async::prelude::Queryable;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::stage::{ask, builder, code, stage, until};
use crate::{
    Runtime,
    model::{ServerPeer, ServerPlace, ServerState},
    proxy::backend::tests::player::{ALL, Played},
};

#[test]
fn nothing_is_connected_before_the_first_statement() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        let slot = stage.proxy.shared.registry.get(alice.id()).unwrap();
        assert!(slot.servers().is_none());
        assert_eq!(stage.servers[0].connections(), 0);
        assert_eq!(ask(&alice, "SELECT a b").await.unwrap(), ["a", "b"]);
        assert_eq!(stage.servers[0].connections(), 1);
        let shown = stage.server_session(&alice);
        assert_eq!((shown.place, shown.state, shown.statements), (ServerPlace::LastUsed, ServerState::Kept, 1));
        assert_eq!(shown.server, ServerPeer::Tcp(stage.servers[0].address));
    });
}

#[test]
fn a_server_session_is_shown_by_the_address_that_it_has_reached() {
    stage(1, false, async |stage| {
        let address = stage.servers[0].address;
        let proxy = builder().server("localhost", address.port()).build();
        stage.proxy = Runtime::builder(proxy).start();
        let alice = stage.alice().await;
        ask(&alice, "SELECT a").await.unwrap();
        assert_eq!(stage.server_session(&alice).server, ServerPeer::Tcp(address));
    });
}

#[test]
fn a_statement_counts_as_one_transaction_however_often_it_is_asked() {
    stage(1, false, async |stage| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ports = [listener.local_addr().unwrap().port(), stage.servers[0].address.port()];
        let proxy = ports.into_iter().fold(builder().read_split(true), |proxy, port| proxy.server("127.0.0.1", port));
        stage.proxy = Runtime::builder(proxy.build()).start();
        let alice = stage.alice().await;
        let lost = async {
            let mut played = Played::accept(&listener).await;
            played.welcome(ALL).await;
            played.until("SELECT WHO").await;
        };
        let (answer, ()) = tokio::join!(ask(&alice, "SELECT WHO"), lost);
        assert_eq!(answer.unwrap()[0], "server0", "asked again");
        assert_eq!(stage.shown(&alice).transactions(), 1);
    });
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        alice.use_database("shop").await.unwrap();
        // The replica has none of that name.
        stage.servers[1].behind.lacks(Some(("shop", 1049)));
        for _ in 0..4 {
            assert_eq!(ask(&alice, "SELECT WHO").await.unwrap()[0], "server0");
        }
        assert_eq!(stage.shown(&alice).transactions(), 4);
    });
}

#[test]
fn results_and_errors_are_the_servers_own() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        assert_eq!(ask(&alice, "SELECT TWO").await.unwrap(), ["first", "second"]);
        let error = ask(&alice, "FAIL").await.unwrap_err();
        assert_eq!(error.to_string(), "ERROR 1062 (23000): Duplicate entry 'x' for key 'PRIMARY'");
        assert_eq!(ask(&alice, "INSERT x").await.unwrap(), [""; 0]);
        assert_eq!(stage.servers[0].behind.committed(), ["x"]);
        assert_eq!(stage.server_session(&alice).statements, 3, "all on one server session");
    });
}

#[test]
fn rows_pass_over_the_wire_however_many_there_are() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        let mut client = mysql_async::Conn::new(opts).await.unwrap();
        let rows: Vec<(i64, String)> = client.query("SELECT MANY 200000").await.unwrap();
        assert_eq!(rows.len(), 200_000);
        let right = |(at, row): (usize, &(i64, String))| row.0 == at as i64 && row.1 == "some text that takes its room";
        assert!(rows.iter().enumerate().all(right));
        let error = client.query_drop("FAIL").await.unwrap_err();
        assert!(matches!(error, mysql_async::Error::Server(error) if error.code == 1062));
        // Of a client that reads another character set, rows are written anew.
        client.query_drop("SET NAMES latin1").await.unwrap();
        let rows: Vec<mysql_async::Row> = client.query("SELECT caf\u{e9} x").await.unwrap();
        assert_eq!(rows.len(), 2);
        client.disconnect().await.unwrap();
        end().await;
    });
}

#[test]
fn an_update_counts_what_the_client_wants_to_hear() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        for (found, affected) in [(false, 0), (true, 1)] {
            // With a database, the server session is made within the login.
            for database in [None, Some("shop")] {
                let opts = mysql_async::OptsBuilder::from_opts(opts.clone()).client_found_rows(found).db_name(database);
                let mut client = mysql_async::Conn::new(opts).await.unwrap();
                client.query_drop("UPDATE same").await.unwrap();
                assert_eq!(client.affected_rows(), affected, "{database:?}");
                client.disconnect().await.unwrap();
            }
        }
        end().await;
    });
}

#[test]
fn a_transaction_is_known_by_what_the_server_says_of_it() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        let open = |stage: &super::stage::Stage| {
            let shown = stage.server_session(&alice);
            (shown.in_transaction, shown.place, shown.state)
        };
        let inside = (true, ServerPlace::Current, ServerState::KeptForClient);
        let outside = (false, ServerPlace::LastUsed, ServerState::Kept);
        ask(&alice, "BEGIN").await.unwrap();
        assert_eq!(open(stage), inside);
        assert_eq!(code(&alice, "FAIL").await, 1062);
        assert_eq!(open(stage), inside, "an error does not end it");
        assert_eq!(code(&alice, "FAIL ALL").await, 1213);
        assert_eq!(open(stage), outside, "but a deadlock does, of which its packet says nothing");
        ask(&alice, "SET autocommit = 0").await.unwrap();
        assert_eq!(open(stage), (false, ServerPlace::Current, ServerState::KeptForClient));
        ask(&alice, "SET autocommit = 1").await.unwrap();
        assert_eq!(open(stage), outside);
        assert_eq!(stage.shown(&alice).transactions(), 3, "the errors were in one that had begun");
    });
}

#[test]
fn databases_are_the_servers_business() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        alice.use_database("shop").await.unwrap();
        assert_eq!(alice.use_database("nowhere").await.unwrap_err().code(), 1049);
        assert_eq!(code(&alice, "SELECT a").await, 0);
        assert_eq!(stage.servers[0].behind.said(), ["USE shop", "USE nowhere", "SELECT a"]);
        // A new server session is told of it first.
        stage.servers[0].kill(stage.server_session(&alice).server_sessid).await;
        until(|| stage.server_sessions(&alice).is_empty()).await;
        assert_eq!(code(&alice, "SELECT b").await, 0, "the client has not noticed");
        assert_eq!(stage.servers[0].behind.said()[3..], ["USE shop", "SELECT b"]);
    });
}

#[test]
fn what_is_the_proxys_own_is_answered_here() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        assert_eq!(ask(&alice, "SELECT CONNECTION_ID ()").await.unwrap(), [alice.id().to_string()]);
        assert_eq!(code(&alice, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t").await, 3948);
        assert_eq!(code(&alice, "SET NAMES latin1").await, 0);
        assert_eq!(code(&alice, "SET NAMES klingon").await, 1115);
        assert_eq!(stage.servers[0].connections(), 0, "none of it needs a server");
        assert_eq!(ask(&alice, "SELECT CONNECTION_ID() + 1").await.unwrap(), ["CONNECTION_ID()", "+", "1"]);
        let said = stage.servers[0].behind.said();
        assert!(said.contains(&format!("SET pseudo_thread_id = {}", alice.id())), "{said:?}");
    });
}

#[test]
fn what_a_client_leaves_is_rolled_back_and_closed() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        ask(&alice, "BEGIN").await.unwrap();
        ask(&alice, "INSERT x").await.unwrap();
        drop(alice);
        until(|| stage.servers[0].connections() == 0).await;
        assert_eq!(stage.servers[0].behind.committed(), [""; 0]);
        assert_eq!(stage.servers[0].behind.said().last().unwrap(), "ROLLBACK");
        // One without a transaction leaves as well.
        let alice = stage.alice().await;
        ask(&alice, "SELECT a").await.unwrap();
        drop(alice);
        until(|| stage.servers[0].connections() == 0).await;
    });
}

#[test]
fn a_reset_session_keeps_its_database_and_its_server_session() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        alice.use_database("shop").await.unwrap();
        ask(&alice, "SET @a = 1").await.unwrap();
        ask(&alice, "BEGIN").await.unwrap();
        ask(&alice, "INSERT x").await.unwrap();
        let before = stage.server_session(&alice);
        assert_eq!(stage.shown(&alice).variables().len(), 1);
        alice.reset().await.unwrap();
        let after = stage.server_session(&alice);
        assert_eq!((after.ss_id, after.in_transaction), (before.ss_id, false));
        assert_eq!(stage.shown(&alice).variables(), []);
        ask(&alice, "SELECT a").await.unwrap();
        let said = stage.servers[0].behind.said();
        assert_eq!(said[said.len() - 3..], ["RESET", "USE shop", "SELECT a"]);
        assert_eq!(stage.servers[0].behind.committed(), [""; 0]);
    });
}

#[test]
fn what_was_lost_between_two_statements_is_told_once() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        for begin in ["BEGIN", "SELECT GET_LOCK('a', 1)"] {
            ask(&alice, begin).await.unwrap();
            stage.servers[0].kill(stage.server_session(&alice).server_sessid).await;
            until(|| stage.server_sessions(&alice).is_empty()).await;
            assert_eq!(code(&alice, "INSERT x").await, 1158, "{begin}");
            assert_eq!(stage.servers[0].behind.committed(), [""; 0]);
            assert_eq!(code(&alice, "SELECT a").await, 0, "the client goes on");
        }
    });
}

#[test]
fn the_columns_of_a_table_come_from_the_server() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", opts.tcp_port())).await.unwrap();
        let mut receive = async |answer: Option<(u8, &[u8])>| {
            if let Some((number, payload)) = answer {
                let head = [payload.len() as u8, 0, 0, number];
                socket.write_all(&[&head, payload].concat()).await.unwrap();
            }
            let mut head = [0; 4];
            socket.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8];
            socket.read_exact(&mut payload).await.unwrap();
            payload
        };
        receive(None).await;
        // CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH; packets of 16 MiB, utf8mb4.
        let mut login = [&0x0008_8200_u32.to_le_bytes()[..], &[0, 0, 0, 1, 45], &[0; 23]].concat();
        login.extend(b"alice\0\0mysql_native_password\0");
        assert_eq!(receive(Some((1, &login))).await[0], 0);
        let column = receive(Some((0, b"\x04table\0name%"))).await;
        let name = b"table/name%";
        assert!(column.windows(name.len()).any(|part| part == name), "{column:?}");
        assert_eq!(receive(None).await[0], 0xfe);
        end().await;
    });
}
