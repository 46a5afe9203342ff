//! The figures that a host collects, after things of which it is known what they count for.

use std::{collections::BTreeMap, time::Duration};

use killdeer::{Engine, KillMode, Layout, Runtime, Settings, Target};
use metrics_util::{
    CompositeKey, MetricKind,
    debugging::{DebugValue, DebuggingRecorder, Snapshotter},
};

use crate::lab::{Lab, Running, build, code, connect, connect_root, lab, paused, root, settle};

/// One recorder for a test, which hears all that its thread records.
struct Collector(Snapshotter);

impl Collector {
    /// Runs a test with a recorder.
    fn run<F: Future<Output = ()>>(test: impl FnOnce(Collector) -> F) {
        let recorder = DebuggingRecorder::new();
        let collector = Collector(recorder.snapshotter());
        let _recording = metrics::set_default_local_recorder(&recorder);
        paused(test(collector));
    }

    /// All figures by their names with labels, as Prometheus writes them; of a histogram, how many values it has.
    fn all<E: Engine>(&self, runtime: &Runtime<E>) -> BTreeMap<String, f64> {
        runtime.publish_figures();
        let mut all = BTreeMap::new();
        for (key, unit, about, value) in self.0.snapshot().into_vec() {
            assert!(unit.is_some() && about.is_some_and(|about| !about.is_empty()), "{key:?} is described");
            expect_named_by_its_kind(&key);
            let labels: Vec<String> =
                key.key().labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let value = match value {
                DebugValue::Counter(count) => f64::from(u32::try_from(count).unwrap()),
                DebugValue::Gauge(value) => value.into_inner(),
                DebugValue::Histogram(values) => f64::from(u32::try_from(values.len()).unwrap()),
            };
            all.insert(key.key().name().to_owned() + &labels, value);
        }
        all
    }

    /// Those that are not 0, of those whose names begin so, without that beginning.
    fn some<E: Engine>(&self, runtime: &Runtime<E>, begin: &str) -> Vec<(String, f64)> {
        let of = |(name, value): (String, f64)| {
            name.strip_prefix(begin).filter(|_| value != 0.0).map(|rest| (rest.to_owned(), value))
        };
        self.all(runtime).into_iter().filter_map(of).collect()
    }
}

/// Prometheus's rules for names.
fn expect_named_by_its_kind(key: &CompositeKey) {
    let name = key.key().name();
    assert!(name.starts_with("killdeer_"), "{name}");
    assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
    assert_eq!(key.kind() == MetricKind::Counter, name.ends_with("_total"), "{name}");
    for label in key.key().labels() {
        assert!(matches!(label.key(), "state" | "kind" | "outcome" | "cause" | "reason"), "{label:?}");
        assert!(label.value().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{label:?}");
    }
}

fn pairs(expected: &[(&str, f64)]) -> Vec<(String, f64)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

const SESSIONS: &str = "killdeer_sessions{state=";

#[test]
fn sessions_are_counted_by_what_they_are_at_and_each_once() {
    Collector::run(async |collector| {
        let runtime = build(Lab { rollback: Some(Duration::from_secs(60)), ..Lab::default() }).start();
        let idle = connect(&runtime, "idle").await;
        let open = connect(&runtime, "open").await;
        assert_eq!(code(&open, "begin").await, 0);
        let busy = connect(&runtime, "busy").await;
        let running = Running::begin(&busy, "wait").await;
        let expected = pairs(&[("\"idle\"}", 1.0), ("\"idle_in_transaction\"}", 1.0), ("\"running\"}", 1.0)]);
        assert_eq!(collector.some(&runtime, SESSIONS), expected);

        let _rolls_back = runtime.kill(&root(), Target::Session(open.id()), KillMode::Connection).await.unwrap();
        settle().await;
        let expected = pairs(&[("\"idle\"}", 1.0), ("\"rolling_back\"}", 1.0), ("\"running\"}", 1.0)]);
        assert_eq!(collector.some(&runtime, SESSIONS), expected);
        assert_eq!(collector.all(&runtime)["killdeer_session_actors"], 3.0);
        drop((idle, running, busy, open));
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(collector.some(&runtime, SESSIONS), [], "at zero too");
        assert_eq!(collector.some(&runtime, "killdeer_session_actors"), []);
    });
}

#[test]
fn a_session_whose_engine_does_not_heed_its_kill_is_counted_as_killed() {
    use std::sync::Arc;

    use killdeer::{Done, EngineSession, OnKill, Principal, RowSink, SqlError, Statement, StatementContext};

    struct Deaf;

    impl Engine for Deaf {
        type Session = Deaf;

        async fn open(&self, _: &Arc<Principal>) -> Result<Deaf, SqlError> {
            Ok(Deaf)
        }
    }

    impl EngineSession for Deaf {
        const ON_KILL: OnKill = OnKill::Finish;

        async fn execute(&mut self, _: &StatementContext, _: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(Done::default())
        }
    }

    Collector::run(async |collector| {
        let runtime = build(Deaf).start();
        let alice = connect(&runtime, "alice").await;
        let running = Running::begin(&alice, "wait").await;
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
        assert_eq!(collector.some(&runtime, SESSIONS), pairs(&[("\"killed\"}", 1.0)]));
        assert_eq!(collector.some(&runtime, "killdeer_kill_duration"), [], "no time before the end");
        receipt.ended().await;
        assert_eq!(running.code().await, 1317);
        assert_eq!(collector.some(&runtime, SESSIONS), pairs(&[("\"idle\"}", 1.0)]));
    });
}

#[test]
fn kills_are_counted_by_kind_and_outcome_and_timed_when_they_are_over() {
    Collector::run(async |collector| {
        let (runtime, _) = lab();
        let by = connect_root(&runtime).await;
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        assert_eq!(code(&bob, &format!("KILL {}", alice.id())).await, 1095);
        assert_eq!(code(&bob, &format!("KILL QUERY {}", alice.id())).await, 1095);
        assert_eq!(code(&bob, "KILL 4000").await, 1094);
        assert_eq!(code(&by, &format!("KILL QUERY {}", alice.id())).await, 0);
        let waiting = Running::begin(&alice, "wait").await;
        assert_eq!(code(&by, &format!("KILL QUERY {}", alice.id())).await, 0);
        assert_eq!(waiting.code().await, 1317);
        assert_eq!(code(&by, &format!("KILL {}", alice.id())).await, 0);
        settle().await;
        let expected = [
            ("{kind=\"connection\",outcome=\"denied\"}", 1.0),
            ("{kind=\"connection\",outcome=\"signalled\"}", 1.0),
            ("{kind=\"connection\",outcome=\"unknown\"}", 1.0),
            ("{kind=\"query\",outcome=\"denied\"}", 1.0),
            ("{kind=\"query\",outcome=\"nothing_to_end\"}", 1.0),
            ("{kind=\"query\",outcome=\"signalled\"}", 1.0),
        ];
        assert_eq!(collector.some(&runtime, "killdeer_kills_total"), pairs(&expected));
        let cut = collector.some(&runtime, "killdeer_statements_cut_short_total");
        assert_eq!(cut, pairs(&[("{reason=\"kill_query\"}", 1.0)]));
        let ended = collector.some(&runtime, "killdeer_sessions_ended_total");
        assert_eq!(ended, pairs(&[("{reason=\"kill_connection\"}", 1.0)]));
    });
}

#[test]
fn the_times_of_kills_are_recorded_in_seconds_at_their_ends() {
    Collector::run(async |collector| {
        let runtime = build(Lab { rollback: Some(Duration::from_millis(1500)), ..Lab::default() }).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Connection).await.unwrap();
        receipt.ended().await;
        let (name, times) = collector
            .0
            .snapshot()
            .into_vec()
            .into_iter()
            .find_map(|(key, _, _, value)| match value {
                DebugValue::Histogram(times) => Some((key.key().name().to_owned(), times)),
                _ => None,
            })
            .expect("a histogram");
        assert_eq!(name, "killdeer_kill_duration_seconds");
        assert_eq!(times.iter().map(|time| time.into_inner()).collect::<Vec<_>>(), [1.5]);
    });
}

#[test]
fn statements_connections_and_refusals_are_counted_exactly() {
    Collector::run(async |collector| {
        let runtime = build(Lab::default()).ids(Layout::range(1, 2).unwrap()).start();
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        for _ in 0..3 {
            assert_eq!(code(&alice, "hello").await, 0);
        }
        assert_eq!(code(&bob, "panic").await, 1105);
        let who = || killdeer::Principal::new("carol", killdeer::Privileges::NONE);
        settle().await;
        let carol = runtime.connect(who(), crate::lab::peer()).await.unwrap();
        runtime.connect(who(), crate::lab::peer()).await.unwrap_err();
        drop((alice, carol));
        settle().await;
        runtime.shutdown(Duration::from_secs(1)).await;
        runtime.connect(who(), crate::lab::peer()).await.unwrap_err();
        let all = collector.all(&runtime);
        assert_eq!(all["killdeer_connections_total"], 3.0);
        assert_eq!(all["killdeer_statements_total"], 4.0);
        assert_eq!(all["killdeer_panics_total"], 1.0);
        assert_eq!(all["killdeer_aborted_clients_total"], 1.0);
        assert_eq!(all["killdeer_refused_connections_total{cause=\"too_many_connections\"}"], 1.0);
        assert_eq!(all["killdeer_refused_connections_total{cause=\"shutdown\"}"], 1.0);
        let ended = collector.some(&runtime, "killdeer_sessions_ended_total");
        assert_eq!(ended, pairs(&[("{reason=\"panic_in_the_engine\"}", 1.0), ("{reason=\"quit\"}", 2.0)]));
        // Nothing has happened since, and nothing is counted twice.
        assert_eq!(collector.all(&runtime), all);
    });
}

#[test]
fn a_time_limit_that_ends_a_statement_or_a_session_is_counted_once() {
    Collector::run(async |collector| {
        let mut settings = Settings::new();
        settings.read("max_statement_time", "1.5").unwrap();
        settings.read("wait_timeout", "60").unwrap();
        let runtime = build(Lab::default()).settings(settings).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "wait").await, 1969);
        let timeouts = |more: &[(&str, f64)]| {
            let mut expected = pairs(more);
            expected.push(("{reason=\"statement_time_exceeded\"}".into(), 1.0));
            assert_eq!(collector.some(&runtime, "killdeer_timeouts_total"), expected);
        };
        timeouts(&[]);
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert!(!alice.addr().connected());
        timeouts(&[("{reason=\"idle_for_too_long\"}", 1.0)]);
        assert_eq!(collector.some(&runtime, "killdeer_kills_total"), [], "nobody has asked for a kill");
    });
}
