//! A proxy and its servers, for the time of a test.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use mysql_async::{Opts, OptsBuilder};
use tokio::{net::TcpListener, task::JoinHandle};

use super::behind::{Behind, BehindEngine};
use crate::{
    KillMode, Principal, Privileges, Query, Runtime, SessionHandle, SqlError, Statement, Target, Verifier,
    model::{ServerPeer, ServerSession, ServerSessions},
    proxy::{
        Account, Accounts, Proxy, ProxyBuilder,
        backend::{
            self, Backend, Wishes,
            tests::player::{ALL, Played},
        },
    },
    wire::{self, Serving},
};

/// A server that accepts connections.
struct Running {
    stop: Pin<Box<dyn Future<Output = ()>>>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Running {
    fn new(serving: Serving) -> Self {
        Self { stop: Box::pin(serving.stop()), served: actix_rt::spawn(serving) }
    }

    /// With all its connections.
    async fn end(self) {
        self.stop.await;
        self.served.await.unwrap().unwrap();
    }
}

/// One server behind the proxy.
pub(super) struct Served {
    pub(super) behind: Arc<Behind>,
    pub(super) runtime: Runtime<BehindEngine>,
    pub(super) address: SocketAddr,
    /// How it is stopped, and its end.
    serving: Option<Running>,
}

impl Served {
    fn start(name: &str) -> Self {
        let behind = Arc::new(Behind::new(name));
        let runtime = Runtime::builder(BehindEngine(Arc::clone(&behind))).start();
        let listener = wire::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let serving = wire::serve(&runtime, listener, 1).unwrap();
        Self { behind, runtime, address: serving.address(), serving: Some(Running::new(serving)) }
    }

    /// Who may do everything here.
    pub(super) fn root() -> Arc<Principal> {
        Arc::new(Principal::new("root", Privileges::ALL))
    }

    /// How many connections it has.
    pub(super) fn connections(&self) -> usize {
        self.runtime.list(&Self::root()).rows().len()
    }

    /// The statements that run there.
    pub(super) fn running(&self) -> Vec<String> {
        let rows = self.runtime.list(&Self::root()).rows();
        rows.iter().filter_map(|row| row.info.as_ref()).map(ToString::to_string).collect()
    }

    /// How many statements are prepared there.
    pub(super) fn prepared(&self) -> usize {
        self.runtime.shared.registry.counters.prepared.get()
    }

    /// Ends a connection there.
    pub(super) async fn kill(&self, server_sessid: u64) {
        let target = Target::Session(crate::SessionId::new(server_sessid));
        let receipt = self.runtime.kill(&Self::root(), target, KillMode::Connection).await.unwrap();
        receipt.ended().await;
    }

    /// Ends all its connections.
    pub(super) async fn kill_all(&self) {
        for row in self.runtime.list(&Self::root()).rows() {
            self.kill(row.id.get()).await;
        }
    }

    /// It is gone, with all that it had.
    pub(super) async fn crash(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.end().await;
            // Its workers end on threads of their own.
            until(|| self.connections() == 0).await;
        }
    }
}

/// A proxy with its servers.
pub(super) struct Stage {
    pub(super) servers: Vec<Served>,
    pub(super) proxy: Runtime<Proxy>,
}

/// A proxy for alice, to be.
pub(super) fn builder() -> ProxyBuilder {
    let mut accounts = Accounts::new();
    let alice = Account::new("alice", Verifier::new(""), Privileges::NONE).at_servers("app", "secret");
    accounts.add(alice).unwrap();
    Proxy::builder(accounts).connect_timeout(Duration::from_secs(5))
}

/// Runs a test with a proxy before a server that the test plays.
pub(super) fn played(test: impl AsyncFnOnce(&mut Stage, TcpListener)) {
    actix_rt::System::new().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let engine = builder().server("127.0.0.1", listener.local_addr().unwrap().port()).build();
        let mut stage = Stage { servers: Vec::new(), proxy: Runtime::builder(engine).start() };
        let time = tokio::time::timeout(Duration::from_secs(60), test(&mut stage, listener)).await;
        time.expect("a test ends");
    });
}

/// As whom the proxy runs alice's statements.
pub(super) fn account() -> backend::Account {
    backend::Account { user: "app".to_owned(), password: "secret".to_owned(), takes_keys: false }
}

/// A connection to the server that the test plays, and the other end of it.
pub(super) async fn connected(listener: &TcpListener) -> (Backend, Played) {
    let (to, account) = (ServerPeer::Tcp(listener.local_addr().unwrap()), account());
    let connecting = Backend::connect(&to, &account, Wishes::default(), Duration::from_secs(5));
    let accepting = async {
        let mut played = Played::accept(listener).await;
        played.welcome(ALL).await;
        played
    };
    let (backend, played) = tokio::join!(connecting, accepting);
    (backend.unwrap(), played)
}

/// The client's next statement runs on this connection of the played server's.
pub(super) async fn goes_on(client: &SessionHandle, server: &mut Played) {
    let answered = async {
        server.until("INSERT next").await;
        server.ok(1).await;
    };
    assert_eq!(tokio::join!(code(client, "INSERT next"), answered), (0, ()));
}

/// Runs a test with so many servers behind a proxy; `split`: reads go to any of them.
pub(super) fn stage(servers: usize, split: bool, test: impl AsyncFnOnce(&mut Stage)) {
    actix_rt::System::new().block_on(async {
        let servers: Vec<_> = (0..servers).map(|number| Served::start(&format!("server{number}"))).collect();
        let builder = builder().read_split(split);
        let builder = servers.iter().fold(builder, |proxy, server| proxy.server("127.0.0.1", server.address.port()));
        let proxy = Runtime::builder(builder.build()).start();
        let mut stage = Stage { servers, proxy };
        let time = tokio::time::timeout(Duration::from_secs(60), test(&mut stage)).await;
        time.expect("a test ends");
        for server in &mut stage.servers {
            server.crash().await;
        }
    });
}

impl Stage {
    /// A client in process.
    pub(super) async fn alice(&self) -> SessionHandle {
        let alice = Principal::new("alice", Privileges::NONE);
        self.proxy.connect(alice, "127.0.0.1:40000".parse().unwrap()).await.unwrap()
    }

    /// The proxy over the wire, and how it is ended.
    pub(super) fn serve(&self) -> (Opts, impl AsyncFnOnce()) {
        let listener = wire::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let serving = wire::serve(&self.proxy, listener, 1).unwrap();
        let port = serving.address().port();
        let serving = Running::new(serving);
        let opts = OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(port).user(Some("alice"));
        let opts = opts.prefer_socket(Some(false)).max_allowed_packet(Some(1 << 20)).wait_timeout(Some(60));
        let end = async move || serving.end().await;
        (opts.into(), end)
    }

    /// What lists show of a client's server sessions.
    pub(super) fn shown(&self, of: &SessionHandle) -> Arc<dyn ServerSessions> {
        let slot = self.proxy.shared.registry.get(of.id()).expect("a session that is there");
        slot.servers().expect("a session that has run something")
    }

    /// Its server sessions.
    pub(super) fn server_sessions(&self, of: &SessionHandle) -> Vec<ServerSession> {
        self.shown(of).servers()
    }

    /// The only server session that it has.
    pub(super) fn server_session(&self, of: &SessionHandle) -> ServerSession {
        let mut all = self.server_sessions(of);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

/// All rows of a statement as texts, in one row.
pub(super) async fn ask(by: &SessionHandle, sql: impl Into<Statement>) -> Result<Vec<String>, SqlError> {
    let (rows, _) = by.query(sql).await?.collect_rows().await?;
    let text = |value: &crate::OwnedValue| value.text().map_or_else(|| "NULL".to_owned(), |text| text.into_owned());
    Ok(rows.iter().flatten().map(text).collect())
}

/// The code of the error that a statement ends with; 0 if it ends well.
pub(super) async fn code(by: &SessionHandle, sql: &'static str) -> u16 {
    ask(by, sql).await.map_or_else(|error| error.code(), |_| 0)
}

/// A statement that was sent; its error's code is to come.
pub(super) fn begin(by: &SessionHandle, sql: &'static str) -> tokio::task::JoinHandle<u16> {
    let sent = by.addr().send(Query(sql.into()));
    tokio::task::spawn_local(async move {
        let answered = async { sent.await.unwrap()?.collect_rows().await };
        answered.await.map_or_else(|error: SqlError| error.code(), |_| 0)
    })
}

/// Waits until it is so.
pub(super) async fn until(so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it does not come about");
}
