//! The squared error as a function of the coefficients, from the sums of a normal equation: no pass over rows is needed.

use std::convert::Infallible;

use super::packed::Packed;
use crate::optim::DiffFunction;

/// `½ b̄b̄ − ab·x + ½ xᵀ·AA·x`, in scaled variables: the coefficients, and the intercept last where there is one.
///
/// The intercept follows from the coefficients: `b̄ − ā·x`.
///
/// Same as Spark (`QuasiNewtonSolver.NormalEquationCostFun`), which writes the intercept into the point that Breeze holds.
#[derive(Debug)]
pub(super) struct Quadratic<'a> {
    /// Means of products of every two features, with the intercept's row where there is one; the L2 penalty is in the diagonal.
    pub(super) aa: &'a Packed,
    /// Means of products of features and label.
    pub(super) ab: &'a [f64],
    /// Means of the features.
    pub(super) a: &'a [f64],
    /// Mean of the label.
    pub(super) b: f64,
    /// Mean of the label's square.
    pub(super) bb: f64,
}

impl Quadratic<'_> {
    fn has_intercept(&self) -> bool {
        self.ab.len() > self.a.len()
    }

    /// `AA · x`, in the order of the reference `dspmv`: an entry on the diagonal, those before it, those after it.
    fn times(&self, x: &[f64], product: &mut [f64]) {
        // What the rows above have given to each entry.
        let before = product;
        before.fill(0.0);
        for i in 0..self.aa.size() {
            let row = self.aa.row(i);
            for (sum, entry) in before[i + 1..].iter_mut().zip(&row[1..]) {
                *sum += entry * x[i];
            }
            let begun = x[i] * row[0] + before[i];
            before[i] = x[i + 1..].iter().zip(&row[1..]).fold(begun, |sum, (x, entry)| sum + x * entry);
        }
    }
}

impl DiffFunction for Quadratic<'_> {
    type Error = Infallible;

    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Infallible> {
        let mut x = x.to_vec();
        self.settle(&mut x);
        self.times(&x, gradient);
        let value = 0.5 * self.bb - in_order(self.ab, &x) + 0.5 * in_order(&x, gradient);
        gradient.iter_mut().zip(self.ab).for_each(|(slope, ab)| *slope -= ab);
        Ok(value)
    }

    fn settle(&self, x: &mut [f64]) {
        if self.has_intercept() {
            let n_features = self.a.len();
            x[n_features] = self.b - in_order(&x[..n_features], self.a);
        }
    }
}

/// The inner product, from the first number to the last.
fn in_order(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "small whole numbers are exact")]

    use super::*;

    #[test]
    fn the_value_is_half_the_mean_square_of_errors_and_the_intercept_follows_from_the_coefficients() {
        // Rows (x; y): (1; 1), (3; 5), so that errors of y − 2x − b are −1 − b and −1 − b.
        let aa = Packed::from_fn(2, |i, j| [[5.0, 2.0], [0.0, 1.0]][i][j]);
        let mut error = Quadratic { aa: &aa, ab: &[8.0, 3.0], a: &[2.0], b: 3.0, bb: 13.0 };
        let mut gradient = [f64::NAN; 2];
        assert_eq!(error.value_gradient(&[2.0, 77.0], &mut gradient), Ok(0.0));
        assert_eq!(gradient, [0.0, 0.0]);
        assert_eq!(error.value_gradient(&[1.0, 0.0], &mut gradient), Ok(0.5));
        assert_eq!(gradient, [-1.0, 0.0]);
        let mut point = [1.0, 77.0];
        error.settle(&mut point);
        assert_eq!(point, [1.0, 1.0]);
    }
}
