//! The directories of tuners and of what they fit.
//!
//! ```text
//! metadata/…      paramMap: every parameter, set or not; estimatorParamMaps: a list of maps, each a list of
//!                 {"parent": "LogisticRegression_9c…", "name": "regParam", "value": "0.1", "isJson": "true"}
//! estimator/…     what was tuned, not fitted
//! evaluator/…
//! bestModel/…     of a fitted tuner: and avgMetrics or validationMetrics, persistSubModels in the metadata
//! subModels/fold0/1/…    of a CrossValidatorModel with persistSubModels: fold, then position of the setting
//! subModels/1/…          of a TrainValidationSplitModel
//! ```
//!
//! A value is JSON inside of a text. Spark can also name a folder there (`"isJson": "false"`), for a parameter that is itself a
//! stage; none of ours is.

use ognivo_data::vector::number_from_json;
use ognivo_data::version::SparkVersion;
use serde_json::{Map, Value, json};

use super::candidates::Candidates;
use super::folds::Language;
use crate::evaluation::Evaluator;
use crate::java_json::java_json;
use crate::param::{ParamValue, Params};
use crate::param_map::{ParamEntry, ParamMap, find_stage};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{Configured, Estimator, Stage, Transformer};
use crate::uid::Uid;

/// Parameters whose values are not in the table of parameters.
const OTHER_PARAMS: [&str; 3] = ["estimator", "estimatorParamMaps", "evaluator"];
const PARAM_MAPS: &str = "estimatorParamMaps";
const PERSIST_SUB_MODELS: &str = "persistSubModels";

/// `String.hashCode` of the JVM, which Spark makes default seeds of.
pub(super) const fn java_hash(text: &str) -> i64 {
    let bytes = text.as_bytes();
    let (mut hash, mut at) = (0_i32, 0);
    while at < bytes.len() {
        hash = hash.wrapping_mul(31).wrapping_add(bytes[at] as i32);
        at += 1;
    }
    hash as i64
}

/// The language of the program that made a tuner, by what Scala's uids of it begin with; PySpark's begin with the class.
pub(super) fn language_of(saved: &SavedStage, scala_uid: &str) -> Language {
    let of_scala = saved.uid.as_str().strip_prefix(scala_uid).is_some_and(|rest| rest.starts_with('_'));
    if of_scala { Language::Scala } else { Language::Python }
}

/// A new uid of a tuner, as a program in this language makes it.
pub(super) fn uid_in(language: Language, class_name: &str, scala_uid: &str) -> Uid {
    Uid::unique(match language {
        Language::Python => class_name,
        Language::Scala => scala_uid,
    })
}

/// A tuner or its model, with the estimator and the evaluator inside.
pub(super) fn saved_tuner(
    class: &str,
    params: &Params,
    candidates: &Candidates,
    version: SparkVersion,
) -> Result<SavedStage, SavedError> {
    let mut saved = SavedStage::of_params(class, params, version)?;
    for (name, value) in saved.default_param_map.clone() {
        saved.param_map.entry(name).or_insert(value);
    }
    let maps = candidates.param_maps.iter().map(|map| saved_map(map, candidates, &saved, version));
    let maps = maps.collect::<Result<Vec<Value>, SavedError>>()?;
    saved.param_map.insert(PARAM_MAPS.to_owned(), Value::Array(maps));
    let estimator = candidates.estimator.to_saved(version)?;
    let evaluator = candidates.evaluator.to_saved(version)?;
    Ok(saved.with_child("estimator".to_owned(), estimator).with_child("evaluator".to_owned(), evaluator))
}

fn saved_map(
    map: &ParamMap,
    candidates: &Candidates,
    saved: &SavedStage,
    version: SparkVersion,
) -> Result<Value, SavedError> {
    let entry = |entry: &ParamEntry| {
        let stage = stage_of(candidates.estimator.as_ref(), candidates.evaluator.as_ref(), &entry.stage);
        let spec = stage.map(|stage| stage.params().spec(&entry.name));
        let Some(Ok(spec)) = spec else {
            let reason = format!("no stage has this parameter: {} of {}", entry.name, entry.stage);
            return Err(saved.fault(PARAM_MAPS, reason));
        };
        if spec.since > version {
            let reason = format!("Spark {version} does not know this parameter: {}", entry.name);
            return Err(saved.fault(PARAM_MAPS, reason));
        }
        let value = String::from_utf8(java_json(&entry.value.to_json())).expect("JSON is text");
        Ok(json!({"parent": entry.stage.as_str(), "name": entry.name, "value": value, "isJson": "true"}))
    };
    Ok(Value::Array(map.entries().iter().map(entry).collect::<Result<_, _>>()?))
}

fn stage_of<'a>(estimator: &'a dyn Estimator, evaluator: &'a dyn Evaluator, uid: &Uid) -> Option<&'a dyn Configured> {
    find_stage(estimator, uid).or_else(|| find_stage(evaluator, uid))
}

/// Makes an evaluator from its directory.
type LoadEvaluator<'a, E> = dyn FnMut(&SavedStage) -> Result<Box<dyn Evaluator>, E> + 'a;

/// Makes stages and evaluators from their directories.
pub(super) struct Loaders<'a, E> {
    pub(super) stage: &'a mut dyn FnMut(&SavedStage) -> Result<Stage, E>,
    pub(super) evaluator: &'a mut LoadEvaluator<'a, E>,
}

impl<E: From<SavedError>> Loaders<'_, E> {
    /// Reads the parameters of a tuner or its model, and what it tries.
    pub(super) fn tuner(&mut self, saved: &SavedStage, params: &mut Params) -> Result<Candidates, E> {
        saved.read_params_but(params, &OTHER_PARAMS)?;
        let estimator = match (self.stage)(saved.child("estimator")?)? {
            Stage::Estimator(estimator) => estimator,
            Stage::Transformer(fitted) => {
                return Err(saved.fault("estimator", format!("not an estimator: {}", fitted.class())).into());
            }
        };
        let evaluator = (self.evaluator)(saved.child("evaluator")?)?;
        let maps = saved.param_map.get(PARAM_MAPS).and_then(Value::as_array);
        let maps = maps.ok_or_else(|| saved.fault(PARAM_MAPS, "not a list".to_owned()))?;
        let read = |map: &Value| read_map(map, estimator.as_ref(), evaluator.as_ref());
        let maps = maps.iter().map(|map| read(map).map_err(|reason| saved.fault(PARAM_MAPS, reason)));
        let param_maps = maps.collect::<Result<_, SavedError>>()?;
        Ok(Candidates { estimator, param_maps, evaluator })
    }

    /// The fitted stage in the folder `path`.
    pub(super) fn model(&mut self, saved: &SavedStage, path: &str) -> Result<Box<dyn Transformer>, E> {
        match (self.stage)(saved.child(path)?)? {
            Stage::Transformer(model) => Ok(model),
            Stage::Estimator(unfitted) => {
                Err(saved.fault(path, format!("not a fitted stage: {}", unfitted.class())).into())
            }
        }
    }
}

fn read_map(map: &Value, estimator: &dyn Estimator, evaluator: &dyn Evaluator) -> Result<ParamMap, String> {
    let entries = map.as_array().ok_or("an entry is not a list")?;
    let mut read = ParamMap::new();
    for entry in entries {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).ok_or(format!("`{key}` is not a text"));
        let (parent, name) = (Uid::new(text("parent")?), text("name")?);
        // Written by the JVM the flag is a text, by Python's own writer a boolean; absent before Spark 2.3.
        if matches!(entry.get("isJson"), Some(Value::Bool(false))) || entry.get("isJson") == Some(&json!("false")) {
            return Err(format!("a parameter that is a stage cannot be read: {name}"));
        }
        let stage = stage_of(estimator, evaluator, &parent);
        let stage = stage.ok_or_else(|| format!("no stage has the uid: {parent}"))?;
        let spec = stage.params().spec(name).map_err(|error| error.to_string())?;
        let value = match entry.get("value") {
            Some(Value::String(text)) => {
                serde_json::from_str(text).map_err(|_| format!("the value of `{name}` is not JSON: {text}"))?
            }
            Some(value) => value.clone(),
            None => return Err("`value` is missing".to_owned()),
        };
        let value = ParamValue::from_json(spec.kind, &value)
            .ok_or_else(|| format!("`{name}` must be {}: {value}", spec.kind.describe()))?;
        read.put(&parent, name, value);
    }
    Ok(read)
}

/// The metadata of a fitted tuner: its metrics under the name `key`, and whether there are sub-models.
pub(super) fn model_extra(key: &str, metrics: &[f64], persists_sub_models: bool) -> Map<String, Value> {
    let metrics = ParamValue::DoubleArray(metrics.to_vec()).to_json();
    Map::from_iter([(key.to_owned(), metrics), (PERSIST_SUB_MODELS.to_owned(), json!(persists_sub_models))])
}

/// A list of numbers in the metadata; `None` when the key is absent.
pub(super) fn numbers(saved: &SavedStage, key: &str) -> Result<Option<Vec<f64>>, SavedError> {
    let Some(value) = saved.extra.get(key) else { return Ok(None) };
    let list = value.as_array().map(|list| list.iter().map(number_from_json).collect::<Option<Vec<f64>>>());
    match list.flatten() {
        Some(numbers) => Ok(Some(numbers)),
        None => Err(saved.fault(key, format!("not a list of numbers: {value}"))),
    }
}

/// One metric for each setting.
pub(super) fn metrics(saved: &SavedStage, key: &str, n_settings: usize) -> Result<Vec<f64>, SavedError> {
    let metrics = numbers(saved, key)?.ok_or_else(|| saved.fault(key, "missing".to_owned()))?;
    match metrics.len() {
        n if n == n_settings => Ok(metrics),
        n => Err(saved.fault(key, format!("{n} metrics for {n_settings} settings"))),
    }
}

/// Whether the directory holds sub-models; releases before 2.3 do not say.
pub(super) fn persists_sub_models(saved: &SavedStage) -> Result<bool, SavedError> {
    match saved.extra.get(PERSIST_SUB_MODELS) {
        None => Ok(false),
        Some(Value::Bool(persists)) => Ok(*persists),
        Some(other) => Err(saved.fault(PERSIST_SUB_MODELS, format!("not true or false: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// jshell of JDK 17: `"org.apache.spark.ml.tuning.CrossValidator".hashCode()`
    #[test]
    fn default_seeds_are_those_of_the_jvm() {
        assert_eq!(java_hash("org.apache.spark.ml.tuning.CrossValidator"), -1_191_137_437);
        assert_eq!(java_hash("org.apache.spark.ml.tuning.TrainValidationSplit"), -1_772_833_110);
    }
}
