//! The Huber loss of a linear model, with the scale of its errors as one more variable.
//!
//! Variables are the scaled coefficients, the intercept where there is one, and the scale σ, which is above 0. An error up to
//! ε·σ counts by its square, a larger one by its size (Owen 2006, A robust hybrid of lasso and ridge regression). Labels keep
//! their scale.
//!
//! Same as Spark: 2.4 divides features by their deviation and does not centre them (`HuberAggregator`), later versions multiply by
//! the reciprocal and centre when there is an intercept (`HuberBlockAggregator`). Bits may differ, for the reasons that
//! logistic loss names.

use ognivo_data::dataset::{Dataset, DatasetError};
use serde::{Deserialize, Serialize};

use super::loss_pass::{LossPass, RowLoss, RowTerms, Sums};
use super::scaling::Scaling;
use crate::linear::choice::only_if;
use crate::linear::penalty::L2;
use crate::linear::tile::{DivideFeature, Multiply};
use crate::optim::DiffFunction;

/// Mean Huber loss and L2 penalty; an evaluation is one pass over the instances.
pub(super) struct HuberLosses<'a> {
    pub(super) instances: &'a Dataset,
    pub(super) scaling: &'a Scaling,
    pub(super) epsilon: f64,
    pub(super) has_intercept: bool,
    pub(super) l2: Option<L2>,
    pub(super) is_2_4: bool,
}

impl HuberLosses<'_> {
    /// All ones, in the variables that a descent starts from.
    pub(super) fn start(&self) -> Vec<f64> {
        let n_features = self.scaling.n_features();
        let mut x = vec![1.0; n_features + usize::from(self.has_intercept) + 1];
        if self.has_intercept {
            x[n_features] += self.centring(&x);
        }
        x
    }

    /// The intercept of features that are not centred; 0 when there is none.
    pub(super) fn intercept(&self, x: &[f64]) -> f64 {
        if self.has_intercept { x[self.scaling.n_features()] - self.centring(x) } else { 0.0 }
    }

    /// By how much centring moves the intercept.
    fn centring(&self, x: &[f64]) -> f64 {
        if self.is_2_4 {
            return 0.0;
        }
        x.iter().zip(&self.scaling.scaled_mean).fold(0.0, |sum, (coefficient, mean)| sum + coefficient * mean)
    }

    fn sums(&self, x: &[f64]) -> Result<Sums, DatasetError> {
        let coefficients = x[..self.scaling.n_features()].to_vec();
        let (epsilon, sigma) = (self.epsilon, x.last().copied().unwrap_or(1.0));
        let intercept = self.intercept(x);
        if self.is_2_4 {
            let divisors = self.scaling.divisors();
            let pass = LossPass::new(Huber2_4 { epsilon, sigma, intercept }, coefficients, divisors.clone(), divisors);
            return Ok(self.instances.aggregate(pass)?.sums);
        }
        let reciprocals = &self.scaling.reciprocals;
        let loss = Huber { epsilon, sigma, intercept };
        let pass = LossPass::new(loss, coefficients, reciprocals.clone(), reciprocals.clone());
        Ok(self.instances.aggregate(pass)?.sums)
    }
}

impl DiffFunction for HuberLosses<'_> {
    type Error = DatasetError;

    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DatasetError> {
        let sums = self.sums(x)?;
        let (of_coefficients, others) = gradient.split_at_mut(self.scaling.n_features());
        let is_centred = self.has_intercept && !self.is_2_4;
        match is_centred {
            true => of_coefficients.copy_from_slice(&sums.centred_gradient(&self.scaling.scaled_mean)),
            false => of_coefficients.copy_from_slice(&sums.gradient),
        }
        match others {
            [of_intercept, of_sigma] => (*of_intercept, *of_sigma) = (sums.multiplier, sums.scale_slope),
            others => others.fill(sums.scale_slope),
        }
        let factor = 1.0 / sums.weight;
        gradient.iter_mut().for_each(|slope| *slope *= factor);
        let n_features = self.scaling.n_features();
        let penalty = self.l2.as_ref().map_or(0.0, |l2| l2.add(&x[..n_features], 1, &mut gradient[..n_features]));
        Ok(sums.loss / sums.weight + penalty)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Huber {
    epsilon: f64,
    sigma: f64,
    intercept: f64,
}

impl RowLoss for Huber {
    const NAME: &'static str = "huber loss and gradient";
    type Products = Multiply;
    type Gradient = Multiply;

    #[inline(always)]
    fn of(&self, product: f64, label: f64, weight: f64) -> RowTerms {
        let Huber { epsilon, sigma, intercept } = *self;
        let error = label - (intercept + product);
        let in_sigmas = error / sigma;
        let near = RowTerms {
            loss: 0.5 * weight * (sigma + error * error / sigma),
            multiplier: -weight * in_sigmas,
            scale_slope: 0.5 * weight * (1.0 - in_sigmas * in_sigmas),
        };
        either(error.abs() <= sigma * epsilon, near, far(self.epsilon, sigma, error, weight))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Huber2_4 {
    epsilon: f64,
    sigma: f64,
    intercept: f64,
}

impl RowLoss for Huber2_4 {
    const NAME: &'static str = "huber loss and gradient";
    type Products = DivideFeature;
    type Gradient = DivideFeature;

    #[inline(always)]
    fn of(&self, product: f64, label: f64, weight: f64) -> RowTerms {
        let Huber2_4 { epsilon, sigma, intercept } = *self;
        let error = label - (product + intercept);
        let in_sigmas = error / sigma;
        let near = RowTerms {
            loss: 0.5 * weight * (sigma + error * error / sigma),
            multiplier: -weight * error / sigma,
            scale_slope: 0.5 * weight * (1.0 - in_sigmas * in_sigmas),
        };
        either(error.abs() <= sigma * epsilon, near, far(self.epsilon, sigma, error, weight))
    }
}

/// An error that counts by its size.
#[inline(always)]
fn far(epsilon: f64, sigma: f64, error: f64, weight: f64) -> RowTerms {
    let is_below_label = error >= 0.0;
    let sign = only_if(is_below_label, -1.0) + only_if(!is_below_label, 1.0);
    RowTerms {
        loss: 0.5 * weight * (sigma + 2.0 * epsilon * error.abs() - sigma * epsilon * epsilon),
        multiplier: weight * sign * epsilon,
        scale_slope: 0.5 * weight * (1.0 - epsilon * epsilon),
    }
}

#[inline(always)]
fn either(is_near: bool, near: RowTerms, far: RowTerms) -> RowTerms {
    let choose = |near: f64, far: f64| if is_near { near } else { far };
    RowTerms {
        loss: choose(near.loss, far.loss),
        multiplier: choose(near.multiplier, far.multiplier),
        scale_slope: choose(near.scale_slope, far.scale_slope),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "these terms are exact")]

    use super::super::loss_pass::tests::check_tiles;
    use super::*;

    #[test]
    fn tiles_and_rows_give_the_same_bits() {
        check_tiles(&Huber { epsilon: 1.35, sigma: 2.5, intercept: 0.3 }, 0.0);
        check_tiles(&Huber2_4 { epsilon: 1.35, sigma: 2.5, intercept: 0.3 }, f64::INFINITY);
    }

    #[test]
    fn errors_up_to_the_border_count_by_their_square_and_others_by_their_size() {
        let terms = |loss: f64, multiplier: f64, scale_slope: f64| RowTerms { loss, multiplier, scale_slope };
        let of = |label: f64| {
            let new = Huber { epsilon: 2.0, sigma: 0.5, intercept: 1.0 }.of(2.0, label, 4.0);
            let old = Huber2_4 { epsilon: 2.0, sigma: 0.5, intercept: 1.0 }.of(2.0, label, 4.0);
            assert_eq!(new, old);
            new
        };
        assert_eq!(of(3.5), terms(2.0, -4.0, 0.0));
        assert_eq!(of(2.0), terms(5.0, 8.0, -6.0), "on the border");
        assert_eq!(of(5.0), terms(13.0, -8.0, -6.0));
        assert_eq!(of(1.0), terms(13.0, 8.0, -6.0));
    }
}
