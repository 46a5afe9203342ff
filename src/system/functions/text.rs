//! Functions of texts. Places are of characters, and counted from 1.

use rusqlite::{Result, types::Value, types::ValueRef};

use super::{
    ANY, Entry,
    call::{Call, some},
    pattern,
};

pub(super) const ALL: &[Entry] = &[
    ("ascii", 1, 1, |call| Ok(call.text(0).map_or(Value::Null, |text| first_byte(&text)))),
    ("char", 1, 1, |call| Ok(some(call.text(0).map(Into::into)))),
    ("char_length", 1, 1, |call| Ok(call.text(0).map_or(Value::Null, |text| length(text.chars().count())))),
    ("concat", 1, ANY, |call| join(call, 0, "")),
    ("concat_ws", 2, ANY, |call| call.text(0).map_or(Ok(Value::Null), |between| join(call, 1, &between))),
    ("elt", 2, ANY, |call| {
        let place = call.int(0).and_then(|place| usize::try_from(place).ok());
        Ok(place.filter(|place| (1..call.count()).contains(place)).map_or(Value::Null, |place| call.value(place)))
    }),
    ("field", 2, ANY, |call| {
        let Some(wanted) = call.text(0).map(|text| text.to_lowercase()) else { return Ok(Value::Integer(0)) };
        let is = |at: &usize| call.text(*at).is_some_and(|text| text.to_lowercase() == wanted);
        Ok(length((1..call.count()).find(is).unwrap_or(0)))
    }),
    ("find_in_set", 2, 2, |call| {
        let (Some(wanted), Some(set)) = (call.text(0), call.text(1)) else { return Ok(Value::Null) };
        let wanted = wanted.to_lowercase();
        Ok(length(set.split(',').position(|one| one.to_lowercase() == wanted).map_or(0, |place| place + 1)))
    }),
    ("format", 2, 2, |call| Ok(some(call.real(0).zip(call.int(1)).map(|(number, digits)| grouped(number, digits))))),
    ("hex", 1, 1, |call| {
        Ok(match call.raw(0) {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Text(format!("{number:X}")),
            ValueRef::Real(number) => Value::Text(format!("{:X}", number.round() as i64)),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                call.room(bytes.len().saturating_mul(2))?;
                Value::Text(bytes.iter().map(|byte| format!("{byte:02X}")).collect())
            }
        })
    }),
    ("instr", 2, 2, |call| locate(call, 1, 0, 1)),
    ("left", 2, 2, |call| {
        Ok(some(call.text(0).zip(call.int(1)).map(|(text, count)| text.chars().take(natural(count)).collect())))
    }),
    ("length", 1, 1, |call| {
        Ok(match call.raw(0) {
            ValueRef::Null => Value::Null,
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => length(bytes.len()),
            _ => length(call.text(0).map_or(0, |text| text.len())),
        })
    }),
    ("locate", 2, 3, |call| {
        let from = if call.count() == 3 { call.int(2) } else { Some(1) };
        from.map_or(Ok(Value::Null), |from| locate(call, 0, 1, from))
    }),
    ("lower", 1, 1, |call| Ok(some(call.text(0).map(|text| text.to_lowercase())))),
    ("lpad", 3, 3, |call| pad(call, true)),
    ("ltrim", 1, 1, |call| Ok(some(call.text(0).map(|text| text.trim_start_matches(' ').to_owned())))),
    ("regexp_like", 2, 3, pattern::regexp_like),
    ("repeat", 2, 2, |call| {
        let (Some(text), Some(times)) = (call.text(0), call.int(1)) else { return Ok(Value::Null) };
        call.room(text.len().saturating_mul(natural(times)))?;
        // Nothing is as long as it likes.
        Ok(Value::Text(if text.is_empty() { String::new() } else { text.repeat(natural(times)) }))
    }),
    ("replace", 3, 3, |call| {
        let (Some(text), Some(from), Some(to)) = (call.text(0), call.text(1), call.text(2)) else {
            return Ok(Value::Null);
        };
        if from.is_empty() {
            return Ok(Value::Text(text.into()));
        }
        call.room(text.len().saturating_add(text.matches(&*from).count().saturating_mul(to.len())))?;
        Ok(Value::Text(text.replace(&*from, &to)))
    }),
    ("reverse", 1, 1, |call| Ok(some(call.text(0).map(|text| text.chars().rev().collect())))),
    ("right", 2, 2, |call| {
        let (Some(text), Some(count)) = (call.text(0), call.int(1)) else { return Ok(Value::Null) };
        let skipped = text.chars().count().saturating_sub(natural(count));
        Ok(Value::Text(text.chars().skip(skipped).collect()))
    }),
    ("rpad", 3, 3, |call| pad(call, false)),
    ("rtrim", 1, 1, |call| Ok(some(call.text(0).map(|text| text.trim_end_matches(' ').to_owned())))),
    ("space", 1, 1, |call| {
        let Some(count) = call.int(0) else { return Ok(Value::Null) };
        call.room(natural(count))?;
        Ok(Value::Text(" ".repeat(natural(count))))
    }),
    ("strcmp", 2, 2, |call| {
        let (Some(a), Some(b)) = (call.text(0), call.text(1)) else { return Ok(Value::Null) };
        Ok(Value::Integer(a.to_lowercase().cmp(&b.to_lowercase()) as i64))
    }),
    ("substring", 2, 3, substring),
    ("substring_index", 3, 3, |call| {
        let (Some(text), Some(mark), Some(count)) = (call.text(0), call.text(1), call.int(2)) else {
            return Ok(Value::Null);
        };
        Ok(Value::Text(until(&text, &mark, count).to_owned()))
    }),
    ("trim", 1, 1, |call| Ok(some(call.text(0).map(|text| text.trim_matches(' ').to_owned())))),
    ("trim", 3, 3, |call| {
        let (Some(side), Some(what), Some(text)) = (call.text(0), call.text(1), call.text(2)) else {
            return Ok(Value::Null);
        };
        let mut rest: &str = &text;
        while let Some(less) = rest.strip_prefix(&*what).filter(|_| side != "TRAILING" && !what.is_empty()) {
            rest = less;
        }
        while let Some(less) = rest.strip_suffix(&*what).filter(|_| side != "LEADING" && !what.is_empty()) {
            rest = less;
        }
        Ok(Value::Text(rest.to_owned()))
    }),
    ("upper", 1, 1, |call| Ok(some(call.text(0).map(|text| text.to_uppercase())))),
];

fn length(count: usize) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Below zero it is none.
fn natural(count: i64) -> usize {
    usize::try_from(count.max(0)).unwrap_or(usize::MAX)
}

fn first_byte(text: &str) -> Value {
    Value::Integer(text.bytes().next().map_or(0, i64::from))
}

/// CONCAT is NULL if one of its arguments is; CONCAT_WS, of which `first` is 1, leaves those out.
fn join(call: &Call<'_, '_>, first: usize, between: &str) -> Result<Value> {
    if call.count() < first + 1 {
        return Err(call.wrong_count(if first == 0 { "CONCAT" } else { "CONCAT_WS" }));
    }
    if first == 0 && call.any_null() {
        return Ok(Value::Null);
    }
    let mut all = String::new();
    let texts = (first..call.count()).filter_map(|at| call.text(at));
    for (nth, text) in texts.enumerate() {
        call.room(all.len().saturating_add(between.len() + text.len()))?;
        if nth > 0 {
            all.push_str(between);
        }
        all.push_str(&text);
    }
    Ok(Value::Text(all))
}

/// Where one text stands in another, whatever the case of its letters; 0: nowhere.
fn locate(call: &Call<'_, '_>, wanted: usize, within: usize, from: i64) -> Result<Value> {
    let (Some(wanted), Some(text)) = (call.text(wanted), call.text(within)) else { return Ok(Value::Null) };
    if from < 1 {
        return Ok(Value::Integer(0));
    }
    let (wanted, text) = (wanted.to_lowercase(), text.to_lowercase());
    let skipped = natural(from) - 1;
    let Some((start, _)) = text.char_indices().chain([(text.len(), ' ')]).nth(skipped) else {
        return Ok(Value::Integer(0));
    };
    let found = text[start..].find(&wanted);
    Ok(length(found.map_or(0, |at| skipped + 1 + text[start..start + at].chars().count())))
}

fn pad(call: &Call<'_, '_>, left: bool) -> Result<Value> {
    let (Some(text), Some(wanted), Some(by)) = (call.text(0), call.int(1), call.text(2)) else {
        return Ok(Value::Null);
    };
    let (Ok(wanted), count) = (usize::try_from(wanted), text.chars().count()) else { return Ok(Value::Null) };
    if wanted <= count {
        return Ok(Value::Text(text.chars().take(wanted).collect()));
    }
    if by.is_empty() {
        return Ok(Value::Text(String::new()));
    }
    call.room(text.len().saturating_add(wanted.saturating_mul(4)))?;
    let more: String = by.chars().cycle().take(wanted - count).collect();
    Ok(Value::Text(if left { more + &text } else { text.into_owned() + &more }))
}

fn substring(call: &Call<'_, '_>) -> Result<Value> {
    if call.any_null() {
        return Ok(Value::Null);
    }
    let (text, from) = (call.text(0).unwrap_or_default(), call.int(1).unwrap_or(0));
    let most = if call.count() == 3 { natural(call.int(2).unwrap_or(0)) } else { usize::MAX };
    let skipped = match from {
        0 => return Ok(Value::Text(String::new())),
        1.. => natural(from) - 1,
        _ => match text.chars().count().checked_sub(usize::try_from(from.unsigned_abs()).unwrap_or(usize::MAX)) {
            Some(skipped) => skipped,
            None => return Ok(Value::Text(String::new())),
        },
    };
    Ok(Value::Text(text.chars().skip(skipped).take(most).collect()))
}

/// The text up to the mark of this number; counted from the end if it is below zero.
fn until<'a>(text: &'a str, mark: &str, count: i64) -> &'a str {
    let nth = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if mark.is_empty() || nth == 0 {
        return "";
    }
    if count > 0 {
        text.match_indices(mark).nth(nth - 1).map_or(text, |(at, _)| &text[..at])
    } else {
        text.rmatch_indices(mark).nth(nth - 1).map_or(text, |(at, found)| &text[at + found.len()..])
    }
}

/// `1,234.50`.
fn grouped(number: f64, digits: i64) -> String {
    let text = format!("{:.*}", natural(digits).min(30), number);
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(whole, more)| (whole, Some(more)));
    let mut out = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    fraction.map(|fraction| format!("{out}.{fraction}")).unwrap_or(out)
}
