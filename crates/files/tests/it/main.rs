//! Files as dataset, source and sink, against real files and against what Spark wrote.
//!
//! - `continue_spark`: queries that Spark left;
//! - `campaign`: what the fault campaign repeats and counts;
//! - `laws`: the laws of stores;
//! - `read_like_spark`: sets that Spark wrote, read with Spark's schema and rows;
//! - `sink`: the laws of sinks, in every format and with both logs;
//! - `source`: the laws of sources, Spark's order of files, Spark's checkpoints.

#![allow(clippy::print_stdout, reason = "the campaign reads what was tried")]

/// What the fault campaign repeats and counts.
mod campaign {
    #[path = "../../../../stream/tests/it/campaign/counts.rs"]
    mod counts; // how a test tells what it tried
    mod damage; // damaged files
    pub(crate) mod kill; // queries from folder to folder, killed everywhere
}
mod continue_spark;
mod fixtures;
mod laws;
mod read_like_spark;
mod sink;
mod source;
