//! Every Spark ML stage as a value that can be configured, fitted, bound, applied and described.
//!
//! A stage is an **estimator** (it learns: [`Estimator::fit`](stage::Estimator::fit)) or a **transformer** (it is ready:
//! [`Transformer::bind`](stage::Transformer::bind)). Binding resolves columns and parameters against a schema once; the
//! [`BoundStage`](stage::BoundStage) that comes out is pure and can only meet bad row values, which are outcomes.
//!
//! Estimators learn by passes over a [`Dataset`](ognivo_data::dataset::Dataset) and nothing else: no row need be in this
//! process. This crate knows no file, no clock, no async, and starts no thread.
//!
//! ```
//! # use std::sync::Arc;
//! # use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
//! # use ognivo_data::dataset::{Dataset, LocalExecutor};
//! use ognivo_ml::classification::LogisticRegression;
//! use ognivo_ml::feature::{HandleInvalid, string_indexer::StringIndexer, vector_assembler::VectorAssembler};
//! use ognivo_ml::pipeline::Pipeline;
//!
//! # let purpose: ArrayRef = Arc::new(StringArray::from(vec!["car", "house", "car", "other"]));
//! # let rate: ArrayRef = Arc::new(Float64Array::from(vec![0.07, 0.12, 0.09, 0.14]));
//! # let bad: ArrayRef = Arc::new(Float64Array::from(vec![0.0, 1.0, 0.0, 1.0]));
//! # let rows = RecordBatch::try_from_iter([("purpose", purpose), ("int_rate", rate), ("bad", bad)])?;
//! # let loans = Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::single_threaded()));
//! let pipeline = Pipeline::new([
//!     StringIndexer::new().input_col("purpose").output_col("purpose_index").handle_invalid(HandleInvalid::Keep).into(),
//!     VectorAssembler::new().input_cols(["int_rate", "purpose_index"]).output_col("features").into(),
//!     LogisticRegression::new().label_col("bad").max_iter(10).reg_param(0.01).into(),
//! ]);
//! let model = pipeline.fit(&loans)?;
//! let scored = model.transform(&loans)?;
//! assert!(scored.schema().column_with_name("prediction").is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Modules in reading order:

pub mod param;
pub mod param_map;
pub mod saved;
pub mod stage;
pub mod uid;

pub mod pipeline;

pub mod classification;
pub mod evaluation;
pub mod feature;
pub mod regression;
pub mod tree;
pub mod tuning;

pub mod search;

pub mod columns;
mod instances;
pub mod java_json;
pub mod laws;
mod linear;
mod slot_instances;
pub mod stage_map;

pub mod numeric;
pub mod optim;
pub mod stat;
