//! The order in which local numbers are handed out.
//!
//! Not here: which of them are live. The map knows, and says so where it matters.

mod counter;
mod overflow;
mod queue;

use self::{counter::Counter, overflow::Overflow, queue::Queue};
use super::layout::{Layout, Local, Pool};

/// Up to how many numbers a range is queued. The queue of a larger one could take much memory: four bytes for each
/// number, so at most 4 MiB here and 16 GiB for all of 32 bits.
const QUEUED_AT_MOST: u64 = 1 << 20;

/// The order in which the local numbers of a layout are handed out.
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
    /// For a layout with a spare pool: a queue, and a counter when that is empty.
    Overflow(Overflow),
}

/// What came of a look for the next number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search<T> {
    /// This one is free.
    Found(T),
    /// All are live.
    Exhausted,
    /// Many in a row are live: the search goes on from there, once others had their turn.
    Unfinished,
}

impl<T> Search<T> {
    fn map<U>(self, to: impl FnOnce(T) -> U) -> Search<U> {
        match self {
            Self::Found(number) => Search::Found(to(number)),
            Self::Exhausted => Search::Exhausted,
            Self::Unfinished => Search::Unfinished,
        }
    }

    /// The number, where none is searched for long.
    #[cfg(test)]
    pub(crate) fn found(self) -> Option<T> {
        match self {
            Self::Found(number) => Some(number),
            Self::Exhausted => None,
            Self::Unfinished => panic!("more are live than is expected here"),
        }
    }
}

impl<T> From<Option<T>> for Search<T> {
    fn from(next: Option<T>) -> Self {
        next.map_or(Self::Exhausted, Self::Found)
    }
}

impl Order {
    /// The order for the numbers of `layout`.
    pub(crate) fn new(layout: &Layout) -> Self {
        let (main, start) = (layout.main(), layout.start());
        match layout.spare() {
            Some(spare) => Self::Overflow(Overflow::new(Queue::new(main, start), Counter::new(spare, start))),
            None if main.size() <= QUEUED_AT_MOST => Self::Queue(Queue::new(main, start)),
            None => Self::Counter(Counter::new(main, start)),
        }
    }

    /// The order of a large range for the main pool of any size.
    #[cfg(test)]
    pub(crate) fn counter(layout: &Layout) -> Self {
        Self::Counter(Counter::new(layout.main(), layout.start()))
    }

    /// The next number, if there is a free one.
    ///
    /// `is_live` says whether a number is in use, and `live` how many are, or more. The numbers for which `is_live` is
    /// true may become fewer during the call, but not more. Only large ranges ask; they try at most `live` + 1 numbers,
    /// since one of so many is free, and some of them in one call.
    pub(crate) fn next(&mut self, is_live: impl Fn(Local) -> bool, live: usize) -> Search<Local> {
        let main = |number| Local { pool: Pool::Main, number };
        match self {
            Self::Queue(queue) => Search::from(queue.next()).map(main),
            Self::Counter(counter) => counter.next(|number| is_live(main(number)), live).map(main),
            Self::Overflow(overflow) => overflow.next(is_live, live),
        }
    }

    /// Takes back a number that was handed out and is no longer live, once for each time that it was handed out. A
    /// number never handed out is ignored. Only needed if [`Order::takes_back`] its pool.
    pub(crate) fn release(&mut self, local: Local) {
        match self {
            Self::Queue(queue) => queue.release(local.number),
            Self::Counter(_) => {}
            Self::Overflow(overflow) => overflow.release(local),
        }
    }

    /// The pool whose released numbers must be given back to be handed out again, if there is such a one. Of the others
    /// it is enough that they are no longer live.
    pub(crate) fn takes_back(&self) -> Option<Pool> {
        match self {
            Self::Queue(_) | Self::Overflow(_) => Some(Pool::Main),
            Self::Counter(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
