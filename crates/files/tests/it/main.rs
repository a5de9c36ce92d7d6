//! Files as dataset, source and sink, against real files and against what Spark wrote.
//!
//! - `read_like_spark`: Parquet sets that Spark wrote, read with Spark's schema and rows.

mod fixtures;
mod read_like_spark;
