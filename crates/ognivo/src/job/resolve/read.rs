//! Files to read, and their columns, as meant.

use arrow_schema::{Field, Schema, SchemaRef};
use ognivo_data::schema::{parse_ddl, parse_type};

use super::{options, text};
use crate::job::complaint::Complaint;
use crate::job::job::{DecodedValueJob, ReadJob, SourceJob, TopicReadJob};
use crate::job::node::Node;
use crate::job::route::{self, AvroColumns};

/// Reads `stream.readStream`; `None` after complaints.
pub(super) fn resolve_source(node: &Node, complaints: &mut Vec<Complaint>) -> Option<SourceJob> {
    if text(node, "format")? == "kafka" {
        return resolve_topics(node, complaints).map(SourceJob::Topics);
    }
    if let Some(entry) = node.entries().iter().find(|entry| entry.key == "value") {
        complaints.push(Complaint::new(entry.at, "a source of files does not take the key: value"));
    }
    let read = resolve_read(node, true, complaints)?;
    if node.get("schema").is_none() && read.format != "parquet" {
        complaints
            .push(Complaint::new(node.at, format!("a stream of {} files needs a schema: readStream", read.format)));
    }
    Some(SourceJob::Files(read))
}

fn resolve_topics(node: &Node, complaints: &mut Vec<Complaint>) -> Option<TopicReadJob> {
    for key in ["path", "schema"] {
        if let Some(entry) = node.entries().iter().find(|entry| entry.key == key) {
            let hint = (key == "schema").then(|| "the columns of a record's value stand in `value.schema`".to_owned());
            let message = format!("a source of kafka does not take the key: {key}");
            complaints.push(Complaint::new(entry.at, message).with_hint(hint));
        }
    }
    let Some(value) = node.get("value") else {
        let hint = Some("add `value: {format: json, schema: …}`".to_owned());
        complaints.push(Complaint::new(node.at, "a source of kafka lacks the key: value").with_hint(hint));
        return None;
    };
    let (format, value_options) = (text(value, "format")?, options(value));
    route::check_value_format(&format, &value_options, node, complaints);
    let schema = value_schema(value, &format, &value_options, complaints)?;
    let value = DecodedValueJob { format, schema, options: value_options };
    let read = TopicReadJob { options: options(node), value };
    route::check_topic_read(&read, node, complaints);
    Some(read)
}

/// The columns that the job names, else those of the Avro schema that it gives.
fn value_schema(
    node: &Node,
    format: &str,
    options: &route::Options,
    complaints: &mut Vec<Complaint>,
) -> Option<SchemaRef> {
    if let Some(schema) = node.get("schema") {
        return read_schema(schema, complaints);
    }
    match route::avro_columns(format, options, node, complaints) {
        AvroColumns::Given(schema) => return Some(schema),
        AvroColumns::Wrong => return None,
        AvroColumns::NotGiven => {}
    }
    let hint = (format == "avro").then(|| "name the columns that are wanted, or give an `avroSchema`".to_owned());
    complaints.push(Complaint::new(node.at, "`value` lacks the key: schema").with_hint(hint));
    None
}

/// Reads `train.read`, or the files of `stream.readStream`; `None` after complaints.
pub(super) fn resolve_read(node: &Node, is_stream: bool, complaints: &mut Vec<Complaint>) -> Option<ReadJob> {
    let format = text(node, "format")?;
    let paths = node.get("path").map(Node::texts).unwrap_or_default();
    if paths.is_empty() {
        complaints.push(Complaint::new(node.at, format!("a source of {format} files lacks the key: path")));
    }
    let read = ReadJob {
        schema: node.get("schema").and_then(|schema| read_schema(schema, complaints)),
        options: options(node),
        format,
        paths,
    };
    route::check_read_options(&read, is_stream, node, complaints);
    Some(read)
}

/// The schema in DDL or as a list of columns.
fn read_schema(node: &Node, complaints: &mut Vec<Complaint>) -> Option<SchemaRef> {
    if let Some(ddl) = node.text() {
        return match parse_ddl(ddl) {
            Ok(schema) => Some(schema.into()),
            Err(error) => {
                complaints.push(Complaint::of(node.at, &error));
                None
            }
        };
    }
    let mut fields = Vec::new();
    for item in node.items() {
        let (name, data_type) = (text(item, "name")?, item.get("type")?);
        match parse_type(data_type.text()?) {
            Ok(data_type) => {
                let nullable = item.get("nullable").and_then(Node::boolean).unwrap_or(true);
                fields.push(Field::new(name, data_type, nullable));
            }
            Err(error) => complaints.push(Complaint::of(data_type.at, &error)),
        }
    }
    Some(Schema::new(fields).into())
}
