//! The logistic loss and its gradient: one pass over the instances for both.
//!
//! Variables lie by features, then by classes, then come the intercepts: `β[j · n_sets + c]`, one set for a binomial model.
//! Features are scaled to unit deviation while they are read, and from 3.2 on centred without being touched: the margins get an
//! offset `b − β·(mean/std)`, the gradient a correction at the end.
//!
//! Same as Spark, one partition at a time: each row's margin is summed over its features in order and the intercept added last;
//! gradients are summed row by row. 2.4 divides products by the deviation (`LogisticAggregator`), later versions multiply
//! features by its reciprocal (`BinaryLogisticBlockAggregator`, `MultinomialLogisticBlockAggregator`).
//! Bits may differ from Spark's: its BLAS may contract products and sums and adds several rows to a gradient at once; it corrects
//! the centring once per block of 1 MB, we once per pass; we sum chunks of rows apart and merge them; our `exp` and `log1p` round
//! as they please within an ulp, and a binomial row needs one of each, of −|margin|, where Spark takes a second `exp`. The objective
//! agrees to about 1e-14.
//!
//! Dense blocks go tile by tile: margins of some rows side by side ([`Tile::margins`]), then the losses of those rows as a loop
//! over arrays, then the gradient. The same operations in the same order as row by row, so that it makes no difference to the bits
//! whether vectors are stored dense or sparse, how many rows a batch has, and which instructions the processor has.

use std::marker::PhantomData;

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::vector::{DenseBlock, VectorRef};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::shared_pass::{add_to_all, can_share};
use crate::classification::exponential::{exp, ln_1p};
use crate::classification::softmax::softmax;
use crate::instances::InstanceBatch;
use crate::linear::choice::only_if;
use crate::linear::penalty::L2;
use crate::linear::tile::{
    Arithmetic, DivideFeature, DivideProduct, Multiply, ONLY, OfRows, Set, TILE_ROWS, Tile, TileRows, prefetch,
};
use crate::linear::widest::{Wide, run_widest};
use crate::optim::DiffFunction;
use crate::slot_instances::SlotBatch;

/// What a model of this kind computes, for all passes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Setting {
    /// Whether features are divided by their deviation, as in 2.4.
    pub(super) divides: bool,
    pub(super) is_multinomial: bool,
    pub(super) n_sets: usize,
    pub(super) has_intercept: bool,
    pub(super) scale: Vec<f64>,
    /// Mean of the scaled features; empty when they are not centred.
    scaled_mean: Vec<f64>,
}

impl Setting {
    pub(super) fn new(
        version: SparkVersion,
        (is_multinomial, n_sets): (bool, usize),
        has_intercept: bool,
        (mean, std): (&[f64], &[f64]),
        is_centred: bool,
    ) -> Setting {
        let divides = version == SparkVersion::V2_4;
        let inverse = |std: f64| if std == 0.0 { 0.0 } else { 1.0 / std };
        let scale = |&std: &f64| match divides {
            true if std == 0.0 => f64::INFINITY,
            true => std,
            false => inverse(std),
        };
        let scaled_mean = |(&mean, &std): (&f64, &f64)| inverse(std) * mean;
        Setting {
            divides,
            is_multinomial,
            n_sets,
            has_intercept,
            scale: std.iter().map(scale).collect(),
            scaled_mean: if is_centred { mean.iter().zip(std).map(scaled_mean).collect() } else { Vec::new() },
        }
    }

    fn n_features(&self) -> usize {
        self.scale.len()
    }

    fn is_centred(&self) -> bool {
        !self.scaled_mean.is_empty()
    }

    /// `β · (mean/std)` for each set of coefficients: by how much centring moves the intercepts. Empty when not centred.
    pub(super) fn centring(&self, x: &[f64]) -> Vec<f64> {
        let mut moved = vec![0.0; if self.is_centred() { self.n_sets } else { 0 }];
        for (slot, mean) in self.scaled_mean.iter().enumerate() {
            for (class, moved) in moved.iter_mut().enumerate() {
                *moved += x[slot * self.n_sets + class] * mean;
            }
        }
        moved
    }

    /// What is added to each margin last.
    fn offsets(&self, x: &[f64]) -> Vec<f64> {
        let first = self.n_features() * self.n_sets;
        let mut offsets = if self.has_intercept { x[first..].to_vec() } else { vec![0.0; self.n_sets] };
        for (offset, moved) in offsets.iter_mut().zip(self.centring(x)) {
            *offset -= moved;
        }
        offsets
    }
}

/// Sums over the rows that a pass has seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) loss: f64,
    pub(super) weight: f64,
    /// Of what each row's features are multiplied by in the gradient, one per set.
    pub(super) multipliers: Vec<f64>,
    /// The gradient of the coefficients, not centred.
    pub(super) gradient: Vec<f64>,
}

/// One evaluation of loss and gradient.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LossPass {
    pub(super) setting: Setting,
    pub(super) coefficients: Vec<f64>,
    pub(super) offsets: Vec<f64>,
    pub(super) sums: Sums,
}

impl LossPass {
    pub(super) fn at(setting: &Setting, x: &[f64]) -> LossPass {
        let n_coefficients = setting.n_features() * setting.n_sets;
        let sums = Sums {
            loss: 0.0,
            weight: 0.0,
            multipliers: vec![0.0; setting.n_sets],
            gradient: vec![0.0; n_coefficients],
        };
        let coefficients = x[..n_coefficients].to_vec();
        LossPass { setting: setting.clone(), coefficients, offsets: setting.offsets(x), sums }
    }

    fn add_batch(&mut self, batch: &InstanceBatch<'_>) {
        match (self.setting.divides, self.setting.is_multinomial) {
            (true, true) => self.add::<DivideFeature>(batch),
            (true, false) => self.add::<DivideProduct>(batch),
            (false, _) => self.add::<Multiply>(batch),
        }
    }

    fn merge(&mut self, later: LossPass) {
        let (sums, later) = (&mut self.sums, later.sums);
        sums.loss += later.loss;
        sums.weight += later.weight;
        sums.multipliers.iter_mut().zip(later.multipliers).for_each(|(sum, later)| *sum += later);
        sums.gradient.iter_mut().zip(later.gradient).for_each(|(sum, later)| *sum += later);
    }

    fn add<A: Arithmetic>(&mut self, batch: &InstanceBatch<'_>) {
        match batch.features.dense_block() {
            Some(block) => self.add_block::<A>(&block, batch),
            None if self.setting.is_multinomial => self.add_multinomial_vectors::<A>(batch),
            None => self.add_binomial_vectors::<A>(batch),
        }
    }

    fn add_block<A: Arithmetic>(&mut self, block: &DenseBlock<'_>, batch: &InstanceBatch<'_>) {
        run_widest(AddTiles::<A> { pass: self, block, batch, arithmetic: PhantomData });
    }

    #[inline(always)]
    fn add_tiles<A: Arithmetic>(&mut self, block: &DenseBlock<'_>, batch: &InstanceBatch<'_>) {
        let n_features = block.n_features;
        let mut scratch = Scratch::new(&self.coefficients, self.setting.n_sets);
        let mut tiles = block.values.chunks(TILE_ROWS * n_features).enumerate().peekable();
        while let Some((at, values)) = tiles.next() {
            if let Some((_, next)) = tiles.peek() {
                prefetch(next);
            }
            let tile = Tile { values, n_features };
            let rows = TileRows::of(batch.labels, batch.weights, at * TILE_ROWS, values.len() / n_features);
            if self.setting.is_multinomial {
                self.add_multinomial_tile::<A>(tile, &rows, &mut scratch);
            } else {
                self.add_binomial_tile::<A>(tile, &rows);
            }
        }
    }

    #[inline(always)]
    fn add_binomial_tile<A: Arithmetic>(&mut self, tile: Tile<'_>, rows: &TileRows) {
        let mut margins = [0.0; TILE_ROWS];
        tile.margins::<A>(&self.coefficients, &self.setting.scale, &mut margins);
        let multipliers = self.add_binomial_rows(margins, rows);
        tile.add_to_gradient::<A>(&multipliers, &self.setting.scale, &mut self.sums.gradient, ONLY);
    }

    /// Adds all of a tile but the gradient, given margins without the offset; returns what each row's features are multiplied by.
    #[inline(always)]
    pub(super) fn add_binomial_rows(&mut self, mut margins: OfRows, rows: &TileRows) -> OfRows {
        let (mut odds, mut losses, mut multipliers) = ([0.0; TILE_ROWS], [0.0; TILE_ROWS], [0.0; TILE_ROWS]);
        // In two loops, the processor works on several exponentials at once before a logarithm waits for one.
        let offset = self.offsets[0];
        for at in 0..TILE_ROWS {
            margins[at] += offset;
            odds[at] = odds_against(margins[at]);
        }
        for at in 0..TILE_ROWS {
            let (loss, multiplier) = loss_of_odds(margins[at], odds[at], rows.labels[at], rows.weights[at]);
            losses[at] = loss;
            multipliers[at] = multiplier;
        }
        let sums = &mut self.sums;
        for at in 0..rows.n_rows {
            sums.loss += losses[at];
            sums.weight += rows.weights[at];
            sums.multipliers[0] += multipliers[at];
        }
        multipliers
    }

    fn add_binomial_vectors<A: Arithmetic>(&mut self, batch: &InstanceBatch<'_>) {
        for (row_idx, vector) in batch.vectors().enumerate() {
            let mut margin = 0.0;
            vector.for_each_stored(|slot, x| {
                margin += A::product(self.coefficients[slot], x, self.setting.scale[slot]);
            });
            let (label, weight) = (batch.labels[row_idx], batch.weight(row_idx));
            let margin = margin + self.offsets[0];
            let (loss, multiplier) = loss_of_odds(margin, odds_against(margin), label, weight);
            self.sums.loss += loss;
            self.sums.weight += weight;
            self.sums.multipliers[0] += multiplier;
            vector.for_each_stored(|slot, x| {
                self.sums.gradient[slot] += A::product(multiplier, x, self.setting.scale[slot]);
            });
        }
    }

    #[inline(always)]
    fn add_multinomial_tile<A: Arithmetic>(&mut self, tile: Tile<'_>, rows: &TileRows, scratch: &mut Scratch) {
        let n_sets = self.setting.n_sets;
        if scratch.of_rows.len() < n_sets || rows.has_weightless() {
            return self.add_multinomial_rows::<A>(tile, rows, &mut scratch.of_sets);
        }
        let margins = scratch.of_rows.as_mut_slice();
        let by_set = scratch.coefficients.chunks_exact(tile.n_features);
        for ((margins, coefficients), &offset) in margins.iter_mut().zip(by_set).zip(&self.offsets) {
            tile.margins::<A>(coefficients, &self.setting.scale, margins);
            margins.iter_mut().for_each(|margin| *margin += offset);
        }
        if margins.iter().flat_map(|margins| &margins[..rows.n_rows]).any(|margin| margin.is_infinite()) {
            return self.add_multinomial_rows::<A>(tile, rows, &mut scratch.of_sets);
        }
        let losses = if self.setting.divides { log_losses_2_4(margins, rows) } else { log_losses(margins, rows) };
        let sums = &mut self.sums;
        for (loss, weight) in losses.iter().zip(&rows.weights).take(rows.n_rows) {
            sums.loss += weight * loss;
            sums.weight += weight;
        }
        for (set, multipliers) in margins.iter_mut().enumerate() {
            for (multiplier, (&label, weight)) in multipliers.iter_mut().zip(rows.labels.iter().zip(&rows.weights)) {
                let is_label = if label as usize == set { 1.0 } else { 0.0 };
                *multiplier = weight * (*multiplier - is_label);
            }
            multipliers[..rows.n_rows].iter().for_each(|multiplier| sums.multipliers[set] += multiplier);
            tile.add_to_gradient::<A>(multipliers, &self.setting.scale, &mut sums.gradient, Set { n_sets, set });
        }
    }

    fn add_multinomial_rows<A: Arithmetic>(&mut self, tile: Tile<'_>, rows: &TileRows, margins: &mut [f64]) {
        for (at, row) in tile.values.chunks_exact(tile.n_features).enumerate() {
            self.add_multinomial::<A>(VectorRef::Dense(row), rows.labels[at], rows.weights[at], margins);
        }
    }

    fn add_multinomial_vectors<A: Arithmetic>(&mut self, batch: &InstanceBatch<'_>) {
        let mut margins = vec![0.0; self.setting.n_sets];
        for (row_idx, vector) in batch.vectors().enumerate() {
            self.add_multinomial::<A>(vector, batch.labels[row_idx], batch.weight(row_idx), &mut margins);
        }
    }

    fn add_multinomial<A: Arithmetic>(
        &mut self,
        features: VectorRef<'_>,
        label: f64,
        weight: f64,
        margins: &mut [f64],
    ) {
        if weight == 0.0 {
            return;
        }
        let n_sets = margins.len();
        margins.fill(0.0);
        features.for_each_stored(|slot, x| {
            let x = A::scaled(x, self.setting.scale[slot]);
            let coefficients = &self.coefficients[slot * n_sets..(slot + 1) * n_sets];
            margins.iter_mut().zip(coefficients).for_each(|(margin, coefficient)| *margin += coefficient * x);
        });
        margins.iter_mut().zip(&self.offsets).for_each(|(margin, offset)| *margin += offset);

        let label = label as usize;
        let loss = if self.setting.divides { log_loss_2_4(margins, label) } else { log_loss(margins, label) };
        self.sums.loss += weight * loss;
        self.sums.weight += weight;

        for (class, multiplier) in margins.iter_mut().enumerate() {
            *multiplier = weight * (*multiplier - if class == label { 1.0 } else { 0.0 });
            self.sums.multipliers[class] += *multiplier;
        }
        features.for_each_stored(|slot, x| {
            let x = A::scaled(x, self.setting.scale[slot]);
            let sums = &mut self.sums.gradient[slot * n_sets..(slot + 1) * n_sets];
            sums.iter_mut().zip(&*margins).for_each(|(sum, multiplier)| *sum += multiplier * x);
        });
    }

    /// The mean loss; the mean gradient goes to `gradient`.
    fn finish(self, gradient: &mut [f64]) -> f64 {
        let LossPass { setting, sums, .. } = self;
        let n_coefficients = sums.gradient.len();
        gradient[..n_coefficients].copy_from_slice(&sums.gradient);
        for (slot, mean) in setting.scaled_mean.iter().enumerate() {
            for (class, multipliers) in sums.multipliers.iter().enumerate() {
                gradient[slot * setting.n_sets + class] -= multipliers * mean;
            }
        }
        if setting.has_intercept {
            gradient[n_coefficients..].copy_from_slice(&sums.multipliers);
        }
        let factor = 1.0 / sums.weight;
        gradient.iter_mut().for_each(|value| *value *= factor);
        sums.loss / sums.weight
    }
}

/// A dense block on its way into a pass.
struct AddTiles<'a, 'b, A> {
    pass: &'a mut LossPass,
    block: &'a DenseBlock<'b>,
    batch: &'a InstanceBatch<'b>,
    arithmetic: PhantomData<A>,
}

impl<A: Arithmetic> Wide for AddTiles<'_, '_, A> {
    #[inline(always)]
    fn run(self) {
        self.pass.add_tiles::<A>(self.block, self.batch);
    }
}

/// A model of more sets than this is worked on row by row: side by side they would not stay in the processor's cache.
const MAX_SETS_OF_TILES: usize = 64;

/// What a multinomial pass makes once for a batch.
struct Scratch {
    /// The coefficients set by set.
    coefficients: Vec<f64>,
    /// Room for margins of the rows of a tile, for each set; none when there are too many sets.
    of_rows: Vec<OfRows>,
    /// Room for those of one row.
    of_sets: Vec<f64>,
}

impl Scratch {
    fn new(coefficients: &[f64], n_sets: usize) -> Scratch {
        if !(2..=MAX_SETS_OF_TILES).contains(&n_sets) {
            return Scratch { coefficients: Vec::new(), of_rows: Vec::new(), of_sets: vec![0.0; n_sets] };
        }
        let of_set = |set: usize| coefficients.iter().skip(set).step_by(n_sets).copied();
        Scratch {
            coefficients: (0..n_sets).flat_map(of_set).collect(),
            of_rows: vec![[0.0; TILE_ROWS]; n_sets],
            of_sets: vec![0.0; n_sets],
        }
    }
}

/// The odds of the side that a margin speaks against; at most 1, so that nothing overflows.
#[inline(always)]
pub(super) fn odds_against(margin: f64) -> f64 {
    exp(-margin.abs())
}

/// A row's loss, and what its features are multiplied by in the gradient. A row without weight has no effect, whatever it holds.
#[inline(always)]
pub(super) fn loss_of_odds(margin: f64, odds: f64, label: f64, weight: f64) -> (f64, f64) {
    let is_negative = margin < 0.0;
    let log_1p_exp = ln_1p(odds) + only_if(is_negative, -margin);
    let loss = log_1p_exp + only_if(label <= 0.0, margin);
    let probability = (only_if(is_negative, odds) + only_if(!is_negative, 1.0)) / (1.0 + odds);
    let has_weight = weight != 0.0;
    (only_if(has_weight, weight * loss), only_if(has_weight, weight * (probability - label)))
}

/// Margins to probabilities, and the loss of a row of class `label`.
fn log_loss(margins: &mut [f64], label: usize) -> f64 {
    softmax(margins);
    -margins[label].ln()
}

/// The same for the rows of a tile; no margin is infinite.
#[inline(always)]
fn log_losses(margins: &mut [OfRows], rows: &TileRows) -> OfRows {
    let sums = exponentials(margins, &largest_of_sets(margins, f64::MIN));
    divide(margins, &sums);
    let mut losses = [0.0; TILE_ROWS];
    for at in 0..rows.n_rows {
        losses[at] = -margins[rows.labels[at] as usize][at].ln();
    }
    losses
}

/// The same as [`log_loss`] in the order of Spark 2.4, which subtracts the largest margin only above 0.
fn log_loss_2_4(margins: &mut [f64], label: usize) -> f64 {
    let margin_of_label = margins[label];
    let largest = margins.iter().copied().fold(f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
    let shift = if largest > 0.0 { largest } else { 0.0 };
    let mut sum = 0.0;
    for margin in margins.iter_mut() {
        *margin = exp(*margin - shift);
        sum += *margin;
    }
    margins.iter_mut().for_each(|value| *value /= sum);
    sum.ln() - margin_of_label + shift
}

/// The same for the rows of a tile; no margin is infinite.
#[inline(always)]
fn log_losses_2_4(margins: &mut [OfRows], rows: &TileRows) -> OfRows {
    let shifts = largest_of_sets(margins, f64::NEG_INFINITY).map(|largest| if largest > 0.0 { largest } else { 0.0 });
    let mut losses = [0.0; TILE_ROWS];
    for at in 0..rows.n_rows {
        losses[at] = margins[rows.labels[at] as usize][at];
    }
    let sums = exponentials(margins, &shifts);
    divide(margins, &sums);
    for at in 0..rows.n_rows {
        losses[at] = sums[at].ln() - losses[at] + shifts[at];
    }
    losses
}

#[inline(always)]
fn largest_of_sets(margins: &[OfRows], least: f64) -> OfRows {
    let mut largest = [least; TILE_ROWS];
    for margins in margins {
        for at in 0..TILE_ROWS {
            largest[at] = if margins[at] > largest[at] { margins[at] } else { largest[at] };
        }
    }
    largest
}

/// Each margin less its row's shift becomes its exponential; returns their sums over the sets.
#[inline(always)]
fn exponentials(margins: &mut [OfRows], shifts: &OfRows) -> OfRows {
    let mut sums = [0.0; TILE_ROWS];
    for margins in margins {
        for at in 0..TILE_ROWS {
            margins[at] = exp(margins[at] - shifts[at]);
            sums[at] += margins[at];
        }
    }
    sums
}

#[inline(always)]
fn divide(values: &mut [OfRows], sums: &OfRows) {
    for values in values {
        for at in 0..TILE_ROWS {
            values[at] /= sums[at];
        }
    }
}

/// Several evaluations over the same rows.
///
/// Rows go through all of them piece by piece, so that a piece is fetched from memory once. An evaluation sees its rows in the same
/// order as alone, so its bits are the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LossPasses {
    passes: Vec<LossPass>,
}

/// So much of the features stays in a core's own cache while the evaluations take turns.
const PIECE_BYTES: usize = 64 << 10;

impl LossPasses {
    /// How many rows of a batch go through all evaluations before the next ones do: whole tiles.
    fn piece_rows(&self, n_rows: usize) -> usize {
        let [pass, _, ..] = self.passes.as_slice() else { return n_rows.max(1) };
        let row_bytes = size_of::<f64>() * pass.setting.n_features().max(1);
        (PIECE_BYTES / row_bytes / TILE_ROWS).max(1) * TILE_ROWS
    }
}

impl Aggregate for LossPasses {
    const NAME: &'static str = "logistic loss and gradient";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        if let Some(batch) = SlotBatch::of(rows) {
            self.passes.iter_mut().for_each(|pass| pass.add_slots(&batch));
            return Ok(());
        }
        if can_share(&self.passes) {
            let batch = InstanceBatch::of(rows);
            if let Some(block) = batch.features.dense_block() {
                add_to_all(&mut self.passes, &block, &batch);
                return Ok(());
            }
        }
        let n_rows = rows.num_rows();
        let piece_rows = self.piece_rows(n_rows);
        for start in (0..n_rows).step_by(piece_rows) {
            let piece = rows.slice(start, piece_rows.min(n_rows - start));
            let batch = InstanceBatch::of(&piece);
            self.passes.iter_mut().for_each(|pass| pass.add_batch(&batch));
        }
        Ok(())
    }

    fn merge(&mut self, later: LossPasses) {
        self.passes.iter_mut().zip(later.passes).for_each(|(pass, later)| pass.merge(later));
    }
}

/// What a fit minimises: mean loss and L2 penalty as a function of the variables. An evaluation is one pass over the instances.
///
/// The variables belong to scaled features: those of all sets for the first feature, then for the second, and so on, and the
/// intercepts last. A coefficient times its feature's deviation is its variable; where features are centred (from 3.2 on, when
/// intercepts are fitted and not bounded) an intercept's variable has `Σ coefficient · mean` added.
///
/// Rows and checks are those of [`LogisticRegression::fit`](super::LogisticRegression::fit), the penalty on absolute values and the
/// bounds are not part of it: minimisers see to those.
#[derive(Debug)]
pub struct Objective {
    pub(super) instances: Dataset,
    pub(super) setting: Setting,
    pub(super) l2: Option<L2>,
    pub(super) start: Vec<f64>,
}

impl Objective {
    /// The variables that the minimiser starts from.
    pub fn start(&self) -> &[f64] {
        &self.start
    }

    /// The value at `x` once `pass` has seen all rows; the gradient goes to `gradient`.
    fn finish(&self, pass: LossPass, x: &[f64], gradient: &mut [f64]) -> f64 {
        let n_coefficients = pass.coefficients.len();
        let loss = pass.finish(gradient);
        let add = |l2: &L2| l2.add(&x[..n_coefficients], self.setting.n_sets, &mut gradient[..n_coefficients]);
        loss + self.l2.as_ref().map_or(0.0, add)
    }
}

/// Value and gradient of each function at its point, in one pass over the instances, which are the same for all.
pub(super) fn evaluate_together(
    instances: &Dataset,
    points: &[(&Objective, &[f64])],
) -> Result<Vec<(f64, Vec<f64>)>, DatasetError> {
    let passes = points.iter().map(|(objective, x)| LossPass::at(&objective.setting, x)).collect();
    let done = instances.aggregate(LossPasses { passes })?.passes;
    let finish = |(pass, (objective, x)): (LossPass, &(&Objective, &[f64]))| {
        let mut gradient = vec![0.0; x.len()];
        let value = objective.finish(pass, x, &mut gradient);
        (value, gradient)
    };
    Ok(done.into_iter().zip(points).map(finish).collect())
}

impl DiffFunction for Objective {
    type Error = DatasetError;

    /// # Panics
    /// When `x` and `gradient` have not as many variables as [`start`](Objective::start).
    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DatasetError> {
        let n_variables = self.start.len();
        assert_eq!((x.len(), gradient.len()), (n_variables, n_variables), "one number for each variable");
        let mut told = evaluate_together(&self.instances, &[(self, x)])?;
        let (value, slopes) = told.pop().expect("one point has one value");
        gradient.copy_from_slice(&slopes);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "these losses are exact")]

    use super::*;
    use crate::linear::numbers::numbers;

    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array};
    use ognivo_data::vector::dense_column;

    const N_ROWS: usize = 101;
    const N_FEATURES: usize = 7;

    fn rows(n_classes: usize, features: Vec<f64>, weights: Option<Vec<f64>>) -> RecordBatch {
        let labels: Float64Array = (0..N_ROWS).map(|row_idx| (row_idx * row_idx % n_classes) as f64).collect();
        let features = dense_column(features, N_ROWS, N_FEATURES);
        let mut columns = vec![("features", features), ("label", Arc::new(labels) as ArrayRef)];
        columns.extend(weights.map(|weights| ("weight", Arc::new(Float64Array::from(weights)) as ArrayRef)));
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn pass(version: SparkVersion, is_multinomial: bool, n_sets: usize) -> LossPass {
        let (mean, mut std) = (numbers(N_FEATURES, 1), numbers(N_FEATURES, 2));
        std.iter_mut().for_each(|std| *std = std.abs());
        std[3] = 0.0;
        let is_centred = version > SparkVersion::V2_4;
        let setting = Setting::new(version, (is_multinomial, n_sets), true, (&mean, &std), is_centred);
        LossPass::at(&setting, &numbers((N_FEATURES + 1) * n_sets, 3))
    }

    fn bits(pass: &LossPass) -> Vec<u64> {
        let Sums { loss, weight, multipliers, gradient } = &pass.sums;
        // All NaNs are one: which of them comes out of a sum is the processor's choice.
        let bits = |value: &f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
        [loss, weight].into_iter().chain(multipliers).chain(gradient).map(bits).collect()
    }

    /// Tiles with the processor's widest instructions, tiles with the narrowest, and rows one by one.
    #[track_caller]
    fn check<A: Arithmetic>(zero: &LossPass, rows: &RecordBatch) {
        let batch = InstanceBatch::of(rows);
        let block = batch.features.dense_block().expect("the vectors are one block");
        let [mut wide, mut narrow, mut by_row] = [zero.clone(), zero.clone(), zero.clone()];
        wide.add_block::<A>(&block, &batch);
        narrow.add_tiles::<A>(&block, &batch);
        match zero.setting.is_multinomial {
            true => by_row.add_multinomial_vectors::<A>(&batch),
            false => by_row.add_binomial_vectors::<A>(&batch),
        }
        assert!(by_row.sums.weight > 0.0);
        assert_eq!(bits(&wide), bits(&by_row), "wide");
        assert_eq!(bits(&narrow), bits(&by_row), "narrow");
    }

    #[track_caller]
    fn check_all(features: &[f64], weights: &Option<Vec<f64>>) {
        for version in [SparkVersion::V2_4, SparkVersion::V3_5] {
            let binomial = rows(2, features.to_vec(), weights.clone());
            check::<DivideProduct>(&pass(version, false, 1), &binomial);
            check::<Multiply>(&pass(version, false, 1), &binomial);
            for n_sets in [2, 3, MAX_SETS_OF_TILES + 1] {
                let multinomial = rows(n_sets, features.to_vec(), weights.clone());
                check::<DivideFeature>(&pass(version, true, n_sets), &multinomial);
                check::<Multiply>(&pass(version, true, n_sets), &multinomial);
            }
        }
    }

    #[test]
    fn tiles_and_rows_give_the_same_bits() {
        check_all(&numbers(N_ROWS * N_FEATURES, 4), &None);
        let mut weights: Vec<f64> = numbers(N_ROWS, 5).into_iter().map(f64::abs).collect();
        check_all(&numbers(N_ROWS * N_FEATURES, 4), &Some(weights.clone()));
        weights[40] = 0.0;
        check_all(&numbers(N_ROWS * N_FEATURES, 4), &Some(weights));
    }

    #[test]
    fn tiles_and_rows_give_the_same_bits_where_margins_are_huge() {
        let mut features = numbers(N_ROWS * N_FEATURES, 4);
        features[50] = 1e305;
        features[300] = -1e200;
        features[500] = 1e3;
        check_all(&features, &None);
    }

    #[test]
    fn evaluations_that_share_scaled_tiles_have_the_bits_of_those_alone() {
        let weights: Vec<f64> = (0..N_ROWS).map(|row_idx| (row_idx % 4) as f64 / 2.0).collect();
        let mut features = numbers(N_ROWS * N_FEATURES, 4);
        features[50] = 1e305;
        let first = pass(SparkVersion::V3_5, false, 1);
        let mut second = first.clone();
        second.coefficients.reverse();
        second.offsets[0] = -0.25;
        let passes = vec![first, second];
        assert!(can_share(&passes));
        for weights in [None, Some(weights)] {
            let rows = rows(2, features.clone(), weights);
            let mut together = LossPasses { passes: passes.clone() };
            together.update(&rows).unwrap();
            for (pass, shared) in passes.iter().zip(&together.passes) {
                let mut alone = LossPasses { passes: vec![pass.clone()] };
                alone.update(&rows).unwrap();
                assert_eq!(bits(&alone.passes[0]), bits(shared));
            }
        }
    }

    #[test]
    fn evaluations_that_share_their_rows_have_the_bits_of_those_alone() {
        const N_SHARED: usize = 5_000;
        let labels: ArrayRef =
            Arc::new(Float64Array::from_iter_values((0..N_SHARED).map(|row_idx| (row_idx % 2) as f64)));
        let features = dense_column(numbers(N_SHARED * N_FEATURES, 4), N_SHARED, N_FEATURES);
        let rows = RecordBatch::try_from_iter([("features", features), ("label", labels)]).unwrap();
        let passes = vec![
            pass(SparkVersion::V3_5, false, 1),
            pass(SparkVersion::V3_5, true, 2),
            pass(SparkVersion::V2_4, false, 1),
        ];
        let mut together = LossPasses { passes: passes.clone() };
        assert!(together.piece_rows(N_SHARED) < N_SHARED, "the rows go in pieces");
        together.update(&rows).unwrap();
        for (pass, shared) in passes.into_iter().zip(&together.passes) {
            let mut alone = LossPasses { passes: vec![pass] };
            alone.update(&rows).unwrap();
            assert_eq!(bits(&alone.passes[0]), bits(shared));
        }
    }

    #[test]
    fn a_row_far_on_the_wrong_side_costs_its_margin_and_one_on_the_right_side_nothing() {
        let binomial_loss =
            |margin: f64, label: f64, weight: f64| loss_of_odds(margin, odds_against(margin), label, weight);
        let loss = |margin: f64, label: f64| binomial_loss(margin, label, 2.0);
        assert_eq!(loss(-1e300, 1.0), (2e300, -2.0));
        assert_eq!(loss(1e300, 0.0), (2e300, 2.0));
        assert_eq!(loss(f64::NEG_INFINITY, 1.0), (f64::INFINITY, -2.0));
        assert_eq!(loss(800.0, 1.0), (0.0, 0.0));
        assert_eq!(loss(-800.0, 0.0), (0.0, 0.0));
        assert_eq!(loss(0.0, 1.0), (2.0 * std::f64::consts::LN_2, -1.0));
        assert!(loss(f64::NAN, 1.0).0.is_nan());
        assert_eq!(binomial_loss(f64::NAN, 1.0, 0.0), (0.0, 0.0), "without weight");
    }
}
