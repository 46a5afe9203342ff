//! Several servers: reads at any of them, and what becomes of clients whose server fails.

use super::stage::{ask, code, stage, until};
use crate::model::ServerPlace;

#[test]
fn without_a_split_everything_is_the_primarys() {
    stage(2, false, async |stage| {
        let alice = stage.alice().await;
        for _ in 0..4 {
            assert_eq!(ask(&alice, "SELECT WHO").await.unwrap()[0], "server0");
        }
        assert_eq!(stage.servers[1].connections(), 0);
    });
}

#[test]
fn reads_outside_of_transactions_go_to_all_in_turn() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        let mut by = [0, 0];
        for _ in 0..10 {
            let who = ask(&alice, "SELECT WHO").await.unwrap();
            by[usize::from(who[0] == "server1")] += 1;
        }
        assert_eq!(by, [5, 5]);
        assert_eq!(code(&alice, "INSERT x").await, 0);
        assert_eq!(stage.servers[0].behind.committed(), ["x"]);
        let places: Vec<_> = stage.server_sessions(&alice).iter().map(|session| session.place).collect();
        assert_eq!(places, [ServerPlace::LastUsed, ServerPlace::Pooled(0)]);
        for sql in ["BEGIN", "SELECT GET_LOCK('a', 1)"] {
            assert_eq!(code(&alice, sql).await, 0);
            for _ in 0..4 {
                assert_eq!(ask(&alice, "SELECT WHO").await.unwrap()[0], "server0", "after {sql}");
            }
            assert_eq!(code(&alice, "COMMIT").await, 0);
        }
    });
}

#[test]
fn the_clients_state_comes_along() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        alice.use_database("shop").await.unwrap();
        ask(&alice, "SET @a = 1").await.unwrap();
        for _ in 0..4 {
            ask(&alice, "SELECT WHO").await.unwrap();
        }
        let said = stage.servers[1].behind.said();
        let place = |wanted: &str| said.iter().position(|sql| sql.contains(wanted));
        let who = place("SELECT WHO").expect("it took reads");
        assert!(place("USE shop").is_some_and(|at| at < who), "{said:?}");
        assert_eq!(said.iter().filter(|sql| sql.contains("USE shop")).count(), 1, "once: {said:?}");
        let shown = stage.server_sessions(&alice);
        assert_eq!(shown[0].versions.user_var, shown[1].versions.user_var);
        assert_eq!(stage.shown(&alice).variables()[0].name, "a");
    });
}

#[test]
fn what_turns_out_to_write_is_written_at_the_primary_alone() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        for round in 1..=4 {
            for _ in 0..2 {
                assert_eq!(ask(&alice, "SELECT SNEAKY").await.unwrap(), ["sneaky"]);
            }
            assert_eq!(stage.servers[0].behind.committed().len(), 2 * round);
            assert_eq!(stage.servers[1].behind.committed(), [""; 0], "in round {round}");
            // What takes the replica's session out of it.
            match round {
                1 => assert_eq!(code(&alice, "SET SESSION transaction_read_only = 0").await, 0),
                2 => alice.reset().await.unwrap(),
                _ => stage.servers[1].kill_all().await,
            }
        }
        let said = stage.servers[1].behind.all_said();
        assert!(said.iter().any(|sql| *sql == "SELECT SNEAKY"), "it was tried there: {said:?}");
    });
}

#[test]
fn another_server_serves_the_next_read() {
    stage(2, true, async |stage| {
        let (alice, bob) = (stage.alice().await, stage.alice().await);
        for _ in 0..2 {
            ask(&alice, "SELECT WHO").await.unwrap();
        }
        ask(&bob, "INSERT x").await.unwrap();
        stage.servers[0].crash().await;
        for _ in 0..6 {
            assert_eq!(ask(&alice, "SELECT WHO").await.unwrap()[0], "server1");
        }
        let error = ask(&alice, "INSERT x").await.unwrap_err();
        assert_eq!(error.code(), 1429, "{error}");
        assert!(error.message().contains(&stage.servers[0].address.to_string()), "{error}");
        until(|| stage.server_sessions(&bob).is_empty()).await;
        assert_eq!(ask(&bob, "SELECT WHO").await.unwrap()[0], "server1", "an idle client has lived on");
        bob.use_database("shop").await.unwrap();
    });
}

#[test]
fn a_statement_whose_server_fails_is_told_so() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        ask(&alice, "BEGIN").await.unwrap();
        let running = super::stage::begin(&alice, "SELECT SLEEP");
        stage.servers[0].behind.long.notified().await;
        stage.servers[0].crash().await;
        assert_eq!(running.await.unwrap(), 1158);
        assert_eq!(ask(&alice, "SELECT WHO").await.unwrap()[0], "server1", "and is in no transaction any more");
    });
}
