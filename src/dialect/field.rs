//! A column of a list: its name, its type, and its value for a session. What several systems show in the same way stands
//! here; the rest in their files.

use super::line::{Line, View};
use crate::{
    id::SessionId,
    model::{Column, ColumnType, Command, Seen, Value},
};

/// As much text as a packet may hold.
pub(super) const LONG: u32 = 64 << 20;

/// The value of a column for a session.
pub(super) type Read = for<'a> fn(&'a Line<'a>) -> Value<'a>;

/// See the module's text.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    name: &'static str,
    kind: ColumnType,
    width: u32,
    unsigned: bool,
    nullable: bool,
    value: Read,
}

impl Field {
    const fn new(name: &'static str, kind: ColumnType, width: u32, value: Read) -> Self {
        Self { name, kind, width, unsigned: false, nullable: true, value }
    }

    /// Text of at most so many characters.
    pub(super) const fn text(name: &'static str, width: u32, value: Read) -> Self {
        Self::new(name, ColumnType::VarChar, width, value)
    }

    /// Long text.
    pub(super) const fn long_text(name: &'static str, value: Read) -> Self {
        Self::new(name, ColumnType::Text, LONG, value)
    }

    /// A number of 64 bits, shown in at most so many characters.
    pub(super) const fn big(name: &'static str, width: u32, value: Read) -> Self {
        Self::new(name, ColumnType::BigInt, width, value)
    }

    /// A number of 32 bits.
    pub(super) const fn int(name: &'static str, width: u32, value: Read) -> Self {
        Self::new(name, ColumnType::Int, width, value)
    }

    /// An exact number.
    pub(super) const fn decimal(name: &'static str, width: u32, value: Read) -> Self {
        Self::new(name, ColumnType::Decimal, width, value)
    }

    /// A column of another type.
    pub(super) const fn of(name: &'static str, kind: ColumnType, width: u32, value: Read) -> Self {
        Self::new(name, kind, width, value)
    }

    pub(super) const fn unsigned(self) -> Self {
        Self { unsigned: true, ..self }
    }

    /// Never NULL.
    pub(super) const fn not_null(self) -> Self {
        Self { nullable: false, ..self }
    }

    fn column(&self) -> Column {
        let column = Column::new(self.name, self.kind).width(self.width);
        let column = if self.kind == ColumnType::Decimal { column.decimals(3) } else { column };
        let column = if self.unsigned { column.unsigned() } else { column };
        if self.nullable { column } else { column.not_null() }
    }
}

/// The headers of these.
pub(crate) fn columns(fields: &[Field]) -> Vec<Column> {
    fields.iter().map(Field::column).collect()
}

/// Shows the values of these for a session.
pub(crate) fn row_of(fields: &[Field], view: &View<'_>, seen: &Seen<'_>, mut emit: impl FnMut(&[Value<'_>])) {
    let line = Line::new(view, seen);
    // As many as the widest list has; one allocation otherwise.
    let mut values = [Value::Null; 24];
    match values.get_mut(..fields.len()) {
        Some(values) => {
            for (value, field) in values.iter_mut().zip(fields) {
                *value = (field.value)(&line);
            }
            emit(values);
        }
        None => emit(&fields.iter().map(|field| (field.value)(&line)).collect::<Vec<_>>()),
    }
}

/// What is not known here.
pub(super) fn unknown<'a>(_: &'a Line<'a>) -> Value<'a> {
    Value::Null
}

/// An empty text.
pub(super) fn empty<'a>(_: &'a Line<'a>) -> Value<'a> {
    Value::Text("")
}

/// 0.
pub(super) fn zero<'a>(_: &'a Line<'a>) -> Value<'a> {
    Value::Int(0)
}

pub(super) fn id<'a>(line: &'a Line<'a>) -> Value<'a> {
    Value::UInt(line.row.id.get())
}

/// The user's name; before login `unauthenticated user`.
pub(super) fn user<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.user().into()
}

/// The client's address and port.
pub(super) fn host<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.host().into()
}

/// The client's address.
pub(super) fn bare_host<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.bare_host().into()
}

/// The current database; NULL if there is none.
pub(super) fn database<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.database().into()
}

/// `Killed` once that was killed what it does.
pub(super) fn command<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.row.command.as_str().into()
}

/// What it does, killed or not.
pub(super) fn active<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.row.active.as_str().into()
}

/// Whole seconds since the last start or end of a command, as many as an int column takes.
pub(super) fn time<'a>(line: &'a Line<'a>) -> Value<'a> {
    seconds(line.row.time)
}

/// Whole seconds, as many as an int column takes.
pub(super) fn seconds<'a>(time: std::time::Duration) -> Value<'a> {
    Value::Int(i64::try_from(time.as_secs()).unwrap_or(i64::MAX).min(i32::MAX.into()))
}

/// MySQL's words for what the statement is at.
pub(super) fn state<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.row.state.into()
}

/// The statement; NULL if none runs.
pub(super) fn info<'a>(line: &'a Line<'a>) -> Value<'a> {
    line.info().into()
}

/// Whether it is the session that asks.
pub(super) fn is_own(line: &Line<'_>) -> bool {
    line.view.own.is_some_and(|own: SessionId| own == line.row.id)
}

/// Whether a statement runs, or anything else that a client has asked for.
pub(super) fn is_busy(line: &Line<'_>) -> bool {
    !matches!(line.row.active, Command::Sleep | Command::Connect)
}
