//! How features vary, from a sample of rows.

use arrow_array::{ArrayRef, RecordBatch};
use ognivo_data::vector::{VectorColumn, VectorRef};
use serde::{Deserialize, Serialize};

use super::moments::Moments;

/// Longer vectors of features are not looked at.
const MAX_SLOTS: usize = 10_000;
/// Numbers of features that are taken apart by slot at a time.
const MAX_CELLS_AT_ONCE: usize = 1 << 20;

/// Moments of each slot of a vector column; none when there is no such column, or its vectors are long or of many sizes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Features {
    position: Option<usize>,
    slots: Vec<Moments>,
}

impl Features {
    /// Of the column at `position`.
    pub(super) fn new(position: Option<usize>) -> Features {
        Features { position, slots: Vec::new() }
    }

    /// Looks at the rows that were taken for the sample.
    pub(super) fn update(&mut self, rows: &RecordBatch, taken: &[usize]) {
        if let Some(position) = self.position {
            self.add(rows.column(position), taken);
        }
    }

    fn add(&mut self, column: &ArrayRef, taken: &[usize]) {
        let Ok(vectors) = VectorColumn::try_new(column) else { return };
        let taken: Vec<VectorRef<'_>> = taken.iter().filter_map(|&row| vectors.get(row)).collect();
        let Some(n_slots) = taken.first().map(VectorRef::size).filter(|n_slots| *n_slots <= MAX_SLOTS) else { return };
        if self.slots.is_empty() {
            self.slots = vec![Moments::default(); n_slots];
        }
        if self.slots.len() != n_slots || taken.iter().any(|vector| vector.size() != n_slots) {
            return;
        }
        let taken = &taken[..taken.len().min(MAX_CELLS_AT_ONCE / n_slots.max(1))];
        let mut by_slot = vec![vec![0.0; taken.len()]; n_slots];
        for (row, vector) in taken.iter().enumerate() {
            vector.for_each_stored(|slot, value| by_slot[slot][row] = value);
        }
        self.slots.iter_mut().zip(by_slot).for_each(|(moments, values)| {
            moments.add(&values);
        });
    }

    /// Takes in what another one has seen.
    pub(super) fn merge(&mut self, later: Features) {
        if self.slots.is_empty() {
            self.slots = later.slots;
            return;
        }
        self.slots.iter_mut().zip(&later.slots).for_each(|(ours, further)| ours.merge(further));
    }

    /// The standard deviation of each slot, NaN where there is none.
    pub(super) fn deviations(&self) -> Vec<f64> {
        self.slots.iter().map(|moments| moments.deviation().unwrap_or(f64::NAN)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_schema::Schema;
    use ognivo_data::vector::{Vector, VectorBuilder, vector_field};

    fn rows(vectors: &[Vector]) -> RecordBatch {
        let mut builder = VectorBuilder::new();
        vectors.iter().for_each(|vector| builder.push(vector.as_ref()));
        RecordBatch::try_new(Arc::new(Schema::new(vec![vector_field("features")])), vec![builder.finish()]).unwrap()
    }

    #[test]
    fn sparse_and_dense_rows_count_alike() {
        let dense = [[1.0, 0.0], [3.0, 0.0], [5.0, 2.0]].map(|row| Vector::Dense(row.to_vec()));
        let sparse = Vector::Sparse { size: 2, indices: vec![0], values: vec![3.0] };
        let mixed = [dense[0].clone(), sparse, dense[2].clone()];
        for vectors in [&dense, &mixed] {
            let mut features = Features::new(Some(0));
            features.update(&rows(&vectors[..1]), &[0]);
            let mut later = Features::new(Some(0));
            later.update(&rows(&vectors[1..]), &[0, 1]);
            features.merge(later);
            let found = features.deviations();
            assert!((found[0] - 2.0).abs() < 1e-12 && (found[1] - (4.0_f64 / 3.0).sqrt()).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn vectors_of_many_sizes_tell_nothing_and_fail_nothing() {
        let mut features = Features::new(Some(0));
        features.update(&rows(&[Vector::Dense(vec![1.0]), Vector::Dense(vec![1.0, 2.0])]), &[0, 1]);
        assert!(features.deviations().iter().all(|deviation| deviation.is_nan()));
        assert!(Features::new(None).deviations().is_empty());
    }
}
