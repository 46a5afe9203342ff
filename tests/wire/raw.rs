//! A client that knows no more than packets, so that a test decides about every byte.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use mysql_common::constants::CapabilityFlags;

use crate::server::Server;

/// Longer than any answer takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A payload of this length goes on in the next packet.
pub const LONGEST: usize = 0xff_ff_ff;

pub struct Raw {
    pub socket: TcpStream,
    pub id: u32,
    pub nonce: Vec<u8>,
    pub version: String,
    pub capabilities: u32,
    pub plugin: String,
    /// By its id; 45 unless said otherwise.
    pub collation: u8,
    next: u8,
}

/// How a command was answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Ok { affected: u8, status: u16 },
    Error { code: u16, state: String, text: String },
    Rows { columns: usize, rows: Vec<Vec<Option<String>>>, status: u16 },
}

impl Answer {
    pub fn code(&self) -> u16 {
        match self {
            Answer::Error { code, .. } => *code,
            _ => 0,
        }
    }
}

pub const BASIC: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

impl Raw {
    /// Reads the greeting.
    pub fn greeted(server: &Server) -> Self {
        Self::greeted_at(server.address)
    }

    pub fn greeted_at(address: SocketAddr) -> Self {
        Self::connected_at(address).greeting()
    }

    /// Reads the greeting of a connection that is there.
    pub fn over(socket: TcpStream) -> Self {
        Self::new(socket).greeting()
    }

    /// Has read nothing yet.
    pub fn connected_at(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).unwrap())
    }

    fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self {
            socket,
            id: 0,
            nonce: Vec::new(),
            version: String::new(),
            capabilities: 0,
            plugin: String::new(),
            collation: 45,
            next: 0,
        }
    }

    fn greeting(self) -> Self {
        let mut raw = self;
        let greeting = raw.receive().expect("a greeting");
        assert_eq!(greeting[0], 10, "{greeting:?}");
        let end = greeting.iter().position(|b| *b == 0).unwrap();
        raw.version = String::from_utf8(greeting[1..end].to_vec()).unwrap();
        let rest = &greeting[end + 1..];
        raw.id = u32::from_le_bytes(rest[..4].try_into().unwrap());
        let low = u16::from_le_bytes(rest[13..15].try_into().unwrap());
        let high = u16::from_le_bytes(rest[18..20].try_into().unwrap());
        raw.capabilities = u32::from(low) | u32::from(high) << 16;
        assert_eq!(rest[20], 21, "the length of the nonce and its zero");
        raw.nonce = [&rest[4..12], &rest[31..43]].concat();
        assert_eq!(rest[43], 0);
        raw.plugin = String::from_utf8(rest[44..rest.len() - 1].to_vec()).unwrap();
        raw
    }

    /// A client of root's, without a password.
    pub fn login(server: &Server) -> Self {
        Self::login_as(server, "root", BASIC)
    }

    pub fn login_as(server: &Server, user: &str, capabilities: CapabilityFlags) -> Self {
        Self::login_at(server.address, user, capabilities)
    }

    pub fn login_at(address: SocketAddr, user: &str, capabilities: CapabilityFlags) -> Self {
        Self::greeted_at(address).log_in(user, capabilities)
    }

    /// Logs in without a password.
    pub fn log_in(self, user: &str, capabilities: CapabilityFlags) -> Self {
        let mut raw = self;
        raw.answer_greeting(user, &[], capabilities, "mysql_native_password");
        assert_eq!(raw.receive().expect("an OK")[0], 0x00);
        raw
    }

    pub fn answer_greeting(&mut self, user: &str, proof: &[u8], capabilities: CapabilityFlags, plugin: &str) {
        let mut answer = Vec::new();
        answer.extend_from_slice(&capabilities.bits().to_le_bytes());
        answer.extend_from_slice(&0x0100_0000_u32.to_le_bytes());
        answer.push(self.collation);
        answer.extend_from_slice(&[0; 23]);
        answer.extend_from_slice(user.as_bytes());
        answer.push(0);
        answer.push(u8::try_from(proof.len()).unwrap());
        answer.extend_from_slice(proof);
        answer.extend_from_slice(plugin.as_bytes());
        answer.push(0);
        self.send(&answer);
    }

    /// Sends a packet with the next sequence number.
    pub fn send(&mut self, mut payload: &[u8]) {
        loop {
            let (part, rest) = payload.split_at(payload.len().min(LONGEST));
            self.send_numbered(self.next, part);
            self.next = self.next.wrapping_add(1);
            payload = rest;
            if part.len() < LONGEST {
                return;
            }
        }
    }

    pub fn send_numbered(&mut self, sequence: u8, payload: &[u8]) {
        self.socket.write_all(&framed(sequence, payload)).unwrap();
    }

    /// The next packet's payload, of all its parts; `None`: the server has closed.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let part = self.receive_part()?;
            let last = part.len() < LONGEST;
            whole.extend(part);
            if last {
                return Some(whole);
            }
        }
    }

    fn receive_part(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 4];
        match self.socket.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                panic!("no answer in {PATIENCE:?}")
            }
            // An end, or a reset.
            Err(_) => return None,
        }
        assert_eq!(header[3], self.next, "the sequence number of an answer");
        self.next = header[3].wrapping_add(1);
        let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
        self.socket.read_exact(&mut payload).ok()?;
        Some(payload)
    }

    /// The next answer begins with this number: the test has written bytes of its own.
    pub fn expect_next(&mut self, sequence: u8) {
        self.next = sequence;
    }

    /// Sends a command.
    pub fn command(&mut self, code: u8, rest: &[u8]) {
        self.next = 0;
        self.send(&[&[code], rest].concat());
    }

    pub fn send_query(&mut self, sql: &str) {
        self.command(0x03, sql.as_bytes());
    }

    pub fn query(&mut self, sql: &str) -> Answer {
        self.send_query(sql);
        self.answer().expect("an answer")
    }

    /// The answer to a query, all of its rows included; `None`: the server has closed. For clients that deprecate EOF.
    pub fn answer(&mut self) -> Option<Answer> {
        let first = self.receive()?;
        match first[0] {
            0x00 => Some(Answer::Ok { affected: first[1], status: status(&first, 3) }),
            0xff => Some(error(&first)),
            columns => {
                for _ in 0..columns {
                    self.receive()?;
                }
                let mut rows = Vec::new();
                loop {
                    let packet = self.receive()?;
                    match packet[0] {
                        0xfe if packet.len() < 9 => {
                            let status = status(&packet, 3);
                            return Some(Answer::Rows { columns: columns.into(), rows, status });
                        }
                        0xff => return Some(error(&packet)),
                        _ => rows.push(row(&packet)),
                    }
                }
            }
        }
    }

    /// The same, packet by packet.
    pub fn packets(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut packet = self.receive()?;
        let mut over = matches!(packet[0], 0x00 | 0xff);
        let mut packets = Vec::new();
        while !over {
            packets.push(std::mem::replace(&mut packet, self.receive()?));
            over = packet[0] == 0xff || packet[0] == 0xfe && packet.len() < 9;
        }
        packets.push(packet);
        Some(packets)
    }

    /// Says that it sends no more.
    pub fn half_close(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Asks to go on as another user, who proves itself by what the plugin makes of the greeting's nonce.
    pub fn send_change_user(&mut self, user: &str, proof: &[u8], database: &str, plugin: &str) {
        let mut rest = Vec::new();
        rest.extend_from_slice(user.as_bytes());
        rest.push(0);
        rest.push(u8::try_from(proof.len()).unwrap());
        rest.extend_from_slice(proof);
        rest.extend_from_slice(database.as_bytes());
        rest.extend_from_slice(&[0, 45, 0]);
        rest.extend_from_slice(plugin.as_bytes());
        rest.push(0);
        self.command(0x11, &rest);
    }

    /// Whether the server closes without a further byte.
    pub fn closes_silently(&mut self) -> bool {
        matches!(self.socket.read(&mut [0; 64]), Ok(0))
    }
}

pub fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    assert_eq!(length[3], 0, "one packet");
    [&length[..3], &[sequence], payload].concat()
}

fn status(packet: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(packet[at..at + 2].try_into().unwrap())
}

pub fn error(packet: &[u8]) -> Answer {
    assert_eq!(packet[0], 0xff);
    let code = u16::from_le_bytes([packet[1], packet[2]]);
    let (state, text) = match packet[3] {
        b'#' => (&packet[4..9], &packet[9..]),
        _ => (&[][..], &packet[3..]),
    };
    let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Answer::Error { code, state: string(state), text: string(text) }
}

fn row(mut packet: &[u8]) -> Vec<Option<String>> {
    let mut values = Vec::new();
    while let Some((&length, rest)) = packet.split_first() {
        let (value, rest) = match length {
            0xfb => (None, rest),
            0xfc => {
                let length = usize::from(u16::from_le_bytes([rest[0], rest[1]]));
                (Some(&rest[2..2 + length]), &rest[2 + length..])
            }
            0xfd => {
                let length = u32::from_le_bytes([rest[0], rest[1], rest[2], 0]) as usize;
                (Some(&rest[3..3 + length]), &rest[3 + length..])
            }
            0xfe => {
                let length = usize::try_from(u64::from_le_bytes(rest[..8].try_into().unwrap())).unwrap();
                (Some(&rest[8..8 + length]), &rest[8 + length..])
            }
            length => (Some(&rest[..usize::from(length)]), &rest[usize::from(length)..]),
        };
        values.push(value.map(|value| String::from_utf8(value.to_vec()).unwrap()));
        packet = rest;
    }
    values
}
