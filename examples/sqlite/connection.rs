//! One client's connection to the file: how it is opened, what it may do, and how much.

use std::{path::Path, sync::Arc};

use rusqlite::{
    Connection, OpenFlags, Result,
    config::DbConfig,
    hooks::{Action, AuthAction, AuthContext, Authorization},
    limits::Limit,
};

use super::watch::Watch;

/// So many of its virtual machine's instructions SQLite runs before it asks whether to stop: some microseconds' worth.
/// Some instructions are long, a sort of many rows for example; a kill waits for them.
const INSTRUCTIONS: i32 = 1000;

/// The longest text or blob, in bytes, so that a statement cannot ask for a gigabyte by `zeroblob`.
const LONGEST_VALUE: i32 = 64 << 20;

/// The pragmas that tell of the schema and change nothing. The others can turn off what keeps the data safe.
const PRAGMAS: [&str; 9] = [
    "collation_list",
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Opens the file, and makes it if it is not there. The text is a path and no URI, which could ask for more than a file.
pub fn open_file(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

/// Opens the file for a client: foreign keys hold, nothing outside of the file is reached, and the hooks ask `watch`.
pub fn open(path: &Path, watch: &Arc<Watch>) -> Result<Connection> {
    let mut connection = open_file(path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    let asked = Arc::clone(watch);
    connection.progress_handler(INSTRUCTIONS, Some(move || asked.is_killed()))?;
    let asked = Arc::clone(watch);
    connection.busy_handler(Some(move |tries| asked.wait(tries)))?;
    let told = Arc::clone(watch);
    connection.update_hook(Some(move |action, _: &str, _: &str, rowid| {
        if action == Action::SQLITE_INSERT {
            told.insert(rowid);
        }
    }))?;
    connection.authorizer(Some(allowed))?;
    Ok(connection)
}

/// Asked by SQLite for each thing that a statement is about to do, when it is prepared.
fn allowed(asked: AuthContext<'_>) -> Authorization {
    let fine = match asked.action {
        // VACUUM is one of these too: it attaches the file that it writes.
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => false,
        AuthAction::Pragma { pragma_name, .. } => PRAGMAS.iter().any(|known| known.eq_ignore_ascii_case(pragma_name)),
        AuthAction::Function { function_name } => !function_name.eq_ignore_ascii_case("load_extension"),
        _ => true,
    };
    if fine { Authorization::Allow } else { Authorization::Deny }
}
