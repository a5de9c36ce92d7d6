//! How often a duration was how long: counts under fixed bounds, so that the histograms of many batches and processes add up.

use std::ops::AddAssign;
use std::time::Duration;

/// Upper bounds of the buckets in microseconds, each one included; longer durations are counted in one more bucket.
///
/// They reach from a block of one row to a stream that was down for a day.
pub const BOUNDS_US: [u64; 22] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    1_800_000_000,
    10_800_000_000,
    86_400_000_000,
];

/// Counts of durations. Adding one costs a search among the bounds, no memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many were in each bucket, those above the last bound at the end.
    counts: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
}

impl Histogram {
    /// Counts one duration.
    pub fn add(&mut self, duration: Duration) {
        self.add_many(duration, 1);
    }

    /// Counts the same duration `n` times.
    pub fn add_many(&mut self, duration: Duration, n: u64) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.counts[BOUNDS_US.partition_point(|bound| *bound < us)] += n;
        self.sum_us = self.sum_us.saturating_add(us.saturating_mul(n));
    }

    /// How many were counted.
    pub fn n_counted(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All durations together.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us)
    }

    /// For each bound, how many were not longer; last, without a bound, how many there are.
    pub fn cumulated(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = BOUNDS_US.iter().map(|us| Some(Duration::from_micros(*us))).chain([None]);
        bounds.zip(self.counts).scan(0, |n, (bound, count)| {
            *n += count;
            Some((bound, *n))
        })
    }
}

impl AddAssign<&Histogram> for Histogram {
    fn add_assign(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_above_all_bounds_is_counted_too() {
        let mut some = Histogram::default();
        some.add(Duration::ZERO);
        some.add(Duration::from_micros(100));
        some.add(Duration::from_micros(101));
        some.add_many(Duration::from_secs(100_000), 2);
        let cumulated: Vec<u64> = some.cumulated().map(|(_, n)| n).collect();
        assert_eq!((cumulated[0], cumulated[1], cumulated[21], cumulated[22]), (2, 3, 3, 5));
        assert_eq!(some.cumulated().last(), Some((None, some.n_counted())));
        assert_eq!(some.sum(), Duration::from_secs(200_000) + Duration::from_micros(201));

        let mut twice = some;
        twice += &some;
        assert_eq!((twice.n_counted(), twice.sum()), (10, some.sum() * 2));
    }

    #[test]
    fn bounds_ascend() {
        assert!(BOUNDS_US.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
