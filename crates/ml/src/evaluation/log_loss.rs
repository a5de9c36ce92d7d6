//! How surprised the probabilities are by the labels.

use ognivo_data::vector::VectorRef;
use serde::{Deserialize, Serialize};

/// The weighted mean of −ln of the probability that each label was given: the state of a pass.
///
/// Same as Spark (`MulticlassMetrics.logLoss`): a probability below `eps` counts as `eps`, one above `1 − eps` as `1 − eps`, and
/// NaN makes the mean NaN.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LogLoss {
    eps: f64,
    loss: f64,
    weight: f64,
}

/// A label has no probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoProbability {
    /// It is not 0, 1, 2, …
    NotAClass,
    /// There are probabilities of fewer classes.
    Beyond,
}

impl LogLoss {
    /// Nothing seen yet; `eps` is above 0 and below ½.
    pub fn new(eps: f64) -> LogLoss {
        LogLoss { eps, loss: 0.0, weight: 0.0 }
    }

    /// Takes in one row.
    ///
    /// # Errors
    /// [`NoProbability`].
    pub fn add(&mut self, label: f64, probabilities: VectorRef<'_>, weight: f64) -> Result<(), NoProbability> {
        if label < 0.0 || label.fract() != 0.0 || label > f64::from(i32::MAX) {
            return Err(NoProbability::NotAClass);
        }
        let class = label as usize;
        if class >= probabilities.size() {
            return Err(NoProbability::Beyond);
        }
        self.loss += self.loss_of(slot(probabilities, class)) * weight;
        self.weight += weight;
        Ok(())
    }

    fn loss_of(&self, probability: f64) -> f64 {
        if probability < self.eps {
            -self.eps.ln()
        } else if probability > 1.0 - self.eps {
            -(-self.eps).ln_1p()
        } else {
            -probability.ln()
        }
    }

    /// Takes in what another one has seen.
    pub fn merge(&mut self, later: LogLoss) {
        self.loss += later.loss;
        self.weight += later.weight;
    }

    /// The mean over the rows seen; NaN when they have no weight.
    pub fn mean(&self) -> f64 {
        self.loss / self.weight
    }
}

fn slot(vector: VectorRef<'_>, slot: usize) -> f64 {
    match vector {
        VectorRef::Dense(values) => values[slot],
        VectorRef::Sparse { indices, values, .. } => {
            let stored = indices.iter().position(|&index| index as usize == slot);
            stored.map_or(0.0, |position| values[position])
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "one logarithm and one division are the same operations on both sides")]

    use super::*;

    fn of(label: f64, probabilities: VectorRef<'_>) -> Result<f64, NoProbability> {
        let mut loss = LogLoss::new(1e-3);
        loss.add(label, probabilities, 2.0)?;
        Ok(loss.mean())
    }

    #[test]
    fn probabilities_near_0_and_1_are_clipped() {
        assert_eq!(of(1.0, VectorRef::Dense(&[0.75, 0.25])), Ok(-(0.25_f64.ln())));
        assert_eq!(of(1.0, VectorRef::Dense(&[1.0, 0.0])), Ok(-(1e-3_f64.ln())));
        assert_eq!(of(0.0, VectorRef::Dense(&[1.0, 0.0])), Ok(-(-1e-3_f64).ln_1p()));
    }

    #[test]
    fn a_slot_that_is_not_stored_is_0() {
        let one_of_three = VectorRef::Sparse { size: 3, indices: &[1], values: &[0.5] };
        assert_eq!(of(1.0, one_of_three), Ok(-(0.5_f64.ln())));
        assert_eq!(of(2.0, one_of_three), Ok(-(1e-3_f64.ln())));
    }

    #[test]
    fn a_label_that_is_no_class_has_no_probability() {
        let two = VectorRef::Dense(&[0.5, 0.5]);
        for label in [-1.0, 0.5, 3e9, f64::INFINITY, f64::NAN] {
            assert_eq!(of(label, two), Err(NoProbability::NotAClass), "{label}");
        }
        assert_eq!(of(2.0, two), Err(NoProbability::Beyond));
    }
}
