//! The kill switch on one thread. Not within `switch.rs`, which a test with loom includes whole.

use futures::FutureExt;

use super::{switch::KillSwitch, word::Raised};
use crate::model::Reason;

#[test]
fn a_waiter_leaves_no_trace() {
    let switch = KillSwitch::new();
    let n = switch.begin().unwrap();
    for _ in 0..10 {
        assert!(switch.until(|w| w.stop(n)).now_or_never().is_none());
    }
    assert_eq!(switch.waiting(), 0);
}

#[cfg(feature = "policies")]
#[test]
fn a_session_is_ended_as_seen_or_not_at_all() {
    let why = Reason::KillConnection;
    let switch = KillSwitch::new();
    let idle = switch.word();
    let n = switch.begin().unwrap();
    assert_eq!(switch.terminate_seen(idle, why), Raised::NotRunning, "it is busy by now");
    let busy = switch.word();
    assert_eq!(switch.complete(), Ok(()));
    assert_eq!(switch.terminate_seen(idle, why), Raised::NotRunning, "it is idle again, after another statement");
    assert_eq!(switch.terminate_seen(busy, why), Raised::NotRunning);
    switch.finish(false);
    switch.begin().unwrap();
    assert_eq!(switch.terminate_seen(busy, why), Raised::NotRunning, "it runs the next one");
    assert_eq!(switch.word().leaving(), None);
    assert_eq!(switch.terminate_seen(switch.word(), why), Raised::First);
    assert_eq!((switch.word().leaving(), switch.word().stop(n)), (Some(why), Some(Reason::Abandoned)));
    assert_eq!(switch.complete(), Err(why), "with what it runs");
    assert_eq!(switch.terminate_seen(switch.word(), Reason::Shutdown), Raised::Already(why));
}

#[test]
fn the_first_reason_stands_through_everything_that_follows() {
    let switch = KillSwitch::new();
    let n = switch.begin().unwrap();
    assert_eq!(switch.cancel(n, Reason::ExecutionTime), Raised::First);
    assert_eq!(switch.cancel(n, Reason::KillQuery), Raised::Already(Reason::ExecutionTime));
    assert_eq!(switch.terminate(Reason::Shutdown), Raised::First, "the session is to end now");
    assert_eq!(switch.complete(), Err(Reason::ExecutionTime), "the statement keeps its own first reason");
    assert_eq!(switch.finish(false).0.killed(), Some(Reason::ExecutionTime));
    assert_eq!(switch.begin(), Err(Reason::Shutdown));
}
