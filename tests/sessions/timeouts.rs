//! What ends sessions and statements by itself: the time-outs, on paused time.

use std::time::Duration;

use killdeer::{Principal, Privileges, Reason, SessionHandle, Setting, Settings};
use tokio::time::{Instant, advance, sleep};

use crate::lab::{Lab, Running, build, code, connect, paused, peer, settle};

const SECOND: Duration = Duration::from_secs(1);

fn runtime(settings: Settings) -> (killdeer::Runtime<Lab>, crate::lab::Log) {
    let lab = Lab::default();
    let log = lab.log.clone();
    (build(lab).settings(settings).start(), log)
}

/// How a session ends, and after how many seconds.
async fn end(session: &SessionHandle) -> (Reason, u64) {
    let begin = Instant::now();
    let reason = session.ended().await;
    (reason, begin.elapsed().as_secs())
}

#[test]
fn an_idle_session_ends_after_its_wait_timeout() {
    paused(async {
        let (runtime, _) = runtime(Settings::new().time(Setting::WaitTimeout, 10 * SECOND));
        let alice = connect(&runtime, "alice").await;
        assert_eq!(end(&alice).await, (Reason::WaitTimeout, 10));
        let status = runtime.status();
        assert_eq!((status.sessions, status.timeouts, status.aborted_clients), (0, 1, 1));
        assert!(runtime.timeouts().contains(&(Reason::WaitTimeout, 1)));
    });
}

#[test]
fn each_statement_begins_the_wait_anew_and_one_that_runs_is_not_idle() {
    paused(async {
        let (runtime, _) = runtime(Settings::new().time(Setting::WaitTimeout, 10 * SECOND));
        let alice = connect(&runtime, "alice").await;
        for _ in 0..5 {
            sleep(9 * SECOND).await;
            assert_eq!(code(&alice, "hello").await, 0);
        }
        assert_eq!(code(&alice, "sleep 60").await, 0);
        assert_eq!(end(&alice).await, (Reason::WaitTimeout, 10));
    });
}

#[test]
fn an_open_transaction_may_be_idle_for_less_and_is_rolled_back() {
    paused(async {
        let settings =
            Settings::new().time(Setting::WaitTimeout, 100 * SECOND).time(Setting::IdleTransactionTimeout, 5 * SECOND);
        let (runtime, log) = runtime(settings);
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        for session in [&alice, &bob] {
            assert_eq!(code(session, "begin").await, 0);
        }
        sleep(4 * SECOND).await;
        assert_eq!(code(&bob, "commit").await, 0);
        assert_eq!(end(&alice).await, (Reason::IdleTransaction, 1));
        assert!(log.take().contains(&"alice rolls back: idle in a transaction for too long".to_owned()));
        assert_eq!(end(&bob).await, (Reason::WaitTimeout, 99), "it has committed");
    });
}

#[test]
fn whether_a_failed_statement_left_a_transaction_open_the_engine_says() {
    paused(async {
        let settings =
            Settings::new().time(Setting::WaitTimeout, 100 * SECOND).time(Setting::IdleTransactionTimeout, 5 * SECOND);
        let (runtime, _) = runtime(settings);
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        assert_eq!(code(&alice, "begin").await, 0);
        assert_eq!(code(&alice, "deadlock").await, 1213);
        let running = Running::begin(&bob, "begin-stuck").await;
        bob.cancel(bob.running().unwrap());
        assert_eq!(running.code().await, 1317);
        assert_eq!(end(&bob).await, (Reason::IdleTransaction, 5), "its statement was killed, not its transaction");
        assert_eq!(end(&alice).await, (Reason::WaitTimeout, 95), "the error ended hers");
    });
}

#[test]
fn a_statement_ends_at_its_limit_and_the_next_one_runs() {
    paused(async {
        let (runtime, _) = runtime(Settings::new().time(Setting::MaxStatementTime, 3 * SECOND));
        let alice = connect(&runtime, "alice").await;
        let begin = Instant::now();
        assert_eq!(code(&alice, "wait").await, 1969);
        assert_eq!(begin.elapsed().as_secs(), 3);
        for _ in 0..3 {
            // Each is shorter than the limit; all together are not.
            assert_eq!(code(&alice, "sleep 2").await, 0);
        }
        assert_eq!(code(&alice, "wait").await, 1969);
        assert_eq!(runtime.status().timeouts, 2);
    });
}

#[test]
fn mysqls_limit_is_for_selects_alone() {
    paused(async {
        let (runtime, _) = runtime(Settings::new().time(Setting::MaxExecutionTime, 3 * SECOND));
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "sleep 5").await, 0);
        // The engine knows no SELECT; what it is asked here it says back, and that in no time.
        let begin = Instant::now();
        assert_eq!(code(&alice, "SELECT 1").await, 0);
        assert_eq!(begin.elapsed(), Duration::ZERO);
    });
}

#[test]
fn a_limit_never_hits_the_statement_after_its_own() {
    paused(async {
        let (runtime, _) = runtime(Settings::new().time(Setting::MaxStatementTime, 3 * SECOND));
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "sleep 2").await, 0);
        // Its timer fires in a second, while this one runs.
        let begin = Instant::now();
        assert_eq!(code(&alice, "wait").await, 1969);
        assert_eq!(begin.elapsed().as_secs(), 3);
    });
}

#[test]
fn the_first_reason_stays() {
    paused(async {
        let (runtime, _) = runtime(Settings::new().time(Setting::MaxStatementTime, 3 * SECOND));
        let alice = connect(&runtime, "alice").await;
        let running = Running::begin(&alice, "wait").await;
        alice.cancel(alice.running().unwrap());
        settle().await;
        advance(5 * SECOND).await;
        assert_eq!(running.code().await, 1317);
        assert_eq!(runtime.status().timeouts, 0);
    });
}

#[test]
fn an_account_has_time_outs_of_its_own() {
    paused(async {
        let (runtime, _) = runtime(Settings::new().time(Setting::WaitTimeout, 100 * SECOND));
        let own = Settings::new().time(Setting::WaitTimeout, 2 * SECOND);
        let app = Principal::new("app", Privileges::NONE).with_settings(own.clone());
        let app = runtime.connect(app, peer()).await.unwrap();
        let capped = Principal::new("capped", Privileges::NONE).capped(own);
        let capped = runtime.connect(capped, peer()).await.unwrap();
        assert_eq!(end(&app).await, (Reason::WaitTimeout, 2));
        assert_eq!(end(&capped).await, (Reason::WaitTimeout, 0), "at the same time");
    });
}

#[test]
fn a_session_that_panicked_stops_no_timer() {
    paused(async {
        let (runtime, _) = runtime(Settings::new().time(Setting::WaitTimeout, 10 * SECOND));
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        assert_eq!(code(&alice, "panic-on-drop").await, 0);
        assert_eq!(code(&bob, "hello").await, 0);
        assert_eq!(code(&alice, "panic").await, 1105);
        alice.ended().await;
        assert_eq!(end(&bob).await, (Reason::WaitTimeout, 10));
    });
}
