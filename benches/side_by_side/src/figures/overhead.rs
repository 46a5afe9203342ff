//! What Killdeer's own observers cost a statement: time-outs, metrics, policies, a subscriber of its log.

use std::{io, time::Duration};

use super::{Run, short, spread, turns};
use crate::{
    client::{Load, Mode},
    report::{Section, Table, Verdict},
    series::Series,
};

const CONNECTIONS: usize = 64;

/// So long each asks in a round.
const STRETCH: Duration = Duration::from_millis(700);
const QUICK_STRETCH: Duration = Duration::from_millis(50);

/// Rules that are always asked and never met.
const POLICIES: &str = r#"
interval = "1s"

[[rule]]
name = "statements over an hour"
match = { command = ["^Query$", "^Execute$"] }
busy_time = "1h"
action = "kill-query"

[[rule]]
name = "idle in transaction"
idle_time = "1h"
transaction_age = "1h"
action = "kill-connection"
"#;

/// The same dialect in all of them: that with a time-out of every statement. What cannot be turned off is set far away.
const OFF: [&str; 3] = ["--dialect=mariadb", "--log=off", "--keepalive=0"];

const ON: [&str; 7] = [
    "--dialect=mariadb",
    "--metrics=0",
    "--set=max_statement_time=3600",
    "--set=wait_timeout=3600",
    "--set=interactive_timeout=3600",
    "--set=idle_transaction_timeout=3600",
    "--set=net_write_timeout=3600",
];

/// What is compared, by name, and its options.
pub fn variants(run: &Run) -> io::Result<[(&'static str, Vec<String>); 3]> {
    let file = run.workshop.file("policies.toml", POLICIES)?;
    let policies = format!("--policies={}", file.display());
    let with = |log: &str| ON.into_iter().chain([policies.as_str(), log]).map(str::to_owned).collect();
    Ok([
        ("all off", OFF.map(str::to_owned).to_vec()),
        ("time-outs, metrics, policies", with("--log=off")),
        ("the same, and a subscriber at info", with("--log=info")),
    ])
}

pub fn measure(run: &Run) -> io::Result<Section> {
    let variants = variants(run)?;
    let (mut servers, mut loads, mut samples) = (Vec::new(), Vec::new(), Vec::new());
    for (_, options) in &variants {
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let server = run.workshop.start_killdeer(&options)?;
        loads.push(Load::open(server.address, CONNECTIONS, Mode::Text, false)?);
        servers.push(server);
        samples.push(Series::default());
    }
    let stretch = run.sized(STRETCH, QUICK_STRETCH);
    for load in &mut loads {
        load.run(stretch / 4)?;
    }
    // Small differences are looked for: three times as often.
    for next in turns(3 * run.rounds, variants.len()) {
        let before = servers[next].cpu()?;
        let report = loads[next].run(stretch)?;
        samples[next].push((servers[next].cpu()? - before).as_secs_f64() / report.statements * 1e6);
    }
    let mut table = Table::new("", &["", "CPU, µs", "", "of all off", ""]);
    for ((name, _), sample) in variants.iter().zip(&samples) {
        let of_off = sample.over(&samples[0]);
        table.row(vec![
            (*name).to_owned(),
            short(sample.median()),
            spread(sample),
            short(of_off.median()),
            spread(&of_off),
        ]);
    }
    let of_off = samples[1].over(&samples[0]).median();
    let of_log = samples[2].over(&samples[1]).median();
    Ok(Section {
        title: "Observers".to_owned(),
        paragraphs: vec![format!(
            "The server's CPU time for a `SELECT 1` at {CONNECTIONS} connections, {} rounds: time-outs of statements, \
             sessions, transactions and writes, metrics with a recorder, and policies; then a subscriber of `tracing` \
             as well.",
            3 * run.rounds
        )],
        tables: vec![table],
        plots: Vec::new(),
        verdicts: run.verdicts(vec![
            Verdict::at_most("8. time-outs, metrics and policies on", of_off, 1.1, "× all off"),
            Verdict::at_most("8. a subscriber at info", of_log, 1.05, "× without"),
        ]),
    })
}
