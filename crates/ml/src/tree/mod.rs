//! Decision trees: the engine that grows them from histograms, and what a grown tree is.
//!
//! A fit in order, as Spark's `RandomForest.run` goes:
//!
//! 1. `instances`: the rows are checked and reduced to features, label and weight;
//! 2. `survey`: one pass counts them, sums their weights and finds the largest label;
//! 3. `splits`: a sample of the rows gives each continuous feature its candidate thresholds; categorical features, known by
//!    their ML attributes, are split by categories ([`features`](Feature));
//! 4. `binned`: one pass turns every value into the number of its bin. From here on a row is a byte per feature;
//! 5. `grow`: nodes wait in a queue; each gets a `histogram` of its rows, `best_split` chooses, its children wait in turn;
//! 6. `pruned` merges leaves that say the same, and the nodes become a [`Tree`].
//!
//! # Several trees, bags and feature subsets
//!
//! The queue holds nodes of any number of trees, and each tree grows on a `Bag` of the rows (how often each row is drawn). A single
//! tree has one bag of all rows. `best_split` takes the features that a node may test as a list, in the order in which they are
//! tried: a forest, which is not here yet, will draw that list for every node.
//!
//! # Whose numbers, whose bits
//!
//! Counts of rows without weights are whole numbers and exact in any order. So a node's histogram is its parent's less its
//! sibling's, and only the smaller of two siblings is counted. Sums of weights and of numbers are not exact: they are added row
//! by row, as Spark adds those of one partition, and never subtracted from each other but where Spark does it, too. Spark adds
//! partition by partition; here all rows are one sequence, so with several partitions the last bits of such sums may differ.
//! Threads share the features of a histogram and never one sum, so no bit depends on how many there are.
//!
//! # Where the rows are
//!
//! The binned rows are the result of a pass, brought into this process; they need an eighth of the memory of the features.

mod best_split;
mod binned;
mod checks;
mod feature;
mod grow;
mod histogram;
mod impurity;
mod node;
mod node_table;
mod params;
mod splits;
mod survey;
mod training;
mod walk;

pub use feature::Feature;
pub use impurity::Impurity;
pub use node::{Branch, Node, Split, Tree};

pub(crate) use crate::instances::{Labels, check_columns};
pub(crate) use node_table::{node_table, read_node_table};
pub(crate) use params::{
    CACHE_NODE_IDS_SPEC, CHECKPOINT_INTERVAL_SPEC, FEATURES_COL, FEATURES_COL_SPEC, IMPURITY, LABEL_COL, LEAF_COL,
    LEAF_COL_SPEC, MAX_BINS, MAX_BINS_SPEC, MAX_DEPTH, MAX_DEPTH_SPEC, MAX_MEMORY_IN_MB_SPEC, MIN_INFO_GAIN,
    MIN_INFO_GAIN_SPEC, MIN_INSTANCES_PER_NODE, MIN_INSTANCES_PER_NODE_SPEC, MIN_WEIGHT_FRACTION_PER_NODE,
    MIN_WEIGHT_FRACTION_PER_NODE_SPEC, PREDICTION_COL, PREDICTION_COL_SPEC, SEED, WEIGHT_COL, WEIGHT_COL_SPEC, check,
    impurity_of, seed_spec,
};
pub(crate) use training::{Grown, grow_tree};
pub(crate) use walk::{BoundTree, nominal_field};
