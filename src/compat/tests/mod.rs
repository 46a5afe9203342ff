//! What the module promises, statement by statement.

mod catalogue;
mod clients;
mod laws;
mod select;
mod set;
mod settings;
mod show;
mod transaction;

use super::{Answer, ClientState, Facts, Table};
use crate::model::{Column, Done, OwnedValue, Privileges, SqlError};

fn facts() -> Facts<'static> {
    Facts {
        version: "8.0.36-test",
        version_comment: "Under test",
        connection_id: 42,
        user: "app@10.0.0.1",
        current_user: "app@%",
        privileges: Privileges::PROCESS,
        database: Some("shop"),
        databases: &["information_schema", "shop", "stock_1"],
        status: &status,
        ..Facts::default()
    }
}

fn status() -> Vec<(String, String)> {
    vec![("Uptime".into(), "7".into()), ("Threads_connected".into(), "3".into())]
}

/// What `sql` is answered, by a client that has done nothing yet.
fn ask(sql: &str) -> Result<Option<Answer>, SqlError> {
    ClientState::new().answer(sql, &facts())
}

/// A result set in one line: headers, then rows; NULL as `~`.
fn table(answer: &Answer) -> String {
    match answer {
        Answer::Rows { columns, rows } => {
            let heads: Vec<&str> = columns.iter().map(|c| c.name.as_ref()).collect();
            let mut all = vec![heads.join("|")];
            all.extend(rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|")));
            all.join("\n")
        }
        Answer::Ok(done) => format!("OK {}", done.warnings),
        Answer::UseDatabase(name) => format!("USE {name}"),
    }
}

fn cell(value: &OwnedValue) -> String {
    match value {
        OwnedValue::Null => "~".to_owned(),
        other => super::variable::shown(other),
    }
}

/// The outcome as one text: the result set, `None`, or the error's number.
fn outcome(state: &mut ClientState, sql: &str) -> String {
    outcome_with(state, sql, &facts())
}

fn outcome_with(state: &mut ClientState, sql: &str, facts: &Facts<'_>) -> String {
    match state.answer(sql, facts) {
        Ok(Some(answer)) => table(&answer),
        Ok(None) => "None".to_owned(),
        Err(error) => format!("ERROR {}", error.code()),
    }
}

/// Runs statements one after another in one session and compares their outcomes.
fn play(steps: &[(&str, &str)]) -> ClientState {
    let mut state = ClientState::new();
    for (sql, expected) in steps {
        assert_eq!(outcome(&mut state, sql), *expected, "{sql}");
    }
    state
}

fn columns(sql: &str) -> Vec<Column> {
    match ask(sql) {
        Ok(Some(Answer::Rows { columns, .. })) => columns,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn answers_that_change_nothing_carry_the_flags() {
    let done = |answer| match answer {
        Ok(Some(Answer::Ok(done))) => done,
        other => panic!("{other:?}"),
    };
    let mut state = ClientState::new();
    assert_eq!(done(state.answer("SET NAMES utf8mb4", &facts())), Done::default());
    let begun = done(state.answer("BEGIN", &facts()));
    assert!(begun.in_transaction && begun.autocommit);
    let off = done(state.answer("SET autocommit=0", &facts()));
    assert!(off.in_transaction && !off.autocommit);
    assert_eq!(off, state.done());
}

#[test]
fn use_names_the_database() {
    play(&[
        ("USE shop", "USE shop"),
        ("use `my shop`;", "USE my shop"),
        ("/* x */ USE a -- b", "USE a"),
        ("USE a b", "None"),
        ("USE", "None"),
    ]);
}

#[test]
fn expressions_are_evaluated_for_the_server() {
    let mut state = ClientState::new();
    state.answer("SET @id = 17", &facts()).unwrap();
    for (text, expected) in [
        ("CONNECTION_ID()", Some(OwnedValue::UInt(42))),
        ("@id + 1", Some(OwnedValue::Int(18))),
        ("'24'", Some(OwnedValue::Text("24".into()))),
        ("@none", Some(OwnedValue::Null)),
        ("MD5('a')", None),
        ("1, 2", None),
        ("", None),
    ] {
        assert_eq!(state.evaluate(text, &facts()).unwrap(), expected, "{text}");
    }
    assert_eq!(state.evaluate("@@nope", &facts()).unwrap_err().code(), 1193);
}

#[test]
fn the_servers_own_values_replace_the_defaults() {
    let facts = Facts { variables: &[("max_allowed_packet", "1024"), ("tidb_x", "7"), ("port", "4000")], ..facts() };
    let mut state = ClientState::new();
    for (sql, expected) in [
        ("SELECT @@max_allowed_packet, @@port, @@tidb_x", "@@max_allowed_packet|@@port|@@tidb_x\n1024|4000|7"),
        ("SHOW VARIABLES LIKE 'tidb%'", "Variable_name|Value\ntidb_x|7"),
        ("SET tidb_x = 1", "ERROR 1238"),
    ] {
        assert_eq!(outcome_with(&mut state, sql, &facts), expected, "{sql}");
    }
}

#[test]
fn tables_are_the_servers_if_it_says_so() {
    let own = Facts { tables: None, ..facts() };
    let some = Facts { tables: Some(&[Table { database: "shop", name: "orders" }]), ..facts() };
    for (sql, own_tables, some_tables) in [
        ("SHOW TABLES", "None", "Tables_in_shop\norders"),
        ("SHOW FULL TABLES LIKE 'o%'", "None", "Tables_in_shop (o%)|Table_type\norders|BASE TABLE"),
        ("SHOW COLUMNS FROM orders", "None", "None"),
        ("DESCRIBE orders", "None", "None"),
        ("SHOW COLUMNS FROM missing", "None", "ERROR 1146"),
        ("SELECT TABLE_NAME FROM information_schema.tables", "None", "TABLE_NAME\norders"),
        ("SELECT COUNT(*) FROM information_schema.columns", "None", "None"),
    ] {
        assert_eq!(outcome_with(&mut ClientState::new(), sql, &own), own_tables, "{sql}");
        assert_eq!(outcome_with(&mut ClientState::new(), sql, &some), some_tables, "{sql}");
    }
}
