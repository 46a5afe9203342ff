//! The end of a runtime, and that its host goes on.

use std::{sync::Arc, time::Duration};

use killdeer::{
    Done, Engine, EngineSession, OnKill, Principal, Privileges, Readiness, Reason, Refused, RowSink, Runtime, SqlError,
    Statement, StatementContext, Summary,
};
use tokio::{task::JoinHandle, time::Instant};

use crate::lab::{Lab, Running, build, code, connect, lab, paused, peer, root, settle};

/// A shutdown that goes on beside the test.
async fn begin_shutdown(runtime: &Runtime<Lab>, grace: Duration) -> JoinHandle<Summary> {
    let runtime = runtime.clone();
    let shutdown = tokio::task::spawn_local(async move { runtime.shutdown(grace).await });
    settle().await;
    shutdown
}

#[test]
fn the_idle_leave_at_once_the_busy_have_their_grace_and_the_stuck_are_ended() {
    paused(async {
        let (runtime, log) = lab();
        let idle = connect(&runtime, "idle").await;
        assert_eq!((code(&idle, "begin").await, code(&idle, "commit").await), (0, 0));
        let busy = connect(&runtime, "busy").await;
        let sleeping = Running::begin(&busy, "sleep 3").await;
        let queued = Running::begin(&busy, "queued").await;
        let stuck = connect(&runtime, "stuck").await;
        let waiting = Running::begin(&stuck, "wait").await;

        let before = Instant::now();
        let summary = runtime.shutdown(Duration::from_secs(10)).await;
        assert_eq!(summary, Summary { drained: 2, forced: 1, ..Summary::default() });
        assert_eq!(before.elapsed().as_secs(), 10);
        assert!(sleeping.end().await.is_ok(), "it ended within the grace");
        assert_eq!(queued.code().await, 1053, "nothing new is begun");
        assert_eq!(waiting.code().await, 1053);
        assert_eq!(idle.ended().await, Reason::Shutdown);
        assert!(!log.take().contains(&"idle rolls back: shutdown".to_owned()), "nothing was open");
        let late = runtime.connect(Principal::new("late", Privileges::NONE), peer()).await.unwrap_err();
        assert_eq!(late, Refused::ShuttingDown);
        assert_eq!((runtime.status().sessions, runtime.status().actors), (0, 0));
    });
}

#[test]
fn a_grace_and_a_rollback_without_end_are_times_like_any_other() {
    paused(async {
        let runtime = build(Lab::default()).rollback_timeout(Duration::MAX).start();
        let busy = connect(&runtime, "busy").await;
        let sleeping = Running::begin(&busy, "sleep 3").await;
        let summary = runtime.shutdown(Duration::MAX).await;
        assert_eq!(summary, Summary { drained: 1, ..Summary::default() });
        assert!(sleeping.end().await.is_ok());
    });
}

#[test]
fn a_transaction_goes_on_to_its_commit() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let bob = connect(&runtime, "bob").await;
        let beginning = Running::begin(&bob, "begin-slowly 2").await;
        let before = Instant::now();
        let shutdown = begin_shutdown(&runtime, Duration::from_secs(10)).await;
        assert!(beginning.end().await.is_ok(), "a statement that ran may be the first of a transaction");
        for session in [&alice, &bob] {
            assert_eq!(code(session, "insert").await, 0);
            assert_eq!(code(session, "fail").await, 1062, "an error of a statement ends no transaction");
            settle().await;
            assert!(!shutdown.is_finished());
            assert_eq!(code(session, "commit").await, 0);
            assert_eq!(session.ended().await, Reason::Shutdown);
            assert_eq!(code(session, "more").await, 1053);
        }
        let expected = Summary { drained: 2, transactions_ended: 2, ..Summary::default() };
        assert_eq!(shutdown.await.unwrap(), expected);
        assert_eq!(before.elapsed().as_secs(), 2, "nobody waits for the grace to be over");
        assert!(!log.take().iter().any(|line| line.contains("more")));
    });
}

#[test]
fn a_transaction_that_does_not_end_is_rolled_back() {
    paused(async {
        let lab = Lab { rollback: Some(Duration::from_secs(3)), ..Lab::default() };
        let log = lab.log.clone();
        let runtime = build(lab).start();
        let idle = connect(&runtime, "idle").await;
        assert_eq!(code(&idle, "begin").await, 0);
        let busy = connect(&runtime, "busy").await;
        assert_eq!(code(&busy, "begin").await, 0);
        let waiting = Running::begin(&busy, "wait").await;
        let before = Instant::now();
        let summary = runtime.shutdown(Duration::from_secs(10)).await;
        let expected = Summary { forced: 2, transactions_rolled_back: 2, ..Summary::default() };
        assert_eq!(summary, expected);
        assert_eq!(before.elapsed().as_secs(), 13, "the grace, and the rollbacks side by side");
        assert_eq!(waiting.code().await, 1053);
        assert_eq!(code(&idle, "commit").await, 1053);
        let log = log.take();
        for name in ["idle", "busy"] {
            assert!(log.contains(&format!("{name} rolled back")), "{log:?}");
        }
        assert!(!log.contains(&"idle commit".to_owned()));
    });
}

/// An engine whose commit cannot be stopped any more.
#[derive(Clone)]
struct Committing;

impl Engine for Committing {
    type Session = Committing;

    async fn open(&self, _: &Arc<Principal>) -> Result<Committing, SqlError> {
        Ok(Committing)
    }
}

impl EngineSession for Committing {
    const ON_KILL: OnKill = OnKill::Finish;

    async fn execute(&mut self, cx: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        if &*st.sql == b"commit" {
            cx.killed().await;
        }
        Ok(Done { in_transaction: &*st.sql == b"begin", ..Done::default() })
    }
}

#[test]
fn a_commit_that_was_past_its_point_of_no_return_counts_as_ended() {
    paused(async {
        let runtime = build(Committing).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let commit = Running::begin(&alice, "commit").await;
        let summary = runtime.shutdown(Duration::from_secs(2)).await;
        assert_eq!(summary, Summary { forced: 1, transactions_ended: 1, ..Summary::default() });
        assert_eq!(commit.code().await, 1053);
    });
}

#[test]
fn what_waits_in_the_queue_is_run_as_far_as_the_transaction_goes() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let sleeping = Running::begin(&alice, "sleep 1").await;
        let commit = Running::begin(&alice, "commit").await;
        let beyond = Running::begin(&alice, "beyond").await;
        let summary = runtime.shutdown(Duration::from_secs(10)).await;
        assert_eq!(summary, Summary { drained: 1, transactions_ended: 1, ..Summary::default() });
        assert!(sleeping.end().await.is_ok() && commit.end().await.is_ok());
        assert_eq!(beyond.code().await, 1053, "nothing new is begun");
        assert!(!log.take().contains(&"alice beyond".to_owned()));
    });
}

#[test]
fn who_is_killed_or_leaves_meanwhile_is_no_longer_waited_for() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        let bob = connect(&runtime, "bob").await;
        for session in [&alice, &bob] {
            assert_eq!(code(session, "begin").await, 0);
        }
        let shutdown = begin_shutdown(&runtime, Duration::MAX).await;
        let target = killdeer::Target::Session(alice.id());
        runtime.kill(&root(), target, killdeer::KillMode::Connection).await.unwrap().ended().await;
        assert_eq!(alice.ended().await, Reason::KillConnection, "its own reason");
        drop(bob);
        assert_eq!(shutdown.await.unwrap(), Summary { drained: 2, ..Summary::default() });
        assert!(log.take().contains(&"bob rolled back".to_owned()));
    });
}

#[test]
fn a_second_shutdown_shortens_the_first_and_shares_its_summary() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let bob = connect(&runtime, "bob").await;
        let waiting = Running::begin(&bob, "wait").await;
        drop(connect(&runtime, "carol").await);
        settle().await;
        let before = Instant::now();
        let first = begin_shutdown(&runtime, Duration::MAX).await;
        let longer = begin_shutdown(&runtime, Duration::MAX).await;
        let second = begin_shutdown(&runtime, Duration::from_secs(5)).await;
        let third = begin_shutdown(&runtime, Duration::from_secs(50)).await;
        let expected = Summary { forced: 2, transactions_rolled_back: 1, ..Summary::default() };
        for shutdown in [first, longer, second, third] {
            assert_eq!(shutdown.await.unwrap(), expected);
        }
        assert_eq!(before.elapsed().as_secs(), 5);
        assert_eq!(waiting.code().await, 1053);
        assert_eq!(runtime.shutdown(Duration::from_secs(1)).await, expected, "afterwards, too");
        assert_eq!(before.elapsed().as_secs(), 5);
    });
}

#[test]
fn a_load_balancer_is_told_before_anybody_is_refused() {
    paused(async {
        let (runtime, _) = lab();
        assert_eq!(runtime.readiness(), Readiness::Ready);
        runtime.announce_shutdown();
        assert_eq!(runtime.readiness(), Readiness::Draining);
        let alice = connect(&runtime, "alice").await;
        assert_eq!((code(&alice, "hello").await, code(&alice, "begin").await), (0, 0), "it goes on as before");
        let shutdown = begin_shutdown(&runtime, Duration::from_secs(5)).await;
        let late = runtime.connect(Principal::new("late", Privileges::NONE), peer()).await.unwrap_err();
        assert_eq!(late, Refused::ShuttingDown);
        runtime.announce_shutdown();
        assert_eq!(runtime.readiness(), Readiness::Draining);
        assert_eq!(code(&alice, "commit").await, 0);
        assert_eq!(shutdown.await.unwrap().transactions_ended, 1);
        assert_eq!(runtime.readiness(), Readiness::Stopped);
        runtime.announce_shutdown();
        assert_eq!(runtime.readiness(), Readiness::Stopped);
    });
}

#[test]
fn it_goes_on_when_nobody_waits_for_it_any_more() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        begin_shutdown(&runtime, Duration::from_secs(5)).await.abort();
        assert_eq!(alice.ended().await, Reason::Shutdown);
    });
}

#[test]
fn an_engine_that_never_ends_is_reported_not_waited_for() {
    paused(async {
        let lab = Lab { rollback: None, ..Lab::default() };
        let runtime = build(lab).rollback_timeout(Duration::from_secs(60)).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let summary = runtime.shutdown(Duration::ZERO).await;
        assert_eq!(summary.left_behind, 0, "the rollback had its time, and no more");
        alice.ended().await;
    });
}

#[test]
fn the_host_goes_on_after_it() {
    actix_rt::System::new().block_on(async {
        for _ in 0..3 {
            let runtime = killdeer::Runtime::builder(Lab::default()).start();
            let alice = connect(&runtime, "alice").await;
            assert_eq!(code(&alice, "hello").await, 0);
            runtime.shutdown(Duration::from_secs(1)).await;
        }
        // The host's own actors still run.
        assert_eq!(actix_rt::spawn(async { 7 }).await.unwrap(), 7);
    });
}
