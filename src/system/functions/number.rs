//! Functions of numbers, and the operators that SQLite does not have.

use std::cmp::Ordering;

use rusqlite::{
    Result,
    types::{Value, ValueRef},
};

use super::{ANY, Entry, call::Call};

pub(super) const ALL: &[Entry] = &[
    ("abs", 1, 1, |call| {
        Ok(match call.raw(0) {
            ValueRef::Integer(number) => number.checked_abs().map_or(Value::Real(-(number as f64)), Value::Integer),
            _ => real(call.real(0).map(f64::abs)),
        })
    }),
    ("bitxor", 2, 2, |call| Ok(int(call.int(0).zip(call.int(1)).map(|(a, b)| a ^ b)))),
    ("ceil", 1, 1, |call| Ok(whole(call, f64::ceil))),
    ("div", 2, 2, |call| {
        if let (ValueRef::Integer(a), ValueRef::Integer(b)) = (call.raw(0), call.raw(1)) {
            return Ok(int(a.checked_div(b)));
        }
        let quotient = call.real(0).zip(call.real(1)).filter(|(_, b)| *b != 0.0).map(|(a, b)| a / b);
        Ok(int(quotient.map(|quotient| quotient.trunc() as i64)))
    }),
    ("floor", 1, 1, |call| Ok(whole(call, f64::floor))),
    ("greatest", 2, ANY, |call| extreme(call, Ordering::Greater, "GREATEST")),
    ("isnull", 1, 1, |call| Ok(Value::Integer(i64::from(call.any_null())))),
    ("least", 2, ANY, |call| extreme(call, Ordering::Less, "LEAST")),
    ("mod", 2, 2, |call| {
        if let (ValueRef::Integer(a), ValueRef::Integer(b)) = (call.raw(0), call.raw(1)) {
            return Ok(if b == -1 { Value::Integer(0) } else { int(a.checked_rem(b)) });
        }
        Ok(real(call.real(0).zip(call.real(1)).filter(|(_, b)| *b != 0.0).map(|(a, b)| a % b)))
    }),
    ("pow", 2, 2, |call| Ok(real(call.real(0).zip(call.real(1)).map(|(a, b)| a.powf(b))))),
    ("round", 1, 2, |call| digits(call, f64::round)),
    ("signed", 1, 1, |call| Ok(int(call.int(0)))),
    ("sqrt", 1, 1, |call| Ok(real(call.real(0).filter(|number| *number >= 0.0).map(f64::sqrt)))),
    ("truncate", 2, 2, |call| digits(call, f64::trunc)),
    ("unsigned", 1, 1, |call| {
        // What is below zero is beyond the 63 bits that there are here: as a real number.
        Ok(match call.int(0) {
            Some(number) if number < 0 => Value::Real(number as u64 as f64),
            number => int(number),
        })
    }),
    ("xor", 2, 2, |call| Ok(int(call.truth(0).zip(call.truth(1)).map(|(a, b)| i64::from(a != b))))),
];

fn int(number: Option<i64>) -> Value {
    number.map_or(Value::Null, Value::Integer)
}

/// What is no number is NULL.
fn real(number: Option<f64>) -> Value {
    number.filter(|number| number.is_finite()).map_or(Value::Null, Value::Real)
}

/// As an integer where it fits one.
fn whole(call: &Call<'_, '_>, round: fn(f64) -> f64) -> Value {
    match (call.raw(0), call.real(0).map(round)) {
        (ValueRef::Integer(number), _) => Value::Integer(number),
        (_, Some(number)) if number.abs() < 9e18 => Value::Integer(number as i64),
        (_, number) => real(number),
    }
}

/// Rounds to so many digits behind the point; before it, if that is below zero.
fn digits(call: &Call<'_, '_>, round: fn(f64) -> f64) -> Result<Value> {
    let digits = if call.count() == 2 { call.int(1) } else { Some(0) };
    let (Some(digits), Some(number)) = (digits, call.real(0)) else { return Ok(Value::Null) };
    if let (ValueRef::Integer(number), 0..) = (call.raw(0), digits) {
        return Ok(Value::Integer(number));
    }
    let scale = 10f64.powi(digits.clamp(-30, 30) as i32);
    let rounded = round(number * scale) / scale;
    // Beyond what a double can hold there is nothing to round.
    let rounded = if rounded.is_finite() { rounded } else { number };
    let integer = call.count() == 1 && rounded.abs() < 9e18 || matches!(call.raw(0), ValueRef::Integer(_));
    Ok(if integer { Value::Integer(rounded as i64) } else { Value::Real(rounded) })
}

/// The greatest or the least; as texts if one of them is one that is no number.
fn extreme(call: &Call<'_, '_>, wanted: Ordering, name: &str) -> Result<Value> {
    if call.count() < 2 {
        return Err(call.wrong_count(name));
    }
    if call.any_null() {
        return Ok(Value::Null);
    }
    let texts = (0..call.count()).any(|at| matches!(call.raw(at), ValueRef::Text(_) | ValueRef::Blob(_)));
    let order = |a: usize, b: usize| match texts {
        true => {
            let lower = |at| call.text(at).unwrap_or_default().to_lowercase();
            lower(a).cmp(&lower(b))
        }
        false => call.real(a).partial_cmp(&call.real(b)).unwrap_or(Ordering::Equal),
    };
    let best = (1..call.count()).fold(0, |best, at| if order(at, best) == wanted { at } else { best });
    Ok(call.value(best))
}
