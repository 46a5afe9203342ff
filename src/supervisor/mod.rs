//! The supervisor: who is connected, who may end whom, and how the whole is shut down.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `actor`, `messages` | the actor: it admits, orders kills, shuts down |
//! | `registry` | the list of live sessions, shared with everybody who reads it |
//! | `kill` | the decision of a kill |
//! | `receipt` | what a kill has reached |
//! | `history` | the kills that were asked for |
//! | `listing` | what somebody may see of the list |
//! | `events` | what subscribers are told |
//! | `counters`, `gauge` | what is counted |
//! | `figures` | the same for those who collect figures |

mod actor;
mod counters;
mod events;
#[cfg(feature = "metrics")]
mod figures;
mod gauge;
mod history;
mod kill;
mod listing;
mod messages;
mod receipt;
mod registry;
mod timers;

pub use self::{
    actor::Supervisor,
    counters::Status,
    events::SessionEvent,
    listing::Listing,
    messages::{Kill, List, Shutdown, Summary},
    receipt::Receipt,
};
#[cfg(feature = "mysql")]
pub(crate) use self::{gauge::Gauge, messages::Authenticated};
pub(crate) use self::{
    gauge::Gauged,
    messages::{Connect, Reap, Work},
    registry::{Registration, Registry},
};
