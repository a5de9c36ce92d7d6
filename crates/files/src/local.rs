//! Local disks: an object store whose writes are durable when they return.
//!
//! Life of a file:
//!
//! ```text
//! 1  .ognivo-….tmp         made in the target's folder, locked by its writer, filled
//! 2  fsync of the file
//! 3  link (create only) or rename (replace) to its name: readers see the whole file or none
//! 4  fsync of the folder   and, for a folder that was just made, of the one that holds it
//! ```
//!
//! A store whose names are durable [in order](NamesDurable::InOrder) does the fourth step while its caller goes on.
//!
//! A temporary begins with a dot, so that neither Spark nor a plain `ls` takes it for data. Its lock ends with its writer,
//! however that ends; [`Folders::sweep`] removes the temporaries that nobody holds any more.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path as DiskPath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode, Result, UploadPart,
};

use crate::entries::Entry;
use crate::listing::is_hidden;
use crate::open::{FolderVersion, Folders};
use crate::ordered_names::{sync_soon, wait_for_earlier};
use crate::temporary::{self, is_temporary};
use crate::unnameable::Unnameable;
use crate::users;

/// The local file system; a path is an absolute one without its leading slash.
///
/// Beyond [`ObjectStore`]: `rename` also moves folders in one step, and every change is on disk before it returns, but for the
/// names of a store that makes them durable in order.
/// Runs on the blocking pool of tokio when called from there, on the caller's thread otherwise.
#[derive(Debug, Default)]
pub struct LocalStore {
    reads: LocalFileSystem,
    unnameable: Arc<Unnameable>,
    names_durable: NamesDurable,
}

/// When the name of a file that was put is durable; its bytes are when the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NamesDurable {
    /// When the call returns, and so are all names before.
    #[default]
    AtOnce,
    /// Before any store of this process gives another file its name.
    InOrder,
}

impl LocalStore {
    /// The local file system from its root.
    pub fn new() -> LocalStore {
        LocalStore::default()
    }

    /// The same, with names that become durable in order: for the steps of something that ends with a name made at once.
    pub fn with_ordered_names() -> LocalStore {
        LocalStore { names_durable: NamesDurable::InOrder, ..LocalStore::default() }
    }
}

impl std::fmt::Display for LocalStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalStore")
    }
}

/// Where a path of the store lies on disk.
pub(crate) fn on_disk(path: &Path) -> PathBuf {
    DiskPath::new("/").join(path.as_ref())
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let is_create_only = match options.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => return Err(not_implemented("put with PutMode::Update")),
        };
        let (target, names_durable) = (on_disk(location), self.names_durable);
        blocking(move || {
            let temporary = Temporary::create_for(&target)?;
            for piece in payload.iter() {
                (&temporary.file).write_all(piece).map_err(|error| disk_error(&target, error))?;
            }
            temporary.publish(&target, is_create_only, names_durable)
        })
        .await
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let (target, names_durable) = (on_disk(location), self.names_durable);
        blocking(move || {
            let temporary = Some(Arc::new(Temporary::create_for(&target)?));
            Ok(Box::new(LocalUpload { target, temporary, offset: 0, names_durable }) as _)
        })
        .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let file = on_disk(location);
        // Opening a pipe would wait for a writer.
        blocking(move || match fs::metadata(&file) {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Err(no_regular_file(&file)),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                Err(Error::NotFound { path: file.display().to_string(), source: error.into() })
            }
            _ => Ok(()),
        })
        .await?;
        self.reads.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.reads.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let delete = |location: Result<Path>| async {
            let location = location?;
            let file = on_disk(&location);
            blocking(move || fs::remove_file(&file).map_err(|error| disk_error(&file, error))).await?;
            Ok(location)
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let unnameable = Arc::clone(&self.unnameable);
        let root = on_disk(prefix.unwrap_or(&Path::ROOT));
        let folders = futures::stream::try_unfold(vec![root], move |mut open| {
            let unnameable = Arc::clone(&unnameable);
            async move {
                let Some(folder) = open.pop() else { return Ok(None) };
                let listed = blocking(move || list_folder(&folder, &unnameable)).await?;
                let below = listed.common_prefixes.iter().map(on_disk);
                open.extend(below.filter(|folder| !leads_back(folder)));
                Ok::<_, Error>(Some((futures::stream::iter(listed.objects.into_iter().map(Ok::<_, Error>)), open)))
            }
        });
        folders.try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let folder = on_disk(prefix.unwrap_or(&Path::ROOT));
        let unnameable = Arc::clone(&self.unnameable);
        blocking(move || list_folder(&folder, &unnameable)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (from, to) = (on_disk(from), on_disk(to));
        blocking(move || {
            let mut original = File::open(&from).map_err(|error| disk_error(&from, error))?;
            let temporary = Temporary::create_for(&to)?;
            io::copy(&mut original, &mut &temporary.file).map_err(|error| disk_error(&to, error))?;
            temporary.publish(&to, options.mode == CopyMode::Create, NamesDurable::AtOnce).map(|_| ())
        })
        .await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let (from, to) = (on_disk(from), on_disk(to));
        let is_create_only = match options.target_mode {
            RenameTargetMode::Overwrite => false,
            RenameTargetMode::Create => true,
        };
        blocking(move || rename(&from, &to, is_create_only)).await
    }
}

#[async_trait]
impl Folders for LocalStore {
    async fn folder_exists(&self, folder: &Path) -> Result<bool> {
        let folder = on_disk(folder);
        blocking(move || Ok(folder.is_dir())).await
    }

    async fn create_folder(&self, folder: &Path) -> Result<()> {
        let folder = on_disk(folder);
        blocking(move || create_folders(&folder).map_err(|error| disk_error(&folder, error))).await
    }

    async fn rename_folder(&self, from: &Path, to: &Path) -> Result<()> {
        let (from, to) = (on_disk(from), on_disk(to));
        blocking(move || rename(&from, &to, true)).await
    }

    async fn remove_folder(&self, folder: &Path) -> Result<()> {
        let folder = on_disk(folder);
        blocking(move || match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(disk_error(&folder, error)),
            _ => sync_parent(&folder).map_err(|error| disk_error(&folder, error)),
        })
        .await
    }

    async fn version(&self, folder: &Path) -> Result<Option<FolderVersion>> {
        let folder = on_disk(folder);
        blocking(move || {
            let metadata = match fs::metadata(&folder) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(disk_error(&folder, error)),
            };
            // Two links, from the name and from `.`: no folder within. File systems that do not count so say 1.
            let is_flat = metadata.is_dir() && metadata.nlink() == 2;
            let modified_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
            Ok(is_flat.then_some(FolderVersion { modified_ns }))
        })
        .await
    }

    async fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        let path = path.clone();
        blocking(move || entry_at(path)).await
    }

    async fn entries(&self, folder: &Path) -> Result<Vec<Entry>> {
        let folder = on_disk(folder);
        let unnameable = Arc::clone(&self.unnameable);
        blocking(move || {
            let listed = list_folder(&folder, &unnameable)?;
            let files = listed.objects.into_iter().map(|object| object.location);
            let mut paths: Vec<Path> = listed.common_prefixes.into_iter().chain(files).collect();
            paths.sort_unstable();
            Ok(paths.into_iter().map(entry_at).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        })
        .await
    }

    fn take_warnings(&self) -> Vec<String> {
        self.unnameable.take_untold()
    }

    async fn sweep(&self, folder: &Path) -> Result<usize> {
        let folder = on_disk(folder);
        blocking(move || sweep_folder(&folder).map_err(|error| disk_error(&folder, error))).await
    }
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await?,
        Err(_) => work(),
    }
}

/// A file that is being written under a hidden name, locked as long as it is.
#[derive(Debug)]
struct Temporary {
    file: File,
    path: PathBuf,
    is_published: bool,
}

impl Temporary {
    /// An empty temporary beside `target`, whose folders are made when they are missing.
    fn create_for(target: &DiskPath) -> Result<Temporary> {
        let folder = target.parent().unwrap_or(DiskPath::new("/"));
        create_folders(folder).map_err(|error| disk_error(folder, error))?;
        loop {
            let path = folder.join(temporary::new_name());
            let opened = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
            let file = opened.map_err(|error| disk_error(target, error))?;
            // On a file system without locks this fails, and so does the sweeper's: such temporaries are left alone.
            let _ = file.lock();
            // A sweeper that came between the two calls removed the file before it let go of the lock.
            if path.exists() {
                return Ok(Temporary { file, path, is_published: false });
            }
        }
    }

    /// Gives the file its name, durably; no name appears before those made earlier are durable.
    fn publish(mut self, target: &DiskPath, is_create_only: bool, durable: NamesDurable) -> Result<PutResult> {
        self.file.sync_all().and_then(|()| wait_for_earlier()).map_err(|error| disk_error(target, error))?;
        if is_create_only {
            fs::hard_link(&self.path, target).map_err(|error| disk_error(target, error))?;
            fs::remove_file(&self.path).map_err(|error| disk_error(target, error))?;
        } else {
            fs::rename(&self.path, target).map_err(|error| disk_error(target, error))?;
        }
        self.is_published = true;
        let synced = match durable {
            NamesDurable::AtOnce => sync_parent(target),
            NamesDurable::InOrder => sync_soon(target, sync_parent),
        };
        synced.map_err(|error| disk_error(target, error))?;
        Ok(PutResult { e_tag: None, version: None })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_published {
            // Best effort: what stays is swept at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file written part by part; it appears, whole, at `complete`.
#[derive(Debug)]
struct LocalUpload {
    target: PathBuf,
    temporary: Option<Arc<Temporary>>,
    offset: u64,
    names_durable: NamesDurable,
}

#[async_trait]
impl MultipartUpload for LocalUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let start = self.offset;
        self.offset += data.content_length() as u64;
        let target = self.target.clone();
        let temporary = self.temporary.clone();
        Box::pin(blocking(move || {
            let temporary = temporary.ok_or_else(|| ended_upload(&target))?;
            let mut offset = start;
            for piece in data.iter() {
                temporary.file.write_all_at(piece, offset).map_err(|error| disk_error(&target, error))?;
                offset += piece.len() as u64;
            }
            Ok(())
        }))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let target = self.target.clone();
        let temporary = self.temporary.take().ok_or_else(|| ended_upload(&target))?;
        let temporary = Arc::try_unwrap(temporary).map_err(|_| ended_upload(&target))?;
        let names_durable = self.names_durable;
        blocking(move || temporary.publish(&target, false, names_durable)).await
    }

    async fn abort(&mut self) -> Result<()> {
        let temporary = self.temporary.take();
        blocking(move || {
            drop(temporary);
            Ok(())
        })
        .await
    }
}

/// `complete` was called twice, after `abort`, or before its parts were written.
fn ended_upload(target: &DiskPath) -> Error {
    disk_error(target, io::Error::other("the upload has ended or a part is still being written"))
}

/// Whether a folder is a link to one that holds it, so that a walk would go in a circle.
fn leads_back(folder: &DiskPath) -> bool {
    if !folder.is_symlink() {
        return false;
    }
    match (folder.canonicalize(), folder.parent().map(DiskPath::canonicalize)) {
        (Ok(target), Some(Ok(holder))) => holder.starts_with(target),
        _ => true,
    }
}

/// The files and folders directly in a folder; nothing when there is no such folder.
///
/// What is neither (a pipe, a socket, a device, a link to nothing) is passed over, and so is a name that cannot be a path.
fn list_folder(folder: &DiskPath, unnameable: &Unnameable) -> Result<ListResult> {
    let mut listed = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(listed),
        Err(error) => return Err(disk_error(folder, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| disk_error(folder, error))?.path();
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            // Gone since, or a link to nothing.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            // A link to itself, or through a file: it may come to life later.
            Err(error) if error.kind() != ErrorKind::PermissionDenied && path.is_symlink() => continue,
            Err(error) => return Err(disk_error(&path, error)),
        };
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_temporary) {
            continue;
        }
        let Some(location) = path.to_str().and_then(|text| Path::parse(text).ok()) else {
            if !is_hidden_on_disk(&path) && (metadata.is_file() || metadata.is_dir()) {
                unnameable.note(format!("{path:?}"));
            }
            continue;
        };
        if metadata.is_dir() {
            listed.common_prefixes.push(location);
        } else if metadata.is_file() {
            let last_modified = metadata.modified().map_err(|error| disk_error(&path, error))?.into();
            listed.objects.push(ObjectMeta {
                location,
                last_modified,
                size: metadata.len(),
                e_tag: None,
                version: None,
            });
        }
    }
    listed.common_prefixes.sort_unstable();
    listed.objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
    Ok(listed)
}

/// What is on disk at a path; None when nothing is.
fn entry_at(path: Path) -> Result<Option<Entry>> {
    const MODE_BITS: u32 = 0o1777;
    let file = on_disk(&path);
    let metadata = match fs::metadata(&file) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(disk_error(&file, error)),
    };
    let is_folder = metadata.is_dir();
    Ok(Some(Entry {
        path,
        is_folder,
        size_bytes: if is_folder { 0 } else { metadata.len() },
        modified_ms: metadata.mtime() * 1000 + metadata.mtime_nsec() / 1_000_000,
        mode: (metadata.mode() & MODE_BITS) as u16,
        owner: users::user(metadata.uid()).unwrap_or_else(|| metadata.uid().to_string()),
        group: users::group(metadata.gid()).unwrap_or_else(|| metadata.gid().to_string()),
        n_replicas: (!is_folder).then_some(1),
    }))
}

/// Whether every reader passes over a file of this name anyway.
fn is_hidden_on_disk(path: &DiskPath) -> bool {
    path.file_name().is_some_and(|name| is_hidden(&name.to_string_lossy()))
}

/// Moves a file or a folder, durably.
///
/// With `is_create_only` an existing target is an error. A file is then linked and unlinked, which no other writer can
/// come between; for a folder the target is looked at first, and one that is made in between is replaced if it is empty.
fn rename(from: &DiskPath, to: &DiskPath, is_create_only: bool) -> Result<()> {
    let is_folder = fs::metadata(from).map_err(|error| disk_error(from, error))?.is_dir();
    wait_for_earlier().map_err(|error| disk_error(to, error))?;
    if let Some(folder) = to.parent() {
        create_folders(folder).map_err(|error| disk_error(folder, error))?;
    }
    let moved = match (is_create_only, is_folder) {
        (true, true) if to.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
        (true, false) => fs::hard_link(from, to).and_then(|()| fs::remove_file(from)),
        _ => fs::rename(from, to),
    };
    moved.and_then(|()| sync_parent(to)).and_then(|()| sync_parent(from)).map_err(|error| disk_error(to, error))
}

/// Makes a folder and those above it; each new one is durable.
fn create_folders(folder: &DiskPath) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folders(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    sync_parent(folder)
}

/// Makes the names in the folder that holds `path` durable.
fn sync_parent(path: &DiskPath) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some network and user-space file systems cannot sync a folder; they say so in one of these ways.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        // The folder itself was removed since.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        synced => synced,
    }
}

/// Removes the temporaries in `folder` and below it whose writer is gone.
fn sweep_folder(folder: &DiskPath) -> io::Result<usize> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut n_removed = 0;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            n_removed += sweep_folder(&entry.path())?;
        } else if entry.file_name().to_str().is_some_and(is_temporary) {
            n_removed += usize::from(remove_abandoned(&entry.path()));
        }
    }
    Ok(n_removed)
}

/// Removes a temporary that nobody holds, holding it meanwhile.
fn remove_abandoned(temporary: &DiskPath) -> bool {
    let Ok(file) = File::open(temporary) else { return false };
    file.try_lock().is_ok() && fs::remove_file(temporary).is_ok()
}

fn not_implemented(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "LocalStore".to_owned() }
}

fn no_regular_file(path: &DiskPath) -> Error {
    let text = format!("it is a pipe, a socket or a device, not a file: {}", path.display());
    Error::NotSupported { source: io::Error::new(ErrorKind::Unsupported, text).into() }
}

fn disk_error(path: &DiskPath, error: io::Error) -> Error {
    let path = path.display().to_string();
    match error.kind() {
        ErrorKind::NotFound => Error::NotFound { path, source: error.into() },
        ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: error.into() },
        // A disk that is mounted read-only stays so until a person does something, as a folder without rights does.
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Error::PermissionDenied { path, source: error.into() }
        }
        kind => Error::Generic { store: "LocalStore", source: io::Error::new(kind, format!("{error}: {path}")).into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;

    fn folder() -> (tempfile::TempDir, Path) {
        let folder = tempfile::tempdir().unwrap();
        let path = Path::parse(folder.path().to_str().unwrap()).unwrap();
        (folder, path)
    }

    fn names(folder: &DiskPath) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn create_only() -> PutOptions {
        PutOptions { mode: PutMode::Create, ..PutOptions::default() }
    }

    #[test]
    fn a_disk_that_is_mounted_read_only_gives_no_permission() {
        const EROFS: i32 = 30;
        let error = disk_error(DiskPath::new("/out/f"), io::Error::from_raw_os_error(EROFS));
        assert!(matches!(&error, Error::PermissionDenied { path, .. } if path == "/out/f"), "{error}");
    }

    #[tokio::test]
    async fn a_put_makes_its_folders_and_leaves_no_temporary() {
        let (disk, root) = folder();
        let store = LocalStore::new();
        store.put(&Path::parse(format!("{root}/a/b/f")).unwrap(), "one".into()).await.unwrap();
        store.put(&Path::parse(format!("{root}/a/b/f")).unwrap(), "two".into()).await.unwrap();
        assert_eq!(fs::read_to_string(disk.path().join("a/b/f")).unwrap(), "two");
        assert_eq!(names(&disk.path().join("a/b")), ["f"]);
    }

    #[tokio::test]
    async fn names_that_are_durable_in_order_are_there_at_once() {
        let (disk, root) = folder();
        let (ordered, store) = (LocalStore::with_ordered_names(), LocalStore::new());
        let path = |name: &str| Path::parse(format!("{root}/{name}")).unwrap();
        for name in ["a/1", "b/2", "a/3"] {
            ordered.put_opts(&path(name), name.into(), create_only()).await.unwrap();
            assert_eq!(fs::read_to_string(disk.path().join(name)).unwrap(), name);
        }
        let error = ordered.put_opts(&path("b/2"), "other".into(), create_only()).await.unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
        store.put(&path("c"), "end".into()).await.unwrap();
        assert_eq!(
            (names(&disk.path().join("a")), names(&disk.path().join("b"))),
            (vec!["1".into(), "3".into()], vec!["2".into()])
        );
    }

    #[tokio::test]
    async fn an_upload_is_hidden_until_complete_and_gone_after_abort() {
        let (disk, root) = folder();
        let store = LocalStore::new();
        let path = Path::parse(format!("{root}/f")).unwrap();
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part("ab".into()).await.unwrap();
        assert!(names(disk.path()).iter().all(|name| name.starts_with('.')));
        upload.put_part("cd".into()).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(fs::read_to_string(disk.path().join("f")).unwrap(), "abcd");

        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part("xx".into()).await.unwrap();
        upload.abort().await.unwrap();
        assert_eq!(names(disk.path()), ["f"]);
        assert_eq!(fs::read_to_string(disk.path().join("f")).unwrap(), "abcd");
    }

    #[tokio::test]
    async fn sweeping_takes_abandoned_temporaries_and_leaves_those_in_use() {
        let (disk, root) = folder();
        let store = LocalStore::new();
        fs::create_dir(disk.path().join("p=1")).unwrap();
        fs::write(disk.path().join("p=1/.ognivo-dead.tmp"), "half").unwrap();
        fs::write(disk.path().join(".other.tmp"), "not ours").unwrap();
        let mut upload = store.put_multipart(&Path::parse(format!("{root}/f")).unwrap()).await.unwrap();
        assert_eq!(store.sweep(&root).await.unwrap(), 1);
        upload.complete().await.unwrap();
        assert_eq!(names(disk.path()), [".other.tmp", "f", "p=1"]);
    }

    #[tokio::test]
    async fn listings_pass_over_what_is_no_file_and_tell_once_of_names_that_no_path_can_have() {
        use std::os::unix::ffi::OsStrExt as _;
        let (disk, root) = folder();
        let store = LocalStore::new();
        let file = |name: &[u8]| fs::write(disk.path().join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
        for name in [&b"a"[..], b"\xff\xfe.csv", b"new\nline.csv", b".\xff", b"_\n"] {
            file(name);
        }
        let _socket = std::os::unix::net::UnixListener::bind(disk.path().join("socket")).unwrap();
        for (target, link) in
            [("/dev/zero", "device"), ("nowhere", "broken"), ("loop", "loop"), ("a/b", "through"), (".", "circle")]
        {
            std::os::unix::fs::symlink(target, disk.path().join(link)).unwrap();
        }
        for _ in 0..2 {
            let listed = store.list_with_delimiter(Some(&root)).await.unwrap();
            let found: Vec<&str> = listed.objects.iter().filter_map(|object| object.location.filename()).collect();
            assert_eq!(found, ["a"]);
        }
        let below: Vec<_> = store.list(Some(&root)).collect().await;
        assert_eq!(below.len(), 1);
        assert_eq!(below[0].as_ref().unwrap().location.filename(), Some("a"));
        let mut warnings = store.take_warnings();
        warnings.sort();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].ends_with(r#"/\xFF\xFE.csv""#), "{warnings:?}");
        assert!(warnings[1].ends_with(r#"/new\nline.csv""#), "{warnings:?}");
        assert_eq!(store.take_warnings(), Vec::<String>::new());
        let error = store.head(&Path::parse(format!("{root}/socket")).unwrap()).await.unwrap_err();
        assert!(matches!(error, Error::NotSupported { .. }), "{error}");
    }

    #[test]
    fn without_a_runtime_the_work_is_done_on_the_callers_thread() {
        let (disk, root) = folder();
        let store = LocalStore::new();
        let path = Path::parse(format!("{root}/f")).unwrap();
        futures::executor::block_on(store.put(&path, "x".into())).unwrap();
        let listed = futures::executor::block_on(store.list_with_delimiter(Some(&root))).unwrap();
        assert_eq!(listed.objects[0].location, path);
        assert_eq!(names(disk.path()), ["f"]);
    }
}
