//! Evaluators: a scored dataset to one number, and whether larger is better.

mod binary;
mod multiclass;
mod regression;

mod column;
mod confusion;
mod curve;
mod log_loss;
mod regression_sums;

pub use binary::BinaryClassificationEvaluator;
pub use confusion::Confusion;
pub use curve::{BinaryCurve, ScoreCounts};
pub use log_loss::{LogLoss, NoProbability};
pub use multiclass::MulticlassClassificationEvaluator;
pub use regression::RegressionEvaluator;
pub use regression_sums::RegressionSums;

use arrow_schema::Schema;
use ognivo_data::dataset::{Dataset, DatasetError};
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_data::version::SparkVersion;

use crate::param::ParamError;
use crate::saved::{SavedError, SavedStage};
use crate::stage::{Configured, FitError, StageError};
use crate::uid::Uid;

/// Gives a scored dataset one number.
pub trait Evaluator: Configured {
    /// The metric, in passes over `data`.
    ///
    /// # Errors
    /// [`EvaluateError`] for wrong columns, failed passes, or a dataset without rows.
    fn evaluate(&self, data: &Dataset) -> Result<f64, EvaluateError>;

    /// Looks for the columns in `schema`, so that a wrong one is found before a row is read.
    ///
    /// # Errors
    /// [`StageError`] for a missing column or one of the wrong type.
    fn check(&self, schema: &Schema) -> Result<(), StageError>;

    /// Spark's name of the metric, such as `areaUnderROC`.
    fn metric_name(&self) -> String;

    /// What a person calls the metric: its name, and what of it was chosen where that makes it another number, such as
    /// `recallByLabel(2)`.
    fn title(&self) -> String {
        self.metric_name()
    }

    /// Whether a larger value is a better one.
    fn is_larger_better(&self) -> bool;

    /// A copy in a box.
    fn clone_box(&self) -> Box<dyn Evaluator>;
}

/// An evaluation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The evaluator does not fit the columns, or its parameters are wrong.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A pass over the rows failed.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// There is nothing to measure.
    #[error("evaluator `{uid}`: the dataset has no rows")]
    NoRows {
        /// The evaluator.
        uid: Uid,
    },
    /// There are rows, and none of them counts.
    #[error("evaluator `{uid}`: no row has a weight above 0")]
    NoWeight {
        /// The evaluator.
        uid: Uid,
    },
    /// The metric is of a label that no row has.
    #[error("evaluator `{uid}`: no row has the label that `metricLabel` asks for: {label}")]
    NoSuchLabel {
        /// The evaluator.
        uid: Uid,
        /// The label.
        label: f64,
        /// Those that there are.
        known: Vec<f64>,
    },
}

impl From<ParamError> for EvaluateError {
    fn from(error: ParamError) -> EvaluateError {
        EvaluateError::Stage(StageError::Param(error))
    }
}

impl From<EvaluateError> for FitError {
    /// The error where measuring is a part of fitting.
    fn from(error: EvaluateError) -> FitError {
        let hint = error.hint();
        let unlearnable = |uid: Uid, reason: String| FitError::Unlearnable { uid, reason, hint };
        match error {
            EvaluateError::Stage(cause) => FitError::Stage(cause),
            EvaluateError::Data(cause) => FitError::Data(cause),
            EvaluateError::NoRows { uid } => unlearnable(uid, "there are no rows to measure on".to_owned()),
            EvaluateError::NoWeight { uid } => unlearnable(uid, "no row has a weight above 0".to_owned()),
            EvaluateError::NoSuchLabel { uid, label, .. } => {
                unlearnable(uid, format!("no row has the label that `metricLabel` asks for: {label}"))
            }
        }
    }
}

impl Explain for EvaluateError {
    fn fault(&self) -> Fault {
        match self {
            EvaluateError::Stage(cause) => cause.fault(),
            EvaluateError::Data(cause) => cause.fault(),
            EvaluateError::NoRows { .. } | EvaluateError::NoWeight { .. } => Fault::Data,
            EvaluateError::NoSuchLabel { .. } => Fault::Job,
        }
    }
    fn retry(&self) -> Retry {
        match self {
            EvaluateError::Data(cause) => cause.retry(),
            _ => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            EvaluateError::Stage(cause) => cause.hint(),
            EvaluateError::Data(cause) => cause.hint(),
            EvaluateError::NoRows { .. } | EvaluateError::NoWeight { .. } => None,
            EvaluateError::NoSuchLabel { known, .. } => {
                let known: Vec<String> = known.iter().take(MAX_LABELS_TOLD).map(f64::to_string).collect();
                Some(format!("labels that there are begin with: {}", known.join(", ")))
            }
        }
    }
}

/// More labels than these are not told in a hint.
const MAX_LABELS_TOLD: usize = 10;

/// What the directory of `evaluator` says; Spark 2.4 knows only the metrics `of_2_4`, and would not open it with another.
fn saved_with_metric(
    evaluator: &dyn Evaluator,
    version: SparkVersion,
    of_2_4: &[&str],
) -> Result<SavedStage, SavedError> {
    let saved = SavedStage::of_params(evaluator.class(), evaluator.params(), version)?;
    let metric = evaluator.metric_name();
    if version == SparkVersion::V2_4 && !of_2_4.contains(&metric.as_str()) {
        return Err(saved.fault("metricName", format!("Spark {version} does not know this metric: {metric}")));
    }
    Ok(saved)
}
