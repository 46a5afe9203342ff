//! What logins need of the server: how passwords are proved, and TLS. First as a host says it, then as connections share
//! it.

#[cfg(feature = "tls")]
use std::sync::Arc;
use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use socket2::SockRef;

use super::{
    auth::{AuthPlugin, Prover},
    conn::{Broken, Conn},
    keepalive::Keepalive,
    proxy::Network,
};
use crate::{
    model::Origin,
    supervisor::{Gauge, Gauged},
};

/// So many clients that were turned away may take their time to read why, all at once: they have no place any more that
/// would bound them.
const LINGERING: usize = 128;

/// So many that are not in yet may have said more of themselves than [`USUAL_LOGIN`], all at once.
const LARGE_LOGINS: usize = 128;

/// A packet before login that is longer, in bytes, is one of few: what clients say of themselves takes some hundred bytes.
pub(super) const USUAL_LOGIN: usize = 4 * 1024;

/// On which terms clients are let in, for a [`Door`](super::Door): how they prove their passwords, whether there is TLS,
/// which proxies are trusted, and when a silent client is given up.
#[derive(Clone, Debug)]
pub struct Terms {
    plugin: AuthPlugin,
    rsa: bool,
    proxies: Vec<Network>,
    odp: Vec<Network>,
    keepalive: Option<Keepalive>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
}

impl Default for Terms {
    /// [`AuthPlugin::CachingSha2`], passwords by RSA too, no TLS, no proxies, the keepalive that is [`Keepalive`]'s default.
    fn default() -> Self {
        Self {
            plugin: AuthPlugin::default(),
            rsa: true,
            proxies: Vec::new(),
            odp: Vec::new(),
            keepalive: Some(Keepalive::default()),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl Terms {
    /// Offers TLS to clients, with these certificates and rules.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, config: Arc<tokio_rustls::rustls::ServerConfig>) -> Self {
        Self { tls: Some(config), ..self }
    }

    /// The method that the greeting names, and by which unknown users are asked (MySQL:
    /// default_authentication_plugin); [`AuthPlugin::CachingSha2`] unless said otherwise. An account is asked by the
    /// method of its verifier.
    #[must_use]
    pub fn default_plugin(self, plugin: AuthPlugin) -> Self {
        Self { plugin, ..self }
    }

    /// Whether clients of `caching_sha2_password` without TLS may send their passwords encrypted by RSA; yes unless said
    /// otherwise. Without it they need TLS, or a Unix socket, for the first login. The key is made when it is first asked
    /// for, and lives as long as the server.
    #[must_use]
    pub fn passwords_by_rsa(self, allowed: bool) -> Self {
        Self { rsa: allowed, ..self }
    }

    /// Trusts proxies of these networks to say whom they forward, by the PROXY protocol, version 1 or 2; none unless said
    /// otherwise. Every TCP connection from there has to begin with a header, health checks included, or it is closed
    /// without a greeting (Percona Server: proxy_protocol_networks). The client's address in it counts from then on: lists
    /// show it, `USER()` says it, engines let accounts in by it, those of this machine too. A header without one
    /// (`UNKNOWN`, `LOCAL`) leaves the connection its own address, and is no failure of a host if it breaks off. From elsewhere no header is read: one that comes is
    /// rubbish where a login should be. Unix sockets are not proxied.
    ///
    /// Whoever connects from these networks can say that it is anybody: name proxies alone, not the networks of clients.
    #[must_use]
    pub fn proxied_from(self, networks: impl IntoIterator<Item = Network>) -> Self {
        Self { proxies: networks.into_iter().collect(), ..self }
    }

    /// Believes OceanBase's proxies (ODP) of these networks when they say which of their clients a connection is for, by the
    /// attributes `__client_session_id` and `__client_connect_time`; none unless said otherwise. It counts in the dialect
    /// [`oceanbase`](crate::Dialect::oceanbase) alone. Lists and `CONNECTION_ID()` show the client session's id then, and
    /// `KILL` of it reaches all connections for that client. From elsewhere, and over Unix sockets, the attributes are
    /// kept and mean nothing. Where a connection comes from, a header of the PROXY protocol says, if one is trusted.
    ///
    /// Whoever connects from these networks can say any id. It gains no right over others by it: who may see and kill a
    /// session, its account decides. It can have its own sessions shown under the id of somebody else's client, so that
    /// whoever may kill both ends both. Name proxies alone.
    #[must_use]
    pub fn odp_from(self, networks: impl IntoIterator<Item = Network>) -> Self {
        Self { odp: networks.into_iter().collect(), ..self }
    }

    /// When a client of TCP that is silent is given up; [`Keepalive::default`] unless said otherwise, and `None`: never.
    #[must_use]
    pub fn keepalive(self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        Self { keepalive: keepalive.into(), ..self }
    }

    /// What connections on these terms share.
    pub(super) fn gate(self) -> Gate {
        Gate {
            prover: Prover::new(self.plugin, self.rsa),
            proxies: self.proxies.into(),
            odp: self.odp.into(),
            keepalive: self.keepalive,
            came: AtomicU64::new(0),
            lingering: Gauge::default(),
            large_logins: Gauge::default(),
            #[cfg(feature = "tls")]
            tls: self.tls.map(Into::into),
        }
    }
}

/// Shared by all connections of a server.
pub(super) struct Gate {
    pub(super) prover: Prover,
    proxies: Box<[Network]>,
    odp: Box<[Network]>,
    pub(super) keepalive: Option<Keepalive>,
    /// How many connections over TCP have come.
    came: AtomicU64,
    lingering: Gauge,
    large_logins: Gauge,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
}

impl Gate {
    /// Whether what comes from there is a proxy's.
    pub(super) fn trusts(&self, from: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(from))
    }

    /// Whether a client session's id is believed that comes from there.
    pub(super) fn names_clients(&self, from: &Origin) -> bool {
        from.ip().is_some_and(|from| self.odp.iter().any(|network| network.contains(from)))
    }

    /// Has the system ask for a new connection over TCP at another time than for those that came with it.
    pub(super) fn spread(&self, socket: &SockRef<'_>) {
        if let Some(keepalive) = self.keepalive
            && let Err(error) = keepalive.spread(socket, self.came.fetch_add(1, Ordering::Relaxed))
        {
            tracing::debug!(%error, "a client is asked whether it is there when others are");
        }
    }

    /// One that was turned away takes its time to read why, for as long as this is held. `None`: too many do.
    pub(super) fn linger(&self) -> Option<Gauged> {
        self.lingering.enter(LINGERING)
    }

    /// One that is not in yet has said more than usual, which is kept for as long as this is held. `None`: too many have.
    pub(super) fn large_login(&self) -> Option<Gauged> {
        self.large_logins.enter(LARGE_LOGINS)
    }

    /// Whether a client may go on under TLS.
    #[cfg(feature = "tls")]
    pub(super) fn offers_tls(&self) -> bool {
        self.tls.is_some()
    }

    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unused_self)] // as the other one
    pub(super) fn offers_tls(&self) -> bool {
        false
    }

    /// Goes on under TLS.
    #[cfg(feature = "tls")]
    pub(super) async fn start_tls(&self, conn: &mut Conn) -> Result<(), Broken> {
        match &self.tls {
            Some(acceptor) => conn.start_tls(acceptor).await,
            None => Err(Broken::Gone),
        }
    }

    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unused_async, clippy::unused_self)] // as the other one
    pub(super) async fn start_tls(&self, _: &mut Conn) -> Result<(), Broken> {
        Err(Broken::Gone)
    }
}
