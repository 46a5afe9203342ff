//! What the servers show in TLS: the same certificate, made anew for each run.

use std::{
    fs::write,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_rustls::rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

pub struct Certificate {
    /// In PEM.
    pub cert: PathBuf,
    pub key: PathBuf,
    /// In DER.
    cert_der: PathBuf,
    key_der: PathBuf,
}

impl Certificate {
    /// Made just now, in files of this directory.
    pub fn make(home: &Path) -> io::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
        let at = |name: &str| home.join(name);
        let files = Self { cert: at("cert.pem"), key: at("key.pem"), cert_der: at("cert.der"), key_der: at("key.der") };
        write(&files.cert, made.cert.pem())?;
        write(&files.key, made.signing_key.serialize_pem())?;
        write(&files.cert_der, made.cert.der())?;
        write(&files.key_der, made.signing_key.serialize_der())?;
        Ok(files)
    }

    /// Where it is to be read by a child.
    pub fn der(&self) -> [&Path; 2] {
        [&self.cert_der, &self.key_der]
    }
}

/// What a server that speaks by rustls needs.
pub fn read(cert: &Path, key: &Path) -> io::Result<Arc<ServerConfig>> {
    let cert = CertificateDer::from(std::fs::read(cert)?);
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(std::fs::read(key)?));
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert], key);
    Ok(Arc::new(config.map_err(io::Error::other)?))
}
