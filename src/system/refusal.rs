//! SQLite's errors as MySQL's. SQLite says in words alone what is wrong with a statement, so its words are read, here and
//! nowhere else; none of them reaches a client.

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
    let unread = || SqlError::of(ErrorKind::UnknownError, "The system tables cannot answer this question");
    read(&text, sql, database).or_else(|| windows_and_rows(&text, sql)).unwrap_or_else(unread)
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
    if ["misuse of aggregate", "misuse of window function", "aggregate functions are not allowed in the GROUP BY"]
        .into_iter()
        .any(|start| text.starts_with(start))
    {
        return Some(SqlError::of(ErrorKind::InvalidGroupFunction, "Invalid use of group function"));
    }
    if text.contains("ORDER BY term ") || text.contains("GROUP BY term ") {
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

/// What they say of joins, rows, windows and what a question calls by a name of its own.
fn windows_and_rows(text: &str, sql: &[u8]) -> Option<SqlError> {
    // The last number that they give is the one that was expected.
    let columns = || {
        let last = text.split(|c: char| !c.is_ascii_digit()).rfind(|digits| !digits.is_empty()).unwrap_or("1");
        SqlError::of(ErrorKind::OperandColumns, format!("Operand should contain {last} column(s)"))
    };
    let name = || text.rsplit(": ").next().unwrap_or_default().trim_matches('"');
    Some(if let Some(rest) = text.strip_prefix("cannot join using column ") {
        unknown_column(rest.split(" - ").next().unwrap_or(rest), "from clause")
    } else if text.starts_with("sub-select returns ") || text.starts_with("IN(...) element has ") {
        columns()
    } else if text.starts_with("row value misused") {
        SqlError::of(ErrorKind::OperandColumns, "Operand should contain 1 column(s)")
    } else if text.starts_with("HAVING clause on a non-aggregate") {
        SqlError::not_supported("HAVING without GROUP BY")
    } else if text.starts_with("no such window: ") {
        SqlError::of(ErrorKind::NoSuchWindow, format!("Window name '{}' is not defined.", name()))
    } else if text.starts_with("frame starting offset") || text.starts_with("frame ending offset") {
        let text = "Window '<unnamed window>': frame start or end is negative, NULL or of non-integral type";
        SqlError::of(ErrorKind::IllegalFrame, text)
    } else if text.starts_with("RANGE with offset PRECEDING/FOLLOWING") {
        let text = "Window '<unnamed window>' with RANGE N PRECEDING/FOLLOWING frame requires exactly one ORDER BY \
                    expression, of numeric or temporal type";
        SqlError::of(ErrorKind::FrameWithoutOrder, text)
    } else if text.contains("ntile must be a positive integer") {
        SqlError::of(ErrorKind::WrongArguments, "Incorrect arguments to ntile")
    } else if text.contains("nth_value must be a positive integer") {
        SqlError::of(ErrorKind::WrongArguments, "Incorrect arguments to nth_value")
    } else if text.starts_with("recursive aggregate queries") {
        let text = "A recursive common table expression can contain neither aggregation nor window functions in its \
                    recursive query block";
        SqlError::of(ErrorKind::RecursiveAggregation, text)
    } else if text.starts_with("multiple references to recursive table: ") || text.starts_with("circular reference: ") {
        let text = format!(
            "In recursive query block of Recursive Common Table Expression '{}', the recursive table must be referenced \
             only once, and not in any subquery",
            name()
        );
        SqlError::of(ErrorKind::RecursiveReference, text)
    } else {
        let joined = text.strip_prefix("unknown join type: ")?;
        syntax_error(sql, place(joined.split(' ').next().unwrap_or(joined), sql))
    })
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
