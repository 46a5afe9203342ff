//! For tests: the order of ids as one would write it without a thought for time or memory.

use std::{collections::BTreeSet, ops::RangeInclusive};

/// Which numbers are free and which are live, in plain lists.
pub(super) struct Naive {
    /// The free numbers in the order in which they are handed out: by a counter, in the order of the range, beginning
    /// after the number handed out last; otherwise in the order in which they became free.
    free: Vec<u64>,
    live: BTreeSet<u64>,
    /// By a counter: the number handed out last.
    last: Option<u64>,
    counter: bool,
}

impl Naive {
    pub(super) fn new(counter: bool, locals: RangeInclusive<u64>) -> Self {
        Self { free: locals.collect(), live: BTreeSet::new(), last: None, counter }
    }

    pub(super) fn allocate(&mut self) -> Option<u64> {
        if self.counter {
            // Those after the last one come first.
            let last = self.last;
            self.free.sort_by_key(|local| (last.is_some_and(|last| *local <= last), *local));
        }
        if self.free.is_empty() {
            return None;
        }
        let local = self.free.remove(0);
        self.last = Some(local);
        self.live.insert(local);
        Some(local)
    }

    /// Whether the number was live.
    pub(super) fn release(&mut self, local: u64) -> bool {
        let was_live = self.live.remove(&local);
        if was_live {
            self.free.push(local);
        }
        was_live
    }

    pub(super) fn live(&self) -> &BTreeSet<u64> {
        &self.live
    }
}
