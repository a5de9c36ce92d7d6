//! The cases that real Sparks have read, and how ours is held against them.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema, SchemaRef};
use base64::Engine;
use ognivo_data::codec::{Decoded, RowDecoder};
use ognivo_data::schema::{parse_ddl, type_name};
use ognivo_data::vector::{VectorColumn, VectorRef, is_vector, vector_field};
use serde_json::{Value, json};

/// A decoder to be, before its range and its batch size are known.
pub(crate) struct Format<'a> {
    /// The schema given, or what inference makes of the files.
    pub(crate) schema: SchemaRef,
    /// Schema, projection, rows of a batch and perhaps a range to a decoder.
    pub(crate) decoder: Box<MakeDecoder<'a>>,
}

type MakeDecoder<'a> =
    dyn Fn(Option<&[usize]>, usize, Option<(u64, u64)>) -> Result<(SchemaRef, Box<dyn RowDecoder>), String> + 'a;

/// How a test makes decoders of a case: from its options, its schema and its files.
pub(crate) type MakeFormat =
    dyn for<'a> Fn(&[(&'a str, &'a str)], Option<Schema>, &[Vec<u8>]) -> Result<Format<'static>, String>;

/// Reads all cases of `fixtures/spark/<line>/<format>/cases.json` but those listed in `different`.
///
/// Every case is pushed whole, byte by byte, row by row, and, unless `whole` says otherwise, as two ranges cut at every
/// byte of the file.
pub(crate) fn check_all(
    line: &str,
    format: &str,
    different: &[(&str, &str)],
    whole: &dyn Fn(&str, &Value) -> bool,
    make: &MakeFormat,
) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/spark")
        .join(line)
        .join(format)
        .join("cases.json");
    let text = std::fs::read_to_string(&path).expect("the fixtures are in the repository");
    let fixture: Value = serde_json::from_str(&text).expect("the fixtures are JSON");
    let cases = fixture["cases"].as_array().expect("a list of cases");
    let mut wrong = Vec::new();
    for case in cases {
        let name = case["name"].as_str().expect("every case has a name");
        if different.iter().any(|(other, _)| *other == name) {
            continue;
        }
        if let Err(message) = check(case, whole(name, &case["options"]), make) {
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
fn check(case: &Value, whole: bool, make: &MakeFormat) -> Result<(), String> {
    let files: Vec<Vec<u8>> = case["files"].as_array().expect("a list of files").iter().map(bytes).collect();
    let read = read(case, &files, &Push::Whole, make);
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
    if !whole {
        ways.extend((1..longest).map(|at| Push::Ranges { at }));
    }
    for way in ways {
        let (_, rows) = self::read(case, &files, &way, make).map_err(|error| format!("pushed as {way:?}: {error}"))?;
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
fn read(case: &Value, files: &[Vec<u8>], way: &Push, make: &MakeFormat) -> Result<(Value, Vec<Value>), String> {
    let given = case["options"].as_object().expect("options");
    let given: Vec<_> = given.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("texts"))).collect();
    let schema = case["schema"].as_str().map(schema_of).transpose()?;
    let Format { schema, decoder } = make(&given, schema, files)?;
    let select = case.get("select").and_then(Value::as_array).map(|names| {
        let position = |name: &Value| schema.index_of(name.as_str().expect("names")).expect("columns");
        names.iter().map(position).collect::<Vec<_>>()
    });
    let decoder = |batch_rows, range| decoder(select.as_deref(), batch_rows, range);
    let mut rows = Vec::new();
    let mut output = Arc::new(Schema::empty());
    for file in files {
        let (found, whole) = decoder(1000, None)?;
        output = found;
        let mut batches = Vec::new();
        match way {
            Push::Whole => batches.extend(push(whole, file, file.len())?),
            Push::Pieces { bytes, batch_rows } => {
                batches.extend(push(decoder(*batch_rows, None)?.1, file, *bytes)?);
            }
            Push::Ranges { at } => {
                let (at, end) = ((*at).min(file.len()), file.len() as u64);
                batches.extend(push(decoder(1000, Some((0, at as u64)))?.1, file, file.len())?);
                if at > 0 && at < file.len() {
                    batches.extend(push(decoder(1000, Some((at as u64, end)))?.1, &file[at..], 5)?);
                }
            }
        }
        for batch in batches {
            rows.extend((0..batch.num_rows()).map(|row| row_json(&batch, row)));
        }
    }
    let fields = output.fields().iter();
    let fields = fields.map(|f| json!({"name": f.name(), "type": type_name(f.data_type())}));
    Ok((fields.collect(), rows))
}

/// The schema of a case; its `VECTOR` is no type of Spark's DDL.
fn schema_of(ddl: &str) -> Result<Schema, String> {
    let schema = parse_ddl(&ddl.replace("VECTOR", "BINARY")).map_err(|e| e.to_string())?;
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Binary => Arc::new(vector_field(field.name())),
        _ => Arc::clone(field),
    });
    Ok(Schema::new(fields.collect::<Vec<_>>()))
}

fn push(mut decoder: Box<dyn RowDecoder>, file: &[u8], piece: usize) -> Result<Vec<RecordBatch>, String> {
    let mut batches = Vec::new();
    let mut take = |decoder: &mut dyn RowDecoder| -> Result<(), String> {
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
                take(decoder.as_mut())?;
            }
        }
    }
    decoder.finish().map_err(|e| e.to_string())?;
    take(decoder.as_mut())?;
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
        vector if is_vector(vector) => {
            let vectors = VectorColumn::try_new(column).expect("a vector column");
            let reals = |values: &[f64]| values.iter().copied().map(real).collect::<Value>();
            match vectors.get(row).expect("not null") {
                VectorRef::Dense(values) => json!({"type": 1, "values": reals(values)}),
                VectorRef::Sparse { size, indices, values } => {
                    json!({"type": 0, "size": size, "indices": indices, "values": reals(values)})
                }
            }
        }
        DataType::Struct(fields) => {
            let parts = fields.iter().zip(column.as_struct().columns());
            parts.map(|(field, part)| (field.name().clone(), cell_json(part, row))).collect()
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|item| cell_json(&items, item)).collect()
        }
        other => panic!("no case has a column of type {other}"),
    }
}

/// A double as the fixtures write it.
fn real(value: f64) -> Value {
    match value {
        v if v.is_nan() => json!("NaN"),
        v if v.is_infinite() => json!(if v > 0.0 { "Infinity" } else { "-Infinity" }),
        v => json!(v),
    }
}

/// Whether rows are equal, doubles in every bit.
fn same(got: &[Value], expected: &[Value]) -> bool {
    got.len() == expected.len()
        && got.iter().zip(expected).all(|(a, b)| match (a, b) {
            (Value::Array(a), Value::Array(b)) => same(a, b),
            (Value::Number(_), Value::Number(_)) => a.as_f64().map(f64::to_bits) == b.as_f64().map(f64::to_bits),
            _ => a == b,
        })
}
