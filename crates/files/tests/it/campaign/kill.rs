//! From folder to folder with a query between, killed everywhere: whatever happens, each row ends in the output or in the
//! dead letters exactly once.
//!
//! Two ways to die. At a **kill point** the process stops between two of its own steps. With a **failing store** the N-th
//! call of the file system fails, for every N until the run needs fewer calls: once (the driver tries again) or from then on
//! (the process gives up, and a new one starts on a healthy disk).

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use ognivo_data::codec::csv::CsvOptions;
use ognivo_data::dataset::LocalExecutor;
use ognivo_data::outcome::Outcome;
use ognivo_data::schema::parse_ddl;
use ognivo_files::encode::Encoding;
use ognivo_files::local::LocalStore;
use ognivo_files::open::{Location, open};
use ognivo_files::read::{FileFormat, ReadRequest, read};
use ognivo_files::sink::{CommitLog, FileSink, FileSinkConfig, LaneTarget};
use ognivo_files::source::{BatchLimit, FileSource, FileSourceConfig, FileSourceOptions};
use ognivo_stream::checkpoint::Checkpoint;
use ognivo_stream::clock::{ManualClock, SystemClock};
use ognivo_stream::kill_point::{self, KillPoint};
use ognivo_stream::plan::ModelId;
use ognivo_stream::query::{QueryOptions, QueryParts, RunSummary, StreamingQuery};
use ognivo_stream::query_error::QueryError;
use ognivo_stream::score::{ScoreError, Scorer};
use ognivo_stream::tally::{BadRow, BadRowPolicy};
use ognivo_stream::trigger::Trigger;
use serde_json::json;

use crate::campaign::counts::tell;

/// Rows pass as they are.
pub(crate) struct Relay(pub(crate) ModelId, pub(crate) SchemaRef);

impl Scorer for Relay {
    fn model_id(&self) -> &ModelId {
        &self.0
    }
    fn output_schema(&self) -> SchemaRef {
        Arc::clone(&self.1)
    }
    fn score(&self, rows: RecordBatch) -> std::result::Result<Outcome, ScoreError> {
        Ok(Outcome::all_kept(rows))
    }
}

/// `in/`, `out/`, `dead/` and `checkpoint/` of one query.
struct World {
    folder: tempfile::TempDir,
    commit_log: CommitLog,
    n_files: u64,
}

const ROWS_PER_FILE: u64 = 3;

impl World {
    /// Files of two good rows and a bad one.
    fn new(commit_log: CommitLog, n_files: u64) -> World {
        let mut world = World { folder: tempfile::tempdir().unwrap(), commit_log, n_files: 0 };
        fs::create_dir(world.folder.path().join("in")).unwrap();
        world.add(n_files);
        world
    }

    fn add(&mut self, n_files: u64) {
        for i in self.n_files..self.n_files + n_files {
            let id = i * ROWS_PER_FILE;
            let text = format!("{id},a\nbad {},b\n{},c\n", id + 1, id + 2);
            fs::write(self.folder.path().join(format!("in/{i:04}.csv")), text).unwrap();
        }
        self.n_files += n_files;
    }

    fn at(&self, name: &str, store: &Arc<dyn ObjectStore>) -> Location {
        open(name, self.folder.path()).unwrap().with_store(Arc::clone(store))
    }

    /// Runs the query until nothing is left, as a new process on this store.
    async fn run(&self, store: &Arc<dyn ObjectStore>) -> std::result::Result<RunSummary, QueryError> {
        let checkpoint = self.at("checkpoint", store);
        let checkpoint = Checkpoint::new(Arc::clone(store), checkpoint.path().clone());
        let query_id = checkpoint.open().await.map_err(QueryError::from)?;
        let schema = Arc::new(parse_ddl("id INT, name STRING").unwrap());
        let source = FileSource::new(
            FileSourceConfig {
                location: self.at("in", store),
                format: FileFormat::Csv(CsvOptions::parse([("mode", "REJECT")]).unwrap()),
                schema: Arc::clone(&schema),
                options: FileSourceOptions { limit: BatchLimit::Files(2), ..FileSourceOptions::default() },
                log_store: Arc::clone(store),
                log_folder: checkpoint.source_folder(0),
            },
            Arc::new(SystemClock),
        )
        .unwrap();
        let target = |name: &str, format: &str| LaneTarget {
            location: self.at(name, store),
            encoding: Encoding::parse(format, &[]).unwrap(),
        };
        let sink = FileSink::new(
            FileSinkConfig {
                scored: target("out", "parquet"),
                partition_by: vec!["name".to_owned()],
                commit_log: self.commit_log,
                dead_letters: Some(target("dead", "json")),
                query_id,
            },
            Arc::new(SystemClock),
        );
        let parts = QueryParts {
            source: Box::new(source),
            scorer: Arc::new(Relay(ModelId("m".to_owned()), schema)),
            sink: Box::new(sink),
            checkpoint: Some(checkpoint),
        };
        let bad_rows =
            BadRowPolicy { malformed: BadRow::DeadLetter, invalid: BadRow::DeadLetter, max_bad_fraction: None };
        let options = QueryOptions {
            trigger: Trigger::AvailableNow,
            bad_rows,
            clock: Arc::new(ManualClock::jumping(1_795_353_850_000)),
            ..QueryOptions::default()
        };
        StreamingQuery::new(parts, options).process_all_available().await
    }

    /// How often each id is in the output, as a reader of the folder finds it, and in the dead letters.
    fn ids(&self) -> BTreeMap<String, usize> {
        let mut ids = BTreeMap::new();
        let request = ReadRequest::new(open("out", self.folder.path()).unwrap(), FileFormat::Parquet);
        let data = read(&request, Arc::new(LocalExecutor::single_threaded())).unwrap();
        for rows in data.dataset.collect().unwrap().iter().flatten() {
            for id in rows.column_by_name("id").unwrap().as_primitive::<Int32Type>().values() {
                *ids.entry(id.to_string()).or_default() += 1;
            }
        }
        for file in fs::read_dir(self.folder.path().join("dead")).unwrap() {
            let path = file.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with('.') {
                continue;
            }
            for line in fs::read_to_string(path).unwrap().lines() {
                let letter: serde_json::Value = serde_json::from_str(line).unwrap();
                let payload = letter["payload"].as_str().unwrap();
                *ids.entry(payload.trim_start_matches("bad ").trim_end_matches(",b").to_owned()).or_default() += 1;
            }
        }
        ids
    }

    fn check(&self, what: &str) {
        let ids = self.ids();
        let expect: BTreeMap<String, usize> = (0..self.n_files * ROWS_PER_FILE).map(|id| (id.to_string(), 1)).collect();
        assert_eq!(ids, expect, "{what}");
    }
}

/// The local store, some of whose calls fail.
#[derive(Debug)]
struct Failing {
    disk: LocalStore,
    n_calls: AtomicUsize,
    /// The calls that fail; their work may have been done all the same.
    failing: Range<usize>,
    /// Whether a failing call does its work before it fails, as when only the answer is lost.
    is_done: bool,
}

impl std::fmt::Display for Failing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Failing")
    }
}

impl Failing {
    fn new(failing: Range<usize>, is_done: bool) -> Failing {
        Failing { disk: LocalStore::new(), n_calls: AtomicUsize::new(0), failing, is_done }
    }

    /// Whether this call fails.
    fn fails(&self) -> bool {
        self.failing.contains(&self.n_calls.fetch_add(1, Ordering::SeqCst))
    }

    async fn call<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match (self.fails(), self.is_done) {
            (false, _) => work.await,
            (true, false) => Err(failure()),
            (true, true) => work.await.and(Err(failure())),
        }
    }
}

fn failure() -> Error {
    Error::Generic { store: "Failing", source: "the test lets this call fail".into() }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.call(self.disk.put_opts(path, payload, options)).await
    }
    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.call(self.disk.put_multipart_opts(path, options)).await
    }
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.call(self.disk.get_opts(path, options)).await
    }
    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.call(self.disk.get_ranges(path, ranges)).await
    }
    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.fails() {
            true => futures::stream::once(async { Err(failure()) }).boxed(),
            false => self.disk.delete_stream(paths),
        }
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.disk.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call(self.disk.list_with_delimiter(prefix)).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.call(self.disk.copy_opts(from, to, options)).await
    }
    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.call(self.disk.rename_opts(from, to, options)).await
    }
}

fn healthy() -> Arc<dyn ObjectStore> {
    Arc::new(LocalStore::new())
}

/// Lets every call fail in turn, from the first to the last that a run makes; returns how many there are.
async fn fail_everywhere(commit_log: CommitLog, lasts: bool, is_done: bool) -> usize {
    let mut n = 0;
    loop {
        let world = World::new(commit_log, 4);
        let failing = if lasts { n..usize::MAX } else { n..n + 1 };
        let store = Arc::new(Failing::new(failing, is_done));
        let dynamic: Arc<dyn ObjectStore> = Arc::clone(&store) as _;
        let outcome = world.run(&dynamic).await;
        let what = format!("{commit_log:?}, call {n}, lasts: {lasts}, done: {is_done}");
        if store.n_calls.load(Ordering::SeqCst) <= n {
            outcome.expect("no call failed");
            world.check(&what);
            return n;
        }
        world.run(&healthy()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        world.check(&what);
        n += 1;
    }
}

#[tokio::test]
async fn no_row_is_lost_or_repeated_when_any_call_of_the_store_fails_once() {
    for is_done in [false, true] {
        let n = fail_everywhere(CommitLog::Spark, false, is_done).await;
        assert!(n > 20, "only {n} calls were tried");
        tell(
            "the nth call of the file system fails once, for every n, before and after its work was done",
            "failed calls",
            n,
            json!({}),
        );
    }
}

#[tokio::test]
async fn no_row_is_lost_or_repeated_when_the_store_fails_from_any_call_on() {
    for commit_log in [CommitLog::Spark, CommitLog::Success] {
        for is_done in [false, true] {
            let n = fail_everywhere(commit_log, true, is_done).await;
            assert!(n > 20, "only {n} calls were tried");
            let what = "every call of the file system from the nth on fails, for every n; a new process finishes";
            tell(what, "failed calls", n, json!({}));
        }
    }
}

#[tokio::test]
async fn no_row_is_lost_or_repeated_when_the_process_dies_at_any_kill_point() {
    let mut n_kills = 0;
    for commit_log in [CommitLog::Spark, CommitLog::Success] {
        for &point in KillPoint::OF_BATCHES {
            for nth in 1..=3 {
                let mut world = World::new(commit_log, 5);
                kill_point::kill_at(point, nth);
                let died = world.run(&healthy()).await;
                let what = format!("{commit_log:?}, {}@{nth}", point.name());
                if !kill_point::spare() {
                    n_kills += 1;
                    assert!(died.is_err_and(|error| error.is_killed()), "{what}");
                }
                // What comes while the process is down must not disturb what was planned.
                world.add(1);
                world.run(&healthy()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
                world.check(&what);
            }
        }
    }
    tell(
        "the query dies at every named place, in its first three passes, and files come while it is down",
        "kills",
        n_kills,
        json!({}),
    );
    for point in [KillPoint::SourceLogged, KillPoint::SinkStaged, KillPoint::SinkPartVisible, KillPoint::SinkLogged] {
        assert!(kill_point::passed(point) > 0, "{} was never reached", point.name());
    }
}

#[tokio::test]
async fn an_output_that_another_query_wrote_is_refused() {
    let world = World::new(CommitLog::Spark, 2);
    world.run(&healthy()).await.unwrap();
    fs::remove_dir_all(world.folder.path().join("checkpoint")).unwrap();
    let error = world.run(&healthy()).await.unwrap_err();
    assert!(error.to_string().contains("of another query"), "{error}");
    world.check("nothing was added");
}

#[tokio::test]
async fn an_output_that_is_read_through_sparks_log_does_not_take_batches_without_it() {
    let mut world = World::new(CommitLog::Spark, 2);
    world.run(&healthy()).await.unwrap();
    world.commit_log = CommitLog::Success;
    let error = world.run(&healthy()).await.unwrap_err();
    assert!(error.to_string().contains("has a log of Spark's"), "{error}");
}
