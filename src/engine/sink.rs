//! Where an engine puts its rows.
//!
//! A row is encoded as it is pushed; what it becomes (bytes of a wire protocol, a batch for a caller in process) is
//! the business of the [`Sink`] behind it.

use std::{
    any::Any,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

#[cfg(feature = "proxy")]
use bytes::Bytes;

use super::StatementContext;
use crate::{
    model::{Column, Killed, Reason, StatementNo, Value, cut},
    state::Slot,
};

/// What is said to people behind a statement has no more bytes than this.
const LONGEST_INFO: usize = 511;

/// Nobody takes the rows any more.
pub(crate) struct Closed;

/// How rows are written.
#[cfg(feature = "mysql")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowFormat {
    /// As texts.
    Text,
    /// By the types of their columns, as results of prepared statements are.
    Binary,
}

/// One way of encoding rows and getting them to whoever reads them.
pub(crate) trait Sink: Any + Send {
    /// A result set begins; one that is open is complete. `kept`: the same columns may well come again.
    fn columns(&mut self, columns: &Arc<[Column]>, kept: bool);

    /// The open result set is complete, and the statement's end is told apart from it.
    fn end_rows(&mut self) {}

    /// What the end of a statement without rows says to people.
    fn info(&mut self, text: &str) {
        let _ = text;
    }

    /// Encodes a row. Wakes nobody and waits for nobody.
    fn put(&mut self, values: &[Value<'_>]);

    /// Hands on what is encoded, if that is enough. `true`: enough is waiting; `poll_ready` before the next row.
    fn offer(&mut self) -> bool;

    /// Both.
    fn row(&mut self, values: &[Value<'_>]) -> bool {
        self.put(values);
        self.offer()
    }

    /// Hands on what is encoded.
    fn flush(&mut self);

    /// Ready when there is room again.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>>;

    /// Whether rows that a server has written in this format, text in utf8mb4, can be passed on as they are.
    #[cfg(feature = "proxy")]
    fn relays(&self, format: RowFormat) -> bool {
        let _ = format;
        false
    }

    /// Whether its rows are written in this format.
    #[cfg(feature = "proxy")]
    fn wants(&self, format: RowFormat) -> bool {
        let _ = format;
        false
    }

    /// A result set begins of which these are the columns, as the server has written them.
    #[cfg(feature = "proxy")]
    fn relay_columns(&mut self, definitions: &[Bytes]) {
        unreachable!("{} columns for a sink that passes none on", definitions.len());
    }

    /// Passes rows on: whole ones, in packets with their headers. `true`: as of [`Sink::offer`].
    #[cfg(feature = "proxy")]
    fn relay_rows(&mut self, packets: &[u8]) -> bool {
        unreachable!("{} bytes of rows for a sink that passes none on", packets.len());
    }

    /// Passes a part of a long row on. `starts`: it begins with a packet's header; `ends`: the row is whole with it. Whoever
    /// reads what was begun can make no sense of anything but the rest. `true`: as of [`Sink::offer`].
    #[cfg(feature = "proxy")]
    fn relay_part(&mut self, part: &[u8], starts: bool, ends: bool) -> bool {
        unreachable!("{} bytes of a row for a sink that passes none on ({starts}, {ends})", part.len());
    }
}

/// Takes the rows of a statement. See [`crate::EngineSession::execute`].
///
/// Back-pressure: [`RowSink::row`] never fails for want of room, but answers `true` when the reader is behind; an
/// engine that then awaits [`RowSink::ready`] holds a bounded amount of rows in memory however many there are.
///
/// Every method fails with [`Killed`] once the statement is to stop: `?` is all it takes to obey a `KILL`.
pub struct RowSink {
    sink: Option<Box<dyn Sink>>,
    slot: Arc<Slot>,
    statement: StatementNo,
    width: Option<usize>,
}

impl RowSink {
    pub(crate) fn new(sink: Box<dyn Sink>, cx: &StatementContext) -> Self {
        Self { sink: Some(sink), slot: Arc::clone(cx.slot()), statement: cx.number(), width: None }
    }

    fn check(&self) -> Result<(), Killed> {
        self.slot.switch.word().stop(self.statement).map_or(Ok(()), |reason| Err(Killed(reason)))
    }

    /// Begins a result set. Called again, it completes that one and begins the next.
    ///
    /// # Errors
    /// The statement is to stop.
    ///
    /// # Panics
    /// With no columns: a result set has at least one.
    pub fn columns(&mut self, columns: impl Into<Arc<[Column]>>) -> Result<(), Killed> {
        let columns = columns.into();
        // Columns that nobody else holds will not be seen again.
        let kept = Arc::strong_count(&columns) > 1;
        self.begin(&columns, kept)
    }

    /// The same for columns that the engine keeps. Sessions on several threads that share them do not even count their
    /// use of them, which would cost more than the rest of a short answer.
    ///
    /// # Errors
    /// The statement is to stop.
    ///
    /// # Panics
    /// With no columns.
    pub fn shared_columns(&mut self, columns: &Arc<[Column]>) -> Result<(), Killed> {
        self.begin(columns, true)
    }

    fn begin(&mut self, columns: &Arc<[Column]>, kept: bool) -> Result<(), Killed> {
        self.check()?;
        assert!(!columns.is_empty(), "a result set has at least one column");
        self.width = Some(columns.len());
        self.sink().columns(columns, kept);
        Ok(())
    }

    /// Adds a row. `true`: the reader is behind; await [`RowSink::ready`] (or call [`RowSink::blocking_ready`]) before
    /// the next one.
    ///
    /// # Errors
    /// The statement is to stop.
    ///
    /// # Panics
    /// With another number of values than columns were announced: the client could not make sense of it.
    pub fn row(&mut self, values: &[Value<'_>]) -> Result<bool, Killed> {
        self.check()?;
        assert_eq!(self.width, Some(values.len()), "a row has as many values as its result set has columns");
        Ok(self.sink().row(values))
    }

    /// Completes the open result set, so that the statement's end is told in an OK of its own, as behind the results of a
    /// procedure, and not as the end of its rows. Without one, it has no effect.
    pub fn end_rows(&mut self) {
        self.sink().end_rows();
    }

    /// What the OK of a statement says to people that does not end in rows: MySQL's `Rows matched: 2  Changed: 1  Warnings: 0` behind an
    /// `UPDATE`, for instance, which the mysql client prints and drivers give as the statement's info. As in MySQL, at most
    /// 511 bytes of it are sent (its `MYSQL_ERRMSG_SIZE`); callers in process are not given it.
    pub fn info(&mut self, text: &str) {
        self.sink().info(cut(text, LONGEST_INFO));
    }

    /// The first half of [`RowSink::row`]: adds a row and does nothing else, so that it may be called with a lock held.
    pub(crate) fn put(&mut self, values: &[Value<'_>]) {
        assert_eq!(self.width, Some(values.len()), "a row has as many values as its result set has columns");
        self.sink().put(values);
    }

    /// The other half, for the rows since the last time.
    pub(crate) fn offer(&mut self) -> Result<bool, Killed> {
        self.check()?;
        Ok(self.sink().offer())
    }

    /// Waits until there is room for more rows.
    ///
    /// # Errors
    /// The statement is to stop.
    pub async fn ready(&mut self) -> Result<(), Killed> {
        let (slot, statement) = (Arc::clone(&self.slot), self.statement);
        let mut killed = slot.switch.until(|word| word.stop(statement));
        poll_fn(|task| {
            if let Poll::Ready(reason) = std::pin::Pin::new(&mut killed).poll(task) {
                return Poll::Ready(Err(Killed(reason)));
            }
            self.sink().poll_ready(task).map_err(|Closed| Killed(Reason::Abandoned))
        })
        .await
    }

    /// The same for blocking code, on a thread where blocking is allowed.
    ///
    /// # Errors
    /// The statement is to stop.
    pub fn blocking_ready(&mut self) -> Result<(), Killed> {
        futures::executor::block_on(self.ready())
    }

    /// Hands on the rows so far, for engines whose next row may be long in coming. Without it, rows travel when some
    /// kilobytes of them have gathered, or at the end.
    ///
    /// # Errors
    /// The statement is to stop.
    pub fn flush(&mut self) -> Result<(), Killed> {
        self.check()?;
        self.sink().flush();
        Ok(())
    }

    /// Whether what a server has written in this format, text in utf8mb4, can be passed on as it is. Where not, it comes by
    /// [`RowSink::columns`] and [`RowSink::row`].
    #[cfg(feature = "proxy")]
    pub(crate) fn relays(&mut self, format: RowFormat) -> bool {
        self.sink().relays(format)
    }

    /// Whether rows are written in this format: neither, for callers in process.
    #[cfg(feature = "proxy")]
    pub(crate) fn wants(&mut self, format: RowFormat) -> bool {
        self.sink().wants(format)
    }

    /// Begins a result set whose columns are defined by these payloads of a server's packets.
    ///
    /// # Errors
    /// The statement is to stop.
    #[cfg(feature = "proxy")]
    pub(crate) fn relay_columns(&mut self, definitions: &[Bytes]) -> Result<(), Killed> {
        self.check()?;
        self.width = Some(definitions.len());
        self.sink().relay_columns(definitions);
        Ok(())
    }

    /// Adds rows of that result set: whole ones, in packets with their headers. `true`: as of [`RowSink::row`].
    ///
    /// # Errors
    /// The statement is to stop.
    #[cfg(feature = "proxy")]
    pub(crate) fn relay_rows(&mut self, packets: &[u8]) -> Result<bool, Killed> {
        self.check()?;
        Ok(self.sink().relay_rows(packets))
    }

    /// Adds a part of a long row: see [`Sink::relay_part`]. Also of a statement that is to stop, so that the row can be made
    /// whole before its end is told. `true`: the reader is behind; await [`RowSink::room`].
    #[cfg(feature = "proxy")]
    pub(crate) fn relay_part(&mut self, part: &[u8], starts: bool, ends: bool) -> bool {
        self.sink().relay_part(part, starts, ends)
    }

    /// As [`RowSink::ready`], also of a statement that is to stop, unless its session is to end.
    ///
    /// # Errors
    /// Nobody takes the rows any more.
    #[cfg(feature = "proxy")]
    pub(crate) async fn room(&mut self) -> Result<(), Killed> {
        let slot = Arc::clone(&self.slot);
        let mut leaving = slot.switch.until(|word| word.leaving());
        poll_fn(|task| {
            if let Poll::Ready(reason) = std::pin::Pin::new(&mut leaving).poll(task) {
                return Poll::Ready(Err(Killed(reason)));
            }
            self.sink().poll_ready(task).map_err(|Closed| Killed(Reason::Abandoned))
        })
        .await
    }

    /// Whether a result set was begun.
    pub(crate) fn gave_rows(&self) -> bool {
        self.width.is_some()
    }

    /// Moves the sink out, to another task or thread; this one is empty until it is put back.
    pub(crate) fn take(&mut self) -> RowSink {
        RowSink {
            sink: self.sink.take(),
            slot: Arc::clone(&self.slot),
            statement: self.statement,
            width: self.width.take(),
        }
    }

    /// What was behind it. `None` if it went down with a task that took it.
    pub(crate) fn into_sink<S: Sink>(self) -> Option<Box<S>> {
        let any: Box<dyn Any> = self.sink?;
        any.downcast().ok()
    }

    fn sink(&mut self) -> &mut dyn Sink {
        self.sink.as_deref_mut().expect("a sink is used by the one statement that holds it")
    }
}

impl std::fmt::Debug for RowSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowSink").field("slot", &self.slot).field("statement", &self.statement).finish_non_exhaustive()
    }
}
