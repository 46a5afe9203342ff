//! A MySQL server that says everything back: the main example.
//!
//! ```sh
//! cargo run --release --example echo_sql
//! mariadb -h 127.0.0.1 -P 3307 -u root
//! ```

mod echo;
#[path = "echo/settings.rs"]
mod settings;
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

use actix_rt::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};
use clap::{Parser, Subcommand};
use echo::{EchoSql, accounts::Accounts};
use futures::future::select;
use killdeer::{
    Runtime,
    wire::{self, AuthPlugin, Serve, rustls},
};
use settings::Set;
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
    /// How many threads serve connections [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    system: System,
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

/// So long running statements may still end by themselves when the server is stopped.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // As the error says itself, for people to read.
        Err(error) => {
            eprintln!("echo_sql: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(Job::Hash { native }) = options.job {
        return hash(if native { AuthPlugin::Native } else { AuthPlugin::CachingSha2 });
    }
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&options.log)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    actix_rt::System::new().block_on(serve(options))
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

async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
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
    let runtime = Runtime::builder(engine)
        .dialect(dialect)
        .ids(options.system.ids()?)
        .node(options.system.node(listener.local_addr()?))
        .server_version(version)
        .max_allowed_packet(longest)
        .tell_killed(options.tell_killed)
        .settings(options.set.settings()?)
        .start();
    let workers = match options.workers {
        Some(workers) => workers.get(),
        None => std::thread::available_parallelism()?.get(),
    };
    let mut serve = Serve::new(listener, workers).default_plugin(options.default_plugin);
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
    let (pause, stop) = (serving.pause(), serving.stop());
    let server = actix_rt::spawn(serving);

    let mut terminate = signal(SignalKind::terminate())?;
    select(pin!(ctrl_c()), pin!(terminate.recv())).await;
    tracing::info!("stopping");
    pause.await;
    let summary = runtime.shutdown(GRACE).await;
    stop.await;
    server.await??;
    if let Some(path) = &options.socket {
        std::fs::remove_file(path)?;
    }
    tracing::info!(?summary, "stopped");
    Ok(())
}
