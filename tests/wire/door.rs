//! Connections that the host accepts itself, with origins that it states.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{Arc, mpsc},
    thread,
};

use killdeer::{
    Origin,
    wire::{AuthPlugin, Door, Terms, rustls, tls_from_pem},
};
use tokio::{net::TcpListener, sync::oneshot, task::LocalSet};

use crate::{
    auth::accounts,
    raw::{Answer, BASIC, Raw},
    server::Server,
};

/// A host's own acceptor in front of a server's runtime, which states the same origin of all that come.
struct Acceptor {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Acceptor {
    fn start(server: &Server, terms: Terms, from: Origin) -> Self {
        let (runtime, (started, ready)) = (server.runtime.clone(), mpsc::channel());
        let (stop, mut stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            own.block_on(LocalSet::new().run_until(async move {
                let door = Door::new(&runtime, terms);
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                started.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    tokio::select! {
                        accepted = listener.accept() => door.admit(accepted.unwrap().0, from),
                        _ = &mut stopped => return,
                    }
                }
            }));
        });
        Self { address: ready.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop.take();
        let ended = self.thread.take().map(thread::JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))) || thread::panicking(), "the acceptor's thread panicked");
    }
}

fn one_cell(answer: Answer) -> Option<String> {
    match answer {
        Answer::Rows { mut rows, .. } => rows.pop()?.pop()?,
        other => panic!("not a row: {other:?}"),
    }
}

#[test]
fn lists_accounts_and_refusals_go_by_the_stated_origin() {
    let server = Server::start_with(accounts(), |builder| builder);
    let stated: Origin = "192.0.2.7:4711".parse().unwrap();
    // A client of this plugin is not asked to change over to another.
    let terms = Terms::default().default_plugin(AuthPlugin::Native);
    let acceptor = Acceptor::start(&server, terms, stated);

    // `open` has no password, and so is for clients of this machine: one of another has none of it.
    let mut far = Raw::greeted_at(acceptor.address);
    far.answer_greeting("open", &[], BASIC, "mysql_native_password");
    match crate::raw::error(&far.receive().expect("an error")) {
        Answer::Error { code, text, .. } => {
            assert_eq!((code, text.contains("'open'@'192.0.2.7'")), (1045, true), "{text}");
        }
        other => panic!("not an error: {other:?}"),
    }
    drop(acceptor);

    let near: Origin = "127.0.0.9:63746".parse().unwrap();
    let acceptor = Acceptor::start(&server, Terms::default(), near);
    let mut raw = Raw::login_at(acceptor.address, "open", BASIC);
    assert_eq!(server.row(raw.id).expect("it is listed").peer, near);
    assert_eq!(one_cell(raw.query("SELECT USER()")).as_deref(), Some("open@127.0.0.9"));

    // Its sessions are the runtime's like any other.
    let mut other = Raw::login_at(server.address, "open", BASIC);
    assert_eq!(other.query(&format!("KILL {}", raw.id)).code(), 0);
    assert_eq!(raw.answer(), None, "closed without a word");
    drop((raw, other));
    server.wait_empty();
}

#[test]
fn a_stated_proxy_says_whom_it_forwards() {
    let server = Server::start();
    let proxy: Origin = "192.0.2.7:4711".parse().unwrap();
    let terms = Terms::default().proxied_from(["192.0.2.0/24".parse().unwrap()]);
    let acceptor = Acceptor::start(&server, terms, proxy);
    let mut socket = TcpStream::connect(acceptor.address).unwrap();
    socket.write_all(b"PROXY TCP4 127.0.0.8 127.0.0.1 63746 3306\r\n").unwrap();
    let raw = Raw::over(socket).log_in("root", BASIC);
    assert_eq!(server.row(raw.id).expect("it is listed").peer.to_string(), "127.0.0.8:63746");
    drop((raw, acceptor));
    server.wait_empty();
}

#[test]
fn its_terms_are_what_the_greeting_offers() {
    let server = Server::start();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls: Arc<rustls::ServerConfig> =
        tls_from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let tls_bit = mysql_common::constants::CapabilityFlags::CLIENT_SSL.bits();
    let from: Origin = "127.0.0.1:1".parse().unwrap();
    for (terms, plugin, offers_tls) in [
        (Terms::default(), "caching_sha2_password", false),
        (Terms::default().default_plugin(AuthPlugin::Native), "mysql_native_password", false),
        (Terms::default().tls(tls), "caching_sha2_password", true),
    ] {
        let acceptor = Acceptor::start(&server, terms, from);
        let raw = Raw::greeted_at(acceptor.address);
        assert_eq!((raw.plugin.as_str(), raw.capabilities & tls_bit != 0), (plugin, offers_tls));
    }
    server.wait_empty();
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_let_in_from_wherever_the_host_says() {
    use std::io::Read;

    let server = Server::start();
    let (runtime, (mut client, served)) = (server.runtime.clone(), std::os::unix::net::UnixStream::pair().unwrap());
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    own.block_on(LocalSet::new().run_until(async {
        served.set_nonblocking(true).unwrap();
        let stream = tokio::net::UnixStream::from_std(served).unwrap();
        let from: Origin = "192.0.2.7:4711".parse().unwrap();
        Door::new(&runtime, Terms::default()).admit_unix(stream, from);
        let read = tokio::task::spawn_blocking(move || {
            let mut first = [0; 5];
            client.read_exact(&mut first).unwrap();
            (first[4], client)
        });
        let (version, client) = read.await.unwrap();
        assert_eq!(version, 10, "a greeting");
        let listed: Vec<_> = server.list().iter().map(|row| row.peer).collect();
        assert_eq!(listed, [from]);
        drop(client);
        // The session sees that its client is gone.
        while !server.list().is_empty() {
            tokio::task::yield_now().await;
        }
    }));
}
