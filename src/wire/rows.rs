//! Result sets on their way out: rows become packets as the engine pushes them, in one buffer while they are few, and
//! through a bounded pipe to the driver when they are many.

use std::{
    cell::RefCell,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};

use super::{
    conn::{Broken, Chunk, Conn, Transport},
    heads,
    packet::{self, Peer},
};
use crate::{
    engine::{Closed, Sink},
    model::{CharacterSet, Column, ColumnType, Done, SqlError, Value},
    session::Pipe,
};

/// So many bytes of packets are gathered before they are handed to the driver.
const CHUNK: usize = 16 * 1024;

/// So many bytes wait for the client before the engine is told to wait.
pub(super) const HELD: usize = 64 * 1024;

/// The most buffers that a thread keeps for its next statements.
const SPARE: usize = 16;

thread_local! {
    /// Buffers are for those who run something: they are lent per statement, by the thread.
    static SPARES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer with room for a chunk and the row that makes it one.
fn buffer() -> Vec<u8> {
    Vec::with_capacity(CHUNK + CHUNK / 4)
}

/// A buffer from the thread's store.
fn lend() -> Vec<u8> {
    SPARES.with_borrow_mut(Vec::pop).unwrap_or_else(buffer)
}

/// Gives a buffer back to the thread's store, unless it grew beyond what is worth keeping.
fn give_back(mut buffer: Vec<u8>) {
    buffer.clear();
    if (CHUNK..=4 * CHUNK).contains(&buffer.capacity()) {
        SPARES.with_borrow_mut(|spares| {
            if spares.len() < SPARE {
                spares.push(buffer);
            }
        });
    }
}

/// See the module's text. Kept by the connection and lent to each of its statements.
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
    /// What the packets between result sets say of the session's state: as it was before the statement.
    before: Done,
}

impl WireRows {
    pub(super) fn new(peer: Peer, pipe: &Arc<Pipe<Chunk>>) -> Box<Self> {
        Box::new(Self {
            out: Vec::new(),
            written: 0,
            sequence: 0,
            pipe: Arc::clone(pipe),
            peer,
            open: false,
            results: CharacterSet::Utf8mb4,
            text: Box::default(),
            streamed: false,
            before: Done::default(),
        })
    }

    /// A command begins; its answer's first packet has this number.
    pub(super) fn begin(&mut self, sequence: u8, before: Done) {
        self.out = lend();
        self.written = 0;
        self.sequence = sequence;
        self.open = false;
        self.streamed = false;
        self.before = before;
    }

    /// Whether the next OK can tell of changes in the session: the EOF of older clients cannot.
    pub(super) fn can_tell(&self) -> bool {
        !self.open || self.peer.deprecates_eof()
    }

    /// The statement ended well. `changes`: what is to be told of the session, encoded.
    pub(super) fn done(&mut self, done: &Done, more: bool, changes: &[u8]) {
        let open = std::mem::take(&mut self.open);
        if !changes.is_empty() {
            packet::ok_with(&mut self.out, &mut self.sequence, open, done, more, changes);
        } else if open {
            packet::end_of_rows(&mut self.out, &mut self.sequence, self.peer, done, more);
        } else {
            packet::ok(&mut self.out, &mut self.sequence, done, more);
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
    pub(super) fn poll_write<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        conn: &mut Conn<T>,
    ) -> Poll<Result<(), Broken>> {
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

    /// The answer is written: the buffer goes back.
    pub(super) fn rest(&mut self) {
        give_back(std::mem::take(&mut self.out));
    }

    fn hand_on(&mut self) -> bool {
        self.streamed = true;
        let mut bytes = Bytes::from(std::mem::replace(&mut self.out, buffer()));
        bytes.advance(std::mem::take(&mut self.written));
        let length = bytes.len();
        self.pipe.push(Chunk { bytes, next: self.sequence }, length)
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
        if std::mem::replace(&mut self.open, true) {
            packet::end_of_rows(&mut self.out, &mut self.sequence, self.peer, &self.before, true);
        }
        if self.results != CharacterSet::Utf8mb4 {
            self.text = columns.iter().map(|c| matches!(c.kind, ColumnType::VarChar | ColumnType::Text)).collect();
        }
        heads::put_in(&mut self.out, &mut self.sequence, columns, kept, self.results);
        if !self.peer.deprecates_eof() {
            packet::eof(&mut self.out, &mut self.sequence, &self.before, false);
        }
    }

    fn row(&mut self, values: &[Value<'_>]) -> bool {
        match self.results {
            CharacterSet::Utf8mb4 => packet::text_row(&mut self.out, &mut self.sequence, values),
            set => {
                in_set(set, &self.text, values, |values| packet::text_row(&mut self.out, &mut self.sequence, values))
            }
        }
        self.out.len() >= CHUNK && self.hand_on()
    }

    fn flush(&mut self) {
        if !self.out.is_empty() {
            self.hand_on();
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.pipe.poll_room(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_converted_and_bytes_of_binary_columns_are_not() {
        let values = [
            Value::Text("é"),
            Value::Bytes("é".as_bytes()),
            Value::Bytes("é".as_bytes()),
            Value::Bytes(b"\xff"),
            Value::Null,
        ];
        let expected = [
            Value::Bytes(b"\xe9"),
            Value::Bytes(b"\xe9"),
            Value::Bytes("é".as_bytes()),
            Value::Bytes(b"\xff"),
            Value::Null,
        ];
        in_set(CharacterSet::Latin1, &[true, true, false, true, true], &values, |shown| assert_eq!(shown, expected));
    }
}
