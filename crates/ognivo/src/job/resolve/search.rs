//! `search` as meant.

use std::path::PathBuf;

use ognivo_data::column::find_column;
use ognivo_data::fault::nearest;
use ognivo_data::version::SparkVersion;
use ognivo_ml::search::{SearchSpace, Strategy, VariedPipeline};

use super::train::{position_of_stage, resolve_save, resolve_split};
use super::{number, text};
use crate::job::complaint::Complaint;
use crate::job::job::{IntoJob, PipelineJob, SearchJob, TrainJob};
use crate::job::node::Node;
use crate::job::stages::read_evaluator;
use crate::job::tune::read_validator;
use crate::print::thousands;

/// More sets than these are tried only when the job says so.
const DEFAULT_MAX_SETS: u64 = 10_000;

/// Reads `search` of the job `whole`; `None` after complaints.
pub(super) fn resolve_search(
    node: &Node,
    whole: &Node,
    train: Option<&TrainJob>,
    version: SparkVersion,
    complaints: &mut Vec<Complaint>,
) -> Option<SearchJob> {
    if whole.get("train").is_none() {
        let hint = Some("add `train:` with the rows to read and the pipeline to vary".to_owned());
        complaints.push(Complaint::new(node.at, "`search` needs `train`").with_hint(hint));
    }
    // Every part is looked at before the first that is missing ends it: all complaints come at once.
    let columns = resolve_columns(node, complaints);
    let required = resolve_required(node, &columns, complaints);
    let into = node.get("into").and_then(|into| resolve_into(into, complaints));
    let validate = node.get("validate").and_then(|validate| read_validator(validate, version, complaints));
    let evaluator = node.get("evaluator").and_then(|evaluator| read_evaluator(evaluator, version, complaints));
    let split = node.get("randomSplit").and_then(|split| resolve_split(split, complaints));
    let strategy = text(node, "strategy")
        .and_then(|word| Strategy::ALL.iter().find(|(name, _)| *name == word).map(|(_, strategy)| *strategy));
    let search = SearchJob {
        required,
        strategy: strategy.unwrap_or(Strategy::Exhaustive),
        into: into?,
        validate: validate?,
        evaluator: evaluator?,
        split,
        results: text(node, "results").map(PathBuf::from),
        report: text(node, "report").map(PathBuf::from),
        save: node.get("save").map(resolve_save),
        columns,
    };
    if search.columns.is_empty() {
        return None; // complained about
    }
    check_size(&search, node, complaints);
    if let Some(train) = train {
        check_against_pipeline(&search, train, node, version, complaints);
    }
    Some(search)
}

fn resolve_columns(node: &Node, complaints: &mut Vec<Complaint>) -> Vec<String> {
    let Some(list) = node.get("columns") else { return Vec::new() };
    let columns = list.texts();
    if columns.is_empty() {
        complaints.push(Complaint::new(list.at, "there is no column to choose from: search.columns"));
    }
    if let Some((_, twice)) = columns.iter().enumerate().find(|(at, column)| columns[..*at].contains(column)) {
        complaints.push(Complaint::new(list.at, format!("a column is named twice in `search.columns`: {twice}")));
    }
    columns
}

fn resolve_required(node: &Node, columns: &[String], complaints: &mut Vec<Complaint>) -> Vec<usize> {
    let Some(list) = node.get("require") else { return Vec::new() };
    let position = |name: &String| {
        let position = columns.iter().position(|column| column == name);
        if position.is_none() {
            let hint = nearest(name, columns.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            let message = format!("a required column is not among `search.columns`: {name}");
            complaints.push(Complaint::new(list.at, message).with_hint(hint));
        }
        position
    };
    list.texts().iter().filter_map(position).collect()
}

fn resolve_into(node: &Node, complaints: &mut Vec<Complaint>) -> Option<IntoJob> {
    let written = node.text()?;
    match written.rsplit_once('.') {
        Some((stage, param)) if !stage.is_empty() && !param.is_empty() => {
            Some(IntoJob { stage: stage.to_owned(), param: param.to_owned() })
        }
        _ => {
            let message = format!("`into` must be a stage and its list, such as VectorAssembler.inputCols: {written}");
            complaints.push(Complaint::new(node.at, message));
            None
        }
    }
}

/// A search that would take days is refused before it begins.
fn check_size(search: &SearchJob, node: &Node, complaints: &mut Vec<Complaint>) {
    let space = SearchSpace::new(search.columns.len(), &search.required, search.strategy, true);
    let limit = number(node, "maxSets").map_or(DEFAULT_MAX_SETS, |limit| limit as u64);
    if space.n_sets() > limit {
        let at = node.get("columns").map_or(node.at, |columns| columns.at);
        let n_sets = thousands(space.n_sets());
        let message = format!("{n_sets} sets of columns are more than `search.maxSets` allows: {limit}");
        let hint = "raise `maxSets`, set `strategy: forward`, or name columns in `require`".to_owned();
        complaints.push(Complaint::new(at, message).with_hint(Some(hint)));
    }
}

/// What can be said before a row is read: the list is there, its columns are, and the evaluator fits.
fn check_against_pipeline(
    search: &SearchJob,
    train: &TrainJob,
    node: &Node,
    version: SparkVersion,
    complaints: &mut Vec<Complaint>,
) {
    let PipelineJob::Stages(pipeline) = &train.pipeline else { return };
    let at = |key: &str| node.get(key).map_or(node.at, |value| value.at);
    let position = match position_of_stage(pipeline.stages(), &search.into.stage) {
        Ok(position) => position,
        Err(message) => return complaints.push(Complaint::new(at("into"), message)),
    };
    let varied = VariedPipeline::new(pipeline.clone(), position, &search.into.param, search.columns.clone());
    let varied = match varied {
        Ok(varied) => varied,
        Err(error) => return complaints.push(Complaint::of(at("into"), &error)),
    };
    let Some(schema) = &train.read.schema else { return };
    // Complaints about the steps of `prepare` and the first stages are those of `train`.
    let Ok(prepare) = train.prepare.check(schema, version) else { return };
    let Ok(before) = varied.stages_before().output_schema(prepare.output_schema()) else { return };
    let mut all_known = true;
    for column in &search.columns {
        if let Err(error) = find_column(&before, column) {
            complaints.push(Complaint::of(at("columns"), &error));
            all_known = false;
        }
    }
    let all = ognivo_ml::search::ColumnSet::new(0..search.columns.len());
    let Some(all) = all.filter(|_| all_known) else { return };
    match varied.stages_from(&all).output_schema(&before) {
        Ok(after) => {
            if let Err(error) = search.evaluator.check(&after) {
                complaints.push(Complaint::of(at("evaluator"), &error));
            }
        }
        Err(error) => complaints.push(Complaint::of(at("columns"), &error)),
    }
}
