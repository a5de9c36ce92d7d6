//! The file source against the laws of sources, real folders, and the checkpoints that Spark left.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use ognivo_data::codec::csv::CsvOptions;
use ognivo_data::codec::json::JsonOptions;
use ognivo_data::fault::{Explain as _, Fault, Retry};
use ognivo_data::schema::parse_ddl;
use ognivo_files::local::LocalStore;
use ognivo_files::open::open;
use ognivo_files::read::FileFormat;
use ognivo_files::source::{BatchLimit, CleanSource, FileSource, FileSourceConfig, FileSourceOptions};
use ognivo_stream::clock::SystemClock;
use ognivo_stream::laws::{SourceBench, source_laws};
use ognivo_stream::offset::{Offset, OffsetRange};
use ognivo_stream::source::{ReadLimit, Source, SourceRows};
use serde_json::json;

use crate::fixtures::{set_time, spark, spark_query};

/// A folder with `in/` and `checkpoint/`, and a source over them.
struct Bench {
    folder: tempfile::TempDir,
    options: FileSourceOptions,
    input: String,
    csv: Vec<(&'static str, &'static str)>,
    n_files: u64,
    n_rows: usize,
}

impl Bench {
    fn new(options: FileSourceOptions) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        let csv = vec![("mode", "REJECT")];
        Bench { folder, options, input: "in".to_owned(), csv, n_files: 0, n_rows: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that was last changed so many seconds after 2023-11-14.
    fn file(&self, name: &str, seconds: u64, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        set_time(&path, 1_700_000_000 + seconds);
    }

    fn source(&self) -> FileSource {
        FileSource::new(self.config(), Arc::new(SystemClock)).unwrap()
    }

    fn config(&self) -> FileSourceConfig {
        let location = open(&self.input, self.folder.path()).unwrap();
        let log_folder = open("checkpoint/sources/0", self.folder.path()).unwrap();
        FileSourceConfig {
            location,
            format: FileFormat::Csv(CsvOptions::parse(self.csv.iter().copied()).unwrap()),
            schema: Arc::new(parse_ddl("id INT, name STRING").unwrap()),
            options: self.options.clone(),
            log_store: Arc::new(LocalStore::new()),
            log_folder: log_folder.path().clone(),
        }
    }

    fn log(&self, name: &str) -> String {
        let base = format!("file://{}", self.folder.path().to_str().unwrap());
        fs::read_to_string(self.path("checkpoint/sources/0").join(name)).unwrap().replace(&base, "BASE")
    }
}

#[async_trait]
impl SourceBench for Bench {
    /// Half of the rows are good; every file is a second younger than the one before.
    async fn add(&mut self, n_rows: usize) {
        let row = |i: usize| if i.is_multiple_of(2) { format!("{i},row {i}\r\n") } else { format!("x{i},bad\n") };
        let text: String = (self.n_rows..self.n_rows + n_rows).map(row).collect();
        self.file(&format!("in/f {}.csv", self.n_files), self.n_files, &text);
        self.n_files += 1;
        self.n_rows += n_rows;
    }

    async fn open(&mut self) -> Box<dyn Source> {
        Box::new(self.source())
    }
}

fn at(id: u64) -> Offset {
    Offset::new(json!({ "logOffset": id }))
}

async fn latest(source: &mut FileSource, start: Option<u64>) -> Option<u64> {
    let end = source.latest(start.map(at).as_ref(), ReadLimit::Configured).await.unwrap();
    source.remember().await.unwrap();
    end.map(|end| end.json()["logOffset"].as_u64().unwrap())
}

async fn blocks(source: &mut FileSource, start: Option<u64>, end: u64) -> Result<Vec<SourceRows>, String> {
    let range = OffsetRange { start: start.map(at), end: at(end) };
    let stream = source.read(&range).await.map_err(|error| error.to_string())?;
    stream.try_collect().await.map_err(|error| error.to_string())
}

/// The `id` column of a range.
async fn ids(source: &mut FileSource, start: Option<u64>, end: u64) -> Vec<i32> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    let blocks = blocks(source, start, end).await.unwrap();
    let ids = |block: &SourceRows| block.rows.column(0).as_primitive::<Int32Type>().values().to_vec();
    blocks.iter().flat_map(ids).collect()
}

#[tokio::test]
async fn the_laws_of_sources_hold_without_a_limit() {
    source_laws(&mut Bench::new(FileSourceOptions::default())).await;
}

#[tokio::test]
async fn the_laws_of_sources_hold_file_by_file_from_a_glob() {
    let options = FileSourceOptions { limit: BatchLimit::Files(1), ..FileSourceOptions::default() };
    let mut bench = Bench::new(options);
    bench.input = "in/*.csv".to_owned();
    source_laws(&mut bench).await;
}

#[tokio::test]
async fn files_are_taken_oldest_first_and_those_of_one_time_by_path() {
    let options = FileSourceOptions { limit: BatchLimit::Files(2), ..FileSourceOptions::default() };
    let bench = Bench::new(options);
    for (name, seconds, id) in [("in/z", 1, 1), ("in/b", 5, 3), ("in/a", 5, 2), ("in/c", 9, 4)] {
        bench.file(name, seconds, &format!("{id},x\n"));
    }
    let mut source = bench.source();
    assert_eq!(latest(&mut source, None).await, Some(0));
    assert_eq!(ids(&mut source, None, 0).await, [1, 2]);
    // The rest of the listing waits: a file that comes now with an older time comes after it.
    bench.file("in/new", 2, "5,x\n");
    assert_eq!(latest(&mut source, Some(0)).await, Some(1));
    assert_eq!(ids(&mut source, Some(0), 1).await, [3, 4]);
    assert_eq!(latest(&mut source, Some(1)).await, Some(2));
    assert_eq!(ids(&mut source, None, 2).await, [1, 2, 3, 4, 5]);
    assert_eq!(latest(&mut source, Some(2)).await, None);
    assert_eq!(
        bench.log("1"),
        "v1\n{\"path\":\"BASE/in/b\",\"timestamp\":1700000005000,\"batchId\":1}\n\
         {\"path\":\"BASE/in/c\",\"timestamp\":1700000009000,\"batchId\":1}"
    );
}

#[tokio::test]
async fn the_newest_files_come_first_when_that_is_asked_for() {
    let options = FileSourceOptions { limit: BatchLimit::Files(1), latest_first: true, ..FileSourceOptions::default() };
    let bench = Bench::new(options);
    for (name, seconds, id) in [("in/a", 1, 1), ("in/b", 2, 2)] {
        bench.file(name, seconds, &format!("{id},x\n"));
    }
    let mut source = bench.source();
    latest(&mut source, None).await;
    bench.file("in/c", 3, "3,x\n");
    latest(&mut source, Some(0)).await;
    latest(&mut source, Some(1)).await;
    assert_eq!(ids(&mut source, None, 2).await, [2, 3, 1]);
}

#[tokio::test]
async fn a_limit_of_bytes_takes_at_least_one_file() {
    let options = FileSourceOptions { limit: BatchLimit::Bytes(10), ..FileSourceOptions::default() };
    let bench = Bench::new(options);
    bench.file("in/a", 1, "1,a long name beyond the limit\n");
    bench.file("in/b", 2, "2,x\n");
    bench.file("in/c", 3, "3,x\n");
    let mut source = bench.source();
    assert_eq!(latest(&mut source, None).await, Some(0));
    assert_eq!(latest(&mut source, Some(0)).await, Some(1));
    assert_eq!((ids(&mut source, None, 0).await, ids(&mut source, Some(0), 1).await), (vec![1], vec![2, 3]));
}

#[tokio::test]
async fn a_bad_record_and_a_rejected_row_say_where_they_stand_and_what_they_were() {
    let bench = Bench::new(FileSourceOptions::default());
    bench.file("in/a b.csv", 1, "1,x\r\n\nq,y\n2,\"z\"\n3\n");
    let mut source = bench.source();
    latest(&mut source, None).await;
    let blocks = blocks(&mut source, None, 0).await.unwrap();
    let block = &blocks[0];
    let base = format!("file://{}/in/a%20b.csv", bench.folder.path().to_str().unwrap());
    assert_eq!(block.origin.position(1), format!("{base}:4"));
    assert_eq!(block.origin.payload(1).as_ref(), b"2,\"z\"");
    let bad: Vec<_> = block.malformed.iter().map(|bad| (bad.position.clone(), bad.payload.as_slice())).collect();
    assert_eq!(bad, [(format!("{base}:3"), &b"q,y"[..]), (format!("{base}:5"), &b"3"[..])]);
    assert_eq!(
        (block.malformed[0].code.as_str(), block.malformed[1].code.as_str()),
        ("malformed_value", "malformed_record")
    );
    assert_eq!(block.n_records_read, 4);
}

#[tokio::test]
async fn a_file_that_vanished_after_it_was_planned_stops_the_job_unless_that_is_ignored() {
    let mut bench = Bench::new(FileSourceOptions::default());
    bench.file("in/a", 1, "1,x\n");
    bench.file("in/b", 2, "2,x\n");
    let mut source = bench.source();
    latest(&mut source, None).await;
    fs::remove_file(bench.path("in/a")).unwrap();
    let range = OffsetRange { start: None, end: at(0) };
    let error = source.read(&range).await.unwrap().try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.to_string(), format!("file is gone since it was listed: {}", bench.path("in/a").display()));
    assert_eq!(error.fault(), Fault::Data);

    bench.options.ignore_missing_files = true;
    assert_eq!(ids(&mut bench.source(), None, 0).await, [2]);
}

#[tokio::test]
async fn what_was_logged_and_never_planned_comes_first_after_a_restart() {
    let options = FileSourceOptions { limit: BatchLimit::Files(1), ..FileSourceOptions::default() };
    let bench = Bench::new(options);
    bench.file("in/a", 1, "1,x\n");
    bench.file("in/b", 2, "2,x\n");
    assert_eq!(latest(&mut bench.source(), None).await, Some(0));
    let mut restarted = bench.source();
    assert_eq!(latest(&mut restarted, None).await, Some(0));
    assert_eq!(latest(&mut restarted, Some(0)).await, Some(1));
    assert_eq!(ids(&mut restarted, None, 1).await, [1, 2]);
}

#[tokio::test]
async fn finished_files_are_archived_under_their_whole_path_or_deleted() {
    let mut bench = Bench::new(FileSourceOptions::default());
    bench.options.clean = CleanSource::Archive(open("archive", bench.folder.path()).unwrap());
    bench.file("in/a b", 1, "1,x\n");
    let mut source = bench.source();
    latest(&mut source, None).await;
    source.acknowledge(&at(0)).await.unwrap();
    assert!(!bench.path("in/a b").exists());
    let archived = bench.path("archive").join(bench.path("in/a b").strip_prefix("/").unwrap());
    assert_eq!(fs::read_to_string(archived).unwrap(), "1,x\n");

    bench.options.clean = CleanSource::Delete;
    bench.file("in/c", 2, "2,x\n");
    let mut source = bench.source();
    assert_eq!(latest(&mut source, Some(0)).await, Some(1));
    source.acknowledge(&at(1)).await.unwrap();
    source.acknowledge(&at(1)).await.unwrap();
    assert!(!bench.path("in/c").exists());
}

#[tokio::test]
async fn columns_of_partition_folders_are_read_from_the_path_even_after_a_restart() {
    let bench = Bench::new(FileSourceOptions::default());
    bench.file("in/id=7/a", 1, "x\ny\n");
    let mut source = bench.source();
    latest(&mut source, None).await;
    assert_eq!(ids(&mut source, None, 0).await, [7, 7]);
    assert_eq!(ids(&mut bench.source(), None, 0).await, [7, 7]);
}

#[tokio::test]
async fn the_hundredth_batch_is_like_the_second() {
    let options = FileSourceOptions { limit: BatchLimit::Files(1), ..FileSourceOptions::default() };
    let bench = Bench::new(options);
    for i in 0..120_u64 {
        bench.file(&format!("in/{i:03}"), i, &format!("{i},x\n"));
    }
    let mut source = bench.source();
    for i in 0..120_u64 {
        assert_eq!(latest(&mut source, i.checked_sub(1)).await, Some(i));
        if i % 7 == 0 {
            source = bench.source();
        }
        assert_eq!(ids(&mut source, i.checked_sub(1), i).await, [i as i32]);
    }
    assert_eq!(latest(&mut source, Some(119)).await, None);
    assert_eq!(bench.log("119.compact").lines().count(), 121);
}

#[tokio::test]
async fn a_checkpoint_of_spark_goes_on_where_it_was() {
    for line in ["3.5", "4.3"] {
        let query = spark_query(line);
        let options = FileSourceOptions { limit: BatchLimit::Files(1), ..FileSourceOptions::default() };
        let mut bench = Bench::new(options);
        fs::remove_dir_all(bench.path("in")).unwrap();
        bench.folder = query;
        bench.input = "incoming".to_owned();
        bench.csv.push(("header", "true"));
        let mut source = bench.source();
        // Fourteen batches of one file of three rows; the last one was planned and is to be run again.
        assert_eq!(ids(&mut source, Some(12), 13).await, [39, 40, 41], "{line}");
        assert_eq!(ids(&mut source, None, 13).await, (0..42).collect::<Vec<_>>(), "{line}");
        assert_eq!(latest(&mut source, Some(13)).await, None, "{line}: every file was seen");
        bench.file("incoming/loans-14.csv", 14, "id,name\n42,x\n");
        assert_eq!(latest(&mut source, Some(13)).await, Some(14), "{line}");
        assert_eq!(ids(&mut source, Some(13), 14).await, [42], "{line}");
        assert_eq!(
            bench.log("14"),
            "v1\n{\"path\":\"BASE/incoming/loans-14.csv\",\"timestamp\":1700000014000,\"batchId\":14}"
        );
    }
    assert!(spark("3.5", "checkpoint").exists());
}

#[tokio::test]
async fn json_and_parquet_rows_say_where_they_stand_and_what_they_were() {
    let bench = Bench::new(FileSourceOptions::default());
    bench.file("in/a.json", 1, "{\"id\":1}\nnot json\n{\"id\":2,\"name\":\"é\"}\n");
    let base = format!("file://{}", bench.folder.path().to_str().unwrap());
    let format = FileFormat::Json(JsonOptions::parse([("mode", "REJECT")]).unwrap());
    let mut source = FileSource::new(FileSourceConfig { format, ..bench.config() }, Arc::new(SystemClock)).unwrap();
    latest(&mut source, None).await;
    let blocks = self::blocks(&mut source, None, 0).await.unwrap();
    assert_eq!(blocks[0].origin.position(1), format!("{base}/in/a.json:3"));
    assert_eq!(blocks[0].origin.payload(1).as_ref(), "{\"id\":2,\"name\":\"é\"}".as_bytes());
    assert_eq!(blocks[0].malformed[0].position, format!("{base}/in/a.json:2"));

    let query = spark_query("4.3");
    let schema = Arc::new(parse_ddl("name STRING, id INT").unwrap());
    let location = open("output", query.path()).unwrap();
    let config = FileSourceConfig { location, schema, format: FileFormat::Parquet, ..bench.config() };
    let mut source = FileSource::new(config, Arc::new(SystemClock)).unwrap();
    assert_eq!(latest(&mut source, Some(0)).await, Some(1));
    let blocks = self::blocks(&mut source, Some(0), 1).await.unwrap();
    let n_rows: usize = blocks.iter().map(|block| block.rows.num_rows()).sum();
    assert_eq!((blocks.len(), n_rows), (14, 42), "the files of Spark's sink, by its log");
    let (position, payload) = (blocks[0].origin.position(2), blocks[0].origin.payload(2).into_owned());
    assert!(position.ends_with(".snappy.parquet:3"), "{position}");
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["name"], "name 2");
}

#[tokio::test]
async fn a_damaged_parquet_file_stops_the_job_with_its_name() {
    let bench = Bench::new(FileSourceOptions::default());
    bench.file("in/a.parquet", 1, "PAR1 this is not what it says PAR1");
    let config = FileSourceConfig { format: FileFormat::Parquet, ..bench.config() };
    let mut source = FileSource::new(config, Arc::new(SystemClock)).unwrap();
    latest(&mut source, None).await;
    let range = OffsetRange { start: None, end: at(0) };
    let error = source.read(&range).await.unwrap().try_collect::<Vec<_>>().await.unwrap_err();
    assert!(error.to_string().contains("in/a.parquet is not a Parquet file that can be read"), "{error}");
    assert_eq!(error.fault(), Fault::Data);
}

#[tokio::test]
async fn a_checkpoint_whose_source_log_is_gone_is_refused_and_nothing_is_read_again() {
    let bench = Bench::new(FileSourceOptions::default());
    bench.file("in/a", 1, "1,x\n");
    assert_eq!(latest(&mut bench.source(), None).await, Some(0));
    fs::remove_dir_all(bench.path("checkpoint/sources")).unwrap();
    let mut source = bench.source();
    let error = source.latest(Some(&at(0)), ReadLimit::Configured).await.unwrap_err();
    assert!(error.to_string().starts_with("the source's log has no entry 0"), "{error}");
    let range = OffsetRange { start: None, end: at(0) };
    assert!(source.read(&range).await.is_err());
    assert!(!bench.path("checkpoint/sources/0/0").exists());
}

#[tokio::test]
async fn a_source_log_with_an_entry_gone_or_emptied_is_refused_and_no_waiting_file_is_passed_over() {
    type Damage = (&'static str, fn(&Bench));
    let damages: [Damage; 5] = [
        ("newest gone", |bench| fs::remove_file(bench.path("checkpoint/sources/0/2")).unwrap()),
        ("middle gone", |bench| fs::remove_file(bench.path("checkpoint/sources/0/1")).unwrap()),
        ("all gone", |bench| fs::remove_dir_all(bench.path("checkpoint/sources")).unwrap()),
        ("newest cut", |bench| fs::write(bench.path("checkpoint/sources/0/2"), "v1").unwrap()),
        ("middle cut", |bench| fs::write(bench.path("checkpoint/sources/0/1"), "v1\n").unwrap()),
    ];
    let listing = |bench: &Bench| {
        let mut names: Vec<_> = fs::read_dir(bench.path("checkpoint/sources/0"))
            .map(|entries| entries.map(|entry| entry.unwrap().file_name()).collect())
            .unwrap_or_default();
        names.sort();
        names
    };
    for (damage, apply) in damages {
        let options = FileSourceOptions { limit: BatchLimit::Files(1), ..FileSourceOptions::default() };
        let bench = Bench::new(options);
        for i in 0..3_u64 {
            bench.file(&format!("in/{i}"), i, &format!("{i},x\n"));
            assert_eq!(latest(&mut bench.source(), i.checked_sub(1)).await, Some(i));
        }
        apply(&bench);
        bench.file("in/3", 3, "3,x\n");
        let before = listing(&bench);
        for is_end_fixed in [false, true] {
            let mut source = bench.source();
            let fixed = if is_end_fixed { source.fix_end().await } else { Ok(()) };
            let asked = match fixed {
                Ok(()) => source.latest(Some(&at(2)), ReadLimit::Configured).await,
                Err(error) => Err(error),
            };
            let error = asked.expect_err(damage);
            assert_eq!(error.fault(), Fault::Data, "{damage}: {error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("restore")), "{damage}: {error}");
            assert_eq!(listing(&bench), before, "{damage}: nothing is written");
        }
    }
}

#[tokio::test]
async fn a_pipe_and_names_that_no_path_can_have_do_not_hold_up_the_good_files() {
    use std::os::unix::ffi::OsStrExt as _;
    for input in ["in", "in/*.csv"] {
        let mut bench = Bench::new(FileSourceOptions::default());
        bench.input = input.to_owned();
        bench.file("in/a.csv", 1, "1,x\n");
        fs::write(bench.path("in").join(std::ffi::OsStr::from_bytes(b"\xff\xfe.csv")), "2,x\n").unwrap();
        fs::write(bench.path("in/new\nline.csv"), "3,x\n").unwrap();
        let made = std::process::Command::new("mkfifo").arg(bench.path("in/pipe.csv")).status().unwrap();
        assert!(made.success());
        let mut source = bench.source();
        source.fix_end().await.unwrap();
        assert_eq!(latest(&mut source, None).await, Some(0));
        assert_eq!(ids(&mut source, None, 0).await, [1]);
        assert_eq!(source.take_warnings().len(), 2);
        assert_eq!(latest(&mut source, Some(0)).await, None);
        assert_eq!(source.take_warnings(), Vec::<String>::new(), "each is told once");
        bench.input = "in/pipe.csv".to_owned();
        let error = bench.source().latest(Some(&at(0)), ReadLimit::Configured).await.unwrap_err();
        assert_eq!((error.fault(), error.retry()), (Fault::Data, Retry::Never), "{error}");
    }
}

#[tokio::test]
async fn rows_tell_their_file_and_line_when_they_are_asked() {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    let bench = Bench::new(FileSourceOptions::default());
    bench.file("in/a.csv", 1, "1,x\r\n\r\nbad,y\n3,z\n");
    bench.file("in/b.csv", 2, "4,w\n");
    let mut source = bench.source().with_positions();
    let names: Vec<String> = source.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["id", "name", "file", "line"]);
    let end = latest(&mut source, None).await.unwrap();
    let mut told = Vec::new();
    for block in blocks(&mut source, None, end).await.unwrap() {
        assert_eq!(block.rows.schema(), source.schema());
        for row in 0..block.rows.num_rows() {
            let file = block.rows.column(2).as_string::<i32>().value(row).rsplit('/').next().unwrap().to_owned();
            let line = block.rows.column(3).as_primitive::<Int64Type>().value(row);
            assert!(block.origin.position(row).ends_with(&format!("{file}:{line}")), "as a dead letter tells it");
            told.push((file, line));
        }
    }
    assert_eq!(told, [("a.csv".to_owned(), 1), ("a.csv".to_owned(), 4), ("b.csv".to_owned(), 1)]);
}
