//! What the control statements say, as values. The expressions in them are in `expr`.

use super::{IdExpr, KillProxySession, Set, SetStatement, ShowProxySession};
use crate::model::KillMode;

/// A statement that the runtime answers itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// `KILL …`, and OceanBase's `ALTER SYSTEM KILL SESSION …`
    Kill(Kill),
    /// `SHOW [FULL] PROCESSLIST`
    ShowProcesslist {
        /// Whether whole statements are asked for, not their first 100 characters.
        full: bool,
    },
    /// `SHOW PROXYSESSION …` (ODP)
    ShowProxySession(ShowProxySession),
    /// `KILL PROXYSESSION …` (ODP)
    KillProxySession(KillProxySession),
    /// `SHOW WARNINGS [LIMIT …]`, `SHOW ERRORS [LIMIT …]`, `SHOW COUNT(*) WARNINGS | ERRORS`
    ///
    /// The runtime knows what its own statements warned of. After another statement this is the engine's.
    ShowDiagnostics {
        /// Whether errors alone are asked for.
        errors: bool,
        /// Whether their number is asked for, not what they say.
        count: bool,
        /// How many are left out at the beginning.
        offset: u64,
        /// How many are shown at most; [`u64::MAX`]: all.
        rows: u64,
    },
    /// `SET session_context = '…'` (Doris)
    SetSessionContext {
        /// What it says, such as `trace_id:xxx`; at most 1024 bytes. Empty for `DEFAULT`.
        value: String,
    },
    /// `SET …` of settings of the runtime's, and of others
    Set(Set),
    /// `SET STATEMENT … FOR statement` (MariaDB) of settings of the runtime's, and of others
    SetStatement(SetStatement),
    /// `FLUSH HOSTS`
    FlushHosts,
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
            Control::Kill(Kill { target: KillTarget::Id(id) | KillTarget::Query(id), .. }) => id.placeholders(),
            Control::KillProxySession(kill) => kill.placeholders(),
            Control::ShowProxySession(show) => show.placeholders(),
            Control::Set(set) => set.placeholders,
            _ => 0,
        }
    }

    /// Whether the runtime can prepare it by itself: not those that are about prepared statements, and not those that the
    /// engine may have to answer.
    pub fn can_be_prepared(&self) -> bool {
        matches!(
            self,
            Control::Kill(_)
                | Control::ShowProcesslist { .. }
                | Control::ShowProxySession(_)
                | Control::KillProxySession(_)
                | Control::SetSessionContext { .. }
                | Control::Set(_)
                | Control::FlushHosts
        )
    }
}

/// `KILL …`: MySQL's grammar with what MariaDB, TiDB, Doris and OceanBase add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// How much of the session it ends; the session if the statement does not say.
    pub mode: KillMode,
    /// MariaDB's HARD or SOFT.
    pub hardness: Hardness,
    /// What it aims at.
    pub target: KillTarget,
    /// Whether it was `KILL TIDB …`: whoever writes that knows that the id is good for the whole cluster.
    pub tidb: bool,
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
    /// A statement, by its query id or the trace id of its session, neither of which is a number (Doris:
    /// `KILL QUERY 'e4d69a1cce81468d-91c9ae32b17540e9'`).
    Named(String),
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
