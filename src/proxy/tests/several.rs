//! Several servers: reads at any of them, and what becomes of clients whose server fails.

use super::stage::{Stage, ask, code, stage, until};
use crate::{OwnedValue, Params, SessionHandle, Statement, model::ServerPlace};

/// The client's last statement is a read at the second server.
async fn reads_at_the_replica(alice: &SessionHandle) {
    while ask(alice, "SELECT WHO").await.unwrap()[0] != "server1" {}
}

/// Which of the servers have heard this.
fn heard(stage: &Stage, sql: &str) -> Vec<bool> {
    stage.servers.iter().map(|server| server.behind.said().iter().any(|said| said.contains(sql))).collect()
}

/// A prepared statement with a parameter.
fn executed(sql: &'static str) -> Statement {
    Statement { sql: sql.into(), params: Some(Params(vec![OwnedValue::Int(1)])), ..Statement::default() }
}

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

#[test]
fn what_writes_does_not_ask_another_server_about_the_read_before_it() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        let questions = [
            "SET @n = FOUND_ROWS()",
            "INSERT @@warning_count",
            "SELECT ROW_COUNT() INTO @n",
            "GET DIAGNOSTICS @n = NUMBER",
        ];
        let replica = stage.servers[1].address.to_string();
        for sql in questions {
            reads_at_the_replica(&alice).await;
            for statement in [sql.into(), executed(sql)] {
                let error = ask(&alice, statement).await.unwrap_err();
                assert_eq!((error.code(), error.message().contains(&replica)), (1235, true), "{sql}: {error}");
            }
            assert_eq!(heard(stage, sql), [false, false]);
        }
        assert_eq!(code(&alice, "SET NAMES utf8mb4, @n = FOUND_ROWS()").await, 1235);
        // It can be asked for where it is.
        for statement in ["SELECT FOUND_ROWS() here".into(), executed("SELECT FOUND_ROWS() executed here")] {
            assert!(ask(&alice, statement).await.is_ok());
        }
        assert_eq!(heard(stage, "SELECT FOUND_ROWS()"), [false, true]);
        for sql in questions {
            for statement in [sql.into(), executed(sql)] {
                assert_eq!(code(&alice, "INSERT x").await, 0);
                ask(&alice, statement).await.unwrap();
            }
            assert_eq!(heard(stage, sql), [true, false], "of its own server's it is told");
            alice.reset().await.unwrap();
        }
    });
}

#[test]
fn rows_that_are_counted_are_counted_at_the_primary() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        reads_at_the_replica(&alice).await;
        for _ in 0..4 {
            assert_eq!(code(&alice, "SELECT SQL_CALC_FOUND_ROWS a").await, 0);
            assert_eq!(code(&alice, "INSERT FOUND_ROWS()").await, 0);
        }
        assert_eq!(heard(stage, "FOUND_ROWS"), [true, false]);
    });
}

#[test]
fn only_what_runs_is_the_last_statement() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        ask(&alice, "SET @id = 4242").await.unwrap();
        for question in ["SELECT FOUND_ROWS() prepared", "SELECT FOUND_ROWS() used", "SELECT FOUND_ROWS() fetched"] {
            reads_at_the_replica(&alice).await;
            match question {
                "SELECT FOUND_ROWS() prepared" => drop(alice.prepare(question).await.unwrap()),
                "SELECT FOUND_ROWS() used" => alice.use_database("shop").await.unwrap(),
                // The proxy asks the primary for the variable, and finds that there is no such session.
                _ => assert_eq!(code(&alice, "KILL @id").await, 1094),
            }
            assert_eq!(code(&alice, "SET @n = FOUND_ROWS()").await, 1235, "{question}");
            ask(&alice, question).await.unwrap();
            let ran = |said: &String| said == question;
            assert!(stage.servers[1].behind.said().iter().any(ran), "{question}");
            assert!(!stage.servers[0].behind.said().iter().any(ran), "{question}");
        }
    });
}

#[test]
fn reads_within_a_database_that_shows_one_server_are_the_primarys() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        for database in ["information_schema", "PERFORMANCE_SCHEMA", "sys", "mysql"] {
            alice.use_database(database).await.unwrap();
            for _ in 0..4 {
                assert_eq!(ask(&alice, "SELECT WHO").await.unwrap()[0], "server0", "in {database}");
            }
            alice.use_database("shop").await.unwrap();
            reads_at_the_replica(&alice).await;
        }
    });
}

#[test]
fn what_a_statement_with_settings_of_its_own_leaves_ties_the_client() {
    stage(2, true, async |stage| {
        for left in ["CREATE TEMPORARY TABLE t (a INT)", "CALL p()", "SET @x = NOW()"] {
            let alice = stage.alice().await;
            reads_at_the_replica(&alice).await;
            ask(&alice, format!("SET STATEMENT sort_buffer_size = 1000000 FOR {left}")).await.unwrap();
            for _ in 0..4 {
                assert_eq!(ask(&alice, "SELECT WHO").await.unwrap()[0], "server0", "after {left}");
            }
        }
    });
}
