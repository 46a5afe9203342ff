//! A coordinator within the process, for nodes that are all in it: tests and simulations. The ways to it can be cut, slow or
//! silent, each node's for itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use tokio::{sync::watch, time::sleep};

use super::{Claim, Coordinator, CoordinatorError, Renewal};
use crate::cluster::{
    clock::since_boot,
    lease::Moment,
    member::{Identity, Member, Members},
};

/// A node sees as often as this whether a lease has run out, at least.
const LOOK: Duration = Duration::from_secs(1);

/// What a node's way to the coordinator is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Line {
    /// Everything is answered at once.
    #[default]
    Good,
    /// A question takes so long, and its answer too.
    Slow {
        /// The question.
        there: Duration,
        /// The answer.
        back: Duration,
    },
    /// Questions arrive and are obeyed; answers never come.
    Unanswered,
    /// Questions never arrive, and nobody says so.
    Silent,
    /// Questions never arrive, and whoever asks is told at once.
    Cut,
}

impl Line {
    /// Whether the node sees who the members are.
    fn sees(self) -> bool {
        matches!(self, Self::Good | Self::Slow { .. })
    }
}

/// Server ids kept in this process. Clones are the same one.
#[derive(Clone, Debug)]
pub struct InMemory(Arc<Store>);

/// One node's way to an [`InMemory`]. Clones are the same one.
#[derive(Clone, Debug)]
pub struct InMemoryNode(Arc<Node>);

#[derive(Debug)]
struct Store {
    now: fn() -> Moment,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    leases: BTreeMap<u32, Leased>,
    /// Until when nobody gets these.
    cooling: BTreeMap<u32, Moment>,
    epochs: u64,
    nodes: Vec<Weak<Node>>,
}

#[derive(Debug)]
struct Leased {
    member: Member,
    lease: Duration,
    cool_down: Duration,
    until: Moment,
}

#[derive(Debug)]
struct Node {
    store: Arc<Store>,
    line: Mutex<Line>,
    members: watch::Sender<Arc<Members>>,
}

impl Default for InMemory {
    fn default() -> Self {
        Self::by(since_boot)
    }
}

impl InMemory {
    /// One whose leases go by this clock; by the time since the machine was booted unless said otherwise.
    pub fn by(now: fn() -> Duration) -> Self {
        Self(Arc::new(Store { now, state: Mutex::default() }))
    }

    /// A way to it for one more node.
    pub fn node(&self) -> InMemoryNode {
        let node = Node { store: Arc::clone(&self.0), line: Mutex::default(), members: watch::Sender::default() };
        let node = Arc::new(node);
        let mut state = self.0.state();
        state.nodes.retain(|node| node.strong_count() > 0);
        state.nodes.push(Arc::downgrade(&node));
        state.publish();
        drop(state);
        InMemoryNode(node)
    }

    /// Takes a server id from whoever has it, as an administrator might who deletes its key. It does not cool down.
    pub fn take(&self, server: u32) {
        let mut state = self.0.state();
        state.leases.remove(&server);
        state.publish();
    }

    /// Who is a member by now.
    pub fn members(&self) -> Members {
        self.0.state().members()
    }
}

impl InMemoryNode {
    /// What the way is like from now on; questions on their way stay what they were.
    pub fn line(&self, line: Line) {
        *self.0.line.lock().unwrap_or_else(PoisonError::into_inner) = line;
        self.0.store.state().publish();
    }

    /// Asks.
    fn ask<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut State, Moment) -> Result<R, CoordinatorError> + Send + 'static,
    ) -> BoxFuture<'static, Result<R, CoordinatorError>> {
        let node = Arc::clone(&self.0);
        async move {
            let line = node.line();
            match line {
                Line::Cut => return Err(CoordinatorError::Silent("it was cut off".into())),
                Line::Silent => pending().await,
                Line::Slow { there, .. } => sleep(there).await,
                Line::Good | Line::Unanswered => {}
            }
            let done = {
                let mut state = node.store.state();
                let done = act(&mut state, (node.store.now)());
                state.publish();
                done
            };
            match line {
                Line::Unanswered => pending().await,
                Line::Slow { back, .. } => sleep(back).await,
                _ => {}
            }
            done
        }
        .boxed()
    }
}

impl Store {
    /// Without what has run out.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.now)();
        let State { leases, cooling, .. } = &mut *state;
        leases.retain(|server, leased| {
            if leased.until <= now {
                cooling.insert(*server, leased.until + leased.cool_down);
            }
            leased.until > now
        });
        cooling.retain(|_, until| *until > now);
        state
    }
}

impl State {
    fn members(&self) -> Members {
        self.leases.iter().map(|(server, leased)| (*server, leased.member)).collect()
    }

    /// Tells who the members are to all who see it.
    fn publish(&self) {
        let members = self.members();
        for node in self.nodes.iter().filter_map(Weak::upgrade).filter(|node| node.line().sees()) {
            node.members.send_if_modified(|seen| {
                let differs = **seen != members;
                if differs {
                    *seen = Arc::new(members.clone());
                }
                differs
            });
        }
    }
}

impl Node {
    fn line(&self) -> Line {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coordinator for InMemoryNode {
    fn claim(&self, claim: Claim) -> BoxFuture<'static, Result<Identity, CoordinatorError>> {
        self.ask(move |state, now| {
            let taken: BTreeSet<u32> = state.leases.keys().chain(state.cooling.keys()).copied().collect();
            let drawn = claim.ids.choose(&taken, |below| rand::random_range(0..below));
            let server = drawn.ok_or(CoordinatorError::NoneFree)?;
            state.epochs += 1;
            let identity = Identity { server, epoch: state.epochs };
            let leased = Leased {
                member: Member { identity, addresses: claim.addresses },
                lease: claim.times.lease,
                cool_down: claim.times.cool_down,
                until: now + claim.times.lease,
            };
            state.leases.insert(server, leased);
            Ok(identity)
        })
    }

    fn renew(&self, identity: Identity) -> BoxFuture<'static, Result<Renewal, CoordinatorError>> {
        self.ask(move |state, now| {
            match state.leases.get_mut(&identity.server).filter(|leased| leased.member.identity == identity) {
                Some(leased) => {
                    leased.until = now + leased.lease;
                    Ok(Renewal::Renewed)
                }
                None => Ok(Renewal::Gone),
            }
        })
    }

    fn release(&self, identity: Identity) -> BoxFuture<'static, Result<(), CoordinatorError>> {
        self.ask(move |state, _| {
            let own = state.leases.get(&identity.server).filter(|leased| leased.member.identity == identity);
            if let Some(cool) = own.map(|leased| leased.until + leased.cool_down) {
                state.leases.remove(&identity.server);
                state.cooling.insert(identity.server, cool);
            }
            Ok(())
        })
    }

    fn members(&self) -> watch::Receiver<Arc<Members>> {
        self.0.members.subscribe()
    }

    fn attend(&self) -> BoxFuture<'static, ()> {
        let store = Arc::clone(&self.0.store);
        async move {
            loop {
                let next = {
                    let state = store.state();
                    state.publish();
                    state.leases.values().map(|leased| leased.until).min()
                };
                let left = next.map_or(LOOK, |until| until.saturating_sub((store.now)()));
                // A timer may be early by what its clock and this one differ.
                sleep(left.clamp(Duration::from_millis(1), LOOK)).await;
            }
        }
        .boxed()
    }
}
