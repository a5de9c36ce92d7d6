//! Tables and lists of ids were written by `fixtures/spark/splits.py` and `random_numbers.py` in Spark 3.5.9 and 4.3.0.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use ognivo_data::dataset::{Dataset, LocalExecutor};
use ognivo_data::schema::parse_type;
use ognivo_data::vector::{Vector, VectorBuilder, number_from_json, vector_type};
use ognivo_data::version::SparkVersion;
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/spark");

fn json(path: &str) -> Value {
    let text = std::fs::read_to_string(format!("{FIXTURES}/{path}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// `inputs/splits/<name>.jsonl` with its partitions.
fn table(name: &str) -> Dataset {
    let description = json(&format!("inputs/splits/{name}.schema.json"));
    let columns: Vec<(&str, DataType)> = description["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| (column["name"].as_str().unwrap(), type_of(column["type"].as_str().unwrap())))
        .collect();
    let fields = columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));

    let text = std::fs::read_to_string(format!("{FIXTURES}/inputs/splits/{name}.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let partition = |partition: u64| {
        let rows: Vec<&Value> = rows.iter().filter(|row| row["partition"] == partition).collect();
        let columns = columns.iter().map(|(name, data_type)| {
            let values: Vec<&Value> = rows.iter().map(|row| &row[name]).collect();
            column(data_type, &values)
        });
        vec![RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()]
    };
    let partitions = (0..description["partitions"].as_u64().unwrap()).map(partition).collect();
    Dataset::in_memory(Arc::clone(&schema), partitions, Arc::new(LocalExecutor::single_threaded()))
}

fn type_of(name: &str) -> DataType {
    if name == "vector" { vector_type() } else { parse_type(name).unwrap() }
}

fn column(data_type: &DataType, values: &[&Value]) -> ArrayRef {
    match data_type {
        DataType::Int32 => Arc::new(values.iter().map(|v| v.as_i64().map(|v| v as i32)).collect::<Int32Array>()),
        DataType::Int64 => Arc::new(values.iter().map(|v| v.as_i64()).collect::<Int64Array>()),
        DataType::Float64 => Arc::new(values.iter().map(|v| number_from_json(v)).collect::<Float64Array>()),
        DataType::Boolean => Arc::new(values.iter().map(|v| v.as_bool()).collect::<BooleanArray>()),
        DataType::Utf8 => Arc::new(values.iter().map(|v| v.as_str()).collect::<StringArray>()),
        _ => {
            let mut vectors = VectorBuilder::new();
            for value in values {
                match Vector::from_json(value) {
                    Some(vector) => vectors.push(vector.as_ref()),
                    None => vectors.push_null(),
                }
            }
            vectors.finish()
        }
    }
}

fn ids(data: &Dataset) -> Vec<i64> {
    let ids = |rows: &RecordBatch| -> Vec<i64> {
        let ids = rows.column_by_name("id").unwrap();
        match ids.data_type() {
            DataType::Int32 => ids.as_primitive::<Int32Type>().values().iter().map(|&id| i64::from(id)).collect(),
            _ => ids.as_primitive::<Int64Type>().values().to_vec(),
        }
    };
    data.collect().unwrap().iter().flatten().flat_map(ids).collect()
}

fn list<T>(value: &Value, item: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    value.as_array().unwrap().iter().map(|value| item(value).unwrap()).collect()
}

#[track_caller]
fn check_table(name: &str) {
    let data = table(name);
    for version in [SparkVersion::V3_5, SparkVersion::V4_3] {
        let spark = json(&format!("{version}/split/{name}.json"));
        for case in spark["randomSplit"].as_array().unwrap() {
            let weights = list(&case["weights"], Value::as_f64);
            let parts = data.random_split_weights(&weights, case["seed"].as_i64().unwrap(), version).unwrap();
            let expected = list(&case["ids"], |ids| Some(list(ids, Value::as_i64)));
            assert_eq!(parts.iter().map(ids).collect::<Vec<_>>(), expected, "{version} {name} {case}");
        }
        for case in spark["sample"].as_array().unwrap() {
            let (fraction, seed) = (case["fraction"].as_f64().unwrap(), case["seed"].as_i64().unwrap());
            let sample = data.sample(fraction, seed, version).unwrap();
            assert_eq!(ids(&sample), list(&case["ids"], Value::as_i64), "{version} {name} {case}");
        }
    }
}

#[test]
fn rows_in_order_fall_into_the_parts_of_spark() {
    check_table("ids_1");
    check_table("ids_3");
}

#[test]
fn rows_are_sorted_before_they_are_split() {
    check_table("descending");
}

#[test]
fn doubles_with_nan_and_zeros_of_both_signs_are_sorted_as_spark_sorts_them() {
    check_table("doubles");
}

#[test]
fn text_of_all_planes_is_sorted_as_spark_sorts_it() {
    check_table("strings");
}

#[test]
fn dense_and_sparse_vectors_are_sorted_as_spark_sorts_them() {
    check_table("vectors");
}

#[test]
fn nulls_and_an_empty_partition_are_where_spark_has_them() {
    check_table("flags");
}

#[test]
fn rows_are_repeated_as_often_as_spark_repeats_them() {
    for version in [SparkVersion::V3_5, SparkVersion::V4_3] {
        for case in json(&format!("{version}/random.json"))["sampleWithReplacement"].as_array().unwrap() {
            let data = table(case["table"].as_str().unwrap());
            let (fraction, seed) = (case["fraction"].as_f64().unwrap(), case["seed"].as_i64().unwrap());
            let sample = data.sample_with_replacement(fraction, seed).unwrap();
            assert_eq!(ids(&sample), list(&case["ids"], Value::as_i64), "{version} {case}");
        }
    }
}
