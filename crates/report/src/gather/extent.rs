//! Count, range and mean of all numbers of a column, in the time that reading them takes.

use serde::{Deserialize, Serialize};

/// What is known of numbers that were seen once; NaN and infinities are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    /// How many finite numbers there were.
    pub n_finite: u64,
    /// How many were NaN.
    pub n_nan: u64,
    /// How many were infinite.
    pub n_infinite: u64,
    /// The smallest finite number; infinity when there is none.
    pub min: f64,
    /// The largest finite number; negative infinity when there is none.
    pub max: f64,
    sum: f64,
}

impl Default for Extent {
    fn default() -> Extent {
        Extent { n_finite: 0, n_nan: 0, n_infinite: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0 }
    }
}

/// Numbers that the processor works on side by side.
const N_LANES: usize = 8;

impl Extent {
    /// Takes in values that `to_double` makes numbers of.
    pub(super) fn add<T: Copy>(&mut self, values: &[T], to_double: impl Fn(T) -> f64) {
        let part = Extent::of(values, &to_double);
        if part.sum.is_finite() {
            return self.merge(&part);
        }
        // A NaN or an infinity among them, or a sum beyond all doubles.
        let numbers = || values.iter().map(|&value| to_double(value));
        let finite: Vec<f64> = numbers().filter(|value| value.is_finite()).collect();
        let n_nan = numbers().filter(|value| value.is_nan()).count();
        let n_infinite = (values.len() - finite.len() - n_nan) as u64;
        self.merge(&Extent { n_nan: n_nan as u64, n_infinite, ..Extent::of(&finite, &|value| value) });
    }

    /// Of values that are finite numbers.
    fn of<T: Copy>(values: &[T], to_double: &impl Fn(T) -> f64) -> Extent {
        let (mut sums, mut least, mut most) = ([0.0; N_LANES], [f64::INFINITY; N_LANES], [f64::NEG_INFINITY; N_LANES]);
        let chunks = values.chunks_exact(N_LANES);
        let rest: Vec<f64> = chunks.remainder().iter().map(|&value| to_double(value)).collect();
        for chunk in chunks {
            for (lane, &value) in chunk.iter().enumerate() {
                let value = to_double(value);
                sums[lane] += value;
                least[lane] = if value < least[lane] { value } else { least[lane] };
                most[lane] = if value > most[lane] { value } else { most[lane] };
            }
        }
        Extent {
            n_finite: values.len() as u64,
            min: least.iter().chain(&rest).copied().fold(f64::INFINITY, f64::min),
            max: most.iter().chain(&rest).copied().fold(f64::NEG_INFINITY, f64::max),
            sum: sums.iter().chain(&rest).sum(),
            ..Extent::default()
        }
    }

    /// Takes in what another one has seen.
    pub(super) fn merge(&mut self, later: &Extent) {
        self.n_finite += later.n_finite;
        self.n_nan += later.n_nan;
        self.n_infinite += later.n_infinite;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.sum += later.sum;
    }

    /// The mean; `None` without a number, or when the sum is beyond all doubles.
    pub fn mean(&self) -> Option<f64> {
        (self.n_finite > 0 && self.sum.is_finite()).then(|| self.sum / self.n_finite as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_counted_apart() {
        let mut extent = Extent::default();
        let more: Vec<f64> = (0..20).map(f64::from).collect();
        extent.add(&[1.0, f64::NAN, f64::INFINITY, 3.0, f64::NEG_INFINITY], |value| value);
        extent.add(&more, |value| value);
        extent.add(&[0_i32; 0], f64::from);
        assert_eq!((extent.n_finite, extent.n_nan, extent.n_infinite), (22, 1, 2));
        assert!(extent.min.abs() < 1e-15 && (extent.max - 19.0).abs() < 1e-15);
        assert!((extent.mean().unwrap() - 194.0 / 22.0).abs() < 1e-12);
    }

    #[test]
    fn sums_beyond_all_doubles_have_no_mean_and_a_range() {
        let mut extent = Extent::default();
        extent.add(&[f64::MAX, f64::MAX], |value| value);
        assert_eq!((extent.mean(), extent.n_finite, extent.max.to_bits()), (None, 2, f64::MAX.to_bits()));
        assert_eq!(Extent::default().mean(), None);
    }
}
