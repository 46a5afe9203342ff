//! Letting clients in, or not.

use std::time::{Duration, Instant};

use killdeer::{
    Setting, Settings,
    wire::{AuthPlugin, Serve},
};
use mysql_async::{Conn, OptsBuilder};
use mysql_common::{constants::CapabilityFlags, scramble::scramble_native};

use crate::{
    client::{code, opts},
    echo::accounts::Accounts,
    raw::{Answer, BASIC, Raw, error},
    server::Server,
};

fn with_passwords() -> Server {
    let accounts = r#"
        [[user]]
        user = "admin"
        password = "swordfish"
        plugin = "mysql_native_password"
        privileges = ["SUPER", "PROCESS"]

        [[user]]
        user = "open"
    "#;
    Server::start_with(Accounts::parse(accounts, false).unwrap(), |builder| builder)
}

#[tokio::test]
async fn the_right_password_lets_in_and_no_other() {
    let server = with_passwords();
    let with = |user: &str, password: Option<&str>| {
        OptsBuilder::from_opts(opts(&server, user)).pass(password.map(str::to_owned))
    };
    Conn::new(with("admin", Some("swordfish"))).await.unwrap().disconnect().await.unwrap();
    Conn::new(with("open", None)).await.unwrap().disconnect().await.unwrap();
    for (user, password) in
        [("admin", Some("Swordfish")), ("admin", None), ("open", Some("x")), ("nobody", None), ("", Some("swordfish"))]
    {
        assert_eq!(code(Conn::new(with(user, password)).await), 1045, "{user} {password:?}");
    }
    tokio::task::spawn_blocking(move || {
        server.wait_empty();
        let status = server.runtime.status();
        assert_eq!((status.aborted_logins, status.aborted_clients), (5, 0));
    })
    .await
    .unwrap();
}

#[test]
fn a_client_with_another_plugin_is_asked_to_switch() {
    let server = with_passwords();
    let mut raw = Raw::greeted(&server);
    raw.answer_greeting("admin", &[1; 32], BASIC, "caching_sha2_password");
    let switch = raw.receive().unwrap();
    assert!(switch.starts_with(b"\xfemysql_native_password\0"), "{switch:?}");
    let nonce = &switch[23..43];
    assert_eq!(nonce, raw.nonce);
    let proof = scramble_native(nonce, b"swordfish").unwrap();
    raw.send(&proof);
    assert_eq!(raw.receive().unwrap()[0], 0x00);
    assert!(matches!(raw.query("SELECT 1"), Answer::Rows { .. }));
}

#[test]
fn a_refusal_says_who_from_where_and_whether_with_a_password() {
    let native = |serve: Serve| serve.default_plugin(AuthPlugin::Native);
    let server = Server::start_serving(Accounts::default(), native);
    for (proof, using) in [(&[][..], "NO"), (&[7; 20][..], "YES")] {
        let mut raw = Raw::greeted(&server);
        raw.answer_greeting("eve", proof, BASIC, "mysql_native_password");
        let text = format!("Access denied for user 'eve'@'127.0.0.1' (using password: {using})");
        let expected = Answer::Error { code: 1045, state: "28000".into(), text };
        assert_eq!(error(&raw.receive().unwrap()), expected);
        assert!(raw.closes_silently());
    }
}

#[test]
fn a_session_is_listed_and_killable_from_accept_on() {
    let server = Server::start();
    let mut raw = Raw::greeted(&server);
    let row = server.row(raw.id).expect("listed before its login");
    assert_eq!(
        (row.user(), row.command.as_str(), row.state.as_str()),
        ("unauthenticated user", "Connect", "Reading from net")
    );
    assert_eq!(row.database, None);
    assert_eq!(row.info, None);
    let mut by = Raw::login(&server);
    let mut alice = Raw::login_as(&server, "alice", BASIC);
    assert_eq!(alice.query(&format!("KILL {}", raw.id)).code(), 1095, "by an administrator only");
    assert_eq!(by.query(&format!("KILL {}", raw.id)).code(), 0);
    assert!(raw.closes_silently());
    assert!(server.row(raw.id).is_none());
}

#[test]
fn who_does_not_finish_its_login_in_time_is_gone() {
    let server = Server::start_with(Accounts::default(), |builder| {
        builder.settings(Settings::new().time(Setting::ConnectTimeout, Duration::from_millis(200)))
    });
    let mut silent = Raw::greeted(&server);
    let mut slow = Raw::greeted(&server);
    slow.socket.set_nodelay(true).unwrap();
    std::io::Write::write_all(&mut slow.socket, &[40, 0]).unwrap();
    let begin = Instant::now();
    assert!(silent.closes_silently() && slow.closes_silently());
    assert!(begin.elapsed() < Duration::from_secs(10));
    server.wait_empty();
    assert_eq!(server.runtime.status().aborted_logins, 2);
}

#[test]
fn what_is_no_handshake_is_refused() {
    let server = Server::start();
    let old = CapabilityFlags::CLIENT_LONG_PASSWORD;
    let tls = BASIC.union(CapabilityFlags::CLIENT_SSL);
    for capabilities in [old, tls] {
        let mut raw = Raw::greeted(&server);
        raw.answer_greeting("root", &[], capabilities, "mysql_native_password");
        assert_eq!(error(&raw.receive().unwrap()).code(), 1043);
        assert!(raw.closes_silently());
    }
    for rubbish in [&b""[..], b"x", b"GET / HTTP/1.1", &[0xff; 200], &[0; 32]] {
        let mut raw = Raw::greeted(&server);
        raw.send(rubbish);
        assert_eq!(error(&raw.receive().unwrap()).code(), 1043, "{rubbish:?}");
        assert!(raw.closes_silently());
    }
    server.wait_empty();
}

#[test]
fn a_login_may_name_its_database() {
    let server = Server::start();
    let capabilities = CapabilityFlags::CLIENT_PROTOCOL_41
        .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
        .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB)
        .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);
    for (database, code) in [("test", 0), ("nosuch", 1049)] {
        let mut raw = Raw::greeted(&server);
        // Without PLUGIN_AUTH, the database stands where `answer_greeting` puts the plugin.
        raw.answer_greeting("root", &[], capabilities, database);
        let answer = raw.receive().unwrap();
        if code == 0 {
            assert_eq!(answer[0], 0);
            assert_eq!(server.row(raw.id).unwrap().database.as_deref(), Some("test"));
        } else {
            assert_eq!(error(&answer).code(), code);
            assert!(raw.closes_silently());
        }
    }
}
