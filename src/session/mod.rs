//! Sessions: the actor, and the work loop that it polls.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `core` | the life of a session: open, statements one by one, the end |
//! | `opening`, `leaving` | how the engine's session is opened, rolled back and dropped |
//! | `keep` | the count of what is kept for a client between statements, and its bound |
//! | `prepared` | prepared statements, and those that have a name |
//! | `own`, `control` | the statements that the runtime answers itself |
//! | `proxied` | those of them that are about a proxy's sessions |
//! | `tables` | questions about the system tables |
//! | `gather` | what is asked of other nodes for lists |
//! | `statement` | one statement: run, watched, stopped |
//! | `actor`, `messages`, `inbox`, `mailbox` | the actor, and the loop that runs what it was asked for |
//! | `results`, `batch`, `pipe` | what a caller in process gets |
//! | `timer` | the timers of all that |
//! | `shared` | what all sessions of a runtime share |
//! | `handle` | the host's end of a session |

mod actor;
mod batch;
mod control;
mod core;
mod gather;
mod handle;
mod inbox;
mod keep;
mod leaving;
mod limits;
mod mailbox;
mod messages;
mod opening;
mod own;
mod pipe;
mod prepared;
mod proxied;
mod results;
mod set;
mod shared;
mod statement;
#[cfg(feature = "system-tables")]
mod tables;
mod timer;

#[cfg(all(feature = "mysql", any(test, feature = "internals")))]
pub(crate) use self::keep::STATEMENT;
#[cfg(feature = "proxy")]
pub(crate) use self::prepared::length;
pub use self::{
    actor::Session,
    batch::RowBatch,
    handle::SessionHandle,
    messages::{Cancel, Prepare, Query, Reset, Terminate, UseDatabase},
    results::{Part, Results},
};
#[cfg(feature = "mysql")]
pub(crate) use self::{
    core::{Core, Farewell},
    keep::{Allowed, Keep, Kept},
    opening::unless_leaving,
    pipe::Pipe,
    timer::{Timer, within},
};
pub(crate) use self::{
    inbox::Inbox,
    mailbox::{Whose, live as mailbox_work},
    shared::Shared,
};
