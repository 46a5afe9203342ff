//! The slot: what a session lets everybody see of itself.
//!
//! The session alone writes it; lists and kills read it without asking the session, so neither waits for one that is
//! busy or stuck. Secrets in statements are replaced when the slot is read, which is rare, not when it is written.
//!
//! How a kill strikes it is in `kills`, what its timers do in `timing`, what lists show of it in `row`.

mod kills;
mod row;
mod timing;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::SystemTime,
};

use actix::WeakRecipient;
use bytes::Bytes;
use tokio::time::Instant;

#[cfg(feature = "metrics")]
use super::activity::Activity;
use super::{due::Watch, ending::Ending, notes::Notes, signal::Signal, switch::KillSwitch, trace::Trace};
use crate::{
    id::SessionId,
    lock::{Held, Lock, Over},
    model::{
        Attributes, ClientSession, Command, Done, Encryption, Globals, Origin, Outcome, Principal, ServerSessions,
        Settings, StatementNo,
    },
};

#[cfg(feature = "policies")]
pub(crate) use self::kills::Moment;
pub(crate) use self::{kills::Strike, row::shown};

/// No timer looks at the session.
pub(crate) const UNARMED: u64 = u64::MAX;

/// See the module's text. In this order: what every list reads stands together, in as few cache lines as can be.
#[repr(C)]
pub(crate) struct Slot {
    id: SessionId,
    /// For the timers alone: when they look at it next. [`UNARMED`] if not at all.
    pub(crate) armed: AtomicU64,
    peer: Origin,
    shown: Lock<Shown>,
    pub(crate) switch: KillSwitch,
    /// How the actor is told that its switch was thrown. Weak: a list of sessions must not keep one alive. The decoy has
    /// none.
    control: Option<WeakRecipient<Signal>>,
    /// What its client is to be told beside the answers.
    pub(crate) notes: Notes,
    globals: Arc<Globals>,
    /// What its logs are attributed to.
    pub(crate) trace: Trace,
}

/// What the lists show. Behind a lock that is held for a few words at a time. In this order for the same reason.
#[repr(C)]
pub(super) struct Shown {
    pub(super) principal: Option<Arc<Principal>>,
    since: Instant,
    pub(super) command: Command,
    /// By the flags of the last statement that ended well.
    autocommit: bool,
    /// Of the operating system: the one on which it began.
    thread: u32,
    database: Option<Arc<str>>,
    state: &'static str,
    info: Option<Bytes>,
    /// What few sessions have.
    rare: Option<Box<Rare>>,
    /// Since when the principal is that one.
    login: Option<SystemTime>,
    attributes: Option<Attributes>,
    encryption: Option<&'static Encryption>,
    /// The statement that runs. Together with the number below: a reader must never pair one statement's with another's.
    running: Option<StatementNo>,
    /// Of the running statement or the last one.
    last_query_id: u64,
    /// Since when a transaction is open, by the flags of the last statement that ended well.
    pub(super) transaction: Option<Instant>,
    /// What its timers watch.
    watch: Watch,
    /// What it has at the servers behind a proxy.
    #[cfg(feature = "proxy")]
    servers: Option<Arc<dyn ServerSessions>>,
}

/// See [`Shown::rare`].
#[derive(Default)]
struct Rare {
    trace_id: Option<Arc<str>>,
    /// OceanBase: the client of a proxy that it is for. A box: those who have the rest seldom have this.
    client: Option<Box<ClientSession>>,
    outcome: Outcome,
    /// When it, or its statement, was killed, and from where.
    killed: Option<(Instant, Option<Origin>)>,
    /// The last statement that somebody's kill was aimed at, and its end.
    statement_ending: Option<(StatementNo, Arc<Ending>)>,
    /// The session's end, if somebody's kill was aimed at it.
    ending: Option<Arc<Ending>>,
}

impl Shown {
    /// What it has at servers; nothing where there is no proxy.
    #[cfg(feature = "proxy")]
    fn servers(&self) -> Option<Arc<dyn ServerSessions>> {
        self.servers.clone()
    }

    #[cfg(not(feature = "proxy"))]
    #[expect(clippy::unused_self, reason = "as where there is one")]
    fn servers(&self) -> Option<Arc<dyn ServerSessions>> {
        None
    }

    fn client(&self) -> Option<ClientSession> {
        self.rare.as_ref()?.client.as_deref().copied()
    }
}

/// The two numbers of a statement that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// Within its session.
    pub(crate) statement: StatementNo,
    /// Within the server.
    pub(crate) query_id: u64,
}

impl Slot {
    pub(crate) fn new(id: SessionId, peer: Origin, control: WeakRecipient<Signal>, globals: Arc<Globals>) -> Self {
        Self { trace: Trace::session(id, peer), ..Self::of(id, peer, Some(control), globals) }
    }

    /// The slot of no session, in no list: what is done for a session that is hidden is done with this one for an id
    /// that nobody has. Its id is 0, which is nobody's.
    pub(crate) fn decoy(principal: Principal) -> Self {
        let globals = Arc::new(Globals::new(&Settings::new()));
        let slot = Self::of(SessionId::new(0), Origin::Local, None, globals);
        slot.shown().principal = Some(Arc::new(principal));
        slot
    }

    fn of(id: SessionId, peer: Origin, control: Option<WeakRecipient<Signal>>, globals: Arc<Globals>) -> Self {
        let shown = Shown {
            principal: None,
            login: None,
            attributes: None,
            encryption: None,
            database: None,
            command: Command::Connect,
            state: "Reading from net",
            info: None,
            running: None,
            last_query_id: 0,
            since: Instant::now(),
            transaction: None,
            autocommit: true,
            thread: super::thread::current(),
            watch: Watch::default(),
            rare: None,
            #[cfg(feature = "proxy")]
            servers: None,
        };
        Self {
            id,
            peer,
            control,
            switch: KillSwitch::new(),
            notes: Notes::default(),
            globals,
            trace: Trace::default(),
            armed: AtomicU64::new(UNARMED),
            shown: Lock::new(Over::Slot, shown),
        }
    }

    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) fn peer(&self) -> Origin {
        self.peer
    }

    pub(crate) fn principal(&self) -> Option<Arc<Principal>> {
        self.shown().principal.clone()
    }

    /// The session is this one's from now on, in no database and with nothing at servers: nobody reads one user's name with
    /// what is another's.
    pub(crate) fn set_principal(&self, principal: Arc<Principal>, at: SystemTime) {
        let mut shown = self.shown();
        let before = (shown.principal.replace(principal), shown.database.take());
        shown.login = Some(at);
        #[cfg(feature = "proxy")]
        let servers = shown.servers.take();
        drop(shown);
        drop(before);
        #[cfg(feature = "proxy")]
        drop(servers);
    }

    /// How the connection is encrypted, if it is.
    pub(crate) fn encryption(&self) -> Option<&'static Encryption> {
        self.shown().encryption
    }

    #[cfg(feature = "tls")]
    pub(crate) fn set_encryption(&self, encryption: Option<&'static Encryption>) {
        self.shown().encryption = encryption;
    }

    pub(crate) fn attributes(&self) -> Option<Attributes> {
        self.shown().attributes.clone()
    }

    #[cfg(feature = "mysql")]
    pub(crate) fn set_attributes(&self, attributes: Option<Attributes>) {
        let before = std::mem::replace(&mut self.shown().attributes, attributes);
        drop(before);
    }

    /// OceanBase: the client of a proxy that it is for.
    pub(crate) fn client(&self) -> Option<ClientSession> {
        self.shown().client()
    }

    pub(crate) fn set_client(&self, client: Option<ClientSession>) {
        let mut shown = self.shown();
        if client.is_some() || shown.rare.is_some() {
            shown.rare.get_or_insert_default().client = client.map(Box::new);
        }
    }

    /// The id that lists show: the client's, if it is for one of a proxy's.
    pub(crate) fn shown_id(&self) -> SessionId {
        self.client().map_or(self.id, |client| client.id)
    }

    pub(crate) fn database(&self) -> Option<Arc<str>> {
        self.shown().database.clone()
    }

    pub(crate) fn set_database(&self, database: Option<Arc<str>>) {
        self.shown().database = database;
    }

    /// Doris: the name by which its client finds its statements again.
    pub(crate) fn set_trace_id(&self, trace_id: Option<Arc<str>>) {
        let mut shown = self.shown();
        if trace_id.is_some() || shown.rare.is_some() {
            shown.rare.get_or_insert_default().trace_id = trace_id;
        }
    }

    pub(crate) fn has_trace_id(&self, name: &str) -> bool {
        self.shown().rare.as_ref().is_some_and(|rare| rare.trace_id.as_deref() == Some(name))
    }

    /// The number within the server of the statement that runs, or ran last; 0 before the first.
    pub(crate) fn last_query_id(&self) -> u64 {
        self.shown().last_query_id
    }

    /// How its last statement ended, for the lists of those systems that show it.
    pub(crate) fn set_outcome(&self, outcome: Outcome) {
        self.shown().rare.get_or_insert_default().outcome = outcome;
    }

    /// What it has at the servers behind a proxy.
    pub(crate) fn servers(&self) -> Option<Arc<dyn ServerSessions>> {
        self.shown().servers()
    }

    #[cfg(feature = "proxy")]
    pub(crate) fn set_servers(&self, servers: Arc<dyn ServerSessions>) {
        let before = self.shown().servers.replace(servers);
        drop(before);
    }

    /// The text of the running statement, as it was sent.
    pub(crate) fn info(&self) -> Option<Bytes> {
        self.shown().info.clone()
    }

    /// The running statement, if one runs.
    pub(crate) fn running(&self) -> Option<Running> {
        let shown = self.shown();
        shown.running.map(|statement| Running { statement, query_id: shown.last_query_id })
    }

    /// A command begins: it is what the lists show from now on. `at` restarts Time.
    pub(crate) fn show(
        &self,
        command: Command,
        state: &'static str,
        info: Option<Bytes>,
        running: Option<Running>,
        at: Instant,
    ) {
        let mut shown = self.shown();
        shown.command = command;
        shown.state = state;
        if let Some(running) = running {
            shown.last_query_id = running.query_id;
        }
        shown.running = running.map(|running| running.statement);
        shown.since = at;
        shown.watch.set_until(None);
        let before = std::mem::replace(&mut shown.info, info);
        drop(shown);
        drop(before);
    }

    /// The command is over: the session is idle, with the flags that its statements left. Returns until when it may be.
    pub(crate) fn show_idle(&self, at: Instant, flags: &Done) -> Option<Instant> {
        let mut shown = self.shown();
        // One that was open before has begun before.
        shown.transaction = flags.in_transaction.then(|| shown.transaction.unwrap_or(at));
        shown.autocommit = flags.autocommit;
        shown.command = Command::Sleep;
        shown.state = "";
        shown.running = None;
        shown.since = at;
        shown.watch.set_until(None);
        let until = shown.watch.limits().idle(flags.in_transaction).and_then(|(time, _)| at.checked_add(time));
        let before = shown.info.take();
        drop(shown);
        drop(before);
        until
    }

    /// Since when it does what it does, or does nothing.
    #[cfg(feature = "mysql")]
    pub(crate) fn since(&self) -> Instant {
        self.shown().since
    }

    /// What the statement is at, in MySQL's words (`User sleep`, `Sending data`).
    pub(crate) fn set_state(&self, state: &'static str) {
        self.shown().state = state;
    }

    /// Tells the actor that its switch was thrown. `false` if there is no actor any more.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.control.as_ref().and_then(WeakRecipient::upgrade).is_some_and(|actor| {
            actor.do_send(signal);
            true
        })
    }

    /// What it is at.
    #[cfg(feature = "metrics")]
    pub(crate) fn activity(&self) -> Activity {
        let word = self.switch.word();
        Activity::of(word, &self.shown())
    }

    fn shown(&self) -> Held<'_, Shown> {
        self.shown.hold()
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("id", &self.id).field("word", &self.switch.word()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{control::Syntax, model::Privileges};

    #[test]
    fn a_transaction_is_as_old_as_the_end_of_the_command_that_opened_it() {
        let slot = Slot::decoy(Principal::new("alice", Privileges::NONE));
        let begin = Instant::now();
        let ended = |after: u64, in_transaction| {
            slot.show_idle(begin + Duration::from_secs(after), &Done { in_transaction, ..Done::default() });
            let row = slot.row(begin + Duration::from_secs(100), &Syntax::MYSQL);
            assert_eq!(row.transaction_time.is_some(), row.in_transaction);
            row.transaction_time.map(|age| age.as_secs())
        };
        assert_eq!(ended(10, false), None);
        assert_eq!(ended(20, true), Some(80));
        assert_eq!(ended(30, true), Some(80), "further statements do not make it younger");
        assert_eq!(ended(40, false), None);
        assert_eq!(ended(50, true), Some(50), "the next one is one of its own");
    }

    #[test]
    fn who_takes_a_session_over_has_none_of_its_databases() {
        let account = |name: &str| Principal::new(name, Privileges::NONE);
        let slot = Slot::decoy(account("alice"));
        slot.set_database(Some("secret".into()));
        let login = SystemTime::UNIX_EPOCH;
        slot.set_principal(Arc::new(account("bob")), login);
        let row = slot.row(Instant::now(), &Syntax::MYSQL);
        assert_eq!((row.principal.map(|owner| owner.user().to_string()), row.login), (Some("bob".into()), Some(login)));
        assert_eq!(row.database, None, "the first row that shows the one no longer shows the other's database");
    }
}
