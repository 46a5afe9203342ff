//! Clients behind a proxy that says who they are, by the PROXY protocol.

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use killdeer::{
    Builder, Dialect, Login, Principal, Privileges, Setting, Settings,
    wire::{AuthPlugin, Network, Serve},
};

use crate::{
    echo::accounts::Accounts,
    raw::{Answer, BASIC, PATIENCE, Raw, error, framed},
    server::Server,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

/// An account of its user at the address that it comes from. `root` is an administrator.
fn cast(login: &Login<'_>) -> Principal {
    let privileges = if login.user == "root" { Privileges::ALL } else { Privileges::NONE };
    Principal::new(login.user.as_str(), privileges).at_host(login.peer.host())
}

/// All connections have so much time until they are in.
fn deadline(time: Duration) -> Settings {
    Settings::new().time(Setting::ConnectTimeout, time)
}

/// The networks of proxies, all tests' clients among them unless a test says otherwise.
fn networks(list: &str) -> Vec<Network> {
    list.split(',').map(|network| network.parse().unwrap()).collect()
}

/// A server behind proxies on this machine, which believes everybody's name.
fn behind_proxies() -> Server {
    Server::start_cast_serving(
        cast,
        |builder| builder,
        |serve| serve.proxied_from(networks("192.0.2.0/24,127.0.0.0/8")),
    )
}

/// A proxy's connection, on which nothing was sent yet.
fn connect(server: &Server) -> TcpStream {
    let socket = TcpStream::connect(server.address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A connection that begins so.
fn beginning(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut socket = connect(server);
    socket.write_all(bytes).unwrap();
    socket
}

fn login(server: &Server, header: &[u8], user: &str) -> Raw {
    Raw::over(beginning(server, header)).log_in(user, BASIC)
}

/// A header of version 1.
fn line(client: SocketAddr) -> Vec<u8> {
    let (family, server) = if client.is_ipv4() { ("TCP4", "198.51.100.1") } else { ("TCP6", "2001:db8::1") };
    format!("PROXY {family} {} {server} {} 3306\r\n", client.ip(), client.port()).into_bytes()
}

/// A header of version 2, with something else behind the addresses.
fn binary(client: SocketAddr) -> Vec<u8> {
    let ports = [client.port().to_be_bytes(), 3306_u16.to_be_bytes()].concat();
    let additions = [0x04, 0, 3, 1, 2, 3];
    match client.ip() {
        IpAddr::V4(ip) => version_2(PROXY, 0x11, &[&ip.octets()[..], &[198, 51, 100, 1], &ports, &additions].concat()),
        IpAddr::V6(ip) => version_2(PROXY, 0x21, &[&ip.octets()[..], &[0x20; 16], &ports, &additions].concat()),
    }
}

fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

fn one_cell(answer: Answer) -> String {
    match answer {
        Answer::Rows { mut rows, .. } => rows.pop().unwrap().pop().unwrap().unwrap(),
        other => panic!("not a row: {other:?}"),
    }
}

/// Whether the server closes without a byte; by a reset, if it has not read all that was sent.
fn closes_without_a_word(mut socket: TcpStream) -> bool {
    match socket.read(&mut [0; 64]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn lists_and_user_show_whom_the_proxy_forwards() {
    let server = behind_proxies();
    for client in ["203.0.113.9:4711", "[2001:db8::9]:4712", "127.0.0.9:1", "[::1]:65535"] {
        let client: SocketAddr = client.parse().unwrap();
        for header in [line(client), binary(client)] {
            let mut raw = login(&server, &header, "alice");
            assert_eq!(server.row(raw.id).expect("it is listed").peer, client.into());
            assert_eq!(one_cell(raw.query("SELECT USER()")), format!("alice@{}", client.ip()));
            let Answer::Rows { rows, .. } = raw.query("SHOW PROCESSLIST") else { panic!("a list") };
            let own = rows.iter().find(|row| row[0] == Some(raw.id.to_string())).expect("its own row");
            assert_eq!(own[2], Some(client.to_string()));
        }
    }
    server.wait_empty();
}

#[test]
fn an_account_is_let_in_by_the_address_that_is_forwarded() {
    let native = |serve: Serve| serve.default_plugin(AuthPlugin::Native).proxied_from(networks("*"));
    let server = Server::start_serving(Accounts::default(), native);
    // `alice` has no password, and so is for clients of this machine, which the proxy's is not.
    let mut far = Raw::over(beginning(&server, &line("203.0.113.9:4711".parse().unwrap())));
    far.answer_greeting("alice", &[], BASIC, "mysql_native_password");
    let Answer::Error { code, text, .. } = error(&far.receive().unwrap()) else { panic!("an error") };
    assert_eq!((code, text.contains("'alice'@'203.0.113.9'")), (1045, true), "{text}");
    login(&server, &line("127.0.0.9:4711".parse().unwrap()), "alice");
}

#[test]
fn a_header_without_an_address_leaves_the_connection_its_own() {
    let server = behind_proxies();
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 203.0.113.9 198.51.100.1 4711 3306\r\n".to_vec(),
        version_2(LOCAL, 0, &[]),
        version_2(LOCAL, 0x11, &[203, 0, 113, 9, 198, 51, 100, 1, 1, 2, 3, 4]),
        version_2(PROXY, 0, &[1, 2, 3]),
        version_2(PROXY, 0x31, &[b'/'; 216]),
    ] {
        let raw = login(&server, &header, "alice");
        let own = raw.socket.local_addr().unwrap();
        assert_eq!(server.row(raw.id).expect("it is listed").peer, own.into(), "{header:?}");
    }
    server.wait_empty();
}

#[test]
fn a_header_may_come_in_pieces() {
    let server = behind_proxies();
    let client: SocketAddr = "203.0.113.9:4711".parse().unwrap();
    for header in [line(client), binary(client)] {
        let mut socket = connect(&server);
        let (last, pieces) = header.split_last().unwrap();
        for piece in pieces {
            socket.write_all(&[*piece]).unwrap();
        }
        // All but one byte of it: no greeting, and nothing in the list.
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let nothing = socket.read(&mut [0; 64]).unwrap_err();
        assert!(matches!(nothing.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{nothing}");
        assert!(server.list().is_empty());
        socket.write_all(&[*last]).unwrap();
        let raw = Raw::over(socket).log_in("alice", BASIC);
        assert_eq!(server.row(raw.id).expect("it is listed").peer, client.into());
    }
}

#[test]
fn what_comes_with_the_header_is_not_lost() {
    let served = |serve: Serve| serve.default_plugin(AuthPlugin::Native).proxied_from(networks("::1,127.0.0.1"));
    let server = Server::start_serving(Accounts::default(), served);
    let client: SocketAddr = "127.0.0.9:4711".parse().unwrap();
    for header in [line(client), binary(client)] {
        // A client in a hurry: it answers the greeting before it has come, and asks.
        let hello = [&BASIC.bits().to_le_bytes()[..], &[0, 0, 0, 1, 45], &[0; 23], b"alice\0\0mysql_native_password\0"]
            .concat();
        let early = [header, framed(1, &hello), framed(0, b"\x03SELECT USER()")].concat();
        let mut raw = Raw::over(beginning(&server, &early));
        raw.expect_next(2);
        assert_eq!(raw.receive().expect("an OK")[0], 0x00);
        raw.expect_next(1);
        assert_eq!(one_cell(raw.answer().unwrap()), "alice@127.0.0.9");
    }
}

#[test]
fn from_elsewhere_no_header_is_read() {
    let served = |serve: Serve| serve.proxied_from(networks("127.0.0.2,10.0.0.0/8,::/0"));
    let server = Server::start_serving(Accounts::default(), served);
    let client: SocketAddr = "203.0.113.9:4711".parse().unwrap();
    for header in [line(client), binary(client)] {
        let mut raw = Raw::greeted(&server);
        assert_eq!(server.row(raw.id).expect("it is listed").peer, raw.socket.local_addr().unwrap().into());
        raw.socket.write_all(&header).unwrap();
        raw.expect_next(2);
        assert_eq!(error(&raw.receive().unwrap()).code(), 1156, "rubbish where a login should be");
        assert!(closes_without_a_word(raw.socket));
    }
    Raw::login(&server);
}

#[test]
fn what_is_no_header_is_closed_without_a_greeting() {
    // Long before the deadline.
    let change = |builder: Builder<_>| builder.settings(deadline(Duration::from_secs(3600)));
    let server = Server::start_cast_serving(cast, change, |serve| serve.proxied_from(networks("127.0.0.0/8")));
    let four = [203, 0, 113, 9, 198, 51, 100, 1, 0x12, 0x67, 0x0c, 0xea];
    let broken: [&[u8]; 10] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x20\0\0\x01\x85\xa6\x03\0",
        b"PROXY TCP4 203.0.113.9 198.51.100.1 4711\r\n",
        b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 3306\n",
        &[b"PROXY UNKNOWN ", &[b'x'; 100][..]].concat(),
        &version_2(PROXY, 0x41, &four),
        &version_2(0x31, 0x11, &four),
        &version_2(PROXY, 0x11, &four[..11]),
        &[SIGNATURE, &[LOCAL, 0, 0x10, 0x01]].concat(),
        &[SIGNATURE, &[LOCAL, 0, 0xff, 0xff]].concat(),
    ];
    for bytes in broken {
        assert!(closes_without_a_word(beginning(&server, bytes)), "{bytes:?}");
    }
    // A check of a load balancer's that only connects.
    drop(connect(&server));
    server.wait("eleven failed logins", |_| server.runtime.status().aborted_logins == 11);
    server.wait_empty();
    assert_eq!(server.runtime.status().connections, 0);
}

#[test]
fn a_slow_header_is_cut_at_the_deadline() {
    let change = |builder: Builder<_>| builder.settings(deadline(Duration::from_millis(200)));
    let server = Server::start_cast_serving(cast, change, |serve| serve.proxied_from(networks("*")));
    // One that says nothing, one that says the half of it, one that goes on and on.
    let silent = connect(&server);
    let half = beginning(&server, b"PROXY TCP4 203.0");
    let mut slow = connect(&server);
    slow.set_read_timeout(Some(Duration::from_millis(25))).unwrap();
    let mut header = line("203.0.113.9:4711".parse().unwrap()).into_iter();
    let ended = loop {
        let sent = header.next().map_or(Ok(()), |byte| slow.write_all(&[byte]));
        match slow.read(&mut [0; 64]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && sent.is_ok() => {}
            ended => break ended,
        }
    };
    assert!(!matches!(ended, Ok(1..)), "it was not greeted: {ended:?}");
    assert!(header.next().is_some(), "its header was not whole");
    assert!(closes_without_a_word(silent) && closes_without_a_word(half));
    server.wait_empty();
    let status = server.runtime.status();
    assert_eq!((status.connections, status.aborted_logins), (0, 3));
}

/// A client that spends half of its time on the header has the other half for its login, and not all of it again.
#[test]
fn one_deadline_is_for_header_and_login() {
    let change = |builder: Builder<_>| builder.settings(deadline(Duration::from_secs(2)));
    let server = Server::start_cast_serving(cast, change, |serve| serve.proxied_from(networks("*")));
    let client: SocketAddr = "203.0.113.9:4711".parse().unwrap();
    let mut early = connect(&server);
    thread::sleep(Duration::from_millis(750));
    let late = Raw::over(beginning(&server, &line(client)));
    thread::sleep(Duration::from_millis(750));
    early.write_all(&line(client)).unwrap();
    let mut early = Raw::over(early);
    assert!(early.closes_silently());
    assert!(server.row(late.id).is_some(), "who came later is cut later, though its header was there before");
    server.wait_empty();
}

#[test]
fn sessions_are_owned_by_the_address_that_is_forwarded() {
    let change = |builder: Builder<_>| builder.dialect(Dialect::mariadb());
    let server = Server::start_cast_serving(cast, change, |serve| serve.proxied_from(networks("127.0.0.1")));
    let from = |client: &str| line(client.parse().unwrap());
    let mut one = login(&server, &from("203.0.113.1:1"), "alice");
    let mut neighbour = login(&server, &from("203.0.113.2:1"), "alice");
    let mut same = login(&server, &binary("203.0.113.1:2".parse().unwrap()), "alice");
    let sees = |raw: &mut Raw| match raw.query("SHOW PROCESSLIST") {
        Answer::Rows { rows, .. } => rows.len(),
        other => panic!("not a list: {other:?}"),
    };
    assert_eq!((sees(&mut one), sees(&mut neighbour), sees(&mut same)), (2, 1, 2));
    assert_eq!(neighbour.query(&format!("KILL {}", one.id)).code(), 1095);
    assert_eq!(same.query(&format!("KILL {}", one.id)).code(), 0);
    assert_eq!(one.answer(), None, "closed without a word");
    let mut root = login(&server, &from("127.0.0.1:1"), "root");
    assert_eq!(root.query("KILL USER alice@203.0.113.2"), Answer::Ok { affected: 1, status: 2 });
    assert_eq!(neighbour.answer(), None, "closed without a word");
    assert_eq!(same.query("SELECT 1").code(), 0);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_not_proxied() {
    let path = std::env::temp_dir().join(format!("killdeer-{}-proxied", std::process::id()));
    let listener = killdeer::wire::listen_unix(&path).unwrap();
    let served = |serve: Serve| serve.unix(listener).proxied_from(networks("*"));
    let server = Server::start_serving(Accounts::default(), served);
    let mut client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut first = [0; 5];
    client.read_exact(&mut first).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(first[4], 10, "a greeting");
    assert_eq!(server.list()[0].peer.to_string(), "localhost");
}

#[test]
fn connections_that_owe_their_header_are_bounded_too() {
    let server = Server::start_with_both(
        Accounts::default(),
        |builder| builder.settings(Settings::new().count(Setting::MaxUnauthenticated, 10)),
        |serve| serve.proxied_from(["127.0.0.0/8".parse().unwrap()]),
    );
    let all: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(server.address).unwrap()).collect();
    // Ninety are closed without a word; who is told nothing else is not waited for.
    let mut closed = 0;
    while closed < 90 {
        closed = 0;
        for mut tcp in &all {
            tcp.set_read_timeout(Some(std::time::Duration::from_millis(1))).unwrap();
            closed += usize::from(matches!(std::io::Read::read(&mut tcp, &mut [0; 10]), Ok(0)));
        }
    }
    assert_eq!((closed, server.runtime.status().refused), (90, 90));
}
