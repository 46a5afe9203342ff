//! Connections under TLS.

use std::{
    io::{Read, Write},
    sync::Arc,
    time::Duration,
};

use killdeer::wire::{
    rustls::{
        self, ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
    tls_from_pem,
};
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts, prelude::Queryable};
use mysql_common::constants::CapabilityFlags;

use crate::{
    auth::accounts,
    client::{code, opts},
    raw::{BASIC, Raw, error, framed},
    server::Server,
};

/// A certificate for `localhost` in PEM, and the rules of a server that has it.
pub fn certificate() -> (String, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let rules = tls_from_pem(pem.as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    (pem, rules)
}

fn serving() -> (String, Server) {
    let (pem, rules) = certificate();
    (pem, Server::start_serving(accounts(), |serve| serve.tls(rules).passwords_by_rsa(false)))
}

fn under_tls(server: &Server, pem: &str, user: &str, password: &str) -> Opts {
    let ssl = SslOpts::default()
        .with_root_certs(vec![pem.as_bytes().to_vec().into()])
        .with_disable_built_in_roots(true)
        .with_danger_tls_hostname_override(Some("localhost"));
    OptsBuilder::from_opts(opts(server, user)).pass(Some(password)).ssl_opts(ssl).into()
}

#[tokio::test]
async fn both_plugins_work_under_tls_and_an_account_may_ask_for_it() {
    let (pem, server) = serving();
    // Twice: by the password itself, and remembered.
    for user in ["sha2", "sha2", "native", "tls"] {
        let mut conn = Conn::new(under_tls(&server, &pem, user, "secret")).await.unwrap();
        let status: (String, String) = conn.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await.unwrap().unwrap();
        assert!(status.1.starts_with("TLS_"), "{status:?}");
        let rows: Vec<u64> = conn.query("SELECT * FROM seq(200000)").await.unwrap();
        assert_eq!(rows.len(), 200_000);
        let long = "x".repeat(3 << 20);
        let echo: String = conn.query_first(format!("SELECT '{long}'")).await.unwrap().unwrap();
        assert_eq!(echo.len(), long.len() + "SELECT ''".len());
        conn.disconnect().await.unwrap();
    }
    for user in ["sha2", "native", "nobody"] {
        assert_eq!(code(Conn::new(under_tls(&server, &pem, user, "wrong")).await), 1045);
    }
    let in_the_clear = |user| OptsBuilder::from_opts(opts(&server, user)).pass(Some("secret"));
    assert_eq!(code(Conn::new(in_the_clear("tls")).await), 1045);
    let mut clear = Conn::new(in_the_clear("native")).await.unwrap();
    let status: (String, String) = clear.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await.unwrap().unwrap();
    assert_eq!(status.1, "", "none");
    clear.disconnect().await.unwrap();
    // A certificate that the client does not know.
    let (other, _) = certificate();
    assert!(Conn::new(under_tls(&server, &other, "native", "secret")).await.is_err());
    let mut victim = Conn::new(under_tls(&server, &pem, "native", "secret")).await.unwrap();
    let mut by = Conn::new(in_the_clear("native")).await.unwrap();
    by.query_drop(format!("KILL {}", victim.id())).await.unwrap();
    assert!(victim.ping().await.is_err());
    drop((victim, by));
    tokio::task::spawn_blocking(move || server.wait_empty()).await.unwrap();
}

/// The beginning of an answer to the greeting, as a wish for TLS.
pub fn wish() -> Vec<u8> {
    let flags = BASIC.union(CapabilityFlags::CLIENT_SSL);
    [&flags.bits().to_le_bytes()[..], &[0, 0, 0, 1, 45], &[0; 23]].concat()
}

fn hello(user: &str, proof: &[u8], plugin: &str) -> Vec<u8> {
    let proof_length = u8::try_from(proof.len()).unwrap();
    [&wish()[..], user.as_bytes(), &[0, proof_length], proof, plugin.as_bytes(), &[0]].concat()
}

/// A connection that has wished for TLS, with the first bytes of it in the same write.
fn at_once(server: &Server, pem: &str) -> StreamOwned<ClientConnection, std::net::TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let rules = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tls = ClientConnection::new(Arc::new(rules), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut raw = Raw::greeted(server);
    assert_ne!(raw.capabilities & CapabilityFlags::CLIENT_SSL.bits(), 0);
    let mut first = framed(1, &wish());
    tls.write_tls(&mut first).unwrap();
    raw.socket.write_all(&first).unwrap();
    StreamOwned::new(tls, raw.socket)
}

fn packet(stream: &mut impl Read) -> Vec<u8> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).unwrap();
    let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
    stream.read_exact(&mut payload).unwrap();
    payload
}

#[test]
fn a_password_in_the_clear_is_taken_under_tls() {
    let (pem, server) = serving();
    for user in ["sha2", "native"] {
        for (password, code) in [("secret\0", 0), ("secret", 0), ("Secret\0", 1045), ("\0", 1045)] {
            let mut tls = at_once(&server, &pem);
            tls.write_all(&framed(2, &hello(user, password.as_bytes(), "mysql_clear_password"))).unwrap();
            let answer = packet(&mut tls);
            match code {
                0 => assert_eq!(answer[0], 0, "{user} {password:?}"),
                code => assert_eq!(error(&answer).code(), code, "{user} {password:?}"),
            }
        }
    }
}

#[test]
fn what_is_sent_in_the_clear_behind_a_wish_for_tls_is_never_obeyed() {
    let (_, server) = serving();
    let mut raw = Raw::greeted(&server);
    let both = [framed(1, &wish()), framed(2, &hello("open", &[], "mysql_native_password"))].concat();
    raw.socket.write_all(&both).unwrap();
    let mut rest = Vec::new();
    raw.socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // An alert of TLS and the end, or a reset.
    let _ = raw.socket.read_to_end(&mut rest);
    assert!(rest.first().is_none_or(|first| *first == 0x15), "{rest:?}");
    server.wait_empty();
    let status = server.runtime.status();
    assert_eq!((status.aborted_logins, status.aborted_clients), (1, 0));
}

#[test]
fn a_client_that_says_tls_and_does_not_mean_it_is_refused() {
    let (_, server) = serving();
    let mut raw = Raw::greeted(&server);
    raw.send(&hello("open", &[], "mysql_native_password"));
    assert_eq!(error(&raw.receive().unwrap()).code(), 1043);
    // Nor is it offered where there is none.
    let server = Server::start();
    let mut raw = Raw::greeted(&server);
    assert_eq!(raw.capabilities & CapabilityFlags::CLIENT_SSL.bits(), 0);
    raw.send(&wish());
    assert_eq!(error(&raw.receive().unwrap()).code(), 1043);
    server.wait_empty();
}
