//! `SET` of the runtime's settings, `SET STATEMENT`, `FLUSH HOSTS`.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// What is the runtime's of a `SET`, as `global name`, and what is left.
fn set_in(sql: &str, syntax: &Syntax) -> Option<(Vec<String>, Option<String>)> {
    let set = match parse(sql.as_bytes(), syntax) {
        Ok(Some(Control::Set(set))) => set,
        Ok(None) => return None,
        other => panic!("{sql}: {other:?}"),
    };
    let ours = set
        .assignments
        .iter()
        .map(|assignment| format!("{}{}", if assignment.global { "global " } else { "" }, assignment.setting.name()));
    Some((ours.collect(), set.rest.map(|rest| String::from_utf8(rest.sql.to_vec()).unwrap())))
}

#[test]
fn settings_are_known_in_every_spelling() {
    for (sql, ours) in [
        ("SET wait_timeout = 5", "wait_timeout"),
        ("set WAIT_TIMEOUT=5;", "wait_timeout"),
        ("SET SESSION wait_timeout = 5", "wait_timeout"),
        ("SET LOCAL `wait_timeout` := 5", "wait_timeout"),
        ("SET @@wait_timeout = 5", "wait_timeout"),
        ("SET @@`wait_timeout` = 5", "wait_timeout"),
        ("SET @@session.wait_timeout = 5", "wait_timeout"),
        ("SET @@LOCAL.`wait_timeout` = 5", "wait_timeout"),
        ("SET @@session . wait_timeout = 5", "wait_timeout"),
        ("SET @@session. wait_timeout = 5", "wait_timeout"),
        ("SET GLOBAL max_connections = 5", "global max_connections"),
        ("SET @@global.max_connections = 5", "global max_connections"),
        ("SET tidb_idle_transaction_timeout = 5", "idle_transaction_timeout"),
        ("/*!40101 SET wait_timeout = 5 */", "wait_timeout"),
        ("/* app */ SET /* a */ wait_timeout /* b */ = /* c */ 5", "wait_timeout"),
        ("SET wait_timeout = (1 + 2) * 3", "wait_timeout"),
    ] {
        assert_eq!(set_in(sql, &Syntax::MYSQL), Some((vec![ours.to_owned()], None)), "{sql}");
        assert!(set_in(sql, &Syntax::DORIS).is_some(), "{sql}");
    }
}

#[test]
fn every_other_set_is_the_engines() {
    for sql in [
        "SET autocommit = 1",
        "SET NAMES utf8mb4",
        "SET @wait_timeout = 5",
        "SET @x = @@wait_timeout",
        "SET x = 'a, wait_timeout = 5'",
        "SET x = (SELECT 1, wait_timeout = 5)",
        "SET ROLE wait_timeout",
        "SET other.wait_timeout = 5",
        "SET @@other.wait_timeout = 5",
        "SET my_wait_timeout = 5",
        "SET x = 1 -- , wait_timeout = 5",
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
        "SET STATEMENT sort_buffer_size = 1 FOR SELECT @@wait_timeout",
        "SET GLOBAL lock_wait_timeout = 5",
        "SET x = 'max_connections",
        "SET",
        "SETTING wait_timeout = 5",
        "UPDATE t SET wait_timeout = 5",
        "FLUSH TABLES",
        "FLUSH HOSTS, STATUS",
        "FLUSH STATUS, HOSTS",
    ] {
        assert_eq!(parse(sql.as_bytes(), &Syntax::MYSQL), Ok(None), "{sql}");
    }
}

#[test]
fn what_is_the_engines_is_taken_out() {
    for (sql, ours, rest) in [
        // ActiveRecord, Connector/J
        (
            "SET  @@SESSION.sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'),  @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483",
            &["wait_timeout"][..],
            "SET @@SESSION.sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), @@SESSION.sql_auto_is_null = 0",
        ),
        (
            "SET autocommit=1, net_write_timeout=600, sql_mode='a,b'",
            &["net_write_timeout"],
            "SET autocommit=1, sql_mode='a,b'",
        ),
        ("SET wait_timeout = 5, NAMES utf8mb4", &["wait_timeout"], "SET NAMES utf8mb4"),
        // MySQL's words hold for what follows
        (
            "SET GLOBAL wait_timeout = 5, sort_buffer_size = 1, read_only = 1",
            &["global wait_timeout"],
            "SET GLOBAL sort_buffer_size = 1, read_only = 1",
        ),
        (
            "SET GLOBAL sort_buffer_size = 1, wait_timeout = 5, read_only = 1",
            &["global wait_timeout"],
            "SET GLOBAL sort_buffer_size = 1, read_only = 1",
        ),
        (
            "SET GLOBAL a = 1, SESSION wait_timeout = 5, b = 1, @x = 2, @@c = 3",
            &["wait_timeout"],
            "SET GLOBAL a = 1, SESSION b = 1, @x = 2, @@c = 3",
        ),
        (
            "SET SESSION wait_timeout = 5, GLOBAL a = 1, wait_timeout = 6, @@wait_timeout = 7",
            &["wait_timeout", "global wait_timeout", "wait_timeout"],
            "SET GLOBAL a = 1",
        ),
        ("SET GLOBAL max_connections = 5, @x = 1, a = 2", &["global max_connections"], "SET @x = 1, GLOBAL a = 2"),
        // comments are left out
        ("SET a = /* 1 */ 2 /* 3 */, wait_timeout = 5 -- 4", &["wait_timeout"], "SET a = 2"),
        ("SET a = /*!50000 1 */, wait_timeout = 5", &["wait_timeout"], "SET a = 1"),
        ("/*!40101 SET wait_timeout = 5, a = b */", &["wait_timeout"], "SET a = b"),
    ] {
        let expected = ours.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(set_in(sql, &Syntax::MYSQL), Some((expected, Some(rest.to_owned()))), "{sql}");
    }
}

#[test]
fn parameters_go_where_they_belong() {
    let sql = b"SET a = ?, wait_timeout = ? + ?, b = f(?, '?'), max_execution_time = ?";
    let Ok(Some(own @ Control::Set(_))) = parse(sql, &Syntax::MYSQL) else { panic!("it is one") };
    assert_eq!(own.placeholders(), 5);
    let Control::Set(Set { rest: Some(rest), .. }) = own else { panic!("there is a rest") };
    assert_eq!(rest.params, [0, 3]);
    assert_eq!(rest.params(&[1, 2, 3, 4, 5].map(OwnedValue::Int)), [1, 4].map(OwnedValue::Int));
    let many = format!("SET wait_timeout = 5, a = f({}?)", "?,".repeat(65_535));
    assert_eq!(parse(many.as_bytes(), &Syntax::MYSQL).unwrap_err().code(), 1390);
    let often = format!("SET {}wait_timeout = 5", "wait_timeout = 5, ".repeat(64));
    assert_eq!(parse(often.as_bytes(), &Syntax::MYSQL).unwrap_err().code(), 1235);
    let deep = format!("SET wait_timeout = {}5", "-".repeat(1_000_000));
    assert_eq!(parse(deep.replace("--", "-+").as_bytes(), &Syntax::MYSQL).unwrap_err().code(), 1235);
}

#[test]
fn a_statement_has_its_own_settings() {
    for (sql, count, statement) in [
        ("SET STATEMENT max_statement_time=5 FOR SELECT 1", 1, "SELECT 1"),
        ("set statement max_statement_time = 0.5, max_execution_time = 7 for KILL 5;", 2, "KILL 5;"),
        (
            "SET STATEMENT sort_buffer_size = f(1, 2), max_statement_time=5, a='FOR' FOR DELETE FROM t",
            1,
            "SET STATEMENT sort_buffer_size = f(1, 2), a='FOR' FOR DELETE FROM t",
        ),
        ("/*M!100103 SET STATEMENT max_statement_time=5 FOR */ SELECT 1", 1, "SELECT 1"),
        ("/*M!100103 SET STATEMENT max_statement_time=5 FOR SELECT 1 */", 1, "/*! SELECT 1 */"),
        ("SET STATEMENT max_statement_time=5 FOR SET STATEMENT=1", 1, "SET STATEMENT=1"),
    ] {
        let whole = Bytes::copy_from_slice(sql.as_bytes());
        match parse(&whole, &Syntax::MARIADB) {
            Ok(Some(Control::SetStatement(set))) => {
                assert_eq!(set.assignments.len(), count, "{sql}");
                assert_eq!(set.statement(&whole), statement, "{sql}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    for (sql, code) in [
        ("SET STATEMENT max_statement_time=5", 1064),
        ("SET STATEMENT max_statement_time=5 FOR", 1064),
        ("SET STATEMENT max_statement_time FOR SELECT @@max_statement_time", 0),
        ("SET STATEMENT GLOBAL max_statement_time=5 FOR SELECT 1", 1064),
        ("SET STATEMENT @@max_statement_time=5 FOR SELECT 1", 1064),
        ("SET STATEMENT max_statement_time=f(5) FOR SELECT 1", 1235),
        ("SET STATEMENT max_statement_time=5 FOR SET STATEMENT max_statement_time=5 FOR SELECT 1", 1235),
    ] {
        let read = parse(sql.as_bytes(), &Syntax::MYSQL);
        assert_eq!(read.as_ref().err().map_or(0, SqlError::code), code, "{sql}: {read:?}");
    }
    assert_eq!(set_in("SET statement = 1, wait_timeout = 5", &Syntax::MYSQL).unwrap().1.unwrap(), "SET statement = 1");
    let sql = Bytes::from_static(b"SET STATEMENT a=?, max_statement_time=?, b=? FOR SELECT ?, ?");
    let Ok(Some(Control::SetStatement(set))) = parse(&sql, &Syntax::MYSQL) else { panic!("it is one") };
    assert_eq!(set.placeholders(), (3, 2));
    assert_eq!(set.params(&[1, 2, 3, 4, 5].map(OwnedValue::Int)), [1, 3, 4, 5].map(OwnedValue::Int));
}

#[test]
fn hosts_are_flushed_alone() {
    for sql in ["FLUSH HOSTS", "flush local hosts;", "FLUSH NO_WRITE_TO_BINLOG HOSTS"] {
        assert_eq!(parse(sql.as_bytes(), &Syntax::MYSQL), Ok(Some(Control::FlushHosts)), "{sql}");
    }
    assert_eq!(parse(b"FLUSH HOSTS x", &Syntax::MYSQL).unwrap_err().code(), 1064);
}

/// An assignment: whether it is to a setting, its target and its value.
fn assignment() -> impl Strategy<Value = (bool, String)> {
    let word = select(vec!["", "", "", "SESSION ", "LOCAL ", "GLOBAL "]);
    let bare =
        (word, select(vec!["wait_timeout", "`max_connections`", "MAX_STATEMENT_TIME", "a", "`b_timeout`", "max_"]));
    let target = prop_oneof![
        bare.prop_map(|(word, name)| format!("{word}{name}")),
        select(vec!["@@session.wait_timeout", "@@global.c", "@wait_timeout", "@@`net_write_timeout`"])
            .prop_map(str::to_owned),
    ];
    let ours = ["wait_timeout", "max_connections", "max_statement_time", "net_write_timeout"];
    (target, select(vec!["=", ":=", " = "]), select(vec!["5", "DEFAULT", "(1+2)", "@x", "-1"])).prop_map(
        move |(target, equals, value)| {
            let name = target.to_lowercase().replace('`', "");
            let name = name.rsplit([' ', '.']).next().unwrap_or_default().trim_start_matches("@@").to_owned();
            (ours.contains(&&*name), format!("{target}{equals}{value}"))
        },
    )
}

proptest! {
    /// Nothing is lost, nothing is done twice, and what is left has no setting in it.
    #[test]
    fn ours_and_the_rest_are_all(list in vec(assignment(), 1..8)) {
        let sql = format!("SET {}", list.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(", "));
        let ours = list.iter().filter(|(ours, _)| *ours).count();
        match set_in(&sql, &Syntax::MYSQL) {
            None => prop_assert_eq!(ours, 0),
            Some((found, rest)) => {
                prop_assert_eq!(found.len(), ours);
                let theirs = list.iter().filter(|(ours, _)| !ours).map(|(_, text)| text);
                let Some(rest) = rest else { prop_assert_eq!(theirs.count(), 0); return Ok(()) };
                prop_assert_eq!(set_in(&rest, &Syntax::MYSQL), None);
                let left: Vec<_> = rest.strip_prefix("SET ").unwrap().split(", ").map(str::to_owned).collect();
                prop_assert_eq!(left.len(), theirs.clone().count());
                for (left, text) in left.iter().zip(theirs) {
                    prop_assert!(left.ends_with(text.as_str()), "{} {}", left, text);
                }
            }
        }
    }

    #[test]
    fn no_text_is_too_much(text in "SET (STATEMENT )?([@=:,().;?'`*/! -]|FOR |GLOBAL |wait_timeout|@@session|max_statement_time|5|DEFAULT|\\PC){0,24}") {
        let whole = Bytes::from(text.into_bytes());
        for syntax in [Syntax::MYSQL, Syntax::MARIADB, Syntax::DORIS] {
            if let Ok(Some(Control::SetStatement(set))) = parse(&whole, &syntax) {
                let statement = set.statement(&whole);
                prop_assert!(statement.len() <= whole.len() + 4);
            }
        }
    }
}
