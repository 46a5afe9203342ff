//! A million sessions in process: how long it takes to start them and to end them, what each takes of memory once it
//! has run a statement, and what a list of 100,000 takes, beside which other sessions go on.
//!
//! Bounds: 3 s for the start, 2,048 bytes each, 30 ms for the list. As many actors that do nothing are started as well: how
//! fast the machine is at that time. How long locks are held is in `locks`.
#![forbid(unsafe_code)]

mod support;

use std::{
    collections::VecDeque,
    hint::black_box,
    io,
    process::{ExitCode, id},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, Context};
use actix_rt::Arbiter;
use futures::future::try_join_all;
use killdeer::{Runtime, SessionHandle};
use support::{
    engine::One,
    figures::{Series, sized, table, verdicts},
    process::{Process, cpu, end_with_parent, own_cpu, resident},
    sessions::{AT_ONCE, connect, connect_all, disconnect_all, pipelined, root, runtime},
};
use tokio::sync::oneshot;

/// What a child is asked to do.
const START: &str = "--start";
const LIST: &str = "--list";
const BARE: &str = "--bare";

/// An actor that does nothing.
struct Bare;

impl Actor for Bare {
    type Context = Context<Self>;
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A runtime and some sessions that have come and gone: what is there once is there.
async fn warm() -> io::Result<Runtime<One>> {
    let runtime = runtime();
    let mut first = VecDeque::new();
    connect_all(&runtime, &mut first, AT_ONCE).await.map_err(other)?;
    disconnect_all(&mut first, AT_ONCE).await;
    Ok(runtime)
}

/// One statement in each.
async fn ask_all(sessions: &VecDeque<SessionHandle>) -> io::Result<()> {
    let mut next = sessions.iter().cycle();
    let ask = || {
        let session = next.next();
        async move { session.expect("there are some").query("SELECT 1").await }
    };
    pipelined(sessions.len(), ask, |answer| answer.map(drop).map_err(other)).await
}

/// Does the same on each of these arbiters, side by side.
async fn on_each<F: Future<Output = R> + Send + 'static, R: Send + 'static>(
    arbiters: &[Arbiter],
    work: impl Fn() -> F,
) -> io::Result<Vec<R>> {
    let working = arbiters.iter().map(|arbiter| {
        let (told, done) = oneshot::channel();
        let work = work();
        arbiter.spawn(async move {
            let _ = told.send(work.await);
        });
        done
    });
    try_join_all(working).await.map_err(other)
}

/// As many arbiters as there are processors.
fn arbiters() -> io::Result<Vec<Arbiter>> {
    Ok((0..thread::available_parallelism()?.get()).map(|_| Arbiter::new()).collect())
}

/// Connects so many on each of these arbiters.
async fn connect_on(arbiters: &[Arbiter], runtime: &Runtime<One>, count: usize) -> io::Result<Vec<SessionHandle>> {
    let connecting = || {
        let runtime = runtime.clone();
        async move {
            let mut sessions = VecDeque::with_capacity(count);
            connect_all(&runtime, &mut sessions, count).await.map(|()| sessions).map_err(|error| error.to_string())
        }
    };
    let mut all = Vec::new();
    for sessions in on_each(arbiters, connecting).await? {
        all.extend(sessions.map_err(other)?);
    }
    Ok(all)
}

/// Starts so many actors that do nothing; milliseconds.
async fn start_bare(count: usize) -> io::Result<f64> {
    let (arbiters, began) = (arbiters()?, Instant::now());
    let count = count / arbiters.len();
    let started = on_each(&arbiters, || async move {
        let mut actors: Vec<Addr<Bare>> = Vec::with_capacity(count);
        while actors.len() < count {
            actors.extend((0..AT_ONCE).map(|_| Bare.start()));
            tokio::task::yield_now().await;
        }
        actors
    });
    let actors = started.await?;
    let took = began.elapsed();
    drop(actors);
    Ok(millis(took))
}

/// Starts so many, on as many arbiters as there are processors: milliseconds, processor time in milliseconds, bytes each; and milliseconds for their ends.
async fn start(count: usize) -> io::Result<[f64; 4]> {
    let runtime = warm().await?;
    let arbiters = arbiters()?;
    let (empty, spent, began) = (resident(id())?, cpu(id())?, Instant::now());
    let mut sessions: VecDeque<_> = connect_on(&arbiters, &runtime, count / arbiters.len()).await?.into();
    let count = sessions.len();
    let (took, spent) = (began.elapsed(), cpu(id())?.saturating_sub(spent));
    ask_all(&sessions).await?;
    let bytes = resident(id())?.saturating_sub(empty) as f64 / count as f64;
    let began = Instant::now();
    disconnect_all(&mut sessions, count).await;
    Ok([millis(took), millis(spent), bytes, millis(began.elapsed())])
}

/// So many statements, one after the other: the time that each takes, in microseconds, the median and the 99th percentile.
async fn statements(session: &SessionHandle, count: usize) -> io::Result<[f64; 2]> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        drop(black_box(session.query("SELECT 1").await.map_err(other)?));
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok([times[count / 2], times[count * 99 / 100]])
}

/// Lists so many: milliseconds, and processor time in milliseconds; and what statements take without lists, and beside lists without end.
async fn list(count: usize, asked: usize) -> io::Result<[f64; 6]> {
    let runtime = warm().await?;
    let mut sessions = VecDeque::with_capacity(count);
    connect_all(&runtime, &mut sessions, count).await.map_err(other)?;
    let session = connect(&runtime).await.map_err(other)?;
    let listing = runtime.list(&root());
    assert_eq!(listing.rows().len(), count + 1);
    let (mut lists, mut spent) = (Series::new(), Series::new());
    for _ in 0..11 {
        let (began, before) = (Instant::now(), own_cpu());
        let rows = black_box(listing.rows());
        lists.push(millis(began.elapsed()));
        spent.push(millis(own_cpu() - before));
        // What the reader does with them is its own.
        drop(rows);
    }
    let without = statements(&session, asked).await?;
    let over = Arc::new(AtomicBool::new(false));
    let lister = thread::spawn({
        let over = Arc::clone(&over);
        move || {
            while !over.load(Relaxed) {
                black_box(listing.rows());
            }
        }
    });
    let beside = statements(&session, asked).await;
    over.store(true, Relaxed);
    lister.join().map_err(|_| other("the lister panicked"))?;
    let beside = beside?;
    disconnect_all(&mut sessions, count).await;
    Ok([lists.median(), spent.median(), without[0], without[1], beside[0], beside[1]])
}

/// In a child that was started for it: prints the figures.
fn measure_if_child() -> Option<io::Result<()>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, count, asked] = arguments.as_slice() else { return None };
    let (count, asked) = (count.parse().ok()?, asked.parse().ok()?);
    if ![START, LIST, BARE].contains(&what.as_str()) {
        return None;
    }
    let what = what.clone();
    end_with_parent();
    // In a task of the arbiter's own: to wake the future that `block_on` runs takes a system call.
    Some(actix_rt::System::new().block_on(async move {
        let figures = actix_rt::spawn(async move {
            match what.as_str() {
                START => start(count).await.map(Vec::from),
                BARE => start_bare(count).await.map(|took| vec![took]),
                _ => list(count, asked).await.map(Vec::from),
            }
        });
        let figures = figures.await.map_err(other)??;
        println!("{}", figures.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
        Ok(())
    }))
}

/// The figures of a child.
fn measured<const N: usize>(what: &str, count: usize, asked: usize) -> io::Result<[f64; N]> {
    let line = Process::start(&[what, &count.to_string(), &asked.to_string()])?.line()?;
    let figures: Vec<f64> = line.split(' ').filter_map(|figure| figure.parse().ok()).collect();
    figures.try_into().map_err(|_| other(format!("no figures: {line:?}")))
}

fn main() -> io::Result<ExitCode> {
    if let Some(done) = measure_if_child() {
        return done.map(|()| ExitCode::SUCCESS);
    }
    let (rounds, count, listed, asked) = sized((5, 1_000_000, 100_000, 20_000), (1, 2_000, 1_000, 100));
    let mut starts: [Series; 4] = Default::default();
    let mut lists: [Series; 6] = Default::default();
    let mut bare = Series::new();
    for _ in 0..rounds {
        bare.push(measured::<1>(BARE, count, 0)?[0]);
        starts.iter_mut().zip(measured::<4>(START, count, 0)?).for_each(|(series, figure)| series.push(figure));
        lists.iter_mut().zip(measured::<6>(LIST, listed, asked)?).for_each(|(series, figure)| series.push(figure));
    }
    let row = |name: &str, series: &Series, decimals: usize, unit: &str| {
        [name.to_owned(), format!("{:.decimals$} {unit}", series.median()), series.spread(decimals)]
    };
    table(
        &format!("{count} sessions in process, {rounds} rounds"),
        ["", "median", "spread"],
        &[
            row("started, connects pipelined", &starts[0], 0, "ms"),
            row("processor time of that", &starts[1], 0, "ms"),
            row("actors that do nothing, started", &bare, 0, "ms"),
            row("memory of each, idle after a statement", &starts[2], 0, "B"),
            row("ended, disconnects pipelined", &starts[3], 0, "ms"),
        ],
    );
    table(
        &format!("A list of {listed} sessions, and statements of another thread beside it"),
        ["", "median", "spread"],
        &[
            row("list", &lists[0], 1, "ms"),
            row("processor time of that", &lists[1], 1, "ms"),
            row("a statement, p50, nobody lists", &lists[2], 2, "µs"),
            row("p99", &lists[3], 2, "µs"),
            row("a statement, p50, lists without end", &lists[4], 2, "µs"),
            row("p99", &lists[5], 2, "µs"),
        ],
    );
    Ok(verdicts(&[
        ("a million sessions started", starts[0].median(), 3_000.0, "ms"),
        ("memory of an idle session", starts[2].median(), 2_048.0, "bytes"),
        ("processor time of a list of 100,000", lists[1].median(), 30.0, "ms"),
    ]))
}
