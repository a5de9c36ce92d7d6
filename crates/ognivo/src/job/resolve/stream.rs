//! `stream` as meant.

use ognivo_data::quantity::parse_duration;
use ognivo_data::version::SparkVersion;

use super::read::resolve_source;
use super::write::resolve_sink;
use super::{retry_deadline, text};
use crate::job::complaint::Complaint;
use crate::job::delivery::{Route, decide};
use crate::job::job::{BatchTimeJob, DeliveryJob, ErrorsJob, OnBadRow, SinkJob, SourceJob, StreamJob, TriggerJob};
use crate::job::node::Node;
use crate::job::prepare::PrepareJob;
use crate::job::route;

/// Reads `stream`; `None` after complaints.
pub(super) fn resolve_stream(node: &Node, version: SparkVersion, complaints: &mut Vec<Complaint>) -> Option<StreamJob> {
    let write = node.get("writeStream")?;
    let dead_letter = node.get("deadLetter");
    let prepare = PrepareJob::read(node.get("prepare"), complaints);
    let read = resolve_source(node.get("readStream")?, complaints);
    if let Some(schema) = read.as_ref().and_then(route::source_schema) {
        complaints.extend(prepare.check(&schema, version).err());
    }
    let write_job = resolve_sink(write, complaints);
    let dead_letter_job = dead_letter.map(|dead_letter| resolve_sink(dead_letter, complaints));
    let mut stream = StreamJob {
        prepare,
        model: text(node, "model")?,
        batch_time: node.get("batchTimeColumn").and_then(|column| resolve_batch_time(column, complaints)),
        select: node.get("select").map(Node::texts),
        trigger: resolve_trigger(write.get("trigger"), complaints),
        errors: resolve_errors(node.get("errors"), read.as_ref(), dead_letter.is_some(), complaints),
        retry_deadline: retry_deadline(node),
        read: read?,
        write: write_job?,
        checkpoint: text(write, "checkpointLocation"),
        progress_in_group: false,
        dead_letter: match dead_letter_job {
            Some(job) => Some(job?),
            None => None,
        },
    };
    if settle_topics(&mut stream, node, complaints) {
        check_checkpoint(&stream, write, complaints);
    }
    route::check_topic_overlaps(&stream, node, complaints);
    check_written_columns(&stream, node, complaints);
    route::check_table_key(&stream, write, complaints);
    Some(stream)
}

/// Fills in what the topics of a route take from each other: the cluster of the dead letters, and what is promised. False when the
/// route cannot promise what is asked for.
fn settle_topics(stream: &mut StreamJob, node: &Node, complaints: &mut Vec<Complaint>) -> bool {
    let cluster_of_source = match &stream.read {
        SourceJob::Topics(read) => Some(read.options.clone()),
        SourceJob::Files(_) => None,
    };
    let cluster_of_sink = match &stream.write {
        SinkJob::Topic(write) => Some(write.options.clone()),
        _ => None,
    };
    if let Some(SinkJob::Topic(letters)) = &mut stream.dead_letter {
        route::inherit_cluster(&mut letters.options, cluster_of_sink.as_ref().or(cluster_of_source.as_ref()));
        letters.delivery = DeliveryJob::ExactlyOnce;
        let letters_node = node.get("deadLetter").unwrap_or(node);
        route::check_topic_write(letters, letters_node, complaints);
        route::check_letter_topic(letters, letters_node, complaints);
    }
    let route = Route {
        from_topics: cluster_of_source.is_some(),
        within_a_cluster: route::is_one_cluster(cluster_of_source.as_ref(), cluster_of_sink.as_ref()),
        letters_within_the_cluster: match &stream.dead_letter {
            Some(SinkJob::Topic(letters)) => route::is_one_cluster(Some(&letters.options), cluster_of_sink.as_ref()),
            Some(_) => false,
            None => true,
        },
        has_checkpoint: stream.checkpoint.is_some(),
    };
    let SinkJob::Topic(write) = &mut stream.write else { return true };
    stream.progress_in_group = route.keeps_progress_in_a_group();
    let write_node = node.get("writeStream").unwrap_or(node);
    route::check_topic_write(write, write_node, complaints);
    let asked = text(write_node, "delivery").map(|asked| match asked.as_str() {
        "exactlyOnce" => DeliveryJob::ExactlyOnce,
        _ => DeliveryJob::AtLeastOnce,
    });
    match decide(route, asked) {
        Ok(delivery) => write.delivery = delivery,
        Err(error) => {
            let at = write_node.get("delivery").map_or(write_node.at, |delivery| delivery.at);
            complaints.push(Complaint::of(at, &error));
            return false;
        }
    }
    true
}

/// Only a consumer group can stand for a checkpoint.
fn check_checkpoint(stream: &StreamJob, write: &Node, complaints: &mut Vec<Complaint>) {
    if stream.checkpoint.is_none() && !stream.progress_in_group {
        let hint = Some("name a folder that stays the same from start to start".to_owned());
        complaints.push(Complaint::new(write.at, "`writeStream` lacks the key: checkpointLocation").with_hint(hint));
    }
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
    read: Option<&SourceJob>,
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
    let of_mode = read.and_then(|read| on_malformed_of_mode(read.format_options()));
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
    if let (Some(time), Some(schema)) = (&stream.batch_time, route::source_schema(&stream.read))
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
    let needed: Vec<(&str, &String)> = match &stream.write {
        SinkJob::Files(write) => write.partition_by.iter().map(|name| ("partitionBy", name)).collect(),
        SinkJob::Topic(write) => {
            let (key, partition) = (write.key.iter(), write.partition.iter());
            key.map(|name| ("key", name)).chain(partition.map(|name| ("partition", name))).collect()
        }
        SinkJob::Table(write) => write.columns.iter().map(|(_, ours)| ("columns", ours)).collect(),
    };
    for (key, name) in needed.into_iter().filter(|(_, name)| !select.contains(name)) {
        let at = node.at_path(&["writeStream", key]).map_or(node.at, |names| names.at);
        let message = format!("`{key}` names a column that is not selected: {name}");
        complaints.push(Complaint::new(at, message).with_hint(Some("add it to `select`".to_owned())));
    }
}
