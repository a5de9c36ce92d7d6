//! The directory in which a query remembers how far it is: Spark's own files, so that Spark and we can take over from
//! each other.
//!
//! ```text
//! <checkpointLocation>/
//!   metadata        {"id":"<uuid of the query>"}                       written once
//!   offsets/<n>     what batch n is                                    written before anything of it shows
//!   commits/<n>     batch n is in the target                           written after the sink says so
//!   sources/0/<n>   what the source found (its own log)                written by the source
//! ```
//! Every file is created once, whole, and never changed; creating one that exists fails, which is how two drivers on one
//! checkpoint are found out. A crash can only fall between two files, and
//! [`next_step`](crate::plan::next_step) knows each such state.

mod commit_log;
mod compactible_log;
mod initial_offsets;
mod numbered_files;
mod offset_log;

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use ognivo_data::fault::{Explain, Fault, Retry};
use serde_json::{Value, json};
use uuid::Uuid;

pub use commit_log::CommitLog;
pub use compactible_log::{BegunEntry, CompactibleLog, CompactibleLogOptions, StagedEntry};
pub use initial_offsets::InitialOffsets;
pub use offset_log::{Notes, OffsetEntry, OffsetLog};

use crate::kill_point::Killed;
use crate::plan::{BatchId, Logs};
use crate::staging::Staging;
use numbered_files::{create, read};

/// Entries of `offsets` and `commits` that stay behind the newest (Spark's `spark.sql.streaming.minBatchesToRetain`).
pub const MIN_BATCHES_TO_RETAIN: u64 = 100;

/// Listing two folders in every batch would cost more than it tidies.
const PURGE_EVERY: u64 = 10;

/// The files of one query.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    store: Arc<dyn ObjectStore>,
    root: Path,
    offsets: OffsetLog,
    commits: CommitLog,
}

impl Checkpoint {
    /// The checkpoint in folder `root` of `store`, which must keep
    /// [`checkpoint_laws`](crate::laws::checkpoint_laws). Nothing is read or written yet.
    pub fn new(store: Arc<dyn ObjectStore>, root: Path) -> Checkpoint {
        let offsets = OffsetLog::new(store.clone(), root.clone().join("offsets"));
        let commits = CommitLog::new(store.clone(), root.clone().join("commits"));
        Checkpoint { store, root, offsets, commits }
    }

    /// Writes plans before they show, where the store can.
    pub fn with_staging(mut self, staging: Option<Arc<dyn Staging>>) -> Checkpoint {
        self.offsets = self.offsets.with_staging(staging);
        self
    }

    /// Writes plans through another store of the same files, whose names may become durable only before the next name appears,
    /// be it in the target or here. Only for a target of which this is true; `commits/<n>` ends the batch, durably at once.
    pub fn with_plans_through(mut self, store: Arc<dyn ObjectStore>) -> Checkpoint {
        self.offsets = OffsetLog::new(store, self.root.clone().join("offsets"));
        self
    }

    /// What each batch is.
    pub fn offsets(&self) -> &OffsetLog {
        &self.offsets
    }

    /// Which batches are in the target.
    pub fn commits(&self) -> &CommitLog {
        &self.commits
    }

    /// Folder of the log of source `source_idx`, for a [`CompactibleLog`].
    pub fn source_folder(&self, source_idx: usize) -> Path {
        self.root.clone().join("sources").join(source_idx.to_string())
    }

    /// Where a source that begins in the middle notes where.
    pub fn initial_offsets(&self, source_idx: usize) -> InitialOffsets {
        InitialOffsets::new(self.store.clone(), self.source_folder(source_idx))
    }

    /// The id of the query; None when nobody has used this checkpoint.
    ///
    /// # Errors
    /// When `metadata` is damaged, or missing beside planned batches (Spark 4 refuses that too).
    pub async fn query_id(&self) -> Result<Option<String>, CheckpointError> {
        let path = self.root.clone().join("metadata");
        let Some(bytes) = read(self.store.as_ref(), &path).await? else {
            return match self.offsets.newest_id().await? {
                Some(_) => Err(CheckpointError::Missing { path: shown(&path), beside: "offsets".to_owned() }),
                None => Ok(None),
            };
        };
        let id =
            serde_json::from_slice::<Value>(&bytes).ok().and_then(|json| Some(json.get("id")?.as_str()?.to_owned()));
        let damaged = || CheckpointError::damaged(&path, 1, r#"not of the form {"id":"…"}"#);
        id.map(Some).ok_or_else(damaged)
    }

    /// The id of the query; makes one when nobody has used this checkpoint.
    ///
    /// # Errors
    /// As [`query_id`](Checkpoint::query_id); when somebody else makes one at the same moment.
    pub async fn open(&self) -> Result<String, CheckpointError> {
        if let Some(id) = self.query_id().await? {
            return Ok(id);
        }
        let id = Uuid::new_v4().to_string();
        create(self.store.as_ref(), &self.root.clone().join("metadata"), json!({ "id": id }).to_string().into())
            .await?;
        Ok(id)
    }

    /// The newest entry of each log.
    ///
    /// # Errors
    /// When an entry is damaged or was written by a version that we do not know.
    pub async fn logs(&self) -> Result<Logs, CheckpointError> {
        let planned = match self.offsets.newest_id().await? {
            Some(id) => self.offsets.plan(id).await?,
            None => None,
        };
        Ok(Logs { planned, committed: self.commits.newest_id().await? })
    }

    /// Removes entries that `current`, the batch about to run, no longer needs; looks for them every few batches only.
    ///
    /// # Errors
    /// When the store fails; nothing depends on what is left.
    pub async fn purge(&self, current: BatchId) -> Result<(), CheckpointError> {
        if !current.0.is_multiple_of(PURGE_EVERY) {
            return Ok(());
        }
        let Some(keep_from) = current.0.checked_sub(MIN_BATCHES_TO_RETAIN) else { return Ok(()) };
        self.offsets.purge_below(BatchId(keep_from)).await?;
        self.commits.purge_below(BatchId(keep_from)).await
    }
}

/// A checkpoint cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// An entry that we wanted to create is there already, and not by us.
    #[error("somebody else has written to this checkpoint: {path}")]
    Exists {
        /// The entry.
        path: String,
    },
    /// A file does not hold what it must.
    #[error("{path}, line {line}: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A file is of a version that we do not know.
    #[error("{path}: version is not known: {found}")]
    Version {
        /// The file.
        path: String,
        /// Its first line.
        found: String,
    },
    /// A file that must be there is not.
    #[error("{path} is missing beside {beside}")]
    Missing {
        /// The file.
        path: String,
        /// What says that it must be there.
        beside: String,
    },
    /// The store failed, or a file was taken away while it was written, as a query that starts does with what it finds
    /// half-written.
    #[error("{path}: {source}")]
    Store {
        /// The file or folder.
        path: String,
        /// The store's own error.
        source: object_store::Error,
    },
    /// A test stopped the process.
    #[error(transparent)]
    Killed(#[from] Killed),
}

impl CheckpointError {
    fn damaged(path: &Path, line: usize, reason: impl Into<String>) -> CheckpointError {
        CheckpointError::Damaged { path: shown(path), line, reason: reason.into() }
    }

    fn store(path: &Path, source: object_store::Error) -> CheckpointError {
        CheckpointError::Store { path: shown(path), source }
    }
}

/// A path of a store, which has no leading slash, as a person can use it.
fn shown(path: &Path) -> String {
    format!("/{path}")
}

impl Explain for CheckpointError {
    fn fault(&self) -> Fault {
        match self {
            CheckpointError::Store { source: object_store::Error::Precondition { .. }, .. } => Fault::Job,
            CheckpointError::Store { .. } => Fault::Remote,
            CheckpointError::Killed(killed) => killed.fault(),
            CheckpointError::Damaged { .. } | CheckpointError::Missing { .. } => Fault::Data,
            CheckpointError::Exists { .. } | CheckpointError::Version { .. } => Fault::Job,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            CheckpointError::Store { source, .. } => match source {
                object_store::Error::NotSupported { .. }
                | object_store::Error::NotImplemented { .. }
                | object_store::Error::InvalidPath { .. }
                | object_store::Error::PermissionDenied { .. }
                | object_store::Error::Precondition { .. }
                | object_store::Error::Unauthenticated { .. } => Retry::Never,
                _ => Retry::Backoff,
            },
            _ => Retry::Never,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            CheckpointError::Exists { .. }
            | CheckpointError::Store { source: object_store::Error::Precondition { .. }, .. } => {
                "another query runs on this checkpoint; stop it, or give this job a checkpointLocation of its own"
            }
            CheckpointError::Damaged { .. } | CheckpointError::Missing { .. } => {
                "restore the checkpoint from a copy, or reset it and let the job start anew into an empty target"
            }
            CheckpointError::Version { .. } => "the checkpoint was written by a newer program; continue with that one",
            CheckpointError::Store { .. } | CheckpointError::Killed(_) => return None,
        };
        Some(hint.to_owned())
    }
}
