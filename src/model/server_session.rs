//! What a proxy's client session has at the servers behind it: its server sessions, as lists and kills see them.

#![cfg_attr(not(feature = "proxy"), allow(dead_code, reason = "made by proxies alone"))]

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where a server is, as the host wrote it down.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ServerAddress {
    /// Its name or address, and its port.
    Tcp(String, u16),
    /// The path of its Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// What the connection of a server session has reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ServerPeer {
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix {
        path: Arc<Path>,
        /// The process that listens there, as far as the system says: another one may have the path by and by.
        process: Option<i32>,
    },
}

impl ServerPeer {
    /// Its address, or its socket's path.
    pub(crate) fn host(&self) -> String {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().to_string(),
            Self::Unix { path, .. } => path.to_string_lossy().into_owned(),
        }
    }

    /// Its port; 0: it has none.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Tcp(address) => address.port(),
            Self::Unix { .. } => 0,
        }
    }
}

impl fmt::Display for ServerPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { path, .. } => path.display().fmt(f),
        }
    }
}

/// Where a server session is in its client's hands, in ODP's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerPlace {
    /// A statement runs on it, or what it keeps binds the client to it (`curr used ss`).
    Current,
    /// The last statement ran on it (`last used ss`).
    LastUsed,
    /// It waits for a statement (`ss pool [n]`), under this number from 0.
    Pooled(usize),
}

/// What a server session is doing, in ODP's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerState {
    /// It is being made.
    Init,
    /// A statement runs on it.
    Active,
    /// It is kept for the client, whose next statement has to run on it: a transaction is open there, for instance.
    KeptForClient,
    /// It is kept, and waits.
    Kept,
}

impl ServerState {
    /// As `SHOW PROXYSESSION ATTRIBUTE` shows it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "MSS_INIT",
            Self::Active => "MSS_ACTIVE",
            Self::KeptForClient => "MSS_KA_CLIENT_SLAVE",
            Self::Kept => "MSS_KA_SHARED",
        }
    }
}

/// How often each part of a session's state has changed: a server session whose numbers are lower than its client's is brought
/// up to date before it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) hot_sys_var: u64,
    pub(crate) sys_var: u64,
    pub(crate) user_var: u64,
    pub(crate) last_insert_id: u64,
    pub(crate) db_name: u64,
}

/// One server session.
#[derive(Clone, Debug)]
pub(crate) struct ServerSession {
    /// The proxy's own number for it: counted from 1 in this process.
    pub(crate) ss_id: u64,
    /// The address that its connection has reached.
    pub(crate) server: ServerPeer,
    /// The server's number for it: what a `KILL` there takes.
    pub(crate) server_sessid: u64,
    pub(crate) place: ServerPlace,
    pub(crate) state: ServerState,
    /// Statements that it has run.
    pub(crate) statements: u64,
    /// Whether a transaction is open on it.
    pub(crate) in_transaction: bool,
    pub(crate) versions: Versions,
}

/// A variable that the client has changed in its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangedVariable {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Whether it is a user variable (`@x`).
    pub(crate) user: bool,
    /// Whether it is one of those that change often.
    pub(crate) hot: bool,
}

/// What becomes of one server session that is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerEnd {
    /// It ends alone: a statement that runs on it fails, and the client goes on.
    Alone,
    /// A transaction is open on it: its client's session has to end with it. Nothing was ended yet.
    WithItsClient,
}

/// What a client session of a proxy lets others see of its server sessions, and do to them. Asked on any thread; answers at
/// once.
pub(crate) trait ServerSessions: Send + Sync + 'static {
    /// All of them, in the order in which they are shown: the last used, the current, then the pool.
    fn servers(&self) -> Vec<ServerSession>;

    /// How many there are.
    fn count(&self) -> usize;

    /// How many transactions the client has begun (a statement outside of one counts as one).
    fn transactions(&self) -> u64;

    /// The client's own versions.
    fn versions(&self) -> Versions;

    /// What the client has changed, by name.
    fn variables(&self) -> Vec<ChangedVariable>;

    /// Ends one of them, at once. `None`: there is none with this number.
    fn end(&self, ss_id: u64) -> Option<ServerEnd>;
}
