//! Sessions whose arbiter is stopped: their work is done to its end on the supervisor's.

use std::{sync::Arc, time::Duration};

use killdeer::{
    Done, Engine, EngineSession, OnKill, Principal, Query, Reason, RowSink, Runtime, SessionHandle, SqlError,
    Statement, StatementContext,
};

use crate::lab::{Lab, Log, code, connect};

/// Connects alice on an arbiter of hers, lets her do something there, and stops it when that is `begun`. Returns when
/// her session is over.
async fn stop_arbiter_amid<E: Engine>(
    runtime: &Runtime<E>,
    sql: &[&'static str],
    begun: impl Fn(&SessionHandle) -> bool + Send + 'static,
) {
    let arbiter = actix_rt::Arbiter::new();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let (there, sql) = (runtime.clone(), sql.to_vec());
    arbiter.spawn(async move {
        let alice = connect(&there, "alice").await;
        let (last, first) = sql.split_last().unwrap();
        for sql in first {
            assert_eq!(code(&alice, sql).await, 0);
        }
        match *last {
            "leave" => alice.terminate(Reason::KillConnection),
            sql => {
                let running = alice.addr().send(Query(sql.into()));
                actix_rt::spawn(async move { drop(running.await) });
            }
        }
        while !begun(&alice) {
            tokio::task::yield_now().await;
        }
        let _ = sender.send(());
        // It keeps its session until the arbiter goes down with both.
        std::future::pending::<()>().await;
        drop(alice);
    });
    receiver.await.unwrap();
    arbiter.stop();
    arbiter.join().unwrap();
    while runtime.status().sessions > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(runtime.status().actors, 0);
}

#[test]
fn a_session_whose_arbiter_is_stopped_rolls_back_and_leaves() {
    actix_rt::System::new().block_on(async {
        let lab = Lab::default();
        let log = lab.log.clone();
        let runtime = Runtime::builder(lab).start();
        stop_arbiter_amid(&runtime, &["begin", "wait"], |alice| alice.running().is_some()).await;
        assert!(log.take().contains(&"alice rolled back".to_owned()));
    });
}

#[test]
fn a_rollback_whose_arbiter_is_stopped_is_done_on_another() {
    actix_rt::System::new().block_on(async {
        // Real time: it is still going on when the arbiter is stopped, with it the timer that it waits for.
        let lab = Lab { rollback: Some(Duration::from_secs(2)), ..Lab::default() };
        let (log, noted) = (lab.log.clone(), lab.log.clone());
        let runtime = Runtime::builder(lab).start();
        let rolls_back = "alice rolls back: kill connection".to_owned();
        let expected = rolls_back.clone();
        stop_arbiter_amid(&runtime, &["begin", "leave"], move |_| noted.has(&expected)).await;
        let log: Vec<_> = log.take().into_iter().skip_while(|line| *line != rolls_back).collect();
        let expected = [rolls_back.clone(), rolls_back, "alice rolled back".to_owned(), "alice closed".to_owned()];
        assert_eq!(log, expected, "begun again, done before the session has left, and once");
    });
}

/// An engine whose statements are given time to end.
#[derive(Clone, Default)]
struct Patient(Log);

impl Engine for Patient {
    type Session = Patient;

    async fn open(&self, _: &Arc<Principal>) -> Result<Patient, SqlError> {
        Ok(self.clone())
    }
}

impl EngineSession for Patient {
    const ON_KILL: OnKill = OnKill::Wait(Duration::from_millis(100));

    async fn execute(&mut self, _: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        match &*st.sql {
            b"sleep" => tokio::time::sleep(Duration::from_secs(1000)).await,
            _ => std::future::pending().await,
        }
        Ok(Done::default())
    }

    async fn rollback(&mut self, why: Reason) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.0.note(format!("rolled back: {why}"));
    }
}

#[test]
fn a_statement_that_has_time_to_end_is_rolled_back_whatever_timers_died_with_its_arbiter() {
    actix_rt::System::new().block_on(async {
        for sql in ["sleep", "wait"] {
            let engine = Patient::default();
            let log = engine.0.clone();
            let runtime = Runtime::builder(engine).start();
            stop_arbiter_amid(&runtime, &[sql], |alice| alice.running().is_some()).await;
            // Either the actor or the host's end of the session went down first.
            let log = log.take();
            assert!(log == ["rolled back: shutdown"] || log == ["rolled back: quit"], "{sql}: {log:?}");
        }
    });
}
