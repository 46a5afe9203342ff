//! What is measured.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `select` | statements a second, their times, the server's CPU time for each |

mod select;

use std::io;

use clap::ValueEnum;

use crate::{report::Section, servers::Workshop};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Figure {
    /// Statements a second, their times, the server's CPU time for each
    Select,
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
}

impl Figure {
    pub const ALL: &[Self] = Self::value_variants_const();

    const fn value_variants_const() -> &'static [Self] {
        &[Self::Select]
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
        }
    }

    pub async fn measure(self, run: &Run) -> io::Result<Section> {
        match self {
            Self::Select => select::measure(run),
        }
    }
}

/// So many decimals that three digits are seen.
fn short(figure: f64) -> String {
    match figure.abs() {
        0.0..10.0 => format!("{figure:.2}"),
        10.0..100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

/// Where the middle half of the rounds lies.
fn spread(series: &crate::series::Series) -> String {
    let (from, to) = series.middle_half();
    format!("{} – {}", short(from), short(to))
}
