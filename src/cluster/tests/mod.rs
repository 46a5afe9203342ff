//! Nodes that ask each other, over loopback: what the owner of a session makes of it, and what who asks is told when one does
//! not answer.

mod asking;
mod clients;
mod links;
mod silence;
mod simulation;
mod strangers;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use tokio::sync::watch;

use super::{
    Addresses, Deadlines, Identity, Member, Members, Trust,
    network::{Network, NetworkError, Setup},
};
use crate::{
    dialect::{Dialect, Node},
    id::{Layout, SessionId},
    model::{Clock, KillError, KillMode, Origin, Principal, Privileges, Settings, Target},
    state::Slot,
    supervisor::{Elsewhere, Errand, Gathered, Registration, Registry, deaf},
};

/// Long enough for any answer that comes, on any machine.
const LONG: Duration = Duration::from_secs(30);

/// For an answer that does not come.
const SHORT: Duration = Duration::from_millis(200);

/// A node with its place in a cluster.
struct Peer {
    registry: Arc<Registry>,
    member: Member,
    identity: watch::Sender<Option<Identity>>,
    members: watch::Sender<Arc<Members>>,
    /// `None`: it is down.
    network: Option<Network>,
}

/// How a node of a test is made.
#[derive(Clone)]
struct Rules {
    dialect: Dialect,
    trust: Trust,
    deadlines: Deadlines,
}

impl Default for Rules {
    fn default() -> Self {
        Self { dialect: Dialect::tidb(), trust: Trust::loopback(), deadlines: Deadlines { kill: LONG, list: LONG } }
    }
}

impl Rules {
    /// A node with this server id, in a cluster of its own.
    fn peer(&self, server: u32) -> Peer {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let listener = TcpListener::bind(address(0)).unwrap();
        let clients = address(4000 + u16::try_from(server).unwrap());
        let addresses = Addresses { clients, peers: listener.local_addr().unwrap() };
        let member = Member { identity: Identity { server, epoch: 100 + u64::from(server) }, addresses };
        let settings = Settings::new();
        let layout = match self.dialect.has_tenants() {
            true => Layout::oceanbase(server).unwrap(),
            false => Layout::tidb(server).unwrap(),
        };
        let registry = Registry::new(layout, self.dialect, Node::new(clients), Clock::default(), &settings);
        let (identity, own) = watch::channel(Some(member.identity));
        let (members, all) = watch::channel(Arc::default());
        let network = Network::start(Setup {
            registry: Arc::clone(&registry),
            identity: own,
            members: all,
            deadlines: self.deadlines,
            trust: self.trust.clone(),
            address: addresses.peers,
            listener,
        });
        Peer { registry, member, identity, members, network: Some(network.unwrap()) }
    }

    /// Nodes with the server ids 1 and so on, which know each other.
    fn peers<const N: usize>(&self) -> [Peer; N] {
        let peers = std::array::from_fn(|at| self.peer(u32::try_from(at).unwrap() + 1));
        meet(&peers, peers.iter().map(|peer| peer.member));
        peers
    }
}

/// Tells all of them who is in the cluster.
fn meet<'a>(peers: impl IntoIterator<Item = &'a Peer>, members: impl IntoIterator<Item = Member>) {
    let members: Arc<Members> = Arc::new(members.into_iter().map(|member| (member.identity.server, member)).collect());
    peers.into_iter().for_each(|peer| drop(peer.members.send(Arc::clone(&members))));
}

impl Peer {
    /// A session of this user's.
    fn connect(&self, who: Arc<Principal>) -> Registration {
        let from = format!("10.0.0.{}:5000", self.member.identity.server).parse().unwrap();
        self.registry.admit(from, deaf(), Some(who)).unwrap()
    }

    /// Ends as a process does that is killed. Until the other node knows that their connection is lost, a kill is one that was
    /// not answered.
    async fn go_down(&mut self, other: &Peer) {
        self.network = None;
        let server = self.member.identity.server;
        let id = self.connect(user("nobody")).slot().id();
        loop {
            match other.kill_session(root(), id).await {
                Err(KillError::Unreachable { server: at }) => return assert_eq!(at, server),
                Err(KillError::UnknownSession(_) | KillError::Unanswered { .. }) => {}
                told => panic!("{told:?}"),
            }
        }
    }

    fn elsewhere(&self) -> Arc<dyn Elsewhere> {
        self.network.as_ref().expect("it is up").elsewhere()
    }

    async fn kill(&self, by: Arc<Principal>, target: Target, mode: KillMode) -> Result<u64, KillError> {
        self.elsewhere().kill(Errand { by, from: Some(asker()), target, mode }).await
    }

    async fn kill_session(&self, by: Arc<Principal>, id: SessionId) -> Result<u64, KillError> {
        self.kill(by, Target::Session(id), KillMode::Connection).await
    }

    async fn list(&self, by: Arc<Principal>) -> Gathered {
        self.elsewhere().list(by).await
    }
}

/// The session that asks, and where its client is.
fn asker() -> (SessionId, Origin) {
    (SessionId::new(77), "192.0.2.7:4711".parse().unwrap())
}

fn user(name: &str) -> Arc<Principal> {
    Arc::new(Principal::new(name, Privileges::NONE))
}

fn root() -> Arc<Principal> {
    Arc::new(Principal::new("root", Privileges::ALL))
}

/// Whether nothing of a session was ended.
fn is_unharmed(slot: &Slot) -> bool {
    slot.switch.word().leaving().is_none()
}
