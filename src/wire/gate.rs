//! What logins need of the server: how passwords are proved, and TLS.

use super::{
    auth::Prover,
    conn::{Broken, Conn},
};

/// Shared by all connections of a server.
pub(super) struct Gate {
    pub(super) prover: Prover,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<tokio_rustls::TlsAcceptor>,
}

impl Gate {
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
