//! The options of the proxy.

use std::{
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use clap::Parser;
use killdeer::{Dialect, wire::Network};

use crate::{certificate::Certificate, end::End, job::Job, metrics_endpoint, settings::Set};

/// A proxy in front of MySQL servers.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    pub job: Option<Job>,
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3307")]
    pub listen: SocketAddr,
    /// A Unix socket to listen on as well
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// A server, or the path of its Unix socket; may stand there several times. The first one is the primary, which takes all
    /// that writes
    #[arg(long = "backend", value_name = "HOST[:PORT]|/PATH", value_parser = backend)]
    pub backends: Vec<Backend>,
    /// Let statements that only read, outside of transactions, run at any of the servers; a replica may be behind
    #[arg(long)]
    pub read_split: bool,
    /// How long making a connection to a server may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub connect_timeout: u32,
    /// Let a server say by which public key a password is encrypted for it (caching_sha2_password): whoever answers at its
    /// address can read the password then. Servers on this machine always may
    #[arg(long)]
    pub get_server_public_key: bool,
    /// A TOML file of [[user]] tables with user, tenant, verifier (or password and plugin), require_tls, privileges, settings, caps,
    /// server_user and server_password (as whom its statements run at the servers). Nobody else may read it
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,
    /// The cluster's name: clients that name another one are not let in
    #[arg(long, value_name = "NAME")]
    pub cluster_name: Option<String>,
    /// Whose lists and kills clients see: odp, or one of the servers' systems
    #[arg(long, value_name = "NAME", default_value = "odp", value_parser = dialect)]
    pub dialect: Dialect,
    /// Which of the proxies it is: a part of the ids that it gives out, which begin at 1 for number 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub proxy_id: u32,
    /// The address by which lists name it, a part of proxy_sessid [default: where it listens]
    #[arg(long, value_name = "ADDR")]
    pub node_address: Option<SocketAddr>,
    #[command(flatten)]
    pub certificate: Certificate,
    /// A TOML file of [[rule]] tables with what is to be killed without being asked; SIGHUP has it read again
    #[arg(long, value_name = "FILE")]
    pub policies: Option<PathBuf>,
    /// Networks of trusted load balancers: every TCP connection from there begins with a header of the PROXY protocol
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub proxy_networks: Vec<Network>,
    /// How many threads serve connections [default: one per core]
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
    #[command(flatten)]
    pub set: Set,
    /// The version that clients are told [default: one like the dialect's system's]
    #[arg(long, value_name = "TEXT")]
    pub server_version: Option<String>,
    /// The longest packet that a client may send, in bytes, from 1024 to 1073741824; rounded down to a multiple of 1024
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, value_parser = clap::value_parser!(u32).range(1024..=1 << 30))]
    pub max_allowed_packet: u32,
    /// Send clients an error before their connections are closed for them
    #[arg(long)]
    pub tell_killed: bool,
    #[command(flatten)]
    pub end: End,
    /// Serve figures for Prometheus at /metrics there, and /healthz; without a host, to this machine alone
    #[arg(long, value_name = "[HOST:]PORT", value_parser = metrics_endpoint::address)]
    pub metrics: Option<SocketAddr>,
    /// What is logged: error, warn, info, debug, trace, or a filter as RUST_LOG takes it
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: String,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// The port of MySQL servers.
const PORT: u16 = 3306;

/// `host`, `host:port`, `[::1]:port` or `::1`; or `/path`.
fn backend(text: &str) -> Result<Backend, String> {
    if text.starts_with('/') {
        return Ok(Backend::Unix(text.into()));
    }
    let wrong = || format!("{text:?} is no HOST or HOST:PORT, nor a /PATH");
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, PORT),
        Some((host, rest)) => (host, rest.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(wrong)?),
        None if text.parse::<Ipv6Addr>().is_ok() => (text, PORT),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (text, PORT),
        },
    };
    let whole = !host.is_empty() && port != 0 && !host.contains(char::is_whitespace);
    whole.then(|| Backend::Tcp { host: host.to_owned(), port }).ok_or_else(wrong)
}

fn dialect(name: &str) -> Result<Dialect, String> {
    Dialect::named(name).ok_or_else(|| format!("one of {}", Dialect::NAMES.join(", ")))
}

impl Options {
    /// How long making a connection to a server may take.
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout.max(1).into())
    }
}
