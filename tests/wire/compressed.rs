//! The compressed protocol, byte by byte and with a real client.

use std::{
    collections::VecDeque,
    io::{Read, Write},
};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use mysql_async::{OptsBuilder, prelude::*};
use mysql_common::constants::CapabilityFlags;

use crate::{
    client::opts,
    echo::accounts::Accounts,
    kills::stalls,
    raw::{BASIC, LONGEST, Raw, error, framed},
    server::Server,
};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Zlib,
    Zstd,
}

const BOTH: [Kind; 2] = [Kind::Zlib, Kind::Zstd];

impl Kind {
    fn flag(self) -> CapabilityFlags {
        match self {
            Kind::Zlib => CapabilityFlags::CLIENT_COMPRESS,
            Kind::Zstd => CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM,
        }
    }

    fn compress(self, plain: &[u8]) -> Vec<u8> {
        match self {
            Kind::Zlib => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Kind::Zstd => zstd::bulk::compress(plain, 3).unwrap(),
        }
    }

    fn uncompress(self, content: &[u8], length: usize) -> Vec<u8> {
        match self {
            Kind::Zlib => {
                let mut plain = Vec::new();
                ZlibDecoder::new(content).read_to_end(&mut plain).unwrap();
                plain
            }
            Kind::Zstd => zstd::bulk::decompress(content, length).unwrap(),
        }
    }
}

/// A client that compresses, and knows no more than frames and packets.
struct Squeezed {
    raw: Raw,
    kind: Kind,
    plain: VecDeque<u8>,
    /// The number of the next frame.
    next: u8,
    /// How many frames came compressed.
    compressed: usize,
}

impl Squeezed {
    fn login(server: &Server, kind: Kind) -> Self {
        let raw = Raw::login_as(server, "root", BASIC.union(kind.flag()));
        assert_eq!(raw.capabilities & kind.flag().bits(), kind.flag().bits(), "offered");
        Self { raw, kind, plain: VecDeque::new(), next: 0, compressed: 0 }
    }

    /// A frame around these bytes; compressed, whether that is worth it or not.
    fn frame(&mut self, plain: &[u8]) {
        let content = self.kind.compress(plain);
        self.frame_of(plain.len(), &content);
    }

    fn frame_of(&mut self, plain: usize, content: &[u8]) {
        let (length, plain) = (content.len().to_le_bytes(), plain.to_le_bytes());
        let frame = [&length[..3], &[self.next], &plain[..3], content].concat();
        self.raw.socket.write_all(&frame).unwrap();
        self.next = self.next.wrapping_add(1);
    }

    fn send_query(&mut self, sql: &str) {
        self.next = 0;
        let payload = [b"\x03", sql.as_bytes()].concat();
        let mut packets = Vec::new();
        let (mut rest, mut number) = (&payload[..], 0);
        loop {
            let (part, tail) = rest.split_at(rest.len().min(LONGEST));
            packets.extend(framed(number, part));
            (rest, number) = (tail, number + 1);
            if part.len() < LONGEST {
                break;
            }
        }
        packets.chunks(1 << 20).for_each(|chunk| self.frame(chunk));
    }

    /// The next packet; `None`: the server has closed.
    fn packet(&mut self) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            while self.plain.len() < 4 {
                self.read()?;
            }
            let length = u32::from_le_bytes([self.plain[0], self.plain[1], self.plain[2], 0]) as usize;
            while self.plain.len() < 4 + length {
                self.read()?;
            }
            whole.extend(self.plain.drain(..4 + length).skip(4));
            if length < LONGEST {
                return Some(whole);
            }
        }
    }

    fn read(&mut self) -> Option<()> {
        let mut header = [0; 7];
        self.raw.socket.read_exact(&mut header).ok()?;
        let [a, b, c, number, d, e, f] = header;
        assert_eq!(number, self.next, "the number of a frame");
        self.next = number.wrapping_add(1);
        let mut content = vec![0; u32::from_le_bytes([a, b, c, 0]) as usize];
        self.raw.socket.read_exact(&mut content).ok()?;
        match u32::from_le_bytes([d, e, f, 0]) as usize {
            0 => self.plain.extend(content),
            plain => {
                let out = self.kind.uncompress(&content, plain);
                assert_eq!(out.len(), plain, "as long as it says");
                self.plain.extend(out);
                self.compressed += 1;
            }
        }
        Some(())
    }

    /// The rows of one column, and the packet that ends them.
    fn rows(&mut self, sql: &str) -> (Vec<Vec<u8>>, Vec<u8>) {
        self.send_query(sql);
        assert_eq!(self.packet().unwrap(), [1], "one column");
        self.packet().unwrap();
        let mut rows = Vec::new();
        loop {
            let packet = self.packet().unwrap();
            if packet[0] == 0xff || (packet[0] == 0xfe && packet.len() < 9) {
                return (rows, packet);
            }
            rows.push(packet);
        }
    }
}

#[test]
fn answers_are_compressed_both_ways() {
    let server = Server::start();
    for kind in BOTH {
        let mut client = Squeezed::login(&server, kind);
        let long = format!("ECHO {}", "z".repeat(200));
        let (rows, last) = client.rows(&long);
        assert_eq!(rows, [[&[205][..], long.as_bytes()].concat()], "{kind:?}");
        assert_eq!(last, [0xfe, 0, 0, 2, 0, 0, 0]);
        assert_eq!(client.compressed, 1);
        client.send_query("DO 1");
        assert_eq!(client.packet().unwrap(), [0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(client.compressed, 1, "too short to be worth it");
        client.send_query("nonsense; more");
        assert_eq!(error(&client.packet().unwrap()).code(), 1064);
        let (rows, _) = client.rows("SELECT * FROM seq(100000)");
        assert_eq!(rows.len(), 100_000);
        assert_eq!(rows[99_999], b"\x06100000");
        assert!(client.compressed > 10, "{kind:?}");
    }
}

#[test]
fn a_command_in_several_frames_and_several_commands_in_one() {
    let server = Server::start();
    for kind in BOTH {
        let mut client = Squeezed::login(&server, kind);
        for part in framed(0, b"\x03DO 1").chunks(3) {
            client.frame(part);
        }
        assert_eq!(client.packet().unwrap(), [0, 0, 0, 2, 0, 0, 0]);
        client.next = 0;
        client.frame(&[framed(0, b"\x03DO 1"), framed(0, b"\x0e"), framed(0, b"\x03SELECT SLEEP(0)")].concat());
        assert_eq!(client.packet().unwrap(), [0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(client.packet().unwrap(), [0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(client.packet().unwrap(), [1]);
    }
}

#[test]
fn long_packets_pass_through_frames() {
    let server = Server::start();
    for kind in BOTH {
        let mut client = Squeezed::login(&server, kind);
        let sql = format!("ECHO {}", "abcdefgh".repeat((17 << 20) / 8));
        let (rows, _) = client.rows(&sql);
        assert!(rows.len() == 1 && rows[0][9..] == *sql.as_bytes(), "{kind:?}");
    }
}

#[test]
fn a_kill_amid_compressed_rows_is_seen() {
    let server = Server::start_with(Accounts::default(), |builder| builder.tell_killed(true));
    let mut by = Raw::login(&server);
    for (kind, kill, code) in
        [(Kind::Zlib, "KILL QUERY", 1317), (Kind::Zstd, "KILL QUERY", 1317), (Kind::Zlib, "KILL", 1927)]
    {
        let mut victim = Squeezed::login(&server, kind);
        victim.send_query("SELECT * FROM seq(100000000)");
        let mut packets = 0;
        let last = loop {
            let packet = victim.packet().expect("the stream goes on");
            packets += 1;
            if packets == 1_000 {
                assert_eq!(by.query(&format!("{kill} {}", victim.raw.id)).code(), 0);
            }
            if packet[0] == 0xff {
                break error(&packet);
            }
        };
        assert_eq!(last.code(), code, "{kind:?}");
        if code == 1317 {
            victim.send_query("DO 1");
            assert_eq!(victim.packet().unwrap(), [0, 0, 0, 2, 0, 0, 0]);
        } else {
            assert!(victim.packet().is_none());
        }
    }
}

#[test]
fn an_idle_client_finds_its_end_as_the_next_answer() {
    let server = Server::start_with(Accounts::default(), |builder| builder.tell_killed(true));
    let mut by = Raw::login(&server);
    for kind in BOTH {
        let mut victim = Squeezed::login(&server, kind);
        victim.rows("SELECT * FROM seq(10000)");
        assert_eq!(by.query(&format!("KILL {}", victim.raw.id)).code(), 0);
        victim.next = 1;
        assert_eq!(error(&victim.packet().unwrap()).code(), 1927, "{kind:?}");
        assert!(victim.packet().is_none());
    }
}

/// What does not get much shorter by compression.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'A' + u8::try_from((state >> 33) % 26).unwrap())
    };
    (0..length).map(letter).collect()
}

#[test]
fn who_does_not_read_the_answer_finds_its_end_behind_it() {
    let server = Server::start_with(Accounts::default(), |builder| builder.tell_killed(true));
    let mut by = Raw::login(&server);
    for kind in BOTH {
        let mut victim = Squeezed::login(&server, kind);
        // More than the kernel keeps; the engine is done with it before it is written.
        let sql = format!("ECHO {}", noise(15 << 20));
        victim.send_query(&sql);
        stalls(&victim.raw);
        assert!(server.row(victim.raw.id).unwrap().statement.is_some(), "it is still being written");
        assert_eq!(by.query(&format!("KILL {}", victim.raw.id)).code(), 0);
        assert_eq!(victim.packet().unwrap(), [1]);
        victim.packet().unwrap();
        assert!(victim.packet().unwrap()[4..] == *sql.as_bytes());
        assert_eq!(victim.packet().unwrap()[0], 0xfe);
        assert!(victim.plain.is_empty(), "what follows has a frame of its own");
        victim.next = 1;
        assert_eq!(error(&victim.packet().unwrap()).code(), 1927, "{kind:?}");
        assert!(victim.packet().is_none());
    }
}

#[test]
fn what_cannot_be_uncompressed_is_told_and_ends_the_connection() {
    let server = Server::start();
    for kind in BOTH {
        let refusals = [(100, b"rubbish".to_vec(), 1157), (5, kind.compress(&[0; 1 << 20]), 1157)];
        for (claimed, content, code) in refusals {
            let mut client = Squeezed::login(&server, kind);
            client.frame_of(claimed, &content);
            client.next = u8::from(code == 1157);
            assert_eq!(error(&client.packet().unwrap()).code(), code, "{kind:?}");
            assert!(client.packet().is_none());
        }
    }
    server.wait_empty();
}

#[test]
fn a_frame_that_claims_too_much_is_refused_by_its_header() {
    let server = Server::start_with(Accounts::default(), |builder| builder.max_allowed_packet(1024));
    for kind in BOTH {
        let mut client = Squeezed::login(&server, kind);
        client.frame_of(1 << 20, b"");
        client.next = 0;
        assert_eq!(error(&client.packet().unwrap()).code(), 1153, "{kind:?}");
        assert!(client.packet().is_none());
    }
    server.wait_empty();
}

#[tokio::test]
async fn mysql_async_compresses() {
    let server = Server::start();
    let compressing = OptsBuilder::from_opts(opts(&server, "root")).compression(mysql_async::Compression::default());
    let mut conn = mysql_async::Conn::new(compressing).await.unwrap();
    let rows: Vec<u64> = conn.query("SELECT * FROM seq(100000)").await.unwrap();
    assert_eq!(rows.len(), 100_000);
    let sql = format!("ECHO {}", "0123456789".repeat(2 << 20));
    let echo: String = conn.query_first(sql.as_str()).await.unwrap().unwrap();
    assert!(echo == sql);
    let mut results = conn.query_iter("SELECT 'a'; DO 1; SELECT 2").await.unwrap();
    assert_eq!(results.collect::<String>().await.unwrap(), ["SELECT 'a'"]);
    assert_eq!(results.collect::<String>().await.unwrap(), [""; 0]);
    assert_eq!(results.collect::<String>().await.unwrap(), ["SELECT 2"]);
    results.drop_result().await.unwrap();
    conn.ping().await.unwrap();
    conn.disconnect().await.unwrap();
}
