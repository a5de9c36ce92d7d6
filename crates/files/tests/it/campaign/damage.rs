//! Damaged files end in errors that name them, never in a panic and never in rows that nobody wrote.

use std::sync::Arc;

use ognivo_data::dataset::LocalExecutor;
use ognivo_data::fault::{Explain as _, Fault};
use ognivo_files::open::open;
use ognivo_files::read::{FileFormat, ReadRequest, read};
use serde_json::json;

use crate::campaign::counts::tell;
use crate::fixtures::spark;

fn parquet_file(set: &str) -> Vec<u8> {
    let folder = spark("4.3", &format!("parquet/{set}"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let parquet = files.filter(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    std::fs::read(parquet.min().unwrap()).unwrap()
}

/// Reads these bytes as a Parquet file; the number of rows, or the error's text.
fn outcome(bytes: &[u8]) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.parquet"), bytes).unwrap();
    let request = ReadRequest::new(open("a.parquet", folder.path()).unwrap(), FileFormat::Parquet);
    let data = read(&request, Arc::new(LocalExecutor::single_threaded())).map_err(|error| {
        assert_eq!(error.fault(), Fault::Data, "{error}");
        error.to_string()
    })?;
    data.dataset.count().map_err(|error| {
        assert_eq!(error.fault(), Fault::Data, "{error}");
        error.to_string()
    })
}

#[test]
fn a_parquet_file_cut_short_is_refused_by_name() {
    let whole = parquet_file("vectors");
    assert_eq!(outcome(&whole), Ok(7));
    let lengths = (1..whole.len()).step_by(whole.len() / 40);
    let n = lengths.len();
    for length in lengths {
        let error = outcome(&whole[..length]).unwrap_err();
        assert!(error.contains("a.parquet"), "{error}");
    }
    tell("a Parquet file that is read is cut short", "damaged files", n, json!({"ended": {"refused by name": n}}));
}

#[test]
fn a_parquet_file_with_wrong_bytes_is_read_or_refused_but_never_breaks_the_process() {
    let whole = parquet_file("kinds");
    let mut n_refused = 0;
    let positions = (0..whole.len()).step_by(11);
    let n = positions.len();
    for position in positions {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x5a;
        n_refused += usize::from(outcome(&damaged).is_err());
    }
    assert!(n_refused > 50, "only {n_refused} were refused");
    let ended = json!({"refused": n_refused, "read, not told from a right one": n - n_refused});
    tell("a byte of a Parquet file that is read is changed", "damaged files", n, json!({"ended": ended}));
}
