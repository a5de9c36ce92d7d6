//! Fitting and judging the pipeline of a set of columns on every fold.

use std::sync::Arc;

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Dataset, DatasetError, Executor, LocalExecutor};
use ognivo_data::fault::{Explain, Fault, Retry};

use super::column_set::ColumnSet;
use super::trial::Trial;
use super::varied_pipeline::VariedPipeline;
use crate::evaluation::{EvaluateError, Evaluator};
use crate::pipeline::Pipeline;
use crate::stage::{FitError, StageError};
use crate::tuning::Fold;

/// A pipeline whose columns are varied, and the rows that every set of columns is judged on.
#[derive(Debug)]
pub struct ColumnSearch {
    pipeline: VariedPipeline,
    evaluator: Box<dyn Evaluator>,
    folds: Vec<KeptFold>,
}

/// A fold in memory.
#[derive(Debug, Clone)]
struct KeptFold {
    rows: Fold,
    /// The stages before the varied one have already been fitted on `train` and applied to both.
    is_prepared: bool,
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
    /// a set without the column of that row would keep, each set runs all of its stages by itself.
    ///
    /// # Errors
    /// [`SearchError::Data`] when the rows cannot be read.
    pub fn new(
        pipeline: VariedPipeline,
        evaluator: Box<dyn Evaluator>,
        folds: Vec<Fold>,
    ) -> Result<ColumnSearch, SearchError> {
        let before = pipeline.stages_before();
        let folds = folds.into_iter().map(|fold| {
            let rows = Fold { train: packed(&fold.train)?, validation: packed(&fold.validation)? };
            Ok(match prepared(&rows, &before)? {
                Some(rows) => KeptFold { rows, is_prepared: true },
                None => KeptFold { rows, is_prepared: false },
            })
        });
        let folds = folds.collect::<Result<Vec<_>, SearchError>>()?;
        Ok(ColumnSearch { pipeline, evaluator, folds })
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
        let moved = |data: &Dataset| data.clone().with_executor(Arc::clone(&executor));
        let fold = |fold: &KeptFold| {
            let rows = Fold { train: moved(&fold.rows.train), validation: moved(&fold.rows.validation) };
            KeptFold { rows, is_prepared: fold.is_prepared }
        };
        ColumnSearch {
            pipeline: self.pipeline.clone(),
            evaluator: self.evaluator.clone_box(),
            folds: self.folds.iter().map(fold).collect(),
        }
    }

    /// Fits and judges `set` on every fold. What fails is a part of the answer: another set may do.
    pub fn judge(&self, set: ColumnSet) -> Trial {
        let metrics: Result<Vec<f64>, SearchError> = self.folds.iter().map(|fold| self.judge_on(fold, &set)).collect();
        Trial { set, metrics: metrics.map_err(|error| error.to_string()) }
    }

    fn judge_on(&self, fold: &KeptFold, set: &ColumnSet) -> Result<f64, SearchError> {
        let pipeline = if fold.is_prepared { self.pipeline.stages_from(set) } else { self.pipeline.with(set) };
        let model = pipeline.fit(&fold.rows.train)?;
        Ok(self.evaluator.evaluate(&model.transform(&fold.rows.validation)?)?)
    }
}

/// The fold after the stages `before`; `None` when they drop or reject a row.
fn prepared(fold: &Fold, before: &Pipeline) -> Result<Option<Fold>, SearchError> {
    let n_rows = |fold: &Fold| Ok::<_, DatasetError>((fold.train.count()?, fold.validation.count()?));
    let n_before = n_rows(fold)?;
    let Ok(fold) = through(fold, before) else { return Ok(None) };
    Ok((n_rows(&fold)? == n_before).then_some(fold))
}

fn through(fold: &Fold, before: &Pipeline) -> Result<Fold, SearchError> {
    let model = before.fit(&fold.train)?;
    let through = |data: &Dataset| Ok::<_, SearchError>(model.transform(data)?.cached()?);
    Ok(Fold { train: through(&fold.train)?, validation: through(&fold.validation)? })
}

/// The same rows in memory, in one batch a partition: a fold picks single rows out of many batches, and each small batch
/// would cost every pass of every set.
fn packed(data: &Dataset) -> Result<Dataset, DatasetError> {
    let partitions = data.cached()?.collect()?;
    let schema = Arc::clone(data.schema());
    let pack = |batches: Vec<RecordBatch>| match arrow_select::concat::concat_batches(&schema, &batches) {
        Ok(rows) => vec![rows],
        // Text of more than 2 GiB does not fit into one batch; the rows stay as they are.
        Err(_) => batches,
    };
    let partitions = partitions.into_iter().map(pack).collect();
    Ok(Dataset::in_memory(Arc::clone(&schema), partitions, Arc::clone(data.executor())))
}
