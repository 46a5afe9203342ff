//! Kills of what other nodes have.

use actix::{Actor, Context, Handler};

use super::*;
use crate::{
    Event, Kill, KillCause, KillDenied, KillMode, KillOutcome, KillResult, Params, SessionEvent, Target,
    supervisor::ForeignKill,
};

/// What `KILL` of another node's session is answered, and what is kept of it.
async fn kill_once(dialect: Dialect, answer: Result<u64, KillError>) -> ((u16, String), KillResult) {
    let others = Others::new(move |_| answer.clone());
    let (runtime, theirs) = start(dialect, &others);
    let by = connect(&runtime, "bob", Privileges::NONE).await;
    let told = told(&by, &format!("KILL {theirs}")).await;
    assert_eq!(others.kills().len(), 1);
    let kept = runtime.list(&Arc::new(Principal::new("bob", Privileges::NONE))).kills();
    assert_eq!(kept.len(), 1, "{kept:?}");
    (told, kept[0].result)
}

#[test]
fn wherever_it_is_typed_the_owner_is_asked_and_this_node_for_its_own_alone() {
    paused(async {
        for dialect in Dialect::NAMES.map(|name| Dialect::named(name).unwrap()) {
            let others = Others::new(|_| Ok(1));
            let (runtime, theirs) = start(dialect, &others);
            let by = connect(&runtime, "bob", Privileges::NONE).await;
            let mut ways = vec![
                (format!("KILL {theirs}"), KillMode::Connection),
                (format!("KILL CONNECTION {theirs}"), KillMode::Connection),
                (format!("kill /* Ctrl-C */ query {theirs}"), KillMode::Query),
                (format!("KILL QUERY @`{theirs}`"), KillMode::Query),
            ];
            if dialect.name() == "tidb" {
                ways.push((format!("KILL TIDB QUERY {theirs}"), KillMode::Query));
            }
            if dialect.name() == "oceanbase" {
                ways.push((format!("ALTER SYSTEM KILL SESSION '{theirs}'"), KillMode::Connection));
            }
            for (sql, mode) in ways {
                assert_eq!(told(&by, &sql).await, (0, String::new()), "{sql}");
                let [errand] = &others.kills()[..] else { panic!("{sql}") };
                assert_eq!((errand.mode, &errand.target), (mode, &Target::Session(theirs)), "{sql}");
                assert_eq!((&**errand.by.user(), errand.from), ("bob", Some((by.id(), peer()))), "{sql}");
            }
            // As prepared statements, by the protocol and by name.
            let params = Some(Params(vec![OwnedValue::UInt(theirs.get())]));
            assert_eq!(by.prepare("KILL QUERY ?").await.unwrap().params.len(), 1);
            ask(&by, Statement { sql: "KILL QUERY ?".into(), params, ..Statement::default() }).await.unwrap();
            assert_eq!(told(&by, &format!("PREPARE one FROM 'KILL {theirs}'")).await.0, 0);
            assert_eq!(others.kills().len(), 1, "prepared is not asked");
            assert_eq!(told(&by, "EXECUTE one").await.0, 0);
            assert_eq!(others.kills().len(), 1);
            // The host's own, and a message to the supervisor.
            let root = Arc::new(Principal::new("root", Privileges::ALL));
            let receipt = runtime.kill(&root, Target::Session(theirs), KillMode::Query).await.unwrap();
            assert_eq!((receipt.sessions(), receipt.ended().await), (1, KillOutcome::Elsewhere));
            let kill = Kill { by: root, from: None, target: Target::Session(theirs), mode: KillMode::Connection };
            assert_eq!(runtime.supervisor().send(kill).await.unwrap().unwrap().sessions(), 1);
            assert!(others.kills().iter().all(|errand| errand.from.is_none() && &**errand.by.user() == "root"));
            // What can only be this node's, and what is nobody's.
            for sql in
                [format!("KILL {}", by.id().get() + 1000), "KILL 0".to_owned(), "KILL 99999999999999999999".into()]
            {
                assert_eq!(told(&by, &sql).await.0, 1094, "{sql}");
            }
            assert_eq!(told(&by, &format!("KILL QUERY {}", by.id())).await.0, 1317);
            assert_eq!(others.kills().len(), 0);
        }
    });
}

#[test]
fn the_owners_refusal_is_told_as_this_nodes_own() {
    paused(async {
        for dialect in Dialect::NAMES.map(|name| Dialect::named(name).unwrap()) {
            let theirs = ids(dialect).1;
            let (here, _) = start(dialect, &Others::new(|_| Ok(1)));
            let (alice, bob) =
                (connect(&here, "alice", Privileges::NONE).await, connect(&here, "bob", Privileges::NONE).await);
            let (code, text) = told(&bob, &format!("KILL {}", alice.id())).await;
            let expected = (code, text.replace(&alice.id().to_string(), &theirs.to_string()));
            let denied = kill_once(dialect, Err(KillError::NotOwner(theirs))).await;
            assert_eq!(denied, (expected, KillResult::Denied), "{}", dialect.name());
            let unknown = kill_once(dialect, Err(KillError::UnknownSession(theirs.to_string()))).await;
            assert_eq!(unknown, ((1094, format!("Unknown thread id: {theirs}")), KillResult::Unknown));
        }
        let theirs = ids(Dialect::tidb()).1;
        let ((code, text), _) = kill_once(Dialect::tidb(), Err(KillError::Protected(theirs))).await;
        assert!(code == 1227 && text.contains("RESTRICTED_CONNECTION_ADMIN"), "{text}");
    });
}

#[test]
fn an_owner_that_is_not_there_is_never_taken_for_an_unknown_id() {
    paused(async {
        for dialect in [Dialect::mysql(), Dialect::tidb(), Dialect::tidb().lenient_kill(true), Dialect::oceanbase()] {
            let (unreachable, unanswered) = (KillError::Unreachable { server: 2 }, KillError::Unanswered { server: 2 });
            for (error, code, kept) in
                [(unreachable, 1429, KillResult::Unreachable), (unanswered, 1430, KillResult::Unanswered)]
            {
                let (told, result) = kill_once(dialect, Err(error)).await;
                assert_eq!((told.0, result), (code, kept));
                assert!(told.1.contains("server 2 of the cluster"), "{}", told.1);
            }
        }
        let theirs = ids(Dialect::tidb()).1;
        let unknown = Err(KillError::UnknownSession(theirs.to_string()));
        let lenient = kill_once(Dialect::tidb().lenient_kill(true), unknown).await;
        assert_eq!(lenient, ((0, String::new()), KillResult::Unknown), "no node has ever had it");
    });
}

#[test]
fn who_waits_for_another_node_can_be_killed_and_what_was_asked_is_kept() {
    paused(async {
        let others = Others::new(|_| Ok(1));
        let (runtime, theirs) = start(Dialect::mysql(), &others);
        let (by, other) =
            (connect(&runtime, "root", Privileges::ALL).await, connect(&runtime, "root", Privileges::ALL).await);
        let go = others.hold();
        let waiting = begin(&by, &format!("KILL {theirs}")).await;
        assert!(!waiting.is_finished());
        assert_eq!(told(&other, &format!("KILL QUERY {}", by.id())).await.0, 0);
        assert_eq!(waiting.await.unwrap().unwrap_err().code(), 1317);
        assert_eq!(told(&by, "hello").await.0, 0, "the session works on");
        let root = Arc::new(Principal::new("root", Privileges::ALL));
        assert_eq!(runtime.list(&root).kills().len(), 1, "the other node has not answered yet");
        go.notify_waiters();
        settle().await;
        let kept = runtime.list(&root).kills();
        let [first, second] = &kept[..] else { panic!("{kept:?}") };
        assert_eq!((first.result, &*first.target), (KillResult::Elsewhere, &*theirs.to_string()));
        assert_eq!(second.result, KillResult::Ended);
        // So does the session's end.
        let waiting = begin(&by, &format!("KILL {theirs}")).await;
        assert_eq!(told(&other, &format!("KILL {}", by.id())).await.0, 0);
        assert_eq!(waiting.await.unwrap().unwrap_err().code(), 1317);
        by.ended().await;
        go.notify_waiters();
        settle().await;
        assert_eq!(runtime.list(&root).kills().iter().filter(|row| row.result == KillResult::Elsewhere).count(), 2);
    });
}

/// Keeps what it is told of kills.
struct Ear(Arc<Mutex<Vec<Event>>>);

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<SessionEvent> for Ear {
    type Result = ();

    fn handle(&mut self, SessionEvent { event, .. }: SessionEvent, _: &mut Self::Context) {
        if matches!(event, Event::KillAsked { .. }) {
            self.0.lock().unwrap().push(event);
        }
    }
}

#[test]
fn it_is_counted_told_and_kept_where_it_was_asked_for() {
    paused(async {
        let others = Others::new(|errand| match errand.mode {
            KillMode::Query => Ok(1),
            KillMode::Connection => Err(KillError::NotOwner(SessionId::new(7))),
        });
        let (runtime, theirs) = start(Dialect::mysql(), &others);
        let heard = Arc::default();
        runtime.subscribe(Ear(Arc::clone(&heard)).start().recipient(), 100);
        let by = connect(&runtime, "bob", Privileges::NONE).await;
        assert_eq!(told(&by, &format!("KILL QUERY {theirs}")).await.0, 0);
        assert_eq!(told(&by, &format!("KILL {theirs}")).await.0, 1095);
        let status = runtime.status();
        assert_eq!((status.kills, status.kills_denied), (1, 1));
        settle().await;
        let heard = std::mem::take(&mut *heard.lock().unwrap());
        let outcomes: Vec<_> = heard
            .into_iter()
            .map(|event| match event {
                Event::KillAsked { target, outcome, cause, .. } => (target, outcome, cause),
                other => panic!("{other:?}"),
            })
            .collect();
        let denied = Err(KillError::NotOwner(SessionId::new(7)));
        let asked = |outcome| (Target::Session(theirs), outcome, KillCause::Statement);
        assert_eq!(outcomes, [asked(Ok(1)), asked(denied)]);
        let (rows, _) =
            ask(&by, "SELECT TARGET, BY_ID, SESSIONS, OUTCOME, VICTIM_ID FROM killdeer.kill_history".to_owned())
                .await
                .unwrap();
        let (id, by) = (theirs.to_string(), by.id().to_string());
        assert_eq!(rows, [[&*id, &*by, "1", "elsewhere", "NULL"], [&*id, &*by, "0", "denied", "NULL"]]);
    });
}

#[test]
fn in_doris_a_query_that_nobody_here_runs_is_looked_for_elsewhere() {
    paused(async {
        let others = Others::new(|errand| match &errand.target {
            Target::Named(name) if name == "there" => Ok(1),
            Target::Named(name) if name == "theirs" => Err(KillError::NotOwner(SessionId::new(7))),
            Target::Named(name) if name == "perhaps" => Err(KillError::Unanswered { server: 3 }),
            Target::Named(name) => Err(KillError::UnknownName(name.clone())),
            other => panic!("{other:?}"),
        });
        for (denied, hidden) in [(KillDenied::Told, 1095), (KillDenied::Hidden, 1097)] {
            let (runtime, _) = start(Dialect::doris().kill_denied(denied), &others);
            let idle = connect(&runtime, "alice", Privileges::NONE).await;
            let alice = connect(&runtime, "alice", Privileges::NONE).await;
            let bob = connect(&runtime, "bob", Privileges::NONE).await;
            assert_eq!(told(&idle, "SET session_context = 'trace_id:here'").await.0, 0);
            for (by, name, code) in [
                // Known here, and idle: there may be another one that runs.
                (&alice, "here", 0),
                (&alice, "there", 0),
                (&alice, "theirs", 1095),
                (&alice, "perhaps", 1430),
                (&alice, "nowhere", 1097),
                (&bob, "here", hidden),
            ] {
                assert_eq!(told(by, &format!("KILL QUERY '{name}'")).await.0, code, "{name} {denied:?}");
                let errands = others.kills();
                assert_eq!(errands.len(), 1, "{name} {denied:?}");
                assert!(errands.iter().all(|errand| errand.target == Target::Named(name.to_owned())));
            }
            // A hit elsewhere, and one here of somebody else's: clients choose these names.
            assert_eq!(told(&idle, "SET session_context = 'trace_id:there'").await.0, 0);
            let (code, denials) = (told(&bob, "KILL QUERY 'there'").await.0, runtime.status().kills_denied);
            others.kills();
            assert_eq!((code, denials), (0, 3), "the host is told of the one here");
            // Of users, the list says whose they are: a kill of all of them stays here, as do the forms that number.
            let root = Arc::new(Principal::new("root", Privileges::ALL));
            let target = Target::User { user: "nosuch".into(), host: None };
            assert_eq!(runtime.kill(&root, target, KillMode::Query).await.unwrap().sessions(), 0);
            assert!(runtime.kill(&root, Target::Statement(99_999), KillMode::Query).await.is_err());
            assert_eq!(others.kills().len(), 0);
        }
    });
}

#[test]
fn a_node_answers_others_for_its_own_sessions_and_asks_nobody() {
    paused(async {
        let others = Others::new(|_| Ok(1));
        let (runtime, theirs) = start(Dialect::doris(), &others);
        let registry = &runtime.shared.registry;
        let alice = connect(&runtime, "alice", Privileges::NONE).await;
        let foreign = |by: &str, from: Option<(SessionId, Origin)>, target| ForeignKill {
            kill: Kill {
                by: Arc::new(Principal::new(by, Privileges::NONE)),
                from: from.map(|(session, _)| session),
                target,
                mode: KillMode::Query,
            },
            origin: from.map(|(_, origin)| origin),
            server: 2,
            tombs: Vec::new(),
        };
        let own = Some((alice.id(), peer()));
        for (by, from, target, expected) in [
            ("alice", None, Target::Session(alice.id()), Ok(1)),
            ("bob", None, Target::Session(alice.id()), Err(KillError::NotOwner(alice.id()))),
            ("bob", own, Target::Session(alice.id()), Err(KillError::NotOwner(alice.id()))),
            ("alice", None, Target::Session(theirs), Err(KillError::UnknownSession(theirs.to_string()))),
            ("alice", None, Target::Named("x".into()), Err(KillError::UnknownName("x".into()))),
        ] {
            assert_eq!(foreign(by, from, target).carry_out(registry).await, expected);
        }
        let waiting = begin(&alice, "wait").await;
        let kill = foreign("alice", Some((theirs, peer())), Target::Session(alice.id()));
        assert_eq!(kill.carry_out(registry).await, Ok(1));
        assert_eq!(waiting.await.unwrap().unwrap_err().code(), 1317);
        let row = runtime.list(&Arc::new(Principal::new("alice", Privileges::NONE))).kills().pop().unwrap();
        assert_eq!((row.by_id, row.by_host), (Some(theirs), Some(peer())), "from where it was asked for");
        assert_eq!(others.kills().len(), 0);
        registry.standing.lose();
        let offline = foreign("alice", None, Target::Session(alice.id())).carry_out(registry).await;
        assert_eq!(offline, Err(KillError::Offline));
        let target = || Target::Named("x".into());
        let root = Arc::new(Principal::new("root", Privileges::ALL));
        assert_eq!(runtime.kill(&root, target(), KillMode::Query).await.unwrap_err(), KillError::Offline);
        assert_eq!(
            runtime.kill(&root, Target::Session(theirs), KillMode::Query).await.unwrap_err(),
            KillError::Offline
        );
        assert_eq!(others.kills().len(), 0);
    });
}
