//! A numbered log that folds itself together every few entries, as Spark's file source and file sink keep it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::numbered_files::{NumberedFile, NumberedFiles, StagedNumber};
use super::offset_log::version_and_lines;
use super::{CheckpointError, MIN_BATCHES_TO_RETAIN, shown};
use crate::staging::{BegunFile, Staging};

/// One file per batch, one JSON per line after the version; every `interval`-th file holds all entries so far:
///
/// ```text
/// 0 1 2 … 8 9.compact 10 11 … 18 19.compact 20
///
/// v1
/// {"path":"file:///in/a.csv","timestamp":1700000000000,"batchId":0}
/// {"path":"file:///in/b.csv","timestamp":1700000000512,"batchId":1}
/// ```
/// A reader takes the newest `.compact` and the plain files after it. Batches must follow each other without a hole.
/// Same as Spark 3.5 and 4.3: names, arithmetic of compaction, and which files are removed when.
#[derive(Debug, Clone)]
pub struct CompactibleLog<E> {
    files: NumberedFiles,
    options: CompactibleLogOptions,
    /// Known after the first look at the folder, to all clones.
    interval: Arc<OnceCell<u64>>,
    entry: PhantomData<fn() -> E>,
}

/// A file for the entries of a batch, which are not known yet.
pub struct BegunEntry(Box<dyn BegunFile>);

impl BegunEntry {
    /// Removes it, as far as that can be done now.
    pub async fn discard(self) {
        self.0.discard().await;
    }
}

impl fmt::Debug for BegunEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BegunEntry").finish_non_exhaustive()
    }
}

/// The entries of a batch that are on their way into the log; let go of, they never get there.
pub struct StagedEntry {
    id: u64,
    interval: u64,
    file: StagedNumber,
}

impl fmt::Debug for StagedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StagedEntry").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Spark's settings of such a log, `spark.sql.streaming.fileSource.log.*` and `fileSink.log.*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactibleLogOptions {
    /// Every how many batches the log is folded together, unless the files that are there say otherwise.
    pub compact_interval: u64,
    /// Files younger than this are not removed, since a reader may be about to open them.
    pub cleanup_delay_ms: i64,
    /// Whether files that a `.compact` replaced are removed at all.
    pub deletion: bool,
}

impl Default for CompactibleLogOptions {
    /// Spark's defaults: 10 batches, 10 minutes, with deletion.
    fn default() -> CompactibleLogOptions {
        CompactibleLogOptions { compact_interval: 10, cleanup_delay_ms: 600_000, deletion: true }
    }
}

impl<E: Serialize + DeserializeOwned> CompactibleLog<E> {
    /// The log in `folder`. Nothing is read or written yet.
    pub fn new(store: Arc<dyn ObjectStore>, folder: Path, options: CompactibleLogOptions) -> CompactibleLog<E> {
        CompactibleLog {
            files: NumberedFiles::new(store, folder),
            options,
            interval: Arc::default(),
            entry: PhantomData,
        }
    }

    /// Writes entries before they show, where the store can.
    pub fn with_staging(mut self, staging: Option<Arc<dyn Staging>>) -> CompactibleLog<E> {
        self.files.staging = staging;
        self
    }

    /// The newest batch in the log.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub async fn newest_id(&self) -> Result<Option<u64>, CheckpointError> {
        Ok(self.files.list().await?.last().map(|file| file.id))
    }

    /// Appends the entries of batch `id`, which must follow the newest one.
    ///
    /// # Errors
    /// [`CheckpointError::Exists`] when the batch is there with other entries; [`CheckpointError::Missing`] when the log
    /// has a hole.
    pub async fn add(&self, id: u64, entries: &[E], now_ms: i64) -> Result<(), CheckpointError> {
        let staged = self.stage(id, entries, None).await?;
        self.show(staged, now_ms).await
    }

    /// Begins the file of batch `id` before its entries are known; None where that saves nothing.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub async fn begin(&self, id: u64) -> Result<Option<BegunEntry>, CheckpointError> {
        let compact = is_compaction(id, self.interval().await?);
        Ok(self.files.begin(id, compact, Bytes::from_static(VERSION)).map(BegunEntry))
    }

    /// Does what can be done of [`add`](CompactibleLog::add) without showing anything; the file may have begun.
    ///
    /// # Errors
    /// As [`add`](CompactibleLog::add).
    pub async fn stage(
        &self,
        id: u64,
        entries: &[E],
        begun: Option<BegunEntry>,
    ) -> Result<StagedEntry, CheckpointError> {
        let interval = self.interval().await?;
        let compact = is_compaction(id, interval);
        let mut content = VERSION.to_vec();
        if compact {
            for earlier in id.saturating_sub(interval)..id {
                content.extend_from_slice(&self.body(earlier, interval, id).await?);
            }
        }
        for entry in entries {
            content.push(b'\n');
            serde_json::to_writer(&mut content, entry).expect("a log entry is a plain struct, which is always JSON");
        }
        let file = self.files.stage(id, compact, content.into(), begun.map(|begun| begun.0)).await?;
        Ok(StagedEntry { id, interval, file })
    }

    /// Appends the entries that were staged.
    ///
    /// # Errors
    /// As [`add`](CompactibleLog::add).
    pub async fn show(&self, staged: StagedEntry, now_ms: i64) -> Result<(), CheckpointError> {
        let StagedEntry { id, interval, file } = staged;
        self.files.show(file).await?;
        self.delete_expired(id, interval, now_ms).await
    }

    /// The entries in the file of batch `id`; None when there is no such file. A compacted file gives all entries so far.
    ///
    /// # Errors
    /// When the file is damaged or of a version that we do not know.
    pub async fn get(&self, id: u64) -> Result<Option<Vec<E>>, CheckpointError> {
        let interval = self.interval().await?;
        let compact = is_compaction(id, interval);
        let Some(bytes) = self.files.read(id, compact).await? else { return Ok(None) };
        parse(&self.files.path(id, compact), &bytes).map(Some)
    }

    /// Whether the file of batch `id` holds all entries so far.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub async fn is_compacted(&self, id: u64) -> Result<bool, CheckpointError> {
        Ok(is_compaction(id, self.interval().await?))
    }

    /// All entries of the log, oldest first, and the newest batch; None for an empty log.
    ///
    /// # Errors
    /// When a file is damaged, or one that must be there is missing.
    pub async fn all(&self) -> Result<Option<(u64, Vec<E>)>, CheckpointError> {
        let Some(newest) = self.newest_id().await? else { return Ok(None) };
        let interval = self.interval().await?;
        let mut entries = Vec::new();
        for id in first_needed(newest, interval)..=newest {
            let missing = || self.missing(id, interval, newest);
            let compact = is_compaction(id, interval);
            let bytes = self.files.read(id, compact).await?.ok_or_else(missing)?;
            entries.extend(parse(&self.files.path(id, compact), &bytes)?);
        }
        Ok(Some((newest, entries)))
    }

    /// Forgets what was learnt from the folder, as after an error that may have left it otherwise.
    pub fn reset(&mut self) {
        self.interval = Arc::default();
    }

    /// The lines of a file from its first line end on, taken over as they are.
    async fn body(&self, id: u64, interval: u64, needed_by: u64) -> Result<Bytes, CheckpointError> {
        let compact = is_compaction(id, interval);
        let bytes = self.files.read(id, compact).await?.ok_or_else(|| self.missing(id, interval, needed_by))?;
        version_and_lines(&self.files.path(id, compact), &bytes, NEWEST_VERSION)?;
        let end = if bytes.ends_with(b"\n") { bytes.len() - 1 } else { bytes.len() };
        let start = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(end).min(end);
        Ok(bytes.slice(start..end))
    }

    fn missing(&self, id: u64, interval: u64, needed_by: u64) -> CheckpointError {
        let path = shown(&self.files.path(id, is_compaction(id, interval)));
        let beside = shown(&self.files.path(needed_by, is_compaction(needed_by, interval)));
        CheckpointError::Missing { path, beside }
    }

    async fn interval(&self) -> Result<u64, CheckpointError> {
        let look = || async {
            let files = self.files.list().await?;
            let compacted: Vec<u64> = files.iter().filter(|file| file.compact).map(|file| file.id).collect();
            Ok(interval_of(&compacted, self.options.compact_interval))
        };
        self.interval.get_or_try_init(look).await.copied()
    }

    async fn delete_expired(&self, newest: u64, interval: u64, now_ms: i64) -> Result<(), CheckpointError> {
        let Some(keep_from) = first_retained(newest, interval).filter(|_| self.options.deletion) else { return Ok(()) };
        // A listing per batch would be waste: what a compaction made superfluous goes with the next compaction.
        if !is_compaction(newest, interval) {
            return Ok(());
        }
        let expired_ms = now_ms - self.options.cleanup_delay_ms;
        let old = |file: &NumberedFile| file.id < keep_from && file.modified_ms <= expired_ms;
        self.files.delete(self.files.list().await?.into_iter().filter(old)).await
    }
}

const NEWEST_VERSION: u32 = 1;

/// What every file that we write begins with: that version.
const VERSION: &[u8] = b"v1";

fn parse<E: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<Vec<E>, CheckpointError> {
    let lines = version_and_lines(path, bytes, NEWEST_VERSION)?;
    let entry = |(i, line): (usize, &&str)| {
        serde_json::from_str(line)
            .map_err(|error| CheckpointError::damaged(path, i + 2, format!("not an entry: {error}")))
    };
    lines.iter().enumerate().map(entry).collect()
}

/// Whether the file of batch `id` holds all entries so far.
fn is_compaction(id: u64, interval: u64) -> bool {
    (id + 1).is_multiple_of(interval)
}

/// The first batch whose file a reader of batches up to `newest` needs: the newest compaction, or 0.
fn first_needed(newest: u64, interval: u64) -> u64 {
    ((newest + 1) / interval * interval).saturating_sub(1)
}

/// The compaction from which on files are kept, once 100 batches are; None when there are too few batches.
fn first_retained(newest: u64, interval: u64) -> Option<u64> {
    let oldest = (newest + 1).checked_sub(MIN_BATCHES_TO_RETAIN)?;
    if interval > oldest {
        return None;
    }
    Some(oldest - oldest % interval - 1)
}

/// The interval that fits the compactions that are there, ascending; else the one that was set.
fn interval_of(compacted: &[u64], set: u64) -> u64 {
    match compacted {
        [] => set,
        [only] => interval_of_one(only + 1, set),
        [.., previous, newest] => newest - previous,
    }
}

/// One compaction after `n` batches: the divisor of `n` next to what was set, so that this one stays a compaction.
fn interval_of_one(n: u64, set: u64) -> u64 {
    if n <= set || set >= n / 2 {
        return n;
    }
    (set..=n / 2).find(|divisor| n.is_multiple_of(*divisor)).unwrap_or(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_derived_from_the_files_that_are_there() {
        assert_eq!(interval_of(&[], 10), 10);
        assert_eq!(interval_of(&[9], 10), 10);
        assert_eq!(interval_of(&[4], 10), 5);
        assert_eq!(interval_of(&[11], 5), 6);
        assert_eq!(interval_of(&[11], 6), 12);
        assert_eq!(interval_of(&[99], 10), 10);
        assert_eq!(interval_of(&[12], 4), 13);
        assert_eq!(interval_of(&[2, 5, 8], 10), 3);
    }

    #[test]
    fn a_reader_starts_at_the_newest_compaction() {
        assert_eq!([0, 8, 9, 10, 18, 19, 20].map(|newest| first_needed(newest, 10)), [0, 0, 9, 9, 9, 19, 19]);
    }

    #[test]
    fn a_hundred_batches_stay_behind_a_compaction() {
        assert_eq!(
            [0, 98, 99, 108, 109, 119, 129].map(|newest| first_retained(newest, 10)),
            [None, None, None, None, Some(9), Some(19), Some(29)]
        );
    }
}
