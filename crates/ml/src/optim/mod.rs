//! Minimisers of smooth functions: the step sequence of Breeze, not just its optimum.
//!
//! Spark's linear models are what Breeze's minimiser leaves behind when it stops, usually before the optimum, so parity means
//! taking the same steps. One driver, [`Iterations`], asks a [`Method`] for direction and step size and decides when to stop;
//! the methods are [`Lbfgs`], [`Owlqn`] (L1) and [`Lbfgsb`] (bounds).
//!
//! ```text
//! state 0 ──► direction ──► line search ──► step ──► evaluate ──► remember ──► state 1 ──► …     stop test after each state
//!                 └─ fails ─┴─ fails: forget the memory and try once more from the same point, then give up
//! ```
//!
//! Evaluating the function is a pass over data that can fail; nothing is evaluated before the caller asks for the next state, so
//! the caller can watch each one, and stop by not asking.
//!
//! The arithmetic repeats Breeze 0.13.2 (Spark 2.4) or 2.1.0 (Spark 3.4 and later), including the order of the sums in its dot
//! product (see [`dot`]). The JVM may contract products and sums (fused multiply-add), so last bits can differ.

#![allow(clippy::float_cmp, reason = "which step is taken hangs on exact comparisons, in Breeze as here")]

mod arithmetic;
mod asking;
mod dense;
mod lbfgs;
mod lbfgsb;
mod line_search;
mod owlqn;

pub use arithmetic::{dot, norm2};
pub use asking::{Asking, asking};
pub use lbfgs::Lbfgs;
pub use lbfgsb::Lbfgsb;
pub use owlqn::Owlqn;

use std::collections::VecDeque;

use ognivo_data::version::SparkVersion;

/// A function with its gradient; one evaluation of both is one call, for Spark's models one pass over the data.
pub trait DiffFunction {
    /// Why an evaluation failed.
    type Error;

    /// The value at `x`; the gradient goes to `gradient`, which has the size of `x` and any content.
    ///
    /// # Errors
    /// Whatever the evaluation meets; it ends the minimisation.
    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Self::Error>;
}

impl<F: DiffFunction> DiffFunction for &mut F {
    type Error = F::Error;
    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, F::Error> {
        (**self).value_gradient(x, gradient)
    }
}

/// Which release of Breeze decides when to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreezeVersion {
    /// Breeze 0.13.2, in Spark 2.4: tolerances scale with the signed value, function values are remembered without penalty.
    V0_13,
    /// Breeze 2.1.0, in Spark 3.4 and later.
    V2_1,
}

impl From<SparkVersion> for BreezeVersion {
    fn from(version: SparkVersion) -> BreezeVersion {
        match version {
            SparkVersion::V2_4 => BreezeVersion::V0_13,
            SparkVersion::V3_5 | SparkVersion::V4_3 => BreezeVersion::V2_1,
        }
    }
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopping {
    /// The most iterations.
    pub max_iter: usize,
    /// Relative tolerance of function value and gradient.
    pub tolerance: f64,
    /// Whose rules.
    pub breeze: BreezeVersion,
}

/// Why the iterations ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Converged {
    /// As many iterations as allowed.
    MaxIterations,
    /// The value is near the largest of the last 20.
    FunctionValues,
    /// The gradient is small.
    Gradient,
    /// The projection of a gradient step on the bounds does not move.
    ProjectedStep,
    /// Two line searches in a row found no step.
    SearchFailed,
}

/// A point that the minimiser has reached.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The point.
    pub x: Vec<f64>,
    /// The function's value.
    pub value: f64,
    /// The function's gradient.
    pub gradient: Vec<f64>,
    /// The value with the method's own penalty: the objective.
    pub adjusted_value: f64,
    /// The (sub)gradient with the method's own penalty.
    pub adjusted_gradient: Vec<f64>,
    /// Steps taken so far.
    pub iteration: usize,
    /// Whether the search for a step failed twice from here.
    pub search_failed: bool,
}

/// No step could be found; the driver forgets the memory and tries once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoStep(pub &'static str);

/// Why a line search ended without a step.
#[derive(Debug)]
pub enum SearchError<E> {
    /// There is none.
    NoStep(NoStep),
    /// The function could not be evaluated.
    Evaluation(E),
}

impl<E> From<NoStep> for SearchError<E> {
    fn from(no_step: NoStep) -> SearchError<E> {
        SearchError::NoStep(no_step)
    }
}

/// How to choose direction and step; called by [`Iterations`] in the order of the methods here, once per iteration.
pub trait Method {
    /// What it remembers of earlier steps.
    type Memory;

    /// An empty memory for functions of `n` variables.
    fn forget(&self, n: usize) -> Self::Memory;

    /// Value and gradient with the method's penalty.
    fn adjust(&self, x: &[f64], value: f64, gradient: &[f64]) -> (f64, Vec<f64>);

    /// Where to go from `state`.
    ///
    /// # Errors
    /// [`NoStep`] when the memory gives no direction.
    fn direction(&self, state: &State, memory: &Self::Memory) -> Result<Vec<f64>, NoStep>;

    /// How far to go.
    ///
    /// # Errors
    /// [`SearchError`] when no step is good enough, or an evaluation fails.
    fn step_size<F: DiffFunction>(
        &self,
        state: &State,
        f: &mut Cached<F>,
        direction: &[f64],
    ) -> Result<f64, SearchError<F::Error>>;

    /// The point that lies `size` along `direction`.
    fn step(&self, state: &State, direction: &[f64], size: f64) -> Vec<f64>;

    /// Takes in a step and how it changed the gradient (both without penalty).
    fn remember(&self, memory: &mut Self::Memory, step: Vec<f64>, gradient_change: Vec<f64>);

    /// A stop test of the method's own, asked before the common ones.
    fn converged(&self, _state: &State) -> Option<Converged> {
        None
    }
}

/// A function that remembers its last evaluation, so that the accepted point of a line search costs nothing.
#[derive(Debug)]
pub struct Cached<F> {
    f: F,
    last: Option<(Vec<f64>, f64, Vec<f64>)>,
    n_evaluations: usize,
}

impl<F: DiffFunction> Cached<F> {
    fn new(f: F) -> Cached<F> {
        Cached { f, last: None, n_evaluations: 0 }
    }

    /// Value and gradient at `x`.
    ///
    /// # Errors
    /// Those of the function.
    pub fn at(&mut self, x: &[f64]) -> Result<(f64, &[f64]), F::Error> {
        if self.last.as_ref().is_none_or(|(known, _, _)| known != x) {
            let mut gradient = vec![0.0; x.len()];
            let value = self.f.value_gradient(x, &mut gradient)?;
            self.n_evaluations += 1;
            self.last = Some((x.to_vec(), value, gradient));
        }
        let (_, value, gradient) = self.last.as_ref().expect("set just above");
        Ok((*value, gradient))
    }
}

/// Breeze keeps this many function values for its stop test.
const VALUE_MEMORY: usize = 20;

/// The states of a minimisation, computed one by one as they are asked for.
#[derive(Debug)]
pub struct Iterations<F, M: Method> {
    f: Cached<F>,
    method: M,
    stopping: Stopping,
    start: Vec<f64>,
    memory: M::Memory,
    state: Option<State>,
    initial_value: f64,
    values: VecDeque<f64>,
    failed_once: bool,
    ended: Option<Converged>,
}

impl<F: DiffFunction, M: Method> Iterations<F, M> {
    /// A minimisation of `f` from `start`; nothing is evaluated yet.
    pub fn new(f: F, method: M, start: Vec<f64>, stopping: Stopping) -> Iterations<F, M> {
        Iterations {
            f: Cached::new(f),
            memory: method.forget(start.len()),
            method,
            stopping,
            start,
            state: None,
            initial_value: f64::NAN,
            values: VecDeque::from([f64::INFINITY]),
            failed_once: false,
            ended: None,
        }
    }

    /// The next state, the first being the start; `None` when the minimisation has ended.
    ///
    /// After a failed search the same state comes again, as Breeze counts it in its history.
    ///
    /// # Errors
    /// Those of the function; asked again, the minimisation takes the same step from its beginning.
    pub fn next_state(&mut self) -> Result<Option<&State>, F::Error> {
        if self.ended.is_some() {
            return Ok(None);
        }
        let next = match self.state.take() {
            None => self.initial_state()?,
            Some(state) => self.advance(&state).inspect_err(|_| self.state = Some(state))?,
        };
        self.ended = self.converged(&next);
        Ok(Some(self.state.insert(next)))
    }

    /// The function.
    pub fn function_mut(&mut self) -> &mut F {
        &mut self.f.f
    }

    /// The last state that was computed.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Why the minimisation ended, once it has.
    pub fn ended(&self) -> Option<Converged> {
        self.ended
    }

    /// How often the function was evaluated.
    pub fn n_evaluations(&self) -> usize {
        self.f.n_evaluations
    }

    fn initial_state(&mut self) -> Result<State, F::Error> {
        let state = self.evaluate(self.start.clone(), 0)?;
        self.initial_value = state.adjusted_value;
        Ok(state)
    }

    fn evaluate(&mut self, x: Vec<f64>, iteration: usize) -> Result<State, F::Error> {
        let (value, gradient) = self.f.at(&x)?;
        let gradient = gradient.to_vec();
        let (adjusted_value, adjusted_gradient) = self.method.adjust(&x, value, &gradient);
        Ok(State { x, value, gradient, adjusted_value, adjusted_gradient, iteration, search_failed: false })
    }

    fn advance(&mut self, state: &State) -> Result<State, F::Error> {
        match self.find_step(state) {
            Ok(x) => {
                let next = self.evaluate(x, state.iteration + 1)?;
                self.method.remember(
                    &mut self.memory,
                    difference(&next.x, &state.x),
                    difference(&next.gradient, &state.gradient),
                );
                self.remember_value(&next);
                self.failed_once = false;
                Ok(next)
            }
            Err(SearchError::Evaluation(error)) => Err(error),
            Err(SearchError::NoStep(_)) if self.failed_once => Ok(State { search_failed: true, ..state.clone() }),
            Err(SearchError::NoStep(_)) => {
                self.failed_once = true;
                self.memory = self.method.forget(state.x.len());
                Ok(state.clone())
            }
        }
    }

    fn find_step(&mut self, state: &State) -> Result<Vec<f64>, SearchError<F::Error>> {
        let direction = self.method.direction(state, &self.memory)?;
        let size = self.method.step_size(state, &mut self.f, &direction)?;
        Ok(self.method.step(state, &direction, size))
    }

    fn remember_value(&mut self, state: &State) {
        let value = match self.stopping.breeze {
            BreezeVersion::V0_13 => state.value,
            BreezeVersion::V2_1 => state.adjusted_value,
        };
        self.values.push_back(value);
        if self.values.len() > VALUE_MEMORY {
            self.values.pop_front();
        }
    }

    /// Breeze's tests in Breeze's order.
    ///
    /// The values start with +∞ and the largest of 20 is compared, so the test of values cannot fire before iteration 20.
    fn converged(&self, state: &State) -> Option<Converged> {
        let Stopping { max_iter, tolerance, breeze } = self.stopping;
        let scale = |value: f64| if breeze == BreezeVersion::V0_13 { value } else { value.abs() };
        if let Some(reason) = self.method.converged(state) {
            return Some(reason);
        }
        if state.iteration >= max_iter {
            return Some(Converged::MaxIterations);
        }
        let largest = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let change = (state.adjusted_value - largest).abs();
        if self.values.len() >= 2 && change <= tolerance * scale(self.initial_value) {
            return Some(Converged::FunctionValues);
        }
        if norm2(&state.adjusted_gradient) <= (tolerance * scale(state.adjusted_value)).max(1e-8) {
            return Some(Converged::Gradient);
        }
        state.search_failed.then_some(Converged::SearchFailed)
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
pub(crate) mod tests;
