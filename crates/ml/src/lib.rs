//! Every Spark ML stage as a value that can be configured, fitted, bound, applied and described.
//!
//! A stage is an **estimator** (it learns: [`Estimator::fit`](stage::Estimator::fit)) or a **transformer** (it is ready:
//! [`Transformer::bind`](stage::Transformer::bind)). Binding resolves columns and parameters against a schema once; the
//! [`BoundStage`](stage::BoundStage) that comes out is pure and can only meet bad row values, which are outcomes.
//!
//! Estimators learn by passes over a [`Dataset`](ognivo_data::dataset::Dataset) and nothing else: no row need be in this
//! process. This crate knows no file, no clock, no async, and starts no thread.
//!
//! Modules in reading order:

pub mod param;
pub mod saved;
pub mod stage;
pub mod uid;

pub mod columns;
pub mod pipeline;
pub mod stage_map;

pub mod classification;
pub mod evaluation;
pub mod feature;
pub mod laws;

mod exact;
pub mod numeric;
pub mod optim;
pub mod stat;
