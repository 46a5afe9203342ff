//! Columns and values of result sets, independent of any wire format.

use std::borrow::Cow;

use super::{Date, DateTime, Time};

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnType {
    /// An 8-bit integer.
    TinyInt,
    /// A 16-bit integer.
    SmallInt,
    /// A 32-bit integer.
    Int,
    /// A 64-bit integer.
    BigInt,
    /// A 32-bit float.
    Float,
    /// A 64-bit float.
    Double,
    /// An exact number.
    Decimal,
    /// Text in the connection's character set.
    VarChar,
    /// Long text.
    Text,
    /// Bytes.
    Blob,
    /// A date.
    Date,
    /// A point in time.
    DateTime,
    /// A time of day, or a span of time.
    Time,
    /// Always NULL.
    Null,
}

/// One column of a result set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name in the header.
    pub name: Cow<'static, str>,
    /// The type of its values.
    pub kind: ColumnType,
    /// For integers: no sign.
    pub unsigned: bool,
    /// Whether NULL can occur.
    pub nullable: bool,
    /// The greatest width in characters; `None`: by the type.
    pub width: Option<u32>,
    /// The digits behind the point; `None`: by the type.
    pub decimals: Option<u8>,
    /// The table that it comes from, if any.
    pub table: Cow<'static, str>,
    /// The database of that table, if any.
    pub schema: Cow<'static, str>,
}

impl Column {
    /// A nullable, signed column that belongs to no table.
    pub fn new(name: impl Into<Cow<'static, str>>, kind: ColumnType) -> Self {
        Self {
            name: name.into(),
            kind,
            unsigned: false,
            nullable: true,
            width: None,
            decimals: None,
            table: Cow::Borrowed(""),
            schema: Cow::Borrowed(""),
        }
    }

    /// The same without a sign.
    #[must_use]
    pub fn unsigned(self) -> Self {
        Self { unsigned: true, ..self }
    }

    /// The same without NULLs.
    #[must_use]
    pub fn not_null(self) -> Self {
        Self { nullable: false, ..self }
    }

    /// The same with a width in characters.
    #[must_use]
    pub fn width(self, width: u32) -> Self {
        Self { width: Some(width), ..self }
    }

    /// The same with so many digits behind the point.
    #[must_use]
    pub fn decimals(self, decimals: u8) -> Self {
        Self { decimals: Some(decimals), ..self }
    }
}

/// One value of a row, borrowed from the engine while it is encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit float.
    Double(f64),
    /// An exact number, in digits. As a parameter: whatever text the client sent for one, which need not be a number.
    Decimal(&'a str),
    /// A date.
    Date(Date),
    /// A point in time.
    DateTime(DateTime),
    /// A time of day, or a span of time.
    Time(Time),
    /// Text.
    Text(&'a str),
    /// Bytes, or text that may be no UTF-8.
    Bytes(&'a [u8]),
}

/// A value that owns its bytes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OwnedValue {
    /// NULL.
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit float.
    Double(f64),
    /// An exact number, in digits. As a parameter: whatever text the client sent for one, which need not be a number.
    Decimal(String),
    /// A date.
    Date(Date),
    /// A point in time.
    DateTime(DateTime),
    /// A time of day, or a span of time.
    Time(Time),
    /// Text.
    Text(String),
    /// Bytes, or text that may be no UTF-8.
    Bytes(Vec<u8>),
}

impl OwnedValue {
    /// Its text, bytes that are no UTF-8 replaced; `None` for NULL.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            OwnedValue::Null => return None,
            OwnedValue::Int(v) => Cow::Owned(v.to_string()),
            OwnedValue::UInt(v) => Cow::Owned(v.to_string()),
            OwnedValue::Float(v) => Cow::Owned(v.to_string()),
            OwnedValue::Double(v) => Cow::Owned(v.to_string()),
            OwnedValue::Date(v) => Cow::Owned(v.to_string()),
            OwnedValue::DateTime(v) => Cow::Owned(v.to_string()),
            OwnedValue::Time(v) => Cow::Owned(v.to_string()),
            OwnedValue::Decimal(v) | OwnedValue::Text(v) => Cow::Borrowed(v),
            OwnedValue::Bytes(v) => String::from_utf8_lossy(v),
        })
    }

    /// The value, borrowed.
    pub fn borrow(&self) -> Value<'_> {
        match self {
            OwnedValue::Null => Value::Null,
            OwnedValue::Int(v) => Value::Int(*v),
            OwnedValue::UInt(v) => Value::UInt(*v),
            OwnedValue::Float(v) => Value::Float(*v),
            OwnedValue::Double(v) => Value::Double(*v),
            OwnedValue::Decimal(v) => Value::Decimal(v),
            OwnedValue::Date(v) => Value::Date(*v),
            OwnedValue::DateTime(v) => Value::DateTime(*v),
            OwnedValue::Time(v) => Value::Time(*v),
            OwnedValue::Text(v) => Value::Text(v),
            OwnedValue::Bytes(v) => Value::Bytes(v),
        }
    }
}

impl Value<'_> {
    /// The value with bytes of its own.
    pub fn to_owned(self) -> OwnedValue {
        match self {
            Value::Null => OwnedValue::Null,
            Value::Int(v) => OwnedValue::Int(v),
            Value::UInt(v) => OwnedValue::UInt(v),
            Value::Float(v) => OwnedValue::Float(v),
            Value::Double(v) => OwnedValue::Double(v),
            Value::Decimal(v) => OwnedValue::Decimal(v.to_owned()),
            Value::Date(v) => OwnedValue::Date(v),
            Value::DateTime(v) => OwnedValue::DateTime(v),
            Value::Time(v) => OwnedValue::Time(v),
            Value::Text(v) => OwnedValue::Text(v.to_owned()),
            Value::Bytes(v) => OwnedValue::Bytes(v.to_vec()),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(v: &'a str) -> Self {
        Value::Text(v)
    }
}

impl From<i64> for Value<'_> {
    fn from(v: i64) -> Self {
        Value::Int(v)
    }
}

impl From<u64> for Value<'_> {
    fn from(v: u64) -> Self {
        Value::UInt(v)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(v: Option<T>) -> Self {
        v.map_or(Value::Null, Into::into)
    }
}
