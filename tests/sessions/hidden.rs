//! Denials that are hidden: who may not see a session cannot tell it from one that does not exist, by any form of `KILL`;
//! the host is told the truth.

use std::sync::{Arc, Mutex};

use actix::{Actor, Context, Handler};
use killdeer::{
    Dialect, Event, KillDenied, KillError, KillMode, KillResult, Principal, Privileges, Runtime, SessionEvent,
    SessionHandle, SqlError, Target,
};

use crate::lab::{Lab, Running, build, code, connect, paused, root, rows, settle, user};

/// What came of a kill, and how many sessions it left alone.
type Told = (Result<u64, KillError>, u64);

/// Keeps what came of the kills that it is told of.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<Told>>>);

impl Actor for Witness {
    type Context = Context<Self>;
}

impl Handler<SessionEvent> for Witness {
    type Result = ();

    fn handle(&mut self, told: SessionEvent, _: &mut Self::Context) {
        if let Event::KillAsked { outcome, spared, .. } = &told.event {
            self.0.lock().unwrap().push((outcome.clone(), *spared));
        }
    }
}

impl Witness {
    async fn last(&self) -> Result<u64, KillError> {
        self.whole().await.0
    }

    async fn whole(&self) -> Told {
        settle().await;
        self.0.lock().unwrap().last().cloned().expect("it was told of a kill")
    }
}

fn start(dialect: Dialect) -> (Runtime<Lab>, Witness) {
    let runtime = build(Lab::default()).dialect(dialect.kill_denied(KillDenied::Hidden)).start();
    let witness = Witness::default();
    runtime.subscribe(witness.clone().start().recipient(), 10_000);
    (runtime, witness)
}

/// How a `KILL` was answered: rows affected, or the error.
async fn answer(session: &SessionHandle, sql: &str) -> Result<u64, SqlError> {
    session.query(sql.to_owned()).await?.collect_rows().await.map(|(_, done)| done.affected)
}

/// The errors of two statements that differ in what they name, without that.
fn differ(one: (&str, Result<u64, SqlError>), other: (&str, Result<u64, SqlError>)) -> bool {
    let bare = |(name, answer): (&str, Result<u64, SqlError>)| {
        answer.map_err(|error| (error.code(), error.state().to_owned(), error.message().replace(name, "#")))
    };
    bare(one) != bare(other)
}

#[test]
fn no_form_of_kill_tells_a_hidden_session_from_none() {
    paused(async {
        let (runtime, witness) = start(Dialect::mysql());
        let alice = connect(&runtime, "alice").await;
        let waiting = Running::begin(&alice, "wait").await;
        let mallory = connect(&runtime, "mallory").await;
        let query = runtime.list(&root()).rows()[0].query_id.unwrap().to_string();
        let id = alice.id().to_string();
        let denied = [
            ("KILL #", &*id, "9999", 1094),
            ("KILL QUERY #", &*id, "9999", 1094),
            ("KILL CONNECTION # + 0", &*id, "9999", 1094),
            ("KILL QUERY ID #", &*query, "9999", 1957),
            ("KILL USER #", "alice", "nosuch", 0),
            ("KILL QUERY USER #", "alice", "nosuch", 0),
            ("KILL USER #@`127.0.0.1`", "alice", "nosuch", 0),
        ];
        for (count, (form, there, not_there, expected)) in denied.into_iter().enumerate() {
            let hidden = answer(&mallory, &form.replace('#', there)).await;
            let truth = witness.last().await;
            let honest = matches!(&truth, Err(KillError::NotOwner(_) | KillError::NotQueryOwner(_)));
            assert!(honest, "{form}: the host is told {truth:?}");
            assert_eq!(runtime.status().kills_denied, count as u64 + 1, "{form}");
            let unknown = answer(&mallory, &form.replace('#', not_there)).await;
            assert_eq!(hidden.as_ref().map_or_else(SqlError::code, |_| 0), expected, "{form}");
            assert!(!differ((there, hidden), (not_there, unknown)), "{form}");
            assert_eq!(runtime.status().kills_denied, count as u64 + 1, "{form}: nobody was denied anything");
        }
        settle().await;
        assert!(!waiting.is_over(), "none of these reached it");

        let result = |who: &Arc<Principal>| runtime.list(who).kills().first().map(|kill| kill.result);
        let seen = |who: &Arc<Principal>| runtime.list(who).kills().iter().filter(|kill| kill.victim.is_some()).count();
        assert_eq!((result(&user("mallory")), seen(&user("mallory"))), (Some(KillResult::Unknown), 0));
        let observer = Arc::new(Principal::new("observer", Privileges::PROCESS));
        for who in [user("alice"), observer] {
            assert_eq!((result(&who), seen(&who)), (Some(KillResult::Denied), denied.len()), "{who:?}");
        }
        assert_eq!(result(&user("bob")), None);
    });
}

#[test]
fn who_sees_a_session_is_told_that_it_is_anothers() {
    paused(async {
        let (runtime, _) = start(Dialect::mysql());
        let alice = connect(&runtime, "alice").await;
        let _waiting = Running::begin(&alice, "wait").await;
        let observer = runtime.connect(Principal::new("observer", Privileges::PROCESS), crate::lab::peer());
        let observer = observer.await.unwrap();
        let query = runtime.list(&root()).rows()[0].query_id.unwrap();
        for (sql, expected) in [
            (format!("KILL {}", alice.id()), 1095),
            (format!("KILL QUERY {}", alice.id()), 1095),
            (format!("KILL QUERY ID {query}"), 1979),
            ("KILL USER alice".into(), 1095),
        ] {
            assert_eq!(code(&observer, &sql).await, expected, "{sql}");
        }
    });
}

#[test]
fn a_hidden_session_of_a_user_is_left_out_of_those_that_a_kill_reaches() {
    paused(async {
        let (runtime, witness) = start(Dialect::mariadb());
        let at = |host: &str| Principal::new("alice", Privileges::NONE).at_host(host);
        let mine = runtime.connect(at("%"), crate::lab::peer()).await.unwrap();
        let mut others = Vec::new();
        for _ in 0..2 {
            others.push(runtime.connect(at("10.%"), crate::lab::peer()).await.unwrap());
        }
        let by = runtime.connect(at("%"), crate::lab::peer()).await.unwrap();
        let (waiting, theirs) = (Running::begin(&mine, "wait").await, Running::begin(&others[0], "wait").await);
        assert_eq!(answer(&by, "KILL QUERY USER alice@`10.%`").await, Ok(0), "as if there were none");
        assert!(matches!(witness.last().await, Err(KillError::NotOwner(_))));
        mine.cancel(mine.running().unwrap());
        assert_eq!(waiting.code().await, 1317);
        assert_eq!(answer(&by, "KILL QUERY USER alice").await.unwrap_err().code(), 1317, "it is one of them itself");
        assert_eq!(witness.whole().await, (Ok(2), 2), "the two that it may see, and the two that it may not");
        assert_eq!(runtime.status().kills_denied, 2, "the host is told of both kills");
        assert!(!theirs.is_over());
    });
}

#[test]
fn a_hidden_named_query_is_unknown() {
    paused(async {
        let (runtime, witness) = start(Dialect::doris());
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "SET session_context = 'trace_id:batch-7'").await, 0);
        let waiting = Running::begin(&alice, "wait").await;
        let mallory = connect(&runtime, "mallory").await;
        let id = crate::doris::query_id(&connect_admin(&runtime).await, alice.id()).await;
        for name in ["batch-7", &*id] {
            let hidden = answer(&mallory, &format!("KILL QUERY '{name}'")).await;
            assert_eq!(hidden.clone().unwrap_err().code(), 1097, "{name}");
            assert_eq!(witness.last().await, Err(KillError::NotOwner(alice.id())), "{name}");
            let unknown = answer(&mallory, "KILL QUERY 'nosuch'").await;
            assert!(!differ((name, hidden), ("nosuch", unknown)), "{name}");
        }
        assert!(!waiting.is_over());
        assert_eq!(runtime.status().kills_denied, 2);

        assert_eq!(code(&mallory, "SET session_context = 'trace_id:batch-7'").await, 0);
        let mine = Running::begin(&mallory, "wait").await;
        let by = connect(&runtime, "mallory").await;
        assert_eq!(code(&by, "KILL QUERY 'batch-7'").await, 0, "its own, and nothing of another's");
        assert_eq!((mine.code().await, witness.whole().await), (1317, (Ok(1), 1)));
        assert!(!waiting.is_over());
        assert_eq!(runtime.status().kills_denied, 3, "the host is told");
    });
}

async fn connect_admin(runtime: &Runtime<Lab>) -> SessionHandle {
    runtime.connect(Principal::new("root", Privileges::ADMIN_PRIV), crate::lab::peer()).await.unwrap()
}

#[test]
fn the_host_itself_is_refused_as_the_one_is_for_whom_it_asks() {
    paused(async {
        let (runtime, _) = start(Dialect::mysql());
        let alice = connect(&runtime, "alice").await;
        let all = Target::User { user: "alice".into(), host: None };
        let receipt = runtime.kill(&user("mallory"), all, KillMode::Connection).await.unwrap();
        assert_eq!(receipt.sessions(), 0);
        let error = runtime.kill(&user("mallory"), Target::Session(alice.id()), KillMode::Query).await.unwrap_err();
        assert_eq!(error, KillError::UnknownSession(alice.id().to_string()));
        assert_eq!(rows(&alice, "hello").await.unwrap().len(), 1);
    });
}
