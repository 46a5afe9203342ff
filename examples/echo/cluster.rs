//! The cluster that the server is a node of: the options about it, and what they make.

use std::{
    net::{SocketAddr, TcpListener},
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use killdeer::{
    Dialect,
    cluster::{Addresses, Cluster, Coordinator, Etcd, Fixed, LeaseTimes, ServerIds, Trust},
};

/// The cluster that the server is a node of.
#[derive(Args)]
pub struct Nodes {
    /// Be a node of the cluster whose server ids this etcd gives out: etcd://[USER@]HOST:PORT[,HOST:PORT …][/PREFIX]
    #[arg(long, value_name = "URL", value_parser = etcd, conflicts_with = "peers")]
    cluster: Option<EtcdUrl>,
    /// A file with the password of etcd's user
    #[arg(long, value_name = "FILE", requires = "cluster")]
    etcd_password: Option<PathBuf>,
    /// The certificate of who signs etcd's certificates, in PEM: etcd is asked in TLS
    #[arg(long, value_name = "FILE", requires = "cluster")]
    etcd_ca: Option<PathBuf>,
    /// Be a node of the cluster of these nodes, each with its server id, this one (--server-id) among them
    #[arg(long, value_name = "ID=ADDR,…", value_delimiter = ',', value_parser = peer)]
    peers: Vec<(u32, SocketAddr)>,
    /// Where the other nodes reach this one [default with --peers: its own address there; else any free port of this machine]
    #[arg(long, value_name = "ADDR")]
    peers_listen: Option<SocketAddr>,
    /// The address at which they do, if it is another than that
    #[arg(long, value_name = "ADDR")]
    peers_address: Option<SocketAddr>,
    /// A file with the secret by which nodes know each other, the same on all of them
    #[arg(long, value_name = "FILE", conflicts_with = "cluster_ca")]
    cluster_secret: Option<PathBuf>,
    /// The certificate of who signs the nodes' certificates, in PEM: nodes know each other by mutual TLS
    #[arg(long, value_name = "FILE", requires = "cluster_cert")]
    cluster_ca: Option<PathBuf>,
    /// This node's certificate, in PEM, for the names and addresses by which it is reached
    #[arg(long, value_name = "FILE", requires_all = ["cluster_key", "cluster_ca"])]
    cluster_cert: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "cluster_cert")]
    cluster_key: Option<PathBuf>,
    /// How long etcd keeps the server id for a node that says nothing
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    lease: NonZeroU32,
    /// How often the lease is renewed
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    renew_every: NonZeroU32,
    /// So long after the last renewal the node ends its sessions and refuses clients
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    fence_after: NonZeroU32,
    /// How often a node without a server id tries to get one
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    claim_every: NonZeroU32,
    /// How long nobody else gets a server id after its lease has ended
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    cool_down: NonZeroU32,
    /// The greatest server id for ids of 32 bits; nodes beyond have ids of 64 bits (not OceanBase)
    #[arg(long, value_name = "N")]
    server_ids: Option<NonZeroU32>,
    /// How many ids of 32 bits each node has
    #[arg(long, value_name = "N")]
    id_pool: Option<u64>,
    /// Where this node's count of its sessions begins [default: anywhere]
    #[arg(long, value_name = "N")]
    first_id: Option<u64>,
}

/// The parts of an etcd's URL.
#[derive(Clone, Debug)]
struct EtcdUrl {
    user: Option<String>,
    addresses: Vec<String>,
    prefix: Option<String>,
}

fn etcd(text: &str) -> Result<EtcdUrl, String> {
    let rest = text.strip_prefix("etcd://").ok_or("it begins with etcd://")?;
    let (authority, prefix) =
        rest.split_once('/').map_or((rest, None), |(authority, prefix)| (authority, Some(prefix)));
    let (user, addresses) = authority.split_once('@').map_or((None, authority), |(user, rest)| (Some(user), rest));
    if user.is_some_and(|user| user.contains(':')) {
        return Err("the password stands in a file: see --etcd-password".into());
    }
    Ok(EtcdUrl {
        user: user.map(str::to_owned),
        addresses: addresses.split(',').map(str::to_owned).collect(),
        prefix: prefix.filter(|prefix| !prefix.is_empty()).map(|prefix| format!("/{prefix}")),
    })
}

fn peer(text: &str) -> Result<(u32, SocketAddr), String> {
    let peer = text.split_once('=').and_then(|(id, address)| Some((id.parse().ok()?, address.parse().ok()?)));
    peer.ok_or_else(|| "ID=ADDR, such as 2=127.0.0.1:4002".to_owned())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

impl Nodes {
    /// The node that this server is to be, with lists calling it by `clients`; `None` without a cluster. `wide`: with ids of
    /// 64 bits alone.
    pub fn node(
        &self,
        dialect: &Dialect,
        (server, wide): (u32, bool),
        clients: SocketAddr,
    ) -> Result<Option<Cluster>, Box<dyn std::error::Error>> {
        let times = self.times();
        let own = self.peers.iter().find(|(id, _)| *id == server).map(|(_, address)| *address);
        let coordinator: Arc<dyn Coordinator> = match &self.cluster {
            Some(url) => Arc::new(self.etcd(url)?.node()),
            None if self.peers.is_empty() => return Ok(None),
            None => {
                // What another node is called it says itself, in its part of a list.
                let named = |id, peers| Addresses { clients: if id == server { clients } else { peers }, peers };
                Arc::new(Fixed::new(server, self.peers.iter().map(|(id, peers)| (*id, named(*id, *peers))))?)
            }
        };
        let address = self.peers_listen.or(own).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener =
            TcpListener::bind(address).map_err(|error| format!("cannot listen for nodes on {address}: {error}"))?;
        let mut ids = ServerIds::of(dialect);
        if wide {
            ids = ids.wide();
        }
        if let Some(greatest) = self.server_ids {
            ids = ids.up_to(greatest.get());
        }
        if let Some(pool) = self.id_pool {
            ids = ids.pool_of(pool);
        }
        if let Some(first) = self.first_id {
            ids = ids.starting_at(first);
        }
        // What stands in the configuration is what the others know.
        let reached = self.peers_address.or(own).map_or_else(|| listener.local_addr(), Ok)?;
        let cluster = Cluster::reached_at(coordinator, listener, reached, self.trust()?)?.times(times)?.ids(ids);
        Ok(Some(cluster))
    }

    fn etcd(&self, url: &EtcdUrl) -> Result<Etcd, Box<dyn std::error::Error>> {
        let mut etcd = Etcd::at(url.addresses.iter().map(String::as_str))?;
        if let Some(prefix) = &url.prefix {
            etcd = etcd.prefix(prefix);
        }
        if let Some(authority) = &self.etcd_ca {
            etcd = etcd.tls(read(authority)?);
        }
        match (&url.user, &self.etcd_password) {
            (Some(user), Some(path)) => Ok(etcd.user(user, String::from_utf8(read(path)?)?.trim_end())),
            (None, None) => Ok(etcd),
            _ => Err("a user of etcd's has a name, in --cluster, and a password, by --etcd-password".into()),
        }
    }

    fn times(&self) -> LeaseTimes {
        let seconds = |time: NonZeroU32| Duration::from_secs(time.get().into());
        LeaseTimes {
            lease: seconds(self.lease),
            renew_every: seconds(self.renew_every),
            fence_after: seconds(self.fence_after),
            claim_every: seconds(self.claim_every),
            cool_down: seconds(self.cool_down),
        }
    }

    fn trust(&self) -> Result<Trust, Box<dyn std::error::Error>> {
        if let Some(path) = &self.cluster_secret {
            return Ok(Trust::secret(read(path)?.trim_ascii_end())?);
        }
        match (&self.cluster_ca, &self.cluster_cert, &self.cluster_key) {
            (Some(ca), Some(cert), Some(key)) => Ok(Trust::mutual_tls(&read(ca)?, &read(cert)?, &read(key)?)?),
            _ => Ok(Trust::loopback()),
        }
    }
}
