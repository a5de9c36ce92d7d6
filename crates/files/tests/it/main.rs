//! Files as dataset, source and sink, against real files and against what Spark wrote.
//!
//! - `continue_spark`: queries that Spark left;
//! - `damage`: damaged files;
//! - `kill`: queries from folder to folder, killed everywhere;
//! - `laws`: the laws of stores;
//! - `read_like_spark`: sets that Spark wrote, read with Spark's schema and rows;
//! - `sink`: the laws of sinks, in every format and with both logs;
//! - `source`: the laws of sources, Spark's order of files, Spark's checkpoints.

mod continue_spark;
mod damage;
mod fixtures;
mod kill;
mod laws;
mod read_like_spark;
mod sink;
mod source;
