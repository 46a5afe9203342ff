//! The calls between the nodes of a cluster: gRPC, the service `killdeer.Peers`. A node answers for its own sessions alone
//! and asks no other for an answer: there is no second hop.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `messages`, `kills` | what is said; rows and accounts are in `super::rows` |
//! | `seal` | how a call with a secret is proved; pure |
//! | `listen` | who is let in at the peers' port, and for how long unknown |
//! | `desk` | who is heard, by seal or certificate, and who is refused |
//! | `server`, `lists` | what is done there |
//! | `client` | how another node is asked |

mod client;
mod desk;
mod kills;
mod listen;
mod lists;
pub(crate) mod messages;
pub(crate) mod seal;
mod server;

#[cfg(test)]
pub(super) use self::listen::Listen;
pub(super) use self::{
    client::{Dial, Fault, Link},
    server::{Hall, serve},
};

/// No message is longer, in bytes: an answer, which comes from a node.
const LONGEST_ANSWER: usize = 4 << 20;

/// No call is: it may come from a stranger, whose calls are kept until they are refused.
const LONGEST_CALL: usize = 64 << 10;

/// What is taken of one node for a list, in bytes: some 300,000 sessions.
const LONGEST_LIST: usize = 64 << 20;

/// What a node can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Kill,
    List,
    Status,
}

impl Method {
    /// As HTTP names it; seals are over it.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Method::Kill => "/killdeer.Peers/Kill",
            Method::List => "/killdeer.Peers/List",
            Method::Status => "/killdeer.Peers/Status",
        }
    }

    fn of(path: &str) -> Option<Self> {
        [Method::Kill, Method::List, Method::Status].into_iter().find(|method| method.path() == path)
    }
}

/// Milliseconds since 1970.
fn millis(time: std::time::SystemTime) -> u64 {
    time.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
