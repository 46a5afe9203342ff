//! What clients ask about tables, answered from SQLite's own: `DESCRIBE`, `SHOW COLUMNS`, `SHOW CREATE TABLE`. (`SHOW
//! TABLES` is answered by `compat`, which needs the names only.)

use std::borrow::Cow;

use killdeer::{Column, ColumnType, OwnedValue, SqlError};
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::{DATABASE, errors, values::column_type, words::Words};

/// A question about one table.
#[derive(Debug, PartialEq, Eq)]
pub enum Show {
    Columns { table: String, like: Option<String>, full: bool },
    Create { table: String },
}

/// A result set that is short enough to be made whole.
pub struct Listing {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<OwnedValue>>,
}

/// The names of all tables and views.
pub fn tables(connection: &Connection) -> Result<Vec<String>> {
    let mut names = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         ORDER BY name",
    )?;
    names.query_map([], |row| row.get(0))?.collect()
}

/// The columns of a table whose names fit `pattern` (`LIKE`'s; empty: all).
pub fn fields(connection: &Connection, table: &str, pattern: &str) -> Result<Vec<Column>, SqlError> {
    let like = Some(pattern).filter(|pattern| !pattern.is_empty());
    let fields = columns(connection, table, like)?.into_iter().map(|field| {
        let column =
            Column { table: Cow::Owned(table.to_owned()), ..Column::new(field.name, column_type(&field.kind)) };
        if field.nullable { column } else { column.not_null() }
    });
    Ok(fields.collect())
}

impl Show {
    /// `None`: the statement is none of these.
    ///
    /// # Errors
    /// 1049: it names another database.
    pub fn parse(sql: &[u8]) -> Result<Option<Self>, SqlError> {
        match parse(sql) {
            Some((_, Some(database))) if database != DATABASE => Err(SqlError::unknown_database(&database)),
            found => Ok(found.map(|(show, _)| show)),
        }
    }

    /// # Errors
    /// 1146: there is no such table.
    pub fn answer(&self, connection: &Connection) -> Result<Listing, SqlError> {
        match self {
            Show::Columns { table, like, full } => {
                let found = columns(connection, table, like.as_deref())?;
                Ok(listing(self.header(), found.into_iter().map(|field| field.row(*full)).collect()))
            }
            Show::Create { table } => {
                let query =
                    "SELECT sql FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')";
                let sql = connection.query_row(query, [table], |row| row.get(0)).optional().map_err(errors::of)?;
                let sql: String = sql.ok_or_else(|| SqlError::no_such_table(Some(DATABASE), table))?;
                Ok(listing(self.header(), vec![vec![text(table), text(sql)]]))
            }
        }
    }

    /// The names of the columns of the answer.
    pub fn header(&self) -> &'static [&'static str] {
        match self {
            Show::Columns { full: false, .. } => &["Field", "Type", "Null", "Key", "Default", "Extra"],
            Show::Columns { full: true, .. } => {
                &["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"]
            }
            Show::Create { .. } => &["Table", "Create Table"],
        }
    }
}

/// The columns of an answer, all of them text.
pub fn header(names: &[&'static str]) -> Vec<Column> {
    names.iter().map(|name| Column::new(*name, ColumnType::VarChar)).collect()
}

fn listing(names: &[&'static str], rows: Vec<Vec<OwnedValue>>) -> Listing {
    Listing { columns: header(names), rows }
}

/// The question, and the database that it names.
fn parse(sql: &[u8]) -> Option<(Show, Option<String>)> {
    let mut words = Words::new(sql);
    let show = words.take(&["SHOW"]);
    if show && words.take(&["CREATE", "TABLE"]) {
        let (table, database) = table_name(&mut words)?;
        return words.end().then_some((Show::Create { table }, database));
    }
    let mut full = false;
    if show {
        words.take(&["EXTENDED"]);
        full = words.take(&["FULL"]);
        if !words.any(&["COLUMNS", "FIELDS"]) || !words.any(&["FROM", "IN"]) {
            return None;
        }
    } else if !words.any(&["DESCRIBE", "DESC"]) {
        return None;
    }
    let (table, mut database) = table_name(&mut words)?;
    let like = if show {
        if words.any(&["FROM", "IN"]) {
            database = Some(words.name()?);
        }
        if words.take(&["LIKE"]) { Some(words.string()?) } else { None }
    } else {
        words.name().or_else(|| words.string())
    };
    words.end().then_some((Show::Columns { table, like, full }, database))
}

fn table_name(words: &mut Words<'_>) -> Option<(String, Option<String>)> {
    let name = words.name()?;
    if words.sign(b'.') { Some((words.name()?, Some(name))) } else { Some((name, None)) }
}

/// A column of a table.
struct Field {
    name: String,
    kind: String,
    nullable: bool,
    default: Option<String>,
    /// Part of the primary key.
    key: bool,
    /// The table's row id by another name: SQLite makes one up where none is given.
    generated: bool,
}

/// # Errors
/// 1146: there is no such table.
fn columns(connection: &Connection, table: &str, like: Option<&str>) -> Result<Vec<Field>, SqlError> {
    let read = || -> Result<(bool, Vec<Field>)> {
        let mut statement = connection.prepare(
            "SELECT name, type, \"notnull\", dflt_value, pk, sum(pk > 0) OVER () = 1 AND upper(type) = 'INTEGER', \
             name LIKE coalesce(?2, '%') FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid",
        )?;
        let mut rows = statement.query(params![table, like])?;
        let (mut there, mut fields) = (false, Vec::new());
        while let Some(row) = rows.next()? {
            there = true;
            let key = row.get::<_, i64>(4)? > 0;
            let field = Field {
                name: row.get(0)?,
                kind: row.get(1)?,
                nullable: !row.get::<_, bool>(2)? && !key,
                default: row.get(3)?,
                key,
                generated: key && row.get(5)?,
            };
            if row.get(6)? {
                fields.push(field);
            }
        }
        Ok((there, fields))
    };
    match read().map_err(errors::of)? {
        (true, fields) => Ok(fields),
        (false, _) => Err(SqlError::no_such_table(Some(DATABASE), table)),
    }
}

impl Field {
    fn row(self, full: bool) -> Vec<OwnedValue> {
        let null = text(if self.nullable { "YES" } else { "NO" });
        let key = text(if self.key { "PRI" } else { "" });
        let extra = text(if self.generated { "auto_increment" } else { "" });
        let default = self.default.map_or(OwnedValue::Null, OwnedValue::Text);
        let (name, kind) = (text(self.name), text(self.kind));
        match full {
            false => vec![name, kind, null, key, default, extra],
            true => vec![name, kind, OwnedValue::Null, null, key, default, extra, text(""), text("")],
        }
    }
}

fn text(text: impl Into<String>) -> OwnedValue {
    OwnedValue::Text(text.into())
}
