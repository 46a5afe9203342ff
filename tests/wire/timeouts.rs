//! What clients see of the time-outs; `tests/sessions/timeouts.rs` has when they come.

use std::{
    io::{Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use killdeer::{Dialect, Reason, Setting, Settings, wire::Keepalive};
use mysql_common::constants::CapabilityFlags;

use crate::{
    echo::accounts::Accounts,
    kills::stalled,
    raw::{BASIC, Raw, error, framed},
    server::Server,
};

const SHORT: Duration = Duration::from_millis(200);

fn server(dialect: Dialect, settings: Settings) -> Server {
    Server::start_with(Accounts::default(), move |builder| builder.dialect(dialect).settings(settings))
}

#[test]
fn mysql_says_4031_to_the_idle_and_the_others_close_without_a_word() {
    for dialect in Dialect::NAMES.iter().filter_map(|name| Dialect::named(name)).filter(|it| !it.has_tenants()) {
        let server = server(dialect, Settings::new().time(Setting::WaitTimeout, SHORT));
        let mut idle = Raw::login(&server);
        assert_eq!(idle.query("SELECT 1").code(), 0);
        if dialect.tells_inactivity() {
            // It reads it as the answer to its next command.
            idle.expect_next(1);
            assert_eq!(error(&idle.receive().expect("an error")).code(), 4031);
        }
        assert!(idle.closes_silently(), "{dialect:?}");
        server.wait_empty();
        assert_eq!(server.runtime.status().aborted_clients, 1);
    }
}

#[test]
fn commands_that_run_nothing_are_signs_of_life() {
    let server = server(Dialect::mysql(), Settings::new());
    let mut raw = Raw::login(&server);
    // A ping, statistics, a statement that nobody has prepared, and no command at all.
    for (code, rest) in [(0x0e, &[][..]), (0x09, &[]), (0x17, &[9, 0, 0, 0, 0, 1, 0, 0, 0]), (0x70, &[])] {
        sleep(SHORT);
        let before = server.row(raw.id).unwrap().time;
        assert!(before >= SHORT, "{before:?}");
        raw.command(code, rest);
        raw.receive().expect("an answer");
        assert!(server.row(raw.id).unwrap().time < before, "{code:#x}");
    }
}

#[test]
fn who_sends_a_command_piece_by_piece_is_not_idle_and_who_stops_is() {
    let server = server(Dialect::mysql(), Settings::new().time(Setting::WaitTimeout, Duration::from_secs(3)));
    for capabilities in [BASIC, BASIC | CapabilityFlags::CLIENT_COMPRESS] {
        let mut raw = Raw::login_as(&server, "root", capabilities);
        let packet = framed(0, b"\x03SELECT 1");
        let whole = match capabilities {
            BASIC => packet,
            // A frame that says that its content is not compressed.
            _ => [&framed(0, &packet)[..4], &[0; 3], &framed(0, &packet)[4..]].concat(),
        };
        let (pieces, last) = whole.split_at(whole.len() - 1);
        for piece in pieces.chunks(2) {
            sleep(SHORT);
            let before = server.row(raw.id).unwrap().time;
            raw.socket.write_all(piece).unwrap();
            server.wait("a sign of life", |list| {
                list.iter().any(|row| row.id.get() == u64::from(raw.id) && row.time < before)
            });
        }
        raw.socket.write_all(last).unwrap();
        raw.socket.read_exact(&mut [0; 12]).expect("an answer");
    }
    let mut raw = Raw::login(&server);
    raw.socket.write_all(&framed(0, b"\x03SELECT 1")[..7]).unwrap();
    server.wait("its end", |list| list.is_empty());
    raw.expect_next(1);
    assert_eq!(error(&raw.receive().expect("an error")).code(), 4031);
}

#[test]
fn a_change_of_user_that_takes_too_long_is_counted_as_a_login_that_does() {
    let server = server(Dialect::mysql(), Settings::new().time(Setting::ConnectTimeout, Duration::from_secs(1)));
    let mut raw = Raw::login(&server);
    raw.send_change_user("alice", &[], "", "no_such_plugin");
    assert_eq!(raw.receive().expect("another method")[0], 0xfe);
    assert!(raw.closes_silently());
    server.wait_empty();
    assert!(server.runtime.timeouts().contains(&(Reason::LoginTimeout, 1)), "{:?}", server.runtime.timeouts());
}

#[test]
fn a_limit_holds_for_a_prepared_select_by_whatever_way_it_is_executed() {
    let server = server(Dialect::mysql(), Settings::new().time(Setting::MaxExecutionTime, SHORT));
    let mut raw = Raw::login(&server);
    assert_eq!(raw.query("SELECT SLEEP(1000)").code(), 3024);
    assert_eq!(raw.query("PREPARE s FROM 'SELECT SLEEP(1000)'").code(), 0);
    assert_eq!(raw.query("EXECUTE s").code(), 3024);
    assert_eq!(raw.query("SET max_execution_time = 0").code(), 0);
    assert_eq!(raw.query("PREPARE s FROM 'SELECT /*+ MAX_EXECUTION_TIME(200) */ SLEEP(1000)'").code(), 0);
    assert_eq!(raw.query("EXECUTE s").code(), 3024);
    assert_eq!(raw.query("SELECT SLEEP(0)").code(), 0);
}

#[test]
fn the_keepalive_leaves_a_client_that_reads_nothing_its_net_write_timeout() {
    let second = Duration::from_secs(1);
    let keepalive = Keepalive { idle: second, interval: second, retries: 2 };
    let server = Server::start_with_both(
        Accounts::default(),
        move |builder| builder.settings(Settings::new().time(Setting::NetWriteTimeout, 3600 * second)),
        move |serve| serve.keepalive(keepalive),
    );
    let mut victim = stalled(&server);
    // The system looks after it at growing intervals: without the longer bound, it is closed after some 7 s.
    for _ in 0..120 {
        sleep(second / 10);
        assert!(server.row(victim.id).is_some(), "closed: {:?}", server.runtime.timeouts());
    }
    assert!(victim.socket.read(&mut [0; 64]).unwrap() > 0);
}

#[test]
fn where_a_person_types_the_interactive_timeout_holds() {
    let settings = Settings::new().time(Setting::InteractiveTimeout, SHORT);
    let server = server(Dialect::mariadb(), settings);
    let other = Raw::login(&server);
    let mut person = Raw::login_as(&server, "root", BASIC | CapabilityFlags::CLIENT_INTERACTIVE);
    assert!(person.closes_silently());
    server.wait("the other alone", |list| list.len() == 1 && list[0].id.get() == u64::from(other.id));
}

#[test]
fn a_client_that_does_not_read_its_rows_is_closed_and_one_that_does_is_not() {
    let settings = Settings::new().time(Setting::NetWriteTimeout, Duration::from_secs(1));
    let server = server(Dialect::mysql(), settings);
    // This one reads: each part that it takes begins the time anew.
    let mut reader = Raw::login(&server);
    reader.send_query("SELECT * FROM seq(1000000000000)");
    let id = reader.id;
    let enough = Arc::new(AtomicBool::new(false));
    let reading = {
        let enough = Arc::clone(&enough);
        std::thread::spawn(move || {
            let mut rows = vec![0; 256 << 10];
            while !enough.load(Ordering::Relaxed) {
                assert!(reader.socket.read(&mut rows).unwrap() > 0, "it was closed");
            }
        })
    };
    let victim = stalled(&server);
    server.wait("the end of the one that does not read", |list| {
        list.iter().all(|row| row.id.get() != u64::from(victim.id))
    });
    assert!(server.row(id).is_some());
    enough.store(true, Ordering::Relaxed);
    reading.join().unwrap();
    assert!(server.runtime.timeouts().contains(&(Reason::NetWriteTimeout, 1)));
    drop(victim);
    server.wait_empty();
}

#[test]
fn a_statement_that_takes_too_long_is_told_so_in_the_midst_of_its_rows_too() {
    let settings = Settings::new().time(Setting::MaxStatementTime, SHORT);
    let server = server(Dialect::mariadb(), settings);
    let mut raw = Raw::login(&server);
    for sql in ["SELECT SLEEP(1000)", "SELECT BENCHMARK(1000000000000, 1)", "SELECT * FROM seq(1000000000000)"] {
        assert_eq!(raw.query(sql).code(), 1969, "{sql}");
        assert_eq!(raw.query("SELECT 1").code(), 0, "{sql}");
    }
    assert_eq!(raw.query("SELECT SLEEP(1000); SELECT 1").code(), 1064, "it did not ask for several");
}
