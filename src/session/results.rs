//! What a statement gives a caller in process: a stream of its parts, and the sink that feeds it.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use actix::dev::OneshotSender;
use futures::{Stream, StreamExt};

use super::{batch::RowBatch, pipe::Pipe};
use crate::{
    engine::{Closed, Sink},
    model::{Column, Done, OwnedValue, Reason, SqlError, StatementNo, Value},
    state::{Raised, Signal, Slot},
};

/// A batch of rows is handed on when it has grown to this many bytes.
const BATCH: usize = 16 * 1024;

/// So many bytes of rows wait for a slow reader before the engine is told to wait.
const HELD: usize = 64 * 1024;

/// One part of a statement's results.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A result set begins.
    Columns(Arc<[Column]>),
    /// Rows of it.
    Rows(RowBatch),
    /// All is well, and there is no more.
    Done(Done),
}

/// The results of a statement, as they come.
///
/// The stream ends only after [`Part::Done`] or an error: a result that was cut short never looks complete. A small
/// result is there at once; a large one is read under back-pressure, so that a hundred million rows are never held in
/// memory. Dropping it before its end cancels the statement.
pub struct Results {
    ready: Gathered,
    rest: Option<Rest>,
}

/// The parts that are there, in the order columns, rows, more, done: a result set of a few rows needs no list for them.
#[derive(Default)]
struct Gathered {
    columns: Option<Arc<[Column]>>,
    rows: Option<RowBatch>,
    more: VecDeque<Part>,
    done: Option<Done>,
}

impl Gathered {
    fn columns(&mut self, columns: Arc<[Column]>) {
        if self.columns.is_none() && self.rows.is_none() && self.more.is_empty() {
            self.columns = Some(columns);
        } else {
            self.more.push_back(Part::Columns(columns));
        }
    }

    fn rows(&mut self, rows: RowBatch) {
        if self.rows.is_none() && self.more.is_empty() {
            self.rows = Some(rows);
        } else {
            self.more.push_back(Part::Rows(rows));
        }
    }

    fn next(&mut self) -> Option<Part> {
        let first = self.columns.take().map(Part::Columns).or_else(|| self.rows.take().map(Part::Rows));
        first.or_else(|| self.more.pop_front()).or_else(|| self.done.take().map(Part::Done))
    }
}

/// The part of a result that is still to come.
struct Rest {
    pipe: Arc<Pipe<Result<Part, SqlError>>>,
    slot: Arc<Slot>,
    statement: StatementNo,
    over: bool,
}

impl Results {
    /// Reads all of it: the rows of all result sets, and what the engine said at the end. For results that are known
    /// to be small.
    ///
    /// # Errors
    /// The statement's own.
    pub async fn collect_rows(mut self) -> Result<(Vec<Vec<OwnedValue>>, Done), SqlError> {
        let mut rows = Vec::new();
        while let Some(part) = self.next().await {
            match part? {
                Part::Columns(_) => {}
                Part::Rows(batch) => {
                    rows.extend(batch.rows().map(|row| row.into_iter().map(Value::to_owned).collect::<Vec<_>>()));
                }
                Part::Done(done) => return Ok((rows, done)),
            }
        }
        unreachable!("results end with Done or an error")
    }
}

impl Stream for Results {
    type Item = Result<Part, SqlError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(part) = self.ready.next() {
            return Poll::Ready(Some(Ok(part)));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let next = rest.pipe.poll_next(cx);
        if let Poll::Ready(Some(Ok(Part::Done(_)) | Err(_)) | None) = &next {
            rest.over = true;
            self.rest = None;
        }
        next
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.pipe.close();
        let reason = Reason::Abandoned;
        if self.slot.switch.cancel(self.statement, reason) == Raised::First {
            self.slot.signal(Signal::Cancelled);
        }
    }
}

impl std::fmt::Debug for Results {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Results").field("complete", &self.rest.is_none()).finish_non_exhaustive()
    }
}

/// Where the answer to a [`super::Query`] goes. Shared by the sink, which may answer with the first rows, and the loop
/// that runs the statement, which sees when nobody waits for the answer any more.
#[derive(Clone, Default)]
pub(crate) struct Reply(Arc<Mutex<Option<ReplyTo>>>);

pub(crate) type ReplyTo = OneshotSender<Result<Results, SqlError>>;

impl Reply {
    /// The answer goes here; nowhere, if the statement came by `do_send`.
    pub(crate) fn to(to: Option<ReplyTo>) -> Self {
        Self(Arc::new(Mutex::new(to)))
    }

    /// Nobody waits for it any more.
    pub(crate) fn forget(&self) {
        self.lock().take();
    }

    /// Ready when whoever asked has stopped waiting for the answer.
    pub(crate) fn poll_abandoned(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.lock().as_mut().map_or(Poll::Pending, |to| to.poll_closed(cx))
    }

    /// Answers with an error, if nothing was answered yet.
    pub(crate) fn refuse(&self, error: SqlError) {
        if let Some(to) = self.take() {
            let _ = to.send(Err(error));
        }
    }

    fn take(&self) -> Option<ReplyTo> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<ReplyTo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gathers a statement's rows for a caller in process: within the reply while they are few, in a stream from then on.
pub(crate) struct ReplySink {
    reply: Reply,
    parts: Gathered,
    batch: RowBatch,
    pipe: Option<Arc<Pipe<Result<Part, SqlError>>>>,
    slot: Arc<Slot>,
    statement: StatementNo,
}

impl ReplySink {
    pub(crate) fn new(reply: Reply, slot: Arc<Slot>, statement: StatementNo) -> Box<Self> {
        let (parts, batch) = (Gathered::default(), RowBatch::default());
        Box::new(Self { reply, parts, batch, pipe: None, slot, statement })
    }

    /// Answers, or ends the stream that the answer began; nothing of the statement is left.
    pub(crate) fn finish(&mut self, result: Result<Done, SqlError>) {
        if let Some(reply) = self.reply.take() {
            let answer = result.map(|done| {
                self.seal();
                self.parts.done = Some(done);
                Results { ready: std::mem::take(&mut self.parts), rest: None }
            });
            // Nobody may be waiting any more.
            let _ = reply.send(answer);
        } else if let Some(pipe) = self.pipe.take() {
            if result.is_ok() {
                // A result set that has begun since the last push waits here with its columns.
                self.seal();
                while let Some(part) = self.parts.next() {
                    pipe.push(Ok(part), 0);
                }
            }
            pipe.push(result.map(Part::Done), 0);
            pipe.end();
        }
    }

    /// Moves the rows gathered so far to the parts.
    fn seal(&mut self) {
        if !self.batch.is_empty() {
            self.parts.rows(std::mem::take(&mut self.batch));
        }
    }

    /// Hands on all parts. `true`: the reader is behind.
    fn push_parts(&mut self) -> bool {
        self.seal();
        let reply = self.reply.take();
        if self.pipe.is_none() && reply.is_none() {
            // Sent with do_send: the rows are for nobody.
            self.parts = Gathered::default();
            return false;
        }
        let pipe = self.pipe.get_or_insert_with(|| Pipe::new(HELD));
        let mut full = false;
        while let Some(part) = self.parts.next() {
            let bytes = if let Part::Rows(rows) = &part { rows.bytes() } else { 0 };
            full |= pipe.push(Ok(part), bytes);
        }
        if let Some(reply) = reply {
            let rest =
                Rest { pipe: Arc::clone(pipe), slot: Arc::clone(&self.slot), statement: self.statement, over: false };
            // If nobody waits, the dropped results cancel the statement.
            let _ = reply.send(Ok(Results { ready: Gathered::default(), rest: Some(rest) }));
        }
        full
    }
}

impl Drop for ReplySink {
    fn drop(&mut self) {
        // It went down with a task that held it: the reader must not wait for ever.
        if let Some(pipe) = &self.pipe {
            pipe.push(Err(SqlError::panicked()), 0);
            pipe.end();
        }
    }
}

impl Sink for ReplySink {
    fn columns(&mut self, columns: &Arc<[Column]>, _: bool) {
        self.seal();
        self.batch = RowBatch::new(columns.len());
        self.parts.columns(Arc::clone(columns));
    }

    fn row(&mut self, values: &[Value<'_>]) -> bool {
        self.batch.push(values);
        if self.batch.bytes() < BATCH {
            return false;
        }
        self.full_batch(values.len())
    }

    fn flush(&mut self) {
        let width = self.batch.width();
        self.full_batch(width);
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.pipe.as_ref().map_or(Poll::Ready(Ok(())), |pipe| pipe.poll_room(cx))
    }
}

impl ReplySink {
    fn full_batch(&mut self, width: usize) -> bool {
        let full = self.push_parts();
        self.batch = RowBatch::new(width);
        full
    }
}
