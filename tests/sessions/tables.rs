//! The system tables as sessions meet them: which statements are questions, what they answer, and that nobody waits for
//! them. Questions are answered on threads, for which paused time would not wait: here time goes on.

use std::{future::Future, sync::Arc, thread::available_parallelism, time::Duration};

use killdeer::{
    Dialect, KillMode, OwnedValue, Params, Part, Principal, Privileges, Reason, Results, Runtime, SessionHandle,
    SqlError, Statement, Target, Tenant,
};
use tokio::{task::LocalSet, time::timeout};

use futures::StreamExt;

use crate::lab::{Lab, Log, Running, build, code, connect, connect_root, lab, peer, root, rows};

const LIST: &str = "information_schema.processlist";

/// Runs a test on one thread. Two minutes are for ever.
fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async { timeout(Duration::from_secs(120), test).await.expect("it is stuck") })
}

fn lab_of(dialect: Dialect) -> (Runtime<Lab>, Log) {
    let lab = Lab::default();
    let log = lab.log.clone();
    (build(lab).dialect(dialect).start(), log)
}

/// Lets others run until something has come about.
async fn until(wanted: impl Fn() -> bool) {
    while !wanted() {
        tokio::task::yield_now().await;
    }
}

/// A value as text: NULL, or as it is.
fn text(value: &OwnedValue) -> String {
    value.text().map_or("NULL".into(), |text| text.into_owned())
}

/// The rows of a statement as text: values between `|`, rows between `/`.
async fn ask(session: &SessionHandle, sql: &str) -> String {
    match rows(session, sql).await {
        Ok(rows) => shown(&rows),
        Err(error) => format!("{} {}", error.code(), error.message()),
    }
}

fn shown(rows: &[Vec<OwnedValue>]) -> String {
    let row = |row: &Vec<OwnedValue>| row.iter().map(text).collect::<Vec<_>>().join("|");
    rows.iter().map(row).collect::<Vec<_>>().join("/")
}

async fn ask_with(session: &SessionHandle, sql: &str, params: Vec<OwnedValue>) -> Result<String, SqlError> {
    let statement = Statement { params: Some(Params(params)), ..Statement::from(sql.to_owned()) };
    session.query(statement).await?.collect_rows().await.map(|(rows, _)| shown(&rows))
}

/// The names of a result's columns.
async fn header(session: &SessionHandle, sql: &str) -> Vec<String> {
    match session.query(sql.to_owned()).await.unwrap().next().await {
        Some(Ok(Part::Columns(columns))) => columns.iter().map(|column| column.name.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

/// A question that takes longer than any test, for who sees more than one session.
fn endless() -> String {
    let list: Vec<_> = (0..40).map(|n| format!("{LIST} t{n}")).collect();
    format!("SELECT COUNT(*) FROM {}", list.join(", "))
}

/// Begins it in the session, and sees it run.
async fn begin_endless(runtime: &Runtime<Lab>, session: &SessionHandle) -> Running {
    let running = Running::begin(session, &endless()).await;
    let id = session.id();
    until(|| runtime.list(&root()).rows().iter().any(|row| row.id == id && row.statement.is_some())).await;
    running
}

/// Sessions of alice's, for an endless question of hers to see.
async fn crowd(runtime: &Runtime<Lab>) -> [SessionHandle; 2] {
    [connect(runtime, "alice").await, connect(runtime, "alice").await]
}

fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The tables of each system.
fn tables() -> [(Dialect, &'static [&'static str]); 5] {
    [
        (Dialect::mysql(), &[LIST, "performance_schema.processlist", "performance_schema.threads"]),
        (Dialect::mariadb(), &[LIST, "performance_schema.threads"]),
        (Dialect::doris(), &[LIST]),
        (Dialect::oceanbase(), &[LIST, "oceanbase.GV$OB_PROCESSLIST", "oceanbase.`v$ob_processlist`"]),
        (Dialect::tidb(), &[LIST, "information_schema.cluster_processlist"]),
    ]
}

/// An account of the tenant `shop`, where there are tenants.
fn account(dialect: Dialect, name: &str, privileges: Privileges, tenant: &str) -> Principal {
    let principal = Principal::new(name, privileges);
    match dialect.has_tenants() {
        true => principal.in_tenant(Tenant { name: tenant.into(), cluster: None }),
        false => principal,
    }
}

#[test]
fn every_table_of_every_system_has_the_rows_of_the_list_and_the_engine_is_not_asked() {
    run(async {
        for (dialect, tables) in tables() {
            let (runtime, log) = lab_of(dialect);
            let alice = runtime.connect(account(dialect, "alice", Privileges::NONE, "sys"), peer()).await.unwrap();
            let by = runtime.connect(account(dialect, "root", Privileges::ALL, "sys"), peer()).await.unwrap();
            let _waiting = Running::begin(&alice, "wait for it").await;
            log.take();
            for table in tables {
                let everything = format!("SELECT * FROM {table}");
                let (columns, answer) = (header(&by, &everything).await, rows(&by, &everything).await.unwrap());
                let at = |name: &str| {
                    let named =
                        |column: &String| column.to_ascii_uppercase().trim_start_matches("PROCESSLIST_") == name;
                    columns.iter().position(named).unwrap_or_else(|| panic!("{table} has no {name}: {columns:?}"))
                };
                let (id, user, info) = (at("ID"), at("USER"), at("INFO"));
                let found: Vec<_> = answer.iter().map(|row| [&row[id], &row[user], &row[info]].map(text)).collect();
                let expected = [
                    [alice.id().to_string(), "alice".into(), "wait for it".into()],
                    [by.id().to_string(), "root".into(), everything.clone()],
                ];
                assert_eq!(found, expected, "{table} of {}", dialect.name());
            }
            // The columns that a list and its table have in common have the same values: one producer makes them.
            let full = header(&by, "SHOW FULL PROCESSLIST").await;
            let shown = rows(&by, "SHOW FULL PROCESSLIST").await.unwrap();
            let columns = header(&by, &format!("SELECT * FROM {LIST}")).await;
            let asked = rows(&by, &format!("SELECT * FROM {LIST}")).await.unwrap();
            let common: Vec<_> = full
                .iter()
                .enumerate()
                .filter_map(|(at, name)| {
                    let there = columns.iter().position(|column| column.eq_ignore_ascii_case(name))?;
                    Some((name, at, there))
                })
                .collect();
            assert!(common.len() >= 8, "{common:?}");
            for (name, at, there) in common {
                assert_eq!(text(&shown[0][at]), text(&asked[0][there]), "{name} of {}", dialect.name());
            }
            assert_eq!(log.take(), [""; 0], "the engine of {} was asked", dialect.name());
        }
    });
}

#[test]
fn questions_are_answered_in_the_words_of_the_client() {
    run(async {
        let (runtime, log) = lab();
        let (alice, bob) = (connect(&runtime, "alice").await, connect(&runtime, "bob").await);
        let by = connect_root(&runtime).await;
        alice.use_database("shop").await.unwrap();
        let _waiting = (Running::begin(&alice, "wait a").await, Running::begin(&bob, "wait b").await);
        log.take();
        for (sql, expected) in [
            (
                format!(
                    "SELECT id, info FROM {LIST} WHERE command <> 'Sleep' AND info LIKE 'WAIT%' ORDER BY 1 DESC LIMIT 1"
                ),
                "2|wait b",
            ),
            (
                format!(
                    "SELECT user, COUNT(*), MAX(time) < 100 FROM {LIST} WHERE command <> 'Sleep' GROUP BY user ORDER BY 2 DESC, 1 LIMIT 5"
                ),
                "alice|1|1/bob|1|1/root|1|1",
            ),
            (
                format!(
                    "SELECT p.id, t.processlist_info FROM {LIST} p JOIN performance_schema.threads t ON t.processlist_id = p.id WHERE p.user = 'alice'"
                ),
                "1|wait a",
            ),
            (
                format!(
                    "SELECT a.id FROM {LIST} a LEFT JOIN performance_schema.processlist b ON a.id = b.id + 1 WHERE b.id IS NULL"
                ),
                "1",
            ),
            (format!("select `ID` from {LIST} where DB = 'shop';"), "1"),
            (format!("SELECT id FROM {LIST} WHERE id = @one"), "1"),
            (format!("SELECT id FROM {LIST} WHERE id = @other"), ""),
            (
                format!("SELECT id, USER(), CURRENT_USER(), DATABASE() FROM {LIST} WHERE id = CONNECTION_ID()"),
                "3|root@127.0.0.1|root@%|NULL",
            ),
            (format!("SELECT VERSION() = @@version, @@session.version FROM {LIST} LIMIT 1"), "1|8.0.36-killdeer"),
            (
                format!(
                    "(SELECT id FROM {LIST} WHERE user = 'bob') UNION ALL SELECT id FROM {LIST} WHERE user = 'alice'"
                ),
                "2/1",
            ),
            (format!("WITH busy AS (SELECT id FROM {LIST} WHERE info IS NOT NULL) SELECT COUNT(id) FROM busy"), "3"),
            ("/* a comment */ SELECT COUNT(*) FROM killdeer.kill_history".into(), "0"),
        ] {
            assert_eq!(ask(&by, &sql).await, expected, "{sql}");
        }
        let sql = format!("SELECT id FROM {LIST} WHERE user = ? AND id < ? ORDER BY id LIMIT ?");
        let params = || vec![OwnedValue::Text("bob".into()), OwnedValue::Int(9), OwnedValue::Int(1)];
        assert_eq!(ask_with(&by, &sql, params()).await.unwrap(), "2");
        assert_eq!(ask_with(&by, &sql, params()[1..].to_vec()).await.unwrap_err().code(), 1210);
        assert_eq!(ask_with(&by, &sql, Vec::new()).await.unwrap_err().code(), 1210);
        assert_eq!(log.take(), [""; 0]);
    });
}

#[test]
fn a_name_alone_is_that_of_the_current_database() {
    run(async {
        let (runtime, log) = lab();
        let by = connect_root(&runtime).await;
        for (database, sql, is_question) in [
            (None, "SELECT COUNT(*) FROM processlist", false),
            (Some("shop"), "SELECT COUNT(*) FROM processlist", false),
            (Some("Information_Schema"), "SELECT COUNT(*) FROM processlist", true),
            (Some("Information_Schema"), "SELECT COUNT(*) FROM `PROCESSLIST` p WHERE p.id = 1", true),
            (Some("Information_Schema"), "SELECT COUNT(*) FROM threads", false),
            (Some("performance_schema"), "SELECT COUNT(*) FROM threads", true),
            (Some("killdeer"), "SELECT COUNT(*) + 1 FROM kill_history", true),
            (Some("shop"), "SELECT COUNT(*) FROM information_schema.processlist", true),
        ] {
            if let Some(database) = database {
                by.use_database(database).await.unwrap();
            }
            log.take();
            let answer = ask(&by, sql).await;
            let asked = log.take();
            match is_question {
                true => assert_eq!((&*answer, asked.len()), ("1", 0), "{sql} in {database:?}"),
                false => assert_eq!((&*answer, asked), (sql, vec![format!("root {sql}")]), "in {database:?}"),
            }
        }
    });
}

#[test]
fn what_only_mentions_a_table_is_the_engines() {
    run(async {
        let (runtime, log) = lab();
        let by = connect_root(&runtime).await;
        for sql in [
            "SELECT 'information_schema.processlist'",
            "SELECT 1 /* FROM information_schema.processlist */",
            "SELECT 1 -- FROM information_schema.processlist",
            "SELECT * FROM `information_schema.processlist`",
            "SELECT * FROM shop.processlist, information_schema.tables",
            "SELECT * FROM information_schema.processlists",
            "INSERT INTO t SELECT * FROM information_schema.processlist",
            "EXPLAIN SELECT * FROM information_schema.processlist",
            "CREATE TABLE t AS SELECT * FROM information_schema.processlist",
            "SHOW TABLES FROM information_schema LIKE 'processlist'",
            "SELECT 1",
        ] {
            assert_eq!(ask(&by, sql).await, sql);
            assert_eq!(log.take(), [format!("root {sql}")]);
        }
    });
}

#[test]
fn errors_are_mysqls_and_show_warnings_shows_them() {
    run(async {
        let (runtime, log) = lab();
        let by = connect_root(&runtime).await;
        for (sql, code) in [
            (format!("SELECT nothing FROM {LIST}"), 1054),
            (format!("SELECT p.id FROM {LIST} p WHERE p.nothing = 1"), 1054),
            (format!("SELECT nothing(id) FROM {LIST}"), 1305),
            (format!("SELECT id FROM {LIST} WHERE"), 1064),
            (format!("SELECT FROM {LIST}"), 1064),
            (format!("SELECT p.id FROM {LIST} p JOIN shop.orders o ON o.id = p.id"), 1146),
            (format!("SELECT id FROM {LIST}, information_schema.tables"), 1146),
            (format!("SELECT a.id FROM {LIST} a JOIN {LIST} b WHERE id = 1"), 1052),
            (format!("SELECT @@nothing FROM {LIST}"), 1193),
        ] {
            let error = rows(&by, &sql).await.unwrap_err();
            assert_eq!(error.code(), code, "{sql}: {error}");
            assert_eq!(ask(&by, "SHOW WARNINGS").await, format!("Error|{code}|{}", error.message()), "{sql}");
            assert_eq!(ask(&by, "SHOW COUNT(*) ERRORS").await, "1");
        }
        assert_eq!(log.take(), [""; 0], "the engine was asked for none of it");
        assert_eq!(ask(&by, &format!("SELECT COUNT(*) FROM {LIST}")).await, "1", "the session works on");
        assert_eq!(ask(&by, "SHOW WARNINGS").await, "", "and the warnings are over");
        ask(&by, "SELECT 1").await;
        assert_eq!(ask(&by, "SHOW WARNINGS").await, "SHOW WARNINGS", "of its statements the engine tells");
    });
}

#[test]
fn a_question_can_be_prepared() {
    run(async {
        let (runtime, log) = lab();
        let by = connect_root(&runtime).await;
        let prepared = by.prepare(format!("SELECT id, user u FROM {LIST} WHERE user = ? AND id > ?")).await.unwrap();
        let names: Vec<_> = prepared.columns.iter().map(|column| &*column.name).collect();
        assert_eq!((names, prepared.params.len()), (vec!["id", "u"], 2));
        // By name, with the engine's variables.
        assert_eq!(ask(&by, &format!("PREPARE mine FROM 'SELECT user FROM {LIST} WHERE id = ?'")).await, "");
        assert_eq!(ask(&by, "EXECUTE mine USING @one").await, "root");
        assert_eq!(ask(&by, "EXECUTE mine USING @other").await, "");
        assert_eq!(code(&by, "EXECUTE mine").await, 1210);
        assert_eq!(code(&by, "DEALLOCATE PREPARE mine").await, 0);
        // An error is one of this statement's, not of the last one's.
        for (before, told) in [("KILL 99", 1094), ("SELECT 1", 0)] {
            assert_eq!(code(&by, before).await, told);
            let error = by.prepare(format!("SELECT nothing FROM {LIST}")).await.unwrap_err();
            assert_eq!(ask(&by, "SHOW WARNINGS").await, format!("Error|1054|{}", error.message()), "after {before}");
        }
        by.prepare(format!("SELECT id FROM {LIST}")).await.unwrap();
        assert_eq!(ask(&by, "SHOW WARNINGS").await, "");
        assert_eq!(code(&by, "KILL 99").await, 1094);
        log.take();
        // The engine prepares nothing, and says so.
        assert_eq!(by.prepare("SHOW WARNINGS").await.unwrap_err().code(), 1295);
        assert!(ask(&by, "SHOW WARNINGS").await.starts_with("Error|1094"), "it was prepared, not run");
        assert_eq!(by.prepare("SELECT 1").await.unwrap_err().code(), 1295);
        assert_eq!(ask(&by, "SHOW WARNINGS").await, "SHOW WARNINGS", "of what it prepared the engine tells");
    });
}

#[test]
fn variables_are_copied_within_bounds_and_a_panic_of_theirs_ends_the_session_alone() {
    run(async {
        let lab = Lab { variable: 700, ..Lab::default() };
        let runtime = build(lab).max_allowed_packet(2048).start();
        let (by, other) = (connect_root(&runtime).await, connect_root(&runtime).await);
        for (variables, expected) in
            [("@long, @LONG", 0), ("@long, @long, @long", 1041), ("@long, @long2, @long3", 1041)]
        {
            let sql = format!("SELECT {variables} FROM {LIST}");
            assert_eq!(code(&by, &sql).await, expected, "{sql}");
        }
        let error = rows(&by, &format!("SELECT @panics FROM {LIST}")).await.unwrap_err();
        assert_eq!(error, SqlError::panicked());
        assert_eq!(by.ended().await, Reason::Panic);
        assert_eq!(ask(&other, &format!("SELECT COUNT(*) FROM {LIST}")).await, "1", "the others work on");
    });
}

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

#[test]
fn a_question_that_runs_is_listed_and_killed_like_any_statement() {
    run(async {
        let (runtime, log) = lab();
        let (alice, by) = (connect(&runtime, "alice").await, connect_root(&runtime).await);
        let _crowd = crowd(&runtime).await;
        ask(&alice, "begin").await;
        log.take();
        let running = begin_endless(&runtime, &alice).await;
        let list = rows(&by, "SHOW FULL PROCESSLIST").await.unwrap();
        let own = [4, 6, 7].map(|at| text(&list[0][at]));
        assert_eq!(own, ["Query", "executing", &endless()]);
        assert_eq!(
            ask(&by, &format!("SELECT info = ? FROM {LIST} WHERE id = 1").replace('?', &format!("'{}'", endless())))
                .await,
            "1"
        );
        assert_eq!(code(&by, "KILL QUERY 1").await, 0);
        assert_eq!(running.code().await, 1317);
        assert_eq!(ask(&alice, &format!("SELECT COUNT(*) FROM {LIST}")).await, "3", "the session works on");
        assert_eq!(log.take(), [""; 0], "and the engine knows of nothing");
        assert!(runtime.list(&root()).rows()[0].in_transaction, "its transaction is open");

        let running = begin_endless(&runtime, &alice).await;
        assert_eq!(code(&by, "KILL 1").await, 0);
        assert!(running.end().await.is_err());
        assert_eq!(alice.ended().await, Reason::KillConnection);
        let ended = ["alice rolls back: killed", "alice rolled back", "alice closed"];
        let log = log.take();
        assert_eq!(log.len(), ended.len(), "{log:?}");
        assert_eq!((&*log[1], &*log[2]), (ended[1], ended[2]));
        assert_eq!(ask(&by, &format!("SELECT COUNT(*) FROM {LIST}")).await, "3");
    });
}

#[test]
fn a_question_whose_asker_has_gone_stops() {
    run(async {
        let (runtime, _) = lab();
        let (alice, by) = (connect(&runtime, "alice").await, connect_root(&runtime).await);
        let crowd = crowd(&runtime).await;
        // More than there are threads: were one left behind each time, the last would never begin.
        for _ in 0..2 * threads() + 1 {
            begin_endless(&runtime, &alice).await.abandon();
            until(|| alice.running().is_none()).await;
        }
        let alices = format!("SELECT COUNT(*) FROM {LIST} WHERE user = 'alice' AND command = 'Sleep'");
        assert_eq!(ask(&by, &alices).await, "3");
        // A handle that is dropped is gone, too.
        let running = begin_endless(&runtime, &alice).await;
        drop((alice, running, crowd));
        until(|| runtime.list(&root()).rows().len() == 1).await;
        assert_eq!(ask(&by, &alices).await, "0");
    });
}

#[test]
fn nobody_waits_for_a_question_and_it_waits_for_nobody() {
    run(async {
        let (runtime, _) = lab();
        let (alice, bob, by) =
            (connect(&runtime, "alice").await, connect(&runtime, "bob").await, connect_root(&runtime).await);
        let crowd = crowd(&runtime).await;
        let stuck = Running::begin(&bob, "wait for ever").await;
        assert_eq!(ask(&by, &format!("SELECT info FROM {LIST} WHERE user = 'bob'")).await, "wait for ever");
        // All threads are taken, and more questions wait for one.
        let mut taken = vec![(begin_endless(&runtime, &alice).await, alice)];
        while taken.len() < threads() + 2 {
            let alice = connect(&runtime, "alice").await;
            taken.push((begin_endless(&runtime, &alice).await, alice));
        }
        assert_eq!(ask(&by, "SELECT 1").await, "SELECT 1", "the engine works");
        assert_eq!(
            rows(&by, "SHOW PROCESSLIST").await.unwrap().len(),
            taken.len() + crowd.len() + 2,
            "and so does the list"
        );
        // The last one first: it waits for a thread.
        for (running, alice) in taken.into_iter().rev() {
            assert_eq!(code(&by, &format!("KILL QUERY {}", alice.id())).await, 0);
            assert_eq!(running.code().await, 1317);
        }
        assert!(!stuck.is_over());
        assert_eq!(ask(&by, &format!("SELECT COUNT(*) FROM {LIST} WHERE user = 'bob'")).await, "1");
    });
}

#[test]
fn results_that_nobody_reads_hold_no_thread() {
    run(async {
        let (runtime, _) = lab();
        let by = connect_root(&runtime).await;
        let many = format!(
            "WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                            SELECT i, REPEAT('x', 1000) FROM n, {LIST} WHERE user = 'root'"
        );
        let mut unread: Vec<(SessionHandle, Results)> = Vec::new();
        for _ in 0..2 * threads() + 1 {
            let session = connect_root(&runtime).await;
            let results = session.query(format!("{many} AND id = {}", by.id())).await.unwrap();
            unread.push((session, results));
        }
        let sending = format!("SELECT COUNT(*) FROM {LIST} WHERE state = 'Sending data'");
        assert_eq!(ask(&by, &sending).await, unread.len().to_string());
        // One is read after all: it is whole. One is killed, and one is dropped.
        let (_session, results) = unread.pop().unwrap();
        assert_eq!(results.collect_rows().await.unwrap().0.len(), 1000);
        let (session, results) = unread.pop().unwrap();
        assert_eq!(code(&by, &format!("KILL QUERY {}", session.id())).await, 0);
        assert_eq!(results.collect_rows().await.unwrap_err().code(), 1317);
        let (session, results) = unread.pop().unwrap();
        drop(results);
        until(|| session.running().is_none()).await;
        assert_eq!(ask(&session, &sending).await, unread.len().to_string());
    });
}

#[test]
fn memory_that_results_held_is_given_back() {
    run(async {
        let (runtime, _) = lab();
        let by = connect_root(&runtime).await;
        // Sixty million bytes: four of these are as many as may be held at once.
        let large = format!(
            "WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 60) \
                             SELECT i, REPEAT('x', 1000000) FROM n, {LIST} WHERE id = {}",
            by.id()
        );
        for round in 0..2 {
            let mut held = Vec::new();
            for _ in 0..4 {
                let session = connect_root(&runtime).await;
                let results = session.query(large.clone()).await.unwrap();
                held.push((session, results));
            }
            let error = rows(&by, &large).await.unwrap_err();
            assert_eq!(error.code(), 1041, "round {round}: {error}");
            assert_eq!(ask(&by, &format!("SELECT COUNT(*) FROM {LIST}")).await, "5", "a small one has room");
            let mut sessions = Vec::new();
            for (nth, (session, results)) in held.into_iter().enumerate() {
                // Some are read, and some are not.
                if nth < 2 {
                    assert_eq!(results.collect_rows().await.unwrap().0.len(), 60);
                }
                sessions.push(session);
            }
            until(|| sessions.iter().all(|session| session.running().is_none())).await;
        }
    });
}

#[test]
fn in_doris_a_question_leaves_its_outcome() {
    run(async {
        let (runtime, _) = lab_of(Dialect::doris());
        let (alice, by) = (connect(&runtime, "alice").await, connect_root(&runtime).await);
        for (sql, expected) in [
            (format!("SELECT Id FROM {LIST} WHERE 1 = 0"), "EOF|"),
            (format!("SELECT nothing FROM {LIST}"), "ERR|Unknown column 'nothing' in 'field list'"),
        ] {
            let _ = rows(&alice, &sql).await;
            assert_eq!(ask(&by, &format!("SELECT State, Info FROM {LIST} WHERE User = 'alice'")).await, expected);
        }
        assert_eq!(
            ask(&by, &format!("SELECT Id FROM {LIST} WHERE CurrentConnected = 'Yes'")).await,
            by.id().to_string()
        );
        assert_eq!(ask(&by, "SET session_context = 'trace_id:abc'").await, "");
        assert!(!header(&by, &format!("SELECT * FROM {LIST}")).await.contains(&"TraceId".to_owned()));
        let (runtime, _) = lab_of(Dialect::doris().trace_column(true));
        let by = connect_root(&runtime).await;
        assert_eq!(ask(&by, "SET session_context = 'trace_id:abc'").await, "");
        assert_eq!(ask(&by, &format!("SELECT TraceId FROM {LIST}")).await, "abc");
    });
}
