//! The fixtures' tables as columns.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, SchemaRef};
use ognivo_data::schema;
use ognivo_data::vector::{Vector, VectorBuilder, is_vector, number_from_json};
use serde_json::Value;

use crate::stores::fixtures;

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `expected.json` of a case.
pub(crate) fn record(case: &Path) -> Value {
    serde_json::from_str(&text(&case.join("expected.json"))).unwrap()
}

/// The rows that the case's model was applied to.
pub(crate) fn input(record: &Value) -> RecordBatch {
    let table = record["scoreOn"].as_str().unwrap();
    let file = |ending: &str| text(&fixtures().join("inputs").join(format!("{table}.{ending}")));
    let rows = rows(&Arc::new(schema::from_json(&file("schema.json")).unwrap()), &file("jsonl"));
    let n_rows = record["scoredRows"].as_u64().map_or(rows.num_rows(), |n_rows| n_rows as usize);
    rows.slice(0, n_rows.min(rows.num_rows()))
}

/// The rows that came out.
pub(crate) fn scored(case: &Path, record: &Value) -> RecordBatch {
    let schema = schema::from_json(&record["outputSchema"].to_string()).unwrap();
    rows(&Arc::new(schema), &text(&case.join("expected.jsonl")))
}

/// JSON lines as columns of `schema`.
fn rows(schema: &SchemaRef, lines: &str) -> RecordBatch {
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let columns = schema.fields().iter().map(|field| {
        let values = rows.iter().map(|row| &row[field.name()]);
        column(field.data_type(), values)
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap()
}

fn column<'a>(data_type: &DataType, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    match data_type {
        DataType::Int32 => {
            Arc::new(values.map(|value| value.as_i64().map(|value| value as i32)).collect::<Int32Array>())
        }
        DataType::Float64 => Arc::new(values.map(number_from_json).collect::<Float64Array>()),
        DataType::Boolean => Arc::new(values.map(Value::as_bool).collect::<BooleanArray>()),
        DataType::Utf8 => Arc::new(values.map(Value::as_str).collect::<StringArray>()),
        vector if is_vector(vector) => {
            let mut vectors = VectorBuilder::new();
            values.for_each(|value| match Vector::from_json(value) {
                Some(vector) => vectors.push(vector.as_ref()),
                None => vectors.push_null(),
            });
            vectors.finish()
        }
        other => panic!("no column of these fixtures: {other}"),
    }
}
