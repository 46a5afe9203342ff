//! What a session shares with everybody: its state in one word, the kill switch over it, and the slot that lists read.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `word` | the state machine, in one word; pure |
//! | `switch` | that word, shared, and who waits for it to change |
//! | `slot` | what lists and kills see of a session |
//! | `due` | what the timers of a session find when they look; pure |
//! | `limits` | the session's own time-outs; pure |
//! | `notes` | what an engine says of its session, for the client |
//! | `signal` | the message that makes a session look at its switch |

mod due;
mod limits;
mod notes;
mod signal;
mod slot;
mod switch;
#[cfg(test)]
mod switch_tests;
mod sync;
mod word;

#[cfg(feature = "policies")]
pub(crate) use self::slot::Moment;
pub(crate) use self::{
    due::Due,
    limits::Limits,
    signal::Signal,
    slot::{Running, Slot, UNARMED, shown},
    word::{Raised, Word},
};
#[cfg(feature = "mysql")]
pub(crate) use self::{notes::Changes, word::Phase};
