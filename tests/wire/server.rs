//! An echo-SQL server on a free port, within the test's process.

use std::{
    net::SocketAddr,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use killdeer::{
    Builder, Column, ColumnType, Dialect, Done, Engine, EngineSession, Login, Prepared, Principal, Privileges,
    ProcessRow, Reason, RowSink, Runtime, SqlError, Statement, StatementContext, Tenant, Value,
    wire::{self, Serve},
};
use tokio::sync::oneshot;

use crate::echo::{EchoSession, EchoSql, accounts::Accounts};

/// The echo engine, and some statements that an engine should not have.
pub struct Odd {
    echo: EchoSql,
    /// Who a client is, where that is not to be proved.
    cast: Option<Cast>,
}

/// Says who a client is, by what it says of itself.
pub type Cast = fn(&Login<'_>) -> Principal;

pub struct OddSession(EchoSession);

impl Engine for Odd {
    type Session = OddSession;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        match self.cast {
            Some(cast) => Ok(cast(login)),
            None => self.echo.authenticate(login).await,
        }
    }

    async fn open(&self, who: &Arc<Principal>) -> Result<OddSession, SqlError> {
        self.echo.open(who).await.map(OddSession)
    }
}

impl EngineSession for OddSession {
    async fn execute(&mut self, cx: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        match &*st.sql {
            b"PANIC" => panic!("asked to"),
            b"MISFIT" => {
                out.columns([Column::new("number", ColumnType::Int)])?;
                for value in [Value::Int(1), Value::Text("many"), Value::Int(2)] {
                    out.row(&[value])?;
                }
                Ok(Done::default())
            }
            b"PANIC IN ROWS" | b"WAIT IN ROWS" => {
                let rows = Statement::text("SELECT * FROM seq(100)");
                self.0.execute(cx, rows, out).await?;
                assert!(!st.sql.starts_with(b"PANIC"), "asked to");
                std::future::pending().await
            }
            _ => self.0.execute(cx, st, out).await,
        }
    }

    async fn prepare(&mut self, cx: &StatementContext, sql: &bytes::Bytes) -> Result<Prepared, SqlError> {
        self.0.prepare(cx, sql).await
    }

    async fn use_database(&mut self, cx: &StatementContext, name: &str) -> Result<(), SqlError> {
        self.0.use_database(cx, name).await
    }

    async fn reset(&mut self, cx: &StatementContext) -> Result<(), SqlError> {
        self.0.reset(cx).await
    }

    async fn rollback(&mut self, why: Reason) {
        self.0.rollback(why).await;
    }

    fn in_transaction(&self) -> Option<bool> {
        self.0.in_transaction()
    }

    fn user_variable(&self, name: &str) -> Option<killdeer::OwnedValue> {
        self.0.user_variable(name)
    }
}

/// The echo engine for these users.
pub fn echo(accounts: Accounts) -> EchoSql {
    EchoSql::new(accounts, "8.0.36-test".into(), 64 << 20).with_system_tables(&Dialect::mysql())
}

/// A server. It is stopped when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub runtime: Runtime<Odd>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(Accounts::default(), |builder| builder)
    }

    pub fn start_with(accounts: Accounts, change: impl FnOnce(Builder<Odd>) -> Builder<Odd> + Send + 'static) -> Self {
        Self::start_echo(echo(accounts), change)
    }

    pub fn start_serving(accounts: Accounts, served: impl FnOnce(Serve) -> Serve + Send + 'static) -> Self {
        Self::start_with_both(accounts, |builder| builder, served)
    }

    /// With choices of both kinds.
    pub fn start_with_both(
        accounts: Accounts,
        change: impl FnOnce(Builder<Odd>) -> Builder<Odd> + Send + 'static,
        served: impl FnOnce(Serve) -> Serve + Send + 'static,
    ) -> Self {
        Self::start_as(Odd { echo: echo(accounts), cast: None }, change, served)
    }

    /// A server whose clients are whom they say they are, as `cast` understands them.
    pub fn start_cast(cast: Cast, change: impl FnOnce(Builder<Odd>) -> Builder<Odd> + Send + 'static) -> Self {
        Self::start_cast_serving(cast, change, |serve| serve)
    }

    /// The same, served as `served` says.
    pub fn start_cast_serving(
        cast: Cast,
        change: impl FnOnce(Builder<Odd>) -> Builder<Odd> + Send + 'static,
        served: impl FnOnce(Serve) -> Serve + Send + 'static,
    ) -> Self {
        Self::start_as(Odd { echo: echo(Accounts::default()), cast: Some(cast) }, change, served)
    }

    /// A server that behaves as this system does.
    pub fn start_dialect(dialect: Dialect) -> Self {
        let accounts = Accounts::of_everybody(dialect.has_tenants());
        let engine = EchoSql::new(accounts, "8.0.36-test".into(), 64 << 20);
        Self::start_echo(engine.with_system_tables(&dialect), move |builder| builder.dialect(dialect))
    }

    pub fn start_echo(engine: EchoSql, change: impl FnOnce(Builder<Odd>) -> Builder<Odd> + Send + 'static) -> Self {
        Self::start_as(Odd { echo: engine, cast: None }, change, |serve| serve)
    }

    fn start_as(
        engine: Odd,
        change: impl FnOnce(Builder<Odd>) -> Builder<Odd> + Send + 'static,
        served: impl FnOnce(Serve) -> Serve + Send + 'static,
    ) -> Self {
        let (started, ready) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let runtime = change(Runtime::builder(engine).server_version("8.0.36-test")).start();
                let listener = wire::listen("127.0.0.1:0".parse().unwrap()).unwrap();
                let serving = served(Serve::new(listener, 2)).start(&runtime).unwrap();
                started.send((serving.address(), runtime.clone())).unwrap();
                let stopping = (serving.pause(), serving.stop());
                let server = actix_rt::spawn(serving);
                // The test says when, or is gone.
                let _ = stopped.await;
                stopping.0.await;
                runtime.shutdown(Duration::ZERO).await;
                stopping.1.await;
                server.await.unwrap().unwrap();
            });
        });
        let (address, runtime) = ready.recv().unwrap();
        Self { address, runtime, stop: Some(stop), thread: Some(thread) }
    }

    /// The list as an administrator sees it.
    pub fn list(&self) -> Vec<ProcessRow> {
        let sys = Tenant { name: "sys".to_owned(), cluster: None };
        let root = Arc::new(Principal::new("root", Privileges::ALL).in_tenant(sys));
        self.runtime.list(&root).rows()
    }

    pub fn row(&self, id: u32) -> Option<ProcessRow> {
        self.list().into_iter().find(|row| row.id.get() == u64::from(id))
    }

    /// Waits until the list is as wanted, and says how long that took. Ten seconds are for ever.
    pub fn wait(&self, what: &str, wanted: impl Fn(&[ProcessRow]) -> bool) -> Duration {
        let begin = Instant::now();
        loop {
            let list = self.list();
            if wanted(&list) {
                return begin.elapsed();
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "{what} did not come about; the list: {list:#?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until session `id`, which has run nothing before, runs a statement.
    pub fn wait_running(&self, id: u32) {
        self.wait("a running statement", |list| {
            list.iter().any(|row| row.id.get() == u64::from(id) && row.statement.is_some())
        });
    }

    /// Waits until session `id` runs this statement: the one before it may be listed for a moment after its answer.
    pub fn wait_running_statement(&self, id: u32, sql: &str) {
        self.wait(sql, |list| list.iter().any(|row| row.id.get() == u64::from(id) && row.info.as_deref() == Some(sql)));
    }

    /// Waits until all sessions are gone, and then all actors.
    pub fn wait_empty(&self) {
        self.wait("an empty list", <[_]>::is_empty);
        let begin = Instant::now();
        while self.runtime.status().actors > 0 {
            assert!(begin.elapsed() < Duration::from_secs(10), "actors are left: {:?}", self.runtime.status());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server's thread panicked");
        }
    }
}
