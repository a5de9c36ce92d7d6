//! A directory → [`SavedStage`], whatever its class.
//!
//! 1. find the directory that stands at the path: it has a file in `metadata/`; when a save was stopped between its two renames,
//!    the one that it moved aside stands (see [`save`](mod@crate::save));
//! 2. list all its files once;
//! 3. read stage by stage: metadata, tables, then the stages inside, by [`NESTED`](crate::layout::NESTED);
//! 4. list again. When something changed in between, a save replaced the directory under our hands: begin again, so that what
//!    is returned was one directory.
//!
//! Nothing in a directory is trusted: names come from the listing and never lead outside, and everything has a limit
//! ([`Limits`]).

use arrow_array::RecordBatch;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{GetOptions, ListResult, ObjectMeta, ObjectStore, ObjectStoreExt};
use ognivo_ml::pipeline::{stage_path, stage_uids};
use ognivo_ml::saved::SavedStage;

use crate::layout::{self, Ending, METADATA, Nested, is_sibling_of, is_visible};
use crate::limits::{Budget, Limits};
use crate::listing::{Listing, ListingError, join};
use crate::load_error::{LoadError, Place};
use crate::metadata;
use crate::tables::{self, TableError};

/// How often a directory that changes is read again.
const MAX_ATTEMPTS: usize = 3;

/// What the directory `path` says, whatever its class, within the default [`Limits`].
///
/// # Errors
/// [`LoadError`]: nothing there, no model, a failing store, or content that no stage can be made from.
pub async fn read_saved(store: &dyn ObjectStore, path: &Path) -> Result<SavedStage, LoadError> {
    read_saved_within(store, path, &Limits::default()).await
}

/// [`read_saved`] within other limits.
///
/// # Errors
/// As [`read_saved`], sooner or later.
pub async fn read_saved_within(store: &dyn ObjectStore, path: &Path, limits: &Limits) -> Result<SavedStage, LoadError> {
    for _ in 0..MAX_ATTEMPTS {
        let before = standing(store, path, limits).await?;
        let mut reader = Reader { store, listing: &before, budget: Budget::new(limits), max_depth: limits.depth };
        let result = reader.root().await;
        let after = standing(store, path, limits).await;
        if after.is_ok_and(|after| after == before) {
            return result;
        }
    }
    Err(LoadError::Changed { path: path.clone() })
}

/// The listing of the directory that stands for `path`.
async fn standing(store: &dyn ObjectStore, path: &Path, limits: &Limits) -> Result<Listing, LoadError> {
    if has_metadata(store, path).await? {
        return list(store, path, limits).await;
    }
    for old in left_beside(store, path, Ending::Old).await.map_err(|source| store_error(path, source))? {
        if has_metadata(store, &old).await? {
            return list(store, &old, limits).await;
        }
    }
    // A save may have put its directory in place since we looked, and removed the old one.
    if has_metadata(store, path).await? {
        return list(store, path, limits).await;
    }
    Err(explain_absence(store, path).await)
}

async fn list(store: &dyn ObjectStore, path: &Path, limits: &Limits) -> Result<Listing, LoadError> {
    Listing::of(store, path, limits.files).await.map_err(|error| match error {
        ListingError::Store(source) => store_error(path, source),
        ListingError::TooMany => {
            LoadError::TooLarge { path: path.clone(), what: "files in the directory", limit: limits.files as u64 }
        }
    })
}

fn store_error(path: &Path, source: object_store::Error) -> LoadError {
    LoadError::Store { path: path.clone(), source }
}

/// Whether `path` has a visible file in `metadata/`. Looks at that one folder, so a data lake costs nothing.
async fn has_metadata(store: &dyn ObjectStore, path: &Path) -> Result<bool, LoadError> {
    match is_model(store, path).await {
        Ok(is_model) => Ok(is_model),
        // Some stores fail when they are to list what lies below a file.
        Err(_) if store.head(path).await.is_ok() => Err(is_a_file(path)),
        Err(source) => Err(store_error(path, source)),
    }
}

fn is_a_file(path: &Path) -> LoadError {
    let note = Some("it is a file; a Spark model is a directory");
    LoadError::NotAModel { path: path.clone(), meant: None, note }
}

/// Files and folders directly in `folder`; none when it does not exist, which some stores call an error.
pub(crate) async fn list_folder(store: &dyn ObjectStore, folder: &Path) -> Result<ListResult, object_store::Error> {
    match store.list_with_delimiter(Some(folder)).await {
        Err(object_store::Error::NotFound { .. }) => {
            Ok(ListResult { common_prefixes: Vec::new(), objects: Vec::new() })
        }
        found => found,
    }
}

/// Whether `path` is a model directory.
pub(crate) async fn is_model(store: &dyn ObjectStore, path: &Path) -> Result<bool, object_store::Error> {
    let folder = join(path, METADATA);
    let found = list_folder(store, &folder).await?;
    Ok(found.objects.iter().any(|file| file.location.filename().is_some_and(is_visible)))
}

/// Directories that saves to `path` have left beside it, the newest first.
pub(crate) async fn left_beside(
    store: &dyn ObjectStore,
    path: &Path,
    ending: Ending,
) -> Result<Vec<Path>, object_store::Error> {
    let Some((folder, name)) = layout::split_name(path) else { return Ok(Vec::new()) };
    let found = list_folder(store, &folder).await?;
    let is_left = |sibling: &Path| sibling.filename().is_some_and(|sibling| is_sibling_of(&name, sibling, ending));
    let mut dated = Vec::new();
    for left in found.common_prefixes.into_iter().filter(is_left) {
        let files = list_folder(store, &join(&left, METADATA)).await?.objects;
        dated.push((files.iter().map(|file| file.last_modified).max(), left));
    }
    dated.sort_by(|a, b| b.cmp(a));
    Ok(dated.into_iter().map(|(_, left)| left).collect())
}

/// Says what is at `path` instead of a model directory.
async fn explain_absence(store: &dyn ObjectStore, path: &Path) -> LoadError {
    let not_a_model = |meant| LoadError::NotAModel { path: path.clone(), meant, note: None };
    let found = match list_folder(store, path).await {
        Ok(found) => found,
        Err(source) => return store_error(path, source),
    };
    if found.objects.is_empty() && found.common_prefixes.is_empty() {
        return match store.head(path).await {
            Ok(_) => is_a_file(path),
            Err(_) => LoadError::NotFound { path: path.clone() },
        };
    }
    let inner = [METADATA, "data", "stages"];
    if let Some((folder, name)) = layout::split_name(path)
        && inner.contains(&name.as_str())
        && matches!(is_model(store, &folder).await, Ok(true))
    {
        return not_a_model(Some(folder.to_string()));
    }
    const MAX_LOOKED_INTO: usize = 20;
    for folder in found.common_prefixes.iter().take(MAX_LOOKED_INTO) {
        if matches!(is_model(store, folder).await, Ok(true)) {
            return not_a_model(Some(folder.to_string()));
        }
    }
    not_a_model(None)
}

struct Reader<'a> {
    store: &'a dyn ObjectStore,
    listing: &'a Listing,
    budget: Budget,
    max_depth: usize,
}

impl Reader<'_> {
    async fn root(&mut self) -> Result<SavedStage, LoadError> {
        self.budget.take_stages(1).map_err(|exceeded| LoadError::too_large(&self.listing.root, &exceeded))?;
        self.stage(String::new(), 0).await
    }

    /// The stage in `folder`, which is a path below the root, or empty for the root itself.
    fn stage(&mut self, folder: String, depth: usize) -> BoxFuture<'_, Result<SavedStage, LoadError>> {
        Box::pin(async move {
            let path = join(&self.listing.root, &folder);
            if depth > self.max_depth {
                let limit = self.max_depth as u64;
                return Err(LoadError::TooLarge { path, what: "stages inside each other", limit });
            }
            let mut saved = self.metadata(&folder).await?;
            let children = self.children(&saved, &folder, &path)?;
            for table in self.table_folders(&folder, &children) {
                let rows = self.table(&saved, &in_folder(&folder, &table)).await?;
                saved.tables.insert(table, rows);
            }
            self.budget.take_stages(children.len()).map_err(|exceeded| LoadError::too_large(&path, &exceeded))?;
            for child in children {
                let stage = self.stage(in_folder(&folder, &child), depth + 1).await?;
                saved.children.push((child, stage));
            }
            Ok(saved)
        })
    }

    async fn metadata(&mut self, folder: &str) -> Result<SavedStage, LoadError> {
        let listing = self.listing;
        let folder = in_folder(folder, METADATA);
        let mut files = listing.files_in(&folder);
        let (name, file) = match files.next() {
            Some(first) => std::iter::once(first).chain(files).find(|(_, file)| file.size > 0).unwrap_or(first),
            None => {
                let place = Place { path: join(&listing.root, &folder), uid: None };
                return Err(LoadError::Missing { place, reason: "the metadata file is missing".to_owned() });
            }
        };
        let max_bytes = self.budget.metadata_bytes;
        let content = self.content(file, max_bytes, "bytes in a metadata file").await?;
        metadata::parse(name, &content, max_bytes).map_err(|bad| LoadError::Metadata {
            place: Place { path: file.location.clone(), uid: None },
            field: bad.field.map(str::to_owned),
            reason: bad.reason,
        })
    }

    /// The folders of the stages inside, in order; all of them are in the listing.
    fn children(&self, saved: &SavedStage, folder: &str, path: &Path) -> Result<Vec<String>, LoadError> {
        let place = || Place { path: path.clone(), uid: Some(saved.uid.clone()) };
        let mut children = Vec::new();
        for nested in layout::nested(&saved.class) {
            match nested {
                Nested::StageUids => children.extend(stage_folders(saved, place())?),
                Nested::Folder(name) => children.push((*name).to_owned()),
                Nested::Counted(prefix, key) => {
                    let count = saved.extra.get(*key).and_then(serde_json::Value::as_u64).unwrap_or(0);
                    let found = self.listing.folders_in(folder).len() as u64;
                    // One more than there can be makes the first missing one the error.
                    children.extend((0..count.min(found + 1)).map(|position| format!("{prefix}{position}")));
                }
                Nested::SubModels if persists_sub_models(saved) => {
                    children.extend(self.sub_models(saved, folder, "subModels"));
                }
                Nested::SubModelsOfFolds if persists_sub_models(saved) => {
                    let n_folds = saved.param_map.get("numFolds").and_then(serde_json::Value::as_u64).unwrap_or(0);
                    let found = self.listing.folders_in(&in_folder(folder, "subModels")).len() as u64;
                    for fold in 0..n_folds.min(found + 1) {
                        children.extend(self.sub_models(saved, folder, &format!("subModels/fold{fold}")));
                    }
                }
                Nested::SubModels | Nested::SubModelsOfFolds => {}
            }
        }
        for child in &children {
            let metadata = in_folder(&in_folder(folder, child), METADATA);
            if self.listing.files_in(&metadata).next().is_none() {
                return Err(LoadError::Missing { place: place(), reason: format!("the stage is missing: {child}") });
            }
        }
        Ok(children)
    }

    /// The folders of a tuner's models below `inside`, one for each setting; the first that is missing is the last here.
    fn sub_models(&self, saved: &SavedStage, folder: &str, inside: &str) -> Vec<String> {
        let maps = saved.param_map.get("estimatorParamMaps").and_then(serde_json::Value::as_array);
        let found = self.listing.folders_in(&in_folder(folder, inside)).len();
        let n_read = maps.map_or(0, Vec::len).min(found + 1);
        (0..n_read).map(|setting| format!("{inside}/{setting}")).collect()
    }

    /// Folders of the stage that hold a table: every one that is not metadata or a stage and has Parquet files in it.
    fn table_folders(&self, folder: &str, children: &[String]) -> Vec<String> {
        const MAX_TABLE_DEPTH: usize = 3;
        let first_part = |child: &String| child.split('/').next().map(str::to_owned);
        let taken: Vec<String> = children.iter().filter_map(first_part).collect();
        let mut open: Vec<String> = self.listing.folders_in(folder).into_iter().map(str::to_owned).collect();
        open.retain(|name| name != METADATA && !taken.contains(name));
        let mut tables = Vec::new();
        while let Some(name) = open.pop() {
            let inside = in_folder(folder, &name);
            let is_table = name == "data" || self.listing.files_in(&inside).any(|(name, _)| name.ends_with(".parquet"));
            if is_table && self.listing.files_in(&inside).next().is_some() {
                tables.push(name.clone());
            }
            if name.split('/').count() < MAX_TABLE_DEPTH {
                open.extend(self.listing.folders_in(&inside).into_iter().map(|deeper| format!("{name}/{deeper}")));
            }
        }
        tables.sort();
        tables
    }

    async fn table(&mut self, saved: &SavedStage, folder: &str) -> Result<RecordBatch, LoadError> {
        let listing = self.listing;
        let uid = Some(saved.uid.clone());
        let mut parts = Vec::new();
        for (_, file) in listing.files_in(folder) {
            let place = || Place { path: file.location.clone(), uid: uid.clone() };
            let taken = self.budget.take_table_bytes(file.size);
            taken.map_err(|exceeded| LoadError::too_large(&file.location, &exceeded))?;
            let content = self.content(file, file.size, "bytes, as it was listed").await?;
            parts.push(tables::decode(&content, &mut self.budget).map_err(|error| table_error(error, place()))?);
        }
        let place = Place { path: join(&listing.root, folder), uid };
        tables::join(&parts).map_err(|error| table_error(error, place))
    }

    /// The bytes of `file`, of which there may be at most `limit`.
    async fn content(&self, file: &ObjectMeta, limit: u64, what: &'static str) -> Result<Bytes, LoadError> {
        let too_large = || LoadError::TooLarge { path: file.location.clone(), what, limit };
        if file.size > limit {
            return Err(too_large());
        }
        let failed = |source| store_error(&file.location, source);
        let found = self.store.get_opts(&file.location, GetOptions::default()).await.map_err(failed)?;
        let mut chunks = found.into_stream();
        let mut content = BytesMut::new();
        while let Some(chunk) = chunks.try_next().await.map_err(failed)? {
            if content.len() as u64 + chunk.len() as u64 > limit {
                return Err(too_large());
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content.freeze())
    }
}

fn in_folder(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Whether a tuner's directory holds the models of every setting.
fn persists_sub_models(saved: &SavedStage) -> bool {
    saved.extra.get("persistSubModels").and_then(serde_json::Value::as_bool).unwrap_or(false)
}

/// The folders of a pipeline's stages. A uid names a folder, so one that would lead elsewhere is refused.
fn stage_folders(saved: &SavedStage, place: Place) -> Result<Vec<String>, LoadError> {
    let directory = || Some(place.path.to_string());
    let uids = stage_uids(saved).map_err(|cause| LoadError::Stage { directory: directory(), cause })?;
    if let Some(uid) = uids.iter().find(|uid| uid.as_str().contains(['/', '\\']) || uid.as_str().is_empty()) {
        let reason = format!("not a uid: {:?}", uid.as_str());
        return Err(LoadError::Metadata { place, field: Some("stageUids".to_owned()), reason });
    }
    Ok(uids.iter().enumerate().map(|(position, uid)| stage_path(position, uids.len(), uid)).collect())
}

fn table_error(error: TableError, place: Place) -> LoadError {
    match error {
        TableError::Broken(reason) => LoadError::Table { place, field: None, reason },
        TableError::Column { column, reason } => LoadError::Table { place, field: Some(column), reason },
        TableError::TooLarge(exceeded) => LoadError::too_large(&place.path, &exceeded),
    }
}

/// Tables and children of a stage and of all inside it, for those who walk a whole directory.
pub(crate) fn each_stage<'a>(saved: &'a SavedStage, folder: &str, visit: &mut impl FnMut(&str, &'a SavedStage)) {
    visit(folder, saved);
    for (child, stage) in &saved.children {
        each_stage(stage, &in_folder(folder, child), visit);
    }
}
