//! What the children serve: killdeer, and the floors below it.
//!
//! A floor does what no server can do without: it reads what has come and writes an answer. It parses nothing, and
//! answers whatever comes with the same bytes.

use std::{fmt::Write, future::poll_fn, io, net::SocketAddr, pin::Pin, sync::Arc};

use actix_server::Server;
use actix_service::fn_service;
use killdeer::{Runtime, wire};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use super::{
    engine::One,
    process::{Process, end_with_parent},
};

const WORKERS: usize = 2;

/// A greeting by `mysql_native_password`; nobody checks the proof.
const GREETING: &[u8] = b"\x50\0\0\0\x0a8.0.36-floor\0\x01\0\0\0aaaaaaaa\0\0\x82\x2d\x02\0\x08\x01\x15\
    \0\0\0\0\0\0\0\0\0\0aaaaaaaaaaaa\0mysql_native_password\0";
const OK: &[u8] = b"\x07\0\0\x02\0\0\0\x02\0\0\0";

/// The servers that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This crate.
    Killdeer,
    /// A floor on tokio's multi-threaded runtime.
    Tokio,
    /// The same on `actix-server`, which killdeer stands on.
    Actix,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Tokio, Self::Actix, Self::Killdeer];

    pub fn name(self) -> &'static str {
        match self {
            Self::Killdeer => "killdeer",
            Self::Tokio => "tokio floor",
            Self::Actix => "actix floor",
        }
    }

    /// Starts it in a child. A floor answers with these bytes.
    pub fn start(self, answer: &[u8]) -> io::Result<(Process, SocketAddr)> {
        let answer = answer.iter().fold(String::new(), |mut text, byte| {
            // Into a string: it cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let mut process = Process::start(&["--serve", self.name(), &answer])?;
        let address = process.address()?;
        Ok((process, address))
    }
}

/// In a child that was started to serve: does so, for as long as it lives.
pub fn serve_if_child() -> Option<io::Result<()>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [serve, name, answer] = arguments.as_slice() else { return None };
    let kind = Kind::ALL.into_iter().find(|kind| serve == "--serve" && kind.name() == name)?;
    end_with_parent();
    let digits = answer.as_bytes().chunks(2);
    let answer = digits.map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()));
    let answer: Arc<[u8]> = answer.collect::<Option<_>>()?;
    Some(match kind {
        Kind::Killdeer => killdeer(),
        Kind::Tokio => on_tokio(answer),
        Kind::Actix => on_actix(answer),
    })
}

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn killdeer() -> io::Result<()> {
    actix_rt::System::new().block_on(async {
        let runtime = Runtime::builder(One::new()).settings(super::many()).start();
        let serving = wire::serve(&runtime, wire::listen(anywhere())?, WORKERS)?;
        println!("{}", serving.address());
        serving.await
    })
}

fn on_tokio(answer: Arc<[u8]>) -> io::Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(wire::listen(anywhere())?)?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(floor(stream, Arc::clone(&answer)));
        }
    })
}

fn on_actix(answer: Arc<[u8]>) -> io::Result<()> {
    actix_rt::System::new().block_on(async {
        let listener = wire::listen(anywhere())?;
        println!("{}", listener.local_addr()?);
        Server::build()
            .workers(WORKERS)
            .disable_signals()
            .max_concurrent_connections(usize::MAX >> 1)
            .listen("floor", listener, move || {
                let answer = Arc::clone(&answer);
                fn_service(move |stream: TcpStream| floor(stream, Arc::clone(&answer)))
            })?
            .run()
            .await
    })
}

async fn floor(mut stream: TcpStream, answer: Arc<[u8]>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(GREETING).await?;
    if read(&mut stream).await? == 0 {
        return Ok(());
    }
    stream.write_all(OK).await?;
    while read(&mut stream).await? > 0 {
        stream.write_all(&answer).await?;
    }
    Ok(())
}

/// Reads what has come, into a buffer that an idle connection does not keep.
async fn read(stream: &mut TcpStream) -> io::Result<usize> {
    poll_fn(|task| {
        let mut room = [0; 512];
        let mut buffer = ReadBuf::new(&mut room);
        let polled = Pin::new(&mut *stream).poll_read(task, &mut buffer);
        polled.map_ok(|()| buffer.filled().len())
    })
    .await
}
