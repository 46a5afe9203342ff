//! Ends of single server sessions.

use std::sync::Arc;

use super::stage::{ask, begin, code, connected, played, stage, until};
use crate::{
    model::{ServerAddress, ServerEnd},
    proxy::{
        backend::tests::player::{ALL, Played},
        server::Server,
    },
};

#[test]
fn one_that_waits_ends_alone() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        ask(&alice, "SELECT a").await.unwrap();
        let before = stage.server_session(&alice);
        assert_eq!(stage.shown(&alice).end(before.ss_id + 1_000_000), None);
        assert_eq!(stage.shown(&alice).end(before.ss_id), Some(ServerEnd::Alone));
        assert_eq!(stage.shown(&alice).end(before.ss_id), None, "it is over at once");
        assert_eq!((stage.shown(&alice).count(), stage.server_sessions(&alice).len()), (0, 0));
        until(|| stage.servers[0].connections() == 0).await;
        assert_eq!(code(&alice, "SELECT a").await, 0);
        assert!(stage.server_session(&alice).ss_id > before.ss_id);
    });
}

#[test]
fn what_was_carried_out_just_before_is_told_and_what_is_lost_with_it_next() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let making = begin(&alice, "CREATE TEMPORARY TABLE t (a INT)");
        let mut main = Played::accept(&listener).await;
        main.welcome(ALL).await;
        main.until("CREATE TEMPORARY TABLE t (a INT)").await;
        main.ok(1).await;
        assert_eq!(making.await.unwrap(), 0);
        let inserting = begin(&alice, "INSERT x");
        main.until("INSERT x").await;
        // It is ended when the answer has come, and nobody has looked at it yet.
        let (begin_end, end) = tokio::net::UnixStream::pair().unwrap();
        let (servers, ss_id) = (stage.shown(&alice), stage.server_session(&alice).ss_id);
        let ending = tokio::task::spawn_local(async move {
            end.readable().await.unwrap();
            servers.end(ss_id)
        });
        tokio::task::yield_now().await;
        begin_end.try_write(b"x").unwrap();
        main.ok(1).await;
        assert_eq!(ending.await.unwrap(), Some(ServerEnd::Alone));
        assert_eq!(inserting.await.unwrap(), 0);
        assert_eq!(code(&alice, "INSERT y").await, 1158, "the temporary table is gone");
    });
}

#[test]
fn one_with_a_transaction_is_left_to_its_clients_end() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        ask(&alice, "BEGIN").await.unwrap();
        let before = stage.server_session(&alice);
        assert_eq!(stage.shown(&alice).end(before.ss_id), Some(ServerEnd::WithItsClient));
        assert_eq!(code(&alice, "INSERT x").await, 0);
        assert_eq!(code(&alice, "COMMIT").await, 0);
        assert_eq!(stage.servers[0].behind.committed(), ["x"], "nothing was ended");
        assert_eq!(stage.shown(&alice).end(before.ss_id), Some(ServerEnd::Alone));
    });
}

#[test]
fn what_runs_on_it_fails_and_ends_at_the_server() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        ask(&alice, "SELECT a").await.unwrap();
        let running = begin(&alice, "SELECT SLEEP");
        stage.servers[0].behind.long.notified().await;
        let shown = stage.server_session(&alice);
        assert_eq!(stage.shown(&alice).end(shown.ss_id), Some(ServerEnd::Alone));
        assert_eq!(running.await.unwrap(), 1317);
        until(|| stage.servers[0].connections() == 0).await;
        assert_eq!(ask(&alice, "SELECT b").await.unwrap(), ["b"], "the client goes on");
    });
}

#[test]
fn a_client_misses_what_it_kept_there() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        ask(&alice, "CREATE TEMPORARY TABLE t (i INT)").await.unwrap();
        let shown = stage.server_session(&alice);
        assert_eq!(stage.shown(&alice).end(shown.ss_id), Some(ServerEnd::Alone));
        assert_eq!(code(&alice, "INSERT x").await, 1158);
        assert_eq!(code(&alice, "INSERT y").await, 0);
        assert_eq!(stage.servers[0].behind.committed(), ["y"]);
    });
}

#[test]
fn one_that_was_ended_and_whose_client_leaves_then_says_goodbye_all_the_same() {
    played(async |_, listener| {
        let (backend, mut main) = connected(&listener).await;
        let held = Server::start(0, Arc::new(ServerAddress::Tcp("played".to_owned(), 1)), backend);
        let server = Arc::downgrade(&held.server);
        assert_eq!(held.end(), Some(ServerEnd::Alone));
        drop(held);
        assert_eq!(main.receive().await, [crate::proxy::backend::command::QUIT]);
        assert_eq!(main.next().await, None, "and closes the connection");
        until(|| server.strong_count() == 0).await;
    });
}
