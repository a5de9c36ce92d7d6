//! Evaluators: a scored dataset to one number, and whether larger is better.

mod binary;
mod confusion;
mod curve;

pub use binary::BinaryClassificationEvaluator;
pub use confusion::Confusion;
pub use curve::{BinaryCurve, ScoreCounts};

use ognivo_data::dataset::{Dataset, DatasetError};
use ognivo_data::fault::{Explain, Fault, Retry};

use crate::param::ParamError;
use crate::stage::{Configured, StageError};
use crate::uid::Uid;

/// Gives a scored dataset one number.
pub trait Evaluator: Configured {
    /// The metric, in passes over `data`.
    ///
    /// # Errors
    /// [`EvaluateError`] for wrong columns, failed passes, or a dataset without rows.
    fn evaluate(&self, data: &Dataset) -> Result<f64, EvaluateError>;

    /// Spark's name of the metric, such as `areaUnderROC`.
    fn metric_name(&self) -> String;

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
}

impl From<ParamError> for EvaluateError {
    fn from(error: ParamError) -> EvaluateError {
        EvaluateError::Stage(StageError::Param(error))
    }
}

impl Explain for EvaluateError {
    fn fault(&self) -> Fault {
        match self {
            EvaluateError::Stage(cause) => cause.fault(),
            EvaluateError::Data(cause) => cause.fault(),
            EvaluateError::NoRows { .. } => Fault::Data,
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
            EvaluateError::NoRows { .. } => None,
        }
    }
}
