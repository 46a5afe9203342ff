//! An SQLite file served to MySQL's clients: what it takes to serve an engine of plain blocking code.
//!
//! ```sh
//! cargo run --release --example sqlite_sql -- shop.db
//! mariadb -h 127.0.0.1 -P 3307 -u root main
//! ```

mod sqlite;

use std::{
    io::{IsTerminal, stderr},
    net::SocketAddr,
    num::NonZeroUsize,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use actix_rt::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};
use clap::Parser;
use futures::future::select;
use killdeer::{
    Blocking, Runtime,
    wire::{self, Serve},
};
use sqlite::{SqliteSql, accounts::Accounts};
use tracing_subscriber::EnvFilter;

/// An SQLite file served to MySQL's clients.
#[derive(Parser)]
struct Options {
    /// The file, which is made if it is not there
    file: PathBuf,
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3307")]
    listen: SocketAddr,
    /// A TOML file of [[user]] tables, as echo_sql has them
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// How many threads serve connections [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// What is logged: error, warn, info, debug, trace, or a filter as RUST_LOG takes it
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: String,
}

/// The version that clients are told.
const VERSION: &str = "8.0.36-killdeer-sqlite";

/// So long running statements may still end by themselves when the server is stopped.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(filter(&options.log)?)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .init();
    actix_rt::System::new().block_on(serve(options))
}

/// What is logged. The SQL parser, which knows nothing of secrets, says nothing unless it is named.
fn filter(wanted: &str) -> Result<EnvFilter, Box<dyn std::error::Error>> {
    let filter = EnvFilter::try_new(wanted)?;
    Ok(if wanted.contains("sqlparser") { filter } else { filter.add_directive("sqlparser=off".parse()?) })
}

async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let accounts = match &options.users {
        Some(path) => std::fs::read_to_string(path)
            .map_err(Into::into)
            .and_then(|text| Accounts::parse(&text, false))
            .map_err(|error| format!("{}: {error}", path.display()))?,
        None => Accounts::default(),
    };
    if accounts.want_tls() {
        tracing::warn!("this example has no TLS: some clients do not log in by caching_sha2_password without it");
    }
    let file = options.file.display().to_string();
    let version: Arc<str> = VERSION.into();
    let engine = SqliteSql::open(options.file, accounts, Arc::clone(&version))
        .map_err(|error| format!("cannot serve {file}: {error}"))?;
    let runtime = Runtime::builder(Blocking::new(engine)).server_version(version).start();
    let workers = match options.workers {
        Some(workers) => workers.get(),
        None => std::thread::available_parallelism()?.get(),
    };
    let listener =
        wire::listen(options.listen).map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let serving = Serve::new(listener, workers).start(&runtime)?;
    let address = serving.address();
    println!("listening on {address}");
    println!("connect with: mariadb -h {} -P {} -u root main", address.ip(), address.port());
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
