//! Who gives out the server ids of a cluster, and knows its members.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::watch;

use super::{
    ids::ServerIds,
    member::{Addresses, Identity, Members},
};

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
    /// It could not be reached, or has not answered.
    #[error("the coordinator does not answer: {0}")]
    Silent(String),
}

/// Gives out the server ids of a cluster, each to one node at a time, and knows who has which.
///
/// What it must keep: a server id is given to nobody else before the lease of who had it has ended, counted from the last
/// renewal that it answered with [`Renewal::Renewed`] (or from the claim), and for a cool-down after that; and each claim
/// of a server id has a greater epoch than the ones before.
pub trait Coordinator: Send + Sync + 'static {
    /// Gives out a free server id of `ids`, and tells the others where the node is.
    fn claim(&self, ids: ServerIds, addresses: Addresses) -> BoxFuture<'static, Result<Identity, CoordinatorError>>;

    /// Renews the lease, if the server id is still the node's.
    fn renew(&self, identity: Identity) -> BoxFuture<'static, Result<Renewal, CoordinatorError>>;

    /// Gives the server id back before its lease has ended. Nobody gets it before its cool-down is over.
    fn release(&self, identity: Identity) -> BoxFuture<'static, Result<(), CoordinatorError>>;

    /// The members, now and whenever they change. While the coordinator is silent they stay as they were last seen.
    fn members(&self) -> watch::Receiver<Arc<Members>>;
}
