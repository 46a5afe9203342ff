//! What clients are told whose statement or session was ended.

use crate::{Dialect, Origin, Reason};

#[test]
fn the_client_of_what_was_killed_is_told_its_systems_own_word() {
    #[rustfmt::skip]
    let table = [
        // system      KILL QUERY  another's KILL  its own KILL  OK first  too long
        ("mysql",      1317,       1317,           1317,         false,    3024),
        ("mariadb",    1317,       1317,           1927,         false,    1969),
        ("doris",      1317,       1317,           1317,         true,     3024),
        ("oceanbase",  1317,       1317,           1317,         false,    3024),
        ("tidb",       1317,       1317,           1317,         false,    3024),
        ("odp",        1317,       1317,           1317,         false,    3024),
    ];
    assert_eq!(table.map(|row| row.0), Dialect::NAMES);
    for (name, query, connection, own, ok, time) in table {
        let dialect = Dialect::named(name).unwrap();
        let code = |reason| dialect.killed(reason, None).code();
        let codes = [Reason::KillQuery, Reason::KillConnection, Reason::KillOwnConnection, Reason::ExecutionTime];
        assert_eq!(codes.map(code), [query, connection, own, time], "{name}");
        assert_eq!(dialect.own_kill_is_ok(), ok, "{name}");
        assert_eq!((code(Reason::Shutdown), code(Reason::Panic)), (1053, 1105), "{name}");
    }
    let error = Dialect::mariadb().killed(Reason::ExecutionTime, None);
    let text = "Query execution was interrupted (max_statement_time exceeded)";
    assert_eq!((error.state(), error.message()), ("70100", text));
    let error = Dialect::mariadb().killed(Reason::KillOwnConnection, None);
    assert_eq!((error.state(), error.message()), ("70100", "Connection was killed"));
}

#[test]
fn doris_alone_tells_who_cancelled_a_query_and_only_if_asked_to() {
    let from: Origin = "10.0.0.7:4711".parse().unwrap();
    for name in Dialect::NAMES {
        let plain = Dialect::named(name).unwrap();
        let telling = plain.cancel_text(true);
        let said = |dialect: Dialect, reason, killer| dialect.killed(reason, killer).message().to_owned();
        let interrupted = "Query execution was interrupted";
        assert_eq!(said(plain, Reason::KillQuery, Some(from)), interrupted, "{name}");
        assert_eq!(said(telling, Reason::KillQuery, None), interrupted, "{name}: nobody's address");
        let expected = if name == "doris" { "cancel query by user from 10.0.0.7:4711" } else { interrupted };
        assert_eq!(said(telling, Reason::KillQuery, Some(from)), expected, "{name}");
        assert_eq!(said(telling, Reason::KillConnection, Some(from)), interrupted, "{name}");
    }
    assert_eq!(Dialect::doris().cancel_text(true).killed(Reason::KillQuery, Some(from)).code(), 1105);
}

#[test]
fn the_version_of_comments_says_which_are_code_and_nothing_else() {
    let sql = b"/*!80400 KILL 5 */";
    let kills = |dialect: Dialect| crate::control::parse(sql, &dialect.syntax()).unwrap().is_some();
    let plain = Dialect::mysql();
    let later = plain.comment_version(80_400);
    assert_eq!((kills(plain), kills(later)), (false, true));
    assert_eq!(later.server_version(), plain.server_version());
}
