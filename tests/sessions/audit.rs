//! Every kill that was asked for is told and kept: who asked, of what, what came of it, and how long it took.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Context, Handler, Message};
use killdeer::{
    Dialect, Done, Engine, EngineSession, Event, KillMode, KillResult, KillRow, OnKill, Origin, Principal, Privileges,
    Reason, RowSink, Runtime, SessionEvent, SessionId, SqlError, Statement, StatementContext, StatementNo, Target,
};
use tokio::time::sleep;

use crate::lab::{Lab, Running, build, code, connect, lab, paused, peer, root, settle, user};

/// Keeps what it is told of kills.
#[derive(Default)]
struct Auditor(Vec<(Option<SessionId>, Event)>);

impl Actor for Auditor {
    type Context = Context<Self>;
}

impl Handler<SessionEvent> for Auditor {
    type Result = ();

    fn handle(&mut self, told: SessionEvent, _: &mut Self::Context) {
        let last = matches!(told.event, Event::Disconnected { .. });
        if last || matches!(told.event, Event::KillAsked { .. } | Event::KillEnded { .. }) {
            self.0.push((told.session, told.event));
        }
    }
}

#[derive(Message)]
#[rtype(result = "Vec<String>")]
struct Told;

impl Handler<Told> for Auditor {
    type Result = Vec<String>;

    fn handle(&mut self, _: Told, _: &mut Self::Context) -> Vec<String> {
        let word = |(session, event): (Option<SessionId>, Event)| {
            let of = session.map_or("host".into(), |id| id.to_string());
            match event {
                Event::KillAsked { kill, by, mode, outcome, .. } => {
                    format!("{of}: {kill} by {} {mode:?} {outcome:?}", by.user())
                }
                Event::KillEnded { kill, statement, reason, duration } => {
                    let statement = statement.map(StatementNo::get);
                    format!("{of}: {kill} ended {statement:?} {reason} in {} ms", duration.as_millis())
                }
                Event::Disconnected { .. } => format!("{of}: left"),
                other => format!("{of}: {other:?}"),
            }
        };
        std::mem::take(&mut self.0).into_iter().map(word).collect()
    }
}

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// An engine whose killed statements clean up for 250 ms.
#[derive(Clone)]
struct Tidy;

impl Engine for Tidy {
    type Session = Tidy;

    async fn open(&self, _: &Arc<Principal>) -> Result<Tidy, SqlError> {
        Ok(Tidy)
    }
}

impl EngineSession for Tidy {
    const ON_KILL: OnKill = OnKill::Finish;

    async fn execute(&mut self, cx: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        if *st.sql == *b"wait" {
            cx.killed().await;
            sleep(ms(250)).await;
        }
        Ok(Done::default())
    }
}

/// The result and the duration of each kill, the oldest first.
fn kept<E: Engine>(runtime: &Runtime<E>, who: &Arc<Principal>) -> Vec<(KillResult, Option<Duration>)> {
    runtime.list(who).kills().iter().map(|kill| (kill.result, kill.duration)).collect()
}

#[test]
fn a_killed_statement_has_its_time_once_its_client_was_told() {
    paused(async {
        let runtime = build(Tidy).start();
        let auditor = Auditor::default().start();
        runtime.subscribe(auditor.clone().recipient(), 100);
        let alice = connect(&runtime, "alice").await;
        let waiting = Running::begin(&alice, "wait").await;
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
        sleep(ms(100)).await;
        assert_eq!(kept(&runtime, &root()), [(KillResult::Ending, None)], "no time while it is not over");
        // Another one, of the same statement, counts from its own moment.
        let again = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
        receipt.ended().await;
        let expected = [(KillResult::Ended, Some(ms(250))), (KillResult::Ended, Some(ms(150)))];
        assert_eq!(kept(&runtime, &root()), expected, "whoever waited for the end finds the time");
        again.ended().await;
        assert_eq!(waiting.code().await, 1317);
        // The next statement ends by itself, later: nothing of that is the kill's.
        sleep(ms(1000)).await;
        assert_eq!(code(&alice, "hello").await, 0);
        assert_eq!(kept(&runtime, &root()), expected);
        settle().await;
        let id = alice.id();
        assert_eq!(
            auditor.send(Told).await.unwrap(),
            [
                "host: 1 by root Query Ok(1)".to_owned(),
                "host: 2 by root Query Ok(1)".to_owned(),
                format!("{id}: 1 ended Some(1) kill query in 250 ms"),
            ]
        );
    });
}

#[test]
fn a_killed_session_has_its_time_when_it_has_rolled_back_and_left() {
    paused(async {
        let runtime = build(Lab { rollback: Some(ms(400)), ..Lab::default() }).start();
        let auditor = Auditor::default().start();
        runtime.subscribe(auditor.clone().recipient(), 100);
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let waiting = Running::begin(&alice, "wait").await;
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Connection).await.unwrap();
        waiting.end().await.unwrap_err();
        assert_eq!(kept(&runtime, &root()), [(KillResult::Ending, None)], "its client was told, and it rolls back");
        receipt.ended().await;
        assert_eq!(kept(&runtime, &root()), [(KillResult::Ended, Some(ms(400)))]);
        settle().await;
        let id = alice.id();
        let expected = [
            "host: 1 by root Connection Ok(1)".to_owned(),
            format!("{id}: 1 ended None kill connection in 400 ms"),
            format!("{id}: left"),
        ];
        assert_eq!(auditor.send(Told).await.unwrap(), expected, "its last event is that it left");
    });
}

#[test]
fn the_statement_and_the_session_of_one_client_have_each_its_own() {
    paused(async {
        let lab = Lab { rollback: Some(ms(300)), ..Lab::default() };
        let runtime = build(lab).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let waiting = Running::begin(&alice, "wait").await;
        let target = || Target::Session(alice.id());
        let _query = runtime.kill(&root(), target(), KillMode::Query).await.unwrap();
        let connection = runtime.kill(&root(), target(), KillMode::Connection).await.unwrap();
        connection.ended().await;
        waiting.end().await.unwrap_err();
        let expected = [(KillResult::Ended, Some(ms(0))), (KillResult::Ended, Some(ms(300)))];
        assert_eq!(kept(&runtime, &root()), expected);
    });
}

#[test]
fn what_was_denied_or_in_vain_has_an_outcome_and_no_time() {
    paused(async {
        let (runtime, _) = lab();
        let auditor = Auditor::default().start();
        runtime.subscribe(auditor.clone().recipient(), 100);
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        for (sql, expected) in [
            (format!("KILL {}", alice.id()), 1095),
            (format!("KILL QUERY {}", alice.id()), 1095),
            ("KILL 4000".into(), 1094),
        ] {
            assert_eq!(code(&bob, &sql).await, expected, "{sql}");
        }
        let idle = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
        idle.ended().await;
        let of = |result| (result, None);
        let expected = [KillResult::Denied, KillResult::Denied, KillResult::Unknown, KillResult::NothingToEnd].map(of);
        assert_eq!(kept(&runtime, &root()), expected);
        let [denied, ..] = &runtime.list(&root()).kills()[..] else { panic!() };
        let KillRow { by, by_id, by_host, mode, target, victim, .. } = denied;
        assert_eq!((&**by, *by_id, *by_host), ("bob", Some(bob.id()), Some(peer())));
        assert_eq!((*mode, target), (KillMode::Connection, &alice.id().to_string()));
        assert_eq!(victim.as_ref().map(|victim| victim.id), Some(alice.id()));
        settle().await;
        let (a, b) = (alice.id(), bob.id());
        assert_eq!(
            auditor.send(Told).await.unwrap(),
            [
                format!("{b}: 1 by bob Connection Err(NotOwner({a:?}))"),
                format!("{b}: 2 by bob Query Err(NotOwner({a:?}))"),
                format!("{b}: 3 by bob Connection Err(UnknownSession(\"4000\"))"),
                "host: 4 by root Query Ok(1)".to_owned(),
            ]
        );
    });
}

#[test]
fn a_kill_of_a_user_is_over_when_the_last_of_its_sessions_is() {
    paused(async {
        let lab = Lab { rollback: Some(ms(200)), ..Lab::default() };
        let runtime = build(lab).dialect(Dialect::mariadb()).start();
        let auditor = Auditor::default().start();
        runtime.subscribe(auditor.clone().recipient(), 100);
        let (quick, slow) = (connect(&runtime, "alice").await, connect(&runtime, "alice").await);
        assert_eq!(code(&slow, "begin").await, 0);
        let admin = runtime.connect(Principal::new("root", Privileges::ALL), Origin::Local).await.unwrap();
        assert_eq!(code(&admin, "KILL USER alice").await, 0);
        settle().await;
        let of_user = |who: &Arc<Principal>| runtime.list(who).kills().first().map(|kill| (kill.result, kill.duration));
        assert_eq!(of_user(&root()), Some((KillResult::Ending, None)));
        sleep(ms(200)).await;
        settle().await;
        assert_eq!(of_user(&root()), Some((KillResult::Ended, Some(ms(200)))));
        assert_eq!(of_user(&user("alice")), Some((KillResult::Ended, Some(ms(200)))));
        let [kill] = &runtime.list(&root()).kills()[..] else { panic!() };
        assert_eq!((&*kill.target, kill.mode, kill.sessions), ("USER alice", KillMode::Connection, 2));
        let (first, last, by) = (quick.id(), slow.id(), admin.id());
        let reason = Reason::KillConnection;
        assert_eq!(
            auditor.send(Told).await.unwrap(),
            [
                format!("{by}: 1 by root Connection Ok(2)"),
                format!("{first}: 1 ended None {reason} in 0 ms"),
                format!("{first}: left"),
                format!("{last}: 1 ended None {reason} in 200 ms"),
                format!("{last}: left"),
            ]
        );
    });
}

#[test]
fn what_is_cut_off_at_its_deadline_is_over_with_its_session() {
    paused(async {
        let runtime = build(Lab { rollback: None, ..Lab::default() }).rollback_timeout(ms(700)).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Connection).await.unwrap();
        receipt.ended().await;
        assert_eq!(kept(&runtime, &root()), [(KillResult::Ended, Some(ms(700)))], "the rollback never ends");
    });
}

#[test]
fn nobody_drives_an_administrators_kill_out_of_the_history_by_killing_itself() {
    paused(async {
        let (runtime, _) = lab();
        let bob = connect(&runtime, "bob").await;
        let target = Target::Session(bob.id());
        runtime.kill(&root(), target, KillMode::Connection).await.unwrap().ended().await;
        let mallory = connect(&runtime, "mallory").await;
        for _ in 0..1024 {
            let waiting = Running::begin(&mallory, "wait").await;
            let target = Target::Session(mallory.id());
            runtime.kill(&user("mallory"), target, KillMode::Query).await.unwrap().ended().await;
            assert_eq!(waiting.code().await, 1317);
        }
        let kills = runtime.list(&root()).kills();
        assert_eq!((kills.len(), &*kills[0].by, kills[0].result), (1025, "root", KillResult::Ended));
    });
}

#[test]
fn what_came_of_a_kill_of_many_is_what_came_of_those_that_it_ended_something_of() {
    paused(async {
        let (runtime, _) = lab();
        let mut many = Vec::new();
        for _ in 0..17 {
            many.push(connect(&runtime, "alice").await);
        }
        for session in &many {
            let waiting = Running::begin(session, "wait").await;
            let target = Target::User { user: "alice".into(), host: None };
            let receipt = runtime.kill(&root(), target, KillMode::Query).await.unwrap();
            assert_eq!(receipt.sessions(), 17);
            receipt.ended().await;
            assert_eq!(waiting.code().await, 1317);
            let kills = runtime.list(&root()).kills();
            let last = kills.last().unwrap();
            assert_eq!((last.result, last.sessions, last.duration.is_some()), (KillResult::Ended, 17, true));
        }
    });
}
