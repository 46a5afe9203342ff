//! The proxy as an engine of the runtime's: which servers it stands in front of, and what all of its clients share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{accounts::Accounts, backend, session::ProxySession, shun::Shun};
use crate::{
    control::Syntax,
    engine::Engine,
    lock::{Lock, Over},
    model::{Done, Login, Principal, ServerAddress, SqlError},
};

/// So long making a connection to a server may take, unless the host says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A proxy being put together. See [`Proxy::builder`].
#[derive(Debug)]
pub struct ProxyBuilder {
    accounts: Accounts,
    servers: Vec<ServerAddress>,
    read_split: bool,
    connect_timeout: Duration,
    syntax: Syntax,
    takes_keys: bool,
}

impl ProxyBuilder {
    /// One more server. The first one is the primary, which takes all that writes.
    #[must_use]
    pub fn server(mut self, host: impl Into<String>, port: u16) -> Self {
        self.servers.push(ServerAddress::Tcp(host.into(), port));
        self
    }

    /// The same, of a server on this machine that is reached by its Unix socket, with this path: that costs less than TCP, and its
    /// accounts are those of `localhost` there. Lists show the path where they show addresses, and port 0.
    ///
    /// Whoever listens there is sent passwords as they are, where `caching_sha2_password` needs them: the directory has to be
    /// one that the server alone can write to. Unlike one that is reached by TCP, a server that hangs and takes nothing of what
    /// it is sent is not given up after a minute.
    #[cfg(unix)]
    #[must_use]
    pub fn unix_server(mut self, path: impl AsRef<std::path::Path>) -> Self {
        let path = std::path::absolute(&path).unwrap_or_else(|_| path.as_ref().to_owned());
        self.servers.push(ServerAddress::Unix(path));
        self
    }

    /// Whether statements that only read, outside of transactions, run at any of the servers, in turn; at the primary unless
    /// said otherwise. A replica may be behind what the client has just written.
    #[must_use]
    pub fn read_split(self, split: bool) -> Self {
        Self { read_split: split, ..self }
    }

    /// So long making a connection to a server may take, login included; 10 s unless said otherwise.
    #[must_use]
    pub fn connect_timeout(self, time: Duration) -> Self {
        Self { connect_timeout: time, ..self }
    }

    /// Whether the proxy encrypts a password for a public key that comes from its server: with `caching_sha2_password` one that
    /// has not seen the password since it started asks for that. Whoever answers at a server's address, or can change what
    /// goes over the network, can send a key of its own, and so read the password; the mysql client asks for the same
    /// consent by `--get-server-public-key`. Without it, the default, such a login fails (1429), unless the server is on
    /// the same machine: at a loopback address, or by its Unix socket, where no key is needed.
    #[must_use]
    pub fn get_server_public_key(self, get: bool) -> Self {
        Self { takes_keys: get, ..self }
    }

    /// Which comments the servers take for code; [`Syntax::MYSQL`] unless said otherwise. A statement with a comment that
    /// some server takes for code is the primary's in any case.
    #[must_use]
    pub fn syntax(self, syntax: Syntax) -> Self {
        Self { syntax, ..self }
    }

    /// The engine. Nothing is connected before a client's first statement.
    pub fn build(self) -> Proxy {
        let servers = self.servers.into_iter().map(Place::new).collect();
        Proxy {
            shared: Arc::new(Shared {
                servers,
                accounts: self.accounts,
                read_split: self.read_split,
                connect_timeout: self.connect_timeout,
                syntax: self.syntax,
                takes_keys: self.takes_keys,
                turn: AtomicUsize::new(0),
                abandoned: AtomicUsize::new(0),
                began: Instant::now(),
                autocommit_off: AtomicBool::new(false),
                no_backslash_escapes: AtomicBool::new(false),
            }),
        }
    }
}

/// An engine that passes its clients' statements on to MySQL servers. It needs [`Placement::Inline`](crate::Placement::Inline).
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
}

impl Proxy {
    /// Begins a proxy for these accounts.
    pub fn builder(accounts: Accounts) -> ProxyBuilder {
        ProxyBuilder {
            accounts,
            servers: Vec::new(),
            read_split: false,
            connect_timeout: CONNECT_TIMEOUT,
            syntax: Syntax::MYSQL,
            takes_keys: false,
        }
    }
}

impl Engine for Proxy {
    type Session = ProxySession;

    async fn authenticate(&self, login: &mut Login<'_>) -> Result<Principal, SqlError> {
        self.shared.accounts.authenticate(login).await
    }

    async fn open(&self, who: &Arc<Principal>) -> Result<ProxySession, SqlError> {
        Ok(ProxySession::new(Arc::clone(&self.shared), Arc::clone(who)))
    }
}

/// What all clients of a proxy share.
#[derive(Debug)]
pub(super) struct Shared {
    servers: Vec<Place>,
    accounts: Accounts,
    pub(super) read_split: bool,
    pub(super) connect_timeout: Duration,
    pub(super) syntax: Syntax,
    /// Whether servers' public keys are taken from them.
    takes_keys: bool,
    /// Whose turn it is to take a read.
    turn: AtomicUsize,
    /// How many logins go on that nobody waits for any more.
    pub(super) abandoned: AtomicUsize,
    /// What the times below are counted from.
    began: Instant,
    /// The flags that the primary's sessions begin with, as far as one has begun.
    autocommit_off: AtomicBool,
    no_backslash_escapes: AtomicBool,
}

/// One of the servers.
#[derive(Debug)]
struct Place {
    address: Arc<ServerAddress>,
    shun: Lock<Shun>,
    /// Until when it is asked last, in milliseconds: what `shun` says, for those who only read it.
    last_until: AtomicU64,
}

impl Place {
    fn new(address: ServerAddress) -> Self {
        let shun = Lock::new(Over::Slot, Shun::default());
        Self { address: Arc::new(address), shun, last_until: AtomicU64::new(0) }
    }

    /// Something was learnt about it.
    fn note(&self, what: impl FnOnce(&mut Shun)) {
        let mut shun = self.shun.hold();
        what(&mut shun);
        self.last_until.store(shun.over(), Relaxed);
    }
}

impl Shared {
    /// As whom this client's statements run at the servers.
    pub(super) fn account(&self, who: &Principal) -> Option<backend::Account> {
        let (user, password) = self.accounts.of(who)?.server_login();
        let (user, password) = (user.to_owned(), password.to_owned());
        Some(backend::Account { user, password, takes_keys: self.takes_keys })
    }

    /// The flags that a client's session begins with, as far as the primary has said them.
    pub(super) fn first_flags(&self) -> Done {
        let (autocommit, no_backslash_escapes) =
            (!self.autocommit_off.load(Relaxed), self.no_backslash_escapes.load(Relaxed));
        Done { autocommit, no_backslash_escapes, ..Done::default() }
    }

    /// A session at the primary has begun with these.
    pub(super) fn begins_with(&self, flags: Done) {
        self.autocommit_off.store(!flags.autocommit, Relaxed);
        self.no_backslash_escapes.store(flags.no_backslash_escapes, Relaxed);
    }

    /// How many servers there are.
    pub(super) fn count(&self) -> usize {
        self.servers.len()
    }

    /// Where one of them is.
    pub(super) fn address(&self, at: usize) -> Option<&Arc<ServerAddress>> {
        self.servers.get(at).map(|place| &place.address)
    }

    /// In which order servers are asked to take a read: each begins in its turn, those that could not be reached just now
    /// come last.
    pub(super) fn readers(&self) -> Vec<usize> {
        let count = self.servers.len().max(1);
        let first = self.turn.fetch_add(1, Relaxed) % count;
        let mut order: Vec<usize> = (0..self.servers.len()).map(|next| (first + next) % count).collect();
        order.sort_by_key(|at| self.is_shunned(*at));
        order
    }

    /// Whether a server could not be reached just now.
    pub(super) fn is_shunned(&self, at: usize) -> bool {
        self.servers.get(at).is_some_and(|place| place.last_until.load(Relaxed) > self.now())
    }

    /// Somebody tries to connect to a server. When that began.
    pub(super) fn trying(&self, at: usize) -> u64 {
        let now = self.now();
        if let Some(place) = self.servers.get(at) {
            place.note(|shun| shun.tried(now, millis(self.connect_timeout)));
        }
        now
    }

    /// Whether the server could be reached that somebody tried to connect to since then.
    pub(super) fn tried(&self, at: usize, since: u64, well: bool) {
        let Some(place) = self.servers.get(at) else { return };
        let now = self.now();
        if well {
            place.note(Shun::reached);
        } else {
            place.note(|shun| shun.failed(now, now.saturating_sub(since)));
        }
    }

    fn now(&self) -> u64 {
        millis(self.began.elapsed())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_take_reads_in_turn_and_those_that_fail_come_last() {
        let proxy = Proxy::builder(Accounts::new()).server("a", 1).server("b", 2).server("c", 3).build().shared;
        assert_eq!([proxy.readers(), proxy.readers()], [[0, 1, 2], [1, 2, 0]]);
        proxy.tried(2, proxy.trying(2), false);
        assert_eq!([proxy.readers(), proxy.readers()], [[0, 1, 2], [0, 1, 2]]);
        proxy.tried(2, proxy.trying(2), false);
        assert_eq!(proxy.readers(), [1, 0, 2]);
        proxy.tried(2, proxy.trying(2), true);
        assert_eq!(proxy.readers()[0], 2, "the turns go on");
        assert!(Proxy::builder(Accounts::new()).build().shared.readers().is_empty());
    }
}
