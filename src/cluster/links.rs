//! The connections to the other nodes. Two are kept to each member, which all share and the peers' thread serves. An arbiter
//! whose sessions kill has one of its own besides: a kill by that one need not wake the other thread first, which takes
//! longer than all that is done for it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::{Handle, Id},
    task::AbortHandle,
    time::sleep,
};

use super::{
    Deadlines, Member,
    rpc::{Dial, Fault, Link},
    trust::Trust,
};

/// How often each node is asked how it is doing, so that there is a connection when one is needed.
const WARM_EVERY: Duration = Duration::from_secs(5);

/// An arbiter's own connection is given up when it was not used for so long.
const NEAR_FOR: Duration = Duration::from_secs(60);

/// So many arbiters have connections of their own to one member: its port has places for a thousand in all.
const NEAR: usize = 8;

/// See the module's text.
pub(super) struct Links {
    deadlines: Deadlines,
    trust: Arc<Trust>,
    dial: Dial,
    /// Where the shared ones are served.
    runtime: Handle,
    shared: Mutex<HashMap<Member, Kept>>,
    near: Mutex<HashMap<(Member, Id), Near>>,
}

/// A connection that is kept. It is no more when this is dropped.
struct Kept {
    link: Link,
    keeping: AbortHandle,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

/// An arbiter's own.
struct Near {
    kept: Kept,
    state: Arc<NearState>,
}

#[derive(Default)]
struct NearState {
    /// The node has answered by it.
    ready: AtomicBool,
    /// It was wanted since its keeper last looked.
    wanted: AtomicBool,
}

impl Links {
    /// To be called within the runtime that is to serve the shared ones.
    pub(super) fn new(deadlines: Deadlines, trust: Trust, dial: Dial) -> Self {
        let runtime = Handle::current();
        Self { deadlines, trust: Arc::new(trust), dial, runtime, shared: Mutex::default(), near: Mutex::default() }
    }

    /// Keeps connections to these, and to no others.
    pub(super) fn keep(&self, members: &[Member]) {
        lock(&self.shared).retain(|member, _| members.contains(member));
        lock(&self.near).retain(|(member, _), _| members.contains(member));
        for member in members {
            // What is wrong is in the log.
            let _ = self.shared(*member);
        }
    }

    /// The shared connection to a member; not made yet, if it has just come.
    pub(super) fn shared(&self, member: Member) -> Result<Link, Fault> {
        let mut shared = lock(&self.shared);
        if let Some(kept) = shared.get(&member) {
            return Ok(kept.link.clone());
        }
        let link = self.dial(member, &self.runtime)?;
        let keeping = self.runtime.spawn(warm(link.clone(), self.deadlines.list)).abort_handle();
        shared.insert(member, Kept { link: link.clone(), keeping });
        Ok(link)
    }

    /// The asking arbiter's own connection to a member, to be asked for kills by. The shared one until there is one.
    pub(super) fn nearest(&self, member: Member) -> Result<Link, Fault> {
        let here = Handle::current();
        let near = if here.id() == self.runtime.id() { None } else { self.near(member, &here) };
        near.map_or_else(|| self.shared(member), Ok)
    }

    fn near(&self, member: Member, here: &Handle) -> Option<Link> {
        let mut near = lock(&self.near);
        let known = near.get(&(member, here.id())).filter(|near| !near.kept.keeping.is_finished());
        if let Some(Near { kept, state }) = known {
            state.wanted.store(true, Ordering::Relaxed);
            return state.ready.load(Ordering::Relaxed).then(|| kept.link.clone());
        }
        // Also those of arbiters that are no more.
        near.retain(|_, near| !near.kept.keeping.is_finished());
        if near.keys().filter(|(other, _)| *other == member).count() < NEAR {
            let (link, state) = (self.dial(member, here).ok()?, Arc::<NearState>::default());
            let keeping = here.spawn(stay(link.clone(), Arc::clone(&state), self.deadlines.kill)).abort_handle();
            near.insert((member, here.id()), Near { kept: Kept { link, keeping }, state });
        }
        None
    }

    /// Connections that a runtime serves; made when they are needed.
    fn dial(&self, member: Member, runtime: &Handle) -> Result<Link, Fault> {
        let _within = runtime.enter();
        let patience = self.deadlines.kill.min(self.deadlines.list) / 2;
        Link::new(member, Arc::clone(&self.trust), patience, self.dial).map_err(|error| {
            tracing::warn!(server = member.identity.server, %error, "a node cannot be asked");
            Fault::Unreachable(error.to_string())
        })
    }
}

/// Asks a node how it is doing, again and again, so that there is a connection to it.
async fn warm(link: Link, deadline: Duration) {
    loop {
        if let Err(fault) = link.warm(deadline).await {
            tracing::debug!(server = link.member.identity.server, %fault, "another node");
        }
        sleep(WARM_EVERY).await;
    }
}

/// Makes an arbiter's own connection, and keeps it for as long as it is wanted and the node answers.
async fn stay(link: Link, state: Arc<NearState>, deadline: Duration) {
    while link.status(deadline).await.is_ok() {
        state.ready.store(true, Ordering::Relaxed);
        sleep(NEAR_FOR).await;
        if !state.wanted.swap(false, Ordering::Relaxed) {
            return;
        }
    }
}

/// What is behind a lock here is whole whenever somebody could panic.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
