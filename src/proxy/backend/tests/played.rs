//! With servers that are played here: old ones, and those that do what a server should not.

use mysql_common::constants::CapabilityFlags;
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::{
    player::{ALL, NATIVE, Played, SHA2},
    *,
};
use crate::{Done, wire::test_packets as packets};

/// Plays a server for one connection, beside a test.
fn play<T: Future<Output = ()>>(server: impl AsyncFnOnce(Played) + 'static, test: impl FnOnce(ServerAddress) -> T) {
    actix_rt::System::new().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = super::server(listener.local_addr().unwrap());
        let played = actix_rt::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            server(Played { socket }).await;
        });
        tokio::time::timeout(LONG, test(address)).await.unwrap();
        tokio::time::timeout(LONG, played).await.unwrap().unwrap();
    });
}

async fn connect(to: &ServerAddress) -> Result<Backend, BackendError> {
    Backend::connect(to, &account("alice", "secret"), Wishes::default(), LONG).await
}

const DEFINITION: &[u8] = b"\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0";

#[test]
fn a_server_that_writes_eofs_is_understood() {
    let old = ALL.difference(CapabilityFlags::CLIENT_DEPRECATE_EOF | CapabilityFlags::CLIENT_SESSION_TRACK);
    let server = async move |mut played: Played| {
        played.welcome(old).await;
        let (eof, more, d) = (b"\xfe\0\0\x02\0", b"\xfe\0\0\x0a\0", DEFINITION);
        assert_eq!(played.receive().await, b"\x03one");
        played.send(1, &[b"\x01", d, eof, b"\x01a", b"\x01b", more, b"\0\0\0\x02\0\0\0"]).await;
        assert_eq!(played.receive().await, b"\x16two");
        played.send(1, &[b"\0\x09\0\0\0\x01\0\x01\0\0\0\0", d, eof, d, eof]).await;
        assert_eq!(played.receive().await, b"\x04t\0");
        played.send(1, &[d, eof]).await;
        assert_eq!(played.receive().await, b"\x01");
    };
    play(server, async |to| {
        let mut backend = connect(&to).await.unwrap();
        assert_eq!(backend.server_sessid(), 77);
        backend.send(command::QUERY, &[b"one"]).unwrap();
        assert!(matches!(backend.head().await, Ok(Head::Columns(_))));
        let (rows, end) = all_rows(&mut backend).await.unwrap();
        assert_eq!((rows, end.more), (vec![b"\x01a".to_vec(), b"\x01b".to_vec()], true));
        assert!(matches!(backend.head().await, Ok(Head::Ok(Answer { more: false, .. }))));
        assert_eq!(backend.prepare(b"two").await.unwrap().id, 9);
        assert_eq!(backend.fields("t", "").await.unwrap(), [DEFINITION]);
        backend.quit().await;
    });
}

/// The wish for another method.
fn switch(name: &str) -> Vec<u8> {
    [&b"\xfe"[..], name.as_bytes(), b"\0ABCDEFGHIJKLMNOPQRST\0"].concat()
}

#[test]
fn another_method_of_proof_is_taken_if_it_does_not_show_the_password() {
    for (name, length) in [(NATIVE, 20), (SHA2, 32)] {
        let server = async move |mut played: Played| {
            let hello = played.greet(ALL, "some_other_method").await;
            assert_eq!(packets::hello(hello).2.len(), 20);
            played.send(2, &[&switch(name)]).await;
            let proof = played.receive().await;
            assert_eq!(proof.len(), length);
            // Made with the new nonce.
            let plugin = crate::wire::AuthPlugin::named(name).unwrap();
            assert_eq!(proof, super::super::proof::proof(plugin, "secret", b"ABCDEFGHIJKLMNOPQRST"));
            played.send(4, &[&packets::ok(&Done::default(), false)]).await;
        };
        play(server, async |to| assert!(connect(&to).await.is_ok()));
    }
    for name in ["mysql_clear_password", "dialog", "mysql_old_password"] {
        let server = async move |mut played: Played| {
            played.greet(ALL, NATIVE).await;
            played.send(2, &[&switch(name)]).await;
            // It says nothing more.
            assert_eq!(played.socket.read(&mut [0; 100]).await.unwrap_or_default(), 0);
        };
        play(server, async move |to| {
            let why = lost(connect(&to).await);
            assert!(why.contains(name), "{why}");
        });
    }
}

/// Somebody's public key, as a server sends it.
const KEY: &str = "\x01-----BEGIN PUBLIC KEY-----\n\
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC8t94CC93uaZyRoAxsIA+OSaOl\n\
GZiICmIJSuRCqgAyceyrJD7nuzSCOSH30LnP5eB6JPR93mWkAZY5ZTzBuHZmB5KO\n\
yFT9MRbFiC2472jyb5v1I5HSumzEgJl8YYtBKUjDOwLYqi47JCxzcPN3hy+lK73m\n\
Vs/y40i+TqKoFCxpAwIDAQAB\n\
-----END PUBLIC KEY-----\n";

/// A login at this address, whatever it is thought of.
async fn log_in(to: &ServerAddress, whole: Whole) -> Result<(), BackendError> {
    let mut link = Link::connect(to.into()).await.unwrap();
    login::login(&mut link, &account("alice", "secret"), Wishes::default(), whole).await.map(drop)
}

#[test]
fn a_key_that_nobody_asked_for_gets_no_password() {
    for plugin in [NATIVE, SHA2] {
        let server = async move |mut played: Played| {
            played.greet(ALL, plugin).await;
            played.send(2, &[KEY.as_bytes()]).await;
            assert_eq!(played.next().await, None, "{plugin}");
        };
        play(server, async |to| {
            lost(log_in(&to, Whole::Sealed).await);
        });
    }
    // One key is asked for, and with that method alone.
    let server = async |mut played: Played| {
        played.greet(ALL, SHA2).await;
        played.send(2, &[b"\x01\x04"]).await;
        assert_eq!(played.receive().await, b"\x02");
        played.send(4, &[KEY.as_bytes()]).await;
        assert_eq!(played.receive().await.len(), 128);
        played.send(6, &[KEY.as_bytes()]).await;
        assert_eq!(played.next().await, None);
    };
    play(server, async |to| {
        lost(log_in(&to, Whole::Sealed).await);
    });
    let server = async |mut played: Played| {
        played.greet(ALL, SHA2).await;
        played.send(2, &[b"\x01\x04"]).await;
        assert_eq!(played.receive().await, b"\x02");
        played.send(4, &[&switch(NATIVE)]).await;
        assert_eq!(played.receive().await.len(), 20);
        played.send(6, &[KEY.as_bytes()]).await;
        assert_eq!(played.next().await, None);
    };
    play(server, async |to| {
        lost(log_in(&to, Whole::Sealed).await);
    });
}

#[test]
fn without_consent_no_key_is_asked_for() {
    for switches in [false, true] {
        let server = async move |mut played: Played| {
            played.greet(ALL, if switches { NATIVE } else { SHA2 }).await;
            let mut number = 2;
            if switches {
                played.send(number, &[&switch(SHA2)]).await;
                played.receive().await;
                number = 4;
            }
            played.send(number, &[b"\x01\x04"]).await;
            assert_eq!(played.next().await, None);
        };
        play(server, async |to| {
            let why = lost(log_in(&to, Whole::Never).await);
            assert!(why.contains("get_server_public_key"), "{why}");
        });
    }
}

#[test]
fn a_server_that_does_not_let_us_in_says_why() {
    let error = crate::SqlError::new(1040, "08004", "Too many connections");
    // Before the greeting it has no SQLSTATE.
    let server = async |mut played: Played| played.send(0, &[b"\xff\x10\x04Too many connections"]).await;
    play(server, async |to| assert_eq!(code(connect(&to).await), 1040));
    let server = async move |mut played: Played| {
        played.greet(ALL, SHA2).await;
        played.send(2, &[&packets::error(&error)]).await;
    };
    play(server, async |to| assert_eq!(code(connect(&to).await), 1040));
}

#[test]
fn a_login_that_makes_no_sense_is_given_up() {
    let greetings: [&[u8]; 3] = [b"\x0a8.0\0\x01\0", b"\x09old\0", b"HTTP/1.1 400 Bad Request"];
    for greeting in greetings {
        play(
            async move |mut played: Played| played.send(0, &[greeting]).await,
            async |to| {
                lost(connect(&to).await);
            },
        );
    }
    let no_auth = ALL.difference(CapabilityFlags::CLIENT_PROTOCOL_41);
    play(
        async move |mut played: Played| {
            played.send(0, &[&packets::greeting(1, b"abcdefghijklmnopqrst", no_auth, NATIVE)]).await;
        },
        async |to| {
            lost(connect(&to).await);
        },
    );
    for answer in [&b""[..], b"\x07", b"\xfe", b"\x01no key"] {
        let server = async move |mut played: Played| {
            played.greet(ALL, SHA2).await;
            played.send(2, &[answer]).await;
            let _ = played.socket.read(&mut [0; 300]).await;
        };
        play(server, async |to| {
            lost(connect(&to).await);
        });
    }
    // One that says for ever that the password is known.
    let server = async |mut played: Played| {
        played.greet(ALL, SHA2).await;
        played.send(2, &[&b"\x01\x03"[..]; 20]).await;
    };
    play(server, async |to| {
        let why = lost(connect(&to).await);
        assert!(why.contains("end"), "{why}");
    });
}

#[test]
fn a_server_that_closes_or_goes_mad_loses_the_connection() {
    let ends: [&[u8]; 8] = [
        b"",
        b"\x07\0\0\x01\0\0",
        // Out of order.
        b"\x07\0\0\x02\0\0\0\x02\0\0\0",
        // It wants a file.
        b"\x0c\0\0\x01\xfb/etc/passwd",
        // No column at all.
        b"\x09\0\0\x01\xfe\0\0\0\0\0\0\0\0",
        // An empty packet.
        b"\0\0\0\x01",
        // An empty row.
        b"\x01\0\0\x01\x01\x17\0\0\x02\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0\0\0\0\x03",
        // Rows that stop.
        b"\x01\0\0\x01\x01\x17\0\0\x02\x03def\0\0\0\x01?\0\x0c?\0\0\0\0\0\x06\x80\0\0\0\0\x02\0\0\x03\x01",
    ];
    for end in ends {
        let server = async move |mut played: Played| {
            played.welcome(ALL).await;
            played.receive().await;
            played.raw(end).await;
        };
        play(server, async |to| {
            let mut backend = connect(&to).await.unwrap();
            lost(backend.command(command::QUERY, &[b"x"]).await);
            assert!(!backend.is_between_commands());
            // It stays so.
            lost(backend.command(command::QUERY, &[b"x"]).await);
            std::future::poll_fn(|cx| backend.poll_closed(cx)).await;
            backend.quit().await;
        });
    }
}

#[test]
fn nothing_is_kept_for_what_a_server_merely_claims() {
    let server = async |mut played: Played| {
        played.welcome(ALL).await;
        played.receive().await;
        let head = [&packets::framed(1, b"\x01")[..], &packets::framed(2, DEFINITION)].concat();
        played.raw(&[&head[..], b"\xff\xff\xff\x03\xfdxxx"].concat()).await;
        // Until the other end is closed.
        let _ = played.socket.read(&mut [0; 10]).await;
    };
    play(server, async |to| {
        let mut backend = connect(&to).await.unwrap();
        backend.send(command::QUERY, &[b"x"]).unwrap();
        assert!(matches!(backend.head().await, Ok(Head::Columns(_))));
        let waited = tokio::time::timeout(Duration::from_millis(50), backend.rows()).await;
        assert!(waited.is_err(), "there is no whole row");
        assert!(backend.link.held() <= 64 * 1024, "{} bytes for eight", backend.link.held());
    });
}

#[test]
fn what_a_server_says_unasked_ends_the_connection() {
    let server = async |mut played: Played| {
        played.welcome(ALL).await;
        // As MySQL does to one that was idle too long.
        let error =
            crate::SqlError::new(4031, "HY000", "The client was disconnected by the server because of inactivity.");
        played.send(0, &[&packets::error(&error)]).await;
    };
    play(server, async |to| {
        let mut backend = connect(&to).await.unwrap();
        std::future::poll_fn(|cx| backend.poll_closed(cx)).await;
        assert!(!backend.is_between_commands());
    });
    // More than an answer.
    let server = async |mut played: Played| {
        played.welcome(ALL).await;
        played.receive().await;
        let ok = packets::ok(&Done::default(), false);
        played.send(1, &[&ok, &ok]).await;
    };
    play(server, async |to| {
        let mut backend = connect(&to).await.unwrap();
        backend.command(command::QUERY, &[b"x"]).await.unwrap();
        std::future::poll_fn(|cx| backend.poll_closed(cx)).await;
        lost(backend.command(command::QUERY, &[b"y"]).await);
    });
}

#[test]
fn an_idle_connection_holds_no_buffers() {
    let server = async |mut played: Played| {
        played.welcome(ALL).await;
        played.receive().await;
        played.send(1, &[&packets::ok(&Done::default(), false)]).await;
        assert_eq!(played.receive().await, b"\x01");
    };
    play(server, async |to| {
        let mut backend = connect(&to).await.unwrap();
        assert_eq!(backend.link.held(), 0);
        backend.command(command::QUERY, &[b"x"]).await.unwrap();
        assert_eq!(backend.link.held(), 0);
        backend.quit().await;
    });
}
