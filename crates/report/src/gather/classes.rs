//! Predicted classes and scores against labels, counted.

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
        // Most rows are of few pairs.
        if let Some(cell) = self.cells.iter_mut().take(4).find(|cell| order(cell).is_eq()) {
            cell.2 += n;
            return;
        }
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
    /// The score in their middle.
    pub score: f64,
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
}

/// Scores of a binary classifier in narrow bins: of a 256th to a 512th part of the score, or, between one half and 1, of what it lacks
/// to 1. So bins are narrow at both ends of the probabilities, where scores of rare classes lie close together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ScoreBins {
    /// Below 0, by size; from 0 to one half; from there to 1, by what lacks to 1; above 1. Each empty until it is needed.
    regions: [Vec<(u64, u64)>; 4],
}

const BELOW_ZERO: usize = 0;
const LOWER_HALF: usize = 1;
const UPPER_HALF: usize = 2;
const ABOVE_ONE: usize = 3;

/// Bits of a double that are not looked at: sign, exponent, and 8 bits of its digits are.
const DROPPED_BITS: u32 = 44;
/// Smaller scores are as good as 0 (2⁻³⁰), larger ones as good as infinite (2³⁰).
const SMALLEST: f64 = 1.0 / (1u64 << 30) as f64;
const LARGEST: f64 = (1u64 << 30) as f64;

impl ScoreBins {
    /// Takes in a row; a score that is NaN has no place.
    pub(super) fn add(&mut self, score: f64, is_positive: bool) {
        let (region, size) = match score {
            score if score.is_nan() => return,
            score if score < 0.0 => (BELOW_ZERO, -score),
            score if score <= 0.5 => (LOWER_HALF, score),
            score if score <= 1.0 => (UPPER_HALF, 1.0 - score),
            score => (ABOVE_ONE, score),
        };
        let bins = &mut self.regions[region];
        if bins.is_empty() {
            bins.resize(n_bins(region), (0, 0));
        }
        let bin = &mut bins[bin_of(size)];
        bin.0 += u64::from(is_positive);
        bin.1 += u64::from(!is_positive);
    }

    pub(super) fn merge(&mut self, later: ScoreBins) {
        for (ours, theirs) in self.regions.iter_mut().zip(later.regions) {
            if ours.is_empty() {
                *ours = theirs;
                continue;
            }
            for (bin, further) in ours.iter_mut().zip(theirs) {
                bin.0 += further.0;
                bin.1 += further.1;
            }
        }
    }

    /// The bins that hold rows, the highest scores first.
    pub(super) fn descending(&self) -> Vec<ScoreBin> {
        let bins_of = |region: usize| {
            let score = move |bin: usize| match region {
                BELOW_ZERO => -middle_of(bin),
                UPPER_HALF => 1.0 - middle_of(bin),
                _ => middle_of(bin),
            };
            let bins = self.regions[region].iter().enumerate();
            let held = bins.filter(|(_, (n_positive, n_negative))| n_positive + n_negative > 0);
            held.map(move |(bin, &(n_positive, n_negative))| ScoreBin { score: score(bin), n_positive, n_negative })
        };
        // Where the size is that of what lacks, or of what is below 0, small sizes are high scores.
        let above = bins_of(ABOVE_ONE).rev().chain(bins_of(UPPER_HALF));
        above.chain(bins_of(LOWER_HALF).rev()).chain(bins_of(BELOW_ZERO)).collect()
    }
}

/// The bin of a size from 0 on.
fn bin_of(size: f64) -> usize {
    ((size.clamp(SMALLEST, LARGEST).to_bits() - SMALLEST.to_bits()) >> DROPPED_BITS) as usize
}

/// The middle of a bin.
fn middle_of(bin: usize) -> f64 {
    f64::from_bits(SMALLEST.to_bits() + ((bin as u64) << DROPPED_BITS) + (1 << (DROPPED_BITS - 1)))
}

/// So many bins hold every size of a region.
fn n_bins(region: usize) -> usize {
    let largest = if [LOWER_HALF, UPPER_HALF].contains(&region) { 0.5 } else { LARGEST };
    bin_of(largest) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_in_order_and_keep_every_row() {
        let mut bins = ScoreBins::default();
        let scores: Vec<f64> = (0..100_000).map(|i| f64::from(i) / 99_999.0).collect();
        scores.iter().enumerate().for_each(|(i, &score)| bins.add(score, i % 3 == 0));
        let odd = [-2.0, 1.5, 1e9, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-300, 1e300];
        odd.into_iter().for_each(|score| bins.add(score, true));
        let sorted = bins.descending();
        assert_eq!(sorted.iter().map(ScoreBin::n_rows).sum::<u64>(), 100_008);
        assert!(sorted.windows(2).all(|pair| pair[0].score > pair[1].score));
        assert!(sorted.len() > 1000 && sorted.len() < 100_000);
    }

    #[test]
    fn a_bin_is_narrow_wherever_it_lies() {
        for score in [1e-6_f64, 0.002, 0.3, 0.7, 1.0 - 1e-6, 12.5, -3.0] {
            let size = if (0.5..1.0).contains(&score) { 1.0 - score } else { score.abs() };
            let mut bins = ScoreBins::default();
            bins.add(score, true);
            let found = bins.descending()[0].score;
            assert!((found - score).abs() <= size / 256.0, "{score}: {found}");
            bins.add(score + size / 100.0, true);
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
