//! Arithmetic on whole numbers and fractions that is exact or fails.

use super::Operator;

/// A number, in lowest terms, with a denominator above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exact {
    numerator: i128,
    denominator: i128,
}

/// A result that 128 bits cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl From<i128> for Exact {
    fn from(whole: i128) -> Self {
        Self { numerator: whole, denominator: 1 }
    }
}

impl Exact {
    /// Its value if that is a whole number.
    pub(super) fn whole(self) -> Option<i128> {
        (self.denominator == 1).then_some(self.numerator)
    }

    /// The value of decimal digits, with a sign and a point or without; `None`: it is none, or too long.
    pub(super) fn decimal(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mut all = whole.bytes().chain(fraction.bytes());
        if whole.len() + fraction.len() == 0 || !all.all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut all = whole.bytes().chain(fraction.bytes());
        let numerator = all.try_fold(0_i128, |sum, b| sum.checked_mul(10)?.checked_add(i128::from(b - b'0')))?;
        let denominator = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        Self::checked(Some(if negative { -numerator } else { numerator }), Some(denominator)).ok()
    }

    /// Its digits, with six of them behind the point; those behind are left out.
    pub(super) fn to_decimal(self) -> String {
        let (whole, mut rest) = (self.numerator / self.denominator, (self.numerator % self.denominator).unsigned_abs());
        let mut fraction = String::new();
        for _ in 0..6 {
            // Both are far below what is held in any case that can be typed; what is not is rounded down.
            rest = rest.saturating_mul(10);
            fraction.push(char::from(b'0' + u8::try_from(rest / self.denominator.unsigned_abs()).unwrap_or(9)));
            rest %= self.denominator.unsigned_abs();
        }
        let sign = if self.numerator < 0 { "-" } else { "" };
        format!("{sign}{}.{fraction}", whole.unsigned_abs())
    }

    pub(super) fn negated(self) -> Result<Self, Overflow> {
        Self::checked(self.numerator.checked_neg(), Some(self.denominator))
    }

    /// `None` is SQL's NULL: a division by 0.
    pub(super) fn apply(self, operator: Operator, right: Self) -> Result<Option<Self>, Overflow> {
        Ok(Some(match operator {
            Operator::Add => self.sum(right)?,
            Operator::Subtract => self.sum(right.negated()?)?,
            Operator::Multiply => self.product(right)?,
            _ if right.numerator == 0 => return Ok(None),
            Operator::Divide => self.quotient(right)?,
            Operator::IntegerDivide => self.quotient(right)?.truncated(),
            Operator::Modulo => {
                let taken = right.product(self.quotient(right)?.truncated())?;
                self.sum(taken.negated()?)?
            }
        }))
    }

    fn sum(self, right: Self) -> Result<Self, Overflow> {
        let scaled = |a: Self, b: Self| a.numerator.checked_mul(b.denominator);
        let numerator = scaled(self, right).zip(scaled(right, self)).and_then(|(a, b)| a.checked_add(b));
        Self::checked(numerator, self.denominator.checked_mul(right.denominator))
    }

    fn product(self, right: Self) -> Result<Self, Overflow> {
        let numerator = self.numerator.checked_mul(right.numerator);
        Self::checked(numerator, self.denominator.checked_mul(right.denominator))
    }

    fn quotient(self, right: Self) -> Result<Self, Overflow> {
        let numerator = self.numerator.checked_mul(right.denominator);
        Self::checked(numerator, self.denominator.checked_mul(right.numerator))
    }

    /// Without its fraction.
    fn truncated(self) -> Self {
        Self::from(self.numerator / self.denominator)
    }

    /// In lowest terms. The denominator is not 0.
    fn checked(numerator: Option<i128>, denominator: Option<i128>) -> Result<Self, Overflow> {
        let (mut numerator, mut denominator) = numerator.zip(denominator).ok_or(Overflow)?;
        if denominator < 0 {
            numerator = numerator.checked_neg().ok_or(Overflow)?;
            denominator = denominator.checked_neg().ok_or(Overflow)?;
        }
        let divisor = common_divisor(numerator, denominator);
        Ok(Self { numerator: numerator / divisor, denominator: denominator / divisor })
    }
}

/// The greatest number that divides both; `b` is above 0, and so is the result.
fn common_divisor(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (b, a % b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs()
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::{Operator::*, *};

    fn whole(a: i128, operator: Operator, b: i128) -> Result<Option<i128>, Overflow> {
        let result = Exact::from(a).apply(operator, b.into())?;
        Ok(result.map(|exact| exact.whole().expect("a whole number")))
    }

    #[test]
    fn it_is_exact_at_the_ends() {
        for (a, operator, b, expected) in [
            (i128::MAX, Add, 0, Ok(Some(i128::MAX))),
            (i128::MAX, Add, 1, Err(Overflow)),
            (i128::MIN, Add, 0, Ok(Some(i128::MIN))),
            (i128::MIN, Subtract, 1, Err(Overflow)),
            (i128::MAX, Multiply, 2, Err(Overflow)),
            (i128::MIN, Multiply, 1, Ok(Some(i128::MIN))),
            (i128::MIN, Divide, 1, Ok(Some(i128::MIN))),
            (i128::MIN, Divide, -1, Err(Overflow)),
            (1, Divide, i128::MIN, Err(Overflow)),
            (0, Divide, 5, Ok(Some(0))),
            (5, Divide, 0, Ok(None)),
            (5, IntegerDivide, 0, Ok(None)),
            (5, Modulo, 0, Ok(None)),
            (7, IntegerDivide, 2, Ok(Some(3))),
            (-7, IntegerDivide, 2, Ok(Some(-3))),
            (-7, Modulo, 2, Ok(Some(-1))),
            (7, Modulo, -2, Ok(Some(1))),
        ] {
            assert_eq!(whole(a, operator, b), expected, "{a} {operator:?} {b}");
        }
        assert_eq!(Exact::from(i128::MIN).negated(), Err(Overflow));
    }

    #[test]
    fn fractions_stay_fractions() {
        let apply = |a: Exact, operator, b: i128| a.apply(operator, b.into()).unwrap().unwrap();
        let fraction = apply(10.into(), Divide, 4);
        assert_eq!(fraction.whole(), None);
        assert_eq!(apply(fraction, Multiply, 2).whole(), Some(5));
        assert_eq!(apply(fraction, IntegerDivide, 1).whole(), Some(2));
        assert_eq!(apply(apply(fraction, Modulo, 2), Multiply, 2).whole(), Some(1));
        assert_eq!(apply(5.into(), Divide, -5).whole(), Some(-1));
        let third = apply(1.into(), Divide, 3);
        let sum = third.apply(Add, third).unwrap().unwrap().apply(Add, third).unwrap().unwrap();
        assert_eq!(sum.whole(), Some(1));
    }

    #[test]
    fn decimals_are_read_and_written() {
        for (text, written) in [
            ("0.5", "0.500000"),
            ("-1.25", "-1.250000"),
            (".1", "0.100000"),
            ("5.", "5.000000"),
            ("-0.000001", "-0.000001"),
        ] {
            assert_eq!(Exact::decimal(text).map(Exact::to_decimal).as_deref(), Some(written), "{text}");
        }
        for text in ["", "-", ".", "1e3", "1.2.3", "--1", &"9".repeat(40), &format!("0.{}", "1".repeat(39))] {
            assert_eq!(Exact::decimal(text), None, "{text}");
        }
        let third = Exact::from(-1).apply(Divide, 3.into()).unwrap().unwrap();
        assert_eq!(third.to_decimal(), "-0.333333");
    }

    proptest! {
        #[test]
        fn it_is_that_of_whole_numbers(a: i64, b: i64, operator in select(vec![Add, Subtract, Multiply, IntegerDivide, Modulo])) {
            let (x, y) = (i128::from(a), i128::from(b));
            let expected = match operator {
                Add => Some(x + y),
                Subtract => Some(x - y),
                Multiply => Some(x * y),
                IntegerDivide => x.checked_div(y),
                Modulo => x.checked_rem(y),
                Divide => unreachable!("it is not drawn"),
            };
            prop_assert_eq!(whole(x, operator, y), Ok(expected));
        }

        #[test]
        fn a_quotient_times_its_divisor_is_what_was_divided(a: i64, b in any::<i64>().prop_filter("no zero", |b| *b != 0)) {
            let (x, y) = (Exact::from(i128::from(a)), Exact::from(i128::from(b)));
            let quotient = x.apply(Divide, y).unwrap().unwrap();
            prop_assert_eq!(quotient.whole().is_some(), i128::from(a) % i128::from(b) == 0);
            prop_assert_eq!(quotient.apply(Multiply, y), Ok(Some(x)));
        }
    }
}
