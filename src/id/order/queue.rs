//! First in, first out: the order of a small range.

use std::collections::VecDeque;

use crate::id::span::Span;

/// First in, first out. Memory is taken for released numbers only, four bytes each.
///
/// Numbers are kept as their *turn*: how far from the number that was handed out first, counted round the range.
#[derive(Debug)]
pub(crate) struct Queue {
    span: Span,
    size: u32,
    /// The number of turn 0.
    start: u64,
    /// The first turn never handed out: all from here on need no place in the queue.
    fresh: u32,
    released: VecDeque<u32>,
}

impl Queue {
    /// All numbers of `span`, which must be fewer than 2^32, beginning with `start`, counted round.
    pub(super) fn new(span: Span, start: u64) -> Self {
        let size = u32::try_from(span.size()).expect("only small ranges are queued");
        Self { span, size, start: span.round(start), fresh: 0, released: VecDeque::new() }
    }

    pub(super) fn next(&mut self) -> Option<u64> {
        let turn = if self.fresh < self.size {
            self.fresh += 1;
            self.fresh - 1
        } else {
            self.released.pop_front()?
        };
        let steps = u64::from(turn);
        // Not by adding first: the sum could exceed the greatest number there is.
        let to_last = self.span.last() - self.start;
        Some(if steps <= to_last { self.start + steps } else { self.span.first() + (steps - to_last - 1) })
    }

    /// Takes `number` back. One that was never handed out is ignored.
    pub(super) fn release(&mut self, number: u64) {
        if !self.span.contains(number) {
            return;
        }
        let steps = match number.checked_sub(self.start) {
            Some(steps) => steps,
            None => self.span.last() - self.start + 1 + (number - self.span.first()),
        };
        if let Some(turn) = u32::try_from(steps).ok().filter(|turn| *turn < self.fresh) {
            self.released.push_back(turn);
        }
    }

    /// How many numbers there are, free or not.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// How many numbers can be handed out now.
    pub(super) fn free(&self) -> usize {
        // Of 32 bits: a usize has as many, at least on all systems that this crate runs on.
        (self.size - self.fresh) as usize + self.released.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_memory_only_for_what_was_released() {
        let mut queue = Queue::new(Span::to(1 << 20), 1);
        for _ in 0..1_000 {
            queue.next().unwrap();
        }
        queue.release(7);
        assert!(queue.released.capacity() < 100);
        assert_eq!(queue.free(), (1 << 20) - 999);
    }

    #[test]
    fn it_begins_at_its_start_and_goes_round() {
        for (start, order) in
            [(5, [5, 6, 7, 8]), (7, [7, 8, 5, 6]), (8, [8, 5, 6, 7]), (9, [5, 6, 7, 8]), (4, [8, 5, 6, 7])]
        {
            let mut queue = Queue::new(Span::new(5, 8).unwrap(), start);
            for _ in 0..3 {
                assert_eq!([(); 4].map(|()| queue.next().unwrap()), order, "from {start}");
                assert_eq!(queue.next(), None);
                order.iter().for_each(|number| queue.release(*number));
            }
        }
    }

    #[test]
    fn what_was_never_handed_out_is_not_taken_back() {
        let mut queue = Queue::new(Span::new(5, 8).unwrap(), 7);
        assert_eq!((queue.next(), queue.next()), (Some(7), Some(8)));
        for number in [0, 4, 5, 6, 9, u64::MAX] {
            queue.release(number);
        }
        assert_eq!(queue.free(), 2);
        assert_eq!((queue.next(), queue.next(), queue.next()), (Some(5), Some(6), None));
    }
}
