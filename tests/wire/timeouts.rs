//! What clients see of the time-outs; `tests/sessions/timeouts.rs` has when they come.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use killdeer::{Dialect, Reason, Setting, Settings};
use mysql_common::constants::CapabilityFlags;

use crate::{
    echo::accounts::Accounts,
    kills::stalled,
    raw::{BASIC, Raw, error},
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
fn a_ping_is_a_sign_of_life() {
    let settings = Settings::new().time(Setting::WaitTimeout, Duration::from_secs(3));
    let server = server(Dialect::mysql(), settings);
    let mut raw = Raw::login(&server);
    let since = || server.row(raw.id).map(|row| row.time);
    std::thread::sleep(SHORT);
    let before = since().unwrap();
    raw.command(0x0e, &[]);
    assert_eq!(raw.answer().unwrap().code(), 0);
    assert!(server.row(raw.id).unwrap().time < before);
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
