//! The same runs as `fixtures/spark/breeze_steps.scala`, against what Breeze 2.1.0 printed there.

use std::convert::Infallible;

use super::*;

struct Function(fn(&[f64], &mut [f64]) -> f64);

impl DiffFunction for Function {
    type Error = Infallible;
    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Infallible> {
        Ok((self.0)(x, gradient))
    }
}

fn quadratic(x: &[f64], g: &mut [f64]) -> f64 {
    let mut value = 0.0;
    for i in 0..x.len() {
        let d = x[i] - i as f64 / 2.0;
        value += (i + 1) as f64 * d * d;
        g[i] = 2.0 * (i + 1) as f64 * d;
    }
    g[0] += x[1];
    g[1] += x[0];
    value + x[0] * x[1]
}

fn rosenbrock(x: &[f64], g: &mut [f64]) -> f64 {
    let mut value = 0.0;
    g.fill(0.0);
    for i in 0..x.len() - 1 {
        let a = x[i + 1] - x[i] * x[i];
        let b = 1.0 - x[i];
        value += 100.0 * a * a + b * b;
        g[i] += -400.0 * a * x[i] - 2.0 * b;
        g[i + 1] += 200.0 * a;
    }
    value
}

fn log_cosh(x: &[f64], g: &mut [f64]) -> f64 {
    let weight = |k: usize, i: usize| ((k * 7 + i * 3) % 5) as f64 - 2.0;
    let mut value = 0.0;
    g.fill(0.0);
    for k in 0..6 {
        let margin = (0..x.len()).fold(0.5 * k as f64 - 1.0, |sum, i| sum + weight(k, i) * x[i]);
        value += margin.cosh().ln();
        (0..x.len()).for_each(|i| g[i] += weight(k, i) * margin.tanh());
    }
    value
}

#[derive(serde::Deserialize)]
struct Run {
    name: String,
    iterations: usize,
    reason: String,
    history: Vec<f64>,
    x: Vec<f64>,
}

/// What Breeze 2.1.0 printed for the run of this name.
fn breeze(name: &str) -> Run {
    let runs: Vec<Run> = serde_json::from_str(include_str!("../../../../fixtures/spark/breeze_steps.json")).unwrap();
    runs.into_iter().find(|run| run.name == name).unwrap()
}

fn reason(converged: Converged) -> &'static str {
    match converged {
        Converged::MaxIterations => "max iterations reached",
        Converged::FunctionValues => "function values converged",
        Converged::Gradient => "gradient converged",
        Converged::ProjectedStep => "projected step converged",
        Converged::SearchFailed => "line search failed!",
    }
}

fn stopping(max_iter: usize, tolerance: f64) -> Stopping {
    Stopping { max_iter, tolerance, breeze: BreezeVersion::V2_1 }
}

#[track_caller]
fn check(name: &str, method: impl Method, f: fn(&[f64], &mut [f64]) -> f64, start: &[f64], stop: Stopping) {
    let expect = breeze(name);
    let mut states = Iterations::new(Function(f), method, start.to_vec(), stop);
    let mut history = Vec::new();
    while let Some(state) = states.next_state().unwrap() {
        history.push(state.adjusted_value);
    }
    let last = states.state().unwrap();
    assert_eq!(history.len(), expect.history.len(), "{name}: {history:?}");
    for (at, (ours, theirs)) in history.iter().zip(&expect.history).enumerate() {
        assert!((ours - theirs).abs() <= 1e-9 * theirs.abs() + 1e-14, "{name}, state {at}: {ours} against {theirs}");
    }
    for (ours, theirs) in last.x.iter().zip(&expect.x) {
        assert!((ours - theirs).abs() <= 1e-9, "{name}: {:?} against {:?}", last.x, expect.x);
    }
    assert_eq!(
        (last.iteration, reason(states.ended().unwrap())),
        (expect.iterations, expect.reason.as_str()),
        "{name}"
    );
}

const START_3: [f64; 3] = [3.0, -2.0, 0.5];
const START_2: [f64; 2] = [-1.2, 1.0];
const START_10: [f64; 10] = [-1.2, 1.0, -1.2, 1.0, -1.2, 1.0, -1.2, 1.0, -1.2, 1.0];
const INF: f64 = f64::INFINITY;

#[test]
fn lbfgs_takes_the_steps_of_breeze() {
    check("lbfgs quadratic", Lbfgs::default(), quadratic, &START_3, stopping(100, 1e-9));
    check("lbfgs rosenbrock 2", Lbfgs::default(), rosenbrock, &START_2, stopping(100, 1e-9));
    check("lbfgs rosenbrock 10", Lbfgs::default(), rosenbrock, &START_10, stopping(200, 1e-9));
    check("lbfgs log-cosh", Lbfgs::default(), log_cosh, &START_3, stopping(100, 1e-6));
}

#[test]
fn owlqn_takes_the_steps_of_breeze() {
    check("owlqn quadratic", Owlqn::new(vec![1.5, 1.5, 0.0]), quadratic, &START_3, stopping(100, 1e-9));
    check("owlqn rosenbrock 2", Owlqn::new(vec![0.3; 2]), rosenbrock, &START_2, stopping(100, 1e-9));
    check("owlqn log-cosh", Owlqn::new(vec![0.8; 3]), log_cosh, &START_3, stopping(100, 1e-6));
    check("owlqn from zero", Owlqn::new(vec![0.5; 3]), log_cosh, &[0.0; 3], stopping(100, 1e-6));
}

#[test]
fn lbfgsb_takes_the_steps_of_breeze() {
    let bounds = |lower: &[f64], upper: &[f64]| Lbfgsb::new(lower.to_vec(), upper.to_vec());
    check("lbfgsb quadratic", bounds(&[0.5, -INF, -1.0], &[INF, 0.25, 0.75]), quadratic, &START_3, stopping(100, 1e-9));
    check("lbfgsb rosenbrock 2", bounds(&[-1.5, -INF], &[0.5, 2.0]), rosenbrock, &START_2, stopping(100, 1e-9));
    check(
        "lbfgsb rosenbrock 10",
        bounds(&[-1.5; 10], &[0.9; 10]),
        rosenbrock,
        &START_10.map(|x| x.min(0.9)),
        stopping(200, 1e-9),
    );
    check("lbfgsb log-cosh", bounds(&[-0.1, -INF, 0.2], &[INF, 0.1, INF]), log_cosh, &START_3, stopping(100, 1e-6));
    check("lbfgsb free", bounds(&[-INF; 10], &[INF; 10]), rosenbrock, &START_10, stopping(30, 1e-9));
}

#[test]
fn the_accepted_point_of_a_line_search_is_not_evaluated_again() {
    let mut states = Iterations::new(Function(quadratic), Lbfgs::default(), START_3.to_vec(), stopping(1, 1e-9));
    states.next_state().unwrap();
    assert_eq!(states.n_evaluations(), 1);
    states.next_state().unwrap();
    let after_one_step = states.n_evaluations();
    assert!(states.next_state().unwrap().is_none());
    assert_eq!(states.n_evaluations(), after_one_step);
}

#[test]
fn a_failed_search_repeats_the_state_once_and_then_gives_up() {
    // The gradient points up everywhere, so no step decreases.
    fn lying(x: &[f64], g: &mut [f64]) -> f64 {
        g[0] = -1.0;
        x[0]
    }
    let mut states = Iterations::new(Function(lying), Lbfgs::default(), vec![0.0], stopping(10, 1e-9));
    let mut n_states = 0;
    while let Some(state) = states.next_state().unwrap() {
        assert_eq!((state.iteration, state.x[0]), (0, 0.0));
        n_states += 1;
    }
    assert_eq!((n_states, states.ended()), (3, Some(Converged::SearchFailed)));
}

#[test]
fn an_evaluation_that_fails_ends_the_minimisation() {
    struct Broken;
    impl DiffFunction for Broken {
        type Error = &'static str;
        fn value_gradient(&mut self, _: &[f64], _: &mut [f64]) -> Result<f64, &'static str> {
            Err("the pass failed")
        }
    }
    let mut states = Iterations::new(Broken, Lbfgs::default(), vec![0.0], stopping(10, 1e-9));
    assert_eq!(states.next_state(), Err("the pass failed"));
}

#[test]
fn the_signed_tolerance_of_breeze_0_13_never_fires_on_negative_objectives() {
    fn sunk(x: &[f64], g: &mut [f64]) -> f64 {
        g[0] = 2.0 * x[0];
        x[0] * x[0] - 1e6
    }
    let ended = |breeze| {
        let stop = Stopping { max_iter: 100, tolerance: 1e-3, breeze };
        let mut states = Iterations::new(Function(sunk), Lbfgs::default(), vec![3.0], stop);
        states.next_state().unwrap();
        states.ended()
    };
    // |gradient| = 6 ≤ 1e-3 · |−1e6|, but not ≤ max(1e-3 · −1e6, 1e-8)
    assert_eq!(ended(BreezeVersion::V2_1), Some(Converged::Gradient));
    assert_eq!(ended(BreezeVersion::V0_13), None);
}
