//! Server ids kept by an etcd.
//!
//! ```text
//! <prefix>/server_id/<n>   where the node is; with a lease that the node renews
//! <prefix>/cool_down/<n>   empty; with a lease that ends a cool-down later
//! ```
//!
//! Both keys are put in one transaction, and only if there is neither: the revision of it is the epoch. So a server id whose
//! node has crashed is not given out before its cool-down is over, either. What is drawn among are the numbers without keys,
//! which may be out of date: the transaction decides.

mod config;
mod entry;
mod link;
mod members;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use etcd_client::{Compare, CompareOp, GetOptions, PutOptions, Txn, TxnOp};
use futures::{
    FutureExt,
    future::{BoxFuture, join, try_join3},
};
use tokio::sync::watch;

pub use self::config::{Etcd, EtcdError};
use self::{entry::Keys, link::Link};
use super::{Claim, Coordinator, CoordinatorError, Renewal};
use crate::cluster::member::{Identity, Members};

/// So many server ids are drawn in one attempt (TiDB).
const DRAWS: usize = 3;

/// So many keys are read of what is taken. Beyond them, what is drawn may be taken; the transaction decides.
const MOST_TAKEN: i64 = 16_384;

/// One node's way to an etcd. See the module's text.
#[derive(Debug)]
pub struct EtcdNode(Arc<Node>);

#[derive(Debug)]
struct Node {
    link: Link,
    keys: Keys,
    held: Mutex<Option<Held>>,
    members: watch::Sender<Arc<Members>>,
    /// The members are asked for by a way of their own: what hangs there keeps no renewal waiting.
    watching: Link,
}

/// The server id that was claimed last, and its leases.
#[derive(Clone, Copy, Debug)]
struct Held {
    identity: Identity,
    lease: i64,
    cool_down: i64,
}

impl EtcdNode {
    fn new(config: &Etcd) -> Self {
        Self(Arc::new(Node {
            link: Link::new(config),
            keys: Keys::new(config.key_prefix()),
            held: Mutex::default(),
            members: watch::Sender::default(),
            watching: Link::new(config),
        }))
    }
}

impl Coordinator for EtcdNode {
    fn claim(&self, claim: Claim) -> BoxFuture<'static, Result<Identity, CoordinatorError>> {
        let node = Arc::clone(&self.0);
        async move { node.claim(claim).await }.boxed()
    }

    fn renew(&self, identity: Identity) -> BoxFuture<'static, Result<Renewal, CoordinatorError>> {
        let node = Arc::clone(&self.0);
        async move { node.renew(identity).await }.boxed()
    }

    fn release(&self, identity: Identity) -> BoxFuture<'static, Result<(), CoordinatorError>> {
        let node = Arc::clone(&self.0);
        async move { node.release(identity).await }.boxed()
    }

    fn members(&self) -> watch::Receiver<Arc<Members>> {
        self.0.members.subscribe()
    }

    fn attend(&self) -> BoxFuture<'static, ()> {
        let node = Arc::clone(&self.0);
        async move { members::attend(&node.watching, &node.keys, &node.members).await }.boxed()
    }
}

impl Node {
    fn held(&self, identity: Identity) -> Option<Held> {
        let held = *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.filter(|held| held.identity == identity)
    }

    /// Says what was held before.
    fn hold(&self, held: Option<Held>) -> Option<Held> {
        std::mem::replace(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner), held)
    }

    /// It is held no more, if it still is.
    fn let_go(&self, identity: Identity) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.take_if(|held| held.identity == identity);
    }

    async fn claim(&self, claim: Claim) -> Result<Identity, CoordinatorError> {
        let taken = self.taken().await?;
        let times = claim.times;
        // The longer one first: should the second one fail, it is the other that keeps a number from others.
        let cool_down = self.link.grant(times.lease + times.cool_down).await?;
        let lease = match self.link.grant(times.lease).await {
            Ok(lease) => lease,
            Err(error) => {
                self.link.revoke(cool_down).await.ok();
                return Err(error);
            }
        };
        let claimed = self.draw(&claim, taken, lease, cool_down).await;
        match claimed {
            Ok(identity) => {
                let before = self.hold(Some(Held { identity, lease, cool_down }));
                // No session has that server id any more, and its cool-down stays: others are not to look for it.
                if let Some(before) = before {
                    self.link.revoke(before.lease).await.ok();
                }
            }
            // What was put, if it was, has been no session's: it need not cool down. If this fails too, it runs out.
            Err(_) => {
                let _ = join(self.link.revoke(lease), self.link.revoke(cool_down)).await;
            }
        }
        claimed
    }

    /// The server ids that somebody has, or that cool down.
    async fn taken(&self) -> Result<BTreeSet<u32>, CoordinatorError> {
        let mut taken = BTreeSet::new();
        for range in [self.keys.servers(), self.keys.cooling()] {
            let options = GetOptions::new().with_range(range.end).with_keys_only().with_limit(MOST_TAKEN);
            let found = self.link.ask(async |mut etcd| etcd.get(range.first, Some(options)).await).await?;
            taken.extend(found.kvs().iter().filter_map(|entry| self.keys.server_of(entry.key())));
        }
        Ok(taken)
    }

    /// Puts the keys of a server id that has none.
    async fn draw(
        &self,
        claim: &Claim,
        mut taken: BTreeSet<u32>,
        lease: i64,
        cool_down: i64,
    ) -> Result<Identity, CoordinatorError> {
        for _ in 0..DRAWS {
            let drawn = claim.ids.choose(&taken, |below| rand::random_range(0..below));
            let server = drawn.ok_or(CoordinatorError::NoneFree)?;
            let (key, cooling) = (self.keys.server(server), self.keys.cool_down(server));
            let none = [&key, &cooling].map(|key| Compare::create_revision(key.as_str(), CompareOp::Equal, 0));
            let put = |key, value, lease| TxnOp::put(key, value, Some(PutOptions::new().with_lease(lease)));
            let both = [put(key, entry::written(&claim.addresses), lease), put(cooling, String::new(), cool_down)];
            let put = Txn::new().when(none).and_then(both);
            let done = self.link.ask(async |mut etcd| etcd.txn(put).await).await?;
            let epoch = done.header().and_then(|header| u64::try_from(header.revision()).ok());
            match epoch {
                Some(epoch) if done.succeeded() => return Ok(Identity { server, epoch }),
                _ => taken.insert(server),
            };
        }
        Err(CoordinatorError::Contended)
    }

    async fn renew(&self, identity: Identity) -> Result<Renewal, CoordinatorError> {
        let Some(Held { lease, cool_down, .. }) = self.held(identity) else { return Ok(Renewal::Gone) };
        let Ok(epoch) = i64::try_from(identity.epoch) else { return Ok(Renewal::Gone) };
        let key = self.keys.server(identity.server);
        // Both were put by one transaction.
        let same = [&key, &self.keys.cool_down(identity.server)]
            .map(|key| Compare::create_revision(key.as_str(), CompareOp::Equal, epoch));
        // With something to be read, or an etcd answers it that has lost the others.
        let read = TxnOp::get(key, Some(GetOptions::new().with_count_only()));
        let check = self.link.ask(async |mut etcd| etcd.txn(Txn::new().when(same).and_then([read])).await);
        let (check, lease, cool_down) =
            try_join3(check, self.link.keep_alive(lease), self.link.keep_alive(cool_down)).await?;
        Ok(if check.succeeded() && lease && cool_down { Renewal::Renewed } else { Renewal::Gone })
    }

    /// The key goes with its lease. That of the cool-down stays until its own has ended.
    async fn release(&self, identity: Identity) -> Result<(), CoordinatorError> {
        let Some(held) = self.held(identity) else { return Ok(()) };
        self.link.revoke(held.lease).await?;
        self.let_go(identity);
        Ok(())
    }
}
