//! What a kill aims at, and how it ended.

use super::Reason;
use crate::id::SessionId;

/// How much of the session a kill ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KillMode {
    /// The running statement alone (`KILL QUERY`). An idle session is not touched.
    Query,
    /// The session with all that it runs (`KILL [CONNECTION]`).
    Connection,
}

/// What a kill aims at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// One session, by its id.
    Session(SessionId),
    /// The statement with this query id, wherever it runs (MariaDB: `KILL QUERY ID n`).
    Statement(u64),
    /// The statement with this name: a query id as Doris writes it, or the trace id of its session.
    Named(String),
    /// All sessions of a user, at a host if one is given (MariaDB: `KILL USER name[@host]`).
    User {
        /// The user's name.
        user: String,
        /// The client's host without its port; `None` or `%`: any.
        host: Option<String>,
    },
}

/// How a kill ended, as its receipt tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillOutcome {
    /// The statement, or the session, is over, and this was the first reason to reach it.
    Ended(Reason),
    /// There was nothing to end: no statement was running.
    NotRunning,
}
