//! One row of the process list, as every list shows it.

use std::{sync::Arc, time::Duration};

use super::{Attributes, Origin, Principal, StatementNo};
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

/// One session as the lists show it. Made by the session's slot, and by nothing else.
#[derive(Clone, Debug)]
pub struct ProcessRow {
    /// The session's id: the one in the greeting, of `CONNECTION_ID()`, and what `KILL` takes.
    pub id: SessionId,
    /// Who it belongs to; `None` before login.
    pub principal: Option<Arc<Principal>>,
    /// Where the client is.
    pub peer: Origin,
    /// What the client said of itself when it connected.
    pub attributes: Option<Attributes>,
    /// The current database.
    pub database: Option<Arc<str>>,
    /// What it is doing.
    pub command: Command,
    /// Since the last start or end of a command (MySQL's Time, finer than its seconds).
    pub time: Duration,
    /// MySQL's State: what the statement is at; empty when idle.
    pub state: &'static str,
    /// The running statement, with its secrets replaced.
    pub info: Option<String>,
    /// The running statement's number within the session.
    pub statement: Option<StatementNo>,
    /// The running statement's number within the server (MariaDB's QUERY_ID).
    pub query_id: Option<u64>,
}

impl ProcessRow {
    /// The User column: before login MySQL shows `unauthenticated user`.
    pub fn user(&self) -> &str {
        self.principal.as_ref().map_or("unauthenticated user", |p| p.user())
    }
}
