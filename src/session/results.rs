//! What a statement gives a caller in process: a stream of its parts, and the sink that feeds it.

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use actix::dev::OneshotSender;
use futures::{Stream, StreamExt};

use super::{batch::RowBatch, pipe::Pipe};
use crate::{
    engine::{Closed, Sink, StatementContext},
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
    /// On the heap: a small result has none, and is moved from hand to hand.
    rest: Option<Box<Rest>>,
}

/// The parts that are there, in the order columns, rows, more, done: a result set of a few rows needs no list for them.
#[derive(Default)]
struct Gathered {
    columns: Option<Arc<[Column]>>,
    rows: Option<RowBatch>,
    more: Option<Box<More>>,
    done: Option<Done>,
}

#[derive(Default)]
struct More(VecDeque<Part>);

impl Gathered {
    fn columns(&mut self, columns: Arc<[Column]>) {
        if self.columns.is_none() && self.rows.is_none() && self.more.is_none() {
            self.columns = Some(columns);
        } else {
            self.more.get_or_insert_default().0.push_back(Part::Columns(columns));
        }
    }

    fn rows(&mut self, rows: RowBatch) {
        if self.rows.is_none() && self.more.is_none() {
            self.rows = Some(rows);
        } else {
            self.more.get_or_insert_default().0.push_back(Part::Rows(rows));
        }
    }

    fn next(&mut self) -> Option<Part> {
        let first = self.columns.take().map(Part::Columns).or_else(|| self.rows.take().map(Part::Rows));
        first.or_else(|| self.more.as_mut()?.0.pop_front()).or_else(|| self.done.take().map(Part::Done))
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

pub(crate) type ReplyTo = OneshotSender<Result<Results, SqlError>>;

type Parts = Pipe<Result<Part, SqlError>>;

/// Who waits for the answer to a [`super::Query`]. Shared by the sink, which may answer with the first rows, and the loop
/// that runs the statement, which sees when nobody waits any more. A statement that is over within its first poll never
/// comes here: nearly all are.
#[derive(Clone, Default)]
pub(crate) struct Reply(Arc<Mutex<Asker>>);

enum Asker {
    /// The loop has it still; what the sink has begun to answer with waits here.
    Elsewhere(Option<Arc<Parts>>),
    /// It waits for the answer to this statement.
    Waiting(ReplyTo, Arc<Slot>, StatementNo),
    /// It was answered, or there is none.
    Nobody,
}

impl Default for Asker {
    fn default() -> Self {
        Self::Elsewhere(None)
    }
}

impl Reply {
    /// The statement takes longer: from now on, who asked is answered by whichever knows an answer first.
    pub(crate) fn wait(&self, to: ReplyTo, cx: &StatementContext) {
        let mut asker = self.lock();
        match std::mem::replace(&mut *asker, Asker::Nobody) {
            Asker::Elsewhere(Some(pipe)) => {
                drop(asker);
                begin(to, pipe, Arc::clone(cx.slot()), cx.number());
            }
            _ => *asker = Asker::Waiting(to, Arc::clone(cx.slot()), cx.number()),
        }
    }

    /// Nobody waits for it, or not any more.
    pub(crate) fn forget(&self) {
        *self.lock() = Asker::Nobody;
    }

    /// Ready when whoever asked has stopped waiting for the answer.
    pub(crate) fn poll_abandoned(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.lock() {
            Asker::Waiting(to, ..) => to.poll_closed(cx),
            Asker::Elsewhere(_) | Asker::Nobody => Poll::Pending,
        }
    }

    /// Who waits still.
    pub(crate) fn take(&self) -> Option<ReplyTo> {
        match std::mem::replace(&mut *self.lock(), Asker::Nobody) {
            Asker::Waiting(to, ..) => Some(to),
            Asker::Elsewhere(_) | Asker::Nobody => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Asker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers with a stream.
fn begin(to: ReplyTo, pipe: Arc<Parts>, slot: Arc<Slot>, statement: StatementNo) {
    let rest = Box::new(Rest { pipe, slot, statement, over: false });
    // If nobody waits, the dropped results cancel the statement.
    let _ = to.send(Ok(Results { ready: Gathered::default(), rest: Some(rest) }));
}

/// The most sinks that a thread keeps for its next statements.
const SPARE: usize = 16;

thread_local! {
    /// Sinks are for those who run something: they are lent per statement, by the thread.
    static SPARES: RefCell<Vec<(Reply, Box<ReplySink>)>> = const { RefCell::new(Vec::new()) };
}

/// Gathers a statement's rows for a caller in process: within the reply while they are few, in a stream from then on.
pub(crate) struct ReplySink {
    reply: Reply,
    parts: Gathered,
    batch: RowBatch,
    pipe: Option<Arc<Parts>>,
}

impl ReplySink {
    fn new() -> (Reply, Box<Self>) {
        let (reply, parts, batch) = (Reply::default(), Gathered::default(), RowBatch::default());
        (reply.clone(), Box::new(Self { reply, parts, batch, pipe: None }))
    }

    /// From the thread's store.
    pub(crate) fn lend() -> (Reply, Box<Self>) {
        SPARES.with_borrow_mut(Vec::pop).unwrap_or_else(Self::new)
    }

    /// Of what has no rows.
    pub(crate) fn of_nobody() -> Box<Self> {
        let (reply, sink) = Self::new();
        reply.forget();
        sink
    }

    /// Answers, or ends the stream that the answer began. `to`: who asked, if the statement was over within its first poll.
    pub(crate) fn finish(
        mut self: Box<Self>,
        result: Result<Done, SqlError>,
        to: Option<ReplyTo>,
        cx: &StatementContext,
        reply: Reply,
    ) {
        let untouched = to.is_some() && self.pipe.is_none();
        let to = to.or_else(|| reply.take());
        if let Some(pipe) = self.pipe.take() {
            if let Some(to) = to {
                begin(to, Arc::clone(&pipe), Arc::clone(cx.slot()), cx.number());
            }
            if result.is_ok() {
                // A result set that has begun since the last push waits here with its columns.
                self.seal();
                while let Some(part) = self.parts.next() {
                    pipe.push(Ok(part), 0);
                }
            }
            pipe.push(result.map(Part::Done), 0);
            pipe.end();
        } else if let Some(to) = to {
            let answer = result.map(|done| {
                self.seal();
                self.parts.done = Some(done);
                Results { ready: std::mem::take(&mut self.parts), rest: None }
            });
            let failed = answer.is_err();
            // Nobody may be waiting any more.
            let _ = to.send(answer);
            if untouched && !failed {
                SPARES.with_borrow_mut(|spares| {
                    if spares.len() < SPARE {
                        spares.push((reply, self));
                    }
                });
            }
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
        let mut asker = self.reply.lock();
        if self.pipe.is_none() && matches!(*asker, Asker::Nobody) {
            // Sent with do_send: the rows are for nobody.
            drop(asker);
            self.parts = Gathered::default();
            return false;
        }
        let pipe = self.pipe.get_or_insert_with(|| Pipe::new(HELD));
        let waiting = match &mut *asker {
            Asker::Elsewhere(first) => {
                first.get_or_insert_with(|| Arc::clone(pipe));
                None
            }
            asker => Some(std::mem::replace(asker, Asker::Nobody)),
        };
        drop(asker);
        let mut full = false;
        while let Some(part) = self.parts.next() {
            let bytes = if let Part::Rows(rows) = &part { rows.bytes() } else { 0 };
            full |= pipe.push(Ok(part), bytes);
        }
        if let Some(Asker::Waiting(to, slot, statement)) = waiting {
            begin(to, Arc::clone(pipe), slot, statement);
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

    fn put(&mut self, values: &[Value<'_>]) {
        self.batch.push(values);
    }

    fn offer(&mut self) -> bool {
        self.batch.bytes() >= BATCH && self.full_batch(self.batch.width())
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
