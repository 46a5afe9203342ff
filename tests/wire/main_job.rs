//! The main job at the size that it is done in: long results, floods of kills, engines that compute.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    raw::{Answer, Raw},
    server::Server,
};

/// The resident memory of this process, server and clients, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Whether this process runs no other test: if it does, the test is run in one that does not.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "KILLDEER_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let run = Command::new(std::env::current_exe().unwrap()).args(["--exact", test]).env(ALONE, "1").output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && told.contains("1 passed"), "{told}");
    false
}

#[test]
fn a_hundred_million_rows_are_killed_amid_the_stream_and_never_held_in_memory() {
    // Others, on the wire with megabytes, would count.
    if !is_alone("main_job::a_hundred_million_rows_are_killed_amid_the_stream_and_never_held_in_memory") {
        return;
    }
    let server = Server::start();
    let (mut victim, mut by) = (Raw::login(&server), Raw::login(&server));
    victim.send_query("SELECT * FROM seq(100000000)");
    let column = (victim.receive().unwrap(), victim.receive().unwrap());
    assert_eq!(column.0, [1]);
    let before = resident();
    let mut highest = before;
    for row in 1..=300_000_u64 {
        let packet = victim.receive().unwrap();
        assert_eq!(&packet[1..], row.to_string().as_bytes());
        if row % 10_000 == 0 {
            highest = highest.max(resident());
        }
    }
    assert_eq!(by.query(&format!("KILL QUERY {}", victim.id)).code(), 0);
    let error = loop {
        let packet = victim.receive().expect("the stream ends in an error, not in a close");
        assert!(packet[0] != 0xfe || packet.len() >= 9, "a killed statement looks complete");
        if packet[0] == 0xff {
            break crate::raw::error(&packet);
        }
    };
    highest = highest.max(resident());
    assert_eq!(error.code(), 1317);
    assert!(matches!(victim.query("SELECT 1"), Answer::Rows { .. }), "the connection answers");
    let growth = highest.saturating_sub(before);
    println!("resident memory grew by {} KiB while 300,000 rows passed", growth / 1024);
    assert!(growth < 64 << 20, "{growth} bytes");
}

#[test]
fn ten_thousand_kills_hit_running_statements_or_nothing() {
    let server = Server::start();
    let mut victim = Raw::login(&server);
    let id = victim.id;
    let done = Arc::new(AtomicBool::new(false));
    let statements = {
        let done = Arc::clone(&done);
        std::thread::spawn(move || {
            let (mut whole, mut killed) = (0, 0);
            while !done.load(Ordering::Acquire) {
                match victim.query("SELECT SLEEP(0.001)") {
                    Answer::Rows { columns: 1, rows, .. } => {
                        assert_eq!(rows, [[Some("0".to_owned())]], "a statement that ends well is whole");
                        whole += 1;
                    }
                    Answer::Error { code: 1317, .. } => killed += 1,
                    other => panic!("neither whole nor 1317: {other:?}"),
                }
            }
            (victim, whole, killed)
        })
    };
    let mut by = Raw::login(&server);
    for turn in 0..10_000_u32 {
        assert_eq!(by.query(&format!("KILL QUERY {id}")).code(), 0);
        // In bursts, at every moment of a statement; between them, some statements have the time that they take.
        if turn % 5 == 0 {
            std::thread::sleep(Duration::from_micros(3000 + u64::from(turn % 97) * 10));
        }
    }
    done.store(true, Ordering::Release);
    let (mut victim, whole, killed) = statements.join().unwrap();
    println!("{whole} statements ended whole, {killed} with 1317");
    assert!(whole >= 1000 && killed >= 1000, "{whole} whole, {killed} killed");
    // A kill that was answered before a statement began does not touch it.
    for _ in 0..1000 {
        assert_eq!(by.query(&format!("KILL QUERY {id}")).code(), 0);
        assert_eq!(victim.query("SELECT SLEEP(0)").code(), 0, "hit by a kill from before it began");
    }
}

#[test]
fn eight_sessions_that_compute_keep_nobody_waiting_and_each_dies_by_a_kill() {
    let server = Server::start();
    let mut busy: Vec<_> = (0..8)
        .map(|_| {
            let mut raw = Raw::login(&server);
            raw.send_query("SELECT BENCHMARK(1000000000000, MD5('x'))");
            server.wait_running(raw.id);
            raw
        })
        .collect();
    let mut other = Raw::login(&server);
    let mut slowest = Duration::ZERO;
    for turn in 0..100 {
        let begin = Instant::now();
        let sql = if turn % 2 == 0 { "SELECT 1" } else { "SHOW PROCESSLIST" };
        let Answer::Rows { rows, .. } = other.query(sql) else { panic!("{sql}") };
        assert_eq!(rows.len(), if turn % 2 == 0 { 1 } else { 9 });
        slowest = slowest.max(begin.elapsed());
    }
    println!("the slowest of 100 answers beside eight computing sessions: {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    for (turn, raw) in busy.iter_mut().enumerate() {
        let begin = Instant::now();
        if turn % 2 == 0 {
            assert_eq!(other.query(&format!("KILL QUERY {}", raw.id)).code(), 0);
            assert_eq!(raw.answer().unwrap().code(), 1317);
            assert!(matches!(raw.query("SELECT 1"), Answer::Rows { .. }));
        } else {
            assert_eq!(other.query(&format!("KILL {}", raw.id)).code(), 0);
            assert!(raw.closes_silently());
        }
        println!("a computing session was gone {:?} after its kill was sent", begin.elapsed());
    }
    server.wait("the killed to leave", |list| list.len() == 5);
}
