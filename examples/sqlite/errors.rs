//! SQLite's errors with MySQL's codes: clients decide by the code whether to try again, or to make the table first.
//!
//! SQLite has codes for constraints, locks and files. Whatever it finds when it reads a statement has one code for all,
//! and only the text tells a missing table from a missing comma. So the texts are matched here, and nowhere else.

use killdeer::{ErrorKind, Killed, Reason, SqlError};
use rusqlite::{Error, ErrorCode, ffi};

/// The error as a MySQL client expects it; 1105 for what MySQL has no code for. The text is SQLite's own.
pub fn of(error: Error) -> SqlError {
    match error {
        Error::SqliteFailure(error, text) => failure(error, text.unwrap_or_else(|| error.to_string())),
        Error::SqlInputError { error, msg, sql, offset } => {
            let rest = usize::try_from(offset).ok().and_then(|at| sql.get(at..)).unwrap_or_default();
            reading(&msg, rest).unwrap_or_else(|| failure(error, msg))
        }
        Error::MultipleStatement => SqlError::of(ErrorKind::SyntaxError, "Several statements in the place of one"),
        other => unknown(other.to_string()),
    }
}

/// MySQL: the transaction was rolled back, because it stood in another one's way; it may be tried again.
pub const DEADLOCK: u16 = 1213;

/// The transaction that a statement wanted to go on with is gone, and the client was not told: the statement that ended it
/// was killed.
pub fn transaction_lost() -> SqlError {
    let text = "The transaction was rolled back when a statement of it was killed; try restarting transaction";
    SqlError::new(DEADLOCK, "40001", text)
}

/// A statement that writes, in a transaction that said it would only read.
pub fn read_only_transaction() -> SqlError {
    SqlError::new(1792, "25006", "Cannot execute statement in a READ ONLY transaction.")
}

/// A value that is none of its column's type, which SQLite allows.
pub fn misfit(column: &str) -> SqlError {
    let text = format!("A value of column '{column}' is not of the column's type; CAST says what it is to be");
    SqlError::of(ErrorKind::WrongValueForType, text)
}

fn unknown(text: String) -> SqlError {
    SqlError::of(ErrorKind::UnknownError, text)
}

fn failure(error: ffi::Error, text: String) -> SqlError {
    match error.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            SqlError::new(1062, "23000", text)
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => SqlError::new(1048, "23000", text),
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => SqlError::new(1452, "23000", text),
        ffi::SQLITE_CONSTRAINT_CHECK => SqlError::new(3819, "HY000", text),
        ffi::SQLITE_CONSTRAINT_TRIGGER => SqlError::new(1644, "45000", text),
        ffi::SQLITE_CONSTRAINT_DATATYPE => SqlError::of(ErrorKind::WrongValueForType, text),
        // What the transaction has read is no longer so: waiting would not help.
        ffi::SQLITE_BUSY_SNAPSHOT => SqlError::new(DEADLOCK, "40001", text),
        _ => match error.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                SqlError::new(1205, "HY000", "Lock wait timeout exceeded; try restarting transaction")
            }
            ErrorCode::ReadOnly => SqlError::new(1290, "HY000", text),
            ErrorCode::AuthorizationForStatementDenied => SqlError::of(
                ErrorKind::SpecificAccessDenied,
                format!(
                    "{text}: this server has one file, and statements neither reach others nor change its settings"
                ),
            ),
            // The runtime knows the reason, and tells it to the client.
            ErrorCode::OperationInterrupted => Killed(Reason::KillQuery).into(),
            ErrorCode::OutOfMemory => SqlError::new(1037, "HY001", text),
            ErrorCode::DiskFull => SqlError::new(1021, "HY000", text),
            _ => reading(&text, "").unwrap_or_else(|| unknown(text)),
        },
    }
}

/// What SQLite finds when it reads a statement. `rest`: the statement from where it found it.
fn reading(text: &str, rest: &str) -> Option<SqlError> {
    let starts = [
        ("no such table: ", 1146, "42S02"),
        ("no such column: ", 1054, "42S22"),
        ("ambiguous column name: ", 1052, "23000"),
        ("duplicate column name: ", 1060, "42S21"),
        ("no such function: ", 1305, "42000"),
        ("no such savepoint: ", 1305, "42000"),
        ("no such index: ", 1091, "42000"),
        ("not authorized to use function: ", 1227, "42000"),
        ("wrong number of arguments to function ", 1582, "42000"),
        ("too many SQL variables", 1390, "HY000"),
        ("cannot start a transaction within a transaction", 1568, "25001"),
    ];
    if let Some((.., code, state)) = starts.iter().find(|(start, ..)| text.starts_with(start)) {
        return Some(SqlError::new(*code, state, text.to_owned()));
    }
    let syntax = ["incomplete input", "unrecognized token: ", "near \"", "variable number must be "];
    if syntax.iter().any(|start| text.starts_with(start)) {
        let message = SqlError::syntax(rest, 1).message().to_owned();
        return Some(SqlError::of(ErrorKind::SyntaxError, format!("{message} ({text})")));
    }
    let ends = [
        (" already exists", 1050, "42S01"),
        (" values were supplied", 1136, "21S01"),
        (" columns", 1136, "21S01"),
        (" may not be modified", 1290, "HY000"),
        (" because it is a view", 1288, "HY000"),
    ];
    if text.contains(" has no column named ") {
        return Some(SqlError::of(ErrorKind::BadField, text.to_owned()));
    }
    let (.., code, state) = ends.iter().find(|(end, ..)| text.ends_with(end))?;
    Some(SqlError::new(*code, state, text.to_owned()))
}
