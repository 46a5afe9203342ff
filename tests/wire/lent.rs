//! Answers are lent by the thread: what the statement before left in one, whosever that was, is not in the next one.

use std::{io::Read, sync::Arc, time::Duration};

use killdeer::{
    KillMode, Principal, Privileges, SessionId, Target,
    wire::{Serve, listen},
};
use socket2::SockRef;

use crate::{
    echo::accounts::Accounts,
    kills::stalled,
    prepared::{execute, prepare},
    raw::{Raw, error},
    server::Server,
};

/// Answers of every kind: rows that fit into one buffer and rows that stream, an end without rows, an error, rows of a
/// prepared statement.
fn every_answer(raw: &mut Raw) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for sql in ["ECHO é", "SELECT * FROM seq(20000)", "DO 1", "KILL 4000000", "SELECT * FROM seq(3)"] {
        raw.send_query(sql);
        all.extend(raw.packets().unwrap());
    }
    let (id, ..) = prepare(raw, "SELECT * FROM seq(3)").unwrap();
    all.extend(execute(raw, id, &[]));
    all
}

/// By nobody who has an answer lent meanwhile.
fn kill(server: &Server, id: u32, mode: KillMode) {
    let root = Arc::new(Principal::new("root", Privileges::ALL));
    let target = Target::Session(SessionId::new(id.into()));
    drop(futures::executor::block_on(server.runtime.kill(&root, target, mode)).unwrap());
}

/// Has a statement end in the middle of its rows.
type End = fn(&Server);

fn killed(server: &Server) {
    let mut raw = stalled(server);
    kill(server, raw.id, KillMode::Query);
    // It reads to the end, which stands behind all rows that were there already.
    raw.socket.read_exact(&mut [0; 4]).unwrap();
    raw.expect_next(2);
    let last = std::iter::from_fn(|| raw.receive()).find(|packet| packet[0] == 0xff);
    assert_eq!(error(&last.unwrap()).code(), 1317);
}

fn closed(server: &Server) {
    let raw = stalled(server);
    kill(server, raw.id, KillMode::Connection);
    server.wait("its end", |list| list.iter().all(|row| row.id.get() != u64::from(raw.id)));
}

fn reset(server: &Server) {
    let raw = stalled(server);
    SockRef::from(&raw.socket).set_linger(Some(Duration::ZERO)).unwrap();
}

fn gone(server: &Server) {
    let raw = stalled(server);
    raw.half_close();
    server.wait("its end", |list| list.iter().all(|row| row.id.get() != u64::from(raw.id)));
}

fn killed_before_its_rows_were_sent(server: &Server) {
    let mut raw = Raw::login(server);
    raw.query("SET NAMES latin1");
    raw.send_query("WAIT IN ROWS");
    server.wait_running_statement(raw.id, "WAIT IN ROWS");
    kill(server, raw.id, KillMode::Query);
    assert_eq!(raw.answer().unwrap().code(), 1317);
}

fn panicked(server: &Server) {
    assert_eq!(Raw::login(server).query("PANIC IN ROWS").code(), 1105);
}

fn failed_in_binary_rows(server: &Server) {
    let mut raw = Raw::login(server);
    let (id, ..) = prepare(&mut raw, "MISFIT").unwrap();
    let told = execute(&mut raw, id, &[]);
    assert_eq!(error(&told[told.len() - 1]).code(), 1366);
}

#[test]
fn a_statement_that_ends_in_the_middle_of_its_rows_leaves_nothing_to_the_next_session() {
    // One worker, hence one thread that lends.
    let one_worker = |_| Serve::new(listen("127.0.0.1:0".parse().unwrap()).unwrap(), 1);
    let server = Server::start_serving(Accounts::default(), one_worker);
    let mut other = Raw::login(&server);
    let expected = every_answer(&mut other);
    let ends: [(&str, End); 7] = [
        ("KILL QUERY, and read on", killed),
        ("KILL, and not read", closed),
        ("a reset", reset),
        ("a FIN, and not read", gone),
        ("KILL QUERY before anything was sent", killed_before_its_rows_were_sent),
        ("a panic", panicked),
        ("an error in binary rows", failed_in_binary_rows),
    ];
    for (end, cut) in ends {
        cut(&server);
        server.wait("the end of the one that was cut", |list| list.len() == 1);
        let told = every_answer(&mut other);
        // Not `assert_eq`: they are long.
        let differs = told.iter().zip(&expected).position(|(told, expected)| told != expected);
        assert_eq!((differs, told.len()), (None, expected.len()), "after {end}");
    }
}
