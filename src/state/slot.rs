//! The slot: what a session lets everybody see of itself.
//!
//! The session alone writes it; lists and kills read it without asking the session, so neither waits for one that is
//! busy or stuck. Secrets in statements are replaced when the slot is read, which is rare, not when it is written.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::WeakRecipient;
use bytes::Bytes;
use tokio::time::Instant;

use super::{notes::Notes, signal::Signal, switch::KillSwitch, word::Phase};
use crate::{
    control::{self, Syntax},
    id::SessionId,
    model::{Attributes, Command, Encryption, Origin, Principal, ProcessRow, StatementNo},
};

/// Of a longer statement, this many bytes are shown.
const LONGEST_INFO: usize = 64 * 1024;

/// See the module's text.
pub(crate) struct Slot {
    id: SessionId,
    peer: Origin,
    /// How the actor is told that its switch was thrown. Weak: a list of sessions must not keep one alive.
    control: WeakRecipient<Signal>,
    pub(crate) switch: KillSwitch,
    /// What its client is to be told beside the answers.
    pub(crate) notes: Notes,
    shown: Mutex<Shown>,
}

/// What the lists show. Behind a lock that is held for a few words at a time.
struct Shown {
    principal: Option<Arc<Principal>>,
    attributes: Option<Attributes>,
    encryption: Option<&'static Encryption>,
    database: Option<Arc<str>>,
    command: Command,
    state: &'static str,
    info: Option<Bytes>,
    /// Both numbers of the statement together: a reader must never pair one statement's with another's.
    running: Option<Running>,
    since: Instant,
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
    pub(crate) fn new(id: SessionId, peer: Origin, control: WeakRecipient<Signal>) -> Self {
        let shown = Shown {
            principal: None,
            attributes: None,
            encryption: None,
            database: None,
            command: Command::Connect,
            state: "Reading from net",
            info: None,
            running: None,
            since: Instant::now(),
        };
        Self { id, peer, control, switch: KillSwitch::new(), notes: Notes::default(), shown: Mutex::new(shown) }
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

    pub(crate) fn set_principal(&self, principal: Arc<Principal>) {
        self.shown().principal = Some(principal);
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
        shown.running = running;
        shown.since = at;
        let before = std::mem::replace(&mut shown.info, info);
        drop(shown);
        drop(before);
    }

    /// The command is over: the session is idle.
    pub(crate) fn show_idle(&self, at: Instant) {
        self.show(Command::Sleep, "", None, None, at);
    }

    /// What the statement is at, in MySQL's words (`User sleep`, `Sending data`).
    pub(crate) fn set_state(&self, state: &'static str) {
        self.shown().state = state;
    }

    /// Tells the actor that its switch was thrown. `false` if there is no actor any more.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.control.upgrade().is_some_and(|actor| {
            actor.do_send(signal);
            true
        })
    }

    /// The row for the lists.
    pub(crate) fn row(&self, now: Instant, syntax: &Syntax) -> ProcessRow {
        let (mut row, info) = {
            let shown = self.shown();
            let row = ProcessRow {
                id: self.id,
                principal: shown.principal.clone(),
                peer: self.peer,
                attributes: shown.attributes.clone(),
                database: shown.database.clone(),
                command: shown.command,
                time: now.saturating_duration_since(shown.since),
                state: shown.state,
                info: None,
                statement: shown.running.map(|r| r.statement),
                query_id: shown.running.map(|r| r.query_id),
            };
            (row, shown.info.clone())
        };
        let word = self.switch.word();
        let killed = match word.phase() {
            Phase::Ended(_) => true,
            Phase::Running => false,
            Phase::Idle => word.leaving().is_some_and(|reason| !reason.is_goodbye()),
        };
        if killed {
            row.command = Command::Killed;
        }
        row.info = info.map(|info| shown(&info, syntax));
        row
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
