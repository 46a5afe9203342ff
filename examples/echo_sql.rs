//! A MySQL server that says everything back: the main example.
//!
//! ```sh
//! cargo run --release --example echo_sql
//! mariadb -h 127.0.0.1 -P 3307 -u root
//! ```

mod echo;

use std::{
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use actix_rt::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};
use clap::Parser;
use echo::{EchoSql, accounts::Accounts};
use futures::future::select;
use killdeer::{Runtime, wire};
use tracing_subscriber::EnvFilter;

/// A MySQL server that says everything back.
#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3307")]
    listen: SocketAddr,
    /// A TOML file of [[user]] tables with user, password and privileges
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// How many threads serve connections [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<std::num::NonZeroUsize>,
    /// The version that clients are told
    #[arg(long, value_name = "TEXT", default_value = "8.0.36-killdeer")]
    server_version: String,
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

/// So long running statements may still end by themselves when the server is stopped.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&options.log)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    actix_rt::System::new().block_on(serve(options))
}

fn read(path: &Path) -> Result<Accounts, Box<dyn std::error::Error>> {
    Accounts::parse(&std::fs::read_to_string(path)?)
}

async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let accounts = match &options.users {
        Some(path) => read(path).map_err(|error| format!("{}: {error}", path.display()))?,
        None => Accounts::default(),
    };
    let version = options.server_version.into();
    let longest = usize::try_from(options.max_allowed_packet / 1024 * 1024)?;
    let engine = EchoSql::new(accounts, std::sync::Arc::clone(&version), longest);
    let runtime = Runtime::builder(engine)
        .server_version(version)
        .max_allowed_packet(longest)
        .tell_killed(options.tell_killed)
        .start();
    let workers = match options.workers {
        Some(workers) => workers.get(),
        None => std::thread::available_parallelism()?.get(),
    };
    let listener =
        wire::listen(options.listen).map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let serving = wire::serve(&runtime, listener, workers)?;
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
    tracing::info!(?summary, "stopped");
    Ok(())
}
