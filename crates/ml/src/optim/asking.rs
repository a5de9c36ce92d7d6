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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{BreezeVersion, Lbfgs, Lbfgsb, Owlqn};

    /// A function with a narrow curved valley; `edge` is where it ends in NaN.
    #[derive(Clone, Copy)]
    struct Valley {
        edge: f64,
    }

    impl Valley {
        fn at(self, x: &[f64]) -> (f64, Vec<f64>) {
            let (a, b) = (x[0], x[1]);
            let bend = b - a * a;
            let value = if a > self.edge { f64::NAN } else { 20.0 * bend * bend + (1.0 - a) * (1.0 - a) };
            (value, vec![-80.0 * a * bend - 2.0 * (1.0 - a), 40.0 * bend])
        }
    }

    impl DiffFunction for Valley {
        type Error = std::convert::Infallible;
        fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Self::Error> {
            let (value, slopes) = self.at(x);
            gradient.copy_from_slice(&slopes);
            Ok(value)
        }
    }

    /// The bits of the last point and of every objective are the same from outside and from inside; returns how many states there are.
    #[track_caller]
    fn check<M: Method + Clone + 'static>(method: M, valley: Valley, start: [f64; 2]) -> usize {
        let stopping = Stopping { max_iter: 60, tolerance: 1e-9, breeze: BreezeVersion::V2_1 };
        let mut inside = Iterations::new(valley, method.clone(), start.to_vec(), stopping);
        let mut history = Vec::new();
        while let Ok(Some(state)) = inside.next_state() {
            history.push(state.adjusted_value.to_bits());
        }
        let mut outside = asking(method, start.to_vec(), stopping);
        let mut n_told = 0;
        while let Some(x) = outside.wanted() {
            assert!(outside.wanted().is_some_and(|again| same(&again, &x)), "asked again it wants the same");
            let (value, gradient) = valley.at(&x);
            outside.tell(value, gradient);
            n_told += 1;
        }
        assert_eq!(outside.history().iter().map(|value| value.to_bits()).collect::<Vec<_>>(), history);
        let bits = |state: Option<&State>| state.unwrap().x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(outside.state()), bits(inside.state()));
        assert!(n_told <= inside.n_evaluations(), "{n_told} evaluations told, {} made", inside.n_evaluations());
        history.len()
    }

    #[test]
    fn a_minimisation_that_asks_takes_the_steps_of_one_that_evaluates() {
        let mut n_states = [0; 3];
        for edge in [f64::INFINITY, 0.8] {
            let valley = Valley { edge };
            for start in [[-1.2, 1.0], [0.0, 0.0], [0.5, -3.0]] {
                n_states[0] += check(Lbfgs::default(), valley, start);
                n_states[1] += check(Owlqn::new(vec![0.3, 0.0]), valley, start);
                n_states[2] += check(Lbfgsb::new(vec![-2.0, -4.0], vec![0.7, 3.0]), valley, start);
            }
        }
        assert!(n_states.iter().all(|&n| n > 30), "{n_states:?}");
    }
}
