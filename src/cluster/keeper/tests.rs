//! The keeper over a real registry with real sessions, on paused time.

use std::{
    cell::{Cell, OnceCell},
    collections::VecDeque,
    future::{Future, pending},
    sync::Mutex,
};

use tokio::{
    sync::oneshot,
    task::{LocalSet, spawn_local},
    time::Instant,
};

use super::*;
use crate::{
    Column, ColumnType, Dialect, Done, Engine, EngineSession, KillError, KillMode, Principal, Privileges, Reason,
    Refused, RowSink, Runtime, SessionHandle, SqlError, Statement, StatementContext, Target, Value,
    cluster::{
        Addresses, Fixed, InMemory, Line, Members, ServerIds,
        coordinator::{Claim, Coordinator},
    },
};

const fn seconds(time: u64) -> Duration {
    Duration::from_secs(time)
}

/// TiDB's own of its test, but for a fence at a time at which the keeper does not look at the clock anyhow.
const TIMES: LeaseTimes = LeaseTimes {
    lease: seconds(10),
    renew_every: seconds(1),
    fence_after: Duration::from_millis(5_230),
    claim_every: seconds(10),
    cool_down: seconds(10),
};

thread_local! {
    static BOOT: OnceCell<Instant> = const { OnceCell::new() };
    static SUSPENDED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The time that timers go by, and that for which the machine was suspended.
fn now() -> Moment {
    let boot = BOOT.with(|boot| *boot.get_or_init(|| Instant::now() - seconds(100)));
    boot.elapsed() + SUSPENDED.get()
}

fn suspend(time: Duration) {
    SUSPENDED.set(SUSPENDED.get() + time);
}

/// An engine that waits, on `wait`; the rollback of a user `stuck` takes 1000 s.
struct Waits;

struct Waiting(bool);

impl Engine for Waits {
    type Session = Waiting;

    async fn open(&self, who: &Arc<Principal>) -> Result<Waiting, SqlError> {
        Ok(Waiting(&**who.user() == "stuck"))
    }
}

impl EngineSession for Waiting {
    async fn execute(&mut self, _: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        if &*st.sql_lossy() == "wait" {
            pending().await
        }
        out.columns([Column::new("echo", ColumnType::VarChar)])?;
        out.row(&[Value::Bytes(&st.sql)])?;
        Ok(Done { in_transaction: self.0, ..Done::default() })
    }

    async fn rollback(&mut self, _: Reason) {
        if self.0 {
            sleep(seconds(1_000)).await;
        }
    }
}

fn paused<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    // What never comes ends the test.
    let test = async { timeout(seconds(5 * 3_600), test).await.expect("it is waited for in vain") };
    LocalSet::new().block_on(&runtime, test)
}

fn claim(ids: ServerIds) -> Claim {
    let at = |port| ([127, 0, 0, 1], port).into();
    Claim { ids, addresses: Addresses { clients: at(4_000), peers: at(4_001) }, times: TIMES }
}

/// A node of TiDB's, and its keeper's work.
struct Node {
    runtime: Runtime<Waits>,
    seat: Seat,
    keeper: tokio::task::JoinHandle<()>,
}

fn node(coordinator: impl Coordinator, ids: ServerIds) -> Node {
    let runtime =
        Runtime::builder(Waits).dialect(Dialect::tidb()).rollback_timeout(seconds(2_000)).single_arbiter().start();
    let registry = Arc::clone(&runtime.shared.registry);
    let (keeper, seat) = Keeper::new(registry, Arc::new(coordinator), claim(ids), now);
    Node { runtime, seat, keeper: spawn_local(keeper.run()) }
}

impl Node {
    fn lease_left(&self) -> Option<Duration> {
        self.runtime.shared.registry.standing.left()
    }

    async fn connect(&self, user: &str) -> Result<SessionHandle, Refused> {
        self.runtime.connect(Principal::new(user, Privileges::NONE), "127.0.0.1:40000".parse().unwrap()).await
    }

    fn listed(&self) -> usize {
        self.runtime.shared.registry.len()
    }

    /// Waits until it is not this any more.
    async fn fenced(&self, was: Identity) {
        let mut place = self.seat.place.clone();
        let lost = |place: &Place| !matches!(place, Place::Member { identity, .. } if *identity == was);
        place.wait_for(lost).await.unwrap();
    }

    /// The server whose ids these are.
    fn server_of(&self, session: &SessionHandle) -> Option<u32> {
        self.runtime.shared.registry.layout().server_of(session.id())
    }
}

fn tidb() -> ServerIds {
    ServerIds::of(&Dialect::tidb())
}

/// The only server id there is.
fn single() -> ServerIds {
    ServerIds::of(&Dialect::oceanbase()).up_to(1)
}

/// Why a statement has failed.
async fn error_of(session: &SessionHandle, sql: &'static str) -> SqlError {
    match session.query(sql).await {
        Ok(results) => results.collect_rows().await.unwrap_err(),
        Err(error) => error,
    }
}

/// What became of the statement that waits.
async fn waited(session: SessionHandle) -> u16 {
    error_of(&session, "wait").await.code()
}

#[test]
fn clients_are_let_in_with_the_ids_of_the_server_that_was_claimed() {
    paused(async {
        let coordinator = InMemory::by(now);
        let (own, other) = (coordinator.node(), coordinator.node());
        let members = other.members();
        own.line(Line::Cut);
        let way = own.clone();
        let node = node(own, tidb());
        assert_eq!(node.seat.place(), Place::Outside);
        assert_eq!(node.connect("early").await.unwrap_err(), Refused::Offline);
        way.line(Line::Good);
        let identity = node.seat.joined().await.unwrap();
        let session = node.connect("alice").await.unwrap();
        assert_eq!(node.server_of(&session), Some(identity.server));
        assert_eq!(members.borrow()[&identity.server].identity, identity);
        // For as long as it is renewed.
        sleep(seconds(3_600)).await;
        assert_eq!(node.seat.identity(), Some(identity));
        assert!(node.lease_left().is_some_and(|left| seconds(3) < left && left <= TIMES.fence_after));
        session.query("x").await.unwrap().collect_rows().await.unwrap();
    });
}

#[test]
fn a_silent_coordinator_changes_nothing_until_the_fence_and_everything_then() {
    for line in [Line::Silent, Line::Cut, Line::Unanswered] {
        paused(async {
            let coordinator = InMemory::by(now);
            let own = coordinator.node();
            let way = own.clone();
            let node = node(own, tidb());
            let before = node.seat.joined().await.unwrap();
            let session = node.connect("alice").await.unwrap();
            let busy = spawn_local(waited(node.connect("bob").await.unwrap()));
            sleep(Duration::from_millis(2_100)).await;
            way.line(line);
            let left = node.lease_left().unwrap();
            let last = Instant::now() + left;
            sleep(left - Duration::from_millis(1)).await;
            session.query("x").await.unwrap().collect_rows().await.unwrap();
            node.fenced(before).await;
            assert!(Instant::now() < last + Duration::from_millis(10), "whatever hangs, it is in time");
            assert_eq!(node.connect("late").await.unwrap_err(), Refused::Offline);
            assert_eq!(busy.await.unwrap(), 3032);
            sleep(seconds(1)).await;
            assert_eq!((node.listed(), node.seat.place()), (0, Place::Outside));
            assert_eq!(node.connect("late").await.unwrap_err(), Refused::Offline);
            // It is back, and so is the node, as somebody else: its former server id is not free yet.
            way.line(Line::Good);
            let after = node.seat.joined().await.unwrap();
            assert!(after.server != before.server && after.epoch > before.epoch, "{before:?} {after:?}");
            let session = node.connect("alice").await.unwrap();
            assert_eq!(node.server_of(&session), Some(after.server));
        });
    }
}

#[test]
fn a_node_that_was_suspended_acts_on_nothing_before_it_has_fenced_itself() {
    paused(async {
        let coordinator = InMemory::by(now);
        let node = node(coordinator.node(), tidb());
        let identity = node.seat.joined().await.unwrap();
        let (alice, bob) = (node.connect("alice").await.unwrap(), node.connect("bob").await.unwrap());
        let root = Arc::new(Principal::new("root", Privileges::ALL));
        // No timer of its own has told it, and none can have.
        suspend(TIMES.lease);
        assert!(!coordinator.members().contains_key(&identity.server));
        assert_eq!(node.seat.identity(), None);
        let registry = Arc::clone(&node.runtime.shared.registry);
        assert!(!registry.stands());
        assert_eq!(node.connect("late").await.unwrap_err(), Refused::Offline);
        let kill = node.runtime.kill(&root, Target::Session(bob.id()), KillMode::Connection);
        assert_eq!(kill.await.unwrap_err(), KillError::Offline);
        assert_eq!(error_of(&alice, "x").await.code(), 3032);
        assert!(matches!(*node.seat.place.borrow(), Place::Member { .. }), "the keeper has yet to find it");
        node.fenced(identity).await;
        let again = node.seat.joined().await.unwrap();
        assert_ne!(again.server, identity.server);
        assert_eq!(node.listed(), 0, "bob's session, too");
    });
}

#[test]
fn a_server_id_that_is_gone_fences_the_node_before_its_time() {
    paused(async {
        let coordinator = InMemory::by(now);
        let node = node(coordinator.node(), tidb());
        let before = node.seat.joined().await.unwrap();
        let busy = spawn_local(waited(node.connect("bob").await.unwrap()));
        let since = Instant::now();
        coordinator.take(before.server);
        node.fenced(before).await;
        assert!(since.elapsed() <= TIMES.renew_every + Duration::from_millis(1));
        assert_eq!(busy.await.unwrap(), 3032);
        let after = node.seat.joined().await.unwrap();
        assert!(after.epoch > before.epoch);
    });
}

#[test]
fn a_server_id_comes_back_after_its_cool_down_alone() {
    paused(async {
        let coordinator = InMemory::by(now);
        let (first, second) = (node(coordinator.node(), single()), node(coordinator.node(), single()));
        let before = first.seat.joined().await.unwrap();
        sleep(seconds(60)).await;
        assert_eq!((before.server, second.seat.place()), (1, Place::Outside));
        let left = now();
        first.seat.leave().await;
        assert!(coordinator.members().is_empty());
        assert_eq!(first.connect("late").await.unwrap_err(), Refused::Offline);
        let after = second.seat.joined().await.unwrap();
        // What was renewed last is a second old at most.
        let least = TIMES.lease + TIMES.cool_down - TIMES.renew_every;
        assert!(now() - left >= least, "{:?}", now() - left);
        assert!(after.server == 1 && after.epoch > before.epoch);
    });
}

#[test]
fn sessions_that_do_not_end_keep_the_node_from_another_server_id() {
    paused(async {
        let coordinator = InMemory::by(now);
        let node = node(coordinator.node(), tidb());
        let before = node.seat.joined().await.unwrap();
        let stuck = node.connect("stuck").await.unwrap();
        stuck.query("x").await.unwrap().collect_rows().await.unwrap();
        coordinator.take(before.server);
        node.fenced(before).await;
        sleep(seconds(900)).await;
        assert_eq!((node.seat.place(), node.listed()), (Place::Fenced(Why::Taken), 1));
        assert!(coordinator.members().is_empty(), "it has asked for none");
        node.seat.joined().await.unwrap();
        assert_eq!(node.listed(), 0);
    });
}

/// A coordinator whose renewals the test answers.
#[derive(Clone)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    /// What it gives out.
    server: u32,
    claims: u64,
    renewals: VecDeque<oneshot::Sender<Renewal>>,
    released: Vec<Identity>,
}

impl Scripted {
    fn giving(server: u32) -> Self {
        Self(Arc::new(Mutex::new(Script { server, ..Script::default() })))
    }
}

impl Coordinator for Scripted {
    fn claim(&self, _: Claim) -> BoxFuture<'static, Result<Identity, CoordinatorError>> {
        let mut script = self.0.lock().unwrap();
        script.claims += 1;
        let identity = Identity { server: script.server, epoch: script.claims };
        async move { Ok(identity) }.boxed()
    }

    fn renew(&self, _: Identity) -> BoxFuture<'static, Result<Renewal, CoordinatorError>> {
        let (answer, answered) = oneshot::channel();
        self.0.lock().unwrap().renewals.push_back(answer);
        async { answered.await.map_err(|gone| CoordinatorError::Silent(gone.to_string())) }.boxed()
    }

    fn release(&self, identity: Identity) -> BoxFuture<'static, Result<(), CoordinatorError>> {
        self.0.lock().unwrap().released.push(identity);
        async { Ok(()) }.boxed()
    }

    fn members(&self) -> watch::Receiver<Arc<Members>> {
        watch::channel(Arc::default()).1
    }
}

#[test]
fn an_answer_that_comes_behind_the_fence_lifts_nothing() {
    paused(async {
        let scripted = Scripted::giving(7);
        let node = node(scripted.clone(), tidb());
        let first = node.seat.joined().await.unwrap();
        let session = node.connect("alice").await.unwrap();
        sleep(Duration::from_millis(1_010)).await;
        let renewal = scripted.0.lock().unwrap().renewals.pop_front().unwrap();
        // It wakes, and the answer is the first thing it sees.
        suspend(TIMES.fence_after);
        renewal.send(Renewal::Renewed).unwrap();
        node.fenced(first).await;
        let second = node.seat.joined().await.unwrap();
        assert!(second.epoch > first.epoch);
        assert!(session.query("x").await.is_err(), "of the first one nothing is left");
        // One that was asked for the first is heard by nobody.
        sleep(Duration::from_millis(1_010)).await;
        let renewal = scripted.0.lock().unwrap().renewals.pop_front().unwrap();
        sleep(TIMES.fence_after - Duration::from_millis(1_100)).await;
        node.fenced(second).await;
        assert!(renewal.is_closed());
    });
}

#[test]
fn the_lease_counts_from_when_a_renewal_was_asked_for() {
    paused(async {
        let scripted = Scripted::giving(7);
        let node = node(scripted.clone(), tidb());
        node.seat.joined().await.unwrap();
        sleep(Duration::from_millis(1_500)).await;
        let renewal = scripted.0.lock().unwrap().renewals.pop_front().unwrap();
        renewal.send(Renewal::Renewed).unwrap();
        let mut place = node.seat.place.clone();
        place.borrow_and_update();
        place.changed().await.unwrap();
        let left = node.lease_left().unwrap();
        assert!(left <= TIMES.fence_after - Duration::from_millis(490), "{left:?}");
    });
}

#[test]
fn a_claim_that_is_never_answered_is_made_again() {
    paused(async {
        let coordinator = InMemory::by(now);
        let own = coordinator.node();
        let way = own.clone();
        way.line(Line::Unanswered);
        let node = node(own, tidb());
        sleep(seconds(1)).await;
        assert_eq!((node.seat.place(), coordinator.members().len()), (Place::Outside, 1));
        way.line(Line::Good);
        let identity = node.seat.joined().await.unwrap();
        assert_eq!(identity.epoch, 2);
    });
}

#[test]
fn a_node_that_leaves_gives_its_server_id_back_and_one_without_a_keeper_does_not_act() {
    paused(async {
        let scripted = Scripted::giving(7);
        let leaving = node(scripted.clone(), tidb());
        let identity = leaving.seat.joined().await.unwrap();
        leaving.seat.leave().await;
        assert_eq!(scripted.0.lock().unwrap().released, [identity]);
        assert_eq!(leaving.seat.place(), Place::Outside);
        leaving.keeper.await.unwrap();

        let node = node(InMemory::by(now).node(), tidb());
        node.seat.joined().await.unwrap();
        let busy = spawn_local(waited(node.connect("bob").await.unwrap()));
        sleep(Duration::from_millis(10)).await;
        node.keeper.abort();
        assert_eq!(busy.await.unwrap(), 3032);
        assert_eq!(node.connect("late").await.unwrap_err(), Refused::Offline);
        assert_eq!(node.seat.joined().await, None);
    });
}

#[test]
fn a_place_that_was_written_down_is_never_lost() {
    paused(async {
        let fixed = || Fixed::new(9, [(9, claim(tidb()).addresses)]).unwrap();
        let (node, again) = (node(fixed(), tidb()), node(fixed(), tidb()));
        let identity = node.seat.joined().await.unwrap();
        let session = node.connect("alice").await.unwrap();
        assert_eq!(node.server_of(&session), Some(9));
        again.seat.joined().await.unwrap();
        assert_ne!(again.connect("alice").await.unwrap().id(), session.id(), "as if it had been restarted");
        suspend(seconds(10 * 365 * 24 * 3_600));
        sleep(seconds(3_600)).await;
        session.query("x").await.unwrap().collect_rows().await.unwrap();
        assert_eq!((node.seat.identity(), node.lease_left()), (Some(identity), None));
    });
}

#[test]
fn a_server_id_that_gives_no_ids_is_given_back() {
    paused(async {
        // OceanBase's have 12 bits.
        let scripted = Scripted::giving(5_000);
        let node = node(scripted.clone(), single());
        sleep(seconds(5)).await;
        assert_eq!(node.seat.place(), Place::Outside);
        assert_eq!(scripted.0.lock().unwrap().released, [Identity { server: 5_000, epoch: 1 }]);
    });
}
