//! ognivo-data against real Spark, one file a subject.

/// `random_split` and `sample` draw the rows that Spark draws.
mod split;
