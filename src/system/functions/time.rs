//! Functions of moments. Moments are texts as MySQL writes them; what is none is NULL.

use rusqlite::{
    Result,
    types::{Value, ValueRef},
};

use super::{
    Entry,
    calendar::{DAY, Moment, SECOND, days},
    call::{Call, some},
};
use crate::model::{DateTime, Time};

pub(super) const ALL: &[Entry] = &[
    ("curdate", 0, 0, |call| Ok(text(now(call), 0, Part::Date))),
    ("curtime", 0, 1, |call| Ok(text(now(call), precision(call, 0), Part::Time))),
    ("date", 1, 1, |call| Ok(some(fields(call, 0).map(|at| at.date.to_string())))),
    ("date_add", 3, 3, date_add),
    ("date_format", 2, 2, |call| Ok(some(fields(call, 0).zip(call.text(1)).and_then(|(at, how)| written(&at, &how))))),
    ("datediff", 2, 2, |call| {
        let days = moment(call, 0).zip(moment(call, 1)).map(|(a, b)| a.day() - b.day());
        Ok(days.map_or(Value::Null, Value::Integer))
    }),
    ("day", 1, 1, |call| field(call, 0, "DAY")),
    ("extract", 2, 2, |call| {
        let unit = call.text(0).unwrap_or_default();
        field(call, 1, &unit)
    }),
    ("from_unixtime", 1, 2, |call| {
        let Some(seconds) = call.real(0).filter(|seconds| (0.0..=4e11).contains(seconds)) else {
            return Ok(Value::Null);
        };
        let at = Moment((seconds * SECOND as f64).round() as i64);
        if call.count() == 1 {
            return Ok(text(at, if seconds.fract() == 0.0 { 0 } else { 6 }, Part::Both));
        }
        Ok(some(at.fields().zip(call.text(1)).and_then(|(at, how)| written(&at, &how))))
    }),
    ("hour", 1, 1, |call| field(call, 0, "HOUR")),
    ("minute", 1, 1, |call| field(call, 0, "MINUTE")),
    ("month", 1, 1, |call| field(call, 0, "MONTH")),
    ("now", 0, 1, |call| Ok(text(now(call), precision(call, 0), Part::Both))),
    ("sec_to_time", 1, 1, |call| {
        let Some(seconds) = call.real(0) else { return Ok(Value::Null) };
        // TIME ends at 838:59:59.
        let whole = seconds.abs().min(3_020_399.0);
        let (seconds_whole, micros) = (whole.trunc() as u32, (whole.fract() * 1e6).round().min(999_999.0) as u32);
        let (minutes, rest) = (seconds_whole / 60 % 60, seconds_whole % 60);
        let time = Time::new(seconds < 0.0, seconds_whole / 3600, minutes as u8, rest as u8, micros);
        Ok(some(time.ok().map(|time| time.to_string())))
    }),
    ("second", 1, 1, |call| field(call, 0, "SECOND")),
    ("time", 1, 1, |call| {
        let Some(given) = call.text(0) else { return Ok(Value::Null) };
        Ok(some(given.parse::<Time>().ok().map(|time| time.to_string()).or_else(|| {
            let at = given.parse::<DateTime>().ok()?.to_string();
            at.split_once(' ').map(|(_, time)| time.to_owned())
        })))
    }),
    ("time_to_sec", 1, 1, |call| {
        let Some(time) = call.text(0).and_then(|text| text.parse::<Time>().ok()) else { return Ok(Value::Null) };
        let seconds = i64::from(time.hours) * 3600 + i64::from(time.minutes) * 60 + i64::from(time.seconds);
        Ok(Value::Integer(if time.negative { -seconds } else { seconds }))
    }),
    ("timestamp", 1, 1, |call| Ok(some(fields(call, 0).map(|at| at.to_string())))),
    ("timestampdiff", 3, 3, timestampdiff),
    ("unix_timestamp", 0, 1, |call| {
        if call.count() == 0 {
            return Ok(Value::Integer(now(call).0 / SECOND));
        }
        let Some(at) = moment(call, 0).map(|at| at.0) else { return Ok(Value::Null) };
        let seconds = at.max(0);
        Ok(if seconds % SECOND == 0 {
            Value::Integer(seconds / SECOND)
        } else {
            Value::Real(seconds as f64 / SECOND as f64)
        })
    }),
    ("utc_date", 0, 0, |call| Ok(text(now(call), 0, Part::Date))),
    ("utc_time", 0, 1, |call| Ok(text(now(call), precision(call, 0), Part::Time))),
    ("utc_timestamp", 0, 1, |call| Ok(text(now(call), precision(call, 0), Part::Both))),
    ("year", 1, 1, |call| field(call, 0, "YEAR")),
];

#[derive(PartialEq)]
enum Part {
    Both,
    Date,
    Time,
}

/// When the question was asked.
fn now(call: &Call<'_, '_>) -> Moment {
    let since = i64::try_from(call.environment.facts.since().as_micros()).unwrap_or(i64::MAX / 2);
    Moment(since)
}

/// The digits behind the point that are asked for.
fn precision(call: &Call<'_, '_>, at: usize) -> usize {
    let digits = if at < call.count() { call.int(at).unwrap_or(0) } else { 0 };
    usize::try_from(digits.clamp(0, 6)).unwrap_or(0)
}

fn text(at: Moment, digits: usize, part: Part) -> Value {
    let Some(at) = at.fields() else { return Value::Null };
    let micros = at.micros;
    let whole = DateTime { micros: 0, ..at }.to_string();
    let (date, time) = whole.split_once(' ').unwrap_or((&whole, ""));
    let fraction = format!("{micros:06}");
    let fraction = if digits > 0 { format!(".{}", &fraction[..digits]) } else { String::new() };
    Value::Text(match part {
        Part::Both => format!("{date} {time}{fraction}"),
        Part::Date => date.to_owned(),
        Part::Time => format!("{time}{fraction}"),
    })
}

fn fields(call: &Call<'_, '_>, at: usize) -> Option<DateTime> {
    if let ValueRef::Integer(number) = call.raw(at) {
        // 20240229 and 20240229235959.
        let number = u64::try_from(number).ok()?;
        let (date, time) = if number > 99_999_999 { (number / 1_000_000, number % 1_000_000) } else { (number, 0) };
        let two = |number: u64| number % 100;
        let written = format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            date / 10_000,
            two(date / 100),
            two(date),
            time / 10_000,
            two(time / 100),
            two(time)
        );
        return written.parse().ok();
    }
    call.text(at)?.trim().parse().ok()
}

fn moment(call: &Call<'_, '_>, at: usize) -> Option<Moment> {
    Moment::of(&fields(call, at)?)
}

/// `date_add(moment, amount, unit)`. A day stays one, unless hours or less are added.
fn date_add(call: &Call<'_, '_>) -> Result<Value> {
    let (Some(at), Some(amount), Some(unit)) = (moment(call, 0), call.real(1), call.text(2)) else {
        return Ok(Value::Null);
    };
    let whole = amount.round() as i64;
    let length = match &*unit {
        "MICROSECOND" => 1,
        "SECOND" => SECOND,
        "MINUTE" => 60 * SECOND,
        "HOUR" => 3600 * SECOND,
        "DAY" => DAY,
        "WEEK" => 7 * DAY,
        _ => 0,
    };
    let months = match &*unit {
        "MONTH" => 1,
        "QUARTER" => 3,
        "YEAR" => 12,
        _ => 0,
    };
    let later = match (&*unit, length) {
        ("SECOND", _) if amount.abs() < 1e12 => at.0.checked_add((amount * SECOND as f64).round() as i64).map(Moment),
        (_, 0) => whole.checked_mul(months).and_then(|months| at.months(months)),
        _ => whole.checked_mul(length).and_then(|more| at.0.checked_add(more)).map(Moment),
    };
    let day = call.text(0).is_some_and(|text| text.trim().len() <= 10) && (length == 0 || length >= DAY);
    let Some(later) = later.filter(|later| later.fields().is_some()) else { return Ok(Value::Null) };
    let digits = if later.0 % SECOND == 0 { 0 } else { 6 };
    Ok(text(later, digits, if day { Part::Date } else { Part::Both }))
}

/// `timestampdiff(unit, from, to)`: whole units.
fn timestampdiff(call: &Call<'_, '_>) -> Result<Value> {
    let (Some(unit), Some(from), Some(to)) = (call.text(0), moment(call, 1), moment(call, 2)) else {
        return Ok(Value::Null);
    };
    let months = |each: i64| {
        let (Some(a), Some(b)) = (from.fields(), to.fields()) else { return 0 };
        let month = |at: &DateTime| i64::from(at.date.year) * 12 + i64::from(at.date.month);
        let rest = |at: &DateTime| (at.date.day, at.hour, at.minute, at.second, at.micros);
        let mut count = month(&b) - month(&a);
        if count > 0 && rest(&b) < rest(&a) {
            count -= 1;
        } else if count < 0 && rest(&b) > rest(&a) {
            count += 1;
        }
        count / each
    };
    let span = to.0 - from.0;
    Ok(Value::Integer(match &*unit {
        "MICROSECOND" => span,
        "SECOND" => span / SECOND,
        "MINUTE" => span / (60 * SECOND),
        "HOUR" => span / (3600 * SECOND),
        "DAY" => span / DAY,
        "WEEK" => span / (7 * DAY),
        "MONTH" => months(1),
        "QUARTER" => months(3),
        _ => months(12),
    }))
}

/// One field of a moment, or of a time of day.
fn field(call: &Call<'_, '_>, at: usize, unit: &str) -> Result<Value> {
    let time = call.text(at).and_then(|text| text.trim().parse::<Time>().ok());
    if let Some(time) = time
        && let Some(field) = match unit {
            "HOUR" => Some(time.hours),
            "MINUTE" => Some(time.minutes.into()),
            "SECOND" => Some(time.seconds.into()),
            "MICROSECOND" => Some(time.micros),
            _ => None,
        }
    {
        return Ok(Value::Integer(field.into()));
    }
    let Some(at) = fields(call, at) else { return Ok(Value::Null) };
    Ok(Value::Integer(match unit {
        "MICROSECOND" => at.micros.into(),
        "SECOND" => at.second.into(),
        "MINUTE" => at.minute.into(),
        "HOUR" => at.hour.into(),
        "DAY" => at.date.day.into(),
        "MONTH" => at.date.month.into(),
        "QUARTER" => (i64::from(at.date.month) + 2) / 3,
        _ => at.date.year.into(),
    }))
}

/// DATE_FORMAT's marks. `None`: it would be far longer than its format.
fn written(at: &DateTime, format: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    if format.len() > 1 << 16 {
        return None;
    }
    let month = MONTHS[usize::from(at.date.month.clamp(1, 12)) - 1];
    let since = days(at.date.year.into(), at.date.month.into(), at.date.day.into());
    let weekday = (since + 4).rem_euclid(7) as usize;
    let twelve = (at.hour + 11) % 12 + 1;
    let half = if at.hour < 12 { "AM" } else { "PM" };
    let (mut out, mut chars) = (String::new(), format.chars());
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        out += &match chars.next()? {
            'Y' => format!("{:04}", at.date.year),
            'y' => format!("{:02}", at.date.year % 100),
            'm' => format!("{:02}", at.date.month),
            'c' => at.date.month.to_string(),
            'M' => month.to_owned(),
            'b' => month[..3].to_owned(),
            'd' => format!("{:02}", at.date.day),
            'e' => at.date.day.to_string(),
            'j' => format!("{:03}", since - days(at.date.year.into(), 1, 1) + 1),
            'W' => DAYS[weekday].to_owned(),
            'a' => DAYS[weekday][..3].to_owned(),
            'w' => weekday.to_string(),
            'H' => format!("{:02}", at.hour),
            'k' => at.hour.to_string(),
            'h' | 'I' => format!("{twelve:02}"),
            'l' => twelve.to_string(),
            'i' => format!("{:02}", at.minute),
            's' | 'S' => format!("{:02}", at.second),
            'f' => format!("{:06}", at.micros),
            'p' => half.to_owned(),
            'T' => format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second),
            'r' => format!("{twelve:02}:{:02}:{:02} {half}", at.minute, at.second),
            other => other.to_string(),
        };
    }
    Some(out)
}
