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

/// What is asked of the engine's session.
#[derive(Debug)]
pub(crate) enum Call {
    Execute(Statement),
    Prepare(Bytes),
    #[cfg(feature = "mysql")]
    Fields {
        table: String,
        pattern: String,
    },
    UseDatabase(String),
    Reset,
}

/// What it answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Done),
    Prepared(Prepared),
    #[cfg(feature = "mysql")]
    Fields(Vec<Column>),
    DatabaseChanged(String),
    Reset,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself.
    Returned(Result<Answer, SqlError>),
    /// Its future was dropped, for this reason.
    Dropped(Reason),
    /// It panicked.
    Panicked,
}

/// A call that is over.
pub(crate) struct Watched {
    pub(crate) ended: Ended,
    /// The longest time that one poll of it took.
    pub(crate) longest: Duration,
    /// When its last poll was over.
    pub(crate) at: Instant,
}

/// Runs a call to its end.
///
/// `watch`: wait for the kill as well. Needed where no message to the actor polls this future, as on a pool; where one
/// does, looking at the switch before each poll is enough.
pub(crate) async fn run<S: EngineSession>(
    session: &mut S,
    cx: &StatementContext,
    call: Call,
    sink: &mut RowSink,
    began: Instant,
    watch: bool,
    trace: &Trace,
) -> Watched {
    let mut future = pin!(Some(AssertUnwindSafe(make(session, cx, call, sink)).catch_unwind()));
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

async fn make<S: EngineSession>(
    session: &mut S,
    cx: &StatementContext,
    call: Call,
    sink: &mut RowSink,
) -> Result<Answer, SqlError> {
    match call {
        Call::Execute(statement) => session.execute(cx, statement, sink).await.map(Answer::Done),
        Call::Prepare(sql) => session.prepare(cx, &sql).await.map(Answer::Prepared),
        #[cfg(feature = "mysql")]
        Call::Fields { table, pattern } => session.fields(cx, &table, &pattern).await.map(Answer::Fields),
        Call::UseDatabase(name) => session.use_database(cx, &name).await.map(|()| Answer::DatabaseChanged(name)),
        Call::Reset => session.reset(cx).await.map(|()| Answer::Reset),
    }
}
