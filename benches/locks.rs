//! How long the locks over what sessions share are held at most, while a million sessions come, are listed and killed, and go.
//!
//! Bound: 1 ms. By the processor time of the thread that holds a lock: who waits for a processor meanwhile does not hold
//! it for longer than it needs. What else interrupts a thread, and what the host of a virtual machine takes away, is
//! charged to it all the same, now and then. So each case is run several times: the thousand times after the same
//! number of times before do the same each time, and of these, the least of the longest counts. What a lock needs for
//! growing, it needs in each run.
//!
//! glibc's allocator puts work off and does all of it in some later call, whoever makes that: it merges what was freed, and
//! gives gigabytes back to the kernel. After a million sessions that takes up to a second, sometimes within a lock. It is
//! told to do neither here; with `--put-off` it may.
//!
//! `cargo bench --features lock-times --bench locks`; `--only N` runs one of the cases, counted from 0, `--rounds N` each
//! so often.
#![forbid(unsafe_code)]

mod support;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    process::ExitCode,
    time::Duration,
};

use actix::{Actor, Context, Handler};
use futures::future::BoxFuture;
use killdeer::{
    KillMode, Layout, Principal, Privileges, Runtime, SessionEvent, SessionHandle, Setting, Target, Tenant,
    bench::{Ids, longest},
};
use support::{
    engine::One,
    figures::{argument, has, sized, table, verdicts},
    many,
    process::{Process, end_with_parent},
    sessions::{connect_all, disconnect_all, owner, peer, pipelined, root},
};
use tokio::time::sleep;

/// What glibc's allocator is told, so that it puts nothing off.
const AT_ONCE: &str = "glibc.malloc.mxfast=0:glibc.malloc.trim_threshold=1000000000000";

/// In a child: the case that it runs.
const CASE: &str = "--case";

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What is done with so many sessions.
type Case = (&'static str, fn(usize) -> BoxFuture<'static, Outcome>);

const CASES: [Case; 6] = [
    ("listed and killed one by one", |count| Box::pin(one_by_one(count))),
    ("killed all at once, and shut down", |count| Box::pin(at_once(count))),
    ("of as many accounts and tenants", |count| Box::pin(accounts(count))),
    ("of a small range of ids, twice", |count| Box::pin(queued(count))),
    ("passed over by the next id", |count| Box::pin(passed_over(count))),
    ("idle for too long", |count| Box::pin(timed_out(count))),
];

async fn connected(runtime: &Runtime<One>, count: usize) -> Result<VecDeque<SessionHandle>, killdeer::Refused> {
    let mut sessions = VecDeque::new();
    connect_all(runtime, &mut sessions, count).await?;
    Ok(sessions)
}

async fn one_by_one(count: usize) -> Outcome {
    let runtime = support::sessions::runtime();
    let mut sessions = connected(&runtime, count).await?;
    let root = root();
    assert_eq!(runtime.list(&root).rows().len(), count);
    assert_eq!(runtime.status().sessions, count);
    #[cfg(feature = "metrics")]
    runtime.publish_figures();
    for session in sessions.iter().step_by(count / 100) {
        session.query("SELECT 1").await?.collect_rows().await?;
        drop(runtime.kill(&root, Target::Session(session.id()), KillMode::Query).await?);
        drop(runtime.kill(&root, Target::Session(session.id()), KillMode::Connection).await?);
        session.ended().await;
    }
    // Nobody's: all are looked at.
    let nobody = Target::User { user: "nobody".into(), host: None };
    drop(runtime.kill(&root, nobody, KillMode::Query).await?);
    disconnect_all(&mut sessions, count).await;
    Ok(())
}

async fn at_once(count: usize) -> Outcome {
    let runtime = support::sessions::runtime();
    let sessions = connected(&runtime, count).await?;
    let user = || Target::User { user: owner().user().to_string(), host: None };
    let root = root();
    drop(runtime.kill(&root, user(), KillMode::Query).await?);
    runtime.kill(&root, user(), KillMode::Connection).await?.ended().await;
    assert_eq!(runtime.list(&root).kills().len(), 2);
    drop(sessions);
    let _sessions = connected(&runtime, count).await?;
    assert_eq!(runtime.shutdown(Duration::MAX).await.drained, count);
    Ok(())
}

/// Reads every event.
struct Reader;

impl Actor for Reader {
    type Context = Context<Self>;
}

impl Handler<SessionEvent> for Reader {
    type Result = ();

    fn handle(&mut self, _: SessionEvent, _: &mut Self::Context) {}
}

async fn accounts(count: usize) -> Outcome {
    let runtime = support::sessions::runtime();
    runtime.subscribe(Reader.start().recipient(), 1 << 16);
    let mut sessions = VecDeque::new();
    let mut number = 0;
    let next = || {
        number += 1;
        let tenant = Tenant { name: format!("tenant {number}"), cluster: None };
        runtime.connect(Principal::new(format!("user {number}"), Privileges::NONE).in_tenant(tenant), peer())
    };
    pipelined(count, next, |session| {
        sessions.push_back(session?);
        Ok::<_, killdeer::Refused>(())
    })
    .await?;
    disconnect_all(&mut sessions, count).await;
    Ok(())
}

async fn queued(count: usize) -> Outcome {
    // One that is queued in the order of the releases.
    let ids = Layout::range(1, 1 << 20)?;
    let runtime = Runtime::builder(One::new()).settings(many()).ids(ids).start();
    for _ in 0..2 {
        let mut sessions = connected(&runtime, count).await?;
        disconnect_all(&mut sessions, count).await;
    }
    Ok(())
}

async fn passed_over(count: usize) -> Outcome {
    let most = 2 * (count as u64).max(1 << 20);
    let ids = Ids::new(Layout::range(1, most)?);
    let live: Vec<_> = (0..count).map_while(|_| ids.allocate()).collect();
    // The counter passes all others, and comes to those that stay.
    let first = loop {
        let id = ids.allocate().ok_or("there are free ones")?;
        assert!(ids.release(id));
        if id.get() == most {
            break ids.allocate();
        }
    };
    assert_eq!(first.map(|id| id.get()), live.last().map(|id| id.get() + 1), "the first one that nobody has");
    Ok(())
}

async fn timed_out(count: usize) -> Outcome {
    let (time, count) = sized((Duration::from_secs(20), count), (Duration::from_secs(1), count));
    let settings = many().time(Setting::WaitTimeout, time);
    let runtime = Runtime::builder(One::new()).settings(settings).start();
    let sessions = connected(&runtime, count).await?;
    for session in &sessions {
        session.ended().await;
    }
    while runtime.status().sessions > 0 {
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// In a child that was started for it: runs a case, and prints for each lock how often it was held, and for how many
/// microseconds at most.
fn run_if_child() -> Option<io::Result<()>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [CASE, case, count] = [arguments.first()?.as_str(), arguments.get(1)?, arguments.get(2)?] else { return None };
    let (_, run) = CASES.get(case.parse::<usize>().ok()?)?;
    let count = count.parse().ok()?;
    end_with_parent();
    Some(actix_rt::System::new().block_on(async move {
        let ran = actix_rt::spawn(run(count)).await.map_err(io::Error::other)?;
        ran.map_err(io::Error::other)?;
        for hold in longest() {
            let longest: Vec<_> = hold.longest.iter().map(|longest| longest.as_micros().to_string()).collect();
            println!("{} {} {}", hold.over, hold.times, longest.join(" "));
        }
        println!();
        Ok(())
    }))
}

/// How long one lock was held.
#[derive(Default)]
struct Hold {
    /// How often.
    times: u64,
    /// For how many microseconds at most, in all runs.
    most: u64,
    /// The same, by thousands, in the run in which it was least.
    least: Vec<u64>,
}

impl Hold {
    fn add(&mut self, times: u64, longest: &[u64]) {
        self.times = self.times.max(times);
        self.most = self.most.max(longest.iter().copied().max().unwrap_or_default());
        if self.least.is_empty() {
            self.least = longest.to_vec();
        }
        self.least.iter_mut().zip(longest).for_each(|(least, longest)| *least = (*least).min(*longest));
    }
}

/// Runs a case, and adds to what is known of each lock.
fn case(place: usize, count: usize, holds: &mut BTreeMap<String, Hold>) -> io::Result<()> {
    let environment = if has("--put-off") { &[][..] } else { &[("GLIBC_TUNABLES", AT_ONCE)] };
    let mut child = Process::start_in(environment, &[CASE, &place.to_string(), &count.to_string()])?;
    let mut any = false;
    loop {
        let line = child.line()?;
        let Some((over, figures)) = line.split_once(' ') else {
            return if any { Ok(()) } else { Err(io::Error::other(format!("{} failed", CASES[place].0))) };
        };
        let figures: Vec<u64> = figures.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
        if let [times, longest @ ..] = figures.as_slice() {
            holds.entry(over.to_owned()).or_default().add(*times, longest);
        }
        any = true;
    }
}

fn main() -> io::Result<ExitCode> {
    if let Some(done) = run_if_child() {
        return done.map(|()| ExitCode::SUCCESS);
    }
    let (rounds, count) = sized((3, 1_000_000), (1, 1_000));
    let number = |name: &str| argument(name).and_then(|number| number.parse::<usize>().ok());
    let (rounds, only) = (number("--rounds").unwrap_or(rounds), number("--only"));
    let mut rows = Vec::new();
    let mut worst = 0;
    for (place, (name, _)) in CASES.iter().enumerate().filter(|(place, _)| only.is_none_or(|only| only == *place)) {
        let mut holds = BTreeMap::new();
        for _ in 0..rounds {
            case(place, count, &mut holds)?;
        }
        // It takes minutes.
        eprintln!("{name}: done");
        for (over, hold) in holds.into_iter().filter(|(_, hold)| hold.times > 0) {
            let least = hold.least.iter().copied().max().unwrap_or_default();
            worst = worst.max(least);
            rows.push([
                format!("{name}: {over}"),
                hold.times.to_string(),
                format!("{least} µs"),
                hold.most.to_string(),
            ]);
        }
    }
    table(
        &format!("Locks with {count} sessions: how often they were held, and for how long at most, in {rounds} runs"),
        ["", "times", "longest", "in any run"],
        &rows,
    );
    Ok(verdicts(&[("the longest that a lock was held", worst as f64, 1_000.0, "µs")]))
}
