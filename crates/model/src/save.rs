//! Stages → a directory that appears whole or not at all.
//!
//! Life of a save to `models/loans`:
//!
//! 1. **Recover.** When no model stands at the path and there is a `.loans.<uuid>.old`, an earlier save was stopped between its
//!    steps 4 and 5: the old directory is moved back.
//! 2. **Refuse**, when a model stands there and the mode is `ErrorIfExists`, or when something else stands there.
//! 3. **Write** every file below `.loans.<uuid>.new`, a name that neither Spark nor we take for content.
//! 4. **Move aside** (`Overwrite` only): `loans` → `.loans.<uuid>.old`, in one step.
//! 5. **Put in place**: `.loans.<uuid>.new` → `loans`, in one step.
//! 6. **Clean up**: `.old` directories of this save and of stopped ones are removed.
//!
//! | stopped in step | at the path | readers of ours | left behind |
//! |---|---|---|---|
//! | 1–3 | what was there | read it | `.new`, incomplete; safe to remove |
//! | between 4 and 5 | nothing | read `.old` | `.old` and `.new`, both whole; the next save goes on from `.old` |
//! | 6 | the new model | read it | `.old`; the next overwriting save removes it |
//!
//! A reader that is not ours finds nothing for the moment between 4 and 5. When a step fails and the process lives, what was
//! there is put back. Two saves to one path at a time: one of them ends with [`SaveError::Conflict`] or both succeed one after
//! the other; a whole model stands either way.

use bytes::Bytes;
use object_store::path::{Path, PathPart};
use object_store::{ListResult, ObjectStore, ObjectStoreExt};
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_data::version::SparkVersion;
use ognivo_ml::saved::{SavedError, SavedStage};
use ognivo_ml::stage::Configured;
use ognivo_ml::uid::Uid;
use uuid::Uuid;

use crate::directories::Directories;
use crate::layout::{self, Ending, METADATA, SUCCESS, Siblings, metadata_file, siblings, table_file};
use crate::listing::join;
use crate::read::{is_model, left_beside, list_folder};
use crate::versions::Release;
use crate::{metadata, tables};

/// What to do when there is a model at the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaveMode {
    /// Leave it and fail.
    #[default]
    ErrorIfExists,
    /// Replace it as a whole. Something other than a model is never replaced.
    Overwrite,
}

/// How a model is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaveOptions {
    /// Whose layout the directory has; that Spark and newer ones can load it.
    pub version: SparkVersion,
    /// What to do when there is a model at the path.
    pub mode: SaveMode,
    /// The time in the metadata, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// Saves `stage` to the directory `path`, as a whole or not at all: see the [module](self).
///
/// # Errors
/// [`SaveError`]; what was at the path stands there as before.
pub async fn save(
    store: &dyn ObjectStore,
    directories: &dyn Directories,
    path: &Path,
    stage: &dyn Configured,
    options: &SaveOptions,
) -> Result<(), SaveError> {
    let saved = stage.to_saved(options.version)?;
    write_saved(store, directories, path, &saved, options.mode, options.timestamp_ms).await
}

/// [`save`] for what a directory says, in the layout of the release that `saved` names (`sparkVersion`).
///
/// # Errors
/// As [`save`].
pub async fn write_saved(
    store: &dyn ObjectStore,
    directories: &dyn Directories,
    path: &Path,
    saved: &SavedStage,
    mode: SaveMode,
    timestamp_ms: i64,
) -> Result<(), SaveError> {
    let mut files = Vec::new();
    collect_files(saved, "", timestamp_ms, &mut files)?;
    let (folder, name) = layout::split_name(path).ok_or_else(|| SaveError::NoName { path: path.clone() })?;
    let Siblings { new, old } = siblings(&folder, &name, Uuid::new_v4());
    let saving = Saving { store, directories, path, new, old };
    saving.recover().await?;
    let replaces = saving.may_write(mode).await?;
    if let Err(error) = saving.write_and_swap(files, replaces).await {
        // The first error is the one to tell; what cannot be removed now is safe to remove later.
        let _ = directories.remove_folder(&saving.new).await;
        return Err(error);
    }
    saving.clean_up().await;
    Ok(())
}

struct Saving<'a> {
    store: &'a dyn ObjectStore,
    directories: &'a dyn Directories,
    path: &'a Path,
    new: Path,
    old: Path,
}

impl Saving<'_> {
    /// Step 1.
    async fn recover(&self) -> Result<(), SaveError> {
        if self.stands(self.path).await? {
            return Ok(());
        }
        if let Some(old) = self.left_beside(Ending::Old).await? {
            self.clear_remains().await?;
            return self.rename(&old, self.path).await;
        }
        // A whole `.new` and no model: what is at the path may be a copy of it that was stopped.
        match self.left_beside(Ending::New).await? {
            Some(_) => self.clear_remains().await,
            None => Ok(()),
        }
    }

    /// The newest whole model that an earlier save has left beside the path.
    async fn left_beside(&self, ending: Ending) -> Result<Option<Path>, SaveError> {
        for left in left_beside(self.store, self.path, ending).await.map_err(|source| failed(self.path, source))? {
            if self.stands(&left).await? {
                return Ok(Some(left));
            }
        }
        Ok(None)
    }

    /// Removes what a stopped copy has left at the path; a rename in one step leaves nothing.
    async fn clear_remains(&self) -> Result<(), SaveError> {
        if self.directories.is_atomic() {
            return Ok(());
        }
        self.directories.remove_folder(self.path).await.map_err(|source| failed(self.path, source))
    }

    /// Step 2: whether there is a model to be replaced.
    async fn may_write(&self, mode: SaveMode) -> Result<bool, SaveError> {
        if self.stands(self.path).await? {
            return match mode {
                SaveMode::ErrorIfExists => Err(SaveError::Exists { path: self.path.clone() }),
                SaveMode::Overwrite => Ok(true),
            };
        }
        let found = list_folder(self.store, self.path).await.map_err(|source| failed(self.path, source))?;
        if !is_empty(&found) || self.store.head(self.path).await.is_ok() {
            return Err(SaveError::NotAModel { path: self.path.clone() });
        }
        Ok(false)
    }

    /// Steps 3 to 5.
    async fn write_and_swap(&self, files: Vec<(String, Bytes)>, replaces: bool) -> Result<(), SaveError> {
        for (name, content) in files {
            let file = join(&self.new, &name);
            self.store.put(&file, content.into()).await.map_err(|source| failed(&file, source))?;
        }
        if !replaces {
            return self.put_in_place().await;
        }
        let moved = self.rename(self.path, &self.old).await;
        let placed = match moved {
            Ok(()) => self.rename(&self.new, self.path).await,
            Err(error) => Err(error),
        };
        if placed.is_err() && !self.stands(self.path).await.unwrap_or(true) {
            self.clear_remains().await?;
            self.rename(&self.old, self.path).await?;
        }
        placed
    }

    /// Step 5 where no model is replaced. An empty directory, made in advance, gives way.
    async fn put_in_place(&self) -> Result<(), SaveError> {
        let placed = self.rename(&self.new, self.path).await;
        let is_in_the_way = matches!(placed, Err(SaveError::Conflict { .. }));
        if is_in_the_way && list_folder(self.store, self.path).await.is_ok_and(|found| is_empty(&found)) {
            self.directories.remove_folder(self.path).await.map_err(|source| failed(self.path, source))?;
            return self.rename(&self.new, self.path).await;
        }
        placed
    }

    /// Step 6. The new model stands: what cannot be removed now is left to the next save.
    async fn clean_up(&self) {
        for old in left_beside(self.store, self.path, Ending::Old).await.unwrap_or_default() {
            let _ = self.directories.remove_folder(&old).await;
        }
    }

    async fn stands(&self, path: &Path) -> Result<bool, SaveError> {
        is_model(self.store, path).await.map_err(|source| failed(path, source))
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), SaveError> {
        self.directories.rename_folder(from, to).await.map_err(|source| match source {
            object_store::Error::AlreadyExists { .. } | object_store::Error::NotFound { .. } => {
                SaveError::Conflict { path: self.path.clone(), source }
            }
            source => failed(to, source),
        })
    }
}

fn is_empty(found: &ListResult) -> bool {
    found.objects.is_empty() && found.common_prefixes.is_empty()
}

fn failed(path: &Path, source: object_store::Error) -> SaveError {
    SaveError::Store { path: path.clone(), source }
}

/// Every file of the directory of `saved`, by its path below the root.
fn collect_files(
    saved: &SavedStage,
    folder: &str,
    timestamp_ms: i64,
    files: &mut Vec<(String, Bytes)>,
) -> Result<(), SaveError> {
    let cannot = |field: &str, reason: String| SaveError::Unsavable {
        class: saved.class.clone(),
        uid: saved.uid.clone(),
        field: field.to_owned(),
        reason,
    };
    let release: Release = saved.spark_version.parse().map_err(|error| cannot("sparkVersion", format!("{error}")))?;
    let mut add = |folder: &str, name: String, content: Vec<u8>| {
        files.push((format!("{folder}/{name}"), Bytes::from(content)));
        files.push((format!("{folder}/{SUCCESS}"), Bytes::new()));
    };
    let line = metadata::line(saved, release, timestamp_ms);
    add(&below(folder, METADATA), metadata_file(release, Uuid::new_v4()), line);
    for (table, rows) in &saved.tables {
        check_name(table).map_err(|reason| cannot(table, reason))?;
        let content = tables::encode(rows, &saved.spark_version).map_err(|reason| cannot(table, reason))?;
        add(&below(folder, table), table_file(Uuid::new_v4()), content);
    }
    for (child, stage) in &saved.children {
        check_name(child).map_err(|reason| cannot("uid", reason))?;
        collect_files(stage, &below(folder, child), timestamp_ms, files)?;
    }
    Ok(())
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Refuses folders that would lead elsewhere, or that a reader would take for hidden.
fn check_name(folder: &str) -> Result<(), String> {
    let is_plain = |part: &str| !part.is_empty() && layout::is_visible(part) && PathPart::parse(part).is_ok();
    match folder.split('/').all(is_plain) {
        true => Ok(()),
        false => Err(format!("cannot be the name of a folder: {folder:?}")),
    }
}

/// A model was not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// There is a model at the path.
    #[error("model directory already exists: /{path}")]
    Exists {
        /// The path.
        path: Path,
    },
    /// There is something else at the path.
    #[error("not a model directory, so it is not replaced: /{path}")]
    NotAModel {
        /// The path.
        path: Path,
    },
    /// The path is the root of a store, beside which nothing can be written.
    #[error("a model needs a directory of its own: {path:?}")]
    NoName {
        /// The path.
        path: Path,
    },
    /// The store failed.
    #[error("cannot write the model directory: /{path}")]
    Store {
        /// The file or folder.
        path: Path,
        /// What the store says.
        source: object_store::Error,
    },
    /// Another process saved to the same path at the same time.
    #[error("another process saves to the same path: /{path}")]
    Conflict {
        /// The path.
        path: Path,
        /// What the store says.
        source: object_store::Error,
    },
    /// A stage cannot be said in the layout of the version.
    #[error(transparent)]
    Stage(#[from] SavedError),
    /// A stage says something that Spark's files cannot hold.
    #[error("stage `{uid}` ({class}), field `{field}`: {reason}")]
    Unsavable {
        /// The JVM class.
        class: String,
        /// The stage.
        uid: Uid,
        /// The table, column or key.
        field: String,
        /// Why not.
        reason: String,
    },
}

impl Explain for SaveError {
    fn fault(&self) -> Fault {
        match self {
            SaveError::Exists { .. } | SaveError::NotAModel { .. } | SaveError::NoName { .. } => Fault::Job,
            SaveError::Store { .. } | SaveError::Conflict { .. } => Fault::Remote,
            SaveError::Stage(cause) => cause.fault(),
            SaveError::Unsavable { .. } => Fault::Model,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            SaveError::Store { .. } | SaveError::Conflict { .. } => Retry::Backoff,
            _ => Retry::Never,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SaveError::Exists { .. } => Some("name another path, or set `mode: overwrite`".to_owned()),
            SaveError::NotAModel { .. } => Some("name another path, or remove what is there yourself".to_owned()),
            SaveError::Stage(cause) => cause.hint(),
            SaveError::NoName { .. } => Some("name a directory below it, such as `models/loans`".to_owned()),
            _ => None,
        }
    }
}
