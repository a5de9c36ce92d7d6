//! `train.tune` as meant: which settings of the stages are tried, and what they are compared by.
//!
//! ```yaml
//! tune:
//!   CrossValidator: {numFolds: 3, seed: 42}        # or TrainValidationSplit: {trainRatio: 0.75, seed: 42}
//!   paramGrid:
//!     LogisticRegression.regParam: [0.01, 0.1]     # all combinations, the last parameter varying fastest
//!     second.elasticNetParam: [0.0, 0.5]           # a stage that occurs twice, by its uid
//!   evaluator: {BinaryClassificationEvaluator: {labelCol: not_fully_paid}}
//! ```
//!
//! What is tuned are the stages after the split: those that `randomSplit.after` fits before it are the same for every setting.
//! `language: scala` in the tuner deals rows to folds as a Scala program does; without it they are a PySpark script's.

use arrow_schema::SchemaRef;
use ognivo_data::dataset::Dataset;
use ognivo_data::version::SparkVersion;
use ognivo_ml::evaluation::{BinaryClassificationEvaluator, Evaluator};
use ognivo_ml::param::{ParamSpec, ParamValue};
use ognivo_ml::pipeline::Pipeline;
use ognivo_ml::stage::{Estimator, FitError, Stage, StageError};
use ognivo_ml::tuning::{CrossValidator, Fold, Language, ParamGridBuilder, TrainValidationSplit};

use super::complaint::Complaint;
use super::node::{Entry, Node, Position, Value};
use super::shape::unknown;
use super::stages::{StageMiss, find_stage, read_evaluator, read_params};

/// A tuner by the name of its Spark class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TunerKind {
    /// Every fold is measured on once.
    CrossValidator,
    /// A share of the rows is measured on.
    TrainValidationSplit,
}

/// The key of the language whose folds are made.
const LANGUAGE: &str = "language";
/// Its values.
pub(crate) const LANGUAGES: [&str; 2] = ["python", "scala"];
/// What it says.
pub(crate) const LANGUAGE_DOC: &str =
    "whose folds: those of a PySpark script (default) or of a program in Scala, which differ with the same seed";

impl TunerKind {
    /// All of them, in the order in which they are looked for.
    const ALL: [TunerKind; 2] = [TunerKind::CrossValidator, TunerKind::TrainValidationSplit];

    /// The class without its package.
    pub(crate) fn name(self) -> &'static str {
        match self {
            TunerKind::CrossValidator => "CrossValidator",
            TunerKind::TrainValidationSplit => "TrainValidationSplit",
        }
    }

    /// The parameters that it declares.
    pub(crate) fn specs(self) -> &'static [ParamSpec] {
        match self {
            TunerKind::CrossValidator => CrossValidator::specs(),
            TunerKind::TrainValidationSplit => TrainValidationSplit::specs(),
        }
    }
}

/// A tuner with what it tunes.
#[derive(Debug)]
pub(crate) enum Tuner {
    /// Every fold is measured on once.
    CrossValidator(CrossValidator),
    /// A share of the rows is measured on.
    TrainValidationSplit(TrainValidationSplit),
}

impl Tuner {
    /// What it has in common with every estimator.
    pub(crate) fn estimator(&self) -> &dyn Estimator {
        match self {
            Tuner::CrossValidator(tuner) => tuner,
            Tuner::TrainValidationSplit(tuner) => tuner,
        }
    }

    /// The rows to learn from and to measure on, fold by fold.
    ///
    /// # Errors
    /// When the rows cannot be dealt.
    pub(crate) fn folds(&self, data: &Dataset) -> Result<Vec<Fold>, FitError> {
        match self {
            Tuner::CrossValidator(tuner) => tuner.folds(data),
            Tuner::TrainValidationSplit(tuner) => Ok(vec![tuner.fold(data)?]),
        }
    }

    /// The same, to be changed.
    pub(crate) fn estimator_mut(&mut self) -> &mut dyn Estimator {
        match self {
            Tuner::CrossValidator(tuner) => tuner,
            Tuner::TrainValidationSplit(tuner) => tuner,
        }
    }

    /// The tuner that `estimator` is, if it is one.
    pub(crate) fn of(estimator: &dyn Estimator) -> Option<Tuner> {
        let any: &dyn std::any::Any = estimator;
        if let Some(tuner) = any.downcast_ref::<CrossValidator>() {
            return Some(Tuner::CrossValidator(tuner.clone()));
        }
        any.downcast_ref::<TrainValidationSplit>().map(|tuner| Tuner::TrainValidationSplit(tuner.clone()))
    }
}

/// `train.tune`.
#[derive(Debug)]
pub(crate) struct TuneJob {
    at: Position,
    kind: TunerKind,
    /// The tuner's parameters, as written.
    parameters: Option<Node>,
    axes: Vec<Axis>,
    evaluator_at: Position,
    evaluator: Box<dyn Evaluator>,
}

/// `Stage.parameter: [values]`.
#[derive(Debug)]
struct Axis {
    at: Position,
    stage: String,
    parameter: String,
    values: Vec<Node>,
}

/// More settings than this are a mistake: each is fitted on every fold.
const MAX_SETTINGS: usize = 10_000;

impl TuneJob {
    /// Reads `tune`; `None` after complaints.
    pub(crate) fn read(node: &Node, version: SparkVersion, complaints: &mut Vec<Complaint>) -> Option<TuneJob> {
        let named: Vec<TunerKind> =
            TunerKind::ALL.into_iter().filter(|kind| node.entries().iter().any(|e| e.key == kind.name())).collect();
        let axes = node.get("paramGrid").map(Node::entries).unwrap_or_default();
        let axes: Vec<Axis> = axes.iter().filter_map(|entry| Axis::read(entry, complaints)).collect();
        let n_settings = axes.iter().try_fold(1_usize, |n, axis| n.checked_mul(axis.values.len()));
        if n_settings.is_none_or(|n| n > MAX_SETTINGS) {
            let count = n_settings.map_or("very many".to_owned(), |n| n.to_string());
            let at = node.get("paramGrid").map_or(node.at, |grid| grid.at);
            let message = format!("the grid has more than {MAX_SETTINGS} settings: {count}");
            complaints.push(Complaint::new(at, message).with_hint(Some("try fewer values at a time".to_owned())));
        }
        let evaluator_node = node.get("evaluator");
        let evaluator = evaluator_node.and_then(|evaluator| read_evaluator(evaluator, version, complaints));
        let &[kind] = named.as_slice() else {
            let message = "`tune` takes exactly one of: CrossValidator, TrainValidationSplit";
            complaints.push(Complaint::new(node.at, message));
            return None;
        };
        let tune = TuneJob {
            at: node.at,
            kind,
            parameters: node.get(kind.name()).cloned(),
            axes,
            evaluator_at: evaluator_node.map_or(node.at, |evaluator| evaluator.at),
            evaluator: evaluator?,
        };
        tune.make(Pipeline::new([]), ParamGridBuilder::new(), version, complaints);
        Some(tune)
    }

    fn make(
        &self,
        pipeline: Pipeline,
        grid: ParamGridBuilder,
        version: SparkVersion,
        complaints: &mut Vec<Complaint>,
    ) -> Tuner {
        let candidates = (pipeline, grid, self.evaluator.clone_box());
        make(self.kind, self.parameters.as_ref(), candidates, version, complaints)
    }

    /// What is wrong with the grid for these stages, of which the first `n_fitted_before` are fitted before the rows are split.
    pub(crate) fn check(&self, stages: &[Stage], n_fitted_before: usize) -> Vec<Complaint> {
        self.axes.iter().flat_map(|axis| axis.resolve(stages, n_fitted_before).err().unwrap_or_default()).collect()
    }

    /// Tries every setting of `pipeline` on `columns`: a column that is not there is found before a row is read.
    pub(crate) fn check_columns(
        &self,
        pipeline: &Pipeline,
        columns: &SchemaRef,
        version: SparkVersion,
    ) -> Option<Complaint> {
        let measured = pipeline.output_schema(columns).map(|after| self.evaluator.check(&after));
        if let Ok(Err(error)) = measured {
            return Some(Complaint::of(self.evaluator_at, &error));
        }
        let mut tuner = self.tuner(pipeline, version).ok()?;
        let checked: Result<SchemaRef, StageError> = tuner.estimator_mut().output_schema(columns);
        checked.err().map(|error| Complaint::of(self.at, &error))
    }

    /// The tuner of `pipeline`.
    ///
    /// # Errors
    /// The first complaint about the grid.
    pub(crate) fn tuner(&self, pipeline: &Pipeline, version: SparkVersion) -> Result<Tuner, Complaint> {
        let mut grid = ParamGridBuilder::new();
        for axis in &self.axes {
            let resolved = axis.resolve(pipeline.stages(), 0);
            let (position, values) = resolved.map_err(|mut complaints| complaints.remove(0))?;
            grid = grid.add_axis(pipeline.stages()[position].configured().uid(), &axis.parameter, values);
        }
        // The parameters were read once before, and nothing was wrong with them.
        Ok(self.make(pipeline.clone(), grid, version, &mut Vec::new()))
    }
}

/// A tuner of `candidates`; what is wrong with its parameters, as written, goes to `complaints`.
fn make(
    kind: TunerKind,
    parameters: Option<&Node>,
    (pipeline, grid, evaluator): (Pipeline, ParamGridBuilder, Box<dyn Evaluator>),
    version: SparkVersion,
    complaints: &mut Vec<Complaint>,
) -> Tuner {
    let language = language(parameters, complaints);
    let (pipeline, maps) = (Box::new(pipeline), grid.build());
    let mut tuner = match kind {
        TunerKind::CrossValidator => {
            Tuner::CrossValidator(CrossValidator::of(pipeline, maps, evaluator).language(language))
        }
        TunerKind::TrainValidationSplit => {
            Tuner::TrainValidationSplit(TrainValidationSplit::of(pipeline, maps, evaluator).language(language))
        }
    };
    let params = tuner.estimator_mut().params_mut();
    read_params(params, parameters, &[LANGUAGE], complaints);
    params.set_version(version);
    tuner
}

fn language(parameters: Option<&Node>, complaints: &mut Vec<Complaint>) -> Language {
    let Some(node) = parameters.and_then(|parameters| parameters.get(LANGUAGE)) else {
        return Language::default();
    };
    match node.text() {
        Some("python") => Language::Python,
        Some("scala") => Language::Scala,
        _ => {
            let message = format!("`{LANGUAGE}` must be one of {}: {}", LANGUAGES.join(", "), node.describe());
            complaints.push(Complaint::new(node.at, message));
            Language::default()
        }
    }
}

/// The tuner on whose folds `search.validate` judges; `None` after complaints. It has nothing to tune.
pub(crate) fn read_validator(node: &Node, version: SparkVersion, complaints: &mut Vec<Complaint>) -> Option<Tuner> {
    let n_before = complaints.len();
    let entry = node.entries().first()?;
    let kind = TunerKind::ALL.into_iter().find(|kind| kind.name() == entry.key)?;
    let nothing = (Pipeline::new([]), ParamGridBuilder::new(), Box::new(BinaryClassificationEvaluator::new()) as _);
    let tuner = make(kind, Some(&entry.node), nothing, version, complaints);
    (complaints.len() == n_before).then_some(tuner)
}

impl Axis {
    fn read(entry: &Entry, complaints: &mut Vec<Complaint>) -> Option<Axis> {
        let Some((stage, parameter)) = entry.key.rsplit_once('.') else {
            let hint = Some("write `LogisticRegression.regParam: [0.01, 0.1]`".to_owned());
            let message = format!("not a stage and a parameter with a dot between them: {}", entry.key);
            complaints.push(Complaint::new(entry.at, message).with_hint(hint));
            return None;
        };
        let Value::List(values) = &entry.node.value else { return None }; // the shape complains
        if values.is_empty() {
            let message = format!("the grid has no value for the parameter: {}", entry.key);
            complaints.push(Complaint::new(entry.node.at, message));
        }
        let values = values.clone();
        Some(Axis { at: entry.at, stage: stage.to_owned(), parameter: parameter.to_owned(), values })
    }

    /// The position of the stage that is meant, and its values.
    fn resolve(&self, stages: &[Stage], n_fitted_before: usize) -> Result<(usize, Vec<ParamValue>), Vec<Complaint>> {
        let position = self.position(stages).map_err(|complaint| vec![complaint])?;
        let stage = stages[position].configured();
        if position < n_fitted_before {
            let message = format!("the grid varies a stage that is fitted before the rows are split: {}", self.stage);
            let hint = Some("leave `randomSplit.after` out, or name an earlier stage there".to_owned());
            return Err(vec![Complaint::new(self.at, message).with_hint(hint)]);
        }
        let Ok(spec) = stage.params().spec(&self.parameter) else {
            let known: Vec<&str> = stage.params().specs().iter().map(|spec| spec.name).collect();
            return Err(vec![unknown(self.at, &format!("parameter of {}", stage.name()), &self.parameter, known)]);
        };
        let mut scratch = stage.params().clone();
        let (mut values, mut complaints) = (Vec::new(), Vec::new());
        for node in &self.values {
            match scratch.set_json(&self.parameter, &node.to_json()) {
                Ok(()) => values.extend(ParamValue::from_json(spec.kind, &node.to_json())),
                Err(error) => complaints.push(Complaint::of(node.at, &error)),
            }
        }
        if complaints.is_empty() { Ok((position, values)) } else { Err(complaints) }
    }

    fn position(&self, stages: &[Stage]) -> Result<usize, Complaint> {
        find_stage(stages, &self.stage).map_err(|miss| match miss {
            StageMiss::None(known) => unknown(self.at, "stage of the pipeline", &self.stage, known),
            StageMiss::Several => {
                let hint = Some("give one a `uid:` and name that here".to_owned());
                let message = format!("several stages of the pipeline are called: {}", self.stage);
                Complaint::new(self.at, message).with_hint(hint)
            }
        })
    }
}
