//! Transactions and the ends of sessions (promise 8).

use std::time::Duration;

use killdeer::{KillMode, Reason, Target};
use tokio::time::{Instant, sleep};

use crate::lab::{Lab, Running, build, code, connect, lab, paused, root};

#[test]
fn a_victim_is_rolled_back_before_it_leaves_the_list() {
    paused(async {
        let lab = Lab { rollback: Some(Duration::from_secs(3)), ..Lab::default() };
        let log = lab.log.clone();
        let runtime = build(lab).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Connection).await.unwrap();
        let before = Instant::now();
        sleep(Duration::from_secs(1)).await;
        let rows = runtime.list(&root()).rows();
        assert_eq!((rows[0].command.as_str(), rows[0].state.as_str()), ("Killed", "Rolling back"));
        receipt.ended().await;
        assert_eq!(before.elapsed().as_secs(), 3);
        assert!(runtime.list(&root()).rows().is_empty());
        let told = ["alice begin", "alice rolls back: kill connection", "alice rolled back", "alice closed"];
        assert_eq!(log.take(), told);
    });
}

#[test]
fn a_rollback_that_does_not_return_keeps_nobody_for_ever() {
    paused(async {
        let runtime = build(Lab { rollback: None, ..Lab::default() }).rollback_timeout(Duration::from_secs(7)).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let before = Instant::now();
        alice.terminate(Reason::KillConnection);
        alice.ended().await;
        assert_eq!(before.elapsed().as_secs(), 7);
        assert_eq!(runtime.status().sessions, 0);
    });
}

#[test]
fn every_kind_of_end_rolls_back_and_a_committed_session_has_nothing_to() {
    paused(async {
        let (runtime, log) = lab();
        type End = fn(killdeer::SessionHandle);
        let ends: [(&str, End); 4] = [
            ("kill connection", |s| s.terminate(Reason::KillConnection)),
            ("shutdown", |s| s.terminate(Reason::Shutdown)),
            ("client gone", |s| s.terminate(Reason::ClientGone)),
            ("quit", drop),
        ];
        for (reason, end) in ends {
            for (statements, rolls_back) in [(vec!["begin"], true), (vec!["begin", "commit"], false), (vec![], false)] {
                let alice = connect(&runtime, "alice").await;
                for sql in statements {
                    assert_eq!(code(&alice, sql).await, 0);
                }
                log.take();
                end(alice);
                while runtime.status().sessions > 0 {
                    sleep(Duration::from_millis(1)).await;
                }
                let expected = format!("alice rolls back: {reason}");
                assert_eq!(log.take().contains(&expected), rolls_back, "{reason}");
            }
        }
    });
}

#[test]
fn kill_query_leaves_the_transaction_open() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let waiting = Running::begin(&alice, "wait").await;
        alice.cancel(alice.running().unwrap());
        assert_eq!(waiting.code().await, 1317);
        let (_, done) = alice.query("hello").await.unwrap().collect_rows().await.unwrap();
        assert!(done.in_transaction);
        assert!(!log.take().iter().any(|line| line.contains("roll")));
    });
}

#[test]
fn after_a_failed_statement_nobody_knows_so_the_end_rolls_back() {
    paused(async {
        let (runtime, log) = lab();
        for sql in ["fail", "wait"] {
            let alice = connect(&runtime, "alice").await;
            let statement = Running::begin(&alice, sql).await;
            alice.terminate(Reason::KillConnection);
            statement.code().await;
            alice.ended().await;
            assert!(log.take().contains(&"alice rolled back".to_owned()), "{sql}");
        }
    });
}
