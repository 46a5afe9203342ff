//! A child with many connections that have asked once and do nothing since.
//!
//! It is told on its standard input: `grow N`, after which it has so many in all and says so; `gone`, after which it waits
//! until the server has closed them all, and says so.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{connection::Connection, load::STATEMENT};
use crate::process::{Process, told};

/// So many connect at a time.
const AT_ONCE: usize = 64;

/// So many come from one address. When half of an address's ports are taken, the system searches long for a free one.
const OF_ONE_ADDRESS: usize = 8_000;

/// So long it may take until the server has closed all of them.
const PATIENCE: Duration = Duration::from_secs(240);

/// The child, from outside.
pub struct Crowd(Process);

impl Crowd {
    pub fn start(address: SocketAddr, secure: bool) -> io::Result<Self> {
        let address = address.to_string();
        let mut arguments = vec!["crowd", address.as_str()];
        if secure {
            arguments.push("--secure");
        }
        Ok(Self(Process::own(&arguments)?))
    }

    /// Waits until there are so many.
    pub fn grow(&mut self, count: usize) -> io::Result<()> {
        self.0.tell(&format!("grow {count}"))?;
        match self.0.line()? {
            line if line == count.to_string() => Ok(()),
            other => Err(io::Error::other(format!("{count} do not connect: {other:?}"))),
        }
    }

    /// Waits until the server has closed all of them.
    pub fn gone(&mut self) -> io::Result<()> {
        self.0.tell("gone")?;
        match self.0.line()?.as_str() {
            "gone" => Ok(()),
            other => Err(io::Error::other(format!("they are not gone: {other:?}"))),
        }
    }
}

/// Where the next one comes from: 127.0.0.1, when there are many 127.0.0.2, and so on; any port.
fn source(place: usize) -> SocketAddr {
    let address = u8::try_from(1 + place / OF_ONE_ADDRESS).unwrap_or(u8::MAX);
    SocketAddr::from(([127, 0, 0, address], 0))
}

enum Idle {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Idle {
    async fn open(address: SocketAddr, place: usize, secure: bool) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(source(place))?;
        let stream = socket.connect(address).await?;
        if secure {
            let mut connection = Connection::open_secure_on(stream).await?;
            connection.query(STATEMENT).await?.rows()?;
            return Ok(Self::Secure(connection.bare()?.into()));
        }
        let mut connection = Connection::open_on(stream).await?;
        connection.query(STATEMENT).await?.rows()?;
        Ok(Self::Plain(connection.bare()?))
    }

    async fn closed(self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => closed(stream).await,
            Self::Secure(stream) => closed(stream).await,
        }
    }
}

async fn closed(mut stream: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut more = [0; 64];
    // A reset is an end as well, and one of TLS without a farewell.
    while !matches!(stream.read(&mut more).await, Ok(0) | Err(_)) {}
    Ok(())
}

/// Connects until there are so many.
async fn grow(crowd: &mut Vec<Idle>, count: usize, address: SocketAddr, secure: bool) -> io::Result<()> {
    let mut opening = JoinSet::new();
    for place in crowd.len()..count {
        opening.spawn(Idle::open(address, place, secure));
        if opening.len() < AT_ONCE && place + 1 < count {
            continue;
        }
        if let Some(opened) = opening.join_next().await {
            crowd.push(opened??);
        }
    }
    while let Some(opened) = opening.join_next().await {
        crowd.push(opened??);
    }
    Ok(())
}

/// In the child.
pub async fn serve(address: SocketAddr, secure: bool) -> io::Result<()> {
    let mut told = told();
    let mut crowd = Vec::new();
    while let Some(line) = told.recv().await {
        match line.split_once(' ') {
            Some(("grow", count)) => {
                let count: usize = count.parse().map_err(io::Error::other)?;
                grow(&mut crowd, count, address, secure).await?;
                println!("{count}");
            }
            _ if line == "gone" => {
                let all = async {
                    for idle in crowd.drain(..) {
                        idle.closed().await?;
                    }
                    io::Result::Ok(())
                };
                timeout(PATIENCE, all).await??;
                println!("gone");
            }
            _ => return Err(io::Error::other(format!("told {line:?}"))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_come_from_several_addresses() {
        let address = |place| source(place).to_string();
        assert_eq!((address(0), address(7_999)), ("127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned()));
        assert_eq!((address(8_000), address(18_999)), ("127.0.0.2:0".to_owned(), "127.0.0.3:0".to_owned()));
    }
}
