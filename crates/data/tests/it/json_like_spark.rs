//! JSON lines read as real Sparks read them: the cases of `fixtures/spark/json_cases.py`, in every way they can be
//! pushed.

use std::sync::Arc;

use arrow_schema::Schema;
use ognivo_data::codec::RowDecoder;
use ognivo_data::codec::json::{JsonDecoder, JsonOptions, infer_schema};

use crate::cases::{Format, check_all};

/// Cases in which we mean to differ from Spark, and why.
const DIFFERENT: &[(&str, &str)] =
    &[("multiLine objects", "we refuse multiLine"), ("multiLine array", "we refuse multiLine")];

/// Further ones in which 3.5 differs from 4.3, whom we follow: what a string column takes of other values.
const DIFFERENT_3_5: &[(&str, &str)] = &[
    ("bad field", "an object is written anew, without its blanks"),
    ("texts", "numbers, objects and arrays are written anew"),
    ("texts with primitives as string", "numbers, objects and arrays are written anew"),
];

#[test]
fn spark_3_5_and_we_read_the_same() {
    check("3.5", &[DIFFERENT, DIFFERENT_3_5].concat());
}

#[test]
fn spark_4_3_and_we_read_the_same() {
    check("4.3", DIFFERENT);
}

fn check(line: &str, different: &[(&str, &str)]) {
    check_all(line, "json", different, &|_, _| false, &format);
}

fn format(given: &[(&str, &str)], schema: Option<Schema>, files: &[Vec<u8>]) -> Result<Format<'static>, String> {
    let options = JsonOptions::parse(given.iter().copied()).map_err(|e| e.to_string())?;
    let infer = || infer_schema(&files.iter().map(Vec::as_slice).collect::<Vec<_>>(), &options);
    let schema = Arc::new(schema.unwrap_or_else(infer));
    let of = Arc::clone(&schema);
    let decoder = Box::new(move |select: Option<&[usize]>, batch_rows, range: Option<(u64, u64)>| {
        let decoder = JsonDecoder::new(Arc::clone(&of), &options, select, batch_rows).map_err(|e| e.to_string())?;
        let output = Arc::clone(decoder.output_schema());
        let decoder = match range {
            Some((start, end)) => decoder.with_range(start, end),
            None => decoder,
        };
        Ok((output, Box::new(decoder) as Box<dyn RowDecoder>))
    });
    Ok(Format { schema, decoder })
}
