//! Rounds and their medians.
//!
//! Whoever is compared takes turns within a run and is compared round by round: what else the machine does falls on all of
//! them alike.

/// One figure, measured once a round.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// Whether there was no round.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The middle one; of an even number the upper of the two.
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Where the middle half of them lies.
    pub fn middle_half(&self) -> (f64, f64) {
        let sorted = self.sorted();
        let quarter = sorted.len() / 4;
        match sorted.len() {
            0 => (f64::NAN, f64::NAN),
            count => (sorted[quarter], sorted[count - 1 - quarter]),
        }
    }

    /// This by the other, round by round.
    pub fn over(&self, other: &Series) -> Series {
        Series(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_that_went_wrong_moves_neither_the_median_nor_the_middle_half() {
        let series: Series = [3.0, 1.0, 2.0, 900.0, 4.0].into_iter().collect();
        assert_eq!(series.median(), 3.0);
        assert_eq!(series.middle_half(), (2.0, 4.0));
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The machine was twice as slow in the second round, for both.
        let (a, b): (Series, Series) = ([2.0, 4.0].into_iter().collect(), [1.0, 2.0].into_iter().collect());
        assert_eq!(a.over(&b).middle_half(), (2.0, 2.0));
    }

    #[test]
    fn nothing_has_no_median() {
        assert!(Series::default().median().is_nan());
    }
}
