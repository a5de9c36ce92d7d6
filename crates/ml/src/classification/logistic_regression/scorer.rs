//! Margins to probabilities and predictions.

use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use crate::classification::softmax::{argmax, softmax, softmax_2_4};

/// Margins to raw predictions, probabilities and labels.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Decision {
    /// Spark 2.4 computes both probabilities of a binary model apart.
    is_2_4: bool,
    kind: Kind,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Kind {
    Binomial {
        /// Label 1 is predicted above this probability.
        threshold: f64,
    },
    Multinomial {
        n_classes: usize,
        thresholds: Option<Vec<f64>>,
    },
}

impl Decision {
    pub(super) fn binomial(version: SparkVersion, threshold: f64) -> Decision {
        Decision { is_2_4: version == SparkVersion::V2_4, kind: Kind::Binomial { threshold } }
    }

    pub(super) fn multinomial(version: SparkVersion, n_classes: usize, thresholds: Option<Vec<f64>>) -> Decision {
        Decision { is_2_4: version == SparkVersion::V2_4, kind: Kind::Multinomial { n_classes, thresholds } }
    }

    /// Slots of raw predictions and probabilities.
    pub(super) fn n_classes(&self) -> usize {
        match self.kind {
            Kind::Binomial { .. } => 2,
            Kind::Multinomial { n_classes, .. } => n_classes,
        }
    }

    /// `n_rows × n_classes` raw predictions: a binary margin `m` becomes `−m, m`.
    pub(super) fn raw(&self, margins: &[f64]) -> Vec<f64> {
        match self.kind {
            Kind::Binomial { .. } => margins.iter().flat_map(|&margin| [-margin, margin]).collect(),
            Kind::Multinomial { .. } => margins.to_vec(),
        }
    }

    /// `n_rows × n_classes` probabilities.
    pub(super) fn probabilities(&self, margins: &[f64]) -> Vec<f64> {
        match self.kind {
            Kind::Binomial { .. } if self.is_2_4 => {
                margins.iter().flat_map(|&margin| [sigmoid(-margin), sigmoid(margin)]).collect()
            }
            Kind::Binomial { .. } => {
                let probabilities = |&margin: &f64| {
                    let of_0 = sigmoid(-margin);
                    [of_0, 1.0 - of_0]
                };
                margins.iter().flat_map(probabilities).collect()
            }
            Kind::Multinomial { n_classes, .. } => {
                let mut values = margins.to_vec();
                let softmax = if self.is_2_4 { softmax_2_4 } else { softmax };
                values.chunks_exact_mut(n_classes).for_each(softmax);
                values
            }
        }
    }

    /// The label of each row, from its margins.
    pub(super) fn labels_of_margins(&self, margins: &[f64]) -> Vec<f64> {
        match &self.kind {
            Kind::Binomial { threshold } => {
                let margin_threshold = match *threshold {
                    0.0 => f64::NEG_INFINITY,
                    1.0 => f64::INFINITY,
                    threshold => (threshold / (1.0 - threshold)).ln(),
                };
                margins.iter().map(|&margin| label(margin > margin_threshold)).collect()
            }
            Kind::Multinomial { n_classes, thresholds: None } => {
                margins.chunks_exact(*n_classes).map(|margins| argmax(margins) as f64).collect()
            }
            Kind::Multinomial { thresholds: Some(_), .. } => self.labels_of_probabilities(&self.probabilities(margins)),
        }
    }

    /// The label of each row, from its probabilities: what Spark does when there is no column of raw predictions.
    pub(super) fn labels_of_probabilities(&self, probabilities: &[f64]) -> Vec<f64> {
        match &self.kind {
            Kind::Binomial { threshold } => {
                probabilities.chunks_exact(2).map(|of_row| label(of_row[1] > *threshold)).collect()
            }
            Kind::Multinomial { n_classes, thresholds: None } => {
                probabilities.chunks_exact(*n_classes).map(|of_row| argmax(of_row) as f64).collect()
            }
            Kind::Multinomial { n_classes, thresholds: Some(thresholds) } => {
                probabilities.chunks_exact(*n_classes).map(|of_row| largest_share(of_row, thresholds) as f64).collect()
            }
        }
    }

    /// The label of each row when there are neither raw predictions nor probabilities.
    pub(super) fn labels_alone(&self, margins: &[f64]) -> Vec<f64> {
        match &self.kind {
            Kind::Binomial { threshold } => margins.iter().map(|&margin| label(sigmoid(margin) > *threshold)).collect(),
            Kind::Multinomial { .. } => self.labels_of_margins(margins),
        }
    }
}

fn sigmoid(margin: f64) -> f64 {
    1.0 / (1.0 + (-margin).exp())
}

fn label(is_one: bool) -> f64 {
    if is_one { 1.0 } else { 0.0 }
}

/// The first class with the largest probability / threshold. A threshold of 0 makes it infinite, or NaN, which never wins.
fn largest_share(probabilities: &[f64], thresholds: &[f64]) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (class, (probability, threshold)) in probabilities.iter().zip(thresholds).enumerate() {
        let share = probability / threshold;
        if share > best.1 {
            best = (class, share);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "labels and zeros are exact")]

    use super::*;

    #[test]
    fn the_threshold_is_strict_and_its_ends_are_infinite() {
        let labels = |threshold: f64, margins: &[f64]| {
            Decision::binomial(SparkVersion::V3_5, threshold).labels_of_margins(margins)
        };
        assert_eq!(labels(0.5, &[0.0, 1e-300, f64::NAN]), [0.0, 1.0, 0.0]);
        assert_eq!(labels(0.0, &[-1e300, f64::NEG_INFINITY]), [1.0, 0.0]);
        assert_eq!(labels(1.0, &[1e300, f64::INFINITY]), [0.0, 0.0]);
        assert_eq!(labels(0.8, &[1.38, 1.39]), [0.0, 1.0]);
    }

    #[test]
    fn probabilities_of_2_4_are_computed_apart() {
        let of = |version| Decision::binomial(version, 0.5).probabilities(&[-40.0]);
        assert_eq!(of(SparkVersion::V3_5), [1.0, 0.0]);
        assert_eq!(of(SparkVersion::V2_4), [1.0, sigmoid(-40.0)]);
        assert!(sigmoid(-40.0) > 0.0);
    }

    #[test]
    fn thresholds_divide_probabilities() {
        let thresholds = Some(vec![0.5, 0.1, 0.0]);
        let decision = Decision::multinomial(SparkVersion::V3_5, 3, thresholds);
        assert_eq!(decision.labels_of_probabilities(&[0.6, 0.4, 0.0, 0.6, 0.3, 0.1]), [1.0, 2.0]);
    }
}
