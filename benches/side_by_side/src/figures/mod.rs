//! What is measured.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `select` | statements a second, their times, the server's CPU time for each |
//! | `syscalls` | the system calls of a statement, and of a connect |
//! | `instructions` | the instructions of a statement |
//! | `rows` | a million rows |
//! | `connects` | connect, login, quit |
//! | `memory` | resident memory of an idle connection |
//! | `list` | SHOW PROCESSLIST of many sessions |
//! | `kill` | KILL QUERY, and many connections killed |
//! | `overhead` | what Killdeer's own observers cost a statement |
//! | `growth` | what a benchmark in process has measured, and not this run |

mod connects;
pub mod growth;
mod instructions;
mod kill;
mod list;
mod memory;
mod overhead;
mod rows;
mod select;
mod syscalls;

use std::{io, time::Duration};

use clap::ValueEnum;
use tokio::time::timeout;

use crate::{
    client::{Connection, packet},
    report::{Section, Verdict},
    series::Series,
    servers::{Kind, Server, Workshop},
};

/// So long it may take until the last session has left the list.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Figure {
    /// Statements a second, their times, the server's CPU time for each
    Select,
    /// The system calls of a statement and of a connect, by strace
    Syscalls,
    /// The instructions of a statement, by valgrind
    Instructions,
    /// A million rows
    Rows,
    /// Connect, login, quit
    Connects,
    /// Resident memory of an idle connection
    Memory,
    /// SHOW PROCESSLIST of many sessions
    List,
    /// KILL QUERY, and many connections killed
    Kill,
    /// What Killdeer's own observers cost a statement
    Overhead,
}

/// How it is measured.
pub struct Run {
    pub workshop: Workshop,
    pub rounds: usize,
    /// Everything small: to see that it works, and not how fast.
    pub quick: bool,
}

impl Run {
    /// `full`, unless it is a quick run.
    fn sized<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// These, unless it is a quick run, whose figures say nothing.
    fn verdicts(&self, verdicts: Vec<Verdict>) -> Vec<Verdict> {
        self.sized(verdicts, Vec::new())
    }
}

impl Figure {
    /// As on the command line, and on the page.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub async fn measure(self, run: &Run) -> io::Result<Section> {
        match self {
            Self::Select => select::measure(run),
            Self::Syscalls => syscalls::measure(run).await,
            Self::Instructions => instructions::measure(run),
            Self::Rows => rows::measure(run).await,
            Self::Connects => connects::measure(run).await,
            Self::Memory => memory::measure(run),
            Self::List => list::measure(run).await,
            Self::Kill => kill::measure(run).await,
            Self::Overhead => overhead::measure(run),
        }
    }
}

/// Who has the next turn, of so many: each has one a round, and nobody is always the first.
fn turns(rounds: usize, of: usize) -> impl Iterator<Item = usize> {
    (0..rounds * of).map(move |turn| (turn + turn / of) % of)
}

/// Killdeer's figure by another's, round by round. Killdeer's sample is the first.
fn ratio<S>(samples: &[S], other: usize, figure: impl Fn(&S) -> &Series) -> f64 {
    figure(&samples[0]).over(figure(&samples[other])).median()
}

/// The same by the better of MariaDB's two modes, which are the next two: that which leaves Killdeer the worse ratio.
fn to_mariadb<S>(samples: &[S], figure: impl Fn(&S) -> &Series) -> f64 {
    ratio(samples, 1, &figure).max(ratio(samples, 2, &figure))
}

/// One server of each of these.
fn started(run: &Run, kinds: &[Kind]) -> io::Result<Vec<Server>> {
    kinds.iter().map(|kind| run.workshop.start(*kind, false)).collect()
}

/// The id of a connection's own session.
async fn id(connection: &mut Connection) -> io::Result<u64> {
    let mut id = None;
    connection.send(&packet::query("SELECT CONNECTION_ID()")).await?;
    connection.answer(|row| id = number(row)).await?.rows()?;
    id.ok_or_else(|| io::Error::other("no CONNECTION_ID()"))
}

/// The ids of all other clients' sessions.
async fn everybody_else(connection: &mut Connection) -> io::Result<Vec<u64>> {
    let own = id(connection).await?;
    let mut ids = Vec::new();
    connection.send(&packet::query("SHOW PROCESSLIST")).await?;
    // Not those of MariaDB's own threads.
    let is_client = |row: &[u8]| row.windows(5).any(|part| part == b"\x04root");
    connection.answer(|row| ids.extend(number(row).filter(|id| *id != own && is_client(row)))).await?.rows()?;
    Ok(ids)
}

/// Fails unless all other clients' sessions leave the list.
async fn nobody_left(kind: Kind, server: &Server) -> io::Result<()> {
    let mut connection = Connection::open(server.address).await?;
    let empty = async {
        while !everybody_else(&mut connection).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        io::Result::Ok(())
    };
    match timeout(PATIENCE, empty).await {
        Ok(empty) => empty,
        Err(_) => Err(io::Error::other(format!("{}: sessions without clients stay in the list", kind.name()))),
    }
}

/// The number in the first column.
fn number(row: &[u8]) -> Option<u64> {
    std::str::from_utf8(packet::first_column(row)?).ok()?.parse().ok()
}

/// So many decimals that three digits are seen.
fn short(figure: f64) -> String {
    match figure.abs() {
        0.0..10.0 => format!("{figure:.2}"),
        10.0..100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

/// Where the middle half of the rounds lies, in brackets.
fn spread(series: &Series) -> String {
    let (from, to) = series.middle_half();
    format!("({} – {})", short(from), short(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_turn_in_every_round_and_begins_one() {
        let rounds: Vec<_> = turns(3, 3).collect();
        assert_eq!(rounds, [0, 1, 2, 1, 2, 0, 2, 0, 1]);
    }

    #[test]
    fn three_digits_are_seen() {
        for (figure, text) in [(0.0, "0.00"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (f64::NAN, "NaN")] {
            assert_eq!(short(figure), text);
        }
    }

    #[test]
    fn ids_are_the_first_column() {
        assert_eq!(number(b"\x0242\x04root"), Some(42));
        assert_eq!(number(b"\x04root"), None);
    }
}
