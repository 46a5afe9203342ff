//! A MySQL server that says everything back: the main example.
//!
//! ```sh
//! cargo run --release --example echo_sql
//! mariadb -h 127.0.0.1 -P 3307 -u root
//! ```

#[cfg(feature = "cluster")]
#[path = "echo/cluster.rs"]
mod cluster;
mod echo;
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
    io::{IsTerminal, stdin},
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use actix_rt::{net::TcpListener, time::sleep};
use clap::{Parser, Subcommand};
use echo::{EchoSql, accounts::Accounts};
use futures::future::{Either, select};
use killdeer::{
    Engine, Readiness, Runtime, Summary,
    wire::{self, AuthPlugin, Keepalive, Network, Serve, rustls},
};
use metrics_endpoint::Metrics;
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
    /// The certificate for TLS, in PEM, with those behind it
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// TLS with a certificate made just now, which no client knows
    #[arg(long, conflicts_with = "tls_cert")]
    tls_self_signed: bool,
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
    /// How long statements and transactions may still go on after SIGTERM or SIGINT; a second one ends the server at once
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    grace: u32,
    /// How long before that clients are still let in, while load balancers are told to look elsewhere
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    announce: u32,
    /// Serve figures for Prometheus at /metrics there, and /healthz; without a host, to this machine alone
    #[arg(long, value_name = "[HOST:]PORT", value_parser = metrics_endpoint::address)]
    metrics: Option<SocketAddr>,
    /// What is logged: error, warn, info, debug, trace, or a filter as RUST_LOG takes it
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: String,
}

#[derive(Subcommand)]
enum Job {
    /// Prints the verifier of the password on standard input, for the users' file
    Hash {
        /// For mysql_native_password, rather than caching_sha2_password
        #[arg(long)]
        native: bool,
    },
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
    if let Some(Job::Hash { native }) = options.job {
        hash(if native { AuthPlugin::Native } else { AuthPlugin::CachingSha2 })?;
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

fn hash(plugin: AuthPlugin) -> Result<(), Box<dyn std::error::Error>> {
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("no password on standard input".into());
    }
    println!("{}", plugin.verifier(password).expose());
    Ok(())
}

/// The rules for TLS that the options ask for.
fn tls(options: &Options) -> Result<Option<Arc<rustls::ServerConfig>>, Box<dyn std::error::Error>> {
    if options.tls_self_signed {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), options.listen.ip().to_string()];
        let made = rcgen::generate_simple_self_signed(names)?;
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        return Ok(Some(wire::tls_from_pem(cert.as_bytes(), key.as_bytes())?));
    }
    let (Some(cert), Some(key)) = (&options.tls_cert, &options.tls_key) else { return Ok(None) };
    let file = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    Ok(Some(wire::tls_from_pem(&file(cert)?, &file(key)?)?))
}

fn read(path: &Path, tenants: bool) -> Result<Accounts, Box<dyn std::error::Error>> {
    Accounts::parse(&std::fs::read_to_string(path)?, tenants)
}

/// Serves the figures of `runtime` at this address from now on.
async fn serve_metrics(address: SocketAddr, runtime: &Runtime<EchoSql>) -> Result<(), Box<dyn std::error::Error>> {
    let recorder = metrics_endpoint::recorder()?;
    let recorded = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    let listener =
        TcpListener::bind(address).await.map_err(|error| format!("cannot serve figures on {address}: {error}"))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "everybody who reaches this address can read the figures");
    }
    tracing::info!("figures at http://{address}/metrics");
    let (published, asked) = (runtime.clone(), runtime.clone());
    let publish = move || published.publish_figures();
    let ready = move || asked.readiness() == Readiness::Ready;
    actix_rt::spawn(Metrics { recorded, publish, ready }.serve(listener));
    Ok(())
}

async fn serve(options: Options) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut signals = Signals::listen()?;
    let dialect = options.system.dialect()?;
    let accounts = match &options.users {
        Some(path) => read(path, dialect.has_tenants()).map_err(|error| format!("{}: {error}", path.display()))?,
        None => Accounts::of_everybody(dialect.has_tenants()),
    };
    let tls = tls(&options)?;
    if tls.is_none() && accounts.want_tls() {
        tracing::warn!(
            "there is no TLS: some clients do not log in by caching_sha2_password without it \
             (see --tls-self-signed, or plugin = \"mysql_native_password\" in the users' file)"
        );
    }
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
        serve_metrics(address, &runtime).await?;
    }
    let stop = serving.stop();
    let server = actix_rt::spawn(serving);

    let first = signals.next().await;
    let in_order = async {
        let summary = drain(&runtime, &options).await;
        stop.await;
        server.await??;
        tracing::info!(
            drained = summary.drained,
            forced = summary.forced,
            transactions_ended = summary.transactions_ended,
            transactions_rolled_back = summary.transactions_rolled_back,
            left_behind = summary.left_behind,
            "stopped"
        );
        Ok(ExitCode::SUCCESS)
    };
    let code = match select(pin!(in_order), pin!(signals.next())).await {
        Either::Left((stopped, _)) => stopped,
        Either::Right((second, _)) => {
            tracing::warn!(?first, ?second, "stopped at once");
            Ok(second.exit_code())
        }
    };
    if let Some(path) = &options.socket {
        match std::fs::remove_file(path) {
            // Somebody has tidied up already.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, path = %path.display(), "the socket's file stays"),
            Ok(()) => {}
        }
    }
    code
}

/// Sends the clients away, in order. Those that still come are told why they are refused.
async fn drain<E: Engine>(runtime: &Runtime<E>, options: &Options) -> Summary {
    let [announce, grace] = [options.announce, options.grace].map(|seconds| Duration::from_secs(seconds.into()));
    tracing::info!(?announce, ?grace, "stopping");
    runtime.announce_shutdown();
    sleep(announce).await;
    runtime.shutdown(grace).await
}
