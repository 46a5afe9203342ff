//! The statements about a proxy's sessions, in a runtime whose server sessions are played here: who is told what, in which
//! columns and order, and what is ended.

mod kills;
mod shows;

use std::{
    collections::HashMap,
    future::{Future, pending},
    sync::{Arc, Mutex},
};

use futures::StreamExt;
use tokio::task::LocalSet;

use crate::{
    Dialect, Done, Engine, EngineSession, KillDenied, Layout, Node, Origin, OwnedValue, Params, Part, Principal,
    Privileges, Query, Reason, RowSink, Runtime, SessionHandle, SqlError, Statement, StatementContext, Tenant,
    model::{
        ChangedVariable, ServerEnd, ServerPeer, ServerPlace, ServerSession, ServerSessions, ServerState, Versions,
    },
};

/// What one client has at servers.
#[derive(Default)]
struct Played {
    sessions: Mutex<Vec<ServerSession>>,
    /// Those that were ended alone.
    ended: Mutex<Vec<u64>>,
}

impl ServerSessions for Played {
    fn servers(&self) -> Vec<ServerSession> {
        self.sessions.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.sessions.lock().unwrap().len()
    }

    fn transactions(&self) -> u64 {
        11
    }

    fn versions(&self) -> Versions {
        Versions { hot_sys_var: 1, sys_var: 4, user_var: 2, last_insert_id: 3, db_name: 5 }
    }

    fn variables(&self) -> Vec<ChangedVariable> {
        let variable = |name: &str, value: &str, user| {
            let hot = name == "autocommit";
            ChangedVariable { name: name.into(), value: value.into(), user, hot }
        };
        vec![
            variable("autocommit", "1", false),
            // The runtime's own, which shows it itself.
            variable("wait_timeout", "99", false),
            variable("mine", "'a\nb'", true),
            variable("sql_mode", "ANSI", false),
            variable("password", "barracuda", true),
            variable("statement", "CREATE USER u IDENTIFIED BY 'barracuda'", true),
        ]
    }

    fn end(&self, ss_id: u64) -> Option<ServerEnd> {
        let mut sessions = self.sessions.lock().unwrap();
        let at = sessions.iter().position(|session| session.ss_id == ss_id)?;
        if sessions[at].in_transaction {
            return Some(ServerEnd::WithItsClient);
        }
        sessions.remove(at);
        self.ended.lock().unwrap().push(ss_id);
        Some(ServerEnd::Alone)
    }
}

fn server(ss_id: u64, place: ServerPlace, state: ServerState) -> ServerSession {
    ServerSession {
        ss_id,
        server: ServerPeer::Tcp(([10, 1, 0, 9], 3400).into()),
        server_sessid: 900 + ss_id,
        place,
        state,
        statements: 7,
        in_transaction: false,
        versions: Versions { sys_var: 4, ..Versions::default() },
    }
}

/// An engine that publishes what is played for its user with the first statement, and waits if it is told to.
#[derive(Clone, Default)]
struct Play(Arc<Mutex<HashMap<String, Arc<Played>>>>);

struct PlaySession(Play, Arc<Principal>);

impl Engine for Play {
    type Session = PlaySession;

    async fn open(&self, who: &Arc<Principal>) -> Result<PlaySession, SqlError> {
        Ok(PlaySession(self.clone(), Arc::clone(who)))
    }
}

impl EngineSession for PlaySession {
    async fn execute(&mut self, cx: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
        if let Some(played) = self.0.0.lock().unwrap().get(&**self.1.user()) {
            cx.publish_servers(Arc::clone(played) as Arc<dyn ServerSessions>);
        }
        match &*st.sql_lossy() {
            "wait" => pending().await,
            _ => Ok(Done::default()),
        }
    }

    async fn use_database(&mut self, _: &StatementContext, _: &str) -> Result<(), SqlError> {
        Ok(())
    }

    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        name.parse().ok().map(OwnedValue::UInt)
    }
}

/// A proxy with these players, on paused time.
struct Stage {
    runtime: Runtime<Play>,
    played: Play,
}

fn on_stage<F: Future>(test: impl FnOnce(Stage) -> F) -> F::Output {
    with(Dialect::odp(), test)
}

fn with<F: Future>(dialect: Dialect, test: impl FnOnce(Stage) -> F) -> F::Output {
    let paused = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&paused, async {
        let played = Play::default();
        let runtime = Runtime::builder(played.clone())
            .single_arbiter()
            .dialect(dialect)
            .ids(Layout::odp(0).unwrap().starting_at(7))
            .node(Node::new("10.125.224.18:13205".parse().unwrap()))
            .start();
        test(Stage { runtime, played }).await
    })
}

fn account(user: &str, tenant: &str, privileges: Privileges) -> Principal {
    Principal::new(user, privileges).in_tenant(Tenant { name: tenant.into(), cluster: Some("east".into()) })
}

impl Stage {
    async fn connect(&self, user: &str, tenant: &str) -> SessionHandle {
        let peer: Origin = "127.0.0.1:23706".parse().unwrap();
        self.runtime.connect(account(user, tenant, Privileges::NONE), peer).await.unwrap()
    }

    /// A client of the tenant `shop`, with three server sessions: two of them idle, and the current one.
    async fn client(&self, user: &str) -> (SessionHandle, Arc<Played>) {
        let played = Arc::new(Played::default());
        *played.sessions.lock().unwrap() = vec![
            server(1, ServerPlace::LastUsed, ServerState::Kept),
            server(2, ServerPlace::Current, ServerState::Active),
            server(3, ServerPlace::Pooled(0), ServerState::KeptForClient),
        ];
        self.played.0.lock().unwrap().insert(user.into(), Arc::clone(&played));
        let session = self.connect(user, "shop").await;
        ask(&session, "first").await.unwrap();
        (session, played)
    }
}

/// All rows of a statement, as texts.
async fn ask(by: &SessionHandle, sql: &str) -> Result<Vec<Vec<String>>, SqlError> {
    let (rows, _) = by.query(sql.to_owned()).await?.collect_rows().await?;
    Ok(rows.iter().map(|row| row.iter().map(text).collect()).collect())
}

fn text(value: &OwnedValue) -> String {
    value.text().map_or_else(|| "NULL".to_owned(), |text| text.into_owned())
}

async fn told(by: &SessionHandle, sql: &str) -> (u16, String) {
    ask(by, sql).await.map_or_else(|error| (error.code(), error.message().to_owned()), |_| (0, String::new()))
}

/// The header of a statement's rows, as it is prepared and as it is run.
async fn columns(by: &SessionHandle, sql: &str) -> Vec<String> {
    let names = |columns: &[crate::Column]| columns.iter().map(|column| column.name.to_string()).collect::<Vec<_>>();
    let prepared = names(&by.prepare(sql.to_owned()).await.unwrap().columns);
    let mut results = by.query(sql.to_owned()).await.unwrap();
    let Some(Ok(Part::Columns(run))) = results.next().await else { panic!("{sql}: no header") };
    assert_eq!(prepared, names(&run), "{sql}");
    prepared
}

/// Of the session that was admitted as this one's number from 7 on.
fn proxy_sessid(cs_id: u64) -> String {
    (756_006_681_247_547_392 + cs_id).to_string()
}

fn alice_peer() -> Origin {
    "127.0.0.1:23706".parse().unwrap()
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
