//! What a statement is warned of: the lines of `SHOW WARNINGS`.

use super::{Column, ColumnType, ErrorKind, OwnedValue, SqlError};

/// One line of `SHOW WARNINGS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// How grave it is.
    pub level: Level,
    /// MySQL's number.
    pub code: u16,
    /// The text.
    pub message: String,
}

/// How grave a [`Warning`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For information.
    Note,
    /// Done, but not quite as asked.
    Warning,
    /// Not done.
    Error,
}

impl Level {
    /// The text in the Level column.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Note => "Note",
            Level::Warning => "Warning",
            Level::Error => "Error",
        }
    }
}

impl Warning {
    /// A warning of one of the runtime's own kinds.
    pub fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, code: kind.code().0, message: message.into() }
    }
}

impl From<&SqlError> for Warning {
    /// The line that an error leaves.
    fn from(error: &SqlError) -> Self {
        Self { level: Level::Error, code: error.code(), message: error.message().to_owned() }
    }
}

impl Warning {
    /// The columns of `SHOW WARNINGS`.
    pub fn columns() -> Vec<Column> {
        vec![
            Column::new("Level", ColumnType::VarChar).width(7).not_null(),
            Column::new("Code", ColumnType::Int).unsigned().width(4).not_null(),
            Column::new("Message", ColumnType::VarChar).width(512).not_null(),
        ]
    }

    /// The row, in the order of those columns.
    pub fn row(&self) -> [OwnedValue; 3] {
        let text = |text: &str| OwnedValue::Text(text.to_owned());
        [text(self.level.as_str()), OwnedValue::UInt(self.code.into()), text(&self.message)]
    }
}
