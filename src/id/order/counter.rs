//! Round and round the range: the order of a large range.

use super::Search;
use crate::id::span::Span;

/// So many numbers are tried at a time: some microseconds.
const AT_A_TIME: u64 = 128;

/// A counter that passes from the first number to the last and starts again, skipping live ones.
#[derive(Debug)]
pub(crate) struct Counter {
    span: Span,
    next: u64,
}

impl Counter {
    /// The numbers of `span`, beginning with `start`, counted round.
    pub(super) fn new(span: Span, start: u64) -> Self {
        Self { span, next: span.round(start) }
    }

    /// The next number for which `is_live` is false, of at most `live` + 1 that are tried, and no more at a time than
    /// [`AT_A_TIME`].
    pub(super) fn next(&mut self, is_live: impl Fn(u64) -> bool, live: usize) -> Search<u64> {
        // The one number more than there are live ones is the free one. No more than the range has: if all are live,
        // each is tried once.
        let more = u64::try_from(live).unwrap_or(u64::MAX).min(self.span.size() - 1);
        for _ in 0..=more.min(AT_A_TIME - 1) {
            let number = self.next;
            self.next = self.span.after(number);
            if !is_live(number) {
                return Search::Found(number);
            }
        }
        let all = u64::try_from(live).is_ok_and(|live| live >= self.span.size());
        if more < AT_A_TIME || all { Search::Exhausted } else { Search::Unfinished }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn it_gives_up_when_all_are_live_and_whatever_it_is_told() {
        for live in [0, 1, 5, usize::MAX] {
            assert_eq!(Counter::new(Span::to(5), 1).next(|_| true, live), Search::Exhausted);
        }
        // Of a large range it tries no more than one number for each live one, and one more.
        let tries = Cell::new(0);
        let count = |_| {
            tries.set(tries.get() + 1);
            true
        };
        assert_eq!(Counter::new(Span::to(u64::MAX), 1).next(count, 9), Search::Exhausted);
        assert_eq!(tries.get(), 10);
    }

    #[test]
    fn it_passes_many_live_numbers_some_at_a_time() {
        let mut counter = Counter::new(Span::to(1_000_000), 1);
        let tries = Cell::new(0);
        let is_live = |number| {
            tries.set(tries.get() + 1);
            number <= 10_000
        };
        let mut turns = 1;
        let found = loop {
            let before = tries.get();
            let next = counter.next(is_live, 10_000);
            assert!(tries.get() - before <= AT_A_TIME);
            match next {
                Search::Unfinished => turns += 1,
                next => break next,
            }
        };
        assert_eq!((found, turns, tries.get()), (Search::Found(10_001), 10_001_u64.div_ceil(AT_A_TIME), 10_001));
        assert_eq!(counter.next(|_| true, 1_000_000), Search::Exhausted, "nobody is to look for ever");
    }

    #[test]
    fn it_begins_at_its_start_and_goes_round() {
        let mut counter = Counter::new(Span::new(5, 8).unwrap(), 7);
        assert_eq!([(); 6].map(|()| counter.next(|_| false, 0).found().unwrap()), [7, 8, 5, 6, 7, 8]);
    }
}
