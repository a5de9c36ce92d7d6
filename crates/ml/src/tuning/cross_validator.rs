//! Cross validation: each fold is measured on once, by models that learned from the others.

use arrow_schema::SchemaRef;
use ognivo_data::dataset::Dataset;
use ognivo_data::version::SparkVersion;

use super::best::best_index;
use super::candidates::{Candidates, Progress, Watch};
use super::folds::{Fold, Language, Sampling, fold_column, folds_of_column, k_folds};
use super::saved_form::{
    Loaders, java_hash, language_of, metrics, model_extra, numbers, persists_sub_models, saved_tuner, uid_in,
};
use crate::evaluation::Evaluator;
use crate::param::{Key, ParamKind, ParamSpec, ParamValue, Params, Range};
use crate::param_map::ParamMap;
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};

// ---- parameters -----------------------------------------------------------------------------------------------------

const COLLECT_SUB_MODELS: Key<bool> = Key::new("collectSubModels");
const FOLD_COL: Key<String> = Key::new("foldCol");
const NUM_FOLDS: Key<i32> = Key::new("numFolds");
const PARALLELISM: Key<i32> = Key::new("parallelism");
const SEED: Key<i64> = Key::new("seed");

const FOLD_COL_SPEC: ParamSpec =
    ParamSpec::new("foldCol", ParamKind::String, "column of fold numbers from 0, rows are dealt at random when empty")
        .text("")
        .since(SparkVersion::V3_5);
const NUM_FOLDS_SPEC: ParamSpec =
    ParamSpec::new("numFolds", ParamKind::Int, "number of folds").int(3).range(Range::AtLeast(2.0));
const SEED_SPEC: ParamSpec = ParamSpec::new("seed", ParamKind::Long, "seed of the generator that deals rows to folds");

static PARAMS: &[ParamSpec] = &[
    ParamSpec::new("collectSubModels", ParamKind::Boolean, "whether to keep the model of every fold and setting")
        .boolean(false),
    FOLD_COL_SPEC,
    NUM_FOLDS_SPEC,
    ParamSpec::new("parallelism", ParamKind::Int, "how many models Spark fits at a time, kept and without effect here")
        .int(1)
        .range(Range::AtLeast(1.0)),
    SEED_SPEC.long(java_hash(CrossValidator::CLASS)),
];

static MODEL_PARAMS: &[ParamSpec] =
    &[FOLD_COL_SPEC, NUM_FOLDS_SPEC, SEED_SPEC.long(java_hash(CrossValidatorModel::CLASS))];

// ---- estimator ------------------------------------------------------------------------------------------------------

/// Measures each setting on every fold, by a model that learned from the other folds, and fits the one with the best average.
///
/// Same as Spark (2.4, 3.5, 4.3): the rows of every fold, the average metric of every setting, which one is the best (of equals the
/// first), and that it is fitted on all rows in the end. Folds are those of a PySpark script unless [`language`](CrossValidator::language)
/// says otherwise; see [`folds`](super::folds) for why there are two. The default of `seed` is the JVM's: PySpark's is another one in
/// every process.
/// Differs from Spark: `parallelism` has no effect, since all threads work on one fold after the other; a fold without rows to
/// measure on is an error; all settings are checked before a row is read.
#[derive(Debug, Clone)]
pub struct CrossValidator {
    params: Params,
    candidates: Candidates,
    language: Language,
}

impl CrossValidator {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.tuning.CrossValidator";

    /// With Spark's defaults: 3 folds. The maps come from a [`ParamGridBuilder`](super::ParamGridBuilder).
    pub fn new(estimator: impl Estimator, param_maps: Vec<ParamMap>, evaluator: impl Evaluator) -> CrossValidator {
        CrossValidator::of(Box::new(estimator), param_maps, Box::new(evaluator))
    }

    /// [`new`](CrossValidator::new) of boxes.
    pub fn of(
        estimator: Box<dyn Estimator>,
        param_maps: Vec<ParamMap>,
        evaluator: Box<dyn Evaluator>,
    ) -> CrossValidator {
        CrossValidator {
            params: Params::new("CrossValidator", PARAMS),
            candidates: Candidates { estimator, param_maps, evaluator },
            language: Language::default(),
        }
    }

    /// The number of folds.
    pub fn num_folds(mut self, n: i32) -> CrossValidator {
        self.params.put(NUM_FOLDS, n);
        self
    }

    /// The column of fold numbers.
    pub fn fold_col(mut self, name: &str) -> CrossValidator {
        self.params.put(FOLD_COL, name.to_owned());
        self
    }

    /// The seed of the generator that deals rows to folds.
    pub fn seed(mut self, seed: i64) -> CrossValidator {
        self.params.put(SEED, seed);
        self
    }

    /// Whether to keep the model of every fold and setting.
    pub fn collect_sub_models(mut self, yes: bool) -> CrossValidator {
        self.params.put(COLLECT_SUB_MODELS, yes);
        self
    }

    /// How many models Spark fits at a time; kept, and without effect here.
    pub fn parallelism(mut self, n: i32) -> CrossValidator {
        self.params.put(PARALLELISM, n);
        self
    }

    /// Deals rows to folds as a program in this language does; the tuner gets a new uid, as that language makes them, by which a
    /// saved one is known again.
    pub fn language(mut self, language: Language) -> CrossValidator {
        self.params.set_uid(uid_in(language, "CrossValidator", SCALA_UID));
        self.language = language;
        self
    }

    /// Gives the numbers of this Spark version, with everything inside.
    pub fn spark_version(mut self, version: SparkVersion) -> CrossValidator {
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

    /// Measures every setting on every fold, and fits the best one on all rows.
    ///
    /// # Errors
    /// [`FitError`]: a setting that does not fit the schema or its stage is found before any row is read; then come failures of
    /// reading, folds without rows, and what the estimator or the evaluator cannot work on, with the fold and the setting.
    pub fn fit(&self, data: &Dataset) -> Result<CrossValidatorModel, FitError> {
        self.fit_watched(data, &|_| {})
    }

    /// [`fit`](CrossValidator::fit) for somebody who wants to see how far it is; `watch` is called from any thread.
    ///
    /// # Errors
    /// As [`fit`](CrossValidator::fit).
    pub fn fit_watched(
        &self,
        data: &Dataset,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Result<CrossValidatorModel, FitError> {
        Estimator::output_schema(self, data.schema())?;
        let folds = self.folds(data)?;
        self.fit_on(data, &folds, watch)
    }

    /// The rows that every setting learns from and is measured on, fold by fold.
    ///
    /// # Errors
    /// [`FitError`] when `foldCol` does not deal the rows.
    pub fn folds(&self, data: &Dataset) -> Result<Vec<Fold>, FitError> {
        let n_folds = self.params.get(NUM_FOLDS) as usize;
        match self.params.get(FOLD_COL) {
            column if column.is_empty() => Ok(k_folds(data, n_folds, self.params.get(SEED), self.sampling())),
            column => folds_of_column(data, n_folds, &column, self.params.uid()),
        }
    }

    fn sampling(&self) -> Sampling {
        Sampling { version: self.params.version(), language: self.language }
    }

    fn fit_on(&self, data: &Dataset, folds: &[Fold], watch: Watch<'_>) -> Result<CrossValidatorModel, FitError> {
        let measured = self.candidates.measure(folds, self.params.get(COLLECT_SUB_MODELS), watch)?;
        let (avg_metrics, std_metrics) = spread(&measured.metrics);
        let best = best_index(&avg_metrics, self.evaluator().is_larger_better(), self.sampling());
        let mut params = Params::new("CrossValidatorModel", MODEL_PARAMS);
        params.inherit(&self.params);
        // The default of a model is another one, by the name of its class.
        params.put(SEED, self.params.get(SEED));
        Ok(CrossValidatorModel {
            params,
            candidates: self.candidates.clone(),
            best_model: self.candidates.refit(data, best)?,
            avg_metrics,
            std_metrics: Some(std_metrics),
            fold_metrics: measured.metrics,
            sub_models: measured.models,
            language: self.language,
        })
    }

    /// The tuner that `saved` describes; `stage` and `evaluator` make what is inside.
    ///
    /// Whose folds it makes is told by its uid: Scala calls a `CrossValidator` `cv_…`, PySpark `CrossValidator_…`.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter, a value that does not fit, or a missing folder, and those of what is inside.
    pub fn from_saved<E: From<SavedError>>(
        saved: &SavedStage,
        mut stage: impl FnMut(&SavedStage) -> Result<Stage, E>,
        mut evaluator: impl FnMut(&SavedStage) -> Result<Box<dyn Evaluator>, E>,
    ) -> Result<CrossValidator, E> {
        let mut params = Params::new("CrossValidator", PARAMS);
        let mut loaders = Loaders { stage: &mut stage, evaluator: &mut evaluator };
        let candidates = loaders.tuner(saved, &mut params)?;
        let language = language_of(saved, SCALA_UID);
        Ok(CrossValidator { params, candidates, language })
    }
}

/// What Scala's uids of a `CrossValidator` begin with.
const SCALA_UID: &str = "cv";

/// Average and deviation over the folds, of each setting.
///
/// Same as Spark: the sum over the folds in their order, divided by how many there are; the deviation is PySpark's (3.3 and later) of
/// the whole population.
fn spread(metrics: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let n_folds = metrics.len() as f64;
    let over_folds = |of: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
        let n_settings = metrics.first().map_or(0, Vec::len);
        let sum = |at: usize| metrics.iter().fold(0.0, |sum, fold| sum + of(at, fold[at]));
        (0..n_settings).map(|at| sum(at) / n_folds).collect()
    };
    let averages = over_folds(&|_, metric| metric);
    let variances = over_folds(&|at, metric| (metric - averages[at]).powi(2));
    (averages, variances.into_iter().map(f64::sqrt).collect())
}

impl Configured for CrossValidator {
    fn class(&self) -> &'static str {
        CrossValidator::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        saved_tuner(CrossValidator::CLASS, &self.params, &self.candidates, version)
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

impl Estimator for CrossValidator {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        self.params.check()?;
        let column = self.params.get(FOLD_COL);
        if !column.is_empty() {
            fold_column(input, &column, self.params.uid())?;
        }
        self.candidates.check(input, &self.params)
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(CrossValidator::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<CrossValidator> for Stage {
    fn from(tuner: CrossValidator) -> Stage {
        Stage::Estimator(Box::new(tuner))
    }
}

// ---- model ----------------------------------------------------------------------------------------------------------

/// The best setting's model, and how every setting did.
#[derive(Debug)]
pub struct CrossValidatorModel {
    params: Params,
    candidates: Candidates,
    best_model: Box<dyn Transformer>,
    avg_metrics: Vec<f64>,
    std_metrics: Option<Vec<f64>>,
    fold_metrics: Vec<Vec<f64>>,
    sub_models: Option<Vec<Vec<Box<dyn Transformer>>>>,
    language: Language,
}

const AVG_METRICS: &str = "avgMetrics";
/// PySpark's own writer has it, and its reader takes it from any directory (4.0 and later).
const STD_METRICS: &str = "stdMetrics";

impl CrossValidatorModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.tuning.CrossValidatorModel";

    /// The model of the best setting, fitted on all rows.
    pub fn best_model(&self) -> &dyn Transformer {
        self.best_model.as_ref()
    }

    /// Which setting is the best.
    pub fn best_index(&self) -> usize {
        let sampling = Sampling { version: self.params.version(), language: self.language };
        best_index(&self.avg_metrics, self.evaluator().is_larger_better(), sampling)
    }

    /// The average metric over the folds, of each setting.
    pub fn avg_metrics(&self) -> &[f64] {
        &self.avg_metrics
    }

    /// The deviation of the metric over the folds, of each setting; unknown when the directory that it was read from does not say.
    pub fn std_metrics(&self) -> Option<&[f64]> {
        self.std_metrics.as_deref()
    }

    /// The metric of each setting, for each fold; empty when the model was read from a directory, which does not hold them.
    pub fn fold_metrics(&self) -> &[Vec<f64>] {
        &self.fold_metrics
    }

    /// The model of each setting, for each fold, when they were collected.
    pub fn sub_models(&self) -> Option<&[Vec<Box<dyn Transformer>>]> {
        self.sub_models.as_deref()
    }

    /// The model without those of folds, to be saved without them: Spark's option `persistSubModels = false`.
    pub fn without_sub_models(mut self) -> CrossValidatorModel {
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
    /// As [`CrossValidator::from_saved`].
    pub fn from_saved<E: From<SavedError>>(
        saved: &SavedStage,
        mut stage: impl FnMut(&SavedStage) -> Result<Stage, E>,
        mut evaluator: impl FnMut(&SavedStage) -> Result<Box<dyn Evaluator>, E>,
    ) -> Result<CrossValidatorModel, E> {
        let mut params = Params::new("CrossValidatorModel", MODEL_PARAMS);
        let mut loaders = Loaders { stage: &mut stage, evaluator: &mut evaluator };
        let candidates = loaders.tuner(saved, &mut params)?;
        let n_settings = candidates.param_maps.len();
        let avg_metrics = metrics(saved, AVG_METRICS, n_settings)?;
        let std_metrics = numbers(saved, STD_METRICS)?;
        let best_model = loaders.model(saved, "bestModel")?;
        let sub_models = match persists_sub_models(saved)? {
            false => None,
            true => {
                let n_folds = params.get(NUM_FOLDS);
                let mut of_setting = |fold, at| loaders.model(saved, &sub_model_path(fold, at));
                let mut of_fold = |fold| (0..n_settings).map(|at| of_setting(fold, at)).collect::<Result<Vec<_>, E>>();
                Some((0..n_folds).map(&mut of_fold).collect::<Result<Vec<_>, E>>()?)
            }
        };
        let language = language_of(saved, SCALA_UID);
        let fold_metrics = Vec::new();
        Ok(CrossValidatorModel {
            params,
            candidates,
            best_model,
            avg_metrics,
            std_metrics,
            fold_metrics,
            sub_models,
            language,
        })
    }
}

fn sub_model_path(fold: i32, setting: usize) -> String {
    format!("subModels/fold{fold}/{setting}")
}

impl Clone for CrossValidatorModel {
    fn clone(&self) -> CrossValidatorModel {
        let copies = |models: &Vec<Box<dyn Transformer>>| models.iter().map(|model| model.clone_box()).collect();
        CrossValidatorModel {
            params: self.params.clone(),
            candidates: self.candidates.clone(),
            best_model: self.best_model.clone_box(),
            avg_metrics: self.avg_metrics.clone(),
            std_metrics: self.std_metrics.clone(),
            fold_metrics: self.fold_metrics.clone(),
            sub_models: self.sub_models.as_ref().map(|folds| folds.iter().map(copies).collect()),
            language: self.language,
        }
    }
}

impl Configured for CrossValidatorModel {
    fn class(&self) -> &'static str {
        CrossValidatorModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let mut saved = saved_tuner(CrossValidatorModel::CLASS, &self.params, &self.candidates, version)?;
        saved.extra = model_extra(AVG_METRICS, &self.avg_metrics, self.sub_models.is_some());
        if let Some(deviations) = self.std_metrics.as_ref().filter(|_| version >= SparkVersion::V4_3) {
            saved.extra.insert(STD_METRICS.to_owned(), ParamValue::DoubleArray(deviations.clone()).to_json());
        }
        saved = saved.with_child("bestModel".to_owned(), self.best_model.to_saved(version)?);
        for (fold, models) in self.sub_models.iter().flatten().enumerate() {
            for (setting, model) in models.iter().enumerate() {
                saved = saved.with_child(sub_model_path(fold as i32, setting), model.to_saved(version)?);
            }
        }
        Ok(saved)
    }
    fn set_version(&mut self, version: SparkVersion) {
        self.params.set_version(version);
        self.candidates.parts_mut().into_iter().for_each(|part| part.set_version(version));
        self.best_model.set_version(version);
        self.sub_models.iter_mut().flatten().flatten().for_each(|model| model.set_version(version));
    }
    fn parts(&self) -> Vec<&dyn Configured> {
        vec![self.best_model.as_ref()]
    }
    fn parts_mut(&mut self) -> Vec<&mut dyn Configured> {
        vec![self.best_model.as_mut()]
    }
}

impl Transformer for CrossValidatorModel {
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

impl From<CrossValidatorModel> for Stage {
    fn from(model: CrossValidatorModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "sums of halves are exact")]

    use super::*;

    #[test]
    fn average_and_deviation_go_over_the_folds() {
        let (averages, deviations) = spread(&[vec![1.0, 0.5], vec![3.0, 0.5]]);
        assert_eq!((averages, deviations), (vec![2.0, 0.5], vec![1.0, 0.0]));
    }
}
