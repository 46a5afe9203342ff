//! Days and seconds of the Gregorian calendar, which is carried back to the year 0.

use crate::model::{Date, DateTime};

/// A moment as microseconds since 1970, in whatever zone its date is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) i64);

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const DAY: i64 = 86_400 * SECOND;

impl Moment {
    /// `None`: there is no such day, as in `0000-00-00`.
    pub(super) fn of(at: &DateTime) -> Option<Self> {
        let Date { year, month, day } = at.date;
        if month == 0 || day == 0 || day > days_of(year.into(), month) {
            return None;
        }
        let seconds = i64::from(at.hour) * 3600 + i64::from(at.minute) * 60 + i64::from(at.second);
        Some(Self(days(year.into(), month.into(), day.into()) * DAY + seconds * SECOND + i64::from(at.micros)))
    }

    /// `None`: it is not of the years 0 to 9999.
    pub(super) fn fields(self) -> Option<DateTime> {
        let (days, rest) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let date = date(days)?;
        let field = |unit: i64, of: i64| (rest / unit % of) as u8;
        let micros = (rest % SECOND) as u32;
        DateTime::new(date, field(3600 * SECOND, 24), field(60 * SECOND, 60), field(SECOND, 60), micros).ok()
    }

    /// The day, counted from 1970.
    pub(super) fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// So many months later; the day is the month's last where it has none of that number.
    pub(super) fn months(self, count: i64) -> Option<Self> {
        let mut at = self.fields()?;
        let month = (i64::from(at.date.year) * 12 + i64::from(at.date.month) - 1).checked_add(count)?;
        at.date.year = u16::try_from(month.div_euclid(12)).ok().filter(|year| *year <= 9999)?;
        at.date.month = month.rem_euclid(12) as u8 + 1;
        at.date.day = at.date.day.min(days_of(at.date.year.into(), at.date.month));
        Self::of(&at)
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: u8) -> u8 {
    match month {
        2 => 28 + u8::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to this date.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin with March have the day that comes and goes at their end.
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

/// The date so many days after 1970-01-01.
fn date(days_since: i64) -> Option<Date> {
    let mut year = 1970 + days_since.div_euclid(365).clamp(-3000, 9000);
    while days(year, 1, 1) > days_since {
        year -= 1 + (days(year, 1, 1) - days_since) / 366;
    }
    while days(year + 1, 1, 1) <= days_since {
        year += 1;
    }
    let year_field = u16::try_from(year).ok().filter(|year| *year <= 9999)?;
    let mut rest = days_since - days(year, 1, 1);
    let mut month = 1;
    while rest >= i64::from(days_of(year, month)) {
        rest -= i64::from(days_of(year, month));
        month += 1;
        if month > 12 {
            return None;
        }
    }
    Date::new(year_field, month, rest as u8 + 1).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1), days(1969, 12, 31)), (0, 11_017, -1));
        let month_later = |text: &str, count| {
            Moment::of(&text.parse().unwrap())
                .and_then(|at| at.months(count))
                .and_then(Moment::fields)
                .map(|at| at.date)
        };
        assert_eq!(month_later("2024-01-31", 1), "2024-02-29".parse().ok());
        assert_eq!(month_later("2024-03-31", -13), "2023-02-28".parse().ok());
        assert_eq!(month_later("9999-12-31", 1), None);
        assert_eq!(Moment::of(&"2023-02-29".parse().unwrap()), None);
        assert_eq!(Moment(i64::MAX).fields(), None);
        assert_eq!(Moment(i64::MIN).fields(), None);
    }

    proptest! {
        #[test]
        fn a_moment_is_its_fields(micros in days(0, 1, 1) * DAY..days(10_000, 1, 1) * DAY) {
            let fields = Moment(micros).fields().unwrap();
            prop_assert_eq!(Moment::of(&fields), Some(Moment(micros)));
        }
    }
}
