//! A client that knows no more than packets, and shares its thread with hundreds like it.

use std::{io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use killdeer::wire::rustls::{ClientConfig, pki_types::ServerName};
use mysql_common::{
    constants::CapabilityFlags,
    crypto::encrypt,
    scramble::{scramble_native, scramble_sha256},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::raw::{BASIC, framed};

/// Longer than any answer takes, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The longest packet that the server takes.
pub const LONGEST: usize = 1 << 20;

pub const NATIVE: &str = "mysql_native_password";
pub const SHA2: &str = "caching_sha2_password";

/// What a client meets that is no answer.
#[derive(Clone, Debug)]
pub enum Lost {
    /// The connection was closed, or reset.
    Closed,
    /// Something that must never be.
    Fault(String),
}

impl From<io::Error> for Lost {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

pub fn fault<T>(what: impl Into<String>) -> Result<T, Lost> {
    Err(Lost::Fault(what.into()))
}

/// How a command was answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Whether more results follow.
    Ok(bool),
    Error(u16),
    /// How many rows, and whether more results follow.
    Rows(u64, bool),
}

impl Answer {
    pub fn code(&self) -> u16 {
        match self {
            Answer::Error(code) => *code,
            _ => 0,
        }
    }
}

/// In the clear or under TLS.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// On its way from the one to the other.
    Handed,
}

impl Stream {
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Stream::Plain(tcp) => Some(tcp),
            Stream::Tls(tls) => Some(tls.get_ref().0),
            Stream::Handed => None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
            Stream::Handed => std::task::Poll::Ready(Ok(())),
        }
    }
}

/// Who logs in, and how.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    pub user: &'static str,
    pub password: &'static str,
    /// With which plugin it begins.
    pub plugin: &'static str,
    pub tls: bool,
}

pub struct Client {
    io: BufReader<Stream>,
    pub id: u32,
    /// What the next proof is made of.
    nonce: Vec<u8>,
    /// The greeting's.
    first_nonce: Vec<u8>,
    next: u8,
}

impl Client {
    /// Reads the greeting.
    pub async fn greeted(address: SocketAddr) -> Result<Self, Lost> {
        let tcp = TcpStream::connect(address).await.or_else(|error| fault(format!("no connection: {error}")))?;
        tcp.set_nodelay(true)?;
        let io = BufReader::with_capacity(2048, Stream::Plain(tcp));
        let mut client = Self { io, id: 0, nonce: vec![], first_nonce: vec![], next: 0 };
        let greeting = client.receive().await?;
        if greeting.first() != Some(&10) {
            return fault(format!("no greeting: {greeting:?}"));
        }
        let end = greeting.iter().position(|byte| *byte == 0).unwrap();
        let rest = &greeting[end + 1..];
        client.id = u32::from_le_bytes(rest[..4].try_into().unwrap());
        client.nonce = [&rest[4..12], &rest[31..43]].concat();
        client.first_nonce.clone_from(&client.nonce);
        Ok(client)
    }

    /// Goes on as a client of `who`; OK or the code of the refusal.
    pub async fn log_in(&mut self, who: Who, tls: &Arc<ClientConfig>) -> Result<u16, Lost> {
        if who.tls {
            let wish = Self::wish(BASIC | CapabilityFlags::CLIENT_SSL);
            self.send(&wish).await?;
            self.start_tls(tls).await?;
        }
        let hello = self.hello(who);
        self.send(&hello).await?;
        self.prove(who).await
    }

    async fn start_tls(&mut self, rules: &Arc<ClientConfig>) -> Result<(), Lost> {
        // The server has nothing to say before its part of the handshake.
        assert!(self.io.buffer().is_empty());
        let Stream::Plain(tcp) = std::mem::replace(self.io.get_mut(), Stream::Handed) else {
            return fault("TLS twice");
        };
        let name = ServerName::try_from("localhost").unwrap();
        let tls = timeout(PATIENCE, TlsConnector::from(Arc::clone(rules)).connect(name, tcp)).await;
        let tls = tls.or_else(|_| fault("TLS was not answered"))??;
        *self.io.get_mut() = Stream::Tls(Box::new(tls));
        Ok(())
    }

    pub fn wish(capabilities: CapabilityFlags) -> Vec<u8> {
        [&capabilities.bits().to_le_bytes()[..], &[0, 0, 0, 1, 45], &[0; 23]].concat()
    }

    /// The answer to the greeting.
    pub fn hello(&self, who: Who) -> Vec<u8> {
        let capabilities = BASIC | CapabilityFlags::CLIENT_MULTI_STATEMENTS | CapabilityFlags::CLIENT_MULTI_RESULTS;
        let flags = if who.tls { capabilities | CapabilityFlags::CLIENT_SSL } else { capabilities };
        let proof = self.proof(who.plugin, who.password);
        let length = u8::try_from(proof.len()).unwrap();
        [&Self::wish(flags)[..], who.user.as_bytes(), &[0, length], &proof, who.plugin.as_bytes(), &[0]].concat()
    }

    fn proof(&self, plugin: &str, password: &str) -> Vec<u8> {
        let password = password.as_bytes();
        match plugin {
            SHA2 => scramble_sha256(&self.nonce, password).map(|proof| proof.to_vec()).unwrap_or_default(),
            _ => scramble_native(&self.nonce, password).map(|proof| proof.to_vec()).unwrap_or_default(),
        }
    }

    /// Becomes another user, with a proof by the greeting's nonce; OK or the code of the refusal.
    pub async fn change_user(&mut self, who: Who) -> Result<u16, Lost> {
        self.nonce.clone_from(&self.first_nonce);
        let proof = self.proof(who.plugin, who.password);
        let length = u8::try_from(proof.len()).unwrap();
        let plugin = who.plugin.as_bytes();
        let rest = [who.user.as_bytes(), &[0, length], &proof, &[0, 45, 0], plugin, &[0]].concat();
        self.command(0x11, &rest).await?;
        self.prove(who).await
    }

    /// Goes on from the first proof until it is in or refused.
    pub async fn prove(&mut self, who: Who) -> Result<u16, Lost> {
        loop {
            let packet = self.receive().await?;
            match packet[..] {
                [0x00, ..] => return Ok(0),
                [0xff, low, high, ..] => return Ok(u16::from_le_bytes([low, high])),
                [0xfe, ref asked @ ..] => {
                    let end = asked.iter().position(|byte| *byte == 0).unwrap();
                    let plugin = String::from_utf8_lossy(&asked[..end]).into_owned();
                    self.nonce = asked[end + 1..].strip_suffix(&[0]).unwrap_or(&asked[end + 1..]).to_vec();
                    let proof = self.proof(&plugin, who.password);
                    self.send(&proof).await?;
                }
                [1, 3] => {}
                [1, 4] if who.tls => self.send(&[who.password.as_bytes(), &[0]].concat()).await?,
                [1, 4] => {
                    self.send(&[2]).await?;
                    let key = self.receive().await?;
                    if let [0xff, low, high, ..] = key[..] {
                        return Ok(u16::from_le_bytes([low, high]));
                    }
                    let nonce = self.nonce.iter().cycle();
                    let masked: Vec<u8> = who.password.bytes().chain([0]).zip(nonce).map(|(a, b)| a ^ b).collect();
                    self.send(&encrypt(&masked, &key[1..])).await?;
                }
                _ => return fault(format!("a login was answered by {packet:?}")),
            }
        }
    }

    /// Sends a packet with the next sequence number.
    pub async fn send(&mut self, payload: &[u8]) -> Result<(), Lost> {
        let bytes = framed(self.next, payload);
        self.next = self.next.wrapping_add(1);
        self.write(&bytes).await
    }

    /// Sends these bytes, whatever they are.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        let written = timeout(PATIENCE, async {
            match self.io.get_mut() {
                Stream::Plain(tcp) => tcp.write_all(bytes).await,
                Stream::Tls(tls) => {
                    tls.write_all(bytes).await?;
                    tls.flush().await
                }
                Stream::Handed => Ok(()),
            }
        });
        Ok(written.await.or_else(|_| fault("the server does not read"))??)
    }

    pub async fn command(&mut self, code: u8, rest: &[u8]) -> Result<(), Lost> {
        self.next = 0;
        self.send(&[&[code], rest].concat()).await
    }

    /// The next packet.
    pub async fn receive(&mut self) -> Result<Vec<u8>, Lost> {
        timeout(PATIENCE, self.receive_now()).await.or_else(|_| fault(format!("no answer in {PATIENCE:?}")))?
    }

    async fn receive_now(&mut self) -> Result<Vec<u8>, Lost> {
        let mut header = [0; 4];
        self.io.read_exact(&mut header).await?;
        if header[3] != self.next {
            return fault(format!("packet {} instead of {}", header[3], self.next));
        }
        self.next = self.next.wrapping_add(1);
        let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
        self.io.read_exact(&mut payload).await?;
        Ok(payload)
    }

    /// The next packet, whatever its number.
    pub async fn receive_any(&mut self) -> Result<Vec<u8>, Lost> {
        let head = timeout(PATIENCE, self.io.fill_buf()).await.or_else(|_| fault("no answer"))??;
        if let Some(number) = head.get(3) {
            self.next = *number;
        }
        self.receive().await
    }

    /// The next answer begins with this number: the client has written bytes of its own.
    pub fn expect_next(&mut self, sequence: u8) {
        self.next = sequence;
    }

    /// The answer to a command; `row` gets the payload of each row.
    pub async fn answer_with(&mut self, mut row: impl FnMut(&[u8]) -> Result<(), Lost>) -> Result<Answer, Lost> {
        let first = self.receive().await?;
        let more = |packet: &[u8], at: usize| packet[at] & 8 != 0;
        match first[0] {
            0x00 => Ok(Answer::Ok(more(&first, 3))),
            0xff => Ok(Answer::Error(u16::from_le_bytes([first[1], first[2]]))),
            columns => {
                for _ in 0..columns {
                    self.receive().await?;
                }
                let mut rows = 0;
                loop {
                    let packet = self.receive().await?;
                    match packet[0] {
                        0xfe if packet.len() < 9 => return Ok(Answer::Rows(rows, more(&packet, 3))),
                        0xff => return Ok(Answer::Error(u16::from_le_bytes([packet[1], packet[2]]))),
                        _ => {
                            rows += 1;
                            row(&packet)?;
                        }
                    }
                }
            }
        }
    }

    pub async fn answer(&mut self) -> Result<Answer, Lost> {
        self.answer_with(|_| Ok(())).await
    }

    pub async fn query(&mut self, sql: &str) -> Result<Answer, Lost> {
        self.command(0x03, sql.as_bytes()).await?;
        self.answer().await
    }

    /// Reads whatever comes, for so long at the most; whether the server has closed.
    pub async fn drain(&mut self, time: Duration) -> bool {
        let mut room = [0; 4096];
        timeout(time, async { while matches!(self.io.read(&mut room).await, Ok(1..)) {} }).await.is_ok()
    }

    /// Goes with a reset.
    pub fn reset(self) {
        if let Some(tcp) = self.io.get_ref().tcp() {
            let _ = tcp.set_zero_linger();
        }
    }
}
