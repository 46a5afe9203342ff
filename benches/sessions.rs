//! What is done with sessions in process, by criterion: a statement's cancellation, connect and disconnect, the list.
//!
//! A Query beside a bare `send` is in `query_message`, what many sessions cost in `million` and `growth`.
#![forbid(unsafe_code)]

mod support;

use std::{
    collections::VecDeque,
    future::Future,
    hint::black_box,
    time::{Duration, Instant},
};

use actix_rt::Arbiter;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use killdeer::{Cancel, Reason, Runtime, SessionHandle};
use support::{
    engine::One,
    figures::sized,
    sessions::{AT_ONCE, connect, connect_all, disconnect_all, root, runtime},
};
use tokio::{sync::oneshot, task::yield_now};

/// Runs this in a task of the arbiter's own: to wake the future that `block_on` runs takes a system call.
fn run<T: 'static>(system: &actix_rt::SystemRunner, what: impl Future<Output = T> + 'static) -> T {
    system.block_on(async { actix_rt::spawn(what).await.expect("it does not panic") })
}

/// From the sending of so many Cancels to the ends of their statements, each as its client sees it.
async fn cancels(session: SessionHandle, count: u64) -> Duration {
    let mut time = Duration::ZERO;
    for _ in 0..count {
        let mut waiting = std::pin::pin!(session.query("WAIT"));
        let statement = loop {
            assert!(futures::poll!(&mut waiting).is_pending(), "nobody has cancelled it");
            match session.running() {
                Some(statement) => break statement,
                None => yield_now().await,
            }
        };
        let began = Instant::now();
        session.addr().do_send(Cancel { statement, reason: Reason::KillQuery });
        let result = waiting.await;
        time += began.elapsed();
        assert_eq!(result.expect_err("it was cancelled").code(), 1317);
    }
    time
}

/// Connected there, and used from here.
async fn connect_on(arbiter: &Arbiter, runtime: &Runtime<One>) -> SessionHandle {
    let (told, connected) = oneshot::channel();
    let runtime = runtime.clone();
    arbiter.spawn(async move {
        let _ = told.send(connect(&runtime).await);
    });
    connected.await.expect("the arbiter lives").expect("there is room")
}

fn cancel(c: &mut Criterion) {
    let system = actix_rt::System::new();
    let mut group = c.benchmark_group("cancel to the statement's end");
    // Most of the time goes into the beginnings of the statements, which are not counted.
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(20);
    let runtime = run(&system, async { runtime() });
    let (here, other) = run(&system, {
        let runtime = runtime.clone();
        async move { (connect(&runtime).await.expect("there is room"), connect_on(&Arbiter::new(), &runtime).await) }
    });
    for (name, session) in [("same arbiter", here), ("other arbiter", other)] {
        group.bench_function(name, |b| {
            b.iter_custom(|count| run(&system, cancels(session.clone(), count)));
        });
    }
    group.finish();
}

async fn one_by_one(runtime: Runtime<One>, count: u64) -> Duration {
    let began = Instant::now();
    for _ in 0..count {
        let session = connect(&runtime).await.expect("there is room");
        session.terminate(Reason::Quit);
        session.ended().await;
    }
    began.elapsed()
}

/// Those that are there when it begins stay; the time of so many connects, and of as many disconnects.
async fn pipelined(runtime: Runtime<One>, count: u64) -> (Duration, Duration) {
    let (mut connecting, mut disconnecting) = (Duration::ZERO, Duration::ZERO);
    let mut left = usize::try_from(count).expect("not so many");
    while left > 0 {
        let batch = left.min(8 * AT_ONCE);
        let mut sessions = VecDeque::with_capacity(batch);
        let began = Instant::now();
        connect_all(&runtime, &mut sessions, batch).await.expect("there is room");
        connecting += began.elapsed();
        let began = Instant::now();
        disconnect_all(&mut sessions, batch).await;
        disconnecting += began.elapsed();
        left -= batch;
    }
    (connecting, disconnecting)
}

fn connects(c: &mut Criterion) {
    let system = actix_rt::System::new();
    let mut group = c.benchmark_group("connect and disconnect");
    let runtime = run(&system, async { runtime() });
    group.bench_function("both, awaited one by one", |b| {
        b.iter_custom(|count| run(&system, one_by_one(runtime.clone(), count)));
    });
    group.bench_function("connect, pipelined", |b| {
        b.iter_custom(|count| run(&system, pipelined(runtime.clone(), count)).0);
    });
    group.bench_function("disconnect, pipelined", |b| {
        b.iter_custom(|count| run(&system, pipelined(runtime.clone(), count)).1);
    });
    group.finish();
}

fn lists(c: &mut Criterion) {
    let system = actix_rt::System::new();
    let mut group = c.benchmark_group("list");
    // The larger ones take a fraction of a second.
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    let runtime = run(&system, async { runtime() });
    let mut sessions = VecDeque::new();
    for count in sized([1_000, 100_000, 1_000_000], [10, 100, 1_000]) {
        sessions = run(&system, {
            let runtime = runtime.clone();
            async move {
                let more = count - sessions.len();
                connect_all(&runtime, &mut sessions, more).await.expect("there is room");
                sessions
            }
        });
        let listing = runtime.list(&root());
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{count} sessions"), |b| b.iter(|| black_box(listing.rows())));
    }
    let count = sessions.len();
    run(&system, async move { disconnect_all(&mut sessions, count).await });
    group.finish();
}

criterion_group!(benches, cancel, connects, lists);
criterion_main!(benches);
