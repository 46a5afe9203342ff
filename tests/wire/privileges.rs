//! Who sees and kills whom, by ten cases of each system's table, over real connections.

#[path = "../privileges/mod.rs"]
mod tables;

use killdeer::{Dialect, KillDenied, Login, Principal, Privileges, ProcessRow, Tenant};
use tables::Cell;

use crate::{
    raw::{Answer, BASIC, Raw},
    server::Server,
};

/// The account that a client's name describes, as the tables do. A tenant comes as the system has it.
fn cast(login: &Login<'_>) -> Principal {
    let account = tables::principal(&login.user);
    match &login.tenant {
        Some(tenant) => account.in_tenant(tenant.clone()),
        None => account,
    }
}

/// The name by which a client logs in: the tables', with the tenant at the end.
fn login_name(name: &str) -> String {
    let (tenants, words): (Vec<&str>, Vec<&str>) = name.split('+').partition(|word| word.starts_with(':'));
    let tenant: String = tenants.iter().map(|tenant| tenant.replace(':', "@") + "#cluster").collect();
    words.join("+") + &tenant
}

fn connect(server: &Server, name: &str) -> Raw {
    Raw::login_as(server, &login_name(name), BASIC)
}

/// Whether the asker's list has this session.
fn sees(by: &mut Raw, id: u32, at: usize) -> bool {
    let Answer::Rows { rows, .. } = by.query("SHOW PROCESSLIST") else { panic!("a list was expected") };
    assert!(rows.iter().any(|row| row[at] == Some(by.id.to_string())), "its own session: {rows:?}");
    rows.iter().any(|row| row[at] == Some(id.to_string()))
}

/// What is told is the expected error, or OK.
fn told(answer: &Answer, expected: u16, id: u32, what: &str) {
    assert_eq!(answer.code(), expected, "{what}: {answer:?}");
    if let Answer::Error { text, state, .. } = answer {
        // Of the cases that are tried, administrators alone are denied a protected account.
        let lacking = match what.contains("RESTRICTED_USER_ADMIN") {
            true => "RESTRICTED_CONNECTION_ADMIN",
            false => "SUPER or CONNECTION_ADMIN",
        };
        let expected = match expected {
            1094 => ("HY000", format!("Unknown thread id: {id}")),
            1095 => ("HY000", format!("You are not owner of thread {id}")),
            _ => (
                "42000",
                format!("Access denied; you need (at least one of) the {lacking} privilege(s) for this operation"),
            ),
        };
        assert_eq!((state.as_str(), text), (expected.0, &expected.1), "{what}");
    }
}

/// One case: the list, KILL QUERY and KILL.
fn case(server: &Server, by: &mut Raw, cell: &Cell, expected: u16, what: &str, at: usize) {
    let Some(owner) = &cell.owner else { return before_login(server, by, cell, expected, what, at) };
    let mut victim = connect(server, owner);
    victim.send_query("SELECT SLEEP(1000)");
    let asleep =
        |list: &[ProcessRow]| list.iter().any(|row| row.id.get() == u64::from(victim.id) && row.state == "User sleep");
    server.wait("its sleep", asleep);
    let statement = server.row(victim.id).unwrap().statement;
    assert_eq!(sees(by, victim.id, at), cell.seen, "{what}: the list");
    told(&by.query(&format!("KILL QUERY {}", victim.id)), expected, victim.id, what);
    if expected == 0 {
        assert_eq!(victim.answer().expect("the session lives").code(), 1317, "{what}");
        assert!(matches!(victim.query("SELECT 1"), Answer::Rows { .. }), "{what}");
    }
    told(&by.query(&format!("KILL {}", victim.id)), expected, victim.id, what);
    if expected == 0 {
        assert!(victim.closes_silently(), "{what}");
    } else {
        let row = server.row(victim.id).expect("it lives");
        assert_eq!((row.statement, row.killed), (statement, None), "{what}: it still sleeps, unharmed");
    }
}

/// The same of a session whose client has not said who it is.
fn before_login(server: &Server, by: &mut Raw, cell: &Cell, expected: u16, what: &str, at: usize) {
    let mut victim = Raw::greeted(server);
    assert_eq!(sees(by, victim.id, at), cell.seen, "{what}: the list");
    told(&by.query(&format!("KILL QUERY {}", victim.id)), expected, victim.id, what);
    told(&by.query(&format!("KILL {}", victim.id)), expected, victim.id, what);
    if expected == 0 {
        assert!(victim.closes_silently(), "{what}");
    } else {
        victim.answer_greeting(&login_name("alice"), &[], BASIC, "mysql_native_password");
        assert_eq!(victim.receive().expect("an OK")[0], 0x00, "{what}: it can still log in");
    }
}

/// The cases of a system's table that are marked for it.
fn cases(name: &str) {
    let table = tables::TABLES.iter().find(|(system, _)| *system == name).unwrap().1;
    // Doris's first column says whose connection it is.
    let at = usize::from(name == "doris");
    for denied in [KillDenied::Told, KillDenied::Hidden] {
        let dialect = Dialect::named(name).unwrap().kill_denied(denied);
        let server = Server::start_cast(cast, move |builder| builder.dialect(dialect));
        let mut tried = 0;
        for line in tables::lines(table) {
            for cell in line.cells.iter().filter(|cell| cell.real) {
                let what = format!("{denied:?}: {} and {:?}", line.name, cell.owner);
                let expected = if denied == KillDenied::Told { cell.told } else { cell.hidden };
                case(&server, &mut connect(&server, &line.name), cell, expected, &what, at);
                tried += 1;
            }
        }
        assert_eq!(tried, 10);
    }
}

#[test]
fn mysqls_cases() {
    cases("mysql");
}

#[test]
fn mariadbs_cases() {
    cases("mariadb");
}

#[test]
fn doriss_cases() {
    cases("doris");
}

#[test]
fn oceanbases_cases() {
    cases("oceanbase");
}

#[test]
fn tidbs_cases() {
    cases("tidb");
}

#[test]
fn odps_cases() {
    cases("odp");
}
