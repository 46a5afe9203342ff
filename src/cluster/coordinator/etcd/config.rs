//! Where an etcd is, and how a node gets in there.

use std::fmt;

use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};
use tonic::transport::Uri;

use super::{EtcdNode, link::PATIENCE};

/// An etcd, or several that are one cluster, which gives out the server ids.
///
/// Nodes of one cluster have the same prefix; a user of etcd's needs `readwrite` for what begins with it. Without TLS the
/// user's password is sent as it is.
#[derive(Clone)]
pub struct Etcd {
    endpoints: Vec<String>,
    prefix: String,
    user: Option<(String, String)>,
    tls: Option<TlsOptions>,
}

/// No place where an etcd could be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EtcdError {
    /// None was said.
    #[error("no etcd is named")]
    None,
    /// This one has no host or no port.
    #[error("no address of an etcd: {0}")]
    Address(String),
}

impl Etcd {
    /// The etcds at these addresses, each as host and port (`10.0.0.7:2379`). One of them is asked; the next one, when it
    /// does not answer.
    ///
    /// # Errors
    /// There is none, or something else among them.
    pub fn at<T: Into<String>>(addresses: impl IntoIterator<Item = T>) -> Result<Self, EtcdError> {
        let endpoints: Vec<String> = addresses.into_iter().map(Into::into).collect();
        if endpoints.is_empty() {
            return Err(EtcdError::None);
        }
        for address in &endpoints {
            let uri = address.parse::<Uri>().ok().filter(|uri| uri.scheme().is_none() && uri.path().is_empty());
            let found = uri.filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
            if found.and_then(|uri| uri.port_u16()).is_none_or(|port| port == 0) {
                return Err(EtcdError::Address(address.clone()));
            }
        }
        Ok(Self { endpoints, prefix: "/killdeer".into(), user: None, tls: None })
    }

    /// What all keys of the cluster begin with; `/killdeer` unless said otherwise. A `/` at its end makes no difference.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        Self { prefix: prefix.trim_end_matches('/').into(), ..self }
    }

    /// The user of etcd's to be, and the password.
    #[must_use]
    pub fn user(self, name: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: Some((name.into(), password.into())), ..self }
    }

    /// With TLS; an etcd is who it says if this authority, as PEM, has signed so.
    #[must_use]
    pub fn tls(self, authority: impl AsRef<[u8]>) -> Self {
        let tls = self.tls.unwrap_or_default().ca_certificate(Certificate::from_pem(authority));
        Self { tls: Some(tls), ..self }
    }

    /// With TLS, and this certificate with its key, both as PEM, to be let in.
    #[must_use]
    pub fn certificate(self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let tls = self.tls.unwrap_or_default().identity(Identity::from_pem(certificate, key));
        Self { tls: Some(tls), ..self }
    }

    /// With TLS; this is the name in the etcds' certificates, if it is not the host of their addresses.
    #[must_use]
    pub fn tls_name(self, name: impl Into<String>) -> Self {
        Self { tls: Some(self.tls.unwrap_or_default().domain_name(name)), ..self }
    }

    /// A node's way to it. Nothing is asked before the node is.
    pub fn node(&self) -> EtcdNode {
        EtcdNode::new(self)
    }

    pub(super) fn addresses(&self) -> &[String] {
        &self.endpoints
    }

    pub(super) fn key_prefix(&self) -> &str {
        &self.prefix
    }

    /// How to get in.
    pub(super) fn options(&self) -> ConnectOptions {
        // An etcd takes pings that come more often than each 5 s for an attack.
        let mut options = ConnectOptions::new()
            .with_connect_timeout(PATIENCE)
            .with_keep_alive(PATIENCE * 3, PATIENCE)
            .with_keep_alive_while_idle(true)
            .with_require_leader(true);
        if let Some((name, password)) = &self.user {
            options = options.with_user(name, password).with_auto_token_refresh(true);
        }
        match &self.tls {
            Some(tls) => options.with_tls(tls.clone()),
            None => options,
        }
    }
}

impl fmt::Debug for Etcd {
    /// Without the password and the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix)
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["127.0.0.1:2379", "etcd.example:2379", "[::1]:2379"] {
            assert!(Etcd::at([good]).is_ok(), "{good}");
        }
        for bad in ["", "127.0.0.1", "http://127.0.0.1:2379", "127.0.0.1:2379/x", "127.0.0.1:0", "a b:1", ":2379"] {
            assert_eq!(Etcd::at([bad]).unwrap_err(), EtcdError::Address(bad.into()));
        }
        assert_eq!(Etcd::at([""; 0]).unwrap_err(), EtcdError::None);
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let etcd = Etcd::at(["a:1"]).unwrap().user("root", "tiger").certificate("certificate", "lion").prefix("/x/");
        let shown = format!("{etcd:?} {:?}", etcd.node());
        assert!(shown.contains("root") && !shown.contains("tiger") && !shown.contains("lion"), "{shown}");
        assert_eq!(etcd.key_prefix(), "/x");
    }
}
