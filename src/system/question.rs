//! A question, from its text to its rows.

use std::{borrow::Cow, sync::atomic::Ordering};

use rusqlite::Statement;

use super::{
    facts::{Facts, Stop, Variables},
    held::{Held, Limits, Share, too_long, too_much, weight},
    refusal::explain,
    sandbox::{Failed, Sandbox},
    table::Table,
    translate::{Bind, Translated, translate},
    value::{column_of, from_sqlite, settle, to_sqlite},
};
use crate::{
    control::Syntax,
    model::{Column, ColumnType, ErrorKind, Killed, OwnedValue, SqlError},
};

/// A `SELECT` that was read: with what its variables are worth, and who asks.
#[derive(Debug)]
pub(crate) struct Question {
    /// As the client wrote it.
    sql: Vec<u8>,
    translated: Translated,
    facts: Facts,
}

/// What a question is answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) columns: Vec<Column>,
    /// One value for each column.
    pub(crate) rows: Vec<Vec<OwnedValue>>,
    /// Their place in memory is given back when this is dropped: after they were sent.
    pub(crate) share: Share,
}

impl Question {
    /// Reads a question; a trailing `;` may stand. It takes no longer than its text is long.
    ///
    /// # Errors
    /// 1064 for what is no question, 1305 for functions that are not known, 1235 for what is not served and what is
    /// longer than 64 KiB, and those of `variables`.
    pub(crate) fn read(sql: &[u8], syntax: &Syntax, facts: Facts, variables: &Variables<'_>) -> Result<Self, SqlError> {
        let translated = translate(sql, syntax, facts.database.as_deref(), variables)?;
        Ok(Self { sql: sql.to_vec(), translated, facts })
    }

    /// Whether it may name this column of a table.
    pub(super) fn names(&self, column: &str) -> bool {
        let names = &self.translated.names;
        names.as_ref().is_none_or(|names| names.contains(&column.to_ascii_lowercase()))
    }

    /// How many parameters it has.
    pub(crate) fn params(&self) -> usize {
        self.translated.params
    }

    /// The columns that it will have, for who prepares it. `tables` may be empty. Of a computed column the type is only
    /// known once there are rows: until then it is a text.
    ///
    /// # Errors
    /// Those of [`Question::answer`] that do not depend on rows.
    pub(crate) fn describe(&self, tables: &[Table]) -> Result<Vec<Column>, SqlError> {
        let stop = Stop::new(|| None);
        let sandbox = Sandbox::new(tables, &self.translated.views, &self.facts, &stop, &Limits::default());
        let sandbox = sandbox.map_err(|failed| self.error(failed, None))?;
        let statement = sandbox.connection.prepare(&self.translated.sql);
        let statement = statement.map_err(|error| self.error(error.into(), sandbox.environment.failure()))?;
        Ok(columns(&statement, tables).into_iter().map(|(column, _)| column).collect())
    }

    /// Answers it from these tables, whole. It blocks: `stop` is looked at all the while. Tables that are given away do not
    /// keep their rows longer than it takes to copy them.
    ///
    /// # Errors
    /// As MySQL words them: 1146, 1054, 1052, 1064, 1582, 1111, and 1210 for a number of parameters that is not its own;
    /// 1041 if it takes more memory than it may; the reason, if it is to end.
    pub(crate) fn answer<'a>(
        &self,
        params: &[OwnedValue],
        tables: impl Into<Cow<'a, [Table]>>,
        stop: &Stop,
        limits: &Limits,
        held: &Held,
    ) -> Result<Answer, SqlError> {
        if params.len() != self.translated.params {
            return Err(SqlError::of(ErrorKind::WrongArguments, "Incorrect arguments to EXECUTE"));
        }
        let mut tables = tables.into();
        let sandbox = Sandbox::new(&tables, &self.translated.views, &self.facts, stop, limits);
        let mut sandbox = sandbox.map_err(|failed| self.error(failed, None))?;
        if let Cow::Owned(tables) = &mut tables {
            tables.iter_mut().for_each(|table| table.rows = Vec::new());
        }
        let answer = self.ask(&mut sandbox, params, &tables, stop, limits, held);
        answer.map_err(|failed| {
            let failure = sandbox.environment.failure();
            match (stop.reason(), failed) {
                (Some(reason), _) => Killed(reason).into(),
                _ if sandbox.exhausted.load(Ordering::Relaxed) => {
                    too_much("too many rows would have to be sorted or kept aside")
                }
                _ if sandbox.endless.load(Ordering::Relaxed) => too_long(),
                (None, failed) => self.error(failed, failure),
            }
        })
    }

    fn ask(
        &self,
        sandbox: &mut Sandbox,
        params: &[OwnedValue],
        tables: &[Table],
        stop: &Stop,
        limits: &Limits,
        held: &Held,
    ) -> Result<Answer, Failed> {
        // Its own strings are no longer than that.
        sandbox.environment.handles(self.sql.len() / 4);
        sandbox.watch(&self.translated.sql)?;
        let mut statement = sandbox.connection.prepare(&self.translated.sql)?;
        if !statement.readonly() {
            return Err(SqlError::not_supported("writing to the system tables").into());
        }
        let binds = self.translated.binds.iter().take(statement.parameter_count());
        for (at, bind) in binds.enumerate() {
            let value = match bind {
                Bind::Client(nth) => &params[*nth],
                Bind::Value(value) => value,
            };
            sandbox.environment.handles(weight(value));
            statement.raw_bind_parameter(at + 1, to_sqlite(value)?)?;
        }
        let columns = columns(&statement, tables);
        let (mut rows, mut share, mut source) = (Vec::new(), held.share(), statement.raw_query());
        while let Some(row) = source.next()? {
            if let Some(reason) = stop.reason() {
                return Err(SqlError::from(Killed(reason)).into());
            }
            let mut values = Vec::with_capacity(columns.len());
            for at in 0..columns.len() {
                let value = row.get_ref(at)?;
                share.take(length(value), limits)?;
                values.push(from_sqlite(value));
            }
            share.take(size_of::<Vec<OwnedValue>>() + columns.len() * weight(&OwnedValue::Null), limits)?;
            rows.push(values);
        }
        let settled = columns.into_iter().enumerate().map(|(at, (mut column, is_declared))| {
            settle(&mut column, is_declared, &mut rows, at);
            column
        });
        Ok(Answer { columns: settled.collect(), rows, share })
    }

    /// `failure` is what is known better than SQLite says it.
    fn error(&self, failed: Failed, failure: Option<SqlError>) -> SqlError {
        match failed {
            Failed::Sqlite(error) => {
                failure.unwrap_or_else(|| explain(&error, &self.sql, self.facts.database.as_deref()))
            }
            Failed::Other(error) => error,
        }
    }
}

/// What a value has of bytes beside itself.
fn length(value: rusqlite::types::ValueRef<'_>) -> usize {
    match value {
        rusqlite::types::ValueRef::Text(bytes) | rusqlite::types::ValueRef::Blob(bytes) => bytes.len(),
        _ => 0,
    }
}

/// The columns of the result, and whether each is one of a table's as it was declared.
fn columns(statement: &Statement<'_>, tables: &[Table]) -> Vec<(Column, bool)> {
    let column = |column: rusqlite::Column<'_>| {
        let name = column.name().to_owned();
        match column.decl_type().and_then(|declared| column_of(declared, tables)) {
            Some(declared) => (Column { name: name.into(), ..declared }, true),
            None => (Column::new(name, ColumnType::VarChar), false),
        }
    };
    statement.columns().map(column).collect()
}
