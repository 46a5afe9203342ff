//! Rounds, medians, tables and verdicts.
//!
//! The contestants take turns within a run and are compared round by round: what else the machine does falls on all of
//! them alike. Spreads are those of the middle half of the rounds.

use std::{fmt::Display, process::ExitCode};

/// One figure, measured once a round.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The middle one; of an even number the upper of the two.
    pub fn median(&self) -> f64 {
        self.sorted()[self.0.len() / 2]
    }

    /// Where the middle half of them lies.
    pub fn spread(&self, decimals: usize) -> String {
        let sorted = self.sorted();
        let quarter = sorted.len() / 4;
        format!("{:.decimals$} – {:.decimals$}", sorted[quarter], sorted[sorted.len() - 1 - quarter])
    }

    /// Two series, round by round.
    pub fn with(&self, other: &Series, both: impl Fn(f64, f64) -> f64) -> Series {
        Series(self.0.iter().zip(&other.0).map(|(a, b)| both(*a, *b)).collect())
    }

    fn sorted(&self) -> Vec<f64> {
        assert!(!self.0.is_empty(), "a figure is read after it was measured");
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// Prints a table: the first column to the left, the others to the right.
pub fn table<const N: usize>(title: &str, head: [&str; N], rows: &[[String; N]]) {
    let width = |i: usize| {
        let longest = rows.iter().map(|row| row[i].chars().count()).max().unwrap_or_default();
        longest.max(head[i].chars().count())
    };
    let line = |cells: [&str; N]| {
        let cells = cells.iter().enumerate().map(|(i, cell)| {
            let width = width(i);
            if i == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        println!("  {}", cells.collect::<Vec<_>>().join("   "));
    };
    println!("\n{title}");
    line(head);
    rows.iter().for_each(|row| line(row.each_ref().map(String::as_str)));
}

/// Says whether `figure` keeps its bound. With `--check`, one that does not fails the run.
pub fn verdict(what: &str, figure: f64, bound: f64, unit: impl Display) -> ExitCode {
    verdicts(&[(what, figure, bound, unit)])
}

/// The same of several: what each is, the figure, its bound, the unit.
pub fn verdicts(figures: &[(&str, f64, f64, impl Display)]) -> ExitCode {
    println!();
    let mut all = true;
    for (what, figure, bound, unit) in figures {
        let kept = figure <= bound;
        all &= kept;
        let word = if kept { "PASS" } else { "FAIL" };
        println!("{word} {what}: {figure:.2} {unit}, bound {bound} {unit}");
    }
    if all || !has("--check") { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the run was given this argument.
pub fn has(argument: &str) -> bool {
    std::env::args().any(|given| given == argument)
}

/// What follows this argument.
pub fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|given| given != name).nth(1)
}

/// `full` under `cargo bench`; `brief` elsewhere (`cargo test --benches`), where the run only shows that it works.
pub fn sized<T>(full: T, brief: T) -> T {
    if has("--bench") { full } else { brief }
}
