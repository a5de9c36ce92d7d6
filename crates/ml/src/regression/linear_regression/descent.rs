//! Coefficients step by step: from the first pass to the end of a minimisation.

use ognivo_data::dataset::Dataset;
use ognivo_data::vector::Vector;
use ognivo_data::version::SparkVersion;

use super::huber::HuberLosses;
use super::params::{EPSILON, is_huber};
use super::scaling::Scaling;
use super::squared_error::SquaredErrors;
use super::{Fitted, moments::Moments};
use crate::linear::descent::{Descent, descend, stopping};
use crate::linear::params::{ELASTIC_NET_PARAM, FIT_INTERCEPT, REG_PARAM, STANDARDIZATION};
use crate::linear::penalty::L2;
use crate::optim::{Lbfgs, Lbfgsb, Owlqn};
use crate::param::Params;
use crate::stage::FitError;

/// A fit's parameters and what the first pass found.
pub(super) struct Problem<'a> {
    params: &'a Params,
    scaling: Scaling,
    label_mean: f64,
    label_std: f64,
}

impl<'a> Problem<'a> {
    /// `label_std` is what labels are divided by.
    pub(super) fn new(params: &'a Params, seen: &Moments, label_mean: f64, label_std: f64) -> Problem<'a> {
        Problem { params, scaling: Scaling::of(seen), label_mean, label_std }
    }

    /// Minimises the loss that the parameters name, in a pass per evaluation.
    pub(super) fn solve(&self, instances: &Dataset) -> Result<Fitted, FitError> {
        if is_huber(self.params) { self.minimise_huber(instances) } else { self.minimise_squares(instances) }
    }

    fn has_intercept(&self) -> bool {
        self.params.get(FIT_INTERCEPT)
    }

    fn is_2_4(&self) -> bool {
        self.params.version() == SparkVersion::V2_4
    }

    // ---- squared error ----

    fn minimise_squares(&self, instances: &Dataset) -> Result<Fitted, FitError> {
        let reg_param = self.params.get(REG_PARAM) / self.label_std;
        let elastic_net = self.params.get(ELASTIC_NET_PARAM);
        let errors = SquaredErrors {
            instances,
            scaling: &self.scaling,
            label_mean: self.label_mean,
            label_std: self.label_std,
            has_intercept: self.has_intercept(),
            l2: self.l2((1.0 - elastic_net) * reg_param),
            is_2_4: self.is_2_4(),
        };
        let start = vec![0.0; self.scaling.n_features()];
        let stopping = stopping(self.params);
        let Descent { x, history } = match elastic_net == 0.0 || reg_param == 0.0 {
            true => descend(errors, Lbfgs::default(), start, stopping),
            false => descend(errors, Owlqn::new(self.l1(elastic_net * reg_param)), start, stopping),
        }?;
        let coefficients = self.unscaled(&x, self.label_std);
        let intercept = if self.has_intercept() { self.label_mean - self.at_mean(&coefficients) } else { 0.0 };
        Ok(self.fitted(&coefficients, intercept, 1.0, history))
    }

    /// What the coefficients make of the features' means.
    fn at_mean(&self, coefficients: &[f64]) -> f64 {
        coefficients.iter().zip(&self.scaling.mean).fold(0.0, |sum, (coefficient, mean)| sum + coefficient * mean)
    }

    /// The L1 weight of each variable; without standardization the penalty sees the feature as it was.
    fn l1(&self, l1: f64) -> Vec<f64> {
        let of = |&std: &f64| match (self.params.get(STANDARDIZATION), std) {
            (true, _) => l1,
            (false, 0.0) => 0.0,
            (false, std) => l1 / std,
        };
        self.scaling.std.iter().map(of).collect()
    }

    // ---- huber loss ----

    fn minimise_huber(&self, instances: &Dataset) -> Result<Fitted, FitError> {
        let losses = HuberLosses {
            instances,
            scaling: &self.scaling,
            epsilon: self.params.get(EPSILON),
            has_intercept: self.has_intercept(),
            l2: self.l2(self.params.get(REG_PARAM)),
            is_2_4: self.is_2_4(),
        };
        let start = losses.start();
        // Spark's bounds: every double, and for the scale every positive one.
        let mut lower = vec![f64::MIN; start.len()];
        lower[start.len() - 1] = f64::from_bits(1);
        let upper = vec![f64::MAX; start.len()];
        let method = Lbfgsb::new(lower, upper);
        let mut losses = losses;
        let Descent { x, history } = descend(&mut losses, method, start, stopping(self.params))?;
        let coefficients = self.unscaled(&x[..self.scaling.n_features()], 1.0);
        let scale = x.last().copied().unwrap_or(1.0);
        Ok(self.fitted(&coefficients, losses.intercept(&x), scale, history))
    }

    // ---- both ----

    fn l2(&self, weight: f64) -> Option<L2> {
        let std = (!self.params.get(STANDARDIZATION)).then(|| self.scaling.std.clone());
        (weight != 0.0).then_some(L2 { weight, std })
    }

    /// The coefficients of features as they are; a constant feature gets none.
    fn unscaled(&self, x: &[f64], label_std: f64) -> Vec<f64> {
        let unscaled = |(&x, &std): (&f64, &f64)| match std {
            0.0 => 0.0,
            std if self.is_2_4() => x * (label_std / std),
            std => x * label_std / std,
        };
        x.iter().zip(&self.scaling.std).map(unscaled).collect()
    }

    fn fitted(&self, coefficients: &[f64], intercept: f64, scale: f64, objective_history: Vec<f64>) -> Fitted {
        let coefficients = Vector::compressed(coefficients, self.params.version());
        Fitted { coefficients, intercept, scale, objective_history, inverse_diagonal: None }
    }
}
