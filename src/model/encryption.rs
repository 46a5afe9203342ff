//! How a connection is encrypted.

/// The protocol and the cipher of an encrypted connection, by the names that OpenSSL gives them: what MySQL's status
/// variables `Ssl_version` and `Ssl_cipher` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// `TLSv1.3`, for instance.
    pub protocol: &'static str,
    /// `TLS_AES_256_GCM_SHA384`, for instance.
    pub cipher: &'static str,
}

/// What has no name here.
#[cfg(any(feature = "tls", feature = "cluster"))]
static OTHER: Encryption = Encryption { protocol: "TLS", cipher: "other" };

/// The suites of TLS 1.3 and 1.2 that rustls serves.
#[cfg(any(feature = "tls", feature = "cluster"))]
static SUITES: [Encryption; 9] = {
    const fn new(cipher: &'static str) -> Encryption {
        Encryption { protocol: "TLSv1.3", cipher }
    }
    const fn old(cipher: &'static str) -> Encryption {
        Encryption { protocol: "TLSv1.2", cipher }
    }
    [
        new("TLS_AES_256_GCM_SHA384"),
        new("TLS_AES_128_GCM_SHA256"),
        new("TLS_CHACHA20_POLY1305_SHA256"),
        old("ECDHE-ECDSA-AES256-GCM-SHA384"),
        old("ECDHE-ECDSA-AES128-GCM-SHA256"),
        old("ECDHE-ECDSA-CHACHA20-POLY1305"),
        old("ECDHE-RSA-AES256-GCM-SHA384"),
        old("ECDHE-RSA-AES128-GCM-SHA256"),
        old("ECDHE-RSA-CHACHA20-POLY1305"),
    ]
};

#[cfg(any(feature = "tls", feature = "cluster"))]
impl Encryption {
    /// The one whose cipher has this name; of one that is not known here, that there is one.
    pub(crate) fn named(cipher: &str) -> &'static Self {
        SUITES.iter().find(|known| known.cipher == cipher).unwrap_or(&OTHER)
    }
}
