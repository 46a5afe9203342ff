//! The socket of one connection: packets in, bytes out, and whether the client is still there.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures::FutureExt;
use tokio::io::AsyncWrite;

use super::{
    compress::{Algorithm, Frames},
    frame::{FrameError, Inbound, Packet},
    scratch::{SCRATCH, read},
    stream::Stream,
};
#[cfg(feature = "tls")]
use crate::model::Encryption;
use crate::session::{Pipe, Timer};

/// While a statement runs, so many bytes that the client sends are read ahead, so that its goodbye behind them is seen.
const READ_AHEAD: usize = 16 * 1024;

/// A client that has sent more than that is asked after this often. Only while a statement runs.
const LOOK: Duration = Duration::from_millis(250);

/// Why no packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The client is gone.
    Gone,
    /// The client breaks the protocol.
    Frame(FrameError),
}

/// See the module's text.
pub(super) struct Conn {
    /// `None` once it was closed.
    io: Option<Stream>,
    inbound: Inbound,
    /// What of the pipe's last chunk was not written yet.
    chunk: Bytes,
    look: Option<Box<Timer>>,
    /// Around the packets, if the client has asked for it.
    frames: Option<Box<Frames>>,
    /// The number that the client expects next, behind what was written and `chunk`.
    next: u8,
    /// A packet was written in part, and the rest of it is not in `chunk`.
    torn: bool,
    /// The client has sent a packet.
    heard: bool,
    /// Nothing is read any more, and nothing is written but `chunk`: its last words.
    parting: bool,
    /// Whether the client takes what is written.
    flow: Flow,
    /// So many bytes at the end of them are the answer to a command that the client has not sent yet.
    ahead: u16,
}

/// Whether a client takes what is written.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// The last write had to wait for it.
    blocked: bool,
    /// It took something since the last change was told.
    moved: bool,
    /// It was told that it is blocked.
    told: bool,
    /// So long the system bears with it at least, in milliseconds.
    borne: u32,
}

/// Packets on their way through a pipe.
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// The number of the packet behind them.
    pub(super) next: u8,
    /// Whether they end in the middle of a row.
    pub(super) torn: bool,
}

impl Conn {
    pub(super) fn new(io: Stream) -> Self {
        let (inbound, chunk) = (Inbound::default(), Bytes::new());
        let (look, frames) = (None, None);
        Self {
            io: Some(io),
            inbound,
            chunk,
            look,
            frames,
            next: 0,
            torn: false,
            heard: false,
            parting: false,
            flow: Flow::default(),
            ahead: 0,
        }
    }

    /// Has these bytes read first: they have come already.
    pub(super) fn keep(&mut self, early: &[u8]) {
        self.inbound.keep(early);
    }

    /// Compresses what is written from now on, and uncompresses what is read.
    pub(super) fn compress(&mut self, algorithm: Algorithm) {
        let mut frames = Frames::new(algorithm);
        // A client that was in a hurry has sent them already.
        frames.keep(&std::mem::take(&mut self.inbound).into_bytes());
        self.frames = Some(Box::new(frames));
    }

    /// Whether nobody on the way can read it: TLS, or a Unix socket.
    pub(super) fn is_secure(&self) -> bool {
        self.io.as_ref().is_some_and(Stream::is_secure)
    }

    /// How it is encrypted, if it is.
    #[cfg(feature = "tls")]
    pub(super) fn encryption(&self) -> Option<&'static Encryption> {
        self.io.as_ref().and_then(Stream::encryption)
    }

    /// Goes on under TLS; what has arrived already belongs to its handshake.
    #[cfg(feature = "tls")]
    pub(super) async fn start_tls(&mut self, acceptor: &tokio_rustls::TlsAcceptor) -> Result<(), Broken> {
        let io = self.io.take().ok_or(Broken::Gone)?;
        let under = io.start_tls(acceptor, self.inbound.take()).await;
        self.io = Some(under.map_err(|error| {
            tracing::debug!(error = crate::control::logged(&error.to_string()), "no TLS came about");
            Broken::Gone
        })?);
        Ok(())
    }

    /// Whether anything can still be read and written.
    pub(super) fn is_open(&self) -> bool {
        self.io.is_some() && !self.parting
    }

    /// The number that the client expects next. `None`: it was sent a part of a packet, and can make no sense of
    /// anything but the rest.
    pub(super) fn next(&self) -> Option<u8> {
        (!self.torn).then_some(self.next)
    }

    /// All was written, up to the packet with this number, and the client may be waiting for more: says what the
    /// next packet's number is. MySQL (`net_flush`): where frames are around the packets, it is the next frame's.
    pub(super) fn written_up_to(&mut self, next: u8) -> u8 {
        self.next = self.frames.as_ref().map_or(next, |frames| frames.number());
        self.next
    }

    /// The number of the first packet of an answer to the packet that was read last.
    pub(super) fn first(&mut self) -> u8 {
        self.written_up_to(self.next)
    }

    /// The client is about to send a command, and will expect the answer's numbers from 1 on.
    fn renumber(&mut self) {
        self.next = 1;
        self.frames.iter_mut().for_each(|frames| frames.renumber(1));
    }

    /// A frame of the client's is on its way, and nobody will read it: the next of ours is the answer to it.
    pub(super) fn skip_frame(&mut self) {
        self.frames.iter_mut().for_each(|frames| frames.renumber(frames.number().wrapping_add(1)));
    }

    /// Whether the client has sent a packet.
    pub(super) fn heard(&self) -> bool {
        self.heard
    }

    /// Says so much, after what was begun, and nothing else from now on. What the client takes at once is written at
    /// once; [`Conn::depart`] sees to the rest.
    pub(super) fn part_with(&mut self, words: &[u8]) {
        if !self.is_open() {
            return;
        }
        self.parting = true;
        self.inbound = Inbound::default();
        self.look = None;
        self.chunk = [&self.chunk, words].concat().into();
        let _ = self.poll_last_words(&mut Context::from_waker(std::task::Waker::noop()));
    }

    /// The same, and behind it the answer to a command that the client has not sent yet, at the most 64 KiB.
    pub(super) fn part_ahead(&mut self, words: &[u8], answer: &[u8]) {
        if self.is_open() {
            self.ahead = u16::try_from(answer.len()).unwrap_or_default();
        }
        self.part_with(&[words, answer].concat());
    }

    /// Whether there are last words to be said, with [`Conn::depart`].
    pub(super) fn is_parting(&self) -> bool {
        self.parting
    }

    /// Ready when they are written, or cannot be; our end is closed then.
    pub(super) fn poll_last_words(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.chunk.is_empty() {
            if self.chunk.len() == usize::from(self.ahead) {
                self.renumber();
                self.ahead = 0;
            }
            let chunk = std::mem::take(&mut self.chunk);
            let polled = self.poll_any(cx, &chunk[..chunk.len() - usize::from(self.ahead)]);
            self.chunk = chunk;
            match ready!(polled) {
                Ok(written) => self.chunk.advance(written),
                Err(_) => break,
            }
        }
        let _ = ready!(self.poll_out(cx));
        self.half_close();
        Poll::Ready(())
    }

    /// Waits until the client has read its last words. Call it with a time limit.
    pub(super) async fn depart(&mut self) {
        std::future::poll_fn(|cx| self.poll_last_words(cx)).await;
        self.linger().await;
    }

    /// Closes the connection: nothing waits for the client. Last words are not cut off.
    pub(super) fn close(&mut self) {
        if self.parting {
            return;
        }
        // A FIN ahead of the close, which alone would be a reset if bytes of the client were unread.
        self.half_close();
        self.io = None;
        self.inbound = Inbound::default();
        self.chunk = Bytes::new();
        self.frames = None;
        self.look = None;
    }

    /// Says that we send no more.
    pub(super) fn half_close(&mut self) {
        if let Some(io) = self.io.as_mut() {
            io.half_close();
        }
    }

    /// The next packet, which must have this sequence number and at most `limit` bytes.
    pub(super) fn poll_packet(
        &mut self,
        cx: &mut Context<'_>,
        expected: u8,
        limit: usize,
    ) -> Poll<Result<Packet, Broken>> {
        self.next = expected.wrapping_add(1);
        let packet = ready!(self.poll_whole(cx, expected, limit))?;
        self.next = packet.sequence.wrapping_add(1);
        self.heard = true;
        Poll::Ready(Ok(packet))
    }

    fn poll_whole(&mut self, cx: &mut Context<'_>, expected: u8, limit: usize) -> Poll<Result<Packet, Broken>> {
        if let Some(packet) = self.inbound.next(expected, limit).map_err(Broken::Frame)? {
            return Poll::Ready(Ok(packet));
        }
        loop {
            let Some(io) = self.io.as_mut().filter(|_| !self.parting) else {
                return Poll::Ready(Err(Broken::Gone));
            };
            let inbound = &mut self.inbound;
            if let Some(frames) = self.frames.as_deref_mut() {
                if frames.is_full() {
                    // Uncompressing computes: others on the arbiter have their turn.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if let Some(plain) = frames.next(limit).map_err(Broken::Frame)? {
                    inbound.keep(&plain);
                    if let Some(packet) = inbound.next(expected, limit).map_err(Broken::Frame)? {
                        return Poll::Ready(Ok(packet));
                    }
                    continue;
                }
                let read = read(io, cx, SCRATCH, |fresh| {
                    frames.keep(fresh);
                    fresh.len()
                });
                if matches!(ready!(read), Ok(0) | Err(_)) {
                    return Poll::Ready(Err(Broken::Gone));
                }
                continue;
            }
            let read = read(io, cx, SCRATCH, |fresh| match fresh {
                [] => Err(Broken::Gone),
                fresh => inbound.next_with(fresh, expected, limit).map_err(Broken::Frame),
            });
            if let Some(packet) = ready!(read).unwrap_or(Err(Broken::Gone))? {
                return Poll::Ready(Ok(packet));
            }
        }
    }

    /// Ready when the client is gone. Bytes that it still sends are kept for later, up to a bound.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let room = READ_AHEAD.saturating_sub(self.unread());
            let Some(io) = self.io.as_mut().filter(|_| !self.parting) else { return Poll::Pending };
            if room == 0 {
                // Its FIN cannot be read past the bytes before it, but the socket knows.
                if io.peer_closed() {
                    return Poll::Ready(());
                }
                let look = self.look.get_or_insert_with(|| Box::new(Timer::after(LOOK)));
                ready!(look.poll_unpin(cx));
                self.look = None;
                continue;
            }
            let (inbound, frames) = (&mut self.inbound, &mut self.frames);
            let read = read(io, cx, room, |fresh| {
                match frames {
                    Some(frames) => frames.keep(fresh),
                    None => inbound.keep(fresh),
                }
                fresh.len()
            });
            if matches!(ready!(read), Ok(0) | Err(_)) {
                return Poll::Ready(());
            }
        }
    }

    /// Writes all of `out`, from what was `written` already.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        out: &[u8],
        written: &mut usize,
    ) -> Poll<Result<(), Broken>> {
        while let rest @ [_, ..] = &out[*written..] {
            match self.poll_some(cx, rest) {
                Poll::Ready(some) => *written += some?,
                Poll::Pending => {
                    self.torn = *written > 0;
                    return Poll::Pending;
                }
            }
        }
        let polled = self.poll_out(cx);
        // Frames and a TLS may hold a part of it.
        self.torn = polled.is_pending();
        polled
    }

    /// Writes what comes through the pipe; ready when there is nothing in it.
    pub(super) fn poll_stream(&mut self, cx: &mut Context<'_>, pipe: &Pipe<Chunk>) -> Poll<Result<(), Broken>> {
        loop {
            while !self.chunk.is_empty() {
                let chunk = std::mem::take(&mut self.chunk);
                let polled = self.poll_some(cx, &chunk);
                self.chunk = chunk;
                let written = ready!(polled)?;
                self.chunk.advance(written);
            }
            match pipe.poll_next(cx) {
                Poll::Ready(Some(chunk)) => {
                    self.chunk = chunk.bytes;
                    self.next = chunk.next;
                    self.torn = chunk.torn;
                }
                Poll::Ready(None) | Poll::Pending => return self.poll_out(cx),
            }
        }
    }

    /// What was written is on its way: frames and a TLS may hold some of it back.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        ready!(self.poll_frames(cx))?;
        let Some(io) = self.io.as_mut() else { return Poll::Ready(Err(Broken::Gone)) };
        let before = io.taken();
        let flushed = Pin::new(&mut *io).poll_flush(cx).map_err(|_| Broken::Gone);
        self.flow.blocked = flushed.is_pending();
        self.flow.moved |= io.taken() != before;
        flushed
    }

    fn poll_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Broken>> {
        if self.parting { Poll::Ready(Err(Broken::Gone)) } else { self.poll_any(cx, bytes) }
    }

    fn poll_any(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Broken>> {
        if self.frames.is_none() {
            return self.poll_raw(cx, bytes);
        }
        ready!(self.poll_frames(cx))?;
        let Some(frames) = self.frames.as_deref_mut() else { return Poll::Ready(Err(Broken::Gone)) };
        if frames.is_tired() {
            // Compressing computes: others on the arbiter have their turn.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let taken = frames.put(bytes);
        // What the socket does not take now, it takes before anything else.
        if let Poll::Ready(written) = self.poll_frames(cx) {
            written?;
        }
        Poll::Ready(Ok(taken))
    }

    /// Writes the frames that were made.
    fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let Some(mut frames) = self.frames.take() else { return Poll::Ready(Ok(())) };
        let polled = loop {
            if frames.unwritten().is_empty() {
                break Poll::Ready(Ok(()));
            }
            match self.poll_raw(cx, frames.unwritten()) {
                Poll::Ready(Ok(written)) => frames.written(written),
                Poll::Ready(Err(broken)) => break Poll::Ready(Err(broken)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.frames = Some(frames);
        polled
    }

    fn poll_raw(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Broken>> {
        let Some(io) = self.io.as_mut() else { return Poll::Ready(Err(Broken::Gone)) };
        let before = io.taken();
        let Poll::Ready(polled) = Pin::new(&mut *io).poll_write(cx, bytes) else {
            self.flow.blocked = true;
            self.flow.moved |= io.taken() != before;
            return Poll::Pending;
        };
        match polled {
            Ok(0) | Err(_) => Poll::Ready(Err(Broken::Gone)),
            Ok(written) => {
                self.flow.blocked = false;
                self.flow.moved = true;
                Poll::Ready(Ok(written))
            }
        }
    }

    /// What has changed since the last call: `true`: from now on the client does not take what is written, `false`: it
    /// does again.
    pub(super) fn flow_change(&mut self) -> Option<bool> {
        let Flow { blocked, moved, told, .. } = self.flow;
        if blocked && (moved || !told) || told && !blocked {
            self.flow = Flow { moved: false, told: blocked, ..self.flow };
            return Some(blocked);
        }
        None
    }

    /// The system is not to give the client up within this time for what it leaves unread.
    pub(super) fn bear(&mut self, time: Duration) {
        let milliseconds = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        if let (Some(io), true) = (&self.io, milliseconds > self.flow.borne) {
            self.flow.borne = milliseconds;
            if let Err(error) = io.bear(time) {
                tracing::debug!(%error, "a client that reads slowly may be given up early");
            }
        }
    }

    /// So much has arrived, and is no whole packet yet, or was not looked at.
    pub(super) fn unread(&self) -> usize {
        self.inbound.len() + self.frames.as_ref().map_or(0, |frames| frames.len())
    }

    /// Waits until the client has closed its end, so that a last packet is not lost to the reset that a close with
    /// unread bytes would be. What it still sends is thrown away. Call it with a time limit.
    pub(super) async fn linger(&mut self) {
        let Some(io) = self.io.as_mut() else { return };
        let _ = tokio::io::AsyncWriteExt::shutdown(io).await;
        let mut bound = 64 * SCRATCH;
        std::future::poll_fn(|cx| {
            while bound > 0 {
                match ready!(read(io, cx, SCRATCH, <[u8]>::len)) {
                    Ok(0) | Err(_) => break,
                    Ok(more) => bound = bound.saturating_sub(more),
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}

#[cfg(all(test, feature = "compression"))]
#[path = "conn_tests.rs"]
mod tests;
