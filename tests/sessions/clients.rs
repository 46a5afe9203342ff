//! OceanBase: the sessions that a proxy opens for one client are shown and killed by that client's id, each as far as its
//! account lets it.

use std::{sync::Arc, time::Duration};

use killdeer::{
    ClientSession, Dialect, KillMode, KillResult, Layout, OwnedValue, Principal, Privileges, Reason, Refused, Runtime,
    SessionHandle, SessionId, Target, Tenant,
};
use tokio::time::sleep;

use crate::lab::{Lab, Running, build, code, paused, peer, rows};

fn account(name: &str, tenant: &str, privileges: Privileges) -> Principal {
    Principal::new(name, privileges).in_tenant(Tenant { name: tenant.into(), cluster: None })
}

/// An account of the tenant `shop` without privileges.
fn user(name: &str) -> Principal {
    account(name, "shop", Privileges::NONE)
}

fn client(id: u64) -> ClientSession {
    ClientSession { id: SessionId::new(id), connected: 1_700_000_000_000_000 }
}

fn start() -> Runtime<Lab> {
    build(Lab::default()).dialect(Dialect::oceanbase()).start()
}

async fn connect(runtime: &Runtime<Lab>, who: Principal, of: ClientSession) -> SessionHandle {
    runtime.connect_client(who, peer(), of).await.unwrap()
}

async fn direct(runtime: &Runtime<Lab>, who: Principal) -> SessionHandle {
    runtime.connect(who, peer()).await.unwrap()
}

async fn refused(runtime: &Runtime<Lab>, who: Principal, of: ClientSession) -> Refused {
    runtime.connect_client(who, peer(), of).await.unwrap_err()
}

/// The ids that a list shows.
async fn ids(by: &SessionHandle) -> Vec<u64> {
    let list = rows(by, "SHOW PROCESSLIST").await.unwrap();
    let id = |row: &Vec<OwnedValue>| match row[0] {
        OwnedValue::UInt(id) => id,
        ref other => panic!("no id: {other:?}"),
    };
    list.iter().map(id).collect()
}

/// What a statement is told that is not carried out.
async fn told(by: &SessionHandle, sql: &str) -> (u16, String) {
    let error = rows(by, sql).await.unwrap_err();
    (error.code(), error.message().to_owned())
}

#[test]
fn lists_show_the_clients_id_and_are_in_its_order() {
    paused(async {
        let runtime = start();
        let plain = direct(&runtime, user("alice")).await;
        let eight = connect(&runtime, user("alice"), client(8)).await;
        let seven = connect(&runtime, user("alice"), client(7)).await;
        let sibling = connect(&runtime, user("alice"), client(7)).await;
        let hidden = connect(&runtime, user("bob"), client(7)).await;
        assert_eq!(ids(&plain).await, [7, 7, 8, plain.id().get()]);
        assert_eq!(ids(&hidden).await, [7]);
        let by = Arc::new(user("alice"));
        let listed = runtime.list(&by).rows();
        let own: Vec<_> = listed.iter().map(|row| (row.id, row.client)).collect();
        let shown = [(seven.id(), 7), (sibling.id(), 7), (eight.id(), 8)].map(|(id, of)| (id, Some(client(of))));
        assert_eq!(own, [&shown[..], &[(plain.id(), None)]].concat());
    });
}

#[test]
fn a_kill_of_the_client_ends_all_its_sessions_and_refuses_it_for_eight_hours() {
    paused(async {
        let runtime = start();
        let by = direct(&runtime, account("root", "shop", Privileges::SUPER.and(Privileges::PROCESS))).await;
        let killed = [7, 7, 7].map(|id| connect(&runtime, user("alice"), client(id)));
        let killed = futures::future::join_all(killed).await;
        let spared = connect(&runtime, user("alice"), client(8)).await;
        let running = Running::begin(&killed[1], "wait").await;
        assert_eq!(code(&by, "KILL 7").await, 0);
        assert_eq!(running.code().await, 1317);
        for session in &killed {
            assert_eq!(session.ended().await, Reason::KillConnection);
        }
        assert_eq!(code(&spared, "SELECT 1").await, 0);
        assert_eq!(ids(&by).await, [8, by.id().get()]);
        assert_eq!(told(&by, "KILL 7").await, (1094, "Unknown thread id: 7".into()), "nothing is left of it");
        assert_eq!(refused(&runtime, user("alice"), client(7)).await, Refused::ClientKilled);
        let next = ClientSession { connected: 1, ..client(7) };
        let next = connect(&runtime, user("alice"), next).await;
        assert_eq!(code(&next, "SELECT 1").await, 0, "its id was given to another");
        sleep(Duration::from_secs(8 * 60 * 60 - 1)).await;
        assert_eq!(refused(&runtime, user("alice"), client(7)).await, Refused::ClientKilled);
        sleep(Duration::from_secs(1)).await;
        connect(&runtime, user("alice"), client(7)).await;
    });
}

#[test]
fn kill_query_ends_the_statement_and_keeps_the_client() {
    paused(async {
        let runtime = start();
        let by = direct(&runtime, user("alice")).await;
        let idle = connect(&runtime, user("alice"), client(7)).await;
        let busy = connect(&runtime, user("alice"), client(7)).await;
        let running = Running::begin(&busy, "wait").await;
        assert_eq!(code(&by, "KILL QUERY 7").await, 0);
        assert_eq!(running.code().await, 1317);
        for session in [&idle, &busy] {
            assert_eq!(code(session, "SELECT 1").await, 0);
        }
        assert_eq!(code(&by, "KILL QUERY 7").await, 0, "nothing runs: nothing is ended");
        let late = connect(&runtime, user("alice"), client(7)).await;
        assert_eq!(code(&late, "SELECT 1").await, 0);
    });
}

#[test]
fn whose_sessions_they_are_their_accounts_say_and_not_the_id() {
    paused(async {
        let runtime = start();
        let alices = connect(&runtime, user("alice"), client(7)).await;
        // Somebody of the same tenant, and of another, who say that they are for the same client.
        let carols = connect(&runtime, user("carol"), client(7)).await;
        let mallorys = connect(&runtime, account("mallory", "bank", Privileges::ALL), client(7)).await;
        let stranger = direct(&runtime, account("eve", "bank", Privileges::NONE)).await;
        let other = direct(&runtime, account("eve", "third", Privileges::ALL)).await;
        let colleague = direct(&runtime, user("bob")).await;
        assert_eq!(told(&colleague, "KILL 7").await, (1095, "You are not owner of thread 7".into()));
        assert_eq!(told(&stranger, "KILL 7").await, (1095, "You are not owner of thread 7".into()));
        assert_eq!(told(&other, "KILL 7").await, (1094, "Unknown thread id: 7".into()), "of no tenant that it sees");
        for session in [&alices, &carols, &mallorys] {
            assert_eq!(code(session, "SELECT 1").await, 0);
        }
        // A liar ends what is its own.
        assert_eq!(code(&mallorys, "KILL 7").await, 1317);
        assert_eq!(mallorys.ended().await, Reason::KillOwnConnection);
        assert_eq!(code(&alices, "SELECT 1").await, 0);
        let again = connect(&runtime, user("alice"), client(7)).await;
        assert_eq!(
            refused(&runtime, account("mallory", "bank", Privileges::ALL), client(7)).await,
            Refused::ClientKilled,
            "nobody but the liar is kept out"
        );
        // An administrator of the tenant ends both of its own tenant's; the host hears of none that were left alone.
        let lie = connect(&runtime, account("liar", "bank", Privileges::NONE), client(7)).await;
        let admin = direct(&runtime, account("root", "shop", Privileges::SUPER)).await;
        assert_eq!(code(&admin, "KILL 7").await, 0);
        for session in [&alices, &again, &carols] {
            assert_eq!(session.ended().await, Reason::KillConnection);
        }
        assert_eq!(code(&lie, "SELECT 1").await, 0);
        let sys = direct(&runtime, account("root", "sys", Privileges::NONE)).await;
        assert_eq!(code(&sys, "KILL 7").await, 0);
        assert_eq!(lie.ended().await, Reason::KillConnection);
    });
}

#[test]
fn the_sessions_own_id_is_good_for_that_one_alone() {
    paused(async {
        let runtime = start();
        let by = direct(&runtime, user("alice")).await;
        let (one, other) =
            (connect(&runtime, user("alice"), client(7)).await, connect(&runtime, user("alice"), client(7)).await);
        assert_eq!(code(&by, &format!("KILL {}", one.id())).await, 0);
        assert_eq!(one.ended().await, Reason::KillConnection);
        assert_eq!(code(&other, "SELECT 1").await, 0);
        let reconnected = connect(&runtime, user("alice"), client(7)).await;
        assert_eq!(code(&reconnected, "SELECT 1").await, 0, "its client was not killed");
    });
}

#[test]
fn whoever_kills_its_own_client_ends_its_other_sessions_too() {
    for sql in ["KILL 7", "KILL CONNECTION_ID()", "KILL CONNECTION '7'"] {
        paused(async {
            let runtime = start();
            let own = connect(&runtime, user("alice"), client(7)).await;
            let sibling = connect(&runtime, user("alice"), client(7)).await;
            assert_eq!(code(&own, sql).await, 1317, "{sql}");
            assert_eq!(own.ended().await, Reason::KillOwnConnection, "{sql}");
            assert_eq!(sibling.ended().await, Reason::KillConnection, "{sql}");
            assert_eq!(refused(&runtime, user("alice"), client(7)).await, Refused::ClientKilled, "{sql}");
        });
    }
}

#[test]
fn no_other_system_and_no_other_layout_knows_of_clients() {
    let oceanbase = || build(Lab::default()).dialect(Dialect::oceanbase());
    let others = ["mysql", "mariadb", "doris", "tidb"].map(|name| Dialect::named(name).unwrap());
    let others = others.map(|dialect| build(Lab::default()).dialect(dialect));
    // Where a server gives such ids out itself.
    let plain = oceanbase().ids(Layout::plain32());
    let mysql = build(Lab::default()).ids(Layout::oceanbase(1).unwrap());
    for builder in others.into_iter().chain([plain, mysql]) {
        paused(async {
            let runtime = builder.start();
            let session = connect(&runtime, user("alice"), client(4711)).await;
            let row = runtime.list(&Arc::new(account("root", "sys", Privileges::ALL))).rows().remove(0);
            assert_eq!((row.id, row.client), (session.id(), None));
            assert_eq!(code(&session, "KILL 4711").await, 1094);
            assert_eq!(code(&session, "SELECT 1").await, 0);
        });
    }
    // An id that a server made is nobody's client.
    paused(async {
        let runtime = oceanbase().start();
        let first = direct(&runtime, user("alice")).await;
        let liar = connect(&runtime, user("mallory"), client(first.id().get())).await;
        assert_eq!(ids(&liar).await, [liar.id().get()]);
        assert_eq!(code(&direct(&runtime, user("alice")).await, &format!("KILL {}", first.id())).await, 0);
        assert_eq!(first.ended().await, Reason::KillConnection);
        assert_eq!(code(&liar, "SELECT 1").await, 0);
    });
}

#[test]
fn the_history_shows_whom_the_lists_have_shown() {
    paused(async {
        let runtime = start();
        let by = Arc::new(user("alice"));
        let asker = connect(&runtime, user("alice"), client(9)).await;
        let victim = connect(&runtime, user("alice"), client(7)).await;
        assert_eq!(code(&asker, "KILL 7").await, 0);
        victim.ended().await;
        let row = runtime.list(&by).kills().remove(0);
        assert_eq!((row.by_id, row.target.as_str()), (Some(SessionId::new(9)), "7"));
        assert_eq!(row.victim.map(|victim| victim.id), Some(SessionId::new(7)));
        assert_eq!((row.sessions, row.result), (1, KillResult::Ended));
        // Of several, how many there were; the host's own kill reaches them too.
        let two =
            [connect(&runtime, user("alice"), client(8)).await, connect(&runtime, user("alice"), client(8)).await];
        let target = Target::Session(SessionId::new(8));
        let receipt = runtime.kill(&by, target, KillMode::Connection).await.unwrap();
        assert_eq!(receipt.sessions(), 2);
        let _ = receipt.ended().await;
        for session in &two {
            assert_eq!(session.ended().await, Reason::KillConnection);
        }
        let row = runtime.list(&by).kills().remove(1);
        assert_eq!((row.sessions, row.victim, row.result), (2, None, KillResult::Ended));
    });
}
