//! The file sink keeps the laws of sinks, in every format and with both logs, also when the file system fails.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use async_trait::async_trait;
use ognivo_data::fault::{Explain as _, Fault};
use ognivo_files::encode::Encoding;
use ognivo_files::open::open;
use ognivo_files::sink::{CommitLog, FileSink, FileSinkConfig, LaneTarget};
use ognivo_stream::clock::SystemClock;
use ognivo_stream::laws::{SinkBench, sink_laws};
use ognivo_stream::offset::{Offset, OffsetRange};
use ognivo_stream::plan::{BatchId, BatchPlan};
use ognivo_stream::sink::{Committed, Lane, Sink, SinkError};

struct Bench {
    folder: tempfile::TempDir,
    format: &'static str,
    partition_by: &'static [&'static str],
    commit_log: CommitLog,
}

impl Bench {
    fn target(&self, name: &str, format: &str) -> LaneTarget {
        LaneTarget {
            location: open(name, self.folder.path()).unwrap(),
            encoding: Encoding::parse(format, &[]).unwrap(),
        }
    }

    fn config(&self) -> FileSinkConfig {
        FileSinkConfig {
            scored: self.target("out", self.format),
            partition_by: self.partition_by.iter().map(|name| (*name).to_owned()).collect(),
            commit_log: self.commit_log,
            dead_letters: Some(self.target("dead", "json")),
            query_id: "q1".to_owned(),
        }
    }

    /// Files that count: those of Spark's log, or of a folder whose newest batch is done.
    fn files(&self, lane: Lane) -> Vec<std::path::PathBuf> {
        let folder = match lane {
            Lane::Scored => self.folder.path().join("out"),
            Lane::DeadLetter => self.folder.path().join("dead"),
        };
        let logged = logged_paths(&folder.join("_spark_metadata"));
        let counts = |path: &Path| {
            let shown = path.to_string_lossy().into_owned();
            lane == Lane::DeadLetter || self.commit_log == CommitLog::Success || logged.contains(&shown)
        };
        files_below(&folder).into_iter().filter(|path| counts(path)).collect()
    }
}

fn logged_paths(log: &Path) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for file in files_below(log) {
        let text = std::fs::read_to_string(file).unwrap();
        for line in text.lines().skip(1) {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            let uri = entry["path"].as_str().unwrap();
            paths.insert(uri.strip_prefix("file://").unwrap().replace("%25", "%"));
        }
    }
    paths
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && name != "_spark_metadata" {
            files.extend(files_below(&entry.path()));
        } else if !name.starts_with('.') && name != "_SUCCESS" && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files
}

fn rows_of(path: &Path) -> Vec<String> {
    if path.extension().is_some_and(|extension| extension == "parquet") {
        let file = std::fs::File::open(path).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        let rows = batches.iter().flat_map(|rows| (0..rows.num_rows()).map(|i| format!("{:?}", rows.slice(i, 1))));
        return rows.collect();
    }
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[async_trait]
impl SinkBench for Bench {
    async fn open(&mut self) -> Box<dyn Sink> {
        Box::new(FileSink::new(self.config(), Arc::new(SystemClock)))
    }

    fn rows(&self, seed: u64, n_rows: usize) -> RecordBatch {
        let ids: Vec<i64> = (0..n_rows as i64).map(|i| seed as i64 * 1000 + i).collect();
        let days: ArrayRef = Arc::new(StringArray::from_iter_values(ids.iter().map(|id| format!("d:{}", id % 2))));
        let ids: ArrayRef = Arc::new(Int64Array::from(ids));
        RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("day", days, true)]).unwrap()
    }

    async fn visible(&mut self, lane: Lane) -> Vec<String> {
        self.files(lane).iter().flat_map(|path| rows_of(path)).collect()
    }
}

async fn check(format: &'static str, partition_by: &'static [&'static str], commit_log: CommitLog) {
    let folder = tempfile::tempdir().unwrap();
    sink_laws(&mut Bench { folder, format, partition_by, commit_log }).await;
}

#[tokio::test]
async fn a_parquet_sink_with_sparks_log_keeps_the_laws() {
    check("parquet", &[], CommitLog::Spark).await;
    check("parquet", &["day"], CommitLog::Spark).await;
}

#[tokio::test]
async fn a_parquet_sink_with_success_files_keeps_the_laws() {
    check("parquet", &[], CommitLog::Success).await;
    check("parquet", &["day"], CommitLog::Success).await;
}

#[tokio::test]
async fn text_sinks_keep_the_laws() {
    for format in ["csv", "json"] {
        check(format, &[], CommitLog::Spark).await;
        check(format, &["day"], CommitLog::Success).await;
    }
}

/// Two batches of one row in `out/`, and the text of their log entries.
async fn two_batches(bench: &mut Bench) -> [String; 2] {
    let mut sink = bench.open().await;
    sink.prepare(&bench.rows(0, 1).schema()).await.unwrap();
    for batch in 0..2 {
        let range = OffsetRange { start: None, end: Offset::new(serde_json::json!(batch)) };
        let mut writer = sink.begin(&BatchPlan::new(BatchId(batch), range, 0, None)).await.unwrap();
        writer.write(Lane::Scored, bench.rows(batch, 1)).await.unwrap();
        writer.commit().await.unwrap();
    }
    [0, 1]
        .map(|batch| std::fs::read_to_string(bench.folder.path().join(format!("out/_spark_metadata/{batch}"))).unwrap())
}

/// Writes an entry of the log, and asks a new sink what the folder holds.
async fn held_with(bench: &mut Bench, entry: &str, content: &str) -> Result<Committed, SinkError> {
    std::fs::write(bench.folder.path().join(format!("out/_spark_metadata/{entry}")), content).unwrap();
    bench.open().await.last_committed(&[]).await
}

#[tokio::test]
async fn a_newest_log_entry_that_lost_its_lines_is_no_empty_batch() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench { folder, format: "json", partition_by: &["day"], commit_log: CommitLog::Spark };
    let [_, entry] = two_batches(&mut bench).await;
    assert_eq!(held_with(&mut bench, "1", &entry).await.unwrap(), Committed::Batch(BatchId(1)));
    for cut in ["v1", "v1\n"] {
        let error = held_with(&mut bench, "1", cut).await.expect_err("readers would miss the batch's file");
        assert_eq!(error.fault(), Fault::Data);
        assert!(
            error.to_string().contains("entry 1 of the log in") && error.to_string().contains("names no file"),
            "{error}"
        );
    }
    held_with(&mut bench, "1", &entry).await.unwrap();
    assert_eq!(held_with(&mut bench, "2", "v1").await.unwrap(), Committed::Batch(BatchId(2)), "a batch without rows");
}

#[tokio::test]
async fn a_log_entry_that_is_a_copy_of_the_one_before_is_no_batch() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench { folder, format: "json", partition_by: &[], commit_log: CommitLog::Spark };
    let [_, entry] = two_batches(&mut bench).await;
    let error = held_with(&mut bench, "2", &entry).await.expect_err("a planned batch 2 would count as done");
    assert_eq!(error.fault(), Fault::Data);
    assert!(
        error.to_string().contains("entry 2 of the log in") && error.to_string().contains("files of batch 1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_log_of_committed_batches_whose_newest_entry_is_cut_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench { folder, format: "json", partition_by: &[], commit_log: CommitLog::Spark };
    let log = bench.folder.path().join("out/_spark_metadata");
    std::fs::create_dir_all(&log).unwrap();
    let path = "file:///out/part-00000-q1-b0000000000-c000.json";
    let entry = format!(
        "v1\n{{\"path\":\"{path}\",\"size\":9,\"isDir\":false,\"modificationTime\":1,\"blockReplication\":1,\
         \"blockSize\":1,\"action\":\"add\"}}"
    );
    std::fs::write(log.join("0"), &entry).unwrap();
    assert_eq!(bench.open().await.last_committed(&[]).await.unwrap(), Committed::Batch(BatchId(0)));
    for n_bytes in [0, 1, 9, entry.len() - 1] {
        std::fs::write(log.join("0"), &entry[..n_bytes]).unwrap();
        let error = bench.open().await.last_committed(&[]).await.expect_err("a cut entry says nothing");
        assert_eq!(error.fault(), Fault::Data, "{n_bytes}: {error}");
        assert!(error.to_string().contains("/out/_spark_metadata/0"), "{error}");
    }
}
