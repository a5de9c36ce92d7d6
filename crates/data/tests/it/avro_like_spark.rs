//! Avro datums as a real Spark writes and reads them.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo_data::codec::avro::{AvroDecoder, AvroEncoder, AvroOptions, AvroSchema, Framing, Known, frame};
use ognivo_data::codec::json::{JsonDecoder, JsonEncoder, JsonOptions};
use ognivo_data::codec::{Decoded, RecordDecoder as _, RowDecoder as _, RowMode};
use ognivo_data::schema::{from_json, parse_ddl, type_name};
use serde_json::Value;

#[test]
fn spark_3_5_and_we_write_the_same_schemas_and_bytes() {
    for case in cases("written.json") {
        let columns = from_json(&case["columns"].to_string()).expect("a schema of Spark");
        let options = options_of(case["given"].as_str(), RowMode::Reject);
        let encoder = AvroEncoder::new(&columns, &options).expect("columns that Avro has");
        let made: Value = serde_json::from_str(encoder.schema().json()).expect("JSON");
        let due: Value = serde_json::from_str(text(&case["schema"])).expect("JSON");
        assert_eq!(made, due, "{}", case["name"]);
        let rows = rows_of(Arc::new(columns), &case);
        assert_eq!(hex_of(&encoder, &rows), texts(&case["records"]), "{}", case["name"]);
    }
}

#[test]
fn what_spark_3_5_wrote_is_read_as_the_rows_that_it_had() {
    for case in cases("written.json").into_iter().filter(|case| case["given"].is_null()) {
        let columns = Arc::new(from_json(&case["columns"].to_string()).expect("a schema of Spark"));
        let options = options_of(case["schema"].as_str(), RowMode::Reject);
        let decoded = decode(columns, &options, &records(&case));
        assert_eq!(decoded.malformed, [], "{}", case["name"]);
        let all_digits = [
            ("timestampFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"),
            ("timestampNTZFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSSSS"),
        ];
        let options = JsonOptions::parse(all_digits).expect("options that Spark has");
        assert_eq!(lines(&decoded.rows, &options), texts(&case["rows"]), "{}", case["name"]);
    }
}

#[test]
fn spark_3_5_and_we_read_the_same_from_bytes_that_are_well_and_ill_formed() {
    for case in cases("read.json").into_iter().filter(|case| case["name"] != BEHIND) {
        let schema = AvroSchema::parse(text(&case["schema"])).expect("a schema of Avro");
        let columns = schema.columns().expect("columns that Spark has");
        let fields = columns.fields().iter();
        let types: Vec<String> = fields.map(|f| format!("{}:{}", f.name(), type_name(f.data_type()))).collect();
        assert_eq!(format!("struct<{}>", types.join(",")), text(&case["type"]));
        let columns = Arc::new(columns);
        let options = options_of(case["schema"].as_str(), RowMode::Permissive);
        let rows = decode(Arc::clone(&columns), &options, &records(&case)).rows;
        // A record of nothing is a row of nulls here and no row at all there.
        let due = case["rows"].as_array().expect("a list").iter().map(|row| row.as_str().unwrap_or("{}"));
        assert_eq!(lines(&rows, &JsonOptions::default()), due.collect::<Vec<_>>(), "{}", case["name"]);
        let options = options_of(case["schema"].as_str(), RowMode::Reject);
        let malformed = decode(columns, &options, &records(&case)).malformed;
        let refused: Vec<usize> = malformed.iter().map(|bad| bad.line as usize).collect();
        let fails = case["failsFast"].as_array().expect("a list").iter().enumerate();
        let due: Vec<usize> = fails.filter(|(_, fails)| **fails == true).map(|(idx, _)| idx).collect();
        assert_eq!(refused, due, "{}", case["name"]);
    }
}

/// A case in which we differ.
const BEHIND: &str = "bytes behind the datum";

#[test]
fn spark_3_5_does_not_look_behind_a_datum_and_we_take_no_record_that_goes_on_there() {
    let case = cases("read.json").into_iter().find(|case| case["name"] == BEHIND).expect("the case is in the fixture");
    assert_eq!(texts(&case["rows"]), [r#"{"a":1,"b":"x"}"#; 3]);
    assert_eq!(case["failsFast"], serde_json::json!([false, false, false]));
    let columns = Arc::new(AvroSchema::parse(text(&case["schema"])).unwrap().columns().unwrap());
    let options = options_of(case["schema"].as_str(), RowMode::Reject);
    let decoded = decode(columns, &options, &records(&case));
    let said: Vec<&str> = decoded.malformed.iter().map(|bad| bad.message.as_str()).collect();
    let bytes = ["1", "4"].map(|n| format!("bytes are left behind the Avro datum of the schema: {n}"));
    assert_eq!((said, decoded.rows.num_rows()), (bytes.iter().map(String::as_str).collect(), 1));
}

#[test]
fn each_record_is_read_by_the_schema_that_it_names() {
    let schema =
        |fields: &str| AvroSchema::parse(&format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)).unwrap();
    let old = schema(r#"{"name":"a","type":"int"}"#);
    let new = schema(
        r#"{"name":"in","type":["null",{"type":"record","name":"I","fields":[{"name":"b","type":"float"}]}]},{"name":"a","type":"long"}"#,
    );
    let other = schema(r#"{"name":"a","type":"string"}"#);
    let columns = Arc::new(parse_ddl("a BIGINT, `in.b` DOUBLE").unwrap());
    let mut decoder = AvroDecoder::new(columns, &options_of(None, RowMode::Reject), Framing::SchemaId).unwrap();
    let parts: [&[u8]; 7] = [
        &[&frame(7)[..], &[4]].concat(),
        &[&frame(8)[..], &[2, 0, 0, 0xC0, 0x3F, 6]].concat(),
        &[&frame(8)[..], &[0, 8]].concat(),
        &[&frame(9)[..], &[2, b'x']].concat(),
        &[&frame(404)[..], &[4]].concat(),
        &[1, 0, 0, 0, 7, 4],
        &[&frame(7)[..], &[4, 0]].concat(),
    ];
    let (bytes, mut ranges) = joined(&parts.map(|part| Some(part.to_vec())));
    ranges.push(None);
    assert_eq!(decoder.unknown_ids(&bytes, &ranges).into_iter().collect::<Vec<_>>(), [7, 8, 9, 404]);
    for (id, schema) in [(7, &old), (8, &new), (9, &other)] {
        decoder.learn(id, &Known::Schema(schema.clone()));
    }
    decoder.learn(404, &Known::Nothing("the registry does not know it".to_owned()));
    assert!(decoder.unknown_ids(&bytes, &ranges).is_empty());
    let decoded = decoder.decode_records(&bytes, &ranges).unwrap();
    let lines = lines(&decoded.rows, &JsonOptions::default());
    assert_eq!(lines, [r#"{"a":2}"#, r#"{"a":3,"in.b":1.5}"#, r#"{"a":4}"#, "{}"]);
    let said: Vec<(u64, &str)> = decoded.malformed.iter().map(|bad| (bad.line, bad.message.as_str())).collect();
    assert_eq!(
        said,
        [
            (3, "Avro schema 9: column `a` of type bigint does not go with Avro's string"),
            (4, "Avro schema 404: the registry does not know it"),
            (5, "no number of an Avro schema before it"),
            (6, "bytes are left behind the Avro datum of the schema: 1"),
        ]
    );
}

#[test]
fn columns_that_the_schema_does_not_feed_are_refused() {
    let json = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"in","type":{"type":"record","name":"I","fields":[{"name":"b","type":"int"}]}}]}"#;
    let refused = |ddl: &str, schema: Option<&str>| {
        let columns = Arc::new(parse_ddl(ddl).unwrap());
        AvroDecoder::new(columns, &options_of(schema, RowMode::Reject), Framing::Plain).unwrap_err().to_string()
    };
    assert_eq!(refused("a INT", Some(json)), "column `a` of type int does not go with Avro's long");
    assert_eq!(refused("c INT", Some(json)), "column `c` is not among the fields of the Avro schema: a, in");
    assert_eq!(refused("`in.c` INT", Some(json)), "column `in.c` is not among the fields of the Avro schema: b");
    assert_eq!(refused("`a.b` INT", Some(json)), "column `a.b` is not among the fields of the Avro schema: a, in");
    assert_eq!(
        refused("s STRUCT<b: STRING>", Some(&json.replace("\"in\"", "\"s\""))),
        "column `s.b` of type string does not go with Avro's int"
    );
    assert_eq!(refused("a BIGINT", None), "option `avroSchema` is missing: it says what the bytes of a record mean");
}

#[test]
fn values_that_a_given_schema_has_no_place_for_are_refused() {
    let given = |field: &str| {
        options_of(Some(&format!(r#"{{"type":"record","name":"R","fields":[{field}]}}"#)), RowMode::Reject)
    };
    let columns = Arc::new(parse_ddl("a STRING").unwrap());
    let refused = |field: &str, row: &str| {
        let encoder = AvroEncoder::new(&columns, &given(field)).unwrap();
        let rows = json_rows(Arc::clone(&columns), row);
        encoder.rows(&rows).unwrap().write(0, &mut Vec::new()).unwrap_err().to_string()
    };
    let grade = r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["A","B"]}}"#;
    assert_eq!(refused(grade, r#"{"a":"C"}"#), "column `a` has a value that Avro's enum cannot hold: C");
    assert_eq!(refused(grade, "{}"), "column `a` has a value that Avro's enum cannot hold: null");
    let wrong = |field: &str| AvroEncoder::new(&columns, &given(field)).unwrap_err().to_string();
    assert_eq!(wrong(r#"{"name":"a","type":"int"}"#), "column `a` of type string does not go with Avro's int");
    assert_eq!(wrong(r#"{"name":"b","type":"string"}"#), "column `a` is not among the fields of the Avro schema: b");
    let two = r#"{"name":"a","type":"string"},{"name":"b","type":"string"}"#;
    assert_eq!(wrong(two), "Avro field `b` is not among the columns: a");
}

fn cases(file: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/spark/3.5/avro").join(file);
    let text = std::fs::read_to_string(&path).expect("the fixtures are in the repository");
    let fixture: Value = serde_json::from_str(&text).expect("the fixtures are JSON");
    let cases = fixture["cases"].as_array().expect("a list of cases").clone();
    assert!(!cases.is_empty());
    cases
}

fn options_of(schema: Option<&str>, mode: RowMode) -> AvroOptions {
    let schema = schema.map(|json| AvroSchema::parse(json).expect("a schema of Avro"));
    AvroOptions { mode, schema }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(text).collect()
}

fn records(case: &Value) -> Vec<Option<Vec<u8>>> {
    let each = case["records"].as_array().expect("a list").iter();
    each.map(|hex| {
        hex.as_str().map(|hex| {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
        })
    })
    .collect()
}

fn joined(records: &[Option<Vec<u8>>]) -> (Vec<u8>, Vec<Option<Range<usize>>>) {
    let (mut bytes, mut ranges) = (Vec::new(), Vec::new());
    for record in records {
        ranges.push(record.as_ref().map(|record| bytes.len()..bytes.len() + record.len()));
        bytes.extend_from_slice(record.as_deref().unwrap_or_default());
    }
    (bytes, ranges)
}

fn decode(columns: SchemaRef, options: &AvroOptions, records: &[Option<Vec<u8>>]) -> Decoded {
    let mut decoder = AvroDecoder::new(columns, options, Framing::Plain).expect("columns of the schema");
    let (bytes, ranges) = joined(records);
    decoder.decode_records(&bytes, &ranges).expect("rows")
}

fn rows_of(columns: SchemaRef, case: &Value) -> RecordBatch {
    json_rows(columns, &texts(&case["rows"]).join("\n"))
}

fn json_rows(columns: SchemaRef, lines: &str) -> RecordBatch {
    let options = JsonOptions { mode: RowMode::FailFast, ..JsonOptions::default() };
    let mut decoder = JsonDecoder::new(columns, &options, None, 1000).expect("types that JSON has");
    decoder.push(lines.as_bytes()).expect("lines that Spark wrote");
    decoder.finish().expect("lines that Spark wrote");
    decoder.take().expect("rows").expect("rows").rows
}

fn hex_of(encoder: &AvroEncoder, rows: &RecordBatch) -> Vec<String> {
    let datums = encoder.rows(rows).expect("columns that Avro has");
    let each = (0..rows.num_rows()).map(|row| {
        let mut datum = Vec::new();
        datums.write(row, &mut datum).expect("values that the schema has a place for");
        datum.iter().map(|byte| format!("{byte:02x}")).collect()
    });
    each.collect()
}

fn lines(rows: &RecordBatch, options: &JsonOptions) -> Vec<String> {
    let mut out = Vec::new();
    JsonEncoder::new(options).encode(rows, &mut out).expect("types that JSON has");
    String::from_utf8(out).expect("text").lines().map(str::to_owned).collect()
}
