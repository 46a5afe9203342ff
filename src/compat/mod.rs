//! Answers to what ordinary MySQL clients ask of their own accord when they connect: variables, `SET`, transactions,
//! `SHOW`, the catalogue's tables.
//!
//! Whoever writes a SQL server asks [`ClientState::answer`] first, and runs what it has no answer to:
//!
//! ```
//! use killdeer::compat::{Answer, ClientState, Facts};
//!
//! let mut client = ClientState::new();
//! let facts = Facts { version: "8.0.36-mine", databases: &["shop"], ..Facts::default() };
//! match client.answer("SELECT @@version, DATABASE()", &facts)? {
//!     Some(Answer::Rows { columns, rows }) => assert_eq!((columns.len(), rows.len()), (2, 1)),
//!     Some(Answer::Ok(_done)) => {}
//!     Some(Answer::UseDatabase(_name)) => {} // if there is one of this name, it is the current one from now on
//!     None => {}                             // not one of ours: run it
//! }
//! assert_eq!(client.answer("SELECT 1", &facts)?, None);
//! # Ok::<(), killdeer::SqlError>(())
//! ```
//!
//! [`ClientState::tell`] then tells the session what the answer changed in it.
//!
//! Nothing here does any I/O but reading the clock for `NOW()`. What it answers follows MySQL 8.0 (defaults, columns,
//! codes and texts of errors); what is not understood is left to the server, never refused. What a client can make a
//! [`ClientState`] keep is bounded, and so is the work that one statement can cause.
//!
//! Not heeded: the parts of `sql_mode` that change how a statement is read (`ANSI_QUOTES`, `NO_BACKSLASH_ESCAPES`), and
//! collations: text compares without case.

mod bind;
mod catalogue;
mod charset;
mod cursor;
mod expression;
mod facts;
mod function;
mod layout;
mod prefilter;
mod query;
mod relation;
mod select;
mod set;
mod shape;
mod show;
mod simple;
mod state;
mod stop;
mod tell;
mod transaction;
mod value_of;
mod variable;
mod variables;

#[cfg(test)]
mod tests;

pub use bind::{Strings, bind, placeholders};
pub use facts::{Facts, Table};
pub use prefilter::concerns;
pub use simple::{Argument, Simple, parse_simple};
pub use state::{ClientState, MOST_KEPT_BYTES, MOST_USER_VARIABLES};

use cursor::Cursor;
use expression::Scope;
use prefilter::{Lead, lead};
use stop::{Found, Stop};

use crate::model::{Column, Done, OwnedValue, SqlError};

/// What a client is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A result set.
    Rows {
        /// Named as MySQL names them: by the alias, or by the expression as typed.
        columns: Vec<Column>,
        /// One value for each column.
        rows: Vec<Vec<OwnedValue>>,
    },
    /// It was done; the flags are those of the session now.
    Ok(Done),
    /// `USE`: whether there is such a database is for the server to say.
    UseDatabase(String),
}

impl ClientState {
    /// Answers a statement, if it is one of those that clients send of their own accord. `None`: the server runs it.
    ///
    /// A statement of ours that fails is the last statement for `SHOW WARNINGS`; of the server's own statements it has
    /// to be told with [`ClientState::warn`] and [`ClientState::note_error`].
    ///
    /// # Errors
    /// As MySQL refuses the statement: 1193 and others for variables, 1109 and 1146 for tables, 1305 for savepoints.
    pub fn answer(&mut self, sql: &str, facts: &Facts<'_>) -> Result<Option<Answer>, SqlError> {
        let found = match lead(sql, facts.database) {
            Some((lead, body)) => answer(self, facts, lead, body),
            None => Err(Stop::NotOurs),
        };
        match found {
            Ok(answer) => Ok(Some(answer)),
            Err(Stop::NotOurs) => {
                self.clear_warnings();
                Ok(None)
            }
            Err(Stop::Error(error)) => {
                self.clear_warnings();
                self.note_error(&error);
                Err(error)
            }
        }
    }

    /// What a scalar expression is worth, such as the argument of `KILL CONNECTION_ID()`, `KILL @x`, `SLEEP(1 + 1)`:
    /// literals, variables, and the functions that this module knows. `None`: it is more than that.
    ///
    /// # Errors
    /// 1193 and 1238 for system variables.
    pub fn evaluate(&self, expression: &str, facts: &Facts<'_>) -> Result<Option<OwnedValue>, SqlError> {
        let value = || -> Found<OwnedValue> {
            let mut cursor = Cursor::new(expression)?;
            let expr = cursor.expression()?;
            cursor.end()?;
            Scope::new(self, facts).value(&expr)
        };
        match value() {
            Ok(value) => Ok(Some(value)),
            Err(Stop::NotOurs) => Ok(None),
            Err(Stop::Error(error)) => Err(error),
        }
    }
}

fn answer(state: &mut ClientState, facts: &Facts<'_>, lead: Lead, body: &str) -> Found<Answer> {
    let cursor = Cursor::new(body)?;
    match lead {
        Lead::Select => select::answer(state, facts, cursor),
        Lead::Set => set::answer(state, facts, cursor),
        Lead::Show => show::answer(state, facts, cursor),
        Lead::Transaction => transaction::answer(state, cursor),
        Lead::Use => use_database(state, cursor),
        Lead::Describe => show::describe(facts, cursor),
    }
}

fn use_database(state: &mut ClientState, mut cursor: Cursor<'_>) -> Found<Answer> {
    cursor.expect_word("USE")?;
    let name = cursor.name()?;
    cursor.end()?;
    state.clear_warnings();
    Ok(Answer::UseDatabase(name))
}
