//! Folders of CSV, JSON and Parquet files as dataset, source and sink.
//!
//! Modules in reading order:

mod bytes;
pub mod checkpoint_lock;
pub mod config;
pub mod encode;
mod file_error;
mod glob;
pub mod listing;
pub mod local;
pub mod open;
pub mod overlap;
mod parquet;
pub mod partition;
mod piece;
pub mod read;
pub mod sink;
pub mod source;
mod text;

pub use file_error::FileError;
pub use glob::GlobError;
