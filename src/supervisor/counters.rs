//! What is counted: exact numbers, kept where things happen and read without asking anybody.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use super::gauge::Gauge;
use crate::model::{KillMode, Reason, Refused};

/// What became of a kill when it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It was signalled to a statement or a session.
    Signalled,
    /// It found nothing that ran.
    NothingToEnd,
    /// The session was not the requester's to kill.
    Denied,
    /// There was no such session.
    Unknown,
    /// The node that has the session could not be reached.
    Unreachable,
    /// It has not answered in time.
    Unanswered,
}

impl Asked {
    pub(super) const ALL: [Asked; 6] =
        [Asked::Signalled, Asked::NothingToEnd, Asked::Denied, Asked::Unknown, Asked::Unreachable, Asked::Unanswered];
}

pub(super) const MODES: [KillMode; 2] = [KillMode::Query, KillMode::Connection];

/// How often each of so many things has happened.
#[derive(Debug)]
pub(super) struct Tally<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Tally<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Tally<N> {
    fn add(&self, which: usize) {
        if let Some(count) = self.0.get(which) {
            count.fetch_add(1, Relaxed);
        }
    }

    #[cfg(feature = "metrics")]
    pub(super) fn get(&self, which: usize) -> u64 {
        self.0.get(which).map_or(0, |count| count.load(Relaxed))
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|count| count.load(Relaxed)).sum()
    }
}

/// By the codes of reasons, which are below this.
pub(super) type ByCode = Tally<128>;

/// The reasons that are time-outs.
const TIMEOUTS: [Reason; 6] = [
    Reason::LoginTimeout,
    Reason::WaitTimeout,
    Reason::IdleTransaction,
    Reason::ExecutionTime,
    Reason::StatementTime,
    Reason::NetWriteTimeout,
];

/// The counters of one runtime.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicU64,
    /// By [`Refused::cause`].
    pub(super) refused: Tally<{ Refused::CAUSES.len() }>,
    aborted_logins: AtomicU64,
    aborted_clients: AtomicU64,
    kills: AtomicU64,
    denied: AtomicU64,
    panics: AtomicU64,
    #[cfg(feature = "cluster")]
    peers_refused: AtomicU64,
    /// In the order of [`TIMEOUTS`].
    timeouts: [AtomicU64; TIMEOUTS.len()],
    retired_statements: AtomicU64,
    longest_poll: AtomicU64,
    transactions_ended: AtomicUsize,
    transactions_rolled_back: AtomicUsize,
    /// Clients that are owed words which may not have reached them.
    pub(crate) farewells: Gauge,
    /// Of each kind, by what came of them.
    pub(super) asked: [Tally<{ Asked::ALL.len() }>; MODES.len()],
    pub(super) ended_sessions: ByCode,
    pub(super) cut_statements: ByCode,
    /// Connections that still owe a proxy's header.
    #[cfg(feature = "mysql")]
    pub(crate) headers: Gauge,
    /// Session actors that exist.
    pub(crate) actors: Gauge,
    /// Statements that clients keep prepared.
    pub(crate) prepared: Gauge,
}

/// How a runtime is doing, as [`crate::Runtime::status`] reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Sessions in the list.
    pub sessions: usize,
    /// Of these, those whose clients have not logged in yet, and were not told to make room for others.
    pub unauthenticated: usize,
    /// Session actors that exist. Equal to `sessions` but for those on their way in or out.
    pub actors: usize,
    /// Statements that clients keep prepared, by whatever way (MySQL: Prepared_stmt_count).
    pub prepared: usize,
    /// Sessions ever admitted (MySQL: Connections).
    pub connections: u64,
    /// Sessions that were not admitted.
    pub refused: u64,
    /// Clients that never logged in (MySQL: Aborted_connects).
    pub aborted_logins: u64,
    /// Sessions that ended without their client's goodbye (MySQL: Aborted_clients).
    pub aborted_clients: u64,
    /// Sessions that kills were aimed at and allowed to, idle ones included.
    pub kills: u64,
    /// Kills that the requester had no right to, or not to all of the sessions that they were aimed at.
    pub kills_denied: u64,
    /// Sessions and statements that time-outs have ended; [`crate::Runtime::timeouts`] says by which.
    pub timeouts: u64,
    /// Panics of the engine that were caught.
    pub panics: u64,
    /// Calls at the peers' port by somebody who is no node of the cluster.
    #[cfg(feature = "cluster")]
    pub peers_refused: u64,
    /// Statements begun in all sessions ever (MySQL: Questions).
    pub statements: u64,
    /// The longest time that one poll of an inline engine kept its arbiter. All sessions of the arbiter waited for it:
    /// more than a millisecond or so says that the engine does not belong inline.
    pub longest_poll: Duration,
}

impl Counters {
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// A connection was not admitted.
    pub(crate) fn refused(&self, why: &Refused) {
        why.cause().into_iter().for_each(|cause| self.refused.add(cause));
    }

    /// A kill was asked for.
    pub(super) fn asked(&self, mode: KillMode, outcome: Asked) {
        self.asked[mode as usize].add(outcome as usize);
    }

    /// A session has ended.
    pub(super) fn session_ended(&self, reason: Reason) {
        self.ended_sessions.add(reason.code().into());
    }

    /// A statement was ended from outside.
    pub(super) fn statement_cut(&self, reason: Reason) {
        self.cut_statements.add(reason.code().into());
    }

    /// Statements of sessions that have left the list.
    pub(super) fn retired_statements(&self) -> u64 {
        self.retired_statements.load(Relaxed)
    }

    pub(crate) fn aborted_login(&self) {
        self.aborted_logins.fetch_add(1, Relaxed);
    }

    pub(crate) fn aborted_client(&self) {
        self.aborted_clients.fetch_add(1, Relaxed);
    }

    pub(crate) fn killed(&self, sessions: u64) {
        self.kills.fetch_add(sessions, Relaxed);
    }

    pub(crate) fn denied(&self, kills: u64) {
        self.denied.fetch_add(kills, Relaxed);
    }

    /// A session, or its statement, was ended by a time-out.
    pub(crate) fn timed_out(&self, reason: Reason) {
        if let Some(at) = TIMEOUTS.iter().position(|known| *known == reason) {
            self.timeouts[at].fetch_add(1, Relaxed);
        }
    }

    /// How often each of the time-outs has ended something.
    pub(crate) fn timeouts(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        TIMEOUTS.iter().zip(&self.timeouts).map(|(reason, count)| (*reason, count.load(Relaxed)))
    }

    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// During a shutdown, a transaction came to its end.
    pub(crate) fn transaction_ended(&self) {
        self.transactions_ended.fetch_add(1, Relaxed);
    }

    /// A shutdown's grace was over, and a transaction is rolled back.
    pub(crate) fn transaction_rolled_back(&self) {
        self.transactions_rolled_back.fetch_add(1, Relaxed);
    }

    pub(super) fn transactions_rolled_back(&self) -> usize {
        self.transactions_rolled_back.load(Relaxed)
    }

    pub(super) fn transactions_ended(&self) -> usize {
        self.transactions_ended.load(Relaxed)
    }

    /// Somebody who is no node of the cluster has called.
    #[cfg(feature = "cluster")]
    pub(crate) fn peer_refused(&self) {
        self.peers_refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn retired(&self, statements: u64) {
        self.retired_statements.fetch_add(statements, Relaxed);
    }

    /// Returns whether it is the longest so far.
    pub(crate) fn polled(&self, time: Duration) -> bool {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Nearly always it is not the longest: then this is a read of a line that nobody writes.
        nanos > self.longest_poll.load(Relaxed) && nanos > self.longest_poll.fetch_max(nanos, Relaxed)
    }

    /// The figures now, of which the list knows the first two.
    pub(super) fn status(&self, sessions: usize, statements: u64) -> Status {
        Status {
            sessions,
            unauthenticated: 0,
            actors: self.actors.get(),
            prepared: self.prepared.get(),
            connections: self.connections.load(Relaxed),
            refused: self.refused.sum(),
            aborted_logins: self.aborted_logins.load(Relaxed),
            aborted_clients: self.aborted_clients.load(Relaxed),
            kills: self.kills.load(Relaxed),
            kills_denied: self.denied.load(Relaxed),
            timeouts: self.timeouts().map(|(_, count)| count).sum(),
            panics: self.panics.load(Relaxed),
            #[cfg(feature = "cluster")]
            peers_refused: self.peers_refused.load(Relaxed),
            statements,
            longest_poll: Duration::from_nanos(self.longest_poll.load(Relaxed)),
        }
    }
}
