//! How the nodes of a cluster know each other.

use std::{fmt, net::SocketAddr, sync::Arc};

use tokio_rustls::rustls::{
    self, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{VerifierBuilderError, WebPkiClientVerifier},
};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::rpc::seal::Secret;
use crate::model::PeerRefusal;

/// How the nodes of a cluster know each other, so that nobody else lists or kills sessions through the peers' port.
#[derive(Clone, Debug)]
pub struct Trust(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Loopback,
    Secret(Secret),
    MutualTls(Box<MutualTls>),
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Loopback => "Loopback",
            Kind::Secret(_) => "Secret",
            Kind::MutualTls(_) => "MutualTls",
        })
    }
}

#[derive(Clone)]
pub(super) struct MutualTls {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: ClientTlsConfig,
    /// What the nodes' certificates are for; `None`: for each node's own address.
    pub(super) name: Option<String>,
}

/// Why nodes cannot know each other in this way.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Whoever tries could find it.
    #[error("a cluster's secret has 16 bytes at least")]
    ShortSecret,
    /// Nodes that know each other by nothing are on one machine.
    #[error("{0} is not a loopback address: nodes elsewhere need a secret or certificates")]
    NotLoopback(SocketAddr),
    /// A text is no PEM, or holds no certificate or no key.
    #[error("no certificate or key in PEM: {0}")]
    Pem(#[from] pem::Error),
    /// The authority's certificate is none.
    #[error("no authority's certificate: {0}")]
    Authority(#[from] VerifierBuilderError),
    /// The certificate and the key do not fit each other, or are of a kind that is not served.
    #[error(transparent)]
    Refused(#[from] rustls::Error),
}

impl Trust {
    /// By nothing: whoever can reach the peers' port is a node. The port, and those of all members, must have loopback
    /// addresses; and everybody on this machine can kill and list sessions in anybody's name.
    pub const fn loopback() -> Self {
        Self(Kind::Loopback)
    }

    /// By a secret that all nodes have and nobody else: every call and every answer is sealed with it (HMAC-SHA256). Calls
    /// cannot be made, changed or repeated without it. They can be read: what is listed goes over the network in the clear.
    ///
    /// A call is good for 30 s: the nodes' clocks may differ by as much. After a clock was far ahead and was set back, a node
    /// hears nobody before that time has come again: a call of that time could be a repetition.
    ///
    /// # Errors
    /// It has fewer than 16 bytes.
    pub fn secret(secret: &[u8]) -> Result<Self, TrustError> {
        Secret::new(secret).map(|secret| Self(Kind::Secret(secret))).ok_or(TrustError::ShortSecret)
    }

    /// By certificates of one authority, in TLS: each node shows its own, all in PEM. Whoever has a certificate of this
    /// authority is taken for a node, so it should be the cluster's own. A node's certificate is for the IP address that its
    /// peers are told, as server and as client; or see [`Trust::certified_as`].
    ///
    /// # Errors
    /// What is given is not that.
    pub fn mutual_tls(authority: &[u8], certificates: &[u8], key: &[u8]) -> Result<Self, TrustError> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate?)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider)).build()?;
        let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>()?;
        if chain.is_empty() {
            return Err(pem::Error::NoItemsFound.into());
        }
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key)?)?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        let client = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(authority))
            .identity(Identity::from_pem(certificates, key));
        Ok(Self(Kind::MutualTls(Box::new(MutualTls { server: Arc::new(server), client, name: None }))))
    }

    /// The same, with certificates for this DNS name on all nodes rather than for each node's address.
    #[must_use]
    pub fn certified_as(self, name: impl Into<String>) -> Self {
        match self.0 {
            Kind::MutualTls(tls) => Self(Kind::MutualTls(Box::new(MutualTls { name: Some(name.into()), ..*tls }))),
            other => Self(other),
        }
    }

    /// Whether a peer may be at this address.
    pub(super) fn admits(&self, address: SocketAddr) -> Result<(), TrustError> {
        match self.0 {
            Kind::Loopback if !address.ip().to_canonical().is_loopback() => Err(TrustError::NotLoopback(address)),
            _ => Ok(()),
        }
    }

    /// The secret, if there is one.
    pub(super) fn sealing(&self) -> Option<&Secret> {
        match &self.0 {
            Kind::Secret(secret) => Some(secret),
            _ => None,
        }
    }
}

/// What a failed handshake says of who tried. `None`: nothing but that it was broken off.
pub(super) fn failed(error: &std::io::Error) -> Option<PeerRefusal> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_) => {
            Some(PeerRefusal::NoCertificate)
        }
        rustls::Error::AlertReceived(_) => None,
        _ => Some(PeerRefusal::Malformed),
    }
}
