//! Whether this server may act as the member of its cluster that it was: until when nobody else can have its server id.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// See the module's text. A server without a cluster always may.
///
/// Moments are times since the machine was booted, suspended ones included: whoever wakes from a suspension finds its time
/// over before any timer has told it so.
#[derive(Debug)]
pub(crate) struct Standing {
    /// In nanoseconds: until this moment. [`FOREVER`] without a cluster.
    until: AtomicU64,
    /// What time it is.
    now: OnceLock<fn() -> Duration>,
}

const FOREVER: u64 = u64::MAX;

/// That of a member whose place cannot be lost.
const ENDLESS: u64 = FOREVER - 1;

impl Default for Standing {
    fn default() -> Self {
        Self { until: AtomicU64::new(FOREVER), now: OnceLock::new() }
    }
}

impl Standing {
    /// The server is to be a member of a cluster: it may not act before it has a place there. `now` tells moments.
    pub(crate) fn depend(&self, now: fn() -> Duration) {
        self.until.store(0, Ordering::Release);
        // Once, when the runtime is built.
        let _ = self.now.set(now);
    }

    /// It may act until this moment.
    pub(crate) fn extend(&self, until: Duration) {
        let nanos = u64::try_from(until.as_nanos()).unwrap_or(ENDLESS);
        self.until.store(nanos.min(ENDLESS), Ordering::Release);
    }

    /// It may not act any more.
    pub(crate) fn lose(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// For how long it may still act; `None`: for ever.
    pub(crate) fn left(&self) -> Option<Duration> {
        match self.until.load(Ordering::Acquire) {
            FOREVER | ENDLESS => None,
            until => {
                let now = self.now.get().map_or(Duration::MAX, |now| now());
                Some(Duration::from_nanos(until).saturating_sub(now))
            }
        }
    }

    /// Whether it may act now.
    pub(crate) fn holds(&self) -> bool {
        match self.until.load(Ordering::Acquire) {
            FOREVER => true,
            0 => false,
            until => self.now.get().is_some_and(|now| now().as_nanos() < until.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_acts_until_its_time_is_over_and_a_server_alone_always() {
        static NOW: AtomicU64 = AtomicU64::new(5);
        let standing = Standing::default();
        assert!(standing.holds());
        assert_eq!(standing.left(), None);
        standing.depend(|| Duration::from_nanos(NOW.load(Ordering::Relaxed)));
        assert!(!standing.holds(), "it has no place yet");
        standing.extend(Duration::from_nanos(7));
        assert!(standing.holds());
        NOW.store(7, Ordering::Relaxed);
        assert!(!standing.holds());
        assert_eq!(standing.left(), Some(Duration::ZERO));
        standing.extend(Duration::from_nanos(9));
        assert_eq!(standing.left(), Some(Duration::from_nanos(2)));
        standing.extend(Duration::MAX);
        assert!(standing.holds() && standing.left().is_none());
        standing.lose();
        assert!(!standing.holds());
    }
}
