//! The order in which local numbers are handed out.
//!
//! Not here: which of them are live. The map knows, and says so where it matters.

use std::{collections::VecDeque, ops::RangeInclusive};

/// Up to how many numbers a range is queued. The queue of a larger one could take much memory: four bytes for each
/// number, so at most 4 MiB here and 16 GiB for all of 32 bits.
const QUEUED_AT_MOST: u64 = 1 << 20;

/// The order in which the local numbers of a range are handed out.
///
/// A range of at most 2^20 numbers is strictly first in, first out: first the numbers never used, then the released
/// ones in the order of their release, so that a released number comes back only after all others that were free.
/// In a larger range a counter passes from the first number to the last and starts again, skipping live ones: between
/// two turns of a number lies the whole range. MySQL's own 32-bit ids are such a counter.
#[derive(Debug)]
pub(crate) enum Order {
    /// For small ranges.
    Queue(Queue),
    /// For large ranges.
    Counter(Counter),
}

impl Order {
    /// The order for the numbers of `locals`, which must not be empty.
    pub(crate) fn new(locals: RangeInclusive<u64>) -> Self {
        let (first, last) = locals.into_inner();
        debug_assert!(first <= last, "an empty range");
        // The span is one less than the size, and unlike the size cannot overflow.
        match u32::try_from(last - first) {
            Ok(span) if u64::from(span) < QUEUED_AT_MOST => {
                Self::Queue(Queue { first, size: span + 1, fresh: 0, released: VecDeque::new() })
            }
            _ => Self::Counter(Counter { first, last, next: first }),
        }
    }

    /// The order of a large range for the numbers of a small one.
    #[cfg(test)]
    pub(crate) fn counter(locals: RangeInclusive<u64>) -> Self {
        let (first, last) = locals.into_inner();
        Self::Counter(Counter { first, last, next: first })
    }

    /// The next number; `None` if there is no free one.
    ///
    /// `is_live` says whether a number is in use, and `live` how many are, or more. The numbers for which `is_live` is
    /// true may become fewer during the call, but not more. Only large ranges ask; they try at most `live` + 1 numbers,
    /// since one of so many is free.
    pub(crate) fn next(&mut self, is_live: impl Fn(u64) -> bool, live: usize) -> Option<u64> {
        match self {
            Self::Queue(queue) => queue.next(),
            Self::Counter(counter) => counter.next(is_live, live),
        }
    }

    /// Takes back a number that was handed out and is no longer live, once for each time that it was handed out. A
    /// number never handed out is ignored. Only needed if [`Order::takes_back`].
    pub(crate) fn release(&mut self, local: u64) {
        if let Self::Queue(queue) = self {
            queue.release(local);
        }
    }

    /// Whether released numbers must be given back to be handed out again. If not, it is enough that they are no
    /// longer live.
    pub(crate) fn takes_back(&self) -> bool {
        matches!(self, Self::Queue(_))
    }
}

/// First in, first out. Numbers are kept as their distance from the first one: half the memory.
#[derive(Debug)]
pub(crate) struct Queue {
    first: u64,
    size: u32,
    /// The first number never handed out: all numbers from here on need no place in the queue.
    fresh: u32,
    released: VecDeque<u32>,
}

impl Queue {
    fn next(&mut self) -> Option<u64> {
        let distance = if self.fresh < self.size {
            self.fresh += 1;
            self.fresh - 1
        } else {
            self.released.pop_front()?
        };
        Some(self.first + u64::from(distance))
    }

    fn release(&mut self, local: u64) {
        let distance = local.checked_sub(self.first).and_then(|distance| u32::try_from(distance).ok());
        if let Some(distance) = distance.filter(|distance| *distance < self.fresh) {
            self.released.push_back(distance);
        }
    }
}

/// Round and round the range.
#[derive(Debug)]
pub(crate) struct Counter {
    first: u64,
    last: u64,
    next: u64,
}

impl Counter {
    fn next(&mut self, is_live: impl Fn(u64) -> bool, live: usize) -> Option<u64> {
        // The one number more than there are live ones is the free one. No more than the range has: if all are live,
        // each is tried once.
        let more = u64::try_from(live).unwrap_or(u64::MAX).min(self.last - self.first);
        for _ in 0..=more {
            let local = self.next;
            self.next = if local == self.last { self.first } else { local + 1 };
            if !is_live(local) {
                return Some(local);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::{prelude::*, sample::Index};

    use super::*;
    use crate::id::naive::Naive;

    /// A number is handed out, or if there is a pick, one of the live numbers is released.
    fn ops() -> impl Strategy<Value = Vec<Option<Index>>> {
        prop::collection::vec(prop::option::weighted(0.45, any::<Index>()), 0..150)
    }

    fn order(counter: bool, locals: RangeInclusive<u64>) -> Order {
        if counter { Order::counter(locals) } else { Order::new(locals) }
    }

    fn pick(live: &BTreeSet<u64>, index: Index) -> Option<u64> {
        (!live.is_empty()).then(|| index.index(live.len())).and_then(|n| live.iter().nth(n)).copied()
    }

    proptest! {
        #[test]
        fn it_does_what_the_naive_model_does(counter: bool, first in 1..4_u64, size in 1..=12_u64, ops in ops()) {
            let last = first + size - 1;
            let mut order = order(counter, first..=last);
            let mut naive = Naive::new(counter, first..=last);
            for op in ops {
                match op {
                    None => {
                        let live = naive.live();
                        let next = order.next(|n| live.contains(&n), live.len());
                        prop_assert_eq!(next.is_none(), live.len() as u64 == size, "exhausted only when all are live");
                        prop_assert_eq!(next, naive.allocate());
                    }
                    Some(index) => if let Some(local) = pick(naive.live(), index) {
                        order.release(local);
                        naive.release(local);
                    }
                }
                // A number outside of the range was never handed out.
                order.release(0);
                order.release(last + 1);
            }
        }

        /// The promise itself, whatever the model says: a released number comes back only after all others that were
        /// free at its release.
        #[test]
        fn a_queue_hands_out_all_other_free_numbers_first(size in 1..=12_u64, ops in ops()) {
            let mut order = order(false, 1..=size);
            let mut live = BTreeSet::new();
            // For each released number: those that must be handed out before it.
            let mut before: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
            for op in ops {
                match op {
                    None => if let Some(local) = order.next(|n| live.contains(&n), live.len()) {
                        prop_assert!(live.insert(local), "handed out while live");
                        prop_assert_eq!(before.remove(&local).unwrap_or_default(), BTreeSet::new());
                        before.values_mut().for_each(|others| { others.remove(&local); });
                    }
                    Some(index) => if let Some(local) = pick(&live, index) {
                        before.insert(local, (1..=size).filter(|n| !live.contains(n)).collect());
                        live.remove(&local);
                        order.release(local);
                    }
                }
            }
        }

        /// Between two turns of a number lies the whole range: each other number had its turn, or was live.
        #[test]
        fn a_counter_passes_all_other_numbers_first(size in 1..=12_u64, ops in ops()) {
            let mut order = order(true, 1..=size);
            let mut live = BTreeSet::new();
            // For each number that had a turn: which others were not yet passed since.
            let mut unpassed: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
            for op in ops {
                match op {
                    None => if let Some(local) = order.next(|n| live.contains(&n), live.len()) {
                        prop_assert!(live.insert(local), "handed out while live");
                        prop_assert_eq!(unpassed.remove(&local).unwrap_or_default(), BTreeSet::new());
                        unpassed.values_mut().for_each(|others| { others.remove(&local); });
                        unpassed.insert(local, (1..=size).filter(|n| !live.contains(n)).collect());
                    }
                    Some(index) => if let Some(local) = pick(&live, index) {
                        live.remove(&local);
                        order.release(local);
                    }
                }
            }
        }
    }

    #[test]
    fn ranges_up_to_2_to_the_20_are_queued() {
        for (locals, queued) in [
            (1..=1, true),
            (1..=QUEUED_AT_MOST, true),
            (1..=QUEUED_AT_MOST + 1, false),
            (u64::MAX - 1..=u64::MAX, true),
            (1..=u64::from(u32::MAX), false),
            (1..=u64::MAX, false),
        ] {
            assert_eq!(Order::new(locals.clone()).takes_back(), queued, "{locals:?}");
        }
    }

    #[test]
    fn the_greatest_numbers_are_handed_out_and_then_the_first_again() {
        for counter in [false, true] {
            let mut order = order(counter, u64::MAX - 1..=u64::MAX);
            for local in [u64::MAX - 1, u64::MAX, u64::MAX - 1] {
                assert_eq!(order.next(|_| false, 0), Some(local));
                order.release(local);
            }
        }
    }

    #[test]
    fn a_counter_gives_up_when_all_are_live_and_whatever_it_is_told() {
        for live in [0, 1, 5, usize::MAX] {
            assert_eq!(order(true, 1..=5).next(|_| true, live), None);
        }
        // Of a large range it tries no more than one number for each live one, and one more.
        let tries = std::cell::Cell::new(0);
        let count = |_| {
            tries.set(tries.get() + 1);
            true
        };
        assert_eq!(Order::new(1..=u64::MAX).next(count, 9), None);
        assert_eq!(tries.get(), 10);
    }

    #[test]
    fn a_queue_takes_memory_only_for_what_was_released() {
        let mut order = Order::new(1..=QUEUED_AT_MOST);
        for _ in 0..1_000 {
            order.next(|_| false, 0).unwrap();
        }
        order.release(7);
        let Order::Queue(queue) = order else { panic!("a queue was expected") };
        assert!(queue.released.capacity() < 100);
    }
}
