//! The options for TLS, and the rules that they ask for.

use std::{
    error::Error,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use killdeer::wire::{self, rustls::ServerConfig};

/// Which certificate the server has, if it has one.
#[derive(Args)]
pub struct Certificate {
    /// The certificate for TLS, in PEM, with those behind it
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// TLS with a certificate made just now, which no client knows
    #[arg(long, conflicts_with = "tls_cert")]
    tls_self_signed: bool,
}

impl Certificate {
    /// The rules for TLS of a server that listens at this address. Without them, when clients would want them, the log says so.
    pub fn tls(&self, address: IpAddr, is_wanted: bool) -> Result<Option<Arc<ServerConfig>>, Box<dyn Error>> {
        if self.tls_self_signed {
            let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), address.to_string()];
            let made = rcgen::generate_simple_self_signed(names)?;
            let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
            return Ok(Some(wire::tls_from_pem(cert.as_bytes(), key.as_bytes())?));
        }
        if let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let file = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
            return Ok(Some(wire::tls_from_pem(&file(cert)?, &file(key)?)?));
        }
        if is_wanted {
            tracing::warn!(
                "there is no TLS: some clients do not log in by caching_sha2_password without it \
                 (see --tls-self-signed, or plugin = \"mysql_native_password\" in the users' file)"
            );
        }
        Ok(None)
    }
}
