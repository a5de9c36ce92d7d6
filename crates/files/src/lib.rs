//! Folders of CSV, JSON and Parquet files as dataset, source and sink, in Spark's own forms.
//!
//! ```text
//!              open: path ──▶ Location (a store and a place in it)
//!                                │
//!        listing: folder, glob ──┤ files, partition folders, _spark_metadata
//!                                │
//!      ┌─────────────────────────┼──────────────────────────┐
//!   read                      source                      sink
//!   dataset in Spark's        each new file once,         a batch is files that appear whole,
//!   partitions                on Spark's source log       and counts once its log entry stands
//!      └──── piece: text, parquet ────┘                     └── encode: parquet, csv, json
//! ```
//!
//! What stays after a kill and a power cut rests on one promise, that of [`local`]: a write that has returned is on disk, and
//! no reader ever sees half a file. [`hdfs`] keeps it too. Another file system is one more arm of [`open::open`]: it brings an
//! object store and [`open::Folders`], keeps the [`laws`], and all else here stays as it is.
//!
//! Batch reading is synchronous and runs on the caller's threads; source and sink are async, and decode on a thread of their
//! own. Modules, those of the face first:

pub mod checkpoint_lock;
pub mod config;
pub mod encode;
pub mod entries;
pub mod hdfs;
pub mod laws;
pub mod listing;
pub mod local;
pub mod open;
pub mod overlap;
pub mod partition;
pub mod probe;
pub mod read;
pub mod sink;
pub mod source;

mod bytes;
mod file_error;
mod glob;
mod ordered_names;
mod parquet;
mod piece;
mod temporary;
mod text;
mod unnameable;
mod users;

pub use file_error::FileError;
pub use glob::GlobError;
