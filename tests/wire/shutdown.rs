//! What clients see of a shutdown: a whole answer, 1053, or a close before anything was begun.

use std::{
    io::{Read, Write},
    thread::JoinHandle,
    time::Duration,
};

use killdeer::{Readiness, Summary};
use mysql_common::constants::CapabilityFlags;

use crate::{
    echo::accounts::Accounts,
    raw::{Answer, BASIC, Raw, error, framed},
    server::Server,
};

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(600);

/// A shutdown that goes on beside the test, and has looked at every session by now. The last one is a client of its own,
/// which is idle, and closed: it counts as drained.
fn begin_shutdown(server: &Server, grace: Duration) -> JoinHandle<Summary> {
    let mut last = Raw::login(server);
    let runtime = server.runtime.clone();
    let shutdown = std::thread::spawn(move || futures::executor::block_on(runtime.shutdown(grace)));
    last.socket.read_to_end(&mut Vec::new()).unwrap();
    assert_ne!(server.runtime.readiness(), Readiness::Ready);
    shutdown
}

fn query(sql: &str) -> Vec<u8> {
    framed(0, &[b"\x03", sql.as_bytes()].concat())
}

fn numbers(answer: Option<Answer>) -> usize {
    let Some(Answer::Rows { rows, .. }) = answer else { panic!("no whole result: {answer:?}") };
    for (n, row) in rows.iter().enumerate() {
        assert_eq!(row[0].as_deref(), Some(&*(n + 1).to_string()));
    }
    rows.len()
}

/// Reads the rows of an answer, whatever ends them.
fn rows_and_end(raw: &mut Raw) -> (u64, Vec<u8>) {
    assert_eq!(raw.receive().unwrap(), [1]);
    raw.receive().unwrap();
    let mut rows = 0;
    loop {
        let packet = raw.receive().expect("an end of the rows");
        if matches!(packet[0], 0xfe | 0xff) {
            return (rows, packet);
        }
        rows += 1;
        assert_eq!(&packet[1..], rows.to_string().as_bytes());
    }
}

#[test]
fn a_transaction_is_served_to_its_end() {
    let server = Server::start();
    let (mut raw, mut idle) = (Raw::login(&server), Raw::login(&server));
    assert_eq!(raw.query("BEGIN"), Answer::Ok { affected: 0, status: 3 });
    let shutdown = begin_shutdown(&server, LONG);
    assert!(idle.closes_silently());
    assert!(matches!(raw.query("INSERT INTO t VALUES (1)"), Answer::Rows { .. }), "echoed");
    raw.send_query("SELECT * FROM seq(30000)");
    assert_eq!(numbers(raw.answer()), 30_000);
    raw.command(0x0e, b"");
    assert_eq!(raw.answer(), Some(Answer::Ok { affected: 0, status: 3 }));
    assert_eq!(raw.query("COMMIT"), Answer::Ok { affected: 0, status: 2 });
    assert!(raw.closes_silently());
    drop((raw, idle));
    assert_eq!(shutdown.join().unwrap(), Summary { drained: 3, transactions_ended: 1, ..Summary::default() });
    server.wait_empty();
}

#[test]
fn what_is_pipelined_behind_the_transaction_is_not_begun() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    assert_eq!(raw.query("BEGIN").code(), 0);
    let shutdown = begin_shutdown(&server, LONG);
    let all = ["SELECT * FROM seq(3)", "COMMIT", "SELECT 'beyond'", "SELECT 'far beyond'"];
    raw.socket.write_all(&all.map(query).concat()).unwrap();
    raw.expect_next(1);
    assert_eq!(numbers(raw.answer()), 3);
    raw.expect_next(1);
    assert_eq!(raw.answer(), Some(Answer::Ok { affected: 0, status: 2 }));
    raw.expect_next(1);
    let refused = raw.answer().unwrap();
    let text = "Server shutdown in progress".to_owned();
    assert_eq!(refused, Answer::Error { code: 1053, state: "08S01".to_owned(), text });
    assert!(raw.closes_silently());
    drop(raw);
    assert_eq!(shutdown.join().unwrap(), Summary { drained: 2, transactions_ended: 1, ..Summary::default() });
    assert_eq!(server.runtime.status().statements, 3);
}

#[test]
fn a_command_that_has_arrived_behind_the_running_one_is_told() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    // Between them a COM_STMT_CLOSE and a part of a parameter, which nobody answers.
    let close = framed(0, b"\x19\x07\0\0\0");
    let part = framed(0, b"\x18\x07\0\0\0\0\0x");
    raw.socket.write_all(&[query("SELECT SLEEP(0.5)"), close, part, query("SELECT 2")].concat()).unwrap();
    server.wait_running(raw.id);
    let shutdown = begin_shutdown(&server, LONG);
    raw.expect_next(1);
    assert!(matches!(raw.answer(), Some(Answer::Rows { .. })));
    raw.expect_next(1);
    assert_eq!(raw.answer().unwrap().code(), 1053);
    assert!(raw.closes_silently());
    drop(raw);
    assert_eq!(shutdown.join().unwrap(), Summary { drained: 2, ..Summary::default() });
    assert_eq!(server.runtime.status().statements, 1);
}

#[test]
fn a_goodbye_behind_the_running_statement_is_not_answered() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    raw.socket.write_all(&[query("SELECT SLEEP(0.5)"), framed(0, b"\x01")].concat()).unwrap();
    server.wait_running(raw.id);
    let shutdown = begin_shutdown(&server, LONG);
    raw.expect_next(1);
    assert!(matches!(raw.answer(), Some(Answer::Rows { .. })));
    assert!(raw.closes_silently());
    drop(raw);
    assert_eq!(shutdown.join().unwrap().drained, 2);
}

#[test]
fn a_result_that_is_read_slowly_is_whole() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    // More than the buffers on the way hold: the statement waits for its reader.
    let last = 1_500_000;
    raw.send_query(&format!("SELECT * FROM seq({last})"));
    server.wait_running(raw.id);
    let shutdown = begin_shutdown(&server, LONG);
    let (rows, end) = rows_and_end(&mut raw);
    assert_eq!((rows, end[0]), (last, 0xfe));
    assert!(raw.closes_silently());
    drop(raw);
    assert_eq!(shutdown.join().unwrap(), Summary { drained: 2, ..Summary::default() });
}

#[test]
fn a_result_whose_time_is_over_ends_in_1053() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    raw.send_query("SELECT * FROM seq(100000000)");
    server.wait_running(raw.id);
    let shutdown = begin_shutdown(&server, Duration::ZERO);
    let (rows, end) = rows_and_end(&mut raw);
    assert!(rows < 100_000_000);
    assert_eq!(error(&end).code(), 1053);
    assert!(raw.closes_silently());
    drop(raw);
    assert_eq!(shutdown.join().unwrap(), Summary { drained: 1, forced: 1, ..Summary::default() });
}

#[test]
fn an_answer_has_its_time_to_be_read_however_short_rollbacks_are() {
    let server = Server::start_with(Accounts::default(), |builder| builder.rollback_timeout(Duration::ZERO));
    let mut raw = Raw::login(&server);
    raw.send_query("SELECT * FROM seq(100000000)");
    // Until no more goes through.
    let (mut arrived, mut buffer) = (1, vec![0; 16 << 20]);
    while raw.socket.peek(&mut buffer).unwrap() != arrived {
        arrived = raw.socket.peek(&mut buffer).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    // It could be read for longer than sessions have for their rollback. That nobody reads it is seen, and the session leaves.
    let summary = futures::executor::block_on(server.runtime.shutdown(Duration::ZERO));
    assert_eq!(summary, Summary { forced: 1, ..Summary::default() });
}

/// What both of several statements in one command have done is counted as it was, not as the command was found.
#[test]
fn what_a_command_has_committed_is_not_rolled_back_by_what_follows_in_it() {
    let server = Server::start();
    let several = BASIC.union(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
    let mut commits = Raw::login_as(&server, "root", several);
    let mut begins = Raw::login_as(&server, "root", several);
    assert_eq!(commits.query("BEGIN").code(), 0);
    let shutdown = {
        // Both are busy, and the second has no transaction yet, when the shutdown begins.
        begins.send_query("SELECT SLEEP(0.5); BEGIN; SELECT SLEEP(100)");
        server.wait_running(begins.id);
        begin_shutdown(&server, Duration::from_secs(2))
    };
    commits.send_query("COMMIT; SELECT SLEEP(100)");
    assert_eq!(commits.answer().unwrap().code(), 0);
    assert_eq!(commits.answer().unwrap().code(), 1053);
    assert!(commits.closes_silently());
    let mut end = begins.answer();
    while !matches!(end, Some(Answer::Error { .. })) {
        end = begins.answer();
    }
    drop((commits, begins));
    let expected =
        Summary { drained: 1, forced: 2, transactions_ended: 1, transactions_rolled_back: 1, ..Summary::default() };
    assert_eq!(shutdown.join().unwrap(), expected);
}

#[test]
fn an_idle_transaction_whose_time_is_over_is_closed_and_rolled_back() {
    let server = Server::start();
    let (mut idle, mut busy) = (Raw::login(&server), Raw::login(&server));
    assert_eq!((idle.query("BEGIN").code(), busy.query("BEGIN").code()), (0, 0));
    busy.send_query("SELECT SLEEP(100)");
    server.wait_running_statement(busy.id, "SELECT SLEEP(100)");
    let shutdown = begin_shutdown(&server, Duration::from_millis(100));
    assert_eq!(busy.answer().unwrap().code(), 1053);
    assert!(busy.closes_silently() && idle.closes_silently());
    drop((busy, idle));
    let expected = Summary { drained: 1, forced: 2, transactions_rolled_back: 2, ..Summary::default() };
    assert_eq!(shutdown.join().unwrap(), expected);
}

#[test]
fn who_is_not_in_yet_or_comes_meanwhile_is_told() {
    let server = Server::start();
    let mut holding = Raw::login(&server);
    assert_eq!(holding.query("BEGIN").code(), 0);
    let mut greeted = Raw::greeted(&server);
    let shutdown = begin_shutdown(&server, LONG);
    // As the answer to what it would have said of itself: without an SQLSTATE, since it has not.
    greeted.expect_next(2);
    assert_eq!(greeted.receive().unwrap(), b"\xff\x1d\x04Server shutdown in progress");
    assert!(greeted.closes_silently());
    drop(greeted);
    for _ in 0..3 {
        let mut late = Raw::connected_at(server.address);
        assert_eq!(late.receive().unwrap(), b"\xff\x1d\x04Server shutdown in progress");
        assert!(late.closes_silently());
    }
    assert_eq!(holding.query("COMMIT").code(), 0);
    assert!(holding.closes_silently());
    drop(holding);
    assert_eq!(shutdown.join().unwrap(), Summary { drained: 3, transactions_ended: 1, ..Summary::default() });
    assert_eq!(server.runtime.status().refused, 3);
}

#[test]
fn a_change_of_user_ends_the_transaction_too() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    assert_eq!(raw.query("BEGIN").code(), 0);
    let shutdown = begin_shutdown(&server, LONG);
    raw.send_change_user("root", &[], "", "mysql_native_password");
    assert_eq!(raw.receive().unwrap()[0], 0);
    assert!(raw.closes_silently());
    drop(raw);
    assert_eq!(shutdown.join().unwrap(), Summary { drained: 2, transactions_ended: 1, ..Summary::default() });
}

#[test]
fn where_closes_are_told_the_end_of_a_transaction_is_too() {
    let server = Server::start_with(Accounts::default(), |builder| builder.tell_killed(true));
    let mut raw = Raw::login(&server);
    assert_eq!(raw.query("BEGIN").code(), 0);
    let shutdown = begin_shutdown(&server, LONG);
    assert_eq!(raw.query("COMMIT"), Answer::Ok { affected: 0, status: 2 });
    raw.expect_next(1);
    assert_eq!(raw.answer().unwrap().code(), 1053);
    assert!(raw.closes_silently());
    drop(raw);
    assert_eq!(shutdown.join().unwrap().transactions_ended, 1);
}

/// What stands behind the columns for those who know no better is the state as it is by then.
#[test]
fn behind_the_columns_an_old_client_reads_that_a_transaction_is_open() {
    let server = Server::start();
    let old = BASIC.difference(CapabilityFlags::CLIENT_DEPRECATE_EOF).union(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
    let mut raw = Raw::login_as(&server, "root", old);
    let eofs = |raw: &mut Raw| {
        assert_eq!((raw.receive().unwrap(), raw.receive().unwrap().len() > 9), (vec![1], true));
        let behind_columns = raw.receive().unwrap();
        raw.receive().unwrap();
        (behind_columns, raw.receive().unwrap())
    };
    raw.send_query("BEGIN; SELECT 1");
    assert_eq!(raw.receive().unwrap(), [0, 0, 0, 0x0b, 0, 0, 0]);
    assert_eq!(eofs(&mut raw), (vec![0xfe, 0, 0, 3, 0], vec![0xfe, 0, 0, 3, 0]));
    raw.send_query("SELECT 1; COMMIT; SELECT 1");
    assert_eq!(eofs(&mut raw), (vec![0xfe, 0, 0, 0x0b, 0], vec![0xfe, 0, 0, 0x0b, 0]));
    assert_eq!(raw.receive().unwrap(), [0, 0, 0, 0x0a, 0, 0, 0]);
    assert_eq!(eofs(&mut raw), (vec![0xfe, 0, 0, 2, 0], vec![0xfe, 0, 0, 2, 0]));
}
