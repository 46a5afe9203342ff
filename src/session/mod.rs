//! Sessions: the actor, the state that it lives by, and what it shows of itself.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `word` | the state machine, in one word; pure |
//! | `switch` | that word, shared, and who waits for it to change |
//! | `slot` | what lists and kills see of a session |
//! | `core` | the life of a session: open, statements one by one, the end |
//! | `control` | the control statements, carried out |
//! | `statement` | one statement: run, watched, stopped |
//! | `actor`, `messages`, `inbox`, `mailbox` | the actor, and the loop that runs what it was asked for |
//! | `results`, `batch`, `pipe` | what a caller in process gets |
//! | `handle` | the host's end of a session |

mod actor;
mod batch;
mod control;
mod core;
mod handle;
mod inbox;
mod mailbox;
mod messages;
mod pipe;
mod results;
mod slot;
mod statement;
mod switch;
#[cfg(test)]
mod switch_tests;
mod sync;
mod word;

pub use self::{
    actor::Session,
    batch::RowBatch,
    handle::SessionHandle,
    messages::{Cancel, Prepare, Query, Reset, Terminate, UseDatabase},
    results::{Part, Results},
};
pub(crate) use self::{
    actor::Work, inbox::Inbox, mailbox::live as mailbox_work, messages::Signal, slot::Slot, word::Raised,
};
#[cfg(feature = "mysql")]
pub(crate) use self::{
    core::{Core, Farewell, unless_leaving},
    pipe::Pipe,
    word::Phase,
};
