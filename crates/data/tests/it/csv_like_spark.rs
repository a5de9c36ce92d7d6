//! CSV read as real Sparks read it: the cases of `fixtures/spark/csv_cases.py`, in every way they can be pushed.

use std::sync::Arc;

use arrow_schema::Schema;
use ognivo_data::codec::RowDecoder;
use ognivo_data::codec::csv::{CsvDecoder, CsvOptions, infer_schema};

use crate::cases::{Format, check_all};

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
    check("3.5");
}

#[test]
fn spark_4_3_and_we_read_the_same() {
    check("4.3");
}

fn check(line: &str) {
    let whole =
        |name: &str, options: &serde_json::Value| options.get("multiLine").is_some() || HEADER_BELOW.contains(&name);
    check_all(line, "csv", DIFFERENT, &whole, &format);
}

pub(crate) fn format(
    given: &[(&str, &str)],
    schema: Option<Schema>,
    files: &[Vec<u8>],
) -> Result<Format<'static>, String> {
    let options = CsvOptions::parse(given.iter().copied()).map_err(|e| e.to_string())?;
    let infer = || infer_schema(&files.iter().map(Vec::as_slice).collect::<Vec<_>>(), &options);
    let schema = Arc::new(schema.unwrap_or_else(infer));
    let of = Arc::clone(&schema);
    let decoder = Box::new(move |select: Option<&[usize]>, batch_rows, range: Option<(u64, u64)>| {
        let decoder = CsvDecoder::new(Arc::clone(&of), &options, select, batch_rows).map_err(|e| e.to_string())?;
        let output = Arc::clone(decoder.output_schema());
        let decoder = match range {
            Some((start, end)) => decoder.with_range(start, end),
            None => decoder,
        };
        Ok((output, Box::new(decoder) as Box<dyn RowDecoder>))
    });
    Ok(Format { schema, decoder })
}
