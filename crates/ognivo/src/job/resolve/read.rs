//! Files to read, and their columns, as meant.

use arrow_schema::{Field, Schema, SchemaRef};
use ognivo_data::schema::{parse_ddl, parse_type};

use super::{options, text};
use crate::job::complaint::Complaint;
use crate::job::job::ReadJob;
use crate::job::node::Node;
use crate::job::route;

/// Reads `train.read` or `stream.readStream`; `None` after complaints.
pub(super) fn resolve_read(node: &Node, is_stream: bool, complaints: &mut Vec<Complaint>) -> Option<ReadJob> {
    let format = text(node, "format")?;
    if format == "kafka" {
        let at = node.get("format").map_or(node.at, |format| format.at);
        complaints.push(Complaint::new(at, "this version of ognivo cannot read: kafka"));
        return None;
    }
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
