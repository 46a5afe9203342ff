//! Result sets on their way out: rows become packets as the engine pushes them, in one buffer while they are few, and
//! through a bounded pipe to the driver when they are many.

use std::{
    cell::RefCell,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};

use super::{
    binary,
    conn::{Broken, Chunk, Conn},
    heads,
    packet::{self, Peer, Tail},
};
use crate::{
    engine::{Closed, RowFormat, Sink},
    model::{CharacterSet, Column, ColumnType, Done, Prepared, SqlError, Value},
    session::Pipe,
};

/// So many bytes of packets are gathered before they are handed to the driver.
const CHUNK: usize = 16 * 1024;

/// So many bytes wait for the client before the engine is told to wait.
const HELD: usize = 64 * 1024;

/// The most answers that a thread keeps for its next statements.
const SPARE: usize = 16;

type Spares = Vec<Box<WireRows>>;

thread_local! {
    /// Answers, with their buffers, are for those who run something: they are lent per command, by the thread.
    static SPARES: RefCell<Spares> = const { RefCell::new(Vec::new()) };
}

/// A buffer with room for a chunk and the row that makes it one.
fn buffer() -> Vec<u8> {
    Vec::with_capacity(CHUNK + CHUNK / 4)
}

/// See the module's text. Of one command: lent to each of its statements.
pub(super) struct WireRows {
    out: Vec<u8>,
    /// How much of it has reached the client.
    written: usize,
    sequence: u8,
    pipe: Arc<Pipe<Chunk>>,
    peer: Peer,
    open: bool,
    /// What the client reads text in.
    pub(super) results: CharacterSet,
    /// Which columns of the result set are text: known where text is to be converted.
    text: Box<[bool]>,
    /// Whether anything went through the pipe.
    streamed: bool,
    /// The columns of the open result set, if its rows are in the binary format.
    binary: Option<Arc<[Column]>>,
    format: RowFormat,
    /// Of a row that did not fit its columns: it ends the statement.
    misfit: Option<SqlError>,
    /// What the statement's OK says to people, as the client reads text. Empty: nothing.
    info: Vec<u8>,
    /// What the packets between result sets say of the session's state: as it was before the statement.
    before: Done,
    /// Whether another statement of the same command follows.
    more: bool,
    /// Whether a long row was begun, and is not whole yet.
    torn: bool,
}

impl WireRows {
    pub(super) fn new(peer: Peer) -> Box<Self> {
        Box::new(Self {
            out: Vec::new(),
            written: 0,
            sequence: 0,
            pipe: Pipe::new(HELD),
            peer,
            open: false,
            results: CharacterSet::Utf8mb4,
            text: Box::default(),
            streamed: false,
            binary: None,
            format: RowFormat::Text,
            misfit: None,
            info: Vec::new(),
            before: Done::default(),
            more: false,
            torn: false,
        })
    }

    /// From the thread's store.
    pub(super) fn lend(peer: Peer) -> Box<Self> {
        match SPARES.with_borrow_mut(Vec::pop) {
            Some(mut spare) => {
                spare.peer = peer;
                spare
            }
            None => Self::new(peer),
        }
    }

    /// Back to the thread's store, unless its pipe was used, or its buffer grew beyond what is worth keeping.
    pub(super) fn give_back(mut self: Box<Self>) {
        if self.streamed || !(CHUNK..=4 * CHUNK).contains(&self.out.capacity()) {
            return;
        }
        self.begin(0, Done::default());
        self.results = CharacterSet::Utf8mb4;
        self.text = Box::default();
        self.binary = None;
        self.misfit = None;
        SPARES.with_borrow_mut(|spares| {
            if spares.len() < SPARE {
                spares.push(self);
            }
        });
    }

    /// From the sink of a long result to the socket.
    pub(super) fn pipe(&self) -> &Arc<Pipe<Chunk>> {
        &self.pipe
    }

    /// A command begins; its answer's first packet has this number. Rows are text.
    pub(super) fn begin(&mut self, sequence: u8, before: Done) {
        self.format = RowFormat::Text;
        self.out.clear();
        self.out.reserve(CHUNK + CHUNK / 4);
        self.written = 0;
        self.sequence = sequence;
        self.open = false;
        self.streamed = false;
        self.info = Vec::new();
        self.before = before;
        self.more = false;
        self.torn = false;
    }

    /// Whether the client was given a part of a row, and can make no sense of anything but the rest.
    pub(super) fn is_torn(&self) -> bool {
        self.torn
    }

    /// The statement that begins is one of several; whether another follows is said behind its columns already.
    pub(super) fn one_of_several(&mut self, more: bool) {
        self.more = more;
    }

    /// The rows of this command's answer are in the binary format.
    pub(super) fn binary(&mut self) {
        self.format = RowFormat::Binary;
    }

    /// Why the rows cannot be complete, if a value did not fit its column.
    pub(super) fn take_misfit(&mut self) -> Option<SqlError> {
        self.misfit.take()
    }

    /// A statement was prepared, under this id.
    pub(super) fn prepared(&mut self, id: u32, prepared: &Prepared) {
        packet::prepared(&mut self.out, &mut self.sequence, id, prepared);
        for columns in [&prepared.params, &prepared.columns] {
            for column in columns {
                packet::column(&mut self.out, &mut self.sequence, column, self.results);
            }
            if !columns.is_empty() && !self.peer.deprecates_eof() {
                packet::eof(&mut self.out, &mut self.sequence, &self.before, false);
            }
        }
    }

    /// The columns of a table, and their end.
    pub(super) fn fields(&mut self, columns: &[Column]) {
        for column in columns {
            packet::field(&mut self.out, &mut self.sequence, column, self.results);
        }
        self.end();
    }

    /// An end without anything before it.
    pub(super) fn end(&mut self) {
        packet::end_of_rows(&mut self.out, &mut self.sequence, self.peer, &self.before, false);
    }

    /// Whether the next OK can tell of changes in the session: the EOF of older clients cannot.
    pub(super) fn can_tell(&self) -> bool {
        !self.open || self.peer.deprecates_eof()
    }

    /// The statement ended well. `changes`: what is to be told of the session, encoded.
    pub(super) fn done(&mut self, done: &Done, more: bool, changes: &[u8]) {
        let open = std::mem::take(&mut self.open);
        let info = std::mem::take(&mut self.info);
        let info = if open { &[] } else { &*info };
        if !changes.is_empty() || !info.is_empty() {
            packet::ok_with(&mut self.out, &mut self.sequence, open, done, more, Tail { info, changes });
        } else if open {
            packet::end_of_rows(&mut self.out, &mut self.sequence, self.peer, done, more);
        } else {
            packet::ok(&mut self.out, &mut self.sequence, done, more);
        }
        if more {
            self.before = *done;
        }
    }

    /// The statement ended with an error, which takes the place of the next row.
    pub(super) fn failed(&mut self, error: &SqlError) {
        self.open = false;
        packet::error_in(&mut self.out, &mut self.sequence, self.peer, error, self.results);
    }

    /// A line of text, as `COM_STATISTICS` answers it.
    pub(super) fn line(&mut self, line: &str) {
        packet::packet(&mut self.out, &mut self.sequence, |out| out.extend_from_slice(line.as_bytes()));
    }

    /// Writes what went through the pipe, and then what was gathered since; ready when nothing of it is left.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, conn: &mut Conn) -> Poll<Result<(), Broken>> {
        if self.streamed {
            ready!(conn.poll_stream(cx, &self.pipe))?;
        }
        ready!(conn.poll_write(cx, &self.out, &mut self.written))?;
        self.out.clear();
        self.written = 0;
        self.sequence = conn.written_up_to(self.sequence);
        Poll::Ready(Ok(()))
    }

    /// What [`WireRows::poll_write`] would still write, but for what the connection has begun.
    pub(super) fn unwritten(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        while let (true, Poll::Ready(Some(chunk))) = (self.streamed, self.pipe.poll_next(&mut nobody)) {
            all.extend_from_slice(&chunk.bytes);
        }
        all.extend_from_slice(&self.out[self.written..]);
        all
    }

    fn encode(&mut self, values: &[Value<'_>]) {
        match &self.binary {
            None => packet::text_row(&mut self.out, &mut self.sequence, values),
            // Its rows are over: the statement ends in an error.
            Some(_) if self.misfit.is_some() => {}
            Some(columns) => self.misfit = binary::row(&mut self.out, &mut self.sequence, columns, values).err(),
        }
    }

    /// A result set begins; one that is open is complete.
    fn begin_set(&mut self) {
        self.end_rows();
        self.open = true;
    }

    /// Its columns are there.
    fn end_of_columns(&mut self) {
        if !self.peer.deprecates_eof() {
            packet::eof(&mut self.out, &mut self.sequence, &self.before, self.more);
        }
    }

    fn hand_on(&mut self) -> bool {
        self.streamed = true;
        let mut bytes = Bytes::from(std::mem::replace(&mut self.out, buffer()));
        bytes.advance(std::mem::take(&mut self.written));
        let length = bytes.len();
        self.pipe.push(Chunk { bytes, next: self.sequence, torn: self.torn }, length)
    }
}

/// Shows the values with their text in this character set. Text is also what an engine gives as bytes in a column of
/// text, as long as it is UTF-8.
fn in_set(set: CharacterSet, text: &[bool], values: &[Value<'_>], show: impl FnOnce(&[Value<'_>])) {
    let converted: Vec<_> = values
        .iter()
        .zip(text)
        .map(|(value, text)| match value {
            Value::Text(value) => Some(set.encode(value)),
            Value::Bytes(value) if *text => std::str::from_utf8(value).ok().map(|value| set.encode(value)),
            _ => None,
        })
        .collect();
    let shown: Vec<_> = values
        .iter()
        .zip(&converted)
        .map(|(value, text)| text.as_ref().map_or(*value, |text| Value::Bytes(text)))
        .collect();
    show(&shown);
}

impl Sink for WireRows {
    fn columns(&mut self, columns: &Arc<[Column]>, kept: bool) {
        if self.misfit.is_some() {
            // The error takes the place of everything that follows.
            return;
        }
        self.begin_set();
        if self.format == RowFormat::Binary {
            self.binary = Some(Arc::clone(columns));
        }
        if self.results != CharacterSet::Utf8mb4 {
            self.text = columns.iter().map(|c| matches!(c.kind, ColumnType::VarChar | ColumnType::Text)).collect();
        }
        heads::put_in(&mut self.out, &mut self.sequence, columns, kept, self.results);
        self.end_of_columns();
    }

    fn end_rows(&mut self) {
        if std::mem::take(&mut self.open) {
            packet::end_of_rows(&mut self.out, &mut self.sequence, self.peer, &self.before, true);
        }
    }

    fn info(&mut self, text: &str) {
        self.info = self.results.encode(text).into_owned();
    }

    fn put(&mut self, values: &[Value<'_>]) {
        match self.results {
            CharacterSet::Utf8mb4 => self.encode(values),
            set => {
                let text = std::mem::take(&mut self.text);
                in_set(set, &text, values, |values| self.encode(values));
                self.text = text;
            }
        }
    }

    fn offer(&mut self) -> bool {
        // After a misfit there is never room: an engine that asks for it is told to stop.
        self.misfit.is_some() || self.out.len() >= CHUNK && self.hand_on()
    }

    fn flush(&mut self) {
        if !self.out.is_empty() {
            self.hand_on();
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if self.misfit.is_some() {
            return Poll::Ready(Err(Closed));
        }
        self.pipe.poll_room(cx)
    }

    #[cfg(feature = "proxy")]
    fn relays(&self, format: RowFormat) -> bool {
        self.results == CharacterSet::Utf8mb4 && self.wants(format)
    }

    #[cfg(feature = "proxy")]
    fn wants(&self, format: RowFormat) -> bool {
        self.format == format
    }

    #[cfg(feature = "proxy")]
    fn relay_columns(&mut self, definitions: &[Bytes]) {
        self.begin_set();
        packet::column_count(&mut self.out, &mut self.sequence, definitions.len());
        for definition in definitions {
            packet::packet(&mut self.out, &mut self.sequence, |out| out.extend_from_slice(definition));
        }
        self.end_of_columns();
    }

    #[cfg(feature = "proxy")]
    fn relay_rows(&mut self, packets: &[u8]) -> bool {
        packet::renumbered(&mut self.out, &mut self.sequence, packets);
        self.offer()
    }

    #[cfg(feature = "proxy")]
    fn relay_part(&mut self, part: &[u8], starts: bool, ends: bool) -> bool {
        if starts {
            packet::begun(&mut self.out, &mut self.sequence, part);
        } else {
            self.out.extend_from_slice(part);
        }
        self.torn = !ends;
        self.offer()
    }
}

#[cfg(test)]
mod tests;
