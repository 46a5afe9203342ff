//! TiDB's answers to a `KILL`: strict unless told otherwise, lenient as TiDB itself is by a switch.

use killdeer::{Dialect, KillDenied, OwnedValue, Principal, Privileges, Reason, Runtime, SessionHandle};

use crate::lab::{Lab, Running, build, code, connect, paused, peer, rows, settle};

const INSTEAD: &str =
    "Invalid operation. Please use 'KILL TIDB [CONNECTION | QUERY] [connectionID | CONNECTION_ID()]' instead";

fn start(dialect: Dialect) -> Runtime<Lab> {
    build(Lab::default()).dialect(dialect).start()
}

/// How a `KILL` is answered: the code, and the messages that it leaves.
async fn answer(by: &SessionHandle, sql: &str) -> (u16, Vec<String>) {
    let (code, counted) = match by.query(sql.to_owned()).await {
        Ok(results) => (0, Some(results.collect_rows().await.unwrap().1.warnings)),
        Err(error) => (error.code(), None),
    };
    let left = rows(by, "SHOW WARNINGS").await.unwrap();
    if let Some(counted) = counted {
        assert_eq!(usize::from(counted), left.len(), "{sql}: the OK counts the warnings");
    }
    (code, left.iter().map(|row| row[2].text().unwrap().into_owned()).collect())
}

#[test]
fn what_is_no_session_is_an_error_or_where_lenient_ok_with_tidbs_warning() {
    paused(async {
        let (strict, lenient) = (start(Dialect::tidb()), start(Dialect::tidb().lenient_kill(true)));
        let (strict, lenient) = (connect(&strict, "alice").await, connect(&lenient, "alice").await);
        let parse = |id: &str| vec![format!("Parse ConnectionID failed: {id}")];
        #[rustfmt::skip]
        let table = [
            // nobody's, though an id of this server's form
            ("KILL 2099150", vec![]),
            ("KILL QUERY 2099150", vec![]),
            ("KILL TIDB 2099150", vec![]),
            // another server's
            ("KILL 4194306", vec![]),
            // the low half of 5857102839209263511 and of 8306449708033769879
            ("KILL 407", vec!["Kill failed: Received a 32bits truncated ConnectionID, expect 64bits. Please execute \
                'KILL [CONNECTION|QUERY] ConnectionID' to send a Kill without truncating ConnectionID.".to_owned()]),
            // no id at all
            ("KILL 18446744073709551615", parse("unexpected connectionID exceeds int64")),
            ("KILL 4294967296", parse("unexpected connectionID exceeds uint32")),
            ("KILL 18446744073709551616", parse("Unknown thread id: 18446744073709551616")),
        ];
        for (sql, warnings) in table {
            let id = sql.rsplit(' ').next().unwrap();
            assert_eq!(answer(&strict, sql).await, (1094, vec![format!("Unknown thread id: {id}")]), "{sql}");
            assert_eq!(answer(&lenient, sql).await, (0, warnings), "{sql}");
        }
        for sql in ["KILL", "KILL TIDB", "KILL 1 + 1", "KILL USER alice", "KILL HARD 1"] {
            assert_eq!((code(&strict, sql).await, code(&lenient, sql).await), (1064, 1064), "{sql}");
        }
    });
}

#[test]
fn a_denial_is_told_lenient_or_not_and_where_hidden_looks_like_nobody() {
    paused(async {
        for (denied, expected) in [(KillDenied::Told, [1227, 1227]), (KillDenied::Hidden, [1094, 0])] {
            for (lenient, expected) in [false, true].into_iter().zip(expected) {
                let runtime = start(Dialect::tidb().kill_denied(denied).lenient_kill(lenient));
                let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
                let waiting = Running::begin(&alice, "wait").await;
                let (code, left) = answer(&bob, &format!("KILL {}", alice.id())).await;
                assert_eq!(code, expected, "{denied:?}, {lenient}");
                let shown = match expected {
                    1227 => vec![
                        "Access denied; you need (at least one of) the SUPER or CONNECTION_ADMIN privilege(s) for this \
                         operation"
                            .to_owned(),
                    ],
                    1094 => vec![format!("Unknown thread id: {}", alice.id())],
                    _ => vec![],
                };
                assert_eq!(left, shown, "{denied:?}, {lenient}");
                settle().await;
                assert!(!waiting.is_over());
                assert_eq!(runtime.status().kills_denied, 1, "the host is told");
            }
        }
    });
}

#[test]
fn a_denial_names_the_privilege_that_is_missing() {
    paused(async {
        let runtime = start(Dialect::tidb());
        let account = |name: &str, privileges| runtime.connect(Principal::new(name, privileges), peer());
        let ops = account("ops", Privileges::RESTRICTED_USER_ADMIN).await.unwrap();
        for (privileges, expected) in [
            (Privileges::NONE, "SUPER or CONNECTION_ADMIN"),
            (Privileges::RESTRICTED_CONNECTION_ADMIN, "SUPER or CONNECTION_ADMIN"),
            (Privileges::SUPER, "RESTRICTED_CONNECTION_ADMIN"),
            (Privileges::CONNECTION_ADMIN, "RESTRICTED_CONNECTION_ADMIN"),
        ] {
            let by = account("bob", privileges).await.unwrap();
            let text =
                format!("Access denied; you need (at least one of) the {expected} privilege(s) for this operation");
            for mode in ["QUERY", "CONNECTION"] {
                let answer = answer(&by, &format!("KILL {mode} {}", ops.id())).await;
                assert_eq!(answer, (1227, vec![text.clone()]), "{privileges:?} {mode}");
            }
        }
        assert_eq!(runtime.status().kills_denied, 8);
    });
}

#[test]
fn without_global_kill_the_keyword_is_wanted_unless_compatible() {
    paused(async {
        #[rustfmt::skip]
        let table = [
            // global kill  compatible  lenient   KILL    KILL TIDB
            (true,          false,      false,    0,      0),
            (true,          false,      true,     0,      0),
            (true,          true,       false,    0,      0),
            (false,         true,       false,    0,      0),
            (false,         true,       true,     0,      0),
            (false,         false,      false,    1105,   0),
            // OK, with a warning; and nothing is killed.
            (false,         false,      true,     1,      0),
        ];
        for (global, compatible, lenient, plain, keyword) in table {
            let dialect = Dialect::tidb().global_kill(global).compatible_kill_query(compatible).lenient_kill(lenient);
            let runtime = start(dialect);
            let by = runtime.connect(Principal::new("root", Privileges::SUPER), peer()).await.unwrap();
            for mode in ["QUERY", "CONNECTION", ""] {
                for (word, expected) in [("", plain), ("TIDB", keyword)] {
                    let alice = connect(&runtime, "alice").await;
                    let waiting = Running::begin(&alice, "wait").await;
                    let sql = format!("KILL {word} {mode} {}", alice.id());
                    let what = format!("{sql}: {global}, {compatible}, {lenient}");
                    let (code, left) = answer(&by, &sql).await;
                    settle().await;
                    assert_eq!(code, if expected == 1 { 0 } else { expected }, "{what}");
                    assert_eq!(left, vec![INSTEAD.to_owned(); usize::from(expected != 0)], "{what}");
                    assert_eq!(waiting.is_over(), expected == 0, "{what}");
                    match (expected, mode) {
                        (0, "QUERY") => assert_eq!(waiting.code().await, 1317, "{what}"),
                        (0, _) => assert_eq!(alice.ended().await, Reason::KillConnection, "{what}"),
                        _ => waiting.abandon(),
                    }
                }
            }
        }
    });
}

#[test]
fn connection_id_is_oneself() {
    paused(async {
        let runtime = start(Dialect::tidb());
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "KILL QUERY CONNECTION_ID()").await, 1317);
        assert_eq!(rows(&alice, "hello").await.unwrap(), [[OwnedValue::Text("hello".into())]]);
        assert_eq!(code(&alice, "KILL CONNECTION_ID()").await, 1317);
        assert_eq!(alice.ended().await, Reason::KillOwnConnection);
    });
}
