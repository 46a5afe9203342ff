//! Results on their way to a caller in process: back-pressure, and what becomes of them when nobody wants them.

use futures::StreamExt;
use killdeer::{KillMode, OwnedValue, Part, Query, Reason, Target, Value};

use crate::lab::{Running, code, connect, lab, paused, root, rows, settle};

#[test]
fn a_slow_reader_holds_the_engine_back() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        let mut results = alice.query("rows 100000000").await.unwrap();
        settle().await;
        let behind = |log: Vec<String>| log.iter().filter(|line| line.starts_with("behind")).count();
        assert_eq!(behind(log.take()), 1, "the engine waits for its reader");
        let mut read = 0;
        while read < 100_000 {
            if let Part::Rows(batch) = results.next().await.unwrap().unwrap() {
                read += batch.len();
            }
        }
        settle().await;
        let row = log.take().last().unwrap().strip_prefix("behind at ").unwrap().parse::<usize>().unwrap();
        assert!(row < read + 20_000, "the engine is at row {row}, its reader at {read}");
    });
}

#[test]
fn a_small_result_is_there_at_once_and_whole() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let parts: Vec<_> = alice.query("rows 3").await.unwrap().map(Result::unwrap).collect().await;
        let [Part::Columns(columns), Part::Rows(rows), Part::Done(_)] = parts.as_slice() else {
            panic!("{parts:?}");
        };
        assert_eq!((columns.len(), rows.len()), (1, 3));
    });
}

#[test]
fn a_large_result_arrives_complete_and_in_order() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let (rows, _) = alice.query("rows 50000").await.unwrap().collect_rows().await.unwrap();
        let expected: Vec<_> = (0..50_000).map(|n| vec![killdeer::OwnedValue::Int(n)]).collect();
        assert!(rows == expected);
    });
}

#[test]
fn dropped_results_cancel_their_statement() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let results = alice.query("rows 100000000").await.unwrap();
        settle().await;
        assert!(alice.running().is_some());
        drop(results);
        settle().await;
        assert!(alice.running().is_none());
        assert_eq!(code(&alice, "hello").await, 0);
    });
}

#[test]
fn a_dropped_question_cancels_its_statement_and_a_do_send_does_not() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        Running::begin(&alice, "wait").await.abandon();
        settle().await;
        assert!(alice.running().is_none());

        alice.addr().do_send(Query("sleep 5".into()));
        settle().await;
        assert!(alice.running().is_some(), "whoever sends without asking for an answer wants it done");
        assert_eq!(code(&alice, "hello").await, 0);
        alice.terminate(Reason::Quit);
        assert_eq!(log.take(), ["alice wait", "alice sleep 5", "alice hello"]);
    });
}

#[test]
fn rows_that_nobody_waits_for_are_not_the_next_statements() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let hello = [[OwnedValue::Text("hello".into())]];
        alice.addr().do_send(Query("rows 3".into()));
        assert_eq!(rows(&alice, "hello").await.unwrap(), hello, "after a do_send");
        Running::begin(&alice, "row-and-wait").await.abandon();
        settle().await;
        assert_eq!(rows(&alice, "hello").await.unwrap(), hello, "after a dropped question");
    });
}

#[test]
fn a_statement_that_ends_in_the_middle_of_its_rows_leaves_nothing_to_the_next_session() {
    paused(async {
        let (runtime, _) = lab();
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        let target = || Target::Session(alice.id());
        let kill = async || drop(runtime.kill(&root(), target(), KillMode::Query).await.unwrap());
        for end in
            ["an error", "a kill", "a kill of a long one", "a reader that goes", "a kill of what nobody waits for"]
        {
            match end {
                "an error" => assert_eq!(code(&alice, "row-and-fail").await, 1062),
                "a kill" => {
                    let waiting = Running::begin(&alice, "row-and-wait").await;
                    kill().await;
                    assert_eq!(waiting.code().await, 1317);
                }
                "a kill of a long one" => {
                    let results = alice.query("rows 100000000").await.unwrap();
                    kill().await;
                    assert_eq!(results.collect_rows().await.unwrap_err().code(), 1317);
                }
                "a reader that goes" => drop(alice.query("rows 100000000").await.unwrap()),
                _ => {
                    alice.addr().do_send(Query("row-and-wait".into()));
                    settle().await;
                    kill().await;
                }
            }
            settle().await;
            assert!(alice.running().is_none(), "{end}");
            for _ in 0..2 {
                let parts: Vec<_> = bob.query("hello").await.unwrap().map(Result::unwrap).collect().await;
                let [Part::Columns(columns), Part::Rows(batch), Part::Done(_)] = &parts[..] else {
                    panic!("{parts:?} after {end}");
                };
                let row: Vec<_> = batch.rows().flatten().collect();
                assert_eq!((&*columns[0].name, row), ("echo", vec![Value::Text("hello")]), "after {end}");
            }
            let long = rows(&bob, "rows 20000").await.unwrap();
            assert!(
                long.iter().zip(0..).all(|(row, n)| *row == [OwnedValue::Int(n)]) && long.len() == 20_000,
                "after {end}"
            );
        }
    });
}

#[test]
fn a_result_set_that_begins_behind_a_streamed_one_is_not_lost() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let mut sets = Vec::new();
        let mut results = alice.query("sets 10000").await.unwrap();
        while let Some(part) = results.next().await {
            match part.unwrap() {
                Part::Columns(_) => sets.push(0),
                Part::Rows(batch) => *sets.last_mut().unwrap() += batch.len(),
                Part::Done(_) => {}
            }
        }
        assert_eq!(sets, [10_000, 2]);
        assert_eq!(rows(&alice, "hello").await.unwrap(), [[OwnedValue::Text("hello".into())]]);
    });
}

#[test]
fn an_abandoned_queued_statement_is_not_begun() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        let sleeping = Running::begin(&alice, "sleep 5").await;
        let (second, third) = (Running::begin(&alice, "second").await, Running::begin(&alice, "third").await);
        second.abandon();
        settle().await;
        assert!(sleeping.end().await.is_ok());
        assert!(third.end().await.is_ok(), "what waits behind it has its turn");
        assert_eq!(log.take(), ["alice sleep 5", "alice third"]);
    });
}
