//! Orthant-wise limited-memory quasi-Newton: L-BFGS for functions with an L1 penalty.

use super::lbfgs::InverseHessian;
use super::line_search::backtrack;
use super::{Cached, DiffFunction, Method, NoStep, SearchError, State, dot, norm2};

/// Orthant-wise L-BFGS (Andrew and Gao 2007) with a back-tracking line search.
///
/// Same as Breeze (`OWLQN.scala`), which leaves the paper in two places: the slope of the line search is taken along the
/// direction, not along the projected step, and its first test uses the plain value of the start (see the line search).
#[derive(Debug, Clone)]
pub struct Owlqn {
    /// Penalty of each variable's absolute value, not negative; 0 leaves a variable free.
    pub l1: Vec<f64>,
    /// How many steps are remembered; Spark's 10.
    pub n_pairs: usize,
}

impl Owlqn {
    /// The method with Spark's memory of 10 steps.
    pub fn new(l1: Vec<f64>) -> Owlqn {
        Owlqn { l1, n_pairs: 10 }
    }
}

/// Like `f64::signum` of the JVM: 0 for ±0, NaN for NaN.
fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        value
    }
}

impl Method for Owlqn {
    type Memory = InverseHessian;

    fn forget(&self, _n: usize) -> InverseHessian {
        InverseHessian::default()
    }

    fn adjust(&self, x: &[f64], value: f64, gradient: &[f64]) -> (f64, Vec<f64>) {
        let mut adjusted_value = value;
        let mut adjusted_gradient = gradient.to_vec();
        for ((&x, &l1), slope) in x.iter().zip(&self.l1).zip(&mut adjusted_gradient) {
            if l1 == 0.0 {
                continue;
            }
            adjusted_value += (l1 * x).abs();
            *slope = if x == 0.0 { slope_at_zero(*slope, l1) } else { *slope + sign(x) * l1 };
        }
        (adjusted_value, adjusted_gradient)
    }

    fn direction(&self, state: &State, memory: &InverseHessian) -> Result<Vec<f64>, NoStep> {
        let mut direction = memory.descent(&state.adjusted_gradient)?;
        for (d, g) in direction.iter_mut().zip(&state.adjusted_gradient) {
            *d = if *d * g < 0.0 { *d } else { 0.0 };
        }
        Ok(direction)
    }

    fn step_size<F: DiffFunction>(
        &self,
        state: &State,
        f: &mut Cached<F>,
        direction: &[f64],
    ) -> Result<f64, SearchError<F::Error>> {
        let phi = |t: f64| {
            let x = self.step(state, direction, t);
            let (value, gradient) = f.at(&x)?;
            let (adjusted_value, adjusted_gradient) = self.adjust(&x, value, gradient);
            Ok((adjusted_value, dot(&adjusted_gradient, direction)))
        };
        let is_first = state.iteration == 0;
        let init = if is_first { 0.5 / norm2(&state.gradient) } else { 1.0 };
        backtrack(phi, state.value, init, if is_first { 0.1 } else { 0.5 })
    }

    /// A step that ends at 0 wherever it would leave the orthant.
    fn step(&self, state: &State, direction: &[f64], size: f64) -> Vec<f64> {
        let moved = state.x.iter().zip(direction).zip(&state.adjusted_gradient);
        moved
            .map(|((&x, &d), &slope)| {
                let moved = x + d * size;
                let orthant = if x != 0.0 { sign(x) } else { sign(-slope) };
                moved * if sign(moved) == orthant { 1.0 } else { 0.0 }
            })
            .collect()
    }

    fn remember(&self, memory: &mut InverseHessian, step: Vec<f64>, gradient_change: Vec<f64>) {
        memory.push(step, gradient_change, self.n_pairs);
    }
}

/// The subgradient of smallest size where the variable is 0.
fn slope_at_zero(slope: f64, l1: f64) -> f64 {
    if slope - l1 > 0.0 {
        slope - l1
    } else if slope + l1 < 0.0 {
        slope + l1
    } else {
        0.0
    }
}
