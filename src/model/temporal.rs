//! Dates and times as SQL has them: fields, not points on a line. Their text is MySQL's (`2024-02-29 23:59:59.000001`,
//! `-838:59:59`).

use std::{fmt, str::FromStr, time::SystemTime};

/// A date. Zero dates (`0000-00-00`) exist, and so do days that no month has: whether they are allowed is the engine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    /// 0 to 9999.
    pub year: u16,
    /// 0 to 12.
    pub month: u8,
    /// 0 to 31.
    pub day: u8,
}

/// A date and a time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateTime {
    /// The day.
    pub date: Date,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999.
    pub micros: u32,
}

/// A time, or a span of time: SQL's `TIME` is both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Time {
    /// Whether it is before zero.
    pub negative: bool,
    /// MySQL: up to 838.
    pub hours: u32,
    /// 0 to 59.
    pub minutes: u8,
    /// 0 to 59.
    pub seconds: u8,
    /// 0 to 999,999.
    pub micros: u32,
}

/// A text or a set of fields that is no date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no date or time")]
pub struct NotTemporal;

impl Date {
    /// The Gregorian date that is so many days after 1970-01-01 (Howard Hinnant's `civil_from_days`).
    fn of_unix_day(days: i64) -> Self {
        let days = days.clamp(-719_528, 2_932_896) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        let small = |n: i64| u8::try_from(n).unwrap_or_default();
        Self { year: u16::try_from(year).unwrap_or_default(), month: small(month), day: small(day) }
    }

    /// A date of these fields.
    ///
    /// # Errors
    /// A field is out of its range.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, NotTemporal> {
        if year <= 9999 && month <= 12 && day <= 31 { Ok(Self { year, month, day }) } else { Err(NotTemporal) }
    }

    /// Midnight of it.
    pub fn midnight(self) -> DateTime {
        DateTime { date: self, ..DateTime::default() }
    }
}

impl From<SystemTime> for DateTime {
    /// The point in time in UTC, with its microseconds; what lies before 1970 becomes 1970's first moment.
    fn from(at: SystemTime) -> Self {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        Self { micros: since.subsec_micros(), ..Self::of_unix(seconds) }
    }
}

impl DateTime {
    /// The point in time that is so many seconds after 1970 began, or before if they are negative. Years beyond 0 and
    /// 9999 become these.
    pub fn of_unix(seconds: i64) -> Self {
        // All three are below their divisors.
        let small = |n: i64| u8::try_from(n).unwrap_or_default();
        let rest = seconds.rem_euclid(86_400);
        Self {
            date: Date::of_unix_day(seconds.div_euclid(86_400)),
            hour: small(rest / 3_600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
            micros: 0,
        }
    }

    /// A point in time of these fields.
    ///
    /// # Errors
    /// A field is out of its range.
    pub fn new(date: Date, hour: u8, minute: u8, second: u8, micros: u32) -> Result<Self, NotTemporal> {
        let fits = hour < 24 && minute < 60 && second < 60 && micros < 1_000_000;
        if fits { Ok(Self { date, hour, minute, second, micros }) } else { Err(NotTemporal) }
    }
}

impl Time {
    /// A time of these fields.
    ///
    /// # Errors
    /// Minutes, seconds or microseconds are out of their range.
    pub fn new(negative: bool, hours: u32, minutes: u8, seconds: u8, micros: u32) -> Result<Self, NotTemporal> {
        let fits = minutes < 60 && seconds < 60 && micros < 1_000_000;
        if fits { Ok(Self { negative, hours, minutes, seconds, micros }) } else { Err(NotTemporal) }
    }
}

fn fraction(f: &mut fmt::Formatter<'_>, micros: u32) -> fmt::Result {
    if micros == 0 { Ok(()) } else { write!(f, ".{micros:06}") }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}:{:02}", self.date, self.hour, self.minute, self.second)?;
        fraction(f, self.micros)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{:02}:{:02}:{:02}", self.hours, self.minutes, self.seconds)?;
        fraction(f, self.micros)
    }
}

/// A field of digits alone: `FromStr` of numbers would take a sign.
fn field<T: FromStr>(text: &str) -> Result<T, NotTemporal> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or(NotTemporal)
}

/// Three fields between two separators.
fn three(text: &str, separator: char) -> Result<[&str; 3], NotTemporal> {
    let mut fields = text.splitn(3, separator);
    match (fields.next(), fields.next(), fields.next()) {
        (Some(a), Some(b), Some(c)) => Ok([a, b, c]),
        _ => Err(NotTemporal),
    }
}

/// The text before the point, and the microseconds behind it.
fn split_fraction(text: &str) -> Result<(&str, u32), NotTemporal> {
    let Some((whole, digits)) = text.split_once('.') else { return Ok((text, 0)) };
    if digits.is_empty() || digits.len() > 6 {
        return Err(NotTemporal);
    }
    Ok((whole, field(&format!("{digits:0<6}"))?))
}

impl FromStr for Date {
    type Err = NotTemporal;

    fn from_str(text: &str) -> Result<Self, NotTemporal> {
        let [year, month, day] = three(text, '-')?;
        Self::new(field(year)?, field(month)?, field(day)?)
    }
}

impl FromStr for DateTime {
    type Err = NotTemporal;

    /// `YYYY-MM-DD`, or that with ` hh:mm:ss` (or `T` in the place of the blank) and up to six digits of a fraction.
    fn from_str(text: &str) -> Result<Self, NotTemporal> {
        let Some((date, time)) = text.split_once([' ', 'T']) else { return Ok(text.parse::<Date>()?.midnight()) };
        let (whole, micros) = split_fraction(time)?;
        let [hour, minute, second] = three(whole, ':')?;
        Self::new(date.parse()?, field(hour)?, field(minute)?, field(second)?, micros)
    }
}

impl FromStr for Time {
    type Err = NotTemporal;

    fn from_str(text: &str) -> Result<Self, NotTemporal> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, micros) = split_fraction(text)?;
        let [hours, minutes, seconds] = three(whole, ':')?;
        Self::new(negative, field(hours)?, field(minutes)?, field(seconds)?, micros)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_have_their_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_709_210_096, "2024-02-29 12:34:56"),
            (4_102_444_799, "2099-12-31 23:59:59"),
            (253_402_300_799, "9999-12-31 23:59:59"),
            (-3_600, "1969-12-31 23:00:00"),
            (-62_167_219_200, "0000-01-01 00:00:00"),
        ] {
            assert_eq!(DateTime::of_unix(seconds).to_string(), expected);
        }
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::new(1_709_210_096, 123_456_000);
        assert_eq!(DateTime::from(at).to_string(), "2024-02-29 12:34:56.123456");
    }

    #[test]
    fn texts_are_mysqls() {
        let date = Date::new(2024, 2, 29).unwrap();
        assert_eq!(date.to_string(), "2024-02-29");
        assert_eq!(DateTime::new(date, 1, 2, 3, 40).unwrap().to_string(), "2024-02-29 01:02:03.000040");
        assert_eq!(Time::new(true, 838, 59, 59, 0).unwrap().to_string(), "-838:59:59");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "2024", "2024-02", "2024-13-01", "2024-+2-01", "x-1-1", "20240-01-01", "2024-02-29 "] {
            assert_eq!(text.parse::<DateTime>(), Err(NotTemporal), "{text}");
        }
        for text in ["", "1:2", "1:60:00", "--1:00:00", "1:00:00.1234567", "1:00:00.", "+1:00:00"] {
            assert_eq!(text.parse::<Time>(), Err(NotTemporal), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            (year, month, day) in (0u16..=9999, 0u8..=12, 0u8..=31),
            (hour, minute, second, micros) in (0u8..24, 0u8..60, 0u8..60, 0u32..1_000_000),
            (negative, hours) in (any::<bool>(), any::<u32>()),
        ) {
            let date = Date::new(year, month, day).unwrap();
            prop_assert_eq!(date.to_string().parse(), Ok(date));
            let point = DateTime::new(date, hour, minute, second, micros).unwrap();
            prop_assert_eq!(point.to_string().parse(), Ok(point));
            let span = Time::new(negative, hours, minute, second, micros).unwrap();
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        #[test]
        fn any_text_is_answered(text in ".{0,30}") {
            let _ = (text.parse::<DateTime>(), text.parse::<Time>());
        }
    }
}
