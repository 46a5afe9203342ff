//! Connect, log in, quit, and wait for the server to close.

use std::{io, net::SocketAddr};

use super::{Run, ratio, short, spread, started, to_mariadb, turns};
use crate::{
    client::{Connection, packet},
    clock::Watch,
    report::{Section, Table, Verdict},
    series::Series,
    servers::{Kind, Server},
};

const KINDS: [Kind; 6] = Kind::ALL;

/// So many connect at a time.
const AT_ONCE: usize = 16;

#[derive(Default)]
struct Sample {
    rate: Series,
    /// The server's CPU time for one, in microseconds.
    cpu: Series,
    client: Series,
}

/// So many, one after the other.
pub async fn come_and_go(address: SocketAddr, count: usize) -> io::Result<()> {
    for _ in 0..count {
        let mut connection = Connection::open(address).await?;
        connection.send(&packet::command(packet::COM_QUIT, b"")).await?;
        connection.closed().await?;
    }
    Ok(())
}

async fn round(server: &Server, count: usize, into: &mut Sample) -> io::Result<()> {
    let watch = Watch::start(server.id())?;
    let coming: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(come_and_go(server.address, count / AT_ONCE))).collect();
    for task in coming {
        task.await??;
    }
    let spent = watch.stop()?;
    let count = (count / AT_ONCE * AT_ONCE) as f64;
    into.rate.push(count / spent.took);
    into.cpu.push(spent.cpu / count * 1e6);
    into.client.push(spent.clients_part());
    Ok(())
}

pub async fn measure(run: &Run) -> io::Result<Section> {
    let count = run.sized(4_000, 160);
    let servers = started(run, &KINDS)?;
    let mut samples = KINDS.map(|_| Sample::default());
    for server in &servers {
        round(server, count / 4, &mut Sample::default()).await?;
    }
    for next in turns(run.rounds, KINDS.len()) {
        round(&servers[next], count, &mut samples[next]).await?;
    }
    for (kind, server) in KINDS.iter().zip(&servers).filter(|(kind, _)| Kind::WITH_SESSIONS.contains(kind)) {
        super::nobody_left(*kind, server).await?;
    }
    let mut table = Table::new("", &["", "CPU for one, µs", "", "ratio", "a second", "", "ratio", "client, %"]);
    for (place, (kind, sample)) in KINDS.iter().zip(&samples).enumerate() {
        table.row(vec![
            kind.name().to_owned(),
            short(sample.cpu.median()),
            spread(&sample.cpu),
            short(ratio(&samples, place, |sample| &sample.cpu)),
            short(sample.rate.median()),
            spread(&sample.rate),
            short(ratio(&samples, place, |sample| &sample.rate)),
            short(sample.client.median()),
        ]);
    }
    let cpu = to_mariadb(&samples, |sample| &sample.cpu);
    Ok(Section {
        title: "Connects".to_owned(),
        paragraphs: vec![format!(
            "Connect, log in by `mysql_native_password` without a password, COM_QUIT, wait until the server has closed: \
             {count} times a round, {AT_ONCE} at a time. Then nobody is left in the lists."
        )],
        tables: vec![table],
        plots: Vec::new(),
        verdicts: run.verdicts(vec![Verdict::at_most("3. CPU of connect, login, quit", cpu, 0.6, "× MariaDB")]),
    })
}
