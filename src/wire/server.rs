//! Accepting connections: `actix-server` takes them and hands each to one of its workers, on whose arbiter the session
//! then lives.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use actix_rt::net::TcpStream;
use actix_server::{Server, ServerHandle};
use actix_service::fn_service;

use super::{driver, pace};
use crate::{
    engine::Engine,
    runtime::Runtime,
    session::{Inbox, Session},
};

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

/// Serves MySQL clients on `listener` with so many workers, each a thread with an arbiter.
///
/// Signals are left to the host. To stop in order: [`Serving::pause`], [`Runtime::shutdown`], [`Serving::stop`].
///
/// # Errors
/// The listener is not one.
///
/// # Panics
/// Without workers; outside of an actix `System`.
pub fn serve<E: Engine>(runtime: &Runtime<E>, listener: TcpListener, workers: usize) -> io::Result<Serving> {
    let address = listener.local_addr()?;
    let runtime = runtime.clone();
    let server = Server::build()
        .workers(workers)
        .disable_signals()
        // Its limit stops accepting without a word to the client; the supervisor says why it refuses.
        .max_concurrent_connections(usize::MAX >> 1)
        .listen("killdeer", listener, move || {
            actix_rt::spawn(pace::keep());
            let runtime = runtime.clone();
            fn_service(move |stream: TcpStream| {
                accepted(&runtime, stream);
                std::future::ready(Ok::<(), ()>(()))
            })
        })?
        .run();
    Ok(Serving { handle: server.handle(), server, address })
}

/// Starts the session of a connection, on the worker's arbiter.
fn accepted<E: Engine>(runtime: &Runtime<E>, stream: TcpStream) {
    let Ok(from) = stream.peer_addr() else { return };
    // Without it, small answers would wait for the client's acknowledgements.
    let _ = stream.set_nodelay(true);
    let shared = Arc::clone(&runtime.shared);
    let registry = Arc::clone(&shared.registry);
    let inbox = Inbox::closed();
    Session::launch(&registry, Arc::clone(&inbox), |control| {
        Box::pin(driver::live(shared, inbox, control, stream.into(), from))
    });
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more connections; those that are there go on.
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
