//! The other nodes, as this one asks them: each kill goes straight to the node that has the session, each list to all at once.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all},
    stream::FuturesUnordered,
};
use tokio::{runtime::Handle, sync::watch};

use super::{
    Deadlines, Identity, Member, Members,
    links::Links,
    rpc::{Dial, Fault},
    trust::Trust,
};
use crate::{
    id::{Reading, SessionId},
    model::{KillError, Principal, Target},
    supervisor::{Elsewhere, Errand, Gathered, Missing, NodeRow, NodeState, Registry, Tomb, client_killed},
};

/// No statement's name is longer, in bytes: a trace id has at most 256 characters.
const LONGEST_NAME: usize = 1024;

/// See the module's text.
pub(crate) struct Peers {
    /// What asks here keeps the registry.
    registry: Weak<Registry>,
    /// Where others call this node.
    address: SocketAddr,
    /// What this node is, while it has a place in the cluster.
    identity: watch::Receiver<Option<Identity>>,
    members: watch::Receiver<Arc<Members>>,
    deadlines: Deadlines,
    links: Links,
    /// Where what is asked to the end runs.
    runtime: Handle,
}

impl Peers {
    /// To be called within the runtime that serves the connections.
    pub(super) fn new(
        registry: &Arc<Registry>,
        address: SocketAddr,
        identity: watch::Receiver<Option<Identity>>,
        members: watch::Receiver<Arc<Members>>,
        deadlines: Deadlines,
        trust: Trust,
        dial: Dial,
    ) -> Arc<Self> {
        Arc::new(Self {
            registry: Arc::downgrade(registry),
            address,
            identity,
            members,
            deadlines,
            links: Links::new(deadlines, trust, dial),
            runtime: Handle::current(),
        })
    }

    /// Keeps a connection to each member, for as long as somebody may want it.
    pub(super) async fn keep(
        peers: Weak<Self>,
        mut members: watch::Receiver<Arc<Members>>,
        mut identity: watch::Receiver<Option<Identity>>,
    ) {
        loop {
            identity.mark_unchanged();
            let now = Arc::clone(&members.borrow_and_update());
            let Some(peers) = peers.upgrade() else { return };
            peers.links.keep(&peers.others(&now));
            drop(peers);
            let changed = tokio::select! {
                changed = members.changed() => changed,
                changed = identity.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// The members but for this node.
    fn others(&self, members: &Members) -> Vec<Member> {
        // By where it is: whether it has just got its server id, or has one that it had before, the others may know earlier.
        // And by that, where its address was written down in another way.
        let own = *self.identity.borrow();
        let is_own = |member: &Member| member.addresses.peers == self.address || Some(member.identity) == own;
        members.values().filter(|member| !is_own(member)).copied().collect()
    }

    /// What this node is, if it may act.
    fn own(&self) -> Option<Identity> {
        let stands = self.registry.upgrade().is_some_and(|registry| registry.stands());
        self.identity.borrow().filter(|_| stands)
    }

    fn members(&self) -> Arc<Members> {
        Arc::clone(&self.members.borrow())
    }

    async fn carry_out(self: Arc<Self>, errand: Errand) -> Result<u64, KillError> {
        let Some(registry) = self.registry.upgrade() else { return Err(KillError::Stopped) };
        let Some(own) = self.own() else { return Err(KillError::Offline) };
        let members = self.members();
        match &errand.target {
            Target::Session(client) if registry.is_client_id(*client) => {
                self.kill_client(&registry, own, *client, &Arc::new(errand)).await
            }
            Target::Session(id) => {
                let unknown = || KillError::UnknownSession(id.to_string());
                let Reading::OfServer(server) = registry.layout().read(id.get()) else { return Err(unknown()) };
                // Whoever has not yet heard of itself has not heard of others either.
                let heard = members.contains_key(&own.server);
                let absent = || if heard { unknown() } else { KillError::Unreachable { server } };
                let member = *members.get(&server).ok_or_else(absent)?;
                self.ask(own, member, &errand).await
            }
            // No session has such a name.
            Target::Named(name) if name.len() > LONGEST_NAME => Search::new(&errand.target).result(false),
            // Each server counts its statements by itself: those of others have the same numbers.
            Target::Statement(query_id) => Err(KillError::UnknownQuery(*query_id)),
            Target::Named(_) | Target::User { .. } => {
                let all = matches!(errand.target, Target::User { .. });
                let errand = Arc::new(errand);
                let asked = self.others(&members).into_iter().map(|member| {
                    let (peers, errand) = (Arc::clone(&self), Arc::clone(&errand));
                    // Whoever is asked is asked to the end, also when another has been found to have it.
                    self.runtime.spawn(async move { peers.ask(own, member, &errand).await })
                });
                let mut asked: FuturesUnordered<_> = asked.collect();
                let mut search = Search::new(&errand.target);
                while let Some(answer) = asked.next().await {
                    search.heard(answer.unwrap_or(Err(KillError::Stopped)));
                    if !all && search.reached > 0 {
                        break;
                    }
                }
                search.result(all)
            }
        }
    }

    /// Has all other nodes end the sessions of a proxy's client, and then refuse it as those do that had some.
    async fn kill_client(
        self: &Arc<Self>,
        registry: &Registry,
        own: Identity,
        client: SessionId,
        errand: &Arc<Errand>,
    ) -> Result<u64, KillError> {
        let (mut answers, killed): (Vec<_>, Vec<_>) = self.ask_all(own, errand, &[]).await.into_iter().unzip();
        killed.iter().flatten().for_each(|tomb| registry.bury(tomb));
        let tombs = registry.tombs_of_kill(&errand.target, errand.mode);
        if !tombs.is_empty() {
            let told = self.ask_all(own, errand, &tombs).await;
            answers.extend(told.into_iter().map(|(answer, _)| answer));
        }
        client_killed(client, answers)
    }

    /// Has all other nodes carry out a kill, or refuse the clients that these `tombs` are of. Whoever is asked is asked to
    /// the end.
    async fn ask_all(
        self: &Arc<Self>,
        own: Identity,
        errand: &Arc<Errand>,
        tombs: &[Tomb],
    ) -> Vec<(Result<u64, KillError>, Vec<Tomb>)> {
        let asked = self.others(&self.members()).into_iter().map(|member| {
            let (peers, errand, tombs) = (Arc::clone(self), Arc::clone(errand), tombs.to_vec());
            self.runtime.spawn(async move { peers.ask_for(own, member, &errand, &tombs).await })
        });
        let told = join_all(asked).await.into_iter();
        told.map(|told| told.unwrap_or((Err(KillError::Stopped), Vec::new()))).collect()
    }

    /// Has one node carry out a kill.
    async fn ask(&self, own: Identity, member: Member, errand: &Errand) -> Result<u64, KillError> {
        self.ask_for(own, member, errand, &[]).await.0
    }

    async fn ask_for(
        &self,
        own: Identity,
        member: Member,
        errand: &Errand,
        tombs: &[Tomb],
    ) -> (Result<u64, KillError>, Vec<Tomb>) {
        let server = member.identity.server;
        let asked = async { self.links.nearest(member)?.kill(own.server, errand, tombs, self.deadlines.kill).await };
        let fault = match asked.await {
            Ok(answer) => return answer,
            Err(fault) => fault,
        };
        tracing::debug!(server, %fault, "a kill on another node");
        let error = match (fault, &errand.target) {
            // The session was one of the node that had the id before.
            (Fault::Another, Target::Session(id)) if !self.is_client_id(*id) => {
                KillError::UnknownSession(id.to_string())
            }
            (Fault::Unanswered(_), _) => KillError::Unanswered { server },
            (Fault::Unreachable(_) | Fault::Offline | Fault::Another, _) => KillError::Unreachable { server },
        };
        (Err(error), Vec::new())
    }

    /// Whether a proxy's clients have such ids: no node's own.
    fn is_client_id(&self, id: SessionId) -> bool {
        self.registry.upgrade().is_some_and(|registry| registry.is_client_id(id))
    }

    async fn gather(self: Arc<Self>, by: Arc<Principal>) -> Gathered {
        let members = self.members();
        let others = self.others(&members);
        let asked = others.iter().map(|member| {
            let (peers, by) = (&self, &by);
            async move { peers.links.shared(*member)?.list(by, peers.deadlines.list).await }
        });
        let told = join_all(asked).await;
        // What has come after this node lost its place may be of others that have its sessions' ids by now.
        let own = self.own();
        let mut gathered = Gathered::default();
        if let Some(Identity { server, .. }) = own.filter(|own| !members.contains_key(&own.server)) {
            let why = "it has not heard yet who is in the cluster".into();
            gathered.missing.push(Missing { server, why });
        }
        for (member, told) in others.iter().zip(told) {
            let server = member.identity.server;
            match told {
                Ok(list) if own.is_some() => gathered.lists.push(list),
                Ok(_) => {
                    let why = "this node has no place in the cluster".into();
                    gathered.missing.push(Missing { server, why });
                }
                Err(fault) => gathered.missing.push(Missing { server, why: fault.to_string() }),
            }
        }
        gathered
    }

    async fn look(self: Arc<Self>) -> Vec<NodeRow> {
        let Some(registry) = self.registry.upgrade() else { return Vec::new() };
        let (members, identity) = (self.members(), *self.identity.borrow());
        let others = self.others(&members);
        let asked = others.iter().map(|member| {
            let peers = &self;
            async move { peers.links.shared(*member)?.status(peers.deadlines.list).await }
        });
        let told = join_all(asked).await;
        let mut rows: Vec<_> = others.iter().zip(told).map(|(member, told)| of_other(member, told)).collect();
        let stands = registry.stands() && identity.is_some();
        let own = identity.filter(|_| stands);
        rows.push(NodeRow {
            server: own.map(|own| own.server),
            address: registry.node.address.to_string(),
            epoch: own.map_or(0, |own| own.epoch),
            state: if stands { NodeState::Up } else { NodeState::Offline },
            sessions: Some(registry.len() as u64),
            lease_left: registry.standing.left(),
        });
        rows.sort_by_key(|row| row.server);
        rows
    }
}

/// A member's row, by what it has told.
fn of_other(member: &Member, told: Result<super::rpc::messages::StatusAnswer, Fault>) -> NodeRow {
    let told = told.ok();
    NodeRow {
        server: Some(member.identity.server),
        address: member.addresses.clients.to_string(),
        epoch: member.identity.epoch,
        state: if told.is_some() { NodeState::Up } else { NodeState::Unreachable },
        sessions: told.as_ref().map(|told| told.sessions),
        lease_left: told.and_then(|told| told.lease_left).map(Duration::from_millis),
    }
}

/// What became of a kill that was asked of several nodes.
struct Search {
    reached: u64,
    /// That nobody has it.
    unknown: Option<KillError>,
    denied: Option<KillError>,
    /// A node that could not be asked, or has not answered.
    silent: Option<KillError>,
}

impl Search {
    fn new(target: &Target) -> Self {
        let unknown = match target {
            Target::Named(name) => Some(KillError::UnknownName(crate::control::truncate_chars(name, 80).to_owned())),
            // That a user has no sessions is no error.
            _ => None,
        };
        Self { reached: 0, unknown, denied: None, silent: None }
    }

    fn heard(&mut self, answer: Result<u64, KillError>) {
        match answer {
            Ok(reached) => self.reached += reached,
            Err(denial) if denial.is_denial() => self.denied = self.denied.take().or(Some(denial)),
            Err(KillError::UnknownName(_) | KillError::UnknownSession(_) | KillError::UnknownQuery(_)) => {}
            // Whether a node has ended something is the graver doubt.
            Err(silent @ KillError::Unanswered { .. }) => self.silent = Some(silent),
            Err(silent) => self.silent = self.silent.take().or(Some(silent)),
        }
    }

    /// `all`: what was asked for is done only if every node has done its part. Otherwise one that has found it is enough.
    fn result(self, all: bool) -> Result<u64, KillError> {
        let Self { reached, unknown, denied, silent } = self;
        let failed = denied.or(silent);
        match failed {
            Some(error) if all || reached == 0 => Err(error),
            _ if reached > 0 => Ok(reached),
            _ => unknown.map_or(Ok(0), Err),
        }
    }
}

/// What a registry asks the other nodes by.
pub(crate) struct ByPeers(pub(crate) Arc<Peers>);

impl Elsewhere for ByPeers {
    fn kill(&self, errand: Errand) -> BoxFuture<'static, Result<u64, KillError>> {
        Arc::clone(&self.0).carry_out(errand).boxed()
    }

    fn list(&self, by: Arc<Principal>) -> BoxFuture<'static, Gathered> {
        Arc::clone(&self.0).gather(by).boxed()
    }

    fn nodes(&self) -> BoxFuture<'static, Vec<NodeRow>> {
        Arc::clone(&self.0).look().boxed()
    }
}
