//! Moving and removing whole directories, which an object store has no word for.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, Result};

use crate::layout::METADATA;
use crate::listing::join;

/// What a file system can do with a directory as a whole; [`save`](crate::save()) stands on it.
///
/// | file system | `rename_folder` | so a save that is stopped |
/// |---|---|---|
/// | local disks, HDFS | one step | leaves the old directory or the new one, whole, under its name or beside it |
/// | object stores, memory ([`CopiedDirectories`]) | copies, then deletes | the same for readers, since the file that makes a directory a model is copied last and deleted first; parts of a directory may stay behind |
#[async_trait]
pub trait Directories: Send + Sync + fmt::Debug {
    /// Moves the directory `from` to `to`.
    ///
    /// When it returns, the move is as durable as the store's writes are.
    ///
    /// # Errors
    /// `AlreadyExists` when there is something at `to`, which is left as it is; `NotFound` when there is nothing at `from`.
    async fn rename_folder(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a directory with all that it holds; none there is no error.
    ///
    /// # Errors
    /// Those of the file system.
    async fn remove_folder(&self, folder: &Path) -> Result<()>;

    /// Whether `rename_folder` happens as a whole or not at all.
    fn is_atomic(&self) -> bool {
        true
    }
}

/// Directories of a store that can only copy and delete files.
///
/// The root's `metadata` is what makes a directory a model, so its files are copied last and deleted first: at every moment a
/// reader finds a whole model, or none.
#[derive(Debug, Clone)]
pub struct CopiedDirectories {
    store: Arc<dyn ObjectStore>,
}

impl CopiedDirectories {
    /// Directories of `store`.
    pub fn new(store: Arc<dyn ObjectStore>) -> CopiedDirectories {
        CopiedDirectories { store }
    }

    /// All files in `folder`, those of its `metadata` last.
    async fn files(&self, folder: &Path) -> Result<Vec<Path>> {
        let files = self.store.list(Some(folder)).map_ok(|file| file.location);
        let mut files: Vec<Path> = files.try_collect().await?;
        let metadata = join(folder, METADATA);
        files.sort_by_key(|file| (file.prefix_matches(&metadata), file.clone()));
        Ok(files)
    }
}

#[async_trait]
impl Directories for CopiedDirectories {
    async fn rename_folder(&self, from: &Path, to: &Path) -> Result<()> {
        let files = self.files(from).await?;
        if files.is_empty() {
            let source = "there is no file in the directory".into();
            return Err(object_store::Error::NotFound { path: from.to_string(), source });
        }
        if !self.files(to).await?.is_empty() {
            let source = "there are files in the directory".into();
            return Err(object_store::Error::AlreadyExists { path: to.to_string(), source });
        }
        for file in &files {
            let below: Vec<String> = file.prefix_match(from).into_iter().flatten().map(|p| p.as_ref().into()).collect();
            self.store.copy(file, &join(to, &below.join("/"))).await?;
        }
        self.remove_folder(from).await
    }

    async fn remove_folder(&self, folder: &Path) -> Result<()> {
        for file in self.files(folder).await?.iter().rev() {
            self.store.delete(file).await?;
        }
        Ok(())
    }

    fn is_atomic(&self) -> bool {
        false
    }
}
