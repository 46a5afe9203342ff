//! What an idle client costs the server: resident memory per connection at 10,000 connections, each of which has logged
//! in and run one `SELECT 1`.
//!
//! Bound: 4 KiB. The floors keep a socket and a task, and nothing else. For sessions in process, without a socket, there
//! are figures and no bound.
#![forbid(unsafe_code)]

mod support;

use std::{
    io,
    net::SocketAddr,
    process::{Command, ExitCode, id},
    time::Duration,
};

use killdeer::{Principal, Privileges, Runtime};
use support::{
    client,
    engine::One,
    figures::{Series, sized, table, verdict},
    many,
    process::{Process, end_with_parent, open_files, resident},
    server::{Kind, serve_if_child},
};
use tokio::{net::TcpStream, task::JoinSet, time::sleep};

const BOUND: f64 = 4096.0;

/// So many clients connect at a time.
const AT_ONCE: usize = 128;

/// What a process has open besides connections.
const OTHER_FILES: u64 = 100;

/// Set in the run that has had its limit raised.
const RAISED: &str = "--raised";

/// Connects so many clients; each asks once.
async fn connect(address: SocketAddr, count: usize, length: usize) -> io::Result<Vec<TcpStream>> {
    let mut connections = Vec::with_capacity(count);
    let mut connecting = JoinSet::new();
    for begun in 0..count {
        if begun >= AT_ONCE
            && let Some(connected) = connecting.join_next().await
        {
            connections.push(connected??);
        }
        connecting.spawn(async move {
            let mut stream = client::connect(address).await?;
            client::ask(&mut stream, length).await?;
            Ok::<_, io::Error>(stream)
        });
    }
    while let Some(connected) = connecting.join_next().await {
        connections.push(connected??);
    }
    Ok(connections)
}

/// A process's memory, once it has come to rest.
async fn at_rest(process: u32) -> io::Result<u64> {
    let mut before = 0;
    loop {
        let now = resident(process)?;
        if now == before {
            return Ok(now);
        }
        before = now;
        sleep(Duration::from_millis(100)).await;
    }
}

/// Bytes per connection of one server, started afresh.
async fn connections(kind: Kind, count: usize, answer: &[u8]) -> io::Result<f64> {
    let (process, address) = kind.start(answer)?;
    drop(connect(address, AT_ONCE, answer.len()).await?);
    let empty = at_rest(process.id()).await?;
    let _connections = connect(address, count, answer.len()).await?;
    let full = at_rest(process.id()).await?;
    Ok(full.saturating_sub(empty) as f64 / count as f64)
}

/// Bytes per session in process, in a child that prints them.
fn sessions(count: usize) -> io::Result<f64> {
    let mut process = Process::start(&["--sessions", &count.to_string()])?;
    let line = process.line()?;
    line.parse().map_err(|_| io::Error::other(format!("no figure: {line:?}")))
}

/// In a child that was started for it: connects the sessions, runs a statement in each, and prints the figure.
fn sessions_if_child() -> Option<io::Result<()>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = (arguments.next()? == "--sessions").then(|| arguments.next()?.parse().ok())??;
    end_with_parent();
    Some(actix_rt::System::new().block_on(async {
        let runtime = Runtime::builder(One::new()).settings(many()).start();
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000)).into();
        let connect = async || -> io::Result<_> {
            let who = Principal::new("bench", Privileges::NONE);
            let session = runtime.connect(who, peer).await.map_err(io::Error::other)?;
            session.query("SELECT 1").await.map_err(io::Error::other)?;
            Ok(session)
        };
        for _ in 0..AT_ONCE {
            connect().await?;
        }
        let mut sessions = Vec::with_capacity(count);
        let empty = at_rest(id()).await?;
        for _ in 0..count {
            sessions.push(connect().await?);
        }
        let full = at_rest(id()).await?;
        println!("{}", full.saturating_sub(empty) as f64 / count as f64);
        Ok(())
    }))
}

async fn run() -> io::Result<ExitCode> {
    let (rounds, count, in_process) = sized((3, 10_000, 100_000), (1, 500, 1_000));
    let answer = {
        let (_process, address) = Kind::Killdeer.start(&[])?;
        client::answer(&mut client::connect(address).await?).await?
    };
    let mut measured = [const { (Kind::Killdeer, Series::new()) }; Kind::ALL.len()];
    let mut own = Series::new();
    for _ in 0..rounds {
        for (place, kind) in measured.iter_mut().zip(Kind::ALL) {
            place.0 = kind;
            place.1.push(connections(kind, count, &answer).await?);
        }
        own.push(sessions(in_process)?);
    }
    let floor = &measured[0].1;
    let row = |name: &str, count: usize, series: &Series| {
        let ratio = series.with(floor, |own, floor| own / floor).median();
        [
            name.to_owned(),
            count.to_string(),
            format!("{:.0} B", series.median()),
            series.spread(0),
            format!("{ratio:.2}"),
        ]
    };
    let mut rows: Vec<_> = measured.iter().map(|(kind, series)| row(kind.name(), count, series)).collect();
    rows.push(row("killdeer, in process", in_process, &own));
    table(
        &format!("Resident memory per idle session, {rounds} rounds"),
        ["", "sessions", "each", "spread", "of the floor"],
        &rows,
    );
    let [.., (_, series)] = &measured;
    Ok(verdict("memory of an idle connection", series.median(), BOUND, "bytes"))
}

/// Runs this program again with a higher limit of open files, if it needs and may have it.
fn raised(needed: u64) -> io::Result<Option<ExitCode>> {
    let (soft, hard) = open_files()?;
    if soft >= needed {
        return Ok(None);
    }
    if hard < needed || support::figures::has(RAISED) {
        return Err(io::Error::other(format!(
            "{needed} open files are needed, {soft} are allowed, and no more than {hard}: raise the limit (ulimit -n)"
        )));
    }
    let again = format!("ulimit -n {needed} && exec \"$0\" \"$@\"");
    let ended = Command::new("sh")
        .args(["-c", &again])
        .arg(std::env::current_exe()?)
        .args(std::env::args().skip(1))
        .arg(RAISED)
        .status()?;
    Ok(Some(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

fn main() -> io::Result<ExitCode> {
    if let Some(done) = serve_if_child().or_else(sessions_if_child) {
        return done.map(|()| ExitCode::SUCCESS);
    }
    if let Some(ended) = raised(sized(10_000, 500) + OTHER_FILES)? {
        return Ok(ended);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}
