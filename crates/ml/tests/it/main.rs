//! Everything that `ognivo-ml` promises across its modules.

/// Decision trees are Spark's, node for node.
mod decision_trees;
/// Values at the edge, one by one, as the real Sparks took them.
mod edges;
/// Evaluators give Spark's metrics.
mod evaluation;
/// Stages fit and score as the real Sparks that wrote fixtures/spark did.
mod golden;
/// Every stage keeps the laws.
mod laws;
/// Linear regression takes Spark's steps and ends with Spark's numbers.
mod linear_regression;
/// What linear regression refuses, and how it says so.
mod linear_regression_refusals;
/// The original project's job from its file to its numbers.
mod loan_job;
/// Logistic regression takes Spark's steps and ends with Spark's numbers.
mod logistic_regression;
/// Pipelines: order of work, what is refused before data are read, parts fitted on different rows.
mod pipeline;
/// Approximate quantiles, and what is learned from them, on many rows and partitions.
mod quantiles;
/// What logistic regression and the evaluator refuse, and how they say so.
mod refusals;
/// Logistic regression on more rows, and in the corners of its parameters.
mod regressions;
/// Tuners: folds, metrics of every setting, what is shared between them, and what cannot be tuned.
mod tuning;

/// The fixtures' tables and stages as values.
mod fixtures;
