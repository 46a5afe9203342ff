//! The server of a replay: echo_sql's engine, in the replay's dialect, with its ids, on a clock that stands still but for
//! what the replay says.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use killdeer::{
    Clock, Command, Dialect, Done, Engine, EngineSession, Layout, Login, Node, Origin, OwnedValue, Prepared, Principal,
    Privileges, ProcessRow, Reason, RowSink, Runtime, SqlError, Statement, StatementContext, Tenant,
    wire::{AuthPlugin, Door, Terms},
};
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{LocalSet, spawn_blocking, yield_now},
};

use crate::{
    echo::{EchoSession, EchoSql, accounts::Accounts},
    replay::{Client, Replay},
};

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// All users': a client of another machine needs one.
pub const PASSWORD: &str = "secret";

/// The echo engine; of some statements it has no end.
struct Holding {
    echo: EchoSql,
    held: Arc<[String]>,
}

struct HoldingSession {
    echo: EchoSession,
    held: Arc<[String]>,
}

impl Engine for Holding {
    type Session = HoldingSession;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        self.echo.authenticate(login).await
    }

    async fn open(&self, who: &Arc<Principal>) -> Result<HoldingSession, SqlError> {
        Ok(HoldingSession { echo: self.echo.open(who).await?, held: Arc::clone(&self.held) })
    }
}

impl EngineSession for HoldingSession {
    async fn execute(&mut self, cx: &StatementContext, st: Statement, out: &mut RowSink) -> Result<Done, SqlError> {
        if self.held.iter().any(|held| held.as_bytes() == &st.sql[..]) {
            // Until a kill drops it.
            return std::future::pending().await;
        }
        self.echo.execute(cx, st, out).await
    }

    async fn prepare(&mut self, cx: &StatementContext, sql: &bytes::Bytes) -> Result<Prepared, SqlError> {
        self.echo.prepare(cx, sql).await
    }

    async fn use_database(&mut self, cx: &StatementContext, name: &str) -> Result<(), SqlError> {
        self.echo.use_database(cx, name).await
    }

    async fn rollback(&mut self, why: Reason) {
        self.echo.rollback(why).await;
    }

    fn user_variable(&self, name: &str) -> Option<OwnedValue> {
        self.echo.user_variable(name)
    }
}

type Condition = Box<dyn Fn(&[ProcessRow]) -> bool + Send>;

/// What the server is to do. They are done one after the other.
enum Order {
    /// Lets the next one in that connects, from there.
    Admit(Origin),
    /// So many sessions come and go.
    Others(usize),
    Advance(Duration),
    /// Goes on when the list is such.
    Until(String, Condition),
    /// Says that all that was ordered is done.
    Report(mpsc::Sender<()>),
}

/// See the module's text. It is stopped when this is dropped.
pub struct Stage {
    pub address: SocketAddr,
    orders: Option<UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    pub fn set(replay: &Replay) -> Self {
        let users: Vec<&str> = replay.clients().values().map(|client| client.user.as_str()).collect();
        let dialect = Dialect::named(&replay.dialect).expect("a dialect");
        let echo = EchoSql::new(accounts(users, dialect.has_tenants()), "8.0.36-test".into(), 64 << 20);
        let echo = echo.with_system_tables(&dialect);
        let holding = Holding { echo, held: replay.held.as_slice().into() };
        let (layout, node, clock) = (layout(&replay.ids), node(replay), clock(replay.clock));
        let (orders, ordered) = unbounded_channel();
        let (started, ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let own = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            own.block_on(LocalSet::new().run_until(async move {
                // A paused clock goes on to the next timer when there is nothing to do, unless something blocks.
                let (end, ended) = mpsc::channel::<()>();
                let still = spawn_blocking(move || ended.recv());
                let runtime = Runtime::builder(holding).dialect(dialect).ids(layout).node(node).clock(clock);
                let runtime = runtime.single_arbiter().start();
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                started.send(listener.local_addr().unwrap()).unwrap();
                let door = Door::new(&runtime, Terms::default().default_plugin(AuthPlugin::Native));
                carry_out(&runtime, &door, &listener, ordered).await;
                drop(end);
                let _ = still.await;
            }));
        });
        let address = ready.recv_timeout(PATIENCE).expect("a server");
        Self { address, orders: Some(orders), thread: Some(thread) }
    }

    /// Lets the client in that is about to connect.
    pub fn admit(&self, client: &Client) {
        self.order(Order::Admit(client.host.parse().expect("a host and a port")));
    }

    /// Returns when the client is in, and idle. It must have got its id.
    pub fn await_idle(&self, client: &Client) {
        let (id, from): (u64, Origin) = (client.id, client.host.parse().unwrap());
        let idle = move |rows: &[ProcessRow]| {
            let own = rows.iter().find(|row| row.id.get() == id);
            own.is_some_and(|row| (row.peer, row.active) == (from, Command::Sleep) && row.principal.is_some())
        };
        self.until(&format!("{} idle", client.name), idle);
    }

    /// Returns when the client's statement runs.
    pub fn await_running(&self, client: &Client, statement: &str) {
        let (id, statement) = (client.id, statement.to_owned());
        let runs = move |rows: &[ProcessRow]| {
            rows.iter().any(|row| row.id.get() == id && row.info.as_ref() == Some(&statement))
        };
        self.until(&format!("a statement of {}", client.name), runs);
    }

    pub fn others(&self, count: usize) {
        self.order(Order::Others(count));
        self.report();
    }

    pub fn wait(&self, time: Duration) {
        self.order(Order::Advance(time));
        self.report();
    }

    fn until(&self, what: &str, condition: impl Fn(&[ProcessRow]) -> bool + Send + 'static) {
        self.order(Order::Until(what.to_owned(), Box::new(condition)));
        self.report();
    }

    fn report(&self) {
        let (done, report) = mpsc::channel();
        self.order(Order::Report(done));
        report.recv_timeout(PATIENCE + PATIENCE).expect("the server does what it was ordered");
    }

    fn order(&self, order: Order) {
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        assert!(sent, "the server is there");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.orders.take();
        // One that failed may have left it waiting for a client.
        if !std::thread::panicking() {
            self.thread.take().map(JoinHandle::join).transpose().expect("the server ends well");
        }
    }
}

async fn carry_out<E: Engine>(
    runtime: &Runtime<E>,
    door: &Door<E>,
    listener: &TcpListener,
    mut orders: UnboundedReceiver<Order>,
) {
    let sys = Tenant { name: "sys".to_owned(), cluster: None };
    let root = Arc::new(Principal::new("root", Privileges::ALL).in_tenant(sys));
    let rows = || runtime.list(&root).rows();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Admit(from) => door.admit(listener.accept().await.unwrap().0, from),
            Order::Others(count) => {
                let before = rows().len();
                for _ in 0..count {
                    let other = runtime.connect((*root).clone(), "127.0.0.1:1".parse().unwrap()).await.unwrap();
                    drop(other);
                    until("others gone", rows, |rows| rows.len() == before).await;
                }
            }
            Order::Advance(time) => tokio::time::advance(time).await,
            Order::Until(what, condition) => until(&what, rows, condition).await,
            Order::Report(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// Lets others on this thread have their turns until it is so.
async fn until(what: &str, rows: impl Fn() -> Vec<ProcessRow>, condition: impl Fn(&[ProcessRow]) -> bool) {
    let begin = Instant::now();
    while !condition(&rows()) {
        assert!(begin.elapsed() < PATIENCE, "{what}: it did not come about; the list: {:#?}", rows());
        yield_now().await;
    }
}

/// These users may do everything.
fn accounts(users: Vec<&str>, tenants: bool) -> Accounts {
    let mut users = users;
    users.sort_unstable();
    users.dedup();
    let entry = |user| {
        format!(
            "[[user]]\nuser = '{user}'\npassword = '{PASSWORD}'\nplugin = 'mysql_native_password'\nprivileges = ['ALL']\n"
        )
    };
    Accounts::parse(&users.into_iter().map(entry).collect::<String>(), tenants).unwrap()
}

fn layout(ids: &[String]) -> Layout {
    let number = |at: usize| ids[at].parse().expect("a number");
    let server = || u32::try_from(number(1)).expect("a server id");
    match (ids[0].as_str(), ids.len()) {
        ("plain", 2) => Layout::plain32().starting_at(number(1)),
        ("oceanbase", 3) => Layout::oceanbase(server()).unwrap().starting_at(number(2)),
        ("tidb64", 3) => Layout::tidb64(server()).unwrap().starting_at(number(2)),
        _ => panic!("ids {ids:?}"),
    }
}

fn node(replay: &Replay) -> Node {
    let mut node = replay.node.as_ref().map_or_else(Node::default, |address| Node::new(address.parse().unwrap()));
    if let Some((number, name)) = &replay.query {
        let (first, second) = name.split_once('-').expect("two numbers");
        node.query_ids = u64::from_str_radix(first, 16).unwrap();
        node.first_query_id = u64::from_str_radix(second, 16).unwrap() - number;
    }
    node
}

fn clock(seconds: Option<u64>) -> Clock {
    seconds.map_or_else(Clock::default, |seconds| {
        Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    })
}
