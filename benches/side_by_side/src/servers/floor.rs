//! What no server can do without: it reads what has come and writes an answer. It parses nothing but the command, and
//! answers with bytes that it was given.

use std::{fmt::Write, future::poll_fn, io, net::SocketAddr, pin::Pin, sync::Arc};

use actix_server::Server;
use actix_service::fn_service;
use clap::Args;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use super::{Kind, WORKERS, listen};
use crate::client::{Connection, Prepared, load::STATEMENT, packet};

/// A greeting by `mysql_native_password`; nobody checks the proof.
const GREETING: &[u8] = b"\x50\0\0\0\x0a8.0.36-floor\0\x01\0\0\0aaaaaaaa\0\0\x82\x2d\x02\0\x08\x01\x15\
    \0\0\0\0\0\0\0\0\0\0aaaaaaaaaaaa\0mysql_native_password\0";
const OK: &[u8] = b"\x07\0\0\x02\0\0\0\x02\0\0\0";

/// The answers of a floor: Killdeer's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Canned {
    text: Vec<u8>,
    executed: Vec<u8>,
}

impl Canned {
    /// What the server there answers to the statement of the load, in both modes.
    pub async fn learn(address: SocketAddr) -> io::Result<Self> {
        let mut connection = Connection::open(address).await?;
        let before = connection.taken();
        connection.query(STATEMENT).await?.rows()?;
        let text = (connection.taken() - before) as usize;
        let Prepared(id) = connection.prepare(STATEMENT).await?;
        let before = connection.taken();
        connection.send(&packet::execute(id)).await?;
        connection.answer(|_| ()).await?.rows()?;
        let executed = (connection.taken() - before) as usize;
        let mut stream = connection.bare()?;
        let mut again = async |request: Vec<u8>, length: usize| -> io::Result<Vec<u8>> {
            stream.write_all(&request).await?;
            let mut answer = vec![0; length];
            stream.read_exact(&mut answer).await?;
            Ok(answer)
        };
        Ok(Self {
            text: again(packet::query(STATEMENT), text).await?,
            executed: again(packet::execute(id), executed).await?,
        })
    }

    fn to_digits(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut text, byte| {
            // Into a string: it cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn from_digits(text: &str) -> Option<Vec<u8>> {
        let digits = text.as_bytes().chunks(2);
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
    }
}

#[derive(Args)]
pub struct Options {
    /// On actix-server, rather than on tokio's multi-threaded runtime
    #[arg(long)]
    actix: bool,
    /// The answer to COM_QUERY, in hexadecimal digits
    text: String,
    /// The answer to COM_STMT_EXECUTE
    executed: String,
}

/// What a child is started with.
pub fn arguments(kind: Kind, canned: &Canned) -> Vec<String> {
    let [text, executed] = [&canned.text, &canned.executed].map(|answer| Canned::to_digits(answer));
    let mut arguments = vec!["floor".to_owned(), text, executed];
    if kind == Kind::FloorActix {
        arguments.push("--actix".to_owned());
    }
    arguments
}

impl Options {
    pub fn serve(self) -> io::Result<()> {
        let answer = |digits: &str| Canned::from_digits(digits).ok_or_else(|| io::Error::other("no digits"));
        let canned = Arc::new(Canned { text: answer(&self.text)?, executed: answer(&self.executed)? });
        if self.actix { on_actix(canned) } else { on_tokio(canned) }
    }
}

fn on_tokio(canned: Arc<Canned>) -> io::Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?.block_on(async {
        let listener = listen()?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(talk(stream, Arc::clone(&canned)));
        }
    })
}

fn on_actix(canned: Arc<Canned>) -> io::Result<()> {
    actix_rt::System::new().block_on(async {
        let listener = listen()?.into_std()?;
        println!("{}", listener.local_addr()?);
        Server::build()
            .workers(WORKERS)
            .disable_signals()
            .max_concurrent_connections(usize::MAX >> 1)
            .listen("floor", listener, move || {
                let canned = Arc::clone(&canned);
                fn_service(move |stream: TcpStream| talk(stream, Arc::clone(&canned)))
            })?
            .run()
            .await
    })
}

async fn talk(mut stream: TcpStream, canned: Arc<Canned>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(GREETING).await?;
    if read(&mut stream).await?.is_none() {
        return Ok(());
    }
    stream.write_all(OK).await?;
    while let Some(command) = read(&mut stream).await? {
        match command {
            packet::COM_QUIT => return Ok(()),
            packet::COM_STMT_EXECUTE => stream.write_all(&canned.executed).await?,
            _ => stream.write_all(&canned.text).await?,
        }
    }
    Ok(())
}

/// Reads what has come, into a buffer that an idle connection does not keep, and looks at its first packet's first byte.
async fn read(stream: &mut TcpStream) -> io::Result<Option<u8>> {
    poll_fn(|task| {
        let mut room = [0; 512];
        let mut buffer = ReadBuf::new(&mut room);
        let polled = Pin::new(&mut *stream).poll_read(task, &mut buffer);
        polled.map_ok(|()| buffer.filled().get(packet::HEADER).copied())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_handed_over_as_digits() {
        let bytes = [0, 1, 0xab, 0xff];
        assert_eq!(Canned::from_digits(&Canned::to_digits(&bytes)), Some(bytes.into()));
        assert_eq!(Canned::from_digits("0"), Some(vec![0]));
        assert_eq!(Canned::from_digits("xy"), None);
    }

    #[test]
    fn the_greeting_offers_what_the_client_needs() {
        assert_eq!(packet::whole(GREETING), Some(GREETING.len()));
        assert!(packet::greeted(&GREETING[packet::HEADER..], false).is_ok());
    }
}
