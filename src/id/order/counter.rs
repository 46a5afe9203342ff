//! Round and round the range: the order of a large range.

use crate::id::span::Span;

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

    /// The next number for which `is_live` is false, of at most `live` + 1 that are tried.
    pub(super) fn next(&mut self, is_live: impl Fn(u64) -> bool, live: usize) -> Option<u64> {
        // The one number more than there are live ones is the free one. No more than the range has: if all are live,
        // each is tried once.
        let more = u64::try_from(live).unwrap_or(u64::MAX).min(self.span.size() - 1);
        for _ in 0..=more {
            let number = self.next;
            self.next = self.span.after(number);
            if !is_live(number) {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn it_gives_up_when_all_are_live_and_whatever_it_is_told() {
        for live in [0, 1, 5, usize::MAX] {
            assert_eq!(Counter::new(Span::to(5), 1).next(|_| true, live), None);
        }
        // Of a large range it tries no more than one number for each live one, and one more.
        let tries = Cell::new(0);
        let count = |_| {
            tries.set(tries.get() + 1);
            true
        };
        assert_eq!(Counter::new(Span::to(u64::MAX), 1).next(count, 9), None);
        assert_eq!(tries.get(), 10);
    }

    #[test]
    fn it_begins_at_its_start_and_goes_round() {
        let mut counter = Counter::new(Span::new(5, 8).unwrap(), 7);
        assert_eq!([(); 6].map(|()| counter.next(|_| false, 0).unwrap()), [7, 8, 5, 6, 7, 8]);
    }
}
