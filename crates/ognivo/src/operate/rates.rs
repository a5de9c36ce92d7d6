//! Rows a second over the last minute.

use std::collections::VecDeque;

/// Seconds that are kept.
pub(crate) const N_SECONDS: i64 = 60;

/// Rows that were read, by the second in which their batch was committed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rates {
    /// Seconds since 1970 in ascending order, each with its rows; those without rows are left out.
    seconds: VecDeque<(i64, u64)>,
}

impl Rates {
    /// Adds rows.
    pub(crate) fn add(&mut self, n_rows: u64, now_ms: i64) {
        let second = now_ms.div_euclid(1000);
        match self.seconds.back_mut() {
            // A clock that was set back adds to the newest second.
            Some((newest, n)) if *newest >= second => *n += n_rows,
            _ => self.seconds.push_back((second, n_rows)),
        }
        while self.seconds.front().is_some_and(|(oldest, _)| *oldest <= second - N_SECONDS) {
            self.seconds.pop_front();
        }
    }

    /// Rows a second over the last `n_seconds` whole seconds, or over those since `start_ms` when they are fewer.
    pub(crate) fn mean(&self, n_seconds: i64, start_ms: i64, now_ms: i64) -> f64 {
        let second = now_ms.div_euclid(1000);
        let first = (second - n_seconds).max(start_ms.div_euclid(1000));
        let n_rows: u64 = self.within(first, second).sum();
        n_rows as f64 / (second - first).max(1) as f64
    }

    /// Rows of each of the last [`N_SECONDS`] whole seconds, oldest first.
    pub(crate) fn by_second(&self, now_ms: i64) -> Vec<u64> {
        let second = now_ms.div_euclid(1000);
        (second - N_SECONDS..second).map(|at| self.within(at, at + 1).sum()).collect()
    }

    fn within(&self, first: i64, end: i64) -> impl Iterator<Item = u64> {
        self.seconds.iter().filter(move |(at, _)| (first..end).contains(at)).map(|(_, n)| *n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_over_whole_seconds_since_the_start() {
        let mut rates = Rates::default();
        rates.add(100, 10_200);
        rates.add(50, 10_900);
        rates.add(30, 12_000);
        assert_eq!(rates.mean(10, 10_100, 13_500).to_string(), "60");
        assert_eq!(rates.mean(2, 0, 13_500).to_string(), "15");
        // The second that is not over does not count.
        assert_eq!(rates.mean(10, 10_100, 12_500).to_string(), "75");
        assert_eq!(rates.mean(10, 10_100, 10_950).to_string(), "0");
        assert_eq!(rates.by_second(13_500)[57..], [150, 0, 30]);
    }

    #[test]
    fn a_minute_is_kept() {
        let mut rates = Rates::default();
        for second in 0..1_000 {
            rates.add(1, second * 1000);
        }
        assert_eq!(rates.seconds.len(), 60);
        assert_eq!(rates.mean(60, 0, 1_000_000).to_string(), "1");
        // Set back by an hour.
        rates.add(5, 1);
        assert_eq!(rates.seconds.len(), 60);
    }
}
