//! Stores for tests: a directory on disk, and one that fails at its n-th call.

use std::fmt;
use std::fs;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::path::{Path as DiskPath, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use ognivo_model::Directories;

/// The folder of all fixtures.
pub(crate) fn fixtures() -> PathBuf {
    DiskPath::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/spark")
        .canonicalize()
        .expect("the fixtures are there")
}

/// A store whose root is `folder`.
pub(crate) fn local(folder: &DiskPath) -> Arc<LocalFileSystem> {
    Arc::new(LocalFileSystem::new_with_prefix(folder).expect("the folder is there"))
}

/// Directories on disk, moved in one step.
#[derive(Debug)]
pub(crate) struct LocalDirectories(pub(crate) Arc<LocalFileSystem>);

impl LocalDirectories {
    fn on_disk(&self, path: &Path) -> PathBuf {
        self.0.path_to_filesystem(path).expect("a path below the root")
    }
}

fn store_error(path: &Path, error: std::io::Error) -> Error {
    let (path, kind) = (path.to_string(), error.kind());
    let source = error.into();
    match kind {
        ErrorKind::NotFound => Error::NotFound { path, source },
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => Error::AlreadyExists { path, source },
        _ => Error::Generic { store: "local", source },
    }
}

#[async_trait]
impl Directories for LocalDirectories {
    async fn rename_folder(&self, from: &Path, to: &Path) -> Result<()> {
        let target = self.on_disk(to);
        if target.symlink_metadata().is_ok() {
            return Err(store_error(to, ErrorKind::AlreadyExists.into()));
        }
        fs::rename(self.on_disk(from), target).map_err(|error| store_error(from, error))
    }
    async fn remove_folder(&self, folder: &Path) -> Result<()> {
        match fs::remove_dir_all(self.on_disk(folder)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(store_error(folder, error)),
            _ => Ok(()),
        }
    }
}

/// When calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The n-th call and all after it: the process has died.
    Crash,
    /// Only the n-th call.
    Once,
}

/// Counts calls and decides which of them fail.
#[derive(Debug)]
pub(crate) struct Fuse {
    calls: AtomicUsize,
    fails_at: usize,
    failure: Failure,
}

impl Fuse {
    pub(crate) fn new(fails_at: usize, failure: Failure) -> Arc<Fuse> {
        Arc::new(Fuse { calls: AtomicUsize::new(0), fails_at, failure })
    }

    /// Whether the call that failed has come.
    pub(crate) fn has_blown(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.fails_at
    }

    fn check(&self) -> Result<()> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let fails = match self.failure {
            Failure::Crash => call >= self.fails_at,
            Failure::Once => call == self.fails_at,
        };
        match fails {
            true => Err(Error::Generic { store: "faulty", source: "the call failed by plan".into() }),
            false => Ok(()),
        }
    }
}

/// A store whose calls fail by plan. Every page of a listing and every deletion is a call.
#[derive(Debug, Clone)]
pub(crate) struct FaultyStore {
    pub(crate) inner: Arc<dyn ObjectStore>,
    pub(crate) fuse: Arc<Fuse>,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.fuse.check()?;
        self.inner.put_opts(location, payload, options).await
    }
    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.fuse.check()?;
        self.inner.put_multipart_opts(location, options).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.fuse.check()?;
        self.inner.get_opts(location, options).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let fuse = Arc::clone(&self.fuse);
        let checked = locations.map(move |location| {
            fuse.check()?;
            location
        });
        self.inner.delete_stream(checked.boxed())
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fuse.check() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.fuse.check()?;
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.fuse.check()?;
        self.inner.copy_opts(from, to, options).await
    }
}

/// What happens in the middle of somebody's work; it may take several turns.
pub(crate) type Interruption = BoxFuture<'static, ()>;

/// Counts calls; something happens before the n-th, and goes on before those after it.
struct Interrupter {
    calls: AtomicUsize,
    at: usize,
    /// How often the interruption is polled before a call; until its end if absent.
    turns: Option<usize>,
    interruption: Mutex<Option<Interruption>>,
}

impl Interrupter {
    fn new(at: usize, turns: Option<usize>, interruption: Interruption) -> Interrupter {
        Interrupter { calls: AtomicUsize::new(0), at, turns, interruption: Mutex::new(Some(interruption)) }
    }

    fn has_ended(&self) -> bool {
        self.interruption.lock().unwrap().is_none()
    }

    async fn before_call(&self) {
        if self.calls.fetch_add(1, Ordering::SeqCst) < self.at {
            return;
        }
        let Some(mut interruption) = self.interruption.lock().unwrap().take() else { return };
        let Some(turns) = self.turns else { return interruption.await };
        for _ in 0..turns {
            if (&mut interruption).now_or_never().is_some() {
                return;
            }
        }
        *self.interruption.lock().unwrap() = Some(interruption);
    }
}

/// Waits until it is polled once more.
async fn one_turn() {
    let mut has_waited = false;
    poll_fn(|_| if std::mem::replace(&mut has_waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// A store whose every call waits for one more turn.
#[derive(Debug)]
pub(crate) struct SlowStore(pub(crate) Arc<dyn ObjectStore>);

impl fmt::Display for SlowStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slow {}", self.0)
    }
}

#[async_trait]
impl ObjectStore for SlowStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        one_turn().await;
        self.0.put_opts(location, payload, options).await
    }
    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        one_turn().await;
        self.0.get_opts(location, options).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let slowly = locations.then(|location| async {
            one_turn().await;
            location
        });
        self.0.delete_stream(slowly.boxed())
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        one_turn().await;
        self.0.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        one_turn().await;
        self.0.copy_opts(from, to, options).await
    }
}

/// A store in which something happens before its n-th reading call.
#[derive(Clone)]
pub(crate) struct InterruptedStore {
    inner: Arc<dyn ObjectStore>,
    interrupter: Arc<Interrupter>,
}

impl InterruptedStore {
    /// The interruption happens as a whole before the call.
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, at: usize, interruption: Interruption) -> InterruptedStore {
        InterruptedStore { inner, interrupter: Arc::new(Interrupter::new(at, None, interruption)) }
    }

    /// The interruption begins before the call and has so many turns before it and each later one.
    pub(crate) fn in_turns(
        inner: Arc<dyn ObjectStore>,
        at: usize,
        turns: usize,
        interruption: Interruption,
    ) -> InterruptedStore {
        InterruptedStore { inner, interrupter: Arc::new(Interrupter::new(at, Some(turns), interruption)) }
    }

    /// Whether the interruption has come and gone.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupter.has_ended()
    }
}

/// Directories of a disk where something happens just before the n-th call.
pub(crate) struct InterruptedDirectories {
    inner: LocalDirectories,
    interrupter: Interrupter,
}

impl InterruptedDirectories {
    pub(crate) fn new(inner: LocalDirectories, at: usize, interruption: Interruption) -> InterruptedDirectories {
        InterruptedDirectories { inner, interrupter: Interrupter::new(at, None, interruption) }
    }

    /// Whether the call has come.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupter.has_ended()
    }
}

impl fmt::Debug for InterruptedDirectories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted {:?}", self.inner)
    }
}

#[async_trait]
impl Directories for InterruptedDirectories {
    async fn rename_folder(&self, from: &Path, to: &Path) -> Result<()> {
        self.interrupter.before_call().await;
        self.inner.rename_folder(from, to).await
    }
    async fn remove_folder(&self, folder: &Path) -> Result<()> {
        self.interrupter.before_call().await;
        self.inner.remove_folder(folder).await
    }
}

impl fmt::Debug for InterruptedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted {:?}", self.inner)
    }
}

impl fmt::Display for InterruptedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for InterruptedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }
    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.interrupter.before_call().await;
        self.inner.get_opts(location, options).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let list = async move {
            store.interrupter.before_call().await;
            store.inner.list(prefix.as_ref())
        };
        list.flatten_stream().boxed()
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.interrupter.before_call().await;
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Directories whose calls fail by plan.
#[derive(Debug)]
pub(crate) struct FaultyDirectories<D> {
    pub(crate) inner: D,
    pub(crate) fuse: Arc<Fuse>,
}

#[async_trait]
impl<D: Directories> Directories for FaultyDirectories<D> {
    async fn rename_folder(&self, from: &Path, to: &Path) -> Result<()> {
        self.fuse.check()?;
        self.inner.rename_folder(from, to).await
    }
    async fn remove_folder(&self, folder: &Path) -> Result<()> {
        self.fuse.check()?;
        self.inner.remove_folder(folder).await
    }
    fn is_atomic(&self) -> bool {
        self.inner.is_atomic()
    }
}
