//! Closes that are told: the switch that sends an error ahead of every forced close.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use killdeer::{
    Blocking, BlockingEngine, BlockingSession, Done, KillMode, Login, Principal, Privileges, RowSink, Runtime, Setting,
    Settings, SqlError, Statement, StatementContext, Target, Verifier, wire,
};

use crate::{
    auth::accounts,
    echo::accounts::Accounts,
    kills::stalled,
    raw::{Answer, BASIC, Raw, error},
    server::Server,
};

fn telling() -> Server {
    Server::start_with(Accounts::default(), |builder| builder.tell_killed(true))
}

fn killed() -> Answer {
    Answer::Error { code: 1927, state: "70100".into(), text: "Connection was killed".into() }
}

#[test]
fn a_killed_connection_is_told_so_idle_or_busy() {
    let server = telling();
    let mut by = Raw::login(&server);
    for sql in [None, Some("SELECT SLEEP(1000)"), Some("SELECT BENCHMARK(1000000000000, 1)")] {
        let mut victim = Raw::login(&server);
        if let Some(sql) = sql {
            victim.send_query(sql);
            server.wait_running(victim.id);
        }
        assert_eq!(by.query(&format!("KILL {}", victim.id)).code(), 0);
        // An idle client reads it as the answer to its next command.
        victim.expect_next(1);
        assert_eq!(error(&victim.receive().expect("an error")), killed(), "{sql:?}");
        assert!(victim.closes_silently(), "{sql:?}");
        server.wait("its end", |list| list.len() == 1);
    }
    assert_eq!(by.query("KILL CONNECTION_ID()").code(), 1317, "of oneself as ever, and once");
    assert!(by.closes_silently());
}

#[test]
fn an_idle_client_is_told_whatever_its_last_answer_was() {
    let server = telling();
    let mut by = Raw::login(&server);
    for kill_query in [false, true] {
        let mut victim = Raw::login(&server);
        if kill_query {
            victim.send_query("SELECT BENCHMARK(1000000000000, 1)");
            server.wait_running(victim.id);
            assert_eq!(by.query(&format!("KILL QUERY {}", victim.id)).code(), 0);
            assert_eq!(victim.answer().unwrap().code(), 1317);
            server.wait("an idle session", |list| list.iter().filter(|row| row.statement.is_some()).count() == 0);
        } else {
            victim.command(0x7f, b"");
            assert_eq!(victim.answer().unwrap().code(), 1047);
        }
        assert_eq!(by.query(&format!("KILL {}", victim.id)).code(), 0);
        victim.expect_next(1);
        assert_eq!(error(&victim.receive().expect("an error")), killed(), "{kill_query}");
        assert!(victim.closes_silently());
    }
}

#[test]
fn what_ends_with_its_own_error_is_told_once() {
    let server = Server::start_with(accounts(), |builder| builder.tell_killed(true));
    let mut refused = Raw::login_as(&server, "open", BASIC);
    refused.send_change_user("nobody", &[], "", "caching_sha2_password");
    assert_eq!(refused.answer().unwrap().code(), 1045);
    assert!(refused.closes_silently());
    let mut unordered = Raw::login_as(&server, "open", BASIC);
    unordered.send_change_user("native", &[1; 32], "", "caching_sha2_password");
    assert_eq!(unordered.receive().unwrap()[0], 0xfe);
    unordered.send_numbered(9, &[0; 20]);
    unordered.expect_next(3);
    assert_eq!(unordered.answer().unwrap().code(), 1156);
    assert!(unordered.closes_silently());
    let mut panicked = Raw::login_as(&server, "open", BASIC);
    assert_eq!(panicked.query("PANIC").code(), 1105);
    assert!(panicked.closes_silently());
    server.wait_empty();
}

#[test]
fn a_killed_stream_ends_in_the_error() {
    let server = telling();
    let mut by = Raw::login(&server);
    let mut victim = Raw::login(&server);
    victim.send_query("SELECT * FROM seq(100000000)");
    server.wait_running(victim.id);
    assert_eq!(victim.receive().unwrap(), [1]);
    victim.receive().expect("the column");
    let mut rows = 0_u64;
    let last = loop {
        let packet = victim.receive().expect("the stream goes on");
        if packet[0] == 0xff {
            break error(&packet);
        }
        rows += 1;
        assert_eq!(&packet[1..], rows.to_string().as_bytes(), "no row is lost or torn");
        if rows == 1000 {
            assert_eq!(by.query(&format!("KILL {}", victim.id)).code(), 0);
        }
    };
    assert_eq!(last, killed());
    assert!(rows >= 1000);
    assert!(victim.closes_silently());
}

#[test]
fn nobody_waits_for_a_client_that_does_not_read() {
    let server = telling();
    let mut by = Raw::login(&server);
    let mut victim = stalled(&server);
    assert_eq!(by.query(&format!("KILL {}", victim.id)).code(), 0);
    server.wait("its end", |list| list.len() == 1);
    assert_eq!(by.query(&format!("KILL {}", victim.id)).code(), 1094);
    // What it reads now is what was on its way, and it ends.
    let mut sink = vec![0; 1 << 20];
    while victim.socket.read(&mut sink).is_ok_and(|read| read > 0) {}
    server.wait("nobody else", |list| list.len() == 1);
}

#[test]
fn a_client_that_is_not_in_yet_is_told_too() {
    let server = telling();
    let mut by = Raw::login(&server);
    let mut victim = Raw::greeted(&server);
    assert_eq!(by.query(&format!("KILL {}", victim.id)).code(), 0);
    // The answer to what it would send; without an SQLSTATE, since it has not said that it can read one.
    victim.expect_next(2);
    let packet = victim.receive().expect("an error");
    assert_eq!(packet, b"\xff\x87\x07Connection was killed");
    assert!(victim.closes_silently());

    let hasty = Server::start_with(Accounts::default(), |builder| {
        builder.tell_killed(true).settings(Settings::new().time(Setting::ConnectTimeout, Duration::from_millis(50)))
    });
    let mut slow = Raw::greeted(&hasty);
    slow.expect_next(2);
    assert_eq!(slow.receive().expect("an error"), b"\xff\x87\x04Got timeout reading communication packets");
    assert!(slow.closes_silently());
    hasty.wait_empty();
}

#[test]
fn a_shutdown_is_told_to_the_idle_too() {
    let server = telling();
    let mut idle = Raw::login(&server);
    drop(server);
    idle.expect_next(1);
    assert_eq!(error(&idle.receive().expect("an error")).code(), 1053);
    assert!(idle.closes_silently());
}

/// Computes until it is let go, whoever kills it.
#[derive(Clone, Default)]
struct Deaf {
    computes: Arc<AtomicBool>,
    released: Arc<AtomicBool>,
}

impl BlockingEngine for Deaf {
    type Session = Deaf;

    fn account(&self, login: &Login<'_>) -> Result<Option<(Verifier, Principal)>, SqlError> {
        Ok(Some((Verifier::default(), Principal::new(login.user.as_str(), Privileges::NONE))))
    }

    fn open(&self, _: &Arc<Principal>) -> Result<Deaf, SqlError> {
        Ok(self.clone())
    }
}

impl BlockingSession for Deaf {
    fn execute(&mut self, _: &StatementContext, _: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        self.computes.store(true, Ordering::Release);
        while !self.released.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        Ok(Done::default())
    }
}

#[actix_rt::test]
async fn who_waits_for_an_engine_that_does_not_heed_its_kill_is_told_at_once() {
    let deaf = Deaf::default();
    let runtime = Runtime::builder(Blocking::new(deaf.clone())).tell_killed(true).start();
    let serving = wire::serve(&runtime, wire::listen("127.0.0.1:0".parse().unwrap()).unwrap(), 1).unwrap();
    let (address, stop) = (serving.address(), serving.stop());
    let server = actix_rt::spawn(serving);
    let client = std::thread::spawn(move || {
        let mut raw = Raw::login_at(address, "alice", BASIC);
        let answer = raw.query("compute");
        (answer, raw.closes_silently())
    });
    let root = Arc::new(Principal::new("root", Privileges::ALL));
    while !deaf.computes.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
    let id = runtime.list(&root).rows()[0].id;
    let receipt = runtime.kill(&root, Target::Session(id), KillMode::Connection).await.unwrap();
    while !client.is_finished() {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.join().unwrap(), (killed(), true));
    assert_eq!(runtime.list(&root).rows().len(), 1, "it still computes");
    deaf.released.store(true, Ordering::Release);
    receipt.ended().await;
    runtime.shutdown(Duration::ZERO).await;
    stop.await;
    server.await.unwrap().unwrap();
}
