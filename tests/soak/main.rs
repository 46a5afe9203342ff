//! Endurance: hundreds of real clients that do at random, from a printed seed, whatever clients do: connect, query,
//! prepare, stream, are killed, vanish, stall, send rubbish, change their user. At every pause nothing is left of them,
//! the runtime's list, counters and events agree, and each error that a client met is explained by what it did itself or
//! by a kill that was told.
//!
//! In a pause all clients are gone but one, which looks. By default some fifteen seconds; for longer:
//!
//! ```sh
//! KILLDEER_SOAK_SECONDS=600 cargo test --release --test soak -- --nocapture
//! ```
//!
//! `KILLDEER_SOAK_SEED` and `KILLDEER_SOAK_CLIENTS` say with which throws and by how many clients at a time. The same
//! seed gives each client the same throws; what they meet of each other is the machine's to decide.

mod acts;
mod client;
mod dice;
#[allow(dead_code)] // it is echo_sql's, which has more users than these
#[path = "../../examples/echo/mod.rs"]
mod echo;
mod figures;
mod ledger;
mod library;
#[allow(dead_code)]
#[path = "../wire/raw.rs"]
mod raw;
#[allow(dead_code)]
#[path = "../wire/server.rs"]
mod server;
mod strangers;
mod visit;

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use actix::Actor;
use dice::Dice;
use echo::accounts::Accounts;
use figures::{Figures, files, median};
use killdeer::{
    KillMode, Principal, Privileges, Setting, Settings, Target,
    wire::{
        caching_sha2_verifier, native_verifier,
        rustls::{
            self, ClientConfig, RootCertStore,
            pki_types::{CertificateDer, pem::PemObject},
        },
        tls_from_pem,
    },
};
use ledger::Ledger;
use raw::{Answer, Raw};
use server::Server;
use tokio::task::JoinSet;
use visit::{Role, Stage, visit};

/// So long the server may take to notice that all clients are gone, and to tell of it; far longer than it does.
const REST: Duration = Duration::from_secs(60);

/// So long a login may take. Clients that never finish theirs meet it.
const LOGIN: Duration = Duration::from_secs(2);

/// How much the memory of the last pauses may be above that of the first: this part, and this many KiB.
const GROWTH: (u64, u64) = (4, 16 << 10);

/// The settings of a run.
struct Plan {
    time: Duration,
    seed: u64,
    clients: u64,
}

impl Plan {
    fn read() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Self {
            time: Duration::from_secs(setting("KILLDEER_SOAK_SECONDS").unwrap_or(15)),
            seed: setting("KILLDEER_SOAK_SEED").unwrap_or(Dice::new(now.as_secs()).below(1 << 32)),
            clients: setting("KILLDEER_SOAK_CLIENTS").unwrap_or(200),
        }
    }

    /// How long it goes on between two pauses.
    fn round(&self) -> Duration {
        (self.time / 6).clamp(Duration::from_secs(1), Duration::from_secs(15))
    }
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let Ok(value) = text.parse() else { panic!("{name}={text} is no number") };
    Some(value)
}

fn accounts() -> Accounts {
    let (sha2, native) = (caching_sha2_verifier("secret"), native_verifier("secret"));
    let text = format!(
        "[[user]]\nuser = 'root'\nprivileges = ['ALL']\n[[user]]\nuser = 'alice'\n[[user]]\nuser = 'bob'\n\
         [[user]]\nuser = 'sha2'\nverifier = '{}'\n[[user]]\nuser = 'native'\nverifier = '{}'\n\
         [[user]]\nuser = 'tls'\nverifier = '{}'\nrequire_tls = true\n",
        sha2.expose(),
        native.expose(),
        sha2.expose(),
    );
    Accounts::parse(&text, false).unwrap()
}

/// A server that tells the ledger of all that happens, and what clients need to know of it.
fn stage(ledger: &Ledger, crowd: u64) -> (Server, Stage) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let rules = tls_from_pem(pem.as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let server = Server::start_with_both(
        accounts(),
        |builder| {
            let settings = Settings::new().time(Setting::ConnectTimeout, LOGIN).count(Setting::MaxConnections, 1 << 20);
            builder.settings(settings).max_allowed_packet(client::LONGEST)
        },
        move |serve| serve.tls(rules),
    );
    let told = ledger.clone();
    let runtime = server.runtime.clone();
    let (subscribed, ready) = std::sync::mpsc::channel();
    // On a thread of its own: whatever the server's threads do, it is told.
    std::thread::spawn(move || {
        actix_rt::System::new().block_on(async move {
            runtime.subscribe(told.start().recipient(), usize::MAX / 2);
            drop(runtime);
            subscribed.send(()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    ready.recv().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (ledger, address) = (ledger.clone(), server.address);
    let stage = Stage { address, tls: Arc::new(tls), pem, ledger, newest: AtomicU32::new(0), crowd };
    (server, stage)
}

/// All clients, until the round is over and they are gone.
async fn round(stage: &Arc<Stage>, server: &Server, dice: &Dice, time: Duration) {
    let until = tokio::time::Instant::now() + time;
    let mut clients = JoinSet::new();
    for number in 0..stage.crowd {
        let role = match number {
            0..2 => Role::Lists,
            2..4 => Role::Asks,
            4..6 => Role::Kills,
            _ => Role::Any,
        };
        let (stage, mut dice) = (Arc::clone(stage), dice.fork(number));
        clients.spawn(async move {
            while tokio::time::Instant::now() < until {
                visit(&stage, &mut dice, role, until).await;
            }
        });
    }
    // The host kills, too: all sessions of a user.
    let (runtime, mut dice) = (server.runtime.clone(), dice.fork(stage.crowd));
    clients.spawn(async move {
        let root = Arc::new(Principal::new("root", Privileges::ALL));
        while tokio::time::Instant::now() < until {
            visit::pause(Duration::from_millis(200 + dice.below(800)), until).await;
            let user = dice.one_of(&visit::USERS).user.to_owned();
            let mode = dice.one_of(&[KillMode::Query, KillMode::Connection]);
            drop(runtime.kill(&root, Target::User { user, host: None }, mode).await.unwrap());
        }
    });
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}

/// Waits until `holds` does; what does not hold otherwise.
fn wait<T>(mut holds: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match holds() {
            Ok(it) => return it,
            Err(what) => assert!(begin.elapsed() < REST, "{what}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All clients are gone, but for one that looks. What of them is left?
fn pause(server: &Server, stage: &Stage, baseline: Option<usize>) -> usize {
    wait(|| match &server.list()[..] {
        [] => Ok(()),
        left => Err(format!("these are left: {left:#?}")),
    });
    let mut observer = Raw::login(server);
    stage.newest.fetch_max(observer.id, Relaxed);
    // As it sees the server, by the wire.
    let Answer::Rows { rows, .. } = observer.query("SHOW PROCESSLIST") else { panic!("no list") };
    let ids: Vec<_> = rows.into_iter().map(|mut row| row.swap_remove(0)).collect();
    assert_eq!(ids, [Some(observer.id.to_string())], "it is alone");
    let Answer::Rows { rows, .. } = observer.query("SELECT COUNT(*) FROM information_schema.processlist") else {
        panic!("no table")
    };
    assert_eq!(rows, [[Some("1".to_owned())]], "it is alone, as the table says");
    // As the host sees it.
    wait(|| {
        let status = server.runtime.status();
        match (status.sessions, status.actors, status.prepared) {
            (1, 1, 0) => stage.ledger.agrees(&status),
            _ => Err(format!("something is left: {status:?}")),
        }
    });
    let status = server.runtime.status();
    assert_eq!((status.panics, status.refused), (0, 0), "{status:?}");
    let faults = stage.ledger.settle(&[u64::from(observer.id)]);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults[..faults.len().min(20)].join("\n"));
    // As the system sees it. A connection is closed a moment after its session has left.
    let open = match baseline {
        None => files().unwrap(),
        Some(baseline) => wait(|| match files().unwrap() {
            open if open == baseline => Ok(open),
            open => Err(format!("{open} files are open, and {baseline} were at first")),
        }),
    };
    observer.command(0x01, &[]);
    assert!(observer.closes_silently());
    open
}

#[test]
fn clients_of_all_kinds_leave_nothing_behind() {
    let plan = Plan::read();
    println!(
        "KILLDEER_SOAK_SECONDS={} KILLDEER_SOAK_SEED={} KILLDEER_SOAK_CLIENTS={}",
        plan.time.as_secs(),
        plan.seed,
        plan.clients
    );
    let ledger = Ledger::default();
    let (server, stage) = stage(&ledger, plan.clients);
    let stage = Arc::new(stage);
    let clients = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let begin = Instant::now();
    let baseline = pause(&server, &stage, None);
    let mut pauses = Vec::new();
    let dice = Dice::new(plan.seed);
    while begin.elapsed() < plan.time {
        clients.block_on(round(&stage, &server, &dice.fork(pauses.len() as u64), plan.round()));
        pause(&server, &stage, Some(baseline));
        pauses.push(Figures::read(begin.elapsed(), ledger.visits()).unwrap());
    }
    // A library that is let go of says its goodbye later, on its own.
    drop(clients);
    server.wait_empty();
    println!("{}", ledger.summary());
    let minute = Duration::from_secs(60);
    let last = pauses.last().unwrap().at;
    for figures in pauses.iter().filter(|figures| figures.at <= minute || figures.at + minute > last) {
        println!("{figures}");
    }
    // The first pauses are those after the first round, in which threads, caches and the allocator's arenas come to be.
    let warm = &pauses[1.min(pauses.len() - 1)..];
    let third = warm.len().div_ceil(3);
    let (first, last) = (median(&warm[..third]), median(&warm[warm.len() - third..]));
    println!("memory at the pauses: {first} KiB in the first third, {last} KiB in the last");
    assert!(last <= first + first / GROWTH.0 + GROWTH.1, "memory does not return");
}
