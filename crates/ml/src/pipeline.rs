//! Pipelines: stages in a row, fitted in order and applied in order.
//!
//! ```text
//! metadata/part-00000              {"class":"org.apache.spark.ml.Pipeline","paramMap":{"stageUids":["StringIndexer_4a…",…]},…}
//! stages/0_StringIndexer_4a…/…     one directory per stage; the number has as many digits as the count of stages
//! stages/1_LogisticRegression_9c…/…
//! ```

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo_data::dataset::Dataset;
use ognivo_data::outcome::Outcome;
use ognivo_data::version::SparkVersion;
use serde_json::{Value, json};

use crate::param::{ParamError, ParamSpec, Params};
use crate::param_map::{ParamMap, each_stage};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::uid::Uid;

/// A pipeline's stages are not parameters in its metadata.
static PARAMS: &[ParamSpec] = &[];

/// Stages that are fitted one after the other, each on the rows that the ones before it give.
///
/// Same as Spark (all versions): stages after the last estimator see no rows while fitting, the model's uid is the pipeline's.
/// Differs from Spark: every stage's columns and parameters are checked before the first row is read.
#[derive(Debug, Clone)]
pub struct Pipeline {
    params: Params,
    stages: Vec<Stage>,
}

impl Pipeline {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.Pipeline";

    /// A pipeline of these stages, in this order.
    pub fn new(stages: impl IntoIterator<Item = Stage>) -> Pipeline {
        Pipeline { params: Params::new("Pipeline", PARAMS), stages: stages.into_iter().collect() }
    }

    /// The same pipeline under another uid.
    pub fn with_uid(mut self, uid: Uid) -> Pipeline {
        self.params.set_uid(uid);
        self
    }

    /// The stages, in order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The stages, to be changed.
    pub fn stages_mut(&mut self) -> &mut Vec<Stage> {
        &mut self.stages
    }

    /// The first `n` stages and the others, each as a pipeline of this one's uid.
    ///
    /// For jobs that prepare before they split: the first part is fitted on all rows, its output is split, and the rest
    /// is fitted on a part of it. [`PipelineModel::then`] puts the fitted parts together again.
    ///
    /// # Panics
    /// When there are fewer than `n` stages.
    pub fn split_at(&self, n: usize) -> (Pipeline, Pipeline) {
        let (first, rest) = self.stages.split_at(n);
        let part = |stages: &[Stage]| Pipeline { params: self.params.clone(), stages: stages.to_vec() };
        (part(first), part(rest))
    }

    /// The schema after the fitted model, as far as it can be told before fitting; nothing is read.
    ///
    /// # Errors
    /// The first stage's that does not fit what comes before it.
    pub fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        self.stages.iter().try_fold(Arc::clone(input), |schema, stage| stage.output_schema(&schema))
    }

    /// Fits the estimators in order.
    ///
    /// # Errors
    /// [`FitError`]: a stage that does not fit the schema is found before any row is read; then come failures of reading,
    /// rows that a stage rejects, and those of the estimators.
    pub fn fit(&self, data: &Dataset) -> Result<PipelineModel, FitError> {
        self.output_schema(data.schema())?;
        let is_estimator = |stage: &Stage| matches!(stage, Stage::Estimator(_));
        let n_applied = self.stages.iter().rposition(is_estimator).unwrap_or(0);
        let mut rows = data.clone();
        let mut fitted = Vec::with_capacity(self.stages.len());
        for (position, stage) in self.stages.iter().enumerate() {
            let transformer = match stage {
                Stage::Estimator(estimator) => estimator.fit(&rows)?,
                Stage::Transformer(transformer) => transformer.clone_box(),
            };
            if position < n_applied {
                rows = transformer.transform(&rows)?;
            }
            fitted.push(transformer);
        }
        Ok(PipelineModel::new(self.uid().clone(), fitted))
    }

    /// [`fit`](Pipeline::fit) once for each of `maps`, with its values; in the same order.
    ///
    /// A stage is fitted once for all maps that agree about it and about the stages before it; its output is kept in memory where
    /// the next stage is fitted in several ways.
    ///
    /// # Errors
    /// As [`fit`](Pipeline::fit), and a map with a parameter or value that its stage does not take.
    pub fn fit_many(&self, data: &Dataset, maps: &[ParamMap]) -> Result<Vec<PipelineModel>, FitError> {
        for map in maps {
            let mut copy = self.clone();
            map.apply(&mut copy)?;
            copy.output_schema(data.schema())?;
        }
        let mut fitted: Vec<Vec<Box<dyn Transformer>>> = maps.iter().map(|_| Vec::new()).collect();
        let all: Vec<usize> = (0..maps.len()).collect();
        self.fit_from(0, data, maps, &all, &mut fitted)?;
        Ok(fitted.into_iter().map(|stages| PipelineModel::new(self.uid().clone(), stages)).collect())
    }

    /// Fits the stages from `position` on for the maps `alike`, which agree about all stages before, whose output is `rows`.
    fn fit_from(
        &self,
        position: usize,
        rows: &Dataset,
        maps: &[ParamMap],
        alike: &[usize],
        fitted: &mut [Vec<Box<dyn Transformer>>],
    ) -> Result<(), FitError> {
        let Some(stage) = self.stages.get(position) else { return Ok(()) };
        let (settings, groups) = settings_of(stage, maps, alike);
        let is_last = !self.stages[position + 1..].iter().any(|stage| matches!(stage, Stage::Estimator(_)));
        let rows = if settings.len() > 1 && position > 0 { &rows.cached()? } else { rows };
        let models = match stage {
            Stage::Estimator(estimator) => estimator.fit_many(rows, &settings)?,
            Stage::Transformer(transformer) => {
                let with_values = |map: &ParamMap| {
                    let mut copy = transformer.clone_box();
                    map.apply(copy.as_mut())?;
                    Ok(copy)
                };
                settings.iter().map(with_values).collect::<Result<_, ParamError>>()?
            }
        };
        for (model, group) in models.into_iter().zip(groups) {
            group.iter().for_each(|&at| fitted[at].push(model.clone_box()));
            let after = if is_last { rows.clone() } else { model.transform(rows)? };
            self.fit_from(position + 1, &after, maps, &group, fitted)?;
        }
        Ok(())
    }

    /// A pipeline from its directory; `load` makes each stage from its own.
    ///
    /// # Errors
    /// [`SavedError`] when the directories of the stages are not those that the metadata names, and errors of `load`.
    pub fn from_saved<E: From<SavedError>>(
        saved: &SavedStage,
        load: impl FnMut(&SavedStage) -> Result<Stage, E>,
    ) -> Result<Pipeline, E> {
        let params = own_params(saved)?;
        let stages = children(saved)?.into_iter().map(load).collect::<Result<_, E>>()?;
        Ok(Pipeline { params, stages })
    }
}

/// What the maps `alike` say about a stage and those inside it, each saying once, and which maps say so.
fn settings_of(stage: &Stage, maps: &[ParamMap], alike: &[usize]) -> (Vec<ParamMap>, Vec<Vec<usize>>) {
    let mut uids = Vec::new();
    each_stage(stage.configured(), &mut |part| uids.push(part.uid()));
    let (mut settings, mut groups): (Vec<ParamMap>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    for &at in alike {
        let setting = maps[at].of_stages(&uids);
        match settings.iter().position(|known| *known == setting) {
            Some(position) => groups[position].push(at),
            None => {
                settings.push(setting);
                groups.push(vec![at]);
            }
        }
    }
    (settings, groups)
}

impl Configured for Pipeline {
    fn class(&self) -> &'static str {
        Pipeline::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let stages = self.stages.iter().map(|stage| stage.configured().to_saved(version)).collect::<Result<_, _>>()?;
        Ok(with_children(SavedStage::of_params(Pipeline::CLASS, &self.params, version)?, stages))
    }
    fn set_version(&mut self, version: SparkVersion) {
        self.params.set_version(version);
        self.stages.iter_mut().for_each(|stage| stage.configured_mut().set_version(version));
    }
    fn parts(&self) -> Vec<&dyn Configured> {
        self.stages.iter().map(Stage::configured).collect()
    }
    fn parts_mut(&mut self) -> Vec<&mut dyn Configured> {
        self.stages.iter_mut().map(Stage::configured_mut).collect()
    }
}

impl Estimator for Pipeline {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        Pipeline::output_schema(self, input)
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(Pipeline::fit(self, data)?))
    }
    fn fit_many(&self, data: &Dataset, maps: &[ParamMap]) -> Result<Vec<Box<dyn Transformer>>, FitError> {
        let models = Pipeline::fit_many(self, data, maps)?;
        Ok(models.into_iter().map(|model| Box::new(model) as Box<dyn Transformer>).collect())
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<Pipeline> for Stage {
    fn from(pipeline: Pipeline) -> Stage {
        Stage::Estimator(Box::new(pipeline))
    }
}

/// Fitted stages, applied one after the other.
#[derive(Debug)]
pub struct PipelineModel {
    params: Params,
    stages: Vec<Box<dyn Transformer>>,
}

impl PipelineModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.PipelineModel";

    /// A model of these stages, in this order.
    pub fn new(uid: Uid, stages: Vec<Box<dyn Transformer>>) -> PipelineModel {
        let mut params = Params::new("PipelineModel", PARAMS);
        params.set_uid(uid);
        PipelineModel { params, stages }
    }

    /// The stages, in order.
    pub fn stages(&self) -> &[Box<dyn Transformer>] {
        &self.stages
    }

    /// The model that applies this one's stages and then those of `next`; it keeps this one's uid.
    pub fn then(mut self, next: PipelineModel) -> PipelineModel {
        self.stages.extend(next.stages);
        self
    }

    /// The dataset in which every batch went through all stages; nothing is computed yet.
    ///
    /// A pass over it fails at the first row that a stage rejects, as Spark's does. To get such rows as outcomes, apply the
    /// bound model batch by batch.
    ///
    /// # Errors
    /// The first stage's that does not fit what comes before it.
    pub fn transform(&self, data: &Dataset) -> Result<Dataset, StageError> {
        Transformer::transform(self, data)
    }

    /// A model from its directory; `load` makes each stage from its own.
    ///
    /// # Errors
    /// [`SavedError`] when the directories of the stages are not those that the metadata names, or one of them still has to
    /// be fitted, and errors of `load`.
    pub fn from_saved<E: From<SavedError>>(
        saved: &SavedStage,
        mut load: impl FnMut(&SavedStage) -> Result<Stage, E>,
    ) -> Result<PipelineModel, E> {
        let params = own_params(saved)?;
        let mut stages = Vec::new();
        for child in children(saved)? {
            match load(child)? {
                Stage::Transformer(transformer) => stages.push(transformer),
                Stage::Estimator(_) => {
                    let reason = format!("not a fitted stage: {}", child.class);
                    return Err(saved.fault("stageUids", reason).into());
                }
            }
        }
        Ok(PipelineModel { params, stages })
    }
}

impl Clone for PipelineModel {
    fn clone(&self) -> PipelineModel {
        let stages = self.stages.iter().map(|stage| stage.clone_box()).collect();
        PipelineModel { params: self.params.clone(), stages }
    }
}

impl Configured for PipelineModel {
    fn class(&self) -> &'static str {
        PipelineModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let stages = self.stages.iter().map(|stage| stage.to_saved(version)).collect::<Result<_, _>>()?;
        Ok(with_children(SavedStage::of_params(PipelineModel::CLASS, &self.params, version)?, stages))
    }
    fn set_version(&mut self, version: SparkVersion) {
        self.params.set_version(version);
        self.stages.iter_mut().for_each(|stage| stage.set_version(version));
    }
    fn parts(&self) -> Vec<&dyn Configured> {
        self.stages.iter().map(|stage| stage.as_ref() as &dyn Configured).collect()
    }
    fn parts_mut(&mut self) -> Vec<&mut dyn Configured> {
        self.stages.iter_mut().map(|stage| stage.as_mut() as &mut dyn Configured).collect()
    }
}

impl Transformer for PipelineModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let mut schema = Arc::clone(input);
        let mut stages = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let bound = stage.bind(&schema)?;
            schema = Arc::clone(bound.output_schema());
            stages.push(bound);
        }
        Ok(Box::new(BoundPipeline { stages, schema }))
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        self.stages.iter().try_fold(Arc::clone(input), |schema, stage| stage.output_schema(&schema))
    }
    fn transform(&self, data: &Dataset) -> Result<Dataset, StageError> {
        self.stages.iter().try_fold(data.clone(), |data, stage| stage.transform(&data))
    }
}

impl From<PipelineModel> for Stage {
    fn from(model: PipelineModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

struct BoundPipeline {
    stages: Vec<Box<dyn BoundStage>>,
    schema: SchemaRef,
}

impl BoundStage for BoundPipeline {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError> {
        self.stages.iter().try_fold(Outcome::all_kept(rows), |outcome, stage| outcome.then(|rows| stage.apply(rows)))
    }
}

/// The folder of stage `position` of `n_stages`, below the pipeline's: `stages/03_LogisticRegression_9c…`.
pub fn stage_path(position: usize, n_stages: usize, uid: &Uid) -> String {
    let n_digits = n_stages.to_string().len();
    format!("stages/{position:0n_digits$}_{uid}")
}

fn with_children(mut saved: SavedStage, stages: Vec<SavedStage>) -> SavedStage {
    let n_stages = stages.len();
    let uids: Vec<&str> = stages.iter().map(|stage| stage.uid.as_str()).collect();
    saved.param_map.insert("stageUids".to_owned(), json!(uids));
    for (position, stage) in stages.into_iter().enumerate() {
        saved = saved.with_child(stage_path(position, n_stages, &stage.uid), stage);
    }
    saved
}

fn own_params(saved: &SavedStage) -> Result<Params, SavedError> {
    let mut params = Params::new("Pipeline", PARAMS);
    params.set_uid(saved.uid.clone());
    params.set_version(saved.version()?);
    Ok(params)
}

/// Uids of the stages of a pipeline's directory, in order, as the metadata has them.
///
/// # Errors
/// [`SavedError`] when `stageUids` is missing or not a list of texts.
pub fn stage_uids(saved: &SavedStage) -> Result<Vec<Uid>, SavedError> {
    let uids = saved.param_map.get("stageUids").and_then(Value::as_array);
    let uids = uids.map(|uids| uids.iter().map(|uid| uid.as_str().map(Uid::new)).collect::<Option<Vec<_>>>());
    uids.flatten().ok_or_else(|| saved.fault("stageUids", "not a list of texts".to_owned()))
}

/// The stages' directories in the order of `stageUids`.
fn children(saved: &SavedStage) -> Result<Vec<&SavedStage>, SavedError> {
    let uids = stage_uids(saved)?;
    let child_at = |(position, uid): (usize, &Uid)| {
        let path = stage_path(position, uids.len(), uid);
        let child = saved.children.iter().find(|(known, _)| *known == path);
        child.map(|(_, stage)| stage).ok_or_else(|| saved.fault("stageUids", format!("the folder is missing: {path}")))
    };
    uids.iter().enumerate().map(child_at).collect()
}
