//! A minimisation from its start to its end.

use crate::linear::params::{MAX_ITER, TOL};
use crate::optim::{DiffFunction, Iterations, Method, Stopping};
use crate::param::Params;

/// Where a minimisation ended, and how it went.
pub(crate) struct Descent {
    /// The last point.
    pub(crate) x: Vec<f64>,
    /// The objective at every state, the start included; a failed search repeats one.
    pub(crate) history: Vec<f64>,
}

/// When a fit with these parameters stops.
pub(crate) fn stopping(params: &Params) -> Stopping {
    Stopping { max_iter: params.get(MAX_ITER) as usize, tolerance: params.get(TOL), breeze: params.version().into() }
}

/// Minimises `f` from `start` on.
///
/// # Errors
/// Those of the function.
pub(crate) fn descend<F: DiffFunction>(
    f: F,
    method: impl Method,
    start: Vec<f64>,
    stopping: Stopping,
) -> Result<Descent, F::Error> {
    let mut states = Iterations::new(f, method, start, stopping);
    let mut history = Vec::new();
    while let Some(state) = states.next_state()? {
        history.push(state.adjusted_value);
    }
    let last = states.state().expect("the start is a state");
    Ok(Descent { x: last.x.clone(), history })
}
