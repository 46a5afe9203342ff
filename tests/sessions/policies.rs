//! Rules that kill by themselves: they end what was seen and nothing else, and say so.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use actix::{Actor, Context, Handler};
use killdeer::{
    Clock, Dialect, Done, Engine, EngineSession, Event, KillMode, KillResult, KillRow, OnKill, OwnedValue, Principal,
    Privileges, Reason, RowSink, Runtime, SessionEvent, SessionHandle, SqlError, Statement, StatementContext, Target,
    policy::{Action, RuleStatus},
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use crate::lab::{Lab, Running, build, code, connect, lab, paused, root, rows, settle, user};

/// Runs a test on paused time. Looks go on as long as there are rules: what waits in vain must not wait for ever.
fn within_a_day<F: Future>(test: F) -> F::Output {
    paused(async { timeout(Duration::from_secs(86_400), test).await.expect("it waits in vain") })
}

/// Puts rules in force, and lets them look once.
async fn load(runtime: &Runtime<Lab>, text: &str) {
    runtime.policies().load(text).unwrap_or_else(|error| panic!("{error}"));
    settle().await;
}

fn rule(name: &str, rest: &str) -> String {
    format!("[[rule]]\nname = '{name}'\n{rest}\n")
}

/// What a rule has matched, done, would have done, and failed to do.
fn counts(runtime: &Runtime<Lab>, name: &str) -> [u64; 4] {
    let rules = runtime.policies().rules();
    let RuleStatus { matched, acted, dry, failed, .. } = rules.iter().find(|rule| *rule.name == *name).unwrap();
    [*matched, *acted, *dry, *failed]
}

/// Who is listed, besides administrators.
fn listed(runtime: &Runtime<Lab>) -> Vec<u64> {
    let rows = runtime.list(&root()).rows();
    rows.iter().filter(|row| row.user() != "root").map(|row| row.id.get()).collect()
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
    settle().await;
}

#[test]
fn a_statement_that_runs_too_long_is_ended_and_its_session_is_not() {
    within_a_day(async {
        let (runtime, _) = lab();
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        load(&runtime, &rule("slow", "busy_time = 60\nignore.user = 'bob'\naction = 'kill-query'")).await;
        let (hers, his) = (Running::begin(&alice, "wait").await, Running::begin(&bob, "wait").await);
        pass(58).await;
        assert!(!hers.is_over(), "not yet");
        pass(10).await;
        assert_eq!(hers.code().await, 1317);
        assert!(!his.is_over());
        assert_eq!(code(&alice, "x").await, 0, "the session works on");
        assert_eq!(counts(&runtime, "slow"), [1, 1, 0, 0]);
        pass(600).await;
        assert_eq!(counts(&runtime, "slow"), [1, 1, 0, 0], "an idle session is left alone, however long");
        his.abandon();
    });
}

#[test]
fn of_a_group_the_oldest_is_taken_or_all_but_it() {
    for (victims, ended) in [("oldest", [true, false, false, true]), ("all-but-oldest", [false, true, true, false])] {
        within_a_day(async {
            let (runtime, _) = lab();
            let mut statements = Vec::new();
            let mut sessions = Vec::new();
            for name in ["alice", "alice", "alice", "bob"] {
                let session = connect(&runtime, name).await;
                statements.push(Running::begin(&session, "wait").await);
                sessions.push(session);
                sleep(Duration::from_secs(1)).await;
            }
            // One look alone.
            let text =
                rule("g", &format!("busy_time = 1\ngroup_by = ['user']\nvictims = '{victims}'\naction = 'kill-query'"));
            load(&runtime, &format!("interval = 3600\n{text}")).await;
            let over: Vec<_> = statements.iter().map(Running::is_over).collect();
            assert_eq!(over, ended, "{victims}");
            statements.into_iter().for_each(Running::abandon);
        });
    }
}

#[test]
fn a_session_idle_in_a_transaction_is_ended_and_rolled_back() {
    within_a_day(async {
        let (runtime, log) = lab();
        let (alice, bob, carol) =
            (connect(&runtime, "alice").await, connect(&runtime, "bob").await, connect(&runtime, "carol").await);
        let text = rule("idle", "idle_time = 60\ntransaction_age = 90\naction = 'kill-connection'");
        load(&runtime, &text).await;
        rows(&alice, "begin").await.unwrap();
        rows(&carol, "begin").await.unwrap();
        pass(70).await;
        rows(&carol, "x").await.unwrap();
        rows(&bob, "begin").await.unwrap();
        rows(&bob, "commit").await.unwrap();
        pass(15).await;
        assert_eq!(listed(&runtime).len(), 3, "hers is not old enough");
        pass(10).await;
        assert_eq!(listed(&runtime), [bob.id().get(), carol.id().get()], "carol was busy in hers just now");
        let noted = log.take();
        assert!(noted.contains(&"alice rolls back: kill connection".to_owned()), "{noted:?}");
        pass(60).await;
        assert_eq!(listed(&runtime), [bob.id().get()], "bob has no transaction");
        assert_eq!(counts(&runtime, "idle"), [2, 2, 0, 0]);
    });
}

#[test]
fn a_dry_run_changes_nothing_and_counts() {
    within_a_day(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let text = rule("try", "match.user = 'alice'\naction = 'kill-connection'\ndry_run = true")
            + &rule("say", "match.user = 'alice'\naction = 'log'");
        load(&runtime, &text).await;
        let waiting = Running::begin(&alice, "wait").await;
        pass(12).await;
        assert!(!waiting.is_over());
        assert_eq!(listed(&runtime), [alice.id().get()]);
        assert_eq!((counts(&runtime, "try"), counts(&runtime, "say")), ([3, 0, 3, 0], [3, 3, 0, 0]));
        assert!(runtime.list(&root()).kills().is_empty(), "nobody has asked for a kill");
        waiting.abandon();
    });
}

#[test]
fn the_audit_names_the_rule() {
    within_a_day(async {
        let (runtime, _) = lab();
        let told = Told::default();
        runtime.subscribe(told.clone().start().recipient(), 1000);
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        let waiting = Running::begin(&alice, "wait").await;
        let query_id = runtime.list(&root()).rows()[0].query_id.unwrap();
        let text = rule("slow ones", "busy_time = 0\naction = 'kill-query'")
            + &rule("bob", "match.user = 'bob'\naction = 'kill-connection'");
        load(&runtime, &text).await;
        assert_eq!(waiting.code().await, 1317);
        assert_eq!(bob.ended().await, Reason::KillConnection);
        let of = |viewer: &Arc<Principal>| -> Vec<_> {
            let kills = runtime.list(viewer).kills();
            kills.iter().map(|kill| (kill.target.clone(), kill.cause.to_string())).collect()
        };
        let (statement, session) = (format!("QUERY ID {query_id}"), bob.id().to_string());
        let both = [(statement.clone(), "policy slow ones".into()), (session, "policy bob".into())];
        assert_eq!(of(&root()), both);
        assert_eq!(of(&user("alice")), both[..1], "the victim reads of its own");
        assert_eq!(of(&user("policy")), [], "a user of that name is somebody else");
        let kills = runtime.list(&root()).kills();
        for (kill, (victim, name)) in kills.iter().zip([(&alice, "alice"), (&bob, "bob")]) {
            assert_eq!((&*kill.by, kill.by_id, kill.by_host, kill.sessions), ("policy", None, None, 1));
            let found = kill.victim.as_ref().map(|victim| (victim.id, victim.user.as_deref()));
            assert_eq!((found, kill.result), (Some((victim.id(), Some(name))), KillResult::Ended));
        }
        assert_eq!(told.take(), ["policy: policy slow ones Ok(1)", "policy: policy bob Ok(1)"]);
        let row = kills[0].row();
        let why = &row[KillRow::columns().iter().position(|column| column.name == "WHY").expect("a column")];
        assert_eq!(*why, OwnedValue::Text("policy slow ones".into()), "the column WHY");
    });
}

/// The kills that subscribers are told of.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Actor for Told {
    type Context = Context<Self>;
}

impl Handler<SessionEvent> for Told {
    type Result = ();

    fn handle(&mut self, told: SessionEvent, _: &mut Self::Context) {
        if let Event::KillAsked { by, cause, outcome, .. } = told.event {
            self.0.lock().unwrap().push(format!("{}: {cause} {outcome:?}", by.user()));
        }
    }
}

#[test]
fn a_broken_text_leaves_the_rules_as_they_are() {
    within_a_day(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        load(&runtime, &rule("slow", "busy_time = 60\naction = 'kill-query'")).await;
        let waiting = Running::begin(&alice, "wait").await;
        pass(30).await;
        let before = runtime.policies().rules();
        let broken =
            rule("other", "match.user = '.'\naction = 'kill-connection'") + "\n[[rule]]\nname = 'x'\nbusytime = 1";
        let error = runtime.policies().load(&broken).unwrap_err();
        assert_eq!((error.line, error.column), (8, 1), "{error}");
        assert_eq!(runtime.policies().rules(), before);
        pass(20).await;
        assert!(!waiting.is_over(), "nothing of the broken text is heeded");
        pass(20).await;
        assert_eq!(waiting.code().await, 1317, "and the rule in force is");
    });
}

#[test]
fn other_rules_take_the_place_of_those_in_force() {
    within_a_day(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let slow = rule("slow", "busy_time = 10\naction = 'kill-query'");
        load(&runtime, &slow).await;
        let first = Running::begin(&alice, "wait").await;
        pass(20).await;
        assert_eq!(first.code().await, 1317);
        load(&runtime, &(rule("new", "busy_time = '1h'\naction = 'log'") + &slow)).await;
        let rules = runtime.policies().rules();
        let names: Vec<_> = rules.iter().map(|rule| (&*rule.name, rule.action, rule.acted)).collect();
        assert_eq!(names, [("new", Action::Log, 0), ("slow", Action::KillQuery, 1)], "a rule that stays counts on");
        let second = Running::begin(&alice, "wait").await;
        load(&runtime, "").await;
        pass(3600).await;
        assert!(!second.is_over() && runtime.policies().rules().is_empty(), "without rules nothing is killed");
        load(&runtime, &slow).await;
        assert_eq!(second.code().await, 1317, "rules look at once");
        assert_eq!(counts(&runtime, "slow"), [1, 1, 0, 0], "what is gone is forgotten");
    });
}

#[test]
fn secrets_are_not_to_be_found_by_a_rule() {
    within_a_day(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let waiting = Running::begin(&alice, "wait CREATE USER eve IDENTIFIED BY 'swordfish'").await;
        let text = |info: &str| rule("it", &format!("match.info = '{info}'\naction = 'kill-query'"));
        load(&runtime, &text("sword")).await;
        assert_eq!(counts(&runtime, "it"), [0; 4]);
        load(&runtime, &text("IDENTIFIED BY")).await;
        assert_eq!(waiting.code().await, 1317);
    });
}

#[test]
fn in_every_system_everybody_is_the_policies_to_kill() {
    for dialect in Dialect::NAMES.map(|name| Dialect::named(name).unwrap()) {
        within_a_day(async {
            let runtime = build(Lab::default()).dialect(dialect).start();
            for tenant in ["sys", "other"].map(|name| dialect.account(&format!("u@{name}")).1) {
                let admin = Principal::new("admin", Privileges::ALL);
                let admin = tenant.into_iter().fold(admin, Principal::in_tenant);
                let session = runtime.connect(admin, crate::lab::peer()).await.unwrap();
                load(&runtime, &rule("all", "idle_time = 0\naction = 'kill-connection'")).await;
                assert_eq!(session.ended().await, Reason::KillConnection, "{dialect:?}");
                load(&runtime, "").await;
            }
        });
    }
}

/// An engine whose statements `hold` end when they are let go.
#[derive(Clone, Default)]
struct Hold(Arc<Notify>);

impl Engine for Hold {
    type Session = Hold;

    async fn open(&self, _: &Arc<Principal>) -> Result<Hold, SqlError> {
        Ok(self.clone())
    }
}

impl EngineSession for Hold {
    async fn execute(&mut self, _: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        if st.sql_lossy() == "hold" {
            self.0.notified().await;
        }
        Ok(Done::default())
    }
}

/// An engine that heeds no kill.
#[derive(Clone, Default)]
struct Stubborn(Arc<Notify>);

impl Engine for Stubborn {
    type Session = Stubborn;

    async fn open(&self, _: &Arc<Principal>) -> Result<Stubborn, SqlError> {
        Ok(self.clone())
    }
}

impl EngineSession for Stubborn {
    const ON_KILL: OnKill = OnKill::Finish;

    async fn execute(&mut self, _: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        if st.sql_lossy() == "hold" {
            self.0.notified().await;
        }
        Ok(Done::default())
    }
}

#[test]
fn a_statement_that_ignores_its_kill_loses_its_session() {
    within_a_day(async {
        let engine = Stubborn::default();
        let runtime = build(engine.clone()).start();
        let alice = connect(&runtime, "alice").await;
        let text = rule("first", "busy_time = 60\naction = 'kill-query'")
            + &rule("then", "busy_time = 300\nmatch.command = '^Query$'\naction = 'kill-connection'");
        runtime.policies().load(&text).unwrap();
        let held = Running::begin(&alice, "hold").await;
        let killed = || runtime.list(&root()).rows()[0].killed;
        pass(290).await;
        assert_eq!(killed(), Some(KillMode::Query));
        pass(300).await;
        assert_eq!(killed(), Some(KillMode::Connection));
        engine.0.notify_one();
        assert_eq!(held.code().await, 1317, "by its first kill");
        assert_eq!(alice.ended().await, Reason::KillConnection);
        let kills = runtime.list(&root()).kills();
        let causes: Vec<_> = kills.iter().map(|kill| (kill.cause.to_string(), kill.mode, kill.result)).collect();
        let each = |rule: &str, mode| (format!("policy {rule}"), mode, KillResult::Ended);
        assert_eq!(causes, [each("first", KillMode::Query), each("then", KillMode::Connection)], "each of them once");
    });
}

/// Waits for something that happens on another thread.
async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let patience = async {
        while !happened() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(60), patience).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// A rule looks at a session while the supervisor is kept busy; the session goes on; and only then comes the kill.
fn goes_on(action: &str, busy: bool, on: impl AsyncFnOnce(&SessionHandle, &Notify) -> Option<Running>) {
    actix_rt::System::new().block_on(async {
        let engine = Hold::default();
        let held = Arc::clone(&engine.0);
        // The supervisor asks for the time of every kill. Here it waits for it while time stands still.
        let stands_still = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicUsize::new(0));
        let clock = {
            let (stands_still, asked) = (Arc::clone(&stands_still), Arc::clone(&asked));
            Clock::new(move || {
                asked.fetch_add(1, Ordering::SeqCst);
                while stands_still.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                SystemTime::UNIX_EPOCH
            })
        };
        let runtime = Runtime::builder(engine).clock(clock).start();
        let alice = connect(&runtime, "alice").await;
        let first = if busy { Some(Running::begin(&alice, "hold").await) } else { None };
        until("the session is as it is to be seen", || runtime.list(&root()).rows()[0].statement.is_some() == busy)
            .await;

        let before = asked.load(Ordering::SeqCst);
        stands_still.store(true, Ordering::SeqCst);
        let unknown = Target::Session(killdeer::SessionId::new(999));
        let other = tokio::task::spawn_local({
            let runtime = runtime.clone();
            async move { runtime.kill(&root(), unknown, KillMode::Query).await.map(|_| ()) }
        });
        until("the supervisor waits", || asked.load(Ordering::SeqCst) > before).await;
        let status = || runtime.policies().rules()[0].clone();
        runtime.policies().load(&rule("it", &format!("match.user = 'alice'\naction = '{action}'"))).unwrap();
        until("the rule has matched", || status().matched == 1).await;
        let after = on(&alice, &held).await;
        stands_still.store(false, Ordering::SeqCst);
        assert!(other.await.unwrap().is_err(), "there is no such session");
        until("the kill was decided", || status().acted + status().failed == 1).await;
        assert_eq!(status().failed, 1, "it was to be left alone");
        let kills = runtime.list(&root()).kills();
        assert_eq!((kills[1].cause.to_string(), kills[1].result), ("policy it".into(), KillResult::NothingToEnd));
        runtime.policies().load("").unwrap();

        if let Some(after) = after {
            assert!(!after.is_over(), "its next statement runs");
            held.notify_one();
            after.end().await.expect("and ends well").collect_rows().await.unwrap();
        }
        if let Some(first) = first {
            first.end().await.expect("the first one has ended well").collect_rows().await.unwrap();
        }
        alice.query("x").await.expect("and the session works on");
    });
}

/// Lets the running statement go and waits for its end.
async fn end(session: &SessionHandle, held: &Notify) {
    held.notify_one();
    // Statements of one session come one after the other.
    session.query("x").await.unwrap().collect_rows().await.unwrap();
}

#[test]
fn a_statement_that_has_ended_since_is_not_hit_nor_is_the_next() {
    goes_on("kill-query", true, async |session, held| {
        end(session, held).await;
        Some(Running::begin(session, "hold").await)
    });
    goes_on("kill-query", true, async |session, held| {
        end(session, held).await;
        None
    });
}

#[test]
fn a_session_that_has_gone_on_since_is_not_ended() {
    goes_on("kill-connection", true, async |session, held| {
        end(session, held).await;
        Some(Running::begin(session, "hold").await)
    });
    goes_on("kill-connection", true, async |session, held| {
        end(session, held).await;
        None
    });
    goes_on("kill-connection", false, async |session, _| Some(Running::begin(session, "hold").await));
    // Idle as before, and yet it has done something meanwhile.
    goes_on("kill-connection", false, async |session, _| {
        session.query("x").await.unwrap().collect_rows().await.unwrap();
        None
    });
}
