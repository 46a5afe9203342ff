//! The messages of a session's mailbox.

use actix::Message;
use bytes::Bytes;

use super::results::Results;
use crate::model::{Prepared, Reason, SqlError, Statement, StatementNo};

/// Runs a statement. Answered when the result is complete and small, or as soon as its first rows are there.
///
/// Statements of one session run one after the other, in the order in which they came.
#[derive(Debug, Message)]
#[rtype(result = "Result<Results, SqlError>")]
pub struct Query(pub Statement);

/// Asks the engine to prepare a statement: what parameters it takes and which columns it gives.
#[derive(Debug, Message)]
#[rtype(result = "Result<Prepared, SqlError>")]
pub struct Prepare(pub Bytes);

/// Changes the current database.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), SqlError>")]
pub struct UseDatabase(pub String);

/// Brings the session back to how it was when it was opened: see [`crate::EngineSession::reset`].
#[derive(Debug, Message)]
#[rtype(result = "Result<(), SqlError>")]
pub struct Reset;

/// Ends one statement, if it still runs. The session lives, and no other statement is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Cancel {
    /// Which.
    pub statement: StatementNo,
    /// Why.
    pub reason: Reason,
}

/// Ends the session with all that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Terminate {
    /// Why.
    pub reason: Reason,
}
