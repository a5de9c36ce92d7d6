//! What a tree knows of each feature: whether it is a number or a category, and where it can be split.

use arrow_schema::Field;
use ognivo_data::column::{Attribute, AttributeGroup, AttributeKind};
use serde::{Deserialize, Serialize};

use super::node::Split;

/// One feature as a tree sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Feature {
    /// A number, split at one of these thresholds, ascending. A value is in the bin of the first threshold that is not below it.
    Continuous {
        /// Candidate thresholds; none for a constant.
        thresholds: Vec<f64>,
    },
    /// A category, whose bins are ordered in each node by their labels, and split in two at any place of that order.
    Ordered {
        /// How many categories there are.
        n_categories: usize,
    },
    /// A category of few values in a classification of several classes, split into any two sets.
    Unordered {
        /// How many categories there are.
        n_categories: usize,
    },
}

impl Feature {
    /// How many bins the values fall into.
    pub fn n_bins(&self) -> usize {
        match self {
            Feature::Continuous { thresholds } => thresholds.len() + 1,
            Feature::Ordered { n_categories } | Feature::Unordered { n_categories } => *n_categories,
        }
    }

    /// How many tests of it a node can choose from. A feature of one category has none.
    pub fn n_splits(&self) -> usize {
        match self {
            Feature::Continuous { thresholds } => thresholds.len(),
            Feature::Ordered { n_categories } => n_categories - 1,
            Feature::Unordered { n_categories } => (1 << (n_categories - 1)) - 1,
        }
    }

    /// Whether each bin goes left at `split`, which is of this feature.
    pub(crate) fn bins_that_go_left(&self, split: &Split) -> Vec<bool> {
        match self {
            Feature::Continuous { thresholds } => {
                thresholds.iter().map(|&threshold| split.goes_left(threshold)).chain([false]).collect()
            }
            _ => (0..self.n_bins()).map(|category| split.goes_left(category as f64)).collect(),
        }
    }
}

/// A slot is a category of which nobody knows how many values it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownArity {
    /// The slot.
    pub(crate) slot: usize,
}

/// How many categories each of `n_features` slots has; `None` for a number.
///
/// Same as Spark: a nominal attribute with values or their number is categorical, a binary one has two categories, a slot without
/// an attribute is a number.
///
/// # Errors
/// [`UnknownArity`] for a nominal attribute with neither values nor their number.
pub(crate) fn arities(field: &Field, n_features: usize) -> Result<Vec<Option<usize>>, UnknownArity> {
    let attributes = AttributeGroup::of(field).attributes.unwrap_or_default();
    let arity = |slot: usize| match attributes.get(slot) {
        None | Some(Attribute { kind: AttributeKind::Numeric, .. }) => Ok(None),
        Some(category) => match category.n_values() {
            None | Some(0) => Err(UnknownArity { slot }),
            known => Ok(known),
        },
    };
    (0..n_features).map(arity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_go_left_as_their_values_do() {
        let numbers = Feature::Continuous { thresholds: vec![-1.0, 0.5, 2.0] };
        let at = Split::Continuous { feature: 0, threshold: 0.5 };
        assert_eq!(numbers.bins_that_go_left(&at), [true, true, false, false]);
        let words = Feature::Ordered { n_categories: 3 };
        let of = Split::Categorical { feature: 0, left: vec![1.0], n_categories: 3 };
        assert_eq!(words.bins_that_go_left(&of), [false, true, false]);
    }
}
