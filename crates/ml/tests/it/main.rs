//! Everything that `ognivo-ml` promises across its modules.

/// Stages fit and score as the real Sparks that wrote fixtures/spark did.
mod golden;
/// Every stage keeps the laws.
mod laws;
/// Pipelines: order of work, what is refused before data are read, parts fitted on different rows.
mod pipeline;

/// The fixtures' tables and stages as values.
mod fixtures;
