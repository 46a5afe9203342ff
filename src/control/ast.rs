//! What the control statements say, as values.

use crate::model::KillMode;

/// A statement that the runtime answers itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// `KILL …`
    Kill(Kill),
    /// `SHOW [FULL] PROCESSLIST`
    ShowProcesslist {
        /// Whether whole statements are asked for, not their first 100 characters.
        full: bool,
    },
    /// `PREPARE name FROM …`
    Prepare {
        /// Its name, in lower case: case does not matter.
        name: String,
        /// What is prepared.
        source: Source,
    },
    /// `EXECUTE name [USING @a, @b]`
    Execute {
        /// Its name, in lower case.
        name: String,
        /// The user variables that hold its parameters.
        using: Vec<String>,
    },
    /// `DEALLOCATE PREPARE name`, `DROP PREPARE name`
    Deallocate {
        /// Its name, in lower case.
        name: String,
    },
}

/// Where the text of a `PREPARE` comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A string, decoded.
    Text(Vec<u8>),
    /// `@name`
    Variable(String),
}

impl Control {
    /// How many parameters it takes.
    pub fn placeholders(&self) -> usize {
        match self {
            Control::Kill(Kill { target: KillTarget::Id(id) | KillTarget::Query(id), .. }) => {
                usize::from(*id == IdExpr::Placeholder)
            }
            _ => 0,
        }
    }

    /// Whether it can itself be prepared: not those that are about prepared statements.
    pub fn can_be_prepared(&self) -> bool {
        matches!(self, Control::Kill(_) | Control::ShowProcesslist { .. })
    }
}

/// `KILL [HARD | SOFT] [CONNECTION | QUERY] …`: MySQL's grammar with MariaDB's additions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// How much of the session it ends; the session if the statement does not say.
    pub mode: KillMode,
    /// MariaDB's HARD or SOFT.
    pub hardness: Hardness,
    /// What it aims at.
    pub target: KillTarget,
}

/// MariaDB: a soft kill leaves alone what would leave a table inconsistent if it were interrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hardness {
    /// `HARD`, and what holds if the statement does not say.
    #[default]
    Hard,
    /// `SOFT`
    Soft,
}

/// What a `KILL` names, before it is known which session that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KillTarget {
    /// A session, by its id.
    Id(IdExpr),
    /// A statement, by its query id (MariaDB: `KILL QUERY ID n`).
    Query(IdExpr),
    /// All sessions of a user (MariaDB: `KILL USER name[@host]`).
    User {
        /// Whose.
        user: UserName,
        /// From which host; `None`: from any.
        host: Option<String>,
    },
}

/// The user in `KILL USER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserName {
    /// A name, case kept.
    Name(String),
    /// `CURRENT_USER` or `CURRENT_USER()`: the account of whoever asks.
    CurrentUser,
}

/// An expression that yields an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdExpr {
    /// A number or a string, which may be no id: see [`IdLiteral::id`].
    Literal(IdLiteral),
    /// `CONNECTION_ID()`: the asker's own.
    ConnectionId,
    /// `@name`, without the sign, case kept (MySQL's user variables know none).
    UserVariable(String),
    /// `NULL`, which is no id.
    Null,
    /// `?`: the first parameter of a prepared statement.
    Placeholder,
}

/// A literal in the place of an id.
///
/// That it is no id is an error when the statement is run, not when it is parsed: one may prepare `KILL 'x'`, and some
/// systems' ids are not numbers (Doris: `KILL QUERY 'trace id'`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdLiteral {
    text: String,
    number: Option<u64>,
}

impl IdLiteral {
    pub(super) fn new(text: String, number: Option<u64>) -> Self {
        Self { text, number }
    }

    /// What was typed; for a string its contents. Bytes that are no UTF-8 are replaced by U+FFFD.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value if that is a whole number in the range of u64; 0 is one.
    pub fn number(&self) -> Option<u64> {
        self.number
    }
}
