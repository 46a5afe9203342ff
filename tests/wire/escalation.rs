//! The security cases of kills that a client has no right to, each with a test named for it: by every way in which a client
//! can ask for a kill.
//!
//! | threat | known case | test |
//! | --- | --- | --- |
//! | privilege escalation by KILL | CVE-2023-5870 | `cve_2023_5870_who_may_kill_others_and_a_protected_session` |
//! | | tidb#33058 | `tidb_33058_who_has_no_privilege_and_sessions_that_are_no_users` |
//! | | fsdb#18 | `fsdb_18_process_is_sight_only` |
//! | an oracle for ids that the caller may not see | fsdb#18 | `fsdb_18_no_way_to_kill_tells_whether_a_hidden_session_is_there` |

use killdeer::{Dialect, KillDenied, Login, Principal, Privileges};

use crate::{
    prepared::{execute, prepare},
    raw::{Answer, BASIC, Raw, error},
    server::Server,
};

/// `dba` may kill others' sessions, `observer` sees them, `job` runs the server's own work and is protected.
fn cast(login: &Login<'_>) -> Principal {
    let privileges = match &*login.user {
        "root" => Privileges::ALL,
        "dba" => Privileges::PROCESS.and(Privileges::SUPER).and(Privileges::CONNECTION_ADMIN),
        "observer" => Privileges::PROCESS,
        "job" => Privileges::SYSTEM_USER,
        _ => Privileges::NONE,
    };
    Principal::new(login.user.as_str(), privileges)
}

/// A session that runs a statement, and by which names it can be told.
struct Victim {
    raw: Raw,
    user: &'static str,
    statement: u64,
    query: u64,
}

impl Victim {
    fn of(server: &Server, user: &'static str) -> Self {
        let mut raw = Raw::login_as(server, user, BASIC);
        raw.send_query("SELECT SLEEP(1000)");
        server.wait("its sleep", |list| {
            list.iter().any(|row| row.id.get() == u64::from(raw.id) && row.state == "User sleep")
        });
        let row = server.row(raw.id).unwrap();
        let (statement, query) = (row.statement.unwrap().get(), row.query_id.unwrap());
        Self { raw, user, statement, query }
    }

    fn names(&self) -> Names {
        Names { id: self.raw.id, query: self.query, user: self.user.to_owned() }
    }

    /// Its statement runs, the same as ever, and nobody has marked it.
    fn is_unharmed(&self, server: &Server, what: &str) {
        let row = server.row(self.raw.id).unwrap_or_else(|| panic!("{what}: it is gone"));
        assert_eq!(row.statement.map(|number| number.get()), Some(self.statement), "{what}");
        assert_eq!((row.command.as_str(), row.state.as_str()), ("Query", "User sleep"), "{what}");
    }
}

/// How a session, its statement and its user are called in a `KILL`.
struct Names {
    id: u32,
    query: u64,
    user: String,
}

/// As those of nobody.
fn nobodys() -> Names {
    Names { id: 888_888, query: 777_777, user: "nosuch".into() }
}

fn told(packet: &[u8]) -> Answer {
    if packet[0] == 0xff { error(packet) } else { Answer::Ok { affected: packet[1], status: 0 } }
}

/// Asks for a kill in every way there is, those of the statement first, and how each was answered. The names in the answers
/// are taken out.
fn asked(by: &mut Raw, names: &Names) -> Vec<(String, Answer)> {
    let Names { id, query, user } = names;
    let mut answers = Vec::new();
    for sql in [
        format!("KILL QUERY {id}"),
        format!("KILL QUERY {id} + 0"),
        format!("KILL QUERY ID {query}"),
        format!("KILL QUERY USER {user}"),
        format!("KILL {id}"),
        format!("KILL CONNECTION {id}"),
        format!("KILL '{id}'"),
        format!("KILL USER {user}"),
        format!("KILL USER {user}@'127.0.0.1'"),
        format!("KILL HARD CONNECTION {id}"),
    ] {
        let answer = by.query(&sql);
        answers.push((sql, answer));
    }
    // By name, with the id in a variable.
    assert_eq!(by.query(&format!("SET @id = {id}")).code(), 0);
    for sql in ["KILL QUERY ?", "KILL ?"] {
        assert_eq!(by.query(&format!("PREPARE k FROM '{sql}'")).code(), 0);
        answers.push((format!("EXECUTE {sql}"), by.query("EXECUTE k USING @id")));
        let (prepared, ..) = prepare(by, sql).unwrap();
        // One parameter: no NULL, its type follows, a BIGINT.
        let packets = execute(by, prepared, &[&[0, 1, 8, 0][..], &u64::from(*id).to_le_bytes()].concat());
        answers.push((format!("COM_STMT_EXECUTE {sql}"), told(&packets[0])));
    }
    by.command(0x0c, &id.to_le_bytes());
    answers.push(("COM_PROCESS_KILL".into(), by.answer().unwrap()));
    for (_, answer) in &mut answers {
        if let Answer::Error { text, .. } = answer {
            *text = text.replace(&query.to_string(), "#").replace(&id.to_string(), "#");
        }
    }
    answers
}

/// A kill of all of a user's sessions is no error where there is nobody to kill; it says of how many sessions it was.
fn is_by_user(sql: &str) -> bool {
    sql.contains(" USER ")
}

/// Whatever it asked for, it was denied by one of these codes.
fn all_denied(answers: &[(String, Answer)], codes: &[u16]) {
    for (sql, answer) in answers {
        match answer {
            Answer::Ok { affected, .. } => assert!(is_by_user(sql) && *affected == 0, "{sql}: {answer:?}"),
            _ => assert!(codes.contains(&answer.code()), "{sql}: {answer:?}"),
        }
    }
}

#[test]
fn cve_2023_5870_who_may_kill_others_and_a_protected_session() {
    let server = Server::start_cast(cast, |builder| builder);
    let (job, mut alice) = (Victim::of(&server, "job"), Victim::of(&server, "alice"));
    let mut dba = Raw::login_as(&server, "dba", BASIC);
    all_denied(&asked(&mut dba, &job.names()), &[1095, 1979]);
    job.is_unharmed(&server, "the right to kill others is none to kill the protected");
    // It may kill others indeed, in a kill of all of them too, and whoever is protected itself may kill the protected.
    assert_eq!(dba.query(&format!("KILL QUERY {}", alice.raw.id)).code(), 0);
    assert_eq!(alice.raw.answer().unwrap().code(), 1317);
    assert_eq!(dba.query("KILL USER alice").code(), 0);
    assert!(alice.raw.closes_silently());
    job.is_unharmed(&server, "nor by a kill of many");
    let (mut root, mut job) = (Raw::login(&server), job);
    assert_eq!(root.query(&format!("KILL {}", job.raw.id)).code(), 0);
    assert!(job.raw.closes_silently());
}

#[test]
fn tidb_33058_who_has_no_privilege_and_sessions_that_are_no_users() {
    let server = Server::start_cast(cast, |builder| builder);
    let (job, mut nobody) = (Victim::of(&server, "job"), Raw::greeted(&server));
    let mut u1 = Raw::login_as(&server, "u1", BASIC);
    all_denied(&asked(&mut u1, &job.names()), &[1095, 1979]);
    job.is_unharmed(&server, "who has no privilege");
    // One that has no user yet is nobody's own. It runs no statement.
    let names = Names { id: nobody.id, query: 777_777, user: "'unauthenticated user'".into() };
    all_denied(&asked(&mut u1, &names), &[1095, 1957]);
    nobody.answer_greeting("late", &[], BASIC, "mysql_native_password");
    assert_eq!(nobody.receive().unwrap()[0], 0, "it was not harmed");
    // Its own it may.
    let mut own = Victim::of(&server, "u1");
    assert_eq!(u1.query(&format!("KILL {}", own.raw.id)).code(), 0);
    assert!(own.raw.closes_silently());
}

#[test]
fn fsdb_18_process_is_sight_only() {
    let server = Server::start_cast(cast, |builder| builder);
    let mut alice = Victim::of(&server, "alice");
    let mut observer = Raw::login_as(&server, "observer", BASIC);
    let Answer::Rows { rows, .. } = observer.query("SHOW PROCESSLIST") else { panic!("no list") };
    assert!(rows.iter().any(|row| row[0] == Some(alice.raw.id.to_string())), "it sees her: {rows:?}");
    let answers = asked(&mut observer, &alice.names());
    all_denied(&answers, &[1095, 1979]);
    alice.is_unharmed(&server, "sight is no right");
    assert_eq!(server.runtime.status().kills_denied, answers.len() as u64);
    let mut root = Raw::login(&server);
    assert_eq!(root.query(&format!("KILL QUERY {}", alice.raw.id)).code(), 0);
    assert_eq!(alice.raw.answer().unwrap().code(), 1317);
}

#[test]
fn fsdb_18_no_way_to_kill_tells_whether_a_hidden_session_is_there() {
    let dialect = Dialect::mysql().kill_denied(KillDenied::Hidden);
    let server = Server::start_cast(cast, move |builder| builder.dialect(dialect));
    let mut mallory = Raw::login_as(&server, "mallory", BASIC);
    for user in ["alice", "job"] {
        let victim = Victim::of(&server, user);
        let bare = |answers: Vec<(String, Answer)>| answers.into_iter().map(|(_, answer)| answer).collect::<Vec<_>>();
        let there = asked(&mut mallory, &victim.names());
        all_denied(&there, &[1094, 1957]);
        assert_eq!(bare(there), bare(asked(&mut mallory, &nobodys())), "{user}");
        victim.is_unharmed(&server, user);
        // Nor is there a trace of it in the warnings, or in what the caller may see of the list.
        let Answer::Rows { rows, .. } = mallory.query("SHOW WARNINGS") else { panic!("no warnings") };
        assert!(!format!("{rows:?}").contains(user), "{rows:?}");
        let Answer::Rows { rows, .. } = mallory.query("SHOW PROCESSLIST") else { panic!("no list") };
        assert_eq!(rows.len(), 1, "{rows:?}");
    }
}
