//! A store whose calls can fail, before their effect or after it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use super::MemoryFaults;

/// A store, in memory or any other, with [`MemoryFaults`].
#[derive(Debug, Clone)]
pub struct MemoryStore {
    inner: Arc<dyn ObjectStore>,
    faults: MemoryFaults,
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new(MemoryFaults::default())
    }
}

impl MemoryStore {
    /// An empty store in memory.
    pub fn new(faults: MemoryFaults) -> MemoryStore {
        MemoryStore::over(Arc::new(InMemory::new()), faults)
    }

    /// Another store, whose calls can fail now.
    pub fn over(inner: Arc<dyn ObjectStore>, faults: MemoryFaults) -> MemoryStore {
        MemoryStore { inner, faults }
    }

    fn call(&self, call: &str, path: Option<&Path>) -> Result<()> {
        let path = path.map(Path::as_ref).unwrap_or_default();
        let failed = |fault| Error::Generic { store: "faults", source: Box::new(fault) };
        self.faults.call(format!("store.{call} {path}")).map_err(failed)
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.call("put", Some(location))?;
        let put = self.inner.put_opts(location, payload, opts).await?;
        self.call("put answered", Some(location))?;
        Ok(put)
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.call("put_multipart", Some(location))?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.call("get", Some(location))?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let checked = locations.and_then(move |path| {
            let called = store.call("delete", Some(&path));
            async move { called.map(|()| path) }
        });
        self.inner.delete_stream(checked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.call("list", prefix) {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call("list", prefix)?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.call("copy", Some(from))?;
        self.inner.copy_opts(from, to, options).await?;
        self.call("copy answered", Some(from))
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.call("rename", Some(from))?;
        self.inner.rename_opts(from, to, options).await?;
        self.call("rename answered", Some(from))
    }
}
