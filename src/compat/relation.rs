//! A small table of the server's own: columns, rows, and what a filter leaves of them.

use std::borrow::Cow;

use sqlparser::ast::Expr;

use super::{Answer, Facts, expression::Scope, state::ClientState, stop::Found, variable::shown};
use crate::{
    control::like,
    model::{Column, ColumnType, OwnedValue},
};

/// A small table of the server's own.
#[derive(Debug, Default)]
pub(super) struct Relation {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<OwnedValue>>,
}

impl Relation {
    /// An empty one with these columns: names between blanks, those that end in `#` are numbers, in `!` times.
    pub fn empty(columns: &'static str) -> Self {
        let columns = columns.split_ascii_whitespace().map(|name| {
            if let Some(number) = name.strip_suffix('#') {
                Column::new(number, ColumnType::BigInt).unsigned()
            } else if let Some(time) = name.strip_suffix('!') {
                Column::new(time, ColumnType::DateTime).width(19).decimals(0)
            } else {
                Column::new(name, ColumnType::VarChar)
            }
        });
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// One with these columns of text.
    pub fn of_text(columns: &[&'static str]) -> Self {
        let columns = columns.iter().map(|name| Column::new(*name, ColumnType::VarChar)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// The same with these rows.
    #[must_use]
    pub fn with_rows(self, rows: impl IntoIterator<Item = Vec<OwnedValue>>) -> Self {
        Self { rows: rows.into_iter().collect(), ..self }
    }

    /// The same with its first column called so.
    #[must_use]
    pub fn headed(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        if let Some(column) = self.columns.first_mut() {
            column.name = name.into();
        }
        self
    }

    /// Keeps the rows whose first column matches `pattern`.
    pub fn keep_like(&mut self, pattern: &str) {
        let matches = |text: &OwnedValue| like(&shown(text), pattern, Some('\\')) == Some(true);
        self.rows.retain(|row| row.first().is_some_and(matches));
    }

    /// Keeps the rows for which `condition` holds.
    ///
    /// # Errors
    /// Not ours, if there are rows and the condition is more than is understood.
    pub fn keep_where(&mut self, condition: &Expr, state: &ClientState, facts: &Facts<'_>) -> Found<()> {
        let rows = std::mem::take(&mut self.rows);
        let mut scope = Scope::new(state, facts);
        let mut held = Vec::with_capacity(rows.len());
        for row in &rows {
            scope.row = Some((&self.columns, row));
            held.push(scope.holds(condition)?);
        }
        self.rows = rows.into_iter().zip(held).filter(|(_, held)| *held).map(|(row, _)| row).collect();
        Ok(())
    }

    /// The result set.
    pub fn answer(self) -> Answer {
        Answer::Rows { columns: self.columns, rows: self.rows }
    }
}

/// A text value.
pub(super) fn text(text: impl Into<String>) -> OwnedValue {
    OwnedValue::Text(text.into())
}
