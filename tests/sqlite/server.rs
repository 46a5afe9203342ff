//! An SQLite server on a free port, with a file of its own, within the test's process; and its clients.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use killdeer::{
    Blocking, Principal, Privileges, ProcessRow, Runtime,
    wire::{self, Serve},
};
use mysql_async::{Conn, Error, OptsBuilder, prelude::*};
use tokio::sync::oneshot;

use crate::sqlite::{SqliteSql, accounts::Accounts};

/// Finds more numbers than there is time for.
pub const ENDLESS: &str = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";

/// A server. It is stopped when this is dropped.
pub struct Server {
    address: SocketAddr,
    pub runtime: Runtime<Blocking<SqliteSql>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    folder: PathBuf,
}

impl Server {
    pub fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("killdeer-sqlite-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        let engine = SqliteSql::open(folder.join("test.db"), Accounts::default(), "8.0.36-test".into()).unwrap();
        let (started, ready) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let runtime = Runtime::builder(Blocking::new(engine)).server_version("8.0.36-test").start();
                let listener = wire::listen("127.0.0.1:0".parse().unwrap()).unwrap();
                let serving = Serve::new(listener, 2).start(&runtime).unwrap();
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
        Self { address, runtime, stop: Some(stop), thread: Some(thread), folder }
    }

    pub async fn connect(&self) -> Conn {
        let opts = OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(self.address.port());
        Conn::new(opts.user(Some("root")).prefer_socket(false)).await.unwrap()
    }

    /// A client, with the table `t` of numbers and texts, which has two rows.
    pub async fn with_table(&self) -> Conn {
        let mut conn = self.connect().await;
        conn.query_drop("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)").await.unwrap();
        conn.query_drop("INSERT INTO t (v) VALUES ('one'), ('two')").await.unwrap();
        conn
    }

    /// The list as an administrator sees it.
    pub fn list(&self) -> Vec<ProcessRow> {
        let root = Arc::new(Principal::new("root", Privileges::ALL));
        self.runtime.list(&root).rows()
    }

    /// Waits until the list is as wanted. Ten seconds are for ever.
    pub async fn wait(&self, what: &str, wanted: impl Fn(&[ProcessRow]) -> bool) {
        let begin = Instant::now();
        loop {
            let list = self.list();
            if wanted(&list) {
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "{what} did not come about; the list: {list:#?}");
            tokio::task::yield_now().await;
        }
    }

    /// Waits until session `id` is at this, in this statement and not still in the one before it.
    pub async fn wait_for_state(&self, id: u32, state: &str, sql: &str) {
        let at_it =
            |row: &ProcessRow| row.id.get() == u64::from(id) && row.state == state && row.info.as_deref() == Some(sql);
        self.wait(state, |list| list.iter().any(at_it)).await;
    }

    /// Waits until session `id` has left.
    pub async fn wait_gone(&self, id: u32) {
        self.wait("its leaving", |list| list.iter().all(|row| row.id.get() != u64::from(id))).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server's thread panicked");
        }
        let removed = std::fs::remove_dir_all(&self.folder);
        assert!(removed.is_ok() || std::thread::panicking(), "{removed:?}");
    }
}

/// Waits for what must not take for ever. Ten seconds are.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("it ends")
}

/// The code of a server's error.
pub fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> u16 {
    match result.expect_err("an error was expected") {
        Error::Server(error) => error.code,
        other => panic!("not an error of the server's: {other}"),
    }
}

/// The texts of table `t`, in order.
pub async fn texts(conn: &mut Conn) -> Vec<String> {
    conn.query("SELECT v FROM t ORDER BY id").await.unwrap()
}
