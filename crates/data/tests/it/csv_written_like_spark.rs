//! CSV written as real Sparks write it: one table under each set of options of `fixtures/spark/csv_cases.py`.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray};
use ognivo_data::codec::csv::{CsvEncoder, CsvOptions};
use ognivo_data::schema::parse_ddl;
use ognivo_data::vector::number_from_json;
use serde_json::Value;

#[test]
fn spark_3_5_and_we_write_the_same() {
    check_all("3.5");
}

#[test]
fn spark_4_3_and_we_write_the_same() {
    check_all("4.3");
}

fn check_all(line: &str) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/spark").join(line).join("csv/written.json");
    let text = std::fs::read_to_string(&path).expect("the fixtures are in the repository");
    let fixture: Value = serde_json::from_str(&text).expect("the fixtures are JSON");
    let rows = table(&fixture);
    for case in fixture["cases"].as_array().expect("a list of cases") {
        let given = case["options"].as_object().expect("options");
        let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("texts")));
        let encoder = CsvEncoder::new(&CsvOptions::parse(given).expect("options that Spark has"));
        let mut out = Vec::new();
        encoder.header(rows.schema_ref(), &mut out);
        encoder.encode(&rows, &mut out).expect("types that Spark has");
        let out = String::from_utf8(out).expect("text");
        let expected = case["text"].as_str().expect("text");
        assert_eq!(out, expected, "Spark {line}, options {}", case["options"]);
    }
}

fn table(fixture: &Value) -> RecordBatch {
    let schema = parse_ddl(fixture["schema"].as_str().expect("DDL")).expect("DDL");
    let rows = fixture["rows"].as_array().expect("rows");
    let column = |index: usize| rows.iter().map(move |row| &row[index]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(column(0).map(Value::as_str).collect::<StringArray>()),
        Arc::new(column(1).map(|v| v.as_i64().map(|n| n as i32)).collect::<Int32Array>()),
        Arc::new(column(2).map(number_from_json).collect::<Float64Array>()),
        Arc::new(column(3).map(Value::as_bool).collect::<BooleanArray>()),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).expect("the columns of the schema")
}
