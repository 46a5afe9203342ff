//! SHOW PROCESSLIST of many sessions: how long it takes, and what a stream of lists does to the statements of others.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{Run, ratio, short, spread, started, to_mariadb, turns};
use crate::{
    client::{Connection, Crowd, Load, Mode},
    report::{Line, Plot, Section, Table, Verdict},
    series::Series,
    servers::Kind,
};

const KINDS: [Kind; 3] = Kind::WITH_SESSIONS;

/// So many others run statements beside the lists.
const OTHERS: usize = 64;

/// For so long each time.
const STRETCH: Duration = Duration::from_secs(2);
const QUICK_STRETCH: Duration = Duration::from_millis(100);

/// Lists of one round; the quickest is taken.
const LISTS: usize = 5;

#[derive(Default)]
struct Sample {
    /// Milliseconds for a list, by the number of sessions.
    took: Vec<Series>,
    /// The server's CPU time for one, in milliseconds.
    cpu: Vec<Series>,
    /// Others' p99 in microseconds, without lists and with them.
    alone: Series,
    beside: Series,
    /// Lists a second, beside the others.
    lists: Series,
}

async fn list(connection: &mut Connection, least: usize) -> io::Result<Duration> {
    let began = Instant::now();
    let rows = connection.query("SHOW PROCESSLIST").await?.rows()?;
    let took = began.elapsed();
    if rows < least as u64 { Err(io::Error::other(format!("{rows} rows of {least}"))) } else { Ok(took) }
}

/// The others alone, then beside a stream of lists.
async fn disturb(run: &Run, others: &mut Load, lister: &mut Connection, sample: &mut Sample) -> io::Result<()> {
    let stretch = run.sized(STRETCH, QUICK_STRETCH);
    sample.alone.push(others.run(stretch)?.p99);
    others.start()?;
    let (began, mut lists) = (Instant::now(), 0);
    while began.elapsed() < stretch {
        list(lister, OTHERS).await?;
        lists += 1;
    }
    let took = began.elapsed();
    sample.beside.push(others.stop()?.p99);
    sample.lists.push(f64::from(lists) / took.as_secs_f64());
    Ok(())
}

pub async fn measure(run: &Run) -> io::Result<Section> {
    let counts: &[usize] = run.sized(&[1_000, 10_000, 19_000], &[100, 200]);
    let servers = started(run, &KINDS)?;
    let mut samples = KINDS.map(|_| Sample {
        took: vec![Series::default(); counts.len()],
        cpu: vec![Series::default(); counts.len()],
        ..Sample::default()
    });
    let (mut listers, mut crowds) = (Vec::new(), Vec::new());
    for server in &servers {
        listers.push(Connection::open(server.address).await?);
        crowds.push(Crowd::start(server.address, false)?);
    }
    for (place, count) in counts.iter().enumerate() {
        for ((crowd, lister), kind) in crowds.iter_mut().zip(&mut listers).zip(KINDS) {
            crowd.grow(*count)?;
            let listed = list(lister, *count).await;
            listed.map_err(|error| io::Error::other(format!("{}: {error}", kind.name())))?;
        }
        for next in turns(run.rounds, KINDS.len()) {
            let (mut quickest, before) = (Duration::MAX, servers[next].cpu()?);
            for _ in 0..LISTS {
                quickest = quickest.min(list(&mut listers[next], *count).await?);
            }
            let cpu = servers[next].cpu()? - before;
            samples[next].took[place].push(quickest.as_secs_f64() * 1e3);
            samples[next].cpu[place].push(cpu.as_secs_f64() / LISTS as f64 * 1e3);
        }
    }
    let others =
        servers.iter().zip(KINDS).map(|(server, kind)| Load::open(server.address, OTHERS, Mode::Text, kind.is_floor()));
    let mut others: Vec<_> = others.collect::<io::Result<_>>()?;
    for next in turns(run.rounds, KINDS.len()) {
        disturb(run, &mut others[next], &mut listers[next], &mut samples[next]).await?;
    }
    Ok(section(run, counts, &samples))
}

fn section(run: &Run, counts: &[usize], samples: &[Sample]) -> Section {
    let mut times = Table::new("", &["", "sessions", "a list, ms", "", "ratio", "CPU, ms", "ratio"]);
    let mut others =
        Table::new("", &["", "others' p99 alone, µs", "beside lists, µs", "of alone", "", "lists a second"]);
    for (other, (kind, sample)) in KINDS.iter().zip(samples).enumerate() {
        for (place, count) in counts.iter().enumerate() {
            let cells = [
                count.to_string(),
                short(sample.took[place].median()),
                spread(&sample.took[place]),
                short(ratio(samples, other, |sample| &sample.took[place])),
                short(sample.cpu[place].median()),
                short(ratio(samples, other, |sample| &sample.cpu[place])),
            ];
            times.row([kind.name().to_owned()].into_iter().chain(cells).collect());
        }
        let slower = sample.beside.over(&sample.alone);
        others.row(vec![
            kind.name().to_owned(),
            short(sample.alone.median()),
            short(sample.beside.median()),
            short(slower.median()),
            spread(&slower),
            short(sample.lists.median()),
        ]);
    }
    let most = counts.last().copied().unwrap_or_default();
    let slower = samples[0].beside.over(&samples[0].alone).median();
    let middle = counts.len() / 2;
    let to_mariadb = to_mariadb(samples, |sample| &sample.took[middle]);
    let plot = Plot {
        name: "list".to_owned(),
        title: "SHOW PROCESSLIST".to_owned(),
        x: "sessions",
        y: "ms",
        lines: KINDS
            .iter()
            .zip(samples)
            .map(|(kind, sample)| Line {
                name: kind.name(),
                points: counts.iter().map(|count| *count as f64).zip(sample.took.iter().map(Series::median)).collect(),
            })
            .collect(),
    };
    Section {
        title: "Lists".to_owned(),
        paragraphs: vec![
            format!("SHOW PROCESSLIST until its last byte has come, the quickest of {LISTS} in each round."),
            format!("{OTHERS} others run `SELECT 1` among {most} sessions, alone and while one lists without a pause."),
        ],
        tables: vec![times, others],
        plots: vec![plot],
        verdicts: run.verdicts(vec![
            Verdict::at_most(format!("5. a list of {}", counts[middle]), to_mariadb, 0.25, "× MariaDB"),
            Verdict::at_most(format!("5. others' p99 beside lists of {most}"), slower, 1.5, "× alone"),
        ]),
    }
}
