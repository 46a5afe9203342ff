//! The servers that are compared, each a process with a directory and a port of its own.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `echo_sql` | Killdeer, by its main example |
//! | `mariadb` | MariaDB, with a thread per connection and with its pool of threads |
//! | `opensrv` | a minimal server on `opensrv-mysql` |
//! | `floor` | what no server can do without: read, write |
//! | `certificate` | what they show in TLS |
//! | `sweeper` | who tidies up after a run that was killed |

mod certificate;
mod echo_sql;
mod floor;
mod mariadb;
mod opensrv;
mod sweeper;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use certificate::Certificate;
use clap::Subcommand;
pub use echo_sql::build as build_echo_sql;
pub use floor::Canned;
use sweeper::Sweeper;
use tempfile::TempDir;

use crate::{
    clock,
    process::{Process, Wrapper},
};

/// Threads that serve connections, of every server that can be told.
pub const WORKERS: usize = 2;

/// More connections than a process has descriptors for.
const MANY: usize = 25_000;

/// So many connections may wait to be accepted.
const QUEUE: u32 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Killdeer,
    /// MariaDB with one thread per connection, as it is by default.
    MariadbThreads,
    /// MariaDB with its pool of threads.
    MariadbPool,
    Opensrv,
    /// A floor on tokio's multi-threaded runtime.
    FloorTokio,
    /// The same on `actix-server`, which Killdeer stands on.
    FloorActix,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Killdeer, Self::MariadbThreads, Self::MariadbPool, Self::Opensrv, Self::FloorTokio, Self::FloorActix];

    /// Those with sessions that can be listed and killed.
    pub const WITH_SESSIONS: [Self; 3] = [Self::Killdeer, Self::MariadbThreads, Self::MariadbPool];

    /// Those that understand what they are asked.
    pub const SERVERS: [Self; 4] = [Self::Killdeer, Self::MariadbThreads, Self::MariadbPool, Self::Opensrv];

    pub fn name(self) -> &'static str {
        match self {
            Self::Killdeer => "killdeer",
            Self::MariadbThreads => "MariaDB, threads",
            Self::MariadbPool => "MariaDB, pool",
            Self::Opensrv => "opensrv-mysql",
            Self::FloorTokio => "floor, tokio",
            Self::FloorActix => "floor, actix",
        }
    }

    pub fn is_floor(self) -> bool {
        matches!(self, Self::FloorTokio | Self::FloorActix)
    }

    /// A million rows, or so many, of one BIGINT each. Their column is called `seq` everywhere.
    pub fn rows(self, count: u64) -> String {
        match self {
            Self::MariadbThreads | Self::MariadbPool => format!("SELECT seq FROM mysql.seq_1_to_{count}"),
            _ => format!("SELECT * FROM seq({count})"),
        }
    }
}

/// Where servers come from: programs, directories, and what has to be made but once.
pub struct Workshop {
    home: TempDir,
    _sweeper: Sweeper,
    echo_sql: PathBuf,
    certificate: Certificate,
    mariadb: mariadb::Installation,
    /// What floors answer with.
    canned: Canned,
}

/// A server. It ends, and its directory with it, when this is dropped.
pub struct Server {
    process: Process,
    pub address: SocketAddr,
    /// Its own; gone after the process.
    _home: TempDir,
}

impl Server {
    pub fn cpu(&self) -> io::Result<Duration> {
        clock::cpu(self.process.id())
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it in order, and waits for its end.
    pub fn end(self) -> io::Result<()> {
        self.process.end()
    }

    /// Its resident memory in bytes, once it has come to rest: twice the same.
    pub fn resident(&self) -> io::Result<u64> {
        let mut before = 0;
        for _ in 0..100 {
            let now = clock::resident(self.process.id())?;
            if now == before {
                return Ok(now);
            }
            before = now;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(before)
    }
}

impl Workshop {
    /// Makes what is made once. Floors are told by Killdeer what to answer.
    pub async fn open(echo_sql: PathBuf) -> io::Result<Self> {
        let home = tempfile::Builder::new().prefix("side-by-side-").tempdir()?;
        let sweeper = Sweeper::start(home.path())?;
        let certificate = Certificate::make(home.path())?;
        let mariadb = mariadb::Installation::make(home.path())?;
        let mut workshop = Self { home, _sweeper: sweeper, echo_sql, certificate, mariadb, canned: Canned::default() };
        let killdeer = workshop.start(Kind::Killdeer, false)?;
        workshop.canned = Canned::learn(killdeer.address).await?;
        Ok(workshop)
    }

    /// The versions of the others, for the report.
    pub fn mariadb_version(&self) -> &str {
        &self.mariadb.version
    }

    pub fn start(&self, kind: Kind, secure: bool) -> io::Result<Server> {
        let certificate = secure.then_some(&self.certificate);
        match kind {
            Kind::Killdeer => self.killdeer(&[], certificate, &[]),
            Kind::MariadbThreads => self.mariadb(certificate, "one-thread-per-connection"),
            Kind::MariadbPool => self.mariadb(certificate, "pool-of-threads"),
            Kind::Opensrv => self.own(&[], &opensrv::arguments(certificate)),
            Kind::FloorTokio | Kind::FloorActix => self.own(&[], &floor::arguments(kind, &self.canned)),
        }
    }

    /// Killdeer with further options.
    pub fn start_killdeer(&self, options: &[&str]) -> io::Result<Server> {
        self.killdeer(&[], None, options)
    }

    /// A server under callgrind, which writes into this file, when the server has ended, how many instructions it took.
    /// Killdeer takes further options.
    ///
    /// # Errors
    /// Also for MariaDB, which is too much for it.
    pub fn start_counted(&self, kind: Kind, options: &[&str], into: &Path) -> io::Result<Server> {
        let wrapper = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"].map(str::to_owned);
        let wrapper = [&wrapper[..], &[format!("--log-file={}", into.display())]].concat();
        match kind {
            Kind::Killdeer => self.killdeer(&wrapper, None, options),
            Kind::MariadbThreads | Kind::MariadbPool => Err(io::Error::other("MariaDB's instructions are not counted")),
            Kind::Opensrv => self.own(&wrapper, &opensrv::arguments(None)),
            Kind::FloorTokio | Kind::FloorActix => self.own(&wrapper, &floor::arguments(kind, &self.canned)),
        }
    }

    fn killdeer(
        &self,
        wrapper: Wrapper<'_>,
        certificate: Option<&Certificate>,
        options: &[&str],
    ) -> io::Result<Server> {
        let home = self.room()?;
        let (process, address) = echo_sql::start(wrapper, &self.echo_sql, home.path(), certificate, options)?;
        Ok(Server { process, address, _home: home })
    }

    fn mariadb(&self, certificate: Option<&Certificate>, threads: &str) -> io::Result<Server> {
        let home = self.room()?;
        let (process, address) = self.mariadb.start(home.path(), certificate, threads)?;
        Ok(Server { process, address, _home: home })
    }

    fn own(&self, wrapper: Wrapper<'_>, arguments: &[String]) -> io::Result<Server> {
        let mut process = Process::wrapped(wrapper, &std::env::current_exe()?, arguments, None)?;
        let line = process.line()?;
        let address = line.parse().map_err(|_| io::Error::other(format!("the server does not listen: {line:?}")))?;
        Ok(Server { process, address, _home: self.room()? })
    }

    /// A file with this text.
    pub fn file(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let file = self.home.path().join(name);
        std::fs::write(&file, text)?;
        Ok(file)
    }

    /// A directory for one server.
    fn room(&self) -> io::Result<TempDir> {
        tempfile::tempdir_in(self.home.path())
    }
}

/// What this program serves itself, as a child.
#[derive(Subcommand)]
pub enum Served {
    /// A minimal server on opensrv-mysql
    Opensrv(opensrv::Options),
    /// A floor
    Floor(floor::Options),
    /// Removes a directory when its parent has ended
    Sweep { directory: PathBuf },
}

impl Served {
    /// Serves for as long as it lives.
    pub fn serve(self) -> io::Result<()> {
        match self {
            Self::Opensrv(options) => options.serve(),
            Self::Floor(options) => options.serve(),
            Self::Sweep { directory } => sweeper::sweep(&directory),
        }
    }
}

/// A listener on a free port; so many may wait to be accepted.
fn listen() -> io::Result<tokio::net::TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.listen(QUEUE)
}
