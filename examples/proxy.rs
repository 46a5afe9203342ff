//! A proxy in front of MySQL servers, with OceanBase's `SHOW PROXYSESSION` and `KILL PROXYSESSION`.
//!
//! ```sh
//! cargo run --release --features proxy --example proxy -- \
//!     --backend 127.0.0.1:3306 --backend 127.0.0.1:3316 --read-split --users users.toml
//! mariadb -h 127.0.0.1 -P 3307 -u root@proxysys -p
//! ```

#[path = "echo/certificate.rs"]
mod certificate;
#[path = "echo/end.rs"]
mod end;
#[path = "echo/figures.rs"]
mod figures;
#[path = "echo/job.rs"]
mod job;
#[path = "echo/metrics.rs"]
mod metrics_endpoint;
#[path = "proxy/options.rs"]
mod options;
#[path = "echo/policies.rs"]
mod policies;
#[path = "echo/settings.rs"]
mod settings;
#[path = "echo/signals.rs"]
mod signals;
#[path = "proxy/users.rs"]
mod users;

use std::{error::Error, io::IsTerminal, process::ExitCode, sync::Arc};

use clap::Parser;
use killdeer::{
    Node, Runtime,
    proxy::{Accounts, Proxy, ProxyBuilder},
    wire::{self, AuthPlugin, Serve},
};
use options::{Backend, Options};
use signals::Signals;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(code) => code,
        // As the error says itself, for people to read.
        Err(error) => {
            eprintln!("proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(job) = &options.job {
        job.run()?;
        return Ok(ExitCode::SUCCESS);
    }
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&options.log)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    actix_rt::System::new().block_on(serve(options))
}

/// Who may log in. Without a file, nobody: there would be no password for the servers.
fn accounts(options: &Options) -> Result<Accounts, Box<dyn Error>> {
    let path = options.users.as_deref().ok_or("--users FILE is missing: nobody could log in")?;
    let tenants = options.dialect.has_tenants();
    let accounts = users::read(path, tenants).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(match &options.cluster_name {
        Some(name) => accounts.in_cluster(name.as_str()),
        None => accounts,
    })
}

/// The proxy that the options ask for.
fn proxy(options: &Options, accounts: Accounts) -> Result<Proxy, Box<dyn Error>> {
    if options.backends.is_empty() {
        return Err("--backend HOST:PORT is missing: there is no server to pass statements on to".into());
    }
    let proxy = Proxy::builder(accounts)
        .read_split(options.read_split)
        .connect_timeout(options.connect_timeout())
        .get_server_public_key(options.get_server_public_key)
        .syntax(options.dialect.syntax());
    let with = |proxy: ProxyBuilder, backend: &Backend| match backend {
        Backend::Tcp { host, port } => proxy.server(host.as_str(), *port),
        Backend::Unix(path) => proxy.unix_server(path),
    };
    Ok(options.backends.iter().fold(proxy, with).build())
}

async fn serve(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let signals = Signals::listen()?;
    let accounts = accounts(&options)?;
    let want_tls = accounts.iter().any(|user| AuthPlugin::of(user.verifier()) == Some(AuthPlugin::CachingSha2));
    let tls = options.certificate.tls(options.listen.ip(), want_tls)?;
    let engine = proxy(&options, accounts)?;
    let version: Arc<str> = options.server_version.as_deref().unwrap_or(options.dialect.server_version()).into();
    let listener =
        wire::listen(options.listen).map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let runtime = Runtime::builder(engine)
        .dialect(options.dialect)
        .node(Node::new(options.node_address.unwrap_or(listener.local_addr()?)))
        .server_version(version)
        .max_allowed_packet(usize::try_from(options.max_allowed_packet / 1024 * 1024)?)
        .tell_killed(options.tell_killed)
        .settings(options.set.settings()?)
        .ids(options.dialect.ids(options.proxy_id)?)
        .start();
    if let Some(path) = options.policies.clone() {
        policies::follow(&runtime, path).await?;
    }
    let workers = match options.workers {
        Some(workers) => workers.get(),
        None => std::thread::available_parallelism()?.get(),
    };
    let mut serve = Serve::new(listener, workers).proxied_from(options.proxy_networks.iter().copied());
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
    if let Some(address) = options.metrics {
        figures::serve(address, &runtime).await?;
    }
    options.end.of(serving, &runtime, signals, options.socket.as_deref()).await
}
