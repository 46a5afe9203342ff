//! A queue, and a counter to go over to when the queue is empty: the order of TiDB's ids.

use super::{Counter, Queue, Search};
use crate::id::layout::{Local, Pool};

/// The numbers of the main pool, first in, first out; when all of them are live, those of the spare pool, counted.
///
/// Back to the main pool it goes when half of that is free again, rounded up. Half is where TiDB means to go back; the
/// comparison there is the wrong way round, so that it goes back at the first release, and over again at the next
/// connection. Here a pool of *n* takes at least *n*/2 releases to go back and *n*/2 connections to go over again, so
/// under a load near the pool's size the ids keep one form. Sessions with spare numbers keep theirs.
#[derive(Debug)]
pub(crate) struct Overflow {
    main: Queue,
    spare: Counter,
    /// Whether numbers are from the spare pool now.
    over: bool,
}

impl Overflow {
    pub(super) fn new(main: Queue, spare: Counter) -> Self {
        Self { main, spare, over: false }
    }

    pub(super) fn next(&mut self, is_live: impl Fn(Local) -> bool, live: usize) -> Search<Local> {
        let main = |number| Local { pool: Pool::Main, number };
        let spare = |number| Local { pool: Pool::Spare, number };
        if !self.over {
            if let Some(number) = self.main.next() {
                return Search::Found(main(number));
            }
            self.over = true;
        }
        let live_spares = live.saturating_sub(self.main.size() as usize - self.main.free());
        match self.spare.next(|number| is_live(spare(number)), live_spares) {
            // If all of the spare pool is live, too, what the main one has is better than nothing.
            Search::Exhausted => Search::from(self.main.next()).map(main),
            next => next.map(spare),
        }
    }

    /// Takes a number of the main pool back; those of the spare pool need not be.
    pub(super) fn release(&mut self, local: Local) {
        if local.pool == Pool::Main {
            self.main.release(local.number);
            if self.main.free() >= self.main.size().div_ceil(2) as usize {
                self.over = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{prelude::*, sample::Index};

    use super::*;
    use crate::id::span::Span;

    fn overflow(main: u64, spare: u64) -> Overflow {
        Overflow::new(Queue::new(Span::to(main), 1), Counter::new(Span::to(spare), 1))
    }

    #[test]
    fn it_goes_over_when_the_pool_is_empty_and_back_when_half_of_it_is_free() {
        // TiDB's own test has a pool of 15.
        let mut order = overflow(15, u64::MAX);
        let mut next = || order.next(|_| false, 0).found().unwrap();
        for number in 1..=15 {
            assert_eq!(next(), Local { pool: Pool::Main, number });
        }
        assert_eq!(next(), Local { pool: Pool::Spare, number: 1 });
        for number in 1..=7 {
            order.release(Local { pool: Pool::Main, number });
            let spare = order.next(|_| false, 0).found().unwrap();
            assert_eq!(spare, Local { pool: Pool::Spare, number: number + 1 });
            order.release(spare);
        }
        order.release(Local { pool: Pool::Main, number: 8 });
        for number in 1..=8 {
            assert_eq!(order.next(|_| false, 0).found().unwrap(), Local { pool: Pool::Main, number });
        }
        assert_eq!(order.next(|_| false, 0).found().unwrap().pool, Pool::Spare);
    }

    proptest! {
        /// Whatever the load does, new ids change their form only after half a pool of connections, or of releases.
        #[test]
        fn it_does_not_flap(size in 1..=16_u64, ops in prop::collection::vec(prop::option::weighted(0.5, any::<Index>()), 0..300)) {
            let mut order = overflow(size, u64::MAX);
            let mut live = BTreeSet::new();
            let (mut form, mut moved) = (Pool::Main, 0);
            for op in ops {
                match op {
                    None => {
                        let local = order.next(|local| live.contains(&local), live.len()).found().unwrap();
                        prop_assert!(live.insert(local), "handed out while live");
                        if local.pool != form {
                            prop_assert!(moved >= size.div_ceil(2), "after {moved} steps, with a pool of {size}");
                            (form, moved) = (local.pool, 0);
                        }
                        moved += u64::from(form == Pool::Main);
                    }
                    Some(index) if !live.is_empty() => {
                        let local = *live.iter().nth(index.index(live.len())).unwrap();
                        live.remove(&local);
                        order.release(local);
                        moved += u64::from(form == Pool::Spare && local.pool == Pool::Main);
                    }
                    Some(_) => {}
                }
            }
        }
    }
}
