//! What a session adds to a message: a `Query` to a session, beside a bare `send` to an actor that does nothing, both on
//! the arbiter that asks.
//!
//! Bound: 600 ns more. The tests' tokio is built with `test-util`, under which `Instant::now` looks for a paused clock
//! first; a host's build without it is a little faster than what is measured here.
#![forbid(unsafe_code)]

mod support;

use std::{
    error::Error,
    hint::black_box,
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, Context, Handler, Message};
use killdeer::{Principal, Privileges, Query, Runtime, SessionHandle, Statement};
use support::{
    engine::One,
    figures::{Series, sized, table, verdict},
};

/// In nanoseconds.
const BOUND: f64 = 600.0;

/// The least that an actor can do.
struct Idler;

impl Actor for Idler {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Ask(u64);

impl Handler<Ask> for Idler {
    type Result = u64;

    fn handle(&mut self, Ask(number): Ask, _: &mut Self::Context) -> u64 {
        number
    }
}

fn each(began: Instant, count: u32) -> f64 {
    let time: Duration = began.elapsed();
    time.as_secs_f64() * 1e9 / f64::from(count)
}

async fn sends(idler: &Addr<Idler>, count: u32) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    for number in 0..count {
        black_box(idler.send(Ask(number.into())).await?);
    }
    Ok(each(began, count))
}

async fn queries(session: &SessionHandle, sql: &'static str, count: u32) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    for _ in 0..count {
        drop(black_box(session.addr().send(Query(Statement::from(sql))).await??));
    }
    Ok(each(began, count))
}

fn clock(count: u32) -> f64 {
    let began = Instant::now();
    for _ in 0..count {
        black_box(tokio::time::Instant::now());
    }
    each(began, count)
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    // Many short rounds: what interrupts one of them does not move the median.
    let (rounds, count) = sized((401, 2_000), (3, 2_000));
    let idler = Idler.start();
    let runtime = Runtime::builder(One::new()).single_arbiter().start();
    let peer = SocketAddr::from(([127, 0, 0, 1], 50_000)).into();
    let session = runtime.connect(Principal::new("bench", Privileges::NONE), peer).await?;
    let [mut bare, mut row, mut none, mut now]: [Series; 4] = Default::default();
    sends(&idler, count).await?;
    queries(&session, "SELECT 1", count).await?;
    for round in 0..rounds {
        // Nobody is always the first.
        if round % 2 == 0 {
            bare.push(sends(&idler, count).await?);
            row.push(queries(&session, "SELECT 1", count).await?);
        } else {
            row.push(queries(&session, "SELECT 1", count).await?);
            bare.push(sends(&idler, count).await?);
        }
        none.push(queries(&session, "DO 1", count).await?);
        now.push(clock(count));
    }
    let line = |name: &str, series: &Series| {
        let more = series.with(&bare, |own, bare| own - bare);
        let ratio = series.with(&bare, |own, bare| own / bare);
        [
            name.to_owned(),
            format!("{:.0} ns", series.median()),
            series.spread(0),
            format!("{:+.0} ns", more.median()),
            more.spread(0),
            format!("{:.2}", ratio.median()),
        ]
    };
    table(
        &format!("A message and its answer on one arbiter, {rounds} rounds of {count}"),
        ["", "each", "spread", "to the bare send", "spread", "of the bare send"],
        &[
            line("bare send", &bare),
            line("Query, one row", &row),
            line("Query, no result set", &none),
            line("(Instant::now)", &now),
        ],
    );
    let more = row.with(&bare, |row, bare| row - bare).median();
    Ok(verdict("a Query beyond a bare send", more, BOUND, "ns"))
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // In a task of the arbiter's own: to wake the future that `block_on` runs takes a system call.
    actix_rt::System::new().block_on(async { actix_rt::spawn(run()).await? })
}
