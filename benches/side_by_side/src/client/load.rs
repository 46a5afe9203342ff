//! A child that asks the same over many connections, as fast as it is answered: fixed bytes out, a known number of bytes
//! in. Each connection asks again when it has its answer.
//!
//! It is told on its standard input: `start`, `stop`; after `stop` it prints a [`Report`].

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

use super::{
    connection::{Connection, Prepared},
    packet,
};
use crate::{
    clock,
    latencies::Latencies,
    process::{Process, told},
};

/// What is asked.
pub const STATEMENT: &str = "SELECT 1";

/// Answers are shorter than this. More room than bytes: a short read tells tokio that there is no more to read.
const ROOM: usize = 1024;

/// So many connect at a time.
const AT_ONCE: usize = 64;

/// So long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a statement is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// By COM_QUERY.
    Text,
    /// By COM_STMT_EXECUTE.
    Prepared,
}

impl Mode {
    pub const ALL: [Self; 2] = [Self::Text, Self::Prepared];

    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Prepared => "prepared",
        }
    }
}

/// What one stretch of asking gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    pub statements: f64,
    /// In seconds.
    pub took: f64,
    /// Of the client itself, in seconds.
    pub cpu: f64,
    /// In microseconds.
    pub p50: f64,
    pub p99: f64,
}

impl FromStr for Report {
    type Err = io::Error;

    fn from_str(line: &str) -> io::Result<Self> {
        let figures: Vec<f64> = line.split(' ').map_while(|figure| figure.parse().ok()).collect();
        match figures[..] {
            [statements, took, cpu, p50, p99] => Ok(Self { statements, took, cpu, p50, p99 }),
            _ => Err(io::Error::other(format!("no figures of a load: {line:?}"))),
        }
    }
}

/// The child, from outside.
pub struct Load(Process);

impl Load {
    /// Starts it and waits until it is connected. A floor has nothing to prepare.
    pub fn open(address: SocketAddr, connections: usize, mode: Mode, floor: bool) -> io::Result<Self> {
        let (address, connections) = (address.to_string(), connections.to_string());
        let mut arguments = vec!["load", &address, &connections, "--mode", mode.name()];
        if floor {
            arguments.push("--floor");
        }
        let mut process = Process::own(&arguments)?;
        match process.line()?.as_str() {
            "ready" => Ok(Self(process)),
            other => Err(io::Error::other(format!("the load does not begin: {other:?}"))),
        }
    }

    pub fn start(&mut self) -> io::Result<()> {
        self.0.tell("start")
    }

    pub fn stop(&mut self) -> io::Result<Report> {
        self.0.tell("stop")?;
        self.0.line()?.parse()
    }

    /// Asks for so long.
    pub fn run(&mut self, time: Duration) -> io::Result<Report> {
        self.start()?;
        std::thread::sleep(time);
        self.stop()
    }
}

/// One connection.
struct Asker {
    stream: TcpStream,
    request: Arc<[u8]>,
    /// Of the answer, in bytes.
    length: usize,
}

impl Asker {
    /// Connects, and learns from one answer how long they are.
    async fn open(address: SocketAddr, mode: Mode, floor: bool) -> io::Result<Self> {
        let mut connection = Connection::open(address).await?;
        let request: Arc<[u8]> = match (mode, floor) {
            (Mode::Text, _) => packet::query(STATEMENT).into(),
            (Mode::Prepared, true) => packet::execute(1).into(),
            (Mode::Prepared, false) => {
                let Prepared(id) = connection.prepare(STATEMENT).await?;
                packet::execute(id).into()
            }
        };
        let before = connection.taken();
        connection.send(&request).await?;
        let rows = connection.answer(|_| ()).await?.rows()?;
        let length = (connection.taken() - before) as usize;
        if rows != 1 || length >= ROOM {
            return Err(io::Error::other(format!("{STATEMENT}: {rows} rows, {length} bytes")));
        }
        Ok(Self { stream: connection.bare()?, request, length })
    }

    async fn ask(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.request).await?;
        let mut read = 0;
        while read < self.length {
            read += self.read(read == 0).await?;
        }
        if read > self.length { Err(io::Error::other("more came than was asked for")) } else { Ok(()) }
    }

    /// Reads what has come, into a buffer that nobody keeps who waits.
    async fn read(&mut self, begin: bool) -> io::Result<usize> {
        let (count, first) = poll_fn(|task| {
            let mut room = [0; ROOM];
            let mut buffer = ReadBuf::new(&mut room);
            let polled = Pin::new(&mut self.stream).poll_read(task, &mut buffer);
            polled.map_ok(|()| (buffer.filled().len(), buffer.filled().get(packet::HEADER).copied()))
        })
        .await?;
        match (count, first) {
            (0, _) => Err(io::ErrorKind::UnexpectedEof.into()),
            (_, Some(other)) if begin && other != 1 => Err(io::Error::other("an answer that is not of one column")),
            _ => Ok(count),
        }
    }

    async fn ask_until(mut self, stop: Arc<AtomicBool>) -> io::Result<(Self, Latencies)> {
        let mut latencies = Latencies::default();
        let mut asked = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            self.ask().await?;
            let answered = Instant::now();
            latencies.push(answered - asked);
            asked = answered;
        }
        Ok((self, latencies))
    }
}

/// In the child.
pub async fn serve(address: SocketAddr, count: usize, mode: Mode, floor: bool) -> io::Result<()> {
    let mut told = told();
    let mut askers = Vec::with_capacity(count);
    while askers.len() < count {
        let opening: Vec<_> = (askers.len()..count.min(askers.len() + AT_ONCE))
            .map(|_| tokio::spawn(Asker::open(address, mode, floor)))
            .collect();
        for opened in opening {
            askers.push(opened.await??);
        }
    }
    println!("ready");
    while let Some("start") = told.recv().await.as_deref() {
        let (stop, began, before) = (Arc::new(AtomicBool::new(false)), Instant::now(), clock::cpu(std::process::id())?);
        let asking: Vec<_> = askers.drain(..).map(|asker| tokio::spawn(asker.ask_until(Arc::clone(&stop)))).collect();
        if told.recv().await.as_deref() != Some("stop") {
            return Err(io::Error::other("told something else than to stop"));
        }
        stop.store(true, Ordering::Relaxed);
        let mut latencies = timeout(PATIENCE, stopped(asking, &mut askers)).await??;
        let (took, cpu) = (began.elapsed(), clock::cpu(std::process::id())? - before);
        let (p50, p99) = (latencies.percentile(50.0), latencies.percentile(99.0));
        println!("{} {} {} {p50} {p99}", latencies.len(), took.as_secs_f64(), cpu.as_secs_f64());
    }
    Ok(())
}

/// Waits for the last answers.
async fn stopped(
    asking: Vec<JoinHandle<io::Result<(Asker, Latencies)>>>,
    askers: &mut Vec<Asker>,
) -> io::Result<Latencies> {
    let mut all = Latencies::default();
    for task in asking {
        let (asker, latencies) = task.await??;
        askers.push(asker);
        all.append(latencies);
    }
    Ok(all)
}
