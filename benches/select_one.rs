//! What `SELECT 1` costs the server: CPU time per statement over the wire at 64 connections, beside a server that reads
//! what comes and writes the same bytes.
//!
//! Bound: 1.4 times the CPU time of that floor on tokio's multi-threaded runtime. The floor on `actix-server` says how
//! much of it is due to where killdeer runs.
#![forbid(unsafe_code)]

mod support;

use std::{
    io,
    process::{ExitCode, id},
    time::{Duration, Instant},
};

use support::{
    client,
    figures::{Series, sized, table, verdict},
    process::{Process, cpu},
    server::{Kind, serve_if_child},
};
use tokio::{net::TcpStream, time::sleep};

const BOUND: f64 = 1.4;
const CONNECTIONS: usize = 64;

/// One server, and what was measured of it.
struct Contestant {
    kind: Kind,
    process: Process,
    connections: Vec<TcpStream>,
    /// In microseconds a statement.
    server: Series,
    client: Series,
    /// Statements a second.
    rate: Series,
}

impl Contestant {
    async fn new(kind: Kind, answer: &[u8]) -> io::Result<Self> {
        let (process, address) = kind.start(answer)?;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(client::connect(address).await?);
        }
        let [server, client, rate] = Default::default();
        Ok(Self { kind, process, connections, server, client, rate })
    }

    async fn load(&mut self, statements: u64, length: usize) -> io::Result<()> {
        client::load(&mut self.connections, statements, length).await
    }

    async fn round(&mut self, statements: u64, length: usize) -> io::Result<()> {
        let (server, client, began) = (cpu(self.process.id())?, cpu(id())?, Instant::now());
        self.load(statements, length).await?;
        let took = began.elapsed();
        // Its threads have written their last answer, and are on their way to sleep: then their account is exact.
        sleep(Duration::from_millis(10)).await;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / statements as f64;
        self.server.push(each(cpu(self.process.id())? - server));
        self.client.push(each(cpu(id())? - client));
        self.rate.push(statements as f64 / took.as_secs_f64());
        Ok(())
    }
}

async fn run() -> io::Result<ExitCode> {
    let (rounds, statements) = sized((15, 100_000), (3, 6_400));
    let answer = {
        let (_process, address) = Kind::Killdeer.start(&[])?;
        client::answer(&mut client::connect(address).await?).await?
    };
    let mut contestants = Vec::new();
    for kind in Kind::ALL {
        let mut contestant = Contestant::new(kind, &answer).await?;
        let same = client::answer(&mut contestant.connections[0]).await? == answer;
        assert!(same, "{} answers with other bytes", kind.name());
        contestant.load(statements / 4, answer.len()).await?;
        contestants.push(contestant);
    }
    for round in 0..rounds {
        for turn in 0..contestants.len() {
            // Nobody is always the first.
            let next = (round + turn) % Kind::ALL.len();
            contestants[next].round(statements, answer.len()).await?;
        }
    }
    let floor = contestants[0].server.clone();
    let ratio = |contestant: &Contestant| contestant.server.with(&floor, |own, floor| own / floor);
    let rows: Vec<_> = contestants
        .iter()
        .map(|contestant| {
            [
                contestant.kind.name().to_owned(),
                format!("{:.2} µs", contestant.server.median()),
                contestant.server.spread(2),
                format!("{:.2}", ratio(contestant).median()),
                ratio(contestant).spread(2),
                format!("{:.0}", contestant.rate.median()),
                format!("{:.2} µs", contestant.client.median()),
            ]
        })
        .collect();
    table(
        &format!(
            "SELECT 1, {CONNECTIONS} connections, two workers, {rounds} rounds of {statements}, an answer of {} bytes",
            answer.len()
        ),
        ["", "server CPU", "spread", "of the floor", "spread", "a second", "client CPU"],
        &rows,
    );
    let of_the_floor = ratio(&contestants[contestants.len() - 1]).median();
    Ok(verdict("server CPU per SELECT 1", of_the_floor, BOUND, "of the tokio floor"))
}

fn main() -> io::Result<ExitCode> {
    if let Some(served) = serve_if_child() {
        return served.map(|()| ExitCode::SUCCESS);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}
