//! Regressions: numbers are predicted.

pub mod decision_tree;

pub use decision_tree::{DecisionTreeRegressionModel, DecisionTreeRegressor};
