//! Whole numbers in decimals, without the formatter: a list of thousands has many of them.

/// The digits of the numbers below 100, two for each.
static PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut number) = ([[0; 2]; 100], 0);
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

/// The digits of a number. Before them stands how many they are, and behind them are zero bytes: who copies them copies all
/// that room, which takes two moves, where as many bytes as there are digits would take a call.
pub(crate) struct Digits([u8; 1 + Self::MOST]);

impl Digits {
    /// As many as the largest number has.
    pub(crate) const MOST: usize = 20;

    /// Without zeros in front.
    #[inline]
    pub(crate) fn of(number: u64) -> Self {
        // Most numbers are small, and to compare is faster than to count.
        let count = match number {
            0..10 => 1,
            10..100 => 2,
            100..1_000 => 3,
            1_000..10_000 => 4,
            10_000..100_000 => 5,
            _ => number.ilog10() as usize + 1,
        };
        let (mut text, mut rest, mut end) = ([0; 1 + Self::MOST], number, 1 + count);
        text[0] = count as u8;
        while rest >= 100 {
            // A remainder by a hundred is a place among a hundred.
            text[end - 2..end].copy_from_slice(&PAIRS[(rest % 100) as usize]);
            rest /= 100;
            end -= 2;
        }
        let [ten, one] = PAIRS[rest as usize];
        if rest >= 10 {
            text[1..3].copy_from_slice(&[ten, one]);
        } else {
            text[1] = one;
        }
        Self(text)
    }

    /// How many they are.
    pub(crate) fn count(&self) -> u8 {
        self.0[0]
    }

    /// They, and the zero bytes behind them.
    pub(crate) fn padded(&self) -> &[u8; Self::MOST] {
        let [_, padded @ ..] = &self.0;
        padded
    }

    /// Adds their count to these bytes, and them.
    #[cfg_attr(not(any(feature = "mysql", test)), expect(dead_code, reason = "for packets alone"))]
    #[inline]
    pub(crate) fn add_counted(&self, out: &mut Vec<u8>) {
        let end = out.len() + 1 + usize::from(self.count());
        out.extend_from_slice(&self.0);
        out.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_the_formatter_writes_it() {
        let around = |number: u64| [number.saturating_sub(1), number, number.saturating_add(1)];
        let tens = (0..20).flat_map(|power| around(10_u64.pow(power)));
        for number in (0..1_000).chain(tens).chain([1_234_567_890_123_456_789, u64::MAX]) {
            let (digits, expected) = (Digits::of(number), number.to_string());
            let (count, mut out) = (digits.count(), vec![7]);
            digits.add_counted(&mut out);
            assert_eq!(out, [&[7, count], expected.as_bytes()].concat());
            assert_eq!(&digits.padded()[..count.into()], expected.as_bytes());
        }
    }
}
