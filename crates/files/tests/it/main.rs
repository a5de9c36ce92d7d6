//! Files as dataset, source and sink, against real files and against what Spark wrote.
//!
//! - `read_like_spark`: Parquet sets that Spark wrote, read with Spark's schema and rows.
//! - `sink`: the laws of sinks, in every format and with both logs.

mod fixtures;
mod read_like_spark;
mod sink;
