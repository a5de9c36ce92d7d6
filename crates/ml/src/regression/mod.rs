//! Regressions: models that predict numbers.

pub mod decision_tree;
pub mod linear_regression;

pub use decision_tree::{DecisionTreeRegressionModel, DecisionTreeRegressor};
pub use linear_regression::{LinearRegression, LinearRegressionModel, LinearRegressionTrainingSummary};
