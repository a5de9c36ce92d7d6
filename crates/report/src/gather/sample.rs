//! Which rows are looked at closer: one of each `every` rows in a row.

use ognivo_data::dataset::CHUNK_ROWS;
use serde::{Deserialize, Serialize};

/// The longest window: a chunk of rows, which a pass begins anew, must hold several of them.
const MAX_EVERY: usize = CHUNK_ROWS / 8;

/// Draws one row of each window of `every` rows, from a fixed seed; all rows when `every` is 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sampler {
    every: usize,
    n_seen: usize,
}

impl Sampler {
    /// A sampler that takes about `n_wanted` of `n_rows` rows, and all where there are no more than those.
    pub(super) fn new(n_rows: usize, n_wanted: usize) -> Sampler {
        Sampler { every: n_rows.div_ceil(n_wanted.max(1)).clamp(1, MAX_EVERY), n_seen: 0 }
    }

    /// Whether every row is taken.
    pub(super) fn takes_all(&self) -> bool {
        self.every == 1
    }

    /// The rows to take of the next `n_rows` rows, in ascending order.
    pub(super) fn next(&mut self, n_rows: usize) -> Vec<usize> {
        let (start, end) = (self.n_seen, self.n_seen + n_rows);
        self.n_seen = end;
        let windows = start / self.every..end.div_ceil(self.every);
        let drawn = windows.map(|window| window * self.every + jitter(window) % self.every);
        drawn.filter(|row| (start..end).contains(row)).map(|row| row - start).collect()
    }
}

/// A number that looks random, so that no rhythm in the rows meets ours.
fn jitter(window: usize) -> usize {
    (super::distinct::mixed(window as u64) >> 33) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_all_taken() {
        let mut sampler = Sampler::new(5, 5);
        assert!(sampler.takes_all());
        assert_eq!(sampler.next(5), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn each_window_gives_one_row_however_the_rows_are_cut() {
        let whole = Sampler::new(1000, 100).next(1000);
        let mut sampler = Sampler::new(1000, 100);
        let mut pieces = Vec::new();
        for start in (0..1000).step_by(7) {
            let n_rows = 7.min(1000 - start);
            pieces.extend(sampler.next(n_rows).into_iter().map(|row| row + start));
        }
        assert_eq!(whole, pieces);
        assert_eq!(whole.len(), 100);
        assert!(whole.iter().enumerate().all(|(window, row)| row / 10 == window));
        let last_digits: std::collections::HashSet<usize> = whole.iter().map(|row| row % 10).collect();
        assert!(last_digits.len() > 5, "the rows keep no rhythm: {last_digits:?}");
    }
}
