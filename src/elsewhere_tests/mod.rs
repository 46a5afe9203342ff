//! What sessions ask of other nodes, and what their clients are told of the answers. The other nodes are played here.

mod kills;
mod lists;
mod wire;

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::future::BoxFuture;
use tokio::{sync::Notify, task::LocalSet};

use crate::{
    Dialect, Done, Engine, EngineSession, KillError, Layout, Login, Origin, OwnedValue, Principal, Privileges, Query,
    RowSink, Runtime, SessionHandle, SessionId, SqlError, Statement, StatementContext,
    supervisor::{Elsewhere, Errand, Gathered, NodeRow},
};

/// What the other nodes answer to a kill.
type Answer = Box<dyn Fn(&Errand) -> Result<u64, KillError> + Send + Sync>;

/// What they tell of their sessions.
type Tell = Box<dyn Fn(&Principal) -> Gathered + Send>;

/// The other nodes: they note what they are asked, and answer as they are told to.
pub(crate) struct Others {
    kills: Mutex<Vec<Errand>>,
    answer: Answer,
    lists: AtomicUsize,
    tell: Mutex<Tell>,
    nodes: Mutex<Vec<NodeRow>>,
    /// While there is one, answers wait for it.
    held: Mutex<Option<Arc<Notify>>>,
}

impl Others {
    fn new(answer: impl Fn(&Errand) -> Result<u64, KillError> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            kills: Mutex::default(),
            answer: Box::new(answer),
            lists: AtomicUsize::default(),
            tell: Mutex::new(Box::new(|_| Gathered::default())),
            nodes: Mutex::default(),
            held: Mutex::default(),
        })
    }

    /// They have such sessions.
    fn telling(tell: impl Fn(&Principal) -> Gathered + Send + 'static) -> Arc<Self> {
        let others = Self::new(|_| Ok(1));
        *others.tell.lock().unwrap() = Box::new(tell);
        others
    }

    /// How often they were asked for their sessions since the last look.
    fn lists(&self) -> usize {
        self.lists.swap(0, Ordering::Relaxed)
    }

    /// Keeps all answers back until they are let go.
    fn hold(&self) -> Arc<Notify> {
        Arc::clone(self.held.lock().unwrap().insert(Arc::default()))
    }

    /// What was asked since the last look.
    fn kills(&self) -> Vec<Errand> {
        std::mem::take(&mut self.kills.lock().unwrap())
    }

    fn held(&self) -> impl Future<Output = ()> + Send + use<> {
        let held = self.held.lock().unwrap().clone();
        async move {
            if let Some(held) = held {
                held.notified().await;
            }
        }
    }
}

impl Elsewhere for Others {
    fn kill(&self, errand: Errand) -> BoxFuture<'static, Result<u64, KillError>> {
        let (answer, held) = ((self.answer)(&errand), self.held());
        self.kills.lock().unwrap().push(errand);
        Box::pin(async move {
            held.await;
            answer
        })
    }

    fn list(&self, by: Arc<Principal>) -> BoxFuture<'static, Gathered> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        let (told, held) = ((self.tell.lock().unwrap())(&by), self.held());
        Box::pin(async move {
            held.await;
            told
        })
    }

    fn nodes(&self) -> BoxFuture<'static, Vec<NodeRow>> {
        let (nodes, held) = (self.nodes.lock().unwrap().clone(), self.held());
        Box::pin(async move {
            held.await;
            nodes
        })
    }
}

/// An engine that does what it is told: `wait`, and nothing else.
struct Idle;

struct IdleSession;

impl Engine for Idle {
    type Session = IdleSession;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        Ok(Principal::new(login.user.clone(), Privileges::ALL))
    }

    async fn open(&self, _: &Arc<Principal>) -> Result<IdleSession, SqlError> {
        Ok(IdleSession)
    }
}

impl EngineSession for IdleSession {
    async fn execute(&mut self, _: &StatementContext, st: Statement, _: &mut RowSink) -> Result<Done, SqlError> {
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

/// The ids of this node, and one of another's.
fn ids(dialect: Dialect) -> (Layout, SessionId) {
    let layout = |server| match dialect.has_tenants() {
        true => Layout::oceanbase(server).unwrap(),
        false => Layout::tidb(server).unwrap(),
    };
    let of = |layout: &Layout| crate::id::IdMap::new(*layout, 1).allocate(|id| id).unwrap();
    (layout(1), of(&layout(2)))
}

/// A node with others, and the id of a session of another one's.
fn start(dialect: Dialect, others: &Arc<Others>) -> (Runtime<Idle>, SessionId) {
    let (layout, theirs) = ids(dialect);
    let runtime = Runtime::builder(Idle).single_arbiter().dialect(dialect).ids(layout).start();
    runtime.shared.registry.set_elsewhere(Arc::clone(others) as Arc<dyn Elsewhere>);
    (runtime, theirs)
}

fn peer() -> Origin {
    "127.0.0.1:40000".parse().unwrap()
}

async fn connect(runtime: &Runtime<Idle>, name: &str, privileges: Privileges) -> SessionHandle {
    runtime.connect(Principal::new(name, privileges), peer()).await.unwrap()
}

/// All rows of a statement, as texts, and its warnings' number.
async fn ask(by: &SessionHandle, sql: impl Into<Statement>) -> Result<(Vec<Vec<String>>, u16), SqlError> {
    let (rows, done) = by.query(sql).await?.collect_rows().await?;
    let text = |value: &OwnedValue| value.text().map_or_else(|| "NULL".to_owned(), |text| text.into_owned());
    Ok((rows.iter().map(|row| row.iter().map(text).collect()).collect(), done.warnings))
}

/// The code and the text of the error that a statement ends with; 0 if it ends well.
async fn told(by: &SessionHandle, sql: &str) -> (u16, String) {
    ask(by, sql.to_owned())
        .await
        .map_or_else(|error| (error.code(), error.message().to_owned()), |_| (0, String::new()))
}

/// A statement that was sent, and runs as far as it can.
async fn begin(by: &SessionHandle, sql: &str) -> tokio::task::JoinHandle<Result<(), SqlError>> {
    let sent = by.addr().send(Query(sql.to_owned().into()));
    let running = tokio::task::spawn_local(async move { sent.await.unwrap().map(drop) });
    settle().await;
    running
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Runs a test on one thread. Questions to the tables are answered on others, so time goes by.
fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test)
}

/// Runs a test on one thread, on paused time.
fn paused<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, test)
}
