//! How long records were on their way: from the timestamp that they carry to the commit that made them visible.
//!
//! The commit's time is not known while rows are written, and a batch may have any number of them. So ages are counted in cells
//! that are narrow where ages are small (1 ms up to 64 ms, then 64 cells for each doubling), and moved on by what the batch took
//! when it is committed: memory is bounded, and no latency is off by more than 0.8 % or half a millisecond.

use std::time::Duration;

use serde::Serialize;

use crate::histogram::Histogram;

/// The ages of a batch's records at one moment, which is the same for all of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordAges {
    /// Of records that were older than nothing at that moment.
    past: Cells,
    /// Of records whose time came after that moment, while the batch was being read.
    future: Cells,
}

impl RecordAges {
    /// Counts records by their timestamps, in milliseconds since 1970.
    pub(crate) fn add(&mut self, times_ms: &[i64], moment_ms: i64) {
        for time_ms in times_ms {
            match u64::try_from(moment_ms.saturating_sub(*time_ms)) {
                Ok(age_ms) => self.past.add(age_ms),
                Err(_) => self.future.add(time_ms.saturating_sub(moment_ms).unsigned_abs()),
            }
        }
    }

    /// What the ages are so long after that moment; None when no record had a timestamp.
    ///
    /// A record whose time is still to come, of a clock that is ahead of ours, counts as 0.
    pub(crate) fn after(&self, passed_ms: u64) -> Option<Latency> {
        let future = self.future.counted().rev().map(|(ms, n)| (passed_ms.saturating_sub(ms), n));
        let past = self.past.counted().map(|(ms, n)| (passed_ms.saturating_add(ms), n));
        let ascending: Vec<(u64, u64)> = future.chain(past).collect();
        let n_records: u64 = ascending.iter().map(|(_, n)| n).sum();
        let (longest_ms, _) = ascending.last()?;
        let mut histogram = Histogram::default();
        for (ms, n) in &ascending {
            histogram.add_many(Duration::from_millis(*ms), *n);
        }
        let at = |share: f64| {
            let wanted = (share * n_records as f64).ceil().max(1.0) as u64;
            let mut n_before = 0;
            let cell = ascending.iter().find(|(_, n)| {
                n_before += n;
                n_before >= wanted
            });
            cell.map_or(*longest_ms, |(ms, _)| *ms)
        };
        let summary = LatencyMs { records: n_records, p50: at(0.5), p99: at(0.99), max: *longest_ms };
        Some(Latency { summary, histogram })
    }
}

/// How long the records of a batch took from their own time to the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency {
    /// In short.
    pub summary: LatencyMs,
    /// In full.
    pub histogram: Histogram,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LatencyMs {
    /// Records that carried a timestamp.
    pub records: u64,
    /// Half of them took no longer.
    pub p50: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// None took longer.
    pub max: u64,
}

/// Counts of numbers, in cells that widen with the numbers.
#[derive(Debug, Clone, Default)]
struct Cells(Vec<u64>);

/// Numbers up to `2 * N_PER_DOUBLING` have a cell each; from there on, every doubling has so many cells.
const N_PER_DOUBLING: u64 = 64;

impl Cells {
    fn add(&mut self, number: u64) {
        let idx = index_of(number);
        if self.0.len() <= idx {
            self.0.resize(idx + 1, 0);
        }
        self.0[idx] += 1;
    }

    /// The middle of each cell that holds something, and how much it holds, in ascending order.
    fn counted(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        self.0.iter().enumerate().filter(|(_, n)| **n > 0).map(|(idx, n)| (middle_of(idx), *n))
    }
}

fn index_of(number: u64) -> usize {
    let doublings = doublings_of(number);
    (doublings * N_PER_DOUBLING + (number >> doublings)) as usize
}

/// How often a number must be halved until cells of 1 hold it.
fn doublings_of(number: u64) -> u64 {
    u64::from((number / (2 * N_PER_DOUBLING)).checked_ilog2().map_or(0, |log| log + 1))
}

fn middle_of(idx: usize) -> u64 {
    let idx = idx as u64;
    let doublings = (idx / N_PER_DOUBLING).saturating_sub(1);
    let first = (idx - doublings * N_PER_DOUBLING) << doublings;
    first + (1 << doublings) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_near_the_middle_of_its_cell_and_cells_are_few() {
        let mut last = 0;
        for number in (0..5_000).chain((5_000..40_000_000).step_by(997)).chain([u64::MAX / 2]) {
            let idx = index_of(number);
            assert!(idx >= last, "{number}");
            last = idx;
            let off = middle_of(idx).abs_diff(number) as f64;
            assert!(off <= 0.5_f64.max(number as f64 * 0.008), "{number}: {}", middle_of(idx));
        }
        assert!(last < 4_000, "{last}");
    }

    #[test]
    fn latencies_end_at_the_commit() {
        let mut ages = RecordAges::default();
        // A hundred records of the last 100 ms, one that came 20 ms after the moment, one of a clock that is ahead.
        let times: Vec<i64> = (0..100).map(|i| 1_000 - i).collect();
        ages.add(&times, 1_000);
        ages.add(&[1_020, 9_000], 1_000);
        let latency = ages.after(30).unwrap();
        assert_eq!(latency.summary, LatencyMs { records: 102, p50: 78, p99: 128, max: 129 });
        assert_eq!(latency.histogram.n_counted(), 102);
        assert_eq!(latency.histogram.sum(), Duration::from_millis((30..130).sum::<u64>() + 10));
    }

    #[test]
    fn without_timestamps_there_is_no_latency() {
        let mut ages = RecordAges::default();
        ages.add(&[], 1_000);
        assert_eq!(ages.after(5), None);
    }
}
