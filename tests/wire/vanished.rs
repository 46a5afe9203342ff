//! Clients that vanish while their statement runs (promise 10).

use std::{
    io::Write,
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::{
    raw::{Raw, framed},
    server::Server,
};

fn gone_within_a_second(server: &Server) {
    let begin = Instant::now();
    server.wait("their end", <[_]>::is_empty);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn a_client_that_closes_takes_its_statement_along() {
    let server = Server::start();
    let clients: Vec<_> = (0..20)
        .map(|n| {
            let mut raw = Raw::login(&server);
            raw.send_query(if n % 2 == 0 { "SELECT SLEEP(1000)" } else { "SELECT BENCHMARK(1000000000000, 1)" });
            server.wait_running(raw.id);
            raw
        })
        .collect();
    drop(clients);
    gone_within_a_second(&server);
    assert_eq!(server.runtime.status().aborted_clients, 20);
}

#[test]
fn so_does_one_that_only_closes_its_sending_end() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    raw.send_query("SELECT SLEEP(1000)");
    server.wait_running(raw.id);
    raw.half_close();
    gone_within_a_second(&server);
}

#[test]
fn so_does_one_whose_goodbye_stands_behind_unread_statements() {
    let server = Server::start();
    // Less than is read ahead, and more. (What the client's kernel could not send yet, nobody can see behind.)
    for pipelined in [10, 3000] {
        let mut raw = Raw::login(&server);
        raw.send_query("SELECT SLEEP(1000)");
        server.wait_running(raw.id);
        let more: Vec<u8> = std::iter::repeat_n(framed(0, b"\x03SELECT 1"), pipelined).flatten().collect();
        raw.socket.write_all(&more).unwrap();
        raw.half_close();
        gone_within_a_second(&server);
    }
}

#[test]
fn so_does_one_that_is_reset() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    // Unread rows when the client closes: its kernel sends a reset.
    raw.send_query("SELECT * FROM seq(100000000)");
    server.wait_running(raw.id);
    raw.receive();
    drop(raw);
    gone_within_a_second(&server);
}

#[test]
fn pipelined_statements_of_a_client_that_is_still_there_all_run() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    raw.send_query("SELECT SLEEP(0.5)");
    let more: Vec<u8> = std::iter::repeat_n(framed(0, b"\x03DO 1"), 20_000).flatten().collect();
    raw.socket.write_all(&more).unwrap();
    assert_eq!(raw.answer().unwrap().code(), 0);
    for _ in 0..20_000 {
        raw.expect_next(1);
        assert_eq!(raw.answer().unwrap().code(), 0);
    }
}

/// How a client is cut off.
#[derive(Clone, Copy)]
enum Cut {
    /// Its socket is reset.
    Reset,
    /// Its sending end is closed; it reads nothing of what was sent to it.
    Fin,
}

#[test]
fn a_hundred_resets_and_a_hundred_goodbyes_in_the_middle_of_statements() {
    /// What the issue states is a second; a machine that is busy with other tests gets some more.
    const BOUND: Duration = Duration::from_secs(5);
    let server = Server::start();
    for (cut, name) in [(Cut::Reset, "RST"), (Cut::Fin, "FIN")] {
        let before = server.runtime.status();
        let clients: Vec<_> = (0..100)
            .map(|n| {
                let mut raw = Raw::login(&server);
                raw.send_query(match n {
                    // Few compute, and last: each takes a processor.
                    96.. => "SELECT BENCHMARK(1000000000000, 1)",
                    // It waits for its reader in the middle of rows; before that it fills megabytes of buffers.
                    _ if n % 12 == 0 => "SELECT * FROM seq(100000000)",
                    _ => "SELECT SLEEP(1000)",
                });
                server.wait_running(raw.id);
                raw
            })
            .collect();
        let running = server.list().iter().filter(|row| row.statement.is_some()).count();
        assert_eq!(running, 100, "all in the middle of their statements");
        let begin = Instant::now();
        let left: Vec<_> = clients
            .into_iter()
            .filter_map(|raw| match cut {
                Cut::Reset => {
                    SockRef::from(&raw.socket).set_linger(Some(Duration::ZERO)).unwrap();
                    drop(raw);
                    None
                }
                Cut::Fin => {
                    raw.half_close();
                    Some(raw)
                }
            })
            .collect();
        server.wait_empty();
        let took = begin.elapsed();
        println!("100 clients were cut off by {name}: all were gone after {took:?}");
        assert!(took < BOUND, "{took:?}");
        drop(left);
        let status = server.runtime.status();
        assert_eq!((status.sessions, status.actors), (0, 0));
        assert_eq!(status.connections - before.connections, 100);
        assert_eq!(status.aborted_clients - before.aborted_clients, 100);
        assert_eq!(status.statements - before.statements, 100);
        assert_eq!(status.panics, 0);
    }
}

/// Of the server's end of this connection: whether a timer is set for when the client stays silent.
#[cfg(target_os = "linux")]
fn is_kept_alive(client: &std::net::TcpStream) -> bool {
    let port = |address: std::io::Result<std::net::SocketAddr>| format!(":{:04X}", address.unwrap().port());
    let (server, client) = (port(client.peer_addr()), port(client.local_addr()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ends: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let end = ends.iter().find(|end| end[1].ends_with(&server) && end[2].ends_with(&client)).expect("it is connected");
    // The timer's kind and when it is over: 02 is the keepalive's, where nothing is on its way.
    end[5].starts_with("02:")
}

#[cfg(target_os = "linux")]
#[test]
fn who_connects_before_the_server_has_begun_is_kept_alive_as_all_others() {
    use killdeer::{
        Runtime,
        wire::{Keepalive, Serve, listen},
    };
    use tokio::io::AsyncReadExt;

    actix_rt::System::new().block_on(async {
        let engine = crate::server::echo(crate::echo::accounts::Accounts::default());
        let runtime = Runtime::builder(engine).start();
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || std::net::TcpStream::connect(address).unwrap();
        let (early, other) = (connect(), connect());
        let idle = Duration::from_secs(1000);
        let served = Serve::new(listener, 1).keepalive(Keepalive { idle, ..Keepalive::default() });
        let serving = served.start(&runtime).unwrap();
        let stop = serving.stop();
        actix_rt::spawn(serving);
        for client in [early, other, connect(), connect()] {
            let watched = client.try_clone().unwrap();
            client.set_nonblocking(true).unwrap();
            let mut client = tokio::net::TcpStream::from_std(client).unwrap();
            client.read_u8().await.expect("a greeting");
            assert!(is_kept_alive(&watched));
        }
        stop.await;
    });
}
