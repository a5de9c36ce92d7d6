//! Targets of rows, as meant.

use super::{options, text};
use crate::job::complaint::Complaint;
use crate::job::job::{DeliveryJob, EncodedValueJob, SinkJob, TableWriteJob, TopicWriteJob, WriteJob};
use crate::job::node::{Node, Value};
use crate::job::route;

/// Keys that only one kind of target takes.
const KEYS: &[(&str, Target)] = &[
    ("path", Target::Files),
    ("partitionBy", Target::Files),
    ("key", Target::Topic),
    ("partition", Target::Topic),
    ("value", Target::Topic),
    ("delivery", Target::Topic),
    ("columns", Target::Table),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Files,
    Topic,
    Table,
}

/// Reads `writeStream` or `deadLetter`; None after complaints.
///
/// `delivery` of a topic is at least once until the whole route is known.
pub(super) fn resolve_sink(node: &Node, complaints: &mut Vec<Complaint>) -> Option<SinkJob> {
    let format = text(node, "format")?;
    let (target, what) = match format.as_str() {
        "kafka" => (Target::Topic, "a sink of kafka".to_owned()),
        "cassandra" => (Target::Table, "a sink of cassandra".to_owned()),
        files => (Target::Files, format!("a sink of {files} files")),
    };
    for (key, _) in KEYS.iter().filter(|(_, takes)| *takes != target) {
        if let Some(entry) = node.entries().iter().find(|entry| entry.key == *key) {
            complaints.push(Complaint::new(entry.at, format!("{what} does not take the key: {key}")));
        }
    }
    match target {
        Target::Files => resolve_files(node, format, complaints).map(SinkJob::Files),
        Target::Topic => resolve_topic(node).map(SinkJob::Topic),
        Target::Table => Some(SinkJob::Table(resolve_table(node, complaints))),
    }
}

fn resolve_files(node: &Node, format: String, complaints: &mut Vec<Complaint>) -> Option<WriteJob> {
    let Some(path) = text(node, "path") else {
        complaints.push(Complaint::new(node.at, format!("a sink of {format} files lacks the key: path")));
        return None;
    };
    let partition_by = node.get("partitionBy").map(Node::texts).unwrap_or_default();
    let write = WriteJob { options: options(node), format, path, partition_by };
    route::check_write_options(&write, node, complaints);
    Some(write)
}

fn resolve_topic(node: &Node) -> Option<TopicWriteJob> {
    let value = match node.get("value") {
        Some(value) => EncodedValueJob { format: text(value, "format")?, options: options(value) },
        None => EncodedValueJob { format: "json".to_owned(), options: Vec::new() },
    };
    Some(TopicWriteJob {
        options: options(node),
        key: text(node, "key"),
        partition: text(node, "partition"),
        value,
        delivery: DeliveryJob::AtLeastOnce,
    })
}

fn resolve_table(node: &Node, complaints: &mut Vec<Complaint>) -> TableWriteJob {
    let columns = node.get("columns").map(Node::entries).unwrap_or_default();
    let columns = columns.iter().filter_map(|entry| match &entry.node.value {
        Value::Scalar { text, .. } => Some((entry.key.clone(), text.clone())),
        _ => None,
    });
    let write = TableWriteJob { options: options(node), columns: columns.collect() };
    route::check_table_options(&write, node, complaints);
    write
}
