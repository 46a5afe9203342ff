//! `SHOW PROXYSESSION` and `KILL PROXYSESSION`: in ODP's grammar, and in no other.

use crate::{
    SessionId,
    control::{Control, KillProxySession, ProxyShow, Scope, ShowProxySession, Syntax, parse},
    model::{OwnedValue, Principal, Privileges, SqlError},
};

fn show(sql: &str) -> Result<ShowProxySession, SqlError> {
    match parse(sql.as_bytes(), &Syntax::ODP)? {
        Some(Control::ShowProxySession(show)) => Ok(show),
        other => panic!("{sql}: {other:?}"),
    }
}

fn kill(sql: &str) -> Result<KillProxySession, SqlError> {
    match parse(sql.as_bytes(), &Syntax::ODP)? {
        Some(Control::KillProxySession(kill)) => Ok(kill),
        other => panic!("{sql}: {other:?}"),
    }
}

/// Runs with what expressions mean in session 3, whose parameters are 8 and 9, and whose variable `x` is 7.
fn in_scope<T>(run: impl FnOnce(&Scope<'_>) -> T) -> T {
    let principal = Principal::new("root", Privileges::NONE);
    let variable = |name: &str| if name == "x" { OwnedValue::Int(7) } else { OwnedValue::Null };
    let params = [OwnedValue::Int(8), OwnedValue::UInt(9)];
    run(&Scope { own: SessionId::new(3), principal: &principal, variable: &variable, params: Some(&params) })
}

#[test]
fn what_is_asked_of_a_session_and_of_which() {
    use ProxyShow::{Attributes, Sessions, Stats, Variables};
    let (some, all) = (Variables { all: false }, Variables { all: true });
    for (sql, what, id, like) in [
        ("SHOW PROXYSESSION", Sessions, None, None),
        (" show /* x */ proxysession ; ", Sessions, None, None),
        ("SHOW PROXYSESSION ATTRIBUTE", Attributes, None, None),
        ("SHOW PROXYSESSION ATTRIBUTE 7", Attributes, Some(7), None),
        ("SHOW PROXYSESSION ATTRIBUTE '7' LIKE '%sess_d'", Attributes, Some(7), Some("%sess_d")),
        ("SHOW PROXYSESSION ATTRIBUTE 2147483655", Attributes, Some(2_147_483_655), None),
        ("SHOW PROXYSESSION ATTRIBUTE CONNECTION_ID() like \"db\"", Attributes, Some(3), Some("db")),
        ("SHOW PROXYSESSION ATTRIBUTE ?", Attributes, Some(8), None),
        ("SHOW PROXYSESSION ATTRIBUTE 2+@x", Attributes, Some(9), None),
        ("SHOW PROXYSESSION ATTRIBUTE LIKE 'a'", Attributes, None, Some("a")),
        ("SHOW PROXYSESSION STAT", Stats, None, None),
        ("SHOW PROXYSESSION STAT 7 LIKE ''", Stats, Some(7), Some("")),
        ("SHOW PROXYSESSION VARIABLES 7", some, Some(7), None),
        ("SHOW PROXYSESSION VARIABLES ALL", all, None, None),
        ("SHOW PROXYSESSION VARIABLES all 7 LIKE 'auto\\_%'", all, Some(7), Some("auto\\_%")),
    ] {
        let asked = show(sql).unwrap();
        let resolved = asked.id.map(|id| in_scope(|scope| id.resolve(scope)).unwrap().get());
        assert_eq!((asked.what, resolved, asked.like.as_deref()), (what, id, like), "{sql}");
    }
}

#[test]
fn what_is_to_end() {
    for (sql, id, ss_id) in [
        ("KILL PROXYSESSION 7", 7, None),
        ("kill proxysession '7';", 7, None),
        ("KILL PROXYSESSION 3+4", 7, None),
        ("KILL PROXYSESSION 8 - 1", 7, None),
        ("KILL PROXYSESSION (8 -1)", 7, None),
        ("KILL PROXYSESSION 8- 1 * -1 - -2 DIV -2 + 1 - (2 + 1) + 2", 8, None),
        ("KILL PROXYSESSION -1 + 8", 7, None),
        ("KILL PROXYSESSION 7 (6 -1)", 7, Some(5)),
        ("KILL PROXYSESSION CONNECTION_ID()", 3, None),
        ("KILL PROXYSESSION 7 5", 7, Some(5)),
        ("KILL PROXYSESSION @x '5'", 7, Some(5)),
        ("KILL PROXYSESSION (3 + 4) (10 DIV 2)", 7, Some(5)),
        ("KILL PROXYSESSION ? ?", 8, Some(9)),
    ] {
        let kill = kill(sql).unwrap();
        let of = |id: &crate::control::IdExpr| in_scope(|scope| id.resolve(scope)).unwrap().get();
        assert_eq!((of(&kill.id), kill.server_session.as_ref().map(of)), (id, ss_id), "{sql}");
    }
    let prepared = parse(b"KILL PROXYSESSION ? ?", &Syntax::ODP).unwrap().unwrap();
    assert_eq!((prepared.placeholders(), prepared.can_be_prepared()), (2, true));
    let prepared = parse(b"SHOW PROXYSESSION STAT ?", &Syntax::ODP).unwrap().unwrap();
    assert_eq!((prepared.placeholders(), prepared.can_be_prepared()), (1, true));
}

#[test]
fn what_is_no_such_statement_is_refused_where_it_goes_wrong() {
    for (sql, near) in [
        ("SHOW PROXYSESSION 7", "7"),
        ("SHOW PROXYSESSION LIKE 'x'", "LIKE 'x'"),
        ("SHOW PROXYSESSION STAT ALL 7", "7"),
        ("SHOW PROXYSESSION STAT 7 LIKE", ""),
        ("SHOW PROXYSESSION STAT 7 LIKE x", "x"),
        ("SHOW PROXYSESSION STAT 7 8", "8"),
        ("SHOW PROXYSESSION; SHOW PROXYSESSION", "SHOW PROXYSESSION"),
        ("KILL PROXYSESSION", ""),
        ("KILL PROXYSESSION ;", ""),
        ("KILL PROXYSESSION 7; 5", "; 5"),
        ("KILL PROXYSESSION 7 5 3", "3"),
        ("KILL PROXYSESSION 7, 5", ", 5"),
        ("KILL PROXYSESSION 7 x y", "y"),
        // one id, or two
        ("KILL PROXYSESSION 7 -1", "-1"),
        ("KILL PROXYSESSION '7' +@x ;", "+@x ;"),
        ("KILL PROXYSESSION (7)/**/-(1)", "-(1)"),
        ("KILL PROXYSESSION 7 5 -1", "-1"),
    ] {
        let error = parse(sql.as_bytes(), &Syntax::ODP).unwrap_err();
        assert_eq!(error, SqlError::syntax(near, 1), "{sql}");
    }
    for (sql, code, text) in [
        ("KILL PROXYSESSION x 5", 1054, "Unknown column 'x' in 'KILL'"),
        ("KILL PROXYSESSION QUERY 7", 1054, "Unknown column 'QUERY' in 'KILL'"),
        ("KILL PROXYSESSION 7 x", 1054, "Unknown column 'x' in 'KILL'"),
        ("SHOW PROXYSESSION ATTRIBUTE x LIKE 'a'", 1054, "Unknown column 'x' in 'SHOW'"),
    ] {
        let error = parse(sql.as_bytes(), &Syntax::ODP).unwrap_err();
        assert_eq!((error.code(), error.message()), (code, text), "{sql}");
    }
    for id in ["0", "(-1)", "NULL", "1.5", "'x'", "18446744073709551616"] {
        let kill = kill(&format!("KILL PROXYSESSION 7 {id}")).unwrap();
        let error = in_scope(|scope| kill.server_session.unwrap().resolve(scope)).unwrap_err();
        assert_eq!(error.code(), 1094, "{id}");
    }
}

#[test]
fn no_other_system_has_them() {
    for syntax in [Syntax::MYSQL, Syntax::MARIADB, Syntax::DORIS, Syntax::OCEANBASE, Syntax::TIDB] {
        assert_eq!(parse(b"SHOW PROXYSESSION ATTRIBUTE 7", &syntax), Ok(None));
        assert_eq!(parse(b"KILL PROXYSESSION 7", &syntax).unwrap_err().code(), 1064);
    }
    assert_eq!(parse(b"SHOW PROXYSESSIONS", &Syntax::ODP), Ok(None), "another statement");
    assert!(matches!(parse(b"KILL 7", &Syntax::ODP), Ok(Some(Control::Kill(_)))));
}
