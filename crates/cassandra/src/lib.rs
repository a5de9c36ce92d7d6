//! Tables of Apache Cassandra as a sink: nothing lost, nothing doubled.
//!
//! ```text
//!   config ── options of the job ──┐
//!                                  ▼
//!   table ── what the table is ─▶ mapping ─▶ one INSERT … USING TIMESTAMP ?
//!                                  │
//!   cells ── Arrow columns to CQL bytes ──▶ sink ──▶ many rows at once ──▶ cluster
//!                                            ▲
//!                                  retry ── what to do when a row is not taken
//! ```
//!
//! Rows are written at least once, and writing a row again changes nothing: its key and its values come from the input, its
//! timestamp from the batch's plan, which is written before the first row is read. So the table ends as if every row had been
//! written once, whatever was killed on the way. That assumes that no two input rows share a key, and that servers keep what
//! they acknowledged.
//!
//! Pure are [`config`], [`table`], [`mapping`], [`create_table`] and what decides about retries; [`sink`], [`probe`]
//! and [`create`] talk to servers. Modules, those of the face first:

pub mod config;
pub mod create;
pub mod create_table;
pub mod error;
pub mod mapping;
pub mod probe;
pub mod sink;
pub mod table;

mod cells;
mod client;
mod progress;
mod retry;
mod session_thread;
mod text_values;

pub use config::{CassandraConfig, ConfigError};
pub use create::create_if_missing;
pub use create_table::{create_progress_table, create_table};
pub use error::CassandraError;
pub use probe::probe;
pub use sink::CassandraSink;
