//! Questions over tables made by hand, as a client would put them.

mod attacks;
mod bounds;
mod questions;
mod words;

use std::time::{Duration, SystemTime};

use super::{
    facts::{Facts, Stop, Variables},
    held::{Held, Limits},
    question::{Answer, Question},
    table::Table,
};
use crate::{
    control::Syntax,
    model::{Column, ColumnType, OwnedValue, SqlError},
};

fn text(text: &str) -> OwnedValue {
    OwnedValue::Text(text.into())
}

fn columns() -> Vec<Column> {
    vec![
        Column::new("ID", ColumnType::BigInt).unsigned().not_null().width(21),
        Column::new("USER", ColumnType::VarChar).not_null().width(32),
        Column::new("HOST", ColumnType::VarChar).not_null().width(261),
        Column::new("DB", ColumnType::VarChar).width(64),
        Column::new("COMMAND", ColumnType::VarChar).not_null().width(16),
        Column::new("TIME", ColumnType::Int).not_null().width(7),
        Column::new("STATE", ColumnType::VarChar).width(64),
        Column::new("INFO", ColumnType::Text).width(21845),
        Column::new("LOGIN_TIME", ColumnType::DateTime),
    ]
}

/// Five sessions of three users.
fn tables() -> Vec<Table> {
    let row = |id: u64, user: &str, db: Option<&str>, command: &str, time: i64, info: Option<&str>| {
        vec![
            OwnedValue::UInt(id),
            text(user),
            text(&format!("10.0.0.{id}:5000")),
            db.map_or(OwnedValue::Null, text),
            text(command),
            OwnedValue::Int(time),
            text(""),
            info.map_or(OwnedValue::Null, text),
            OwnedValue::DateTime("2024-02-29 10:00:00".parse().unwrap()),
        ]
    };
    let rows = vec![
        row(1, "root", None, "Sleep", 100, None),
        row(2, "app", Some("shop"), "Query", 7, Some("SELECT 1")),
        row(3, "app", Some("shop"), "Query", 30, Some("UPDATE t SET a = 'x'")),
        row(4, "app", Some("Shop"), "Sleep", 2, None),
        row(5, "web", Some("blog"), "Query", 3, Some("select sleep(10)")),
    ];
    let threads = vec![
        Column::new("THREAD_ID", ColumnType::BigInt).unsigned().not_null(),
        Column::new("PROCESSLIST_ID", ColumnType::BigInt).unsigned(),
        Column::new("TYPE", ColumnType::VarChar).not_null(),
    ];
    let thread = |id: u64, of: Option<u64>, kind: &str| {
        vec![OwnedValue::UInt(id), of.map_or(OwnedValue::Null, OwnedValue::UInt), text(kind)]
    };
    vec![
        Table { database: "information_schema", name: "PROCESSLIST", columns: columns(), rows },
        Table {
            database: "performance_schema",
            name: "threads",
            columns: threads,
            rows: vec![
                thread(11, None, "BACKGROUND"),
                thread(12, Some(2), "FOREGROUND"),
                thread(13, Some(3), "FOREGROUND"),
            ],
        },
    ]
}

/// So many sessions, with a statement of so many bytes each.
fn many(sessions: u64, bytes: usize) -> Vec<Table> {
    let mut tables = tables();
    let row = tables[0].rows[2].clone();
    tables[0].rows = (0..sessions)
        .map(|id| {
            let mut row = row.clone();
            row[0] = OwnedValue::UInt(id);
            row[7] = text(&"x".repeat(bytes));
            row
        })
        .collect();
    tables
}

fn facts() -> Facts {
    Facts {
        user: "app@10.0.0.2".into(),
        current_user: "app@%".into(),
        connection_id: 2,
        database: None,
        version: "8.0.36-test".into(),
        // 2024-02-29 12:30:45.5
        now: SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_209_845_500),
    }
}

fn variable(system: bool, name: &str) -> Result<OwnedValue, SqlError> {
    Ok(match (system, name) {
        (true, "version") => text("8.0.36-test"),
        (true, _) => return Err(SqlError::new(1193, "HY000", format!("Unknown system variable '{name}'"))),
        (false, "id") => OwnedValue::Int(3),
        (false, _) => OwnedValue::Null,
    })
}

fn read_of(sql: &str, facts: Facts) -> Result<Question, SqlError> {
    let variables: &Variables<'_> = &variable;
    Question::read(sql.as_bytes(), &Syntax::default(), facts, variables)
}

fn read(sql: &str) -> Result<Question, SqlError> {
    read_of(sql, facts())
}

fn answer_of(sql: &str, params: &[OwnedValue], tables: &[Table]) -> Result<Answer, SqlError> {
    let (stop, limits, held) = (Stop::new(|| None), Limits::default(), Held::default());
    read(sql)?.answer(params, tables, &stop, &limits, &held)
}

fn answer(sql: &str) -> Result<Answer, SqlError> {
    answer_of(sql, &[], &tables())
}

/// The rows as text: values between `|`, rows between `/`.
fn shown(answer: &Answer) -> String {
    let value = |value: &OwnedValue| value.text().map_or("NULL".to_owned(), |text| text.into_owned());
    let row = |row: &Vec<OwnedValue>| row.iter().map(value).collect::<Vec<_>>().join("|");
    answer.rows.iter().map(row).collect::<Vec<_>>().join("/")
}

fn names(answer: &Answer) -> Vec<&str> {
    answer.columns.iter().map(|column| &*column.name).collect()
}

#[track_caller]
fn rows(sql: &str) -> String {
    match answer(sql) {
        Ok(answer) => shown(&answer),
        Err(error) => panic!("{error}: {sql}\n{:?}", read(sql)),
    }
}

#[track_caller]
fn error(sql: &str) -> SqlError {
    match answer(sql) {
        Ok(answer) => panic!("{} for {sql}", shown(&answer)),
        Err(error) => error,
    }
}
