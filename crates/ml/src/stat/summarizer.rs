//! Mean and variance of every slot of a vector column, weighted, in one pass.

use ognivo_data::vector::{DenseBlock, VectorRef};
use serde::{Deserialize, Serialize};

/// Weighted mean and variance of the slots of vectors.
///
/// Same as Spark (`SummarizerBuffer`, and `MultivariateOnlineSummarizer` in 2.4): only values other than 0 are visited, by
/// Welford's update; the zeros enter at the end. Rows of weight 0 do not count. Differs from Spark: partitions are summed in
/// chunks of fixed size and merged, so with more rows than a chunk the last bits can differ.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Summarizer {
    /// Mean of the values other than 0.
    mean: Vec<f64>,
    /// Weighted sum of squared distances from that mean.
    m2n: Vec<f64>,
    /// Weight of the values other than 0.
    weight: Vec<f64>,
    total_weight: f64,
    squared_weight: f64,
    n_rows: u64,
    /// Size of the vectors, once one was seen.
    n_features: Option<usize>,
}

/// A vector has another size than the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("a vector of size {found} among vectors of size {expected}")]
pub struct WrongSize {
    /// The size of the others.
    pub expected: usize,
    /// The size of this one.
    pub found: usize,
}

impl Summarizer {
    /// Nothing seen yet.
    pub fn new() -> Summarizer {
        Summarizer::default()
    }

    /// Takes in the rows of a block; without weights each counts 1.
    ///
    /// # Errors
    /// [`WrongSize`].
    pub fn add_block(&mut self, block: &DenseBlock<'_>, weights: Option<&[f64]>) -> Result<(), WrongSize> {
        for row_idx in 0..block.n_rows {
            // Not `chunks_exact`: rows without slots are rows all the same.
            let row = &block.values[row_idx * block.n_features..(row_idx + 1) * block.n_features];
            let weight = weights.map_or(1.0, |weights| weights[row_idx]);
            if !self.begin_row(row.len(), weight)? {
                continue;
            }
            let sums = self.mean.iter_mut().zip(&mut self.m2n).zip(&mut self.weight);
            for (&value, ((mean, m2n), sum)) in row.iter().zip(sums) {
                add_value(value, weight, mean, m2n, sum);
            }
        }
        Ok(())
    }

    /// Takes in one vector.
    ///
    /// # Errors
    /// [`WrongSize`].
    pub fn add(&mut self, vector: VectorRef<'_>, weight: f64) -> Result<(), WrongSize> {
        if self.begin_row(vector.size(), weight)? {
            vector.for_each_stored(|slot, value| {
                add_value(value, weight, &mut self.mean[slot], &mut self.m2n[slot], &mut self.weight[slot]);
            });
        }
        Ok(())
    }

    /// Checks the size, also of a row that has no weight, and says whether the row counts.
    fn begin_row(&mut self, size: usize, weight: f64) -> Result<bool, WrongSize> {
        match self.n_features {
            None => {
                self.n_features = Some(size);
                (self.mean, self.m2n, self.weight) = (vec![0.0; size], vec![0.0; size], vec![0.0; size]);
            }
            Some(expected) if expected != size => return Err(WrongSize { expected, found: size }),
            Some(_) => {}
        }
        if weight == 0.0 {
            return Ok(false);
        }
        self.total_weight += weight;
        self.squared_weight += weight * weight;
        self.n_rows += 1;
        Ok(true)
    }

    /// Takes in what another one has seen.
    ///
    /// # Errors
    /// [`WrongSize`] when both saw vectors of different sizes.
    pub fn merge(&mut self, later: Summarizer) -> Result<(), WrongSize> {
        match (self.n_features, later.n_features) {
            (_, None) => return Ok(()),
            (None, Some(_)) => {
                *self = later;
                return Ok(());
            }
            (Some(expected), Some(found)) if expected != found => return Err(WrongSize { expected, found }),
            (Some(_), Some(_)) if self.total_weight == 0.0 => {
                *self = later;
                return Ok(());
            }
            (Some(_), Some(_)) => {}
        }
        self.total_weight += later.total_weight;
        self.squared_weight += later.squared_weight;
        self.n_rows += later.n_rows;
        for slot in 0..self.mean.len() {
            let (ours, theirs) = (self.weight[slot], later.weight[slot]);
            let total = ours + theirs;
            if total != 0.0 {
                let distance = later.mean[slot] - self.mean[slot];
                self.mean[slot] += distance * theirs / total;
                self.m2n[slot] += later.m2n[slot] + distance * distance * ours * theirs / total;
            }
            self.weight[slot] = total;
        }
        Ok(())
    }

    /// What it would have seen of vectors of these slots only, in this order.
    pub(crate) fn of_slots(&self, slots: &[usize]) -> Summarizer {
        let chosen = |values: &[f64]| slots.iter().map(|&slot| values[slot]).collect();
        Summarizer {
            mean: chosen(&self.mean),
            m2n: chosen(&self.m2n),
            weight: chosen(&self.weight),
            n_features: self.n_features.map(|_| slots.len()),
            ..*self
        }
    }

    /// Size of the vectors; 0 when none was seen.
    pub fn n_features(&self) -> usize {
        self.n_features.unwrap_or(0)
    }

    /// Number of vectors with a weight.
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// Sum of the weights.
    pub fn total_weight(&self) -> f64 {
        self.total_weight
    }

    /// The mean of each slot.
    pub fn mean(&self) -> Vec<f64> {
        let slots = self.mean.iter().zip(&self.weight);
        slots.map(|(mean, weight)| mean * (weight / self.total_weight)).collect()
    }

    /// The unbiased variance of each slot; 0 where there is less than two rows' weight.
    pub fn variance(&self) -> Vec<f64> {
        let denominator = self.total_weight - self.squared_weight / self.total_weight;
        // A NaN anywhere stays: Spark's `max` passes it on.
        let variance = |slot: usize| {
            let (mean, weight) = (self.mean[slot], self.weight[slot]);
            let zeros = mean * mean * weight * (self.total_weight - weight) / self.total_weight;
            let variance = (self.m2n[slot] + zeros) / denominator;
            if variance < 0.0 { 0.0 } else { variance }
        };
        (0..self.mean.len()).map(|slot| if denominator > 0.0 { variance(slot) } else { 0.0 }).collect()
    }

    /// The unbiased standard deviation of each slot.
    pub fn std(&self) -> Vec<f64> {
        self.variance().into_iter().map(f64::sqrt).collect()
    }
}

/// Welford's update of one slot by a value, which has no effect when it is 0.
///
/// Without a branch: the processor then divides for several slots at a time.
#[inline(always)]
fn add_value(value: f64, weight: f64, mean: &mut f64, m2n: &mut f64, sum: &mut f64) {
    let distance = value - *mean;
    let later_sum = *sum + weight;
    let later_mean = *mean + weight * distance / later_sum;
    let later_m2n = *m2n + weight * (value - later_mean) * distance;
    let is_zero = value == 0.0;
    *mean = if is_zero { *mean } else { later_mean };
    *m2n = if is_zero { *m2n } else { later_m2n };
    *sum = if is_zero { *sum } else { later_sum };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[(&[f64], f64)]) -> Summarizer {
        let mut summarizer = Summarizer::new();
        for (row, weight) in rows {
            summarizer.add(VectorRef::Dense(row), *weight).unwrap();
        }
        summarizer
    }

    #[track_caller]
    fn assert_near(ours: &[f64], expect: &[f64]) {
        assert_eq!(ours.len(), expect.len());
        for (ours, expect) in ours.iter().zip(expect) {
            assert!((ours - expect).abs() <= 1e-14 * expect.abs(), "{ours} against {expect}");
        }
    }

    #[test]
    fn zeros_count_without_being_visited() {
        let summarizer = of(&[(&[0.0, 2.0], 1.0), (&[3.0, 2.0], 1.0), (&[0.0, 2.0], 1.0), (&[1.0, 2.0], 1.0)]);
        assert_near(&summarizer.mean(), &[1.0, 2.0]);
        assert_near(&summarizer.variance(), &[2.0, 0.0]);
    }

    #[test]
    fn weights_enter_the_unbiased_variance_by_their_squares() {
        // W = 4, ΣW² = 10, mean 2.5; Σw(x − mean)² = 1·2.25 + 3·0.25 = 3; 3 / (4 − 10/4) = 2
        let summarizer = of(&[(&[1.0], 1.0), (&[3.0], 3.0), (&[100.0], 0.0)]);
        assert_near(&summarizer.mean(), &[2.5]);
        assert_near(&summarizer.variance(), &[2.0]);
        assert_eq!((summarizer.n_rows(), summarizer.total_weight().to_bits()), (2, 4.0_f64.to_bits()));
    }

    #[test]
    fn dense_sparse_and_merged_give_the_same() {
        let whole = of(&[(&[0.0, 2.0, -1.0], 1.0), (&[3.0, 0.5, 0.0], 2.0), (&[0.0, 7.0, 4.0], 0.5)]);
        let mut parts = of(&[(&[0.0, 2.0, -1.0], 1.0)]);
        let mut later = Summarizer::new();
        later.add_block(&DenseBlock { values: &[3.0, 0.5, 0.0], n_rows: 1, n_features: 3 }, Some(&[2.0])).unwrap();
        later.add(VectorRef::Sparse { size: 3, indices: &[1, 2], values: &[7.0, 4.0] }, 0.5).unwrap();
        parts.merge(later).unwrap();
        assert_near(&parts.mean(), &whole.mean());
        assert_near(&parts.std(), &whole.std());
    }

    #[test]
    fn one_row_has_no_variance() {
        assert_near(&of(&[(&[5.0], 1.0)]).variance(), &[0.0]);
    }

    #[test]
    fn vectors_of_another_size_are_refused() {
        let mut summarizer = of(&[(&[5.0], 1.0)]);
        assert_eq!(summarizer.add(VectorRef::Dense(&[1.0, 2.0]), 1.0), Err(WrongSize { expected: 1, found: 2 }));
    }
}
