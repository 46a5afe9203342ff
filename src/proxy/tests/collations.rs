//! The collations that clients name when they log in, and what servers are told of them.

use super::{raw::Raw, stage::stage};

/// What a client of collation `named` has at its server, whose own is 45: the collation of the proxy's login, and the one that
/// the server was told then.
const AT_SERVERS: [(u8, &str, &str); 6] =
    [(45, "45", ""), (46, "46", ""), (224, "224", ""), (255, "255", ""), (8, "45", "8"), (0, "45", "")];

async fn expect(client: &mut Raw, login: &str, told: &str) {
    assert_eq!(client.texts(b"SELECT COLLATIONS").await, [login.as_bytes(), told.as_bytes()]);
}

#[test]
fn a_server_session_begins_with_the_collation_of_the_clients_login() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        for (named, login, told) in AT_SERVERS {
            // A database is changed to before the login has ended.
            for database in [None, Some("shop")] {
                let mut client = Raw::log_in(opts.tcp_port(), named, database).await;
                expect(&mut client, login, told).await;
                // COM_RESET_CONNECTION.
                assert_eq!(client.command(b"\x1f").await[0], 0);
                expect(&mut client, login, told).await;
            }
        }
        end().await;
    });
}

#[test]
fn who_becomes_another_user_has_the_collation_that_comes_along() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        let mut client = Raw::log_in(opts.tcp_port(), 47, None).await;
        expect(&mut client, "45", "47").await;
        for (named, login, told) in AT_SERVERS {
            for database in ["", "shop"] {
                client.change_user(named.into(), database).await;
                expect(&mut client, login, told).await;
            }
        }
        end().await;
    });
}

#[test]
fn a_reset_brings_back_what_the_client_writes_and_reads_too() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        let mut client = Raw::log_in(opts.tcp_port(), 8, None).await;
        for reset in [false, true] {
            if reset {
                assert_eq!(client.command(b"\x03SET NAMES utf8mb4").await[0], 0);
                assert_eq!(client.texts("SELECT caf\u{e9}".as_bytes()).await, ["caf\u{e9}".as_bytes()]);
                assert_eq!(client.command(b"\x1f").await[0], 0);
            }
            assert_eq!(client.texts(b"SELECT caf\xe9").await, [b"caf\xe9"], "{reset}");
            assert_eq!(client.command(b"\x03INSERT caf\xe9").await[0], 0);
        }
        assert_eq!(stage.servers[0].behind.committed(), ["caf\u{e9}"; 2], "UTF-8 on its way to the server");
        end().await;
    });
}
