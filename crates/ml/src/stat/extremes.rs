//! Smallest and largest value of every slot of a vector column, in one pass.

use ognivo_data::vector::VectorRef;
use serde::{Deserialize, Serialize};

use super::WrongSize;

/// Smallest and largest value of the slots of vectors.
///
/// Same as Spark (`SummarizerBuffer`, and `MultivariateOnlineSummarizer` in 2.4): only values other than 0 are visited, the
/// zeros enter at the end; NaN is neither small nor large, but counts as a value other than 0. A slot that holds nothing
/// but NaN keeps what it began with: the largest double as its smallest value, and the other way round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Extremes {
    min: Vec<f64>,
    max: Vec<f64>,
    /// How many values of each slot are not 0.
    n_nonzero: Vec<u64>,
    n_rows: u64,
    /// Size of the vectors, once one was seen.
    n_features: Option<usize>,
}

impl Extremes {
    /// Nothing seen yet.
    pub fn new() -> Extremes {
        Extremes::default()
    }

    /// Takes in one vector.
    ///
    /// # Errors
    /// [`WrongSize`].
    pub fn add(&mut self, vector: VectorRef<'_>) -> Result<(), WrongSize> {
        let size = vector.size();
        match self.n_features {
            None => {
                self.n_features = Some(size);
                (self.min, self.max) = (vec![f64::MAX; size], vec![f64::MIN; size]);
                self.n_nonzero = vec![0; size];
            }
            Some(expected) if expected != size => return Err(WrongSize { expected, found: size }),
            Some(_) => {}
        }
        self.n_rows += 1;
        vector.for_each_stored(|slot, value| {
            if value != 0.0 {
                self.n_nonzero[slot] += 1;
                // Written as comparisons, so that NaN changes nothing.
                if value < self.min[slot] {
                    self.min[slot] = value;
                }
                if value > self.max[slot] {
                    self.max[slot] = value;
                }
            }
        });
        Ok(())
    }

    /// Takes in what another one has seen.
    ///
    /// # Errors
    /// [`WrongSize`] when both saw vectors of different sizes.
    pub fn merge(&mut self, later: Extremes) -> Result<(), WrongSize> {
        match (self.n_features, later.n_features) {
            (_, None) => return Ok(()),
            (None, Some(_)) => *self = later,
            (Some(expected), Some(found)) if expected != found => return Err(WrongSize { expected, found }),
            (Some(_), Some(_)) => {
                self.n_rows += later.n_rows;
                for slot in 0..self.min.len() {
                    self.min[slot] = self.min[slot].min(later.min[slot]);
                    self.max[slot] = self.max[slot].max(later.max[slot]);
                    self.n_nonzero[slot] += later.n_nonzero[slot];
                }
            }
        }
        Ok(())
    }

    /// Size of the vectors; 0 when none was seen.
    pub fn n_features(&self) -> usize {
        self.n_features.unwrap_or(0)
    }

    /// Number of vectors.
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// The smallest value of each slot.
    pub fn min(&self) -> Vec<f64> {
        self.with_zeros(&self.min, |value| value > 0.0)
    }

    /// The largest value of each slot.
    pub fn max(&self) -> Vec<f64> {
        self.with_zeros(&self.max, |value| value < 0.0)
    }

    /// The values, where a slot has a 0 that `is_beyond` says is more extreme with that 0.
    fn with_zeros(&self, values: &[f64], is_beyond: impl Fn(f64) -> bool) -> Vec<f64> {
        let slots = values.iter().zip(&self.n_nonzero);
        slots.map(|(&value, &n)| if n < self.n_rows && is_beyond(value) { 0.0 } else { value }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[VectorRef<'_>]) -> Extremes {
        let mut extremes = Extremes::new();
        rows.iter().for_each(|row| extremes.add(*row).unwrap());
        extremes
    }

    #[test]
    fn zeros_count_without_being_visited() {
        let sparse = VectorRef::Sparse { size: 3, indices: &[1], values: &[-4.0] };
        let extremes = of(&[VectorRef::Dense(&[2.0, -3.0, 7.0]), sparse]);
        assert_eq!((extremes.min(), extremes.max()), (vec![0.0, -4.0, 0.0], vec![2.0, -3.0, 7.0]));
    }

    #[test]
    fn nan_is_neither_small_nor_large() {
        // Spark 3.5.9 and 4.3.0: MinMaxScaler of 1, 0, NaN has originalMin 0 and originalMax 1.
        let extremes = of(&[VectorRef::Dense(&[1.0]), VectorRef::Dense(&[0.0]), VectorRef::Dense(&[f64::NAN])]);
        assert_eq!((extremes.min(), extremes.max()), (vec![0.0], vec![1.0]));
        let of_nan = of(&[VectorRef::Dense(&[f64::NAN])]);
        assert_eq!((of_nan.min(), of_nan.max()), (vec![f64::MAX], vec![f64::MIN]));
    }

    #[test]
    fn merged_parts_give_the_whole() {
        let (first, second) = ([VectorRef::Dense(&[1.0, -1.0])], [VectorRef::Dense(&[5.0, 0.0])]);
        let mut parts = Extremes::new();
        parts.merge(of(&first)).unwrap();
        parts.merge(Extremes::new()).unwrap();
        parts.merge(of(&second)).unwrap();
        assert_eq!((parts.min(), parts.max()), (vec![1.0, -1.0], vec![5.0, 0.0]));
        assert_eq!(parts.merge(of(&[VectorRef::Dense(&[1.0])])), Err(WrongSize { expected: 2, found: 1 }));
    }
}
