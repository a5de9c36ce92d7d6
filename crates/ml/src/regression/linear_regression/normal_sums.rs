//! The one pass of a normal equation: weighted sums of features, label, and products of every two of them.

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, DatasetError};
use ognivo_data::vector::{DenseBlock, VectorRef};
use serde::{Deserialize, Serialize};

use super::gramian::{Gramian, Tile};
use crate::instances::InstanceBatch;
use crate::stat::WrongSize;

/// More features than this have no normal equation: the matrix of their products would be too large. Spark's limit.
pub(super) const MAX_FEATURES: usize = 4096;

/// Sums over the instances seen.
///
/// Each row is taken as its features, its label and a 1, so that sums of products of every two are all the sums that are needed.
///
/// Same as Spark (`WeightedLeastSquares.Aggregator`): the same products, added up row by row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct NormalSums {
    /// Size of the vectors, once one was seen.
    n_features: Option<usize>,
    /// Absent before the first row, and when there are too many features.
    gramian: Option<Gramian>,
    /// A vector had another size than the ones before it.
    pub(super) wrong_size: Option<WrongSize>,
}

impl NormalSums {
    /// Size of the vectors; 0 when none was seen.
    pub(super) fn n_features(&self) -> usize {
        self.n_features.unwrap_or(0)
    }

    /// Whether there are more features than sums are made for.
    pub(super) fn is_too_wide(&self) -> bool {
        self.n_features() > MAX_FEATURES
    }

    /// Sum of the weights.
    pub(super) fn weight(&self) -> f64 {
        self.sum(self.n_features() + 1, self.n_features() + 1)
    }

    /// `Σ w · y`.
    pub(super) fn label(&self) -> f64 {
        self.sum(self.n_features(), self.n_features() + 1)
    }

    /// `Σ w · y²`.
    pub(super) fn label_label(&self) -> f64 {
        self.sum(self.n_features(), self.n_features())
    }

    /// `Σ w · xⱼ`.
    pub(super) fn feature(&self, j: usize) -> f64 {
        self.sum(j, self.n_features() + 1)
    }

    /// `Σ w · xⱼ · y`.
    pub(super) fn feature_label(&self, j: usize) -> f64 {
        self.sum(j, self.n_features())
    }

    /// `Σ w · xᵢ · xⱼ` for i ≤ j.
    pub(super) fn feature_feature(&self, i: usize, j: usize) -> f64 {
        self.sum(i, j)
    }

    fn sum(&self, i: usize, j: usize) -> f64 {
        self.gramian.as_ref().map_or(0.0, |gramian| gramian.get(i, j))
    }

    /// Whether a vector of this size is one more of those before it.
    fn fits(&mut self, found: usize) -> bool {
        let expected = *self.n_features.get_or_insert(found);
        if expected != found {
            self.wrong_size.get_or_insert(WrongSize { expected, found });
            return false;
        }
        if self.gramian.is_none() && found <= MAX_FEATURES {
            self.gramian = Some(Gramian::new(found + 2));
        }
        self.gramian.is_some()
    }

    fn add_block(&mut self, block: &DenseBlock<'_>, batch: &InstanceBatch<'_>) {
        if block.n_rows == 0 || !self.fits(block.n_features) {
            return;
        }
        let Some(gramian) = &mut self.gramian else { return };
        let mut tile = Tile::new(block.n_features + 2, batch.weights.is_some());
        for row_idx in 0..block.n_rows {
            // Not `chunks_exact`: rows without slots are rows all the same.
            let row = &block.values[row_idx * block.n_features..(row_idx + 1) * block.n_features];
            tile.push(row, [batch.labels[row_idx], 1.0], batch.weight(row_idx));
            if tile.is_full() {
                gramian.add(&tile);
                tile.clear();
            }
        }
        gramian.add(&tile);
    }

    fn add_vectors(&mut self, batch: &InstanceBatch<'_>) {
        let mut numbers = Vec::new();
        for (row_idx, vector) in batch.vectors().enumerate() {
            if !self.fits(vector.size()) {
                continue;
            }
            let Some(gramian) = &mut self.gramian else { continue };
            numbers.clear();
            collect_stored(vector, &mut numbers);
            numbers.push((vector.size(), batch.labels[row_idx]));
            numbers.push((vector.size() + 1, 1.0));
            gramian.add_sparse(&numbers, batch.weight(row_idx));
        }
    }
}

fn collect_stored(vector: VectorRef<'_>, numbers: &mut Vec<(usize, f64)>) {
    vector.for_each_stored(|slot, value| {
        if value != 0.0 {
            numbers.push((slot, value));
        }
    });
}

impl Aggregate for NormalSums {
    const NAME: &'static str = "sums of the normal equation";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let batch = InstanceBatch::of(rows);
        match batch.features.dense_block() {
            Some(block) => self.add_block(&block, &batch),
            None => self.add_vectors(&batch),
        }
        Ok(())
    }

    fn merge(&mut self, later: NormalSums) {
        self.wrong_size = self.wrong_size.or(later.wrong_size);
        let Some(found) = later.n_features else { return };
        if self.fits(found)
            && let (Some(gramian), Some(later)) = (&mut self.gramian, &later.gramian)
        {
            gramian.merge(later);
        }
    }
}
