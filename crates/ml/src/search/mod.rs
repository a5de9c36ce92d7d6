//! Which set of columns predicts best: sets are tried one by one, each judged on the same rows.
//!
//! 1. [`Strategy`] says which [`ColumnSet`]s to try next, from the [`Trial`]s so far: pure, so that a search can be cut off
//!    and go on from its trials;
//! 2. [`VariedPipeline`] makes the pipeline of a set: one list of columns is varied, and stages that only feed a column that
//!    was left out go with it;
//! 3. [`ColumnSearch`] fits and judges it on every fold.

mod column_search;
mod column_set;
mod kept_fold;
mod strategy;
mod trial;
mod varied_pipeline;

pub use column_search::{ColumnSearch, SearchError};
pub use column_set::ColumnSet;
pub use strategy::{SearchSpace, Strategy};
pub use trial::{ColumnGain, Trial, best_first, column_gains};
pub use varied_pipeline::{VariedPipeline, VaryError};
