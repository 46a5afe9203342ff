//! The nodes of a cluster as its configuration has them.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use futures::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

use super::{Claim, Coordinator, CoordinatorError, Renewal};
use crate::cluster::member::{Addresses, Identity, Member, Members};

/// A configuration without this node, or with one node twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FixedError {
    /// No node has the server id that is said to be this one's.
    #[error("no node of the cluster has the server id {0}, which is said to be this one's")]
    Absent(u32),
    /// Two nodes have this server id.
    #[error("two nodes of the cluster have the server id {0}")]
    Twice(u32),
}

/// All nodes of a cluster with their server ids, written down: nothing else has to run, and nothing is ever lost.
///
/// Nobody sees to it that the configurations of all nodes agree: two nodes with one server id are two processes whose
/// sessions have the same ids. A node that was restarted is the same to the others; its sessions' ids begin at random, so an
/// id that was listed before names no session behind it. All nodes have the epoch 0.
#[derive(Debug)]
pub struct Fixed {
    own: u32,
    members: watch::Sender<Arc<Members>>,
}

impl Fixed {
    /// These nodes by their server ids; this one is `own`.
    ///
    /// # Errors
    /// It is not among them; a server id is there twice.
    pub fn new(own: u32, nodes: impl IntoIterator<Item = (u32, Addresses)>) -> Result<Self, FixedError> {
        let mut members = BTreeMap::new();
        for (server, addresses) in nodes {
            match members.entry(server) {
                Entry::Vacant(entry) => entry.insert(Member { identity: Identity { server, epoch: 0 }, addresses }),
                Entry::Occupied(_) => return Err(FixedError::Twice(server)),
            };
        }
        match members.contains_key(&own) {
            true => Ok(Self { own, members: watch::Sender::new(Arc::new(members)) }),
            false => Err(FixedError::Absent(own)),
        }
    }
}

impl Coordinator for Fixed {
    fn claim(&self, claim: Claim) -> BoxFuture<'static, Result<Identity, CoordinatorError>> {
        let own = Identity { server: self.own, epoch: 0 };
        let claimed = claim.ids.layout(self.own).map(|_| own);
        async move { claimed.map_err(|error| CoordinatorError::Refused(error.to_string())) }.boxed()
    }

    fn renew(&self, identity: Identity) -> BoxFuture<'static, Result<Renewal, CoordinatorError>> {
        let own = identity == Identity { server: self.own, epoch: 0 };
        async move { Ok(if own { Renewal::Renewed } else { Renewal::Gone }) }.boxed()
    }

    fn release(&self, _: Identity) -> BoxFuture<'static, Result<(), CoordinatorError>> {
        async { Ok(()) }.boxed()
    }

    fn members(&self) -> watch::Receiver<Arc<Members>> {
        self.members.subscribe()
    }

    fn expires(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::{LeaseTimes, ServerIds},
        dialect::Dialect,
    };

    fn at(port: u16) -> Addresses {
        Addresses { clients: ([127, 0, 0, 1], port).into(), peers: ([127, 0, 0, 1], port + 1).into() }
    }

    #[tokio::test]
    async fn each_node_has_the_server_id_that_was_written_down_for_it() {
        let nodes = [(1, at(4000)), (5_000, at(4010))];
        let claim = |dialect| Claim { ids: ServerIds::of(&dialect), addresses: at(1), times: LeaseTimes::default() };
        let node = Fixed::new(5_000, nodes).unwrap();
        let identity = node.claim(claim(Dialect::tidb())).await.unwrap();
        assert_eq!(identity, Identity { server: 5_000, epoch: 0 });
        assert_eq!(node.renew(identity).await, Ok(Renewal::Renewed));
        assert_eq!(node.renew(Identity { server: 1, epoch: 0 }).await, Ok(Renewal::Gone));
        let members = node.members().borrow().values().map(|member| member.addresses).collect::<Vec<_>>();
        assert_eq!(members, [at(4000), at(4010)]);
        let refused = node.claim(claim(Dialect::oceanbase())).await;
        assert!(matches!(refused, Err(CoordinatorError::Refused(_))), "it has 12 bits: {refused:?}");
    }

    #[test]
    fn a_configuration_that_cannot_be_is_refused() {
        assert_eq!(Fixed::new(3, [(1, at(1)), (2, at(3))]).unwrap_err(), FixedError::Absent(3));
        assert_eq!(Fixed::new(1, [(1, at(1)), (1, at(3))]).unwrap_err(), FixedError::Twice(1));
    }
}
