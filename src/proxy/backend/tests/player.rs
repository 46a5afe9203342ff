//! A server's end of a connection, which does what a test says.

use mysql_common::constants::CapabilityFlags;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    Done,
    proxy::{
        backend::command::QUERY,
        side::{UPTIME, command_of},
    },
    wire::test_packets as packets,
};

/// What a modern server can do, as far as it matters here.
pub(in crate::proxy) const ALL: CapabilityFlags = CapabilityFlags::all();

/// The session that it greets everybody by.
pub(in crate::proxy) const SERVER_SESSID: u32 = 77;

pub(in crate::proxy) const NATIVE: &str = "mysql_native_password";
pub(in crate::proxy) const SHA2: &str = "caching_sha2_password";

/// A statement's packet.
fn query(sql: &str) -> Vec<u8> {
    [&[QUERY][..], sql.as_bytes()].concat()
}

/// What is asked before a kill: what the session does that it is for.
pub(in crate::proxy) fn question() -> Vec<u8> {
    query(&command_of(SERVER_SESSID.into()))
}

/// See the module's text.
pub(in crate::proxy) struct Played {
    pub(in crate::proxy) socket: TcpStream,
}

impl Played {
    /// Who has come by a Unix socket.
    #[cfg(unix)]
    pub(in crate::proxy) fn of_unix(socket: tokio::net::UnixStream) -> Self {
        // What is done with either is the same.
        let socket = std::os::fd::OwnedFd::from(socket.into_std().unwrap());
        Self { socket: TcpStream::from_std(socket.into()).unwrap() }
    }

    /// The next that connects.
    pub(in crate::proxy) async fn accept(listener: &TcpListener) -> Self {
        Self { socket: listener.accept().await.unwrap().0 }
    }

    /// Sends packets, numbered from here on.
    pub(in crate::proxy) async fn send(&mut self, first: u8, payloads: &[&[u8]]) {
        let numbered = payloads.iter().zip(first..).map(|(payload, number)| packets::framed(number, payload));
        let all: Vec<u8> = numbered.flatten().collect();
        self.raw(&all).await;
    }

    /// Sends a packet. Whether the other end is still there.
    pub(in crate::proxy) async fn try_send(&mut self, number: u8, payload: &[u8]) -> bool {
        self.socket.write_all(&packets::framed(number, payload)).await.is_ok()
    }

    pub(in crate::proxy) async fn raw(&mut self, bytes: &[u8]) {
        // The other end may be gone: that is what some tests are about.
        let _ = self.socket.write_all(bytes).await;
    }

    /// An OK as the first packet of an answer, or where it stands in a login.
    pub(in crate::proxy) async fn ok(&mut self, number: u8) {
        self.send(number, &[&packets::ok(&Done::default(), false)]).await;
    }

    pub(in crate::proxy) async fn receive(&mut self) -> Vec<u8> {
        self.next().await.unwrap()
    }

    /// The next packet; `None`: the other end has closed the connection.
    pub(in crate::proxy) async fn next(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; 4];
        self.socket.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16];
        self.socket.read_exact(&mut payload).await.ok()?;
        Some(payload)
    }

    /// Is asked how long it has been up, and says so.
    pub(in crate::proxy) async fn up_for(&mut self, seconds: &str) {
        self.asked(UPTIME).await;
        self.says(&["Uptime", seconds]).await;
    }

    /// Is asked what the session does that a kill is for, and says so.
    pub(in crate::proxy) async fn does(&mut self, command: &str) {
        assert_eq!(self.receive().await, question());
        self.says(&[command]).await;
    }

    async fn asked(&mut self, sql: &str) {
        assert_eq!(self.receive().await, query(sql));
    }

    /// Answers by one row.
    pub(in crate::proxy) async fn says(&mut self, values: &[&str]) {
        let text: &[u8] = b"\x03def\0\0\0\x01?\0\x0c\x2d\0\x28\0\0\0\xfd\0\0\0\0\0";
        let counted = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let count = [u8::try_from(values.len()).unwrap()];
        let row = values.iter().flat_map(|value| counted(value)).collect::<Vec<u8>>();
        let end: &[u8] = b"\xfe\0\0\x02\0\0\0";
        let packets: Vec<&[u8]> =
            [&count[..]].into_iter().chain(values.iter().map(|_| text)).chain([&row, end]).collect();
        self.send(1, &packets).await;
    }

    /// Answers to everything by OK until this statement comes.
    pub(in crate::proxy) async fn until(&mut self, sql: &str) {
        while let Some(command) = self.next().await {
            if command.first() == Some(&0x03) && command[1..] == *sql.as_bytes() {
                return;
            }
            self.ok(1).await;
        }
        panic!("{sql:?} does not come");
    }

    /// Lets anybody in.
    pub(in crate::proxy) async fn welcome(&mut self, capabilities: CapabilityFlags) {
        self.greet(capabilities, NATIVE).await;
        self.ok(2).await;
    }

    /// The greeting, and what it is answered with.
    pub(in crate::proxy) async fn greet(&mut self, capabilities: CapabilityFlags, plugin: &str) -> Vec<u8> {
        self.send(0, &[&packets::greeting(SERVER_SESSID, b"abcdefghijklmnopqrst", capabilities, plugin)]).await;
        self.receive().await
    }
}
