//! The penalty on large coefficients that is part of the minimised function.

/// The L2 penalty `½ λ Σ β²`; intercepts are free.
#[derive(Debug, Clone)]
pub(crate) struct L2 {
    pub(crate) weight: f64,
    /// Deviation of each feature when the penalty is to see the features as they were; absent otherwise.
    pub(crate) std: Option<Vec<f64>>,
}

impl L2 {
    /// Adds the gradient and returns the value; `x` and `gradient` are those of the coefficients alone.
    pub(crate) fn add(&self, x: &[f64], n_sets: usize, gradient: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (at, (&coefficient, slope)) in x.iter().zip(gradient).enumerate() {
            let std = self.std.as_ref().map_or(1.0, |std| std[at / n_sets]);
            if std == 0.0 {
                continue;
            }
            let scaled = if self.std.is_some() { coefficient / (std * std) } else { coefficient };
            sum += coefficient * scaled;
            *slope += self.weight * scaled;
        }
        0.5 * sum * self.weight
    }
}
