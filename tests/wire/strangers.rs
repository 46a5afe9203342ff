//! The security cases of clients that are not in yet, each with a test named for it.
//!
//! | threat | known case | test |
//! | --- | --- | --- |
//! | a crash or a large allocation before login | CVE-2017-3599 | `cve_2017_3599_lengths_that_wrap_in_an_answer_to_the_greeting` |
//! | | pggat#11 | `pggat_11_packets_that_claim_to_be_long` |
//! | a client that never finishes its handshake | CVE-2026-25949, CVE-2021-23409 | `cve_2026_25949_cve_2021_23409_handshakes_without_an_end` |
//! | | the same, ahead of the greeting | `cve_2021_23409_a_proxys_header_without_an_end` |
//! | connection floods | tidb#70992 | `tidb_70992_a_host_whose_handshakes_break_off` |
//! | | cockroach#47602 | `cockroach_47602_a_flood_of_connections_before_login` |
//!
//! That no room is taken for a length that was merely claimed is measured where the buffers are: `fuzz::packets` and
//! `fuzz::hello`, which `tests/fuzz.rs` runs.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use killdeer::{Setting, Settings};
use mysql_common::constants::CapabilityFlags;

use crate::{
    auth::accounts,
    echo::accounts::Accounts,
    places::door,
    raw::{Answer, BASIC, PATIENCE, Raw, error},
    server::Server,
    tls::{certificate, wish},
};

/// The server is as before: a good client is let in and served, and nothing has panicked.
fn lives(server: &Server) {
    let mut good = Raw::login(server);
    assert!(matches!(good.query("SELECT 1"), Answer::Rows { .. }));
    drop(good);
    server.wait_empty();
    assert_eq!(server.runtime.status().panics, 0);
}

/// The fixed part of an answer to the greeting, and a name.
fn beginning(capabilities: CapabilityFlags) -> Vec<u8> {
    [&capabilities.bits().to_le_bytes()[..], &[0xff; 4], &[45], &[0; 23], b"root\0"].concat()
}

#[test]
fn cve_2017_3599_lengths_that_wrap_in_an_answer_to_the_greeting() {
    let server = Server::start();
    let counted = BASIC.union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA);
    let attributes = BASIC.union(CapabilityFlags::CLIENT_CONNECT_ATTRS);
    let eight = |number: u64| [&[0xfe][..], &number.to_le_bytes()].concat();
    let huge = [u64::MAX, u64::MAX - 8, u64::MAX - 45, 1 << 63, (1 << 63) - 1, 1 << 32, u64::from(u32::MAX), 1 << 24];
    let mut lengths: Vec<Vec<u8>> = huge.into_iter().map(eight).collect();
    for short in [&b"\xfd\xff\xff\xff"[..], b"\xfc\xff\xff", b"\xfe", b"\xfd\xff", b"\xfc", b"\xff", b"\xfb", b"\xfa"] {
        lengths.push(short.to_vec());
    }
    let mut answers = Vec::new();
    for length in &lengths {
        // The proof's; that of all attributes; that of an attribute's name, and of its value.
        answers.push([&beginning(counted)[..], length, b"proof"].concat());
        let plugin = [&beginning(attributes)[..], b"\0mysql_native_password\0"].concat();
        answers.push([&plugin[..], length, b"\x01k\x01v"].concat());
        let inner = |before: &[u8]| {
            let all = u8::try_from(before.len() + length.len() + 1).unwrap();
            [&plugin[..], &[all], before, length, b"x"].concat()
        };
        answers.extend([inner(b""), inner(b"\x01k")]);
    }
    // One byte that says more than there is, and a name that does not end.
    answers.push([&beginning(BASIC)[..], b"\xffproof"].concat());
    answers.push(beginning(BASIC)[..36].to_vec());
    let count = answers.len() as u64;
    for answer in answers {
        let mut raw = Raw::greeted(&server);
        raw.send(&answer);
        let told = raw.receive().map(|packet| error(&packet).code());
        assert_eq!(told, Some(1043), "{answer:02x?}");
        assert!(raw.closes_silently());
    }
    server.wait_empty();
    assert_eq!(server.runtime.status().aborted_logins, count);
    lives(&server);
}

#[test]
fn pggat_11_packets_that_claim_to_be_long() {
    const LIMIT: u32 = 72 * 1024;
    let server = Server::start_with(accounts(), |builder| builder);
    let claim = |length: u32, sequence: u8| {
        let [a, b, c, _] = length.to_le_bytes();
        [a, b, c, sequence]
    };
    for length in [LIMIT + 1, 1 << 23, 0xff_ff_ff] {
        // As the answer to the greeting, and as a proof that was asked for. The header is all that is sent.
        for asked in [false, true] {
            let mut raw = Raw::greeted(&server);
            let mut sequence = 1;
            if asked {
                raw.answer_greeting("native", &[1; 32], BASIC, "caching_sha2_password");
                assert_eq!(raw.receive().unwrap()[0], 0xfe, "it is asked for another proof");
                sequence = 3;
            }
            raw.socket.write_all(&claim(length, sequence)).unwrap();
            raw.expect_next(sequence + 1);
            assert_eq!(error(&raw.receive().expect("an error")).code(), 1153, "{length}");
            assert!(raw.closes_silently());
        }
    }
    server.wait_empty();
    // What may be that long is waited for, and a client that goes then leaves nothing behind.
    let mut waiting: Vec<Raw> = (0..100).map(|_| Raw::greeted(&server)).collect();
    for raw in &mut waiting {
        raw.socket.write_all(&claim(LIMIT, 1)).unwrap();
    }
    assert_eq!(server.list().len(), waiting.len());
    for raw in &mut waiting {
        raw.half_close();
        assert!(raw.closes_silently());
    }
    server.wait_empty();
    let mut good = Raw::greeted(&server);
    good.answer_greeting("open", &[], BASIC, "mysql_native_password");
    assert_eq!(good.receive().unwrap()[0], 0);
    assert_eq!(server.runtime.status().panics, 0);
}

/// Whether the server has closed; by a reset, if it has not read all that was sent.
fn closed(socket: &mut TcpStream) -> bool {
    match socket.read(&mut [0; 512]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// Sends these bytes, one now and one then; whether the server closed before they were all sent.
fn drip(mut socket: TcpStream, bytes: &[u8]) -> bool {
    socket.set_read_timeout(Some(Duration::from_millis(25))).unwrap();
    for byte in bytes {
        if socket.write_all(&[*byte]).is_err() {
            return true;
        }
        match socket.read(&mut [0; 64]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(1..) => panic!("it was answered"),
            _ => return true,
        }
    }
    false
}

#[test]
fn cve_2026_25949_cve_2021_23409_handshakes_without_an_end() {
    let (_, rules) = certificate();
    let settings = Settings::new().time(Setting::ConnectTimeout, Duration::from_secs(1));
    let server = Server::start_with_both(accounts(), |builder| builder.settings(settings), |serve| serve.tls(rules));
    let logged_in = |server: &Server| {
        let mut raw = Raw::greeted(server);
        raw.answer_greeting("open", &[], BASIC, "mysql_native_password");
        assert_eq!(raw.receive().unwrap()[0], 0);
        raw
    };
    let mut good = logged_in(&server);
    let mut stalled = Vec::new();
    // What is sent at once, before the client falls silent.
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 100]].concat();
    let wishes = crate::raw::framed(1, &wish());
    for sent in [
        &b""[..],
        &wishes[..3],
        &crate::raw::framed(1, &beginning(BASIC))[..30],
        &wishes,
        &[&wishes[..], &hello[..5]].concat(),
        &[&wishes[..], &hello].concat(),
    ] {
        let mut raw = Raw::greeted(&server);
        raw.socket.write_all(sent).unwrap();
        stalled.push(raw.socket);
    }
    // One that is asked for a proof, and gives none.
    let mut asked = Raw::greeted(&server);
    asked.answer_greeting("native", &[1; 32], BASIC, "caching_sha2_password");
    assert_eq!(asked.receive().unwrap()[0], 0xfe);
    stalled.push(asked.socket);
    // Those that always send a little more: every byte is progress, and none gives them more time.
    let whole = crate::raw::framed(1, &[&beginning(BASIC)[..], &[100], &[0; 100], b"mysql_native_password\0"].concat());
    let under_tls = [&wishes[..], &hello].concat();
    let count = stalled.len() as u64 + 2;
    thread::scope(|scope| {
        for bytes in [&whole, &under_tls] {
            let socket = Raw::greeted(&server).socket;
            scope.spawn(move || assert!(drip(socket, bytes), "it was given time without end"));
        }
        assert!(
            matches!(logged_in(&server).query("SELECT 1"), Answer::Rows { .. }),
            "a new client is let in meanwhile"
        );
        for socket in &mut stalled {
            assert!(closed(socket));
        }
    });
    server.wait("the good one alone", |list| list.len() == 1);
    assert!(matches!(good.query("SELECT 1"), Answer::Rows { .. }), "who is in has no such deadline");
    assert_eq!(server.runtime.status().aborted_logins, count);
}

#[test]
fn cve_2021_23409_a_proxys_header_without_an_end() {
    let settings = Settings::new().time(Setting::ConnectTimeout, Duration::from_millis(500));
    let server = Server::start_with_both(
        Accounts::default(),
        |builder| builder.settings(settings),
        |serve| serve.proxied_from(["127.0.0.0/8".parse().unwrap()]),
    );
    let connect = || {
        let socket = TcpStream::connect(server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let binary = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x10\x00"[..], &[0; 4000]].concat();
    thread::scope(|scope| {
        for header in [&b"PROXY UNKNOWN and so on, and so on, and so on"[..], &binary] {
            let socket = connect();
            scope.spawn(move || assert!(drip(socket, header), "it was given time without end"));
        }
        let mut silent = connect();
        assert!(closed(&mut silent));
    });
    let mut good = connect();
    good.write_all(b"PROXY UNKNOWN\r\n").unwrap();
    let mut good = Raw::over(good).log_in("root", BASIC);
    assert!(matches!(good.query("SELECT 1"), Answer::Rows { .. }));
    assert_eq!(server.runtime.status().aborted_logins, 3);
}

#[test]
fn tidb_70992_a_host_whose_handshakes_break_off() {
    let (server, come) = door(Settings::new().count(Setting::MaxConnectErrors, 1));
    let (bad, good): (SocketAddr, SocketAddr) = ("192.0.2.32:5".parse().unwrap(), "127.0.0.1:5".parse().unwrap());
    let inside = Raw::over(come(good)).log_in("root", BASIC);
    drop(Raw::over(come(bad)));
    server.wait("its end", |list| list.len() == 1);
    let mut refused = Vec::new();
    come(bad).read_to_end(&mut refused).unwrap();
    // Ahead of the greeting, so without an SQLSTATE.
    let text = "Host '192.0.2.32' is blocked because of many connection errors; unblock with 'FLUSH HOSTS'";
    assert_eq!(refused, [&[u8::try_from(text.len() + 3).unwrap(), 0, 0, 0, 0xff, 0x69, 4], text.as_bytes()].concat());
    let mut other = Raw::over(come(good)).log_in("root", BASIC);
    assert!(matches!(other.query("SELECT 1"), Answer::Rows { .. }), "others are served");
    drop((inside, other));
    server.wait_empty();
}

#[test]
fn cockroach_47602_a_flood_of_connections_before_login() {
    let settings = Settings::new()
        .count(Setting::MaxUnauthenticated, 8)
        .count(Setting::MaxUnauthenticatedPerHost, 4)
        .count(Setting::MaxConnections, 3);
    let (server, come) = door(settings);
    let at = |host: u8| SocketAddr::from(([192, 0, 2, host], 5));
    let mut inside = Raw::over(come(SocketAddr::from(([127, 0, 0, 1], 5)))).log_in("root", BASIC);
    /// Whether it is greeted, or refused: 1040, ahead of the greeting.
    fn greeted(socket: &mut TcpStream) -> bool {
        let mut head = [0; 7];
        socket.read_exact(&mut head).unwrap();
        assert!(head[4] == 10 || head[4..] == [0xff, 0x10, 4], "{head:?}");
        head[4] == 10
    }
    // From one address: it has its places, and no more.
    let mut one: Vec<_> = (0..100).map(|_| come(at(1))).collect();
    let held = one.iter_mut().filter_map(|socket| greeted(socket).then_some(())).count();
    assert_eq!((held, server.list().len()), (4, 5));
    assert!(matches!(inside.query("SELECT 1"), Answer::Rows { .. }), "who is in is served");
    let mut new = Raw::over(come(SocketAddr::from(([127, 0, 0, 2], 5)))).log_in("root", BASIC);
    assert!(matches!(new.query("SELECT 1"), Answer::Rows { .. }), "who comes from elsewhere is let in");
    // From everywhere: all that are not in have their places together, which are none of those who are.
    let mut all: Vec<_> = (10..110).map(|host| come(at(host))).collect();
    let more = all.iter_mut().filter_map(|socket| greeted(socket).then_some(())).count();
    assert!(more >= 4 && server.list().len() <= 2 + 8, "{more} of {:?}", server.list().len());
    assert!(matches!(inside.query("SELECT 1"), Answer::Rows { .. }), "who is in is served");
    // A good client finds a place as soon as one of the silent has had its time.
    let third = loop {
        let mut socket = come(SocketAddr::from(([127, 0, 0, 3], 5)));
        let mut head = [0; 5];
        socket.peek(&mut head).unwrap();
        match head[4] {
            10 => break Raw::over(socket).log_in("root", BASIC),
            _ => drop(socket.read_to_end(&mut Vec::new())),
        }
    };
    drop((one, all));
    server.wait("those who are in", |list| list.len() == 3);
    drop((inside, new, third));
    server.wait_empty();
    let refused = 200 - held as u64 - more as u64;
    assert!(server.runtime.status().refused >= refused, "{refused}: {:?}", server.runtime.status());
}
