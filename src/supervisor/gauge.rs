//! How many of a thing there are: counted for as long as each exists.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// A number of things that exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge(Arc<AtomicUsize>);

/// One of them. Its drop is its end.
#[derive(Debug)]
pub(crate) struct Gauged(Arc<AtomicUsize>);

impl Gauge {
    /// One more, unless there are `most` already.
    pub(crate) fn enter(&self, most: usize) -> Option<Gauged> {
        let more = |now: usize| (now < most).then_some(now + 1);
        self.0.fetch_update(Relaxed, Relaxed, more).ok().map(|_| Gauged(Arc::clone(&self.0)))
    }

    /// One more, however many there are.
    pub(crate) fn count(&self) -> Gauged {
        self.0.fetch_add(1, Relaxed);
        Gauged(Arc::clone(&self.0))
    }

    /// How many there are.
    pub(crate) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Drop for Gauged {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
