//! Rules for TLS from PEM files, for servers that need no others.

use std::sync::Arc;

use tokio_rustls::rustls::{
    self, CipherSuite, ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

use crate::model::Encryption;

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The text is no PEM, or holds no certificate or no key.
    #[error("no certificate or key in PEM: {0}")]
    Pem(#[from] pem::Error),
    /// They do not fit each other, or are of a kind that is not served.
    #[error(transparent)]
    Refused(#[from] rustls::Error),
}

/// TLS 1.2 and 1.3 with this certificate, behind which others may stand up to the root's, and its key, both in PEM.
/// Clients are not asked for certificates. For [`super::Serve::tls`].
///
/// # Errors
/// What is given is not that.
pub fn tls_from_pem(certificates: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() {
        return Err(pem::Error::NoItemsFound.into());
    }
    let key = PrivateKeyDer::from_pem_slice(key)?;
    let rules = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(rules))
}

/// What is said of a suite, by the name that OpenSSL has for it; of one that a host's own rules have brought along, that there
/// is one.
pub(super) fn encryption(suite: CipherSuite) -> &'static Encryption {
    use CipherSuite as S;
    Encryption::named(match suite {
        S::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        S::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        S::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        S::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        S::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        S::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        S::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        S::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        S::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_that_is_offered_has_its_name() {
        for suite in ring::ALL_CIPHER_SUITES {
            assert_ne!(encryption(suite.suite()), encryption(CipherSuite::TLS_NULL_WITH_NULL_NULL), "{suite:?}");
        }
    }

    #[test]
    fn a_certificate_needs_its_own_key() {
        let make = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (one, two) = (make(), make());
        let rules = |cert: &str, key: &str| tls_from_pem(cert.as_bytes(), key.as_bytes());
        rules(&one.cert.pem(), &one.signing_key.serialize_pem()).unwrap();
        let other = rules(&one.cert.pem(), &two.signing_key.serialize_pem());
        assert!(matches!(other, Err(TlsError::Refused(_))));
        assert!(matches!(rules("", &one.signing_key.serialize_pem()), Err(TlsError::Pem(_))));
        assert!(matches!(rules(&one.cert.pem(), "key"), Err(TlsError::Pem(_))));
    }
}
