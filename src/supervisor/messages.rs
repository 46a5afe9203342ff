//! The messages of the supervisor's mailbox.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use actix::Message;

use super::{listing::Listing, receipt::Receipt};
use crate::{
    id::SessionId,
    model::{KillError, KillMode, Principal, Target},
};

/// Ends a statement or a session, if the requester may.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Receipt, KillError>")]
pub struct Kill {
    /// Who asks.
    pub by: Arc<Principal>,
    /// From which session, if from one.
    pub from: Option<SessionId>,
    /// What to end.
    pub target: Target,
    /// How much of it.
    pub mode: KillMode,
}

/// Asks for the list, as far as the requester may see it.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Listing")]
pub struct List {
    /// Who asks.
    pub by: Arc<Principal>,
}

/// Ends all sessions and takes no more. Sent again while that goes on, the grace that is over first counts; whoever sends
/// it, then or later, gets the one summary.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Summary")]
pub struct Shutdown {
    /// So long running statements and open transactions may still end by themselves.
    pub grace: Duration,
}

/// How a shutdown went. `drained` and `forced` together are the sessions that there were when it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Sessions that were idle and in no transaction, or became so within the grace, or whose clients left meanwhile.
    pub drained: usize,
    /// Sessions that were ended when the grace was over: a statement ran, its client had not read the answer, or a
    /// transaction was open.
    pub forced: usize,
    /// Transactions that came to their end within the grace, by their clients' `COMMIT` or `ROLLBACK`.
    pub transactions_ended: usize,
    /// Transactions that were open after that, and that the engine was told to roll back.
    pub transactions_rolled_back: usize,
    /// Sessions of the forced ones that had not left when the supervisor stopped waiting: their engine neither ends nor
    /// rolls back.
    pub left_behind: usize,
}

/// What a session does from its first moment to its last. It owns the engine's session and the registration, so that
/// the end of it is the end of the session, wherever it is polled.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The runtime is gone, with all sessions: nobody asks anything any more.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Retire;

/// The work of a session whose actor died before it was done.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Reap(pub(crate) Work);
