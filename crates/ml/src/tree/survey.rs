//! The first pass of a fit: how many rows there are, how heavy they are, which labels they have.

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, DatasetError};
use serde::{Deserialize, Serialize};

use crate::instances::InstanceBatch;

/// What is known of the rows before anything is learned from them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Survey {
    pub(super) n_rows: u64,
    pub(super) weight: f64,
    /// The largest label; `None` without rows.
    pub(super) max_label: Option<f64>,
    /// Size of the first vector; `None` without rows.
    pub(super) n_features: Option<usize>,
    /// The size of a vector that is not that of the first.
    pub(super) other_size: Option<usize>,
}

impl Survey {
    fn saw_size(&mut self, size: usize) {
        let first = *self.n_features.get_or_insert(size);
        if first != size {
            self.other_size.get_or_insert(size);
        }
    }
}

impl Aggregate for Survey {
    const NAME: &'static str = "count rows";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let batch = InstanceBatch::of(rows);
        self.n_rows += rows.num_rows() as u64;
        self.weight = match batch.weights {
            Some(weights) => weights.iter().fold(self.weight, |sum, weight| sum + weight),
            None => self.n_rows as f64,
        };
        self.max_label =
            batch.labels.iter().fold(self.max_label, |max, &label| Some(max.map_or(label, |max| max.max(label))));
        match batch.features.dense_block() {
            Some(block) => self.saw_size(block.n_features),
            None => batch.features.iter().flatten().for_each(|vector| self.saw_size(vector.size())),
        }
        Ok(())
    }

    fn merge(&mut self, later: Survey) {
        self.n_rows += later.n_rows;
        self.weight += later.weight;
        self.max_label = [self.max_label, later.max_label].into_iter().flatten().reduce(f64::max);
        if let Some(size) = later.n_features {
            self.saw_size(size);
        }
        self.other_size = self.other_size.or(later.other_size);
    }
}
