//! Where a source of numbered records began.

use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;

use super::CheckpointError;
use super::numbered_files::{NumberedFiles, create, read};
use crate::offset::Offset;

/// The file `sources/<i>/0` of a source that begins somewhere in the middle, such as at the end of a topic:
///
/// ```text
/// \0v1
/// {"loans":{"0":51000,"1":51020}}
/// ```
/// The zero byte in front is Spark's. It is written before the first plan, since that names no start: a replay of the first
/// batch begins where the first attempt did, wherever the end is by now.
#[derive(Debug, Clone)]
pub struct InitialOffsets {
    files: NumberedFiles,
}

impl InitialOffsets {
    /// The file in `folder`, which is [`Checkpoint::source_folder`](super::Checkpoint::source_folder).
    pub fn new(store: Arc<dyn ObjectStore>, folder: Path) -> InitialOffsets {
        InitialOffsets { files: NumberedFiles::new(store, folder) }
    }

    /// What was written; None when nothing was.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub async fn get(&self) -> Result<Option<Offset>, CheckpointError> {
        let path = self.files.path(0, false);
        let Some(bytes) = read(self.files.store.as_ref(), &path).await? else { return Ok(None) };
        let text = std::str::from_utf8(&bytes).map_err(|_| CheckpointError::damaged(&path, 1, "not UTF-8"))?;
        let text = text.strip_prefix('\0').unwrap_or(text);
        // Spark 2.1.0 wrote no version.
        let json = text.strip_prefix("v1\n").unwrap_or(text);
        let json = serde_json::from_str(json);
        json.map(|json| Some(Offset::new(json))).map_err(|cause| CheckpointError::damaged(&path, 2, cause.to_string()))
    }

    /// Writes where the source begins; what was written before is kept.
    ///
    /// # Errors
    /// When the file cannot be written, or holds another offset.
    pub async fn add(&self, offset: &Offset) -> Result<(), CheckpointError> {
        let content = Bytes::from(format!("\0v1\n{offset}"));
        create(self.files.store.as_ref(), &self.files.path(0, false), content).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryFaults, MemoryStore};

    #[tokio::test]
    async fn where_a_source_began_is_written_once_in_sparks_form() {
        let store = Arc::new(MemoryStore::new(MemoryFaults::default()));
        let initial = InitialOffsets::new(store.clone(), Path::from("c/sources/0"));
        assert_eq!(initial.get().await.unwrap(), None);
        let offset = Offset::new(serde_json::json!({"t": {"0": 5}}));
        initial.add(&offset).await.unwrap();
        initial.add(&offset).await.unwrap();
        assert_eq!(initial.get().await.unwrap(), Some(offset));
        let written = read(store.as_ref(), &Path::from("c/sources/0/0")).await.unwrap().unwrap();
        assert_eq!(&written[..], b"\0v1\n{\"t\":{\"0\":5}}");
        let other = initial.add(&Offset::new(serde_json::json!({"t": {"0": 6}}))).await;
        assert!(matches!(other, Err(CheckpointError::Exists { .. })));
    }
}
