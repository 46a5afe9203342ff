//! The security cases that the wire is to withstand, each with a test named for it. Those of clients that are not in yet
//! stand in `strangers.rs`, those of kills in `escalation.rs`, those of sessions in `tests/sessions/security.rs`.
//!
//! | threat | known case | test |
//! | --- | --- | --- |
//! | passwords in the list and the log | starrocks#49460, tidb#59128 | `starrocks_49460_passwords_in_com_process_info_and_the_log` |
//! | | tidb#21128 | `tidb_21128_passwords_of_statements_that_fail` |
//! | | the SQL parser's own log | `passwords_in_the_log_of_the_sql_parser` |
//! | | the file of users | `passwords_in_a_mistake_of_the_file_of_users` |
//! | bytes that are no UTF-8, control characters | mysql bug 118320 | `mysql_bug_118320_bytes_that_are_no_utf8_in_com_process_info` |
//! | | pgbouncer#290 | `pgbouncer_290_names_that_upset_a_log` |
//! | others' statements in the list | doris#66746, doris#39747, tidb#26122 | `doris_66746_tidb_26122_others_statements_in_com_process_info` |

use std::{
    io,
    sync::{Mutex, MutexGuard, Once},
};

use crate::{
    echo::accounts::Accounts,
    raw::{Answer, BASIC, Raw, error},
    server::Server,
};

/// All that the library has logged while these tests ran, and the others beside them.
static LOG: Mutex<String> = Mutex::new(String::new());

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        log().push_str(std::str::from_utf8(bytes).expect("a log is text"));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log() -> MutexGuard<'static, String> {
    LOG.lock().unwrap()
}

/// From now on it is written down what is logged, at every level.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let log = tracing_subscriber::fmt().with_env_filter("killdeer=trace,sqlparser=trace").with_ansi(false);
        log.with_writer(|| Writer).init();
    });
}

/// COM_PROCESS_INFO, every value of every row.
fn process_info(raw: &mut Raw) -> Vec<Option<String>> {
    raw.command(0x0a, b"");
    match raw.answer().unwrap() {
        Answer::Rows { rows, .. } => rows.into_iter().flatten().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn starrocks_49460_passwords_in_com_process_info_and_the_log() {
    listen();
    let server = Server::start();
    let (mut alice, mut root) = (Raw::login_as(&server, "alice", BASIC), Raw::login(&server));
    alice.send_query("SELECT SLEEP(600) /* CREATE USER j IDENTIFIED WITH mysql_native_password BY 'hunter49460' */");
    server.wait_running(alice.id);
    let shown = process_info(&mut root);
    assert!(shown.iter().flatten().any(|text| text.starts_with("SELECT SLEEP(600) /* CREATE <secret>")), "{shown:?}");
    assert!(!format!("{shown:?} {:?}", server.list()).contains("hunter49460"));
    assert_eq!(root.query(&format!("KILL {}", alice.id)).code(), 0);
    server.wait("alice gone", |list| list.len() == 1);
    let log = log().clone();
    assert!(log.contains("kill by=\"root\""), "{log}");
    assert!(!log.contains("hunter49460"), "{log}");
}

#[test]
fn tidb_21128_passwords_of_statements_that_fail() {
    listen();
    let server = Server::start();
    let mut root = Raw::login(&server);
    for sql in
        ["alter user set password 'hunter21128'", "KILL IDENTIFIED BY 'hunter21128", "SET PASSWORD = 'hunter21128"]
    {
        root.query(sql);
        let mut other = Raw::login(&server);
        other.command(0x16, sql.as_bytes());
        other.receive().unwrap();
    }
    drop(root);
    server.wait_empty();
    let log = log().clone();
    assert!(!log.contains("hunter21128"), "{log}");
}

#[test]
fn passwords_in_the_log_of_the_sql_parser() {
    listen();
    let server = Server::start();
    let mut root = Raw::login(&server);
    // The parser's log is heard.
    root.query("SET @loud = CONCAT('heard4', 'x')");
    assert!(log().contains("heard4"), "{}", *log());
    for sql in [
        "SET @password = 'hunter4'",
        "SET SESSION wait_timeout = 5, @token='hunter4', @n = 1 + 1",
        "SET @password = CONCAT('hunter4', 'x')",
        "SET PASSWORD = 'hunter4'",
        "SELECT PASSWORD('hunter4')",
        "SELECT @password := 'hunter4', 1 + 1",
        "SELECT CONNECTION_ID(), @@version, PASSWORD('hunter4')",
        "SELECT id FROM information_schema.processlist WHERE user = 'x' AND PASSWORD('hunter4') = 'x'",
        "SELECT id FROM information_schema.processlist ORDER BY PASSWORD('hunter4')",
        "SELECT SLEEP(0), PASSWORD('hunter4')",
        "SHOW VARIABLES WHERE Value = PASSWORD('hunter4')",
        "KILL PASSWORD('hunter4')",
    ] {
        root.query(sql);
        root.command(0x16, sql.as_bytes());
        root.receive().unwrap();
        assert!(!log().contains("hunter4"), "{sql}: {}", log());
        root = Raw::login(&server);
    }
    // A variable that is set to a secret has it.
    root.query("SET @password = 'hunter4'");
    match root.query("SELECT @password") {
        Answer::Rows { rows, .. } => assert_eq!(rows, [[Some("hunter4".to_owned())]]),
        other => panic!("{other:?}"),
    }
    assert!(!log().contains("hunter4"), "{}", log());
}

#[test]
fn mysql_bug_118320_bytes_that_are_no_utf8_in_com_process_info() {
    let server = Server::start();
    let (mut alice, mut root) = (Raw::login_as(&server, "alice", BASIC), Raw::login(&server));
    alice.command(0x03, b"SELECT SLEEP(600) /* \xed\xaf\xb3 \x1b[2J\n\xe2\x80\xae */");
    server.wait_running(alice.id);
    let shown = process_info(&mut root);
    let expected = "SELECT SLEEP(600) /* \\xED\\xAF\\xB3 \\x1B[2J\n\\xE2\\x80\\xAE */";
    assert!(shown.contains(&Some(expected.to_owned())), "{shown:?}");
}

#[test]
fn pgbouncer_290_names_that_upset_a_log() {
    listen();
    let server = Server::start();
    let mut eve = Raw::greeted(&server);
    let name = "eve290\n2026-01-01T00:00:00Z  INFO killdeer: kill by=\"root\"\x1b[31m\u{202e}";
    eve.answer_greeting(name, &[], BASIC, "mysql_native_password");
    // Whatever proof it is asked for, it has none.
    let refused = loop {
        match eve.receive().unwrap() {
            packet if packet[0] == 0xff => break error(&packet),
            _ => eve.send(&[0]),
        }
    };
    assert_eq!(refused.code(), 1045);
    assert!(eve.closes_silently());
    server.wait_empty();
    let log = log().clone();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("eve290")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("login refused")
            && lines[0].contains("eve290\\\\x0A2026")
            && lines[0].contains("\\\\x1B[31m\\\\xE2\\\\x80\\\\xAE"),
        "{lines:?}"
    );
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01T00:00:00Z  INFO")), "{log}");
}

#[test]
fn doris_66746_tidb_26122_others_statements_in_com_process_info() {
    let server = Server::start();
    let (mut alice, mut bob) = (Raw::login_as(&server, "alice", BASIC), Raw::login_as(&server, "bob", BASIC));
    alice.send_query("SELECT SLEEP(600) /* her own */");
    server.wait_running(alice.id);
    for shown in [
        process_info(&mut bob),
        match bob.query("SHOW FULL PROCESSLIST") {
            Answer::Rows { rows, .. } => rows.into_iter().flatten().collect(),
            other => panic!("{other:?}"),
        },
    ] {
        assert!(shown.contains(&Some("bob".to_owned())), "{shown:?}");
        assert!(!format!("{shown:?}").contains("her own") && !shown.contains(&Some("alice".to_owned())), "{shown:?}");
    }
}

#[test]
fn passwords_in_a_mistake_of_the_file_of_users() {
    for (line, expected) in [
        ("password = 'hunter5", "line 3, column 20: invalid literal string, expected `'`"),
        ("password = hunter5", "line 3, column 12: string values must be quoted, expected literal string"),
        ("password = 1234567", "line 3, column 12: expected a string"),
        ("password = ['hunter5']", "line 3, column 12: expected a string"),
        ("password = 'ä' hunter5", "line 3, column 16: unexpected key or value, expected newline, `#`"),
        ("password 'hunter5'", "line 3, column 10: key with no value, expected `=`"),
        ("password = 'ä'\npassword = 'hunter5'", "line 4, column 1: duplicate key"),
        ("require_tls = 'hunter5'", "line 3, column 15: expected a boolean"),
        ("privileges = 'hunter5'", "line 3, column 14: expected a sequence"),
    ] {
        let file = format!("[[user]]\nuser = 'alice'\n{line}\n");
        let error = Accounts::parse(&file, false).err().expect(line).to_string();
        assert_eq!(error, expected, "{line}");
    }
}
