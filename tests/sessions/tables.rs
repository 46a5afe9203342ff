//! The system tables as sessions meet them: which statements are questions, what they answer, and that nobody waits for
//! them. Questions are answered on threads, for which paused time would not wait: here time goes on.

mod ends;
mod sight;

use std::{future::Future, time::Duration};

use futures::StreamExt;
use killdeer::{
    Dialect, Layout, OwnedValue, Params, Part, Principal, Privileges, Reason, Runtime, SessionHandle, SqlError,
    Statement, Tenant,
};
use tokio::{task::LocalSet, time::timeout};

use crate::lab::{Lab, Log, Running, build, code, connect, connect_root, lab, peer, rows};

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

#[test]
fn ids_of_64_bits_are_exact() {
    run(async {
        let ids = Layout::tidb64(2_700_000).unwrap();
        let runtime = build(Lab::default()).dialect(Dialect::tidb()).ids(ids).start();
        let (by, other) = (connect_root(&runtime).await, connect_root(&runtime).await);
        let (id, next) = (by.id().get(), other.id().get());
        assert!(id > 1 << 53 && next - id < 512, "a float cannot tell them apart: {id}, {next}");
        assert_eq!(ask(&by, &format!("SELECT id, id + 0 FROM {LIST} WHERE id = {id}")).await, format!("{id}|{id}"));
        assert_eq!(ask(&by, &format!("SELECT id FROM {LIST} WHERE id > CONNECTION_ID()")).await, next.to_string());
        let sql = format!("SELECT MAX(id) FROM {LIST} WHERE id IN (?, 407)");
        assert_eq!(ask_with(&by, &sql, vec![OwnedValue::UInt(id)]).await.unwrap(), id.to_string());
    });
}
