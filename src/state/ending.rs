//! When something that was killed was over, for those who asked for its end.

use std::{sync::OnceLock, time::Duration};

use tokio::time::Instant;

/// The end of one statement or one session that a kill was aimed at. Shared by its slot and by the records of all kills
/// that were aimed at it; keeps nothing of the session.
#[derive(Debug)]
pub(crate) struct Ending {
    /// The number of the first kill that was aimed at it.
    kill: u64,
    /// When that one was.
    asked: Instant,
    over: OnceLock<Instant>,
}

impl Ending {
    pub(super) fn new(kill: u64, asked: Instant) -> Self {
        Self { kill, asked, over: OnceLock::new() }
    }

    /// The number of the first kill that was aimed at it.
    pub(crate) fn kill(&self) -> u64 {
        self.kill
    }

    /// It is over. The first to say so counts.
    pub(super) fn end(&self, now: Instant) {
        let _ = self.over.set(now);
    }

    /// How long after `asked` it was over; `None` while it is not.
    pub(crate) fn after(&self, asked: Instant) -> Option<Duration> {
        self.over.get().map(|over| over.saturating_duration_since(asked))
    }

    /// How long after the first kill it was over; `None` while it is not.
    pub(crate) fn time(&self) -> Option<Duration> {
        self.after(self.asked)
    }
}
