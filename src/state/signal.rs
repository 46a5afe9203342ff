//! The message that makes a session look at its switch.

use actix::Message;

/// Whoever has thrown a session's switch sends it, so that the actor looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub(crate) enum Signal {
    /// The running statement was ended.
    Cancelled,
    /// The session is to end, now or when its statement is over.
    Leaving,
}
