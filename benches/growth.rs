//! What grows with the sessions: the cost of a statement, a connect, a kill and a disconnect while there are 1,000 sessions in
//! process, 2,000, 4,000 and so on to a million.
//!
//! Bound: from each number to its double, none changes by more than 10 %.
//!
//! Runtimes of all sizes live side by side and take turns, all on the one thread that there is, whose processor time is
//! measured: what else the machine does is not in it, or falls on all alike. In a turn some sessions, spread over all of them, run statements, have one killed and
//! are disconnected, and others take their places. A session's first statement is a figure of its own: what nobody has
//! used for long is in no cache, and there is more of it.
//!
//! `--csv FILE` writes the figures for plotting; `--sizes A,B` measures others, `--rounds N` in so many turns.
#![forbid(unsafe_code)]

mod support;

use std::{error::Error, fmt::Write, future::Future, hint::black_box, process::ExitCode, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use killdeer::{KillMode, Reason, Runtime, SessionHandle, Target};
use support::{
    engine::One,
    figures::{Series, argument, sized, table, verdicts},
    many,
    process::own_cpu,
    sessions::{connect, connect_all, root},
};

/// So many statements each of those sessions runs, beside the first.
const STATEMENTS: u32 = 4;

/// What the turns measure, in nanoseconds.
const FIGURES: [&str; 5] = ["statement", "connect", "kill", "disconnect", "first statement"];

struct Size {
    runtime: Runtime<One>,
    sessions: Vec<SessionHandle>,
    figures: [Series; FIGURES.len()],
}

/// The processor time of each of so many, in nanoseconds.
fn each(began: Duration, count: usize) -> f64 {
    (own_cpu() - began).as_secs_f64() * 1e9 / count as f64
}

async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    futures.collect::<FuturesUnordered<_>>().collect().await
}

impl Size {
    async fn new(count: usize) -> Result<Self, Box<dyn Error>> {
        let runtime = Runtime::builder(One::new()).settings(many()).single_arbiter().start();
        let mut sessions = std::collections::VecDeque::new();
        connect_all(&runtime, &mut sessions, count).await?;
        Ok(Self { runtime, sessions: sessions.into(), figures: Default::default() })
    }

    async fn turn(&mut self, turn: usize, active: usize) -> Result<(), Box<dyn Error>> {
        let step = self.sessions.len() / active;
        // Coprime to the steps: each turn finds other sessions.
        let places: Vec<_> = (0..active).map(|nth| nth * step + turn * 7919 % step).collect();
        let began = own_cpu();
        for place in &places {
            drop(black_box(self.sessions[*place].query("SELECT 1").await?));
        }
        let first = each(began, active);

        let began = own_cpu();
        for _ in 0..STATEMENTS {
            for place in &places {
                drop(black_box(self.sessions[*place].query("SELECT 1").await?));
            }
        }
        let statement = each(began, active * STATEMENTS as usize);

        let mut waiting = all_begun(places.iter().map(|place| &self.sessions[*place])).await;
        let root = root();
        let began = own_cpu();
        let kill = |place: &usize| {
            let id = self.sessions[*place].id();
            self.runtime.kill(&root, Target::Session(id), KillMode::Query)
        };
        for killed in all(places.iter().map(kill)).await {
            drop(killed?);
        }
        while let Some(result) = waiting.next().await {
            assert_eq!(result.expect_err("it was killed").code(), 1317);
        }
        let kill = each(began, active);
        drop(waiting);

        let began = own_cpu();
        let disconnect = async |place: &usize| {
            self.sessions[*place].terminate(Reason::Quit);
            self.sessions[*place].ended().await
        };
        all(places.iter().map(disconnect)).await;
        let disconnect = each(began, active);

        let began = own_cpu();
        let connected = all(places.iter().map(|_| connect(&self.runtime))).await;
        let connect = each(began, active);
        for (place, session) in places.iter().zip(connected) {
            self.sessions[*place] = session?;
        }
        let figures = [statement, connect, kill, disconnect, first];
        self.figures.iter_mut().zip(figures).for_each(|(series, figure)| series.push(figure));
        Ok(())
    }
}

/// A statement that waits in each of these, once all of them run.
async fn all_begun<'a>(
    sessions: impl Iterator<Item = &'a SessionHandle> + Clone,
) -> FuturesUnordered<impl Future<Output = Result<killdeer::Results, killdeer::SqlError>>> {
    let mut waiting: FuturesUnordered<_> = sessions.clone().map(|session| session.query("WAIT")).collect();
    while !sessions.clone().all(|session| session.running().is_some()) {
        assert!(futures::poll!(waiting.next()).is_pending(), "nobody has killed it");
        tokio::task::yield_now().await;
    }
    waiting
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let (rounds, active, doublings) = sized((301, 500, 11), (2, 20, 2));
    let rounds = argument("--rounds").map_or(Ok(rounds), |rounds| rounds.parse())?;
    let counts: Vec<usize> = match argument("--sizes") {
        Some(sizes) => sizes.split(',').map(str::parse).collect::<Result<_, _>>()?,
        None => (0..doublings).map(|doubled| (2 * active) << doubled).collect(),
    };
    let mut sizes = Vec::new();
    for count in &counts {
        sizes.push(Size::new(*count).await?);
    }
    for round in 0..rounds {
        for turn in 0..sizes.len() {
            // Nobody is always the first.
            let next = (round + turn) % sizes.len();
            sizes[next].turn(round, active).await?;
        }
    }
    let rows: Vec<_> = sizes
        .iter()
        .map(|size| {
            let cell = |figure: usize| format!("{:.0} ns", size.figures[figure].median());
            [size.sessions.len().to_string(), cell(0), cell(1), cell(2), cell(3), cell(4)]
        })
        .collect();
    let [statement, connect, kill, disconnect, first] = FIGURES;
    table(
        &format!("Costs by the number of sessions, {active} of them active, {rounds} rounds"),
        ["sessions", statement, connect, kill, disconnect, first],
        &rows,
    );
    if let Some(file) = argument("--csv") {
        let mut lines = String::from("sessions,statement_ns,connect_ns,kill_ns,disconnect_ns\n");
        for size in &sizes {
            let [statement, connect, kill, disconnect, _] = size.figures.each_ref().map(Series::median);
            let count = size.sessions.len();
            writeln!(lines, "{count},{statement:.1},{connect:.1},{kill:.1},{disconnect:.1}")?;
        }
        std::fs::write(file, lines)?;
    }
    // By round: two sizes that took their turns one after the other.
    let worst = |figure: usize| {
        let change = |two: &[Size]| {
            let ratio = two[1].figures[figure].with(&two[0].figures[figure], |double, single| double / single);
            (ratio.median() - 1.0).abs() * 100.0
        };
        sizes.windows(2).map(change).fold(0.0, f64::max)
    };
    let verdict = |figure: usize| (FIGURES[figure], worst(figure), 10.0, "% by a doubling");
    Ok(verdicts(&[verdict(0), verdict(1), verdict(2), verdict(3)]))
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // In a task of the arbiter's own: to wake the future that `block_on` runs takes a system call.
    actix_rt::System::new().block_on(async { actix_rt::spawn(run()).await? })
}
