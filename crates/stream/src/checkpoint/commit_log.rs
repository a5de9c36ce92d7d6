//! Which batches are in the target.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::json;

use super::numbered_files::NumberedFiles;
use super::{CheckpointError, offset_log};
use crate::plan::BatchId;

/// One file per finished batch:
///
/// ```text
/// v1
/// {"nextBatchWatermarkMs":0,"ognivo":{"run":"<uuid>"}}
/// ```
/// The second line is only written, never read: that the file is there is the news. Spark ignores keys that it does not
/// know; ours names the process, so that a second driver cannot take another's entry for its own.
#[derive(Debug, Clone)]
pub struct CommitLog {
    files: NumberedFiles,
}

impl CommitLog {
    pub(super) fn new(store: Arc<dyn ObjectStore>, folder: Path) -> CommitLog {
        CommitLog { files: NumberedFiles::new(store, folder) }
    }

    /// The newest finished batch.
    ///
    /// # Errors
    /// When the folder cannot be listed, or the newest entry is damaged.
    pub async fn newest_id(&self) -> Result<Option<BatchId>, CheckpointError> {
        let Some(newest) = self.files.list().await?.last().copied() else { return Ok(None) };
        let path = self.files.path(newest.id, newest.compact);
        if let Some(bytes) = self.files.read(newest.id, newest.compact).await? {
            offset_log::version_and_lines(&path, &bytes, NEWEST_VERSION)?;
        }
        Ok(Some(BatchId(newest.id)))
    }

    /// Notes that batch `id` is in the target.
    ///
    /// # Errors
    /// [`CheckpointError::Exists`] when another process noted it.
    pub async fn add(&self, id: BatchId, run: &str) -> Result<(), CheckpointError> {
        let line = json!({ "nextBatchWatermarkMs": 0, "ognivo": { "run": run } });
        self.files.create(id.0, false, format!("v1\n{line}").into()).await
    }

    pub(super) async fn purge_below(&self, id: BatchId) -> Result<(), CheckpointError> {
        offset_log::purge_below(&self.files, id).await
    }
}

/// Spark 4.2 knows up to v3; what they add concerns state stores and sinks, not which batches are done.
const NEWEST_VERSION: u32 = 3;
