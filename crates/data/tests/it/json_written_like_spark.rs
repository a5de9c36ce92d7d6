//! JSON lines written as real Sparks write them: what they wrote is read and written again.

use std::path::PathBuf;
use std::sync::Arc;

use ognivo_data::codec::RowDecoder;
use ognivo_data::codec::json::{JsonDecoder, JsonEncoder, JsonOptions};
use ognivo_data::schema::from_json;
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
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/spark").join(line).join("json/written.json");
    let text = std::fs::read_to_string(&path).expect("the fixtures are in the repository");
    let fixture: Value = serde_json::from_str(&text).expect("the fixtures are JSON");
    for case in fixture["cases"].as_array().expect("a list of cases") {
        let given = case["options"].as_object().expect("options");
        let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("texts")));
        let options = JsonOptions::parse(given).expect("options that Spark has");
        let schema = from_json(&case["schema"].to_string()).expect("a schema of Spark");
        let text = case["text"].as_str().expect("text");
        let mut decoder = JsonDecoder::new(Arc::new(schema), &options, None, 1000).expect("types that JSON has");
        decoder.push(text.as_bytes()).expect("lines that Spark wrote");
        decoder.finish().expect("lines that Spark wrote");
        let rows = decoder.take().expect("rows").expect("rows").rows;
        let mut out = Vec::new();
        JsonEncoder::new(&options).encode(&rows, &mut out).expect("types that JSON has");
        assert_eq!(String::from_utf8(out).expect("text"), text, "Spark {line}: {}", case["name"]);
    }
}
