//! The peers' port: how many connections there are, and for how long one may be kept by somebody who has not shown that it
//! is a node.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Sleep, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::transport::server::Connected;

use super::desk::Desk;
use crate::cluster::trust::{Kind, failed};

/// So many connections there are at most.
const CONNECTIONS: usize = 1024;

/// So many of them may be of somebody who has not shown yet that it is a node. One more waits to be accepted.
const STRANGERS: usize = 64;

/// So long somebody may take to show it.
const PATIENCE: Duration = Duration::from_secs(5);

/// After a failure to accept, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) from: SocketAddr,
    /// It has shown that it is a node.
    pub(super) known: AtomicBool,
}

/// A port: a socket's, or a simulated one's.
pub(in crate::cluster) trait Listen: Send + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next one, and from where it comes.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Io, SocketAddr)>> + Send;
}

impl Listen for TcpListener {
    type Io = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (io, from) = self.accept().await?;
        // It would wait for more to send.
        let _ = io.set_nodelay(true);
        Ok((io, from))
    }
}

/// A connection that is let in.
pub(super) struct Connection<S> {
    io: Io<S>,
    caller: Arc<Caller>,
    /// Its place among the strangers, and the end of the patience with it.
    stranger: Option<(OwnedSemaphorePermit, Pin<Box<Sleep>>)>,
    _place: OwnedSemaphorePermit,
}

enum Io<S> {
    Plain(S),
    Tls(Box<TlsStream<S>>),
}

/// Accepts connections, as long as anybody takes them.
pub(super) async fn accept<L>(listener: L, desk: Arc<Desk>, to: mpsc::Sender<io::Result<Connection<L::Io>>>)
where
    L: Listen + Sync,
{
    let (places, strangers) = (Arc::new(Semaphore::new(CONNECTIONS)), Arc::new(Semaphore::new(STRANGERS)));
    let tls = match &desk.trust.0 {
        Kind::MutualTls(tls) => Some(TlsAcceptor::from(Arc::clone(&tls.server))),
        _ => None,
    };
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let stranger = Arc::clone(&strangers).acquire_owned().await;
        // Neither is ever closed.
        let (Ok(place), Ok(stranger)) = (place, stranger) else { return };
        let accepted = tokio::select! {
            accepted = listener.next() => accepted,
            () = to.closed() => return,
        };
        let (io, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                desk.warn(|omitted| tracing::warn!(%error, omitted, "the peers' port accepts nothing"));
                sleep(PAUSE).await;
                continue;
            }
        };
        let caller = Arc::new(Caller { from, known: AtomicBool::new(false) });
        let patience = Box::pin(sleep(PATIENCE));
        let connection = move |io| Connection { io, caller, stranger: Some((stranger, patience)), _place: place };
        let Some(tls) = tls.clone() else {
            if to.send(Ok(connection(Io::Plain(io)))).await.is_err() {
                return;
            }
            continue;
        };
        let (to, desk) = (to.clone(), Arc::clone(&desk));
        tokio::spawn(async move {
            match timeout(PATIENCE, tls.accept(io)).await {
                Ok(Ok(io)) => {
                    let connection = connection(Io::Tls(Box::new(io)));
                    // The handshake has asked for its certificate.
                    connection.caller.known.store(true, Ordering::Release);
                    let _ = to.send(Ok(connection)).await;
                }
                Ok(Err(error)) => {
                    if let Some(why) = failed(&error) {
                        desk.refused(from, why);
                    }
                }
                Err(_) => {}
            }
        });
    }
}

impl<S> Connected for Connection<S> {
    type ConnectInfo = Arc<Caller>;

    fn connect_info(&self) -> Arc<Caller> {
        Arc::clone(&self.caller)
    }
}

impl<S> Connection<S> {
    /// Whether the patience with a stranger is over.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((_, patience)) = &mut self.stranger else { return Poll::Pending };
        if self.caller.known.load(Ordering::Acquire) {
            self.stranger = None;
            return Poll::Pending;
        }
        patience.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.poll_patience(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(cx, to),
            Io::Tls(io) => Pin::new(io).poll_read(cx, to),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Io::Tls(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
