//! The slot: what a session lets everybody see of itself.
//!
//! The session alone writes it; lists and kills read it without asking the session, so neither waits for one that is
//! busy or stuck. Secrets in statements are replaced when the slot is read, which is rare, not when it is written.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::SystemTime,
};

use actix::WeakRecipient;
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    due::{Due, Watch},
    limits::Limits,
    notes::Notes,
    signal::Signal,
    switch::KillSwitch,
    word::{Phase, Raised},
};
use crate::{
    control::{self, Syntax},
    id::SessionId,
    model::{
        Attributes, Command, Done, Encryption, Globals, KillMode, Origin, Outcome, Principal, ProcessRow, Reason,
        Settings, StatementNo,
    },
};

/// Of a longer statement, this many bytes are shown.
const LONGEST_INFO: usize = 64 * 1024;

/// No timer looks at the session.
pub(crate) const UNARMED: u64 = u64::MAX;

/// See the module's text.
pub(crate) struct Slot {
    id: SessionId,
    peer: Origin,
    /// How the actor is told that its switch was thrown. Weak: a list of sessions must not keep one alive. The decoy has
    /// none.
    control: Option<WeakRecipient<Signal>>,
    pub(crate) switch: KillSwitch,
    /// What its client is to be told beside the answers.
    pub(crate) notes: Notes,
    globals: Arc<Globals>,
    /// For the timers alone: when they look at it next. [`UNARMED`] if not at all.
    pub(crate) armed: AtomicU64,
    shown: Mutex<Shown>,
}

/// What the lists show. Behind a lock that is held for a few words at a time.
struct Shown {
    principal: Option<Arc<Principal>>,
    /// Since when the principal is that one.
    login: Option<SystemTime>,
    attributes: Option<Attributes>,
    encryption: Option<&'static Encryption>,
    database: Option<Arc<str>>,
    command: Command,
    state: &'static str,
    info: Option<Bytes>,
    /// Both numbers of the statement together: a reader must never pair one statement's with another's.
    running: Option<Running>,
    /// Of the running statement or the last one.
    last_query_id: u64,
    since: Instant,
    /// The flags of the last statement that ended well.
    in_transaction: bool,
    autocommit: bool,
    /// What its timers watch.
    watch: Watch,
    /// What few sessions have.
    rare: Option<Box<Rare>>,
}

/// See [`Shown::rare`].
#[derive(Default)]
struct Rare {
    trace_id: Option<Arc<str>>,
    outcome: Outcome,
    /// When it, or its statement, was killed, and from where.
    killed: Option<(Instant, Option<Origin>)>,
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
        Self::of(id, peer, Some(control), globals)
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
            in_transaction: false,
            autocommit: true,
            watch: Watch::default(),
            rare: None,
        };
        Self {
            id,
            peer,
            control,
            switch: KillSwitch::new(),
            notes: Notes::default(),
            globals,
            armed: AtomicU64::new(UNARMED),
            shown: Mutex::new(shown),
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

    /// The session is this one's from now on, and in no database: nobody reads one user's name with another's database.
    pub(crate) fn set_principal(&self, principal: Arc<Principal>, at: SystemTime) {
        let mut shown = self.shown();
        let before = (shown.principal.replace(principal), shown.database.take());
        shown.login = Some(at);
        drop(shown);
        drop(before);
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

    /// Throws the switch by `throw`, which says whether it was the first, and if so notes when and from where. Whoever
    /// finds the switch thrown finds that noted.
    pub(crate) fn kill(&self, now: Instant, from: Option<Origin>, throw: impl FnOnce(&KillSwitch) -> Raised) -> Raised {
        let mut shown = self.shown();
        let raised = throw(&self.switch);
        if raised == Raised::First {
            shown.rare.get_or_insert_default().killed = Some((now, from));
        }
        raised
    }

    /// From where the last kill came that reached it.
    pub(crate) fn killer(&self) -> Option<Origin> {
        self.shown().rare.as_ref()?.killed?.1
    }

    /// The running statement, if one runs.
    pub(crate) fn running(&self) -> Option<Running> {
        self.shown().running
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
        shown.running = running;
        shown.since = at;
        shown.watch.until = None;
        let before = std::mem::replace(&mut shown.info, info);
        drop(shown);
        drop(before);
    }

    /// The command is over: the session is idle, with the flags that its statements left. Returns until when it may be.
    pub(crate) fn show_idle(&self, at: Instant, flags: &Done) -> Option<Instant> {
        let mut shown = self.shown();
        shown.in_transaction = flags.in_transaction;
        shown.autocommit = flags.autocommit;
        shown.command = Command::Sleep;
        shown.state = "";
        shown.running = None;
        shown.since = at;
        shown.watch.until = None;
        let until = shown.watch.limits.idle(flags.in_transaction).and_then(|(time, _)| at.checked_add(time));
        let before = shown.info.take();
        drop(shown);
        drop(before);
        until
    }

    /// The session's time-outs.
    pub(crate) fn limits(&self) -> Limits {
        self.shown().watch.limits
    }

    /// The server's settings.
    pub(crate) fn globals(&self) -> &Arc<Globals> {
        &self.globals
    }

    /// The session's time-outs from now on. Returns until when it may be idle, if it is.
    pub(crate) fn set_limits(&self, limits: Limits) -> Option<Instant> {
        let mut shown = self.shown();
        shown.watch.limits = limits;
        let (time, _) = limits.idle(shown.in_transaction)?;
        shown.since.checked_add(time)
    }

    /// The statement that runs, or the next part of it, may take until then; `None`: as long as it takes.
    pub(crate) fn set_until(&self, until: Option<(Instant, Reason)>) {
        self.shown().watch.until = until;
    }

    /// The client leaves rows unread, since then; `None`: not any more. Returns until when it may.
    #[cfg(feature = "mysql")]
    pub(crate) fn set_stalled(&self, since: Option<Instant>) -> Option<Instant> {
        let mut shown = self.shown();
        shown.watch.stalled = since;
        since?.checked_add(shown.watch.limits.net_write()?)
    }

    /// What its timers find at this time.
    pub(crate) fn due(&self, now: Instant) -> Due {
        let word = self.switch.word();
        let shown = self.shown();
        if shown.principal.is_none() {
            // Before login there is another deadline.
            return Due::Never;
        }
        // Both are looked at, in this order: what was begun or ended in between makes the number another's.
        let running = shown.running.map(|running| running.statement);
        let idle = if running.is_none() { Some((shown.since, shown.in_transaction)) } else { None };
        shown.watch.due(now, word, running, idle)
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

    /// The row for the lists.
    pub(crate) fn row(&self, now: Instant, syntax: &Syntax) -> ProcessRow {
        let word = self.switch.word();
        let leaving = word.leaving().filter(|reason| !reason.is_goodbye());
        let killed = match word.phase() {
            Phase::Running => None,
            Phase::Ended(_) => Some(leaving.map_or(KillMode::Query, |_| KillMode::Connection)),
            Phase::Idle => leaving.map(|_| KillMode::Connection),
        };
        let shown = self.shown();
        let rare = shown.rare.as_deref();
        let time = now.saturating_duration_since(shown.since);
        let struck = rare.and_then(|rare| rare.killed).map(|(at, _)| now.saturating_duration_since(at));
        let row = ProcessRow {
            id: self.id,
            principal: shown.principal.clone(),
            peer: self.peer,
            attributes: shown.attributes.clone(),
            encryption: shown.encryption,
            database: shown.database.clone(),
            login: shown.login,
            command: if killed.is_some() { Command::Killed } else { shown.command },
            active: shown.command,
            killed,
            time,
            state_time: struck.filter(|_| killed.is_some()).unwrap_or(time).min(time),
            state: shown.state,
            info: None,
            statement: shown.running.map(|r| r.statement),
            query_id: shown.running.map(|r| r.query_id),
            last_query_id: shown.last_query_id,
            trace_id: rare.and_then(|rare| rare.trace_id.clone()),
            outcome: rare.map(|rare| rare.outcome.clone()).unwrap_or_default(),
            in_transaction: shown.in_transaction,
            autocommit: shown.autocommit,
        };
        let info = shown.info.clone();
        drop(shown);
        ProcessRow { info: info.map(|info| self::shown(&info, syntax)), ..row }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // Nothing in here can be left half written: a panic elsewhere does not spoil it.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A statement as lists and events show it: no longer than so much, and with its secrets replaced. (A secret that the
/// cut goes through is taken for one that never ends, and replaced whole.)
pub(crate) fn shown(sql: &[u8], syntax: &Syntax) -> String {
    control::redact(&sql[..sql.len().min(LONGEST_INFO)], syntax).into_owned()
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("id", &self.id).field("word", &self.switch.word()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Privileges;

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
