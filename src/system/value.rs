//! MySQL's values and columns in SQLite, and back.
//!
//! The declared type of a column in SQLite is its affinity and its place: `INT(2,5)` is the sixth column of the third
//! table. So a column that comes out of a question as it is keeps what it was declared with.

use std::borrow::Cow;

use rusqlite::types::{Value, ValueRef};

use super::table::Table;
use crate::model::{Column, ColumnType, ErrorKind, OwnedValue, SqlError};

/// What SQLite is told of the column's type. Texts compare without case.
pub(super) fn declared(column: &Column, table: usize, at: usize) -> String {
    let (affinity, collation) = match column.kind {
        ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt => ("INT", ""),
        ColumnType::Float | ColumnType::Double => ("REAL", ""),
        ColumnType::Decimal => ("NUM", ""),
        ColumnType::Blob => ("BLOB", ""),
        _ => ("TEXT", " COLLATE NOCASE"),
    };
    format!("{affinity}({table},{at}){collation}")
}

/// The column that was declared so.
pub(super) fn column_of(declared: &str, tables: &[Table]) -> Option<Column> {
    let (_, places) = declared.split_once('(')?;
    let (table, at) = places.strip_suffix(')')?.split_once(',')?;
    let table = tables.get(table.trim().parse::<usize>().ok()?)?;
    let mut column = table.columns.get(at.trim().parse::<usize>().ok()?)?.clone();
    if column.table.is_empty() {
        (column.table, column.schema) = (Cow::Borrowed(table.name), Cow::Borrowed(table.database));
    }
    Some(column)
}

/// A value for SQLite.
///
/// # Errors
/// 1105: an integer above 2⁶³ − 1, which SQLite does not have.
pub(super) fn to_sqlite(value: &OwnedValue) -> Result<Value, SqlError> {
    Ok(match value {
        OwnedValue::Null => Value::Null,
        OwnedValue::Int(v) => Value::Integer(*v),
        OwnedValue::UInt(v) => Value::Integer(i64::try_from(*v).map_err(|_| {
            SqlError::of(ErrorKind::UnknownError, format!("The system tables have no integer as great as {v}"))
        })?),
        OwnedValue::Float(v) => Value::Real((*v).into()),
        OwnedValue::Double(v) => Value::Real(*v),
        OwnedValue::Decimal(text) => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(v), _) => Value::Integer(v),
            (_, Ok(v)) if v.is_finite() => Value::Real(v),
            _ => Value::Text(text.clone()),
        },
        OwnedValue::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(bytes.clone()),
        },
        other => other.text().map_or(Value::Null, |text| Value::Text(text.into_owned())),
    })
}

/// A value as SQLite gives it.
pub(super) fn from_sqlite(value: ValueRef<'_>) -> OwnedValue {
    match value {
        ValueRef::Null => OwnedValue::Null,
        ValueRef::Integer(v) => OwnedValue::Int(v),
        ValueRef::Real(v) => OwnedValue::Double(v),
        ValueRef::Text(v) => OwnedValue::Text(String::from_utf8_lossy(v).into_owned()),
        ValueRef::Blob(v) => OwnedValue::Bytes(v.to_vec()),
    }
}

/// Makes the values of one column be of one type: the declared one if they all fit it, otherwise the narrowest. The
/// column's type follows.
pub(super) fn settle(column: &mut Column, is_declared: bool, rows: &mut [Vec<OwnedValue>], at: usize) {
    let values = || rows.iter().map(|row| &row[at]);
    column.nullable |= values().any(|value| *value == OwnedValue::Null);
    if is_declared && values().all(|value| typed(value, column).is_some()) {
        for row in rows {
            if let Some(value) = typed(&row[at], column) {
                row[at] = value;
            }
        }
        return;
    }
    let any = |is: fn(&OwnedValue) -> bool| rows.iter().any(|row| is(&row[at]));
    let (ints, reals) = (any(|v| matches!(v, OwnedValue::Int(_))), any(|v| matches!(v, OwnedValue::Double(_))));
    let (texts, bytes) = (any(|v| matches!(v, OwnedValue::Text(_))), any(|v| matches!(v, OwnedValue::Bytes(_))));
    column.kind = match (bytes, texts, reals, ints) {
        (true, ..) => ColumnType::Blob,
        (_, true, ..) => ColumnType::VarChar,
        (_, _, true, _) => ColumnType::Double,
        (.., true) => ColumnType::BigInt,
        _ => ColumnType::VarChar,
    };
    (column.unsigned, column.width, column.decimals) = (false, None, None);
    for row in rows {
        let value = &mut row[at];
        let made = match (column.kind, &*value) {
            (ColumnType::Double, OwnedValue::Int(v)) => Some(OwnedValue::Double(*v as f64)),
            (ColumnType::VarChar, OwnedValue::Int(_) | OwnedValue::Double(_)) => {
                value.text().map(|text| OwnedValue::Text(text.into_owned()))
            }
            (ColumnType::Blob, OwnedValue::Int(_) | OwnedValue::Double(_) | OwnedValue::Text(_)) => {
                value.text().map(|text| OwnedValue::Bytes(text.into_owned().into_bytes()))
            }
            _ => None,
        };
        if let Some(made) = made {
            *value = made;
        }
    }
}

/// The value as one of the column's type, if it is one.
fn typed(value: &OwnedValue, column: &Column) -> Option<OwnedValue> {
    Some(match (column.kind, value) {
        (_, OwnedValue::Null) => OwnedValue::Null,
        (ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt, OwnedValue::Int(v)) => {
            if column.unsigned {
                OwnedValue::UInt(u64::try_from(*v).ok()?)
            } else {
                OwnedValue::Int(*v)
            }
        }
        (ColumnType::Float, OwnedValue::Double(v)) => OwnedValue::Float(*v as f32),
        (ColumnType::Double, OwnedValue::Double(v)) => OwnedValue::Double(*v),
        (ColumnType::Decimal, OwnedValue::Double(v)) => {
            OwnedValue::Decimal(column.decimals.map_or_else(|| v.to_string(), |n| format!("{v:.*}", usize::from(n))))
        }
        (ColumnType::Decimal, OwnedValue::Int(v)) => {
            let digits = column.decimals.filter(|digits| *digits > 0);
            OwnedValue::Decimal(digits.map_or_else(|| v.to_string(), |n| format!("{v}.{}", "0".repeat(n.into()))))
        }
        (ColumnType::Date, OwnedValue::Text(text)) => OwnedValue::Date(text.parse().ok()?),
        (ColumnType::DateTime, OwnedValue::Text(text)) => OwnedValue::DateTime(text.parse().ok()?),
        (ColumnType::Time, OwnedValue::Text(text)) => OwnedValue::Time(text.parse().ok()?),
        (ColumnType::VarChar | ColumnType::Text, OwnedValue::Text(text)) => OwnedValue::Text(text.clone()),
        (ColumnType::Blob, OwnedValue::Bytes(bytes)) => OwnedValue::Bytes(bytes.clone()),
        (ColumnType::Blob, OwnedValue::Text(text)) => OwnedValue::Bytes(text.clone().into_bytes()),
        _ => return None,
    })
}
