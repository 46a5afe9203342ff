//! The column that an expression makes: its type, width, decimals, and whether it can be NULL, as MySQL gives them.
//!
//! MySQL decides it from the expression before anything is evaluated. So does this for what is common; of anything else
//! the value says the type.

use sqlparser::ast::{Expr, UnaryOperator, Value as Literal};

use super::{function, stop::Stop, variable::shown, variables};
use crate::model::{Column, ColumnType, OwnedValue};

/// Bytes of the longest text that a user variable can have.
const LONGEST_VARIABLE: u32 = 0xff_ffff;

/// What a result column looks like, and the value in it: that of an exact number is its digits as typed.
pub(super) fn column(header: String, expr: &Expr, value: OwnedValue) -> (Column, OwnedValue) {
    match expr {
        Expr::Value(literal) => return of_literal(header, &literal.value, "", value),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
            if let Expr::Value(literal) = &**expr {
                return of_literal(header, &literal.value, "-", value);
            }
        }
        _ => {}
    }
    let column = variable(expr).map(|variable| variable.column(header.clone(), &value));
    let column = column.or_else(|| function::column(&header, expr, &value));
    (column.unwrap_or_else(|| by_value(header, &value)), value)
}

/// The column that the value alone suggests.
pub(super) fn by_value(header: String, value: &OwnedValue) -> Column {
    let kind = match value {
        OwnedValue::Int(_) | OwnedValue::UInt(_) => ColumnType::BigInt,
        OwnedValue::Float(_) | OwnedValue::Double(_) => ColumnType::Double,
        OwnedValue::Decimal(_) => ColumnType::Decimal,
        OwnedValue::Date(_) => ColumnType::Date,
        OwnedValue::DateTime(_) => ColumnType::DateTime,
        OwnedValue::Time(_) => ColumnType::Time,
        OwnedValue::Bytes(_) => ColumnType::Blob,
        OwnedValue::Null | OwnedValue::Text(_) => ColumnType::VarChar,
    };
    let column = Column::new(header, kind);
    if matches!(value, OwnedValue::UInt(_)) { column.unsigned() } else { column }
}

/// The column of a literal with this sign before it. A whole number has room for a sign if it has none (MySQL:
/// `Item_int::set_max_size`), an exact one for a sign and the point.
fn of_literal(header: String, literal: &Literal, sign: &str, value: OwnedValue) -> (Column, OwnedValue) {
    let column = match (literal, &value) {
        (Literal::Null, _) => return (Column::new(header, ColumnType::Null), value),
        (Literal::Number(typed, _), OwnedValue::Double(_)) => {
            return match exact(typed) {
                Some((digits, decimals)) => {
                    // The point is one of them, and there is room for a sign. A zero counts if it was typed.
                    let width = length(&digits) + u32::from(!typed.starts_with('.'));
                    let column = Column::new(header, ColumnType::Decimal).width(width);
                    (column.decimals(decimals).not_null(), OwnedValue::Decimal(format!("{sign}{digits}")))
                }
                None => (by_value(header, &value).width(length(sign) + length(typed)).not_null(), value),
            };
        }
        (Literal::Boolean(_), _) => by_value(header, &value).width(1),
        (_, OwnedValue::Int(v)) => by_value(header, &value).width(length(&v.to_string()) + u32::from(*v >= 0)),
        (_, other) => by_value(header, other).width(length(&shown(other))),
    };
    (column.not_null(), value)
}

/// The digits of an exact number with a fraction, and how many stand behind its point. `None`: it is none.
fn exact(typed: &str) -> Option<(String, u8)> {
    let (whole, fraction) = typed.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    // As many as MySQL's exact numbers have.
    let fits = fraction.len() <= 30 && whole.len() + fraction.len() <= 65;
    let decimals = u8::try_from(fraction.len()).ok().filter(|_| fits)?;
    Some((format!("{whole}.{fraction}"), decimals))
}

fn length(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// A variable that is an expression by itself.
enum Named<'e> {
    /// `@x`.
    User,
    /// `@@x`.
    System(&'e str),
}

fn variable(expr: &Expr) -> Option<Named<'_>> {
    let names = match expr {
        Expr::Identifier(name) => std::slice::from_ref(name),
        Expr::CompoundIdentifier(names) => names,
        _ => return None,
    };
    let (first, last) = (names.first()?, names.last()?);
    match first.value.strip_prefix('@')?.strip_prefix('@') {
        Some(system) if names.len() == 1 => Some(Named::System(system)),
        Some(_) => Some(Named::System(&last.value)),
        None => Some(Named::User),
    }
}

impl Named<'_> {
    fn column(self, header: String, value: &OwnedValue) -> Column {
        match (self, value) {
            (Named::System(name), OwnedValue::Int(_)) if variables::find(name).is_some_and(|v| v.is_flag()) => {
                by_value(header, value).width(1)
            }
            (Named::System(_), OwnedValue::Text(text)) => by_value(header, value).width(length(text)),
            (Named::System(_), _) => by_value(header, value),
            (Named::User, OwnedValue::Int(_) | OwnedValue::UInt(_)) => by_value(header, value).width(20),
            (Named::User, OwnedValue::Text(_)) => Column::new(header, ColumnType::Text).width(LONGEST_VARIABLE),
            (Named::User, OwnedValue::Null) => Column::new(header, ColumnType::Blob).width(LONGEST_VARIABLE + 1),
            (Named::User, _) => by_value(header, value),
        }
    }
}

/// How many digits a function's argument asks for, if that is a literal.
pub(super) fn digits(args: &[Option<&Expr>]) -> Result<u8, Stop> {
    match args {
        [] => Ok(0),
        [Some(Expr::Value(literal))] => match &literal.value {
            Literal::Number(digits, _) => digits.parse().map_err(|_| Stop::NotOurs),
            _ => Err(Stop::NotOurs),
        },
        _ => Err(Stop::NotOurs),
    }
}
