//! Where continuous features can be split: thresholds between the values of a sample.
//!
//! Same as Spark (`RandomForest.findSplits`): at most `max(maxBins², 10000)` rows are expected in the sample; zeros are not
//! counted but inferred from what is missing, as if vectors were sparse; where there are more values than bins, a value ends a
//! bin when the running weight is nearest to the next multiple of a bin's share.

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::random::{Random, XorShiftRandom};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::binned::BLOCK_ROWS;
use super::survey::Survey;
use crate::instances::InstanceBatch;

/// The rows that a sample has at least, where there are as many.
const LEAST_SAMPLE: u64 = 10_000;
/// Spark's `Utils.EPSILON`: the distance from 1 to the next double.
const EPSILON: f64 = f64::EPSILON;

/// How thresholds are chosen.
pub(super) struct Sampling {
    /// `maxBins`, at most the number of rows.
    pub(super) max_bins: usize,
    pub(super) seed: i64,
    pub(super) version: SparkVersion,
}

impl Sampling {
    fn fraction(&self, n_rows: u64) -> f64 {
        let n_wanted = (self.max_bins as u64).saturating_mul(self.max_bins as u64).max(LEAST_SAMPLE);
        if n_wanted < n_rows { n_wanted as f64 / n_rows as f64 } else { 1.0 }
    }

    /// The thresholds of each of these slots.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub(super) fn thresholds(
        &self,
        instances: &Dataset,
        survey: &Survey,
        slots: Vec<usize>,
    ) -> Result<Vec<Vec<f64>>, DatasetError> {
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        let fraction = self.fraction(survey.n_rows);
        let sample = if fraction < 1.0 {
            let seed = i64::from(XorShiftRandom::new(self.seed, self.version).next_i32());
            instances.sample_rdd(fraction, seed, self.version).map_err(DatasetError::new)?
        } else {
            instances.clone()
        };
        let n_features = survey.n_features.unwrap_or_default();
        let n_slots = slots.len();
        let samples = sample.aggregate(Samples { n_features, slots, values: vec![Vec::new(); n_slots] })?;
        let expected = fraction * survey.weight;
        let counted = |values: Vec<(f64, f64)>| {
            let n_values = values.len();
            self.thresholds_of(&distinct(values), n_values, expected)
        };
        Ok(samples.values.into_iter().map(counted).collect())
    }

    /// The thresholds between `values`, which are ascending and not 0, with their weights; `n_values` were taken, and `expected`
    /// is what the whole sample weighs, zeros included.
    fn thresholds_of(&self, values: &[(f64, f64)], n_values: usize, expected: f64) -> Vec<f64> {
        if values.is_empty() {
            return Vec::new();
        }
        // 2.4 counts in whole rows.
        let is_2_4 = self.version == SparkVersion::V2_4;
        let expected = if is_2_4 { expected.trunc() } else { expected };
        let tolerance = if is_2_4 { 0.0 } else { EPSILON * n_values as f64 * 100.0 };
        let zeros = expected - values.iter().fold(0.0, |sum, (_, weight)| sum + weight);
        let mut values = values.to_vec();
        if zeros > tolerance {
            let at = values.partition_point(|&(value, _)| value < 0.0);
            values.insert(at, (0.0, zeros));
        }
        let max_splits = self.max_bins - 1;
        if values.len() - 1 <= max_splits {
            return values.windows(2).map(|pair| (pair[0].0 + pair[1].0) / 2.0).collect();
        }
        let stride = expected / (max_splits + 1) as f64;
        let (mut thresholds, mut target, mut weight) = (Vec::new(), stride, values[0].1);
        for pair in values.windows(2) {
            let before = weight;
            weight += pair[1].1;
            if (before - target).abs() < (weight - target).abs() {
                thresholds.push((pair[0].0 + pair[1].0) / 2.0);
                target += stride;
            }
        }
        thresholds
    }
}

/// Each value once, ascending, with the sum of its weights in the order in which they came.
fn distinct(mut values: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values.dedup_by(|later, kept| {
        let is_same = later.0.to_bits() == kept.0.to_bits();
        if is_same {
            kept.1 += later.1;
        }
        is_same
    });
    values
}

/// The values of some slots that are not 0, with the weights of their rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Samples {
    n_features: usize,
    slots: Vec<usize>,
    values: Vec<Vec<(f64, f64)>>,
}

impl Aggregate for Samples {
    const NAME: &'static str = "sample values to find splits";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let batch = InstanceBatch::of(rows);
        let mut weights = batch.weights.into_iter().flatten();
        let Samples { n_features, slots, values } = self;
        batch.for_each_dense_block(*n_features, BLOCK_ROWS, |block| {
            for row in block.chunks_exact(*n_features) {
                let weight = weights.next().copied().unwrap_or(1.0);
                for (&slot, values) in slots.iter().zip(values.iter_mut()).filter(|(slot, _)| row[**slot] != 0.0) {
                    values.push((row[slot], weight));
                }
            }
        });
        Ok(())
    }

    fn merge(&mut self, later: Samples) {
        self.values.iter_mut().zip(later.values).for_each(|(values, later)| values.extend(later));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(max_bins: usize, values: &[(f64, f64)], expected: f64, thresholds: &[f64]) {
        let sampling = Sampling { max_bins, seed: 0, version: SparkVersion::V4_3 };
        assert_eq!(sampling.thresholds_of(values, values.len(), expected), thresholds);
    }

    /// The numbers of Spark's `RandomForestSuite`: «find splits for a continuous feature».
    #[test]
    fn thresholds_lie_between_values_as_in_sparks_own_tests() {
        let each = |values: &[f64], weight: f64| values.iter().map(|&value| (value, weight)).collect::<Vec<_>>();
        check(6, &each(&[1.0, 2.0, 3.0], 3.0), 9.0, &[1.5, 2.5]);
        check(3, &[(1.0, 1.0), (2.0, 3.0), (3.0, 3.0), (4.0, 1.0), (5.0, 1.0)], 9.0, &[2.5, 3.5]);
        check(3, &[(-1.0, 2.0), (2.0, 1.0)], 5.0, &[-0.5, 1.0]);
        check(32, &[], 7.0, &[]);
        check(32, &[(4.0, 7.0)], 7.0, &[]);
    }

    #[test]
    fn weights_of_a_value_are_summed_up_once() {
        let values = vec![(2.0, 0.5), (-1.0, 1.0), (2.0, 0.25), (-1.0, 2.0)];
        assert_eq!(distinct(values), [(-1.0, 3.0), (2.0, 0.75)]);
    }
}
