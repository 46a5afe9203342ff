//! SQLite's errors as MySQL's. SQLite says in words alone what is wrong with a statement, so its words are read, here and
//! nowhere else; what is not known among them is told as it is.

use rusqlite::{Error, ErrorCode};

use super::held::too_much;
use crate::{
    control::syntax_error,
    model::{ErrorKind, SqlError},
};

/// MySQL's error for it. `sql` is the question as the client wrote it.
pub(super) fn explain(error: &Error, sql: &[u8], database: Option<&str>) -> SqlError {
    let (code, text) = match error {
        Error::SqliteFailure(code, text) => (Some(code.code), text.clone().unwrap_or_else(|| code.to_string())),
        Error::SqlInputError { error, msg, .. } => (Some(error.code), msg.clone()),
        Error::MultipleStatement => return syntax_error(sql, sql.len()),
        other => (None, other.to_string()),
    };
    match code {
        Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory | ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => {
            return too_much("too much would have to be sorted or kept aside");
        }
        Some(ErrorCode::TooBig) => return too_much("a row or a text is too long"),
        _ => {}
    }
    read(&text, sql, database)
        .unwrap_or_else(|| SqlError::of(ErrorKind::UnknownError, text.replace(super::functions::PREFIX, "")))
}

/// What SQLite's words say.
fn read(text: &str, sql: &[u8], database: Option<&str>) -> Option<SqlError> {
    let behind = |start: &str| text.strip_prefix(start).map(|name| name.split(" - should").next().unwrap_or(name));
    let bare = |name: &str| name.replace('"', "");
    if let Some(table) = behind("no such table: ") {
        return Some(no_such_table(&bare(table), database));
    }
    if let Some(column) = behind("no such column: ") {
        return Some(unknown_column(&bare(column), "field list"));
    }
    if let Some(column) = behind("ambiguous column name: ") {
        let text = format!("Column '{}' in field list is ambiguous", bare(column));
        return Some(SqlError::of(ErrorKind::NonUniqueField, text));
    }
    if let Some(function) = behind("no such function: ") {
        return Some(SqlError::no_such_function(database, &bare(function)));
    }
    if let Some(function) = behind("wrong number of arguments to function ") {
        let name = function.trim_end_matches("()").trim_start_matches(super::functions::PREFIX).to_uppercase();
        let text = format!("Incorrect parameter count in the call to native function '{name}'");
        return Some(SqlError::of(ErrorKind::WrongArgumentCount, text));
    }
    if text.starts_with("misuse of aggregate") || text.starts_with("misuse of window function") {
        return Some(SqlError::of(ErrorKind::InvalidGroupFunction, "Invalid use of group function"));
    }
    if text.contains("ORDER BY term out of range") || text.contains("GROUP BY term out of range") {
        let number: String = text.chars().take_while(char::is_ascii_digit).collect();
        let clause = if text.contains("ORDER") { "order clause" } else { "group statement" };
        return Some(unknown_column(&format!("item {number}"), clause));
    }
    if text.contains("do not have the same number of result columns") {
        let text = "The used SELECT statements have a different number of columns";
        return Some(SqlError::of(ErrorKind::WrongNumberOfColumns, text));
    }
    if text.starts_with("too many SQL variables") || text.starts_with("variable number must be") {
        return Some(SqlError::too_many_placeholders());
    }
    if text == "integer overflow" {
        return Some(SqlError::bigint_out_of_range("sum"));
    }
    if text == "incomplete input" {
        return Some(syntax_error(sql, sql.len()));
    }
    let near = text.strip_prefix("near \"")?.strip_suffix("\": syntax error")?;
    Some(syntax_error(sql, place(near.trim_matches('"'), sql)))
}

/// 1146, or 1046 where no database is current.
pub(super) fn no_such_table(name: &str, database: Option<&str>) -> SqlError {
    match (name.split_once('.'), database) {
        (Some((database, table)), _) => SqlError::no_such_table(Some(database), table),
        (None, None) => SqlError::of(ErrorKind::NoDatabaseSelected, "No database selected"),
        (None, database) => SqlError::no_such_table(database, name),
    }
}

/// 1054.
pub(super) fn unknown_column(name: &str, place: &str) -> SqlError {
    SqlError::of(ErrorKind::BadField, format!("Unknown column '{name}' in '{place}'"))
}

/// Where a word of SQLite's stands in the question, the last time; at its beginning if it is not found.
fn place(word: &str, sql: &[u8]) -> usize {
    let word = word.as_bytes();
    if word.is_empty() || word.len() > sql.len() {
        return 0;
    }
    sql.windows(word.len()).rposition(|window| window.eq_ignore_ascii_case(word)).unwrap_or(0)
}
