//! ODP's two ids of a session and its statements, over real connections, to a server that has nothing behind it.

use killdeer::{Dialect, Login, Principal, Privileges};

use crate::{
    raw::{Answer, BASIC, Raw},
    server::Server,
};

/// What `CONNECTION_ID()` has beside the greeting's id.
const MARK: u32 = 1 << 31;

fn cast(login: &Login<'_>) -> Principal {
    let principal = Principal::new(login.user.as_str(), Privileges::NONE);
    login.tenant.clone().into_iter().fold(principal, Principal::in_tenant)
}

fn server() -> Server {
    Server::start_cast(cast, |builder| builder.dialect(Dialect::odp()))
}

fn connect(server: &Server, user: &str) -> Raw {
    Raw::login_as(server, user, BASIC)
}

fn rows(of: &mut Raw, sql: &str) -> Vec<Vec<Option<String>>> {
    match of.query(sql) {
        Answer::Rows { rows, .. } => rows,
        other => panic!("{sql}: {other:?}"),
    }
}

fn interrupted() -> Answer {
    Answer::Error { code: 1317, state: "70100".into(), text: "Query execution was interrupted".into() }
}

#[test]
fn the_greeting_has_one_id_and_connection_id_says_the_other() {
    let server = server();
    let mut alice = connect(&server, "alice@shop#east");
    assert_eq!(alice.id & MARK, 0);
    let (cs_id, connection_id) = (alice.id.to_string(), (alice.id | MARK).to_string());
    assert_eq!(rows(&mut alice, "SELECT CONNECTION_ID()"), [[Some(connection_id.clone())]]);
    assert_eq!(rows(&mut alice, "SHOW PROCESSLIST")[0][0], Some(cs_id.clone()));
    assert_eq!(rows(&mut alice, "SHOW PROXYSESSION")[0][1], Some(cs_id.clone()));
    let one = rows(&mut alice, &format!("SHOW PROXYSESSION ATTRIBUTE {cs_id}"));
    assert_eq!(one.len(), 22, "it has no server session");
    assert_eq!(one, rows(&mut alice, &format!("SHOW PROXYSESSION ATTRIBUTE {connection_id}")));
    assert_eq!(one, rows(&mut alice, "SHOW PROXYSESSION ATTRIBUTE"));
    assert_eq!(one[2][1].as_deref(), Some("east"));
}

#[test]
fn a_kill_of_ones_query_or_connection_takes_either_id_by_statement_and_by_command() {
    let server = server();
    for mark in [0, MARK] {
        let (mut victim, mut by) = (connect(&server, "alice@shop"), connect(&server, "alice@shop"));
        victim.send_query("SELECT SLEEP(1000)");
        server.wait_running(victim.id);
        assert_eq!(by.query(&format!("KILL QUERY {}", victim.id | mark)).code(), 0);
        assert_eq!(victim.answer(), Some(interrupted()));
        assert!(matches!(victim.query("SELECT 1"), Answer::Rows { .. }), "it lives");
        by.command(0x0c, &(victim.id | mark).to_le_bytes());
        assert_eq!(by.answer().unwrap().code(), 0);
        assert!(victim.closes_silently());
    }
    server.wait_empty();
}

#[test]
fn whoever_ends_its_own_session_is_told_all_of_the_error_and_then_closed() {
    let server = server();
    for user in ["root@sys#east", "root@proxysys"] {
        for mark in [0, MARK] {
            let mut root = connect(&server, user);
            let kill = format!("KILL PROXYSESSION {}", root.id | mark);
            assert_eq!(root.query(&kill), interrupted());
            assert!(root.closes_silently(), "and then no byte more");
        }
    }
    let mut alice = connect(&server, "alice@shop");
    let refused =
        Answer::Error { code: 5010, state: "21000".into(), text: "Unknown operator, bad internal cmd".into() };
    let kill = format!("KILL PROXYSESSION {}", alice.id);
    assert_eq!(alice.query(&kill), refused);
    assert_eq!(alice.query(&format!("{kill} 1")), refused);
    let kill = format!("KILL {}", alice.id);
    assert_eq!(alice.query(&kill), interrupted(), "which everybody may");
    assert!(alice.closes_silently());
    server.wait_empty();
}

#[test]
fn the_command_for_the_list_answers_as_the_statement() {
    let server = server();
    let mut alice = connect(&server, "alice@shop");
    alice.command(0x0a, &[]);
    let Some(Answer::Rows { columns: 10, rows: by_command, .. }) = alice.answer() else {
        panic!("a list of 10 columns")
    };
    assert_eq!(by_command, rows(&mut alice, "SHOW PROCESSLIST"));
    assert_eq!(by_command[0][..3], ["8388609", "shop", "alice"].map(|text| Some(text.to_owned())));
}
