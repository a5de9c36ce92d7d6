//! Predicted classes and scores against labels, counted.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// More pairs of label and prediction than these are not told apart.
const MAX_CELLS: usize = 10_000;

/// How many rows of each label were predicted as what. Labels are in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassCounts {
    /// Label, prediction and rows, sorted.
    cells: Vec<(f64, f64, u64)>,
    /// Rows of further pairs.
    n_beyond: u64,
}

impl ClassCounts {
    pub(super) fn add(&mut self, label: f64, prediction: f64, n: u64) {
        let (label, prediction) = (label + 0.0, prediction + 0.0);
        let order = |cell: &(f64, f64, u64)| cell.0.total_cmp(&label).then(cell.1.total_cmp(&prediction));
        match self.cells.binary_search_by(order) {
            Ok(at) => self.cells[at].2 += n,
            Err(_) if self.cells.len() >= MAX_CELLS => self.n_beyond += n,
            Err(at) => self.cells.insert(at, (label, prediction, n)),
        }
    }

    pub(super) fn merge(&mut self, later: &ClassCounts) {
        later.cells.iter().for_each(|&(label, prediction, n)| self.add(label, prediction, n));
        self.n_beyond += later.n_beyond;
    }

    /// Every value that is a label or a prediction, in ascending order.
    pub fn classes(&self) -> Vec<f64> {
        let mut classes: Vec<f64> = self.cells.iter().flat_map(|cell| [cell.0, cell.1]).collect();
        classes.sort_by(f64::total_cmp);
        classes.dedup_by(|a, b| a.total_cmp(b).is_eq());
        classes
    }

    /// Rows of `label` that were predicted as `prediction`.
    pub fn n(&self, label: f64, prediction: f64) -> u64 {
        let order = |cell: &(f64, f64, u64)| cell.0.total_cmp(&label).then(cell.1.total_cmp(&prediction));
        self.cells.binary_search_by(order).map_or(0, |at| self.cells[at].2)
    }

    /// All rows.
    pub fn n_rows(&self) -> u64 {
        self.cells.iter().map(|cell| cell.2).sum::<u64>() + self.n_beyond
    }
}

/// Rows whose scores are nearly equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreBin {
    score_sum: f64,
    /// Rows of the positive class.
    pub n_positive: u64,
    /// The others.
    pub n_negative: u64,
}

impl ScoreBin {
    /// All rows.
    pub fn n_rows(&self) -> u64 {
        self.n_positive + self.n_negative
    }

    /// The mean of their scores.
    pub fn score(&self) -> f64 {
        self.score_sum / self.n_rows() as f64
    }
}

/// Scores of a binary classifier in narrow bins: of 32,768th parts of the score, or, above one half, of what it lacks to 1. So
/// curves look as those of the scores themselves, and areas agree to some five digits.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ScoreBins {
    bins: FxHashMap<u64, ScoreBin>,
}

impl ScoreBins {
    /// Takes in a row; a score that is no number has no place.
    pub(super) fn add(&mut self, score: f64, is_positive: bool) {
        if !score.is_finite() {
            return;
        }
        let bin = self.bins.entry(key(score)).or_default();
        bin.score_sum += score;
        bin.n_positive += u64::from(is_positive);
        bin.n_negative += u64::from(!is_positive);
    }

    pub(super) fn merge(&mut self, later: ScoreBins) {
        // In the order of the scores: a sum must not depend on how a map lies in memory.
        for (key, bin) in later.sorted() {
            let ours = self.bins.entry(key).or_default();
            ours.score_sum += bin.score_sum;
            ours.n_positive += bin.n_positive;
            ours.n_negative += bin.n_negative;
        }
    }

    fn sorted(&self) -> Vec<(u64, ScoreBin)> {
        let mut bins: Vec<(u64, ScoreBin)> = self.bins.iter().map(|(&key, &bin)| (key, bin)).collect();
        bins.sort_by(|a, b| b.1.score().total_cmp(&a.1.score()));
        bins
    }

    /// The bins, the highest scores first.
    pub(super) fn descending(&self) -> Vec<ScoreBin> {
        self.sorted().into_iter().map(|(_, bin)| bin).collect()
    }
}

/// A name of the bin.
fn key(score: f64) -> u64 {
    /// Bits of a double that are not looked at: 14 of its 52 digits are.
    const DROPPED_BITS: u32 = 38;
    const UPPER: u64 = 1 << 40;
    if score > 0.5 && score <= 1.0 {
        return ((1.0 - score).to_bits() >> DROPPED_BITS) | UPPER;
    }
    (score + 0.0).to_bits() >> DROPPED_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_in_order_and_keep_every_row() {
        let mut bins = ScoreBins::default();
        let scores: Vec<f64> = (0..100_000).map(|i| f64::from(i) / 99_999.0).collect();
        scores.iter().enumerate().for_each(|(i, &score)| bins.add(score, i % 3 == 0));
        [-2.0, 1.5, 1e9, -0.0, f64::NAN].into_iter().for_each(|score| bins.add(score, true));
        let sorted = bins.descending();
        assert_eq!(sorted.iter().map(ScoreBin::n_rows).sum::<u64>(), 100_004);
        assert!(sorted.windows(2).all(|pair| pair[0].score() > pair[1].score()));
        assert!(sorted.len() < 100_000);
        // Near both ends of the probabilities bins are narrow.
        for score in [1e-9_f64, 0.3, 1.0 - 1e-9] {
            let mut bins = ScoreBins::default();
            bins.add(score, true);
            bins.add(score + (1.0 - score).min(score) * 1e-3, true);
            assert_eq!(bins.descending().len(), 2, "{score}");
        }
    }

    #[test]
    fn merging_is_seeing_both() {
        let mut both = ScoreBins::default();
        let (mut a, mut b) = (both.clone(), both.clone());
        for i in 0..1000 {
            let score = f64::from(i % 97) / 97.0;
            both.add(score, i % 2 == 0);
            if i < 500 { a.add(score, i % 2 == 0) } else { b.add(score, i % 2 == 0) }
        }
        a.merge(b);
        let counts = |bins: &ScoreBins| -> Vec<(u64, u64)> {
            bins.descending().iter().map(|bin| (bin.n_positive, bin.n_negative)).collect()
        };
        assert_eq!(counts(&a), counts(&both));
    }

    #[test]
    fn pairs_are_counted_whatever_the_sign_of_zero() {
        let mut counts = ClassCounts::default();
        counts.add(-0.0, 1.0, 1);
        counts.add(0.0, 1.0, 2);
        counts.add(2.0, 2.0, 5);
        assert_eq!((counts.n(0.0, 1.0), counts.n(2.0, 2.0), counts.n(1.0, 1.0)), (3, 5, 0));
        assert_eq!(counts.classes(), [0.0, 1.0, 2.0]);
        assert_eq!(counts.n_rows(), 8);
    }
}
