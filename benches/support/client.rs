//! A lean client: fixed bytes out, a fixed number of bytes in. It looks at nothing that it need not look at.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::BufMut;
use mysql_common::constants::CapabilityFlags;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// COM_QUERY `SELECT 1`.
const SELECT_ONE: &[u8] = b"\x09\0\0\0\x03SELECT 1";

/// The packets of its answer: the number of columns, a column, a row, the end.
const PACKETS: usize = 4;

/// Answers are shorter than this. More room than bytes: a short read tells tokio that there is no more to read.
const ROOM: usize = 1024;

/// Connects and logs in.
pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    read_packets(&mut stream, 1).await?;
    stream.write_all(&hello()).await?;
    let welcome = read_packets(&mut stream, 1).await?;
    match welcome.get(4) {
        Some(0) => Ok(stream),
        _ => Err(io::Error::other(format!("not let in: {welcome:?}"))),
    }
}

/// The bytes that `SELECT 1` is answered with.
pub async fn answer(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    stream.write_all(SELECT_ONE).await?;
    let answer = read_packets(stream, PACKETS).await?;
    assert!(answer.len() < ROOM, "an answer is short");
    Ok(answer)
}

/// Asks once; the answer has this length.
pub async fn ask(stream: &mut TcpStream, length: usize) -> io::Result<()> {
    stream.write_all(SELECT_ONE).await?;
    let mut room = [0; ROOM];
    let mut read = 0;
    while read < length {
        match stream.read(&mut room).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => read += more,
        }
    }
    Ok(())
}

/// Asks so many times, over all connections at once; each asks again when it has its answer.
pub async fn load(connections: &mut Vec<TcpStream>, statements: u64, length: usize) -> io::Result<()> {
    let left = Arc::new(AtomicU64::new(statements));
    let asking = std::mem::take(connections).into_iter().map(|mut stream| {
        let left = Arc::clone(&left);
        tokio::spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                ask(&mut stream, length).await?;
            }
            Ok::<_, io::Error>(stream)
        })
    });
    for task in asking.collect::<Vec<_>>() {
        connections.push(task.await??);
    }
    Ok(())
}

/// The answer to a greeting.
fn hello() -> Vec<u8> {
    let capabilities = CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_DEPRECATE_EOF;
    let mut out = vec![0, 0, 0, 1];
    out.put_u32_le(capabilities.bits());
    out.put_u32_le(1 << 24);
    out.put_u8(45);
    out.put_bytes(0, 23);
    out.put_slice(b"bench\0");
    out.put_u8(0);
    out.put_slice(b"mysql_native_password\0");
    out[0] = u8::try_from(out.len() - 4).expect("it is short");
    out
}

/// Reads so many packets, no more than which are on their way.
async fn read_packets(stream: &mut TcpStream, count: usize) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut header = [0; 4];
        stream.read_exact(&mut header).await?;
        let start = all.len() + header.len();
        all.extend_from_slice(&header);
        let [a, b, c, _] = header;
        all.resize(start + usize::from(a) + (usize::from(b) << 8) + (usize::from(c) << 16), 0);
        stream.read_exact(&mut all[start..]).await?;
    }
    Ok(all)
}
