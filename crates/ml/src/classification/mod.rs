//! Classifiers.

mod exponential;
pub mod logistic_regression;
mod softmax;

pub use logistic_regression::{LogisticRegression, LogisticRegressionModel, LogisticRegressionTrainingSummary};
