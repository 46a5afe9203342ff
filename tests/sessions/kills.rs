//! What a kill ends, and what it leaves alone (promises 2 to 7).

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use killdeer::{
    Cancel, Column, ColumnType, Done, Engine, EngineSession, KillError, KillMode, KillOutcome, OnKill, Part, Principal,
    Privileges, Query, Reason, Refused, RowSink, SqlError, Statement, StatementContext, Target, Terminate,
};
use tokio::time::{Instant, sleep, timeout};

use crate::lab::{Log, Running, build, code, connect, connect_root, lab, paused, peer, root, rows, settle, user};

#[test]
fn kill_query_ends_the_running_statement_and_the_session_lives() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let waiting = Running::begin(&alice, "wait").await;
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
        assert_eq!(waiting.code().await, 1317);
        assert_eq!(receipt.ended().await, KillOutcome::Ended(Reason::KillQuery));
        assert_eq!(code(&alice, "hello").await, 0);
    });
}

#[test]
fn kill_query_has_no_effect_on_an_idle_session() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        for _ in 0..3 {
            let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
            assert_eq!(receipt.ended().await, KillOutcome::NotRunning);
            assert_eq!(runtime.list(&root()).rows()[0].command.as_str(), "Sleep");
            assert_eq!(code(&alice, "hello").await, 0);
        }
    });
}

#[test]
fn a_cancel_hits_the_statement_it_names_and_no_other() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let first = Running::begin(&alice, "wait").await;
        let number = alice.running().unwrap();
        alice.cancel(number);
        assert_eq!(first.code().await, 1317);

        let second = Running::begin(&alice, "wait").await;
        let cancel = Cancel { statement: number, reason: Reason::KillQuery };
        alice.addr().send(cancel).await.unwrap();
        settle().await;
        assert!(!second.is_over(), "a kill of the first statement hit the second");
        alice.cancel(alice.running().unwrap());
        assert_eq!(second.code().await, 1317);
    });
}

#[test]
fn a_cancel_in_the_same_burst_as_its_query_is_not_lost_and_not_early() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        let query = alice.addr().send(Query("wait".into()));
        // The first statement of a session has the number 1; the cancel is in the mailbox before it has begun.
        alice.addr().do_send(Cancel { statement: killdeer::StatementNo::new(1), reason: Reason::KillQuery });
        settle().await;
        assert_eq!(log.take(), ["alice wait"], "a kill that came before the statement does not touch it");
        alice.cancel(alice.running().unwrap());
        assert_eq!(query.await.unwrap().unwrap_err().code(), 1317);
    });
}

#[test]
fn after_kill_connection_nothing_more_is_executed() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        let running = Running::begin(&alice, "wait").await;
        let mut queued = Vec::new();
        for n in 0..5 {
            queued.push(Running::begin(&alice, &format!("queued {n}")).await);
        }
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Connection).await.unwrap();
        assert_eq!(running.code().await, 1317);
        for statement in queued {
            assert_eq!(statement.code().await, 1317);
        }
        assert_eq!(receipt.ended().await, KillOutcome::Ended(Reason::KillConnection));
        assert_eq!(
            log.take(),
            ["alice wait", "alice rolls back: kill connection", "alice rolled back", "alice closed"]
        );
        assert_eq!(code(&alice, "hello").await, 1317, "a session that is over says why");
        assert_eq!(runtime.status().sessions, 0);
    });
}

#[test]
fn an_idle_session_is_gone_without_its_clients_help() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let before = Instant::now();
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Connection).await.unwrap();
        assert_eq!(receipt.ended().await, KillOutcome::Ended(Reason::KillConnection));
        assert!(runtime.list(&root()).rows().is_empty());
        assert_eq!(before.elapsed(), Duration::ZERO, "no timer had to fire");
        let again = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Connection).await.unwrap_err();
        assert_eq!(again, KillError::UnknownSession(alice.id().to_string()));
    });
}

#[test]
fn who_may_not_is_refused_and_the_victim_is_unharmed() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let waiting = Running::begin(&alice, "wait").await;
        let sight = Arc::new(Principal::new("bob", Privileges::PROCESS));
        for by in [user("bob"), sight] {
            for mode in [KillMode::Query, KillMode::Connection] {
                let error = runtime.kill(&by, Target::Session(alice.id()), mode).await.unwrap_err();
                assert_eq!(error, KillError::NotOwner(alice.id()));
            }
        }
        settle().await;
        assert!(!waiting.is_over());
        assert_eq!(runtime.status().kills_denied, 4);
        let own = runtime.kill(&user("alice"), Target::Session(alice.id()), KillMode::Query).await.unwrap();
        assert_eq!(own.ended().await, KillOutcome::Ended(Reason::KillQuery), "one's own needs no privilege");
        assert_eq!(waiting.code().await, 1317);
    });
}

#[test]
fn the_first_reason_wins() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let waiting = Running::begin(&alice, "wait").await;
        let statement = alice.running().unwrap();
        // All in the mailbox before the session looks.
        for reason in [Reason::ExecutionTime, Reason::KillQuery, Reason::Shutdown] {
            alice.addr().do_send(Cancel { statement, reason });
        }
        alice.addr().do_send(Terminate { reason: Reason::Shutdown });
        assert_eq!(waiting.code().await, 3024);
        assert_eq!(alice.ended().await, Reason::Shutdown);
    });
}

#[test]
fn a_kill_amid_the_rows_ends_them_in_an_error() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let mut results = alice.query("rows 100000000").await.unwrap();
        let mut seen = 0;
        let error = loop {
            match results.next().await.expect("it ends with Done or an error") {
                Ok(Part::Done(_)) => panic!("a killed statement looks complete"),
                Ok(Part::Columns(_)) => {}
                Ok(Part::Rows(batch)) => {
                    seen += batch.len();
                    if seen > 10_000 {
                        alice.cancel(alice.running().unwrap());
                    }
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error.code(), 1317);
        assert!(results.next().await.is_none());
        assert!(seen < 100_000, "rows went on long after the kill: {seen}");
        assert_eq!(code(&alice, "hello").await, 0);
    });
}

#[test]
fn kill_statements_do_what_mysqls_do() {
    paused(async {
        let (runtime, log) = lab();
        let victim = connect(&runtime, "alice").await;
        assert_eq!(victim.id().get(), 1);
        let by = connect_root(&runtime).await;
        for kill in [
            "KILL QUERY 1",
            "kill query '1'",
            "KILL QUERY @one;",
            "KILL /*!50000 QUERY */ 1",
            "KILL SOFT QUERY 0x1 -- please",
            "KILL QUERY @one * (3 - 4 / 2)",
            "KILL QUERY USER alice",
            "KILL QUERY USER 'alice'@'localhost'",
        ] {
            let waiting = Running::begin(&victim, "wait").await;
            assert_eq!(code(&by, kill).await, 0, "{kill}");
            assert_eq!(waiting.code().await, 1317, "{kill}");
        }
        let waiting = Running::begin(&victim, "wait").await;
        let query_id = runtime.list(&root()).rows()[0].query_id.unwrap();
        for (kill, expected) in [
            ("KILL 99", 1094),
            ("KILL QUERY 99", 1094),
            ("KILL 0", 1094),
            ("KILL NULL", 1094),
            ("KILL -1", 1094),
            ("KILL @unset", 1094),
            ("KILL '1abc'", 1094),
            ("KILL 4294967297", 1094),
            ("KILL 18446744073709551617", 1094),
            ("KILL 1abc", 1054),
            ("KILL", 1064),
            ("KILL 1 2", 1064),
            ("KILL QUERY ID 999999", 1957),
        ] {
            assert_eq!(code(&by, kill).await, expected, "{kill}");
        }
        let bob = connect(&runtime, "bob").await;
        assert_eq!(code(&bob, "KILL 1").await, 1095);
        assert_eq!(code(&bob, "KILL QUERY USER alice").await, 1095);
        assert_eq!(code(&bob, &format!("KILL QUERY ID {query_id}")).await, 1979);
        settle().await;
        assert!(!waiting.is_over(), "none of these was for it");
        assert_eq!(code(&by, &format!("KILL QUERY ID {query_id}")).await, 0);
        assert_eq!(waiting.code().await, 1317);

        assert_eq!(code(&by, "KILL 1").await, 0);
        assert_eq!(victim.ended().await, Reason::KillConnection);
        assert!(!log.take().iter().any(|line| line.contains("KILL")), "the engine never sees a KILL");
    });
}

#[test]
fn kill_user_counts_its_victims_and_is_all_or_nothing() {
    paused(async {
        let (runtime, _) = lab();
        let mut alices = Vec::new();
        for _ in 0..3 {
            alices.push(connect(&runtime, "alice").await);
        }
        let by = connect_root(&runtime).await;
        let (_, done) = by.query("KILL USER nobody").await.unwrap().collect_rows().await.unwrap();
        assert_eq!(done.affected, 0, "no such session is no error");
        let (_, done) = by.query("KILL USER alice").await.unwrap().collect_rows().await.unwrap();
        assert_eq!(done.affected, 3);
        for alice in &alices {
            assert_eq!(alice.ended().await, Reason::KillConnection);
        }
        assert_eq!(runtime.status().sessions, 1);
    });
}

#[test]
fn killing_oneself_gives_1317_first() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "KILL QUERY CONNECTION_ID()").await, 1317);
        assert_eq!(code(&alice, "hello").await, 0, "the session lives");
        assert_eq!(code(&alice, "KILL CONNECTION_ID ( )").await, 1317);
        assert_eq!(alice.ended().await, Reason::KillOwnConnection);
    });
}

#[test]
fn a_flood_of_kills_signals_once() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let waiting = Running::begin(&alice, "wait").await;
        let mut receipts = Vec::new();
        for _ in 0..10_000 {
            let target = Target::Session(alice.id());
            receipts.push(runtime.kill(&root(), target, KillMode::Query).await.unwrap());
        }
        assert_eq!(waiting.code().await, 1317);
        for receipt in receipts {
            receipt.ended().await;
        }
        assert_eq!(code(&alice, "hello").await, 0);
    });
}

/// An engine that wants to be asked, and takes its time.
struct Patient(Log);

impl Engine for Patient {
    type Session = Patient;

    async fn open(&self, _: &Arc<Principal>) -> Result<Patient, SqlError> {
        Ok(Patient(self.0.clone()))
    }
}

impl EngineSession for Patient {
    const ON_KILL: OnKill = OnKill::Wait(Duration::from_secs(5));

    async fn execute(&mut self, cx: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        let clean_up: u64 = st.sql_lossy().parse().unwrap();
        let reason = cx.killed().await;
        self.0.note(format!("sees {reason}"));
        sleep(Duration::from_secs(clean_up)).await;
        self.0.note("cleaned up");
        Ok(Done::default())
    }
}

#[test]
fn an_engine_that_asks_for_it_gets_time_to_clean_up_but_not_for_ever() {
    paused(async {
        let log = Log::default();
        let runtime = build(Patient(log.clone())).start();
        let alice = connect(&runtime, "alice").await;
        for (clean_up, seen) in [(3, vec!["sees kill query", "cleaned up"]), (60, vec!["sees kill query"])] {
            let before = Instant::now();
            let waiting = Running::begin(&alice, &clean_up.to_string()).await;
            let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
            settle().await;
            let row = &runtime.list(&root()).rows()[0];
            assert_eq!((row.command.as_str(), row.info.is_some()), ("Killed", true), "listed until it is over");
            assert_eq!(receipt.ended().await, KillOutcome::Ended(Reason::KillQuery));
            assert_eq!(before.elapsed().as_secs(), clean_up.min(5));
            assert_eq!(waiting.code().await, 1317, "it answered OK in the end, but it was killed");
            assert_eq!(log.take(), seen);
        }
    });
}

#[test]
fn a_session_killed_while_the_engine_opens_it_is_refused_and_gone() {
    paused(async {
        let (runtime, _) = lab();
        let opening = runtime.connect(Principal::new("slow", Privileges::NONE), peer());
        let mut opening = Box::pin(opening);
        assert!(timeout(Duration::from_secs(1), &mut opening).await.is_err());
        let row = &runtime.list(&root()).rows()[0];
        assert_eq!(row.command.as_str(), "Connect");
        let receipt = runtime.kill(&root(), Target::Session(row.id), KillMode::Connection).await.unwrap();
        assert_eq!(opening.await.unwrap_err(), Refused::Ended(Reason::KillConnection));
        receipt.ended().await;
        assert_eq!(runtime.status().sessions, 0);
    });
}

/// Says where it runs.
struct Anywhere;

impl Engine for Anywhere {
    type Session = Anywhere;

    async fn open(&self, _: &Arc<Principal>) -> Result<Anywhere, SqlError> {
        Ok(Anywhere)
    }
}

impl EngineSession for Anywhere {
    async fn execute(&mut self, cx: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        match &*st.sql_lossy() {
            "wait" => std::future::pending().await,
            "compute" => {
                // One poll, as long as nobody kills it.
                while !cx.is_killed() {
                    std::hint::spin_loop();
                }
                cx.check()?;
            }
            _ => {}
        }
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        out.columns([Column::new("thread", ColumnType::VarChar)])?;
        out.row(&[name.as_str().into()])?;
        Ok(Done::default())
    }
}

#[actix_rt::test]
async fn statements_on_a_pool_run_there_and_die_there() {
    let pool = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("pool").build().unwrap();
    let placed = killdeer::Placement::Pool(pool.handle().clone());
    let runtime = killdeer::Runtime::builder(Anywhere).placement(placed).start();
    let alice = connect(&runtime, "alice").await;
    let thread = rows(&alice, "where").await.unwrap();
    assert_eq!(thread, [[killdeer::OwnedValue::Text("pool".into())]]);
    for sql in ["wait", "compute"] {
        let sent = alice.addr().send(Query(sql.into()));
        let sent = actix_rt::spawn(sent);
        while alice.running().is_none() {
            tokio::task::yield_now().await;
        }
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
        assert_eq!(sent.await.unwrap().unwrap().unwrap_err().code(), 1317, "{sql}");
        assert_eq!(receipt.ended().await, KillOutcome::Ended(Reason::KillQuery));
    }
    assert_eq!(code(&alice, "where").await, 0, "the session came back from the pool");
    let summary = runtime.shutdown(Duration::ZERO).await;
    assert_eq!(summary.left_behind, 0);
    pool.shutdown_background();
}
