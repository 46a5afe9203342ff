//! Values and types on their way between MySQL's clients and SQLite.
//!
//! To SQLite a type belongs to a value, to MySQL's clients to a column, and they read a row by it. What a column is said
//! to be comes from its declaration (`column_decltype`); an expression has none, and is what its first value is. A value
//! that does not fit then is an error, never something else.

use killdeer::{Column, ColumnType, DateTime, ErrorKind, OwnedValue, Params, SqlError, Value, compat::ClientState};
use rusqlite::{
    Row, Statement,
    types::{ToSqlOutput, ValueRef},
};

use super::errors;

/// A column of SQLite's: its name, and the type that it was declared with, if it comes from a table.
pub struct Declared {
    name: String,
    kind: Option<ColumnType>,
}

/// The columns of a statement.
pub fn declared(statement: &Statement<'_>) -> Vec<Declared> {
    let one = |column: rusqlite::Column<'_>| Declared {
        name: column.name().to_owned(),
        kind: column.decl_type().map(column_type),
    };
    statement.columns().map(one).collect()
}

impl Declared {
    /// As the client is told. `first`: the first row, which decides where nothing was declared.
    pub fn column(&self, place: usize, first: Option<&Row<'_>>) -> Result<Column, SqlError> {
        let kind = match (self.kind, first) {
            (Some(kind), _) => kind,
            (None, None) => ColumnType::VarChar,
            (None, Some(row)) => match row.get_ref(place).map_err(errors::of)? {
                ValueRef::Integer(_) => ColumnType::BigInt,
                ValueRef::Real(_) => ColumnType::Double,
                ValueRef::Blob(_) => ColumnType::Blob,
                ValueRef::Text(_) | ValueRef::Null => ColumnType::VarChar,
            },
        };
        Ok(Column::new(self.name.clone(), kind))
    }
}

/// MySQL's type for a declared one. Where MySQL's own name says nothing, SQLite's rules of affinity do
/// (<https://www.sqlite.org/datatype3.html>). Whole numbers have 64 bits, whatever they are called.
pub fn column_type(declared: &str) -> ColumnType {
    let upper = declared.to_ascii_uppercase();
    let base = upper.split('(').next().unwrap_or_default().trim();
    let has = |part: &str| upper.contains(part);
    match base {
        "DATE" => ColumnType::Date,
        "DATETIME" | "TIMESTAMP" => ColumnType::DateTime,
        "TIME" => ColumnType::Time,
        "BOOL" | "BOOLEAN" => ColumnType::TinyInt,
        "DECIMAL" | "NUMERIC" => ColumnType::Decimal,
        "JSON" => ColumnType::Text,
        _ if has("INT") => ColumnType::BigInt,
        _ if has("CHAR") => ColumnType::VarChar,
        _ if has("CLOB") || has("TEXT") => ColumnType::Text,
        _ if has("BLOB") || has("BINARY") => ColumnType::Blob,
        _ if has("REAL") || has("FLOA") || has("DOUB") => ColumnType::Double,
        _ => ColumnType::VarChar,
    }
}

/// A value as its column has it.
pub fn value<'a>(column: &Column, value: ValueRef<'a>) -> Result<Value<'a>, SqlError> {
    fitted(column.kind, value).ok_or_else(|| errors::misfit(&column.name))
}

fn fitted(kind: ColumnType, value: ValueRef<'_>) -> Option<Value<'_>> {
    let text = |bytes| std::str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text);
    Some(match (kind, value) {
        (_, ValueRef::Null) => Value::Null,
        (ColumnType::TinyInt, ValueRef::Integer(v)) => Value::Int(i8::try_from(v).ok()?.into()),
        (ColumnType::BigInt | ColumnType::Double | ColumnType::Decimal, ValueRef::Integer(v)) => Value::Int(v),
        (ColumnType::Double | ColumnType::Decimal, ValueRef::Real(v)) => Value::Double(v),
        (ColumnType::Decimal, ValueRef::Text(v)) => {
            let digits = std::str::from_utf8(v).ok()?;
            digits.parse::<f64>().ok()?;
            Value::Decimal(digits)
        }
        (ColumnType::Date, ValueRef::Text(v)) => {
            // Many clients send a date as a point in time.
            let point: DateTime = std::str::from_utf8(v).ok()?.parse().ok()?;
            Value::Date((point == point.date.midnight()).then_some(point.date)?)
        }
        (ColumnType::DateTime, ValueRef::Text(v)) => Value::DateTime(std::str::from_utf8(v).ok()?.parse().ok()?),
        (ColumnType::Time, ValueRef::Text(v)) => Value::Time(std::str::from_utf8(v).ok()?.parse().ok()?),
        (ColumnType::VarChar | ColumnType::Text | ColumnType::Blob, value) => match value {
            ValueRef::Integer(v) => Value::Int(v),
            ValueRef::Real(v) => Value::Double(v),
            ValueRef::Text(v) => text(v),
            ValueRef::Blob(v) => Value::Bytes(v),
            ValueRef::Null => Value::Null,
        },
        _ => return None,
    })
}

/// Binds a prepared statement's parameters. `@x` is a parameter to SQLite too: it is the client's variable.
///
/// # Errors
/// 1064 for what MySQL has no parameters for: a `?` in a statement that was not prepared, and SQLite's `?1`, `:x`, `$x`.
/// 1210 for another number of values. 1264 for a number beyond SQLite's 64 bits with a sign.
pub fn bind(statement: &mut Statement<'_>, params: Option<&Params>, client: &ClientState) -> Result<(), SqlError> {
    let mut values = params.map_or(&[][..], |params| &params.0).iter();
    for place in 1..=statement.parameter_count() {
        let name = statement.parameter_name(place).map(str::to_owned);
        let variable;
        let value = match name.as_deref() {
            None if params.is_none() => return Err(SqlError::syntax("?", 1)),
            None => values.next().ok_or_else(wrong_number)?,
            Some(name) => match name.strip_prefix('@') {
                Some(name) => {
                    variable = client.user_variable(name).unwrap_or(OwnedValue::Null);
                    &variable
                }
                None => return Err(SqlError::syntax(name, 1)),
            },
        };
        statement.raw_bind_parameter(place, to_sqlite(value)?).map_err(errors::of)?;
    }
    if values.next().is_some() { Err(wrong_number()) } else { Ok(()) }
}

fn wrong_number() -> SqlError {
    SqlError::of(ErrorKind::WrongArguments, "Incorrect arguments to EXECUTE")
}

fn to_sqlite(value: &OwnedValue) -> Result<ToSqlOutput<'_>, SqlError> {
    let text = |text: String| ToSqlOutput::from(text);
    Ok(match value {
        OwnedValue::Null => ToSqlOutput::from(rusqlite::types::Null),
        OwnedValue::Int(v) => ToSqlOutput::from(*v),
        OwnedValue::UInt(v) => match i64::try_from(*v) {
            Ok(v) => ToSqlOutput::from(v),
            Err(_) => return Err(SqlError::new(1264, "22003", format!("Out of range value {v}: SQLite has 63 bits"))),
        },
        OwnedValue::Float(v) => ToSqlOutput::from(f64::from(*v)),
        OwnedValue::Double(v) => ToSqlOutput::from(*v),
        // A column of numbers makes a number of it.
        OwnedValue::Decimal(v) => ToSqlOutput::from(v.as_str()),
        OwnedValue::Text(v) => ToSqlOutput::from(v.as_str()),
        OwnedValue::Bytes(v) => ToSqlOutput::from(v.as_slice()),
        OwnedValue::Date(v) => text(v.to_string()),
        OwnedValue::DateTime(v) => text(v.to_string()),
        OwnedValue::Time(v) => text(v.to_string()),
        _ => return Err(SqlError::not_supported("a parameter of this type")),
    })
}
