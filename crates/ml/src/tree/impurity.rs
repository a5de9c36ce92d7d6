//! How mixed the labels of a node are.

use serde::{Deserialize, Serialize};

/// A measure of how mixed labels are, with the statistics that it is computed from.
///
/// Statistics are the weight of each class, or of [`Variance`](Impurity::Variance) three sums: of weights, of labels, and of
/// squared labels, both times the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Impurity {
    /// `1 − Σ share²` of the classes.
    Gini,
    /// `−Σ share · log₂ share` of the classes.
    Entropy,
    /// Mean squared distance from the mean.
    Variance,
}

impl Impurity {
    /// Spark's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Impurity::Gini => "gini",
            Impurity::Entropy => "entropy",
            Impurity::Variance => "variance",
        }
    }

    /// The impurity of rows with these statistics; 0 when they have no weight.
    ///
    /// Same as Spark, operation by operation; of entropy the last bit may differ where Java takes another logarithm.
    pub fn of(self, stats: &[f64]) -> f64 {
        let weight = self.weight(stats);
        if weight == 0.0 {
            return 0.0;
        }
        match self {
            Impurity::Gini => stats.iter().fold(1.0, |impurity, &of_class| {
                let share = of_class / weight;
                impurity - share * share
            }),
            Impurity::Entropy => stats.iter().filter(|&&of_class| of_class != 0.0).fold(0.0, |impurity, &of_class| {
                let share = of_class / weight;
                impurity - share * (share.ln() / std::f64::consts::LN_2)
            }),
            Impurity::Variance => {
                let squared_loss = stats[2] - (stats[1] * stats[1]) / weight;
                squared_loss / weight
            }
        }
    }

    /// The weight of the rows.
    pub fn weight(self, stats: &[f64]) -> f64 {
        match self {
            Impurity::Gini | Impurity::Entropy => stats.iter().fold(0.0, |sum, of_class| sum + of_class),
            Impurity::Variance => stats[0],
        }
    }

    /// What is predicted for rows with these statistics: the first of the heaviest classes, or the mean.
    pub fn prediction(self, stats: &[f64]) -> f64 {
        if self.weight(stats) == 0.0 {
            return 0.0;
        }
        match self {
            Impurity::Gini | Impurity::Entropy => {
                (1..stats.len()).fold(0, |best, class| if stats[class] > stats[best] { class } else { best }) as f64
            }
            Impurity::Variance => stats[1] / stats[0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impurities_are_those_of_the_formulas() {
        assert_eq!(Impurity::Gini.of(&[3.0, 1.0]).to_bits(), 0.375_f64.to_bits());
        assert_eq!(Impurity::Entropy.of(&[2.0, 2.0, 0.0]).to_bits(), 1.0_f64.to_bits());
        assert_eq!(Impurity::Variance.of(&[4.0, 10.0, 30.0]).to_bits(), 1.25_f64.to_bits());
        for impurity in [Impurity::Gini, Impurity::Entropy, Impurity::Variance] {
            assert_eq!((impurity.of(&[0.0; 3]), impurity.prediction(&[0.0; 3])), (0.0, 0.0));
        }
    }

    #[test]
    fn the_first_of_equally_heavy_classes_is_predicted() {
        assert_eq!(
            (Impurity::Gini.prediction(&[1.0, 2.0, 2.0]), Impurity::Variance.prediction(&[4.0, 10.0, 30.0])),
            (1.0, 2.5)
        );
    }
}
