//! The end of a runtime, and that its host goes on.

use std::time::Duration;

use killdeer::{Principal, Privileges, Reason, Refused, Summary};
use tokio::time::Instant;

use crate::lab::{Lab, Running, build, code, connect, lab, paused, peer};

#[test]
fn the_idle_leave_at_once_the_busy_have_their_grace_and_the_stuck_are_ended() {
    paused(async {
        let (runtime, log) = lab();
        let idle = connect(&runtime, "idle").await;
        assert_eq!(code(&idle, "begin").await, 0);
        let busy = connect(&runtime, "busy").await;
        let sleeping = Running::begin(&busy, "sleep 3").await;
        let queued = Running::begin(&busy, "queued").await;
        let stuck = connect(&runtime, "stuck").await;
        let waiting = Running::begin(&stuck, "wait").await;

        let before = Instant::now();
        let summary = runtime.shutdown(Duration::from_secs(10)).await;
        assert_eq!(summary, Summary { drained: 2, forced: 1, left_behind: 0 });
        assert_eq!(before.elapsed().as_secs(), 10);
        assert!(sleeping.end().await.is_ok(), "it ended within the grace");
        assert_eq!(queued.code().await, 1053, "nothing new is begun");
        assert_eq!(waiting.code().await, 1053);
        assert_eq!(idle.ended().await, Reason::Shutdown);
        assert!(log.take().contains(&"idle rolled back".to_owned()));
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
        assert_eq!(summary, Summary { drained: 1, forced: 0, left_behind: 0 });
        assert!(sleeping.end().await.is_ok());
    });
}

#[test]
fn a_second_shutdown_is_harmless() {
    paused(async {
        let (runtime, _) = lab();
        drop(connect(&runtime, "alice").await);
        runtime.shutdown(Duration::from_secs(1)).await;
        assert_eq!(runtime.shutdown(Duration::from_secs(1)).await, Summary::default());
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
