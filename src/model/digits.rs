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

/// The digits of a number.
pub(crate) struct Digits {
    text: [u8; 20],
    from: usize,
}

impl Digits {
    /// Without zeros in front.
    pub(crate) fn of(mut number: u64) -> Self {
        let (mut text, mut from) = ([0; 20], 20);
        let mut put = |digits: &[u8]| {
            from -= digits.len();
            text[from..from + digits.len()].copy_from_slice(digits);
        };
        while number >= 100 {
            // A remainder by a hundred is a place among a hundred.
            put(&PAIRS[(number % 100) as usize]);
            number /= 100;
        }
        let [ten, one] = PAIRS[number as usize];
        if number >= 10 {
            put(&[ten, one])
        } else {
            put(&[one])
        }
        Self { text, from }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[self.from..]
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
            assert_eq!(Digits::of(number).as_bytes(), number.to_string().as_bytes());
        }
    }
}
