//! The socket of a connection to a server: bytes in and out, packets of them.
//!
//! Every call may be dropped between two polls: what was read waits in the buffer, what is to be written in another.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use super::BackendError;
use crate::{
    model::ServerAddress,
    wire::{self, FrameError, Inbound},
};

/// A packet that is no row has no more than this. (Of rows it is the most that one may have: MySQL's `max_allowed_packet` can be
/// no greater.) Nothing is allocated for a length that was merely claimed.
const LONGEST: usize = 1 << 30;

/// So much room there is for what comes, at first and at most; it doubles while a read fills it.
const LEAST_ROOM: usize = 4 * 1024;
const MOST_ROOM: usize = 64 * 1024;

/// See the module's text.
pub(super) struct Link {
    socket: TcpStream,
    inbound: Inbound,
    out: Vec<u8>,
    written: usize,
    /// The number of the next packet, whoever sends it.
    sequence: u8,
    room: usize,
    lost: bool,
}

impl Link {
    /// Connects to a server, which then sends its greeting.
    pub(super) async fn connect(to: &ServerAddress) -> Result<Self, BackendError> {
        let connected = TcpStream::connect((to.host.as_str(), to.port)).await;
        let socket = connected.map_err(|error| BackendError::Lost(format!("{to} is not there: {error}")))?;
        // Without it, it is slower.
        let _ = socket.set_nodelay(true);
        let (inbound, out) = (Inbound::default(), Vec::new());
        Ok(Self { socket, inbound, out, written: 0, sequence: 0, room: LEAST_ROOM, lost: false })
    }

    /// Gives the connection up.
    pub(super) fn lose(&mut self, why: impl Into<String>) -> BackendError {
        self.lost = true;
        self.out = Vec::new();
        self.inbound = Inbound::default();
        BackendError::Lost(why.into())
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether a command can be sent: it was not lost, and nothing came that nobody asked for.
    pub(super) fn is_usable(&self) -> bool {
        !self.lost && self.inbound.len() == 0
    }

    /// The room that its buffers take.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.inbound.capacity() + self.out.capacity()
    }

    fn check(&self) -> Result<(), BackendError> {
        if self.lost { Err(BackendError::Lost("the connection was lost before".into())) } else { Ok(()) }
    }

    /// A command begins: its packets are the first.
    pub(super) fn queue_command(&mut self, command: u8, parts: &[&[u8]]) -> Result<(), BackendError> {
        self.check()?;
        if self.inbound.len() > 0 {
            return Err(self.lose("the server said something that nobody asked for"));
        }
        self.sequence = 0;
        self.queue(|out| {
            out.push(command);
            parts.iter().for_each(|part| out.extend_from_slice(part));
        });
        Ok(())
    }

    /// A packet is to be sent; `fill` writes its payload.
    pub(super) fn queue(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        wire::packet(&mut self.out, &mut self.sequence, fill);
    }

    /// Sends what is to be sent.
    pub(super) async fn flush(&mut self) -> Result<(), BackendError> {
        self.check()?;
        while self.written < self.out.len() {
            match self.socket.write(&self.out[self.written..]).await {
                Ok(0) => return Err(self.lose("the server takes no more")),
                Ok(length) => self.written += length,
                Err(error) => return Err(self.lose(format!("the server is gone: {error}"))),
            }
        }
        // Between commands nothing is held.
        (self.out, self.written) = (Vec::new(), 0);
        Ok(())
    }

    /// Reads more.
    pub(super) async fn fill(&mut self) -> Result<(), BackendError> {
        self.flush().await?;
        let room = self.inbound.room(self.room);
        match self.socket.read_buf(room).await {
            Ok(0) => Err(self.lose("the server has closed the connection")),
            Ok(length) => {
                self.room = if length >= self.room { (2 * self.room).min(MOST_ROOM) } else { self.room };
                Ok(())
            }
            Err(error) => Err(self.lose(format!("the server is gone: {error}"))),
        }
    }

    /// The next packet, which is no row.
    pub(super) async fn packet(&mut self) -> Result<Bytes, BackendError> {
        loop {
            match self.next_packet()? {
                Some(packet) => return Ok(packet),
                None => self.fill().await?,
            }
        }
    }

    /// The next packet, if it has come.
    pub(super) fn next_packet(&mut self) -> Result<Option<Bytes>, BackendError> {
        self.check()?;
        match self.inbound.next(self.sequence, LONGEST) {
            Ok(Some(packet)) => {
                self.sequence = packet.sequence.wrapping_add(1);
                Ok(Some(packet.payload))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(self.lose(wrong(error))),
        }
    }

    /// The rows that have come, with their headers: so many bytes at most, or one row. `None`: there is none, or something
    /// else is first.
    pub(super) fn rows(&mut self, most: usize) -> Result<Option<Bytes>, BackendError> {
        self.check()?;
        match self.inbound.rows(self.sequence, LONGEST, most) {
            Ok(Some((rows, next))) => {
                self.sequence = next;
                Ok(Some(rows))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(self.lose(wrong(error))),
        }
    }

    /// An answer is over.
    pub(super) fn rest(&mut self) {
        self.room = LEAST_ROOM.max(self.room / 2);
    }

    /// Ready when the server has closed the connection, or has said something.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.lost || self.inbound.len() > 0 {
            return Poll::Ready(());
        }
        let mut byte = [0];
        Pin::new(&mut self.socket).poll_read(cx, &mut ReadBuf::new(&mut byte)).map(|_| self.lost = true)
    }

    /// Says that nothing more comes.
    pub(super) async fn close(&mut self) {
        // Nobody is there to be told.
        let _ = self.socket.shutdown().await;
    }
}

fn wrong(error: FrameError) -> &'static str {
    match error {
        FrameError::OutOfOrder => "the server's packets are out of order",
        FrameError::TooLarge => "the server's packet is too long",
        FrameError::Uncompressed => "the server's packet cannot be uncompressed",
    }
}
