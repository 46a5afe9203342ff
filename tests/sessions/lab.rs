//! An engine whose statements say what it shall do, and what every test begins with.

use std::{
    future::{Future, pending},
    sync::{Arc, Mutex},
    time::Duration,
};

use killdeer::{
    Builder, Column, ColumnType, Done, Engine, EngineSession, Origin, OwnedValue, Principal, Privileges, Query, Reason,
    Results, RowSink, Runtime, SessionHandle, Setting, SqlError, Statement, StatementContext, Value,
};
use tokio::{task::LocalSet, time::sleep};

/// What its sessions did, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub fn has(&self, what: &str) -> bool {
        self.0.lock().unwrap().iter().any(|line| line == what)
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// The engine.
#[derive(Clone)]
pub struct Lab {
    pub log: Log,
    /// How long a rollback takes; `None`: for ever.
    pub rollback: Option<Duration>,
    /// How many bytes the variables have whose names begin with `long`.
    pub variable: usize,
}

impl Default for Lab {
    fn default() -> Self {
        Self { log: Log::default(), rollback: Some(Duration::ZERO), variable: 0 }
    }
}

pub struct LabSession {
    lab: Lab,
    user: String,
    in_transaction: bool,
    panics_on_drop: bool,
    /// It says itself whether a transaction is open.
    knows: bool,
}

impl Engine for Lab {
    type Session = LabSession;

    async fn open(&self, who: &Arc<Principal>) -> Result<LabSession, SqlError> {
        match &**who.user() {
            "nobody" => Err(SqlError::new(1045, "28000", "not you")),
            "panics" => panic!("asked to, on opening"),
            "slow" => pending().await,
            user => Ok(LabSession {
                lab: self.clone(),
                user: user.into(),
                in_transaction: false,
                panics_on_drop: false,
                knows: false,
            }),
        }
    }
}

impl EngineSession for LabSession {
    async fn execute(&mut self, cx: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        let sql = st.sql_lossy().into_owned();
        let (verb, rest) = sql.split_once(' ').unwrap_or((&sql, ""));
        self.lab.log.note(format!("{} {sql}", self.user));
        match verb {
            "wait" => pending().await,
            "sleep" => sleep(Duration::from_secs(rest.parse().unwrap())).await,
            "SELECT" | "SET" if sql.ends_with(" wait") => pending().await,
            "SET" if rest.contains("nosuch") => return Err(SqlError::unknown_system_variable("nosuch")),
            // The session's value and the server's.
            "setting" => {
                let (setting, values) = (Setting::named(rest).unwrap(), cx.settings());
                out.columns([Column::new("session", ColumnType::VarChar), Column::new("global", ColumnType::VarChar)])?;
                let own = values.session(setting).unwrap_or(OwnedValue::Null);
                out.row(&[own.borrow(), values.global(setting).borrow()])?;
            }
            "begin" => self.in_transaction = true,
            "begin-slowly" => {
                sleep(Duration::from_secs(rest.parse().unwrap())).await;
                self.in_transaction = true;
            }
            "commit" => self.in_transaction = false,
            // An error that ends the transaction, and one that leaves it open; the engine knows.
            "deadlock" => {
                self.in_transaction = false;
                self.knows = true;
                return Err(SqlError::new(1213, "40001", "as asked"));
            }
            "begin-stuck" => {
                self.in_transaction = true;
                self.knows = true;
                pending().await
            }
            "fail" => return Err(SqlError::new(1062, "23000", "as asked")),
            "panic" => panic!("asked to"),
            "panic-on-drop" => self.panics_on_drop = true,
            "rows" => {
                out.columns([Column::new("n", ColumnType::BigInt)])?;
                for n in 0..rest.parse().unwrap() {
                    if out.row(&[Value::Int(n)])? {
                        self.lab.log.note(format!("behind at {n}"));
                        out.ready().await?;
                    }
                }
            }
            // The rows of the first result set, of which there is a second.
            "sets" => {
                for count in [rest.parse().unwrap(), 2] {
                    out.columns([Column::new("n", ColumnType::BigInt)])?;
                    for n in 0..count {
                        if out.row(&[Value::Int(n)])? {
                            out.ready().await?;
                        }
                    }
                }
            }
            "row-and-wait" | "row-and-fail" => {
                out.columns([Column::new("n", ColumnType::BigInt)])?;
                out.row(&[Value::Int(1)])?;
                match verb {
                    "row-and-wait" => pending().await,
                    _ => return Err(SqlError::new(1062, "23000", "as asked")),
                }
            }
            _ => {
                out.columns([Column::new("echo", ColumnType::VarChar)])?;
                out.row(&[Value::Text(&sql)])?;
            }
        }
        Ok(Done { in_transaction: self.in_transaction, ..Done::default() })
    }

    async fn use_database(&mut self, _: &StatementContext, name: &str) -> Result<(), SqlError> {
        match name {
            "nosuch" => Err(SqlError::unknown_database(name)),
            "stuck" => pending().await,
            _ => Ok(()),
        }
    }

    async fn rollback(&mut self, why: Reason) {
        self.lab.log.note(format!("{} rolls back: {why}", self.user));
        match self.lab.rollback {
            Some(time) => sleep(time).await,
            None => pending().await,
        }
        self.in_transaction = false;
        self.lab.log.note(format!("{} rolled back", self.user));
    }

    fn in_transaction(&self) -> Option<bool> {
        self.knows.then_some(self.in_transaction)
    }

    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        assert!(name != "panics", "asked to, by a variable");
        match name {
            "one" => Some(OwnedValue::Int(1)),
            name if name.to_ascii_lowercase().starts_with("long") => {
                Some(OwnedValue::Text("x".repeat(self.lab.variable)))
            }
            _ => None,
        }
    }
}

impl Drop for LabSession {
    fn drop(&mut self) {
        self.lab.log.note(format!("{} closed", self.user));
        assert!(!self.panics_on_drop, "asked to, on drop");
    }
}

/// Runs a test on one thread, on paused time.
pub fn paused<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, test)
}

/// A runtime on this one arbiter.
pub fn lab() -> (Runtime<Lab>, Log) {
    let lab = Lab::default();
    let log = lab.log.clone();
    (build(lab).start(), log)
}

pub fn build<E: Engine>(engine: E) -> Builder<E> {
    Runtime::builder(engine).single_arbiter()
}

pub fn peer() -> Origin {
    "127.0.0.1:40000".parse().unwrap()
}

pub fn root() -> Arc<Principal> {
    Arc::new(Principal::new("root", Privileges::ALL))
}

pub fn user(name: &str) -> Arc<Principal> {
    Arc::new(Principal::new(name, Privileges::NONE))
}

/// A session of `name`, without privileges.
pub async fn connect<E: Engine>(runtime: &Runtime<E>, name: &str) -> SessionHandle {
    runtime.connect(Principal::new(name, Privileges::NONE), peer()).await.unwrap()
}

/// An administrator's session.
pub async fn connect_root<E: Engine>(runtime: &Runtime<E>) -> SessionHandle {
    runtime.connect(Principal::new("root", Privileges::ALL), peer()).await.unwrap()
}

/// Lets everything run that can run without time passing.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// A statement that was sent and runs by now.
pub struct Running(tokio::task::JoinHandle<Result<Results, SqlError>>);

impl Running {
    pub async fn begin(session: &SessionHandle, sql: &str) -> Self {
        let sent = session.addr().send(Query(Statement::from(sql.to_owned())));
        let ended = async move { sent.await.expect("the session answers before it goes") };
        let running = Self(tokio::task::spawn_local(ended));
        settle().await;
        running
    }

    pub fn is_over(&self) -> bool {
        self.0.is_finished()
    }

    pub async fn end(self) -> Result<Results, SqlError> {
        self.0.await.unwrap()
    }

    /// The code of the error that it ends with.
    pub async fn code(self) -> u16 {
        self.end().await.expect_err("it was to end with an error").code()
    }

    pub fn abandon(self) {
        self.0.abort();
    }
}

/// The code of the error that a statement ends with; 0 if it ends well.
pub async fn code(session: &SessionHandle, sql: &str) -> u16 {
    match rows(session, sql).await {
        Ok(_) => 0,
        Err(error) => error.code(),
    }
}

/// All rows of a statement.
pub async fn rows(session: &SessionHandle, sql: &str) -> Result<Vec<Vec<OwnedValue>>, SqlError> {
    session.query(sql.to_owned()).await?.collect_rows().await.map(|(rows, _)| rows)
}
