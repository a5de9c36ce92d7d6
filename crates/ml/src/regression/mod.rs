//! Regressions: models that predict numbers.

pub mod linear_regression;

pub use linear_regression::{LinearRegression, LinearRegressionModel, LinearRegressionTrainingSummary};
