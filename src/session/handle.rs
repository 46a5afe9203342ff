//! The host's end of a session that it connected itself.

use std::sync::Arc;

use actix::Addr;
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    actor::Session,
    messages::{Prepare, Query, Reset, UseDatabase},
    results::Results,
};
use crate::{
    id::SessionId,
    model::{Killed, Prepared, Reason, SqlError, Statement, StatementNo},
    state::{Raised, Signal, Slot, Word},
};

/// A session that the host connected. When the last clone is dropped the session ends, as if its client had quit.
#[derive(Clone, Debug)]
pub struct SessionHandle {
    addr: Addr<Session>,
    life: Arc<Life>,
}

/// Held by the host's end; its drop ends the session. It is made before the host is told of the session, so that a host
/// that is gone by then, or loses interest before it looks, ends it too.
#[derive(Debug)]
pub(crate) struct Life {
    slot: Arc<Slot>,
}

impl Life {
    pub(crate) fn new(slot: Arc<Slot>) -> Self {
        Self { slot }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        terminate(&self.slot, Reason::Quit);
    }
}

fn terminate(slot: &Slot, reason: Reason) {
    if slot.switch.terminate(reason) == Raised::First {
        slot.signal(Signal::Leaving);
    }
}

impl SessionHandle {
    pub(crate) fn new(addr: Addr<Session>, life: Life) -> Self {
        Self { addr, life: Arc::new(life) }
    }

    /// The session's id.
    pub fn id(&self) -> SessionId {
        self.life.slot.id()
    }

    /// The actor's address, for [`Query`], [`Prepare`], [`UseDatabase`], [`Reset`], [`crate::Cancel`] and
    /// [`crate::Terminate`] as messages. It does not keep the session alive.
    pub fn addr(&self) -> &Addr<Session> {
        &self.addr
    }

    /// Runs a statement. Dropping the future cancels it.
    ///
    /// # Errors
    /// The statement's own, or the reason for which the session has ended.
    pub async fn query(&self, statement: impl Into<Statement>) -> Result<Results, SqlError> {
        self.addr.send(Query(statement.into())).await.unwrap_or_else(|_| Err(self.over()))
    }

    /// Asks what parameters a statement takes and which columns it gives.
    ///
    /// # Errors
    /// The engine's own, or the reason for which the session has ended.
    pub async fn prepare(&self, sql: impl Into<Bytes>) -> Result<Prepared, SqlError> {
        self.addr.send(Prepare(sql.into())).await.unwrap_or_else(|_| Err(self.over()))
    }

    /// Changes the current database.
    ///
    /// # Errors
    /// The engine's own, or the reason for which the session has ended.
    pub async fn use_database(&self, name: impl Into<String>) -> Result<(), SqlError> {
        self.addr.send(UseDatabase(name.into())).await.unwrap_or_else(|_| Err(self.over()))
    }

    /// Brings the session back to how it was when it was opened.
    ///
    /// # Errors
    /// The engine's own, or the reason for which the session has ended.
    pub async fn reset(&self) -> Result<(), SqlError> {
        self.addr.send(Reset).await.unwrap_or_else(|_| Err(self.over()))
    }

    /// The number of the statement that runs.
    pub fn running(&self) -> Option<StatementNo> {
        self.life.slot.switch.word().running()
    }

    /// Ends statement `number`, if it still runs; the host needs nobody's leave for it.
    pub fn cancel(&self, number: StatementNo) {
        let reason = Reason::KillQuery;
        // By nobody's address: the one of a kill before it is not told again.
        let raised = self.life.slot.kill(Instant::now(), None, |switch| switch.cancel(number, reason));
        if raised == Raised::First {
            self.life.slot.signal(Signal::Cancelled);
        }
    }

    /// Ends the session with all that it runs.
    pub fn terminate(&self, reason: Reason) {
        terminate(&self.life.slot, reason);
    }

    /// Waits until the session is over: rolled back, and out of the list.
    pub async fn ended(&self) -> Reason {
        let seen = |word: Word| if word.gone() { word.leaving() } else { None };
        self.life.slot.switch.until(seen).await
    }

    fn over(&self) -> SqlError {
        Killed(self.life.slot.switch.word().leaving().unwrap_or(Reason::Shutdown)).into()
    }
}
