//! One call of the engine, watched: its kill is obeyed, its panics are caught, its polls are timed.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use tokio::time::Instant;

use super::timer::Timer;
#[cfg(feature = "mysql")]
use crate::model::Column;
use crate::{
    engine::{EngineSession, OnKill, RowSink, StatementContext},
    model::{Done, Prepared, Reason, SqlError, Statement},
    state::Trace,
};

/// What is asked of the engine's session. It stays with whoever asks until the engine takes it, so that the futures
/// between them do not each have room for it.
pub(crate) trait Call<S: EngineSession>: Default + Send + 'static {
    /// What it is answered with.
    type Answer: Send + 'static;

    /// Asks.
    fn ask<'a>(
        self,
        session: &'a mut S,
        cx: &'a StatementContext,
        sink: &'a mut RowSink,
    ) -> impl Future<Output = Result<Self::Answer, SqlError>> + Send;
}

impl<S: EngineSession> Call<S> for Statement {
    type Answer = Done;

    fn ask<'a>(
        self,
        session: &'a mut S,
        cx: &'a StatementContext,
        sink: &'a mut RowSink,
    ) -> impl Future<Output = Result<Done, SqlError>> + Send {
        session.execute(cx, self, sink)
    }
}

/// The user variables whose values are to be fetched.
#[derive(Default)]
pub(crate) struct Variables(pub(crate) Vec<String>);

impl<S: EngineSession> Call<S> for Variables {
    type Answer = ();

    async fn ask(self, session: &mut S, cx: &StatementContext, _: &mut RowSink) -> Result<(), SqlError> {
        session.fetch_user_variables(cx, &self.0).await
    }
}

/// The text of a statement that is to be prepared.
#[derive(Default)]
pub(crate) struct Prepare(pub(crate) Bytes);

impl<S: EngineSession> Call<S> for Prepare {
    type Answer = Prepared;

    async fn ask(self, session: &mut S, cx: &StatementContext, _: &mut RowSink) -> Result<Prepared, SqlError> {
        session.prepare(cx, &self.0).await
    }
}

/// The table whose columns are asked for, and the pattern of their names.
#[cfg(feature = "mysql")]
#[derive(Default)]
pub(crate) struct Fields(pub(crate) String, pub(crate) String);

#[cfg(feature = "mysql")]
impl<S: EngineSession> Call<S> for Fields {
    type Answer = Vec<Column>;

    async fn ask(self, session: &mut S, cx: &StatementContext, _: &mut RowSink) -> Result<Vec<Column>, SqlError> {
        session.fields(cx, &self.0, &self.1).await
    }
}

/// The database that is to be the current one.
#[derive(Default)]
pub(crate) struct UseDatabase(pub(crate) String);

impl<S: EngineSession> Call<S> for UseDatabase {
    /// Its name.
    type Answer = String;

    async fn ask(self, session: &mut S, cx: &StatementContext, _: &mut RowSink) -> Result<String, SqlError> {
        session.use_database(cx, &self.0).await.map(|()| self.0)
    }
}

/// The session's state is to be as it was at first.
#[derive(Default)]
pub(crate) struct Reset;

impl<S: EngineSession> Call<S> for Reset {
    type Answer = ();

    async fn ask(self, session: &mut S, cx: &StatementContext, _: &mut RowSink) -> Result<(), SqlError> {
        session.reset(cx).await
    }
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    /// By itself.
    Returned(Result<T, SqlError>),
    /// Its future was dropped, for this reason.
    Dropped(Reason),
    /// It panicked.
    Panicked,
}

/// A call that is over.
pub(crate) struct Watched<T> {
    pub(crate) ended: Ended<T>,
    /// The longest time that one poll of it took.
    pub(crate) longest: Duration,
    /// When its last poll was over.
    pub(crate) at: Instant,
}

/// Runs a call to its end.
///
/// `watch`: wait for the kill as well. Needed where no message to the actor polls this future, as on a pool; where one
/// does, looking at the switch before each poll is enough.
#[expect(clippy::manual_async_fn, reason = "an `async fn` has room for its arguments twice")]
pub(crate) fn run<'a, S: EngineSession, C: Call<S>>(
    session: &'a mut S,
    cx: &'a StatementContext,
    call: &'a mut C,
    sink: &'a mut RowSink,
    began: Instant,
    watch: bool,
    trace: &'a Trace,
) -> impl Future<Output = Watched<C::Answer>> + Send + use<'a, S, C> {
    async move {
        // The engine's own code runs when its future is made, too: that is within the first poll.
        let asked = async { std::mem::take(call).ask(session, cx, sink).await };
        let mut future = pin!(Some(AssertUnwindSafe(asked).catch_unwind()));
        let mut patience: Option<Box<Timer>> = None;
        let mut killed = watch.then(|| Box::pin(cx.killed()));
        let mut before = Some(began);
        let (mut longest, mut at) = (Duration::ZERO, began);
        let ended = poll_fn(|task| {
            let _entered = trace.enter();
            if let Some(waiting) = killed.as_mut()
                && waiting.as_mut().poll(task).is_ready()
            {
                killed = None;
            }
            if let Some(reason) = cx.stop() {
                match S::ON_KILL {
                    OnKill::Drop => return Poll::Ready(Ended::Dropped(reason)),
                    OnKill::Wait(time) => {
                        let over = patience.get_or_insert_with(|| Box::new(Timer::after(time)));
                        if over.poll_unpin(task).is_ready() {
                            return Poll::Ready(Ended::Dropped(reason));
                        }
                    }
                    OnKill::Finish => {}
                }
            }
            let Some(running) = future.as_mut().as_pin_mut() else { unreachable!("it is polled to its end once") };
            let start = before.take().unwrap_or_else(Instant::now);
            let polled = running.poll(task);
            at = Instant::now();
            longest = longest.max(at.saturating_duration_since(start));
            polled.map(|caught| caught.map_or(Ended::Panicked, Ended::Returned))
        })
        .await;
        // The engine's own code runs when its future is dropped, and may panic too.
        let _entered = trace.enter();
        let dropped = catch_unwind(AssertUnwindSafe(|| future.set(None)));
        Watched { ended: if dropped.is_ok() { ended } else { Ended::Panicked }, longest, at }
    }
}
