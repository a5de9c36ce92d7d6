//! Features to margins.

use ognivo_data::matrix::{Matrix, Storage};
use ognivo_data::vector::{Vector, VectorColumn, VectorRef};
use serde::{Deserialize, Serialize};

/// A linear model that turns features into one margin per set of coefficients.
///
/// Same as Spark: products are added feature by feature, the intercept last; coefficients that are stored sparse are visited
/// where they are stored, so that a NaN feature without a coefficient has no effect. Spark's BLAS may contract products and
/// sums, so last bits can differ.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LinearModel {
    n_features: usize,
    sets: Vec<Coefficients>,
    /// A matrix stored by columns starts each sum with the intercept instead.
    starts_with_intercept: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Coefficients {
    intercept: f64,
    /// Slots of the stored coefficients, in Spark's files ascending; absent when every coefficient is stored.
    slots: Option<Vec<u32>>,
    values: Vec<f64>,
}

impl LinearModel {
    /// A sparse matrix is never made dense: its size is bounded by nothing but what it stores.
    pub(crate) fn new(matrix: &Matrix, intercepts: &[f64]) -> LinearModel {
        let empty = |&intercept: &f64| Coefficients { intercept, slots: None, values: Vec::new() };
        let mut sets: Vec<Coefficients> = intercepts.iter().map(empty).collect();
        match matrix.storage() {
            Storage::Dense(_) => {
                for (row, set) in sets.iter_mut().enumerate() {
                    set.values = (0..matrix.n_cols()).map(|slot| matrix.get(row, slot)).collect();
                }
            }
            Storage::Sparse { pointers, indices, values } => {
                let mut slots = vec![Vec::new(); sets.len()];
                for (major, ends) in pointers.windows(2).enumerate() {
                    for at in ends[0] as usize..ends[1] as usize {
                        let minor = indices[at] as usize;
                        let (row, slot) = if matrix.is_transposed() { (major, minor) } else { (minor, major) };
                        slots[row].push(slot as u32);
                        sets[row].values.push(values[at]);
                    }
                }
                sets.iter_mut().zip(slots).for_each(|(set, slots)| set.slots = Some(slots));
            }
        }
        let is_sparse = matches!(matrix.storage(), Storage::Sparse { .. });
        let starts_with_intercept = is_sparse && !matrix.is_transposed();
        LinearModel { n_features: matrix.n_cols(), sets, starts_with_intercept }
    }

    /// One set of coefficients.
    pub(crate) fn of_vector(coefficients: &Vector, intercept: f64) -> LinearModel {
        let (slots, values) = match coefficients {
            Vector::Dense(values) => (None, values.clone()),
            Vector::Sparse { indices, values, .. } => {
                (Some(indices.iter().map(|&slot| slot as u32).collect()), values.clone())
            }
        };
        let set = Coefficients { intercept, slots, values };
        LinearModel { n_features: coefficients.size(), sets: vec![set], starts_with_intercept: false }
    }

    pub(crate) fn n_sets(&self) -> usize {
        self.sets.len()
    }

    /// `n_rows × n_sets` margins, row by row. Every row must be there and have the model's size.
    pub(crate) fn margins(&self, vectors: &VectorColumn<'_>) -> Vec<f64> {
        let mut margins = Vec::with_capacity(vectors.len() * self.n_sets());
        match vectors.dense_block() {
            Some(block) if self.n_features > 0 => {
                for row in block.values.chunks_exact(self.n_features) {
                    margins.extend(self.sets.iter().map(|set| self.dense_margin(set, row)));
                }
            }
            _ => {
                for vector in vectors.iter().flatten() {
                    margins.extend(self.sets.iter().map(|set| self.margin(set, vector)));
                }
            }
        }
        margins
    }

    fn margin(&self, set: &Coefficients, vector: VectorRef<'_>) -> f64 {
        match vector {
            VectorRef::Dense(row) => self.dense_margin(set, row),
            VectorRef::Sparse { indices, values, .. } => {
                let stored = indices.iter().zip(values);
                self.sum(set.intercept, stored.map(|(&slot, x)| x * set.at(slot as u32)))
            }
        }
    }

    fn dense_margin(&self, set: &Coefficients, row: &[f64]) -> f64 {
        match &set.slots {
            None => self.sum(set.intercept, row.iter().zip(&set.values).map(|(x, coefficient)| x * coefficient)),
            Some(slots) => {
                let stored = slots.iter().zip(&set.values);
                self.sum(set.intercept, stored.map(|(&slot, coefficient)| row[slot as usize] * coefficient))
            }
        }
    }

    fn sum(&self, intercept: f64, products: impl Iterator<Item = f64>) -> f64 {
        if self.starts_with_intercept {
            return products.fold(intercept, |sum, product| sum + product);
        }
        products.fold(0.0, |sum, product| sum + product) + intercept
    }
}

impl Coefficients {
    fn at(&self, slot: u32) -> f64 {
        match &self.slots {
            None => self.values[slot as usize],
            Some(slots) => slots.binary_search(&slot).map_or(0.0, |at| self.values[at]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "these margins are exact")]

    use super::*;
    use ognivo_data::vector::{VectorBuilder, dense_column};

    #[test]
    fn sparse_coefficients_do_not_see_features_without_one() {
        let sparse = Matrix::from_row_major(1, 3, vec![0.0, 2.0, 0.0]).to_sparse(true);
        let model = LinearModel::new(&sparse, &[0.5]);
        let rows = dense_column(vec![f64::NAN, 3.0, f64::NAN], 1, 3);
        assert_eq!(model.margins(&VectorColumn::try_new(&rows).unwrap()), [6.5]);

        let mut rows = VectorBuilder::new();
        rows.push(Vector::Sparse { size: 3, indices: vec![0, 1], values: vec![9.0, 3.0] }.as_ref());
        let rows = rows.finish();
        assert_eq!(model.margins(&VectorColumn::try_new(&rows).unwrap()), [6.5]);
    }
}
