//! `SELECT 1`: statements a second, their times, and what the server spends on each.

use std::{io, time::Duration};

use super::{Run, short, spread, started, turns};
use crate::{
    client::{Load, Mode, Report, STATEMENT},
    report::{Line, Plot, Section, Table, Verdict},
    series::Series,
    servers::{Kind, Server, WORKERS},
};

/// So long each asks in a round.
const STRETCH: Duration = Duration::from_millis(700);
const QUICK_STRETCH: Duration = Duration::from_millis(50);

/// One server at one number of connections, over all rounds.
#[derive(Default)]
struct Sample {
    /// Statements a second.
    rate: Series,
    /// In microseconds.
    p50: Series,
    p99: Series,
    /// The server's CPU time for a statement, in microseconds.
    cpu: Series,
    /// The client's part of all CPU time, in percent.
    client: Series,
}

impl Sample {
    fn push(&mut self, report: Report, server: Duration) {
        let server = server.as_secs_f64();
        self.rate.push(report.statements / report.took);
        self.p50.push(report.p50);
        self.p99.push(report.p99);
        self.cpu.push(server / report.statements * 1e6);
        self.client.push(100.0 * report.cpu / (report.cpu + server));
    }
}

/// All servers in one setting.
struct Setting {
    mode: Mode,
    connections: usize,
    samples: [Sample; Kind::ALL.len()],
}

impl Setting {
    fn of(&self, kind: Kind) -> &Sample {
        let place = Kind::ALL.iter().position(|other| *other == kind);
        &self.samples[place.expect("all are there")]
    }

    /// Killdeer's by another's, round by round.
    fn ratio(&self, other: Kind, figure: impl Fn(&Sample) -> &Series) -> f64 {
        figure(self.of(Kind::Killdeer)).over(figure(self.of(other))).median()
    }

    /// The same by the better of MariaDB's two modes: that which leaves Killdeer the worse ratio.
    fn to_mariadb(&self, figure: impl Fn(&Sample) -> &Series, worse: impl Fn(f64, f64) -> f64) -> f64 {
        worse(self.ratio(Kind::MariadbThreads, &figure), self.ratio(Kind::MariadbPool, &figure))
    }
}

fn measure_setting(run: &Run, servers: &[Server], mode: Mode, connections: usize) -> io::Result<Setting> {
    let stretch = run.sized(STRETCH, QUICK_STRETCH);
    let mut samples = [(); Kind::ALL.len()].map(|()| Sample::default());
    let mut loads = Vec::new();
    for (kind, server) in Kind::ALL.iter().zip(servers) {
        let mut load = Load::open(server.address, connections, mode, kind.is_floor())?;
        load.run(stretch / 4)?;
        loads.push(load);
    }
    for next in turns(run.rounds, loads.len()) {
        let before = servers[next].cpu()?;
        let report = loads[next].run(stretch)?;
        samples[next].push(report, servers[next].cpu()? - before);
    }
    Ok(Setting { mode, connections, samples })
}

pub fn measure(run: &Run) -> io::Result<Section> {
    let servers = started(run, &Kind::ALL)?;
    let counts: &[usize] = run.sized(&[1, 64, 512, 4096], &[1, 64]);
    let mut settings = Vec::new();
    for mode in Mode::ALL {
        for connections in counts {
            settings.push(measure_setting(run, &servers, mode, *connections)?);
        }
    }
    Ok(Section {
        title: format!("`{STATEMENT}`"),
        paragraphs: vec![format!(
            "Each connection asks again when it has its answer. {} CPUs are shared by the server (of {WORKERS} threads, \
             where it can be told) and the client (of one). `CPU` is the server's, for one statement; `client` the \
             client's part of all CPU time. Medians of {} rounds, in brackets the middle half; ratios are Killdeer's by \
             the other's, round by round. A floor parses nothing and answers with Killdeer's bytes. MariaDB is {}.",
            std::thread::available_parallelism()?,
            run.rounds,
            run.workshop.mariadb_version()
        )],
        tables: Mode::ALL.map(|mode| table(&settings, mode)).into(),
        plots: plots(&settings),
        verdicts: run.verdicts(verdicts(&settings)),
    })
}

fn table(settings: &[Setting], mode: Mode) -> Table {
    let head = ["", "connections", "CPU, µs", "", "ratio", "a second", "ratio", "p50, µs", "p99, µs", "client, %"];
    let mut table =
        Table::new(format!("By {}:", if mode == Mode::Text { "COM_QUERY" } else { "COM_STMT_EXECUTE" }), &head);
    for setting in settings.iter().filter(|setting| setting.mode == mode) {
        for kind in Kind::ALL {
            let sample = setting.of(kind);
            table.row(vec![
                kind.name().to_owned(),
                setting.connections.to_string(),
                short(sample.cpu.median()),
                spread(&sample.cpu),
                short(setting.ratio(kind, |sample| &sample.cpu)),
                short(sample.rate.median()),
                short(setting.ratio(kind, |sample| &sample.rate)),
                short(sample.p50.median()),
                short(sample.p99.median()),
                short(sample.client.median()),
            ]);
        }
    }
    table
}

fn plots(settings: &[Setting]) -> Vec<Plot> {
    let plot = |mode: Mode, name: &str, y, figure: fn(&Sample) -> &Series| Plot {
        name: format!("select-{}-{name}", mode.name()),
        title: format!("{STATEMENT}, {}: {y}", mode.name()),
        x: "connections",
        y,
        lines: Kind::ALL
            .map(|kind| Line {
                name: kind.name(),
                points: settings
                    .iter()
                    .filter(|setting| setting.mode == mode)
                    .map(|setting| (setting.connections as f64, figure(setting.of(kind)).median()))
                    .collect(),
            })
            .into(),
    };
    vec![
        plot(Mode::Text, "cpu", "server CPU for one, µs", |sample| &sample.cpu),
        plot(Mode::Text, "rate", "statements a second", |sample| &sample.rate),
        plot(Mode::Text, "p99", "p99, µs", |sample| &sample.p99),
        plot(Mode::Prepared, "cpu", "server CPU for one, µs", |sample| &sample.cpu),
    ]
}

fn verdicts(settings: &[Setting]) -> Vec<Verdict> {
    let at =
        |connections| settings.iter().find(|setting| setting.mode == Mode::Text && setting.connections == connections);
    let (Some(one), Some(some), Some(many)) = (at(1), at(64), at(512)) else { return Vec::new() };
    let cpu = |kind| some.ratio(kind, |sample| &sample.cpu);
    let rate = |kind| some.ratio(kind, |sample| &sample.rate);
    vec![
        Verdict::at_most("1. CPU at 64", cpu(Kind::FloorActix), 1.25, "× actix floor"),
        Verdict::at_most("1. CPU at 64", cpu(Kind::FloorTokio), 1.4, "× tokio floor"),
        Verdict::at_most("1. CPU at 64", cpu(Kind::Opensrv), 1.2, "× opensrv-mysql"),
        Verdict::at_most("1. CPU at 64", some.to_mariadb(|sample| &sample.cpu, f64::max), 0.6, "× MariaDB"),
        Verdict::at_least("1. statements/s at 64", rate(Kind::FloorTokio), 0.8, "× tokio floor"),
        Verdict::at_least("1. statements/s at 64", some.to_mariadb(|sample| &sample.rate, f64::min), 1.3, "× MariaDB"),
        Verdict::at_most("1. p50 at 1", one.ratio(Kind::FloorTokio, |sample| &sample.p50), 1.15, "× tokio floor"),
        Verdict::at_most("1. p99 at 512", many.to_mariadb(|sample| &sample.p99, f64::max), 0.6, "× MariaDB"),
    ]
}
