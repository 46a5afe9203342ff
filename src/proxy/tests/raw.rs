//! A client that sees each packet.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::wire::test_packets as packets;

/// `CLIENT_PROTOCOL_41`, `CLIENT_SECURE_CONNECTION`, `CLIENT_PLUGIN_AUTH`.
const USUAL: u32 = 0x0008_8200;
/// `CLIENT_CONNECT_WITH_DB`.
const WITH_DATABASE: u32 = 8;

/// Alice has no password to prove.
const ALICE: &[u8] = b"alice\0\0";
const NATIVE: &[u8] = b"mysql_native_password\0";

/// See the module's text.
pub(super) struct Raw(TcpStream);

impl Raw {
    /// Logs in as alice.
    pub(super) async fn connect(port: u16) -> Self {
        Self::log_in(port, 45, None).await
    }

    /// Logs in as alice, with this collation, in this database.
    pub(super) async fn log_in(port: u16, collation: u8, database: Option<&str>) -> Self {
        let mut raw = Self(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        raw.packet().await;
        let flags = USUAL | if database.is_some() { WITH_DATABASE } else { 0 };
        // Packets of 1 GiB.
        let mut login = [&flags.to_le_bytes()[..], &[0, 0, 0, 0x40, collation], &[0; 23], ALICE].concat();
        if let Some(name) = database {
            login.extend([name.as_bytes(), &[0]].concat());
        }
        login.extend(NATIVE);
        raw.send(1, &login).await;
        assert_eq!(raw.packet().await.1[0], 0);
        raw
    }

    /// Becomes alice anew, with this collation, in this database.
    pub(super) async fn change_user(&mut self, collation: u16, database: &str) {
        let wish = [&[0x11], ALICE, database.as_bytes(), &[0], &collation.to_le_bytes(), NATIVE].concat();
        assert_eq!(self.command(&wish).await[0], 0);
    }

    /// The first packet of an answer.
    pub(super) async fn command(&mut self, payload: &[u8]) -> Vec<u8> {
        self.send(0, payload).await;
        self.packet().await.1
    }

    /// The rows of an answer of one column, of short texts.
    pub(super) async fn texts(&mut self, sql: &[u8]) -> Vec<Vec<u8>> {
        assert_eq!(self.command(&[b"\x03", sql].concat()).await, [1]);
        // The column, an EOF.
        self.packet().await;
        self.packet().await;
        let mut texts = Vec::new();
        loop {
            let row = self.packet().await.1;
            if row[0] == 0xfe {
                return texts;
            }
            texts.push(row[1..].to_vec());
        }
    }

    pub(super) async fn send(&mut self, number: u8, payload: &[u8]) {
        self.0.write_all(&packets::framed(number, payload)).await.unwrap();
    }

    /// The next packet's number and payload.
    pub(super) async fn packet(&mut self) -> (u8, Vec<u8>) {
        let (number, length) = self.header().await;
        (number, self.bytes(length).await)
    }

    pub(super) async fn header(&mut self) -> (u8, usize) {
        let mut head = [0; 4];
        self.0.read_exact(&mut head).await.unwrap();
        (head[3], usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16)
    }

    pub(super) async fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    /// All that comes up to the end of the connection.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Unread bytes at the other end may make it a reset.
        let _ = self.0.read_to_end(&mut bytes).await;
        bytes
    }
}
