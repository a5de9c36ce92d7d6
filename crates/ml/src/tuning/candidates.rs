//! What both tuners have in common: an estimator, the settings to try, and what to compare them by.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_schema::SchemaRef;
use ognivo_data::dataset::{Dataset, side_by_side};

use super::folds::Fold;
use crate::evaluation::Evaluator;
use crate::param::Params;
use crate::param_map::{ParamMap, each_stage, find_stage};
use crate::pipeline::{Pipeline, PipelineModel};
use crate::stage::{Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::uid::Uid;

/// Settings of an estimator, and what to compare them by.
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) estimator: Box<dyn Estimator>,
    pub(super) param_maps: Vec<ParamMap>,
    pub(super) evaluator: Box<dyn Evaluator>,
}

impl Clone for Candidates {
    fn clone(&self) -> Candidates {
        Candidates {
            estimator: self.estimator.clone_box(),
            param_maps: self.param_maps.clone(),
            evaluator: self.evaluator.clone_box(),
        }
    }
}

/// How far a tuner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Folds that are done.
    pub n_folds_done: usize,
    /// All folds.
    pub n_folds: usize,
    /// Settings that were measured, over all folds.
    pub n_measured: usize,
    /// Settings to measure, over all folds.
    pub n_to_measure: usize,
}

/// Told how far a tuner is, from any thread.
pub(super) type Watch<'a> = &'a (dyn Fn(Progress) + Sync);

/// What was measured, fold by fold.
pub(super) struct Measured {
    /// The metric of each setting, for each fold.
    pub(super) metrics: Vec<Vec<f64>>,
    /// The models, where they were asked for.
    pub(super) models: Option<Vec<Vec<Box<dyn Transformer>>>>,
}

/// What was measured on one fold.
struct MeasuredFold {
    /// The metric of each setting.
    metrics: Vec<f64>,
    /// The models, where they were asked for.
    models: Option<Vec<Box<dyn Transformer>>>,
}

impl Candidates {
    /// Checks every setting against `schema`, and the evaluator against what each setting gives; nothing is read.
    ///
    /// Returns the schema after the first setting's model.
    pub(super) fn check(&self, schema: &SchemaRef, tuner: &Params) -> Result<SchemaRef, StageError> {
        let mut first = None;
        for map in &self.param_maps {
            self.check_stages(map, tuner.uid())?;
            let after = map.applied_to(self.estimator.as_ref())?.output_schema(schema)?;
            self.evaluator.check(&after)?;
            first.get_or_insert(after);
        }
        first.ok_or_else(|| StageError::Unfit {
            uid: tuner.uid().clone(),
            reason: "there is no setting to try: estimatorParamMaps is empty".to_owned(),
            hint: Some("give every parameter of the grid a value at least".to_owned()),
        })
    }

    /// A map that speaks of a stage which is not there would change nothing, silently.
    fn check_stages(&self, map: &ParamMap, tuner: &Uid) -> Result<(), StageError> {
        let is_known = |uid: &Uid| find_stage(self.estimator.as_ref(), uid).is_some() || uid == self.evaluator.uid();
        let Some(entry) = map.entries().iter().find(|entry| !is_known(&entry.stage)) else { return Ok(()) };
        let mut known = Vec::new();
        each_stage(self.estimator.as_ref(), &mut |stage| known.push(stage.uid().to_string()));
        Err(StageError::Unfit {
            uid: tuner.clone(),
            reason: format!("the grid varies `{}` of a stage that is not there: {}", entry.name, entry.stage),
            hint: Some(format!("stages that are there: {}", known.join(", "))),
        })
    }

    /// Fits and measures every setting on every fold.
    pub(super) fn measure(&self, folds: &[Fold], keep_models: bool, watch: Watch<'_>) -> Result<Measured, FitError> {
        let mut measured = Measured { metrics: Vec::new(), models: keep_models.then(Vec::new) };
        for (at, fold) in folds.iter().enumerate() {
            let n_settings = self.param_maps.len();
            let so_far = |n_measured: usize| Progress {
                n_folds_done: at + n_measured / n_settings,
                n_folds: folds.len(),
                n_measured: at * n_settings + n_measured,
                n_to_measure: folds.len() * n_settings,
            };
            let which = if folds.len() > 1 { format!("fold {at}") } else { String::new() };
            let measured_fold = self.measure_fold(fold, keep_models, &|n_measured| watch(so_far(n_measured)));
            let MeasuredFold { metrics, models } = measured_fold.map_err(|error| error.with(which))?;
            measured.metrics.push(metrics);
            if let Some(all) = &mut measured.models {
                all.extend(models);
            }
        }
        Ok(measured)
    }

    /// Metric and model of every setting; `watch` is told how many were measured.
    fn measure_fold(
        &self,
        fold: &Fold,
        keep_models: bool,
        watch: &(dyn Fn(usize) + Sync),
    ) -> Result<MeasuredFold, FitError> {
        watch(0);
        let shared = self.fit_shared(fold)?;
        let models = shared.rest.fit_many(&shared.train, &self.param_maps)?;
        let n_measured = AtomicUsize::new(0);
        let metrics = side_by_side(shared.train.executor().as_ref(), models.len(), |at| {
            let metric = models[at].transform(&shared.validation).map_err(FitError::from);
            let metric = metric.and_then(|scored| Ok(self.evaluator.evaluate(&scored)?));
            watch(n_measured.fetch_add(1, Ordering::Relaxed) + 1);
            metric.map_err(|error| error.with(self.param_maps[at].to_string()))
        })?;
        let whole = |model: Box<dyn Transformer>| match &shared.model {
            Some(before) => Box::new(before.clone().then(in_pipeline(model))),
            None => model,
        };
        let models = keep_models.then(|| models.into_iter().map(whole).collect());
        Ok(MeasuredFold { metrics, models })
    }

    /// Fits the stages that no setting changes, and keeps the fold's rows after them in memory.
    fn fit_shared(&self, fold: &Fold) -> Result<Shared, FitError> {
        let (train, validation) = (fold.train.cached()?, fold.validation.cached()?);
        let any: &dyn Any = self.estimator.as_ref();
        let pipeline = any.downcast_ref::<Pipeline>();
        let Some((pipeline, n_shared)) = pipeline.map(|pipeline| (pipeline, self.n_shared(pipeline))) else {
            return Ok(Shared { model: None, rest: self.estimator.clone_box(), train, validation });
        };
        if n_shared == 0 {
            return Ok(Shared { model: None, rest: Box::new(pipeline.clone()), train, validation });
        }
        pipeline.output_schema(train.schema())?;
        let (before, rest) = pipeline.split_at(n_shared);
        let model = before.fit(&train)?;
        let (train, validation) = (model.transform(&train)?.cached()?, model.transform(&validation)?.cached()?);
        Ok(Shared { model: Some(model), rest: Box::new(rest), train, validation })
    }

    /// How many stages come before the first that a setting changes, and before the last that learns.
    fn n_shared(&self, pipeline: &Pipeline) -> usize {
        let is_changed = |stage: &Stage| {
            let mut found = false;
            each_stage(stage.configured(), &mut |part| {
                found |= self.param_maps.iter().any(|map| map.of_stage(part.uid()).next().is_some());
            });
            found
        };
        let is_estimator = |stage: &Stage| matches!(stage, Stage::Estimator(_));
        let last = pipeline.stages().iter().rposition(is_estimator).unwrap_or(0);
        pipeline.stages()[..last].iter().position(is_changed).unwrap_or(last)
    }

    /// Fits the setting at `best` on all rows.
    pub(super) fn refit(&self, data: &Dataset, best: usize) -> Result<Box<dyn Transformer>, FitError> {
        self.param_maps[best].applied_to(self.estimator.as_ref())?.fit(data)
    }

    pub(super) fn parts(&self) -> Vec<&dyn Configured> {
        vec![self.estimator.as_ref(), self.evaluator.as_ref()]
    }

    pub(super) fn parts_mut(&mut self) -> Vec<&mut dyn Configured> {
        vec![self.estimator.as_mut(), self.evaluator.as_mut()]
    }
}

/// A fold after the stages that all settings share.
struct Shared {
    /// Those stages, fitted.
    model: Option<PipelineModel>,
    /// What is left to fit.
    rest: Box<dyn Estimator>,
    train: Dataset,
    validation: Dataset,
}

/// The model of the rest of a pipeline, which is one.
fn in_pipeline(model: Box<dyn Transformer>) -> PipelineModel {
    let any: Box<dyn Any> = model;
    *any.downcast().expect("a pipeline's model is a pipeline's")
}
