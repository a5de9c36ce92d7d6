//! What the programs share: the columns, ognivo's decoder, the clock, the checksum and the report of the CSV programs.
//!
//! A CSV program reads the whole file into memory, then measures the CPU time of turning the bytes into Arrow columns, then,
//! outside the measured time, sums up every value, so that the two can be held against each other bit by bit.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::codec::RowDecoder;
use ognivo_data::codec::csv::{CsvDecoder, CsvOptions};

/// Rows of a batch, for both.
pub const BATCH_ROWS: usize = 8192;

/// The fourteen columns of the loan data.
pub fn schema() -> SchemaRef {
    let columns = [
        ("credit_policy", DataType::Int32),
        ("purpose", DataType::Utf8),
        ("int_rate", DataType::Float64),
        ("installment", DataType::Float64),
        ("log_annual_inc", DataType::Float64),
        ("dti", DataType::Float64),
        ("fico", DataType::Int32),
        ("days_with_cr_line", DataType::Float64),
        ("revol_bal", DataType::Int32),
        ("revol_util", DataType::Float64),
        ("inq_last_6mths", DataType::Int32),
        ("delinq_2yrs", DataType::Int32),
        ("pub_rec", DataType::Int32),
        ("not_fully_paid", DataType::Int32),
    ];
    Arc::new(Schema::new(columns.map(|(name, kind)| Field::new(name, kind, true)).to_vec()))
}

/// The bytes of a CSV file as rows, by ognivo's decoder.
pub fn decode(mut bytes: &[u8]) -> Vec<RecordBatch> {
    let options = CsvOptions::parse([("header", "true")]).expect("header is an option");
    let mut decoder = CsvDecoder::new(schema(), &options, None, BATCH_ROWS).expect("all columns can be text");
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        let consumed = decoder.push(bytes).expect("the data are well-formed");
        bytes = &bytes[consumed..];
        if decoder.is_full() {
            batches.extend(decoder.take().expect("the data are well-formed").map(|decoded| decoded.rows));
        }
    }
    decoder.finish().expect("the data are well-formed");
    batches.extend(decoder.take().expect("the data are well-formed").map(|decoded| decoded.rows));
    batches
}

/// Reads the file named by the first argument, runs `decode` on its bytes and prints one JSON line.
pub fn measure(decode: impl FnOnce(&[u8]) -> Vec<RecordBatch>) {
    let path = std::env::args().nth(1).expect("the first argument is a CSV file");
    let bytes = std::fs::read(path).expect("the CSV file can be read");
    let begin = cpu_nanoseconds();
    let batches = decode(&bytes);
    let cpu_seconds = (cpu_nanoseconds() - begin) as f64 / 1e9;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let checksum = checksum(&batches);
    println!(r#"{{"rows": {rows}, "checksum": "{checksum:016x}", "cpu_seconds": {cpu_seconds}}}"#);
}

/// The rows of a CSV file of the loan data as JSON objects without an end, over and over.
pub fn json_records(path: &str) -> impl Iterator<Item = String> {
    let text = std::fs::read_to_string(path).expect("the CSV file can be read");
    let names: Vec<String> = schema().fields().iter().map(|field| field.name().clone()).collect();
    let object = |line: &str| {
        let mut object = String::new();
        for (name, field) in names.iter().zip(line.split(',')) {
            let quote = if name == "purpose" { "\"" } else { "" };
            object += &format!(r#","{name}":{quote}{field}{quote}"#);
        }
        object + "}"
    };
    let objects: Vec<String> = text.lines().skip(1).map(object).collect();
    (0..).map(move |n| objects[n % objects.len()].clone())
}

/// CPU time of this process, which must have one thread (Linux).
pub fn cpu_nanoseconds() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux lists the threads of a process").count();
    assert_eq!(threads, 1, "one thread was to be measured");
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux tells the CPU time of a thread");
    let first = text.split_whitespace().next().expect("schedstat begins with the time on the CPU");
    first.parse().expect("the time on the CPU is a whole number")
}

/// CPU time of this process with all its threads, those that have ended too (Linux).
pub fn cpu_nanoseconds_of_all_threads() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux tells the CPU time of a process");
    let after_name = text.rsplit_once(')').expect("the name of the program stands in brackets").1;
    let ticks = |field: usize| -> u64 {
        let word = after_name.split_whitespace().nth(field).expect("stat has more than 15 fields");
        word.parse().expect("ticks are whole numbers")
    };
    // User and system time, the 14th and 15th field, in hundredths of a second.
    (ticks(11) + ticks(12)) * 10_000_000
}

/// Measures the CPU time of turning JSON records into rows and prints one JSON line; `to_batches` is not measured.
///
/// ```text
/// PROGRAM FILE N_RECORDS
/// ```
pub fn measure_json<T>(
    decode: impl FnOnce(&[u8], &[Range<usize>]) -> T,
    to_batches: impl FnOnce(T, &[u8], &[Range<usize>]) -> Vec<RecordBatch>,
) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, n_records] = arguments.as_slice() else { panic!("FILE N_RECORDS") };
    let (mut bytes, mut records) = (Vec::new(), Vec::new());
    for record in json_records(path).take(n_records.parse().expect("a count")) {
        let start = bytes.len();
        bytes.extend_from_slice(record.replacen(',', "{", 1).as_bytes());
        records.push(start..bytes.len());
        // As lines, for who takes them so.
        bytes.push(b'\n');
    }
    let begin = cpu_nanoseconds();
    let decoded = decode(&bytes, &records);
    let cpu_seconds = (cpu_nanoseconds() - begin) as f64 / 1e9;
    let batches = to_batches(decoded, &bytes, &records);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    println!(r#"{{"rows": {rows}, "checksum": "{:016x}", "cpu_seconds": {cpu_seconds}}}"#, checksum(&batches));
}

/// Depends on every value, its column and the order of the rows, not on the borders of the batches.
fn checksum(batches: &[RecordBatch]) -> u64 {
    let mut sums = vec![0xcbf2_9ce4_8422_2325_u64; schema().fields().len()];
    for batch in batches {
        for (sum, column) in sums.iter_mut().zip(batch.columns()) {
            add_column(sum, column);
        }
    }
    sums.into_iter().fold(0, mix)
}

fn add_column(sum: &mut u64, column: &dyn Array) {
    for row in 0..column.len() {
        if column.is_null(row) {
            *sum = mix(*sum, u64::MAX);
            continue;
        }
        match column.data_type() {
            DataType::Int32 => *sum = mix(*sum, column.as_primitive::<Int32Type>().value(row) as u64),
            DataType::Float64 => *sum = mix(*sum, column.as_primitive::<Float64Type>().value(row).to_bits()),
            DataType::Utf8 => {
                *sum = column.as_string::<i32>().value(row).bytes().fold(mix(*sum, 1), |s, b| mix(s, b.into()))
            }
            other => panic!("a column of another type: {other}"),
        }
    }
}

fn mix(sum: u64, value: u64) -> u64 {
    (sum ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
}
