//! One evaluation of a loss and its gradient: one pass over the instances for both.
//!
//! A pass takes of each row the product of its features with the coefficients, asks a [`RowLoss`] what the row costs and what its
//! features are multiplied by in the gradient, and adds up both. Dense blocks go tile by tile, as logistic loss does (see its
//! module): the same operations in the same order as row by row, so that it makes no difference to the bits whether vectors are
//! stored dense or sparse, how many rows a batch has, and which instructions the processor has.

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, DatasetError};
use ognivo_data::vector::DenseBlock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::instances::InstanceBatch;
use crate::linear::choice::only_if;
use crate::linear::tile::{Arithmetic, Set, TILE_ROWS, Tile, TileRows, prefetch};
use crate::linear::widest::{Wide, run_widest};

/// What one row costs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct RowTerms {
    pub(super) loss: f64,
    /// What the row's features are multiplied by in the gradient.
    pub(super) multiplier: f64,
    /// The slope along the scale of the errors, for a loss that has one.
    pub(super) scale_slope: f64,
}

/// A loss as a function of one row's product of features and coefficients, at one point of a minimisation.
pub(super) trait RowLoss: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Names the pass.
    const NAME: &'static str;
    /// How features are scaled in products with coefficients.
    type Products: Arithmetic;
    /// How they are scaled in the gradient.
    type Gradient: Arithmetic;

    /// The terms of a row that has a weight. Without a branch, so that a loop over rows becomes vector instructions.
    fn of(&self, product: f64, label: f64, weight: f64) -> RowTerms;
}

/// Sums over the rows that a pass has seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) loss: f64,
    pub(super) weight: f64,
    pub(super) multiplier: f64,
    pub(super) scale_slope: f64,
    /// The gradient of the coefficients, not centred.
    pub(super) gradient: Vec<f64>,
}

/// A pass at one point.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LossPass<L> {
    loss: L,
    coefficients: Vec<f64>,
    /// By what features are scaled in products with coefficients, and in the gradient.
    product_scale: Vec<f64>,
    gradient_scale: Vec<f64>,
    pub(super) sums: Sums,
}

/// A dense block on its way into a pass.
struct AddTiles<'a, 'b, L> {
    pass: &'a mut LossPass<L>,
    block: &'a DenseBlock<'b>,
    batch: &'a InstanceBatch<'b>,
}

impl<L: RowLoss> Wide for AddTiles<'_, '_, L> {
    #[inline(always)]
    fn run(self) {
        self.pass.add_tiles(self.block, self.batch);
    }
}

impl<L: RowLoss> LossPass<L> {
    pub(super) fn new(
        loss: L,
        coefficients: Vec<f64>,
        product_scale: Vec<f64>,
        gradient_scale: Vec<f64>,
    ) -> LossPass<L> {
        let gradient = vec![0.0; coefficients.len()];
        let sums = Sums { loss: 0.0, weight: 0.0, multiplier: 0.0, scale_slope: 0.0, gradient };
        LossPass { loss, coefficients, product_scale, gradient_scale, sums }
    }

    fn add_block(&mut self, block: &DenseBlock<'_>, batch: &InstanceBatch<'_>) {
        run_widest(AddTiles { pass: self, block, batch });
    }

    #[inline(always)]
    fn add_tiles(&mut self, block: &DenseBlock<'_>, batch: &InstanceBatch<'_>) {
        let n_features = block.n_features;
        let mut tiles = block.values.chunks(TILE_ROWS * n_features).enumerate().peekable();
        while let Some((at, values)) = tiles.next() {
            if let Some((_, next)) = tiles.peek() {
                prefetch(next);
            }
            let rows = TileRows::of(batch.labels, batch.weights, at * TILE_ROWS, values.len() / n_features);
            self.add_tile(Tile { values, n_features }, &rows);
        }
    }

    #[inline(always)]
    fn add_tile(&mut self, tile: Tile<'_>, rows: &TileRows) {
        let LossPass { loss, coefficients, product_scale, gradient_scale, sums } = self;
        let mut products = [0.0; TILE_ROWS];
        tile.margins::<L::Products>(coefficients, product_scale, &mut products);
        let (mut losses, mut multipliers, mut slopes) = ([0.0; TILE_ROWS], [0.0; TILE_ROWS], [0.0; TILE_ROWS]);
        for at in 0..TILE_ROWS {
            let terms = weighted(loss, products[at], rows.labels[at], rows.weights[at]);
            losses[at] = terms.loss;
            multipliers[at] = terms.multiplier;
            slopes[at] = terms.scale_slope;
        }
        for at in 0..rows.n_rows {
            sums.loss += losses[at];
            sums.weight += rows.weights[at];
            sums.multiplier += multipliers[at];
            sums.scale_slope += slopes[at];
        }
        let only = Set { n_sets: 1, set: 0 };
        tile.add_to_gradient::<L::Gradient>(&multipliers, gradient_scale, &mut sums.gradient, only);
    }

    fn add_vectors(&mut self, batch: &InstanceBatch<'_>) {
        for (row_idx, vector) in batch.vectors().enumerate() {
            let mut product = 0.0;
            vector.for_each_stored(|slot, x| {
                product += L::Products::product(self.coefficients[slot], x, self.product_scale[slot]);
            });
            let weight = batch.weight(row_idx);
            let terms = weighted(&self.loss, product, batch.labels[row_idx], weight);
            self.sums.loss += terms.loss;
            self.sums.weight += weight;
            self.sums.multiplier += terms.multiplier;
            self.sums.scale_slope += terms.scale_slope;
            vector.for_each_stored(|slot, x| {
                self.sums.gradient[slot] += L::Gradient::product(terms.multiplier, x, self.gradient_scale[slot]);
            });
        }
    }
}

/// The terms of a row; one without weight has no effect, whatever it holds.
#[inline(always)]
fn weighted<L: RowLoss>(loss: &L, product: f64, label: f64, weight: f64) -> RowTerms {
    let terms = loss.of(product, label, weight);
    let has_weight = weight != 0.0;
    RowTerms {
        loss: only_if(has_weight, terms.loss),
        multiplier: only_if(has_weight, terms.multiplier),
        scale_slope: only_if(has_weight, terms.scale_slope),
    }
}

impl<L: RowLoss> Aggregate for LossPass<L> {
    const NAME: &'static str = L::NAME;

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let batch = InstanceBatch::of(rows);
        match batch.features.dense_block() {
            Some(block) => self.add_block(&block, &batch),
            None => self.add_vectors(&batch),
        }
        Ok(())
    }

    fn merge(&mut self, later: LossPass<L>) {
        let (sums, later) = (&mut self.sums, later.sums);
        sums.loss += later.loss;
        sums.weight += later.weight;
        sums.multiplier += later.multiplier;
        sums.scale_slope += later.scale_slope;
        sums.gradient.iter_mut().zip(later.gradient).for_each(|(sum, later)| *sum += later);
    }
}

impl Sums {
    /// The gradient of mean-centred features: what `Σ multiplier · (x − mean) · scale` is.
    pub(super) fn centred_gradient(&self, scaled_mean: &[f64]) -> Vec<f64> {
        let slopes = self.gradient.iter().zip(scaled_mean);
        slopes.map(|(slope, mean)| slope - self.multiplier * mean).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::linear::numbers::numbers;

    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array};
    use ognivo_data::vector::dense_column;

    const N_ROWS: usize = 101;
    const N_FEATURES: usize = 7;

    fn rows(weights: Option<Vec<f64>>) -> RecordBatch {
        let number = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
        let features = dense_column(numbers(N_ROWS * N_FEATURES, 4), N_ROWS, N_FEATURES);
        let mut columns = vec![("features", features), ("label", number(numbers(N_ROWS, 5)))];
        columns.extend(weights.map(|weights| ("weight", number(weights))));
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn bits<L>(pass: &LossPass<L>) -> Vec<u64> {
        let Sums { loss, weight, multiplier, scale_slope, gradient } = &pass.sums;
        let sums = [loss, weight, multiplier, scale_slope];
        sums.into_iter().chain(gradient).map(|value| value.to_bits()).collect()
    }

    /// Tiles with the processor's widest instructions, tiles with the narrowest, and rows one by one give the same bits.
    ///
    /// `of_constant` is how a constant feature is scaled: 0 where scales multiply, +∞ where they divide.
    #[track_caller]
    pub(in super::super) fn check_tiles<L: RowLoss>(loss: &L, of_constant: f64) {
        let mut weights: Vec<f64> = numbers(N_ROWS, 6).into_iter().map(f64::abs).collect();
        weights[40] = 0.0;
        let mut scale: Vec<f64> = numbers(N_FEATURES, 2).into_iter().map(f64::abs).collect();
        scale[3] = of_constant;
        for weights in [None, Some(weights)] {
            let rows = rows(weights);
            let batch = InstanceBatch::of(&rows);
            let block = batch.features.dense_block().expect("the vectors are one block");
            let coefficients = numbers(N_FEATURES, 3);
            let zero = LossPass::new(loss.clone(), coefficients, vec![0.5; N_FEATURES], scale.clone());
            let [mut wide, mut narrow, mut by_row] = [zero.clone(), zero.clone(), zero];
            wide.add_block(&block, &batch);
            narrow.add_tiles(&block, &batch);
            by_row.add_vectors(&batch);
            assert!(by_row.sums.weight > 0.0 && by_row.sums.loss > 0.0);
            assert_eq!(bits(&wide), bits(&by_row), "wide");
            assert_eq!(bits(&narrow), bits(&by_row), "narrow");
        }
    }
}
