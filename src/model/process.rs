//! One row of the process list, as every list shows it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{Attributes, ClientSession, Encryption, KillMode, Origin, Principal, StatementNo};
use crate::id::SessionId;

/// What a session is doing, in MySQL's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Logging in.
    Connect,
    /// Idle.
    Sleep,
    /// Running a statement sent as text.
    Query,
    /// Running a prepared statement.
    Execute,
    /// Preparing a statement.
    Prepare,
    /// Listing the columns of a table.
    FieldList,
    /// Changing its database.
    InitDb,
    /// Becoming another user's.
    ChangeUser,
    /// Resetting its state.
    ResetConnection,
    /// Ended from outside, and not yet over.
    Killed,
    /// On its way out: rolling back, closing.
    Quit,
}

impl Command {
    /// The text in the Command column.
    pub fn as_str(self) -> &'static str {
        match self {
            Command::Connect => "Connect",
            Command::Sleep => "Sleep",
            Command::Query => "Query",
            Command::Execute => "Execute",
            Command::Prepare => "Prepare",
            Command::FieldList => "Field List",
            Command::InitDb => "Init DB",
            Command::ChangeUser => "Change user",
            Command::ResetConnection => "Reset Connection",
            Command::Killed => "Killed",
            Command::Quit => "Quit",
        }
    }
}

/// How a session's last statement ended, as Doris's State shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// There was none yet.
    #[default]
    None,
    /// Without rows.
    Ok,
    /// With rows.
    Rows,
    /// With this error.
    Error(Arc<str>),
}

/// What a client's session has at the servers behind a proxy, as lists show it; nothing where there is no proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// How many connections to servers it has.
    pub servers: u64,
    /// How many transactions it has begun there; a statement outside of one counts as one.
    pub transactions: u64,
}

/// The user of a session before login.
const NOBODY_YET: &str = "unauthenticated user";

/// One session as the lists show it. Made by the session's slot, and by nothing else.
#[derive(Clone, Debug)]
pub struct ProcessRow {
    /// The session's id: the one in the greeting, of `CONNECTION_ID()`, and what `KILL` takes.
    pub id: SessionId,
    /// OceanBase: the client of a proxy that it is for, if the proxy has said so. Lists and `CONNECTION_ID()` show that one's
    /// id instead, and `KILL` takes both.
    pub client: Option<ClientSession>,
    /// Who it belongs to; `None` before login.
    pub principal: Option<Arc<Principal>>,
    /// Where the client is.
    pub peer: Origin,
    /// What the client said of itself when it connected.
    pub attributes: Option<Attributes>,
    /// How the connection is encrypted, if it is.
    pub encryption: Option<&'static Encryption>,
    /// The current database.
    pub database: Option<Arc<str>>,
    /// When it logged in, or last became another user's.
    pub login: Option<SystemTime>,
    /// What it is doing; [`Command::Killed`] once that was ended from outside.
    pub command: Command,
    /// The same, killed or not.
    pub active: Command,
    /// How much of it was ended from outside and is not yet over, if anything.
    pub killed: Option<KillMode>,
    /// Since the last start or end of a command (MySQL's Time, finer than its seconds).
    pub time: Duration,
    /// The same, but a kill counts from its own moment (OceanBase's TIME).
    pub state_time: Duration,
    /// MySQL's State: what the statement is at; empty when idle.
    pub state: String,
    /// The running statement, with its secrets replaced.
    pub info: Option<String>,
    /// The running statement's number within the session.
    pub statement: Option<StatementNo>,
    /// The running statement's number within the server (MariaDB's QUERY_ID).
    pub query_id: Option<u64>,
    /// The running or the last statement's number within the server; 0 before the first.
    pub last_query_id: u64,
    /// Doris: the trace id that the client gave its session.
    pub trace_id: Option<Arc<str>>,
    /// How the last statement ended. Kept for the lists that show it, Doris's; [`Outcome::None`] in others.
    pub outcome: Outcome,
    /// Whether a transaction was open after the last statement.
    pub in_transaction: bool,
    /// For how long it has been open, if one is: since the end of the command after which the engine first said so. A
    /// command that ends one transaction and begins the next is taken for a part of the same.
    pub transaction_time: Option<Duration>,
    /// Whether autocommit was on after the last statement.
    pub autocommit: bool,
    /// The thread of the operating system on which it began; 0 if that is not known.
    pub thread: u32,
    /// What it has at the servers behind a proxy.
    pub behind: Behind,
}

impl ProcessRow {
    /// A session that nothing is known of but its id, for tests to go on from.
    #[cfg(all(test, any(feature = "cluster", feature = "policies")))]
    pub(crate) fn idle(id: SessionId) -> Self {
        Self {
            id,
            client: None,
            principal: None,
            peer: Origin::Local,
            attributes: None,
            encryption: None,
            database: None,
            login: None,
            command: Command::Sleep,
            active: Command::Sleep,
            killed: None,
            time: Duration::ZERO,
            state_time: Duration::ZERO,
            state: String::new(),
            info: None,
            statement: None,
            query_id: None,
            last_query_id: 0,
            trace_id: None,
            outcome: Outcome::None,
            in_transaction: false,
            transaction_time: None,
            autocommit: true,
            thread: 0,
            behind: Behind::default(),
        }
    }

    /// The User column: before login MySQL shows `unauthenticated user`.
    pub fn user(&self) -> &str {
        self.principal.as_ref().map_or(NOBODY_YET, |p| p.user())
    }
}

/// The same, borrowed from where it stands: a list of thousands counts no references and copies no names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) id: SessionId,
    pub(crate) client: Option<ClientSession>,
    pub(crate) principal: Option<&'a Arc<Principal>>,
    pub(crate) peer: Origin,
    pub(crate) attributes: Option<&'a Attributes>,
    pub(crate) encryption: Option<&'static Encryption>,
    pub(crate) database: Option<&'a Arc<str>>,
    pub(crate) login: Option<SystemTime>,
    pub(crate) command: Command,
    pub(crate) active: Command,
    pub(crate) killed: Option<KillMode>,
    pub(crate) time: Duration,
    pub(crate) state_time: Duration,
    pub(crate) state: &'a str,
    pub(crate) info: Option<&'a str>,
    pub(crate) statement: Option<StatementNo>,
    pub(crate) query_id: Option<u64>,
    pub(crate) last_query_id: u64,
    pub(crate) trace_id: Option<&'a Arc<str>>,
    pub(crate) outcome: &'a Outcome,
    pub(crate) in_transaction: bool,
    pub(crate) transaction_time: Option<Duration>,
    pub(crate) autocommit: bool,
    pub(crate) thread: u32,
    pub(crate) behind: Behind,
}

impl Seen<'_> {
    /// The User column.
    pub(crate) fn user(&self) -> &str {
        self.principal.map_or(NOBODY_YET, |p| p.user())
    }
}

impl<'a> From<&'a ProcessRow> for Seen<'a> {
    fn from(row: &'a ProcessRow) -> Self {
        Seen {
            id: row.id,
            client: row.client,
            principal: row.principal.as_ref(),
            peer: row.peer,
            attributes: row.attributes.as_ref(),
            encryption: row.encryption,
            database: row.database.as_ref(),
            login: row.login,
            command: row.command,
            active: row.active,
            killed: row.killed,
            time: row.time,
            state_time: row.state_time,
            state: &row.state,
            info: row.info.as_deref(),
            statement: row.statement,
            query_id: row.query_id,
            last_query_id: row.last_query_id,
            trace_id: row.trace_id.as_ref(),
            outcome: &row.outcome,
            in_transaction: row.in_transaction,
            transaction_time: row.transaction_time,
            autocommit: row.autocommit,
            thread: row.thread,
            behind: row.behind,
        }
    }
}

impl From<&Seen<'_>> for ProcessRow {
    fn from(seen: &Seen<'_>) -> Self {
        ProcessRow {
            id: seen.id,
            client: seen.client,
            principal: seen.principal.cloned(),
            peer: seen.peer,
            attributes: seen.attributes.cloned(),
            encryption: seen.encryption,
            database: seen.database.cloned(),
            login: seen.login,
            command: seen.command,
            active: seen.active,
            killed: seen.killed,
            time: seen.time,
            state_time: seen.state_time,
            state: seen.state.to_owned(),
            info: seen.info.map(str::to_owned),
            statement: seen.statement,
            query_id: seen.query_id,
            last_query_id: seen.last_query_id,
            trace_id: seen.trace_id.cloned(),
            outcome: seen.outcome.clone(),
            in_transaction: seen.in_transaction,
            transaction_time: seen.transaction_time,
            autocommit: seen.autocommit,
            thread: seen.thread,
            behind: seen.behind,
        }
    }
}
