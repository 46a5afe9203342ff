//! How many sessions there may be, in process; `tests/wire/places.rs` has the logins.

use killdeer::{Principal, Privileges, Refused, Runtime, Setting, Settings, SqlError};

use crate::lab::{Lab, build, code, connect, paused, peer};

fn runtime(settings: Settings) -> Runtime<Lab> {
    build(Lab::default()).settings(settings).start()
}

async fn refused(runtime: &Runtime<Lab>, who: Principal) -> u16 {
    SqlError::from(runtime.connect(who, peer()).await.expect_err("there is no place")).code()
}

fn app() -> Principal {
    Principal::new("app", Privileges::NONE)
}

#[test]
fn at_the_limit_an_administrator_comes_in_and_makes_room() {
    paused(async {
        let runtime = runtime(Settings::new().count(Setting::MaxConnections, 2));
        let (first, _second) = (connect(&runtime, "app").await, connect(&runtime, "app").await);
        assert!(matches!(runtime.connect(app(), peer()).await, Err(Refused::TooManyConnections)));
        let root = Principal::new("root", Privileges::CONNECTION_ADMIN);
        let admin = runtime.connect(root.clone(), peer()).await.unwrap();
        assert_eq!(refused(&runtime, root).await, 1040);
        let before = runtime.status();
        assert_eq!((before.sessions, before.connections, before.refused), (3, 3, 2));
        assert_eq!(code(&admin, &format!("KILL {}", first.id())).await, 0);
        first.ended().await;
        drop(admin);
        // As soon as it is gone from the list, its place is free.
        while runtime.status().sessions > 1 {
            tokio::task::yield_now().await;
        }
        connect(&runtime, "app").await;
    });
}

#[test]
fn a_session_that_rolls_back_keeps_its_place() {
    paused(async {
        let lab = Lab { rollback: Some(std::time::Duration::from_secs(3)), ..Lab::default() };
        let runtime = build(lab).settings(Settings::new().count(Setting::MaxConnections, 1)).start();
        let alice = connect(&runtime, "alice").await;
        assert_eq!(code(&alice, "begin").await, 0);
        alice.terminate(killdeer::Reason::KillConnection);
        assert_eq!(refused(&runtime, app()).await, 1040);
        alice.ended().await;
        connect(&runtime, "app").await;
    });
}

#[test]
fn whoever_comes_at_once_all_together_there_are_never_more_than_may_be() {
    paused(async {
        let runtime = runtime(Settings::new().count(Setting::MaxConnections, 100));
        let (mut held, mut refusals) = (Vec::new(), 0);
        let all = (0..1_000).map(|_| runtime.connect(app(), peer()));
        for connected in futures::future::join_all(all).await {
            match connected {
                Ok(session) => held.push(session),
                Err(Refused::TooManyConnections) => refusals += 1,
                Err(other) => panic!("{other}"),
            }
        }
        let status = runtime.status();
        assert_eq!((held.len(), refusals, status.sessions), (100, 900, 100));
        assert_eq!((status.connections, status.refused), (100, 900));
        assert_eq!((status.aborted_clients, status.aborted_logins), (0, 0), "a refusal is nobody's failure");
        drop(held);
        while runtime.status().sessions > 0 {
            tokio::task::yield_now().await;
        }
        connect(&runtime, "app").await;
    });
}

#[test]
fn an_account_has_so_many_places() {
    paused(async {
        let runtime = runtime(Settings::new().count(Setting::MaxUserConnections, 1));
        let _held = connect(&runtime, "app").await;
        assert_eq!(refused(&runtime, app()).await, 1203);
        let own = Settings::new().count(Setting::MaxUserConnections, 2);
        let who = || Principal::new("own", Privileges::NONE).with_settings(own.clone());
        let _both = (runtime.connect(who(), peer()).await.unwrap(), runtime.connect(who(), peer()).await.unwrap());
        assert_eq!(refused(&runtime, who()).await, 1226);
    });
}
