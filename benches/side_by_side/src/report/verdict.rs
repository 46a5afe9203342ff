//! Bounds, and whether they are kept.

use std::fmt;

/// One bound, beside what was measured.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub what: String,
    pub figure: f64,
    pub bound: Bound,
    /// What the figure is in: `× MariaDB`, `bytes`.
    pub unit: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Verdict {
    pub fn at_most(what: impl Into<String>, figure: f64, bound: f64, unit: &'static str) -> Self {
        Self { what: what.into(), figure, bound: Bound::AtMost(bound), unit }
    }

    pub fn at_least(what: impl Into<String>, figure: f64, bound: f64, unit: &'static str) -> Self {
        Self { what: what.into(), figure, bound: Bound::AtLeast(bound), unit }
    }

    /// What was not measured is not kept.
    pub fn is_kept(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.figure <= bound,
            Bound::AtLeast(bound) => self.figure >= bound,
        }
    }

    fn word(&self) -> &'static str {
        if self.is_kept() { "PASS" } else { "FAIL" }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "at most {bound}"),
            Self::AtLeast(bound) => write!(f, "at least {bound}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, figure, bound, unit } = self;
        write!(f, "{} {what}: {figure:.2} {unit}, {bound}", self.word())
    }
}

pub fn markdown(verdicts: &[Verdict]) -> String {
    let mut out = "| bound | measured | |\n| --- | ---: | --- |\n".to_owned();
    for verdict in verdicts {
        let Verdict { what, figure, bound, unit } = verdict;
        out += &format!("| {what}: {bound} {unit} | {figure:.2} | {} |\n", verdict.word());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_kept_or_not() {
        for (verdict, kept) in [
            (Verdict::at_most("x", 1.2, 1.2, ""), true),
            (Verdict::at_most("x", 1.21, 1.2, ""), false),
            (Verdict::at_least("x", 0.8, 0.8, ""), true),
            (Verdict::at_least("x", 0.79, 0.8, ""), false),
            (Verdict::at_most("x", f64::NAN, 1.2, ""), false),
            (Verdict::at_least("x", f64::NAN, 1.2, ""), false),
        ] {
            assert_eq!(verdict.is_kept(), kept, "{verdict}");
        }
    }
}
