//! Nodes in a simulated network, whose connections are held up and cut at random. A run that fails is run again by its seed:
//! `KILLDEER_SEED=7 cargo test --features cluster --lib simulation`.

use std::{
    collections::BTreeSet,
    io,
    sync::Mutex,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use hyper_util::rt::TokioIo;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tonic::{
    codegen::{Service, http::Uri},
    transport::{Channel, Endpoint},
};
use turmoil::net::{TcpListener, TcpStream};

use super::*;
use crate::cluster::{
    peers::{ByPeers, Peers},
    rpc::{Hall, Listen, serve},
};

const PORT: u16 = 7000;

/// The other nodes' server ids.
const OTHERS: [u32; 2] = [2, 3];

const DEADLINES: Deadlines = Deadlines { kill: Duration::from_secs(1), list: Duration::from_millis(500) };

/// The longest keepalive, and an attempt after it: after so long there is a connection again.
const HEALED: Duration = Duration::from_secs(25);

impl Listen for TcpListener {
    type Io = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }
}

/// Connects within the simulated network.
struct Connector;

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<TcpStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let address: SocketAddr = uri.authority().unwrap().as_str().parse().unwrap();
        async move { TcpStream::connect(address).await.map(TokioIo::new) }.boxed()
    }
}

fn dial(endpoint: &Endpoint) -> Channel {
    endpoint.connect_with_connector_lazy(Connector)
}

fn name(server: u32) -> String {
    format!("node{server}")
}

fn registry(server: u32) -> Arc<Registry> {
    let node = Node::new(SocketAddr::from(([127, 0, 0, 1], 4000)));
    Registry::new(Layout::tidb(server).unwrap(), Dialect::tidb(), node, Clock::default(), &Settings::new())
}

/// What the network does with what goes between this node and another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Good,
    /// It comes later.
    Held,
    /// It is lost.
    Cut,
}

/// What became of one kill.
struct Asked {
    victim: Registration,
    told: Result<u64, KillError>,
}

/// Kills and lists go on while lines fail and come back.
async fn play(seed: u64, peers: Arc<Peers>, others: Vec<Arc<Registry>>) -> BTreeSet<&'static str> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut lines = [Line::Good; OTHERS.len()];
    let mut asked: Vec<Asked> = Vec::new();
    let mut bystanders: Vec<Registration> = Vec::new();
    let connect = |at: usize| others[at].admit(Origin::Local, deaf(), Some(user("alice"))).unwrap();
    let elsewhere: Arc<dyn Elsewhere> = Arc::new(ByPeers(peers));
    for _ in 0..60 {
        let at = random.random_range(0..OTHERS.len());
        let (one, other) = (name(1), name(OTHERS[at]));
        match random.random_range(0..8) {
            0 if lines[at] == Line::Good => {
                turmoil::hold(&*one, &*other);
                lines[at] = Line::Held;
            }
            1 if lines[at] == Line::Good => {
                turmoil::partition(&*one, &*other);
                lines[at] = Line::Cut;
            }
            2 if lines[at] != Line::Good => {
                if lines[at] == Line::Held {
                    turmoil::release(&*one, &*other);
                } else {
                    turmoil::repair(&*one, &*other);
                }
                lines[at] = Line::Good;
                tokio::time::sleep(HEALED).await;
            }
            3 | 4 => {
                bystanders.push(connect(at));
                let began = tokio::time::Instant::now();
                let gathered = elsewhere.list(root()).await;
                assert!(began.elapsed() <= DEADLINES.list + Duration::from_millis(50), "simulated: {began:?}");
                let missing: Vec<_> = gathered.missing.iter().map(|missing| missing.server).collect();
                let mut told = gathered.lists.iter();
                for (at, registry) in others.iter().enumerate() {
                    if missing.contains(&OTHERS[at]) {
                        assert_ne!(lines[at], Line::Good, "{gathered:?}");
                        continue;
                    }
                    assert_eq!(lines[at], Line::Good);
                    let (_, rows) = told.next().expect("it is not missing");
                    assert_eq!(rows.len(), registry.len(), "a list is whole or missing");
                }
            }
            _ => {
                bystanders.push(connect(at));
                let victim = connect(at);
                let target = Target::Session(victim.slot().id());
                let errand = Errand { by: root(), from: None, target, mode: KillMode::Connection };
                let began = tokio::time::Instant::now();
                let told = elsewhere.kill(errand).await;
                assert!(began.elapsed() <= DEADLINES.kill + Duration::from_millis(50), "simulated");
                match &told {
                    Ok(reached) => {
                        assert_eq!((*reached, lines[at]), (1, Line::Good));
                        assert!(!is_unharmed(victim.slot()), "an OK is never silent");
                    }
                    Err(KillError::Unreachable { server } | KillError::Unanswered { server }) => {
                        assert_eq!(*server, OTHERS[at]);
                        assert_ne!(lines[at], Line::Good, "{told:?}");
                    }
                    Err(other) => panic!("{other:?}"),
                }
                asked.push(Asked { victim, told });
            }
        }
    }
    // All lines are good again, and what was held has come.
    for (at, line) in lines.into_iter().enumerate() {
        let (one, other) = (name(1), name(OTHERS[at]));
        match line {
            Line::Good => {}
            Line::Held => turmoil::release(&*one, &*other),
            Line::Cut => turmoil::repair(&*one, &*other),
        }
    }
    tokio::time::sleep(HEALED).await;
    for Asked { victim, told } in &asked {
        if matches!(told, Err(KillError::Unreachable { .. })) {
            assert!(is_unharmed(victim.slot()), "nothing was ended, it was said");
        }
    }
    assert!(bystanders.iter().all(|session| is_unharmed(session.slot())), "nobody asked for that");
    let gathered = elsewhere.list(root()).await;
    assert!(gathered.missing.is_empty(), "{gathered:?}");
    let kinds = asked.iter().map(|Asked { victim, told }| match (told, is_unharmed(victim.slot())) {
        (Ok(_), _) => "done",
        (Err(KillError::Unreachable { .. }), _) => "not done",
        (Err(_), true) => "not known, and not done",
        (Err(_), false) => "not known, and done",
    });
    kinds.collect()
}

/// Says what became of the kills.
fn simulate(seed: u64) -> BTreeSet<&'static str> {
    eprintln!("seed {seed}");
    let mut simulation = turmoil::Builder::new()
        .rng_seed(seed)
        .simulation_duration(Duration::from_secs(3600))
        .tick_duration(Duration::from_millis(10))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(20))
        .build();
    let trust = Trust::secret(b"the cluster's own secret").unwrap();
    let told = Arc::new(Mutex::new(BTreeSet::new()));
    let tell = Arc::clone(&told);
    let registries: Vec<_> = OTHERS.iter().map(|server| registry(*server)).collect();
    let mut members = Members::new();
    for (server, registry) in OTHERS.iter().zip(&registries) {
        let (registry, trust) = (Arc::clone(registry), trust.clone());
        let identity = Identity { server: *server, epoch: 1 };
        simulation.host(name(*server), move || {
            let (registry, trust) = (Arc::clone(&registry), trust.clone());
            async move {
                let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
                let (_keep, identity) = watch::channel(Some(identity));
                serve(Hall { registry, trust, identity, listener }, std::future::pending()).await;
                Ok(())
            }
        });
        let peers = SocketAddr::new(simulation.lookup(name(*server)), PORT);
        members.insert(*server, Member { identity, addresses: Addresses { clients: peers, peers } });
    }
    simulation.client(name(1), async move {
        let own = registry(1);
        let this = Identity { server: 1, epoch: 1 };
        let (_keep, identity) = watch::channel(Some(this));
        let nowhere = SocketAddr::from(([0, 0, 0, 0], PORT));
        let mut members = members;
        members.insert(1, Member { identity: this, addresses: Addresses { clients: nowhere, peers: nowhere } });
        let (_keep, members) = watch::channel(Arc::new(members));
        let peers = Peers::new(&own, nowhere, identity.clone(), members.clone(), DEADLINES, trust, dial);
        tokio::spawn(Peers::keep(Arc::downgrade(&peers), members, identity));
        *tell.lock().unwrap() = play(seed, peers, registries).await;
        Ok(())
    });
    simulation.run().unwrap();
    std::mem::take(&mut told.lock().unwrap())
}

#[test]
fn kills_and_lists_tell_the_truth_while_lines_fail() {
    if let Some(seed) = std::env::var("KILLDEER_SEED").ok().and_then(|seed| seed.parse().ok()) {
        simulate(seed);
        return;
    }
    let kinds: BTreeSet<_> = (0..6).flat_map(simulate).collect();
    let all = ["done", "not done", "not known, and done", "not known, and not done"];
    assert_eq!(kinds, BTreeSet::from(all), "all of that has happened");
}
