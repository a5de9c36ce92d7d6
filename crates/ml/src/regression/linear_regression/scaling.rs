//! How a descent scales features: to unit deviation, that of a sample (÷ W − 1).

use super::moments::Moments;

/// Mean and deviation of each feature, and what passes make of them.
#[derive(Debug, Clone)]
pub(super) struct Scaling {
    pub(super) mean: Vec<f64>,
    pub(super) std: Vec<f64>,
    /// 1 / deviation; 0 for a constant feature.
    pub(super) reciprocals: Vec<f64>,
    /// Mean of each scaled feature.
    pub(super) scaled_mean: Vec<f64>,
}

impl Scaling {
    pub(super) fn of(seen: &Moments) -> Scaling {
        let (mean, std) = (seen.features.mean(), seen.features.std());
        let reciprocals: Vec<f64> = std.iter().map(|&std| if std == 0.0 { 0.0 } else { 1.0 / std }).collect();
        let scaled_mean = reciprocals.iter().zip(&mean).map(|(reciprocal, mean)| reciprocal * mean).collect();
        Scaling { mean, std, reciprocals, scaled_mean }
    }

    pub(super) fn n_features(&self) -> usize {
        self.std.len()
    }

    /// The deviations, +∞ for a constant feature: dividing by it leaves nothing.
    pub(super) fn divisors(&self) -> Vec<f64> {
        self.std.iter().map(|&std| if std == 0.0 { f64::INFINITY } else { std }).collect()
    }
}
