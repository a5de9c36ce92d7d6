//! Everything that `ognivo-ml` promises across its modules.

/// Values at the edge, one by one, as the real Sparks took them.
mod edges;
/// Evaluators give Spark's metrics.
mod evaluation;
/// Stages fit and score as the real Sparks that wrote fixtures/spark did.
mod golden;
/// Every stage keeps the laws.
mod laws;
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

/// The fixtures' tables and stages as values.
mod fixtures;
