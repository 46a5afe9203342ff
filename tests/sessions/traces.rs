//! The spans that logs are attributed to: one for each session and one for each statement, wherever the engine runs.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use killdeer::{
    Blocking, BlockingEngine, BlockingSession, Done, Engine, EngineSession, KillMode, Placement, Principal, Reason,
    RowSink, Runtime, SessionHandle, SqlError, Statement, StatementContext, Target,
};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher, field, span};
use tracing_subscriber::{
    Layer,
    filter::LevelFilter,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

use crate::lab::{Lab, Running, build, code, connect, connect_root, lab, paused, root, settle};

/// What was seen of one span, or of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    name: String,
    fields: BTreeMap<String, String>,
    /// For an event: the spans that it was in, the innermost first, with their numbers or ids.
    within: Vec<String>,
    closed: bool,
}

impl field::Visit for Seen {
    fn record_debug(&mut self, field: &field::Field, value: &dyn Debug) {
        let (name, value) = (field.name().to_owned(), format!("{value:?}"));
        assert!(matches!(value.len(), 0..64), "{name}: {value}");
        self.fields.insert(name, value.trim_matches('"').to_owned());
    }
}

/// Keeps everything that it sees.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Witnessed>>);

#[derive(Default)]
struct Witnessed {
    spans: BTreeMap<u64, Seen>,
    /// Spans in the order in which they began, events among them.
    order: Vec<Seen>,
    begun: Vec<u64>,
}

fn ours(metadata: &Metadata<'_>) -> bool {
    matches!(metadata.target(), "killdeer::session" | "killdeer::statement")
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Witness {
    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, _: Context<'_, S>) {
        if ours(attrs.metadata()) {
            let mut seen = Seen { name: attrs.metadata().name().into(), ..Seen::default() };
            attrs.record(&mut seen);
            assert_eq!(*attrs.metadata().level(), Level::DEBUG);
            let mut all = self.0.lock().unwrap();
            all.begun.push(id.into_u64());
            all.spans.insert(id.into_u64(), seen);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, _: Context<'_, S>) {
        if let Some(seen) = self.0.lock().unwrap().spans.get_mut(&id.into_u64()) {
            values.record(seen);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut all = self.0.lock().unwrap();
        let mut seen = Seen { name: "event".into(), ..Seen::default() };
        if event.metadata().target() != "engine" {
            return;
        }
        event.record(&mut seen);
        for span in cx.event_scope(event).into_iter().flatten() {
            let fields = &all.spans[&span.id().into_u64()].fields;
            let which = fields.get("number").or(fields.get("id")).cloned().unwrap_or_default();
            seen.within.push(format!("{} {which}", span.name()));
        }
        all.order.push(seen);
    }

    fn on_close(&self, id: span::Id, _: Context<'_, S>) {
        let mut all = self.0.lock().unwrap();
        if let Some(mut seen) = all.spans.remove(&id.into_u64()) {
            seen.closed = true;
            all.order.push(seen);
        }
    }
}

impl Witness {
    fn dispatch(&self, most: LevelFilter) -> Dispatch {
        Dispatch::new(tracing_subscriber::registry().with(self.clone()).with(most))
    }

    /// The spans that were closed, in the order in which they were.
    fn closed(&self) -> Vec<Seen> {
        self.0.lock().unwrap().order.iter().filter(|seen| seen.closed).cloned().collect()
    }

    fn said(&self) -> Vec<Seen> {
        self.0.lock().unwrap().order.iter().filter(|seen| seen.name == "event").cloned().collect()
    }

    fn begun(&self) -> usize {
        self.0.lock().unwrap().begun.len()
    }
}

fn fields(seen: &Seen) -> Vec<(&str, &str)> {
    seen.fields.iter().map(|(name, value)| (&**name, &**value)).collect()
}

#[test]
fn a_session_and_its_statements_have_spans_that_say_how_they_ended() {
    let witness = Witness::default();
    let _listens = dispatcher::set_default(&witness.dispatch(LevelFilter::DEBUG));
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "al\x1bice").await;
        let id = alice.id().to_string();
        assert_eq!(code(&alice, "hello 'swordfish'").await, 0);
        assert_eq!(code(&alice, "fail").await, 1062);
        let waiting = Running::begin(&alice, "wait swordfish").await;
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
        receipt.ended().await;
        assert_eq!(waiting.code().await, 1317);
        let cut_off = Running::begin(&alice, "wait swordfish").await;
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Connection).await.unwrap();
        receipt.ended().await;
        cut_off.end().await.unwrap_err();
        assert_eq!(code(&alice, "hello").await, 1317, "no statement and no span");
        drop((alice, runtime));
        settle().await;

        let seen = witness.closed();
        let names: Vec<&str> = seen.iter().map(|seen| &*seen.name).collect();
        assert_eq!(names, ["statement", "statement", "statement", "statement", "session"]);
        let ids: Vec<u64> = seen[..4].iter().map(|seen| seen.fields["query_id"].parse().unwrap()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        let of = |n: usize| {
            let mut of = fields(&seen[n]);
            of.retain(|(name, _)| *name != "query_id");
            of
        };
        assert_eq!(of(0), [("number", "1"), ("outcome", "ok")]);
        assert_eq!(of(1), [("code", "1062"), ("number", "2"), ("outcome", "error")]);
        let killed = |number| [("code", "1317"), ("number", number), ("outcome", "killed"), ("reason", "kill query")];
        assert_eq!(of(2), killed("3"));
        let reason = Reason::KillConnection.as_str();
        assert_eq!(of(3)[1..], [("number", "4"), ("outcome", "killed"), ("reason", reason)]);
        let user = ("user", "al\\x1Bice");
        assert_eq!(of(4), [("id", &*id), ("peer", "127.0.0.1:40000"), ("reason", reason), user]);
        assert!(!format!("{seen:?}").contains("swordfish"), "{seen:?}");
    });
}

#[test]
fn whoever_wants_none_gets_none() {
    let witness = Witness::default();
    let _listens = dispatcher::set_default(&witness.dispatch(LevelFilter::INFO));
    paused(async {
        let (runtime, _) = lab();
        assert_eq!(code(&connect(&runtime, "alice").await, "hello").await, 0);
    });
    assert_eq!(witness.begun(), 0);
}

/// An engine that says what it does in the host's log.
#[derive(Clone)]
struct Speaker(Dispatch);

impl Speaker {
    /// On whatever thread this is.
    fn say(&self, what: &str) {
        dispatcher::with_default(&self.0, || tracing::info!(target: "engine", what));
    }
}

impl Engine for Speaker {
    type Session = Speaker;

    async fn open(&self, _: &Arc<Principal>) -> Result<Speaker, SqlError> {
        self.say("opens");
        Ok(self.clone())
    }
}

impl EngineSession for Speaker {
    async fn execute(&mut self, _: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        self.say(&st.sql_lossy());
        tokio::task::yield_now().await;
        self.say("goes on");
        Ok(Done { in_transaction: true, ..Done::default() })
    }

    async fn rollback(&mut self, _: Reason) {
        self.say("rolls back");
    }
}

impl BlockingEngine for Speaker {
    type Session = Speaker;

    fn open(&self, _: &Arc<Principal>) -> Result<Speaker, SqlError> {
        self.say("opens");
        Ok(self.clone())
    }
}

impl BlockingSession for Speaker {
    fn execute(&mut self, _: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        self.say(&st.sql_lossy());
        self.say("goes on");
        Ok(Done { in_transaction: true, ..Done::default() })
    }

    fn rollback(&mut self, _: Reason) {
        self.say("rolls back");
    }
}

/// What an engine says in two sessions, one between the statements of the other, each with the spans that it is said in.
async fn two_sessions<E: Engine>(runtime: Runtime<E>) -> (SessionHandle, SessionHandle) {
    let (alice, bob) = (connect(&runtime, "alice").await, connect_root(&runtime).await);
    for (session, sql) in [(&alice, "one"), (&bob, "two"), (&alice, "three")] {
        assert_eq!(code(session, sql).await, 0);
    }
    let receipt = runtime.kill(&root(), Target::Session(bob.id()), KillMode::Connection).await.unwrap();
    receipt.ended().await;
    (alice, bob)
}

/// Paused time would go on while nothing happens but on a pool, up to the time-outs of idle sessions.
fn on_time_that_passes<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

fn expect_attributed(witness: &Witness, alice: &SessionHandle, bob: &SessionHandle) {
    let (alice, bob) = (format!("session {}", alice.id()), format!("session {}", bob.id()));
    let said: Vec<(String, Vec<String>)> =
        witness.said().into_iter().map(|seen| (seen.fields["what"].clone(), seen.within)).collect();
    let of = |number: u64, session: &str| vec![format!("statement {number}"), session.to_owned()];
    let expected = [
        ("opens", vec![alice.clone()]),
        ("opens", vec![bob.clone()]),
        ("one", of(1, &alice)),
        ("goes on", of(1, &alice)),
        ("two", of(1, &bob)),
        ("goes on", of(1, &bob)),
        ("three", of(2, &alice)),
        ("goes on", of(2, &alice)),
        ("rolls back", vec![bob]),
    ];
    assert_eq!(said, expected.map(|(what, within)| (what.to_owned(), within)));
}

#[test]
fn what_an_engine_logs_belongs_to_its_statement_and_session() {
    let witness = Witness::default();
    let dispatch = witness.dispatch(LevelFilter::DEBUG);
    let _listens = dispatcher::set_default(&dispatch);
    paused(async {
        let (alice, bob) = two_sessions(build(Speaker(dispatch.clone())).start()).await;
        expect_attributed(&witness, &alice, &bob);
    });
}

#[test]
fn on_a_pool_too() {
    let witness = Witness::default();
    let dispatch = witness.dispatch(LevelFilter::DEBUG);
    let _listens = dispatcher::set_default(&dispatch);
    let pool = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    on_time_that_passes(async {
        let placed = Placement::Pool(pool.handle().clone());
        let (alice, bob) = two_sessions(build(Speaker(dispatch.clone())).placement(placed).start()).await;
        expect_attributed(&witness, &alice, &bob);
    });
}

#[test]
fn on_blocking_threads_too() {
    let witness = Witness::default();
    let dispatch = witness.dispatch(LevelFilter::DEBUG);
    let _listens = dispatcher::set_default(&dispatch);
    paused(async {
        let (alice, bob) = two_sessions(build(Blocking::new(Speaker(dispatch.clone()))).start()).await;
        expect_attributed(&witness, &alice, &bob);
    });
}

#[test]
fn a_session_that_is_wanted_without_its_statements_is_there_for_the_engine() {
    let witness = Witness::default();
    let only = tracing_subscriber::EnvFilter::new("info,killdeer::session=debug");
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(witness.clone()).with(only));
    let _listens = dispatcher::set_default(&dispatch);
    let pool = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    on_time_that_passes(async {
        let placed = Placement::Pool(pool.handle().clone());
        let (alice, bob) = two_sessions(build(Speaker(dispatch.clone())).placement(placed).start()).await;
        let sessions: Vec<Vec<String>> = witness.said().into_iter().map(|seen| seen.within).collect();
        let [alice, bob] = [alice.id(), bob.id()].map(|id| vec![format!("session {id}")]);
        let [a, b] = [&alice, &bob];
        assert_eq!(sessions.iter().collect::<Vec<_>>(), [a, b, a, a, b, b, a, a, b]);
    });
}

#[test]
fn a_session_that_nobody_holds_has_closed_its_span_at_its_end() {
    let witness = Witness::default();
    let _listens = dispatcher::set_default(&witness.dispatch(LevelFilter::DEBUG));
    paused(async {
        let runtime = build(Lab::default()).start();
        drop(connect(&runtime, "alice").await);
        settle().await;
        let [session] = &witness.closed()[..] else { panic!("{:?}", witness.closed()) };
        assert_eq!(session.fields["reason"], "quit");
    });
}
