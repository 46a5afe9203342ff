//! One kill that was asked for, as the history of kills shows it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{Column, ColumnType, DateTime, KillMode, Lines, Origin, OwnedValue, escaped};
use crate::id::SessionId;

/// A kill that was asked for, as far as one principal may know of it. Made by [`crate::Listing::kills`].
///
/// A kill that reached some sessions, and left others alone that were not the requester's to kill, has a second row for
/// those who see one of the others.
///
/// Whoever asked and was told that there is no such session reads [`KillResult::Unknown`] here and no victim; the victim,
/// and whoever sees its sessions, reads [`KillResult::Denied`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillRow {
    /// When it was asked for.
    pub at: SystemTime,
    /// The user who asked.
    pub by: Arc<str>,
    /// From which session; `None` if from none, or if that is not to be seen.
    pub by_id: Option<SessionId>,
    /// Where that session's client was; `None` if that is not known, or not to be seen.
    pub by_host: Option<Origin>,
    /// How much it was to end.
    pub mode: KillMode,
    /// At what it was aimed, as a statement would name it; of what a client may choose, 80 characters.
    pub target: String,
    /// Whom it found, if that was one session, and one to be seen.
    pub victim: Option<KillVictim>,
    /// How many sessions it reached; of several, not all of which are to be seen, those that are.
    pub sessions: u64,
    /// Why it was asked for.
    pub cause: KillCause,
    /// What came of it.
    pub result: KillResult,
    /// From the kill to the end of what it was aimed at; of several sessions, to the last one's, as far as they are
    /// remembered ([`crate::Listing::kills`]). `None` while that is not over, or where there was nothing to end.
    pub duration: Option<Duration>,
}

/// A session that a kill found, as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillVictim {
    /// Its id.
    pub id: SessionId,
    /// Whose it was; `None`: nobody's yet, before login.
    pub user: Option<Arc<str>>,
    /// Where its client was.
    pub host: Origin,
}

/// Why a kill was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KillCause {
    /// By a client's statement, or its command.
    Statement,
    /// By the host itself ([`crate::Runtime::kill`]).
    Host,
    /// By the policies' rule of this name.
    Policy(Arc<str>),
    /// By another node of the cluster, the one with this server id, for one of its clients or for its host.
    #[cfg(feature = "cluster")]
    Peer(u32),
}

/// What came of a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KillResult {
    /// What it was aimed at is over.
    Ended,
    /// It was signalled, and is not over yet.
    Ending,
    /// It found nothing that ran.
    NothingToEnd,
    /// The session was not the requester's to kill.
    Denied,
    /// There was no such session.
    Unknown,
    /// Another node of the cluster carried it out. What came of it stands in the history there.
    Elsewhere,
    /// The node that has the session could not be reached: nothing was ended.
    Unreachable,
    /// The node that has the session has not answered in time: whether it ended anything is not known.
    Unanswered,
}

/// The text in the WHY column.
impl fmt::Display for KillCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KillCause::Statement => f.write_str("statement"),
            KillCause::Host => f.write_str("host"),
            KillCause::Policy(rule) => write!(f, "policy {rule}"),
            #[cfg(feature = "cluster")]
            KillCause::Peer(server) => write!(f, "server {server}"),
        }
    }
}

impl KillResult {
    /// The text in the OUTCOME column.
    pub fn as_str(self) -> &'static str {
        match self {
            KillResult::Ended => "ended",
            KillResult::Ending => "ending",
            KillResult::NothingToEnd => "nothing to end",
            KillResult::Denied => "denied",
            KillResult::Unknown => "unknown",
            KillResult::Elsewhere => "elsewhere",
            KillResult::Unreachable => "unreachable",
            KillResult::Unanswered => "unanswered",
        }
    }
}

impl KillRow {
    /// The columns of `killdeer.kill_history`.
    pub fn columns() -> Vec<Column> {
        let text = |name, width| Column::new(name, ColumnType::VarChar).width(width);
        let id = |name| Column::new(name, ColumnType::BigInt).unsigned().width(20);
        vec![
            Column::new("TIME", ColumnType::DateTime).width(26).decimals(6).not_null(),
            text("BY_USER", 128).not_null(),
            id("BY_ID"),
            text("BY_HOST", 261),
            text("MODE", 16).not_null(),
            text("TARGET", 256).not_null(),
            id("VICTIM_ID"),
            text("VICTIM_USER", 128),
            text("VICTIM_HOST", 261),
            id("SESSIONS").not_null(),
            text("WHY", 64).not_null(),
            text("OUTCOME", 16).not_null(),
            id("DURATION_US"),
        ]
    }

    /// The row, in the order of those columns. What clients chose is escaped.
    pub fn row(&self) -> [OwnedValue; 13] {
        let text = |text: &str| OwnedValue::Text(escaped(text.as_bytes(), Lines::Escaped).into_owned());
        let or_null = |value: Option<OwnedValue>| value.unwrap_or(OwnedValue::Null);
        let id = |id: SessionId| OwnedValue::UInt(id.get());
        let host = |host: Origin| OwnedValue::Text(host.to_string());
        let victim = self.victim.as_ref();
        [
            OwnedValue::DateTime(DateTime::from(self.at)),
            text(&self.by),
            or_null(self.by_id.map(id)),
            or_null(self.by_host.map(host)),
            text(match self.mode {
                KillMode::Query => "QUERY",
                KillMode::Connection => "CONNECTION",
            }),
            text(&self.target),
            or_null(victim.map(|victim| id(victim.id))),
            or_null(victim.and_then(|victim| victim.user.as_deref()).map(text)),
            or_null(victim.map(|victim| host(victim.host))),
            OwnedValue::UInt(self.sessions),
            text(&self.cause.to_string()),
            text(self.result.as_str()),
            or_null(self.duration.map(|time| OwnedValue::UInt(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))),
        ]
    }
}
