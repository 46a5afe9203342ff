//! Kills of statements that run at servers.

use std::time::Duration;

use futures::StreamExt;
use mysql_async::prelude::Queryable;
use tokio::{task::JoinHandle, time::Instant};

use super::{
    behind::Behind,
    stage::{Stage, ask, begin, code, stage, until},
};
use crate::{KillMode, Reason, SessionHandle, Target};

impl Stage {
    async fn kill(&self, target: &SessionHandle, mode: KillMode) {
        let root = super::stage::Served::root();
        let receipt = self.proxy.kill(&root, Target::Session(target.id()), mode).await.unwrap();
        receipt.ended().await;
    }

    fn behind(&self) -> &Behind {
        &self.servers[0].behind
    }

    /// A client with a row in a transaction, and its statement that does not end by itself.
    async fn sleeping_in_a_transaction(&self) -> (SessionHandle, JoinHandle<u16>) {
        let alice = self.alice().await;
        ask(&alice, "BEGIN").await.unwrap();
        ask(&alice, "INSERT x").await.unwrap();
        let running = begin(&alice, "SELECT SLEEP");
        self.behind().long.notified().await;
        (alice, running)
    }
}

#[test]
fn a_killed_statement_ends_at_its_server_and_the_session_goes_on() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        for sql in ["SELECT a", "BEGIN"] {
            ask(&alice, sql).await.unwrap();
            let before = stage.server_session(&alice);
            let running = begin(&alice, "SELECT SLEEP");
            stage.behind().long.notified().await;
            assert_eq!(stage.servers[0].running(), ["SELECT SLEEP"]);
            stage.kill(&alice, KillMode::Query).await;
            assert_eq!(running.await.unwrap(), 1317);
            // What it has answered, a server may list for a moment still.
            until(|| stage.servers[0].running().is_empty()).await;
            assert_eq!(ask(&alice, "SELECT b").await.unwrap(), ["b"]);
            let after = stage.server_session(&alice);
            assert_eq!((after.ss_id, after.in_transaction), (before.ss_id, before.in_transaction));
            assert_eq!(
                stage.behind().said().iter().filter(|sql| *sql == "DO 0").count(),
                if sql == "BEGIN" { 2 } else { 1 }
            );
        }
        until(|| stage.servers[0].connections() == 1).await;
    });
}

#[test]
fn the_end_of_a_client_ends_what_it_runs() {
    stage(1, false, async |stage| {
        let (alice, running) = stage.sleeping_in_a_transaction().await;
        stage.kill(&alice, KillMode::Connection).await;
        assert_ne!(running.await.unwrap(), 0);
        until(|| stage.servers[0].connections() == 0).await;
        assert_eq!(stage.behind().committed(), [""; 0]);
    });
}

#[test]
fn a_client_that_vanishes_leaves_nothing_behind() {
    stage(1, false, async |stage| {
        let (opts, end) = stage.serve();
        let mut client = mysql_async::Conn::new(opts).await.unwrap();
        client.query_drop("BEGIN").await.unwrap();
        client.query_drop("INSERT x").await.unwrap();
        let running = actix_rt::spawn(async move { client.query_drop("SELECT SLEEP").await });
        stage.behind().long.notified().await;
        running.abort();
        until(|| stage.servers[0].connections() == 0).await;
        assert_eq!(stage.behind().committed(), [""; 0]);
        end().await;
    });
}

#[test]
fn rows_that_nobody_wants_any_more_are_not_the_next_statements() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        for round in 0..20 {
            let mut results = alice.query("SELECT MANY 100000").await.unwrap();
            for _ in 0..round {
                results.next().await.unwrap().unwrap();
            }
            drop(results);
            assert_eq!(ask(&alice, "SELECT a b").await.unwrap(), ["a", "b"]);
        }
        assert_eq!(stage.server_session(&alice).statements, 40, "all on one server session");
    });
}

#[test]
fn a_server_that_does_not_end_a_killed_statement_is_left() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        ask(&alice, "SELECT a").await.unwrap();
        let before = stage.server_session(&alice);
        let running = begin(&alice, "SELECT DEAF");
        stage.behind().long.notified().await;
        let killed = Instant::now();
        alice.cancel(alice.running().unwrap());
        assert_eq!(running.await.unwrap(), 1317);
        let took = killed.elapsed();
        assert!(took >= super::super::kill::PATIENCE && took < Duration::from_secs(20), "{took:?}");
        assert_eq!(code(&alice, "SELECT a").await, 0);
        assert_ne!(stage.server_session(&alice).ss_id, before.ss_id);
        stage.behind().release.notify_one();
        until(|| stage.servers[0].connections() == 1).await;
    });
}

#[test]
fn a_kill_never_hits_a_later_statement() {
    stage(1, false, async |stage| {
        let alice = stage.alice().await;
        ask(&alice, "SELECT a").await.unwrap();
        let mut hits = 0;
        for _ in 0..300 {
            let running = begin(&alice, "SELECT MANY 300");
            tokio::task::yield_now().await;
            if let Some(number) = alice.running() {
                alice.cancel(number);
            }
            let ended = running.await.unwrap();
            assert!([0, 1317].contains(&ended), "{ended}");
            hits += u32::from(ended == 1317);
            assert_eq!(ask(&alice, "SELECT b").await.unwrap(), ["b"]);
        }
        assert!(hits > 0, "no kill has hit anything");
        alice.terminate(Reason::Quit);
        until(|| stage.servers[0].connections() == 0).await;
    });
}

#[test]
fn a_transaction_that_went_down_with_a_killed_statement_is_told_of_afterwards() {
    stage(1, false, async |stage| {
        let (alice, running) = stage.sleeping_in_a_transaction().await;
        // The server goes away while the client's kill is on its way.
        alice.cancel(alice.running().unwrap());
        let sessid = stage.server_session(&alice).server_sessid;
        stage.servers[0].kill(sessid).await;
        assert_eq!(running.await.unwrap(), 1317);
        if code(&alice, "INSERT y").await == 0 {
            // The statement had ended before: then its session was lost between two statements, or not yet.
            assert_ne!(code(&alice, "COMMIT").await, 0);
        }
        assert_eq!(stage.behind().committed(), [""; 0], "no half of a transaction");
    });
}
