//! Whether new clients are welcome, for load balancers.

use std::sync::atomic::{AtomicU8, Ordering};

/// What a host tells a load balancer of itself (`/healthz`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Clients are welcome.
    Ready,
    /// A shutdown was announced, or has begun: new clients belong elsewhere. Those that come all the same are let in as
    /// long as it was only announced, and refused with 1053 from its begin on. Or the server has no place in its cluster,
    /// not yet or not any more: then they are refused with 3032 until it has one.
    Draining,
    /// The shutdown is over.
    Stopped,
}

/// How far a runtime has come on its way down. It only goes forward.
#[derive(Debug, Default)]
pub(super) struct Stage(AtomicU8);

const ANNOUNCED: u8 = 1;
const CLOSED: u8 = 2;
const STOPPED: u8 = 3;

impl Stage {
    /// A shutdown will follow.
    pub(super) fn announce(&self) {
        self.0.fetch_max(ANNOUNCED, Ordering::AcqRel);
    }

    /// Nobody is let in any more.
    pub(super) fn close(&self) {
        self.0.fetch_max(CLOSED, Ordering::AcqRel);
    }

    /// The shutdown is over.
    pub(super) fn stop(&self) {
        self.0.fetch_max(STOPPED, Ordering::AcqRel);
    }

    /// Whether clients are let in.
    pub(super) fn admits(&self) -> bool {
        self.0.load(Ordering::Acquire) < CLOSED
    }

    pub(super) fn readiness(&self) -> Readiness {
        match self.0.load(Ordering::Acquire) {
            ANNOUNCED | CLOSED => Readiness::Draining,
            STOPPED => Readiness::Stopped,
            _ => Readiness::Ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_announced_before_anybody_is_refused() {
        let stage = Stage::default();
        assert_eq!((stage.readiness(), stage.admits()), (Readiness::Ready, true));
        stage.announce();
        assert_eq!((stage.readiness(), stage.admits()), (Readiness::Draining, true));
        stage.close();
        assert_eq!((stage.readiness(), stage.admits()), (Readiness::Draining, false));
        stage.stop();
        assert_eq!((stage.readiness(), stage.admits()), (Readiness::Stopped, false));
    }

    #[test]
    fn there_is_no_way_back() {
        let stage = Stage::default();
        stage.stop();
        stage.close();
        stage.announce();
        assert_eq!((stage.readiness(), stage.admits()), (Readiness::Stopped, false));
    }
}
