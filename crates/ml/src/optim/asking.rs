//! Minimisations driven from outside: each says where it wants to know the function, so that several can be told in one pass.
//!
//! ```text
//! loop { points = each.wanted() … one pass over the rows evaluates all of them … each.tell(value, gradient) }
//! ```
//!
//! How it works: the minimisation runs on what is known of its function. Where it meets an unknown point it stops, and when it is told
//! it takes its step again from the beginning, now with one point more. A step is cheap beside a pass over rows, and the same
//! evaluations give the same step, so the states are those of [`Iterations`] to the bit.

use super::{DiffFunction, Iterations, Method, State, Stopping};

/// A minimisation whose function somebody else evaluates.
pub trait Asking {
    /// The point whose value and gradient are wanted; `None` when the minimisation has ended.
    ///
    /// Asked again before it was told, it wants the same point.
    fn wanted(&mut self) -> Option<Vec<f64>>;

    /// Tells the value and the gradient at the point that was wanted.
    fn tell(&mut self, value: f64, gradient: Vec<f64>);

    /// The last state, once there is one.
    fn state(&self) -> Option<&State>;

    /// The objective at every state so far.
    fn history(&self) -> &[f64];
}

/// A minimisation from `start`.
pub fn asking<M: Method + 'static>(method: M, start: Vec<f64>, stopping: Stopping) -> Box<dyn Asking> {
    let states = Iterations::new(Known::default(), method, start, stopping);
    Box::new(Minimisation { states, history: Vec::new() })
}

struct Minimisation<M: Method> {
    states: Iterations<Known, M>,
    history: Vec<f64>,
}

impl<M: Method> Asking for Minimisation<M> {
    fn wanted(&mut self) -> Option<Vec<f64>> {
        loop {
            match self.states.next_state() {
                Ok(Some(state)) => {
                    self.history.push(state.adjusted_value);
                    let x = state.x.clone();
                    // The next step begins at the state, and its search asks for nothing that lies before it.
                    self.states.function_mut().evaluations.retain(|known| same(&known.x, &x));
                }
                Ok(None) => return None,
                Err(Unknown) => return self.states.function_mut().wanted.clone(),
            }
        }
    }

    fn tell(&mut self, value: f64, gradient: Vec<f64>) {
        let known = self.states.function_mut();
        if let Some(x) = known.wanted.take() {
            known.evaluations.push(Evaluation { x, value, gradient });
        }
    }

    fn state(&self) -> Option<&State> {
        self.states.state()
    }

    fn history(&self) -> &[f64] {
        &self.history
    }
}

/// What is known of a function.
#[derive(Debug, Default)]
struct Known {
    evaluations: Vec<Evaluation>,
    wanted: Option<Vec<f64>>,
}

#[derive(Debug)]
struct Evaluation {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// The function is not known at the point that is wanted.
struct Unknown;

impl DiffFunction for Known {
    type Error = Unknown;

    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Unknown> {
        match self.evaluations.iter().find(|known| same(&known.x, x)) {
            Some(known) => {
                gradient.copy_from_slice(&known.gradient);
                Ok(known.value)
            }
            None => {
                self.wanted = Some(x.to_vec());
                Err(Unknown)
            }
        }
    }
}

/// Whether two points are one; a NaN is itself.
fn same(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a == b || a.to_bits() == b.to_bits())
}
