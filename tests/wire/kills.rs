//! Kills as clients see them: who gets 1317, who is closed, and when.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use killdeer::{Command, ProcessRow};

use crate::{
    raw::{Answer, Raw, framed},
    server::Server,
};

#[test]
fn kill_query_gives_1317_and_the_connection_lives() {
    let server = Server::start();
    let (mut victim, mut by) = (Raw::login(&server), Raw::login(&server));
    victim.send_query("SELECT SLEEP(1000)");
    server.wait("its sleep", |list| list.iter().any(|row| row.state == "User sleep"));
    assert_eq!(by.query(&format!("KILL QUERY {}", victim.id)).code(), 0);
    let expected = Answer::Error { code: 1317, state: "70100".into(), text: "Query execution was interrupted".into() };
    assert_eq!(victim.answer().unwrap(), expected);
    assert!(matches!(victim.query("SELECT 1"), Answer::Rows { .. }));
}

#[test]
fn kill_query_of_an_idle_session_does_nothing_to_what_follows() {
    let server = Server::start();
    let (mut victim, mut by) = (Raw::login(&server), Raw::login(&server));
    for sql in ["SELECT 1", "BEGIN", "SELECT SLEEP(0)"] {
        assert_eq!(by.query(&format!("KILL QUERY {}", victim.id)).code(), 0);
        let idle = |row: &ProcessRow| row.id.get() != u64::from(victim.id) || row.command == Command::Sleep;
        server.wait("a session without a mark", |list| list.iter().all(idle));
        assert_eq!(victim.query(sql).code(), 0);
    }
}

#[test]
fn a_killed_connection_is_closed_at_once_idle_or_busy() {
    let server = Server::start();
    let mut by = Raw::login(&server);
    for sql in [None, Some("SELECT SLEEP(1000)"), Some("SELECT BENCHMARK(1000000000000, 1)")] {
        let mut victim = Raw::login(&server);
        if let Some(sql) = sql {
            victim.send_query(sql);
            server.wait_running(victim.id);
        }
        assert_eq!(by.query(&format!("KILL {}", victim.id)).code(), 0);
        assert!(victim.closes_silently(), "{sql:?}: not a byte, and a FIN");
        server.wait("its end", |list| list.len() == 1);
        assert_eq!(by.query(&format!("KILL {}", victim.id)).code(), 1094);
    }
}

#[test]
fn who_kills_its_own_connection_is_told_so_first() {
    let server = Server::start();
    let mut own = Raw::login(&server);
    assert_eq!(own.query("KILL QUERY CONNECTION_ID()").code(), 1317);
    assert_eq!(own.query("KILL CONNECTION_ID()").code(), 1317);
    assert!(own.closes_silently());
    let mut own = Raw::login(&server);
    let id = own.id.to_le_bytes();
    own.command(0x0c, &id);
    assert_eq!(own.answer().unwrap().code(), 1317);
    assert!(own.closes_silently());
    server.wait_empty();
}

#[test]
fn com_process_kill_is_kill() {
    let server = Server::start();
    let (mut victim, mut by) = (Raw::login(&server), Raw::login(&server));
    by.command(0x0c, &victim.id.to_le_bytes());
    assert_eq!(by.answer().unwrap().code(), 0);
    assert!(victim.closes_silently());
    // Its session leaves the list behind that.
    server.wait("the killer alone", |list| list.len() == 1);
    by.command(0x0c, &victim.id.to_le_bytes());
    assert_eq!(by.answer().unwrap().code(), 1094);
    by.command(0x0c, &[1, 2]);
    assert_eq!(by.answer().unwrap().code(), 1835);
}

#[test]
fn a_pipelined_query_after_a_killed_one_runs() {
    let server = Server::start();
    let (mut victim, mut by) = (Raw::login(&server), Raw::login(&server));
    let both = [framed(0, b"\x03SELECT SLEEP(1000)"), framed(0, b"\x03SELECT 2")].concat();
    victim.socket.write_all(&both).unwrap();
    server.wait_running(victim.id);
    by.query(&format!("KILL QUERY {}", victim.id));
    victim.expect_next(1);
    assert_eq!(victim.answer().unwrap().code(), 1317);
    victim.expect_next(1);
    assert!(matches!(victim.answer().unwrap(), Answer::Rows { .. }));
}

#[test]
fn of_several_statements_the_rest_is_dropped() {
    let server = Server::start();
    let mut by = Raw::login(&server);
    let several = crate::raw::BASIC.union(mysql_common::constants::CapabilityFlags::CLIENT_MULTI_STATEMENTS);
    let mut victim = Raw::login_as(&server, "root", several);
    victim.send_query("DO 1; DO SLEEP(1000); SET @ran = 1");
    server.wait("its sleep", |list| list.iter().any(|row| row.state == "User sleep"));
    by.query(&format!("KILL QUERY {}", victim.id));
    assert_eq!(victim.answer().unwrap(), Answer::Ok { affected: 0, status: 2 | 8 }, "the first had ended");
    assert_eq!(victim.answer().unwrap().code(), 1317);
    let Answer::Rows { rows, .. } = victim.query("SELECT @ran") else { panic!() };
    assert_eq!(rows, [[None]]);
}

#[test]
fn of_several_statements_each_is_answered_when_it_is_over() {
    let server = Server::start();
    let several = crate::raw::BASIC.union(mysql_common::constants::CapabilityFlags::CLIENT_MULTI_STATEMENTS);
    let mut raw = Raw::login_as(&server, "root", several);
    raw.send_query("DO 1; DO SLEEP(1000)");
    assert_eq!(raw.answer().unwrap(), Answer::Ok { affected: 0, status: 2 | 8 }, "while the second one sleeps");
    assert!(server.row(raw.id).unwrap().statement.is_some());
}

#[test]
fn of_several_statements_no_more_run_than_their_client_reads() {
    let server = Server::start();
    // Some on every worker.
    let mut others: Vec<_> = (0..8).map(|_| Raw::login(&server)).collect();
    let several = crate::raw::BASIC.union(mysql_common::constants::CapabilityFlags::CLIENT_MULTI_STATEMENTS);
    let mut raw = Raw::login_as(&server, "root", several);
    // More bytes than the sockets' buffers hold, in one packet.
    raw.send_query(&format!("ECHO {};", "x".repeat(10_000)).repeat(1600));
    server.wait_running(raw.id);
    for other in &mut others {
        assert_eq!(other.query("DO 1").code(), 0);
    }
    assert_eq!(others[0].query(&format!("KILL QUERY {}", raw.id)).code(), 0);
    let mut answered = 0;
    let last = loop {
        match raw.answer().unwrap() {
            Answer::Rows { status, .. } if status & 8 != 0 => answered += 1,
            last => break last,
        }
    };
    assert_eq!(last.code(), 1317, "after {answered} answers");
    assert!(matches!(raw.query("SELECT 1"), Answer::Rows { .. }));
}

/// Fills the client's socket until the engine has to wait for it.
pub fn stalled(server: &Server) -> Raw {
    let mut raw = Raw::login(server);
    raw.send_query("SELECT * FROM seq(100000000)");
    server.wait_running(raw.id);
    raw.socket.read_exact(&mut [0; 1]).unwrap();
    stalls(&raw);
    raw
}

/// Waits until the server can write no more to a client that does not read.
pub fn stalls(raw: &Raw) {
    // Something has arrived, and then nothing is read: the kernel's buffers fill, then the server's.
    raw.socket.peek(&mut [0; 1]).unwrap();
    let mut seen = 0;
    let mut last = Instant::now();
    while last.elapsed() < Duration::from_millis(300) {
        let waiting = raw.socket.peek(&mut vec![0; 64 << 20]).unwrap();
        if waiting != seen {
            (seen, last) = (waiting, Instant::now());
        }
        std::thread::yield_now();
    }
}

#[test]
fn killing_the_connection_of_a_client_that_does_not_read_takes_no_time() {
    let server = Server::start();
    let mut by = Raw::login(&server);
    // The bound is the fastest one's: another process may have the processors for a while.
    let fastest = (0..5).map(|_| {
        let victim = stalled(&server);
        let begin = Instant::now();
        assert_eq!(by.query(&format!("KILL {}", victim.id)).code(), 0);
        server.wait("its end", |list| list.len() == 1);
        begin.elapsed()
    });
    let took = fastest.min().unwrap();
    println!("out of the list after {took:?}");
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[test]
fn kill_query_of_a_client_that_does_not_read_waits_for_it_with_the_error() {
    let server = Server::start();
    let mut by = Raw::login(&server);
    let mut victim = stalled(&server);
    assert_eq!(by.query(&format!("KILL QUERY {}", victim.id)).code(), 0);
    server.wait("the mark", |list| list.iter().any(|row| row.command == Command::Killed));
    assert_eq!(server.runtime.status().sessions, 2);
    // It reads again: whole rows, and in the place of the next one the error. The first byte was read already.
    let mut begun = [0; 3];
    victim.socket.read_exact(&mut begun).unwrap();
    assert_eq!(begun, [0, 0, 1], "the rest of the first packet's header");
    victim.socket.read_exact(&mut [0; 1]).unwrap();
    victim.expect_next(2);
    victim.receive().expect("the column");
    let mut rows = 0_u64;
    let last = loop {
        let packet = victim.receive().expect("the stream goes on");
        match packet[0] {
            0xff => break crate::raw::error(&packet),
            _ => rows += 1,
        }
        assert_eq!(&packet[1..], rows.to_string().as_bytes(), "no row is lost or torn");
    };
    assert_eq!(last.code(), 1317);
    assert!(rows > 1000);
    server.wait("its sleep", |list| list.iter().all(|row| row.command == Command::Sleep));
    assert!(matches!(victim.query("SELECT 1"), Answer::Rows { .. }));
}
