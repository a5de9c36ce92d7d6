//! What the numbers of a trial depend on: a results file with another identity is of another search.

use std::any::Any;

use ognivo_data::codec::json::{JsonEncoder, JsonOptions};
use ognivo_data::dataset::{Dataset, DatasetError};
use ognivo_ml::pipeline::Pipeline;
use ognivo_ml::search::VariedPipeline;
use ognivo_ml::stage::Configured;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// The identity of trials of `varied` on `rows`, folded by `validation` and judged by `evaluator`.
///
/// # Errors
/// When the rows cannot be read.
pub(super) fn identity(
    varied: &VariedPipeline,
    rows: &Dataset,
    evaluator: &dyn Configured,
    validation: &dyn Configured,
) -> Result<Value, Failure> {
    let described = |(position, stage): (usize, &dyn Configured)| {
        let mut stage = describe(stage);
        if position == varied.position() {
            stage["params"][varied.param()] = Value::Null;
        }
        stage
    };
    let stages = varied.pipeline().stages().iter().map(|stage| stage.configured()).enumerate();
    Ok(json!({
        "pipeline": stages.map(described).collect::<Vec<_>>(),
        "evaluator": describe(evaluator),
        "validate": describe(validation),
        "partitions": rows.n_partitions(),
        "rows": digest(rows)?,
    }))
}

/// Class, version and parameters; the uid changes no number.
fn describe(stage: &dyn Configured) -> Value {
    let any: &dyn Any = stage;
    if let Some(pipeline) = any.downcast_ref::<Pipeline>() {
        return pipeline.stages().iter().map(|stage| describe(stage.configured())).collect();
    }
    let params: Map<String, Value> =
        stage.params().explicit().map(|(name, value)| (name.to_owned(), value.to_json())).collect();
    json!({"class": stage.class(), "version": stage.params().version().as_str(), "params": params})
}

/// SHA-256 of all rows as JSON lines, in order.
fn digest(rows: &Dataset) -> Result<String, Failure> {
    let encoder = JsonEncoder::new(&JsonOptions::default());
    let mut digest = Sha256::new();
    let mut text = Vec::new();
    for partition in 0..rows.n_partitions() {
        for batch in rows.scan(partition)? {
            text.clear();
            encoder.encode(&batch?, &mut text).map_err(DatasetError::new)?;
            digest.update(&text);
        }
        digest.update([0]);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
