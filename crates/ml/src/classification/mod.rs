//! Classifiers.

pub mod decision_tree;
mod exponential;
pub mod logistic_regression;
mod softmax;

pub use decision_tree::{DecisionTreeClassificationModel, DecisionTreeClassifier};
pub use logistic_regression::{LogisticRegression, LogisticRegressionModel, LogisticRegressionTrainingSummary};
