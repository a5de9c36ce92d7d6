//! Several binomial evaluations over the same dense block, as a grid over `regParam` asks for them.
//!
//! They scale features alike, so a tile is scaled once for all, and laid out once for margins (a feature of all rows side by side)
//! and once for gradients (the features of a row side by side). Each evaluation does the same operations in the same order as
//! alone, so its bits are the same.

use ognivo_data::vector::DenseBlock;

use super::loss::LossPass;
use crate::instances::InstanceBatch;
use crate::linear::tile::{
    AlreadyScaled, Arithmetic as _, Multiply, ONLY, OfRows, TILE_ROWS, Tile, TileRows, prefetch,
};
use crate::linear::widest::{Wide, run_widest};

/// Whether these evaluations can share scaled tiles: two or more, which multiply features by the same numbers.
pub(super) fn can_share(passes: &[LossPass]) -> bool {
    let [first, rest @ ..] = passes else { return false };
    let is_like_first = |pass: &LossPass| {
        !pass.setting.divides && !pass.setting.is_multinomial && pass.setting.scale == first.setting.scale
    };
    !rest.is_empty() && passes.iter().all(is_like_first)
}

/// Adds a block to evaluations that [`can_share`] its tiles.
pub(super) fn add_to_all(passes: &mut [LossPass], block: &DenseBlock<'_>, batch: &InstanceBatch<'_>) {
    run_widest(AddToAll { passes, block, batch });
}

struct AddToAll<'a, 'b> {
    passes: &'a mut [LossPass],
    block: &'a DenseBlock<'b>,
    batch: &'a InstanceBatch<'b>,
}

impl Wide for AddToAll<'_, '_> {
    #[inline(always)]
    fn run(self) {
        let AddToAll { passes, block, batch } = self;
        let n_features = block.n_features;
        let mut scaled = ScaledTile::new(n_features);
        let mut tiles = block.values.chunks(TILE_ROWS * n_features).enumerate().peekable();
        while let Some((at, values)) = tiles.next() {
            if let Some((_, next)) = tiles.peek() {
                prefetch(next);
            }
            scaled.fill(values, &passes[0].setting.scale);
            let rows = TileRows::of(batch.labels, batch.weights, at * TILE_ROWS, values.len() / n_features);
            for pass in &mut *passes {
                let margins = scaled.margins(&pass.coefficients);
                let multipliers = pass.add_binomial_rows(margins, &rows);
                let tile = Tile { values: scaled.rows(), n_features };
                tile.add_to_gradient::<AlreadyScaled>(&multipliers, &pass.setting.scale, &mut pass.sums.gradient, ONLY);
            }
        }
    }
}

/// The scaled features of up to [`TILE_ROWS`] rows.
struct ScaledTile {
    /// Row by row.
    by_row: Vec<f64>,
    /// Feature by feature; what stands behind the last row means nothing.
    by_feature: Vec<OfRows>,
    n_rows: usize,
}

impl ScaledTile {
    fn new(n_features: usize) -> ScaledTile {
        ScaledTile {
            by_row: vec![0.0; TILE_ROWS * n_features],
            by_feature: vec![[0.0; TILE_ROWS]; n_features],
            n_rows: 0,
        }
    }

    #[inline(always)]
    fn fill(&mut self, values: &[f64], scale: &[f64]) {
        let n_features = self.by_feature.len();
        self.n_rows = values.len() / n_features;
        let rows = values.chunks_exact(n_features).zip(self.by_row.chunks_exact_mut(n_features));
        for (at, (row, scaled_row)) in rows.enumerate().take(TILE_ROWS) {
            let features = row.iter().zip(scale).zip(scaled_row).zip(&mut self.by_feature);
            for (((&x, &scale), scaled), of_feature) in features {
                *scaled = Multiply::scaled(x, scale);
                of_feature[at] = *scaled;
            }
        }
    }

    #[inline(always)]
    fn margins(&self, coefficients: &[f64]) -> OfRows {
        let mut margins = [0.0; TILE_ROWS];
        for (of_feature, coefficient) in self.by_feature.iter().zip(coefficients) {
            for at in 0..TILE_ROWS {
                margins[at] += coefficient * of_feature[at];
            }
        }
        margins
    }

    fn rows(&self) -> &[f64] {
        &self.by_row[..self.n_rows * self.by_feature.len()]
    }
}
