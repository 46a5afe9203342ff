//! A MySQL server that says everything back: the main example.
//!
//! ```sh
//! cargo run --release --example echo_sql
//! mariadb -h 127.0.0.1 -P 3307 -u root
//! ```

#[path = "echo/certificate.rs"]
mod certificate;
#[cfg(feature = "cluster")]
#[path = "echo/cluster.rs"]
mod cluster;
mod echo;
#[path = "echo/end.rs"]
mod end;
#[path = "echo/figures.rs"]
mod figures;
#[path = "echo/job.rs"]
mod job;
#[path = "echo/metrics.rs"]
mod metrics_endpoint;
#[path = "echo/policies.rs"]
mod policies;
#[path = "echo/settings.rs"]
mod settings;
#[path = "echo/signals.rs"]
mod signals;
#[path = "echo/system.rs"]
mod system;

use std::{
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use certificate::Certificate;
use clap::Parser;
use echo::{EchoSql, accounts::Accounts};
use end::End;
use job::Job;
use killdeer::{
    Runtime,
    wire::{self, AuthPlugin, Keepalive, Network, Serve},
};
use settings::Set;
use signals::Signals;
use system::System;
use tracing_subscriber::EnvFilter;

/// A MySQL server that says everything back.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    job: Option<Job>,
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3307")]
    listen: SocketAddr,
    /// A Unix socket to listen on as well
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    certificate: Certificate,
    /// The plugin in the greeting, by which unknown users are asked
    #[arg(long, value_name = "NAME", default_value = AuthPlugin::default().name(), value_parser = plugin)]
    default_plugin: AuthPlugin,
    /// A TOML file of [[user]] tables with user, verifier (or password and plugin), require_tls, privileges, settings (what
    /// its sessions begin with) and caps (how far they may go)
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// A TOML file of [[rule]] tables with what is to be killed without being asked; SIGHUP has it read again
    #[arg(long, value_name = "FILE")]
    policies: Option<PathBuf>,
    /// Networks of trusted proxies, such as 10.0.0.0/8,::1 or *: every TCP connection from there begins with a header of the PROXY
    /// protocol
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    proxy_networks: Vec<Network>,
    /// Networks of OceanBase's proxies, whose word on which client a connection is for is taken (--dialect oceanbase)
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    odp_networks: Vec<Network>,
    /// After so much silence a client is asked whether it is there, again after each such interval, and given up after so
    /// many questions; times in seconds, or 0 for never
    #[arg(long, value_name = "IDLE,INTERVAL,RETRIES", default_value = "60,10,6", value_parser = probes)]
    keepalive: Probes,
    /// How many threads serve connections [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    system: System,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    nodes: cluster::Nodes,
    #[command(flatten)]
    set: Set,
    /// The version that clients are told [default: one like the dialect's system's]
    #[arg(long, value_name = "TEXT")]
    server_version: Option<String>,
    /// The longest packet that a client may send, in bytes, from 1024 to 1073741824; rounded down to a multiple of 1024
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, value_parser = clap::value_parser!(u32).range(1024..=1 << 30))]
    max_allowed_packet: u32,
    /// Send clients an error before their connections are closed for them
    #[arg(long)]
    tell_killed: bool,
    #[command(flatten)]
    end: End,
    /// Serve figures for Prometheus at /metrics there, and /healthz; without a host, to this machine alone
    #[arg(long, value_name = "[HOST:]PORT", value_parser = metrics_endpoint::address)]
    metrics: Option<SocketAddr>,
    /// What is logged: error, warn, info, debug, trace, or a filter as RUST_LOG takes it
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: String,
}

fn plugin(name: &str) -> Result<AuthPlugin, &'static str> {
    AuthPlugin::named(name).ok_or("mysql_native_password or caching_sha2_password")
}

/// When silent clients are given up, if ever.
#[derive(Clone, Copy)]
struct Probes(Option<Keepalive>);

fn probes(text: &str) -> Result<Probes, String> {
    if text == "0" {
        return Ok(Probes(None));
    }
    let numbers: Vec<u16> = text.split(',').map(str::parse).collect::<Result<_, _>>().unwrap_or_default();
    match numbers[..] {
        [idle @ 1..=32_767, interval @ 1..=32_767, retries @ 1..=127] => {
            let seconds = |time: u16| Duration::from_secs(time.into());
            let retries = retries.into();
            Ok(Probes(Some(Keepalive { idle: seconds(idle), interval: seconds(interval), retries })))
        }
        _ => Err("0, or IDLE,INTERVAL,RETRIES: two times from 1 to 32767 and a number from 1 to 127".into()),
    }
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(code) => code,
        // As the error says itself, for people to read.
        Err(error) => {
            eprintln!("echo_sql: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<ExitCode, Box<dyn std::error::Error>> {
    if let Some(job) = &options.job {
        job.run()?;
        return Ok(ExitCode::SUCCESS);
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter(&options.log)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    actix_rt::System::new().block_on(serve(options))
}

/// What is logged. The SQL parser, which knows nothing of secrets, says nothing unless it is named.
fn filter(wanted: &str) -> Result<EnvFilter, Box<dyn std::error::Error>> {
    let filter = EnvFilter::try_new(wanted)?;
    Ok(if wanted.contains("sqlparser") { filter } else { filter.add_directive("sqlparser=off".parse()?) })
}

fn read(path: &Path, tenants: bool) -> Result<Accounts, Box<dyn std::error::Error>> {
    Accounts::parse(&std::fs::read_to_string(path)?, tenants)
}

async fn serve(options: Options) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let signals = Signals::listen()?;
    let dialect = options.system.dialect()?;
    let accounts = match &options.users {
        Some(path) => read(path, dialect.has_tenants()).map_err(|error| format!("{}: {error}", path.display()))?,
        None => Accounts::of_everybody(dialect.has_tenants()),
    };
    let tls = options.certificate.tls(options.listen.ip(), accounts.want_tls())?;
    let version: Arc<str> = options.server_version.as_deref().unwrap_or(dialect.server_version()).into();
    let longest = usize::try_from(options.max_allowed_packet / 1024 * 1024)?;
    let listener =
        wire::listen(options.listen).map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let engine = EchoSql::new(accounts, Arc::clone(&version), longest).with_system_tables(&dialect);
    let node = options.system.node(listener.local_addr()?);
    #[cfg(feature = "cluster")]
    let cluster = options.nodes.node(&dialect, options.system.server(), node.address)?;
    let builder = Runtime::builder(engine)
        .dialect(dialect)
        .node(node)
        .server_version(version)
        .max_allowed_packet(longest)
        .tell_killed(options.tell_killed)
        .settings(options.set.settings()?);
    #[cfg(feature = "cluster")]
    let builder = match cluster {
        Some(cluster) => builder.cluster(cluster),
        None => builder.ids(options.system.ids()?),
    };
    #[cfg(not(feature = "cluster"))]
    let builder = builder.ids(options.system.ids()?);
    let runtime = builder.start();
    if let Some(path) = options.policies.clone() {
        policies::follow(&runtime, path).await?;
    }
    let workers = match options.workers {
        Some(workers) => workers.get(),
        None => std::thread::available_parallelism()?.get(),
    };
    let mut serve = Serve::new(listener, workers)
        .default_plugin(options.default_plugin)
        .proxied_from(options.proxy_networks.iter().copied())
        .odp_from(options.odp_networks.iter().copied())
        .keepalive(options.keepalive.0);
    if let Some(tls) = tls {
        serve = serve.tls(tls);
    }
    if let Some(path) = &options.socket {
        let listener =
            wire::listen_unix(path).map_err(|error| format!("cannot listen on {}: {error}", path.display()))?;
        serve = serve.unix(listener);
    }
    let serving = serve.start(&runtime)?;
    let address = serving.address();
    println!("listening on {address}");
    println!("connect with: mariadb -h {} -P {} -u root", address.ip(), address.port());
    if let Some(address) = options.metrics {
        figures::serve(address, &runtime).await?;
    }
    options.end.of(serving, &runtime, signals, options.socket.as_deref()).await
}
