//! One session's panic takes down nothing else (promise 11).

use std::sync::Once;

use killdeer::{Principal, Privileges, Reason, Refused};

use crate::lab::{Running, code, connect, lab, paused, peer, settle};

/// The panics here are wanted; their backtraces would only hide one that is not.
fn quiet() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().downcast_ref::<&str>().is_some_and(|text| text.starts_with("asked to")) {
                loud(info);
            }
        }));
    });
}

#[test]
fn a_panic_ends_its_statement_with_1105_and_its_session_after_a_rollback() {
    quiet();
    paused(async {
        let (runtime, log) = lab();
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        let waiting = Running::begin(&bob, "wait").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let panicking = Running::begin(&alice, "panic").await;
        let queued = alice.addr().send(killdeer::Query("hello".into()));
        assert_eq!(panicking.code().await, 1105);
        assert_eq!(alice.ended().await, Reason::Panic);
        // What came too late is refused, by the session or by its mailbox.
        assert!(queued.await.map_or(true, |result| result.is_err()));
        let told = log.take();
        assert!(told.contains(&"alice rolled back".to_owned()), "{told:?}");
        assert!(!told.contains(&"alice hello".to_owned()), "nothing runs in an engine session of unknown state");

        settle().await;
        assert!(!waiting.is_over(), "the others go on");
        bob.cancel(bob.running().unwrap());
        assert_eq!(waiting.code().await, 1317);
        assert_eq!(code(&bob, "hello").await, 0);
        let status = runtime.status();
        assert_eq!((status.sessions, status.actors, status.panics), (1, 1, 1));
    });
}

#[test]
fn a_panic_in_the_variable_of_a_kill_ends_its_session_with_1105() {
    quiet();
    paused(async {
        let (runtime, log) = lab();
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        assert_eq!(code(&alice, "KILL @panics").await, 1105);
        settle().await;
        assert_eq!(runtime.status().sessions, 1, "it goes at once");
        assert_eq!(alice.ended().await, Reason::Panic);
        assert!(log.take().contains(&"alice rolled back".to_owned()));
        assert_eq!(code(&bob, "hello").await, 0);
        settle().await;
        let status = runtime.status();
        assert_eq!((status.sessions, status.actors, status.panics), (1, 1, 1));
    });
}

#[test]
fn a_panic_while_opening_refuses_the_session() {
    quiet();
    paused(async {
        let (runtime, _) = lab();
        let refused = runtime.connect(Principal::new("panics", Privileges::NONE), peer()).await.unwrap_err();
        assert!(matches!(refused, Refused::Engine(error) if error.code() == 1105));
        settle().await;
        assert_eq!((runtime.status().sessions, runtime.status().actors), (0, 0));
        assert_eq!(code(&connect(&runtime, "alice").await, "hello").await, 0);
    });
}

#[test]
fn a_panic_in_the_drop_of_a_session_does_no_harm() {
    quiet();
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "panic-on-drop").await, 0);
        alice.terminate(Reason::KillConnection);
        alice.ended().await;
        settle().await;
        assert_eq!((runtime.status().sessions, runtime.status().actors), (0, 0));
    });
}
