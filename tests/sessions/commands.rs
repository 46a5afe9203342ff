//! What a session is asked for besides statements: prepare, change the database, reset.

use crate::lab::{Running, code, connect, lab, paused, root, settle};

#[test]
fn a_change_of_database_is_seen_in_the_list_when_the_engine_agreed() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        alice.use_database("shop").await.unwrap();
        assert_eq!(runtime.list(&root()).rows()[0].database.as_deref(), Some("shop"));
        assert_eq!(alice.use_database("nosuch").await.unwrap_err().code(), 1049);
        assert_eq!(runtime.list(&root()).rows()[0].database.as_deref(), Some("shop"));
    });
}

#[test]
fn a_reset_rolls_back_and_leaves_nothing_to_roll_back_at_the_end() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        alice.reset().await.unwrap();
        drop(alice);
        settle().await;
        assert_eq!(log.take(), ["alice begin", "alice rolls back: quit", "alice rolled back", "alice closed"]);
    });
}

#[test]
fn the_warnings_of_the_engines_statements_are_its_own_to_show() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        for sql in ["SHOW WARNINGS", "SHOW COUNT(*) ERRORS"] {
            assert_eq!(code(&alice, "fail").await, 1062);
            assert_eq!(code(&alice, sql).await, 0);
            assert_eq!(log.take(), ["alice fail".to_owned(), format!("alice {sql}")]);
        }
    });
}

#[test]
fn an_engine_without_prepared_statements_says_so() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(alice.prepare("SELECT ?").await.unwrap_err().code(), 1295);
    });
}

#[test]
fn they_wait_for_their_turn_and_can_be_killed_like_statements() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let sleeping = Running::begin(&alice, "sleep 3").await;
        let mut changing = Box::pin(alice.use_database("shop"));
        settle().await;
        assert!(futures::poll!(&mut changing).is_pending(), "one after the other");
        sleeping.end().await.unwrap();
        changing.await.unwrap();

        let mut stuck = Box::pin(alice.use_database("stuck"));
        assert!(futures::poll!(&mut stuck).is_pending());
        settle().await;
        let row = &runtime.list(&root()).rows()[0];
        assert_eq!((row.command.as_str(), row.info.as_deref()), ("Init DB", None));
        alice.cancel(alice.running().unwrap());
        assert_eq!(stuck.await.unwrap_err().code(), 1317);
    });
}

#[test]
fn one_that_nobody_waits_for_any_more_does_not_hold_up_the_next() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let mut stuck = Box::pin(alice.use_database("stuck"));
        assert!(futures::poll!(&mut stuck).is_pending());
        settle().await;
        drop(stuck);
        assert_eq!(code(&alice, "hello").await, 0);
        assert_eq!(runtime.list(&root()).rows()[0].database, None);
    });
}
