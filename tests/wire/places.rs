//! How many clients may be there: before login and behind it, of one user, from one address.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use killdeer::{
    Origin, Runtime, Setting, Settings,
    wire::{AuthPlugin, Door, Terms},
};

use mysql_common::constants::CapabilityFlags;

use crate::{
    echo::accounts::Accounts,
    raw::{Answer, BASIC, Raw, error},
    server::Server,
};

fn server(settings: Settings) -> Server {
    Server::start_with(Accounts::default(), move |builder| builder.settings(settings))
}

/// How a login is answered: 0, or an error's code.
fn login(server: &Server, user: &str) -> (Raw, Answer) {
    let mut raw = Raw::greeted(server);
    raw.answer_greeting(user, &[], BASIC, "mysql_native_password");
    let answer = raw.answer().expect("an answer");
    (raw, answer)
}

#[test]
fn at_the_limit_a_login_is_refused_by_a_packet_and_an_administrator_comes_in() {
    let server = server(Settings::new().count(Setting::MaxConnections, 2));
    let _held = [login(&server, "alice"), login(&server, "alice")];
    let (mut refused, answer) = login(&server, "alice");
    let text = "Too many connections".to_owned();
    assert_eq!(answer, Answer::Error { code: 1040, state: "08004".into(), text });
    assert!(refused.closes_silently());
    let (mut root, answer) = login(&server, "root");
    assert_eq!(answer.code(), 0, "one place is an administrator's");
    assert_eq!(login(&server, "root").1.code(), 1040);
    // Lists and kills work at the limit.
    server.wait("nobody who was refused", |list| list.len() == 3);
    let Answer::Rows { rows, .. } = root.query("SHOW PROCESSLIST") else { panic!("no list") };
    assert_eq!(rows.len(), 3);
    assert_eq!(root.query("KILL USER alice").code(), 0);
    server.wait("root alone", |list| list.len() == 1);
    assert_eq!(login(&server, "alice").1.code(), 0);
    let status = server.runtime.status();
    assert_eq!((status.refused, status.aborted_logins), (2, 0), "{status:?}");
}

#[test]
fn of_many_that_come_at_once_as_many_are_let_in_as_may_be() {
    const CLIENTS: usize = 60;
    let server = server(Settings::new().count(Setting::MaxConnections, 10));
    let (ready, done) = (Barrier::new(CLIENTS), Barrier::new(CLIENTS));
    let (inside, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                ready.wait();
                let (raw, answer) = login(&server, "alice");
                match answer.code() {
                    0 => inside.fetch_add(1, Ordering::Relaxed),
                    1040 => refused.fetch_add(1, Ordering::Relaxed),
                    other => panic!("refused by {other}"),
                };
                // Nobody goes before all were answered.
                done.wait();
                drop(raw);
            });
        }
    });
    assert_eq!((inside.into_inner(), refused.into_inner()), (10, CLIENTS - 10));
    server.wait_empty();
    let status = server.runtime.status();
    assert_eq!((status.connections, status.refused), (CLIENTS as u64, CLIENTS as u64 - 10));
    assert_eq!(status.aborted_logins, 0);
}

#[test]
fn who_becomes_another_user_keeps_its_place_unless_that_one_has_none() {
    let settings = Settings::new().count(Setting::MaxConnections, 2).count(Setting::MaxUserConnections, 1);
    let server = server(settings);
    let (mut first, _) = login(&server, "alice");
    let (mut second, _) = login(&server, "bob");
    for user in ["alice", "root", "alice"] {
        first.send_change_user(user, &[], "", "mysql_native_password");
        assert_eq!(first.answer().unwrap().code(), 0, "{user}");
    }
    second.send_change_user("alice", &[], "", "mysql_native_password");
    assert_eq!(second.answer().unwrap().code(), 1203);
    assert!(second.closes_silently());
    server.wait("one", |list| list.len() == 1);
    assert_eq!(login(&server, "bob").1.code(), 0, "the places of both are counted right");
}

#[test]
fn before_login_there_are_places_of_their_own() {
    let settings = Settings::new().count(Setting::MaxUnauthenticated, 3).count(Setting::MaxConnections, 1);
    let server = server(settings);
    let waiting: Vec<Raw> = (0..3).map(|_| Raw::greeted(&server)).collect();
    // Whoever comes at once is refused before the greeting: an error without an SQLSTATE.
    let mut refused = std::net::TcpStream::connect(server.address).unwrap();
    let mut bytes = Vec::new();
    refused.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    refused.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"\x17\0\0\0\xff\x10\x04Too many connections");
    drop(waiting);
    server.wait_empty();
    assert_eq!(login(&server, "alice").1.code(), 0);
}

#[test]
fn who_waits_for_long_before_its_login_makes_room_for_others() {
    let settings = Settings::new().count(Setting::MaxUnauthenticated, 1);
    let server = server(settings);
    let mut lingers = Raw::greeted(&server);
    server.wait("a second", |list| list.iter().any(|row| row.time >= Duration::from_millis(1_050)));
    let (_raw, answer) = login(&server, "alice");
    assert_eq!(answer.code(), 0);
    assert!(lingers.closes_silently());
}

/// A way in from wherever the test says. Proxies of 10.0.9.0/24 are trusted.
pub fn door(settings: Settings) -> (Server, Box<dyn Fn(SocketAddr) -> std::net::TcpStream>) {
    let server = server(settings);
    let runtime: Runtime<crate::server::Odd> = server.runtime.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (to, mut from) = tokio::sync::mpsc::unbounded_channel::<(std::net::TcpStream, SocketAddr)>();
    thread::spawn(move || {
        actix_rt::System::new().block_on(async move {
            let proxies = ["10.0.9.0/24".parse().unwrap()];
            let terms = Terms::default().default_plugin(AuthPlugin::Native).proxied_from(proxies);
            let door = Door::new(&runtime, terms);
            while let Some((stream, origin)) = from.recv().await {
                stream.set_nonblocking(true).unwrap();
                door.admit(tokio::net::TcpStream::from_std(stream).unwrap(), Origin::from(origin));
            }
        });
    });
    let come = move |origin| {
        let client = std::net::TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        to.send((listener.accept().unwrap().0, origin)).unwrap();
        client
    };
    (server, Box::new(come))
}

#[test]
fn a_host_that_fails_over_and_over_is_blocked_until_hosts_are_flushed() {
    let settings = Settings::new().count(Setting::MaxConnectErrors, 3);
    let (server, come) = door(settings);
    let (bad, good): (SocketAddr, SocketAddr) = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:5".parse().unwrap());
    let first = |mut client: std::net::TcpStream| {
        let mut head = [0; 7];
        client.read_exact(&mut head).unwrap();
        (head[4], u16::from_le_bytes([head[5], head[6]]))
    };
    for round in 0..3 {
        assert_eq!(first(come(bad)).0, 10, "a greeting, {round}");
        server.wait("its end", <[_]>::is_empty);
    }
    assert_eq!(first(come(bad)), (0xff, 1129));
    assert_eq!(first(come(good)).0, 10);
    server.wait("its end", <[_]>::is_empty);
    assert_eq!(server.runtime.status().aborted_logins, 4);
}

#[test]
fn a_proxys_own_looks_block_nobody_and_its_clients_failures_block_them() {
    let (server, come) = door(Settings::new().count(Setting::MaxConnectErrors, 2));
    let proxy: SocketAddr = "10.0.9.1:5".parse().unwrap();
    let from_proxy = |header: &str| {
        let mut client = come(proxy);
        client.write_all(header.as_bytes()).unwrap();
        let mut head = [0; 7];
        client.read_exact(&mut head).unwrap();
        (client, head[4])
    };
    for header in ["PROXY UNKNOWN\r\n", "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        for _ in 0..3 {
            let (client, first) = from_proxy(header);
            assert_eq!(first, 10, "a greeting");
            assert_eq!(server.list()[0].peer, proxy.into());
            drop(client);
            server.wait("its end", <[_]>::is_empty);
        }
    }
    let forwarded = "PROXY TCP6 ::ffff:10.0.0.7 2001:db8::1 4711 3306\r\n";
    for _ in 0..2 {
        let (client, first) = from_proxy(forwarded);
        assert_eq!(first, 10, "a greeting");
        assert_eq!(server.list()[0].peer.to_string(), "10.0.0.7:4711");
        drop(client);
        server.wait("its end", <[_]>::is_empty);
    }
    assert_eq!(from_proxy(forwarded).1, 0xff, "blocked");
    assert_eq!(from_proxy("PROXY UNKNOWN\r\n").1, 10);
}

#[test]
fn those_who_are_turned_away_and_stay_are_bounded() {
    let server = server(Settings::new().count(Setting::MaxUnauthenticated, 1));
    let _held = Raw::greeted(&server);
    let mut refused = Vec::new();
    for _ in 0..300 {
        // It reads why, and does not close.
        let mut client = std::net::TcpStream::connect(server.address).unwrap();
        let mut text = [0; 27];
        client.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"\x17\0\0\0\xff\x10\x04Too many connections");
        refused.push(client);
        let actors = server.runtime.status().actors;
        // Two workers may each be about to close one; and an actor ends a moment after its connection.
        assert!(actors <= 1 + 128 + 64, "{actors} after {}", refused.len());
    }
}

#[test]
fn before_login_few_may_say_more_than_is_usual() {
    let server = server(Settings::new());
    let name = "x".repeat(5_000);
    // Each is asked for its proof, and does not give it.
    let say_much = || {
        let mut raw = Raw::greeted(&server);
        raw.answer_greeting(&name, &[], BASIC, "nosuch");
        let answer = raw.receive().expect("an answer");
        (raw, answer)
    };
    let mut held: Vec<_> = (0..128).map(|_| say_much()).collect();
    assert!(held.iter().all(|(_, answer)| answer[0] == 0xfe));
    assert_eq!(error(&say_much().1).code(), 1040);
    let mut part = Raw::greeted(&server);
    part.socket.write_all(&[0, 0, 1, 1]).unwrap();
    part.socket.write_all(&[b'x'; 5_000]).unwrap();
    part.expect_next(2);
    assert_eq!(error(&part.receive().expect("an answer")).code(), 1040, "before all of it has come");
    assert_eq!(login(&server, "alice").1.code(), 0, "others come in");
    let (one, _) = held.pop().unwrap();
    let id = u64::from(one.id);
    drop(one);
    server.wait("its end", |list| list.iter().all(|row| row.id.get() != id));
    // All the attributes that MySQL takes: 65,536 bytes with their lengths.
    let mut hello = (BASIC | CapabilityFlags::CLIENT_CONNECT_ATTRS).bits().to_le_bytes().to_vec();
    hello.extend_from_slice(&[0, 0, 0, 1, 45]);
    hello.extend_from_slice(&[0; 23]);
    hello.extend_from_slice(b"root\0\0mysql_native_password\0\xfd\0\0\x01\x01a\xfc\xfb\xff");
    hello.extend_from_slice(&[b'v'; 65_531]);
    let mut raw = Raw::greeted(&server);
    raw.send(&hello);
    assert_eq!(raw.receive().expect("an OK")[0], 0);
    let attributes = server.row(raw.id).unwrap().attributes.expect("they are kept");
    assert_eq!(attributes.get("a").map(|value| value.len()), Some(65_531));
    // It is in, and counts no more.
    assert_eq!(say_much().1[0], 0xfe);
}

#[test]
fn a_wrong_password_blocks_no_host() {
    let settings = Settings::new().count(Setting::MaxConnectErrors, 1);
    let (server, come) = door(settings);
    let from: SocketAddr = "10.0.0.1:5".parse().unwrap();
    for _ in 0..3 {
        let mut client = Raw::over(come(from));
        client.answer_greeting("nosuch", &[7; 20], BASIC, "mysql_native_password");
        assert_eq!(error(&client.receive().unwrap()).code(), 1045);
        drop(client);
        server.wait("its end", <[_]>::is_empty);
    }
    assert_eq!(server.runtime.status().aborted_logins, 3);
}

#[test]
fn one_address_has_so_many_places_before_login() {
    let settings = Settings::new().count(Setting::MaxUnauthenticatedPerHost, 2);
    let (server, come) = door(settings);
    let (one, other): (SocketAddr, SocketAddr) = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:5".parse().unwrap());
    let _held = [Raw::over(come(one)), Raw::over(come(one))];
    let mut bytes = Vec::new();
    come(one).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"\x17\0\0\0\xff\x10\x04Too many connections");
    let _another = Raw::over(come(other));
    assert_eq!(server.list().len(), 3);
}
