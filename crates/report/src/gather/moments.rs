//! Count, range, mean and deviation of numbers.

use serde::{Deserialize, Serialize};

/// What is known of numbers that were seen once; NaN and infinities are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moments {
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
    mean: f64,
    /// Sum of squares of distances from the mean.
    squares: f64,
}

impl Default for Moments {
    fn default() -> Moments {
        Moments {
            n_finite: 0,
            n_nan: 0,
            n_infinite: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            mean: 0.0,
            squares: 0.0,
        }
    }
}

impl Moments {
    /// Takes in numbers; the smallest and the largest finite one of them.
    pub fn add(&mut self, values: &[f64]) -> (f64, f64) {
        let sum = sum(values, |value| value);
        if sum.is_finite() {
            return self.add_finite(values, sum);
        }
        // A NaN or an infinity among them, or a sum beyond all doubles.
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let n_nan = values.iter().filter(|value| value.is_nan()).count();
        self.n_nan += n_nan as u64;
        self.n_infinite += (values.len() - finite.len() - n_nan) as u64;
        let total = finite.iter().sum();
        self.add_finite(&finite, total)
    }

    fn add_finite(&mut self, values: &[f64], sum_of_values: f64) -> (f64, f64) {
        if values.is_empty() {
            return (f64::INFINITY, f64::NEG_INFINITY);
        }
        let n = values.len() as f64;
        let mean = sum_of_values / n;
        let (min, max) = range(values);
        let part = Moments {
            n_finite: values.len() as u64,
            min,
            max,
            mean,
            squares: sum(values, |value| (value - mean) * (value - mean)),
            ..Moments::default()
        };
        self.merge(&part);
        (min, max)
    }

    /// Takes in what another one has seen (Chan, Golub and LeVeque 1983).
    pub fn merge(&mut self, later: &Moments) {
        self.n_nan += later.n_nan;
        self.n_infinite += later.n_infinite;
        if later.n_finite == 0 {
            return;
        }
        let (n_a, n_b) = (self.n_finite as f64, later.n_finite as f64);
        let distance = later.mean - self.mean;
        let n = n_a + n_b;
        self.mean += distance * (n_b / n);
        self.squares += later.squares + distance * distance * (n_a / n * n_b);
        self.n_finite += later.n_finite;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
    }

    /// The mean; `None` without a number.
    pub fn mean(&self) -> Option<f64> {
        (self.n_finite > 0).then_some(self.mean)
    }

    /// The standard deviation of a sample; `None` for fewer than two numbers.
    pub fn deviation(&self) -> Option<f64> {
        (self.n_finite > 1).then(|| (self.squares / (self.n_finite - 1) as f64).sqrt())
    }
}

const N_LANES: usize = 8;

/// The sum of a function of the values, in lanes that the processor adds side by side.
fn sum(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; N_LANES];
    let chunks = values.chunks_exact(N_LANES);
    let rest: f64 = chunks.remainder().iter().map(|&value| of(value)).sum();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += of(value);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

fn range(values: &[f64]) -> (f64, f64) {
    let (mut least, mut most) = ([f64::INFINITY; N_LANES], [f64::NEG_INFINITY; N_LANES]);
    let chunks = values.chunks_exact(N_LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &value) in chunk.iter().enumerate() {
            least[lane] = if value < least[lane] { value } else { least[lane] };
            most[lane] = if value > most[lane] { value } else { most[lane] };
        }
    }
    let least = least.iter().chain(rest).copied().fold(f64::INFINITY, f64::min);
    (least, most.iter().chain(rest).copied().fold(f64::NEG_INFINITY, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        moments.add(values);
        moments
    }

    #[test]
    fn moments_are_those_of_the_textbook() {
        // python3 -c 'import statistics as s; v=[2,4,4,4,5,5,7,9]; print(s.mean(v), s.stdev(v))'
        let moments = of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert!((moments.mean().unwrap() - 5.0).abs() < 1e-14);
        assert!((moments.deviation().unwrap() - 2.138_089_935_299_395).abs() < 1e-14);
        assert!((moments.min - 2.0).abs() + (moments.max - 9.0).abs() < 1e-14);
    }

    #[test]
    fn a_cut_anywhere_gives_the_same_but_for_rounding() {
        let values: Vec<f64> = (0..1000).map(|i| 1e6 + f64::from(i % 37).sqrt()).collect();
        let whole = of(&values);
        for cut in [0, 1, 7, 500, 1000] {
            let mut parts = of(&values[..cut]);
            parts.merge(&of(&values[cut..]));
            assert!((parts.deviation().unwrap() / whole.deviation().unwrap() - 1.0).abs() < 1e-9, "{cut}");
            assert_eq!(
                (parts.n_finite, parts.min.to_bits(), parts.max.to_bits()),
                (1000, whole.min.to_bits(), whole.max.to_bits())
            );
        }
    }

    #[test]
    fn what_is_no_number_is_counted_apart() {
        let moments = of(&[1.0, f64::NAN, f64::INFINITY, 3.0, f64::NEG_INFINITY]);
        assert_eq!((moments.n_finite, moments.n_nan, moments.n_infinite), (2, 1, 2));
        assert!((moments.mean().unwrap() - 2.0).abs() < 1e-14);
        assert_eq!((of(&[]).mean(), of(&[1.0]).deviation()), (None, None));
    }
}
