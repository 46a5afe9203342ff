//! Clients of a Unix socket.

use std::{os::unix::net::UnixStream, path::PathBuf};

use killdeer::wire::listen_unix;
use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};

use crate::{auth::accounts, client::code, raw::Raw, server::Server};

/// A directory of the test's own.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("killdeer-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn clients_come_from_localhost_and_may_send_their_passwords() {
    let directory = Directory::new("clients");
    let path = directory.0.join("socket");
    let listener = listen_unix(&path).unwrap();
    // Without RSA: a password that comes, comes in the clear.
    let server = Server::start_serving(accounts(), |serve| serve.passwords_by_rsa(false).unix(listener));
    let with = |user: &str, password: &str| -> Opts {
        let socket = path.to_str().map(str::to_owned);
        OptsBuilder::default().socket(socket).user(Some(user)).pass(Some(password)).into()
    };
    for user in ["sha2", "sha2", "native", "tls"] {
        let mut conn = Conn::new(with(user, "secret")).await.unwrap();
        let own: String = conn.query_first("SELECT USER()").await.unwrap().unwrap();
        assert_eq!(own, format!("{user}@localhost"));
        let row = server.row(conn.id()).unwrap();
        assert_eq!(row.peer.to_string(), "localhost");
        let rows: Vec<mysql_async::Row> = conn.query("SHOW PROCESSLIST").await.unwrap();
        assert_eq!(rows[0].get::<String, _>("Host").as_deref(), Some("localhost"));
        let many: Vec<u64> = conn.query("SELECT * FROM seq(50000)").await.unwrap();
        assert_eq!(many.len(), 50_000);
        conn.disconnect().await.unwrap();
    }
    assert_eq!(code(Conn::new(with("sha2", "wrong")).await), 1045);
    assert_eq!(code(Conn::new(with("nobody", "secret")).await), 1045);
    tokio::task::spawn_blocking(move || {
        // The other way in is still there.
        let raw = Raw::login_as(&server, "open", crate::raw::BASIC);
        assert!(server.row(raw.id).unwrap().peer.ip().is_some());
        drop(raw);
        server.wait_empty();
    })
    .await
    .unwrap();
}

#[test]
fn a_socket_is_taken_over_from_the_dead_alone() {
    let directory = Directory::new("taken");
    let path = directory.0.join("socket");
    let first = listen_unix(&path).unwrap();
    assert!(listen_unix(&path).is_err(), "somebody listens there");
    UnixStream::connect(&path).unwrap();
    drop(first);
    let second = listen_unix(&path).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(second);
    let file = directory.0.join("file");
    std::fs::write(&file, "not a socket").unwrap();
    assert!(listen_unix(&file).is_err());
    assert_eq!(std::fs::read(&file).unwrap(), b"not a socket");
}
