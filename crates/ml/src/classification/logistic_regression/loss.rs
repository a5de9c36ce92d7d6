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
//! the centring once per block of 1 MB, we once per pass; we sum chunks of rows apart and merge them; `exp` and `log1p` are the
//! platform's. The objective agrees to about 1e-14.

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::vector::{DenseBlock, VectorRef};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::instances::InstanceBatch;
use crate::classification::softmax::softmax;
use crate::optim::DiffFunction;

/// Rows whose margins are computed side by side: many enough to hide the latency of additions, few enough to stay in cache.
const TILE_ROWS: usize = 32;

/// How a feature is scaled, and in which order it is multiplied.
trait Arithmetic {
    /// The scaled feature.
    fn scaled(x: f64, scale: f64) -> f64;
    /// A factor times the scaled feature.
    fn product(factor: f64, x: f64, scale: f64) -> f64;
}

/// Spark 2.4: `scale` is the deviation, +∞ for a constant feature.
struct Divide;

impl Arithmetic for Divide {
    fn scaled(x: f64, scale: f64) -> f64 {
        x / scale
    }
    fn product(factor: f64, x: f64, scale: f64) -> f64 {
        factor * x / scale
    }
}

/// Spark 3.1 and later: `scale` is the reciprocal of the deviation, 0 for a constant feature.
struct Multiply;

impl Arithmetic for Multiply {
    fn scaled(x: f64, scale: f64) -> f64 {
        x * scale
    }
    fn product(factor: f64, x: f64, scale: f64) -> f64 {
        factor * (x * scale)
    }
}

/// What a model of this kind computes, for all passes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Setting {
    /// Whether features are divided by their deviation, as in 2.4.
    divides: bool,
    pub(super) is_multinomial: bool,
    pub(super) n_sets: usize,
    pub(super) has_intercept: bool,
    scale: Vec<f64>,
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
struct Sums {
    loss: f64,
    weight: f64,
    /// Of what each row's features are multiplied by in the gradient, one per set.
    multipliers: Vec<f64>,
    /// The gradient of the coefficients, not centred.
    gradient: Vec<f64>,
}

/// One evaluation of loss and gradient.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LossPass {
    setting: Setting,
    coefficients: Vec<f64>,
    offsets: Vec<f64>,
    sums: Sums,
}

impl LossPass {
    fn at(setting: &Setting, x: &[f64]) -> LossPass {
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

    fn add<A: Arithmetic>(&mut self, batch: &InstanceBatch<'_>) {
        match (self.setting.is_multinomial, batch.features.dense_block()) {
            (false, Some(block)) => self.add_binomial_block::<A>(&block, batch),
            (false, None) => self.add_binomial_vectors::<A>(batch),
            (true, Some(block)) => self.add_multinomial_block::<A>(&block, batch),
            (true, None) => self.add_multinomial_vectors::<A>(batch),
        }
    }

    fn add_binomial_block<A: Arithmetic>(&mut self, block: &DenseBlock<'_>, batch: &InstanceBatch<'_>) {
        let n = block.n_features;
        let mut margins = [0.0; TILE_ROWS];
        for first_row in (0..block.n_rows).step_by(TILE_ROWS) {
            let n_rows = TILE_ROWS.min(block.n_rows - first_row);
            let tile = &block.values[first_row * n..(first_row + n_rows) * n];
            let margins = &mut margins[..n_rows];
            margins.fill(0.0);
            for (slot, (&coefficient, &scale)) in self.coefficients.iter().zip(&self.setting.scale).enumerate() {
                for (margin, row) in margins.iter_mut().zip(tile.chunks_exact(n)) {
                    *margin += A::product(coefficient, row[slot], scale);
                }
            }
            for (at, &margin) in margins.iter().enumerate() {
                let row_idx = first_row + at;
                let multiplier = self.add_binomial_row(margin, batch.labels[row_idx], batch.weight(row_idx));
                let row = &tile[at * n..(at + 1) * n];
                for ((sum, &x), &scale) in self.sums.gradient.iter_mut().zip(row).zip(&self.setting.scale) {
                    *sum += A::product(multiplier, x, scale);
                }
            }
        }
    }

    fn add_binomial_vectors<A: Arithmetic>(&mut self, batch: &InstanceBatch<'_>) {
        for (row_idx, vector) in batch.vectors().enumerate() {
            let mut margin = 0.0;
            vector.for_each_stored(|slot, x| {
                margin += A::product(self.coefficients[slot], x, self.setting.scale[slot]);
            });
            let multiplier = self.add_binomial_row(margin, batch.labels[row_idx], batch.weight(row_idx));
            vector.for_each_stored(|slot, x| {
                self.sums.gradient[slot] += A::product(multiplier, x, self.setting.scale[slot]);
            });
        }
    }

    /// Adds a row's loss and returns what its features are multiplied by in the gradient.
    fn add_binomial_row(&mut self, dot: f64, label: f64, weight: f64) -> f64 {
        if weight == 0.0 {
            return 0.0;
        }
        let margin = dot + self.offsets[0];
        let odds = (-margin).exp();
        let log_1p_exp = if margin < 0.0 { -margin + margin.exp().ln_1p() } else { odds.ln_1p() };
        self.sums.loss += weight * if label > 0.0 { log_1p_exp } else { log_1p_exp + margin };
        self.sums.weight += weight;
        let multiplier = weight * (1.0 / (1.0 + odds) - label);
        self.sums.multipliers[0] += multiplier;
        multiplier
    }

    fn add_multinomial_block<A: Arithmetic>(&mut self, block: &DenseBlock<'_>, batch: &InstanceBatch<'_>) {
        let mut margins = vec![0.0; self.setting.n_sets];
        for (row_idx, row) in block.values.chunks_exact(block.n_features.max(1)).enumerate() {
            let (label, weight) = (batch.labels[row_idx], batch.weight(row_idx));
            self.add_multinomial::<A>(VectorRef::Dense(row), label, weight, &mut margins);
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

/// Margins to probabilities, and the loss of a row of class `label`.
fn log_loss(margins: &mut [f64], label: usize) -> f64 {
    softmax(margins);
    -margins[label].ln()
}

/// The same in the order of Spark 2.4, which subtracts the largest margin only above 0.
fn log_loss_2_4(margins: &mut [f64], label: usize) -> f64 {
    let margin_of_label = margins[label];
    let largest = margins.iter().copied().fold(f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
    let shift = if largest > 0.0 { largest } else { 0.0 };
    let mut sum = 0.0;
    for margin in margins.iter_mut() {
        *margin = (*margin - shift).exp();
        sum += *margin;
    }
    margins.iter_mut().for_each(|value| *value /= sum);
    sum.ln() - margin_of_label + shift
}

impl Aggregate for LossPass {
    const NAME: &'static str = "logistic loss and gradient";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let batch = InstanceBatch::of(rows);
        if self.setting.divides {
            self.add::<Divide>(&batch)
        } else {
            self.add::<Multiply>(&batch)
        }
        Ok(())
    }

    fn merge(&mut self, later: LossPass) {
        let (sums, later) = (&mut self.sums, later.sums);
        sums.loss += later.loss;
        sums.weight += later.weight;
        sums.multipliers.iter_mut().zip(later.multipliers).for_each(|(sum, later)| *sum += later);
        sums.gradient.iter_mut().zip(later.gradient).for_each(|(sum, later)| *sum += later);
    }
}

/// The L2 penalty `½ λ Σ β²`; intercepts are free.
#[derive(Debug, Clone)]
pub(super) struct L2 {
    pub(super) weight: f64,
    /// Deviation of each feature when the penalty is to see the features as they were; absent otherwise.
    pub(super) std: Option<Vec<f64>>,
}

impl L2 {
    /// Adds the gradient and returns the value.
    fn add(&self, x: &[f64], n_sets: usize, gradient: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (at, (&coefficient, slope)) in x.iter().zip(gradient).enumerate() {
            let std = self.std.as_ref().map_or(1.0, |std| std[at / n_sets]);
            if std == 0.0 {
                continue;
            }
            let scaled = if self.std.is_some() { coefficient / (std * std) } else { coefficient };
            sum += coefficient * scaled;
            *slope += self.weight * scaled;
        }
        0.5 * sum * self.weight
    }
}

/// Mean loss and L2 penalty as a function of the variables; an evaluation is a pass.
pub(super) struct Objective<'a> {
    pub(super) instances: &'a Dataset,
    pub(super) setting: &'a Setting,
    pub(super) l2: Option<L2>,
}

impl DiffFunction for Objective<'_> {
    type Error = DatasetError;

    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DatasetError> {
        let pass = self.instances.aggregate(LossPass::at(self.setting, x))?;
        let n_coefficients = pass.coefficients.len();
        let loss = pass.finish(gradient);
        let penalty = self
            .l2
            .as_ref()
            .map_or(0.0, |l2| l2.add(&x[..n_coefficients], self.setting.n_sets, &mut gradient[..n_coefficients]));
        Ok(loss + penalty)
    }
}
