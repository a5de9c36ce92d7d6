//! Limited-memory BFGS.

use super::arithmetic::axpy;
use super::line_search::StrongWolfe;
use super::{Cached, DiffFunction, Method, NoStep, SearchError, State, dot, norm2};

/// Limited-memory BFGS with a strong Wolfe line search.
///
/// Same as Breeze (`LBFGS.scala`): steps are remembered whatever their curvature, and a memory whose newest pair has negative
/// curvature gives no direction.
#[derive(Debug, Clone, Copy)]
pub struct Lbfgs {
    /// How many steps are remembered; Spark's 10.
    pub n_pairs: usize,
}

impl Default for Lbfgs {
    fn default() -> Lbfgs {
        Lbfgs { n_pairs: 10 }
    }
}

/// The last steps and gradient changes, newest first.
#[derive(Debug, Clone, Default)]
pub struct InverseHessian {
    pairs: Vec<(Vec<f64>, Vec<f64>)>,
}

impl InverseHessian {
    pub(super) fn push(&mut self, step: Vec<f64>, gradient_change: Vec<f64>, n_pairs: usize) {
        self.pairs.insert(0, (step, gradient_change));
        self.pairs.truncate(n_pairs);
    }

    /// The negative product with `gradient`, by the two-loop recursion.
    pub(super) fn descent(&self, gradient: &[f64]) -> Result<Vec<f64>, NoStep> {
        let diagonal = match self.pairs.first() {
            None => 1.0,
            Some((step, change)) => {
                let curvature = dot(step, change);
                if curvature < 0.0 || curvature.is_nan() {
                    return Err(NoStep("the newest step has negative curvature"));
                }
                curvature / dot(change, change)
            }
        };
        let mut direction = gradient.to_vec();
        let mut weights = Vec::with_capacity(self.pairs.len());
        for (step, change) in &self.pairs {
            let curvature = dot(step, change);
            let alpha = dot(step, &direction) / curvature;
            if alpha.is_nan() {
                return Err(NoStep("a remembered step has no curvature"));
            }
            axpy(-alpha, change, &mut direction);
            weights.push((alpha, curvature));
        }
        direction.iter_mut().for_each(|value| *value *= diagonal);
        for ((step, change), (alpha, curvature)) in self.pairs.iter().zip(weights).rev() {
            let beta = dot(change, &direction) / curvature;
            axpy(alpha - beta, step, &mut direction);
        }
        direction.iter_mut().for_each(|value| *value *= -1.0);
        Ok(direction)
    }
}

/// `x + size · direction`.
pub(super) fn straight_step(x: &[f64], direction: &[f64], size: f64) -> Vec<f64> {
    x.iter().zip(direction).map(|(x, d)| d * size + x).collect()
}

impl Method for Lbfgs {
    type Memory = InverseHessian;

    fn forget(&self, _n: usize) -> InverseHessian {
        InverseHessian::default()
    }

    fn adjust(&self, _x: &[f64], value: f64, gradient: &[f64]) -> (f64, Vec<f64>) {
        (value, gradient.to_vec())
    }

    fn direction(&self, state: &State, memory: &InverseHessian) -> Result<Vec<f64>, NoStep> {
        memory.descent(&state.gradient)
    }

    fn step_size<F: DiffFunction>(
        &self,
        state: &State,
        f: &mut Cached<F>,
        direction: &[f64],
    ) -> Result<f64, SearchError<F::Error>> {
        let phi = |t: f64| {
            let (value, gradient) = f.at(&straight_step(&state.x, direction, t))?;
            Ok((value, dot(gradient, direction)))
        };
        let init = if state.iteration == 0 { 1.0 / norm2(direction) } else { 1.0 };
        let search = StrongWolfe { max_searches: 10, max_zooms: 10, bound: f64::INFINITY };
        let size = search.minimize(phi, init)?;
        if size * norm2(&state.gradient) < 1e-10 {
            return Err(NoStep("the step became too small").into());
        }
        Ok(size)
    }

    fn step(&self, state: &State, direction: &[f64], size: f64) -> Vec<f64> {
        straight_step(&state.x, direction, size)
    }

    fn remember(&self, memory: &mut InverseHessian, step: Vec<f64>, gradient_change: Vec<f64>) {
        memory.push(step, gradient_change, self.n_pairs);
    }
}
