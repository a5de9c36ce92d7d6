//! A folder or a glob as a streaming source: each new file once.
//!
//! Life of a file:
//!
//! 1. [`latest`](Source::latest) lists and takes files that were not seen before, oldest first: that is offset `{"logOffset":n}`;
//! 2. [`remember`](Source::remember) writes them to the log `sources/0/<n>` of the checkpoint;
//! 3. [`read`](Source::read) opens the files of a range of the log;
//! 4. [`acknowledge`](Source::acknowledge) archives or deletes them, if that was asked for.
//!
//! ```text
//! v1
//! {"path":"file:///in/f%201.csv","timestamp":1700000000000,"batchId":0}
//! ```
//! Same as Spark's file source: the log with its `.compact` files, the order (time of change in milliseconds, then path),
//! which files count as seen, what is cached between two batches. A checkpoint of Spark's continues here, and back.
//! A file must appear whole (write it elsewhere or under a hidden name, then rename it): one that grows is read as far as it
//! has come, and what follows is not read later. A file that is changed in place is not read again.

mod choose;
mod fixed;
mod positions;
mod quiet;
mod rows;
mod seen;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use ognivo_data::codec::DecodeError;
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_stream::checkpoint::{CheckpointError, CompactibleLog, CompactibleLogOptions};
use ognivo_stream::clock::Clock;
use ognivo_stream::kill_point::{self, KillPoint};
use ognivo_stream::lag::Lag;
use ognivo_stream::offset::{Offset, OffsetRange};
use ognivo_stream::source::{ReadLimit, Remembering, RowStream, Source, SourceError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::file_error::FileError;
use crate::listing::{InputFile, ListError, ListingOptions, folders_of, list_files};
use crate::open::Location;
use crate::piece::{FileColumns, PieceReader};
use crate::read::FileFormat;
use choose::{CachePolicy, choose};
use fixed::FixedFiles;
use quiet::Quiet;
use rows::BatchRows;
use seen::SeenFiles;

pub use choose::BatchLimit;
pub use positions::{POSITION_COLUMNS, with_positions};

/// Rows per decoded block: what a dead letter's raw bytes, and a waiting block, cost in memory.
const BLOCK_ROWS: usize = 16_384;

/// What a file source is made of.
#[derive(Debug, Clone)]
pub struct FileSourceConfig {
    /// The folder or glob.
    pub location: Location,
    /// What the files hold. With mode REJECT in its options, malformed records come out as such.
    pub format: FileFormat,
    /// The columns that come out; a column that is called like a partition folder is read from there.
    pub schema: SchemaRef,
    /// How files are found and taken.
    pub options: FileSourceOptions,
    /// The store that holds the checkpoint.
    pub log_store: Arc<dyn ObjectStore>,
    /// The source's folder in the checkpoint: `sources/0`.
    pub log_folder: Path,
}

/// How a file source finds and takes files; the names in the documentation are Spark's.
#[derive(Debug, Clone)]
pub struct FileSourceOptions {
    /// `pathGlobFilter` and `recursiveFileLookup`.
    pub listing: ListingOptions,
    /// `maxFilesPerTrigger` or `maxBytesPerTrigger`.
    pub limit: BatchLimit,
    /// `latestFirst`: the newest files first; with a limit, no file is too old then.
    pub latest_first: bool,
    /// `maxFileAge`, counted from the newest file taken; default 7 days.
    pub max_file_age_ms: i64,
    /// `fileNameOnly`: files of one name in two folders are the same file.
    pub file_name_only: bool,
    /// `cleanSource`: what becomes of files whose batch is done.
    pub clean: CleanSource,
    /// `maxCachedFiles`: files of a listing that wait for the next batches.
    pub max_cached_files: usize,
    /// `discardCachedInputRatio`: a rest below this part of the limit is listed anew.
    pub discard_cached_input_ratio: f64,
    /// `ignoreMissingFiles`: a file that is gone before it is read has no rows; else it stops the job.
    pub ignore_missing_files: bool,
}

impl Default for FileSourceOptions {
    /// Spark's defaults.
    fn default() -> FileSourceOptions {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        FileSourceOptions {
            listing: ListingOptions::default(),
            limit: BatchLimit::None,
            latest_first: false,
            max_file_age_ms: 7 * DAY_MS,
            file_name_only: false,
            clean: CleanSource::Off,
            max_cached_files: 10_000,
            discard_cached_input_ratio: 0.2,
            ignore_missing_files: false,
        }
    }
}

/// What becomes of files whose batch is done.
#[derive(Debug, Clone, Default)]
pub enum CleanSource {
    /// They stay.
    #[default]
    Off,
    /// They are deleted.
    Delete,
    /// They are moved to this folder, below which their whole path is repeated.
    Archive(Location),
}

/// The file source cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileSourceError {
    /// Files cannot be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// The source's log cannot be read or written.
    #[error(transparent)]
    Log(#[from] CheckpointError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The options do not suit the schema.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The offset is none of this source's.
    #[error("not an offset of a file source: {offset}")]
    ForeignOffset {
        /// The offset.
        offset: String,
    },
    /// The log does not have an entry that was planned.
    #[error("the source's log has no entry {entry} in {folder}")]
    NoEntry {
        /// The entry.
        entry: u64,
        /// The folder of the log.
        folder: String,
    },
    /// The log names a file that lies elsewhere.
    #[error("the source's log names a file outside of {location}: {path}")]
    ForeignFile {
        /// The source's folder or glob.
        location: String,
        /// The file.
        path: String,
    },
    /// The thread that reads files died.
    #[error("reading files broke off: {reason}")]
    ReaderDied {
        /// Why.
        reason: String,
    },
}

impl Explain for FileSourceError {
    fn fault(&self) -> Fault {
        match self {
            FileSourceError::List(error) => error.fault(),
            FileSourceError::Log(error) => error.fault(),
            FileSourceError::File(error) => error.fault(),
            FileSourceError::Decode(error) => error.fault(),
            FileSourceError::ForeignOffset { .. } | FileSourceError::ForeignFile { .. } => Fault::Job,
            FileSourceError::NoEntry { .. } => Fault::Data,
            FileSourceError::ReaderDied { .. } => Fault::Bug,
        }
    }
    fn retry(&self) -> Retry {
        match self {
            FileSourceError::List(error) => error.retry(),
            FileSourceError::Log(error) => error.retry(),
            FileSourceError::File(error) => error.retry(),
            _ => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            FileSourceError::List(error) => error.hint(),
            FileSourceError::Log(error) => error.hint(),
            FileSourceError::File(error) => error.hint(),
            FileSourceError::Decode(error) => error.hint(),
            FileSourceError::ForeignOffset { .. } | FileSourceError::ForeignFile { .. } => {
                Some("is this the checkpoint of another query?".to_owned())
            }
            FileSourceError::NoEntry { .. } => Some(
                "the folder `sources` of the checkpoint was changed; restore it, or begin with a new checkpoint"
                    .to_owned(),
            ),
            FileSourceError::ReaderDied { .. } => None,
        }
    }
}

impl From<FileSourceError> for SourceError {
    fn from(error: FileSourceError) -> SourceError {
        match error {
            FileSourceError::Log(CheckpointError::Killed(killed)) => killed.into(),
            error => SourceError::new(error),
        }
    }
}

/// One line of the source's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileEntry {
    path: String,
    timestamp: i64,
    batch_id: u64,
}

/// A streaming source over files. See the [module](self).
#[derive(Debug)]
pub struct FileSource {
    location: Location,
    options: FileSourceOptions,
    reader: PieceReader,
    /// The columns that come out: those of the reader, and perhaps those of the position.
    schema: SchemaRef,
    log: CompactibleLog<FileEntry>,
    log_folder: Path,
    clock: Arc<dyn Clock>,
    /// What the log says; None until it was read.
    memory: Option<Memory>,
    /// The files there were when the end was fixed.
    fixed: Option<FixedFiles>,
    /// Knows when a listing would show nothing new.
    quiet: Quiet,
}

/// What the source remembers of its log, and of the last listing.
#[derive(Debug)]
struct Memory {
    newest: Option<u64>,
    seen: SeenFiles,
    /// Files of the last listing that no batch has taken yet.
    waiting: Vec<InputFile>,
    /// Files that were new when the last batch was chosen and that it left to others; None when that is not known.
    n_left: Option<u64>,
    /// The newest entries, so that a batch need not read the log that was just written.
    recent: BTreeMap<u64, Vec<FileEntry>>,
    /// The newest entry while it is not in the log yet.
    unwritten: Option<(u64, Vec<FileEntry>)>,
    acknowledged: Option<u64>,
}

/// How many of the newest log entries are kept in memory.
const RECENT_ENTRIES: usize = 4;

impl FileSource {
    /// A source of this configuration. Nothing is read or written yet.
    ///
    /// # Errors
    /// [`FileSourceError::Decode`] when the format cannot give columns of these types.
    pub fn new(config: FileSourceConfig, clock: Arc<dyn Clock>) -> Result<FileSource, FileSourceError> {
        let FileSourceConfig { location, format, schema, options, log_store, log_folder } = config;
        let columns = FileColumns::of_file(&schema, &[]);
        let reader = PieceReader { format, columns, block_rows: BLOCK_ROWS, keep_raw: true };
        reader.check()?;
        let log = CompactibleLog::new(log_store, log_folder.clone(), CompactibleLogOptions::default());
        Ok(FileSource {
            location,
            options,
            schema: reader.columns.schema.clone(),
            reader,
            log,
            log_folder,
            clock,
            memory: None,
            fixed: None,
            quiet: Quiet::default(),
        })
    }

    /// The same with [`POSITION_COLUMNS`] behind the columns of the files, which leave them out when they have one of these names.
    pub fn with_positions(mut self) -> FileSource {
        self.schema = with_positions(&self.reader.columns.schema);
        self
    }

    /// What the log says, read when it is not known.
    async fn memory(&mut self) -> Result<&mut Memory, FileSourceError> {
        if self.memory.is_none() {
            let any_age = self.options.latest_first && self.options.limit != BatchLimit::None;
            let max_age_ms = if any_age { i64::MAX } else { self.options.max_file_age_ms };
            let mut seen = SeenFiles::new(max_age_ms, self.options.file_name_only);
            let logged = self.log.all().await?;
            let newest = logged.as_ref().map(|(newest, _)| *newest);
            if let Some(entry) = logged.as_ref().and_then(|(newest, entries)| first_gap(*newest, entries)) {
                return Err(self.no_entry(entry));
            }
            for entry in logged.into_iter().flat_map(|(_, entries)| entries) {
                seen.add(self.path_of(&entry)?.as_ref(), entry.timestamp);
            }
            seen.forget_old();
            self.memory = Some(Memory {
                newest,
                seen,
                waiting: Vec::new(),
                n_left: None,
                recent: BTreeMap::new(),
                unwritten: None,
                acknowledged: None,
            });
        }
        Ok(self.memory.as_mut().expect("it was read above"))
    }

    fn no_entry(&self, entry: u64) -> FileSourceError {
        FileSourceError::NoEntry { entry, folder: format!("/{}", self.log_folder) }
    }

    fn path_of(&self, entry: &FileEntry) -> Result<Path, FileSourceError> {
        self.location.path_of_uri(&entry.path).ok_or_else(|| FileSourceError::ForeignFile {
            location: self.location.to_string(),
            path: entry.path.clone(),
        })
    }

    /// The files there are, in the order in which they are taken.
    async fn list(&self) -> Result<Vec<InputFile>, FileSourceError> {
        // Sorted by path; both sorts are stable, so that files of one millisecond stay so.
        let mut files = list_files(&self.location, &self.options.listing).await?;
        match self.options.latest_first {
            true => files.sort_by_key(|file| Reverse(file.modified_ms)),
            false => files.sort_by_key(|file| file.modified_ms),
        }
        Ok(files)
    }

    /// The next batch's files that are not in the log yet.
    async fn choose_files(&mut self, limit: ReadLimit) -> Result<Vec<InputFile>, FileSourceError> {
        let limit = match limit {
            ReadLimit::Configured => self.options.limit,
            ReadLimit::Everything => BatchLimit::None,
        };
        let file_name_only = self.options.file_name_only;
        self.memory().await?;
        if let (Some(fixed), Some(memory)) = (&mut self.fixed, &self.memory) {
            return Ok(
                fixed.next(limit, file_name_only, |file| memory.seen.is_new(file.path.as_ref(), file.modified_ms))
            );
        }
        let waiting = std::mem::take(&mut self.memory().await?.waiting);
        let is_cached = !waiting.is_empty() && limit != BatchLimit::None;
        if !is_cached && self.quiet.is_nothing_new(&self.location, self.clock.now_ms()).await? {
            self.memory().await?.n_left = Some(0);
            return Ok(Vec::new());
        }
        let found = if is_cached { waiting } else { self.list().await? };
        let cache = (!self.options.latest_first).then_some(CachePolicy {
            max_files: self.options.max_cached_files,
            discard_ratio: self.options.discard_cached_input_ratio,
        });
        let memory = self.memory().await?;
        let is_new = |file: &InputFile| memory.seen.is_new(file.path.as_ref(), file.modified_ms);
        // With names only, two files of one listing may be the same file.
        let mut names = SeenFiles::new(i64::MAX, true);
        let new = found.into_iter().filter(is_new).filter(|file| {
            let is_first = !file_name_only || names.is_new(file.path.as_ref(), file.modified_ms);
            names.add(file.path.as_ref(), file.modified_ms);
            is_first
        });
        let new: Vec<InputFile> = new.collect();
        let n_new = new.len();
        let choice = choose(new, limit, cache);
        if !is_cached && choice.taken.is_empty() {
            self.quiet.found_nothing();
        }
        let memory = self.memory().await?;
        memory.n_left = Some((n_new - choice.taken.len()) as u64);
        memory.waiting = choice.cached;
        Ok(choice.taken)
    }

    /// Makes files the next entry of the log, which [`remember`](Source::remember) writes.
    async fn note(&mut self, files: &[InputFile]) -> Result<u64, FileSourceError> {
        let next = self.memory().await?.newest.map_or(0, |newest| newest + 1);
        let entry = |file: &InputFile| FileEntry {
            path: self.location.uri_of(&file.path),
            timestamp: file.modified_ms,
            batch_id: next,
        };
        let entries: Vec<FileEntry> = files.iter().map(entry).collect();
        let memory = self.memory().await?;
        for file in files {
            memory.seen.add(file.path.as_ref(), file.modified_ms);
        }
        memory.seen.forget_old();
        memory.newest = Some(next);
        debug_assert!(memory.unwritten.is_none(), "the entry before was remembered, or forgotten by a reset");
        memory.unwritten = Some((next, entries.clone()));
        memory.recent.insert(next, entries);
        if memory.recent.len() > RECENT_ENTRIES {
            memory.recent.pop_first();
        }
        Ok(next)
    }

    /// The files of one entry of the log.
    async fn entry(&mut self, id: u64) -> Result<Vec<FileEntry>, FileSourceError> {
        if let Some(entries) = self.memory().await?.recent.get(&id) {
            return Ok(entries.clone());
        }
        let entries = match self.log.get(id).await? {
            Some(entries) => entries,
            // The plain file is gone since a compaction took it in.
            None => self.log.all().await?.map_or_else(Vec::new, |(_, entries)| entries),
        };
        let entries: Vec<FileEntry> = entries.into_iter().filter(|entry| entry.batch_id == id).collect();
        match entries.is_empty() {
            true => Err(self.no_entry(id)),
            false => Ok(entries),
        }
    }

    /// The files of a range of the log, in the order in which they were taken.
    async fn files(&mut self, from: u64, to: u64) -> Result<Vec<InputFile>, FileSourceError> {
        let mut files = Vec::new();
        for id in from..=to {
            for entry in self.entry(id).await? {
                let path = self.path_of(&entry)?;
                let folders = folders_of(&self.location, &self.options.listing, &path);
                files.push(InputFile { path, size_bytes: 0, modified_ms: entry.timestamp, folders });
            }
        }
        Ok(files)
    }

    /// Archives or deletes a file whose batch is done. As in Spark this is a best effort: a file that cannot be moved, or
    /// whose place in the archive is taken, stays where it is and is not read again.
    async fn clean(&self, file: &InputFile) {
        let store = self.location.store();
        let _ = match &self.options.clean {
            CleanSource::Off => Ok(()),
            CleanSource::Delete => store.delete(&file.path).await,
            CleanSource::Archive(archive) => {
                store.rename_if_not_exists(&file.path, archive.child(file.path.as_ref()).path()).await
            }
        };
    }
}

#[async_trait]
impl Source for FileSource {
    fn description(&self) -> String {
        format!("FileStreamSource[{}]", self.location.uri())
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn latest(&mut self, start: Option<&Offset>, limit: ReadLimit) -> Result<Option<Offset>, SourceError> {
        let start = start.map(log_offset).transpose()?;
        let newest = self.memory().await?.newest;
        if let Some(entry) = start.filter(|start| newest.is_none_or(|newest| newest < *start)) {
            return Err(self.no_entry(entry).into());
        }
        // What an earlier process noted and no plan has taken comes first, entry by entry.
        let next = start.map_or(0, |start| start + 1);
        if let Some(newest) = newest.filter(|newest| *newest >= next) {
            return Ok(Some(offset(match limit {
                ReadLimit::Configured => next,
                ReadLimit::Everything => newest.max(self.take_new(limit).await?.unwrap_or(newest)),
            })));
        }
        Ok(self.take_new(limit).await?.map(offset))
    }

    fn remember(&mut self) -> Remembering {
        let unwritten = self.memory.as_mut().and_then(|memory| memory.unwritten.take());
        let (log, now_ms) = (self.log.clone(), self.clock.now_ms());
        Box::pin(async move {
            let Some((id, entries)) = unwritten else { return Ok(()) };
            log.add(id, &entries, now_ms).await.map_err(FileSourceError::from)?;
            Ok(kill_point::pass(KillPoint::SourceLogged)?)
        })
    }

    async fn read(&mut self, range: &OffsetRange) -> Result<RowStream, SourceError> {
        let from = range.start.as_ref().map(log_offset).transpose()?.map_or(0, |start| start + 1);
        let files = self.files(from, log_offset(&range.end)?).await?;
        let batch = BatchRows {
            location: self.location.clone(),
            reader: self.reader.clone(),
            schema: self.schema.clone(),
            files,
            ignore_missing_files: self.options.ignore_missing_files,
        };
        Ok(batch.stream())
    }

    async fn acknowledge(&mut self, end: &Offset) -> Result<(), SourceError> {
        if matches!(self.options.clean, CleanSource::Off) {
            return Ok(());
        }
        let end = log_offset(end)?;
        // The first call of a process repeats the last one of the process before, which may have died within it.
        let from = self.memory().await?.acknowledged.map_or(end, |before| before + 1);
        for file in self.files(from, end).await? {
            kill_point::pass(KillPoint::SourceAcknowledging)?;
            self.clean(&file).await;
        }
        self.memory().await?.acknowledged = Some(end);
        Ok(())
    }

    async fn fix_end(&mut self) -> Result<(), SourceError> {
        self.memory().await?.waiting.clear();
        self.fixed = Some(FixedFiles::new(self.list().await?));
        Ok(())
    }

    /// Files of the newest listing that no batch has taken. Where the end is fixed it is not counted.
    fn lag(&self, _done: Option<&Offset>) -> Lag {
        match self.memory.as_ref().and_then(|memory| memory.n_left) {
            Some(n_left) if self.fixed.is_none() => Lag::Files(n_left),
            _ => Lag::Unknown,
        }
    }

    fn take_warnings(&mut self) -> Vec<String> {
        self.location.folders().take_warnings()
    }

    async fn reset(&mut self) -> Result<(), SourceError> {
        self.memory = None;
        self.quiet = Quiet::default();
        if let Some(fixed) = &mut self.fixed {
            fixed.rewind();
        }
        self.log.reset();
        Ok(())
    }
}

impl FileSource {
    /// Notes the files of one more batch; None when there is no new file.
    async fn take_new(&mut self, limit: ReadLimit) -> Result<Option<u64>, SourceError> {
        let files = self.choose_files(limit).await?;
        if files.is_empty() {
            return Ok(None);
        }
        kill_point::pass(KillPoint::SourceFound)?;
        Ok(Some(self.note(&files).await?))
    }
}

/// The first entry up to `newest` that names no file, after the oldest that does; an entry is only made for files.
fn first_gap(newest: u64, entries: &[FileEntry]) -> Option<u64> {
    let ids: BTreeSet<u64> = entries.iter().map(|entry| entry.batch_id).collect();
    let oldest = ids.first().copied().unwrap_or(newest);
    (oldest..=newest).find(|id| !ids.contains(id))
}

fn offset(id: u64) -> Offset {
    Offset::new(json!({ "logOffset": id }))
}

/// The entry that an offset names: `{"logOffset":7}`, or the bare number that Spark 2.0 wrote.
fn log_offset(offset: &Offset) -> Result<u64, FileSourceError> {
    let json = offset.json();
    let id = json.get("logOffset").unwrap_or(json).as_u64();
    id.ok_or_else(|| FileSourceError::ForeignOffset { offset: offset.to_string() })
}
