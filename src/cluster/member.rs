//! Who is in a cluster.

use std::{collections::BTreeMap, net::SocketAddr};

/// What a node is in its cluster: never twice the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The server id in the ids of its sessions.
    pub server: u32,
    /// When the server id was claimed, by the coordinator's count: a server id may come back, with another epoch.
    pub epoch: u64,
}

/// Where a node is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Addresses {
    /// By its clients: what lists show (TiDB's INSTANCE, Doris's FE).
    pub clients: SocketAddr,
    /// By the other nodes.
    pub peers: SocketAddr,
}

/// A node that has a place in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// What it is.
    pub identity: Identity,
    /// Where it is.
    pub addresses: Addresses,
}

/// The nodes that have a place in the cluster, by their server ids.
pub type Members = BTreeMap<u32, Member>;
