//! Files that are whole before they have their names.
//!
//! Where a file is synced and closed in many milliseconds and named in one, the first is done beside other work.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;

/// A store that can write a file now and show it later.
#[async_trait]
pub trait Staging: fmt::Debug + Send + Sync {
    /// Writes a file that is to be called `path`, where it may take the place of another one or must not. When this returns, its
    /// bytes are durable, and nobody sees it.
    ///
    /// # Errors
    /// Those of the store.
    async fn stage(&self, path: &Path, content: Bytes, may_replace: bool) -> object_store::Result<Box<dyn StagedFile>>;

    /// Begins such a file of which no more than its first bytes are known, beside other work: servers are asked for room meanwhile.
    /// What fails of it shows in nothing but the time that [`stage`](BegunFile::stage) takes.
    fn begin(&self, path: &Path, first: Bytes, may_replace: bool) -> Box<dyn BegunFile>;
}

/// A file that was begun. One that is let go of is removed by and by.
#[async_trait]
pub trait BegunFile: Send + Sync {
    /// Writes the file as [`Staging::stage`] does; `content` is all of it.
    ///
    /// # Errors
    /// Those of the store.
    async fn stage(self: Box<Self>, content: Bytes) -> object_store::Result<Box<dyn StagedFile>>;

    /// Ends and removes the file, as far as that can be done now.
    async fn discard(self: Box<Self>);
}

/// A file without its name. One that is let go of never gets it, and is removed by and by.
#[async_trait]
pub trait StagedFile: Send + Sync {
    /// Sets when the file was last changed, in milliseconds since 1970, as it will be told of the shown file: so others can tell of it
    /// before it is whole.
    ///
    /// # Errors
    /// Those of the store.
    async fn set_modified_ms(&self, modified_ms: i64) -> object_store::Result<()>;

    /// Gives the file its name, in one step.
    ///
    /// # Errors
    /// `AlreadyExists` for a name that is taken and must not be replaced; `Precondition` when somebody has removed the file.
    async fn show(self: Box<Self>) -> object_store::Result<()>;

    /// Removes the file, as far as that can be done now.
    async fn discard(self: Box<Self>);
}
