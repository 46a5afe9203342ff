//! How long a node may go without its coordinator, and when it gives itself up.

use std::time::Duration;

/// The times of a node's lease; TiDB has such times too, far longer ones (lease 12 h, refresh 5 min, lost 6 h).
///
/// What counts is the time since the last renewal that succeeded was *sent*: the coordinator cannot have begun to count
/// before that. A node is fenced `fence_after` that, and has ended its sessions when the lease can run out, at `lease`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    /// How long the coordinator keeps a server id for a node that says nothing; whole seconds, 60 s unless said otherwise.
    pub lease: Duration,
    /// How often the lease is renewed; 5 s unless said otherwise. One that fails is repeated as often.
    pub renew_every: Duration,
    /// So long after the last renewal that succeeded the node ends its sessions and refuses new ones; 30 s unless said
    /// otherwise. What is left until `lease` is for their ends.
    pub fence_after: Duration,
    /// How often a node without a server id tries to get one; 10 s unless said otherwise, as TiDB.
    pub claim_every: Duration,
    /// How long nobody else gets a server id after its lease has ended; 60 s unless said otherwise.
    pub cool_down: Duration,
}

/// How long other nodes are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For a kill; 1 s unless said otherwise.
    pub kill: Duration,
    /// For a node's part of a list; 500 ms unless said otherwise. All nodes are asked at once.
    pub list: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { kill: Duration::from_secs(1), list: Duration::from_millis(500) }
    }
}

/// No time is longer: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Times that cannot keep what a lease promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimesError {
    /// The coordinator counts in seconds, and from 1 on.
    #[error("a lease is whole seconds, and at least one")]
    Seconds,
    /// A time is more than a year.
    #[error("a time is more than a year")]
    TooLong,
    /// A time is zero.
    #[error("{0} is zero")]
    Zero(&'static str),
    /// One lost renewal would end all sessions.
    #[error("the node would be fenced before it has tried twice to renew its lease")]
    NoRetry,
    /// Sessions could live on when the lease has run out.
    #[error("the lease would run out less than a quarter of it after the fence: too early for the sessions' ends")]
    NoTimeToEnd,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            lease: seconds(60),
            renew_every: seconds(5),
            fence_after: seconds(30),
            claim_every: seconds(10),
            cool_down: seconds(60),
        }
    }
}

impl LeaseTimes {
    /// The same for a place that cannot be lost.
    pub(crate) fn endless(self) -> Self {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        Self { lease: YEAR * 400, renew_every: YEAR * 100, fence_after: YEAR * 300, ..self }
    }

    /// Whether they keep what a lease promises.
    ///
    /// # Errors
    /// What they do not.
    pub fn check(&self) -> Result<(), TimesError> {
        if self.lease.subsec_nanos() > 0 || self.lease.as_secs() == 0 {
            return Err(TimesError::Seconds);
        }
        for (name, time) in [("renew_every", self.renew_every), ("claim_every", self.claim_every)] {
            if time.is_zero() {
                return Err(TimesError::Zero(name));
            }
        }
        let all = [self.lease, self.renew_every, self.fence_after, self.claim_every, self.cool_down];
        if all.iter().any(|time| *time > LONGEST) {
            return Err(TimesError::TooLong);
        }
        if self.fence_after < self.renew_every * 3 {
            return Err(TimesError::NoRetry);
        }
        if self.fence_after + self.lease / 4 > self.lease {
            return Err(TimesError::NoTimeToEnd);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_break_the_promise_are_refused() {
        let seconds = Duration::from_secs;
        let tidbs = LeaseTimes {
            lease: seconds(10),
            renew_every: seconds(1),
            fence_after: seconds(5),
            ..LeaseTimes::default()
        };
        assert_eq!(LeaseTimes::default().check(), Ok(()));
        assert_eq!(tidbs.check(), Ok(()), "those of its own test");
        for (times, error) in [
            (LeaseTimes { lease: Duration::from_millis(10_500), ..tidbs }, TimesError::Seconds),
            (LeaseTimes { lease: Duration::ZERO, ..tidbs }, TimesError::Seconds),
            (LeaseTimes { renew_every: Duration::ZERO, ..tidbs }, TimesError::Zero("renew_every")),
            (LeaseTimes { claim_every: Duration::ZERO, ..tidbs }, TimesError::Zero("claim_every")),
            (LeaseTimes { renew_every: seconds(2), ..tidbs }, TimesError::NoRetry),
            (LeaseTimes { fence_after: seconds(8), ..tidbs }, TimesError::NoTimeToEnd),
            (LeaseTimes { cool_down: Duration::MAX, ..tidbs }, TimesError::TooLong),
            (LeaseTimes { renew_every: Duration::MAX, ..tidbs }, TimesError::TooLong),
        ] {
            assert_eq!(times.check(), Err(error), "{times:?}");
        }
    }
}
