//! What can happen to a session; `supervisor::events` carries it to the subscribers.

use std::{sync::Arc, time::Duration};

#[cfg(feature = "cluster")]
use super::PeerRefusal;
use super::{KillCause, KillError, KillMode, Origin, Principal, Progress, Reason, SqlError, StatementNo, Target};

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A session was given its id. Its client may not have logged in yet.
    Connected {
        /// Where the client is.
        peer: Origin,
    },
    /// The session's owner is known now, or it has become another user's.
    Authenticated {
        /// Who it belongs to.
        principal: Arc<Principal>,
    },
    /// A statement began.
    StatementBegan {
        /// Its number within the session.
        statement: StatementNo,
        /// Its text, with its secrets replaced.
        sql: Arc<str>,
    },
    /// A statement ended.
    StatementEnded {
        /// Its number within the session.
        statement: StatementNo,
        /// Rows affected, or the error that its client got: its code, and its text unless that may repeat a secret of the
        /// statement. What follows `near` is left out.
        result: Result<u64, SqlError>,
        /// Why it was ended from outside, if it was.
        killed: Option<Reason>,
    },
    /// Somebody asked for a kill. The event's session is the requester's, if it has one.
    KillAsked {
        /// The kill's number: 1 for the first one of this runtime, and so on.
        kill: u64,
        /// Who.
        by: Arc<Principal>,
        /// Of what. Names that clients chose have their secrets replaced.
        target: Target,
        /// How much of it.
        mode: KillMode,
        /// Why.
        cause: KillCause,
        /// How many sessions it reached, idle ones included, or why it was not carried out.
        outcome: Result<u64, KillError>,
        /// To how many more sessions it was aimed that were not the requester's to kill, and were left alone (`KILL USER`
        /// where denials are hidden, and statements that share their name). The requester is not told of them. 0 of a kill
        /// that was not carried out.
        spared: u64,
    },
    /// A statement or a session that a kill was aimed at is over. The event's session is the victim; of several sessions, each
    /// has one of these.
    KillEnded {
        /// The kill's number, as [`Event::KillAsked`] told it; of several that were aimed at the same, the first one's.
        kill: u64,
        /// The statement that is over; `None`: the session is.
        statement: Option<StatementNo>,
        /// The first reason that reached it, which need not be a kill.
        reason: Reason,
        /// From that kill to the end.
        duration: Duration,
    },
    /// Somebody who could not show that it is a node of the cluster has called at the peers' port, and was refused.
    #[cfg(feature = "cluster")]
    PeerRefused {
        /// From where.
        from: Origin,
        /// What was wrong.
        why: PeerRefusal,
    },
    /// The session is over and out of the list.
    Disconnected {
        /// Why.
        reason: Reason,
        /// How far it had come: an end before [`Progress::In`] is that of a login.
        progress: Progress,
    },
    /// The subscriber was too slow: this many events were lost before this one.
    Lagged(u64),
}
