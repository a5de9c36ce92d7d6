//! `train` as meant.

use std::path::PathBuf;

use arrow_schema::SchemaRef;
use ognivo_data::column::find_column;
use ognivo_data::version::SparkVersion;
use ognivo_ml::pipeline::Pipeline;
use ognivo_ml::stage::Stage;

use super::read::resolve_read;
use super::{retry_deadline, text};
use crate::job::complaint::Complaint;
use crate::job::job::{PipelineJob, SaveJob, SplitJob, TrainJob};
use crate::job::node::Node;
use crate::job::prepare::PrepareJob;
use crate::job::stages::{StageMiss, find_stage, read_evaluator, read_stage};
use crate::job::tune::TuneJob;

/// Reads `train`; `None` after complaints.
pub(super) fn resolve_train(node: &Node, version: SparkVersion, complaints: &mut Vec<Complaint>) -> Option<TrainJob> {
    let mut prepare = PrepareJob::read(node.get("prepare"), complaints);
    if let Some(dropna) = node.get("dropna") {
        prepare.push_dropna(dropna);
    }
    // Every part is looked at before the first that is missing ends it: all complaints come at once.
    let read = node.get("read").and_then(|read| resolve_read(read, false, complaints));
    let split_node = node.get("randomSplit");
    let pipeline = node.get("pipeline");
    let pipeline = pipeline.and_then(|pipeline| resolve_pipeline(pipeline, split_node, version, complaints));
    let evaluate = node.get("evaluate").map(Node::items).unwrap_or_default();
    let evaluate = evaluate.iter().filter_map(|item| read_evaluator(item, version, complaints)).collect();
    let split = split_node.and_then(|split| resolve_split(split, complaints));
    let n_before = complaints.len();
    let tune = node.get("tune").and_then(|tune| TuneJob::read(tune, version, complaints));
    let mut is_tune_right = complaints.len() == n_before;
    let (pipeline, n_stages_before) = pipeline?;
    let train = TrainJob {
        split: split.map(|split| SplitJob { n_stages_before, ..split }),
        save: node.get("save").map(resolve_save),
        report: text(node, "report").map(PathBuf::from),
        retry_deadline: retry_deadline(node),
        read: read?,
        prepare,
        pipeline,
        tune,
        evaluate,
    };
    if let (Some(tune), PipelineJob::Stages(pipeline)) = (&train.tune, &train.pipeline) {
        let found = tune.check(pipeline.stages(), n_stages_before);
        is_tune_right &= found.is_empty();
        complaints.extend(found);
    }
    // The columns are checked without a grid that was complained about already.
    let train = TrainJob { tune: train.tune.filter(|_| is_tune_right), ..train };
    check_columns(&train, node, version, complaints);
    Some(train)
}

pub(super) fn resolve_save(node: &Node) -> SaveJob {
    let overwrite = text(node, "mode").as_deref() == Some("overwrite");
    SaveJob { path: text(node, "path").unwrap_or_default(), overwrite }
}

/// Binds prepare steps and pipeline to the schema, where it is given, so that a missing column is found before a row is read.
fn check_columns(train: &TrainJob, node: &Node, version: SparkVersion, complaints: &mut Vec<Complaint>) {
    let Some(schema) = &train.read.schema else { return };
    let prepared = match train.prepare.check(schema, version) {
        Ok(prepare) => prepare.output_schema().clone(),
        Err(complaint) => return complaints.push(complaint),
    };
    let PipelineJob::Stages(pipeline) = &train.pipeline else { return };
    let items = node.get("pipeline").map(Node::items).unwrap_or_default();
    let mut columns = prepared;
    let n_before = train.split.as_ref().map_or(0, |split| split.n_stages_before);
    let mut columns_of_split = None;
    for (position, (stage, item)) in pipeline.stages().iter().zip(items).enumerate() {
        if position == n_before {
            columns = split_columns(train, node, columns, complaints);
            columns_of_split = Some(columns.clone());
        }
        match stage.output_schema(&columns) {
            Ok(after) => columns = after,
            Err(error) => return complaints.push(Complaint::of(item.at, &error)),
        }
    }
    if n_before == pipeline.stages().len() {
        columns = split_columns(train, node, columns, complaints);
    }
    if let (Some(tune), Some(columns)) = (&train.tune, columns_of_split) {
        let (_, tuned) = pipeline.split_at(n_before);
        complaints.extend(tune.check_columns(&tuned, &columns, version));
    }
    check_evaluators(train, node, &columns, complaints);
}

/// What is left of the columns where the rows are split.
fn split_columns(train: &TrainJob, node: &Node, columns: SchemaRef, complaints: &mut Vec<Complaint>) -> SchemaRef {
    let Some(names) = train.split.as_ref().and_then(|split| split.select.as_ref()) else { return columns };
    let at = node.at_path(&["randomSplit", "select"]).map_or(node.at, |select| select.at);
    let mut positions = Vec::new();
    for name in names {
        match find_column(&columns, name) {
            Ok((position, _)) => positions.push(position),
            Err(error) => complaints.push(Complaint::of(at, &error)),
        }
    }
    if positions.len() < names.len() {
        return columns;
    }
    columns.project(&positions).expect("positions come from the schema").into()
}

/// A metric that cannot be measured is found before anything is fitted.
fn check_evaluators(train: &TrainJob, node: &Node, columns: &SchemaRef, complaints: &mut Vec<Complaint>) {
    let items = node.get("evaluate").map(Node::items).unwrap_or_default();
    if items.len() != train.evaluate.len() {
        return; // one of them was complained about
    }
    for (evaluator, item) in train.evaluate.iter().zip(items) {
        if let Err(error) = evaluator.check(columns) {
            complaints.push(Complaint::of(item.at, &error));
        }
    }
}

fn resolve_pipeline(
    node: &Node,
    split: Option<&Node>,
    version: SparkVersion,
    complaints: &mut Vec<Complaint>,
) -> Option<(PipelineJob, usize)> {
    let after = split.and_then(|split| split.get("after"));
    if let Some(path) = text(node, "load") {
        let after = after.and_then(Node::text).map(str::to_owned);
        return Some((PipelineJob::Load { path, after }, 0));
    }
    let n_before = complaints.len();
    let stages: Vec<Stage> = node.items().iter().filter_map(|item| read_stage(item, version, complaints)).collect();
    if complaints.len() > n_before {
        return None;
    }
    if stages.is_empty() {
        complaints.push(Complaint::new(node.at, "the pipeline has no stage: pipeline"));
    }
    let n_stages_before = match after {
        Some(after) => n_stages_until(&stages, after, complaints)?,
        None => 0,
    };
    Some((PipelineJob::Stages(Pipeline::new(stages)), n_stages_before))
}

fn n_stages_until(stages: &[Stage], after: &Node, complaints: &mut Vec<Complaint>) -> Option<usize> {
    match position_of_stage(stages, after.text().unwrap_or_default()) {
        Ok(position) => Some(position + 1),
        Err(message) => {
            complaints.push(Complaint::new(after.at, message));
            None
        }
    }
}

/// Position of the stage that `name` (its class or its uid) names.
///
/// # Errors
/// A message when there is none, or several of that class.
pub(crate) fn position_of_stage(stages: &[Stage], name: &str) -> Result<usize, String> {
    find_stage(stages, name).map_err(|miss| match miss {
        StageMiss::None(known) => format!("the pipeline has no stage `{name}`; it has: {}", known.join(", ")),
        StageMiss::Several => format!("several stages are called `{name}`; give one a uid and name that"),
    })
}

pub(super) fn resolve_split(node: &Node, complaints: &mut Vec<Complaint>) -> Option<SplitJob> {
    let weights = node.get("weights")?;
    let shares: Vec<f64> = weights.items().iter().filter_map(|item| item.text()?.parse().ok()).collect();
    let all_fine = shares.iter().all(|&share| share.is_finite() && share >= 0.0) && shares.iter().sum::<f64>() > 0.0;
    let &[train, test] = shares.as_slice() else {
        complaints.push(Complaint::new(weights.at, "`weights` must be two numbers, for training and test rows"));
        return None;
    };
    if !all_fine {
        complaints.push(Complaint::new(weights.at, "`weights` must not be negative, and not all zero"));
    }
    let seed = text(node, "seed")?.parse().ok()?;
    let select = node.get("select").map(Node::texts);
    Some(SplitJob { weights: [train, test], seed, n_stages_before: 0, select })
}
