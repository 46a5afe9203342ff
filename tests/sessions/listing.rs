//! What a list shows, and to whom (promises 5, 12 and 13).

use std::{sync::Arc, time::Duration};

use killdeer::{List, OwnedValue, Principal, Privileges};
use tokio::time::sleep;

use crate::lab::{Running, connect, connect_root, lab, paused, root, rows, user};

fn text(value: &OwnedValue) -> &str {
    match value {
        OwnedValue::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_sees_ones_own_and_with_process_everybodys() {
    paused(async {
        let (runtime, _) = lab();
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        let see = |by: &Arc<Principal>| -> Vec<_> { runtime.list(by).rows().iter().map(|row| row.id).collect() };
        assert_eq!(see(&user("alice")), [alice.id()]);
        assert_eq!(see(&user("bob")), [bob.id()]);
        assert!(see(&user("carol")).is_empty());
        assert_eq!(see(&Arc::new(Principal::new("carol", Privileges::PROCESS))), [alice.id(), bob.id()]);
        assert!(see(&Arc::new(Principal::new("carol", Privileges::SUPER))).is_empty(), "SUPER gives no sight");
        let listing = runtime.supervisor().send(List { by: user("alice") }).await.unwrap();
        assert_eq!(listing.rows().len(), 1, "by message, the same");
        assert_eq!(rows(&alice, "SHOW PROCESSLIST").await.unwrap().len(), 1, "as a statement, the same");
    });
}

#[test]
fn a_statement_that_fails_restarts_the_time_too() {
    paused(async {
        let (runtime, _) = lab();
        let by = connect_root(&runtime).await;
        for sql in ["KILL 99", "KILL", "fail", "SHOW PROCESSLIST"] {
            sleep(Duration::from_secs(42)).await;
            assert_eq!(runtime.list(&root()).rows()[0].time.as_secs(), 42);
            let _ = rows(&by, sql).await;
            assert_eq!(runtime.list(&root()).rows()[0].time.as_secs(), 0, "{sql}");
        }
    });
}

#[test]
fn the_list_has_mysqls_columns_states_and_times() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let by = connect_root(&runtime).await;
        let waiting = Running::begin(&alice, "wait").await;
        sleep(Duration::from_secs(42)).await;
        let list = rows(&by, "SHOW FULL PROCESSLIST").await.unwrap();
        let row = |id: u64, user: &str, command: &str, time: i64, state: &str, info: &str| {
            let text = |v: &str| OwnedValue::Text(v.into());
            let host = text("127.0.0.1:40000");
            vec![
                OwnedValue::UInt(id),
                text(user),
                host,
                OwnedValue::Null,
                text(command),
                OwnedValue::Int(time),
                text(state),
                text(info),
            ]
        };
        assert_eq!(
            list,
            [
                row(1, "alice", "Query", 42, "executing", "wait"),
                row(2, "root", "Query", 0, "starting", "SHOW FULL PROCESSLIST"),
            ]
        );
        waiting.abandon();
        sleep(Duration::from_secs(7)).await;
        let list = rows(&by, "show processlist").await.unwrap();
        assert_eq!((text(&list[0][4]), &list[0][5], text(&list[0][6])), ("Sleep", &OwnedValue::Int(7), ""));
        assert_eq!(list[0][7], OwnedValue::Null, "an idle session has no Info");
    });
}

#[test]
fn info_is_cut_at_100_characters_and_holds_no_secret() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        let by = connect_root(&runtime).await;
        let long = format!("wait {}", "ä".repeat(200));
        let waiting = Running::begin(&alice, &long).await;
        let list = rows(&by, "SHOW PROCESSLIST").await.unwrap();
        assert_eq!(text(&list[0][7]), long.chars().take(100).collect::<String>());
        let list = rows(&by, "SHOW FULL PROCESSLIST").await.unwrap();
        assert_eq!(text(&list[0][7]), long);
        waiting.abandon();

        let _waiting = Running::begin(&alice, "wait CREATE USER eve IDENTIFIED BY 'swordfish'").await;
        for row in runtime.list(&root()).rows() {
            assert!(!format!("{row:?}").contains("swordfish"));
        }
        let list = rows(&by, "SHOW FULL PROCESSLIST").await.unwrap();
        assert!(text(&list[0][7]).starts_with("wait CREATE USER eve IDENTIFIED BY "));
        assert!(!text(&list[0][7]).contains("swordfish"));
    });
}

#[test]
fn a_list_of_thousands_is_whole_and_in_order() {
    paused(async {
        let (runtime, _) = lab();
        let mut sessions = Vec::new();
        for _ in 0..6000 {
            sessions.push(connect(&runtime, "alice").await);
        }
        let by = connect_root(&runtime).await;
        let list = rows(&by, "SHOW PROCESSLIST").await.unwrap();
        let ids: Vec<_> = list.iter().map(|row| row[0].clone()).collect();
        assert_eq!(ids, (1..=6001).map(OwnedValue::UInt).collect::<Vec<_>>());
    });
}
