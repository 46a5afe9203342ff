//! A span of numbers, and how to count round it.

/// The numbers from `first` to `last`, both included. Never empty, and never with 0 in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    first: u64,
    last: u64,
}

impl Span {
    /// `None` if `first` is 0 or greater than `last`.
    pub(super) const fn new(first: u64, last: u64) -> Option<Self> {
        if first == 0 || first > last { None } else { Some(Self { first, last }) }
    }

    /// The numbers 1 to `last`, which must not be 0: for constants.
    pub(super) const fn to(last: u64) -> Self {
        assert!(last > 0, "an empty span");
        Self { first: 1, last }
    }

    pub(super) const fn first(self) -> u64 {
        self.first
    }

    pub(super) const fn last(self) -> u64 {
        self.last
    }

    /// How many numbers there are. At least 1.
    pub(super) const fn size(self) -> u64 {
        // No overflow: first is at least 1.
        self.last - self.first + 1
    }

    pub(super) const fn contains(self, number: u64) -> bool {
        self.first <= number && number <= self.last
    }

    /// The same span without the numbers above `last`; `None` if nothing is left.
    pub(super) const fn up_to(self, last: u64) -> Option<Self> {
        Self::new(self.first, if last < self.last { last } else { self.last })
    }

    /// `number` itself if it is in the span. If not, the number on which it falls when the span is laid round a circle
    /// and counted on, or back: one after the last is the first.
    pub(super) const fn round(self, number: u64) -> u64 {
        match number.checked_sub(self.first) {
            Some(steps) => self.first + steps % self.size(),
            None => self.last - (self.first - 1 - number) % self.size(),
        }
    }

    /// The number after `number`, which must be in the span; after the last comes the first.
    pub(super) const fn after(self, number: u64) -> u64 {
        if number == self.last { self.first } else { number + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_both_its_ends_and_never_0() {
        for (first, last, size) in
            [(1, 1, Some(1)), (5, 9, Some(5)), (1, u64::MAX, Some(u64::MAX)), (0, 9, None), (0, 0, None), (9, 8, None)]
        {
            assert_eq!(Span::new(first, last).map(Span::size), size, "{first}..={last}");
        }
    }

    #[test]
    fn a_number_outside_is_counted_round() {
        let span = Span::new(5, 9).unwrap();
        for (number, falls_on) in [(5, 5), (9, 9), (10, 5), (14, 9), (15, 5), (4, 9), (0, 5), (u64::MAX, 5)] {
            assert_eq!(span.round(number), falls_on, "{number}");
        }
        assert_eq!(Span::to(u64::MAX).round(0), u64::MAX);
        assert_eq!(Span::new(u64::MAX, u64::MAX).unwrap().round(0), u64::MAX);
    }

    #[test]
    fn a_span_is_cut_at_its_end_alone() {
        let span = Span::new(5, 9).unwrap();
        for (last, size) in [(4, None), (5, Some(1)), (8, Some(4)), (9, Some(5)), (u64::MAX, Some(5))] {
            assert_eq!(span.up_to(last).map(Span::size), size, "{last}");
        }
    }
}
