//! What a client wants to be told of changes in its session.

#[cfg(feature = "mysql")]
use super::Done;

/// Of which changes in its session a client wants to be told beside the answers to its statements (MySQL:
/// `session_track_schema`, `session_track_transaction_info`). A wire tells those clients alone that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// The current database.
    pub database: bool,
    /// Whether a transaction is open.
    pub transaction: bool,
}

impl Default for Tracking {
    /// As MySQL has it: the database, and not the transaction.
    fn default() -> Self {
        Self { database: true, transaction: false }
    }
}

/// MySQL's eight characters for the state of the transaction, of which the first is known here: `T` for one that was
/// begun, `I` for one that a statement opened because autocommit is off, `_` for none.
#[cfg(feature = "mysql")]
pub(crate) fn transaction_state(done: &Done) -> &'static str {
    match (done.in_transaction, done.autocommit) {
        (true, true) => "T_______",
        (true, false) => "I_______",
        (false, _) => "________",
    }
}
