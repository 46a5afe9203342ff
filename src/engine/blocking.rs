//! The adapter for engines made of plain blocking code, as SQLite's is.
//!
//! Each call moves the session to a thread where blocking is allowed, and back. A statement that is killed is waited
//! for: the code sees the flag by polling it ([`StatementContext::check`], or the row sink's errors), and a statement
//! that does not look stays listed as `Killed` until it ends.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::Span;

use super::{Engine, EngineSession, OnKill, RowSink, StatementContext};
use crate::model::{Column, Done, Login, OwnedValue, Prepared, Principal, Reason, SqlError, Statement, Verifier};

/// A blocking engine. Wrap it in [`Blocking`] to serve it.
pub trait BlockingEngine: Send + Sync + 'static {
    /// What it keeps for one client.
    type Session: BlockingSession;

    /// Looks up who asks to be let in: what its password is to be checked against, and who it is if that fits. `None`
    /// for an unknown user, or one that may not come in this way; the client cannot tell it from a wrong password. The
    /// default knows nobody. See [`Engine::authenticate`].
    ///
    /// # Errors
    /// Whatever keeps the engine from looking.
    fn account(&self, login: &Login<'_>) -> Result<Option<(Verifier, Principal)>, SqlError> {
        let _ = login;
        Ok(None)
    }

    /// See [`Engine::open`].
    ///
    /// # Errors
    /// Whatever keeps the engine from serving this client.
    fn open(&self, who: &Arc<Principal>) -> Result<Self::Session, SqlError>;
}

/// One client's part of a blocking engine. The methods are those of [`EngineSession`], without the futures.
#[allow(missing_docs)] // each stands, with its text, in EngineSession
pub trait BlockingSession: Send + 'static {
    /// # Errors
    /// Whatever the client shall be told.
    fn execute(&mut self, cx: &StatementContext, statement: Statement, out: &mut RowSink) -> Result<Done, SqlError>;

    /// # Errors
    /// The default refuses: 1295.
    fn prepare(&mut self, cx: &StatementContext, sql: &Bytes) -> Result<Prepared, SqlError> {
        let _ = (cx, sql);
        Err(SqlError::not_preparable())
    }

    /// # Errors
    /// The default knows no table: 1146.
    fn fields(&mut self, cx: &StatementContext, table: &str, pattern: &str) -> Result<Vec<Column>, SqlError> {
        let _ = pattern;
        Err(SqlError::no_such_table(cx.database().as_deref(), table))
    }

    /// # Errors
    /// The default agrees to any name.
    fn use_database(&mut self, cx: &StatementContext, name: &str) -> Result<(), SqlError> {
        let _ = (cx, name);
        Ok(())
    }

    /// # Errors
    /// The default rolls back, and cannot fail.
    fn reset(&mut self, cx: &StatementContext) -> Result<(), SqlError> {
        let _ = cx;
        self.rollback(Reason::Quit);
        Ok(())
    }

    fn rollback(&mut self, why: Reason) {
        let _ = why;
    }

    /// As [`EngineSession::in_transaction`].
    fn in_transaction(&self) -> Option<bool> {
        None
    }

    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        let _ = name;
        None
    }
}

/// Makes an [`Engine`] of a [`BlockingEngine`].
#[derive(Debug)]
pub struct Blocking<E>(Arc<E>);

impl<E: BlockingEngine> Blocking<E> {
    /// Wraps `engine`. Its code runs on the blocking threads of the tokio runtime that the session lives on.
    pub fn new(engine: E) -> Self {
        Self(Arc::new(engine))
    }
}

impl<E: BlockingEngine> Engine for Blocking<E> {
    type Session = BlockingEngineSession<E::Session>;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        // Accounts are looked up in memory as a rule; what a login must wait for belongs in an `Engine` of one's own.
        let (verifier, principal) = match self.0.account(login)? {
            Some((verifier, principal)) => (verifier, Some(principal)),
            None => (Verifier::nobody(), None),
        };
        let proved = login.proves(&verifier).await;
        principal.filter(|_| proved).ok_or_else(|| login.denied())
    }

    async fn open(&self, who: &Arc<Principal>) -> Result<Self::Session, SqlError> {
        let (engine, who) = (Arc::clone(&self.0), Arc::clone(who));
        let session = finished(elsewhere(move || engine.open(&who))).await?;
        Ok(BlockingEngineSession(Some(session)))
    }
}

/// A [`BlockingSession`] on its way to and from the blocking threads.
#[derive(Debug)]
pub struct BlockingEngineSession<S>(Option<S>);

/// Makes a call on a thread where blocking is allowed. What is logged there belongs to whom it would belong to here.
fn elsewhere<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let span = Span::current();
    spawn_blocking(move || span.in_scope(call))
}

/// The answer of a call on another thread. A panic there goes on here, where the runtime catches it.
async fn finished<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => panic!("the runtime's blocking threads are gone: {error}"),
        },
    }
}

impl<S: BlockingSession> BlockingEngineSession<S> {
    async fn away<T: Send + 'static>(&mut self, call: impl FnOnce(&mut S) -> T + Send + 'static) -> T {
        let mut session = self.0.take().expect("a session makes one call at a time, and gets its state back");
        // The session comes back even when the call panics, so that it can still roll back.
        let (session, answer) = finished(elsewhere(move || {
            let answer = catch_unwind(AssertUnwindSafe(|| call(&mut session)));
            (session, answer)
        }))
        .await;
        self.0 = Some(session);
        answer.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl<S: BlockingSession> EngineSession for BlockingEngineSession<S> {
    const ON_KILL: OnKill = OnKill::Finish;

    async fn execute(
        &mut self,
        cx: &StatementContext,
        statement: Statement,
        out: &mut RowSink,
    ) -> Result<Done, SqlError> {
        let (cx, mut taken) = (cx.clone(), out.take());
        let (result, taken) = self
            .away(move |session| {
                let result = catch_unwind(AssertUnwindSafe(|| {
                    // It may have waited for a thread, and been killed meanwhile.
                    cx.check()?;
                    session.execute(&cx, statement, &mut taken)
                }));
                (result, taken)
            })
            .await;
        *out = taken;
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    async fn prepare(&mut self, cx: &StatementContext, sql: &Bytes) -> Result<Prepared, SqlError> {
        let (cx, sql) = (cx.clone(), sql.clone());
        self.away(move |session| {
            cx.check()?;
            session.prepare(&cx, &sql)
        })
        .await
    }

    async fn fields(&mut self, cx: &StatementContext, table: &str, pattern: &str) -> Result<Vec<Column>, SqlError> {
        let (cx, table, pattern) = (cx.clone(), table.to_owned(), pattern.to_owned());
        self.away(move |session| {
            cx.check()?;
            session.fields(&cx, &table, &pattern)
        })
        .await
    }

    async fn use_database(&mut self, cx: &StatementContext, name: &str) -> Result<(), SqlError> {
        let (cx, name) = (cx.clone(), name.to_owned());
        self.away(move |session| {
            cx.check()?;
            session.use_database(&cx, &name)
        })
        .await
    }

    async fn reset(&mut self, cx: &StatementContext) -> Result<(), SqlError> {
        let cx = cx.clone();
        self.away(move |session| {
            cx.check()?;
            session.reset(&cx)
        })
        .await
    }

    async fn rollback(&mut self, why: Reason) {
        // Without its state there is nothing to undo: its own Drop has run, or will.
        if self.0.is_some() {
            self.away(move |session| session.rollback(why)).await;
        }
    }

    fn in_transaction(&self) -> Option<bool> {
        self.0.as_ref().and_then(BlockingSession::in_transaction)
    }

    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        self.0.as_ref().and_then(|session| session.user_variable(name))
    }
}
