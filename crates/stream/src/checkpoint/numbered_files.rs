//! Files of one folder whose names are numbers: created once, whole, and never changed.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};

use super::{CheckpointError, shown};
use crate::staging::{BegunFile, StagedFile, Staging};

/// A folder of numbered files; other names in it are not seen.
#[derive(Debug, Clone)]
pub(super) struct NumberedFiles {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) folder: Path,
    /// Where files can be written before they show.
    pub(super) staging: Option<Arc<dyn Staging>>,
}

/// A file that is on its way into the folder.
pub(super) struct StagedNumber {
    path: Path,
    content: Bytes,
    /// None where nothing can be done before it shows.
    file: Option<Box<dyn StagedFile>>,
}

/// One file of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NumberedFile {
    pub(super) id: u64,
    /// Whether the name ends with [`COMPACT_SUFFIX`].
    pub(super) compact: bool,
    pub(super) modified_ms: i64,
}

/// Ends the name of a log file that holds all entries so far.
pub(super) const COMPACT_SUFFIX: &str = ".compact";

impl NumberedFiles {
    pub(super) fn new(store: Arc<dyn ObjectStore>, folder: Path) -> NumberedFiles {
        NumberedFiles { store, folder, staging: None }
    }

    /// All numbered files, in ascending order.
    pub(super) async fn list(&self) -> Result<Vec<NumberedFile>, CheckpointError> {
        let listed = self.store.list_with_delimiter(Some(&self.folder)).await;
        let objects = match listed {
            Ok(listed) => listed.objects,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(source) => return Err(CheckpointError::store(&self.folder, source)),
        };
        let mut files: Vec<NumberedFile> = objects
            .iter()
            .filter_map(|object| {
                let (id, compact) = parse_name(object.location.filename()?)?;
                Some(NumberedFile { id, compact, modified_ms: object.last_modified.timestamp_millis() })
            })
            .collect();
        files.sort_unstable();
        Ok(files)
    }

    pub(super) fn path(&self, id: u64, compact: bool) -> Path {
        self.folder.clone().join(if compact { format!("{id}{COMPACT_SUFFIX}") } else { id.to_string() })
    }

    pub(super) async fn read(&self, id: u64, compact: bool) -> Result<Option<Bytes>, CheckpointError> {
        read(self.store.as_ref(), &self.path(id, compact)).await
    }

    pub(super) async fn create(&self, id: u64, compact: bool, content: Bytes) -> Result<(), CheckpointError> {
        create(self.store.as_ref(), &self.path(id, compact), content).await
    }

    /// Begins a file of which only the first bytes are known; None where that saves nothing.
    pub(super) fn begin(&self, id: u64, compact: bool, first: Bytes) -> Option<Box<dyn BegunFile>> {
        self.staging.as_ref().map(|staging| staging.begin(&self.path(id, compact), first, false))
    }

    /// Does what can be done of creating a file without showing it; the file may have begun.
    pub(super) async fn stage(
        &self,
        id: u64,
        compact: bool,
        content: Bytes,
        begun: Option<Box<dyn BegunFile>>,
    ) -> Result<StagedNumber, CheckpointError> {
        let path = self.path(id, compact);
        let staged = match (begun, &self.staging) {
            (Some(begun), _) => begun.stage(content.clone()).await.map(Some),
            (None, Some(staging)) => staging.stage(&path, content.clone(), false).await.map(Some),
            (None, None) => Ok(None),
        };
        let file = staged.map_err(|source| CheckpointError::store(&path, source))?;
        Ok(StagedNumber { path, content, file })
    }

    /// Creates the file that was staged; when this returns, it is durable.
    pub(super) async fn show(&self, staged: StagedNumber) -> Result<(), CheckpointError> {
        let StagedNumber { path, content, file } = staged;
        match file {
            Some(file) => created(self.store.as_ref(), &path, content, file.show().await).await,
            None => create(self.store.as_ref(), &path, content).await,
        }
    }

    /// Deletes files; those that are gone already are fine.
    pub(super) async fn delete(&self, files: impl Iterator<Item = NumberedFile>) -> Result<(), CheckpointError> {
        for file in files {
            let path = self.path(file.id, file.compact);
            match self.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(CheckpointError::store(&path, source)),
            }
        }
        Ok(())
    }
}

/// `7` and `9.compact`, as Spark names them; None for any other name, temporary ones included.
fn parse_name(name: &str) -> Option<(u64, bool)> {
    let (digits, compact) = match name.strip_suffix(COMPACT_SUFFIX) {
        Some(digits) => (digits, true),
        None => (name, false),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| plain)?, compact))
}

/// The whole of a file; None when there is none.
pub(super) async fn read(store: &dyn ObjectStore, path: &Path) -> Result<Option<Bytes>, CheckpointError> {
    let got = match store.get(path).await {
        Ok(got) => got,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(source) => return Err(CheckpointError::store(path, source)),
    };
    got.bytes().await.map(Some).map_err(|source| CheckpointError::store(path, source))
}

/// Creates a file; when it returns, the file is durable.
///
/// A file of the same content counts as created: an earlier attempt of ours may have come through although its answer was
/// lost. So whoever must tell itself from another driver puts its own name into the content.
pub(super) async fn create(store: &dyn ObjectStore, path: &Path, content: Bytes) -> Result<(), CheckpointError> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let put = store.put_opts(path, content.clone().into(), options).await;
    created(store, path, content, put.map(|_| ())).await
}

async fn created(
    store: &dyn ObjectStore,
    path: &Path,
    content: Bytes,
    answer: object_store::Result<()>,
) -> Result<(), CheckpointError> {
    match answer {
        Ok(()) => Ok(()),
        Err(object_store::Error::AlreadyExists { .. }) => match read(store, path).await? {
            Some(present) if present == content => Ok(()),
            _ => Err(CheckpointError::Exists { path: shown(path) }),
        },
        Err(source) => Err(CheckpointError::store(path, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: Option<(u64, bool)>) {
        assert_eq!(parse_name(name), expect);
    }

    #[test]
    fn only_plain_numbers_are_entries() {
        check("0", Some((0, false)));
        check("19.compact", Some((19, true)));
        check(".7.0b1f.tmp", None);
        check(".7.crc", None);
        check("+7", None);
        check("7#1", None);
        check(".compact", None);
        check("99999999999999999999999", None);
    }
}
