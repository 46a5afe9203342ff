//! How long statements took.

use std::time::Duration;

/// Times, each to the nanosecond; those of four seconds and more count as the longest that there is.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    pub fn push(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
    }

    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The time within which so many of a hundred were done: the nearest-rank percentile, in microseconds. Zero if there
    /// are none.
    pub fn percentile(&mut self, percent: f64) -> f64 {
        let count = self.0.len();
        if count == 0 {
            return 0.0;
        }
        let rank = (count as f64 * percent / 100.0).ceil() as usize;
        let (_, nanos, _) = self.0.select_nth_unstable(rank.clamp(1, count) - 1);
        f64::from(*nanos) / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50.0), 0.0);
        (1..=100).rev().for_each(|micros| latencies.push(Duration::from_micros(micros)));
        for (percent, micros) in [(0.0, 1.0), (1.0, 1.0), (50.0, 50.0), (99.0, 99.0), (99.5, 100.0), (100.0, 100.0)] {
            assert_eq!(latencies.percentile(percent), micros, "{percent} %");
        }
    }

    #[test]
    fn what_takes_too_long_is_counted_still() {
        let mut latencies = Latencies::default();
        latencies.push(Duration::from_secs(60));
        let mut other = Latencies::default();
        other.push(Duration::ZERO);
        latencies.append(other);
        assert_eq!(latencies.len(), 2);
        assert!(latencies.percentile(100.0) > 4e6);
    }
}
