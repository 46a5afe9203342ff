//! What an expression is worth: literals, variables, columns of a row, operators. Functions are in `function.rs`.

use std::cmp::Ordering;

use sqlparser::ast::{
    BinaryOperator as Op, DataType, Expr, Ident, SelectItem, SetExpr, UnaryOperator, Value as Literal,
};

use super::{
    Facts,
    state::ClientState,
    stop::{Found, Stop},
    value_of::{self, Which},
    variable::shown,
};
use crate::{
    control::like,
    model::{Column, OwnedValue, SqlError},
};

/// How deep an expression is followed.
const DEEPEST: usize = 160;

/// How many expressions are evaluated for one statement, those of every row counted: what a client's own statements
/// need is a fifth of it, and a list of ten thousand names beside every variable is not theirs.
const MOST_STEPS: usize = 100_000;

/// How many bytes of text one statement may produce: a client cannot turn a short statement into a huge answer.
const MOST_BYTES: usize = 4 << 20;

/// Where an expression is evaluated: the client, the server, perhaps a row.
pub(super) struct Scope<'s> {
    pub state: &'s ClientState,
    pub facts: &'s Facts<'s>,
    /// The row that column names mean.
    pub row: Option<(&'s [Column], &'s [OwnedValue])>,
    /// How many rows an aggregate is made over.
    pub count: Option<usize>,
    /// User variables that this statement has set so far, in lower case.
    pub assigned: Vec<(String, OwnedValue)>,
    /// Something was evaluated that only this module knows.
    pub needed: bool,
    /// The number of warnings was asked for: the statement does not clear them.
    pub diagnostic: bool,
    produced: usize,
    steps: usize,
    depth: usize,
}

impl<'s> Scope<'s> {
    pub fn new(state: &'s ClientState, facts: &'s Facts<'s>) -> Self {
        let (row, count, assigned) = (None, None, Vec::new());
        Self { state, facts, row, count, assigned, needed: false, diagnostic: false, produced: 0, steps: 0, depth: 0 }
    }

    /// What `expr` is worth.
    ///
    /// # Errors
    /// Not ours, if it contains anything that is not known here; 1193 and 1238 for system variables.
    pub fn value(&mut self, expr: &Expr) -> Found<OwnedValue> {
        self.steps += 1;
        if self.depth == DEEPEST || self.steps > MOST_STEPS {
            return Err(Stop::NotOurs);
        }
        self.depth += 1;
        let value = self.value_within(expr);
        self.depth -= 1;
        let value = value?;
        if let OwnedValue::Text(text) = &value {
            self.spend(text.len())?;
        }
        Ok(value)
    }

    /// Counts `bytes` of text that are about to be made.
    ///
    /// # Errors
    /// 1301, the closest of MySQL's codes, when the statement makes too many.
    pub fn spend(&mut self, bytes: usize) -> Found<()> {
        self.produced = self.produced.saturating_add(bytes);
        if self.produced > MOST_BYTES {
            let message = format!("Result was larger than {MOST_BYTES} bytes");
            return Err(SqlError::new(1301, "HY000", message).into());
        }
        Ok(())
    }

    /// Whether `expr` holds: NULL does not.
    ///
    /// # Errors
    /// As [`Scope::value`].
    pub fn holds(&mut self, expr: &Expr) -> Found<bool> {
        let value = self.value(expr)?;
        Ok(truth(&value)? == Some(true))
    }

    fn value_within(&mut self, expr: &Expr) -> Found<OwnedValue> {
        match expr {
            Expr::Value(literal) => self::literal(&literal.value),
            Expr::Nested(inner) => self.value(inner),
            Expr::Collate { expr, .. } => self.value(expr),
            Expr::Convert { expr, charset: Some(_), data_type: None, .. } => self.value(expr),
            Expr::Identifier(name) => self.name(std::slice::from_ref(name)),
            Expr::CompoundIdentifier(names) => self.name(names),
            Expr::Function(function) => super::function::call(self, function),
            Expr::UnaryOp { op, expr } => {
                let value = self.value(expr)?;
                match op {
                    UnaryOperator::Plus => Ok(value),
                    UnaryOperator::Minus => negative(value),
                    UnaryOperator::Not | UnaryOperator::BangNot => Ok(three_valued(truth(&value)?.map(|t| !t))),
                    _ => Err(Stop::NotOurs),
                }
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::IsNull(inner) => Ok(OwnedValue::Int((self.value(inner)? == OwnedValue::Null).into())),
            Expr::IsNotNull(inner) => Ok(OwnedValue::Int((self.value(inner)? != OwnedValue::Null).into())),
            Expr::IsTrue(inner) => Ok(OwnedValue::Int(self.holds(inner)?.into())),
            Expr::Between { expr, negated, low, high } => {
                let value = self.value(expr)?;
                let (low, high) = (self.value(low)?, self.value(high)?);
                let above = compare(&value, &low)?.map(Ordering::is_ge);
                let below = compare(&value, &high)?.map(Ordering::is_le);
                Ok(three_valued(and(above, below).map(|within| within != *negated)))
            }
            Expr::InList { expr, list, negated } => {
                let value = self.value(expr)?;
                let mut found = Some(false);
                for other in list {
                    let other = self.value(other)?;
                    found = or(found, compare(&value, &other)?.map(Ordering::is_eq));
                }
                Ok(three_valued(found.map(|found| found != *negated)))
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let (value, wanted) = (self.value(expr)?, self.value(pattern)?);
                let escape = match escape_char {
                    None => Some('\\'),
                    Some(escape) => shown(&self.value(escape)?).chars().next(),
                };
                if value == OwnedValue::Null || wanted == OwnedValue::Null {
                    return Ok(OwnedValue::Null);
                }
                let matches = like(&shown(&value), &shown(&wanted), escape).ok_or(Stop::NotOurs)?;
                Ok(three_valued(Some(matches != *negated)))
            }
            Expr::Cast { expr, data_type, .. } => {
                let value = self.value(expr)?;
                cast(value, data_type)
            }
            Expr::Subquery(query) => {
                // `(SELECT expression)`, as sqlx has it in its SET; anything that reads a table is not ours.
                let SetExpr::Select(select) = &*query.body else { return Err(Stop::NotOurs) };
                match select.projection.as_slice() {
                    [SelectItem::UnnamedExpr(inner)]
                        if select.from.is_empty() && select.selection.is_none() && select.having.is_none() =>
                    {
                        self.value(inner)
                    }
                    _ => Err(Stop::NotOurs),
                }
            }
            _ => Err(Stop::NotOurs),
        }
    }

    /// A variable or a column.
    fn name(&mut self, names: &[Ident]) -> Found<OwnedValue> {
        let (first, last) = match names {
            [] => return Err(Stop::NotOurs),
            [only] => (only, only),
            [first, .., last] => (first, last),
        };
        let bare = if first.quote_style.is_none() { first.value.as_str() } else { "" };
        if let Some(system) = bare.strip_prefix("@@") {
            let (which, name) = match names {
                [_] => (Which::Either, system),
                [_, name] => (Which::named(system).ok_or(Stop::NotOurs)?, name.value.as_str()),
                _ => return Err(Stop::NotOurs),
            };
            self.needed = true;
            self.diagnostic |= ["warning_count", "error_count"].iter().any(|n| name.eq_ignore_ascii_case(n));
            return Ok(value_of::system(self.state, self.facts, which, name)?);
        }
        if let Some(user) = bare.strip_prefix('@') {
            let mut name = user.to_lowercase();
            for part in &names[1..] {
                name = format!("{name}.{}", part.value.to_lowercase());
            }
            if name.is_empty() {
                // The parser reads "@`x`" as "@" and a name: not worth a guess.
                return Err(Stop::NotOurs);
            }
            self.needed = true;
            let assigned = self.assigned.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            return Ok(assigned.or_else(|| self.state.user_variable(&name)).unwrap_or(OwnedValue::Null));
        }
        if let ([_], Some(value)) = (names, super::function::bare(self, bare)) {
            return value;
        }
        let (columns, row) = self.row.ok_or(Stop::NotOurs)?;
        let at = columns.iter().position(|c| c.name.eq_ignore_ascii_case(&last.value)).ok_or(Stop::NotOurs)?;
        row.get(at).cloned().ok_or(Stop::NotOurs)
    }

    fn binary(&mut self, left: &Expr, op: &Op, right: &Expr) -> Found<OwnedValue> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        let compared = |holds: fn(Ordering) -> bool| Ok(three_valued(compare(&left, &right)?.map(holds)));
        match op {
            Op::And => Ok(three_valued(and(truth(&left)?, truth(&right)?))),
            Op::Or => Ok(three_valued(or(truth(&left)?, truth(&right)?))),
            Op::Eq => compared(Ordering::is_eq),
            Op::NotEq => compared(Ordering::is_ne),
            Op::Lt => compared(Ordering::is_lt),
            Op::LtEq => compared(Ordering::is_le),
            Op::Gt => compared(Ordering::is_gt),
            Op::GtEq => compared(Ordering::is_ge),
            Op::Spaceship => Ok(three_valued(Some(match (&left, &right) {
                (OwnedValue::Null, OwnedValue::Null) => true,
                _ => compare(&left, &right)? == Some(Ordering::Equal),
            }))),
            Op::Plus => arithmetic(&left, &right, i128::checked_add),
            Op::Minus => arithmetic(&left, &right, i128::checked_sub),
            Op::Multiply => arithmetic(&left, &right, i128::checked_mul),
            _ => Err(Stop::NotOurs),
        }
    }
}

/// What a literal is worth.
///
/// # Errors
/// Not ours, for the kinds that no client's own statements contain.
pub(super) fn literal(literal: &Literal) -> Found<OwnedValue> {
    match literal {
        Literal::Number(digits, _) => {
            let whole = digits.parse().map(OwnedValue::Int).or_else(|_| digits.parse().map(OwnedValue::UInt));
            match whole {
                Ok(value) => Ok(value),
                Err(_) => digits.parse().map(OwnedValue::Double).map_err(|_| Stop::NotOurs),
            }
        }
        Literal::SingleQuotedString(text)
        | Literal::DoubleQuotedString(text)
        | Literal::NationalStringLiteral(text) => Ok(OwnedValue::Text(text.clone())),
        Literal::Boolean(on) => Ok(OwnedValue::Int((*on).into())),
        Literal::Null => Ok(OwnedValue::Null),
        _ => Err(Stop::NotOurs),
    }
}

/// SQL's three truths as a value.
fn three_valued(truth: Option<bool>) -> OwnedValue {
    truth.map_or(OwnedValue::Null, |truth| OwnedValue::Int(truth.into()))
}

/// Whether a value counts as true; `None` for NULL. Text that is no number is left to the server.
pub(super) fn truth(value: &OwnedValue) -> Found<Option<bool>> {
    Ok(match value {
        OwnedValue::Null => None,
        other => Some(number(other).ok_or(Stop::NotOurs)? != 0.0),
    })
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    and(a.map(|a| !a), b.map(|b| !b)).map(|neither| !neither)
}

fn number(value: &OwnedValue) -> Option<f64> {
    match value {
        OwnedValue::Int(v) => Some(*v as f64),
        OwnedValue::UInt(v) => Some(*v as f64),
        OwnedValue::Float(v) => Some((*v).into()),
        OwnedValue::Double(v) => Some(*v),
        OwnedValue::Decimal(v) | OwnedValue::Text(v) => v.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        OwnedValue::Null
        | OwnedValue::Bytes(_)
        | OwnedValue::Date(_)
        | OwnedValue::DateTime(_)
        | OwnedValue::Time(_) => None,
    }
}

/// A whole number, signed or not.
pub(super) fn whole(value: &OwnedValue) -> Option<i128> {
    match value {
        OwnedValue::Int(v) => Some((*v).into()),
        OwnedValue::UInt(v) => Some((*v).into()),
        _ => None,
    }
}

/// How two values compare; `None` if one is NULL. Texts compare without case, as in MySQL's default collations.
///
/// # Errors
/// Not ours, for a text that is no number beside a number.
pub(super) fn compare(a: &OwnedValue, b: &OwnedValue) -> Found<Option<Ordering>> {
    match (a, b) {
        (OwnedValue::Null, _) | (_, OwnedValue::Null) => Ok(None),
        (OwnedValue::Text(a), OwnedValue::Text(b)) => {
            let lower = |s: &str| s.chars().flat_map(char::to_lowercase).collect::<String>();
            Ok(Some(lower(a).cmp(&lower(b))))
        }
        _ => match (whole(a), whole(b)) {
            (Some(a), Some(b)) => Ok(Some(a.cmp(&b))),
            _ => {
                let (a, b) = number(a).zip(number(b)).ok_or(Stop::NotOurs)?;
                a.partial_cmp(&b).map(Some).ok_or(Stop::NotOurs)
            }
        },
    }
}

/// Whole numbers only: what MySQL makes of others is not worth imitating here.
fn arithmetic(a: &OwnedValue, b: &OwnedValue, op: fn(i128, i128) -> Option<i128>) -> Found<OwnedValue> {
    if *a == OwnedValue::Null || *b == OwnedValue::Null {
        return Ok(OwnedValue::Null);
    }
    let (a, b) = whole(a).zip(whole(b)).ok_or(Stop::NotOurs)?;
    narrow(op(a, b).ok_or(Stop::NotOurs)?)
}

fn negative(value: OwnedValue) -> Found<OwnedValue> {
    match value {
        OwnedValue::Null => Ok(OwnedValue::Null),
        OwnedValue::Double(v) => Ok(OwnedValue::Double(-v)),
        other => narrow(-whole(&other).ok_or(Stop::NotOurs)?),
    }
}

fn narrow(value: i128) -> Found<OwnedValue> {
    let signed = i64::try_from(value).map(OwnedValue::Int);
    signed.or_else(|_| u64::try_from(value).map(OwnedValue::UInt)).map_err(|_| Stop::NotOurs)
}

fn cast(value: OwnedValue, to: &DataType) -> Found<OwnedValue> {
    if value == OwnedValue::Null {
        return Ok(value);
    }
    match to {
        DataType::Char(None) | DataType::Varchar(None) | DataType::Text => Ok(OwnedValue::Text(shown(&value))),
        DataType::Signed | DataType::SignedInteger | DataType::Unsigned | DataType::UnsignedInteger => {
            let whole = match &value {
                OwnedValue::Text(text) => text.trim().parse().ok(),
                other => self::whole(other),
            };
            let whole = whole.ok_or(Stop::NotOurs)?;
            if matches!(to, DataType::Signed | DataType::SignedInteger) {
                i64::try_from(whole).map(OwnedValue::Int).map_err(|_| Stop::NotOurs)
            } else {
                u64::try_from(whole).map(OwnedValue::UInt).map_err(|_| Stop::NotOurs)
            }
        }
        _ => Err(Stop::NotOurs),
    }
}
