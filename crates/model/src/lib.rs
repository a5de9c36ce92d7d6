//! A Spark ML model directory to a pipeline and back, for every Spark version we name.
//!
//! ```text
//!                read_saved                    Registry
//!  directory  ──────────────►  SavedStage  ──────────────►  Stage       load
//!             ◄──────────────              ◄──────────────              save
//!                write_saved                   to_saved
//! ```
//!
//! A [`SavedStage`](ognivo_ml::saved::SavedStage) is what a directory says, for stages that we know and for those that we do
//! not; only its last step needs to know the class. This crate knows folders, files and Parquet; the stages know the meaning.
//!
//! ```
//! use std::sync::Arc;
//!
//! use object_store::memory::InMemory;
//! use object_store::path::Path;
//! use ognivo_data::version::SparkVersion;
//! use ognivo_ml::feature::vector_assembler::VectorAssembler;
//! use ognivo_model::{CopiedDirectories, Registry, SaveMode, SaveOptions, describe, load, read_saved, save};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = Arc::new(InMemory::new());
//! let path = Path::from("models/assembler");
//! let stage = VectorAssembler::new().input_cols(["age", "income"]).output_col("features");
//! let options = SaveOptions { version: SparkVersion::V3_5, mode: SaveMode::ErrorIfExists, timestamp_ms: 0 };
//! save(store.as_ref(), &CopiedDirectories::new(store.clone()), &path, &stage, &options).await?;
//!
//! let stage = load(store.as_ref(), &path, &Registry::default()).await?;
//! assert_eq!(stage.configured().class(), VectorAssembler::CLASS);
//!
//! let description = describe(&read_saved(store.as_ref(), &path).await?, &Registry::default());
//! assert!(description.to_string().contains("columns: age, income → features"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Modules in reading order:

pub mod layout;
mod limits;
pub mod versions;

mod load;
mod load_error;
mod read;
mod registry;

mod directories;
pub mod save;

mod describe;
mod fingerprint;

mod canonical;
mod listing;
mod metadata;
mod parquet_guard;
mod tables;

pub use describe::{Description, TableDescription, describe};
pub use directories::{CopiedDirectories, Directories};
pub use fingerprint::model_id;
pub use limits::Limits;
pub use load::{build, load, load_estimator, load_transformer};
pub use load_error::{LoadError, Place};
pub use read::{read_saved, read_saved_within};
pub use registry::{Constructor, EvaluatorConstructor, Registry};
pub use save::{SaveError, SaveMode, SaveOptions, save, write_saved};
