//! `SET` of the runtime's settings, `SET STATEMENT … FOR`, the optimizer hint, `FLUSH HOSTS`.

use std::time::Duration;

use killdeer::{Principal, Privileges, SessionHandle, Setting, Settings};
use tokio::time::timeout;

use crate::lab::{Lab, Running, build, code, connect, connect_root, lab, paused, peer, rows, settle};

/// A setting's values, the session's and the server's.
async fn values(session: &SessionHandle, name: &str) -> (String, String) {
    let rows = rows(session, &format!("setting {name}")).await.unwrap();
    let text = |at: usize| rows[0][at].text().unwrap_or_default().into_owned();
    (text(0), text(1))
}

async fn expect(session: &SessionHandle, name: &str, own: &str, servers: &str) {
    assert_eq!(values(session, name).await, (own.to_owned(), servers.to_owned()), "{name}");
}

/// The codes of the warnings that a statement says it left, and those that there are.
async fn warnings(session: &SessionHandle, sql: &str) -> Vec<String> {
    let (_, done) = session.query(sql.to_owned()).await.unwrap().collect_rows().await.unwrap();
    let shown = rows(session, "SHOW WARNINGS").await.unwrap();
    assert_eq!(usize::from(done.warnings), shown.len(), "{sql}");
    shown.iter().map(|row| row[1].text().unwrap_or_default().into_owned()).collect()
}

/// A statement that waits for ever and is to be ended with this code, long before a minute is over; and the next one is
/// unharmed.
async fn ended(session: &SessionHandle, sql: &str, expected: u16) {
    let ended = timeout(Duration::from_secs(60), code(session, sql)).await;
    assert_eq!(ended, Ok(expected), "{sql}");
    assert_eq!(code(session, "sleep 1000").await, 0, "after {sql}");
}

#[test]
fn a_sessions_values_are_its_own_and_the_servers_are_for_those_who_come_later() {
    paused(async {
        let (runtime, log) = lab();
        let (alice, root) = (connect(&runtime, "alice").await, connect_root(&runtime).await);
        assert_eq!(code(&alice, "SET SESSION wait_timeout = 100").await, 0);
        expect(&alice, "wait_timeout", "100", "28800").await;
        expect(&root, "wait_timeout", "28800", "28800").await;
        assert_eq!(code(&root, "SET GLOBAL wait_timeout = 200, GLOBAL max_connections = 7").await, 0);
        expect(&alice, "wait_timeout", "100", "200").await;
        expect(&root, "wait_timeout", "28800", "200").await;
        expect(&root, "max_connections", "", "7").await;
        let later = connect(&runtime, "alice").await;
        expect(&later, "wait_timeout", "200", "200").await;
        assert_eq!(code(&alice, "SET wait_timeout = DEFAULT").await, 0);
        expect(&alice, "wait_timeout", "200", "200").await;
        assert_eq!(code(&root, "SET GLOBAL wait_timeout = DEFAULT").await, 0);
        expect(&alice, "wait_timeout", "200", "28800").await;
        alice.reset().await.unwrap();
        expect(&alice, "wait_timeout", "28800", "28800").await;
        assert!(!log.take().iter().any(|line| line.contains("SET")), "the engine was asked for none of these");
    });
}

#[test]
fn the_servers_values_need_a_privilege() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        for sql in
            ["SET GLOBAL max_connections = 7", "SET @@global.wait_timeout = 7", "SET a = 1, GLOBAL wait_timeout = 7"]
        {
            assert_eq!(code(&alice, sql).await, 1227, "{sql}");
        }
        for (sql, expected) in
            [("SET max_connections = 7", 1229), ("SET max_user_connections = 7", 1621), ("FLUSH HOSTS", 1227)]
        {
            assert_eq!(code(&alice, sql).await, expected, "{sql}");
        }
        expect(&alice, "max_connections", "", "10000").await;
        expect(&alice, "wait_timeout", "28800", "28800").await;
        let admin = runtime.connect(Principal::new("admin", Privileges::SYSTEM_VARIABLES_ADMIN), peer()).await.unwrap();
        assert_eq!(code(&admin, "SET GLOBAL max_connections = 7").await, 0);
        expect(&alice, "max_connections", "", "7").await;
        let reloader = runtime.connect(Principal::new("reloader", Privileges::RELOAD), peer()).await.unwrap();
        assert_eq!(code(&reloader, "FLUSH HOSTS").await, 0);
        let asked = log.take();
        assert!(!asked.iter().any(|line| line.contains("SET") || line.contains("FLUSH")), "{asked:?}");
        assert_eq!(code(&reloader, "FLUSH TABLES").await, 0);
        assert_eq!(log.take(), ["reloader FLUSH TABLES"]);
    });
}

#[test]
fn what_is_out_of_range_is_taken_into_it_with_a_warning() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(
            warnings(&alice, "SET wait_timeout = 0, max_statement_time = -1, max_execution_time = 5").await,
            ["1292"; 2]
        );
        expect(&alice, "wait_timeout", "1", "28800").await;
        expect(&alice, "max_execution_time", "5", "0").await;
        assert_eq!(code(&alice, "SET max_execution_time = 0").await, 0);
        assert_eq!(warnings(&alice, "SET wait_timeout = 7").await, [""; 0]);
        // Beside an assignment of the engine's, too.
        assert_eq!(warnings(&alice, "SET autocommit = 1, wait_timeout = 99999999999").await, ["1292"]);
    });
}

#[test]
fn the_engine_gets_what_is_its_own() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "SET autocommit=1, wait_timeout=5, sql_mode='x'").await, 0);
        assert_eq!(log.take(), ["alice SET autocommit=1, sql_mode='x'"]);
        expect(&alice, "wait_timeout", "5", "28800").await;
        log.take();
        for sql in ["SET autocommit = 1", "SET NAMES utf8mb4", "SET @x = @@wait_timeout"] {
            assert_eq!(code(&alice, sql).await, 0);
            assert_eq!(log.take(), [format!("alice {sql}")], "unchanged");
        }
    });
}

#[test]
fn all_of_a_statements_changes_are_made_or_none() {
    paused(async {
        let (runtime, log) = lab();
        let root = connect_root(&runtime).await;
        // The engine refuses: what is the runtime's does not happen.
        for sql in
            ["SET wait_timeout = 5, nosuch = 1", "SET GLOBAL max_connections = 7, SESSION wait_timeout = 5, nosuch = 1"]
        {
            assert_eq!(code(&root, sql).await, 1193, "{sql}");
            expect(&root, "wait_timeout", "28800", "28800").await;
            expect(&root, "max_connections", "", "10000").await;
        }
        log.take();
        // The runtime refuses: the engine is not asked.
        for (sql, expected) in [
            ("SET autocommit = 1, wait_timeout = 'x'", 1232),
            ("SET max_execution_time = 5, autocommit = 1, wait_timeout = NULL", 1231),
            ("SET GLOBAL wait_timeout = 5, autocommit = 1, SESSION max_connections = 5", 1229),
            ("SET wait_timeout = 5, autocommit = 1,", 1064),
        ] {
            assert_eq!(code(&root, sql).await, expected, "{sql}");
            assert_eq!(log.take(), [""; 0], "{sql}");
            let left = rows(&root, "SHOW WARNINGS").await.unwrap();
            assert_eq!(left[0][1].text().unwrap(), expected.to_string(), "{sql}");
        }
        expect(&root, "max_execution_time", "0", "0").await;
        expect(&root, "wait_timeout", "28800", "28800").await;
        // Killed in the middle of the engine's part.
        let running = Running::begin(&root, "SET wait_timeout = 5, x = wait").await;
        root.cancel(root.running().unwrap());
        assert_eq!(running.code().await, 1317);
        expect(&root, "wait_timeout", "28800", "28800").await;
    });
}

#[test]
fn an_account_has_its_own_values_and_its_bounds() {
    paused(async {
        let (runtime, _) = lab();
        let second = Duration::from_secs(1);
        let app = Principal::new("app", Privileges::NONE)
            .with_settings(
                Settings::new().time(Setting::WaitTimeout, second * 50).count(Setting::MaxUserConnections, 3),
            )
            .capped(
                Settings::new().time(Setting::MaxExecutionTime, second * 2).time(Setting::WaitTimeout, second * 60),
            );
        let app = runtime.connect(app, peer()).await.unwrap();
        expect(&app, "wait_timeout", "50", "28800").await;
        expect(&app, "max_execution_time", "2000", "0").await;
        expect(&app, "max_user_connections", "3", "0").await;
        assert_eq!(warnings(&app, "SET max_execution_time = 0, wait_timeout = 61").await, ["1292"; 2]);
        expect(&app, "max_execution_time", "2000", "0").await;
        expect(&app, "wait_timeout", "60", "28800").await;
        assert_eq!(warnings(&app, "SET max_execution_time = 1999, wait_timeout = DEFAULT").await, [""; 0]);
        expect(&app, "wait_timeout", "50", "28800").await;
        let end = timeout(second * 3, code(&app, "SELECT /*+ MAX_EXECUTION_TIME(999999999) */ wait")).await;
        assert_eq!(end, Ok(3024), "a hint goes no further either");
        let end = timeout(second * 3, code(&app, "SET STATEMENT max_execution_time = 0 FOR SELECT wait")).await;
        assert_eq!(end, Ok(3024));
    });
}

#[test]
fn set_statement_holds_for_the_statement_alone() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        ended(&alice, "SET STATEMENT max_statement_time = 2 FOR wait", 1969).await;
        ended(&alice, "SET STATEMENT max_statement_time = 0.5, max_execution_time = 5000 FOR SELECT wait", 1969).await;
        ended(&alice, "SET STATEMENT max_execution_time = 5000 FOR SELECT wait", 3024).await;
        assert_eq!(code(&alice, "SET STATEMENT max_execution_time = 5000 FOR sleep 1000").await, 0, "it is no SELECT");
        log.take();
        let inside = rows(&alice, "SET STATEMENT max_statement_time = 2 FOR setting max_statement_time").await.unwrap();
        assert_eq!(inside[0][0].text().unwrap(), "2.000000");
        assert_eq!(log.take(), ["alice setting max_statement_time"]);
        expect(&alice, "max_statement_time", "0.000000", "0.000000").await;
        // What is the engine's goes with the statement.
        log.take();
        let sql = "SET STATEMENT sort_buffer_size = 1, max_statement_time = 2 FOR SELECT wait";
        assert_eq!(timeout(Duration::from_secs(60), code(&alice, sql)).await, Ok(1969));
        assert_eq!(log.take(), ["alice SET STATEMENT sort_buffer_size = 1 FOR SELECT wait"]);
        // A statement of the runtime's own, and one that sets something itself.
        assert_eq!(code(&alice, "SET STATEMENT max_statement_time = 2 FOR KILL 99").await, 1094);
        let sql = "SET STATEMENT max_statement_time = 2 FOR SET max_statement_time = 3, wait_timeout = 7";
        assert_eq!(code(&alice, sql).await, 0);
        expect(&alice, "max_statement_time", "0.000000", "0.000000").await;
        expect(&alice, "wait_timeout", "7", "28800").await;
        assert_eq!(warnings(&alice, "SET STATEMENT max_statement_time = -1 FOR SET wait_timeout = 9").await, ["1292"]);
        for (sql, expected) in [
            ("SET STATEMENT max_connections = 2 FOR SELECT 1", 1229),
            ("SET STATEMENT max_statement_time = 'x' FOR SELECT 1", 1232),
        ] {
            assert_eq!(code(&alice, sql).await, expected, "{sql}");
        }
    });
}

#[test]
fn set_statement_and_set_can_be_prepared() {
    paused(async {
        let (runtime, log) = lab();
        let alice = connect(&runtime, "alice").await;
        let prepared = alice.prepare("SET STATEMENT max_statement_time = ? FOR KILL ?").await.unwrap();
        assert_eq!(prepared.params.len(), 2);
        assert_eq!(alice.prepare("SET a = ?, wait_timeout = ?").await.unwrap().params.len(), 2);
        assert_eq!(code(&alice, "PREPARE k FROM 'SET STATEMENT max_statement_time = ? FOR KILL ?'").await, 0);
        assert_eq!(code(&alice, "EXECUTE k USING @one, @unset").await, 1094);
        assert_eq!(code(&alice, "PREPARE s FROM 'SET a = ?, wait_timeout = 1 + ?'").await, 0);
        log.take();
        assert_eq!(code(&alice, "EXECUTE s USING @unset, @one").await, 0);
        assert_eq!(log.take(), ["alice SET a = ?"]);
        expect(&alice, "wait_timeout", "2", "28800").await;
        assert_eq!(code(&alice, "SET wait_timeout = ?").await, 1064, "a text has no parameters");
        assert_eq!(alice.prepare("SET STATEMENT max_statement_time = 1 FOR EXECUTE k").await.unwrap_err().code(), 1295);
    });
}

#[test]
fn a_hint_bounds_its_statement_alone() {
    paused(async {
        let (runtime, _) = lab();
        let alice = connect(&runtime, "alice").await;
        ended(&alice, "SELECT /*+ MAX_EXECUTION_TIME(2000) */ wait", 3024).await;
        assert_eq!(code(&alice, "SET max_execution_time = 1000").await, 0);
        ended(&alice, "SELECT wait", 3024).await;
        // The hint stands in the setting's place, for more as for less.
        let running = Running::begin(&alice, "SELECT /*+ SET_VAR(max_execution_time = 5000) */ wait").await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        settle().await;
        assert!(!running.is_over());
        assert_eq!(running.code().await, 3024);
        assert_eq!(code(&alice, "sleep 1000").await, 0, "it is no SELECT");
        // MariaDB's limit holds beside it.
        assert_eq!(code(&alice, "SET max_statement_time = 1").await, 0);
        let sql = "SELECT /*+ MAX_EXECUTION_TIME(2000) */ wait";
        assert_eq!(timeout(Duration::from_secs(60), code(&alice, sql)).await, Ok(1969));
    });
}

#[test]
fn a_panic_in_the_engines_variable_ends_the_session_and_changes_nothing() {
    paused(async {
        let runtime = build(Lab::default()).start();
        let root = connect_root(&runtime).await;
        assert_eq!(code(&root, "SET GLOBAL max_connections = 5, GLOBAL wait_timeout = @panics").await, 1105);
        let root = connect_root(&runtime).await;
        expect(&root, "max_connections", "", "10000").await;
    });
}
