//! The first pass of a descent: mean and deviation of features and label.

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, DatasetError};
use ognivo_data::vector::VectorRef;
use serde::{Deserialize, Serialize};

use crate::instances::InstanceBatch;
use crate::stat::{Summarizer, WrongSize};

/// Statistics of the instances seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Moments {
    pub(super) features: Summarizer,
    /// Of vectors with one slot.
    pub(super) label: Summarizer,
    /// A vector had another size than the ones before it.
    pub(super) wrong_size: Option<WrongSize>,
}

impl Aggregate for Moments {
    const NAME: &'static str = "statistics of features and label";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let batch = InstanceBatch::of(rows);
        if let Err(wrong_size) = batch.summarize_features(&mut self.features) {
            self.wrong_size.get_or_insert(wrong_size);
        }
        for (row_idx, label) in batch.labels.iter().enumerate() {
            let label = VectorRef::Dense(std::slice::from_ref(label));
            self.label.add(label, batch.weight(row_idx)).expect("every label is one number");
        }
        Ok(())
    }

    fn merge(&mut self, later: Moments) {
        if let Err(wrong_size) = self.features.merge(later.features) {
            self.wrong_size.get_or_insert(wrong_size);
        }
        self.wrong_size = self.wrong_size.or(later.wrong_size);
        self.label.merge(later.label).expect("every label is one number");
    }
}
