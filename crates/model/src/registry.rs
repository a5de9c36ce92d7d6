//! Spark class name → constructor.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use object_store::path::Path;
use ognivo_ml::classification::{
    DecisionTreeClassificationModel, DecisionTreeClassifier, LogisticRegression, LogisticRegressionModel,
};
use ognivo_ml::evaluation::{
    BinaryClassificationEvaluator, Evaluator, MulticlassClassificationEvaluator, RegressionEvaluator,
};
use ognivo_ml::feature::bucketizer::Bucketizer;
use ognivo_ml::feature::imputer::{Imputer, ImputerModel};
use ognivo_ml::feature::index_to_string::IndexToString;
use ognivo_ml::feature::max_abs_scaler::{MaxAbsScaler, MaxAbsScalerModel};
use ognivo_ml::feature::min_max_scaler::{MinMaxScaler, MinMaxScalerModel};
use ognivo_ml::feature::normalizer::Normalizer;
use ognivo_ml::feature::one_hot_encoder::{OneHotEncoder, OneHotEncoderModel};
use ognivo_ml::feature::quantile_discretizer::QuantileDiscretizer;
use ognivo_ml::feature::robust_scaler::{RobustScaler, RobustScalerModel};
use ognivo_ml::feature::standard_scaler::{StandardScaler, StandardScalerModel};
use ognivo_ml::feature::string_indexer::{StringIndexer, StringIndexerModel};
use ognivo_ml::feature::vector_assembler::VectorAssembler;
use ognivo_ml::pipeline::{Pipeline, PipelineModel};
use ognivo_ml::regression::{DecisionTreeRegressionModel, DecisionTreeRegressor};
use ognivo_ml::regression::{LinearRegression, LinearRegressionModel};
use ognivo_ml::saved::{SavedError, SavedStage};
use ognivo_ml::stage::Stage;
use ognivo_ml::tuning::{CrossValidator, CrossValidatorModel, TrainValidationSplit, TrainValidationSplitModel};

use crate::load_error::{LoadError, Place};

/// Makes a stage from what its directory says; the registry makes the stages inside it.
pub type Constructor = dyn Fn(&SavedStage, &Registry) -> Result<Stage, LoadError> + Send + Sync;

/// Makes an evaluator from what its directory says.
pub type EvaluatorConstructor = dyn Fn(&SavedStage) -> Result<Box<dyn Evaluator>, SavedError> + Send + Sync;

/// The stage and evaluator classes that can be loaded.
///
/// [`Registry::default`] has those of `ognivo-ml`. Others are added by name:
///
/// ```
/// use ognivo_model::Registry;
/// # use ognivo_ml::pipeline::Pipeline;
/// let mut registry = Registry::default();
/// registry.add("com.example.MyPipeline", |saved, registry| {
///     Ok(Pipeline::from_saved(saved, |child| registry.stage(child))?.into())
/// });
/// assert!(registry.knows("com.example.MyPipeline"));
/// ```
#[derive(Clone)]
pub struct Registry {
    stages: BTreeMap<&'static str, Arc<Constructor>>,
    evaluators: BTreeMap<&'static str, Arc<EvaluatorConstructor>>,
}

impl Registry {
    /// A registry without any class.
    pub fn empty() -> Registry {
        Registry { stages: BTreeMap::new(), evaluators: BTreeMap::new() }
    }

    /// Adds a class, or replaces it.
    pub fn add(
        &mut self,
        class: &'static str,
        constructor: impl Fn(&SavedStage, &Registry) -> Result<Stage, LoadError> + Send + Sync + 'static,
    ) {
        self.stages.insert(class, Arc::new(constructor));
    }

    /// Adds a class without stages inside it.
    pub fn add_simple<S: Into<Stage>>(
        &mut self,
        class: &'static str,
        from_saved: impl Fn(&SavedStage) -> Result<S, SavedError> + Send + Sync + 'static,
    ) {
        self.add(class, move |saved, _| Ok(from_saved(saved)?.into()));
    }

    /// Adds an evaluator's class.
    pub fn add_evaluator<E: Evaluator + 'static>(
        &mut self,
        class: &'static str,
        from_saved: impl Fn(&SavedStage) -> Result<E, SavedError> + Send + Sync + 'static,
    ) {
        self.evaluators.insert(class, Arc::new(move |saved| Ok(Box::new(from_saved(saved)?))));
    }

    /// Whether the class can be loaded, as a stage or as an evaluator.
    pub fn knows(&self, class: &str) -> bool {
        self.stages.contains_key(class) || self.evaluators.contains_key(class)
    }

    /// The stage classes that can be loaded, in alphabetical order.
    pub fn classes(&self) -> impl Iterator<Item = &'static str> {
        self.stages.keys().copied()
    }

    /// The stage that `saved` says, with all stages inside it.
    ///
    /// # Errors
    /// [`LoadError::UnknownClass`] and what the stages themselves refuse; [`LoadError::WrongKind`] for an evaluator.
    pub fn stage(&self, saved: &SavedStage) -> Result<Stage, LoadError> {
        match self.stages.get(saved.class.as_str()) {
            Some(constructor) => constructor(saved, self),
            None if self.evaluators.contains_key(saved.class.as_str()) => Err(LoadError::WrongKind {
                place: unplaced(saved),
                wanted: "a stage",
                found: format!("an evaluator ({})", saved.class),
            }),
            None => Err(self.unknown(saved, self.classes())),
        }
    }

    /// The evaluator that `saved` says.
    ///
    /// # Errors
    /// [`LoadError::UnknownClass`] and what the evaluator refuses.
    pub fn evaluator(&self, saved: &SavedStage) -> Result<Box<dyn Evaluator>, LoadError> {
        match self.evaluators.get(saved.class.as_str()) {
            Some(constructor) => Ok(constructor(saved)?),
            None => Err(self.unknown(saved, self.evaluators.keys().copied())),
        }
    }

    /// Why what `saved` says cannot be loaded as what it is.
    pub(crate) fn check(&self, saved: &SavedStage) -> Result<(), LoadError> {
        match self.evaluators.contains_key(saved.class.as_str()) {
            true => self.evaluator(saved).map(drop),
            false => self.stage(saved).map(drop),
        }
    }

    fn unknown(&self, saved: &SavedStage, known: impl Iterator<Item = &'static str>) -> LoadError {
        LoadError::UnknownClass { place: unplaced(saved), class: saved.class.clone(), known: known.collect() }
    }
}

/// The place of a stage whose folder the caller will fill in.
fn unplaced(saved: &SavedStage) -> Place {
    Place { path: Path::default(), uid: Some(saved.uid.clone()) }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.classes()).entries(self.evaluators.keys()).finish()
    }
}

impl Default for Registry {
    fn default() -> Registry {
        let mut registry = Registry::empty();
        for class in [Pipeline::CLASS, "pyspark.ml.pipeline.Pipeline"] {
            registry
                .add(class, |saved, registry| Ok(Pipeline::from_saved(saved, |child| registry.stage(child))?.into()));
        }
        for class in [PipelineModel::CLASS, "pyspark.ml.pipeline.PipelineModel"] {
            registry.add(class, |saved, registry| {
                Ok(PipelineModel::from_saved(saved, |child| registry.stage(child))?.into())
            });
        }
        registry.add_simple(StringIndexer::CLASS, StringIndexer::from_saved);
        registry.add_simple(StringIndexerModel::CLASS, StringIndexerModel::from_saved);
        registry.add_simple(Bucketizer::CLASS, Bucketizer::from_saved);
        registry.add_simple(Imputer::CLASS, Imputer::from_saved);
        registry.add_simple(ImputerModel::CLASS, ImputerModel::from_saved);
        registry.add_simple(IndexToString::CLASS, IndexToString::from_saved);
        registry.add_simple(MaxAbsScaler::CLASS, MaxAbsScaler::from_saved);
        registry.add_simple(MaxAbsScalerModel::CLASS, MaxAbsScalerModel::from_saved);
        registry.add_simple(MinMaxScaler::CLASS, MinMaxScaler::from_saved);
        registry.add_simple(MinMaxScalerModel::CLASS, MinMaxScalerModel::from_saved);
        registry.add_simple(Normalizer::CLASS, Normalizer::from_saved);
        registry.add_simple(QuantileDiscretizer::CLASS, QuantileDiscretizer::from_saved);
        registry.add_simple(RobustScaler::CLASS, RobustScaler::from_saved);
        registry.add_simple(RobustScalerModel::CLASS, RobustScalerModel::from_saved);
        for class in [OneHotEncoder::CLASS, OneHotEncoder::NAME_BEFORE_3_0] {
            registry.add_simple(class, OneHotEncoder::from_saved);
        }
        registry.add_simple(OneHotEncoderModel::CLASS, OneHotEncoderModel::from_saved);
        registry.add_simple(StandardScaler::CLASS, StandardScaler::from_saved);
        registry.add_simple(StandardScalerModel::CLASS, StandardScalerModel::from_saved);
        registry.add_simple(VectorAssembler::CLASS, VectorAssembler::from_saved);
        registry.add_simple(DecisionTreeClassifier::CLASS, DecisionTreeClassifier::from_saved);
        registry.add_simple(DecisionTreeClassificationModel::CLASS, DecisionTreeClassificationModel::from_saved);
        registry.add_simple(DecisionTreeRegressor::CLASS, DecisionTreeRegressor::from_saved);
        registry.add_simple(DecisionTreeRegressionModel::CLASS, DecisionTreeRegressionModel::from_saved);
        registry.add_simple(LinearRegression::CLASS, LinearRegression::from_saved);
        registry.add_simple(LinearRegressionModel::CLASS, LinearRegressionModel::from_saved);
        registry.add_simple(LogisticRegression::CLASS, LogisticRegression::from_saved);
        registry.add_simple(LogisticRegressionModel::CLASS, LogisticRegressionModel::from_saved);
        macro_rules! add_tuners {
            ($($tuner:ty),*) => {$(
                registry.add(<$tuner>::CLASS, |saved, registry| {
                    let stage = |child: &SavedStage| registry.stage(child);
                    let evaluator = |child: &SavedStage| registry.evaluator(child);
                    Ok(<$tuner>::from_saved(saved, stage, evaluator)?.into())
                });
            )*};
        }
        add_tuners!(CrossValidator, CrossValidatorModel, TrainValidationSplit, TrainValidationSplitModel);
        registry.add_evaluator(BinaryClassificationEvaluator::CLASS, BinaryClassificationEvaluator::from_saved);
        registry.add_evaluator(MulticlassClassificationEvaluator::CLASS, MulticlassClassificationEvaluator::from_saved);
        registry.add_evaluator(RegressionEvaluator::CLASS, RegressionEvaluator::from_saved);
        registry
    }
}
