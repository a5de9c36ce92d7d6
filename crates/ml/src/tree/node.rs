//! A grown tree: its nodes, the way of a row through them, and what can be said of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ognivo_data::codec::number::double_to_spark_string;
use ognivo_data::vector::Vector;

use super::impurity::Impurity;

/// Features that a tree is told by in short.
const MAX_SHOWN: usize = 5;

/// A test that sends a row to the left or to the right child.
#[derive(Debug, Clone, PartialEq)]
pub enum Split {
    /// Left when the value is at most the threshold; NaN goes right.
    Continuous {
        /// Slot of the feature.
        feature: usize,
        /// The largest value that goes left.
        threshold: f64,
    },
    /// Left when the value is one of the categories.
    Categorical {
        /// Slot of the feature.
        feature: usize,
        /// The categories that go left, ascending.
        left: Vec<f64>,
        /// How many categories the feature has.
        n_categories: usize,
    },
}

impl Split {
    /// Slot of the feature that is tested.
    pub fn feature(&self) -> usize {
        match self {
            Split::Continuous { feature, .. } | Split::Categorical { feature, .. } => *feature,
        }
    }

    /// Whether a row with this value goes left.
    ///
    /// Same as Spark: it looks into the smaller of both sets of categories, so a value that is no category of the feature goes
    /// right while at most half of the categories go left, else left.
    pub fn goes_left(&self, value: f64) -> bool {
        match self {
            Split::Continuous { threshold, .. } => value <= *threshold,
            Split::Categorical { left, n_categories, .. } => {
                let is_in_left = left
                    .binary_search_by(|category| {
                        category.partial_cmp(&value).unwrap_or_else(|| category.total_cmp(&value))
                    })
                    .is_ok();
                let is_category = value >= 0.0 && value < *n_categories as f64 && value.fract() == 0.0;
                is_in_left || (!is_category && left.len() > n_categories / 2)
            }
        }
    }

    /// What Spark prints of it: `feature 3 <= 0.5`, `feature 1 not in {0.0,2.0}`.
    fn describe(&self, is_left: bool) -> String {
        match self {
            Split::Continuous { feature, threshold } => {
                let sign = if is_left { "<=" } else { ">" };
                format!("feature {feature} {sign} {}", double_to_spark_string(*threshold))
            }
            Split::Categorical { feature, left, .. } => {
                let word = if is_left { "in" } else { "not in" };
                let categories: Vec<String> = left.iter().map(|&category| double_to_spark_string(category)).collect();
                format!("feature {feature} {word} {{{}}}", categories.join(","))
            }
        }
    }
}

/// Where a node that is no leaf sends its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// The test.
    pub split: Split,
    /// By how much the test lowers the impurity.
    pub gain: f64,
    /// Position of the left child in [`Tree::nodes`].
    pub left: usize,
    /// Position of the right child.
    pub right: usize,
}

/// A node: what was seen of the training rows that reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The label that it predicts, or the mean of the labels.
    pub prediction: f64,
    /// Impurity of its rows; -1 for a leaf that no test could have split, as in Spark.
    pub impurity: f64,
    /// Weight of each class; or of regression: weight, sum of labels, sum of squared labels.
    pub stats: Vec<f64>,
    /// How many training rows there were, weights aside.
    pub n_rows: i64,
    /// The test and the children; `None` for a leaf.
    pub branch: Option<Branch>,
}

/// A decision tree: nodes in the order of their numbers, the root first, each before its children.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// The tree of these nodes; `None` when they are no tree: no root, a child that does not come after its parent, a node that
    /// is nobody's child or the child of two.
    pub fn new(nodes: Vec<Node>) -> Option<Tree> {
        let mut n_parents = vec![0_usize; nodes.len()];
        *n_parents.first_mut()? = 1;
        for (position, node) in nodes.iter().enumerate() {
            for child in node.branch.iter().flat_map(|branch| [branch.left, branch.right]) {
                if child <= position {
                    return None;
                }
                *n_parents.get_mut(child)? += 1;
            }
        }
        n_parents.iter().all(|&n| n == 1).then_some(Tree { nodes })
    }

    /// The nodes: the root first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many nodes there are, leaves included.
    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// How many tests lie on the longest way to a leaf; 0 for a lone leaf.
    pub fn depth(&self) -> usize {
        let mut depths = vec![0; self.nodes.len()];
        for (position, node) in self.nodes.iter().enumerate().rev() {
            if let Some(branch) = &node.branch {
                depths[position] = 1 + usize::max(depths[branch.left], depths[branch.right]);
            }
        }
        depths[0]
    }

    /// The position of the leaf that a row reaches; `value` gives the row's value of a feature.
    pub fn leaf_of(&self, value: impl Fn(usize) -> f64) -> usize {
        let mut position = 0;
        while let Some(branch) = &self.nodes[position].branch {
            let goes_left = branch.split.goes_left(value(branch.split.feature()));
            position = if goes_left { branch.left } else { branch.right };
        }
        position
    }

    /// The leaves from left to right, by position; the number of a leaf is its place in this list.
    pub fn leaves(&self) -> Vec<usize> {
        let (mut leaves, mut open) = (Vec::new(), vec![0]);
        while let Some(position) = open.pop() {
            match &self.nodes[position].branch {
                Some(branch) => open.extend([branch.right, branch.left]),
                None => leaves.push(position),
            }
        }
        leaves
    }

    /// The largest slot that a test looks at; `None` when there is no test.
    pub fn max_feature(&self) -> Option<usize> {
        self.nodes.iter().filter_map(|node| Some(node.branch.as_ref()?.split.feature())).max()
    }

    /// How much each of `n_features` features lowers the impurity: gains times weights of rows, so that all add up to 1. Features
    /// that no test looks at are not stored. `impurity` is the measure that the tree was grown by.
    ///
    /// Same as Spark: `TreeEnsembleModel.featureImportances` of one tree, which divides by the sum twice. Its sums go in the order
    /// of a hash table, so last bits may differ.
    pub fn importances(&self, n_features: usize, impurity: Impurity) -> Vector {
        let mut by_feature = BTreeMap::new();
        let mut open = vec![0];
        while let Some(position) = open.pop() {
            let node = &self.nodes[position];
            if let Some(branch) = &node.branch {
                *by_feature.entry(branch.split.feature()).or_insert(0.0) += branch.gain * impurity.weight(&node.stats);
                open.extend([branch.right, branch.left]);
            }
        }
        let indices = by_feature.keys().map(|&feature| feature as i32).collect();
        let mut values: Vec<f64> = by_feature.into_values().collect();
        for _ in 0..2 {
            let sum = values.iter().fold(0.0, |sum, value| sum + value);
            if sum != 0.0 {
                values.iter_mut().for_each(|value| *value /= sum);
            }
        }
        Vector::Sparse { size: n_features, indices, values }
    }

    /// The size of the tree and the features that matter most: `tree of depth 2 with 5 nodes; importances: feature 3 0.750,
    /// feature 0 0.250`.
    pub fn in_short(&self, importances: &Vector) -> String {
        let size = format!("tree of depth {} with {} nodes", self.depth(), self.n_nodes());
        let mut gains = Vec::new();
        importances.as_ref().for_each_stored(|feature, gain| gains.push((feature, gain)));
        gains.sort_by(|a, b| b.1.total_cmp(&a.1));
        let shown: Vec<String> =
            gains.iter().take(MAX_SHOWN).map(|(feature, gain)| format!("feature {feature} {gain:.3}")).collect();
        match gains.len() {
            0 => size,
            few if few <= MAX_SHOWN => format!("{size}; importances: {}", shown.join(", ")),
            more => format!("{size}; importances: {}, … ({more})", shown.join(", ")),
        }
    }

    /// The tests as Spark's `toDebugString` prints them below its header, each level indented by one blank more.
    pub fn describe(&self) -> String {
        enum Line {
            Node(usize),
            Else(usize),
        }
        let mut text = String::new();
        let mut open = vec![(2, Line::Node(0))];
        while let Some((indent, line)) = open.pop() {
            let (position, is_else) = match line {
                Line::Node(position) => (position, false),
                Line::Else(position) => (position, true),
            };
            let node = &self.nodes[position];
            let written = match &node.branch {
                None => writeln!(text, "{:indent$}Predict: {}", "", double_to_spark_string(node.prediction)),
                Some(branch) if is_else => {
                    open.push((indent + 1, Line::Node(branch.right)));
                    writeln!(text, "{:indent$}Else ({})", "", branch.split.describe(false))
                }
                Some(branch) => {
                    open.push((indent, Line::Else(position)));
                    open.push((indent + 1, Line::Node(branch.left)));
                    writeln!(text, "{:indent$}If ({})", "", branch.split.describe(true))
                }
            };
            written.expect("a text takes all that is written into it");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(prediction: f64) -> Node {
        Node { prediction, impurity: 0.0, stats: vec![1.0, 0.0], n_rows: 1, branch: None }
    }

    fn inner(split: Split, left: usize, right: usize) -> Node {
        Node { branch: Some(Branch { split, gain: 0.25, left, right }), ..leaf(0.0) }
    }

    fn categories(left: &[f64]) -> Split {
        Split::Categorical { feature: 1, left: left.to_vec(), n_categories: 4 }
    }

    #[test]
    fn a_value_that_is_no_category_follows_the_larger_set() {
        let goes_left = |left: &[f64], value: f64| categories(left).goes_left(value);
        for value in [-0.0, 0.0, 2.0] {
            assert!(goes_left(&[0.0, 2.0], value) && goes_left(&[0.0, 1.0, 2.0], value), "{value}");
        }
        for value in [-1.0, 0.5, 4.0, f64::NAN] {
            assert!(!goes_left(&[0.0, 2.0], value) && goes_left(&[0.0, 1.0, 2.0], value), "{value}");
        }
        assert!(!goes_left(&[0.0, 1.0, 2.0], 3.0));
    }

    #[test]
    fn rows_find_their_leaf_and_leaves_are_numbered_from_the_left() {
        let root = inner(Split::Continuous { feature: 0, threshold: 0.5 }, 1, 4);
        let tree = Tree::new(vec![root, inner(categories(&[3.0]), 2, 3), leaf(1.0), leaf(0.0), leaf(2.0)]).unwrap();
        let leaf_of = |row: [f64; 2]| tree.leaf_of(|slot| row[slot]);
        assert_eq!(
            [leaf_of([0.5, 3.0]), leaf_of([-1.0, 0.0]), leaf_of([0.6, 3.0]), leaf_of([f64::NAN, 3.0])],
            [2, 3, 4, 4]
        );
        assert_eq!((tree.leaves(), tree.depth(), tree.n_nodes(), tree.max_feature()), (vec![2, 3, 4], 2, 5, Some(1)));
        let text = "  If (feature 0 <= 0.5)\n   If (feature 1 in {3.0})\n    Predict: 1.0\n   Else (feature 1 not in {3.0})\n    \
                    Predict: 0.0\n  Else (feature 0 > 0.5)\n   Predict: 2.0\n";
        assert_eq!(tree.describe(), text);
        let gains = tree.importances(3, Impurity::Gini);
        assert_eq!(gains, Vector::Sparse { size: 3, indices: vec![0, 1], values: vec![0.5, 0.5] });
        assert_eq!(
            tree.in_short(&gains),
            "tree of depth 2 with 5 nodes; importances: feature 0 0.500, feature 1 0.500"
        );
    }

    #[test]
    fn nodes_that_are_no_tree_are_refused() {
        let split = || Split::Continuous { feature: 0, threshold: 0.0 };
        for nodes in [
            vec![],
            vec![inner(split(), 0, 1), leaf(0.0)],
            vec![inner(split(), 1, 2), leaf(0.0)],
            vec![inner(split(), 1, 1), leaf(0.0)],
            vec![leaf(0.0), leaf(0.0)],
            vec![inner(split(), 2, 1), inner(split(), 2, 3), leaf(0.0), leaf(0.0)],
        ] {
            assert_eq!(Tree::new(nodes.clone()), None, "{nodes:?}");
        }
    }
}
