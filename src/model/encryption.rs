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
