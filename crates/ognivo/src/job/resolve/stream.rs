//! `stream` as meant.

use std::time::Duration;

use ognivo_data::quantity::parse_duration;
use ognivo_data::version::SparkVersion;
use ognivo_stream::retry::RETRY_DEADLINE;

use super::read::resolve_read;
use super::{options, text};
use crate::job::complaint::Complaint;
use crate::job::job::{BatchTimeJob, ErrorsJob, OnBadRow, ReadJob, StreamJob, TriggerJob, WriteJob};
use crate::job::node::Node;
use crate::job::prepare::PrepareJob;
use crate::job::route;

/// Reads `stream`; `None` after complaints.
pub(super) fn resolve_stream(node: &Node, version: SparkVersion, complaints: &mut Vec<Complaint>) -> Option<StreamJob> {
    let write = node.get("writeStream")?;
    let dead_letter = node.get("deadLetter");
    let checkpoint = text(write, "checkpointLocation");
    if checkpoint.is_none() {
        let hint = Some("name a folder that stays the same from start to start".to_owned());
        complaints.push(Complaint::new(write.at, "`writeStream` lacks the key: checkpointLocation").with_hint(hint));
    }
    let prepare = PrepareJob::read(node.get("prepare"), complaints);
    let read = resolve_read(node.get("readStream")?, true, complaints);
    let has_schema = node.at_path(&["readStream", "schema"]).is_some();
    if let Some(read) = read.as_ref().filter(|read| !has_schema && read.format != "parquet") {
        let at = node.get("readStream")?.at;
        complaints.push(Complaint::new(at, format!("a stream of {} files needs a schema: readStream", read.format)));
    }
    if let Some(schema) = read.as_ref().and_then(|read| read.schema.as_ref()) {
        complaints.extend(prepare.check(schema, version).err());
    }
    let write_job = resolve_write(write, complaints);
    let dead_letter_job = dead_letter.map(|dead_letter| resolve_write(dead_letter, complaints));
    let stream = StreamJob {
        prepare,
        model: text(node, "model")?,
        batch_time: node.get("batchTimeColumn").and_then(|column| resolve_batch_time(column, complaints)),
        select: node.get("select").map(Node::texts),
        trigger: resolve_trigger(write.get("trigger"), complaints),
        errors: resolve_errors(node.get("errors"), read.as_ref(), dead_letter.is_some(), complaints),
        retry_deadline: duration(node, "retryDeadline").unwrap_or(RETRY_DEADLINE),
        read: read?,
        write: write_job?,
        checkpoint: checkpoint?,
        dead_letter: match dead_letter_job {
            Some(job) => Some(job?),
            None => None,
        },
    };
    check_written_columns(&stream, node, complaints);
    Some(stream)
}

fn resolve_write(node: &Node, complaints: &mut Vec<Complaint>) -> Option<WriteJob> {
    let format = text(node, "format")?;
    let at = node.get("format").map_or(node.at, |format| format.at);
    if matches!(format.as_str(), "kafka" | "cassandra") {
        complaints.push(Complaint::new(at, format!("this version of ognivo cannot write: {format}")));
        return None;
    }
    for key in ["key", "value", "columns", "delivery"] {
        if let Some(entry) = node.entries().iter().find(|entry| entry.key == key) {
            complaints.push(Complaint::new(entry.at, format!("a sink of {format} files does not take the key: {key}")));
        }
    }
    let Some(path) = text(node, "path") else {
        complaints.push(Complaint::new(node.at, format!("a sink of {format} files lacks the key: path")));
        return None;
    };
    let partition_by = node.get("partitionBy").map(Node::texts).unwrap_or_default();
    let write = WriteJob { options: options(node), format, path, partition_by };
    route::check_write_options(&write, node, complaints);
    Some(write)
}

/// The key's duration; a text that is none has been complained about.
fn duration(node: &Node, key: &str) -> Option<Duration> {
    node.get(key)?.text().and_then(parse_duration)
}

fn resolve_trigger(node: Option<&Node>, complaints: &mut Vec<Complaint>) -> TriggerJob {
    let Some(entry) = node.and_then(|node| node.entries().first()) else { return TriggerJob::AsRowsArrive };
    match entry.key.as_str() {
        "processingTime" => match entry.node.text().and_then(parse_duration) {
            Some(interval) if !interval.is_zero() => TriggerJob::ProcessingTime(interval),
            _ => TriggerJob::AsRowsArrive,
        },
        key => {
            if entry.node.boolean() == Some(false) {
                let hint = Some("leave `trigger` out to run as rows arrive".to_owned());
                complaints.push(Complaint::new(entry.node.at, format!("`{key}` must be true: false")).with_hint(hint));
            }
            if key == "once" { TriggerJob::Once } else { TriggerJob::AvailableNow }
        }
    }
}

fn resolve_batch_time(node: &Node, complaints: &mut Vec<Complaint>) -> Option<BatchTimeJob> {
    let job = BatchTimeJob {
        name: text(node, "name")?,
        format: text(node, "format").unwrap_or_else(|| "yyyyMMddHHmmss".to_owned()),
        time_zone: text(node, "timeZone").unwrap_or_else(|| "UTC".to_owned()),
    };
    if let Err(error) = route::batch_time(&job) {
        complaints.push(Complaint::of(node.at, &error));
    }
    Some(job)
}

/// What becomes of bad rows: as `errors` says; for malformed records else as Spark's option `mode` of the source says.
fn resolve_errors(
    node: Option<&Node>,
    read: Option<&ReadJob>,
    has_dead_letter: bool,
    complaints: &mut Vec<Complaint>,
) -> ErrorsJob {
    let default = if has_dead_letter { OnBadRow::DeadLetter } else { OnBadRow::Fail };
    let mut policy = |key: &str, default: OnBadRow| {
        let Some(value) = node.and_then(|node| node.get(key)) else { return default };
        match value.text() {
            Some("fail") => OnBadRow::Fail,
            Some("drop") => OnBadRow::Drop,
            Some("permissive") => OnBadRow::Permissive,
            _ => {
                if !has_dead_letter {
                    let hint = Some("add `deadLetter: {format: json, path: …}`".to_owned());
                    let message = format!("`errors.{key}` is deadLetter, and the stream has no: deadLetter");
                    complaints.push(Complaint::new(value.at, message).with_hint(hint));
                }
                OnBadRow::DeadLetter
            }
        }
    };
    let of_mode = read.and_then(|read| on_malformed_of_mode(&read.options));
    let (malformed, invalid) = (policy("malformed", of_mode.unwrap_or(default)), policy("invalid", default));
    let max_bad_fraction = node.and_then(|node| text(node, "maxBadFraction")?.parse().ok());
    ErrorsJob { malformed, invalid, max_bad_fraction }
}

fn on_malformed_of_mode(options: &[(String, String)]) -> Option<OnBadRow> {
    let (_, mode) = options.iter().find(|(name, _)| name.eq_ignore_ascii_case("mode"))?;
    match mode.to_ascii_uppercase().as_str() {
        "PERMISSIVE" => Some(OnBadRow::Permissive),
        "DROPMALFORMED" => Some(OnBadRow::Drop),
        "FAILFAST" => Some(OnBadRow::Fail),
        _ => None,
    }
}

/// Checks what the names of written columns tell without the model.
fn check_written_columns(stream: &StreamJob, node: &Node, complaints: &mut Vec<Complaint>) {
    if let (Some(time), Some(schema)) = (&stream.batch_time, &stream.read.schema)
        && schema.column_with_name(&time.name).is_some()
    {
        let at = node.at_path(&["batchTimeColumn", "name"]).map_or(node.at, |name| name.at);
        let message = format!("the rows have a column of this name already: {}", time.name);
        complaints.push(Complaint::new(at, message).with_hint(Some("give batchTimeColumn another name".to_owned())));
    }
    let Some(select) = &stream.select else { return };
    let at = node.get("select").map_or(node.at, |select| select.at);
    for (i, name) in select.iter().enumerate() {
        if select[..i].contains(name) {
            complaints.push(Complaint::new(at, format!("`select` names a column twice: {name}")));
        }
    }
    for name in stream.write.partition_by.iter().filter(|name| !select.contains(name)) {
        let at = node.at_path(&["writeStream", "partitionBy"]).map_or(node.at, |names| names.at);
        let hint = Some("add it to `select`".to_owned());
        complaints.push(
            Complaint::new(at, format!("`partitionBy` names a column that is not selected: {name}")).with_hint(hint),
        );
    }
}
