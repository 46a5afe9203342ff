//! What a session asks of its engine, where the engine's statements run, and what it knows of the transaction then.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;
use tracing::Instrument;

use super::Core;
use crate::{
    engine::{Engine, EngineSession, Placement, RowSink, StatementContext},
    model::{Done, Killed, Reason, SqlError, Statement},
    session::statement::{self, Call, Ended, Watched},
    state::Trace,
};

impl<E: Engine> Core<E> {
    /// Runs a statement of the engine's.
    pub(in crate::session) async fn ask_engine(
        &mut self,
        cx: &StatementContext,
        mut statement: Statement,
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<Done, SqlError> {
        self.diagnostics = None;
        let answer = self.call(cx, &mut statement, sink, began).await;
        self.executed(answer, sink)
    }

    /// What a statement of the engine's leaves.
    pub(super) fn executed(&mut self, answer: Result<Done, SqlError>, sink: &RowSink) -> Result<Done, SqlError> {
        self.gave_rows = sink.gave_rows();
        if let Ok(done) = &answer {
            self.unsettled = done.in_transaction;
            self.state = done.quiet();
        }
        answer
    }

    /// The columns of a table.
    #[cfg(feature = "mysql")]
    pub(crate) async fn fields(
        &mut self,
        cx: &StatementContext,
        (table, pattern): (String, String),
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<Vec<crate::model::Column>, SqlError> {
        self.diagnostics = None;
        self.call(cx, &mut statement::Fields(table, pattern), sink, began).await
    }

    /// Changes the database, and shows it.
    pub(crate) async fn use_database(
        &mut self,
        cx: &StatementContext,
        name: String,
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<Done, SqlError> {
        self.diagnostics = None;
        let name = self.call(cx, &mut statement::UseDatabase(name), sink, began).await?;
        cx.set_database(Some(&name));
        self.ask_for_flags();
        Ok(self.state)
    }

    /// Resets the session's state.
    pub(crate) async fn reset(
        &mut self,
        cx: &StatementContext,
        sink: &mut RowSink,
        began: Instant,
    ) -> Result<Done, SqlError> {
        self.call(cx, &mut statement::Reset, sink, began).await?;
        self.unsettled = false;
        self.state = Done::default();
        self.ask_for_flags();
        self.named = None;
        self.diagnostics = None;
        self.slot().notes.reset();
        self.slot().set_trace_id(None);
        self.set_limits(self.first_limits());
        Ok(self.state)
    }

    /// Asks the engine's session, where its statements run.
    #[expect(clippy::manual_async_fn, reason = "an `async fn` has room for its arguments twice")]
    pub(in crate::session) fn call<'a, C: Call<E::Session>>(
        &'a mut self,
        cx: &'a StatementContext,
        call: &'a mut C,
        sink: &'a mut RowSink,
        began: Instant,
    ) -> impl Future<Output = Result<C::Answer, SqlError>> + Send + use<'a, E, C> {
        async move {
            let Some(mut session) = self.session.take() else { return Err(SqlError::panicked()) };
            let (ended, longest, at) = match &self.shared.placement {
                Placement::Inline => {
                    let Watched { ended, longest, at } =
                        statement::run(&mut *session, cx, call, sink, began, false, &self.trace).await;
                    self.session = Some(session);
                    (ended, longest, at)
                }
                Placement::Pool(pool) => {
                    let (cx, mut taken, mut call) = (cx.clone(), sink.take(), std::mem::take(call));
                    // There, it is in nobody's span.
                    let (span, none) = (self.trace.span_or(&self.slot().trace), Trace::default());
                    let run = async move {
                        let watched =
                            statement::run(&mut *session, &cx, &mut call, &mut taken, began, true, &none).await;
                        (session, taken, watched)
                    };
                    let away = pool.spawn(run.instrument(span));
                    match away.await {
                        Ok((session, taken, Watched { ended, at, .. })) => {
                            self.session = Some(session);
                            *sink = taken;
                            // A pool's polls may be as long as they are.
                            (ended, Duration::ZERO, at)
                        }
                        // The pool was shut down, and the session with it.
                        Err(_) => (Ended::Panicked, Duration::ZERO, Instant::now()),
                    }
                }
            };
            self.registry().polled(cx.session(), cx.number(), longest);
            self.ended = at;
            match ended {
                Ended::Returned(Ok(answer)) => Ok(answer),
                Ended::Returned(Err(error)) => {
                    self.ask_for_transaction();
                    Err(error)
                }
                Ended::Dropped(reason) => {
                    self.ask_for_transaction();
                    Err(Killed(reason).into())
                }
                Ended::Panicked => Err(self.panicked(cx)),
            }
        }
    }

    /// The last call said nothing of the transaction: the engine may know.
    fn ask_for_transaction(&mut self) {
        let session = self.session.as_deref();
        let told = catch_unwind(AssertUnwindSafe(|| session.and_then(EngineSession::in_transaction)));
        match told {
            Ok(Some(open)) => {
                self.state.in_transaction = open;
                self.unsettled = open;
            }
            Ok(None) | Err(_) => self.unsettled = true,
        }
    }

    /// The engine may know flags that no statement's answer has said.
    pub(super) fn ask_for_flags(&mut self) {
        let session = self.session.as_deref();
        let told = catch_unwind(AssertUnwindSafe(|| session.and_then(EngineSession::flags)));
        if let Ok(Some(flags)) = told {
            self.state = flags.quiet();
        }
    }

    /// A prepared statement is closed.
    pub(crate) fn close_prepared(&mut self, sql: &Bytes, database: Option<&str>) {
        let Some(session) = self.session.as_deref_mut() else { return };
        if catch_unwind(AssertUnwindSafe(|| session.close_prepared(sql, database))).is_err() {
            tracing::error!(session = %self.slot().id(), "the engine panicked at the end of a prepared statement");
            self.end_after_panic();
        }
    }

    /// The engine panicked. The client is told, and then the session ends: nobody knows what state the engine's is in.
    pub(in crate::session) fn panicked(&mut self, cx: &StatementContext) -> SqlError {
        tracing::error!(session = %cx.session(), statement = %cx.number(), "the engine panicked");
        self.end_after_panic();
        SqlError::panicked()
    }

    fn end_after_panic(&mut self) {
        self.unsettled = true;
        self.registry().counters.panicked();
        self.slot().switch.drain(Reason::Panic);
    }
}
