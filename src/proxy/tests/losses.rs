//! Where a client's statements run when a server session is lost that had something of its, and where a server is not as the
//! others are.

use std::sync::atomic::Ordering::Relaxed;

use super::stage::{Stage, ask, code, stage, until};
use crate::{SessionHandle, model::ServerEnd};

/// The servers that take this client's next reads.
async fn readers(alice: &SessionHandle) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(ask(alice, "SELECT WHO").await.unwrap().swap_remove(0));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The primary closes the client's sessions there.
async fn lose(stage: &Stage, alice: &SessionHandle) {
    let at_primary = |stage: &Stage| {
        let all = stage.server_sessions(alice).into_iter();
        let at = |port| port == stage.servers[0].address.port();
        all.filter(|session| at(session.server.port())).collect::<Vec<_>>()
    };
    for session in at_primary(stage) {
        stage.servers[0].kill(session.server_sessid).await;
    }
    until(|| at_primary(stage).is_empty()).await;
}

#[test]
fn without_autocommit_all_is_the_primarys_though_its_session_was_lost() {
    stage(2, true, async |stage| {
        let (alice, bob) = (stage.alice().await, stage.alice().await);
        assert_eq!(readers(&alice).await, ["server0", "server1"]);
        for database in [None, Some("shop")] {
            ask(&alice, "SET autocommit = 0").await.unwrap();
            lose(stage, &alice).await;
            // It is another server's turn each time.
            ask(&bob, "SELECT WHO").await.unwrap();
            if let Some(name) = database {
                alice.use_database(name).await.unwrap();
            }
            assert_eq!(readers(&alice).await, ["server0"]);
            assert_eq!(code(&alice, "INSERT x").await, 0);
            assert!(stage.server_sessions(&alice).iter().any(|session| session.in_transaction), "it has it still");
            assert_eq!(code(&alice, "COMMIT").await, 0);
            assert_eq!(readers(&alice).await, ["server0"]);
        }
        assert_eq!(stage.servers[0].behind.committed(), ["x", "shop.x"]);
        assert_eq!(stage.servers[1].behind.committed(), [""; 0]);
        ask(&alice, "SET autocommit = 1").await.unwrap();
        assert_eq!(readers(&alice).await, ["server0", "server1"]);
    });
}

#[test]
fn a_mode_of_other_quotes_keeps_all_at_the_primary_though_its_session_was_lost() {
    stage(2, true, async |stage| {
        let (alice, bob) = (stage.alice().await, stage.alice().await);
        ask(&alice, "SET sql_mode = 'ANSI_QUOTES'").await.unwrap();
        for _ in 0..2 {
            lose(stage, &alice).await;
            ask(&bob, "SELECT WHO").await.unwrap();
            assert_eq!(readers(&alice).await, ["server0"]);
            assert_eq!(code(&alice, "INSERT x").await, 0);
        }
        assert_eq!(stage.servers[0].behind.committed(), ["x", "x"]);
        assert_eq!(stage.servers[1].behind.committed(), [""; 0]);
    });
}

#[test]
fn what_servers_are_set_to_is_heeded() {
    for autocommit_off in [true, false] {
        stage(2, true, async |stage| {
            for server in &stage.servers {
                server.behind.autocommit_off.store(autocommit_off, Relaxed);
                server.behind.no_backslash_escapes.store(!autocommit_off, Relaxed);
            }
            for _ in 0..4 {
                let alice = stage.alice().await;
                let (_, done) = alice.query("SELECT a").await.unwrap().collect_rows().await.unwrap();
                assert_eq!((done.autocommit, done.no_backslash_escapes), (!autocommit_off, !autocommit_off));
                assert_eq!(readers(&alice).await, ["server0"]);
                alice.reset().await.unwrap();
                assert_eq!(readers(&alice).await, ["server0"]);
            }
            let alice = stage.alice().await;
            if autocommit_off {
                ask(&alice, "SET autocommit = 1").await.unwrap();
                assert_eq!(readers(&alice).await, ["server0", "server1"], "the replica is told so");
                assert_eq!(code(&alice, "INSERT x").await, 0);
                assert_eq!(stage.servers[0].behind.committed(), ["x"]);
            }
        });
    }
}

#[test]
fn a_replica_that_is_set_otherwise_is_told_or_takes_no_reads() {
    stage(2, true, async |stage| {
        stage.servers[1].behind.autocommit_off.store(true, Relaxed);
        for _ in 0..4 {
            let alice = stage.alice().await;
            assert_eq!(code(&alice, "INSERT x").await, 0);
            assert_eq!(readers(&alice).await, ["server0", "server1"]);
            assert!(stage.server_sessions(&alice).iter().all(|session| !session.in_transaction));
        }
        stage.servers[1].behind.no_backslash_escapes.store(true, Relaxed);
        let alice = stage.alice().await;
        assert_eq!(code(&alice, "INSERT x").await, 0);
        assert_eq!(readers(&alice).await, ["server0"], "it would read texts otherwise");
    });
}

/// Clients that escape texts go by the flag, from the first answer on.
#[test]
fn a_client_is_told_that_backslashes_escape_nothing() {
    stage(1, false, async |stage| {
        use mysql_async::{consts::StatusFlags, prelude::Queryable};
        let (opts, end) = stage.serve();
        let mut client = mysql_async::Conn::new(opts).await.unwrap();
        let told = |client: &mysql_async::Conn| {
            let flags = client.last_ok_packet().expect("an OK").status_flags();
            flags.contains(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES)
        };
        client.query_drop("INSERT x").await.unwrap();
        assert!(!told(&client));
        client.query_drop("SET sql_mode = 'NO_BACKSLASH_ESCAPES'").await.unwrap();
        assert!(told(&client));
        client.query_drop("SET NAMES utf8mb4").await.unwrap();
        assert!(told(&client), "the proxy's own answers say it too");
        client.ping().await.unwrap();
        assert!(told(&client));
        client.query_drop("SET sql_mode = ''").await.unwrap();
        assert!(!told(&client));
        client.disconnect().await.unwrap();
        end().await;
    });
}

#[test]
fn a_change_of_database_does_not_hide_that_a_transaction_is_lost() {
    stage(2, true, async |stage| {
        let (alice, bob) = (stage.alice().await, stage.alice().await);
        for client in [&alice, &bob] {
            ask(client, "SELECT WHO").await.unwrap();
        }
        for sql in ["BEGIN", "INSERT x"] {
            assert_eq!(code(&alice, sql).await, 0);
        }
        stage.servers[0].crash().await;
        assert_eq!(code(&bob, "INSERT y").await, 1429, "it is known to be away");
        assert_eq!(alice.use_database("shop").await.unwrap_err().code(), 1158);
        alice.use_database("shop").await.expect("that it is told once");
        assert_eq!(ask(&alice, "SELECT WHO").await.unwrap()[0], "server1");
    });
}

#[test]
fn a_procedure_that_fails_may_have_begun_a_transaction() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        assert_eq!(code(&alice, "CALL FAILS").await, 1644);
        let shown = stage.server_session(&alice);
        assert!(shown.in_transaction);
        assert_eq!(readers(&alice).await, ["server0"]);
        assert_eq!(stage.shown(&alice).end(shown.ss_id), Some(ServerEnd::WithItsClient));
        lose(stage, &alice).await;
        assert_eq!(code(&alice, "COMMIT").await, 1158, "it is missed");
        assert_eq!(stage.servers[0].behind.committed(), [""; 0]);
    });
}

#[test]
fn a_replica_without_the_clients_database_takes_no_reads() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        alice.use_database("before").await.unwrap();
        assert_eq!(readers(&alice).await, ["server0", "server1"]);
        stage.servers[1].behind.lacks(Some(("fresh", 1049)));
        alice.use_database("fresh").await.unwrap();
        assert_eq!(readers(&alice).await, ["server0"]);
        stage.servers[1].behind.lacks(None);
        alice.use_database("fresh").await.unwrap();
        ask(&alice, "SET @x = 1").await.unwrap();
        assert_eq!(readers(&alice).await, ["server0", "server1"]);
    });
}

#[test]
fn a_replica_that_refuses_a_variable_takes_no_reads() {
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        assert_eq!(readers(&alice).await, ["server0", "server1"]);
        stage.servers[1].behind.lacks(Some(("Berlin", 1298)));
        ask(&alice, "SET time_zone = 'Europe/Berlin'").await.unwrap();
        assert_eq!(readers(&alice).await, ["server0"]);
        ask(&alice, "SET time_zone = '+01:00'").await.unwrap();
        assert_eq!(readers(&alice).await, ["server0", "server1"]);
    });
}

#[test]
fn a_server_that_tells_nothing_of_variables_serves_all_the_same() {
    stage(2, true, async |stage| {
        for server in &stage.servers {
            server.behind.lacks(Some(("session_track_system_variables", 1193)));
        }
        let alice = stage.alice().await;
        ask(&alice, "SET @a = 1").await.unwrap();
        assert_eq!(readers(&alice).await, ["server0", "server1"]);
        let said = stage.servers[1].behind.said();
        assert!(said.iter().any(|sql| sql.starts_with("SET ") && sql.ends_with(", @`a` = 1")), "{said:?}");
    });
}

/// The primary's session is lost that has run the statement before.
async fn asks_about_what_is_lost(stage: &Stage) {
    for question in ["SELECT FOUND_ROWS()", "SHOW WARNINGS", "INSERT ROW_COUNT()", "SET @w = @@warning_count"] {
        let alice = stage.alice().await;
        assert_eq!(code(&alice, question).await, 0, "of nothing there is nothing to tell");
        assert_eq!(code(&alice, "INSERT x").await, 0);
        lose(stage, &alice).await;
        assert_eq!(code(&alice, question).await, 1158);
        assert_eq!(code(&alice, question).await, 0, "it is told once");
    }
}

#[test]
fn what_the_last_statement_left_is_not_silently_another_ones() {
    for split in [true, false] {
        stage(2, split, async |stage| asks_about_what_is_lost(stage).await);
    }
    // Nor what writes about a read at another server.
    stage(2, true, async |stage| {
        let alice = stage.alice().await;
        while ask(&alice, "SELECT WHO").await.unwrap()[0] != "server1" {}
        stage.servers[1].kill_all().await;
        until(|| stage.server_sessions(&alice).len() == 1).await;
        assert_eq!(code(&alice, "SET @n = FOUND_ROWS()").await, 1158);
        assert_eq!(code(&alice, "SET @n = FOUND_ROWS()").await, 0, "it is told once");
        // Nor is it asked of another server when it is lost on the way.
        let alice = stage.alice().await;
        assert_eq!(code(&alice, "INSERT x").await, 0);
        let running = super::stage::begin(&alice, "SELECT ROW_COUNT() SLEEP");
        stage.servers[0].behind.long.notified().await;
        lose(stage, &alice).await;
        assert_eq!(running.await.unwrap(), 1158);
    });
}
