//! Ids and counts (promises 1 and 9).

use std::{collections::HashSet, time::Duration};

use killdeer::{KillMode, Layout, Principal, Privileges, Reason, Refused, Target};
use proptest::prelude::*;
use tokio::time::sleep;

use crate::lab::{Running, build, connect, lab, paused, peer, root, settle};

#[test]
fn no_two_sessions_have_one_id_and_a_released_one_comes_back_last() {
    paused(async {
        let runtime = build(crate::lab::Lab::default()).ids(Layout::range(1, 3).unwrap()).start();
        let first = connect(&runtime, "a").await;
        let second = connect(&runtime, "b").await;
        drop(first);
        settle().await;
        let third = connect(&runtime, "c").await;
        let fourth = connect(&runtime, "d").await;
        let ids = [second.id(), third.id(), fourth.id()].map(|id| id.get());
        assert_eq!(ids, [2, 3, 1]);
        let refused = runtime.connect(Principal::new("e", Privileges::NONE), peer()).await.unwrap_err();
        assert_eq!(refused, Refused::TooManyConnections);
        drop(third);
        settle().await;
        assert_eq!(connect(&runtime, "f").await.id().get(), 3);
        assert_eq!(runtime.status().refused, 1);
    });
}

#[test]
fn many_sessions_come_and_go_and_all_counts_are_zero_again() {
    paused(async {
        let (runtime, _) = lab();
        let mut live = Vec::new();
        let mut seen = HashSet::new();
        for turn in 0..2000_u32 {
            let session = connect(&runtime, "alice").await;
            assert!(seen.insert(session.id()), "ids are not used again while others are free");
            if turn % 3 == 0 {
                drop(Running::begin(&session, "wait").await);
            }
            live.push(session);
            if turn % 2 == 1 {
                let at = (turn as usize * 7919) % live.len();
                let session = live.swap_remove(at);
                match turn % 8 {
                    1 => session.terminate(Reason::ClientGone),
                    3 => {
                        drop(runtime.kill(&root(), Target::Session(session.id()), KillMode::Connection).await.unwrap())
                    }
                    5 => drop(session),
                    _ => session.addr().do_send(killdeer::Terminate { reason: Reason::Shutdown }),
                }
            }
            if turn % 100 == 99 {
                settle().await;
                let (listed, status) = (runtime.list(&root()).rows(), runtime.status());
                assert_eq!((listed.len(), status.sessions, status.actors), (live.len(), live.len(), live.len()));
                let ids: HashSet<_> = listed.iter().map(|row| row.id).collect();
                assert_eq!(ids, live.iter().map(|session| session.id()).collect());
                assert!(listed.is_sorted_by_key(|row| row.id));
            }
        }
        drop(live);
        settle().await;
        let status = runtime.status();
        assert_eq!((status.sessions, status.actors, status.connections), (0, 0, 2000));
        assert!(runtime.list(&root()).rows().is_empty());
    });
}

#[test]
fn sessions_that_do_not_come_about_leave_no_trace() {
    paused(async {
        let (runtime, log) = lab();
        let nobody = runtime.connect(Principal::new("nobody", Privileges::NONE), peer()).await;
        assert!(matches!(nobody, Err(Refused::Engine(error)) if error.code() == 1045));
        // The host loses interest while the engine opens.
        let slow = runtime.connect(Principal::new("slow", Privileges::NONE), peer());
        assert!(tokio::time::timeout(Duration::from_secs(1), slow).await.is_err());
        settle().await;
        let status = runtime.status();
        assert_eq!((status.sessions, status.actors), (0, 0));
        assert!(log.take().is_empty());
    });
}

#[test]
fn a_host_that_loses_interest_at_the_last_moment_leaves_no_session() {
    paused(async {
        let (runtime, _) = lab();
        let mut connecting = Box::pin(runtime.connect(Principal::new("alice", Privileges::NONE), peer()));
        assert!(futures::poll!(&mut connecting).is_pending());
        settle().await;
        assert_eq!(runtime.status().sessions, 1, "it was admitted, and its host has not looked yet");
        drop(connecting);
        settle().await;
        assert_eq!((runtime.status().sessions, runtime.status().actors), (0, 0));
    });
}

#[test]
fn a_full_queue_refuses_and_forgets_nothing() {
    paused(async {
        let runtime = build(crate::lab::Lab::default()).queued_statements(2).start();
        let alice = connect(&runtime, "alice").await;
        let running = Running::begin(&alice, "sleep 10").await;
        let waiting = [Running::begin(&alice, "one").await, Running::begin(&alice, "two").await];
        assert_eq!(Running::begin(&alice, "three").await.code().await, 1105);
        assert!(running.end().await.is_ok());
        for statement in waiting {
            assert!(statement.end().await.is_ok());
        }
    });
}

/// What can be done to a session, in any order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Query,
    Finish,
    Cancel,
    CancelOld,
    Terminate,
    Disconnect,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Query),
        4 => Just(Step::Finish),
        3 => Just(Step::Cancel),
        2 => Just(Step::CancelOld),
        1 => Just(Step::Terminate),
        1 => Just(Step::Disconnect),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// A session under any interleaving does what three lines of model say: statements run one after the other, in
    /// their order; a cancel ends the running one alone; after the end nothing runs.
    #[test]
    fn a_session_follows_the_model(steps in prop::collection::vec(any_step(), 1..40)) {
        paused(async {
            let (runtime, log) = lab();
            let mut session = Some(connect(&runtime, "alice").await);
            let addr = session.as_ref().unwrap().addr().clone();
            let mut running = std::collections::VecDeque::new();
            let mut expected = Vec::new();
            for (n, step) in steps.into_iter().enumerate() {
                let Some(alice) = &session else { break };
                match step {
                    Step::Query if running.len() < 60 => {
                        running.push_back((n, Running::begin(alice, &format!("sleep {}", 1000 + n)).await));
                        if running.len() == 1 {
                            expected.push(format!("alice sleep {}", 1000 + n));
                        }
                    }
                    Step::Finish => {
                        let Some((_, first)) = running.pop_front() else { continue };
                        assert!(first.end().await.is_ok(), "nobody killed it");
                        expected.extend(running.front().map(|(n, _)| format!("alice sleep {}", 1000 + n)));
                    }
                    Step::Cancel => {
                        let number = alice.running();
                        assert_eq!(number.is_some(), !running.is_empty());
                        let (Some(number), Some((_, first))) = (number, running.pop_front()) else { continue };
                        alice.cancel(number);
                        assert_eq!(first.code().await, 1317);
                        settle().await;
                        expected.extend(running.front().map(|(n, _)| format!("alice sleep {}", 1000 + n)));
                    }
                    Step::CancelOld => {
                        let number = alice.running().map_or(1, |n| n.get()).saturating_sub(1);
                        alice.cancel(killdeer::StatementNo::new(number));
                    }
                    Step::Terminate => {
                        alice.terminate(Reason::KillConnection);
                        session = None;
                    }
                    Step::Disconnect => session = None,
                    Step::Query => {}
                }
                settle().await;
                // All that runs now is what the model says; sleeping for less than any of them changes nothing.
                sleep(Duration::from_millis(1)).await;
            }
            drop(session);
            settle().await;
            for (_, statement) in running {
                assert_eq!(statement.code().await, 1317, "what was left is told why");
            }
            let ran: Vec<String> = log.take().into_iter().filter(|line| line.contains("sleep")).collect();
            assert_eq!(ran, expected);
            assert!(!addr.connected() || runtime.status().sessions == 0);
            assert_eq!((runtime.status().sessions, runtime.status().actors), (0, 0));
        });
    }
}

#[test]
fn the_supervisor_is_gone_with_the_last_of_its_runtime() {
    paused(async {
        let (runtime, _) = lab();
        let supervisor = runtime.supervisor().clone();
        let alice = connect(&runtime, "alice").await;
        drop(runtime);
        settle().await;
        assert!(supervisor.connected(), "a session is left");
        drop(alice);
        settle().await;
        assert!(!supervisor.connected());
    });
}
