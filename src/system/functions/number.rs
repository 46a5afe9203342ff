//! Functions of numbers, and the operators that SQLite does not have.

use std::cmp::Ordering;

use rusqlite::{
    Result,
    types::{Value, ValueRef},
};

use super::{ANY, Entry, call::Call};
use crate::model::SqlError;

pub(super) const ALL: &[Entry] = &[
    ("abs", 1, 1, |call| {
        Ok(match call.raw(0) {
            ValueRef::Integer(number) => fits(call, "abs", number.checked_abs())?,
            _ => real(call.real(0).map(f64::abs)),
        })
    }),
    ("add", 2, 2, |call| sum(call, "+", i64::checked_add, |a, b| a + b)),
    ("bitand", 2, 2, |call| bits(call, "&", |a, b| a & b)),
    ("bitor", 2, 2, |call| bits(call, "|", |a, b| a | b)),
    ("bitxor", 2, 2, |call| bits(call, "^", |a, b| a ^ b)),
    ("ceil", 1, 1, |call| Ok(whole(call, f64::ceil))),
    ("div", 2, 2, |call| {
        if let (ValueRef::Integer(a), ValueRef::Integer(b)) = (call.raw(0), call.raw(1)) {
            return if b == 0 { Ok(Value::Null) } else { fits(call, "DIV", a.checked_div(b)) };
        }
        let quotient = call.real(0).zip(call.real(1)).filter(|(_, b)| *b != 0.0).map(|(a, b)| a / b);
        quotient.map_or(Ok(Value::Null), |quotient| fits(call, "DIV", exact(quotient.trunc())))
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
    ("mul", 2, 2, |call| sum(call, "*", i64::checked_mul, |a, b| a * b)),
    ("pow", 2, 2, |call| Ok(real(call.real(0).zip(call.real(1)).map(|(a, b)| a.powf(b))))),
    ("round", 1, 2, |call| digits(call, f64::round)),
    ("shl", 2, 2, |call| bits(call, "<<", |a, b| u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).unwrap_or(0))),
    ("shr", 2, 2, |call| bits(call, ">>", |a, b| u32::try_from(b).ok().and_then(|b| a.checked_shr(b)).unwrap_or(0))),
    ("signed", 1, 1, |call| Ok(int(call.int(0)))),
    ("sqrt", 1, 1, |call| Ok(real(call.real(0).filter(|number| *number >= 0.0).map(f64::sqrt)))),
    ("sub", 2, 2, |call| sum(call, "-", i64::checked_sub, |a, b| a - b)),
    ("truncate", 2, 2, |call| digits(call, f64::trunc)),
    ("unsigned", 1, 1, |call| {
        // What is below zero is beyond the 63 bits that there are here.
        let great = !matches!(call.raw(0), ValueRef::Integer(_)) && call.real(0).is_some_and(|number| number >= TOP);
        call.int(0).map_or(Ok(Value::Null), |number| {
            fits(call, "cast as unsigned", Some(number).filter(|number| *number >= 0 && !great))
        })
    }),
    ("xor", 2, 2, |call| Ok(int(call.truth(0).zip(call.truth(1)).map(|(a, b)| i64::from(a != b))))),
];

/// 2⁶³, the least that no signed integer is.
const TOP: f64 = 9_223_372_036_854_775_808.0;

/// As an integer, if it is one.
fn exact(number: f64) -> Option<i64> {
    (-TOP..TOP).contains(&number).then_some(number as i64)
}

/// An argument as one computes with it: a text is the whole number that it is, or the number that it begins with.
fn number(call: &Call<'_, '_>, at: usize) -> Value {
    match call.raw(at) {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => match String::from_utf8_lossy(bytes).trim().parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => real(call.real(at)),
        },
        _ => call.value(at),
    }
}

/// `a + b` and its like.
fn sum(
    call: &Call<'_, '_>,
    name: &str,
    whole: fn(i64, i64) -> Option<i64>,
    real: fn(f64, f64) -> f64,
) -> Result<Value> {
    let as_real = |number: &Value| match number {
        Value::Integer(number) => *number as f64,
        Value::Real(number) => *number,
        _ => 0.0,
    };
    match (number(call, 0), number(call, 1)) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Integer(a), Value::Integer(b)) => fits(call, name, whole(a, b)),
        (a, b) => {
            let number = real(as_real(&a), as_real(&b));
            if number.is_finite() { Ok(Value::Real(number)) } else { fits(call, name, None) }
        }
    }
}

/// An operator of bits, of which MySQL has 64 without a sign.
fn bits(call: &Call<'_, '_>, name: &str, operate: fn(u64, u64) -> u64) -> Result<Value> {
    let (Some(a), Some(b)) = (call.int(0), call.int(1)) else { return Ok(Value::Null) };
    fits(call, name, i64::try_from(operate(a as u64, b as u64)).ok())
}

/// The integer, or 1690 where it would not be one of 63 bits.
fn fits(call: &Call<'_, '_>, name: &str, number: Option<i64>) -> Result<Value> {
    number.map(Value::Integer).ok_or_else(|| {
        let shown = |at| call.text(at).unwrap_or_default();
        let text = if call.count() == 2 {
            format!("({} {name} {})", shown(0), shown(1))
        } else {
            format!("{name}({})", shown(0))
        };
        call.refuse(SqlError::bigint_out_of_range(text.get(..text.len().min(200)).unwrap_or(name)))
    })
}

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
