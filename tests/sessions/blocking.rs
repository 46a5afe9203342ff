//! Engines of plain blocking code, behind the adapter.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use futures::StreamExt;
use killdeer::{
    Blocking, BlockingEngine, BlockingSession, Column, ColumnType, Done, KillMode, Part, Principal, Query, Reason,
    RowSink, Runtime, SqlError, Statement, StatementContext, Target, Value,
};

use crate::lab::{Log, code, connect, peer, root};

/// A statement that ignores its kill goes on until the test lets it.
struct Stone {
    log: Log,
    gate: Arc<Mutex<Receiver<()>>>,
}

struct StoneSession {
    log: Log,
    gate: Arc<Mutex<Receiver<()>>>,
    in_transaction: bool,
}

impl BlockingEngine for Stone {
    type Session = StoneSession;

    fn open(&self, _: &Arc<Principal>) -> Result<StoneSession, SqlError> {
        Ok(StoneSession { log: self.log.clone(), gate: Arc::clone(&self.gate), in_transaction: false })
    }
}

impl BlockingSession for StoneSession {
    fn execute(&mut self, cx: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        match &*st.sql_lossy() {
            "begin" => self.in_transaction = true,
            "deaf" => {
                self.log.note("deaf");
                self.gate.lock().unwrap().recv().unwrap();
            }
            "look" => {
                while !cx.is_killed() {
                    std::thread::yield_now();
                }
                cx.check()?;
            }
            "rows" => {
                out.columns([Column::new("n", ColumnType::BigInt)])?;
                for n in 0..i64::MAX {
                    if out.row(&[Value::Int(n)])? {
                        out.blocking_ready()?;
                    }
                }
            }
            "panic" => panic!("asked to"),
            _ => {}
        }
        Ok(Done { in_transaction: self.in_transaction, ..Done::default() })
    }

    fn rollback(&mut self, why: Reason) {
        self.log.note(format!("rolls back: {why}"));
    }
}

fn stone() -> (Runtime<Blocking<Stone>>, Log, Sender<()>) {
    let (sender, gate) = channel();
    let log = Log::default();
    let engine = Stone { log: log.clone(), gate: Arc::new(Mutex::new(gate)) };
    (Runtime::builder(Blocking::new(engine)).start(), log, sender)
}

async fn begun(session: &killdeer::SessionHandle) {
    while session.running().is_none() {
        tokio::task::yield_now().await;
    }
}

#[actix_rt::test]
async fn code_that_polls_the_flag_ends_at_a_kill_and_the_session_lives() {
    let (runtime, _, _gate) = stone();
    let alice = connect(&runtime, "alice").await;
    let looking = actix_rt::spawn(alice.addr().send(Query("look".into())));
    begun(&alice).await;
    let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
    assert_eq!(looking.await.unwrap().unwrap().unwrap_err().code(), 1317);
    receipt.ended().await;
    assert_eq!(code(&alice, "hello").await, 0);
}

#[actix_rt::test]
async fn a_statement_that_ignores_its_kill_stays_listed_and_its_receipt_waits() {
    let (runtime, log, gate) = stone();
    let alice = connect(&runtime, "alice").await;
    let deaf = actix_rt::spawn(alice.addr().send(Query("deaf".into())));
    // A statement that is killed while it waits for a thread is not begun: this one is to be in the middle of it.
    while log.take().is_empty() {
        tokio::task::yield_now().await;
    }
    let target = Target::Session(alice.id());
    let receipt = runtime.kill(&root(), target, KillMode::Connection).await.unwrap();
    let mut ended = Box::pin(receipt.ended());
    // Lists and kills are answered all the while.
    for _ in 0..10 {
        let listing = runtime.list(&root()).rows();
        assert_eq!(listing[0].command.as_str(), "Killed");
        assert!(futures::poll!(&mut ended).is_pending());
        let again = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await;
        assert!(again.is_ok());
    }
    gate.send(()).unwrap();
    ended.await;
    assert_eq!(deaf.await.unwrap().unwrap().unwrap_err().code(), 1317, "it ended well, but it was killed");
    assert!(runtime.list(&root()).rows().is_empty());
}

#[actix_rt::test]
async fn rows_of_blocking_code_wait_for_their_reader_and_die_waiting() {
    let (runtime, _, _gate) = stone();
    let alice = connect(&runtime, "alice").await;
    let mut results = alice.query("rows").await.unwrap();
    assert!(matches!(results.next().await, Some(Ok(Part::Columns(_)))));
    // It is held up by now, or will be: either way the kill ends it.
    runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap().ended().await;
    let last = loop {
        match results.next().await {
            Some(Ok(Part::Rows(_))) => {}
            other => break other,
        }
    };
    assert!(matches!(last, Some(Err(error)) if error.code() == 1317));
    assert_eq!(code(&alice, "hello").await, 0);
}

#[actix_rt::test]
async fn transactions_and_panics_are_as_with_any_engine() {
    let (runtime, log, _gate) = stone();
    let alice = connect(&runtime, "alice").await;
    assert_eq!(code(&alice, "begin").await, 0);
    assert_eq!(code(&alice, "panic").await, 1105);
    assert_eq!(alice.ended().await, Reason::Panic);
    assert_eq!(log.take(), ["rolls back: panic in the engine"], "the session's state came back to roll back");
    let bob = runtime.connect(Principal::new("bob", killdeer::Privileges::NONE), peer()).await.unwrap();
    assert_eq!(code(&bob, "begin").await, 0);
    drop(bob);
    assert_eq!(runtime.shutdown(Duration::from_secs(5)).await.left_behind, 0);
    assert_eq!(log.take(), ["rolls back: quit"]);
}
