//! A proxy in front of MySQL servers, with OceanBase's `SHOW PROXYSESSION` and `KILL PROXYSESSION`.
//!
//! ```sh
//! cargo run --release --features proxy --example proxy -- \
//!     --backend 127.0.0.1:3306 --backend 127.0.0.1:3316 --read-split --users users.toml
//! mariadb -h 127.0.0.1 -P 3307 -u root@proxysys -p
//! ```

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

use std::{
    error::Error,
    io::{IsTerminal, stdin},
    net::SocketAddr,
    path::Path,
    pin::pin,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use actix_rt::{net::TcpListener, time::sleep};
use clap::Parser;
use futures::future::{Either, select};
use killdeer::{
    Engine, Node, Readiness, Runtime, Summary,
    proxy::{Accounts, Proxy},
    wire::{self, AuthPlugin, Serve, rustls},
};
use metrics_endpoint::Metrics;
use options::{Job, Options};
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
    if let Some(Job::Hash { native }) = options.job {
        hash(if native { AuthPlugin::Native } else { AuthPlugin::CachingSha2 })?;
        return Ok(ExitCode::SUCCESS);
    }
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&options.log)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    actix_rt::System::new().block_on(serve(options))
}

fn hash(plugin: AuthPlugin) -> Result<(), Box<dyn Error>> {
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("no password on standard input".into());
    }
    println!("{}", plugin.verifier(password).expose());
    Ok(())
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

/// The rules for TLS that the options ask for.
fn tls(options: &Options) -> Result<Option<Arc<rustls::ServerConfig>>, Box<dyn Error>> {
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

/// The proxy that the options ask for.
fn proxy(options: &Options, accounts: Accounts) -> Result<Proxy, Box<dyn Error>> {
    if options.backends.is_empty() {
        return Err("--backend HOST:PORT is missing: there is no server to pass statements on to".into());
    }
    let proxy = Proxy::builder(accounts)
        .read_split(options.read_split)
        .connect_timeout(options.connect_timeout())
        .syntax(options.dialect.syntax());
    let backends = options.backends.iter();
    Ok(backends.fold(proxy, |proxy, backend| proxy.server(backend.host.as_str(), backend.port)).build())
}

/// Serves the figures of `runtime` at this address from now on.
async fn serve_metrics(address: SocketAddr, runtime: &Runtime<Proxy>) -> Result<(), Box<dyn Error>> {
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

async fn serve(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let mut signals = Signals::listen()?;
    let accounts = accounts(&options)?;
    let tls = tls(&options)?;
    if tls.is_none() && accounts.iter().any(|user| AuthPlugin::of(user.verifier()) == Some(AuthPlugin::CachingSha2)) {
        tracing::warn!(
            "there is no TLS: some clients do not log in by caching_sha2_password without it \
             (see --tls-self-signed, or plugin = \"mysql_native_password\" in the users' file)"
        );
    }
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
