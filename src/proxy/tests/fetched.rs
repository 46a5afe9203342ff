//! User variables that are fetched for statements that the proxy answers itself.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::stage::{ask, begin, builder, code, goes_on, played, stage};
use crate::{
    Done, Engine, EngineSession, Login, OnKill, OwnedValue, Principal, Privileges, Reason, RowSink, Runtime, Setting,
    Settings, SqlError, Statement, StatementContext,
    proxy::{
        Proxy, ProxySession,
        backend::tests::player::{ALL, Played},
    },
};

/// A proxy whose sessions are watched.
struct Watched {
    proxy: Proxy,
    forgotten: Arc<AtomicUsize>,
}

struct WatchedSession {
    session: ProxySession,
    forgotten: Arc<AtomicUsize>,
}

impl Engine for Watched {
    type Session = WatchedSession;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        self.proxy.authenticate(login).await
    }

    async fn open(&self, who: &Arc<Principal>) -> Result<WatchedSession, SqlError> {
        Ok(WatchedSession { session: self.proxy.open(who).await?, forgotten: Arc::clone(&self.forgotten) })
    }
}

impl EngineSession for WatchedSession {
    const ON_KILL: OnKill = ProxySession::ON_KILL;
    const FETCHES_USER_VARIABLES: bool = ProxySession::FETCHES_USER_VARIABLES;

    async fn execute(&mut self, cx: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        self.session.execute(cx, st, out).await
    }

    async fn use_database(&mut self, cx: &StatementContext, name: &str) -> Result<(), SqlError> {
        self.session.use_database(cx, name).await
    }

    async fn rollback(&mut self, reason: Reason) {
        self.session.rollback(reason).await;
    }

    async fn fetch_user_variables(&mut self, cx: &StatementContext, names: &[String]) -> Result<(), SqlError> {
        self.session.fetch_user_variables(cx, names).await?;
        assert!(self.session.user_variable("x").is_some());
        Ok(())
    }

    fn forget_user_variables(&mut self) {
        self.session.forget_user_variables();
        assert_eq!(self.session.user_variable("x"), None);
        self.forgotten.fetch_add(1, Relaxed);
    }

    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        self.session.user_variable(name)
    }
}

#[test]
fn what_was_fetched_is_forgotten_when_its_statement_is_over() {
    stage(1, false, async |stage| {
        let forgotten = Arc::new(AtomicUsize::new(0));
        let proxy = builder().server("127.0.0.1", stage.servers[0].address.port()).build();
        let runtime = Runtime::builder(Watched { proxy, forgotten: Arc::clone(&forgotten) }).start();
        let peer = "127.0.0.1:40000".parse().unwrap();
        let alice = runtime.connect(Principal::new("alice", Privileges::NONE), peer).await.unwrap();
        ask(&alice, "SET @x = '1234567'").await.unwrap();
        assert_eq!(code(&alice, "KILL QUERY @x").await, 1094);
        assert_eq!(forgotten.load(Relaxed), 1);
    });
}

#[test]
fn what_is_fetched_has_a_bound() {
    stage(1, false, async |stage| {
        let settings = Settings::new().count(Setting::MaxSessionMemory, 1 << 20);
        let alice = Principal::new("alice", Privileges::NONE).with_settings(settings);
        let alice = stage.proxy.connect(alice, "127.0.0.1:40000".parse().unwrap()).await.unwrap();
        for (length, expected) in [(1 << 20, 1094), ((1 << 20) + 1, 1041)] {
            ask(&alice, format!("SET @x = '{}'", "0".repeat(length))).await.unwrap();
            assert_eq!(code(&alice, "KILL QUERY @x").await, expected, "{length}");
        }
    });
}

#[test]
fn what_is_longer_than_a_packet_is_not_held() {
    played(async |stage, listener| {
        let alice = stage.alice().await;
        let killing = begin(&alice, "KILL QUERY @x");
        let mut main = Played::accept(&listener).await;
        main.welcome(ALL).await;
        main.until("SELECT @`x`").await;
        let text: &[u8] = b"\x03def\0\0\0\x02@x\0\x0c\x2d\0\xff\xff\xff\xff\xfb\0\0\x27\0\0";
        let row = [&b"\xfe\xff\xff\xff\x3f\0\0\0\0"[..], &vec![b'x'; (1 << 24) - 10]].concat();
        main.send(1, &[b"\x01", text]).await;
        // A gigabyte, of which one packet comes, and then an empty one.
        main.send(3, &[&row]).await;
        main.send(5, &[b"\xfe\0\0\x02\0\0\0"]).await;
        assert_eq!(killing.await.unwrap(), 1041);
        goes_on(&alice, &mut main).await;
    });
}
