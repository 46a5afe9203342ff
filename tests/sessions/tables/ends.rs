//! How questions end, and that nobody waits for one: killed, abandoned, unread.

use std::thread::available_parallelism;

use killdeer::{Command, Reason, Results, Runtime, SessionHandle};

use super::{LIST, ask, run, text, until};
use crate::lab::{Lab, Running, code, connect, connect_root, lab, root, rows};

/// A question that takes longer than any test, for who sees more than one session.
fn endless() -> String {
    let list: Vec<_> = (0..40).map(|n| format!("{LIST} t{n}")).collect();
    format!("SELECT COUNT(*) FROM {}", list.join(", "))
}

/// Begins it in the session, and sees it run.
async fn begin_endless(runtime: &Runtime<Lab>, session: &SessionHandle) -> Running {
    let running = Running::begin(session, &endless()).await;
    let id = session.id();
    until(|| runtime.list(&root()).rows().iter().any(|row| row.id == id && row.statement.is_some())).await;
    running
}

/// Sessions of alice's, for an endless question of hers to see.
async fn crowd(runtime: &Runtime<Lab>) -> [SessionHandle; 2] {
    [connect(runtime, "alice").await, connect(runtime, "alice").await]
}

fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

#[test]
fn a_question_that_runs_is_listed_and_killed_like_any_statement() {
    run(async {
        let (runtime, log) = lab();
        let (alice, by) = (connect(&runtime, "alice").await, connect_root(&runtime).await);
        let _crowd = crowd(&runtime).await;
        ask(&alice, "begin").await;
        log.take();
        let running = begin_endless(&runtime, &alice).await;
        let list = rows(&by, "SHOW FULL PROCESSLIST").await.unwrap();
        let own = [4, 6, 7].map(|at| text(&list[0][at]));
        assert_eq!(own, ["Query", "executing", &endless()]);
        assert_eq!(
            ask(&by, &format!("SELECT info = ? FROM {LIST} WHERE id = 1").replace('?', &format!("'{}'", endless())))
                .await,
            "1"
        );
        assert_eq!(code(&by, "KILL QUERY 1").await, 0);
        assert_eq!(running.code().await, 1317);
        assert_eq!(ask(&alice, &format!("SELECT COUNT(*) FROM {LIST}")).await, "3", "the session works on");
        assert_eq!(log.take(), [""; 0], "and the engine knows of nothing");
        assert!(runtime.list(&root()).rows()[0].in_transaction, "its transaction is open");

        let running = begin_endless(&runtime, &alice).await;
        assert_eq!(code(&by, "KILL 1").await, 0);
        assert!(running.end().await.is_err());
        assert_eq!(alice.ended().await, Reason::KillConnection);
        let ended = ["alice rolls back: killed", "alice rolled back", "alice closed"];
        let log = log.take();
        assert_eq!(log.len(), ended.len(), "{log:?}");
        assert_eq!((&*log[1], &*log[2]), (ended[1], ended[2]));
        assert_eq!(ask(&by, &format!("SELECT COUNT(*) FROM {LIST}")).await, "3");
    });
}

#[test]
fn a_question_whose_asker_has_gone_stops() {
    run(async {
        let (runtime, _) = lab();
        let (alice, by) = (connect(&runtime, "alice").await, connect_root(&runtime).await);
        let crowd = crowd(&runtime).await;
        // More than there are threads: were one left behind each time, the last would never begin.
        for _ in 0..2 * threads() + 1 {
            begin_endless(&runtime, &alice).await.abandon();
            until(|| alice.running().is_none()).await;
        }
        let alices = format!("SELECT COUNT(*) FROM {LIST} WHERE user = 'alice' AND command = 'Sleep'");
        assert_eq!(ask(&by, &alices).await, "3");
        // A handle that is dropped is gone, too.
        let running = begin_endless(&runtime, &alice).await;
        drop((alice, running, crowd));
        until(|| runtime.list(&root()).rows().len() == 1).await;
        assert_eq!(ask(&by, &alices).await, "0");
    });
}

#[test]
fn nobody_waits_for_a_question_and_it_waits_for_nobody() {
    run(async {
        let (runtime, _) = lab();
        let (alice, bob, by) =
            (connect(&runtime, "alice").await, connect(&runtime, "bob").await, connect_root(&runtime).await);
        let crowd = crowd(&runtime).await;
        let stuck = Running::begin(&bob, "wait for ever").await;
        assert_eq!(ask(&by, &format!("SELECT info FROM {LIST} WHERE user = 'bob'")).await, "wait for ever");
        // One user's questions have taken what it may have of the threads, and more of them wait for one.
        let mut taken = vec![(begin_endless(&runtime, &alice).await, alice)];
        while taken.len() < threads().max(4) + 2 {
            let alice = connect(&runtime, "alice").await;
            taken.push((begin_endless(&runtime, &alice).await, alice));
        }
        let of_bob = format!("SELECT COUNT(*) FROM {LIST} WHERE user = 'bob'");
        assert_eq!(ask(&by, &of_bob).await, "1", "another user's is answered");
        assert_eq!(ask(&by, "SELECT 1").await, "SELECT 1", "the engine works");
        assert_eq!(
            rows(&by, "SHOW PROCESSLIST").await.unwrap().len(),
            taken.len() + crowd.len() + 2,
            "and so does the list"
        );
        // Preparing a question waits for a thread, too, and can be killed.
        let prepares = connect(&runtime, "alice").await;
        let id = prepares.id();
        let preparing = tokio::task::spawn_local(async move { prepares.prepare(endless()).await });
        until(|| runtime.list(&root()).rows().iter().any(|row| row.id == id && row.active == Command::Prepare)).await;
        assert_eq!(code(&by, &format!("KILL QUERY {id}")).await, 0);
        assert_eq!(preparing.await.unwrap().unwrap_err().code(), 1317);
        // The last one first: it waits for a thread.
        for (running, alice) in taken.into_iter().rev() {
            assert_eq!(code(&by, &format!("KILL QUERY {}", alice.id())).await, 0);
            assert_eq!(running.code().await, 1317);
        }
        assert!(!stuck.is_over());
        assert_eq!(ask(&by, &of_bob).await, "1");
    });
}

#[test]
fn results_that_nobody_reads_hold_no_thread() {
    run(async {
        let (runtime, _) = lab();
        let by = connect_root(&runtime).await;
        let many = format!(
            "WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                            SELECT i, REPEAT('x', 1000) FROM n, {LIST} WHERE user = 'root'"
        );
        let mut unread: Vec<(SessionHandle, Results)> = Vec::new();
        for _ in 0..2 * threads() + 1 {
            let session = connect_root(&runtime).await;
            let results = session.query(format!("{many} AND id = {}", by.id())).await.unwrap();
            unread.push((session, results));
        }
        let sending = format!("SELECT COUNT(*) FROM {LIST} WHERE state = 'Sending data'");
        assert_eq!(ask(&by, &sending).await, unread.len().to_string());
        // One is read after all: it is whole. One is killed, and one is dropped.
        let (_session, results) = unread.pop().unwrap();
        assert_eq!(results.collect_rows().await.unwrap().0.len(), 1000);
        let (session, results) = unread.pop().unwrap();
        assert_eq!(code(&by, &format!("KILL QUERY {}", session.id())).await, 0);
        assert_eq!(results.collect_rows().await.unwrap_err().code(), 1317);
        let (session, results) = unread.pop().unwrap();
        drop(results);
        until(|| session.running().is_none()).await;
        assert_eq!(ask(&session, &sending).await, unread.len().to_string());
    });
}

#[test]
fn memory_that_results_held_is_given_back() {
    run(async {
        let (runtime, _) = lab();
        let by = connect_root(&runtime).await;
        // Sixty million bytes: eight of these are as many as may be held at once.
        let large = format!(
            "WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 60) \
                             SELECT i, REPEAT('x', 1000000) FROM n, {LIST} WHERE id = {}",
            by.id()
        );
        for round in 0..2 {
            let mut held = Vec::new();
            for _ in 0..8 {
                let session = connect_root(&runtime).await;
                let results = session.query(large.clone()).await.unwrap();
                held.push((session, results));
            }
            let error = rows(&by, &large).await.unwrap_err();
            assert_eq!(error.code(), 1041, "round {round}: {error}");
            assert_eq!(ask(&by, &format!("SELECT COUNT(*) FROM {LIST}")).await, "9", "a small one has room");
            let mut sessions = Vec::new();
            for (nth, (session, results)) in held.into_iter().enumerate() {
                // Some are read, and some are not.
                if nth < 2 {
                    assert_eq!(results.collect_rows().await.unwrap().0.len(), 60);
                }
                sessions.push(session);
            }
            until(|| sessions.iter().all(|session| session.running().is_none())).await;
        }
    });
}
