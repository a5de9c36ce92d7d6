//! Queries that Spark left in the middle, continued here: its checkpoint, its source log, its output.

use std::fs;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use ognivo_data::codec::csv::CsvOptions;
use ognivo_data::dataset::LocalExecutor;
use ognivo_data::schema::parse_ddl;
use ognivo_files::encode::Encoding;
use ognivo_files::local::LocalStore;
use ognivo_files::open::open;
use ognivo_files::read::{FileFormat, ReadRequest, read};
use ognivo_files::sink::{CommitLog, FileSink, FileSinkConfig, LaneTarget};
use ognivo_files::source::{BatchLimit, FileSource, FileSourceConfig, FileSourceOptions};
use ognivo_stream::checkpoint::Checkpoint;
use ognivo_stream::clock::SystemClock;
use ognivo_stream::plan::ModelId;
use ognivo_stream::query::{QueryOptions, QueryParts, StreamingQuery};
use ognivo_stream::trigger::Trigger;

use crate::campaign::kill::Relay;
use crate::fixtures::{set_time, spark_query};

/// Runs the fixture's query until nothing is left; returns how many batches it took.
async fn run(folder: &std::path::Path) -> u64 {
    let store: Arc<dyn object_store::ObjectStore> = Arc::new(LocalStore::new());
    let at = |name: &str| open(name, folder).unwrap();
    let checkpoint = Checkpoint::new(Arc::clone(&store), at("checkpoint").path().clone());
    let query_id = checkpoint.open().await.unwrap();
    let schema = Arc::new(parse_ddl("id INT, name STRING").unwrap());
    let source = FileSourceConfig {
        location: at("incoming"),
        format: FileFormat::Csv(CsvOptions::parse([("header", "true")]).unwrap()),
        schema: Arc::clone(&schema),
        options: FileSourceOptions { limit: BatchLimit::Files(1), ..FileSourceOptions::default() },
        log_store: store,
        log_folder: checkpoint.source_folder(0),
    };
    let sink = FileSinkConfig {
        scored: LaneTarget { location: at("output"), encoding: Encoding::parse("parquet", &[]).unwrap() },
        partition_by: Vec::new(),
        commit_log: CommitLog::Spark,
        dead_letters: None,
        query_id,
    };
    let parts = QueryParts {
        source: Box::new(FileSource::new(source, Arc::new(SystemClock)).unwrap()),
        scorer: Arc::new(Relay(ModelId("m".to_owned()), schema)),
        sink: Box::new(FileSink::new(sink, Arc::new(SystemClock))),
        checkpoint: Some(checkpoint),
    };
    let options = QueryOptions { trigger: Trigger::AvailableNow, ..QueryOptions::default() };
    StreamingQuery::new(parts, options).process_all_available().await.unwrap().n_batches
}

fn ids(folder: &std::path::Path) -> Vec<i32> {
    let request = ReadRequest::new(open("output", folder).unwrap(), FileFormat::Parquet);
    let data = read(&request, Arc::new(LocalExecutor::single_threaded())).unwrap();
    let batches = data.dataset.collect().unwrap();
    let ids = |rows: &arrow_array::RecordBatch| {
        rows.column_by_name("id").unwrap().as_primitive::<Int32Type>().values().to_vec()
    };
    let mut ids: Vec<i32> = batches.iter().flatten().flat_map(ids).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_query_that_spark_left_goes_on_without_loss_or_repeat() {
    for line in ["3.5", "4.3"] {
        let query = spark_query(line);
        let folder = query.path();
        // Spark's last batch, 13, is in its output and was not marked done.
        assert_eq!(run(folder).await, 0, "{line}: nothing is run again");
        assert_eq!(ids(folder), (0..42).collect::<Vec<_>>(), "{line}");
        for i in 14..20_u64 {
            let path = folder.join(format!("incoming/loans-{i}.csv"));
            fs::write(&path, format!("id,name\n{},x\n", 28 + i)).unwrap();
            set_time(&path, 1_700_000_000 + i);
        }
        assert_eq!(run(folder).await, 6, "{line}");
        assert_eq!(ids(folder), (0..48).collect::<Vec<_>>(), "{line}");
        for log in ["output/_spark_metadata", "checkpoint/sources/0"] {
            let compact = fs::read_to_string(folder.join(log).join("19.compact")).unwrap();
            assert_eq!(compact.lines().count(), 1 + 20, "{line} {log}: all files so far");
        }
    }
}
