//! The kill switch in every interleaving of its threads: the very files of the library, over loom's primitives.

#[path = "../src/state"]
mod state {
    pub mod sync {
        //! Loom's, in the place of `src/state/sync.rs`.
        pub use loom::sync::{
            Mutex,
            atomic::{AtomicU64, Ordering},
        };
    }
    #[allow(dead_code)]
    pub mod switch;
    #[allow(dead_code)]
    pub mod word;
}

mod model {
    pub use killdeer::{Reason, StatementNo};
}

use std::{pin::pin, task::Context};

use killdeer::Reason;
use loom::{future::block_on, sync::Arc, thread};
use state::{switch::KillSwitch, word::Raised};

#[test]
fn a_kill_hits_the_statement_it_saw_or_none() {
    loom::model(|| {
        let switch = Arc::new(KillSwitch::new());
        let first = switch.begin().unwrap();
        let killer = {
            let switch = Arc::clone(&switch);
            thread::spawn(move || switch.cancel(first, Reason::KillQuery))
        };
        // The statement ends, and the next one begins, while the kill is on its way.
        let ended = switch.complete();
        let settled = switch.finish(false).0.killed();
        let second = switch.begin().unwrap();
        let raised = killer.join().unwrap();
        assert_eq!(switch.word().stop(second), None, "the kill of the first statement hit the second");
        match raised {
            Raised::First => assert!(ended == Err(Reason::KillQuery) || settled == Some(Reason::KillQuery)),
            Raised::NotRunning => assert_eq!((ended, settled), (Ok(()), None)),
            Raised::Already(_) => unreachable!("nobody else raised anything"),
        }
    });
}

#[test]
fn a_statement_that_ended_well_was_not_killed() {
    loom::model(|| {
        let switch = Arc::new(KillSwitch::new());
        let statement = switch.begin().unwrap();
        let killer = {
            let switch = Arc::clone(&switch);
            thread::spawn(move || switch.cancel(statement, Reason::KillQuery))
        };
        let ended = switch.complete();
        match killer.join().unwrap() {
            Raised::First => assert_eq!(ended, Err(Reason::KillQuery)),
            Raised::NotRunning => assert_eq!(ended, Ok(())),
            Raised::Already(_) => unreachable!("nobody else raised anything"),
        }
    });
}

#[test]
fn one_of_two_reasons_is_first_and_stays_so() {
    loom::model(|| {
        let switch = Arc::new(KillSwitch::new());
        let statement = switch.begin().unwrap();
        let other = {
            let switch = Arc::clone(&switch);
            thread::spawn(move || switch.terminate(Reason::Shutdown))
        };
        let cancelled = switch.cancel(statement, Reason::ExecutionTime);
        let terminated = other.join().unwrap();
        assert_eq!(terminated, Raised::First, "the session is to end whoever stopped its statement");
        let reason = switch.complete().unwrap_err();
        match cancelled {
            Raised::First => assert_eq!(reason, Reason::ExecutionTime),
            Raised::Already(first) => assert_eq!((reason, first), (Reason::Shutdown, Reason::Shutdown)),
            Raised::NotRunning => unreachable!("it ran"),
        }
        assert_eq!(switch.begin(), Err(Reason::Shutdown));
    });
}

#[test]
fn nothing_begins_after_the_end() {
    loom::model(|| {
        let switch = Arc::new(KillSwitch::new());
        let other = {
            let switch = Arc::clone(&switch);
            thread::spawn(move || switch.terminate(Reason::KillConnection))
        };
        let begun = switch.begin();
        other.join().unwrap();
        match begun {
            // It began before: then the kill stops it.
            Ok(statement) => assert_eq!(switch.word().stop(statement), Some(Reason::KillConnection)),
            Err(reason) => assert_eq!(reason, Reason::KillConnection),
        }
        switch.finish(false);
        assert_eq!(switch.begin(), Err(Reason::KillConnection));
    });
}

#[test]
fn whoever_waits_for_a_kill_is_woken() {
    loom::model(|| {
        let switch = Arc::new(KillSwitch::new());
        let statement = switch.begin().unwrap();
        let waiter = {
            let switch = Arc::clone(&switch);
            thread::spawn(move || block_on(switch.until(|word| word.stop(statement))))
        };
        switch.cancel(statement, Reason::KillQuery);
        assert_eq!(waiter.join().unwrap(), Reason::KillQuery);
    });
}

#[test]
fn whoever_waits_for_a_killed_statement_to_end_is_woken() {
    loom::model(|| {
        let switch = Arc::new(KillSwitch::new());
        let statement = switch.begin().unwrap();
        assert_eq!(switch.cancel(statement, Reason::KillQuery), Raised::First);
        let receipt = {
            let switch = Arc::clone(&switch);
            let over = move || block_on(switch.until(|word| (word.running() != Some(statement)).then_some(())));
            thread::spawn(over)
        };
        switch.finish(false);
        receipt.join().unwrap();
    });
}

#[test]
fn a_waiter_that_gives_up_disturbs_no_other() {
    loom::model(|| {
        let switch = Arc::new(KillSwitch::new());
        let statement = switch.begin().unwrap();
        let waiter = {
            let switch = Arc::clone(&switch);
            thread::spawn(move || block_on(switch.until(|word| word.stop(statement))))
        };
        {
            let given_up = pin!(switch.until(|word| word.stop(statement)));
            let _ = given_up.poll(&mut Context::from_waker(std::task::Waker::noop()));
        }
        switch.cancel(statement, Reason::KillQuery);
        assert_eq!(waiter.join().unwrap(), Reason::KillQuery);
    });
}

#[test]
fn no_session_slips_through_a_shutdown_between_its_transaction_and_its_rest() {
    loom::model(|| {
        let switch = Arc::new(KillSwitch::new());
        switch.begin().unwrap();
        switch.complete().unwrap();
        switch.finish(true);
        let shutdown = {
            let switch = Arc::clone(&switch);
            thread::spawn(move || switch.wind_down())
        };
        switch.begin().unwrap();
        switch.complete().unwrap();
        let (before, after) = switch.finish(false);
        let raised = shutdown.join().unwrap();
        assert_eq!(switch.word().leaving(), Some(Reason::Shutdown), "whoever came first, it leaves");
        // Exactly one of the two has made it leave, and sees to it that it does.
        let itself = before.leaving() != after.leaving();
        assert_eq!(raised == Raised::First, !itself);
    });
}
