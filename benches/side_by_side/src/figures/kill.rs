//! Kills: from KILL QUERY sent to the victim's error received, and many connections killed one after the other.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{Run, everybody_else, nobody_left, ratio, short, spread, started, to_mariadb, turns};
use tokio::time::timeout;

use crate::{
    client::{
        Connection, Crowd, Load, Mode,
        packet::{self, Answer},
    },
    clock::Watch,
    latencies::Latencies,
    report::{Section, Table, Verdict},
    series::Series,
    servers::{Kind, Server, WORKERS},
};

const KINDS: [Kind; 3] = Kind::WITH_SESSIONS;

/// So many connections keep both CPUs busy.
const BUSY: usize = 64;

/// KILL_QUERY's error.
const INTERRUPTED: u16 = 1317;

/// So many KILLs are sent at a time, where they are not sent one by one.
const BATCH: usize = 100;

/// So long a victim may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the lists say of a session that runs `SLEEP`.
const SLEEPS: &[u8] = b"User sleep";

#[derive(Default)]
struct Sample {
    /// From sent to received, in microseconds; of an idle server, and of a busy one.
    idle: [Series; 2],
    busy: [Series; 2],
    /// Until all of the crowd are gone, in seconds: one after the other, and in batches.
    crowd: [Series; 2],
    /// The server's CPU time for each of them, in microseconds.
    cpu: [Series; 2],
}

/// One who runs a statement without an end, and those who end it in turn: connections are dealt out to the threads of a
/// server that has a few of them, so that one killer in so many is served by the victim's.
struct Scene {
    kind: Kind,
    victim: Connection,
    id: u64,
    killers: [Connection; WORKERS],
    kills: usize,
}

impl Scene {
    async fn open(kind: Kind, server: &Server) -> io::Result<Self> {
        let mut victim = Connection::open(server.address).await?;
        let id = super::id(&mut victim).await?;
        let mut killers = Vec::with_capacity(WORKERS);
        while killers.len() < WORKERS {
            killers.push(Connection::open(server.address).await?);
        }
        let killers = killers.try_into().map_err(|_| io::Error::other("not as many killers as threads"))?;
        Ok(Self { kind, victim, id, killers, kills: 0 })
    }

    /// One kill; how long it took.
    async fn kill(&mut self) -> io::Result<Duration> {
        self.kills += 1;
        // Each is known from the one before, whose state the list may still show.
        let statement = format!("SELECT SLEEP(100) /* {} */", self.kills);
        let killer = &mut self.killers[self.kills % WORKERS];
        self.victim.send(&packet::query(&statement)).await?;
        let mut sleeps = false;
        while !sleeps {
            killer.send(&packet::query("SHOW PROCESSLIST")).await?;
            let see = |row: &[u8]| sleeps |= contains(row, SLEEPS) && contains(row, statement.as_bytes());
            killer.answer(see).await?.rows()?;
        }
        let kill = packet::query(&format!("KILL QUERY {}", self.id));
        let sent = Instant::now();
        killer.send(&kill).await?;
        let victim = async {
            let mut value = Vec::new();
            let answer = self.victim.answer(|row| value = row.to_vec()).await?;
            io::Result::Ok((answer, value, sent.elapsed()))
        };
        let both = async { tokio::try_join!(victim, killer.answer(|_| ())) };
        let ((answer, value, took), told) = match timeout(PATIENCE, both).await {
            Ok(both) => both?,
            Err(_) => return Err(io::Error::other(format!("{}: a victim of KILL QUERY lives on", self.kind.name()))),
        };
        told.ok()?;
        match answer {
            Answer::Error(error) if error.code == INTERRUPTED => Ok(took),
            // MariaDB's SLEEP says by 1 that it was interrupted, if the kill does not get any further.
            Answer::Rows { .. } if value == b"\x011" && self.kind != Kind::Killdeer => Ok(took),
            other => Err(io::Error::other(format!("{}: a victim of KILL QUERY was told {other:?}", self.kind.name()))),
        }
    }

    async fn kills(&mut self, count: usize, [p50, p99]: &mut [Series; 2]) -> io::Result<()> {
        let mut latencies = Latencies::default();
        for _ in 0..count {
            latencies.push(self.kill().await?);
        }
        p50.push(latencies.percentile(50.0));
        p99.push(latencies.percentile(99.0));
        Ok(())
    }
}

fn contains(row: &[u8], part: &[u8]) -> bool {
    row.windows(part.len()).any(|window| window == part)
}

/// So many connect and are killed, one after the other or in batches; how long it takes until all of them are gone.
async fn kill_crowd(kind: Kind, server: &Server, count: usize, batch: usize) -> io::Result<(f64, f64)> {
    let mut crowd = Crowd::start(server.address, false)?;
    crowd.grow(count)?;
    let mut administrator = Connection::open(server.address).await?;
    let victims = everybody_else(&mut administrator).await?;
    if victims.len() != count {
        return Err(io::Error::other(format!("{}: {} in the list, of {count}", kind.name(), victims.len())));
    }
    let watch = Watch::start(server.id())?;
    for victims in victims.chunks(batch) {
        let kills: Vec<u8> = victims.iter().flat_map(|id| packet::query(&format!("KILL {id}"))).collect();
        administrator.send(&kills).await?;
        for _ in victims {
            administrator.answer(|_| ()).await?.ok()?;
        }
    }
    crowd.gone()?;
    while !everybody_else(&mut administrator).await?.is_empty() {}
    let spent = watch.stop()?;
    Ok((spent.took, spent.cpu / count as f64 * 1e6))
}

pub async fn measure(run: &Run) -> io::Result<Section> {
    let (kills, count) = run.sized((500, 10_000), (20, 200));
    let servers = started(run, &KINDS)?;
    let mut samples = KINDS.map(|_| Sample::default());
    let (mut scenes, mut loads) = (Vec::new(), Vec::new());
    for (kind, server) in KINDS.iter().zip(&servers) {
        let mut scene = Scene::open(*kind, server).await?;
        scene.kills(kills / 10, &mut Default::default()).await?;
        scenes.push(scene);
        loads.push(Load::open(server.address, BUSY, Mode::Text, false)?);
    }
    for next in turns(run.rounds, KINDS.len()) {
        scenes[next].kills(kills, &mut samples[next].idle).await?;
    }
    for next in turns(run.rounds, KINDS.len()) {
        loads[next].start()?;
        scenes[next].kills(kills, &mut samples[next].busy).await?;
        loads[next].stop()?;
    }
    drop((scenes, loads));
    for (kind, server) in KINDS.iter().zip(&servers) {
        nobody_left(*kind, server).await?;
    }
    for next in turns(run.rounds, KINDS.len()) {
        for (place, batch) in [1, BATCH].into_iter().enumerate() {
            let (took, cpu) = kill_crowd(KINDS[next], &servers[next], count, batch).await?;
            samples[next].crowd[place].push(took);
            samples[next].cpu[place].push(cpu);
        }
    }
    Ok(section(run, kills, count, &samples))
}

fn section(run: &Run, kills: usize, count: usize, samples: &[Sample]) -> Section {
    let head = [
        "",
        "p50 idle, µs",
        "",
        "ratio",
        "p99 idle, µs",
        "ratio",
        "p50 busy, µs",
        "ratio",
        "p99 busy, µs",
        "",
        "ratio",
    ];
    let to_mariadb = |figure: fn(&Sample) -> &Series| to_mariadb(samples, figure);
    let mut times = Table::new("", &head);
    let head = ["", "one by one, s", "", "ratio", "CPU each, µs", "in batches, s", "", "ratio", "CPU each, µs"];
    let mut crowds = Table::new("", &head);
    for (other, (kind, sample)) in KINDS.iter().zip(samples).enumerate() {
        times.row(vec![
            kind.name().to_owned(),
            short(sample.idle[0].median()),
            spread(&sample.idle[0]),
            short(ratio(samples, other, |sample| &sample.idle[0])),
            short(sample.idle[1].median()),
            short(ratio(samples, other, |sample| &sample.idle[1])),
            short(sample.busy[0].median()),
            short(ratio(samples, other, |sample| &sample.busy[0])),
            short(sample.busy[1].median()),
            spread(&sample.busy[1]),
            short(ratio(samples, other, |sample| &sample.busy[1])),
        ]);
        crowds.row(vec![
            kind.name().to_owned(),
            short(sample.crowd[0].median()),
            spread(&sample.crowd[0]),
            short(ratio(samples, other, |sample| &sample.crowd[0])),
            short(sample.cpu[0].median()),
            short(sample.crowd[1].median()),
            spread(&sample.crowd[1]),
            short(ratio(samples, other, |sample| &sample.crowd[1])),
            short(sample.cpu[1].median()),
        ]);
    }
    Section {
        title: "Kills".to_owned(),
        paragraphs: vec![
            format!(
                "From KILL QUERY sent to the victim's error received, {kills} times a round; the victim runs `SELECT \
                 SLEEP(100)`. {WORKERS} connections kill in turn, one of them served by the same of Killdeer's threads as \
                 the victim. Busy: {BUSY} connections of a client of their own run `SELECT 1`."
            ),
            format!(
                "{count} connections killed by one administrator, one KILL after the other's answer, and {BATCH} KILLs at \
                 a time: until all their sockets are closed and none of them is in the list."
            ),
        ],
        tables: vec![times, crowds],
        plots: Vec::new(),
        verdicts: run.verdicts(vec![
            Verdict::at_most("6. KILL QUERY, p50, idle", to_mariadb(|sample| &sample.idle[0]), 0.7, "× MariaDB"),
            Verdict::at_most("6. KILL QUERY, p99, busy", to_mariadb(|sample| &sample.busy[1]), 0.5, "× MariaDB"),
            Verdict::at_most(format!("6. {count} killed"), to_mariadb(|sample| &sample.crowd[0]), 0.1, "× MariaDB"),
        ]),
    }
}
