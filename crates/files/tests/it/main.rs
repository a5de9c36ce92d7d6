//! Files as dataset, source and sink, against real files and against what Spark wrote.
//!
//! - `kill`: queries from folder to folder, killed everywhere;
//! - `read_like_spark`: sets that Spark wrote, read with Spark's schema and rows;
//! - `sink`: the laws of sinks, in every format and with both logs;
//! - `source`: the laws of sources, Spark's order of files, Spark's checkpoints.

mod fixtures;
mod kill;
mod read_like_spark;
mod sink;
mod source;
