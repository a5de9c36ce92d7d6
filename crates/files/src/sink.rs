//! Folders of files as a sink: each batch becomes files that appear whole, and counts once its log entry stands.
//!
//! A batch is committed in this order, each step durable before the next:
//!
//! 1. dead letters: files in their own folder;
//! 2. scored rows: files in the output folder, or in its partition folders;
//! 3. the log: `_spark_metadata/<batch>`, as Spark's file sink writes it, or (`commitLog: none`) `_SUCCESS`.
//!
//! On a store that can hold files back ([`Staging`](ognivo_stream::staging::Staging)) all of them are durable under hidden names
//! before the first step, beside the plan of the batch, and a step is a rename. An entry tells when its files were last changed: we set
//! that time ourselves, so that the entry can be written beside the files. The entry, and the file of a lane without partition columns, begin before the first
//! row is there, so that servers make room for them while rows are read and scored.
//!
//! ```text
//! output/_spark_metadata/0 … 8 9.compact 10              which files count; Spark reads the folder through it
//! output/p_date=20261123100000/part-00000-<query>-b0000000007-c000.snappy.parquet
//! output/_SUCCESS                                        {"query":"…","batch":7} with commitLog: none
//! dead/part-00000-<query>-b0000000007-c000.json
//! ```
//!
//! File names are fixed by the query and the batch, and a replay is the same work, so what a killed process left is replaced
//! by the same bytes. A kill between 1 and 3 leaves files that are visible to readers that list folders, and not counted yet:
//! readers that go through the log see a batch whole or not at all; others see its files a moment earlier, each whole.

mod lane;
mod log;
mod partitioner;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use object_store::path::Path;
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_stream::checkpoint::{BegunEntry, CheckpointError, StagedEntry};
use ognivo_stream::clock::Clock;
use ognivo_stream::dead_letter;
use ognivo_stream::kill_point::{self, KillPoint};
use ognivo_stream::offset::SourcePartition;
use ognivo_stream::plan::{BatchId, BatchPlan};
use ognivo_stream::sink::{BatchWriter, Committed, Delivery, Lane, Sink, SinkError, Written};

use crate::encode::{EncodeFileError, Encoding};
use crate::open::Location;
use lane::LaneFiles;
use log::SinkLog;
use partitioner::Partitioner;

pub use partitioner::PartitionByError;

/// Where the files of one lane go.
#[derive(Debug, Clone)]
pub struct LaneTarget {
    /// The folder.
    pub location: Location,
    /// How rows become files.
    pub encoding: Encoding,
}

/// How a sink tells which batches it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitLog {
    /// `_spark_metadata`, as Spark's file sink.
    #[default]
    Spark,
    /// `_SUCCESS`, for readers that list folders.
    Success,
}

/// What a file sink is made of.
#[derive(Debug, Clone)]
pub struct FileSinkConfig {
    /// Where scored rows go.
    pub scored: LaneTarget,
    /// Columns that become folders.
    pub partition_by: Vec<String>,
    /// How the sink tells which batches it holds.
    pub commit_log: CommitLog,
    /// Where dead letters go; a batch that has some fails when absent.
    pub dead_letters: Option<LaneTarget>,
    /// The query, which names its files: the id in the checkpoint.
    pub query_id: String,
}

/// The sink.
#[derive(Debug)]
pub struct FileSink {
    config: FileSinkConfig,
    log: SinkLog,
    clock: Arc<dyn Clock>,
    partitioner: Option<Partitioner>,
}

impl FileSink {
    /// A sink of this configuration. Nothing is read or written yet.
    pub fn new(config: FileSinkConfig, clock: Arc<dyn Clock>) -> FileSink {
        let log = SinkLog::new(config.scored.location.clone(), config.commit_log, config.query_id.clone());
        FileSink { config, log, clock, partitioner: None }
    }

    /// The name of the batch's file in each folder.
    fn file_name(&self, batch: BatchId, encoding: &Encoding) -> String {
        file_name(&self.config.query_id, batch, encoding.extension())
    }

    fn lane(&self, batch: BatchId, target: &LaneTarget, partitioner: &Partitioner) -> LaneFiles {
        LaneFiles::new(target.clone(), partitioner.clone(), self.file_name(batch, &target.encoding))
    }
}

/// `part-00000-<query>-b0000000007-c000.snappy.parquet`: fixed by query and batch, so that a replay writes the same names.
fn file_name(query_id: &str, batch: BatchId, extension: &str) -> String {
    format!("part-00000-{query_id}-b{:010}-c000{extension}", batch.0)
}

/// The query and the batch that a file of ours is named after; None for another writer's.
fn origin_of(path: &str) -> Option<(&str, u64)> {
    let name = path.rsplit('/').next()?.strip_prefix("part-00000-")?;
    let (query, rest) = name.rsplit_once("-b")?;
    let (batch, _) = rest.split_once("-c000")?;
    let is_ours = batch.len() == 10 && batch.bytes().all(|digit| digit.is_ascii_digit());
    is_ours.then(|| batch.parse().ok().map(|batch| (query, batch)))?
}

#[async_trait]
impl Sink for FileSink {
    fn description(&self) -> String {
        format!("FileSink[{}]", self.config.scored.location.uri())
    }

    fn delivery(&self) -> Delivery {
        let condition = match self.config.commit_log {
            CommitLog::Spark => "readers go through _spark_metadata, as Spark does",
            CommitLog::Success => {
                "a batch of which only some files are visible has none of them removed before its replay"
            }
        };
        Delivery::ExactlyOnce { condition: condition.to_owned() }
    }

    /// Files have hidden names until then, and are swept when they never get others.
    fn hides_until_commit(&self) -> bool {
        true
    }

    async fn prepare(&mut self, scored: &SchemaRef) -> Result<(), SinkError> {
        let partitioner = Partitioner::new(scored, &self.config.partition_by)
            .map_err(|error| SinkError::new(FileSinkError::from(error)))?;
        self.config.scored.encoding.check(partitioner.file_schema()).map_err(FileSinkError::from)?;
        for target in [Some(&self.config.scored), self.config.dead_letters.as_ref()].into_iter().flatten() {
            target.make_ready().await?;
        }
        self.partitioner = Some(partitioner);
        Ok(())
    }

    async fn last_committed(&mut self, _: &[SourcePartition]) -> Result<Committed, SinkError> {
        let newest = self.log.newest().await?;
        Ok(newest.map_or(Committed::Nothing, Committed::Batch))
    }

    async fn begin(&mut self, plan: &BatchPlan) -> Result<Box<dyn BatchWriter>, SinkError> {
        if self.log.is_known_to_hold(plan.id).await {
            return Err(
                FileSinkError::AlreadyHeld { batch: plan.id, location: self.config.scored.location.uri() }.into()
            );
        }
        let partitioner = self.partitioner.as_ref().expect("`prepare` comes before `begin`");
        let no_folders = Partitioner::new(&dead_letter::schema(), &[]).expect("no partition column is always there");
        let dead_letters = self.config.dead_letters.as_ref();
        let begun = self.log.begin(plan.id).await?;
        let mut scored = self.lane(plan.id, &self.config.scored, partitioner);
        scored.begin()?;
        Ok(Box::new(FileBatch {
            batch: plan.id,
            scored,
            begun,
            dead_letters: dead_letters.map(|target| self.lane(plan.id, target, &no_folders)),
            log: self.log.clone(),
            clock: Arc::clone(&self.clock),
            is_staged: false,
            entry: None,
        }))
    }

    async fn reset(&mut self) -> Result<(), SinkError> {
        self.log.forget().await;
        Ok(())
    }
}

/// One open batch.
struct FileBatch {
    batch: BatchId,
    scored: LaneFiles,
    dead_letters: Option<LaneFiles>,
    log: SinkLog,
    clock: Arc<dyn Clock>,
    is_staged: bool,
    /// The file of the log's entry, while the batch's files are not known.
    begun: Option<BegunEntry>,
    /// The entry itself, whole before it shows, where the store can hold it back and all files that it names.
    entry: Option<StagedEntry>,
}

#[async_trait]
impl BatchWriter for FileBatch {
    async fn write(&mut self, lane: Lane, rows: RecordBatch) -> Result<(), SinkError> {
        let files = match lane {
            Lane::Scored => &mut self.scored,
            Lane::DeadLetter => self.dead_letters.as_mut().ok_or(FileSinkError::NoDeadLetterTarget)?,
        };
        Ok(files.write(&rows).await?)
    }

    async fn stage(&mut self) -> Result<(), SinkError> {
        self.is_staged = true;
        let modified_ms = self.clock.now_ms();
        let named = self.scored.end(modified_ms)?;
        let dead_letters = async {
            let Some(files) = &mut self.dead_letters else { return Ok(()) };
            files.end(modified_ms)?;
            files.stage().await
        };
        let begun = self.begun.take();
        let entry = async {
            match &named {
                Some(files) => self.log.stage(self.batch, files, begun).await,
                None => {
                    discard(begun).await;
                    Ok(None)
                }
            }
        };
        // All come to an end, also those beside one that fails.
        let (dead_letters, scored, entry) = futures::join!(dead_letters, self.scored.stage(), entry);
        self.entry = entry?;
        dead_letters?;
        Ok(scored?)
    }

    async fn commit(mut self: Box<Self>) -> Result<Written, SinkError> {
        let n_dead_letters = self.dead_letters.as_ref().map_or(0, LaneFiles::n_rows);
        let n_scored = self.scored.n_rows();
        if !self.is_staged {
            self.stage().await?;
        }
        kill_point::pass(KillPoint::SinkStaged)?;
        if let Some(files) = self.dead_letters.take() {
            files.publish().await?;
        }
        let files = self.scored.publish().await?;
        kill_point::pass(KillPoint::SinkAllVisible)?;
        let now_ms = self.clock.now_ms();
        match self.entry.take() {
            Some(entry) => self.log.show(self.batch, entry, now_ms).await?,
            None => self.log.add(self.batch, &files, now_ms).await?,
        }
        kill_point::pass(KillPoint::SinkLogged)?;
        Ok(Written { n_scored, n_dead_letters, shown_ms: None })
    }

    async fn abort(mut self: Box<Self>) {
        // First, so that what it leaves behind is removed with the files.
        drop(self.entry.take());
        let dead_letters = async {
            if let Some(files) = self.dead_letters.take() {
                files.abort().await;
            }
        };
        futures::join!(discard(self.begun.take()), dead_letters, self.scored.abort());
    }
}

async fn discard(begun: Option<BegunEntry>) {
    if let Some(begun) = begun {
        begun.discard().await;
    }
}

impl LaneTarget {
    /// The place of a file called `name` in a partition folder; the folder is empty for the lane's own.
    fn path_of(&self, folder: &str, name: &str) -> Path {
        let below = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        self.location.child(&below).path().clone()
    }

    /// Makes the folder and sweeps what a killed process left half-written in it.
    async fn make_ready(&self) -> Result<(), FileSinkError> {
        let (folders, path) = (self.location.folders(), self.location.path());
        let ready = async {
            folders.create_folder(path).await?;
            folders.sweep(path).await
        };
        ready.await.map(|_| ()).map_err(|source| self.store_error("prepare", "the folder", source))
    }

    fn store_error(&self, action: &'static str, name: &str, source: object_store::Error) -> FileSinkError {
        FileSinkError::Store { action, name: name.to_owned(), location: self.location.uri(), source: Box::new(source) }
    }
}

/// Files could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileSinkError {
    /// The file system failed.
    #[error("cannot {action} {name} in {location}: {source}")]
    Store {
        /// What was tried.
        action: &'static str,
        /// The file.
        name: String,
        /// The folder.
        location: String,
        /// What the file system says.
        source: Box<object_store::Error>,
    },
    /// The log of committed batches failed.
    #[error("log of committed batches: {0}")]
    Log(#[from] CheckpointError),
    /// The newest entry of Spark's log does not name the batch's files.
    #[error("entry {batch} of the log in {location} {reason}")]
    WrongEntry {
        /// The entry.
        batch: u64,
        /// What is wrong with it.
        reason: String,
        /// The folder.
        location: String,
    },
    /// Rows cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeFileError),
    /// `partitionBy` does not fit.
    #[error(transparent)]
    PartitionBy(#[from] PartitionByError),
    /// The target has this batch.
    #[error("batch {batch} is already in {location}")]
    AlreadyHeld {
        /// The batch.
        batch: BatchId,
        /// The folder.
        location: String,
    },
    /// The newest batch in the target was written by another query.
    #[error("{location} holds batch {batch} of another query: {query}")]
    AnotherQuery {
        /// The batch.
        batch: u64,
        /// The query that wrote it.
        query: String,
        /// The folder.
        location: String,
    },
    /// The folder is read through Spark's log, which would not name what `commitLog: none` writes.
    #[error("{location} has a log of Spark's, so readers would not see what `commitLog: none` adds")]
    SparkLogInTheWay {
        /// The folder.
        location: String,
    },
    /// A dead letter came, and there is no place for it.
    #[error("there is no target for dead letters")]
    NoDeadLetterTarget,
}

impl From<FileSinkError> for SinkError {
    fn from(error: FileSinkError) -> SinkError {
        match error {
            FileSinkError::Log(CheckpointError::Killed(killed)) => killed.into(),
            error => SinkError::new(error),
        }
    }
}

impl Explain for FileSinkError {
    fn fault(&self) -> Fault {
        match self {
            FileSinkError::Store { source, .. } => match source.as_ref() {
                object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                    Fault::Job
                }
                // A file stands where the folder, or one above it, is to be: waiting does not help.
                source if is_file_in_the_way(source) => Fault::Job,
                // Another query has started on this folder and swept it.
                object_store::Error::Precondition { .. } => Fault::Job,
                _ => Fault::Remote,
            },
            FileSinkError::Log(cause) => cause.fault(),
            FileSinkError::WrongEntry { .. } => Fault::Data,
            FileSinkError::Encode(cause) => cause.fault(),
            FileSinkError::PartitionBy(cause) => cause.fault(),
            FileSinkError::AlreadyHeld { .. }
            | FileSinkError::AnotherQuery { .. }
            | FileSinkError::SparkLogInTheWay { .. }
            | FileSinkError::NoDeadLetterTarget => Fault::Job,
        }
    }
    fn retry(&self) -> Retry {
        match self {
            FileSinkError::Store { .. } if self.fault() == Fault::Remote => Retry::Backoff,
            FileSinkError::Log(cause) => cause.retry(),
            _ => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            FileSinkError::Log(cause) => cause.hint(),
            FileSinkError::WrongEntry { .. } => Some(
                "restore its `_spark_metadata` from a copy, or start with a new checkpoint and an empty folder"
                    .to_owned(),
            ),
            FileSinkError::Encode(cause) => cause.hint(),
            FileSinkError::PartitionBy(cause) => cause.hint(),
            FileSinkError::AlreadyHeld { .. } => {
                Some("does another query write into this folder, or is the checkpoint another one's?".to_owned())
            }
            FileSinkError::AnotherQuery { .. } => {
                Some("give each query its own output folder, or use the checkpoint that belongs to this one".to_owned())
            }
            FileSinkError::SparkLogInTheWay { .. } => {
                Some("leave `commitLog` out, or write into another folder".to_owned())
            }
            FileSinkError::NoDeadLetterTarget => Some("give the job a `deadLetter`".to_owned()),
            FileSinkError::Store { source, .. } => match source.as_ref() {
                object_store::Error::Precondition { .. } => {
                    Some("does another query write into this folder? stop one of the two".to_owned())
                }
                _ => None,
            },
        }
    }
}

fn is_file_in_the_way(error: &object_store::Error) -> bool {
    match error {
        object_store::Error::AlreadyExists { .. } => true,
        object_store::Error::Generic { source, .. } => source
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::NotADirectory),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_in_the_errors_own_line() {
        let full = std::io::Error::from_raw_os_error(28);
        let source = Box::new(object_store::Error::Generic { store: "LocalStore", source: Box::new(full) });
        let (name, location) = ("part-00000".to_owned(), "file:///out".to_owned());
        let error = FileSinkError::Store { action: "write", name, location, source };
        let line = ognivo_stream::query_error::QueryError::from(SinkError::from(error)).to_string();
        assert!(line.starts_with("sink: cannot write part-00000 in file:///out: "), "{line}");
        assert!(line.contains("No space left on device"), "{line}");
    }

    #[test]
    fn a_file_of_ours_tells_its_query_and_batch_and_sparks_tell_none() {
        let ours = file_name("6f1c3d52-0a1b-4c5d-8e9f-b00000000001", BatchId(7), ".snappy.parquet");
        assert_eq!(ours, "part-00000-6f1c3d52-0a1b-4c5d-8e9f-b00000000001-b0000000007-c000.snappy.parquet");
        assert_eq!(origin_of(&format!("file:///out/p=1/{ours}")), Some(("6f1c3d52-0a1b-4c5d-8e9f-b00000000001", 7)));
        for spark in [
            "file:///out/part-00000-c663c7be-542d-4eb2-afa0-b82c53236a04-c000.snappy.parquet",
            "file:///out/part-00000-c663c7be-542d-4eb2-afa0-b82053236004-c000.snappy.parquet",
        ] {
            assert_eq!(origin_of(spark), None);
        }
    }
}
