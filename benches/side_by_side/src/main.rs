//! Killdeer beside other servers of the MySQL protocol, on this machine, in one run.
//!
//! ```sh
//! cargo run --release --manifest-path benches/side_by_side/Cargo.toml
//! ```
//!
//! Each server is a process with a directory and a port of its own; so is each client. The same client drives all of them
//! in turn, nobody always first, round after round. What comes out is printed, and kept in `docs/performance.md` and
//! `docs/performance/`.
#![forbid(unsafe_code)]

mod client;
mod clock;
mod figures;
mod latencies;
mod process;
mod report;
mod series;
mod servers;

use std::{
    error::Error,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand, ValueEnum};
use client::{
    crowd,
    load::{self, Mode},
};
use figures::{Figure, Run, growth};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use report::{Section, Verdict, page};
use servers::{Served, Workshop};

#[derive(Parser)]
#[command(about, args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    child: Option<ChildRole>,
    /// How many rounds
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// What to measure, rather than all
    #[arg(long, value_name = "FIGURE", value_delimiter = ',')]
    only: Vec<Figure>,
    /// Measure nothing: put into the page what `cargo bench --bench growth -- --csv FILE` has measured
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rounds", "only", "quick"])]
    growth: Option<PathBuf>,
    /// Everything small, to see that it works: no verdicts, and the page stays as it is
    #[arg(long)]
    quick: bool,
    /// Fail if a bound is not kept
    #[arg(long)]
    check: bool,
    /// The main example, already built [default: it is built now]
    #[arg(long, value_name = "PATH")]
    echo_sql: Option<PathBuf>,
    /// The directory of the page and the plots
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"))]
    docs: PathBuf,
}

/// What this program is as a child of itself.
#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
enum ChildRole {
    #[command(flatten)]
    Served(Served),
    /// Asks the same over many connections
    Load {
        address: SocketAddr,
        connections: usize,
        #[arg(long)]
        mode: Mode,
        #[arg(long)]
        floor: bool,
    },
    /// Holds many connections
    Crowd {
        address: SocketAddr,
        #[arg(long)]
        secure: bool,
    },
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("side by side: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    raise_descriptors()?;
    let on_one_thread = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    match options.child {
        Some(ChildRole::Served(served)) => served.serve()?,
        Some(ChildRole::Load { address, connections, mode, floor }) => {
            on_one_thread()?.block_on(load::serve(address, connections, mode, floor))?;
        }
        Some(ChildRole::Crowd { address, secure }) => on_one_thread()?.block_on(crowd::serve(address, secure))?,
        None => {
            let Some(file) = options.growth else { return on_one_thread()?.block_on(compare(options)) };
            let section = growth::read(&file)?;
            section.print();
            keep(&options.docs, growth::NAME, &section)?;
            return Ok(judged(options.check, false, section.verdicts));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As many descriptors as this process may have. Children inherit it.
fn raise_descriptors() -> io::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

async fn compare(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let echo_sql = match options.echo_sql {
        Some(path) => path,
        None => servers::build_echo_sql()?,
    };
    let rounds = options.rounds.unwrap_or(if options.quick { 1 } else { 5 });
    let run = Run { workshop: Workshop::open(echo_sql).await?, rounds, quick: options.quick };
    let figures = if options.only.is_empty() { Figure::value_variants().to_vec() } else { options.only };
    let (mut verdicts, mut broken) = (Vec::new(), false);
    for figure in figures {
        eprintln!("measuring: {}", figure.name());
        // The others can be measured still.
        let section = match figure.measure(&run).await {
            Ok(section) => section,
            Err(error) => {
                eprintln!("side by side: {}: {error}", figure.name());
                broken = true;
                continue;
            }
        };
        section.print();
        if !options.quick {
            keep(&options.docs, &figure.name(), &section)?;
        }
        verdicts.extend(section.verdicts);
    }
    Ok(judged(options.check, broken, verdicts))
}

/// Says which bounds were not kept. A run fails if it could not measure all, and if it was to check bounds, by them too.
fn judged(check: bool, broken: bool, mut verdicts: Vec<Verdict>) -> ExitCode {
    verdicts.retain(|verdict| !verdict.is_kept());
    if !verdicts.is_empty() {
        println!("\nNot kept:");
        verdicts.iter().for_each(|verdict| println!("{verdict}"));
    }
    let failed = broken || check && !verdicts.is_empty();
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Puts a figure into the page, and its plots beside it.
fn keep(docs: &Path, name: &str, section: &Section) -> Result<(), Box<dyn Error>> {
    let (file, plots) = (docs.join("performance.md"), docs.join("performance"));
    std::fs::create_dir_all(&plots)?;
    section.plots.iter().try_for_each(|plot| plot.write(&plots))?;
    let before = match std::fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => "# Performance\n".to_owned(),
        read => read?,
    };
    std::fs::write(file, page::with(&before, name, &section.markdown("performance")))?;
    Ok(())
}
