//! L-BFGS within bounds on the variables.

use super::dense::Dense;
use super::lbfgs::straight_step;
use super::line_search::StrongWolfe;
use super::{Cached, Converged, DiffFunction, Method, NoStep, SearchError, State, dot, norm2};

/// L-BFGS within bounds (Byrd, Lu, Nocedal, Zhu 1995) with a strong Wolfe line search inside the box.
///
/// The start must lie within the bounds.
///
/// Same as Breeze (`LBFGSB.scala`). Differs from Breeze where Breeze ends the program: a step bound that rounding left at or
/// below 0 counts as a failed search, one just below 1 becomes the first step tried, and a pair whose matrix has no inverse is
/// not remembered. Breeze inverts with LAPACK, we by elimination with row pivots, so last bits can differ.
#[derive(Debug, Clone)]
pub struct Lbfgsb {
    /// Smallest value of each variable, −∞ for none.
    pub lower: Vec<f64>,
    /// Largest value of each variable, +∞ for none.
    pub upper: Vec<f64>,
    /// How many steps are remembered; Spark's 10.
    pub n_pairs: usize,
}

/// A pair is remembered when its curvature exceeds this times the norm (not the square) of its gradient change.
const CURVATURE_EPSILON: f64 = 2.2e-16;
/// A projected gradient step smaller than this in every variable ends the minimisation.
const PROJECTED_STEP_TOLERANCE: f64 = 1e-5;

/// The compact form `B = θ·I − W·M·Wᵀ` of the Hessian, and the pairs it was made of, oldest first.
#[derive(Debug, Clone)]
pub struct BoundedHessian {
    theta: f64,
    w: Dense,
    m: Dense,
    steps: Vec<Vec<f64>>,
    changes: Vec<Vec<f64>>,
}

impl Lbfgsb {
    /// The method with Spark's memory of 10 steps.
    ///
    /// # Panics
    /// When both bounds are not of one size.
    pub fn new(lower: Vec<f64>, upper: Vec<f64>) -> Lbfgsb {
        assert_eq!(lower.len(), upper.len(), "every variable needs both bounds");
        Lbfgsb { lower, upper, n_pairs: 10 }
    }

    fn pull_inside(&self, x: &mut [f64]) {
        for ((x, &lower), &upper) in x.iter_mut().zip(&self.lower).zip(&self.upper) {
            if *x > upper {
                *x = upper;
            }
            if *x < lower {
                *x = lower;
            }
        }
    }

    /// How far each variable can go against its gradient before it meets a bound, and its speed (0 when it is there).
    fn breakpoints(&self, x: &[f64], gradient: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut speeds = vec![0.0; x.len()];
        let mut times = vec![f64::MAX; x.len()];
        for i in 0..x.len() {
            let slope = gradient[i];
            if slope == 0.0 {
                continue;
            }
            let bound = if slope < 0.0 { self.upper[i] } else { self.lower[i] };
            times[i] = (x[i] - bound) / slope;
            speeds[i] = if times[i] == 0.0 { 0.0 } else { -slope };
        }
        (times, speeds)
    }

    /// The first minimum of the model along the projected gradient path (algorithm CP), and `c = Wᵀ(x_cauchy − x)`.
    fn cauchy_point(
        &self,
        memory: &BoundedHessian,
        x: &[f64],
        gradient: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>), NoStep> {
        let BoundedHessian { theta, w, m, .. } = memory;
        let n = x.len();
        let (times, mut speeds) = self.breakpoints(x, gradient);
        let mut point = x.to_vec();
        let mut p = w.transposed_times(&speeds);
        let mut c = vec![0.0; m.n_rows()];
        let mut slope = dot(gradient, &speeds);
        let mut curvature = -theta * slope - dot(&p, &m.times(&p));
        let mut to_minimum = -(slope / curvature);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
        let mut next = order.iter().position(|&i| times[i] != 0.0).ok_or(NoStep("every variable is at its bound"))?;

        let mut time = 0.0;
        while next < n && times[order[next]] - time <= to_minimum {
            let i = order[next];
            let segment = times[i] - time;
            point[i] = if speeds[i] > 0.0 { self.upper[i] } else { self.lower[i] };
            let moved = point[i] - x[i];
            c.iter_mut().zip(&p).for_each(|(c, p)| *c += p * segment);
            let row = w.row(i);
            let g = gradient[i];
            let scaled_row: Vec<f64> = row.iter().map(|value| value * g).collect();
            slope += segment * curvature + g * g + theta * g * moved - dot(&scaled_row, &m.times(&c));
            curvature += -theta * g * g - 2.0 * (g * dot(&row, &m.times(&p))) - g * g * dot(&row, &m.times(&row));
            p.iter_mut().zip(&scaled_row).for_each(|(p, value)| *p += value);
            speeds[i] = 0.0;
            to_minimum = -slope / curvature;
            time = times[i];
            next += 1;
        }
        let to_minimum = if to_minimum < 0.0 { 0.0 } else { to_minimum };
        time += to_minimum;
        for &i in &order[next..] {
            point[i] = x[i] + time * speeds[i];
        }
        c.iter_mut().zip(&p).for_each(|(c, p)| *c += p * to_minimum);
        Ok((point, c))
    }

    /// The minimum of the model over the variables that the Cauchy point leaves free, cut at the bounds (direct primal method).
    fn subspace_minimum(
        &self,
        memory: &BoundedHessian,
        cauchy: &[f64],
        x: &[f64],
        c: &[f64],
        gradient: &[f64],
    ) -> Result<Vec<f64>, NoStep> {
        let BoundedHessian { theta, w, m, .. } = memory;
        let inverse_theta = 1.0 / theta;
        let is_free = |&i: &usize| cauchy[i] != self.upper[i] && cauchy[i] != self.lower[i];
        let free: Vec<usize> = (0..x.len()).filter(is_free).collect();

        let from_memory = w.times(&m.times(c));
        let reduced = |i: &usize| gradient[*i] + (cauchy[*i] - x[*i]) * theta - from_memory[*i];
        let reduced: Vec<f64> = free.iter().map(reduced).collect();
        let wz = Dense::from_fn(w.n_cols(), free.len(), |row, col| w.get(free[col], row));
        let wz_transposed = Dense::from_fn(free.len(), w.n_cols(), |row, col| w.get(free[row], col));
        let v = m.times(&wz.times(&reduced));
        let scaled = wz.product(&wz_transposed);
        let scaled = Dense::from_fn(scaled.n_rows(), scaled.n_cols(), |row, col| scaled.get(row, col) * inverse_theta);
        let correction = m.product(&scaled);
        let identity = |row: usize, col: usize| f64::from(u8::from(row == col));
        let n = Dense::from_fn(m.n_rows(), m.n_rows(), |row, col| identity(row, col) - correction.get(row, col));
        let v = n.solve(&v).map_err(|_| NoStep("the subspace problem is singular"))?;
        let wzv = wz.transposed_times(&v);
        let squared = inverse_theta * inverse_theta;
        let moves = reduced.iter().zip(wzv).map(|(r, wzv)| -(r * inverse_theta + wzv * squared));
        let moves: Vec<f64> = moves.collect();

        let alpha = self.largest_move(cauchy, &free, &moves);
        let mut minimum = cauchy.to_vec();
        for (&i, step) in free.iter().zip(&moves) {
            minimum[i] += step * alpha;
        }
        Ok(minimum)
    }

    /// The largest `a ≤ 1` for which `cauchy + a · moves` stays within the bounds.
    fn largest_move(&self, cauchy: &[f64], free: &[usize], moves: &[f64]) -> f64 {
        free.iter().zip(moves).fold(1.0, |alpha: f64, (&i, &step)| {
            if step > 0.0 {
                alpha.min((self.upper[i] - cauchy[i]) / step)
            } else if step < 0.0 {
                alpha.min((self.lower[i] - cauchy[i]) / step)
            } else {
                alpha
            }
        })
    }

    /// The largest step along `direction` that stays within the bounds.
    fn step_bound(&self, x: &[f64], direction: &[f64]) -> f64 {
        let mut smallest = f64::INFINITY;
        for (i, &d) in direction.iter().enumerate() {
            if d != 0.0 {
                let bound = if d < 0.0 { self.lower[i] } else { self.upper[i] };
                smallest = smallest.min((bound - x[i]) / d);
            }
        }
        smallest
    }
}

impl BoundedHessian {
    /// The memory with one more pair; `None` when the pairs make no usable matrix.
    fn with(&self, step: Vec<f64>, change: Vec<f64>, n_pairs: usize) -> Option<BoundedHessian> {
        let first = (self.steps.len() + 1).saturating_sub(n_pairs);
        let appended = |known: &[Vec<f64>], new: Vec<f64>| {
            let mut all = known[first..].to_vec();
            all.push(new);
            all
        };
        let has_curvature = CURVATURE_EPSILON * norm2(&change) < dot(&step, &change).abs();
        if !has_curvature {
            return None;
        }
        let theta = dot(&change, &change) / dot(&change, &step);
        let steps = appended(&self.steps, step);
        let changes = appended(&self.changes, change);
        let k = steps.len();
        let n = steps[0].len();
        let w =
            Dense::from_fn(n, 2 * k, |row, col| if col < k { changes[col][row] } else { steps[col - k][row] * theta });
        // [ −D  Lᵀ ]      with  A = SᵀY,  D its diagonal,  L what lies strictly below it
        // [  L  θSᵀS ]
        let sy = Dense::from_fn(k, k, |row, col| dot(&steps[row], &changes[col]));
        let below = |row: usize, col: usize| if row > col { sy.get(row, col) } else { 0.0 };
        let middle = Dense::from_fn(2 * k, 2 * k, |row, col| match (row < k, col < k) {
            (true, true) if row == col => -sy.get(row, col),
            (true, true) => 0.0,
            (true, false) => below(col - k, row),
            (false, true) => below(row - k, col),
            (false, false) => dot(&steps[row - k], &steps[col - k]) * theta,
        });
        let m = middle.inverse().ok()?;
        Some(BoundedHessian { theta, w, m, steps, changes })
    }
}

impl Method for Lbfgsb {
    type Memory = BoundedHessian;

    fn forget(&self, n: usize) -> BoundedHessian {
        let (w, m) = (Dense::zeros(n, 2 * self.n_pairs), Dense::zeros(2 * self.n_pairs, 2 * self.n_pairs));
        BoundedHessian { theta: 1.0, w, m, steps: Vec::new(), changes: Vec::new() }
    }

    fn adjust(&self, _x: &[f64], value: f64, gradient: &[f64]) -> (f64, Vec<f64>) {
        (value, gradient.to_vec())
    }

    fn direction(&self, state: &State, memory: &BoundedHessian) -> Result<Vec<f64>, NoStep> {
        let (x, gradient) = (&state.x, &state.gradient);
        let (mut target, c) = self.cauchy_point(memory, x, gradient)?;
        self.pull_inside(&mut target);
        if state.iteration > 0 {
            target = self.subspace_minimum(memory, &target, x, &c, gradient)?;
            self.pull_inside(&mut target);
        }
        Ok(target.iter().zip(x).map(|(target, x)| target - x).collect())
    }

    fn step_size<F: DiffFunction>(
        &self,
        state: &State,
        f: &mut Cached<F>,
        direction: &[f64],
    ) -> Result<f64, SearchError<F::Error>> {
        let bound = self.step_bound(&state.x, direction);
        if bound <= 0.0 {
            return Err(NoStep("the direction leaves the bounds").into());
        }
        let phi = |t: f64| {
            let (value, gradient) = f.at(&self.step(state, direction, t))?;
            Ok((value, dot(gradient, direction)))
        };
        StrongWolfe { max_searches: 64, max_zooms: 64, bound }.minimize(phi, f64::min(1.0, bound))
    }

    fn step(&self, state: &State, direction: &[f64], size: f64) -> Vec<f64> {
        let mut x = straight_step(&state.x, direction, size);
        self.pull_inside(&mut x);
        x
    }

    fn remember(&self, memory: &mut BoundedHessian, step: Vec<f64>, gradient_change: Vec<f64>) {
        if let Some(updated) = memory.with(step, gradient_change, self.n_pairs) {
            *memory = updated;
        }
    }

    fn converged(&self, state: &State) -> Option<Converged> {
        let moves = (0..state.x.len()).map(|i| {
            let moved = state.x[i] - state.gradient[i];
            let target = if moved <= self.lower[i] {
                self.lower[i]
            } else if moved >= self.upper[i] {
                self.upper[i]
            } else {
                moved
            };
            (target - state.x[i]).abs()
        });
        (moves.fold(0.0, f64::max) < PROJECTED_STEP_TOLERANCE).then_some(Converged::ProjectedStep)
    }
}
