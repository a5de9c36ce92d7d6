//! What a report needs to know of the rows: the passes that only a report asks for.

use arrow_schema::{DataType, Schema};
use ognivo_data::column::{Attribute, AttributeGroup};
use ognivo_data::dataset::{Dataset, DatasetError};
use ognivo_ml::param::{ParamValue, Params};
use ognivo_ml::pipeline::PipelineModel;
use ognivo_ml::stage::{StageError, Transformer};
use ognivo_report::gather::{Profile, Residuals, ScoredColumns, Scores};
use ognivo_report::number::count;
use ognivo_report::section::ClassNames;

/// What was gathered.
pub(crate) struct Evidence {
    /// The prepared columns.
    pub(crate) profile: Profile,
    /// How the last predictor did, where there is one.
    pub(crate) performance: Performance,
    /// What it predicts from.
    pub(crate) features: FeatureNames,
}

/// How the last predictor did.
pub(crate) enum Performance {
    /// The pipeline predicts nothing, or has no label to compare with.
    Unknown,
    /// The rows could not be scored.
    Failed(String),
    /// It predicts classes.
    Classes(Scores, ClassNames),
    /// It predicts the number that the column of this name holds.
    Numbers(Residuals, String),
}

/// The features of the last predictor, and what its labels are called.
#[derive(Debug, Default)]
pub(crate) struct FeatureNames {
    /// A name per slot; fewer when not all are known.
    pub(crate) names: Vec<String>,
    /// The standard deviation of each slot; empty when it is not known.
    pub(crate) deviations: Vec<f64>,
    /// The names of the labels by index; empty when they are not known.
    pub(crate) labels: Vec<String>,
}

impl FeatureNames {
    /// The names of `n` features.
    pub(crate) fn of(&self, n: usize) -> Vec<String> {
        (0..n).map(|slot| self.names.get(slot).cloned().unwrap_or_else(|| format!("features[{slot}]"))).collect()
    }
}

/// Rows that a report looks at.
pub(crate) struct Looked<'a> {
    /// All prepared rows.
    pub(crate) prepared: &'a Dataset,
    /// How many they are.
    pub(crate) n_prepared: usize,
    /// The rows that are measured on, scored.
    pub(crate) scored: Result<Dataset, StageError>,
    /// How many they are.
    pub(crate) n_scored: usize,
    /// `test` or `training`.
    pub(crate) kind: &'a str,
}

/// Looks at the columns, and at the scored rows: a pass each.
///
/// # Errors
/// When the prepared rows cannot be read. That rows cannot be scored is no failure of a report; it says so.
pub(crate) fn gather(looked: &Looked<'_>, model: &PipelineModel) -> Result<Evidence, DatasetError> {
    let profile = Profile::of(looked.prepared, looked.n_prepared)?;
    let mut evidence = Evidence { profile, performance: Performance::Unknown, features: FeatureNames::default() };
    let scored = match &looked.scored {
        Ok(scored) => scored,
        Err(error) => {
            evidence.performance = Performance::Failed(error.to_string());
            return Ok(evidence);
        }
    };
    if let Some(predictor) = last_predictor(model) {
        evidence.features = feature_names(predictor.params(), scored.schema());
        let measured_on = format!("{} {} rows", count(looked.n_scored as u64), looked.kind);
        let performance = performance(predictor, scored, looked.n_scored, &evidence.features.labels, measured_on);
        evidence.performance = performance.unwrap_or_else(|error| Performance::Failed(error.to_string()));
        evidence.features.deviations = match &evidence.performance {
            Performance::Classes(scores, _) => scores.feature_deviations(),
            Performance::Numbers(residuals, _) => residuals.feature_deviations(),
            Performance::Unknown | Performance::Failed(_) => Vec::new(),
        };
    }
    Ok(evidence)
}

/// The features of the last predictor, told from the columns alone.
pub(crate) fn features_of(model: &PipelineModel, scored: &Schema) -> FeatureNames {
    last_predictor(model).map_or_else(FeatureNames::default, |predictor| feature_names(predictor.params(), scored))
}

fn last_predictor(model: &PipelineModel) -> Option<&dyn Transformer> {
    let stages = model.stages().iter().rev().map(AsRef::as_ref);
    stages.into_iter().find(|stage: &&dyn Transformer| is_predictor(stage.params()))
}

fn is_predictor(params: &Params) -> bool {
    ["labelCol", "predictionCol", "featuresCol"].iter().all(|name| params.spec(name).is_ok())
}

/// Whether a predictor tells classes: it has a column for scores by class.
fn is_classifier(params: &Params) -> bool {
    params.spec("rawPredictionCol").is_ok()
}

fn performance(
    predictor: &dyn Transformer,
    scored: &Dataset,
    n_rows: usize,
    labels: &[String],
    measured_on: String,
) -> Result<Performance, DatasetError> {
    let params = predictor.params();
    let named = |name: &str| text(params, name).filter(|column| scored.schema().column_with_name(column).is_some());
    let (Some(label), Some(prediction)) = (named("labelCol"), named("predictionCol")) else {
        return Ok(Performance::Unknown);
    };
    let probability = named("probabilityCol");
    let is_probability = probability.is_some();
    let score = probability.or_else(|| named("rawPredictionCol"));
    let columns = ScoredColumns { label, prediction, score, features: named("featuresCol") };
    if !is_classifier(params) {
        let residuals = Residuals::of(scored, n_rows, &columns)?;
        return Ok(residuals.map_or(Performance::Unknown, |residuals| Performance::Numbers(residuals, columns.label)));
    }
    let names = ClassNames {
        labels: labels.to_vec(),
        is_probability,
        threshold: threshold(params).filter(|_| is_probability),
        measured_on,
    };
    let scores = Scores::of(scored, n_rows, &columns)?;
    Ok(scores.map_or(Performance::Unknown, |scores| Performance::Classes(scores, names)))
}

/// The probability above which the second of two classes is predicted.
fn threshold(params: &Params) -> Option<f64> {
    if let Some(ParamValue::DoubleArray(thresholds)) = value(params, "thresholds") {
        let &[first, second] = thresholds.as_slice() else { return None };
        return Some(1.0 / (1.0 + first / second));
    }
    match value(params, "threshold") {
        Some(ParamValue::Double(threshold)) => Some(threshold),
        // Without a parameter the more probable class is predicted.
        _ => Some(0.5),
    }
}

fn feature_names(params: &Params, schema: &Schema) -> FeatureNames {
    let field =
        |param: &str| text(params, param).and_then(|name| schema.column_with_name(&name)).map(|(_, field)| field);
    let attributes = field("featuresCol").and_then(|field| AttributeGroup::of(field).attributes).unwrap_or_default();
    let name = |(slot, attribute): (usize, Attribute)| attribute.name.unwrap_or_else(|| format!("features[{slot}]"));
    let label = field("labelCol").filter(|field| *field.data_type() == DataType::Float64).and_then(Attribute::of);
    FeatureNames {
        names: attributes.into_iter().enumerate().map(name).collect(),
        deviations: Vec::new(),
        labels: label.and_then(|label| label.labels().map(<[String]>::to_vec)).unwrap_or_default(),
    }
}

fn text(params: &Params, name: &str) -> Option<String> {
    match value(params, name)? {
        ParamValue::String(text) => Some(text).filter(|text| !text.is_empty()),
        _ => None,
    }
}

/// The value of a parameter that a stage may not have: what was set, or the default.
fn value(params: &Params, name: &str) -> Option<ParamValue> {
    let spec = params.spec(name).ok()?;
    let set = params.explicit().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let default = || ParamValue::from_json(spec.kind, params.default_param_map(params.version()).get(name)?);
    set.or_else(default)
}
