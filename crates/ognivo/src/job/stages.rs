//! The stages and evaluators that a job file can name.

use ognivo_data::fault::nearest;
use ognivo_data::version::SparkVersion;
use ognivo_ml::classification::{DecisionTreeClassifier, LogisticRegression};
use ognivo_ml::evaluation::{
    BinaryClassificationEvaluator, Evaluator, MulticlassClassificationEvaluator, RegressionEvaluator,
};
use ognivo_ml::feature::bucketizer::Bucketizer;
use ognivo_ml::feature::imputer::Imputer;
use ognivo_ml::feature::index_to_string::IndexToString;
use ognivo_ml::feature::max_abs_scaler::MaxAbsScaler;
use ognivo_ml::feature::min_max_scaler::MinMaxScaler;
use ognivo_ml::feature::normalizer::Normalizer;
use ognivo_ml::feature::one_hot_encoder::OneHotEncoder;
use ognivo_ml::feature::quantile_discretizer::QuantileDiscretizer;
use ognivo_ml::feature::robust_scaler::RobustScaler;
use ognivo_ml::feature::standard_scaler::StandardScaler;
use ognivo_ml::feature::string_indexer::StringIndexer;
use ognivo_ml::feature::vector_assembler::VectorAssembler;
use ognivo_ml::param::{ParamSpec, Params};
use ognivo_ml::regression::DecisionTreeRegressor;
use ognivo_ml::regression::LinearRegression;
use ognivo_ml::stage::{Configured, Stage};
use ognivo_ml::uid::Uid;

use super::complaint::Complaint;
use super::node::{Entry, Node, Position, Value};
use super::shape::unknown;

/// A stage by the name of its Spark class.
pub(crate) struct StageKind {
    /// The class without its package.
    pub(crate) name: &'static str,
    /// A new one, with all defaults.
    pub(crate) make: fn() -> Stage,
}

/// An evaluator by the name of its Spark class.
pub(crate) struct EvaluatorKind {
    /// The class without its package.
    pub(crate) name: &'static str,
    /// A new one, with all defaults.
    pub(crate) make: fn() -> Box<dyn Evaluator>,
}

impl StageKind {
    /// The parameters that it declares.
    pub(crate) fn specs(&self) -> &'static [ParamSpec] {
        (self.make)().configured().params().specs()
    }
}

impl EvaluatorKind {
    /// The parameters that it declares.
    pub(crate) fn specs(&self) -> &'static [ParamSpec] {
        (self.make)().params().specs()
    }
}

/// Every stage that may stand in a pipeline, by name.
pub(crate) static STAGES: &[StageKind] = &[
    StageKind { name: "Bucketizer", make: || Bucketizer::new().into() },
    StageKind { name: "DecisionTreeClassifier", make: || DecisionTreeClassifier::new().into() },
    StageKind { name: "DecisionTreeRegressor", make: || DecisionTreeRegressor::new().into() },
    StageKind { name: "Imputer", make: || Imputer::new().into() },
    StageKind { name: "IndexToString", make: || IndexToString::new().into() },
    StageKind { name: "LinearRegression", make: || LinearRegression::new().into() },
    StageKind { name: "LogisticRegression", make: || LogisticRegression::new().into() },
    StageKind { name: "MaxAbsScaler", make: || MaxAbsScaler::new().into() },
    StageKind { name: "MinMaxScaler", make: || MinMaxScaler::new().into() },
    StageKind { name: "Normalizer", make: || Normalizer::new().into() },
    StageKind { name: "OneHotEncoder", make: || OneHotEncoder::new().into() },
    StageKind { name: "QuantileDiscretizer", make: || QuantileDiscretizer::new().into() },
    StageKind { name: "RobustScaler", make: || RobustScaler::new().into() },
    StageKind { name: "StandardScaler", make: || StandardScaler::new().into() },
    StageKind { name: "StringIndexer", make: || StringIndexer::new().into() },
    StageKind { name: "VectorAssembler", make: || VectorAssembler::new().into() },
];

/// Every evaluator that may be asked for, by name.
pub(crate) static EVALUATORS: &[EvaluatorKind] = &[
    EvaluatorKind { name: "BinaryClassificationEvaluator", make: || Box::new(BinaryClassificationEvaluator::new()) },
    EvaluatorKind {
        name: "MulticlassClassificationEvaluator",
        make: || Box::new(MulticlassClassificationEvaluator::new()),
    },
    EvaluatorKind { name: "RegressionEvaluator", make: || Box::new(RegressionEvaluator::new()) },
];

/// The stage that `node` (`Name: {parameters}`) asks for, with the numbers of `version`; `None` after complaints.
pub(crate) fn read_stage(node: &Node, version: SparkVersion, complaints: &mut Vec<Complaint>) -> Option<Stage> {
    let (name, at, parameters) = named(node)?;
    let Some(kind) = STAGES.iter().find(|kind| kind.name == name) else {
        complaints.push(unknown_stage(at, name));
        return None;
    };
    let mut stage = (kind.make)();
    stage.configured_mut().set_version(version);
    read_params(stage.configured_mut().params_mut(), parameters, &[], complaints);
    Some(stage)
}

/// The evaluator that `node` asks for, with the numbers of `version`; `None` after complaints.
pub(crate) fn read_evaluator(
    node: &Node,
    version: SparkVersion,
    complaints: &mut Vec<Complaint>,
) -> Option<Box<dyn Evaluator>> {
    let (name, at, parameters) = named(node)?;
    let Some(kind) = EVALUATORS.iter().find(|kind| kind.name == name) else {
        complaints.push(unknown(at, "evaluator", name, EVALUATORS.iter().map(|kind| kind.name)));
        return None;
    };
    let mut evaluator = (kind.make)();
    evaluator.params_mut().set_version(version);
    read_params(evaluator.params_mut(), parameters, &[], complaints);
    Some(evaluator)
}

fn unknown_stage(at: Position, name: &str) -> Complaint {
    let is_evaluator = EVALUATORS.iter().any(|kind| kind.name == name);
    if is_evaluator && nearest(name, STAGES.iter().map(|kind| kind.name)).is_none() {
        return Complaint::new(at, format!("an evaluator is not a stage of a pipeline: {name}"))
            .with_hint(Some("put it under `train.evaluate`".to_owned()));
    }
    unknown(at, "stage", name, STAGES.iter().map(|kind| kind.name))
}

/// Name, its position, and the mapping of parameters where there is one. `None` for what the shape already complained about.
fn named(node: &Node) -> Option<(&str, Position, Option<&Node>)> {
    match &node.value {
        Value::Scalar { text, .. } => Some((text, node.at, None)),
        Value::Map(entries) if entries.len() == 1 => Some((&entries[0].key, entries[0].at, Some(&entries[0].node))),
        _ => None,
    }
}

/// Sets parameters as `parameters` says; keys in `others` are for the caller.
pub(crate) fn read_params(
    params: &mut Params,
    parameters: Option<&Node>,
    others: &[&'static str],
    complaints: &mut Vec<Complaint>,
) {
    let entries = parameters.map(Node::entries).unwrap_or_default();
    let is_own = |entry: &&Entry| !others.contains(&entry.key.as_str());
    // The uid first, so that complaints about the other parameters speak of the stage by its name.
    for entry in entries.iter().filter(|entry| entry.key == "uid") {
        match entry.node.text() {
            Some(text) if is_safe_uid(text) => params.set_uid(Uid::new(text)),
            _ => complaints.push(Complaint::new(entry.node.at, format!("not a uid: {}", entry.node.describe()))),
        }
    }
    for entry in entries.iter().filter(is_own).filter(|entry| entry.key != "uid") {
        let known = || params.specs().iter().map(|spec| spec.name).chain(["uid"]).chain(others.iter().copied());
        if known().all(|name| name != entry.key) {
            complaints.push(unknown(entry.at, "parameter", &entry.key, known().collect::<Vec<_>>()));
        } else if let Err(error) = params.set_json(&entry.key, &entry.node.to_json()) {
            complaints.push(Complaint::of(entry.node.at, &error));
        }
    }
}

/// Why a name does not tell one stage.
pub(crate) enum StageMiss {
    /// No stage is called so; those that there are.
    None(Vec<&'static str>),
    /// Several stages are of that class.
    Several,
}

/// Position of the stage that `name` (its class or its uid) names.
///
/// # Errors
/// [`StageMiss`] when it names none, or several.
pub(crate) fn find_stage(stages: &[Stage], name: &str) -> Result<usize, StageMiss> {
    let is_called = |stage: &dyn Configured| stage.uid().as_str() == name || stage.name() == name;
    let mut positions = (0..stages.len()).filter(|&position| is_called(stages[position].configured()));
    match (positions.next(), positions.next()) {
        (Some(position), None) => Ok(position),
        (None, _) => Err(StageMiss::None(stages.iter().map(|stage| stage.configured().name()).collect())),
        (Some(_), Some(_)) => Err(StageMiss::Several),
    }
}

/// A uid becomes the name of a folder: letters, digits, `_` and `-`.
fn is_safe_uid(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}
