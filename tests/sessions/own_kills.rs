//! What whoever kills itself is told, and what the client of a killed query: each system's own word.

use killdeer::{Dialect, KillMode, Origin, Principal, Privileges, Reason, Target};

use crate::lab::{Lab, Running, build, code, connect, paused, root};

#[test]
fn who_kills_itself_is_told_its_systems_word_and_leaves() {
    paused(async {
        for (name, expected) in
            [("mysql", 1317), ("mariadb", 1927), ("doris", 0), ("oceanbase", 1317), ("tidb", 1317), ("odp", 1317)]
        {
            let runtime = build(Lab::default()).dialect(Dialect::named(name).unwrap()).start();
            for form in ["KILL #", "KILL CONNECTION #"] {
                let own = connect(&runtime, "alice").await;
                let sql = form.replace('#', &own.id().to_string());
                assert_eq!(code(&own, &sql).await, expected, "{name}: {sql}");
                assert_eq!(own.ended().await, Reason::KillOwnConnection, "{name}: {sql}");
            }
            assert_eq!((runtime.status().sessions, runtime.status().kills_denied), (0, 0), "{name}");
        }
    });
}

#[test]
fn who_kills_its_own_query_is_interrupted_and_lives() {
    paused(async {
        for name in Dialect::NAMES {
            let runtime = build(Lab::default()).dialect(Dialect::named(name).unwrap()).start();
            let own = connect(&runtime, "alice").await;
            assert_eq!(code(&own, &format!("KILL QUERY {}", own.id())).await, 1317, "{name}");
            assert_eq!(code(&own, "hello").await, 0, "{name}: the session lives");
        }
    });
}

#[test]
fn doris_tells_from_where_a_query_was_cancelled_if_asked_to() {
    paused(async {
        let runtime = build(Lab::default()).dialect(Dialect::doris().cancel_text(true)).start();
        let alice = connect(&runtime, "alice").await;
        let from: Origin = "10.0.0.7:4711".parse().unwrap();
        let by = runtime.connect(Principal::new("root", Privileges::ADMIN_PRIV), from).await.unwrap();
        let kill = format!("KILL QUERY {}", alice.id());
        let waiting = Running::begin(&alice, "wait").await;
        assert_eq!(code(&by, &kill).await, 0);
        let error = waiting.end().await.unwrap_err();
        assert_eq!((error.code(), error.message()), (1105, "cancel query by user from 10.0.0.7:4711"));

        // Nobody's address is told of what the host ends, not that of an older kill either.
        let waiting = Running::begin(&alice, "wait").await;
        alice.cancel(alice.running().unwrap());
        assert_eq!(waiting.code().await, 1317);
        assert_eq!(code(&by, &kill).await, 0, "idle");
        let waiting = Running::begin(&alice, "wait").await;
        drop(runtime.kill(&root(), Target::Session(alice.id()), KillMode::Query).await.unwrap());
        assert_eq!(waiting.code().await, 1317);
        assert_eq!(code(&alice, "hello").await, 0);
    });
}
