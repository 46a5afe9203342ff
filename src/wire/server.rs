//! Accepting connections: `actix-server` takes them and hands each to one of its workers, on whose arbiter the session
//! then lives.

#[cfg(feature = "tls")]
use std::sync::Arc;
use std::{
    cell::Cell,
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    task::{Context, Poll},
};
#[cfg(unix)]
use std::{
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream as StdUnixStream},
    },
    path::Path,
};

use actix_rt::net::TcpStream;
#[cfg(unix)]
use actix_rt::net::UnixStream;
use actix_server::{Server, ServerHandle};
use actix_service::fn_service;

use socket2::SockRef;

use super::{
    auth::AuthPlugin,
    door::Door,
    gate::Terms,
    keepalive::{INHERITED, Keepalive},
    pace,
    proxy::Network,
};
use crate::{engine::Engine, model::Origin, runtime::Runtime};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4096;

/// A listener for [`serve`]. Port 0 takes any free one.
///
/// # Errors
/// The address cannot be had.
///
/// # Panics
/// Outside of a tokio or actix runtime.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// A server that was started. It serves for as long as the actix `System` runs; awaiting it waits for its end.
pub struct Serving {
    server: Server,
    handle: ServerHandle,
    address: SocketAddr,
}

/// A listener on a Unix socket, for [`Serve::unix`]. A socket that nobody listens on any more is replaced. What remains
/// of it when the server is gone is the host's to remove.
///
/// # Errors
/// The path cannot be had: somebody listens there, or it is no socket.
#[cfg(unix)]
pub fn listen_unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let left_over = std::fs::symlink_metadata(path)?.file_type().is_socket()
                && matches!(StdUnixStream::connect(path), Err(error) if error.kind() == io::ErrorKind::ConnectionRefused);
            if !left_over {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

/// Serves MySQL clients on `listener` with so many workers, as [`Serve`] does unless told otherwise.
///
/// # Errors
/// The listener is not one.
///
/// # Panics
/// Without workers; outside of an actix `System`.
pub fn serve<E: Engine>(runtime: &Runtime<E>, listener: TcpListener, workers: usize) -> io::Result<Serving> {
    Serve::new(listener, workers).start(runtime)
}

/// A server being put together.
#[derive(Debug)]
pub struct Serve {
    listener: TcpListener,
    #[cfg(unix)]
    unix: Option<UnixListener>,
    workers: usize,
    terms: Terms,
}

impl Serve {
    /// A server on `listener` with so many workers, each a thread with an arbiter; without TLS.
    pub fn new(listener: TcpListener, workers: usize) -> Self {
        Self {
            listener,
            #[cfg(unix)]
            unix: None,
            workers,
            terms: Terms::default(),
        }
    }

    /// Serves clients of this Unix socket too. They are listed with the host `localhost`, and their connections count as
    /// secret.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(self, listener: UnixListener) -> Self {
        Self { unix: Some(listener), ..self }
    }

    /// Offers TLS to clients, with these certificates and rules.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, config: Arc<tokio_rustls::rustls::ServerConfig>) -> Self {
        Self { terms: self.terms.tls(config), ..self }
    }

    /// The method that the greeting names, and by which unknown users are asked (MySQL:
    /// default_authentication_plugin); [`AuthPlugin::CachingSha2`] unless said otherwise. An account is asked by the
    /// method of its verifier.
    #[must_use]
    pub fn default_plugin(self, plugin: AuthPlugin) -> Self {
        Self { terms: self.terms.default_plugin(plugin), ..self }
    }

    /// Whether clients of `caching_sha2_password` without TLS may send their passwords encrypted by RSA; yes unless said
    /// otherwise. Without it they need TLS, or a Unix socket, for the first login. The key is made when it is first asked
    /// for, and lives as long as the server.
    #[must_use]
    pub fn passwords_by_rsa(self, allowed: bool) -> Self {
        Self { terms: self.terms.passwords_by_rsa(allowed), ..self }
    }

    /// Trusts proxies of these networks to say whom they forward, by the PROXY protocol, version 1 or 2; none unless said
    /// otherwise. Every TCP connection from there has to begin with a header: see [`Terms::proxied_from`].
    #[must_use]
    pub fn proxied_from(self, networks: impl IntoIterator<Item = Network>) -> Self {
        Self { terms: self.terms.proxied_from(networks), ..self }
    }

    /// Believes OceanBase's proxies (ODP) of these networks when they say which of their clients a connection is for; none
    /// unless said otherwise: see [`Terms::odp_from`].
    #[must_use]
    pub fn odp_from(self, networks: impl IntoIterator<Item = Network>) -> Self {
        Self { terms: self.terms.odp_from(networks), ..self }
    }

    /// When a client of TCP that is silent is given up; [`Keepalive::default`] unless said otherwise, and `None`: never.
    #[must_use]
    pub fn keepalive(self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        Self { terms: self.terms.keepalive(keepalive), ..self }
    }

    /// Begins to serve.
    ///
    /// Signals are left to the host. To stop in order: [`Runtime::shutdown`], which refuses new clients with 1053, then
    /// [`Serving::stop`].
    ///
    /// # Errors
    /// A listener is not one.
    ///
    /// # Panics
    /// Without workers; outside of an actix `System`.
    pub fn start<E: Engine>(self, runtime: &Runtime<E>) -> io::Result<Serving> {
        let address = self.listener.local_addr()?;
        let door = Door::new(runtime, self.terms);
        if INHERITED && let Err(error) = door.prepare(&SockRef::from(&self.listener)) {
            tracing::debug!(%error, "each connection is told its options by itself");
        }
        let server = Server::build()
            .workers(self.workers)
            .disable_signals()
            // Its limit stops accepting without a word to the client; the supervisor says why it refuses.
            .max_concurrent_connections(usize::MAX >> 1);
        #[cfg(unix)]
        let server = match self.unix {
            Some(listener) => {
                let door = door.clone();
                // The pace of a worker is kept by its TCP service.
                server.listen_uds("killdeer-unix", listener, move || {
                    let door = door.clone();
                    fn_service(move |stream: UnixStream| {
                        door.admit_unix(stream, Origin::Local);
                        std::future::ready(Ok::<(), ()>(()))
                    })
                })?
            }
            None => server,
        };
        let server = server
            .listen("killdeer", self.listener, move || {
                actix_rt::spawn(pace::keep());
                let door = door.clone();
                // Who has connected before the listener had its options has none of them; those behind the first who has
                // them have them too.
                let inherits = Cell::new(false);
                fn_service(move |stream: TcpStream| {
                    if let Ok(from) = stream.peer_addr() {
                        if INHERITED && !inherits.get() {
                            inherits.set(door.is_prepared(&SockRef::from(&stream)));
                        }
                        match inherits.get() {
                            true => door.accepted(stream, from.into()),
                            false => door.admit(stream, from.into()),
                        }
                    }
                    std::future::ready(Ok::<(), ()>(()))
                })
            })?
            .run();
        Ok(Serving { handle: server.handle(), server, address })
    }
}

impl Serving {
    /// Where it listens for TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more connections; those that are there go on. New ones wait, unanswered, in the listener's queue.
    pub fn pause(&self) -> impl Future<Output = ()> + use<> {
        let handle = self.handle.clone();
        async move { handle.pause().await }
    }

    /// Ends the workers, and with them every session that is still there.
    pub fn stop(&self) -> impl Future<Output = ()> + use<> {
        let handle = self.handle.clone();
        async move { handle.stop(false).await }
    }
}

impl Future for Serving {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.server).poll(cx)
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("address", &self.address).finish_non_exhaustive()
    }
}
