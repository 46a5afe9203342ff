//! The socket of a connection to a server: bytes in and out, packets of them.
//!
//! Every call may be dropped between two polls: what was read waits in the buffer, what is to be written in another.

use std::{
    fmt,
    future::poll_fn,
    io,
    path::Path,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use super::BackendError;
use crate::{
    model::{ServerAddress, ServerPeer},
    session::Timer,
    wire::{
        self, FrameError, Inbound, Keepalive, LongRow, RowPart, Socket,
        scratch::{self, SCRATCH},
    },
};

/// A command's header, and its number.
const PACKET_START: usize = 5;

/// A packet that is no row has no more than this. (Of rows it is the most that one may have: MySQL's `max_allowed_packet` can be
/// no greater.) Nothing is allocated for a length that was merely claimed.
const LONGEST: usize = 1 << 30;

/// So much one read takes at most, where much comes: it doubles, from what the thread's buffer takes, while reads are full.
const MOST_ROOM: usize = 64 * 1024;

/// When a server that says nothing is asked by TCP whether it is there, and given up: after a minute, as one that does not
/// take what is sent to it. One that works on a statement answers to TCP.
const KEEPALIVE: Keepalive = Keepalive { idle: Duration::from_secs(30), interval: Duration::from_secs(5), retries: 6 };

/// A Unix socket at which too many wait is tried again after so long, and each time after twice as long, up to the other.
#[cfg(unix)]
const LEAST_PAUSE: Duration = Duration::from_millis(1);
#[cfg(unix)]
const MOST_PAUSE: Duration = Duration::from_millis(20);

/// How many connections there were: they are asked at different times.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// Where a connection goes.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) enum To<'a> {
    /// To whichever address a name stands for that takes it.
    Server(&'a ServerAddress),
    /// To the address that another connection has reached.
    Peer(&'a ServerPeer),
}

impl<'a> From<&'a ServerAddress> for To<'a> {
    fn from(address: &'a ServerAddress) -> Self {
        Self::Server(address)
    }
}

impl<'a> From<&'a ServerPeer> for To<'a> {
    fn from(peer: &'a ServerPeer) -> Self {
        Self::Peer(peer)
    }
}

impl fmt::Display for To<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(address) => address.fmt(f),
            Self::Peer(peer) => peer.fmt(f),
        }
    }
}

/// See the module's text.
pub(super) struct Link {
    socket: Socket,
    peer: ServerPeer,
    inbound: Inbound,
    out: Vec<u8>,
    written: usize,
    /// The number of the next packet, whoever sends it.
    sequence: u8,
    room: usize,
    /// The row of several packets that is handed on in parts.
    row: Option<LongRow>,
    lost: bool,
}

impl Link {
    /// Connects to a server, which then sends its greeting.
    pub(super) async fn connect(to: To<'_>) -> Result<Self, BackendError> {
        let connected = match to {
            To::Server(ServerAddress::Tcp(host, port)) => TcpStream::connect((&**host, *port)).await.and_then(tcp),
            To::Peer(ServerPeer::Tcp(address)) => TcpStream::connect(address).await.and_then(tcp),
            To::Server(ServerAddress::Unix(path)) => unix(path).await,
            To::Peer(ServerPeer::Unix { path, .. }) => unix(path).await,
        };
        let (socket, peer) = connected.map_err(|error| BackendError::Lost(format!("{to} is not there: {error}")))?;
        let (inbound, out) = (Inbound::default(), Vec::new());
        Ok(Self { socket, peer, inbound, out, written: 0, sequence: 0, room: SCRATCH, row: None, lost: false })
    }

    /// The address that it has reached.
    pub(super) fn peer(&self) -> &ServerPeer {
        &self.peer
    }

    /// Gives the connection up.
    pub(super) fn lose(&mut self, why: impl Into<String>) -> BackendError {
        self.lost = true;
        self.row = None;
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
        self.out.reserve_exact(PACKET_START + parts.iter().map(|part| part.len()).sum::<usize>());
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

    /// Sends what it can without waiting.
    pub(super) fn flush_at_once(&mut self) {
        let _ = self.flush().now_or_never();
    }

    /// Reads more.
    pub(super) async fn fill(&mut self) -> Result<(), BackendError> {
        self.flush().await?;
        let Self { socket, inbound, room, .. } = self;
        let read = if *room > SCRATCH {
            socket.read_buf(inbound.room(*room)).await
        } else {
            let read = |cx: &mut Context<'_>| {
                scratch::read(socket, cx, SCRATCH, |fresh| {
                    inbound.keep(fresh);
                    fresh.len()
                })
            };
            poll_fn(read).await
        };
        match read {
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

    /// Whether a row was handed on in part.
    pub(super) fn is_in_row(&self) -> bool {
        self.row.is_some()
    }

    /// What has come of a row of several packets: so many bytes at most, and a header. `None`: there is nothing of one.
    pub(super) fn part(&mut self, most: usize) -> Result<Option<RowPart>, BackendError> {
        self.check()?;
        self.inbound.part(&mut self.row, &mut self.sequence, most).map_err(|error| self.lose(wrong(error)))
    }

    /// An answer is over.
    pub(super) fn rest(&mut self) {
        self.room = SCRATCH.max(self.room / 2);
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

/// A connection over TCP: the system asks whether the server is there.
fn tcp(socket: TcpStream) -> io::Result<(Socket, ServerPeer)> {
    let peer = socket.peer_addr()?;
    // Without it, it is slower.
    let _ = socket.set_nodelay(true);
    let told = SockRef::from(&socket);
    let watched = KEEPALIVE.watch(&told).and_then(|()| KEEPALIVE.spread(&told, CONNECTIONS.fetch_add(1, Relaxed)));
    if let Err(error) = watched {
        tracing::debug!(server = %peer, %error, "a server that goes without a word will not be noticed");
    }
    Ok((Socket::Tcp(socket), ServerPeer::Tcp(peer)))
}

/// A connection to a server on this machine. Where too many wait to be accepted the system does not put one more into their queue,
/// as with TCP, but refuses it: then it is tried again.
#[cfg(unix)]
async fn unix(path: &Path) -> io::Result<(Socket, ServerPeer)> {
    let mut pause = LEAST_PAUSE;
    let socket = loop {
        match tokio::net::UnixStream::connect(path).await {
            Err(full) if full.kind() == io::ErrorKind::WouldBlock => Timer::after(pause).await,
            connected => break connected?,
        }
        pause = (2 * pause).min(MOST_PAUSE);
    };
    let process = socket.peer_cred().ok().and_then(|peer| peer.pid());
    Ok((Socket::Unix(socket), ServerPeer::Unix { path: path.into(), process }))
}

#[cfg(not(unix))]
async fn unix(_: &Path) -> io::Result<(Socket, ServerPeer)> {
    Err(io::ErrorKind::Unsupported.into())
}

fn wrong(error: FrameError) -> &'static str {
    match error {
        FrameError::OutOfOrder => "the server's packets are out of order",
        FrameError::TooLarge => "the server's packet is too long",
        FrameError::Uncompressed => "the server's packet cannot be uncompressed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_goes_without_a_word_is_noticed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        for _ in 0..2 {
            let peer = ServerPeer::Tcp(listener.local_addr().unwrap());
            let link = Link::connect(To::Peer(&peer)).await.unwrap();
            let Socket::Tcp(socket) = &link.socket else { panic!("it was TCP") };
            let socket = SockRef::from(socket);
            assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
            let idle = socket.tcp_keepalive_time().unwrap();
            assert!(idle <= KEEPALIVE.idle && idle >= KEEPALIVE.idle * 3 / 4 - Duration::from_secs(1), "{idle:?}");
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE.interval);
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(KEEPALIVE.bound()));
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_unix_socket_at_which_too_many_wait_is_tried_again() {
        let path = std::env::temp_dir().join(format!("killdeer-full-{}.sock", std::process::id()));
        let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        listener.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(1).unwrap();
        let mut waiting = Vec::new();
        let full = loop {
            match tokio::net::UnixStream::connect(&path).await {
                Ok(one) => waiting.push(one),
                Err(full) => break full,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        let address = ServerAddress::Unix(path.clone());
        let mut connecting = Box::pin(Link::connect(To::Server(&address)));
        assert!(connecting.as_mut().now_or_never().is_none());
        let accepted = listener.accept().unwrap();
        let link = connecting.await.unwrap();
        let process = i32::try_from(std::process::id()).ok();
        assert_eq!(*link.peer(), ServerPeer::Unix { path: path.as_path().into(), process });
        drop((accepted, waiting));
        std::fs::remove_file(&path).unwrap();
    }
}
