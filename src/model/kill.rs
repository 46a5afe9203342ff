//! What a kill aims at, how it ended, and why it was not carried out.

use super::{ErrorKind, Killed, Reason, SqlError};
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
    /// Another node of the cluster carried it out, and does not tell when it is over.
    Elsewhere,
}

/// Why a kill was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KillError {
    /// No such session. Carries the id as it was written.
    #[error("unknown session {0}")]
    UnknownSession(String),
    /// The session belongs to somebody else and the requester has no right over it.
    #[error("not the owner of session {0}")]
    NotOwner(SessionId),
    /// The same, of a session whose account is protected from those who may kill others': the requester may, and has no right
    /// over that account (TiDB: it lacks RESTRICTED_CONNECTION_ADMIN).
    #[error("no right over the account of session {0}")]
    Protected(SessionId),
    /// No running statement has this query id.
    #[error("unknown query id {0}")]
    UnknownQuery(u64),
    /// No session has run a statement of this name, or has this trace id (Doris). Carries at most 80 characters of it.
    #[error("unknown query id {0}")]
    UnknownName(String),
    /// The statement with this query id belongs to somebody else.
    #[error("not the owner of query {0}")]
    NotQueryOwner(u64),
    /// The node that has the session could not be reached: nothing was ended.
    #[error("server {server} cannot be reached")]
    Unreachable {
        /// Its id, as it stands in the ids of its sessions.
        server: u32,
    },
    /// The node that has the session has not answered in time: whether it ends anything is not known.
    #[error("server {server} has not answered")]
    Unanswered {
        /// Its id.
        server: u32,
    },
    /// Not all servers of the cluster have answered: sessions of this client may be left there (OceanBase). Those of the
    /// others were ended.
    #[error("sessions of client {client} may be left on servers that have not answered")]
    ClientNotReached {
        /// The client session's id.
        client: SessionId,
    },
    /// This server has no place in its cluster, or might have lost it.
    #[error("the server has no place in its cluster")]
    Offline,
    /// The supervisor is gone: the runtime was stopped.
    #[error("the runtime has been stopped")]
    Stopped,
}

impl KillError {
    /// Whether there was what the kill was aimed at, and the requester had no right to it.
    pub fn is_denial(&self) -> bool {
        matches!(self, Self::NotOwner(_) | Self::Protected(_) | Self::NotQueryOwner(_))
    }
}

impl From<KillError> for SqlError {
    fn from(error: KillError) -> Self {
        match error {
            KillError::UnknownSession(id) => SqlError::unknown_thread(id),
            KillError::NotOwner(id) | KillError::Protected(id) => SqlError::not_owner(id),
            KillError::UnknownQuery(id) => SqlError::of(ErrorKind::UnknownQueryId, format!("Unknown query id: {id}")),
            KillError::UnknownName(name) => SqlError::unknown_query_name(&name),
            KillError::NotQueryOwner(id) => {
                SqlError::of(ErrorKind::QueryKillDenied, format!("You are not owner of query {id}"))
            }
            KillError::Unreachable { server } => SqlError::of(
                ErrorKind::UnreachableNode,
                format!("Unable to connect to foreign data source: server {server} of the cluster"),
            ),
            KillError::Unanswered { server } => SqlError::of(
                ErrorKind::UnansweredNode,
                format!(
                    "There was a problem processing the query on the foreign data source. Data source error: server \
                     {server} of the cluster has not answered in time, and may or may not carry out the kill"
                ),
            ),
            KillError::ClientNotReached { .. } => {
                SqlError::of(ErrorKind::ClientSessionNotKilled, "Kill Client Session failed")
            }
            KillError::Offline => Killed(Reason::Offline).into(),
            KillError::Stopped => Killed(Reason::Shutdown).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kill_errors_carry_mysqls_codes_and_texts() {
        let e = SqlError::from(KillError::UnknownSession("99".into()));
        assert_eq!((e.code(), e.state(), e.message()), (1094, "HY000", "Unknown thread id: 99"));
        let e = SqlError::from(KillError::NotOwner(SessionId::new(7)));
        assert_eq!((e.code(), e.state(), e.message()), (1095, "HY000", "You are not owner of thread 7"));
        let e = SqlError::from(KillError::ClientNotReached { client: SessionId::new(7) });
        assert_eq!((e.code(), e.state(), e.message()), (4402, "HY000", "Kill Client Session failed"));
        assert_eq!(SqlError::from(KillError::UnknownQuery(3)).code(), 1957);
        assert_eq!(SqlError::from(KillError::NotQueryOwner(3)).code(), 1979);
    }
}
