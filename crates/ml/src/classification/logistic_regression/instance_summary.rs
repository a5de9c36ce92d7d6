//! What the first pass of a fit tells: statistics of the features, and how much weight each label has.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, DatasetError};
use serde::{Deserialize, Serialize};

use crate::instances::InstanceBatch;
use crate::stat::{Summarizer, WrongSize};

/// Labels below this are counted in an array; most columns of labels have no others.
const N_SMALL_LABELS: usize = 16;

/// Mean and deviation of the features, and how much weight each label has: the first pass of a fit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct InstanceSummary {
    pub(super) features: Summarizer,
    label_weights: BTreeMap<u32, f64>,
    /// Rows whose label is no class (only 2.4 lets them come this far).
    pub(super) n_invalid_labels: u64,
    /// A vector had another size than the ones before it.
    pub(super) wrong_size: Option<WrongSize>,
}

impl InstanceSummary {
    /// What it would have seen of vectors of these slots only.
    pub(super) fn of_slots(&self, slots: &[usize]) -> InstanceSummary {
        let label_weights = self.label_weights.clone();
        InstanceSummary { features: self.features.of_slots(slots), label_weights, ..*self }
    }

    /// The weight of every label from 0 to the largest.
    pub(super) fn histogram(&self) -> Vec<f64> {
        let n_labels = self.label_weights.last_key_value().map_or(0, |(&label, _)| label as usize + 1);
        let mut histogram = vec![0.0; n_labels];
        self.label_weights.iter().for_each(|(&label, &weight)| histogram[label as usize] = weight);
        histogram
    }

    /// The largest label plus one.
    pub(super) fn n_labels(&self) -> u64 {
        self.label_weights.last_key_value().map_or(0, |(&label, _)| u64::from(label) + 1)
    }

    /// Adds the weights of a batch's labels, each to what was there, row by row; small labels without a look-up per row.
    fn add_labels(&mut self, batch: &InstanceBatch<'_>) {
        let mut weights = [0.0; N_SMALL_LABELS];
        for (&label, &weight) in self.label_weights.range(..N_SMALL_LABELS as u32) {
            weights[label as usize] = weight;
        }
        for (row_idx, &label) in batch.labels.iter().enumerate() {
            let weight = batch.weight(row_idx);
            // The cast takes what is negative, NaN or too large to an end of its range: then it is another number.
            let small = label as u8 as usize;
            if small < N_SMALL_LABELS && label - small as f64 == 0.0 {
                weights[small] += weight;
            } else {
                self.add_label(label, weight);
            }
        }
        let small = weights.iter().zip(0..).filter(|&(&weight, _)| weight != 0.0);
        self.label_weights.extend(small.map(|(&weight, label)| (label, weight)));
    }

    fn add_label(&mut self, label: f64, weight: f64) {
        if weight == 0.0 {
            return;
        }
        if label < 0.0 || label.fract() != 0.0 || label > f64::from(i32::MAX) {
            self.n_invalid_labels += 1;
            return;
        }
        *self.label_weights.entry(label as u32).or_insert(0.0) += weight;
    }
}

impl Aggregate for InstanceSummary {
    const NAME: &'static str = "statistics of features and labels";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let batch = InstanceBatch::of(rows);
        if let Err(wrong_size) = batch.summarize_features(&mut self.features) {
            self.wrong_size.get_or_insert(wrong_size);
        }
        self.add_labels(&batch);
        Ok(())
    }

    fn merge(&mut self, later: InstanceSummary) {
        if let Err(wrong_size) = self.features.merge(later.features) {
            self.wrong_size.get_or_insert(wrong_size);
        }
        self.wrong_size = self.wrong_size.or(later.wrong_size);
        self.n_invalid_labels += later.n_invalid_labels;
        for (label, weight) in later.label_weights {
            *self.label_weights.entry(label).or_insert(0.0) += weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array};
    use ognivo_data::vector::dense_column;

    #[test]
    fn small_and_large_labels_get_their_weights_and_what_is_no_class_is_counted() {
        let labels = vec![1.0, -0.0, 15.0, 16.0, 300.0, 1.0, 0.5, -1.0, f64::NAN, 1e300, 2.0];
        let weights = vec![0.5, 1.0, 2.0, 3.0, 4.0, 0.25, 1.0, 1.0, 1.0, 1.0, 0.0];
        let n_rows = labels.len();
        let number = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
        let columns = [
            ("features", dense_column(vec![1.0; n_rows], n_rows, 1)),
            ("label", number(labels)),
            ("weight", number(weights)),
        ];
        let mut summary = InstanceSummary::default();
        for _ in 0..2 {
            summary.update(&RecordBatch::try_from_iter(columns.clone()).unwrap()).unwrap();
        }
        let expected = BTreeMap::from([(0, 2.0), (1, 1.5), (15, 4.0), (16, 6.0), (300, 8.0)]);
        assert_eq!(summary.label_weights, expected);
        assert_eq!(summary.n_invalid_labels, 8);
    }
}
