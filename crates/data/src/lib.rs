//! What a table of features is: columns with ML attributes, vectors, partitions, rows in and out of bytes.
//!
//! A **column** is an Arrow array. What it means to machine learning (nominal labels, names of vector slots) is an
//! [`Attribute`](column::Attribute) in the field's metadata, where Spark keeps it. A **vector column** is the struct that
//! Spark's `VectorUDT` is made of; when every vector is dense and of one size its numbers are one row-major block
//! ([`VectorColumn::dense_block`](vector::VectorColumn::dense_block)), without a copy. A **dataset** is a schema and ordered
//! partitions; everything that learns from it is a fold over those partitions.
//!
//! ```text
//!  bytes ──codec──► RecordBatch ──► Dataset ──aggregate(A)──► A        (fit)
//!                        └────────► BoundStage::apply ──► Outcome      (score; the trait lives in ognivo-ml)
//! ```
//!
//! This crate knows no file, no socket, no clock and no async, and starts no thread that it was not handed.
//! Modules in reading order:

pub mod codec;
pub mod column;
pub mod dataset;
pub mod fault;
pub mod matrix;
pub mod order;
pub mod outcome;
pub mod partition_plan;
pub mod prepare;
pub mod random;
pub mod schema;
pub mod split;
pub mod vector;
pub mod version;
