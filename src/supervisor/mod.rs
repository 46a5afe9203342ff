//! The supervisor: who is connected, who may end whom, and how the whole is shut down.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `actor`, `messages` | the actor: it carries out kills, keeps the time, shuts down |
//! | `shutdown`, `readiness` | how the whole is shut down, and what load balancers are told of it |
//! | `registry` | the list of live sessions, shared with everybody who reads it |
//! | `kill` | the decision of a kill |
//! | `servers` | the end of a single server session of a proxy's client (ODP) |
//! | `clients`, `tombs` | the sessions for one client of a proxy, and the clients that were killed (OceanBase) |
//! | `enforce` | kills by the policies |
//! | `foreign` | kills by other nodes of the cluster |
//! | `receipt` | what a kill has reached |
//! | `history` | the kills that were asked for |
//! | `listing` | what somebody may see of the list |
//! | `events` | what subscribers are told |
//! | `counters`, `gauge` | what is counted |
//! | `membership`, `standing`, `elsewhere` | whether a node of a cluster may act, and what it asks of the others |
//! | `errand` | kills that this node asks of others, and others of it |
//! | `figures` | the same for those who collect figures |

mod actor;
mod admission;
mod clients;
mod counters;
#[cfg(feature = "cluster")]
mod elsewhere;
#[cfg(feature = "policies")]
mod enforce;
#[cfg(feature = "cluster")]
mod errand;
mod events;
#[cfg(feature = "metrics")]
mod figures;
#[cfg(feature = "cluster")]
mod foreign;
mod gauge;
mod history;
mod hosts;
mod kill;
mod listing;
#[cfg(feature = "cluster")]
mod membership;
mod messages;
mod readiness;
mod receipt;
mod registration;
mod registry;
mod servers;
mod shutdown;
#[cfg(feature = "cluster")]
mod standing;
mod timers;
mod tombs;

#[cfg(feature = "cluster")]
pub(crate) use self::elsewhere::{Elsewhere, Errand, Gathered, Missing, NodeRow, NodeState, client_killed};
#[cfg(feature = "policies")]
pub(crate) use self::enforce::Enforce;
#[cfg(feature = "cluster")]
pub(crate) use self::foreign::ForeignKill;
#[cfg(all(test, feature = "cluster"))]
pub(crate) use self::kill::tests::deaf;
#[cfg(feature = "cluster")]
pub(crate) use self::tombs::Tomb;
pub use self::{
    actor::Supervisor,
    counters::Status,
    events::SessionEvent,
    listing::Listing,
    messages::{Kill, List, Shutdown, Summary},
    readiness::Readiness,
    receipt::Receipt,
};
pub(crate) use self::{
    actor::{KillAnswer, kill_by_id},
    gauge::{Gauge, Gauged},
    messages::{Reap, Retire, Work},
    registration::Registration,
    registry::Registry,
};
