//! The statements about a proxy's sessions, as values: `SHOW PROXYSESSION …` and `KILL PROXYSESSION …` (ODP).

use super::IdExpr;

/// `SHOW PROXYSESSION [ATTRIBUTE | STAT | VARIABLES [ALL]] [id] [LIKE 'pattern']`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShowProxySession {
    /// What is asked for.
    pub what: ProxyShow,
    /// Of which client session, by its own id or by what `CONNECTION_ID()` says there; `None`: of one's own.
    pub id: Option<IdExpr>,
    /// Which of the rows, by their names: `%` is any run of characters, `_` any one.
    pub like: Option<String>,
}

/// What a `SHOW PROXYSESSION` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyShow {
    /// The client sessions, one row for each.
    Sessions,
    /// What one client session is, and its server sessions.
    Attributes,
    /// The counters of one.
    Stats,
    /// The variables of one.
    Variables {
        /// Those too that the client has not changed.
        all: bool,
    },
}

/// `KILL PROXYSESSION id [ss_id]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillProxySession {
    /// The client session, by its own id or by what `CONNECTION_ID()` says there.
    pub id: IdExpr,
    /// The one of its server sessions that is to end; `None`: the client session is, with all of them.
    pub server_session: Option<IdExpr>,
}

impl ShowProxySession {
    /// How many parameters it takes.
    pub(super) fn placeholders(&self) -> usize {
        self.id.as_ref().map_or(0, IdExpr::placeholders)
    }
}

impl KillProxySession {
    /// How many parameters it takes.
    pub(super) fn placeholders(&self) -> usize {
        self.id.placeholders() + self.server_session.as_ref().map_or(0, IdExpr::placeholders)
    }
}
