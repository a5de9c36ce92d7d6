//! What a stream must have left behind, found out without any of the product's own code for files.
//!
//! Parquet is read through the `parquet` crate, `_spark_metadata` and the checkpoint as the text files that they are, dead
//! letters as JSON lines. [`check`] compares with what the rows were made to be ([`Loans::fates`]) and with the scores of the
//! `score` verb.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::loans::{Fate, Loans, SCHEMA};

/// How an output folder says which of its files count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogKind {
    /// `_spark_metadata`.
    Spark,
    /// `_SUCCESS`.
    Success,
}

/// The bits of `rawPrediction`, `probability` and `prediction` of a row, one after the other.
pub(crate) type Score = Vec<u64>;

/// What a finished stream left behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Batches in the checkpoint and in the log of the output folder.
    pub(crate) batches: u64,
    /// Scored rows.
    pub(crate) scored: usize,
    /// Dead letters.
    pub(crate) dead_letters: usize,
    /// Parquet files.
    pub(crate) files: usize,
}

/// Scores the rows that can be scored with the `score` verb.
pub(crate) fn batch_scores(loans: &Loans) -> BTreeMap<i64, Score> {
    let select = "id,rawPrediction,probability,prediction";
    let arguments =
        ["score", "model", "good.csv", "--schema", SCHEMA, "--select", select, "-o", "good.parquet", "--quiet"];
    loans.place.run(&arguments).ok();
    let scores = read_scores(&loans.place.at("good.parquet"));
    assert_eq!(scores.len(), loans.count(Fate::Scored), "the score verb scores every good row");
    scores.into_iter().collect()
}

/// Compares what `run` left behind with what had to become of every row.
pub(crate) fn check(loans: &Loans, run: &str, kind: LogKind, expected: &BTreeMap<i64, Score>) -> Counts {
    let folder = loans.place.at(run);
    let output = folder.join("output");
    let on_disk: BTreeSet<PathBuf> = files_below(&output).into_iter().filter(|file| is_parquet(file)).collect();
    let newest = match kind {
        LogKind::Spark => {
            let (newest, logged) = spark_log(&output);
            let distinct: BTreeSet<PathBuf> = logged.iter().cloned().collect();
            assert_eq!(distinct.len(), logged.len(), "the log names a file twice");
            assert_eq!(distinct, on_disk, "the log names exactly the files that are there");
            newest
        }
        LogKind::Success => {
            assert!(!output.join("_spark_metadata").exists());
            newest_of_success(&output, &on_disk)
        }
    };
    assert_eq!(newest_id(&folder.join("checkpoint/offsets")), newest, "newest planned batch, newest batch in the log");
    assert_eq!(newest_id(&folder.join("checkpoint/commits")), newest, "newest done batch, newest batch in the log");

    let scored: Vec<(i64, Score)> = on_disk.iter().flat_map(|file| read_scores(file)).collect();
    let letters = dead_letters(&folder.join("dead"));
    check_ids(loans, &scored, &letters);
    for (id, score) in &scored {
        assert_eq!(Some(score), expected.get(id), "score of row {id}, streamed and in one go");
    }
    check_nothing_is_left_over(&folder);
    Counts { batches: newest + 1, scored: scored.len(), dead_letters: letters.len(), files: on_disk.len() }
}

/// Every id stands exactly where it belongs, and exactly once.
pub(crate) fn check_ids(loans: &Loans, scored: &[(i64, Score)], letters: &[(i64, Fate)]) {
    let mut found: BTreeMap<i64, Vec<Fate>> = BTreeMap::new();
    let all = scored.iter().map(|(id, _)| (*id, Fate::Scored)).chain(letters.iter().copied());
    for (id, fate) in all {
        found.entry(id).or_default().push(fate);
    }
    let expected: BTreeMap<i64, Vec<Fate>> = loans.fates.iter().map(|(id, fate)| (*id, vec![*fate])).collect();
    let wrong: Vec<_> = expected.iter().filter(|(id, fates)| found.get(id) != Some(fates)).take(5).collect();
    let shown: Vec<_> = wrong.iter().map(|(id, fates)| (id, fates, found.get(id))).collect();
    assert_eq!(wrong.len(), 0, "id, what was due, what was found: {shown:?}");
    assert_eq!(found, expected, "rows that never arrived");
}

/// Ids and scores in a Parquet file, whatever other columns it has.
pub(crate) fn read_scores(path: &Path) -> Vec<(i64, Score)> {
    let file = File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.flat_map(|rows| scores_of(&rows.unwrap())).collect()
}

fn scores_of(rows: &RecordBatch) -> Vec<(i64, Score)> {
    let column = |name: &str| rows.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    let ids = column("id").as_primitive::<Int64Type>();
    let vectors = ["rawPrediction", "probability"].map(|name| column(name).as_struct());
    let predictions = column("prediction").as_primitive::<Float64Type>();
    let score_of = |row_idx: usize| {
        let mut bits = Vec::new();
        for vector in vectors {
            let values = vector.column_by_name("values").unwrap().as_list::<i32>().value(row_idx);
            bits.extend(values.as_primitive::<Float64Type>().values().iter().map(|value| value.to_bits()));
        }
        bits.push(predictions.value(row_idx).to_bits());
        assert_eq!(bits.len(), 5, "two vectors of two classes and a prediction");
        bits
    };
    assert_eq!(ids.null_count(), 0);
    (0..rows.num_rows()).map(|row_idx| (ids.value(row_idx), score_of(row_idx))).collect()
}

/// The newest batch of `_spark_metadata`, and the files that count.
pub(crate) fn spark_log(output: &Path) -> (u64, Vec<PathBuf>) {
    let folder = output.join("_spark_metadata");
    let names = names_in(&folder);
    let newest = newest_id(&folder);
    let compacts = names.iter().filter_map(|name| name.strip_suffix(".compact")?.parse::<u64>().ok());
    let newest_compact = compacts.max();
    for id in 9..=newest {
        let compact = folder.join(format!("{id}.compact"));
        assert!(!(id % 10 == 9 && folder.join(id.to_string()).exists()), "batch {id} must be a compaction");
        assert!(id % 10 == 9 || !compact.exists(), "batch {id} must not be a compaction");
    }
    let mut files = newest_compact.map(|id| logged_in(&folder.join(format!("{id}.compact")))).unwrap_or_default();
    for id in newest_compact.map_or(0, |id| id + 1)..=newest {
        files.extend(logged_in(&folder.join(id.to_string())));
    }
    (newest, files)
}

/// The files of one entry of the log.
fn logged_in(entry: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(entry).unwrap_or_else(|error| panic!("{}: {error}", entry.display()));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("v1"), "{}", entry.display());
    let parsed = lines.map(|line| {
        let file: Value = serde_json::from_str(line).unwrap();
        assert_eq!(file["action"], "add");
        assert_eq!(file["isDir"], false);
        let path = PathBuf::from(file["path"].as_str().unwrap().strip_prefix("file://").unwrap());
        let size = std::fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).len();
        assert_eq!(file["size"].as_u64(), Some(size), "{}", path.display());
        path
    });
    parsed.collect()
}

/// The newest batch that `_SUCCESS` tells; each partition folder has one too.
fn newest_of_success(output: &Path, files: &BTreeSet<PathBuf>) -> u64 {
    for file in files {
        assert!(file.with_file_name("_SUCCESS").is_file(), "no _SUCCESS beside {}", file.display());
    }
    let success: Value = serde_json::from_slice(&std::fs::read(output.join("_SUCCESS")).unwrap()).unwrap();
    success["batch"].as_u64().unwrap()
}

/// Ids of the dead letters, and why they are dead.
fn dead_letters(folder: &Path) -> Vec<(i64, Fate)> {
    let mut letters = Vec::new();
    for file in files_below(folder) {
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let letter: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| letter[key].as_str().unwrap_or_else(|| panic!("{key} in {line}"));
            assert_eq!(text("encoding"), "utf8");
            assert!(text("position").contains(".csv:"), "{line}");
            assert!(letter["batchId"].is_u64() && !text("message").is_empty() && !text("model").is_empty(), "{line}");
            let (id, _) = text("payload").split_once(',').unwrap();
            let fate = match letter.get("stage") {
                None | Some(Value::Null) => Fate::Malformed,
                Some(stage) => {
                    assert!(stage.as_str().unwrap().starts_with("StringIndexer_"), "{line}");
                    Fate::Unseen
                }
            };
            letters.push((id.parse().unwrap(), fate));
        }
    }
    letters
}

/// Nothing but what belongs there: no half-written file, no temporary name.
pub(crate) fn check_nothing_is_left_over(folder: &Path) {
    for path in files_below(folder) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let below = path.strip_prefix(folder).unwrap().to_str().unwrap();
        let is_numbered = name.strip_suffix(".compact").unwrap_or(name).parse::<u64>().is_ok();
        let belongs = match below.split('/').next().unwrap() {
            "checkpoint" => is_numbered || name == "metadata" || name == ".ognivo.lock",
            "dead" => name.starts_with("part-") && name.ends_with(".json"),
            _ => is_parquet(&path) || name == "_SUCCESS" || (is_numbered && below.contains("_spark_metadata/")),
        };
        assert!(belongs, "left over: {below}");
    }
}

/// The highest number in a folder of numbered files, `.compact` or not.
pub(crate) fn newest_id(folder: &Path) -> u64 {
    let number = |name: &String| name.strip_suffix(".compact").unwrap_or(name).parse::<u64>().ok();
    names_in(folder).iter().filter_map(number).max().unwrap_or_else(|| panic!("nothing in {}", folder.display()))
}

/// The names of the files in a folder, sorted.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn is_parquet(path: &Path) -> bool {
    path.file_name().unwrap().to_str().is_some_and(|name| name.starts_with("part-") && name.ends_with(".parquet"))
}

/// Every file in a folder and the folders below it; none when it is missing.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
