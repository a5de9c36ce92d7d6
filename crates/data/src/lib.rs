//! What a table of features is: columns with ML attributes, vectors, partitions, rows in and out of bytes.
//!
//! A **column** is an Arrow array; its type is one of Spark's ([`schema`]). What it means to machine learning (nominal labels,
//! names of vector slots) is an [`Attribute`](column::Attribute) in the field's metadata, where Spark keeps it. A **vector
//! column** is the struct that Spark's `VectorUDT` is made of; when every vector is dense and of one size its numbers are one
//! row-major block ([`VectorColumn::dense_block`](vector::VectorColumn::dense_block)), without a copy. A **dataset** is a schema
//! and ordered partitions; everything that learns from it is a fold over those partitions.
//!
//! ```text
//!  bytes ──codec──► RecordBatch ──prepare──► Dataset ──random_split──► Dataset ──aggregate(A)──► A     (fit)
//!                        └───────prepare───► BoundStage::apply ──► Outcome      (score; the trait lives in ognivo-ml)
//! ```
//!
//! From bytes to two parts:
//!
//! ```
//! use std::sync::Arc;
//!
//! use ognivo_data::codec::RowDecoder;
//! use ognivo_data::codec::csv::{CsvDecoder, CsvOptions};
//! use ognivo_data::dataset::{Dataset, LocalExecutor};
//! use ognivo_data::schema::parse_ddl;
//!
//! let schema = Arc::new(parse_ddl("purpose STRING, int_rate DOUBLE")?);
//! let mut decoder = CsvDecoder::new(Arc::clone(&schema), &CsvOptions::parse([("header", "true")])?, None, 1024)?;
//! decoder.push(b"purpose,int_rate\nall_other,0.13\ncredit_card,0.11\nall_other,0.09\n")?;
//! decoder.finish()?;
//! let rows = decoder.take()?.expect("three records were pushed").rows;
//!
//! let loans = Dataset::in_memory(schema, vec![vec![rows]], Arc::new(LocalExecutor::single_threaded()));
//! let [train, test] = loans.random_split([0.5, 0.5], 12345)?;
//! assert_eq!(train.count()? + test.count()?, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate knows no file, no socket, no clock and no async, and starts no thread that it was not handed.
//!
//! Modules in reading order: what a column is ([`mod@column`], [`schema`], [`vector`], [`matrix`]); what rows are and what becomes of
//! them ([`dataset`], [`outcome`]); what is done with them ([`prepare`], [`split`], and below it [`order`], [`random`],
//! [`partition_plan`]); rows in and out of bytes ([`codec`]); what every error answers ([`fault`]), durations and
//! sizes as people write them ([`quantity`]), and whose numbers are repeated ([`version`]).

pub mod column;
pub mod schema;

pub mod vector;

pub mod matrix;

pub mod dataset;
pub mod outcome;

pub mod prepare;
pub mod split;

pub mod order;
pub mod random;

pub mod partition_plan;

pub mod codec;

pub mod fault;
pub mod quantity;
pub mod version;
