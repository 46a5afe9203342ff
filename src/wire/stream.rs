//! What a connection runs over: a TCP or a Unix socket, in the clear or under TLS.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_rt::net::TcpStream;
#[cfg(unix)]
use actix_rt::net::UnixStream;
#[cfg(feature = "tls")]
use bytes::{Buf, Bytes};
use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
#[cfg(feature = "tls")]
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::keepalive;
#[cfg(feature = "tls")]
use super::tls::encryption;
#[cfg(feature = "tls")]
use crate::model::Encryption;

/// A socket of either kind.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// See the module's text.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Socket),
    /// On the heap: the state of a TLS is a kilobyte and more.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Ahead>>),
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Self::Plain(Socket::Tcp(socket))
    }
}

#[cfg(unix)]
impl From<UnixStream> for Stream {
    fn from(socket: UnixStream) -> Self {
        Self::Plain(Socket::Unix(socket))
    }
}

impl Stream {
    /// Whether the peer has closed, even behind bytes that were not read yet.
    pub(super) fn peer_closed(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.peer_closed(),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.get_ref().0.socket.peer_closed(),
        }
    }

    /// The system is not to give the peer up within this time for what it leaves unread.
    pub(super) fn bear(&self, time: Duration) -> io::Result<()> {
        let socket = match self {
            Self::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => &tls.get_ref().0.socket,
        };
        match socket {
            Socket::Tcp(tcp) => keepalive::bear(tcp, time),
            #[cfg(unix)]
            Socket::Unix(_) => Ok(()),
        }
    }

    /// Another number each time that the socket has taken something from the buffers of a TLS. Without one, what was
    /// written was taken.
    pub(super) fn taken(&self) -> u32 {
        match self {
            Self::Plain(_) => 0,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.get_ref().0.taken,
        }
    }

    /// Says that we send no more. Sockets do it at once; what could not be told is no loss.
    pub(super) fn half_close(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let done = Pin::new(&mut *self).poll_shutdown(&mut cx);
        #[cfg(feature = "tls")]
        if let (Self::Tls(tls), true) = (self, done.is_pending()) {
            // There is no room for TLS to say goodbye in, but the socket can always be told.
            let _ = Pin::new(&mut tls.get_mut().0.socket).poll_shutdown(&mut cx);
        }
        #[cfg(not(feature = "tls"))]
        let _ = done;
    }

    /// Whether nobody on the way can read it: TLS, or a Unix socket.
    pub(super) fn is_secure(&self) -> bool {
        match self {
            Self::Plain(Socket::Tcp(_)) => false,
            #[cfg(unix)]
            Self::Plain(Socket::Unix(_)) => true,
            #[cfg(feature = "tls")]
            Self::Tls(_) => true,
        }
    }

    /// How it is encrypted, if it is.
    #[cfg(feature = "tls")]
    pub(super) fn encryption(&self) -> Option<&'static Encryption> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.get_ref().1.negotiated_cipher_suite().map(|suite| encryption(suite.suite())),
        }
    }

    /// Goes on under TLS. `first` is what was read of the client's part of its handshake already: it is taken for that
    /// and nothing else, so that nothing sent in the clear can pass for what TLS protects (CVE-2021-23222 was that).
    ///
    /// # Errors
    /// The handshake failed, or the stream is under TLS already.
    #[cfg(feature = "tls")]
    pub(super) async fn start_tls(self, acceptor: &TlsAcceptor, first: Bytes) -> io::Result<Self> {
        let Self::Plain(socket) = self else { return Err(io::ErrorKind::Unsupported.into()) };
        let tls = acceptor.accept(Ahead { first, socket, taken: 0 }).await?;
        Ok(Self::Tls(Box::new(tls)))
    }
}

impl Socket {
    fn peer_closed(&self) -> bool {
        let ready = match self {
            Self::Tcp(tcp) => tcp.ready(Interest::READABLE).now_or_never(),
            #[cfg(unix)]
            Self::Unix(unix) => unix.ready(Interest::READABLE).now_or_never(),
        };
        match ready {
            Some(Ok(ready)) => ready.is_read_closed(),
            Some(Err(_)) => true,
            None => false,
        }
    }
}

/// A socket of which something was read ahead.
#[cfg(feature = "tls")]
#[derive(Debug)]
pub(super) struct Ahead {
    first: Bytes,
    socket: Socket,
    /// How often it has taken something.
    taken: u32,
}

/// Calls whichever it is.
macro_rules! each {
    (socket $this:ident, $io:ident => $call:expr) => {
        match $this.get_mut() {
            Socket::Tcp($io) => $call,
            #[cfg(unix)]
            Socket::Unix($io) => $call,
        }
    };
    (stream $this:ident, $io:ident => $call:expr) => {
        match $this.get_mut() {
            Stream::Plain($io) => $call,
            #[cfg(feature = "tls")]
            Stream::Tls($io) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(socket self, io => Pin::new(io).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(socket self, io => Pin::new(io).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(socket self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(socket self, io => Pin::new(io).poll_shutdown(cx))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(stream self, io => Pin::new(io).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(stream self, io => Pin::new(io).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(stream self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(stream self, io => Pin::new(io).poll_shutdown(cx))
    }
}

#[cfg(feature = "tls")]
impl AsyncRead for Ahead {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { first, socket, .. } = self.get_mut();
        if first.is_empty() {
            return Pin::new(socket).poll_read(cx, buffer);
        }
        let taken = first.split_to(first.len().min(buffer.remaining()));
        buffer.put_slice(&taken);
        if !first.has_remaining() {
            *first = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(feature = "tls")]
impl AsyncWrite for Ahead {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { socket, taken, .. } = self.get_mut();
        let written = Pin::new(socket).poll_write(cx, bytes);
        *taken = taken.wrapping_add(u32::from(written.is_ready()));
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
