//! Who sees what in the system tables: rows of one's own, and rows that were there.

use std::sync::Arc;

use killdeer::{KillMode, OwnedValue, Privileges, Target};

use super::{LIST, account, ask, lab_of, run, shown, tables, text};
use crate::lab::{Running, code, connect, connect_root, lab, peer, rows};

/// Questions that try to see more than they may.
fn curious(tables: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for table in tables {
        all.extend([
            format!("SELECT * FROM {table}"),
            format!("SELECT * FROM {table} WHERE 1 = 1 OR 1"),
            format!(
                "SELECT 0, t.* FROM {table} t UNION ALL SELECT 1, t.* FROM {table} t UNION SELECT 2, t.* FROM {table} t"
            ),
            format!("SELECT a.*, b.* FROM {table} a, {table} b"),
            format!("SELECT a.*, b.* FROM {table} a LEFT JOIN {table} b ON 1 = 0"),
            format!("SELECT * FROM (SELECT * FROM {table}) x WHERE EXISTS (SELECT 1 FROM {table})"),
            format!("WITH x AS (SELECT * FROM {table}) SELECT * FROM x WHERE 'alice' NOT IN (SELECT 'bob')"),
            format!("SELECT (SELECT GROUP_CONCAT(CONCAT_WS(',', a, b)) FROM (SELECT 1 a, 2 b) y), t.* FROM {table} t"),
        ]);
    }
    for table in ["killdeer.kill_history", LIST] {
        all.push(format!("SELECT * FROM {table} WHERE 1 OR CURRENT_USER() = 'root@%'"));
        all.push(format!("SELECT k.*, p.* FROM killdeer.kill_history k, {table} p"));
    }
    all.push("SHOW FULL PROCESSLIST".into());
    all
}

#[test]
fn an_ordinary_user_gets_its_own_rows_alone_out_of_any_question() {
    run(async {
        for (dialect, tables) in tables() {
            let (runtime, _) = lab_of(dialect);
            let connect = async |name: &str, tenant: &str| {
                runtime.connect(account(dialect, name, Privileges::NONE, tenant), peer()).await.unwrap()
            };
            let (alice, bob) = (connect("alice", "shop").await, connect("bob", "shop").await);
            // In OceanBase an account of another tenant's, of the same name.
            let twin = connect(if dialect.has_tenants() { "alice" } else { "carol" }, "swordfish").await;
            for session in [&bob, &twin] {
                session.use_database("swordfish").await.unwrap();
                drop(Running::begin(session, "wait for swordfish").await);
            }
            let root = Arc::new(account(dialect, "root", Privileges::ALL, "sys"));
            for session in [&bob, &twin] {
                let receipt = runtime.kill(&root, Target::Session(session.id()), KillMode::Query).await.unwrap();
                drop(receipt);
            }
            let count = rows(&alice, &format!("SELECT COUNT(*), MIN(id), MAX(id) FROM {LIST}")).await.unwrap();
            assert_eq!(shown(&count), format!("1|{0}|{0}", alice.id()), "{}", dialect.name());
            assert_eq!(ask(&alice, "SELECT COUNT(*) FROM killdeer.kill_history").await, "0", "{}", dialect.name());
            let strange = [bob.id(), twin.id()].map(|id| OwnedValue::UInt(id.get()));
            for sql in curious(tables) {
                let found = rows(&alice, &sql).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
                for value in found.iter().flatten() {
                    let told = text(value);
                    let names = ["bob", "carol", "swordfish"].iter().any(|name| told.contains(name));
                    let own = told == sql || told.starts_with("SELECT") || told.starts_with("WITH");
                    assert!(own || !(names || strange.contains(value)), "{told} by {sql} in {}", dialect.name());
                }
            }
        }
    });
}

#[test]
fn a_kill_is_told_of_to_whom_it_concerns() {
    run(async {
        let (runtime, _) = lab();
        let (alice, other) = (connect(&runtime, "alice").await, connect(&runtime, "alice").await);
        let (bob, by) = (connect(&runtime, "bob").await, connect_root(&runtime).await);
        for (session, sql, expected) in [
            (&alice, format!("KILL QUERY {}", other.id()), 0),
            (&alice, format!("KILL {}", bob.id()), 1095),
            (&bob, "KILL 4000".into(), 1094),
            (&by, format!("KILL QUERY {}", bob.id()), 0),
        ] {
            assert_eq!(code(session, &sql).await, expected, "{sql}");
        }
        let told = "SELECT by_user, mode, target, victim_id, victim_user, sessions, why, outcome FROM \
                    killdeer.kill_history ORDER BY time";
        let ids = [&other, &bob].map(|session| session.id());
        let alices = [
            format!("alice|QUERY|{0}|{0}|alice|1|statement|nothing to end", ids[0]),
            format!("alice|CONNECTION|{}|NULL|NULL|0|statement|denied", ids[1]),
        ];
        let bobs = [
            format!("alice|CONNECTION|{0}|{0}|bob|0|statement|denied", ids[1]),
            "bob|CONNECTION|4000|NULL|NULL|0|statement|unknown".into(),
            format!("root|QUERY|{0}|{0}|bob|1|statement|nothing to end", ids[1]),
        ];
        assert_eq!(ask(&alice, told).await, alices.join("/"));
        assert_eq!(ask(&bob, told).await, bobs.join("/"));
        assert_eq!(ask(&by, told).await, [&alices[0], &bobs[0], &bobs[1], &bobs[2]].map(|row| &**row).join("/"));
        let joined = "SELECT p.user FROM killdeer.kill_history k JOIN information_schema.processlist p ON p.id = \
                      k.victim_id WHERE k.outcome = 'denied'";
        assert_eq!(ask(&by, joined).await, "bob");
    });
}

#[test]
fn under_churn_every_row_is_one_that_was_there() {
    run(async {
        let (runtime, _) = lab();
        let by = connect_root(&runtime).await;
        let mut steady = Vec::new();
        for n in 0..50 {
            let session = connect(&runtime, &format!("steady{n}")).await;
            steady.push((Running::begin(&session, &format!("wait steady{n}")).await, session));
        }
        let churn = async {
            for n in 0.. {
                let session = connect(&runtime, &format!("brief{n}")).await;
                rows(&session, &format!("brief{n}")).await.unwrap();
            }
        };
        let questions = async {
            for _ in 0..30 {
                let found = rows(&by, &format!("SELECT id, user, info, command FROM {LIST}")).await.unwrap();
                let ids: Vec<_> = found.iter().map(|row| text(&row[0]).parse::<u64>().unwrap()).collect();
                assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
                let users: Vec<_> = found.iter().map(|row| text(&row[1])).collect();
                assert!((0..50).all(|n| users.contains(&format!("steady{n}"))), "{users:?}");
                for (row, user) in found.iter().zip(&users).filter(|(_, user)| *user != "root") {
                    let info = text(&row[2]);
                    let of = info.strip_prefix("wait ").unwrap_or(&info);
                    let comes_and_goes = user.starts_with("brief") || user == "unauthenticated user";
                    assert!(of == user || (info == "NULL" && comes_and_goes), "{row:?}");
                    assert_eq!(info != "NULL", row[3] == OwnedValue::Text("Query".into()), "{row:?}");
                }
            }
        };
        tokio::select! {
            () = churn => {}
            () = questions => {}
        }
    });
}
