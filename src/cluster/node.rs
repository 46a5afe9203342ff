//! A server as a node of its cluster: its place there, and its ways to the other nodes.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::sync::watch;

use super::{
    Addresses, Claim, Coordinator, Deadlines, Identity, LeaseTimes, ServerIds, TimesError, Trust,
    clock::since_boot,
    keeper::{Keeper, Seat},
    network::{Network, Setup},
    trust::TrustError,
};
use crate::supervisor::Registry;

/// How a server is a node of a cluster: given to [`crate::Builder::cluster`].
pub struct Cluster {
    coordinator: Arc<dyn Coordinator>,
    listener: TcpListener,
    /// Where the other nodes call.
    peers: SocketAddr,
    trust: Trust,
    times: LeaseTimes,
    deadlines: Deadlines,
    ids: Option<ServerIds>,
}

/// Why a server cannot be a node in this way.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The peers' port cannot be what it is meant to be.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The listener for the other nodes has no address.
    #[error("the listener for the other nodes: {0}")]
    Listener(#[from] std::io::Error),
    /// The other nodes could not call there.
    #[error("{0} is no address that other nodes could call: say where they reach this one")]
    NoAddress(SocketAddr),
    /// The times cannot keep what a lease promises.
    #[error(transparent)]
    Times(#[from] TimesError),
}

impl Cluster {
    /// A node whose server id `coordinator` gives out, and which the others call at the address of `listener`.
    ///
    /// # Errors
    /// Nodes that know each other by nothing have loopback addresses; and a listener at all addresses (`0.0.0.0`) does not
    /// say at which the others reach it: see [`Cluster::reached_at`].
    pub fn new(coordinator: Arc<dyn Coordinator>, listener: TcpListener, trust: Trust) -> Result<Self, ClusterError> {
        let peers = listener.local_addr()?;
        Self::reached_at(coordinator, listener, peers, trust)
    }

    /// The same, which the others call at this address: the listener's may be another, behind a translation.
    ///
    /// # Errors
    /// As above, of either address.
    pub fn reached_at(
        coordinator: Arc<dyn Coordinator>,
        listener: TcpListener,
        peers: SocketAddr,
        trust: Trust,
    ) -> Result<Self, ClusterError> {
        trust.admits(listener.local_addr()?)?;
        trust.admits(peers)?;
        if peers.ip().is_unspecified() || peers.port() == 0 {
            return Err(ClusterError::NoAddress(peers));
        }
        Ok(Self {
            coordinator,
            listener,
            peers,
            trust,
            times: LeaseTimes::default(),
            deadlines: Deadlines::default(),
            ids: None,
        })
    }

    /// How long it may go without its coordinator. They are the same on all nodes.
    ///
    /// # Errors
    /// They cannot keep what a lease promises.
    pub fn times(self, times: LeaseTimes) -> Result<Self, ClusterError> {
        times.check()?;
        Ok(Self { times, ..self })
    }

    /// How long it waits for other nodes.
    #[must_use]
    pub fn deadlines(self, deadlines: Deadlines) -> Self {
        Self { deadlines, ..self }
    }

    /// Which server ids the nodes have, the same on all of them; those of the dialect's system unless said otherwise.
    #[must_use]
    pub fn ids(self, ids: ServerIds) -> Self {
        Self { ids: Some(ids), ..self }
    }

    /// Makes the server of this registry a node: it admits nobody before it has its place.
    ///
    /// # Panics
    /// There are no threads to be had, or the listener is none any more.
    pub(crate) fn start(self, registry: &Arc<Registry>, rollback: Duration) -> Node {
        let Self { coordinator, listener, peers, trust, times, deadlines, ids } = self;
        if coordinator.expires() && rollback > times.lease.saturating_sub(times.fence_after) {
            tracing::warn!(
                ?rollback,
                "a rollback may take longer than there is between the fence and the end of the lease"
            );
        }
        let claim = Claim {
            ids: ids.unwrap_or_else(|| ServerIds::of(&registry.dialect)),
            addresses: Addresses { clients: registry.node.address, peers },
            times,
        };
        let members = coordinator.members();
        let (keeper, seat) = Keeper::new(Arc::clone(registry), coordinator, claim, since_boot);
        let (identity, told) = watch::channel(None);
        let setup = Setup {
            registry: Arc::clone(registry),
            identity: told,
            members,
            deadlines,
            trust,
            address: peers,
            listener,
        };
        let network = Network::start(setup).expect("a thread for the calls of other nodes");
        registry.set_elsewhere(network.elsewhere());
        let own = seat.clone();
        let run = move || {
            // Where nothing else is done: with it the fence is in time.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("what timers need").block_on(async {
                tokio::select! {
                    () = keeper.run() => {}
                    () = tell(own, identity) => {}
                }
            });
        };
        thread::Builder::new().name("killdeer-keeper".into()).spawn(run).expect("a thread for the node's place");
        Node { seat, _network: network }
    }
}

/// Tells who the node is, whenever that changes.
async fn tell(seat: Seat, identity: watch::Sender<Option<Identity>>) {
    let mut places = seat.places();
    loop {
        places.borrow_and_update();
        identity.send_if_modified(|told| {
            let now = seat.identity();
            std::mem::replace(told, now) != now
        });
        if places.changed().await.is_err() {
            // The keeper's end is awaited beside this.
            std::future::pending::<()>().await;
        }
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("peers", &self.peers).field("trust", &self.trust).finish_non_exhaustive()
    }
}

/// What keeps a node's place and its ways to the others. Dropped, the node leaves the cluster.
pub(crate) struct Node {
    seat: Seat,
    _network: Network,
}

impl Node {
    /// Waits until it has its place. `None`: it has left the cluster.
    pub(crate) async fn joined(&self) -> Option<Identity> {
        self.seat.joined().await
    }

    /// Gives its server id back, once its sessions are gone.
    pub(crate) async fn leave(&self) {
        self.seat.leave().await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.seat.part();
    }
}
