//! A statement on its way in, and what is known of it when it is done.

use std::sync::Arc;

use bytes::Bytes;

use super::{Column, OwnedValue};

/// The number of a statement within its session, counted from 1. A kill carries the number it was authorised for, so
/// that it can never hit a later statement.
///
/// 48 bits: at a million statements a second it wraps after nine years of one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatementNo(u64);

impl StatementNo {
    /// The statement with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for StatementNo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A statement as the client sent it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statement {
    /// The text as UTF-8, if the client wrote what it said it would; a client whose character set is `binary` may have
    /// written anything.
    pub sql: Bytes,
    /// The values for its parameters, if it was prepared.
    pub params: Option<Params>,
    /// Of one that was prepared: the database that was current then, whose tables it names. `None`: there was none, or whoever
    /// executes it does not know.
    pub database: Option<Arc<str>>,
}

impl Statement {
    /// A statement without parameters.
    pub fn text(sql: impl Into<Bytes>) -> Self {
        Self { sql: sql.into(), ..Self::default() }
    }

    /// The text as a string, bytes that are no UTF-8 replaced.
    pub fn sql_lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.sql)
    }
}

impl From<&'static str> for Statement {
    fn from(sql: &'static str) -> Self {
        Self::text(sql)
    }
}

impl From<String> for Statement {
    fn from(sql: String) -> Self {
        Self::text(sql)
    }
}

/// The values for a prepared statement's parameters, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(pub Vec<OwnedValue>);

/// What the engine says of a statement that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Rows changed. For a result set: 0.
    pub affected: u64,
    /// The last generated `AUTO_INCREMENT` value, or 0.
    pub last_insert_id: u64,
    /// How many warnings `SHOW WARNINGS` would show.
    pub warnings: u16,
    /// Whether a transaction is open now. The runtime rolls it back when the session ends.
    pub in_transaction: bool,
    /// Whether autocommit is on.
    pub autocommit: bool,
    /// Whether a backslash escapes nothing in texts (MySQL: `NO_BACKSLASH_ESCAPES` in `sql_mode`): clients that escape
    /// texts go by it.
    pub no_backslash_escapes: bool,
}

impl Default for Done {
    /// Nothing affected, no transaction, autocommit on.
    fn default() -> Self {
        Self {
            affected: 0,
            last_insert_id: 0,
            warnings: 0,
            in_transaction: false,
            autocommit: true,
            no_backslash_escapes: false,
        }
    }
}

impl Done {
    /// The session's flags alone.
    pub(crate) fn quiet(self) -> Self {
        Self { affected: 0, last_insert_id: 0, warnings: 0, ..self }
    }
}

/// What an engine says of a statement that it prepared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prepared {
    /// One for each `?`, in their order.
    pub params: Vec<Column>,
    /// The columns of its result set; empty if it has none, or if they are known at execution only.
    pub columns: Vec<Column>,
}
