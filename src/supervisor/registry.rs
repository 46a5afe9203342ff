//! The registry: the live sessions by id. A session is added on its own arbiter and takes itself out, by dropping its
//! registration; everybody reads.

use std::{
    cell::Cell,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Addr, WeakAddr, WeakRecipient};
use tokio::time::Instant;

#[cfg(feature = "mysql")]
use super::admission::Place;
#[cfg(feature = "metrics")]
use super::figures;
use super::{
    actor::Supervisor,
    admission::{Admission, Waiting},
    clients::Clients,
    counters::{Counters, Status},
    events::Events,
    gauge::Gauged,
    history::History,
    messages::Reap,
    readiness::{Readiness, Stage},
    registration::Registration,
    timers::Timers,
};
#[cfg(feature = "cluster")]
use super::{elsewhere::Elsewhere, standing::Standing};
#[cfg(feature = "metrics")]
use crate::state::Activity;
use crate::{
    dialect::{Dialect, Node},
    id::{IdMap, Layout, SessionId},
    lock::{Held, Lock, Over},
    model::{
        Clock, Event, Globals, Origin, Principal, Privileges, Progress, Reason, Refused, Settings, StatementNo, Tenant,
    },
    state::{CommonLimits, Ending, Phase, Raised, Signal, Slot},
};

/// Query ids are taken from the common counter in blocks of this many, so that threads do not fight over it.
const QUERY_ID_BLOCK: u64 = 1024;

/// `COM_STATISTICS` may tell figures of this age.
#[cfg(feature = "mysql")]
const RECENT: Duration = Duration::from_secs(1);

/// A poll of an inline engine that takes longer is warned of, with the session and the statement.
const SLOW_POLL: Duration = Duration::from_millis(20);

/// See the module's text.
pub(crate) struct Registry {
    /// Which of this process's registries it is, from 1.
    number: u64,
    pub(super) sessions: IdMap<Arc<Slot>>,
    /// See [`Slot::decoy`].
    pub(super) decoy: Arc<Slot>,
    /// How far it has come on its way down.
    pub(super) stage: Stage,
    query_ids: AtomicU64,
    kills: AtomicU64,
    #[cfg(feature = "mysql")]
    started: Instant,
    #[cfg(feature = "mysql")]
    recent: Lock<Option<(Instant, Status)>>,
    supervisor: OnceLock<WeakAddr<Supervisor>>,
    /// Whether this node may act.
    #[cfg(feature = "cluster")]
    pub(crate) standing: Standing,
    /// The other nodes.
    #[cfg(feature = "cluster")]
    pub(super) elsewhere: OnceLock<Arc<dyn Elsewhere>>,
    pub(crate) dialect: Dialect,
    pub(crate) node: Node,
    clock: Clock,
    /// The server's settings.
    pub(crate) settings: Arc<Globals>,
    pub(crate) limits: CommonLimits,
    history: Lock<History>,
    /// Which sessions are for the same client of a proxy.
    pub(super) clients: Lock<Clients>,
    pub(crate) timers: Timers,
    admission: Arc<Admission>,
    pub(crate) counters: Counters,
    pub(crate) events: Events,
}

impl Registry {
    pub(crate) fn new(layout: Layout, dialect: Dialect, node: Node, clock: Clock, settings: &Settings) -> Arc<Self> {
        static REGISTRIES: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            number: REGISTRIES.fetch_add(1, Ordering::Relaxed),
            sessions: IdMap::new(layout, IdMap::<Arc<Slot>>::SHARDS),
            decoy: Arc::new(Slot::decoy(nobody(&dialect))),
            stage: Stage::default(),
            query_ids: AtomicU64::new(1),
            kills: AtomicU64::new(1),
            #[cfg(feature = "mysql")]
            started: Instant::now(),
            #[cfg(feature = "mysql")]
            recent: Lock::new(Over::Status, None),
            supervisor: OnceLock::new(),
            #[cfg(feature = "cluster")]
            standing: Standing::default(),
            #[cfg(feature = "cluster")]
            elsewhere: OnceLock::new(),
            dialect,
            node,
            clock,
            settings: Arc::new(Globals::new(settings).marking(layout.connection_mark())),
            limits: CommonLimits::default(),
            history: Lock::new(Over::History, History::default()),
            clients: Lock::new(Over::Clients, Clients::default()),
            timers: Timers::new(),
            admission: Arc::default(),
            counters: Counters::default(),
            events: Events::default(),
        })
    }

    pub(crate) fn set_supervisor(&self, supervisor: WeakAddr<Supervisor>) {
        // Once, by the builder.
        let _ = self.supervisor.set(supervisor);
    }

    /// Whether the supervisor is still there, who keeps the time and ends what is left over.
    pub(super) fn is_supervised(&self) -> bool {
        self.supervisor.get().is_none_or(|supervisor| supervisor.upgrade().is_some())
    }

    /// Admits a session: it has an id and is listed from now on. On the session's own arbiter: a question to the supervisor
    /// and its answer would cost two wakes of a sleeping thread, several times what is done here.
    pub(crate) fn admit(
        self: &Arc<Self>,
        peer: Origin,
        control: WeakRecipient<Signal>,
        principal: Option<Arc<Principal>>,
    ) -> Result<Registration, Refused> {
        let admitted = self.register(peer, control, principal);
        if let Err(refused) = &admitted {
            self.counters.refused(refused);
        }
        admitted
    }

    fn register(
        self: &Arc<Self>,
        peer: Origin,
        control: WeakRecipient<Signal>,
        principal: Option<Arc<Principal>>,
    ) -> Result<Registration, Refused> {
        if !self.is_supervised() {
            return Err(Refused::ShuttingDown);
        }
        self.admits()?;
        // A session of the host's own does not wait for its login.
        let place = match &principal {
            Some(principal) => self.admission.enter(&self.settings, principal, None)?,
            None => {
                self.admission.hears(&self.settings, &peer)?;
                let Waiting { place, instead_of } = self.admission.wait(&self.settings, &peer, Instant::now())?;
                instead_of.into_iter().for_each(|id| self.make_room(id));
                place
            }
        };
        let globals = Arc::clone(&self.settings);
        let allocated = self.sessions.allocate(|id| Arc::new(Slot::new(id, peer, control, globals)));
        let slot = allocated.ok_or(Refused::TooManyConnections)?;
        // A shutdown, or a fence, that has begun meanwhile closes first and looks for sessions then: it finds this one, or is
        // seen here.
        if let Err(refused) = self.admits() {
            self.sessions.release(slot.id());
            let reason = if refused == Refused::Offline { Reason::Offline } else { Reason::Shutdown };
            // A kill may have found it all the same.
            let (_, killed) = slot.close(reason, Instant::now());
            killed.iter().for_each(|ending| self.kill_ended(&slot, None, reason, ending));
            return Err(refused);
        }
        place.name(slot.id());
        self.counters.connected();
        self.events.publish(Some(slot.id()), || Event::Connected { peer });
        let progress = if principal.is_some() { Progress::In } else { Progress::Greeted };
        let registration = Registration::new(slot, Arc::clone(self), place, progress);
        if let Some(principal) = principal {
            self.authenticated(registration.slot(), principal);
        }
        Ok(registration)
    }

    /// Whether sessions are admitted.
    fn admits(&self) -> Result<(), Refused> {
        match (self.stage.admits(), self.stands()) {
            (false, _) => Err(Refused::ShuttingDown),
            (_, false) => Err(Refused::Offline),
            _ => Ok(()),
        }
    }

    /// Whether this server may act: always, unless it is a node of a cluster that may have lost its place there.
    #[inline]
    pub(crate) fn stands(&self) -> bool {
        #[cfg(feature = "cluster")]
        return self.standing.holds();
        #[cfg(not(feature = "cluster"))]
        true
    }

    /// To be asked before anything is begun in a session: of a node that may not act, it is to end.
    #[inline]
    #[cfg_attr(not(feature = "cluster"), expect(unused_variables, reason = "a server of its own always may"))]
    pub(crate) fn end_unless_standing(&self, slot: &Slot) {
        #[cfg(feature = "cluster")]
        if !self.stands() {
            self.end_offline(slot);
        }
    }

    /// One that has waited for its login for long goes, since all places before login are taken.
    fn make_room(&self, id: SessionId) {
        // One that is in by now only owes its place.
        let Some(slot) = self.get(id) else { return };
        if slot.end_before_login(Reason::MadeRoom) == Raised::First {
            tracing::info!(session = %id, from = %slot.peer(), "had to make room for others before its login");
            slot.signal(Signal::Leaving);
        }
    }

    /// The session's owner is known, and has a place for it. `client`: the client of a proxy that it is for; `before`: whose
    /// it was, if it changes its user.
    #[cfg(feature = "mysql")]
    pub(crate) fn authenticate(
        &self,
        slot: &Slot,
        principal: Arc<Principal>,
        client: Option<crate::model::ClientSession>,
        before: Option<&Principal>,
    ) -> Result<Place, Refused> {
        let entered = self.stands().then_some(()).ok_or(Refused::Offline).and_then(|()| {
            let place = self.admission.enter(&self.settings, &principal, before)?;
            // Nobody finds one's session as a client of the other's.
            self.name_client(slot, None)?;
            self.refuse_client(client, &principal)?;
            self.authenticated(slot, Arc::clone(&principal));
            self.name_client(slot, client).map(|()| place)
        });
        if let Err(refused) = &entered {
            self.counters.refused(refused);
            tracing::debug!(session = %slot.id(), user = crate::control::logged(principal.user()), %refused, "no place");
        }
        entered
    }

    /// A client is logged in.
    #[cfg(feature = "mysql")]
    pub(super) fn logged_in(&self, slot: &Slot) {
        self.admission.succeeded(&slot.peer());
    }

    /// Hosts that were refused are heard again (`FLUSH HOSTS`).
    pub(crate) fn flush_hosts(&self) {
        self.admission.flush_hosts();
    }

    /// The session's owner is known.
    pub(super) fn authenticated(&self, slot: &Slot, principal: Arc<Principal>) {
        slot.set_principal(Arc::clone(&principal), self.clock.now());
        slot.trace.user(&principal);
        self.events.publish(Some(slot.id()), || Event::Authenticated { principal });
    }

    /// Which ids are given out.
    pub(crate) fn layout(&self) -> Layout {
        self.sessions.layout()
    }

    /// What time it is, for what lists show of it.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The kills that were asked for.
    pub(crate) fn history(&self) -> Held<'_, History> {
        self.history.hold()
    }

    /// What load balancers are to be told.
    pub(crate) fn readiness(&self) -> Readiness {
        match self.stage.readiness() {
            // Whoever comes is refused, for as long as that lasts.
            Readiness::Ready if !self.stands() => Readiness::Draining,
            stage => stage,
        }
    }

    /// A shutdown will follow.
    pub(crate) fn announce_shutdown(&self) {
        self.stage.announce();
    }

    /// A client is owed words that may not have reached it: a shutdown waits a little for as long as this is held.
    #[cfg(feature = "mysql")]
    pub(crate) fn owe(&self) -> Gauged {
        self.counters.farewells.count()
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<Arc<Slot>> {
        self.sessions.get(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// All sessions, some at a time: no lock is held in between, and none for long.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = Vec<Arc<Slot>>> + '_ {
        self.sessions.chunks()
    }

    /// Adds the sessions with these ids that are still there to `found`.
    pub(crate) fn get_each(&self, ids: &[SessionId], found: &mut Vec<Arc<Slot>>) {
        self.sessions.get_each(ids, |slot| slot.approach(), found);
    }

    /// The ids of all sessions, one shard's at a time, in no order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Vec<SessionId>> + '_ {
        self.sessions.ids()
    }

    /// The line that `COM_STATISTICS` answers, in MySQL's form.
    #[cfg(feature = "mysql")]
    pub(crate) fn statistics(&self) -> String {
        let status = self.recent_status();
        let uptime = self.started.elapsed().as_secs();
        // Statements per second, with three decimals and without floats.
        let per_second = u128::from(status.statements) * 1000 / u128::from(uptime.max(1));
        format!(
            "Uptime: {uptime}  Threads: {}  Questions: {}  Slow queries: 0  Opens: 0  Flush tables: 0  \
             Open tables: 0  Queries per second avg: {}.{:03}",
            status.sessions,
            status.statements,
            per_second / 1000,
            per_second % 1000,
        )
    }

    /// The status, about a second old at most: any client may ask, and it takes a walk over the list. Whoever asks while
    /// another walks is told the last one.
    #[cfg(feature = "mysql")]
    fn recent_status(&self) -> Status {
        let now = Instant::now();
        if let Some((at, status)) = &mut *self.recent.hold() {
            if now.saturating_duration_since(*at) < RECENT {
                return *status;
            }
            *at = now;
        }
        let status = self.status();
        *self.recent.hold() = Some((now, status));
        status
    }

    pub(crate) fn status(&self) -> Status {
        // First those that have left: what leaves meanwhile is missed rather than counted twice.
        let retired = self.counters.retired_statements();
        let live: u64 = self.chunks().flatten().map(|slot| slot.switch.word().number().get()).sum();
        let unauthenticated = usize::try_from(self.admission.waiting()).unwrap_or(usize::MAX);
        Status { unauthenticated, ..self.counters.status(self.len(), retired + live) }
    }

    /// Hands the same and more to whoever collects figures; by one walk over the list too.
    #[cfg(feature = "metrics")]
    pub(crate) fn publish_figures(&self) {
        let mut statements = self.counters.retired_statements();
        let mut sessions = Activity::ALL.map(|activity| (activity, 0));
        for slot in self.chunks().flatten() {
            statements += slot.switch.word().number().get();
            sessions[slot.activity() as usize].1 += 1;
        }
        self.counters.publish(&self.counters.status(self.len(), statements), &sessions);
    }

    /// A number for a statement that no other statement of this runtime has had.
    pub(crate) fn next_query_id(&self) -> u64 {
        thread_local! {
            /// The registry that the block belongs to, the next number, and the block's end.
            static BLOCK: Cell<(u64, u64, u64)> = const { Cell::new((0, 0, 0)) };
        }
        let own = self.number;
        BLOCK.with(|block| {
            let (owner, next, end) = block.get();
            let (next, end) = if owner == own && next < end {
                (next, end)
            } else {
                let first = self.query_ids.fetch_add(QUERY_ID_BLOCK, Ordering::Relaxed);
                (first, first + QUERY_ID_BLOCK)
            };
            block.set((own, next + 1, end));
            next
        })
    }

    /// A number for a kill that no other kill of this runtime has had. Of two that one arbiter is asked for, the later has
    /// the greater one.
    pub(super) fn next_kill(&self) -> u64 {
        self.kills.fetch_add(1, Ordering::Relaxed)
    }

    /// A statement was ended from outside, and is over; with its end, if kills were aimed at it.
    pub(crate) fn cut_short(&self, slot: &Slot, statement: StatementNo, reason: Reason, ending: Option<&Ending>) {
        self.counters.statement_cut(reason);
        ending.iter().for_each(|ending| self.kill_ended(slot, Some(statement), reason, ending));
    }

    /// A statement or a session that kills were aimed at is over.
    fn kill_ended(&self, slot: &Slot, statement: Option<StatementNo>, reason: Reason, ending: &Ending) {
        let Some(duration) = ending.time() else { return };
        let kill = ending.kill();
        #[cfg(feature = "metrics")]
        figures::kill_ended(statement.is_some(), duration);
        tracing::debug!(session = %slot.id(), statement = ?statement, %reason, kill, ?duration, "what was killed is over");
        self.events.publish(Some(slot.id()), || Event::KillEnded { kill, statement, reason, duration });
    }

    /// An inline engine's poll took this long.
    pub(crate) fn polled(&self, session: SessionId, statement: StatementNo, time: Duration) {
        if self.counters.polled(time) && time > SLOW_POLL {
            tracing::warn!(
                %session, %statement, ?time,
                "the engine kept its arbiter for long in one poll: all other sessions there waited"
            );
        }
    }

    /// A place for a connection that still owes a proxy's header: there are as many as places before login.
    #[cfg(feature = "mysql")]
    pub(crate) fn await_header(&self) -> Option<Gauged> {
        let most = usize::try_from(self.settings.get(crate::model::Setting::MaxUnauthenticated)).unwrap_or(usize::MAX);
        self.counters.headers.enter(most)
    }

    pub(crate) fn alive(&self) -> Gauged {
        self.counters.actors.count()
    }

    /// The supervisor, while there is one.
    pub(crate) fn supervisor(&self) -> Option<Addr<Supervisor>> {
        self.supervisor.get().and_then(WeakAddr::upgrade)
    }

    /// Takes over the work of a session whose actor died before it was done.
    pub(crate) fn reap(&self, reap: Reap) {
        // Without a supervisor the process itself is ending: the work is dropped, and the engine session's Drop must
        // stand in for the rollback.
        if let Some(supervisor) = self.supervisor() {
            supervisor.do_send(reap);
        }
    }

    pub(super) fn release(&self, slot: &Slot, progress: Progress, excused: bool) {
        if self.sessions.release(slot.id()).is_none() {
            return;
        }
        // Of no client's any more: that cannot fail.
        let _ = self.name_client(slot, None);
        self.timers.disarm(slot);
        let word = slot.switch.word();
        self.counters.retired(word.number().get());
        let (cut_off, killed) = slot.close(Reason::Quit, Instant::now());
        let reason = slot.switch.word().leaving().unwrap_or(Reason::Quit);
        // Its work was dropped in mid-statement.
        if let Phase::Ended(first) = word.phase() {
            self.cut_short(slot, word.number(), first, cut_off.as_deref());
        }
        self.counters.session_ended(reason);
        slot.trace.reason(reason);
        match progress {
            Progress::In if reason != Reason::Quit => self.counters.aborted_client(),
            Progress::In | Progress::Refused => {}
            Progress::Greeted | Progress::Heard => self.counters.aborted_login(),
        }
        if progress.is_failure(reason) && !excused {
            self.admission.failed(&slot.peer());
        }
        if let Some(ending) = killed {
            self.kill_ended(slot, None, reason, &ending);
        }
        self.events.publish(Some(slot.id()), || Event::Disconnected { reason, progress });
    }
}

/// An account that nobody has: its sessions are neither seen nor owned by anybody. (Who had the name after all would be told
/// no more than others.)
fn nobody(dialect: &Dialect) -> Principal {
    let nobody = Principal::new("\0", Privileges::NONE).at_host("\0");
    // What compares tenants is to have one to compare.
    match dialect.has_tenants() {
        true => nobody.in_tenant(Tenant { name: "\0".to_owned(), cluster: None }),
        false => nobody,
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("sessions", &self.len()).finish_non_exhaustive()
    }
}
