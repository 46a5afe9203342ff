//! Letting in a connection, whoever has accepted it: our own server, or a host with an acceptor of its own.

use std::{io, sync::Arc};

use actix_rt::net::TcpStream;
#[cfg(unix)]
use actix_rt::net::UnixStream;
use socket2::SockRef;
use tokio::time::Instant;

use super::{
    gate::{Gate, Terms},
    lead_in::Arrival,
    life,
    stream::Stream,
};
use crate::{
    engine::Engine,
    model::Origin,
    runtime::Runtime,
    session::{Inbox, Session},
};

/// The way in for connections that the host accepts itself: where something else than the PROXY protocol says whose they
/// are, where the socket comes from elsewhere (inetd), where a test says so. [`Serve`](super::Serve) accepts by itself.
///
/// Cheap to clone, and to be shared by all the arbiters that accept: the clones share which passwords were proved before,
/// and the RSA key.
///
/// ```no_run
/// # async fn accept<E: killdeer::Engine>(runtime: &killdeer::Runtime<E>) -> std::io::Result<()> {
/// use killdeer::wire::{Door, Terms};
///
/// let door = Door::new(runtime, Terms::default());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3307").await?;
/// loop {
///     let (stream, from) = listener.accept().await?;
///     door.admit(stream, from.into());
/// }
/// # }
/// ```
pub struct Door<E: Engine> {
    runtime: Runtime<E>,
    gate: Arc<Gate>,
}

impl<E: Engine> Door<E> {
    /// A way in to this runtime, on these terms.
    pub fn new(runtime: &Runtime<E>, terms: Terms) -> Self {
        Self { runtime: runtime.clone(), gate: Arc::new(terms.gate()) }
    }

    /// Greets the client behind `stream`, of which nothing of the MySQL protocol was read or written yet, and serves it on
    /// the arbiter that calls this until its session is over. The end of it comes as every session's does: by the
    /// client, a kill, or [`Runtime::shutdown`].
    ///
    /// `from` is where it comes from, and the host's word is taken for it: lists show it, `USER()` says it, engines let
    /// accounts in by it. If it is a proxy that the terms trust ([`Terms::proxied_from`]), the client's address in the
    /// proxy's header counts instead.
    ///
    /// # Panics
    /// Outside of an actix `System` and of any `LocalSet`.
    pub fn admit(&self, stream: TcpStream, from: Origin) {
        if let Err(error) = self.prepare(&SockRef::from(&stream)) {
            tracing::debug!(%from, %error, "no keepalive");
        }
        self.accepted(stream, from);
    }

    /// Sets the options of a connection, or of a listener for those that it accepts.
    pub(super) fn prepare(&self, socket: &SockRef<'_>) -> io::Result<()> {
        // Without it, small answers would wait for the client's acknowledgements.
        let _ = socket.set_tcp_nodelay(true);
        self.gate.keepalive.map_or(Ok(()), |keepalive| keepalive.watch(socket))
    }

    /// Whether a connection has these options from its listener.
    pub(super) fn is_prepared(&self, socket: &SockRef<'_>) -> bool {
        socket.tcp_nodelay().unwrap_or(false) && self.gate.keepalive.is_none_or(|keepalive| keepalive.watches(socket))
    }

    /// As [`Door::admit`], for a connection that has its options already.
    pub(super) fn accepted(&self, stream: TcpStream, from: Origin) {
        self.gate.spread(&SockRef::from(&stream));
        let proxied = from.ip().is_some_and(|ip| self.gate.trusts(ip));
        self.launch(stream.into(), from, proxied);
    }

    /// As [`Door::admit`], for a client of a Unix socket. Its connection counts as secret, wherever it comes from.
    ///
    /// # Panics
    /// Outside of an actix `System` and of any `LocalSet`.
    #[cfg(unix)]
    pub fn admit_unix(&self, stream: UnixStream, from: Origin) {
        self.launch(stream.into(), from, false);
    }

    fn launch(&self, io: Stream, from: Origin, proxied: bool) {
        let accepted = Instant::now();
        let (shared, gate) = (Arc::clone(&self.runtime.shared), Arc::clone(&self.gate));
        let registry = Arc::clone(&shared.registry);
        let inbox = Inbox::closed();
        Session::launch(&registry, Arc::clone(&inbox), |control| {
            let arrival = Arrival { io, from, proxied, accepted, control };
            Box::pin(life::live(shared, inbox, gate, arrival))
        });
    }
}

impl<E: Engine> Clone for Door<E> {
    fn clone(&self) -> Self {
        Self { runtime: self.runtime.clone(), gate: Arc::clone(&self.gate) }
    }
}

impl<E: Engine> std::fmt::Debug for Door<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("runtime", &self.runtime).finish_non_exhaustive()
    }
}
