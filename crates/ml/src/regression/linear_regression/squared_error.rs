//! The squared error of a linear model as a function of its scaled coefficients.
//!
//! Features and label are scaled to unit deviation while they are read, and centred without being touched: each error gets an
//! offset. The sum of errors is 0 then, so the gradient needs no correction. The intercept follows at the end.
//!
//! Same as Spark: 2.4 divides coefficients and gradient by the deviation (`LeastSquaresAggregator`), later versions multiply features
//! by its reciprocal (`LeastSquaresBlockAggregator`). Bits may differ, for the reasons that logistic loss names.

use ognivo_data::dataset::{Dataset, DatasetError};
use serde::{Deserialize, Serialize};

use super::loss_pass::{LossPass, RowLoss, RowTerms, Sums};
use super::scaling::Scaling;
use crate::linear::penalty::L2;
use crate::linear::tile::{DivideProduct, Multiply};
use crate::optim::DiffFunction;

/// Mean squared error, halved, and L2 penalty; an evaluation is one pass over the instances.
pub(super) struct SquaredErrors<'a> {
    pub(super) instances: &'a Dataset,
    pub(super) scaling: &'a Scaling,
    pub(super) label_mean: f64,
    /// What labels are divided by; not 0.
    pub(super) label_std: f64,
    pub(super) has_intercept: bool,
    pub(super) l2: Option<L2>,
    pub(super) is_2_4: bool,
}

impl SquaredErrors<'_> {
    fn sums(&self, x: &[f64]) -> Result<Sums, DatasetError> {
        let Scaling { scaled_mean, reciprocals, .. } = self.scaling;
        let offset = self.offset(x, scaled_mean);
        let loss = SquaredError { per_label: -1.0 / self.label_std, offset };
        let pass = LossPass::new(loss, x.to_vec(), reciprocals.clone(), reciprocals.clone());
        Ok(self.instances.aggregate(pass)?.sums)
    }

    fn sums_2_4(&self, x: &[f64]) -> Result<Sums, DatasetError> {
        let Scaling { mean, std, .. } = self.scaling;
        let unscaled = |(&x, &std): (&f64, &f64)| if std == 0.0 { 0.0 } else { x / std };
        let coefficients: Vec<f64> = x.iter().zip(std).map(unscaled).collect();
        let offset = self.offset(&coefficients, mean);
        let loss = SquaredError2_4 { label_std: self.label_std, offset };
        let ones = vec![1.0; x.len()];
        Ok(self.instances.aggregate(LossPass::new(loss, coefficients, ones, self.scaling.divisors()))?.sums)
    }

    /// What centring adds to each error.
    fn offset(&self, coefficients: &[f64], means: &[f64]) -> f64 {
        if !self.has_intercept {
            return 0.0;
        }
        let moved = coefficients.iter().zip(means).fold(0.0, |sum, (coefficient, mean)| sum + coefficient * mean);
        self.label_mean / self.label_std - moved
    }
}

impl DiffFunction for SquaredErrors<'_> {
    type Error = DatasetError;

    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DatasetError> {
        let sums = if self.is_2_4 { self.sums_2_4(x) } else { self.sums(x) }?;
        let factor = 1.0 / sums.weight;
        gradient.iter_mut().zip(&sums.gradient).for_each(|(slope, sum)| *slope = sum * factor);
        let penalty = self.l2.as_ref().map_or(0.0, |l2| l2.add(x, 1, gradient));
        Ok(sums.loss / sums.weight + penalty)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SquaredError {
    /// What a label is multiplied by, with the sign of its subtraction.
    per_label: f64,
    offset: f64,
}

impl RowLoss for SquaredError {
    const NAME: &'static str = "squared error and gradient";
    type Products = Multiply;
    type Gradient = Multiply;

    #[inline(always)]
    fn of(&self, product: f64, label: f64, weight: f64) -> RowTerms {
        halved_square(self.offset + self.per_label * label + product, weight)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SquaredError2_4 {
    label_std: f64,
    offset: f64,
}

impl RowLoss for SquaredError2_4 {
    const NAME: &'static str = "squared error and gradient";
    type Products = Multiply;
    type Gradient = DivideProduct;

    #[inline(always)]
    fn of(&self, product: f64, label: f64, weight: f64) -> RowTerms {
        halved_square(product - label / self.label_std + self.offset, weight)
    }
}

#[inline(always)]
fn halved_square(error: f64, weight: f64) -> RowTerms {
    let multiplier = weight * error;
    RowTerms { loss: multiplier * error / 2.0, multiplier, scale_slope: 0.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "these terms are exact")]

    use super::super::loss_pass::tests::check_tiles;
    use super::*;

    #[test]
    fn tiles_and_rows_give_the_same_bits() {
        check_tiles(&SquaredError { per_label: -0.7, offset: 0.3 }, 0.0);
        check_tiles(&SquaredError2_4 { label_std: 1.7, offset: 0.3 }, f64::INFINITY);
    }

    #[test]
    fn an_error_costs_half_its_square_and_pulls_by_its_size() {
        let terms = RowTerms { loss: 4.5, multiplier: -3.0, scale_slope: 0.0 };
        assert_eq!(SquaredError { per_label: -0.5, offset: 1.0 }.of(2.0, 12.0, 1.0), terms);
        assert_eq!(SquaredError2_4 { label_std: 2.0, offset: 1.0 }.of(2.0, 12.0, 1.0), terms);
    }
}
