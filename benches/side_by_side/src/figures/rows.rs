//! A million rows: how fast they come, and what the server spends on each.

use std::io;

use super::{Run, short, spread, started, turns};
use crate::{
    client::Connection,
    clock::Watch,
    report::{Section, Table, Verdict},
    series::Series,
    servers::{Kind, Server},
};

const KINDS: [Kind; 4] = Kind::SERVERS;

#[derive(Default)]
struct Sample {
    /// Rows a second.
    rate: Series,
    /// Bytes of the whole answer.
    bytes: u64,
    /// The server's CPU time for a row, in nanoseconds.
    cpu: Series,
    /// The client's part of all CPU time, in percent.
    client: Series,
}

async fn read(
    server: &Server,
    connection: &mut Connection,
    sql: &str,
    count: u64,
    into: &mut Sample,
) -> io::Result<()> {
    let (before, watch) = (connection.taken(), Watch::start(server.id())?);
    let rows = connection.query(sql).await?.rows()?;
    let spent = watch.stop()?;
    if rows != count {
        return Err(io::Error::other(format!("{sql}: {rows} rows")));
    }
    into.rate.push(count as f64 / spent.took);
    into.cpu.push(spent.cpu / count as f64 * 1e9);
    into.client.push(spent.clients_part());
    into.bytes = connection.taken() - before;
    Ok(())
}

pub async fn measure(run: &Run) -> io::Result<Section> {
    let count = run.sized(1_000_000, 10_000);
    let servers = started(run, &KINDS)?;
    let mut samples = KINDS.map(|_| Sample::default());
    let mut connections = Vec::new();
    for (kind, server) in KINDS.iter().zip(&servers) {
        let mut connection = Connection::open(server.address).await?;
        read(server, &mut connection, &kind.rows(count), count, &mut Sample::default()).await?;
        connections.push(connection);
    }
    for next in turns(run.rounds, KINDS.len()) {
        let sql = KINDS[next].rows(count);
        read(&servers[next], &mut connections[next], &sql, count, &mut samples[next]).await?;
    }
    let ratio = |other: usize| samples[0].rate.over(&samples[other].rate).median();
    let mut table =
        Table::new("", &["", "rows a second", "", "ratio", "MB/s", "answer, MB", "CPU a row, ns", "", "client, %"]);
    for (place, (kind, sample)) in KINDS.iter().zip(&samples).enumerate() {
        let megabytes = sample.bytes as f64 / 1e6;
        table.row(vec![
            kind.name().to_owned(),
            short(sample.rate.median()),
            spread(&sample.rate),
            short(ratio(place)),
            short(sample.rate.median() / count as f64 * megabytes),
            format!("{megabytes:.3}"),
            short(sample.cpu.median()),
            spread(&sample.cpu),
            short(sample.client.median()),
        ]);
    }
    let verdict = Verdict::at_least("2. rows a second", ratio(1).min(ratio(2)), 1.5, "× MariaDB");
    Ok(Section {
        title: "Rows".to_owned(),
        paragraphs: vec![format!(
            "{count} rows of one BIGINT to one connection, as text: `{}`, of MariaDB `{}`.",
            Kind::Killdeer.rows(count),
            Kind::MariadbThreads.rows(count)
        )],
        tables: vec![table],
        plots: Vec::new(),
        verdicts: run.verdicts(vec![verdict]),
    })
}
