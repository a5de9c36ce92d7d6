//! Folders of CSV, JSON and Parquet files as dataset, source and sink.
//!
//! Modules in reading order:

mod glob;
pub mod listing;
pub mod local;
pub mod open;
pub mod partition;

pub use glob::GlobError;
