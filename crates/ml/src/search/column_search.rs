//! Fitting and judging the pipeline of a set of columns on every fold.

use std::sync::Arc;

use ognivo_data::dataset::{DatasetError, Executor, LocalExecutor};
use ognivo_data::fault::{Explain, Fault, Retry};

use super::column_set::ColumnSet;
use super::kept_fold::KeptFold;
use super::trial::Trial;
use super::varied_pipeline::VariedPipeline;
use crate::evaluation::{EvaluateError, Evaluator};
use crate::stage::{FitError, StageError};
use crate::tuning::Fold;

/// A pipeline whose columns are varied, and the rows that every set of columns is judged on.
#[derive(Debug)]
pub struct ColumnSearch {
    pipeline: VariedPipeline,
    /// The same without the columns that nobody looks at.
    judged: VariedPipeline,
    evaluator: Box<dyn Evaluator>,
    folds: Vec<KeptFold>,
}

/// A set could not be judged, or the rows could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// Fitting failed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The fitted pipeline does not fit the rows it is judged on.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Judging failed.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// Rows could not be read.
    #[error(transparent)]
    Data(#[from] DatasetError),
}

impl Explain for SearchError {
    fn fault(&self) -> Fault {
        match self {
            SearchError::Fit(cause) => cause.fault(),
            SearchError::Stage(cause) => cause.fault(),
            SearchError::Evaluate(cause) => cause.fault(),
            SearchError::Data(cause) => cause.fault(),
        }
    }
    fn retry(&self) -> Retry {
        match self {
            SearchError::Fit(cause) => cause.retry(),
            SearchError::Stage(cause) => cause.retry(),
            SearchError::Evaluate(cause) => cause.retry(),
            SearchError::Data(cause) => cause.retry(),
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            SearchError::Fit(cause) => cause.hint(),
            SearchError::Stage(cause) => cause.hint(),
            SearchError::Evaluate(cause) => cause.hint(),
            SearchError::Data(cause) => cause.hint(),
        }
    }
}

impl ColumnSearch {
    /// Every set is fitted on the first part of each fold and judged by `evaluator` on the second.
    ///
    /// The stages before the varied one learn from nothing that the set decides, so they are fitted once for each fold, and
    /// the rows that they give are kept in memory. That changes no number: where one of them drops or rejects a row, which
    /// a set without the column of that row would keep, each set runs all of its stages by itself. Where the varied stage is an
    /// assembler and the estimator after it can ([`Estimator::slot_fits`]), the rows of all columns are assembled and checked once,
    /// and a set is fitted on some of their slots.
    ///
    /// [`Estimator::slot_fits`]: crate::stage::Estimator::slot_fits
    ///
    /// # Errors
    /// [`SearchError::Data`] when the rows cannot be read.
    pub fn new(
        pipeline: VariedPipeline,
        evaluator: Box<dyn Evaluator>,
        folds: Vec<Fold>,
    ) -> Result<ColumnSearch, SearchError> {
        let judged = pipeline.judged_by(evaluator.as_ref());
        let folds = folds.iter().map(|fold| KeptFold::new(fold, &judged)).collect::<Result<Vec<_>, SearchError>>()?;
        Ok(ColumnSearch { pipeline, judged, evaluator, folds })
    }

    /// The pipeline whose columns are varied.
    pub fn pipeline(&self) -> &VariedPipeline {
        &self.pipeline
    }

    /// What the sets are compared by.
    pub fn evaluator(&self) -> &dyn Evaluator {
        self.evaluator.as_ref()
    }

    /// The same search, each of whose passes runs on the thread that asks for it: for callers who judge several sets at
    /// once. The numbers are the same.
    pub fn on_one_thread(&self) -> ColumnSearch {
        let executor: Arc<dyn Executor> = Arc::new(LocalExecutor::single_threaded());
        ColumnSearch {
            pipeline: self.pipeline.clone(),
            judged: self.judged.clone(),
            evaluator: self.evaluator.clone_box(),
            folds: self.folds.iter().map(|fold| fold.on(&executor, &self.judged)).collect(),
        }
    }

    /// Fits and judges `set` on every fold. What fails is a part of the answer: another set may do.
    pub fn judge(&self, set: ColumnSet) -> Trial {
        let metrics: Result<Vec<f64>, SearchError> = self.folds.iter().map(|fold| self.judge_on(fold, &set)).collect();
        Trial { set, metrics: metrics.map_err(|error| error.to_string()) }
    }

    fn judge_on(&self, fold: &KeptFold, set: &ColumnSet) -> Result<f64, SearchError> {
        let model = fold.fit(&self.judged, set)?;
        Ok(self.evaluator.evaluate(&model.transform(fold.validation())?)?)
    }
}
