//! The thread on which a node answers the others, and keeps its connections to them.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    thread,
};

use tokio::sync::{oneshot, watch};
use tonic::transport::Endpoint;

use super::{
    Deadlines, Identity, Members,
    peers::{ByPeers, Peers},
    rpc::{Hall, serve},
    trust::{Trust, TrustError},
};
use crate::supervisor::{Elsewhere, Registry};

/// What a node needs to speak with the others.
pub(crate) struct Setup {
    pub(crate) registry: Arc<Registry>,
    /// What the node is, while it has a place in the cluster.
    pub(crate) identity: watch::Receiver<Option<Identity>>,
    pub(crate) members: watch::Receiver<Arc<Members>>,
    pub(crate) deadlines: Deadlines,
    pub(crate) trust: Trust,
    /// Where the others call, as they are told.
    pub(crate) address: SocketAddr,
    pub(crate) listener: TcpListener,
}

/// See the module's text. All of it ends when this is dropped.
pub(crate) struct Network {
    peers: Arc<Peers>,
    _over: oneshot::Sender<()>,
}

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The peers' port cannot be what it is meant to be.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// There is no thread to be had, or the port cannot be listened to.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Network {
    /// Begins to answer, and to connect.
    ///
    /// # Errors
    /// Others than nodes could call at the listener's address; or it cannot be listened to.
    pub(crate) fn start(setup: Setup) -> Result<Self, NetworkError> {
        let Setup { registry, identity, members, deadlines, trust, address, listener } = setup;
        trust.admits(listener.local_addr()?)?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (over, is_over) = oneshot::channel::<()>();
        let listener = {
            let _within = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (answer, begun) = mpsc::sync_channel(1);
        let run = move || {
            runtime.block_on(async {
                let own = identity.clone();
                let peers = Peers::new(
                    &registry,
                    address,
                    own,
                    members.clone(),
                    deadlines,
                    trust.clone(),
                    Endpoint::connect_lazy,
                );
                tokio::spawn(Peers::keep(Arc::downgrade(&peers), members, identity.clone()));
                let _ = answer.send(peers);
                let over = async { drop(is_over.await) };
                serve(Hall { registry, trust, identity, listener }, over).await;
            });
            // Calls that are under way are dropped.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("killdeer-peers".into()).spawn(run)?;
        let peers = begun.recv().map_err(|_| io::Error::other("the thread has ended"))?;
        Ok(Self { peers, _over: over })
    }

    /// What the registry asks the other nodes by.
    pub(crate) fn elsewhere(&self) -> Arc<dyn Elsewhere> {
        Arc::new(ByPeers(Arc::clone(&self.peers)))
    }
}
