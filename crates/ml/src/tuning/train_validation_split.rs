//! One split: every setting learns from one part of the rows and is measured on the other.

use arrow_schema::SchemaRef;
use ognivo_data::dataset::Dataset;
use ognivo_data::version::SparkVersion;

use super::best::best_index;
use super::candidates::{Candidates, Progress};
use super::folds::{Fold, Language, Sampling, train_validation_split};
use super::saved_form::{
    Loaders, java_hash, language_of, metrics, model_extra, persists_sub_models, saved_tuner, uid_in,
};
use crate::evaluation::Evaluator;
use crate::param::{Key, ParamKind, ParamSpec, Params, Range};
use crate::param_map::ParamMap;
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};

// ---- parameters -----------------------------------------------------------------------------------------------------

const COLLECT_SUB_MODELS: Key<bool> = Key::new("collectSubModels");
const PARALLELISM: Key<i32> = Key::new("parallelism");
const SEED: Key<i64> = Key::new("seed");
const TRAIN_RATIO: Key<f64> = Key::new("trainRatio");

const SEED_SPEC: ParamSpec = ParamSpec::new("seed", ParamKind::Long, "seed of the generator that splits the rows");
const TRAIN_RATIO_SPEC: ParamSpec = ParamSpec::new("trainRatio", ParamKind::Double, "share of the rows to learn from")
    .double(0.75)
    .range(Range::Between(0.0, 1.0));

static PARAMS: &[ParamSpec] = &[
    ParamSpec::new("collectSubModels", ParamKind::Boolean, "whether to keep the model of every setting").boolean(false),
    ParamSpec::new("parallelism", ParamKind::Int, "how many models Spark fits at a time, kept and without effect here")
        .int(1)
        .range(Range::AtLeast(1.0)),
    SEED_SPEC.long(java_hash(TrainValidationSplit::CLASS)),
    TRAIN_RATIO_SPEC,
];

static MODEL_PARAMS: &[ParamSpec] = &[SEED_SPEC.long(java_hash(TrainValidationSplitModel::CLASS)), TRAIN_RATIO_SPEC];

/// What Scala's uids of a `TrainValidationSplit` begin with.
const SCALA_UID: &str = "tvs";

// ---- estimator ------------------------------------------------------------------------------------------------------

/// Measures each setting on rows that were kept apart, by a model that learned from the others, and fits the best one on all rows.
///
/// Same as Spark (2.4, 3.5, 4.3): which rows are kept apart, the metric of every setting, which one is the best (of equals the first).
/// The split is that of a PySpark script unless [`language`](TrainValidationSplit::language) says otherwise; see
/// [`folds`](super::folds) for why there are two. The default of `seed` is the JVM's: PySpark's is another one in every process.
/// Differs from Spark: `parallelism` has no effect; no rows to measure on are an error; all settings are checked before a row is read.
#[derive(Debug, Clone)]
pub struct TrainValidationSplit {
    params: Params,
    candidates: Candidates,
    language: Language,
}

impl TrainValidationSplit {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.tuning.TrainValidationSplit";

    /// With Spark's defaults: three quarters of the rows to learn from. The maps come from a
    /// [`ParamGridBuilder`](super::ParamGridBuilder).
    pub fn new(
        estimator: impl Estimator,
        param_maps: Vec<ParamMap>,
        evaluator: impl Evaluator,
    ) -> TrainValidationSplit {
        TrainValidationSplit::of(Box::new(estimator), param_maps, Box::new(evaluator))
    }

    /// [`new`](TrainValidationSplit::new) of boxes.
    pub fn of(
        estimator: Box<dyn Estimator>,
        param_maps: Vec<ParamMap>,
        evaluator: Box<dyn Evaluator>,
    ) -> TrainValidationSplit {
        TrainValidationSplit {
            params: Params::new("TrainValidationSplit", PARAMS),
            candidates: Candidates { estimator, param_maps, evaluator },
            language: Language::default(),
        }
    }

    /// The share of the rows to learn from.
    pub fn train_ratio(mut self, share: f64) -> TrainValidationSplit {
        self.params.put(TRAIN_RATIO, share);
        self
    }

    /// The seed of the generator that splits the rows.
    pub fn seed(mut self, seed: i64) -> TrainValidationSplit {
        self.params.put(SEED, seed);
        self
    }

    /// Whether to keep the model of every setting.
    pub fn collect_sub_models(mut self, yes: bool) -> TrainValidationSplit {
        self.params.put(COLLECT_SUB_MODELS, yes);
        self
    }

    /// How many models Spark fits at a time; kept, and without effect here.
    pub fn parallelism(mut self, n: i32) -> TrainValidationSplit {
        self.params.put(PARALLELISM, n);
        self
    }

    /// Splits the rows as a program in this language does; the tuner gets a new uid, as that language makes them, by which a saved one
    /// is known again.
    pub fn language(mut self, language: Language) -> TrainValidationSplit {
        self.params.set_uid(uid_in(language, "TrainValidationSplit", SCALA_UID));
        self.language = language;
        self
    }

    /// Gives the numbers of this Spark version, with everything inside.
    pub fn spark_version(mut self, version: SparkVersion) -> TrainValidationSplit {
        self.set_version(version);
        self
    }

    /// The declarations of its parameters, for those who have no tuner yet.
    pub fn specs() -> &'static [ParamSpec] {
        PARAMS
    }

    /// What is tuned.
    pub fn estimator(&self) -> &dyn Estimator {
        self.candidates.estimator.as_ref()
    }

    /// The settings that are tried.
    pub fn param_maps(&self) -> &[ParamMap] {
        &self.candidates.param_maps
    }

    /// What they are compared by.
    pub fn evaluator(&self) -> &dyn Evaluator {
        self.candidates.evaluator.as_ref()
    }

    /// The rows that every setting learns from, and those that it is measured on.
    ///
    /// # Errors
    /// [`FitError`] when `trainRatio` cannot be a share.
    pub fn fold(&self, data: &Dataset) -> Result<Fold, FitError> {
        let (ratio, seed) = (self.params.get(TRAIN_RATIO), self.params.get(SEED));
        let fold = train_validation_split(data, ratio, seed, self.sampling()).map_err(|error| StageError::Unfit {
            uid: self.params.uid().clone(),
            reason: error.to_string(),
            hint: None,
        })?;
        Ok(fold)
    }

    fn sampling(&self) -> Sampling {
        Sampling { version: self.params.version(), language: self.language }
    }

    /// Measures every setting, and fits the best one on all rows.
    ///
    /// # Errors
    /// [`FitError`]: a setting that does not fit the schema or its stage is found before any row is read; then come failures of
    /// reading, and what the estimator or the evaluator cannot work on, with the setting.
    pub fn fit(&self, data: &Dataset) -> Result<TrainValidationSplitModel, FitError> {
        self.fit_watched(data, &|_| {})
    }

    /// [`fit`](TrainValidationSplit::fit) for somebody who wants to see how far it is; `watch` is called from any thread.
    ///
    /// # Errors
    /// As [`fit`](TrainValidationSplit::fit).
    pub fn fit_watched(
        &self,
        data: &Dataset,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<TrainValidationSplitModel, FitError> {
        Estimator::output_schema(self, data.schema())?;
        let fold = self.fold(data)?;
        let measured = self.candidates.measure(&[fold], self.params.get(COLLECT_SUB_MODELS), watch)?;
        let validation_metrics = measured.metrics.into_iter().next().expect("one fold was measured");
        let best = best_index(&validation_metrics, self.evaluator().is_larger_better(), self.sampling());
        let mut params = Params::new("TrainValidationSplitModel", MODEL_PARAMS);
        params.inherit(&self.params);
        // The default of a model is another one, by the name of its class.
        params.put(SEED, self.params.get(SEED));
        Ok(TrainValidationSplitModel {
            params,
            candidates: self.candidates.clone(),
            best_model: self.candidates.refit(data, best)?,
            validation_metrics,
            sub_models: measured.models.and_then(|folds| folds.into_iter().next()),
            language: self.language,
        })
    }

    /// The tuner that `saved` describes; `stage` and `evaluator` make what is inside.
    ///
    /// Whose split it makes is told by its uid: Scala calls a `TrainValidationSplit` `tvs_…`, PySpark `TrainValidationSplit_…`.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter, a value that does not fit, or a missing folder, and those of what is inside.
    pub fn from_saved<E: From<SavedError>>(
        saved: &SavedStage,
        mut stage: impl FnMut(&SavedStage) -> Result<Stage, E>,
        mut evaluator: impl FnMut(&SavedStage) -> Result<Box<dyn Evaluator>, E>,
    ) -> Result<TrainValidationSplit, E> {
        let mut params = Params::new("TrainValidationSplit", PARAMS);
        let mut loaders = Loaders { stage: &mut stage, evaluator: &mut evaluator };
        let candidates = loaders.tuner(saved, &mut params)?;
        Ok(TrainValidationSplit { params, candidates, language: language_of(saved, SCALA_UID) })
    }
}

impl Configured for TrainValidationSplit {
    fn class(&self) -> &'static str {
        TrainValidationSplit::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        saved_tuner(TrainValidationSplit::CLASS, &self.params, &self.candidates, version)
    }
    fn set_version(&mut self, version: SparkVersion) {
        self.params.set_version(version);
        self.candidates.parts_mut().into_iter().for_each(|part| part.set_version(version));
    }
    fn parts(&self) -> Vec<&dyn Configured> {
        self.candidates.parts()
    }
    fn parts_mut(&mut self) -> Vec<&mut dyn Configured> {
        self.candidates.parts_mut()
    }
}

impl Estimator for TrainValidationSplit {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        self.params.check()?;
        self.candidates.check(input, &self.params)
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(TrainValidationSplit::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<TrainValidationSplit> for Stage {
    fn from(tuner: TrainValidationSplit) -> Stage {
        Stage::Estimator(Box::new(tuner))
    }
}

// ---- model ----------------------------------------------------------------------------------------------------------

/// The best setting's model, and how every setting did.
#[derive(Debug)]
pub struct TrainValidationSplitModel {
    params: Params,
    candidates: Candidates,
    best_model: Box<dyn Transformer>,
    validation_metrics: Vec<f64>,
    sub_models: Option<Vec<Box<dyn Transformer>>>,
    language: Language,
}

const VALIDATION_METRICS: &str = "validationMetrics";

impl TrainValidationSplitModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.tuning.TrainValidationSplitModel";

    /// The model of the best setting, fitted on all rows.
    pub fn best_model(&self) -> &dyn Transformer {
        self.best_model.as_ref()
    }

    /// Which setting is the best.
    pub fn best_index(&self) -> usize {
        let sampling = Sampling { version: self.params.version(), language: self.language };
        best_index(&self.validation_metrics, self.evaluator().is_larger_better(), sampling)
    }

    /// The metric of each setting.
    pub fn validation_metrics(&self) -> &[f64] {
        &self.validation_metrics
    }

    /// The model of each setting, when they were collected.
    pub fn sub_models(&self) -> Option<&[Box<dyn Transformer>]> {
        self.sub_models.as_deref()
    }

    /// The model without those of the settings, to be saved without them: Spark's option `persistSubModels = false`.
    pub fn without_sub_models(mut self) -> TrainValidationSplitModel {
        self.sub_models = None;
        self
    }

    /// The settings that were tried.
    pub fn param_maps(&self) -> &[ParamMap] {
        &self.candidates.param_maps
    }

    /// What they were compared by.
    pub fn evaluator(&self) -> &dyn Evaluator {
        self.candidates.evaluator.as_ref()
    }

    /// The dataset in which every batch went through the best model; nothing is computed yet.
    ///
    /// # Errors
    /// As [`Transformer::bind`].
    pub fn transform(&self, data: &Dataset) -> Result<Dataset, StageError> {
        self.best_model.transform(data)
    }

    /// The model that `saved` describes; `stage` and `evaluator` make what is inside.
    ///
    /// # Errors
    /// As [`TrainValidationSplit::from_saved`].
    pub fn from_saved<E: From<SavedError>>(
        saved: &SavedStage,
        mut stage: impl FnMut(&SavedStage) -> Result<Stage, E>,
        mut evaluator: impl FnMut(&SavedStage) -> Result<Box<dyn Evaluator>, E>,
    ) -> Result<TrainValidationSplitModel, E> {
        let mut params = Params::new("TrainValidationSplitModel", MODEL_PARAMS);
        let mut loaders = Loaders { stage: &mut stage, evaluator: &mut evaluator };
        let candidates = loaders.tuner(saved, &mut params)?;
        let n_settings = candidates.param_maps.len();
        let validation_metrics = metrics(saved, VALIDATION_METRICS, n_settings)?;
        let best_model = loaders.model(saved, "bestModel")?;
        let sub_models = match persists_sub_models(saved)? {
            false => None,
            true => {
                let of_setting = |at| loaders.model(saved, &sub_model_path(at));
                Some((0..n_settings).map(of_setting).collect::<Result<Vec<_>, E>>()?)
            }
        };
        let language = language_of(saved, SCALA_UID);
        Ok(TrainValidationSplitModel { params, candidates, best_model, validation_metrics, sub_models, language })
    }
}

fn sub_model_path(setting: usize) -> String {
    format!("subModels/{setting}")
}

impl Clone for TrainValidationSplitModel {
    fn clone(&self) -> TrainValidationSplitModel {
        let copies = |models: &Vec<Box<dyn Transformer>>| models.iter().map(|model| model.clone_box()).collect();
        TrainValidationSplitModel {
            params: self.params.clone(),
            candidates: self.candidates.clone(),
            best_model: self.best_model.clone_box(),
            validation_metrics: self.validation_metrics.clone(),
            sub_models: self.sub_models.as_ref().map(copies),
            language: self.language,
        }
    }
}

impl Configured for TrainValidationSplitModel {
    fn class(&self) -> &'static str {
        TrainValidationSplitModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let mut saved = saved_tuner(TrainValidationSplitModel::CLASS, &self.params, &self.candidates, version)?;
        saved.extra = model_extra(VALIDATION_METRICS, &self.validation_metrics, self.sub_models.is_some());
        saved = saved.with_child("bestModel".to_owned(), self.best_model.to_saved(version)?);
        for (setting, model) in self.sub_models.iter().flatten().enumerate() {
            saved = saved.with_child(sub_model_path(setting), model.to_saved(version)?);
        }
        Ok(saved)
    }
    fn set_version(&mut self, version: SparkVersion) {
        self.params.set_version(version);
        self.candidates.parts_mut().into_iter().for_each(|part| part.set_version(version));
        self.best_model.set_version(version);
        self.sub_models.iter_mut().flatten().for_each(|model| model.set_version(version));
    }
    fn parts(&self) -> Vec<&dyn Configured> {
        vec![self.best_model.as_ref()]
    }
    fn parts_mut(&mut self) -> Vec<&mut dyn Configured> {
        vec![self.best_model.as_mut()]
    }
}

impl Transformer for TrainValidationSplitModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        self.best_model.bind(input)
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        self.best_model.output_schema(input)
    }
    fn transform(&self, data: &Dataset) -> Result<Dataset, StageError> {
        self.best_model.transform(data)
    }
}

impl From<TrainValidationSplitModel> for Stage {
    fn from(model: TrainValidationSplitModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}
