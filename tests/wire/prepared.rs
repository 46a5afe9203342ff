//! Prepared statements: by the binary protocol with a real client and byte by byte, and by name.

use killdeer::{Command, Setting, Settings};
use mysql_async::{Row, Value, prelude::*};

use crate::{
    client::{code, connect},
    echo::accounts::Accounts,
    raw::{Answer, BASIC, Raw, error},
    server::Server,
};

const EXECUTE: u8 = 0x17;

#[tokio::test]
async fn parameters_of_every_type_come_back_as_they_went() {
    let server = Server::start();
    let mut conn = connect(&server).await;
    let statement = conn.prep("SELECT ?, ? AS b, ?, ?, ?, ?, ?, ?, ?").await.unwrap();
    assert_eq!((statement.num_params(), statement.num_columns()), (9, 9));
    let values = vec![
        Value::NULL,
        Value::Int(i64::MIN),
        Value::UInt(u64::MAX),
        Value::Float(1.5),
        Value::Double(-2.5e100),
        Value::Bytes("snowman ☃".into()),
        Value::Bytes(vec![0xff, 0x00, 0xfe]),
        Value::Date(2024, 2, 29, 23, 59, 58, 123_456),
        Value::Time(true, 34, 22, 59, 59, 1),
    ];
    for _ in 0..2 {
        let row: Row = conn.exec_first(&statement, values.clone()).await.unwrap().unwrap();
        assert_eq!(row.columns_ref()[1].name_str(), "b");
        assert_eq!(row.unwrap(), values);
    }
    conn.close(statement).await.unwrap();
    let long = vec![Value::Bytes(vec![b'x'; 1 << 20])];
    let back: Vec<u8> = conn.exec_first("SELECT ?", long).await.unwrap().unwrap();
    assert_eq!(back.len(), 1 << 20);
    let echoed: String = conn.exec_first("INSERT INTO t VALUES (?, ?)", (1, "it's")).await.unwrap().unwrap();
    assert_eq!(echoed, "INSERT INTO t VALUES (1, 'it''s')");
    let count: Vec<u64> = conn.exec("SELECT * FROM seq(?)", (1000,)).await.unwrap();
    assert_eq!(count, (1..=1000).collect::<Vec<_>>());
    conn.disconnect().await.unwrap();
}

#[tokio::test]
async fn kill_takes_a_parameter_and_ends_an_execution_in_an_error() {
    let server = Server::start();
    let (mut victim, mut by) = (connect(&server).await, connect(&server).await);
    let id = victim.id();
    for sql in ["SELECT SLEEP(?)", "SELECT * FROM seq(?)"] {
        let killed = async {
            loop {
                let found = server.row(id).unwrap();
                if found.command == Command::Execute {
                    assert_eq!(found.info.as_deref(), Some(sql));
                    break;
                }
                tokio::task::yield_now().await;
            }
            by.exec_drop("KILL QUERY ?", (id,)).await.unwrap();
        };
        let (ended, ()) = tokio::join!(victim.exec_drop(sql, (1_000_000_000,)), killed);
        assert_eq!(code(ended), 1317, "{sql}");
        victim.ping().await.unwrap();
    }
    assert_eq!(code(by.exec_drop("KILL ?", (4_000_000,)).await), 1094);
    by.exec_drop("KILL ?", (id,)).await.unwrap();
    assert!(victim.ping().await.is_err());
    let rows: Vec<Row> = by.exec("SHOW PROCESSLIST", ()).await.unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn show_warnings_is_prepared_by_the_engine_that_answers_it() {
    let server = Server::start();
    let mut conn = connect(&server).await;
    for sql in ["SHOW WARNINGS", "SHOW COUNT(*) WARNINGS"] {
        assert_eq!(code(conn.query_drop("SELECT @@nosuch").await), 1193);
        let told: Vec<Row> = conn.query(sql).await.unwrap();
        let prepared: Vec<Row> = conn.exec(sql, ()).await.unwrap();
        assert_eq!((told.len(), prepared.len()), (1, 1), "{sql}");
    }
}

pub fn prepare(raw: &mut Raw, sql: &str) -> Result<(u32, u16, u16), Answer> {
    raw.command(0x16, sql.as_bytes());
    let first = raw.receive().unwrap();
    if first[0] == 0xff {
        return Err(error(&first));
    }
    let number = |at: usize| u16::from_le_bytes([first[at], first[at + 1]]);
    let (columns, params) = (number(5), number(7));
    for _ in 0..columns + params {
        raw.receive().unwrap();
    }
    Ok((u32::from_le_bytes(first[1..5].try_into().unwrap()), columns, params))
}

pub fn execute(raw: &mut Raw, id: u32, rest: &[u8]) -> Vec<Vec<u8>> {
    raw.command(EXECUTE, &[&id.to_le_bytes()[..], &[0x05, 1, 0, 0, 0], rest].concat());
    raw.packets().unwrap()
}

#[test]
fn commands_about_statements_that_are_not_there_are_errors_or_nothing() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    for known in [false, true] {
        if known {
            prepare(&mut raw, "DO 1").unwrap();
        }
        assert_eq!(raw.query("KILL 999").code(), 1094);
        assert_eq!(error(&execute(&mut raw, 77, &[])[0]).code(), 1243);
        let Answer::Rows { rows, .. } = raw.query("SHOW WARNINGS") else { panic!("no rows") };
        assert_eq!(rows[0][1].as_deref(), Some("1243"), "the last error, not the one before it");
        raw.command(0x1a, &77u32.to_le_bytes());
        assert_eq!(raw.answer().unwrap().code(), 1243);
        raw.command(0x1a, &[1]);
        assert_eq!(raw.answer().unwrap().code(), 1835);
        // These have no answer: the ping's is the next.
        raw.command(0x19, &77u32.to_le_bytes());
        raw.command(0x18, &[&77u32.to_le_bytes()[..], &[0, 0], b"data"].concat());
        raw.command(0x18, &[1]);
        raw.command(0x0e, &[]);
        assert!(matches!(raw.answer(), Some(Answer::Ok { .. })));
        // COM_STMT_FETCH: there are no cursors.
        raw.command(0x1c, &[&1u32.to_le_bytes()[..], &1u32.to_le_bytes()].concat());
        assert_eq!(raw.answer().unwrap().code(), 1047);
    }
    assert!(matches!(raw.query("SELECT 1"), Answer::Rows { .. }), "the connection lives");
}

#[test]
fn long_data_becomes_a_parameter_and_a_reset_forgets_it() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let (id, columns, params) = prepare(&mut raw, "SELECT ?").unwrap();
    assert_eq!((columns, params), (1, 1));
    let long = |raw: &mut Raw, data: &[u8]| raw.command(0x18, &[&id.to_le_bytes()[..], &[0, 0], data].concat());
    long(&mut raw, b"ab");
    long(&mut raw, b"cd");
    // No NULL, types follow: a BLOB.
    let packets = execute(&mut raw, id, &[0, 1, 252, 0]);
    assert_eq!(packets[2], b"\x00\x00\x04abcd");
    long(&mut raw, b"forgotten");
    raw.command(0x1a, &id.to_le_bytes());
    assert_eq!(raw.answer().unwrap().code(), 0);
    assert_eq!(execute(&mut raw, id, &[0, 1, 252, 0, 1, b'x'])[2], b"\x00\x00\x01x");
    assert_eq!(error(&execute(&mut raw, id, &[0, 1, 252])[0]).code(), 1210, "cut short");
    assert_eq!(execute(&mut raw, id, &[1, 1, 6, 0])[2], b"\x00\x04", "NULL");
}

#[test]
fn statements_are_counted_and_gone_with_a_reset_or_their_connection() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let held = || server.runtime.status().prepared;
    let (first, ..) = prepare(&mut raw, "DO 1").unwrap();
    let (second, ..) = prepare(&mut raw, "DO 1").unwrap();
    assert_eq!(raw.query("PREPARE s FROM 'DO 1'").code(), 0);
    assert_eq!(held(), 3);
    raw.command(0x19, &first.to_le_bytes());
    assert_eq!(execute(&mut raw, second, &[])[0][0], 0);
    assert_eq!(error(&execute(&mut raw, first, &[])[0]).code(), 1243);
    assert_eq!(held(), 2);
    raw.command(0x1f, &[]);
    assert_eq!(raw.answer().unwrap().code(), 0);
    assert_eq!(held(), 0);
    assert_eq!(error(&execute(&mut raw, second, &[])[0]).code(), 1243);
    assert_eq!(raw.query("EXECUTE s").code(), 1243);
    prepare(&mut raw, "DO 1").unwrap();
    assert_eq!(raw.query("PREPARE s FROM 'DO 1'").code(), 0);
    drop(raw);
    server.wait_empty();
    assert_eq!(held(), 0);
}

#[test]
fn who_becomes_another_user_has_prepared_nothing() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let (id, ..) = prepare(&mut raw, "DO 1").unwrap();
    assert_eq!(raw.query("PREPARE s FROM 'DO 1'").code(), 0);
    assert_eq!(server.runtime.status().prepared, 2);
    raw.send_change_user("alice", &[], "", "mysql_native_password");
    assert!(matches!(raw.answer(), Some(Answer::Ok { .. })));
    assert_eq!(server.runtime.status().prepared, 0);
    assert_eq!(error(&execute(&mut raw, id, &[])[0]).code(), 1243);
    assert_eq!(raw.query("EXECUTE s").code(), 1243);
}

#[test]
fn there_is_an_end_to_what_clients_may_prepare() {
    let settings = Settings::new().count(Setting::MaxSessionPreparedStatements, 16_382);
    let server = Server::start_with(Accounts::default(), |builder| builder.settings(settings));
    let (mut raw, mut other) = (Raw::login(&server), Raw::login(&server));
    for _ in 0..16_382 {
        prepare(&mut raw, "DO 1").unwrap();
    }
    assert_eq!(prepare(&mut other, "DO 1").unwrap_err().code(), 1461);
    assert_eq!(other.query("PREPARE s FROM 'DO 1'").code(), 1461);
    drop(raw);
    server.wait("its end", |list| list.len() == 1);
    prepare(&mut other, "DO 1").unwrap();
}

#[test]
fn only_one_statement_is_prepared_at_a_time_and_only_what_can_be() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    assert_eq!(prepare(&mut raw, "DO 1; DO 2").unwrap_err().code(), 1064);
    assert_eq!(prepare(&mut raw, "PREPARE s FROM 'DO 1'").unwrap_err().code(), 1295);
    assert_eq!(prepare(&mut raw, "KILL QUERY").unwrap_err().code(), 1064);
    assert_eq!(prepare(&mut raw, "SHOW PROCESSLIST;").unwrap().1, 8);
    assert_eq!(prepare(&mut raw, "KILL QUERY ?").unwrap(), (2, 0, 1));
    let placeholders = format!("SELECT {}?", "?,".repeat(70_000));
    assert_eq!(prepare(&mut raw, &placeholders).unwrap_err().code(), 1390);
}

#[test]
fn statements_with_names_are_mysqls() {
    let server = Server::start();
    let (mut raw, mut victim) = (Raw::login(&server), Raw::login(&server));
    let one = |answer: Answer| match answer {
        Answer::Rows { rows, .. } => rows[0][0].clone().unwrap(),
        other => panic!("no rows: {other:?}"),
    };
    assert_eq!(raw.query("prepare S1 from 'SELECT ?'").code(), 0);
    assert_eq!(raw.query("EXECUTE s1").code(), 1210);
    assert_eq!(raw.query("SET @a = 'it''s'").code(), 0);
    assert_eq!(one(raw.query("EXECUTE `s1` USING @a")), "it's");
    assert_eq!(raw.query("PREPARE s1 FROM 'PREPARE x FROM \"DO 1\"'").code(), 1295);
    assert_eq!(raw.query("EXECUTE s1 USING @a").code(), 1243, "the one before is gone");
    assert_eq!(raw.query("SET @sql = 'KILL QUERY ?'").code(), 0);
    assert_eq!(raw.query("PREPARE k FROM @sql").code(), 0);
    assert_eq!(raw.query(&format!("SET @id = {}", victim.id)).code(), 0);
    victim.send_query("SELECT SLEEP(1000)");
    server.wait_running(victim.id);
    assert_eq!(raw.query("EXECUTE k USING @id").code(), 0);
    assert_eq!(victim.answer().unwrap().code(), 1317);
    assert_eq!(raw.query("DEALLOCATE PREPARE k").code(), 0);
    assert_eq!(raw.query("DROP PREPARE k").code(), 1243);
    assert_eq!(raw.query("PREPARE k FROM 5").code(), 1064);
    assert_eq!(raw.query("SET @sql = 5").code(), 0);
    for (source, near) in [("@sql", "near '5'"), ("@nothing", "near 'NULL'")] {
        let Answer::Error { code: 1064, text, .. } = raw.query(&format!("PREPARE k FROM {source}")) else {
            panic!("no statement: {source}");
        };
        assert!(text.contains(near), "{text}");
    }
    assert_eq!(raw.query("DROP TABLE k").code(), 0, "the engine's");
}

#[test]
fn an_option_says_whether_a_command_may_have_several_statements() {
    let server = Server::start();
    let mut raw = Raw::login_as(&server, "root", BASIC);
    assert_eq!(raw.query("DO 1; DO 2").code(), 1064);
    raw.command(0x1b, &[0, 0]);
    assert_eq!(raw.receive().unwrap()[0], 0xfe);
    raw.send_query("DO 1; DO 2");
    assert_eq!((raw.answer().unwrap().code(), raw.answer().unwrap().code()), (0, 0));
    raw.command(0x1b, &[1, 0]);
    assert_eq!(raw.receive().unwrap()[0], 0xfe);
    assert_eq!(raw.query("DO 1; DO 2").code(), 1064);
    raw.command(0x1b, &[9, 0]);
    assert_eq!(raw.answer().unwrap().code(), 1047);
    raw.command(0x04, b"t\0%");
    let expected = Answer::Error { code: 1146, state: "42S02".into(), text: "Table 't' doesn't exist".into() };
    assert_eq!(raw.answer().unwrap(), expected);
    raw.command(0x04, b"no end");
    assert_eq!(raw.answer().unwrap().code(), 1835);
}

#[test]
fn a_value_that_does_not_fit_its_column_ends_the_rows_in_an_error() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let (id, ..) = prepare(&mut raw, "MISFIT").unwrap();
    let packets = execute(&mut raw, id, &[]);
    assert_eq!(packets.len(), 4, "a column, a row, the error");
    assert_eq!(packets[2], [0, 0, 1, 0, 0, 0]);
    assert_eq!(error(&packets[3]).code(), 1366);
    let Answer::Rows { rows, .. } = raw.query("MISFIT") else { panic!("as text, all fits") };
    assert_eq!(rows.len(), 3);
}

#[test]
fn what_an_execution_by_name_copies_is_bounded() {
    let server = Server::start();
    let mut raw = Raw::login(&server);
    let set = raw.query(&format!("SET @a = '{}'", "x".repeat(50_000)));
    assert!(matches!(set, Answer::Ok { .. }), "{set:?}");
    let count = 1500;
    assert_eq!(raw.query(&format!("PREPARE s FROM 'SELECT {}?'", "?,".repeat(count - 1))).code(), 0);
    let using = format!("EXECUTE s USING {}@a", "@a,".repeat(count - 1));
    assert_eq!(raw.query(&using).code(), 1041);
    assert!(matches!(raw.query("SELECT 1"), Answer::Rows { .. }));
}
