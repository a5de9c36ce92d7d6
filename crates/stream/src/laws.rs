//! What every source, sink and checkpoint store must keep, as checks that an implementer calls from its tests.
//!
//! Each function panics with a sentence when a law is broken. They need debug builds only where they say so.

use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};

use crate::dead_letter::{self, DeadLetter};
use crate::offset::{Offset, OffsetRange, SourcePartition};
use crate::plan::{BatchId, BatchPlan, ModelId};
use crate::sink::{Committed, Lane, Sink};
use crate::source::{ReadLimit, Source};

/// What the laws of sources need from the source under test.
#[async_trait]
pub trait SourceBench: Send {
    /// Puts so many new rows where the source looks; each call makes at least one batch's worth of progress.
    async fn add(&mut self, n_rows: usize);

    /// The source as a newly started process has it, over the same rows and the same log.
    async fn open(&mut self) -> Box<dyn Source>;
}

/// A source repeats what it was asked for, ranges add up to everything once, and a new process sees the same.
///
/// # Panics
/// When a law is broken.
pub async fn source_laws(bench: &mut dyn SourceBench) {
    let mut source = bench.open().await;
    assert_eq!(latest(&mut source, None).await, None, "an empty source has nothing new");

    let mut ranges: Vec<OffsetRange> = Vec::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for n_rows in [3, 1, 4] {
        bench.add(n_rows).await;
        while let Some(end) = latest(&mut source, ranges.last().map(|range| &range.end)).await {
            let range = OffsetRange { start: ranges.last().map(|range| range.end.clone()), end };
            rows.push(read(&mut source, &range).await);
            ranges.push(range);
        }
    }
    let n_rows: usize = rows.iter().map(Vec::len).sum();
    assert_eq!(n_rows, 8, "ranges that follow each other give every row once");

    for (range, expect) in ranges.iter().zip(&rows) {
        assert_eq!(&read(&mut source, range).await, expect, "the same range gives the same rows: {range}");
    }
    let mut restarted = bench.open().await;
    for (range, expect) in ranges.iter().zip(&rows) {
        assert_eq!(&read(&mut restarted, range).await, expect, "a new process reads the same rows: {range}");
    }
    let newest = ranges.last().map(|range| range.end.clone());
    assert_eq!(
        latest(&mut restarted, newest.as_ref()).await,
        None,
        "a new process finds nothing that was found before"
    );

    if let Some(newest) = &newest {
        let positions = restarted.positions(newest).expect("an offset of its own has positions");
        let back = restarted.offset_at(&positions).expect("positions of its own are an offset");
        assert_eq!(back.as_ref(), Some(newest), "an offset survives being stored as positions");
        for _ in 0..2 {
            restarted.acknowledge(newest).await.expect("acknowledging may come twice");
        }
    }
    restarted.fix_end().await.expect("the end can be fixed");
    bench.add(2).await;
    assert_eq!(
        latest(&mut restarted, newest.as_ref()).await,
        None,
        "what comes after the end was fixed does not count"
    );

    let mut last = bench.open().await;
    bench.add(2).await;
    let everything = last.latest(newest.as_ref(), ReadLimit::Everything).await.expect("the source answers");
    last.remember().await.expect("what was found can be remembered");
    let end = everything.expect("four rows were added");
    let range = OffsetRange { start: newest, end };
    assert_eq!(read(&mut last, &range).await.len(), 4, "a limit of everything leaves nothing behind");
}

async fn latest(source: &mut Box<dyn Source>, start: Option<&Offset>) -> Option<Offset> {
    let end = source.latest(start, ReadLimit::Configured).await.expect("the source answers");
    source.remember().await.expect("what was found can be remembered");
    end
}

async fn read(source: &mut Box<dyn Source>, range: &OffsetRange) -> Vec<String> {
    let stream = source.read(range).await.expect("the range can be read");
    let blocks: Vec<_> = stream.try_collect().await.expect("every block can be read");
    let mut texts = Vec::new();
    for block in blocks {
        assert_eq!(block.rows.schema(), source.schema(), "the schema told is the schema given");
        assert!(block.n_records_read >= block.rows.num_rows() + block.malformed.len(), "no row appears from nowhere");
        for row_idx in 0..block.rows.num_rows() {
            let payload = String::from_utf8_lossy(&block.origin.payload(row_idx)).into_owned();
            texts.push(format!("{} {payload}", block.origin.position(row_idx)));
        }
        texts.extend(block.malformed.iter().map(|bad| format!("{} {:?} {}", bad.position, bad.payload, bad.code)));
    }
    texts
}

/// What the laws of sinks need from the sink under test.
#[async_trait]
pub trait SinkBench: Send {
    /// The sink as a newly started process has it, over the same target.
    async fn open(&mut self) -> Box<dyn Sink>;

    /// Rows that the sink takes in its scored lane, all different from those of other seeds.
    fn rows(&self, seed: u64, n_rows: usize) -> RecordBatch;

    /// What a reader of the target sees in this lane: one text per row, in any order.
    async fn visible(&mut self, lane: Lane) -> Vec<String>;
}

/// A sink shows a batch whole or not at all, once, and knows after a restart how far it is.
///
/// # Panics
/// When a law is broken.
pub async fn sink_laws(bench: &mut dyn SinkBench) {
    let mut sink = open(bench).await;
    let nothing = sink.last_committed(&[SourcePartition::all()]).await.expect("the target answers");
    assert!(at(&nothing).is_none(), "an empty target holds no batch: {nothing:?}");

    let first = plan(0);
    write(bench, &mut sink, &first, End::Commit).await;
    assert_eq!(counts(bench).await, (3, 1), "what was committed is visible, both lanes together");
    let committed = sink.last_committed(&[SourcePartition::all()]).await.expect("the target answers");
    assert_eq!(at(&committed), expect_at(&committed, &first), "the target knows its newest batch");

    let second = plan(1);
    write(bench, &mut sink, &second, End::Abort).await;
    assert_eq!(counts(bench).await, (3, 1), "a batch that was given up leaves nothing");
    write(bench, &mut sink, &second, End::Kill).await;
    assert_eq!(counts(bench).await, (3, 1), "a process that died before it committed leaves nothing visible");

    let mut sink = open(bench).await;
    let committed = sink.last_committed(&[SourcePartition::all()]).await.expect("the target answers");
    assert_eq!(at(&committed), expect_at(&committed, &first), "a new process finds the same newest batch");
    write(bench, &mut sink, &second, End::Commit).await;
    assert_eq!(counts(bench).await, (6, 2), "a batch may be tried again after it was given up");

    assert!(sink.begin(&second).await.is_err(), "a batch that the target holds cannot be begun again");
    sink.reset().await.expect("the sink can be reset");
    assert_eq!(counts(bench).await, (6, 2), "the same batch twice is there once");

    let empty = plan(2);
    let writer = sink.begin(&empty).await.expect("the next batch can be begun");
    writer.commit().await.expect("a batch without rows can be committed");
    let mut sink = open(bench).await;
    let committed = sink.last_committed(&[SourcePartition::all()]).await.expect("the target answers");
    assert_eq!(at(&committed), expect_at(&committed, &empty), "a batch without rows counts");
    assert_eq!(counts(bench).await, (6, 2), "a batch without rows shows no row");

    for id in 3..25 {
        write(bench, &mut sink, &plan(id), End::Commit).await;
    }
    assert_eq!(counts(bench).await, (6 + 22 * 3, 2 + 22), "the twenty-fifth batch is like the second");
    let mut texts = bench.visible(Lane::Scored).await;
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 6 + 22 * 3, "every row is there once");
}

/// A sink of upserts shows each row of a batch once, however often the batch came and however far it got before.
///
/// It shows rows before their batch is committed, and a batch that was given up may have left some: its plan is written ahead,
/// so the same batch comes again. Where it remembers batches, it keeps what [`sink_laws`] say of that.
///
/// # Panics
/// When a law is broken.
pub async fn upsert_sink_laws(bench: &mut dyn SinkBench) {
    let mut sink = open(bench).await;
    let nothing = sink.last_committed(&[SourcePartition::all()]).await.expect("the target answers");
    assert!(matches!(nothing, Committed::Unknown | Committed::Nothing), "an empty target holds no batch: {nothing:?}");
    let remembers = nothing != Committed::Unknown;

    let first = plan(0);
    write(bench, &mut sink, &first, End::Commit).await;
    let after_first = (bench.visible(Lane::Scored).await, bench.visible(Lane::DeadLetter).await);
    assert_eq!((after_first.0.len(), after_first.1.len()), (3, 1), "what was committed is visible, both lanes");

    let second = plan(1);
    for end in [End::Abort, End::Kill] {
        write(bench, &mut sink, &second, end).await;
        let visible = bench.visible(Lane::Scored).await;
        assert!(after_first.0.iter().all(|row| visible.contains(row)), "a batch that ended early changes no other one");
        assert!(visible.len() <= 6, "a batch that ended early left no row twice: {visible:?}");
        let mut fresh = open(bench).await;
        let committed = fresh.last_committed(&[SourcePartition::all()]).await.expect("the target answers");
        let expect = if remembers { Committed::Batch(first.id) } else { Committed::Unknown };
        assert_eq!(committed, expect, "a batch that ended early does not count");
        sink = fresh;
    }
    write(bench, &mut sink, &second, End::Commit).await;
    assert_eq!(counts(bench).await, (6, 2), "a batch that came again ends as if it had come once");

    if remembers {
        assert!(sink.begin(&second).await.is_err(), "a batch that the target is known to hold cannot be begun again");
    } else {
        write(bench, &mut sink, &second, End::Commit).await;
        assert_eq!(counts(bench).await, (6, 2), "the same batch twice is there once");
    }
    sink.reset().await.expect("the sink can be reset");

    let empty = plan(2);
    let writer = sink.begin(&empty).await.expect("the next batch can be begun");
    writer.commit().await.expect("a batch without rows can be committed");
    assert_eq!(counts(bench).await, (6, 2), "a batch without rows shows no row");
    for id in 3..25 {
        write(bench, &mut sink, &plan(id), End::Commit).await;
    }
    let mut sink = open(bench).await;
    let committed = sink.last_committed(&[SourcePartition::all()]).await.expect("the target answers");
    let expect = if remembers { Committed::Batch(BatchId(24)) } else { Committed::Unknown };
    assert_eq!(committed, expect, "a new process finds the newest batch");
    let mut texts = bench.visible(Lane::Scored).await;
    assert_eq!(texts.len(), 6 + 22 * 3, "the twenty-fifth batch is like the second");
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 6 + 22 * 3, "every row is there once");
}

async fn open(bench: &mut dyn SinkBench) -> Box<dyn Sink> {
    let mut sink = bench.open().await;
    let schema = bench.rows(0, 0).schema();
    sink.prepare(&schema).await.expect("the bench's own schema suits the sink");
    sink
}

enum End {
    Commit,
    Abort,
    Kill,
}

/// Writes two blocks of scored rows, three together, and a dead letter.
async fn write(bench: &mut dyn SinkBench, sink: &mut Box<dyn Sink>, plan: &BatchPlan, end: End) {
    let mut writer = sink.begin(plan).await.expect("the batch can be begun");
    let rows = bench.rows(plan.id.0, 3);
    writer.write(Lane::Scored, rows.slice(0, 2)).await.expect("rows can be written");
    writer.write(Lane::DeadLetter, letter(plan)).await.expect("dead letters can be written");
    writer.write(Lane::Scored, rows.slice(2, 1)).await.expect("rows can be written");
    match end {
        End::Commit => {
            let written = writer.commit().await.expect("the batch can be committed");
            assert_eq!((written.n_scored, written.n_dead_letters), (3, 1), "the sink counts what it wrote");
        }
        End::Abort => writer.abort().await,
        End::Kill => drop(writer),
    }
}

fn letter(plan: &BatchPlan) -> RecordBatch {
    let letter = DeadLetter {
        payload: format!("bad,{}", plan.id).into_bytes(),
        position: format!("in/a.csv:{}", plan.id),
        stage: None,
        column: None,
        code: "bad_record".to_owned(),
        message: "a record for the laws".to_owned(),
        record: None,
    };
    dead_letter::to_rows(&[letter], plan)
}

fn plan(id: u64) -> BatchPlan {
    let offset = |n: u64| Offset::new(serde_json::json!({ "logOffset": n }));
    let range = OffsetRange { start: id.checked_sub(1).map(offset), end: offset(id) };
    let time_ms = 1_795_353_850_000 + id as i64 * 1000;
    BatchPlan::new(BatchId(id), range, time_ms, Some(ModelId("model".to_owned())))
}

/// Where the target is, as text; None when it holds nothing.
fn at(committed: &Committed) -> Option<String> {
    match committed {
        Committed::Unknown | Committed::Nothing => None,
        Committed::Batch(id) => Some(id.to_string()),
        Committed::Offsets(positions) => positions.whole().map(|offset| offset.to_string()),
    }
}

/// Where a target that answers in the manner of `committed` is after `plan`.
fn expect_at(committed: &Committed, plan: &BatchPlan) -> Option<String> {
    match committed {
        Committed::Unknown | Committed::Nothing => None,
        Committed::Batch(_) => Some(plan.id.to_string()),
        Committed::Offsets(_) => Some(plan.range.end.to_string()),
    }
}

async fn counts(bench: &mut dyn SinkBench) -> (usize, usize) {
    (bench.visible(Lane::Scored).await.len(), bench.visible(Lane::DeadLetter).await.len())
}

/// A store can hold a checkpoint: files are created once and whole, seen at once, and listed.
///
/// `folder` must be empty and ours. That a file survives a power cut once `put` returned is a law too, which no test here
/// can show.
///
/// # Panics
/// When a law is broken.
pub async fn checkpoint_laws(store: Arc<dyn ObjectStore>, folder: Path) {
    let file = |name: &str| name.split('/').fold(folder.clone(), |path, part| path.join(part));
    let create = || PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let put = |name: &str, text: &'static str| {
        let (store, path) = (store.clone(), file(name));
        async move { store.put_opts(&path, Bytes::from_static(text.as_bytes()).into(), create()).await.map(|_| ()) }
    };

    let names = names_in(store.as_ref(), &folder).await;
    assert!(names.is_empty(), "a folder that was never written to lists as empty: {names:?}");
    assert!(
        matches!(store.get(&file("0")).await, Err(Error::NotFound { .. })),
        "a file that is not there is not found"
    );

    put("0", "first").await.expect("a file can be created");
    assert_eq!(text(store.as_ref(), &file("0")).await, "first", "what was created is read at once");
    let again = put("0", "second").await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "creating a file that exists is refused: {again:?}");
    assert_eq!(text(store.as_ref(), &file("0")).await, "first", "the refused content is nowhere");

    let contenders = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let results = futures::future::join_all(contenders.map(|content| put("1", content))).await;
    let winners: Vec<&str> = contenders.iter().zip(&results).filter(|(_, r)| r.is_ok()).map(|(c, _)| *c).collect();
    assert_eq!(winners.len(), 1, "of several that create the same file exactly one wins: {results:?}");
    assert_eq!(text(store.as_ref(), &file("1")).await, winners[0], "the file holds what the winner wrote");

    put("inner/0", "x").await.expect("folders come by themselves");
    let names = names_in(store.as_ref(), &folder).await;
    assert_eq!(names, ["0", "1"], "a listing shows the files of the folder, no other and no temporary one");

    store.delete(&file("0")).await.expect("a file can be deleted");
    assert_eq!(names_in(store.as_ref(), &folder).await, ["1"], "a deleted file is gone at once");
    let gone = store.delete(&file("0")).await;
    assert!(matches!(gone, Ok(()) | Err(Error::NotFound { .. })), "deleting twice is harmless: {gone:?}");
    put("0", "third").await.expect("a deleted name is free again");
}

async fn names_in(store: &dyn ObjectStore, folder: &Path) -> Vec<String> {
    let listed = store.list_with_delimiter(Some(folder)).await.expect("a folder can be listed");
    let mut names: Vec<String> =
        listed.objects.iter().filter_map(|object| object.location.filename().map(str::to_owned)).collect();
    names.sort_unstable();
    names
}

async fn text(store: &dyn ObjectStore, path: &Path) -> String {
    let bytes = store.get(path).await.expect("the file is there").bytes().await.expect("the file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}
