//! Searches along a line: strong Wolfe by cubic interpolation, and back-tracking.
//!
//! Both repeat Breeze (`StrongWolfe.scala`, `BacktrackingLineSearch.scala`) and take the function along the line as
//! `phi(t) → (value, slope)`.

use super::{NoStep, SearchError};

/// Sufficient decrease.
const C1: f64 = 1e-4;
/// Curvature.
const C2: f64 = 0.9;

/// A point on the line.
#[derive(Debug, Clone, Copy)]
struct Bracket {
    t: f64,
    slope: f64,
    value: f64,
}

/// How long a strong Wolfe search may last, and how far it may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct StrongWolfe {
    pub(super) max_searches: usize,
    pub(super) max_zooms: usize,
    /// Largest step; a step that reaches it needs no flat slope.
    pub(super) bound: f64,
}

impl StrongWolfe {
    /// A step that decreases enough and where the slope has flattened enough, first tried at `init`.
    pub(super) fn minimize<E>(
        self,
        mut phi: impl FnMut(f64) -> Result<(f64, f64), E>,
        init: f64,
    ) -> Result<f64, SearchError<E>> {
        let mut at = |t: f64| -> Result<Bracket, SearchError<E>> {
            let (value, slope) = phi(t).map_err(SearchError::Evaluation)?;
            Ok(Bracket { t, slope, value })
        };
        let origin = at(0.0)?;
        if origin.slope > 0.0 {
            return Err(NoStep("the direction does not descend").into());
        }
        let mut low = origin;
        let mut t = init;
        for search in 0..self.max_searches {
            let c = at(t)?;
            if c.value.is_infinite() || c.value.is_nan() {
                t /= 2.0;
                continue;
            }
            if c.value > origin.value + C1 * t * origin.slope || (c.value >= low.value && search > 0) {
                return self.zoom(at, origin, low, c);
            }
            if c.slope.abs() <= C2 * origin.slope.abs() {
                return Ok(c.t);
            }
            if c.slope >= 0.0 {
                return self.zoom(at, origin, c, low);
            }
            low = c;
            if t == self.bound {
                return Ok(t);
            }
            t = (t * 1.5).min(self.bound);
        }
        Err(NoStep("the line search came to no end").into())
    }

    /// Narrows the bracket between `low`, the best point so far, and `high`.
    fn zoom<E>(
        self,
        mut at: impl FnMut(f64) -> Result<Bracket, SearchError<E>>,
        origin: Bracket,
        mut low: Bracket,
        mut high: Bracket,
    ) -> Result<f64, SearchError<E>> {
        for _ in 0..self.max_zooms {
            let t = if low.t > high.t { interpolate(high, low) } else { interpolate(low, high) };
            if t.is_nan() {
                break;
            }
            let c = at(t)?;
            if c.value > origin.value + C1 * c.t * origin.slope || c.value >= low.value {
                high = c;
                continue;
            }
            if c.slope.abs() <= C2 * origin.slope.abs() {
                return Ok(c.t);
            }
            if c.slope * (high.t - low.t) >= 0.0 {
                high = low;
            }
            low = c;
        }
        Err(NoStep("the bracket did not narrow to a step").into())
    }
}

/// The minimum of the cubic through both ends with their slopes, kept a tenth away from the ends; NaN passes.
fn interpolate(l: Bracket, r: Bracket) -> f64 {
    let d1 = l.slope + r.slope - 3.0 * (l.value - r.value) / (l.t - r.t);
    let d2 = (d1 * d1 - l.slope * r.slope).sqrt();
    let t = r.t - (r.t - l.t) * (r.slope + d2 - d1) / (r.slope - l.slope + 2.0 * d2);
    let lower = l.t + 0.1 * (r.t - l.t);
    let upper = l.t + 0.9 * (r.t - l.t);
    if t < lower {
        lower
    } else if t > upper {
        upper
    } else {
        t
    }
}

/// After so many tries the step before the last one is taken as it is.
const MAX_BACKTRACKS: usize = 20;
const GROW: f64 = 2.1;
const MIN_STEP: f64 = 1e-10;
const MAX_STEP: f64 = 1e10;

/// A step found by shrinking and growing `init` until it decreases enough and the slope has flattened.
///
/// A quirk of Breeze that decides steps: the first test takes `value_at_init` for the value at `init`, and OWL-QN passes the
/// value of the point it starts from, without the penalty.
pub(super) fn backtrack<E>(
    mut phi: impl FnMut(f64) -> Result<(f64, f64), E>,
    value_at_init: f64,
    init: f64,
    shrink: f64,
) -> Result<f64, SearchError<E>> {
    let mut phi = |t: f64| phi(t).map_err(SearchError::Evaluation);
    let (origin_value, origin_slope) = phi(0.0)?;
    let mut t = init;
    let mut value = value_at_init;
    let mut slope = phi(init)?.1;
    let mut n_tries = 0;
    loop {
        let factor = if value > origin_value + t * origin_slope * C1 {
            shrink
        } else if slope < C2 * origin_slope {
            GROW
        } else if slope > -C2 * origin_slope {
            shrink
        } else {
            return Ok(t);
        };
        let next = t * factor;
        if !(MIN_STEP..=MAX_STEP).contains(&next) {
            return Err(NoStep("the step became too small or too large").into());
        }
        let (next_value, next_slope) = phi(next)?;
        n_tries += 1;
        if n_tries == MAX_BACKTRACKS {
            return Ok(t);
        }
        (t, value, slope) = (next, next_value, next_slope);
    }
}
