//! The grammar as a table; the laws that hold for any text are in [`laws`].

mod diagnostics;
mod expressions;
mod laws;
mod prepared;
mod proxy;
mod set;
mod systems;

use super::*;
use crate::{
    id::SessionId,
    model::{KillMode, OwnedValue, Principal, Privileges, SqlError, Target},
};

/// MySQL's grammar with MariaDB's forms of `KILL`, and MySQL's comments and errors.
const BOTH: Syntax = Syntax { kill: KillForms { mariadb: true, ..KillForms::MYSQL }, ..Syntax::MYSQL };

fn kill_in(sql: &str, syntax: &Syntax) -> Kill {
    match parse(sql.as_bytes(), syntax) {
        Ok(Some(Control::Kill(kill))) => kill,
        other => panic!("{sql}: {other:?}"),
    }
}

fn kill(sql: &str) -> Kill {
    kill_in(sql, &BOTH)
}

/// What a `KILL` means in session 3, whose parameters are 8 and 9, and whose variables are `x`, 7, `s`, the text 24, and
/// a few that are no ids.
fn resolved(sql: &str, syntax: &Syntax) -> Result<Target, SqlError> {
    let principal = Principal::new("app", Privileges::NONE);
    let variable = |name: &str| match name {
        "x" => OwnedValue::Int(7),
        "five" => OwnedValue::Int(5),
        "s" => OwnedValue::Text("24".into()),
        "minus" => OwnedValue::Int(-7),
        "float" => OwnedValue::Double(-2.0),
        "half" => OwnedValue::Double(0.5),
        "word" => OwnedValue::Text("12abc".into()),
        _ => OwnedValue::Null,
    };
    let params = [OwnedValue::Int(8), OwnedValue::UInt(9)];
    let scope = Scope { own: SessionId::new(3), principal: &principal, variable: &variable, params: Some(&params) };
    kill_in(sql, syntax).target.resolve(&scope)
}

fn id(sql: &str) -> Result<u64, SqlError> {
    match resolved(sql, &BOTH)? {
        Target::Session(id) => Ok(id.get()),
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn every_form_of_kill_is_understood() {
    use Hardness::{Hard, Soft};
    use KillMode::{Connection, Query};
    let literal = |n: i128| IdExpr::Literal(IdLiteral::new(n.to_string(), Some(n)));
    let session = |n| KillTarget::Id(literal(n));
    let user = |name: &str, host: Option<&str>| KillTarget::User {
        user: UserName::Name(name.into()),
        host: host.map(Into::into),
    };
    let me = || KillTarget::User { user: UserName::CurrentUser, host: None };
    let own = || KillTarget::Id(IdExpr::ConnectionId);
    let var = |name: &str| KillTarget::Id(IdExpr::UserVariable(name.into()));
    for (sql, mode, hardness, target) in [
        ("KILL 5", Connection, Hard, session(5)),
        ("kill Connection 5", Connection, Hard, session(5)),
        ("KILL QUERY 5", Query, Hard, session(5)),
        ("KILL HARD 5", Connection, Hard, session(5)),
        ("KILL SOFT 5", Connection, Soft, session(5)),
        ("KILL HARD QUERY 5", Query, Hard, session(5)),
        ("KILL SOFT CONNECTION 5", Connection, Soft, session(5)),
        ("KILL 5;", Connection, Hard, session(5)),
        ("\n KILL\t5 ; ;; ", Connection, Hard, session(5)),
        ("/* a */ KILL # b\n QUERY -- c\n 5 -- d", Query, Hard, session(5)),
        ("KILL/**/QUERY/**/5/**/", Query, Hard, session(5)),
        ("KILL /*!50000 QUERY */ 5", Query, Hard, session(5)),
        ("KILL /*!99999 QUERY */ 5", Connection, Hard, session(5)),
        ("KILL /*M! QUERY */ 5", Connection, Hard, session(5)),
        ("/*! KILL 5 */", Connection, Hard, session(5)),
        ("KILL QUERY ID 7", Query, Hard, KillTarget::Query(literal(7))),
        ("KILL SOFT QUERY ID '7'", Query, Soft, KillTarget::Query(literal(7))),
        ("KILL QUERY ID @q", Query, Hard, KillTarget::Query(IdExpr::UserVariable("q".into()))),
        ("KILL USER bob", Connection, Hard, user("bob", None)),
        ("KILL QUERY USER bob", Query, Hard, user("bob", None)),
        ("KILL SOFT CONNECTION USER bob;", Connection, Soft, user("bob", None)),
        ("KILL USER a@h", Connection, Hard, user("a", Some("h"))),
        ("KILL USER a@10.0.0.1", Connection, Hard, user("a", Some("10.0.0.1"))),
        ("KILL USER 'a'@'h'", Connection, Hard, user("a", Some("h"))),
        ("KILL USER 'a' @'%'", Connection, Hard, user("a", Some("%"))),
        ("KILL USER \"a b\"@\"h\"", Connection, Hard, user("a b", Some("h"))),
        ("KILL USER `a``b`@`h`", Connection, Hard, user("a`b", Some("h"))),
        ("KILL USER 'it''s'@h", Connection, Hard, user("it's", Some("h"))),
        ("KILL USER ''@''", Connection, Hard, user("", Some(""))),
        ("KILL USER 12abc", Connection, Hard, user("12abc", None)),
        ("KILL USER 'CURRENT_USER'", Connection, Hard, user("CURRENT_USER", None)),
        ("KILL USER Current_User", Connection, Hard, me()),
        ("KILL QUERY USER CURRENT_USER ( );", Query, Hard, me()),
        ("KILL CONNECTION_ID()", Connection, Hard, own()),
        ("KILL QUERY connection_id ( /* */ ) ;", Query, Hard, own()),
        ("KILL CONNECTION CONNECTION_ID()", Connection, Hard, own()),
        ("KILL @x", Connection, Hard, var("x")),
        ("KILL QUERY @`a b`", Query, Hard, var("a b")),
        ("KILL @'x'", Connection, Hard, var("x")),
        ("KILL @\"x\"", Connection, Hard, var("x")),
        ("KILL null", Connection, Hard, KillTarget::Id(IdExpr::Null)),
        ("KILL QUERY ?", Query, Hard, KillTarget::Id(IdExpr::Placeholder(0))),
    ] {
        assert_eq!(kill(sql), Kill { mode, hardness, target, tidb: false }, "{sql}");
    }
}

#[test]
fn an_id_is_exactly_what_was_typed_or_an_error() {
    for (sql, expected) in [
        ("KILL 1", 1),
        ("KILL 007", 7),
        ("KILL 18446744073709551615", u64::MAX),
        ("KILL '24'", 24),
        ("KILL ' 24\t'", 24),
        ("KILL \"24\"", 24),
        ("KILL N'24'", 24),
        ("KILL 0x18", 24),
        ("KILL x'18'", 24),
        ("KILL X'0018'", 24),
        ("KILL b'11000'", 24),
        ("KILL 0b11000", 24),
        ("KILL 0xffffffffffffffff", u64::MAX),
    ] {
        assert_eq!(id(sql), Ok(expected), "{sql}");
    }
    for (sql, shown) in [
        ("KILL 0", "0"),
        ("KILL 00", "00"),
        ("KILL '0'", "0"),
        ("KILL 0x0", "0x0"),
        ("KILL x''", "x''"),
        ("KILL 18446744073709551616", "18446744073709551616"),
        ("KILL 0x10000000000000000", "0x10000000000000000"),
        ("KILL '18446744073709551616'", "18446744073709551616"),
        ("KILL -1", "-1"),
        ("KILL - 1", "-1"),
        ("KILL -0", "0"),
        ("KILL -1.5;", "-1.5"),
        ("KILL -4294967297", "-4294967297"),
        ("KILL '-1'", "-1"),
        ("KILL '12abc'", "12abc"),
        ("KILL ''", ""),
        ("KILL '1.0'", "1.0"),
        ("KILL '1 2'", "1 2"),
        ("KILL '0x18'", "0x18"),
        ("KILL \"@x\"", "@x"),
        ("KILL 1.5", "1.5"),
        ("KILL 24.0", "24.0"),
        ("KILL 1e3", "1e3"),
        ("KILL .5", ".5"),
    ] {
        assert_eq!(id(sql), Err(SqlError::unknown_thread(shown)), "{sql}");
    }
}

#[test]
fn other_statements_are_left_to_the_engine() {
    for sql in [
        "",
        " ",
        ";",
        "-- KILL 5",
        "# KILL 5",
        "/* KILL 5 */",
        "SELECT 1",
        "select 'KILL 5'",
        "KILL5",
        "KILLS 5",
        "'KILL' 5",
        "`KILL` 5",
        "(KILL 5)",
        "; KILL 5",
        "5 KILL",
        "@KILL",
        "-1",
        "/",
        "- KILL 5",
        "\0KILL 5",
        "SET x = 1",
        "SHOW",
        "SHOW TABLES",
        "SHOW FULL TABLES",
        "SHOW FULL",
        "SHOW FULL COLUMNS FROM processlist",
        "SHOW 'PROCESSLIST'",
        "SHOW PROCESSLISTS",
        "SHOWPROCESSLIST",
        "EXPLAIN KILL 5",
        "/*!99999 KILL 5 */",
        "/*M! KILL 5 */",
        "/* KILL 5",
        "EXPLAIN PREPARE s FROM 'KILL ?'",
        "DROP TABLE prepare",
        "PREPAREs FROM 'KILL ?'",
    ] {
        assert_eq!(parse(sql.as_bytes(), &Syntax::default()), Ok(None), "{sql}");
    }
}

#[test]
fn show_processlist_is_understood() {
    for (sql, full) in [
        ("SHOW PROCESSLIST", false),
        ("show full processlist", true),
        (" SHOW/**/FULL -- x\nPROCESSLIST ; ; # done", true),
        ("SHOW /*!50000 FULL */ PROCESSLIST", true),
        ("SHOW /*!99999 FULL */ PROCESSLIST", false),
    ] {
        let expected = Ok(Some(Control::ShowProcesslist { full }));
        assert_eq!(parse(sql.as_bytes(), &Syntax::default()), expected, "{sql}");
    }
}

#[test]
fn mariadbs_comments_are_code_for_mariadb() {
    let mariadb = Syntax::MARIADB;
    for (sql, mode) in [
        ("KILL /*M! QUERY */ 5", KillMode::Query),
        ("KILL /*M!100103 QUERY */ 5", KillMode::Query),
        ("KILL /*M!110000 QUERY */ 5", KillMode::Connection),
        ("KILL /*!50000 QUERY */ 5", KillMode::Query),
        ("KILL /*!80000 QUERY */ 5", KillMode::Connection),
    ] {
        let Ok(Some(Control::Kill(kill))) = parse(sql.as_bytes(), &mariadb) else { panic!("{sql}") };
        assert_eq!(kill.mode, mode, "{sql}");
    }
}

#[test]
fn syntax_errors_show_the_place_that_mysql_shows() {
    for (sql, near, line) in [
        ("KILL", "", 1),
        ("KILL;", "", 1),
        ("KILL\n;\n", "", 1),
        ("\nKILL\n\nQUERY", "", 4),
        ("KILL QUERY", "", 1),
        ("KILL HARD", "", 1),
        ("KILL USER", "", 1),
        ("KILL QUERY ID", "", 1),
        ("KILL -", "", 1),
        ("KILL -- 5", "", 1),
        ("KILL CONNECTION_ID(", "", 1),
        ("KILL USER CURRENT_USER(", "", 1),
        ("KILL 5 6", "6", 1),
        ("KILL 5 6;", "6;", 1),
        ("KILL 5,6", ",6", 1),
        ("KILL 5; SELECT 1", "SELECT 1", 1),
        ("KILL ; SELECT 1", "; SELECT 1", 1),
        ("KILL\n5\n6 7", "6 7", 3),
        ("KILL /* \n */ 5 /* \n */ x", "x", 3),
        ("KILL 5 /*!50000 x */", "x */", 1),
        ("KILL CONNECTION ID 5", "5", 1),
        ("KILL QUERY CONNECTION 5", "5", 1),
        ("KILL SOFT HARD 5", "5", 1),
        ("KILL 12abc 5", "5", 1),
        ("KILL PROXYSESSION 5", "5", 1),
        ("KILL 1+", "", 1),
        ("KILL 1 + ;", "", 1),
        ("KILL 1 ++", "", 1),
        ("KILL 1 2+3", "2+3", 1),
        ("KILL *5", "*5", 1),
        ("KILL 5 * / 2", "/ 2", 1),
        ("KILL 5 | 2", "| 2", 1),
        ("KILL 5 DIV", "", 1),
        ("KILL DIV 5", "DIV 5", 1),
        ("KILL 5 MOD MOD", "MOD", 1),
        ("KILL (5", "", 1),
        ("KILL 5)", ")", 1),
        ("KILL (5 6)", "6)", 1),
        ("KILL ()", ")", 1),
        ("KILL a.5", ".5", 1),
        ("KILL a. + 5", "+ 5", 1),
        ("KILL QUERY ID (7", "", 1),
        ("KILL @@x", "@@x", 1),
        ("KILL @x := 5", ":= 5", 1),
        ("KILL CONNECTION_ID(5)", "5)", 1),
        ("KILL '2' '4'", "'4'", 1),
        ("KILL x'1'", "'1'", 1),
        ("KILL 5 */", "/", 1),
        ("KILL USER 5", "5", 1),
        ("KILL USER @h", "@h", 1),
        ("KILL USER a@", "@", 1),
        ("KILL USER a@'h", "@'h", 1),
        ("KILL USER my-user", "-user", 1),
        ("KILL USER CURRENT_USER@h", "@h", 1),
        ("KILL 'abc", "'abc", 1),
        ("KILL 5 'abc", "'abc", 1),
        ("KILL /* 5", "/* 5", 1),
        ("KILL 5 /* open", "/* open", 1),
        ("KILL 5 /*! ;", "", 1),
        ("KILL \u{0}", "\u{0}", 1),
        ("SHOW FULL PROCESSLIST x", "x", 1),
        ("SHOW PROCESSLIST; SELECT 1", "SELECT 1", 1),
        ("SHOW PROCESSLIST\nLIKE 'ä'", "LIKE 'ä'", 2),
    ] {
        assert_eq!(parse(sql.as_bytes(), &BOTH), Err(SqlError::syntax(near, line)), "{sql}");
    }
    let long = format!("KILL 5 {}", "😀".repeat(1000));
    let near = "😀".repeat(80);
    assert_eq!(parse(long.as_bytes(), &BOTH), Err(SqlError::syntax(&near, 1)));
    assert_eq!(parse(b"KILL 5 \xff", &BOTH), Err(SqlError::syntax("\u{fffd}", 1)));
}

#[test]
fn names_and_subqueries_in_the_place_of_an_id_have_errors_of_their_own() {
    for (sql, name) in [
        ("KILL abc", "abc"),
        ("KILL QUERY 12abc;", "12abc"),
        ("KILL `a``b`", "a`b"),
        ("KILL connection_id", "connection_id"),
        ("KILL 0X18", "0X18"),
        ("KILL SOFT QUERY ID x", "x"),
        ("KILL -x", "x"),
        ("KILL 1 + (a) * b", "a"),
        ("KILL a.b", "a.b"),
        ("KILL `d b`.t.`id` + 1", "d b.t.id"),
    ] {
        let error = parse(sql.as_bytes(), &BOTH).unwrap_err();
        let text = format!("Unknown column '{name}' in 'KILL'");
        assert_eq!((error.code(), error.state(), error.message()), (1054, "42S22", &*text), "{sql}");
    }
    for sql in [
        "KILL (SELECT 1)",
        "KILL QUERY ((select id from t))",
        "KILL (WITH a AS (SELECT 1) SELECT * FROM a);",
        "KILL 1 + (SELECT 1)",
        "KILL foo()",
        "KILL 1 + `foo` (2)",
        "KILL d.foo(1)",
        "KILL MOD(5, 2)",
        "KILL ABS(-5)",
    ] {
        let error = parse(sql.as_bytes(), &BOTH).unwrap_err();
        assert_eq!((error.code(), error.state()), (1235, "42000"), "{sql}");
        let error = parse(sql.as_bytes(), &Syntax::MARIADB).unwrap_err();
        let text = "KILL does not support subqueries or stored functions";
        assert_eq!((error.code(), error.state(), error.message()), (1970, "42000", text), "{sql}");
    }
}
