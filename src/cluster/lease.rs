//! The lease of a node's server id: when it is claimed, renewed, lost and claimed again. A plain machine of states; whoever
//! runs it tells it the time and what became of its steps, and does what it says.
//!
//! ```text
//!             claimed                   the fence's time has come, or the key is gone
//!  outside ------------> held (renewed) ---------------------------------------------> fenced
//!     ^                                                                                  |
//!     +----------------------------------------------------------------------------------+
//!                                     no session is left
//! ```
//!
//! Moments are times since the machine was booted, suspended ones included (`CLOCK_BOOTTIME`): a wall clock jumps, and a
//! monotonic one stands still while the machine is suspended and the lease runs out.

use std::time::Duration;

use super::{member::Identity, times::LeaseTimes};

/// A time since the machine was booted.
pub(crate) type Moment = Duration;

/// Why a node ends its sessions and refuses new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The coordinator has not answered for so long that the lease might run out.
    Silent,
    /// The server id is not this node's any more.
    Taken,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask the coordinator for a server id.
    Claim,
    /// Ask it to renew the lease of this one.
    Renew(Identity),
    /// Let clients in, with ids of this server.
    Open(Identity),
    /// End all sessions, and let nobody in.
    Fence(Why),
    /// Give back a server id that came too late.
    Release(Identity),
}

/// What became of a step. `sent`: when it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The coordinator has given out a server id.
    Claimed { sent: Moment, identity: Identity },
    /// It has not, or has not answered.
    Unclaimed,
    /// The lease was renewed.
    Renewed { sent: Moment },
    /// The coordinator has not answered.
    Unrenewed,
    /// The server id is not this node's any more.
    Gone(Identity),
    /// No session is left.
    Empty,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Lease {
    times: LeaseTimes,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is no server id; one is asked for from this moment on.
    Outside { claim_at: Moment },
    /// One was asked for.
    Claiming,
    /// There is one. The next renewal is due, if none is on its way.
    Held { identity: Identity, renewed: Moment, renew_at: Option<Moment> },
    /// It is lost, or might be, and sessions are there still.
    Fenced,
}

impl Lease {
    /// For a node that has no server id yet.
    pub(crate) fn new(times: LeaseTimes, now: Moment) -> Self {
        Self { times, state: State::Outside { claim_at: now } }
    }

    /// The server id, while it is certain.
    pub(crate) fn identity(&self, now: Moment) -> Option<Identity> {
        match self.state {
            State::Held { identity, renewed, .. } if now < renewed + self.times.fence_after => Some(identity),
            _ => None,
        }
    }

    /// Until when the server id is certain; `None`: there is none.
    pub(crate) fn until(&self) -> Option<Moment> {
        match self.state {
            State::Held { renewed, .. } => Some(renewed + self.times.fence_after),
            _ => None,
        }
    }

    /// When something is to be done next, unless there is news before.
    pub(crate) fn next(&self) -> Option<Moment> {
        match self.state {
            State::Outside { claim_at } => Some(claim_at),
            State::Claiming | State::Fenced => None,
            State::Held { renewed, renew_at, .. } => {
                let fence = renewed + self.times.fence_after;
                Some(renew_at.map_or(fence, |renew| renew.min(fence)))
            }
        }
    }

    /// What is to be done at this time; to be asked until there is nothing.
    pub(crate) fn due(&mut self, now: Moment) -> Option<Step> {
        match &mut self.state {
            State::Outside { claim_at } if *claim_at <= now => {
                self.state = State::Claiming;
                Some(Step::Claim)
            }
            State::Held { renewed, .. } if *renewed + self.times.fence_after <= now => Some(self.fence(Why::Silent)),
            State::Held { identity, renew_at, .. } if renew_at.is_some_and(|at| at <= now) => {
                *renew_at = None;
                Some(Step::Renew(*identity))
            }
            _ => None,
        }
    }

    /// Takes in what became of a step, and says what follows at once.
    pub(crate) fn heard(&mut self, now: Moment, news: News) -> Option<Step> {
        let times = self.times;
        match (&mut self.state, news) {
            // A claim that was answered so late that nobody knows whether it still holds.
            (State::Claiming, News::Claimed { sent, identity }) if sent + times.fence_after <= now => {
                self.state = State::Outside { claim_at: now };
                Some(Step::Release(identity))
            }
            (State::Claiming, News::Claimed { sent, identity }) => {
                self.state = State::Held { identity, renewed: sent, renew_at: Some(sent + times.renew_every) };
                Some(Step::Open(identity))
            }
            (_, News::Claimed { identity, .. }) => Some(Step::Release(identity)),
            (State::Claiming, News::Unclaimed) => {
                self.state = State::Outside { claim_at: now + times.claim_every };
                None
            }
            (State::Held { renewed, renew_at, .. }, News::Renewed { sent }) => {
                // The fence is not lifted by an answer that came after it: that is `due`'s to find first.
                if *renewed + times.fence_after <= now {
                    return Some(self.fence(Why::Silent));
                }
                *renewed = (*renewed).max(sent);
                *renew_at = Some(sent.max(now.saturating_sub(times.renew_every)) + times.renew_every);
                None
            }
            (State::Held { renew_at, .. }, News::Unrenewed) => {
                *renew_at = Some(now + times.renew_every);
                None
            }
            (State::Held { identity, .. }, News::Gone(gone)) if *identity == gone => Some(self.fence(Why::Taken)),
            (State::Fenced, News::Empty) => {
                self.state = State::Claiming;
                Some(Step::Claim)
            }
            _ => None,
        }
    }

    fn fence(&mut self, why: Why) -> Step {
        self.state = State::Fenced;
        Step::Fence(why)
    }
}

#[cfg(test)]
mod tests;
