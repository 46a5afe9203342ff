//! What a connection reads in one poll.

use std::{future::poll_fn, io::Write};

use actix_rt::net::TcpStream;
use flate2::{Compression, write::ZlibEncoder};
use tokio::net::TcpListener;

use super::*;

/// A packet that is 4 MiB with its header, in frames of a MiB.
const PACKET: usize = (4 << 20) - 4;
const FRAME: usize = 1 << 20;

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// How many polls it takes to read a packet that arrived all at once.
async fn polls_for(algorithm: Algorithm, compress: fn(&[u8]) -> Vec<u8>) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut conn = Conn::new(Stream::from(listener.accept().await.unwrap().0));
    conn.compress(algorithm);
    let length = u32::try_from(PACKET).unwrap().to_le_bytes();
    let packet = [&[length[0], length[1], length[2], 0], &vec![7; PACKET][..]].concat();
    let frames = conn.frames.as_mut().unwrap();
    for (number, plain) in (0..).zip(packet.chunks(FRAME)) {
        let (content, plain) = (compress(plain), plain.len().to_le_bytes());
        let length = content.len().to_le_bytes();
        frames.keep(&[&length[..3], &[number], &plain[..3], &content].concat());
    }
    let mut polls = 0;
    let read = poll_fn(|cx| {
        polls += 1;
        conn.poll_packet(cx, 0, PACKET)
    });
    // A poll that gives way and wakes nobody would wait for ever.
    let read = tokio::time::timeout(Duration::from_secs(60), read).await.expect("nobody was woken").unwrap();
    assert!(read.payload == packet[4..]);
    let frames = conn.frames.unwrap();
    assert_eq!((conn.inbound.len(), frames.len()), (0, 0));
    polls
}

#[actix_rt::test]
async fn others_have_their_turn_while_a_long_packet_is_uncompressed() {
    let polls = polls_for(Algorithm::Zlib, zlib).await;
    assert!(polls >= PACKET / (256 * 1024), "{polls} polls, in turns of 256 KiB");
    let polls = polls_for(Algorithm::Zstd { level: 3 }, |plain| zstd::bulk::compress(plain, 3).unwrap()).await;
    assert!(polls >= PACKET / FRAME, "{polls} polls, a frame each");
}
