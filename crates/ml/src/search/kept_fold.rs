//! A fold in memory, with what the fits of all sets share.

use std::any::Any;
use std::sync::Arc;

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Dataset, DatasetError, Executor};

use super::column_search::SearchError;
use super::column_set::ColumnSet;
use super::varied_pipeline::VariedPipeline;
use crate::columns::{FEATURES_COL, INPUT_COLS, OUTPUT_COL};
use crate::feature::vector_assembler::VectorAssembler;
use crate::numeric::is_numeric;
use crate::pipeline::{Pipeline, PipelineModel};
use crate::stage::{Configured, FitError, SlotFits, Stage};
use crate::tuning::Fold;

/// A fold in memory.
#[derive(Debug)]
pub(super) struct KeptFold {
    rows: Fold,
    /// The stages before the varied one have already been fitted on `train` and applied to both.
    is_prepared: bool,
    /// Fits on some of the columns that there are to choose from: the slot of a column is its position.
    slot_fits: Option<Box<dyn SlotFits>>,
}

impl KeptFold {
    /// # Errors
    /// [`SearchError::Data`] when the rows cannot be read.
    pub(super) fn new(fold: &Fold, pipeline: &VariedPipeline) -> Result<KeptFold, SearchError> {
        let rows = Fold { train: packed(&fold.train)?, validation: packed(&fold.validation)? };
        Ok(match prepared(&rows, &pipeline.stages_before())? {
            Some(rows) => KeptFold { slot_fits: slot_fits(&rows.train, pipeline), rows, is_prepared: true },
            None => KeptFold { slot_fits: None, rows, is_prepared: false },
        })
    }

    /// The same fold, whose passes run on `executor`.
    pub(super) fn on(&self, executor: &Arc<dyn Executor>, pipeline: &VariedPipeline) -> KeptFold {
        let moved = |data: &Dataset| data.clone().with_executor(Arc::clone(executor));
        let rows = Fold { train: moved(&self.rows.train), validation: moved(&self.rows.validation) };
        let slot_fits = self.slot_fits.as_ref().and_then(|_| slot_fits(&rows.train, pipeline));
        KeptFold { rows, is_prepared: self.is_prepared, slot_fits }
    }

    /// The rows that a model is judged on.
    pub(super) fn validation(&self) -> &Dataset {
        &self.rows.validation
    }

    /// The model of `set`, for rows as those of [`validation`](KeptFold::validation).
    pub(super) fn fit(&self, pipeline: &VariedPipeline, set: &ColumnSet) -> Result<PipelineModel, FitError> {
        if !self.is_prepared {
            return pipeline.with(set).fit(&self.rows.train);
        }
        let stages = pipeline.stages_from(set);
        match (&self.slot_fits, stages.stages()) {
            (Some(fits), [Stage::Transformer(assembler), _]) => {
                let model = fits.fit(&set.positions().collect::<Vec<_>>())?;
                Ok(PipelineModel::new(pipeline.pipeline().uid().clone(), vec![assembler.clone_box(), model]))
            }
            _ => stages.fit(&self.rows.train),
        }
    }
}

/// What the fits of all sets share, when an assembler chooses among columns of one number each and an estimator comes next and last.
/// `None` also when all columns together cannot be fitted: some of them may.
fn slot_fits(train: &Dataset, pipeline: &VariedPipeline) -> Option<Box<dyn SlotFits>> {
    let all = ColumnSet::new(0..pipeline.columns().len())?;
    let stages = pipeline.stages_from(&all);
    let [Stage::Transformer(first), Stage::Estimator(estimator)] = stages.stages() else { return None };
    let any: &dyn Any = first.as_ref();
    let is_number = |name: &String| {
        let field = train.schema().field_with_name(name);
        field.is_ok_and(|field| is_numeric(field.data_type()))
    };
    let is_chosen_by_assembler = any.is::<VectorAssembler>() && pipeline.param() == INPUT_COLS.name;
    let is_learned_from = estimator.params().spec(FEATURES_COL.name).is_ok()
        && estimator.params().find(FEATURES_COL) == first.params().find(OUTPUT_COL);
    if !(is_chosen_by_assembler && is_learned_from && pipeline.columns().iter().all(is_number)) {
        return None;
    }
    let rows = first.transform(train).ok()?.cached().ok()?;
    let keeps_all = rows.count().ok()? == train.count().ok()?;
    estimator.slot_fits(&rows).ok().flatten().filter(|_| keeps_all)
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

#[cfg(test)]
mod tests {
    use super::*;

    use arrow_array::{ArrayRef, Float64Array, Int32Array};
    use ognivo_data::dataset::LocalExecutor;

    use crate::classification::{LogisticRegression, LogisticRegressionModel};

    const N_ROWS: i32 = 400;

    /// Three columns of numbers, the second mostly 0, of which `missing` has a null.
    fn rows(missing: Option<usize>) -> Dataset {
        let numbers = |column: i32| {
            let number = |row: i32| {
                let number = f64::from((row * (7 + 4 * column) + row / 3) % (11 + column)) / 3.0;
                if column == 1 && row % 5 != 0 { 0.0 } else { number }
            };
            let is_missing = |row: i32| missing == Some(column as usize) && row == 17;
            Arc::new((0..N_ROWS).map(|row| (!is_missing(row)).then(|| number(row))).collect::<Float64Array>())
                as ArrayRef
        };
        let labels = Arc::new((0..N_ROWS).map(|row| i32::from(row * row % 7 < 3)).collect::<Int32Array>());
        let columns = [("a", numbers(0)), ("b", numbers(1)), ("c", numbers(2)), ("label", labels as ArrayRef)];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::single_threaded()))
    }

    fn kept(missing: Option<usize>) -> (KeptFold, VariedPipeline) {
        let pipeline = Pipeline::new([
            VectorAssembler::new().input_cols(["a"]).output_col("features").into(),
            LogisticRegression::new().max_iter(7).reg_param(0.01).into(),
        ]);
        let columns = ["a", "b", "c"].map(str::to_owned).into();
        let varied = VariedPipeline::new(pipeline, 0, "inputCols", columns).unwrap();
        let fold = Fold { train: rows(missing), validation: rows(missing) };
        (KeptFold::new(&fold, &varied).unwrap(), varied)
    }

    fn numbers(model: &PipelineModel) -> Vec<f64> {
        let any: &dyn Any = model.stages()[1].as_ref();
        let model = any.downcast_ref::<LogisticRegressionModel>().unwrap();
        let coefficients = model.coefficients().unwrap();
        coefficients.into_iter().chain(model.intercept()).collect()
    }

    #[test]
    fn a_set_is_fitted_on_slots_of_all_columns_as_by_its_own_pipeline() {
        let (fold, varied) = kept(None);
        assert!(fold.slot_fits.is_some());
        for set in [vec![0], vec![1], vec![2], vec![0, 2], vec![1, 2], vec![0, 1, 2]] {
            let set = ColumnSet::new(set).unwrap();
            let alone = varied.with(&set).fit(&fold.rows.train).unwrap();
            let on_slots = numbers(&fold.fit(&varied, &set).unwrap());
            assert_eq!(on_slots.len(), numbers(&alone).len());
            for (number, alone) in on_slots.iter().zip(numbers(&alone)) {
                assert!((number - alone).abs() <= 1e-12 * alone.abs(), "{number} and {alone} of {set:?}");
            }
        }
    }

    #[test]
    fn sets_without_the_column_that_cannot_be_assembled_are_fitted_all_the_same() {
        let (fold, varied) = kept(Some(1));
        assert!(fold.slot_fits.is_none());
        assert!(fold.fit(&varied, &ColumnSet::new([0, 2]).unwrap()).is_ok());
        assert!(fold.fit(&varied, &ColumnSet::new([0, 1]).unwrap()).is_err());
    }
}
