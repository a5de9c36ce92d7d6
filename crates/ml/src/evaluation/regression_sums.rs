//! How far predicted numbers are from labels, and the metrics that follow.

use ognivo_data::vector::VectorRef;
use serde::{Deserialize, Serialize};

use crate::stat::Summarizer;

/// Sums over labels, errors and predictions: the state of a pass.
///
/// Same as Spark 3.0 and later (`RegressionMetrics`), with its order of operations, NaN and infinities. Two of its formulas are
/// not what a book has: with weights, the total sum of squares of `r2` is the *unbiased* variance times the weight less one,
/// which is not `Σ w (y − ȳ)²`, so that `r2` can exceed 1; and the explained variance is expanded, so that it loses digits
/// when labels are far from 0. Written in a better way they would no longer be Spark's.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RegressionSums {
    /// Mean and variance of label, error and prediction.
    moments: Summarizer,
    /// Weighted sums of the squares of label, error and prediction.
    squares: [f64; 3],
    /// Weighted sum of the sizes of errors.
    absolute_error: f64,
    /// Rows seen, those without a weight too.
    n_rows: u64,
}

const LABEL: usize = 0;
const ERROR: usize = 1;
const PREDICTION: usize = 2;

impl RegressionSums {
    /// Takes in one row; rows of weight 0 do not count.
    pub fn add(&mut self, label: f64, prediction: f64, weight: f64) {
        self.n_rows += 1;
        let row = [label, label - prediction, prediction];
        self.moments.add(VectorRef::Dense(&row), weight).expect("all rows are of one size");
        if weight == 0.0 {
            return;
        }
        for (sum, value) in self.squares.iter_mut().zip(row) {
            *sum += weight * value * value;
        }
        self.absolute_error += weight * row[ERROR].abs();
    }

    /// Takes in what another one has seen.
    pub fn merge(&mut self, later: RegressionSums) {
        self.n_rows += later.n_rows;
        self.moments.merge(later.moments).expect("all rows are of one size");
        for (sum, further) in self.squares.iter_mut().zip(later.squares) {
            *sum += further;
        }
        self.absolute_error += later.absolute_error;
    }

    /// Number of rows seen.
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// Sum of the weights.
    pub fn total_weight(&self) -> f64 {
        self.moments.total_weight()
    }

    /// The sum of squares by way of the norm, as Spark has it: the root rounds.
    fn sum_of_squares(&self, slot: usize) -> f64 {
        let norm = self.squares[slot].sqrt();
        norm * norm
    }

    /// Mean of the sizes of errors.
    pub fn mean_absolute_error(&self) -> f64 {
        self.absolute_error / self.total_weight()
    }

    /// Mean of the squares of errors.
    pub fn mean_squared_error(&self) -> f64 {
        self.sum_of_squares(ERROR) / self.total_weight()
    }

    /// Root of [`mean_squared_error`](RegressionSums::mean_squared_error).
    pub fn root_mean_squared_error(&self) -> f64 {
        self.mean_squared_error().sqrt()
    }

    /// The share of the labels' variation that the predictions explain; 1 is perfect.
    ///
    /// Variation is around the mean, or around 0 for a regression through the origin. Labels that do not vary give −∞, or NaN when
    /// there is no error either.
    pub fn r2(&self, is_through_origin: bool) -> f64 {
        let total = match is_through_origin {
            true => self.sum_of_squares(LABEL),
            false => self.moments.variance().get(LABEL).unwrap_or(&0.0) * (self.total_weight() - 1.0),
        };
        1.0 - self.sum_of_squares(ERROR) / total
    }

    /// Mean square of the distances of predictions from the mean label.
    pub fn explained_variance(&self) -> f64 {
        let (weight, means) = (self.total_weight(), self.moments.mean());
        let mean = |slot: usize| means.get(slot).copied().unwrap_or(f64::NAN);
        let label = mean(LABEL);
        let explained =
            self.sum_of_squares(PREDICTION) + label * label * weight - 2.0 * label * mean(PREDICTION) * weight;
        explained / weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[(f64, f64, f64)]) -> RegressionSums {
        let mut sums = RegressionSums::default();
        rows.iter().for_each(|&(label, prediction, weight)| sums.add(label, prediction, weight));
        sums
    }

    #[track_caller]
    fn assert_near(ours: f64, expect: f64) {
        assert!((ours - expect).abs() <= 1e-14 * expect.abs(), "{ours} against {expect}");
    }

    /// The example of Spark's RegressionMetricsSuite: label, prediction.
    const SPARK: [(f64, f64, f64); 4] = [(3.0, 2.5, 1.0), (-0.5, 0.0, 1.0), (2.0, 2.0, 1.0), (7.0, 8.0, 1.0)];

    #[test]
    fn metrics_are_those_of_the_known_example() {
        let sums = of(&SPARK);
        assert_near(sums.mean_absolute_error(), 0.5);
        assert_near(sums.mean_squared_error(), 0.375);
        assert_near(sums.root_mean_squared_error(), 0.375_f64.sqrt());
        // mean label 2.875: Σ(y − ȳ)² = 29.1875, Σy² = 62.25, Σe² = 1.5
        assert_near(sums.r2(false), 1.0 - 1.5 / 29.1875);
        assert_near(sums.r2(true), 1.0 - 1.5 / 62.25);
        // Σ(ŷ − ȳ)² = 35.4375
        assert_near(sums.explained_variance(), 35.4375 / 4.0);
    }

    #[test]
    fn rows_of_weight_0_do_not_count_and_merging_adds() {
        let mut merged = of(&[SPARK[0], (100.0, -100.0, 0.0)]);
        merged.merge(of(&SPARK[1..]));
        assert_eq!(merged.n_rows(), 5);
        assert_near(merged.total_weight(), 4.0);
        assert_near(merged.r2(false), of(&SPARK).r2(false));
        assert_near(merged.mean_absolute_error(), 0.5);
    }

    #[test]
    fn labels_that_do_not_vary_have_no_share_to_explain() {
        assert!(of(&[(2.0, 2.0, 1.0)]).r2(false).is_nan());
        assert!(of(&[(2.0, 3.0, 1.0)]).r2(false).to_bits() == f64::NEG_INFINITY.to_bits());
    }
}
