//! The five systems side by side: what the grammar of each takes, and where it refuses the rest.

use super::{kill_in, resolved};
use crate::{
    control::{Control, IdForms, Syntax, parse},
    id::SessionId,
    model::{KillMode, SqlError, Target},
};

const SYSTEMS: [(&str, Syntax); 5] = [
    ("mysql", Syntax::MYSQL),
    ("mariadb", Syntax::MARIADB),
    ("doris", Syntax::DORIS),
    ("oceanbase", Syntax::OCEANBASE),
    ("tidb", Syntax::TIDB),
];

/// What a system makes of a statement.
#[derive(Clone, Copy)]
enum Makes {
    /// Session 5.
    Five,
    /// Session 3, the asker's own.
    Own,
    /// Query 5.
    Query,
    /// The statement of this name.
    Named(&'static str),
    /// The sessions of a user.
    User,
    /// 1064 near this.
    Near(&'static str),
    /// Another error, with its text.
    Error(u16, &'static str),
    /// Another statement: the engine's.
    Others,
}
use Makes::{Error, Five, Named, Near, Others, Own, Query, User};

#[test]
fn each_takes_its_own_forms_of_kill() {
    let column = |name| Error(1054, name);
    #[rustfmt::skip]
    let table = [
        // statement, then MySQL, MariaDB, Doris, OceanBase, TiDB
        ("KILL 5", [Five, Five, Five, Five, Five]),
        ("KILL CONNECTION 5", [Five, Five, Five, Five, Five]),
        ("KILL QUERY 5", [Five, Five, Five, Five, Five]),
        ("KILL '5'", [Five, Five, Five, Five, Five]),
        ("KILL CONNECTION '5'", [Five, Five, Five, Five, Five]),
        ("KILL QUERY '5'", [Five, Five, Named("5"), Five, Five]),
        ("KILL QUERY \"a-b\"", [
            Error(1094, "Unknown thread id: a-b"), Error(1094, "Unknown thread id: a-b"), Named("a-b"),
            Error(1094, "Unknown thread id: a-b"), Error(1094, "Unknown thread id: a-b"),
        ]),
        ("KILL QUERY 'it''s' 5", [Near("5"), Near("5"), Near("5"), Near("5"), Near("5")]),
        ("KILL 0x5", [Five, Five, Five, Five, Five]),
        ("KILL 1.5", [
            Error(1094, "Unknown thread id: 1.5"), Error(1094, "Unknown thread id: 1.5"), Error(1094, "Unknown thread id: 1.5"),
            Error(1094, "Unknown thread id: 1.5"), Error(1094, "Unknown thread id: 1.5"),
        ]),
        ("KILL -5", [
            Error(1094, "Unknown thread id: -5"), Error(1094, "Unknown thread id: -5"), Near("-5"),
            Error(1094, "Unknown thread id: -5"), Near("-5"),
        ]),
        ("KILL 2+3", [Five, Five, Near("+3"), Five, Near("+3")]),
        ("KILL (5)", [Five, Five, Near("(5)"), Five, Near("(5)")]),
        ("KILL CONNECTION_ID()", [Own, Own, Own, Own, Own]),
        ("KILL QUERY @five", [Five, Five, Five, Five, Five]),
        ("KILL NULL", [
            Error(1094, "Unknown thread id: 0"), Error(1094, "Unknown thread id: 0"), Near("NULL"),
            Error(1094, "Unknown thread id: 0"), Near("NULL"),
        ]),
        ("KILL abc", [
            column("Unknown column 'abc' in 'KILL'"), column("Unknown column 'abc' in 'KILL'"), Near("abc"),
            column("Unknown column 'abc' in 'KILL'"), Near("abc"),
        ]),
        ("KILL HARD 5", [Near("5"), Five, Near("HARD 5"), Near("5"), Near("HARD 5")]),
        ("KILL SOFT QUERY 5", [Near("QUERY 5"), Five, Near("SOFT QUERY 5"), Near("QUERY 5"), Near("SOFT QUERY 5")]),
        ("KILL USER bob", [Near("bob"), User, Near("USER bob"), Near("bob"), Near("USER bob")]),
        ("KILL QUERY ID 5", [Near("5"), Query, Near("ID 5"), Near("5"), Near("ID 5")]),
        ("KILL TIDB 5", [Near("5"), Near("5"), Near("TIDB 5"), Near("5"), Five]),
        ("KILL TIDB CONNECTION 5", [
            Near("CONNECTION 5"), Near("CONNECTION 5"), Near("TIDB CONNECTION 5"), Near("CONNECTION 5"), Five,
        ]),
        ("KILL tidb QUERY '5';", [
            Near("QUERY '5';"), Near("QUERY '5';"), Near("tidb QUERY '5';"), Near("QUERY '5';"), Five,
        ]),
        ("KILL TIDB TIDB 5", [Near("TIDB 5"), Near("TIDB 5"), Near("TIDB TIDB 5"), Near("TIDB 5"), Near("TIDB 5")]),
        ("KILL /*T! TIDB */ 5", [Five, Five, Five, Five, Five]),
        ("KILL /*M! HARD */ 5", [Five, Five, Five, Five, Five]),
        ("KILL /*!50000 QUERY */ 5", [Five, Five, Five, Five, Five]),
        ("ALTER SYSTEM KILL SESSION '5'", [Others, Others, Others, Five, Others]),
        ("alter system kill session \"5, 77\" ;", [Others, Others, Others, Five, Others]),
        ("ALTER SYSTEM KILL SESSION '5,x'", [
            Others, Others, Others, Error(1094, "Unknown thread id: 5,x"), Others,
        ]),
        ("ALTER SYSTEM KILL SESSION '5,'", [Others, Others, Others, Error(1094, "Unknown thread id: 5,"), Others]),
        ("ALTER SYSTEM KILL SESSION '5,1,2'", [
            Others, Others, Others, Error(1094, "Unknown thread id: 5,1,2"), Others,
        ]),
        ("ALTER SYSTEM KILL SESSION '0,1'", [Others, Others, Others, Error(1094, "Unknown thread id: 0,1"), Others]),
        ("ALTER SYSTEM KILL SESSION '-5'", [Others, Others, Others, Error(1094, "Unknown thread id: -5"), Others]),
        ("ALTER SYSTEM KILL SESSION 5", [Others, Others, Others, Near("5"), Others]),
        ("ALTER SYSTEM KILL SESSION", [Others, Others, Others, Near(""), Others]),
        ("ALTER SYSTEM KILL SESSION '5' IMMEDIATE", [Others, Others, Others, Near("IMMEDIATE"), Others]),
        ("ALTER SYSTEM KILL x", [Others; 5]),
        ("ALTER TABLE kill ADD session INT", [Others; 5]),
        ("ALTERSYSTEM KILL SESSION '5'", [Others; 5]),
    ];
    for (sql, row) in table {
        for ((name, syntax), makes) in SYSTEMS.iter().zip(row) {
            let what = format!("{name}: {sql}");
            let answer = match parse(sql.as_bytes(), syntax) {
                Ok(None) => None,
                Ok(Some(_)) => Some(resolved(sql, syntax)),
                Err(error) => Some(Err(error)),
            };
            let session = |id| Some(Ok(Target::Session(SessionId::new(id))));
            match makes {
                Five => assert_eq!(answer, session(5), "{what}"),
                Own => assert_eq!(answer, session(3), "{what}"),
                Query => assert_eq!(answer, Some(Ok(Target::Statement(5))), "{what}"),
                Named(name) => assert_eq!(answer, Some(Ok(Target::Named(name.into()))), "{what}"),
                User => assert_eq!(answer, Some(Ok(Target::User { user: "bob".into(), host: None })), "{what}"),
                Near(near) => assert_eq!(answer, Some(Err(SqlError::syntax(near, 1))), "{what}"),
                Error(code, text) => {
                    let error = answer.expect(&what).expect_err(&what);
                    assert_eq!((error.code(), error.message()), (code, text), "{what}");
                }
                Others => assert_eq!(answer, None, "{what}"),
            }
        }
    }
}

#[test]
fn tidbs_keyword_is_seen() {
    for (sql, tidb, mode) in [
        ("KILL 5", false, KillMode::Connection),
        ("KILL TIDB 5", true, KillMode::Connection),
        ("KILL TIDB QUERY 5", true, KillMode::Query),
        ("KILL /*T! TIDB */ QUERY 5", true, KillMode::Query),
        ("KILL /*T![feature] TIDB */ CONNECTION 5", true, KillMode::Connection),
    ] {
        let kill = kill_in(sql, &Syntax::TIDB);
        assert_eq!((kill.tidb, kill.mode), (tidb, mode), "{sql}");
    }
    assert_eq!(kill_in("ALTER SYSTEM KILL SESSION '5'", &Syntax::OCEANBASE).mode, KillMode::Connection);
    assert_eq!(Syntax::default(), Syntax::MYSQL);
    assert_eq!(Syntax::TIDB.kill.ids, IdForms::Value);
}

#[test]
fn a_name_that_no_statement_can_have_is_unknown() {
    let longest = "x".repeat(1024);
    assert_eq!(resolved(&format!("KILL QUERY '{longest}'"), &Syntax::DORIS), Ok(Target::Named(longest.clone())));
    for (name, shown) in [(String::new(), ""), (longest.clone() + "x", &longest[..80])] {
        let error = resolved(&format!("KILL QUERY '{name}'"), &Syntax::DORIS).unwrap_err();
        let text = format!("Unknown query id: {shown}");
        assert_eq!((error.code(), error.state(), error.message()), (1097, "HY000", &*text));
    }
}

#[test]
fn the_session_context_is_set_in_doris_alone() {
    for (sql, expected) in [
        ("SET session_context = 'trace_id:xxx'", "trace_id:xxx"),
        ("set Session_Context=\"trace_id:it's\";", "trace_id:it's"),
        ("SET SESSION session_context = ''", ""),
        ("SET LOCAL `session_context` = 'a'", "a"),
        ("SET @@session_context = 'a'", "a"),
        ("SET@@session.session_context='a'", "a"),
        ("SET @@LOCAL.Session_Context = 'a' -- done", "a"),
        ("SET @@session.`session_context` = 'a'", "a"),
        ("/* first */ SET session_context = DEFAULT", ""),
    ] {
        let expected = Control::SetSessionContext { value: expected.into() };
        assert!(expected.can_be_prepared());
        for (name, syntax) in SYSTEMS {
            let expected = (name == "doris").then(|| expected.clone());
            assert_eq!(parse(sql.as_bytes(), &syntax), Ok(expected), "{name}: {sql}");
        }
    }
}

#[test]
fn other_settings_are_the_engines() {
    for sql in [
        "SET",
        "SET x = 1",
        "SET session_context",
        "SET session_context =",
        "SET session_context := 'a'",
        "SET session_context = 5",
        "SET session_context = a",
        "SET session_context = @a",
        "SET session_context = 'a' 'b'",
        "SET session_context = 'a', x = 1",
        "SET x = 1, session_context = 'a'",
        "SET GLOBAL session_context = 'a'",
        "SET @@global.session_context = 'a'",
        "SET SESSION @@session_context = 'a'",
        "SET @@a.session.session_context = 'a'",
        "SET @session_context = 'a'",
        "SET 'session_context' = 'a'",
        "SET session_contexts = 'a'",
        "SETsession_context = 'a'",
        "SET session_context = 'a",
        "SET session_context = 'a'; SELECT 1",
    ] {
        assert_eq!(parse(sql.as_bytes(), &Syntax::DORIS), Ok(None), "{sql}");
    }
}

#[test]
fn a_session_context_has_an_end_and_is_text() {
    let set = |value: &[u8]| parse(&[b"SET session_context = '", value, b"'"].concat(), &Syntax::DORIS);
    let longest = "x".repeat(1024);
    assert_eq!(set(longest.as_bytes()), Ok(Some(Control::SetSessionContext { value: longest.clone() })));
    for (value, shown) in [((longest.clone() + "x").into_bytes(), &longest[..64]), (vec![b'a', 0xff], "a\u{fffd}")] {
        let error = set(&value).unwrap_err();
        let text = format!("Variable 'session_context' can't be set to the value of '{shown}'");
        assert_eq!((error.code(), error.state(), error.message()), (1231, "42000", &*text));
    }
}
