//! The security cases that this runtime is to withstand, each with a test named for it. Those of the wire stand in
//! `tests/wire/security.rs`.
//!
//! | threat | known case | test |
//! | --- | --- | --- |
//! | passwords in the list and the log | starrocks#49460 | `starrocks_49460_a_password_behind_the_name_of_a_plugin` |
//! | | tidb#62966 | `tidb_62966_keys_in_an_option_that_is_an_address` |
//! | | tidb#59128 | `tidb_59128_passwords_and_keys_of_statements_about_traffic` |
//! | | tidb#21128 | `tidb_21128_what_cannot_be_parsed` |
//! | | those that come from elsewhere | `secrets_that_do_not_stand_in_the_text` |
//! | bytes that are no UTF-8, control characters | mysql bug 118320 | `mysql_bug_118320_bytes_that_are_no_utf8_in_a_list` |
//! | | pgbouncer#290 | `pgbouncer_290_names_that_upset_a_log_or_a_list` |
//! | others' statements in the list | doris#66746, doris#39747, tidb#26122 | `doris_66746_tidb_26122_others_statements_in_the_list` |

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex},
};

use actix::{Actor, Context, Handler};
use killdeer::{
    Dialect, Done, Engine, EngineSession, KillMode, OwnedValue, Params, Prepared, Principal, Privileges, Query,
    RowSink, Runtime, SessionEvent, SessionHandle, SqlError, Statement, StatementContext, Target,
};

use crate::lab::{build, peer, root, rows, settle, user};

/// An engine whose statements run for ever, or fail with an error that repeats all that it was given.
#[derive(Clone, Copy)]
struct Parrot {
    fails: bool,
}

impl Engine for Parrot {
    type Session = Parrot;

    async fn open(&self, _: &Arc<Principal>) -> Result<Parrot, SqlError> {
        Ok(*self)
    }
}

impl EngineSession for Parrot {
    async fn execute(&mut self, _: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        if !self.fails {
            return pending().await;
        }
        // Of a long statement the end, where the secret may be.
        let (sql, params) = (st.sql_lossy(), st.params.as_ref());
        let end = sql.char_indices().rev().nth(200).map_or(0, |(at, _)| at);
        Err(SqlError::new(1819, "HY000", format!("No: {} {params:?}", &sql[end..])))
    }

    async fn prepare(&mut self, _: &StatementContext, sql: &bytes::Bytes) -> Result<Prepared, SqlError> {
        let params = sql.iter().filter(|b| **b == b'?').map(|_| killdeer::Column::new("?", killdeer::ColumnType::Null));
        Ok(Prepared { params: params.collect(), ..Prepared::default() })
    }

    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        Some(OwnedValue::Text(if name == "make" { "CREATE USER u IDENTIFED BY 'hunter2'" } else { "hunter2" }.into()))
    }
}

/// All that was logged and told.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<String>>);

impl Heard {
    fn take(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl io::Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).expect("a log is text"));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Subscriber(Heard);

impl Actor for Subscriber {
    type Context = Context<Self>;
}

impl Handler<SessionEvent> for Subscriber {
    type Result = ();

    fn handle(&mut self, told: SessionEvent, _: &mut Self::Context) {
        self.0.0.lock().unwrap().push_str(&format!("EVENT {:?}\n", told.event));
    }
}

/// Runs `test` with everything written down that is logged, at every level.
fn logged<T>(heard: &Heard, test: impl Future<Output = T>) -> T {
    let writer = heard.clone();
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let log = log.with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(log, || live(test))
}

/// Runs a test on one thread, on time as it passes: where threads of their own answer, paused time would run away.
fn live<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

/// Those whose lists show statements: ODP's do not, and what is asked of tables it leaves to the servers.
fn dialects() -> impl Iterator<Item = Dialect> {
    let all = Dialect::NAMES.into_iter().map(|name| Dialect::named(name).unwrap());
    all.filter(|dialect| dialect.system_databases().contains(&"information_schema"))
}

fn start(fails: bool, dialect: Dialect, heard: &Heard) -> Runtime<Parrot> {
    let runtime = build(Parrot { fails }).dialect(dialect).start();
    runtime.subscribe(Subscriber(heard.clone()).start().recipient(), 1000);
    runtime
}

async fn connect(runtime: &Runtime<Parrot>, name: &str) -> SessionHandle {
    runtime.connect(Principal::new(name, Privileges::ALL), peer()).await.unwrap()
}

/// All that any list shows.
async fn lists(runtime: &Runtime<Parrot>, by: &SessionHandle) -> String {
    let mut shown = format!("{:?} {:?}", runtime.list(&root()).rows(), runtime.list(&root()).kills());
    for sql in [
        "SHOW PROCESSLIST",
        "SHOW FULL PROCESSLIST",
        "SELECT * FROM information_schema.processlist",
        "SELECT * FROM killdeer.kill_history",
    ] {
        shown += &format!("{:?}", rows(by, sql).await.unwrap());
    }
    shown
}

/// Nobody but the client reads the secret of its statement: not in a list while it runs, not in what is left of it when it
/// has failed or was killed, not in an event, not in the log.
fn is_never_shown(sql: &str, secrets: &[&str]) {
    for dialect in dialects() {
        for fails in [false, true] {
            let heard = Heard::default();
            let shown = logged(&heard, async {
                let runtime = start(fails, dialect, &heard);
                let (alice, by) = (connect(&runtime, "alice").await, connect(&runtime, "root").await);
                let sent = alice.addr().send(Query(Statement::text(sql.to_owned())));
                let running = tokio::task::spawn_local(async move { sent.await.unwrap().err() });
                settle().await;
                let mut shown = lists(&runtime, &by).await;
                if !fails {
                    assert!(shown.contains("executing"), "it runs: {shown}");
                    let receipt = runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap();
                    receipt.ended().await;
                }
                let told = running.await.unwrap().expect("an error");
                assert!(
                    !fails || secrets.iter().any(|secret| told.message().contains(secret)),
                    "the client is told all"
                );
                settle().await;
                shown += &lists(&runtime, &by).await;
                shown
            });
            let told = heard.take();
            assert!(told.contains("StatementBegan") && told.contains("StatementEnded"), "{told}");
            for secret in secrets {
                assert!(!shown.contains(secret), "{sql}: {shown}");
                assert!(!told.contains(secret), "{sql}: {told}");
            }
        }
    }
}

#[test]
fn starrocks_49460_a_password_behind_the_name_of_a_plugin() {
    is_never_shown("CREATE USER jack IDENTIFIED WITH mysql_native_password BY 'hunter2'", &["hunter2"]);
    is_never_shown("ALTER USER jack IDENTIFIED WITH 'caching_sha2_password' AS '$A$hunter2'", &["hunter2"]);
}

#[test]
fn tidb_62966_keys_in_an_option_that_is_an_address() {
    is_never_shown(
        "IMPORT INTO t FROM 's3://b/x?access-key=hunter2&secret-access-key=sword-fish' WITH \
         cloud_storage_uri='s3://b/p?access-key=hunter3&secret-access-key=sword-fosh'",
        &["hunter2", "hunter3", "sword-fish", "sword-fosh"],
    );
}

#[test]
fn tidb_59128_passwords_and_keys_of_statements_about_traffic() {
    is_never_shown(
        "TRAFFIC REPLAY FROM 's3://b/p?access-key=AKhunter&secret-access-key=SKhunter' USER='root' PASSWORD='hunter2'",
        &["AKhunter", "SKhunter", "hunter2"],
    );
}

#[test]
fn tidb_21128_what_cannot_be_parsed() {
    for sql in [
        "alter user set password 'hunter2'",
        "CREATE USER u IDENTIFED BY 'hunter2'",
        "CREATE USER u IDENTIFIED BY 'it's hunter2'",
        "CREATE USER u IDENTIFIED BY hunter2",
        "SET PASSWORD = hunter2",
        "SET PASSWORD = 'hunter2",
        "SET /* x */ PASSWORD /*!99999 = */ \"hunter2",
        "GRANT ALL ON *.* TO u IDENTIFIED\n\tBY N'hunter2' #",
        "sEt PaSsWoRd = _utf8mb4'hunter2' ;;",
        "CREATE USER u IDENTIFIED BY $$hunter2$$",
    ] {
        is_never_shown(sql, &["hunter2"]);
    }
    let long = format!("SET PASSWORD = '{}hunter2'", "x".repeat(64 * 1024));
    is_never_shown(&long, &["hunter2", "xxx"]);
}

#[test]
fn secrets_that_do_not_stand_in_the_text() {
    for dialect in dialects() {
        let heard = Heard::default();
        let shown = logged(&heard, async {
            let runtime = start(true, dialect, &heard);
            let (alice, by) = (connect(&runtime, "alice").await, connect(&runtime, "root").await);
            for sql in ["PREPARE p FROM 'ALTER USER u IDENTIFIED BY ?'", "PREPARE q FROM @make"] {
                alice.query(sql).await.unwrap();
            }
            let mut shown = String::new();
            for sql in ["EXECUTE p USING @x", "EXECUTE q"] {
                let told = alice.query(sql).await.unwrap_err();
                assert!(told.message().contains("hunter2"), "{told}");
                shown += &lists(&runtime, &by).await;
            }
            let params = Some(Params(vec![OwnedValue::Text("hunter2".into())]));
            let sent = Query(Statement { sql: "SET PASSWORD = ?".into(), params, ..Statement::default() });
            assert_eq!(alice.addr().send(sent).await.unwrap().unwrap_err().code(), 1819);
            shown += &lists(&runtime, &by).await;
            // A name that is none.
            let target = Target::Named("SET PASSWORD = 'hunter2'".into());
            assert!(runtime.kill(&root(), target, KillMode::Query).await.is_err());
            let target = Target::User { user: "u IDENTIFIED BY 'hunter2'".into(), host: None };
            assert_eq!(runtime.kill(&root(), target, KillMode::Query).await.unwrap().sessions(), 0);
            settle().await;
            shown + &lists(&runtime, &by).await
        });
        let told = heard.take();
        assert!(told.contains("KillAsked"), "{told}");
        for text in [shown, told] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}

#[test]
fn mysql_bug_118320_bytes_that_are_no_utf8_in_a_list() {
    for dialect in dialects() {
        let heard = Heard::default();
        logged(&heard, async {
            let runtime = start(false, dialect, &heard);
            let (alice, by) = (connect(&runtime, "alice").await, connect(&runtime, "root").await);
            let sql = &b"SELECT _binary '\xed\xaf\xb3',\n\tsleep(30) \x1b[2J\xe2\x80\xae"[..];
            let sent = alice.addr().send(Query(Statement::text(sql)));
            let _running = tokio::task::spawn_local(sent);
            settle().await;
            let shown = "SELECT _binary '\\xED\\xAF\\xB3',\n\tsleep(30) \\x1B[2J\\xE2\\x80\\xAE";
            for sql in ["SHOW PROCESSLIST", "SHOW FULL PROCESSLIST", "SELECT * FROM information_schema.processlist"] {
                let list = rows(&by, sql).await.unwrap();
                let found = |value: &OwnedValue| value.text().is_some_and(|text| text == shown);
                assert!(list.iter().flatten().any(found), "{sql}: {list:?}");
            }
        });
    }
}

#[test]
fn pgbouncer_290_names_that_upset_a_log_or_a_list() {
    let name = "eve\n2026-01-01 INFO killdeer: kill by=\"root\"\x1b[31m\u{202e}\u{2028}";
    let shown = "eve\\x0A2026-01-01 INFO killdeer: kill by=\"root\"\\x1B[31m\\xE2\\x80\\xAE\\xE2\\x80\\xA8";
    for dialect in dialects() {
        let heard = Heard::default();
        let lists = logged(&heard, async {
            let runtime = build(Parrot { fails: false }).dialect(dialect).start();
            let (eve, by) = (connect(&runtime, name).await, connect(&runtime, "root").await);
            let _running = tokio::task::spawn_local(eve.addr().send(Query(Statement::text("wait"))));
            settle().await;
            let mut lists = rows(&by, "SHOW PROCESSLIST").await.unwrap();
            for target in [
                Target::Session(eve.id()),
                Target::Named(name.into()),
                Target::User { user: name.into(), host: Some(name.into()) },
                Target::User { user: name.into(), host: None },
            ] {
                drop(runtime.kill(&Arc::new(Principal::new(name, Privileges::ALL)), target, KillMode::Query).await);
            }
            lists.extend(rows(&by, "SELECT * FROM killdeer.kill_history").await.unwrap());
            lists
        });
        let texts: Vec<_> = lists.iter().flatten().filter_map(OwnedValue::text).collect();
        assert!(texts.iter().any(|text| *text == shown), "{texts:?}");
        assert!(texts.iter().all(|text| !text.chars().any(|c| c.is_control() || c == '\u{202e}')), "{texts:?}");
        let log = heard.take();
        let kills: Vec<_> = log.lines().filter(|line| line.contains("kill by=\"eve")).collect();
        assert_eq!(kills.len(), 4, "one line each: {log}");
        assert!(log.lines().all(|line| line.starts_with("20")), "and no line that is not the log's own: {log}");
        assert!(
            !log.contains('\x1b')
                && !log.contains('\u{202e}')
                && !log.lines().any(|line| line.starts_with("2026-01-01 INFO"))
        );
    }
}

#[test]
fn doris_66746_tidb_26122_others_statements_in_the_list() {
    for dialect in dialects() {
        live(async {
            let runtime = build(Parrot { fails: false }).dialect(dialect).start();
            let session = |name| runtime.connect(Principal::new(name, Privileges::NONE), peer());
            let (alice, bob) = (session("alice").await.unwrap(), session("bob").await.unwrap());
            let _running = tokio::task::spawn_local(alice.addr().send(Query(Statement::text("SELECT 'her own'"))));
            settle().await;
            for sql in ["SHOW PROCESSLIST", "SHOW FULL PROCESSLIST", "SELECT * FROM information_schema.processlist"] {
                let list = rows(&bob, sql).await.unwrap();
                assert_eq!(list.len(), 1, "{sql}: {list:?}");
                let shown = format!("{list:?}");
                assert!(!shown.contains("her own") && !shown.contains("alice"), "{sql}: {shown}");
            }
            assert_eq!(runtime.list(&user("bob")).rows().len(), 1);
            assert_eq!(
                runtime.list(&user("alice")).rows()[0].info.as_deref(),
                Some("SELECT 'her own'"),
                "her own eyes"
            );
        });
    }
}
