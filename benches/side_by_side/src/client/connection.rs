//! One connection: login, and statements whose answers are looked at, packet by packet.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::{
    packet::{self, Answer, HEADER, Progress, Step},
    secure,
};

/// So much is read at a time where an answer is long.
const ROOM: usize = 256 << 10;

/// Answers that are shorter need no more than this.
const SMALL_ROOM: usize = 4 << 10;

pub struct Connection<S = TcpStream> {
    stream: S,
    /// What has come, and has not been taken. Nothing is kept for a connection that waits.
    room: Vec<u8>,
    start: usize,
    end: usize,
    /// All that was taken, in bytes.
    taken: u64,
}

/// A statement that was prepared.
pub struct Prepared(pub u32);

impl Connection {
    /// Connects and logs in.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        Self::open_on(TcpStream::connect(address).await?).await
    }

    /// The same, on a socket that is connected.
    pub async fn open_on(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let mut connection = Self::over(stream);
        packet::greeted(connection.packet().await?, false)?;
        connection.login(false).await?;
        Ok(connection)
    }

    /// The same, over TLS.
    pub async fn open_secure_on(stream: TcpStream) -> io::Result<Connection<TlsStream<TcpStream>>> {
        stream.set_nodelay(true)?;
        let mut plain = Self::over(stream);
        packet::greeted(plain.packet().await?, true)?;
        plain.stream.write_all(&packet::wish_for_tls()).await?;
        let mut connection = Connection::over(secure::secured(plain.bare()?).await?);
        connection.login(true).await?;
        Ok(connection)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn over(stream: S) -> Self {
        Self { stream, room: Vec::new(), start: 0, end: 0, taken: 0 }
    }

    async fn login(&mut self, secure: bool) -> io::Result<()> {
        self.stream.write_all(&packet::login(secure)).await?;
        match self.packet().await? {
            [0, ..] => Ok(()),
            other => Err(packet::error(other).map_or_else(
                || io::Error::other(format!("not let in: {other:?}")),
                |error| io::Error::other(format!("not let in: {} {}", error.code, error.message)),
            )),
        }
    }

    /// Its socket, when all that came was taken.
    pub fn bare(self) -> io::Result<S> {
        match self.end - self.start {
            0 => Ok(self.stream),
            left => Err(io::Error::other(format!("{left} bytes came that nobody asked for"))),
        }
    }

    /// All bytes of answers so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Sends a request, or several.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await
    }

    /// Runs a statement.
    pub async fn query(&mut self, sql: &str) -> io::Result<Answer> {
        self.send(&packet::query(sql)).await?;
        self.answer(|_| ()).await
    }

    /// The answer to what was sent; sees each row of it.
    pub async fn answer(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<Answer> {
        let mut progress = Progress::default();
        loop {
            let body = self.packet().await?;
            match progress.take(body)? {
                Step::More => {}
                Step::Row => each(body),
                Step::End(answer) => return Ok(answer),
            }
        }
    }

    /// Prepares a statement without parameters.
    pub async fn prepare(&mut self, sql: &str) -> io::Result<Prepared> {
        self.send(&packet::command(packet::COM_STMT_PREPARE, sql.as_bytes())).await?;
        let (id, described) = match self.packet().await? {
            [0, a, b, c, d, columns, _, params, _, ..] => (u32::from_le_bytes([*a, *b, *c, *d]), columns + params),
            other => return Err(io::Error::other(format!("not prepared: {other:?}"))),
        };
        for _ in 0..described {
            self.packet().await?;
        }
        Ok(Prepared(id))
    }

    /// Waits until the server has closed the connection.
    pub async fn closed(mut self) -> io::Result<()> {
        let mut more = [0; 64];
        while self.stream.read(&mut more).await? > 0 {}
        Ok(())
    }

    /// The next packet's body.
    async fn packet(&mut self) -> io::Result<&[u8]> {
        let end = loop {
            match packet::whole(&self.room[self.start..self.end]) {
                Some(end) => break self.start + end,
                None => self.more().await?,
            }
        };
        let begin = self.start + HEADER;
        self.taken += (end - self.start) as u64;
        self.start = end;
        Ok(&self.room[begin..end])
    }

    /// Reads what has come.
    async fn more(&mut self) -> io::Result<()> {
        self.room.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.room.len() < SMALL_ROOM {
            self.room.resize(SMALL_ROOM, 0);
        } else if self.end > 0 && self.room.len() < ROOM {
            // A packet was cut off: there is more than fits.
            self.room.resize(ROOM, 0);
        } else if self.end == self.room.len() {
            self.room.resize(2 * self.room.len(), 0);
        }
        match self.stream.read(&mut self.room[self.end..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            more => {
                self.end += more;
                Ok(())
            }
        }
    }
}
