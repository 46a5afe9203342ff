//! Why no answer was found.

use crate::model::SqlError;

/// Why no answer was found.
#[derive(Debug)]
pub(super) enum Stop {
    /// The statement is none of ours, or not understood: the server runs it.
    NotOurs,
    /// It is ours, and it fails.
    Error(SqlError),
}

/// What was found, or why it was not.
pub(super) type Found<T> = Result<T, Stop>;

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Stop::Error(error)
    }
}
