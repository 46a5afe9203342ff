//! An SQLite file served to MySQL's clients: the template for an engine of plain blocking code.
//!
//! [`SqliteSql`] is the engine, [`session::SqliteSession`] what it keeps for one client: a connection to the file of the
//! client's own. Wrapped in [`killdeer::Blocking`], its code runs on threads where blocking is allowed, and may take as long
//! as it takes, if only it looks whether it is to stop.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `session.rs` | what a client's statements do, one after the other |
//! | `watch.rs` | how a running statement sees that it is killed |
//! | `connection.rs` | how a connection is opened, and what it may not do |
//! | `transaction.rs` | `BEGIN`, `COMMIT` and their like, read |
//! | `text.rs` | a statement as SQLite is to read it |
//! | `values.rs` | values and types, to and fro |
//! | `errors.rs` | SQLite's errors with MySQL's codes |
//! | `catalogue.rs` | `DESCRIBE` and `SHOW` |
//! | `words.rs` | a statement read word by word |
//!
//! What stays SQLite's own: its SQL but for strings, comments and the statements above; an `UPDATE` counts the rows that it
//! found, not only those that it changed; DDL is part of a transaction, and ends none; one writes at a time.

#[path = "../accounts/mod.rs"]
pub mod accounts;
mod catalogue;
mod connection;
pub mod errors;
pub mod session;
pub mod text;
mod transaction;
mod values;
mod watch;
mod words;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use accounts::Accounts;
use killdeer::{BlockingEngine, Login, Principal, SqlError, Verifier};
use rusqlite::Connection;
use session::SqliteSession;

/// The one database, by SQLite's own name for it.
pub const DATABASE: &str = "main";

pub struct SqliteSql {
    accounts: Accounts,
    known: Arc<Known>,
    /// Open as long as the server runs. When the last connection to a file is closed, SQLite writes the log back into the
    /// file; with this one, no client's leaving is that moment.
    _keeper: Mutex<Connection>,
}

/// What all sessions know.
struct Known {
    path: PathBuf,
    version: Arc<str>,
    comment: String,
}

impl SqliteSql {
    /// Opens the file, and makes it if it is not there. `version`: what clients are told.
    ///
    /// # Errors
    /// It cannot be opened, is no database, or cannot have a write-ahead log, without which readers and writers would wait
    /// for each other.
    pub fn open(path: PathBuf, accounts: Accounts, version: Arc<str>) -> Result<Self, Box<dyn std::error::Error>> {
        let keeper = connection::open_file(&path)?;
        let mode: String = keeper.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(format!("no write-ahead log is possible: the journal is {mode:?}").into());
        }
        let known = Known { path, version, comment: format!("SQLite {}", rusqlite::version()) };
        Ok(Self { accounts, known: Arc::new(known), _keeper: Mutex::new(keeper) })
    }
}

impl BlockingEngine for SqliteSql {
    type Session = SqliteSession;

    fn account(&self, login: &Login<'_>) -> Result<Option<(Verifier, Principal)>, SqlError> {
        Ok(self.accounts.find(login))
    }

    fn open(&self, _: &Arc<Principal>) -> Result<SqliteSession, SqlError> {
        SqliteSession::open(&self.known).map_err(errors::of)
    }
}
