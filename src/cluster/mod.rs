//! Many servers with one process list and one `KILL`.
//!
//! A coordinator gives each node a server id for as long as a lease lasts, and knows who has which. The ids of a node's
//! sessions carry its server id, so a kill finds its way from any node: straight to the node that has the session, which
//! authorises it with its own eyes. Lists are gathered from all nodes at once. The coordinator itself is on the way of
//! neither.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `times`, `lease` | how long a node may go without its coordinator, and what it does when; pure |
//! | `ids` | which server ids there are, and which sessions' ids they give; pure |
//! | `member` | who is in the cluster |
//! | `coordinator` | who gives out the server ids |
//! | `node` | a server as a node of its cluster |
//! | `trust` | how nodes know each other |
//! | `rpc` | what nodes ask of each other: gRPC |
//! | `rows` | rows of the list, as nodes tell each other |
//! | `peers` | the other nodes, as this one asks them |
//! | `links` | the connections to them |
//! | `network` | the thread for all of that |
//! | `keeper` | what asks it, and lets clients in or ends their sessions by what it says |
//! | `clock` | the clock that leases go by |

mod clock;
mod coordinator;
mod ids;
mod keeper;
mod lease;
mod links;
mod member;
mod network;
mod node;
mod peers;
mod rows;
mod rpc;
mod times;
mod trust;

pub(crate) use self::node::Node;
pub use self::{
    coordinator::{
        Claim, Coordinator, CoordinatorError, Etcd, EtcdError, EtcdNode, Fixed, FixedError, InMemory, InMemoryNode,
        Line, Renewal,
    },
    ids::ServerIds,
    member::{Addresses, Identity, Member, Members},
    node::{Cluster, ClusterError},
    times::{Deadlines, LeaseTimes, TimesError},
    trust::{Trust, TrustError},
};

#[cfg(test)]
mod tests;
