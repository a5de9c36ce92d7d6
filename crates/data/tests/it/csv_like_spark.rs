//! CSV read as real Sparks read it: the cases of `fixtures/spark/csv_cases.py`, in every way they can be pushed.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use base64::Engine;
use ognivo_data::codec::csv::{CsvDecoder, CsvOptions, infer_schema};
use ognivo_data::codec::{Decoded, RowDecoder};
use ognivo_data::schema::{parse_ddl, type_name};
use serde_json::{Value, json};

/// Cases in which we mean to differ from Spark, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("mode nonsense", "Spark takes an unknown mode for PERMISSIVE; we refuse it"),
    ("utf-16", "we refuse the encoding"),
    ("unescaped quotes RAISE_ERROR", "in Spark the job fails; with us the record is malformed"),
    ("max columns", "in Spark the job fails; with us the record is malformed"),
    ("max characters of a column", "in Spark the job fails; with us the record is malformed"),
    ("dates that never were", "in 3.5 the job fails; with us, as in 4.3, the record is malformed"),
];

/// Cases whose header is not the first line. In Spark too, such a file cut before its header loses it.
const HEADER_BELOW: &[&str] =
    &["header after blank lines", "header after blank lines without a schema", "header after a comment"];

#[test]
fn spark_3_5_and_we_read_the_same() {
    check_all("3.5");
}

#[test]
fn spark_4_3_and_we_read_the_same() {
    check_all("4.3");
}

fn check_all(line: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/spark").join(line).join("csv/cases.json");
    let text = std::fs::read_to_string(&path).expect("the fixtures are in the repository");
    let fixture: Value = serde_json::from_str(&text).expect("the fixtures are JSON");
    let cases = fixture["cases"].as_array().expect("a list of cases");
    let mut wrong = Vec::new();
    for case in cases {
        let name = case["name"].as_str().expect("every case has a name");
        if DIFFERENT.iter().any(|(other, _)| *other == name) {
            continue;
        }
        if let Err(message) = check(case) {
            wrong.push(format!("{name}: {message}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ from Spark {line}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// Compares one case; the message says what was expected and what came.
fn check(case: &Value) -> Result<(), String> {
    let files: Vec<Vec<u8>> = case["files"].as_array().expect("a list of files").iter().map(bytes).collect();
    let read = read(case, &files, &Push::Whole);
    let (schema, rows) = match (&read, case.get("error")) {
        (Err(_), Some(_)) => return Ok(()),
        (Ok((_, rows)), Some(error)) => {
            return Err(format!("expected the error {error}, got {}", Value::from(rows.clone())));
        }
        (Err(error), None) => return Err(format!("expected {}, got the error {error}", case["rows"])),
        (Ok(read), None) => read,
    };
    if *schema != case["resultSchema"] {
        return Err(format!("expected the schema {}, got {schema}", case["resultSchema"]));
    }
    let expected = case["rows"].as_array().expect("rows");
    if !same(rows, expected) {
        return Err(format!("\n  expected {}\n  got      {}", case["rows"], Value::from(rows.clone())));
    }
    let longest = files.iter().map(Vec::len).max().unwrap_or(0);
    let mut ways = vec![Push::Pieces { bytes: 1, batch_rows: 1000 }, Push::Pieces { bytes: 7, batch_rows: 1 }];
    let name = case["name"].as_str().expect("every case has a name");
    if case["options"].get("multiLine").is_none() && !HEADER_BELOW.contains(&name) {
        ways.extend((1..longest).map(|at| Push::Ranges { at }));
    }
    for way in ways {
        let (_, rows) = self::read(case, &files, &way).map_err(|error| format!("pushed as {way:?}: {error}"))?;
        if !same(&rows, expected) {
            return Err(format!("pushed as {way:?}\n  expected {}\n  got      {}", case["rows"], Value::from(rows)));
        }
    }
    Ok(())
}

/// How the bytes of a file reach the decoder.
#[derive(Debug)]
enum Push {
    Whole,
    Pieces {
        bytes: usize,
        batch_rows: usize,
    },
    /// As two ranges of the file, each with a decoder of its own.
    Ranges {
        at: usize,
    },
}

/// The schema and the rows of a case, as the fixture writes them.
fn read(case: &Value, files: &[Vec<u8>], way: &Push) -> Result<(Value, Vec<Value>), String> {
    let given = case["options"].as_object().expect("options");
    let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("texts")));
    let options = CsvOptions::parse(given).map_err(|e| e.to_string())?;
    let schema = match case["schema"].as_str() {
        Some(ddl) => parse_ddl(ddl).map_err(|e| e.to_string())?,
        None => infer_schema(&files.iter().map(Vec::as_slice).collect::<Vec<_>>(), &options),
    };
    let schema = Arc::new(schema);
    let select = case.get("select").and_then(Value::as_array).map(|names| {
        let position = |name: &Value| schema.index_of(name.as_str().expect("names")).expect("columns");
        names.iter().map(position).collect::<Vec<_>>()
    });
    let mut rows = Vec::new();
    let mut output = Schema::empty();
    for file in files {
        let decoder = |batch_rows| {
            CsvDecoder::new(Arc::clone(&schema), &options, select.as_deref(), batch_rows).map_err(|e| e.to_string())
        };
        let mut batches = Vec::new();
        match way {
            Push::Whole => batches.extend(push(decoder(1000)?, file, file.len())?),
            Push::Pieces { bytes, batch_rows } => batches.extend(push(decoder(*batch_rows)?, file, *bytes)?),
            Push::Ranges { at } => {
                let at = (*at).min(file.len());
                let first = decoder(1000)?.with_range(0, at as u64);
                batches.extend(push(first, file, file.len())?);
                if at > 0 && at < file.len() {
                    let second = decoder(1000)?.with_range(at as u64, file.len() as u64);
                    batches.extend(push(second, &file[at..], 5)?);
                }
            }
        }
        output = decoder(1)?.output_schema().as_ref().clone();
        for batch in batches {
            rows.extend((0..batch.num_rows()).map(|row| row_json(&batch, row)));
        }
    }
    let fields = output.fields().iter();
    let fields = fields.map(|f| json!({"name": f.name(), "type": type_name(f.data_type())}));
    Ok((fields.collect(), rows))
}

fn push(mut decoder: CsvDecoder, file: &[u8], piece: usize) -> Result<Vec<RecordBatch>, String> {
    let mut batches = Vec::new();
    let mut take = |decoder: &mut CsvDecoder| -> Result<(), String> {
        if let Some(Decoded { rows, .. }) = decoder.take().map_err(|e| e.to_string())? {
            batches.push(rows);
        }
        Ok(())
    };
    for mut bytes in file.chunks(piece.max(1)) {
        while !bytes.is_empty() && !decoder.is_done() {
            let consumed = decoder.push(bytes).map_err(|e| e.to_string())?;
            bytes = &bytes[consumed..];
            if decoder.is_full() {
                take(&mut decoder)?;
            }
        }
    }
    decoder.finish().map_err(|e| e.to_string())?;
    take(&mut decoder)?;
    Ok(batches)
}

fn bytes(file: &Value) -> Vec<u8> {
    match file["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            let text = file["base64"].as_str().expect("text or base64");
            base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
        }
    }
}

fn row_json(rows: &RecordBatch, row: usize) -> Value {
    rows.columns().iter().map(|column| cell_json(column, row)).collect()
}

/// A cell as the fixtures write it: doubles that JSON lacks, dates and times as Spark's text.
fn cell_json(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let real = |value: f64| match value {
        v if v.is_nan() => json!("NaN"),
        v if v.is_infinite() => json!(if v > 0.0 { "Infinity" } else { "-Infinity" }),
        v => json!(v),
    };
    match column.data_type() {
        DataType::Int8 => json!(column.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => json!(column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => json!(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => real(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => real(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::Date32 => {
            let date = column.as_primitive::<Date32Type>().value_as_date(row).expect("a date");
            json!(date.format("%Y-%m-%d").to_string())
        }
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = chrono::DateTime::from_timestamp_micros(micros).expect("a time");
            let text = time.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
            json!(text.trim_end_matches('0').trim_end_matches('.'))
        }
        DataType::Decimal128(..) => json!(column.as_primitive::<Decimal128Type>().value_as_string(row)),
        other => panic!("no case has a column of type {other}"),
    }
}

/// Whether rows are equal, doubles in every bit.
fn same(got: &[Value], expected: &[Value]) -> bool {
    let same_cell = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    };
    got.len() == expected.len()
        && got.iter().zip(expected).all(|(a, b)| {
            let (a, b) = (a.as_array().expect("a row"), b.as_array().expect("a row"));
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_cell(a, b))
        })
}
