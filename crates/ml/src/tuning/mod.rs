//! Choosing parameters: every setting of a grid is fitted and measured on rows that it has not learned from, and the best one is
//! fitted on all rows.
//!
//! ```
//! # use std::sync::Arc;
//! # use arrow_array::{Float64Array, RecordBatch};
//! # use ognivo_data::dataset::{Dataset, LocalExecutor};
//! # use ognivo_data::vector::dense_column;
//! use ognivo_ml::classification::LogisticRegression;
//! use ognivo_ml::evaluation::BinaryClassificationEvaluator;
//! use ognivo_ml::tuning::{CrossValidator, ParamGridBuilder};
//! # let features = dense_column((0..60).map(|i| f64::from(i * 7 % 60)).collect(), 60, 1);
//! # let labels = Arc::new(Float64Array::from_iter_values((0..60).map(|i| f64::from(u8::from(i * 7 % 60 + i % 9 > 33))))) as _;
//! # let rows = RecordBatch::try_from_iter([("features", features), ("label", labels)])?;
//! # let loans = Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::default()));
//! let regression = LogisticRegression::new().max_iter(10);
//! let grid = ParamGridBuilder::new()
//!     .add_grid(&regression, "regParam", [0.01, 0.1])
//!     .add_grid(&regression, "elasticNetParam", [0.0, 0.5])
//!     .build();
//! let tuner = CrossValidator::new(regression, grid, BinaryClassificationEvaluator::new()).num_folds(3).seed(42);
//! let model = tuner.fit(&loans)?;
//! for (map, average) in tuner.param_maps().iter().zip(model.avg_metrics()) {
//!     println!("{map}: {average}");
//! }
//! let scored = model.transform(&loans)?;
//! # assert!(scored.schema().column_with_name("prediction").is_some() && model.avg_metrics().len() == 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What a grid costs: the rows of a fold are drawn once; the stages that no setting changes are fitted once a fold, and their output
//! is kept in memory; settings of the last stage go through [`Estimator::fit_many`](crate::stage::Estimator::fit_many), which for
//! logistic regression is one pass over the rows per step of *all* settings. Nothing depends on the number of threads.
//!
//! Modules in reading order:

pub mod folds;
mod param_grid;

mod cross_validator;
mod train_validation_split;

mod best;
mod candidates;
mod saved_form;

pub use best::best_index;
pub use candidates::Progress;
pub use cross_validator::{CrossValidator, CrossValidatorModel};
pub use folds::{Fold, Language, Sampling, folds_of_column, k_folds, train_validation_split};
pub use param_grid::ParamGridBuilder;
pub use train_validation_split::{TrainValidationSplit, TrainValidationSplitModel};
