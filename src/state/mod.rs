//! What a session shares with everybody: its state in one word, the kill switch over it, and the slot that lists read.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `word` | the state machine, in one word; pure |
//! | `switch` | that word, shared, and who waits for it to change |
//! | `slot` | what lists and kills see of a session |
//! | `activity` | what a session is at, for those who count |
//! | `ending` | when what was killed was over |
//! | `due` | what the timers of a session find when they look; pure |
//! | `limits` | the session's own time-outs; pure |
//! | `owner` | whose sessions are, once for many |
//! | `notes` | what an engine says of its session, for the client |
//! | `thread` | which thread has a session |
//! | `trace` | the spans of a session and of its statements |
//! | `signal` | the message that makes a session look at its switch |

#[cfg(feature = "metrics")]
mod activity;
mod due;
mod ending;
mod limits;
mod notes;
pub(crate) mod owner;
mod signal;
mod slot;
mod switch;
#[cfg(test)]
mod switch_tests;
mod sync;
mod thread;
mod trace;
mod word;

#[cfg(feature = "metrics")]
pub(crate) use self::activity::Activity;
#[cfg(feature = "mysql")]
pub(crate) use self::notes::Changes;
#[cfg(feature = "policies")]
pub(crate) use self::slot::Moment;
pub(crate) use self::{
    due::Due,
    ending::Ending,
    limits::{CommonLimits, Limits},
    signal::Signal,
    slot::{Running, Slot, Strike, UNARMED, shown},
    trace::Trace,
    word::{Phase, Raised, Word},
};
