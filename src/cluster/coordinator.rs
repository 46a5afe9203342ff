//! Who gives out the server ids of a cluster, and knows its members.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `etcd` | an etcd does |
//! | `fixed` | the configuration does |
//! | `memory` | the process itself does, for nodes that are all in it |

mod etcd;
mod fixed;
mod memory;

use std::{future::pending, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use tokio::sync::watch;

pub use self::{
    etcd::{Etcd, EtcdError, EtcdNode},
    fixed::{Fixed, FixedError},
    memory::{InMemory, InMemoryNode, Line},
};
use super::{
    ids::ServerIds,
    member::{Addresses, Identity, Members},
    times::LeaseTimes,
};

/// What a node asks a server id for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Those that it may have.
    pub ids: ServerIds,
    /// Where it is, for the others.
    pub addresses: Addresses,
    /// How long it keeps the server id without a renewal, and how long nobody else gets it then.
    pub times: LeaseTimes,
}

/// What became of a renewal that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The server id is the node's for another lease, from the moment on at which this was asked for.
    Renewed,
    /// It is not the node's any more.
    Gone,
}

/// Why a coordinator has not done what it was asked for. Whoever asks tries again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoordinatorError {
    /// All server ids are taken, or cooling down.
    #[error("no server id is free")]
    NoneFree,
    /// Each server id that was drawn had been taken by another node meanwhile.
    #[error("other nodes were faster, several times")]
    Contended,
    /// It could not be reached, or has not answered.
    #[error("the coordinator does not answer: {0}")]
    Silent(String),
    /// It has answered that it will not.
    #[error("the coordinator refuses: {0}")]
    Refused(String),
}

/// Gives out the server ids of a cluster, each to one node at a time, and knows who has which. Each node has one of its own.
///
/// What it must keep: a server id is given to nobody else before the lease of who had it has ended, counted from the last
/// renewal that it answered with [`Renewal::Renewed`] (or from the claim), and for a cool-down after that; and each claim
/// of a server id has a greater epoch than the ones before.
///
/// A node waits for an answer as long as it is of use, and asks again: one that comes later is lost, and what was claimed
/// is left to the end of its lease.
pub trait Coordinator: Send + Sync + 'static {
    /// Gives out a free server id, and tells the others where the node is.
    fn claim(&self, claim: Claim) -> BoxFuture<'static, Result<Identity, CoordinatorError>>;

    /// Renews the lease, if the server id is still the node's.
    fn renew(&self, identity: Identity) -> BoxFuture<'static, Result<Renewal, CoordinatorError>>;

    /// Gives the server id back before its lease has ended. Nobody gets it before its cool-down is over.
    fn release(&self, identity: Identity) -> BoxFuture<'static, Result<(), CoordinatorError>>;

    /// The members, now and whenever they change. While the coordinator is silent they stay as they were last seen.
    fn members(&self) -> watch::Receiver<Arc<Members>>;

    /// Keeps the members up to date for as long as it is polled, which the node does as long as it runs: it never ends.
    fn attend(&self) -> BoxFuture<'static, ()> {
        pending().boxed()
    }

    /// Whether a server id that is not renewed is lost. If not, it is asked for once and never renewed.
    fn expires(&self) -> bool {
        true
    }
}
