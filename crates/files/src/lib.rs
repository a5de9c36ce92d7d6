//! Folders of CSV, JSON and Parquet files as dataset, source and sink.
//!
//! Modules in reading order:

pub mod local;
pub mod open;
