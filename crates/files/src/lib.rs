//! Folders of CSV, JSON and Parquet files as dataset, source and sink.
//!
//! Modules in reading order:

mod bytes;
pub mod checkpoint_lock;
mod file_error;
mod glob;
pub mod listing;
pub mod local;
pub mod open;
mod parquet;
pub mod partition;
pub mod read;
mod text;

pub use file_error::FileError;
pub use glob::GlobError;
