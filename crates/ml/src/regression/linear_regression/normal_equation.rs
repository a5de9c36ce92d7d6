//! Coefficients from the sums of a normal equation.
//!
//! 1. Features and label are scaled to unit deviation, that of the *population* (÷ W), by scaling the sums.
//! 2. The L2 penalty goes to the diagonal.
//! 3. Cholesky's factor solves the equation. With an L1 penalty, or when the matrix turns out to be singular, a quasi-Newton method
//!    minimises the same function instead, from the sums alone.
//! 4. The solution goes back to the scale of features and label.
//!
//! Same as Spark (`WeightedLeastSquares`), operation by operation.

use ognivo_data::vector::Vector;
use ognivo_data::version::SparkVersion;

use super::Fitted;
use super::normal_sums::NormalSums;
use super::packed::Packed;
use super::quadratic::Quadratic;
use crate::linear::descent::{Descent, descend, stopping};
use crate::linear::params::{ELASTIC_NET_PARAM, FIT_INTERCEPT, REG_PARAM, STANDARDIZATION};
use crate::optim::{Lbfgs, Owlqn};
use crate::param::Params;

/// A fit's parameters and its scaled sums.
pub(super) struct NormalEquation<'a> {
    params: &'a Params,
    sums: &'a NormalSums,
    /// Deviation of each feature.
    std: Vec<f64>,
    label_std: f64,
    /// Mean of each scaled feature.
    a: Vec<f64>,
    /// Mean of each scaled feature times the scaled label.
    ab: Vec<f64>,
    /// Mean of the scaled label, and of its square.
    b: f64,
    bb: f64,
}

/// Mean and deviation of the label, as the sums have them.
pub(super) fn label_moments(sums: &NormalSums) -> (f64, f64) {
    let mean = sums.label() / sums.weight();
    (mean, not_negative(sums.label_label() / sums.weight() - mean * mean).sqrt())
}

impl<'a> NormalEquation<'a> {
    /// `label_std` is what the label is divided by.
    pub(super) fn new(params: &'a Params, sums: &'a NormalSums, label_std: f64) -> NormalEquation<'a> {
        let weight = sums.weight();
        let per_weight = 1.0 / weight;
        let std_of = |j: usize| {
            let mean = sums.feature(j) / weight;
            not_negative(sums.feature_feature(j, j) / weight - mean * mean).sqrt()
        };
        let std: Vec<f64> = (0..sums.n_features()).map(std_of).collect();
        let scaled = |sum: fn(&NormalSums, usize) -> f64, label_std: f64| {
            let entry = |(j, &std): (usize, &f64)| match std {
                0.0 => 0.0,
                std => sum(sums, j) * per_weight / (std * label_std),
            };
            std.iter().enumerate().map(entry).collect()
        };
        NormalEquation {
            params,
            sums,
            label_std,
            a: scaled(NormalSums::feature, 1.0),
            ab: scaled(NormalSums::feature_label, label_std),
            b: sums.label() / weight / label_std,
            bb: sums.label_label() / weight / (label_std * label_std),
            std,
        }
    }

    /// The solution, by Cholesky's factor where there is one.
    pub(super) fn solve(&self) -> Fitted {
        let (has_l1, matrix) = (self.has_l1(), self.matrix());
        let factor = if has_l1 { None } else { matrix.clone().cholesky().ok() };
        let Some(factor) = factor else {
            let Descent { x, history } = self.minimise(&matrix, has_l1);
            return self.fitted(x, history, None);
        };
        let solution = factor.solve(&self.right_side());
        self.fitted(solution, vec![0.0], Some(self.unscaled_inverse(factor.inverse_diagonal())))
    }

    fn has_intercept(&self) -> bool {
        self.params.get(FIT_INTERCEPT)
    }

    fn has_l1(&self) -> bool {
        self.params.get(ELASTIC_NET_PARAM) != 0.0 && self.params.get(REG_PARAM) != 0.0
    }

    /// The weight of the penalty in the scale of the label.
    fn reg_param(&self) -> f64 {
        self.params.get(REG_PARAM) / self.label_std
    }

    /// Means of products of every two scaled features, with the L2 penalty, and the intercept's row last.
    fn matrix(&self) -> Packed {
        let n_features = self.std.len();
        let per_weight = 1.0 / self.sums.weight();
        let entry = |i: usize, j: usize| {
            if j == n_features {
                return if i == n_features { 1.0 } else { self.a[i] };
            }
            let (of_i, of_j) = (self.std[i], self.std[j]);
            let is_constant = of_i == 0.0 || of_j == 0.0;
            let product = if is_constant { 0.0 } else { self.sums.feature_feature(i, j) * per_weight / (of_i * of_j) };
            if i == j { product + self.l2_of(i) } else { product }
        };
        Packed::from_fn(n_features + usize::from(self.has_intercept()), entry)
    }

    fn right_side(&self) -> Vec<f64> {
        let mut right = self.ab.clone();
        right.extend(self.has_intercept().then_some(self.b));
        right
    }

    /// The L2 weight of a feature; without standardization the penalty sees the feature as it was.
    fn l2_of(&self, feature: usize) -> f64 {
        let l2 = (1.0 - self.params.get(ELASTIC_NET_PARAM)) * self.reg_param();
        match (self.params.get(STANDARDIZATION), self.std[feature]) {
            (true, _) => l2,
            (false, 0.0) => 0.0,
            (false, std) => l2 / (std * std),
        }
    }

    /// The L1 weight of each variable; the intercept is free.
    fn l1(&self) -> Vec<f64> {
        let l1 = self.params.get(ELASTIC_NET_PARAM) * self.reg_param();
        let of = |&std: &f64| match (self.params.get(STANDARDIZATION), std) {
            (true, _) => l1,
            (false, 0.0) => 0.0,
            (false, std) => l1 / std,
        };
        self.std.iter().map(of).chain(self.has_intercept().then_some(0.0)).collect()
    }

    fn minimise(&self, matrix: &Packed, has_l1: bool) -> Descent {
        let ab = self.right_side();
        let error = Quadratic { aa: matrix, ab: &ab, a: &self.a, b: self.b, bb: self.bb };
        let mut start = vec![0.0; self.std.len()];
        start.extend(self.has_intercept().then_some(self.b));
        let stopping = stopping(self.params);
        let ended = match has_l1 {
            true => descend(error, Owlqn::new(self.l1()), start, stopping),
            false => descend(error, Lbfgs::default(), start, stopping),
        };
        ended.unwrap_or_else(|never| match never {})
    }

    /// The model of these variables, in the scale of features and label.
    fn fitted(&self, mut x: Vec<f64>, objective_history: Vec<f64>, inverse_diagonal: Option<Vec<f64>>) -> Fitted {
        let intercept = if self.has_intercept() { x.pop().unwrap_or(0.0) * self.label_std } else { 0.0 };
        for (coefficient, &std) in x.iter_mut().zip(&self.std) {
            *coefficient *= if std == 0.0 { 0.0 } else { self.label_std / std };
        }
        let coefficients = stored(x, self.params.version());
        Fitted { coefficients, intercept, scale: 1.0, objective_history, inverse_diagonal }
    }

    /// The diagonal of the inverse of `Σ w·x·xᵀ`, from that of the scaled means.
    fn unscaled_inverse(&self, mut diagonal: Vec<f64>) -> Vec<f64> {
        let weight = self.sums.weight();
        let squares = self.std.iter().map(|std| std * std).chain([1.0]);
        diagonal.iter_mut().zip(squares).for_each(|(entry, square)| *entry /= weight * square);
        diagonal
    }
}

/// Coefficients of a normal equation as Spark keeps them: dense up to 3.5, in the smaller form later.
pub(super) fn stored(coefficients: Vec<f64>, version: SparkVersion) -> Vector {
    if version < SparkVersion::V4_3 { Vector::Dense(coefficients) } else { Vector::compressed(&coefficients, version) }
}

/// 0 for what rounding left below it; NaN stays.
fn not_negative(variance: f64) -> f64 {
    if variance < 0.0 { 0.0 } else { variance }
}
