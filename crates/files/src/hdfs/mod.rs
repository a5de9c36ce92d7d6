//! HDFS: an object store, and folders, on a NameNode and its DataNodes; no Hadoop client and no Java on our side.
//!
//! ```text
//! hdfs://host:port/data/in     that NameNode
//! hdfs://host/data/in          the same at Hadoop's port, 8020; or the name service that HADOOP_CONF_DIR calls `host`
//! hdfs:///data/in, hdfs:/data  the cluster that fs.defaultFS in HADOOP_CONF_DIR names
//! ```
//! We are `HADOOP_USER_NAME`, else the user that runs this process; with Kerberos, whom the ticket names.
//!
//! What is promised beyond [`ObjectStore`] is what [`local`](crate::local) promises, and both are held to the same
//! [laws](crate::laws): a write that has returned is on the DataNodes' disks, and readers see a file whole or not at all.
//! Where a server does not serve (it restarts, is in safe mode or a standby) calls are repeated for some seconds, or as long as
//! [`wait_for_servers`] says, then fail in a way that a stream waits for.

mod conf;
mod connection;
mod failed;
mod greeting;
mod login;
mod patience;
mod probe;
mod read;
mod status_page;
mod ticket;
mod user;
mod write;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::Path as DiskPath;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use hdfs_native::client::FileStatus;
use hdfs_native::{Client, HdfsError};
use object_store::path::{Path, PathPart};
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    RenameTargetMode, Result,
};
use ognivo_stream::staging::{BegunFile, StagedFile, Staging};

use crate::entries::Entry;
use crate::listing::is_hidden;
use crate::open::{FolderVersion, Folders, Location, OpenError, OpenedFile};
use crate::temporary::{is_of_this_process, is_temporary};
use crate::unnameable::Unnameable;
use conf::HadoopConf;
use connection::{Asked, Connection, Repeat};
use failed::{Effect, Failed};
use read::{HdfsFile, LongRead, open_up_to, read_range};
use user::home;
use write::{HdfsUpload, Target};

pub use conf::ConfError;
pub use failed::advice;
pub use patience::wait_for_servers;
pub(crate) use probe::probe;

/// Files up to this size are read as a whole; longer ones while they are used.
const WHOLE_BYTES: u64 = 8 << 20;

/// The store of one cluster; a path is an absolute one without its leading slash.
///
/// `rename` also moves folders in one step. It works from any thread, with or without an async runtime.
#[derive(Debug)]
pub struct HdfsStore {
    /// What URIs begin with.
    root: String,
    connection: Arc<Connection>,
    unnameable: Arc<Unnameable>,
    is_flat: Arc<Mutex<HashMap<Path, bool>>>,
}

/// So many folders are remembered, with whether they held folders when they were last listed.
const MAX_FLAT: usize = 64;

/// One store per cluster and process: they share connections.
static STORES: LazyLock<Mutex<HashMap<String, Arc<HdfsStore>>>> = LazyLock::new(Mutex::default);

/// Opens what follows `hdfs:` in `location`. No server is asked.
pub(crate) fn open(rest: &str, location: &str) -> std::result::Result<Location, OpenError> {
    let conf = HadoopConf::of_environment().map_err(OpenError::Conf)?;
    let not_a_path = |reason: &str| OpenError::NotAPath { reason: reason.to_owned(), location: location.to_owned() };
    let (authority, path) = split_authority(rest);
    let authority = match authority {
        "" => default_authority(&conf).ok_or_else(|| OpenError::NoDefaultFs { location: location.to_owned() })?,
        written => written.to_owned(),
    };
    check_authority(&authority).map_err(not_a_path)?;
    let path = crate::open::resolve_dots(path).map_err(|error| not_a_path(&error.to_string()))?;
    let store = HdfsStore::of(&authority, &conf);
    let root = store.root.clone();
    Ok(Location::new(Arc::clone(&store) as _, store, root, path))
}

/// Opens a path as `hdfs dfs` takes it: without a scheme it lies on the cluster that `fs.defaultFS` names, a relative one below
/// the user's home there; on a local disk where no cluster is named. No server is asked.
///
/// # Errors
/// [`OpenError`].
pub fn open_as_hadoop(location: &str) -> std::result::Result<Location, OpenError> {
    let conf = HadoopConf::of_environment().map_err(OpenError::Conf)?;
    let has_scheme = location.split_once(":/").is_some_and(|(scheme, _)| !scheme.contains('/'));
    if has_scheme || location.is_empty() || default_authority(&conf).is_none() {
        return crate::open::open(location, DiskPath::new("."));
    }
    match location.starts_with('/') {
        true => open(location, location),
        false => open(&format!("{}/{location}", home(&conf)), location),
    }
}

/// The host and what follows it; the host is empty in `/data` and `///data`.
fn split_authority(rest: &str) -> (&str, &str) {
    match rest.strip_prefix("//") {
        None => ("", rest),
        Some(after) => after.split_at(after.find('/').unwrap_or(after.len())),
    }
}

/// The cluster that `fs.defaultFS` names.
fn default_authority(conf: &HadoopConf) -> Option<String> {
    let default = conf.get("fs.defaultFS")?;
    let (authority, _) = split_authority(default.strip_prefix("hdfs:")?);
    (!authority.is_empty()).then(|| authority.to_owned())
}

fn check_authority(authority: &str) -> std::result::Result<(), &'static str> {
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match host.is_empty() || !host.chars().all(is_host) {
        true => Err("hdfs:// is followed by host:port or by the name of a name service"),
        false if port.is_some_and(|port| port.parse::<u16>().is_err()) => Err("the port is no number up to 65535"),
        false => Ok(()),
    }
}

impl HdfsStore {
    fn of(authority: &str, conf: &HadoopConf) -> Arc<HdfsStore> {
        let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(HdfsStore {
                root: format!("hdfs://{authority}"),
                connection: Arc::new(Connection::new(authority, conf)),
                unnameable: Arc::default(),
                is_flat: Arc::default(),
            })
        };
        Arc::clone(stores.entry(authority.to_owned()).or_insert_with(new))
    }

    /// As a message names a path.
    fn place(&self, path: &Path) -> String {
        format!("{}/{path}", self.root)
    }

    /// Asks the NameNode.
    async fn call<T, F, W>(&self, repeat: Repeat, work: W) -> std::result::Result<T, Failed>
    where
        T: Send + 'static,
        F: Future<Output = std::result::Result<T, Failed>> + Send + 'static,
        W: Fn(Client) -> F + Send + Sync + 'static,
    {
        self.connection.call(repeat, self.connection.answer_deadline(), work).await
    }

    fn target(&self, path: &Path, may_replace: bool) -> Target {
        Target { path: in_hdfs(path), place: self.place(path), may_replace }
    }

    /// What the NameNode says of a file or folder; None when there is none.
    async fn status(&self, path: &Path) -> Result<Option<FileStatus>> {
        let asked = in_hdfs(path);
        let ask = move |client: Client| {
            let asked = asked.clone();
            async move { Ok(client.get_file_info(&asked).await?) }
        };
        match self.call(Repeat::Freely, ask).await {
            Ok(status) => Ok(Some(status)),
            Err(failed) if failed.is_absent() => Ok(None),
            Err(failed) => Err(failed.at(&self.place(path))),
        }
    }

    async fn file(&self, path: &Path) -> Result<ObjectMeta> {
        match self.status(path).await? {
            Some(status) if !status.isdir => Ok(meta(path.clone(), &status)),
            _ => {
                let source = "no such file".into();
                Err(Error::NotFound { path: self.place(path), source })
            }
        }
    }

    /// Everything directly in a folder, temporaries too; nothing when there is no such folder.
    async fn statuses(&self, folder: &Path) -> Result<Vec<FileStatus>> {
        let asked = in_hdfs(folder);
        let list = move |client: Client| {
            let asked = asked.clone();
            async move { statuses_in(&client, &asked).await }
        };
        match self.call(Repeat::Freely, list).await {
            Ok(entries) => Ok(entries),
            Err(failed) if failed.is_absent() => Ok(Vec::new()),
            Err(failed) => Err(failed.at(&self.place(folder))),
        }
    }

    async fn list_folder(&self, folder: &Path) -> Result<ListResult> {
        let mut listed = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
        for entry in self.statuses(folder).await? {
            let name = name_of(&entry);
            if is_temporary(name) {
                continue;
            }
            match PathPart::parse(name).map(|name| folder.clone().join(name)) {
                Ok(path) if entry.isdir => listed.common_prefixes.push(path),
                Ok(path) => listed.objects.push(meta(path, &entry)),
                Err(_) if is_hidden(name) => {}
                Err(_) => self.unnameable.note(format!("{}{:?}", self.root, entry.path)),
            }
        }
        self.remember(folder, listed.common_prefixes.is_empty());
        listed.common_prefixes.sort_unstable();
        listed.objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(listed)
    }

    fn remember(&self, folder: &Path, is_flat: bool) {
        let mut known = self.is_flat.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_FLAT && !known.contains_key(folder) {
            known.clear();
        }
        known.insert(folder.clone(), is_flat);
    }

    /// The same store, for streams and tasks that outlive a borrow.
    fn shared(&self) -> HdfsStore {
        HdfsStore {
            root: self.root.clone(),
            connection: Arc::clone(&self.connection),
            unnameable: Arc::clone(&self.unnameable),
            is_flat: Arc::clone(&self.is_flat),
        }
    }

    /// Bytes of a file, range by range; a range ends where the file does.
    async fn read(&self, path: &Path, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let n_bytes = ranges.iter().map(|range| range.end - range.start).sum();
        let asked = in_hdfs(path);
        let read = move |client: Client| {
            let (asked, ranges) = (asked.clone(), ranges.clone());
            async move {
                let reader = open_up_to(&client, &asked, ranges.iter().map(|range| range.end).max()).await?;
                let mut pieces = Vec::with_capacity(ranges.len());
                for range in ranges {
                    pieces.push(read_range(&reader, range).await?);
                }
                Ok(pieces)
            }
        };
        let read = self.connection.call(Repeat::Freely, self.connection.data_deadline(n_bytes), read).await;
        read.map_err(|failed| failed.at(&self.place(path)))
    }

    /// Bytes of a long file, a bounded number of them ahead of their reader.
    async fn read_on(&self, path: &Path, range: Range<u64>) -> Result<BoxStream<'static, Result<Bytes>>> {
        let (asked, end) = (in_hdfs(path), range.end);
        let open = move |client: Client| {
            let asked = asked.clone();
            async move { open_up_to(&client, &asked, Some(end)).await }
        };
        let opened = self.call(Repeat::Freely, open).await;
        let reader = opened.map_err(|failed| failed.at(&self.place(path)))?;
        Ok(LongRead::new(&self.connection, reader, range, self.place(path)).into_stream())
    }

    async fn create_parent(&self, path: &Path) -> Result<()> {
        match path.as_ref().rsplit_once('/') {
            Some((parent, _)) => self.create_folder(&Path::parse(parent)?).await,
            None => Ok(()),
        }
    }

    /// Moves a file or a folder in one step; the folders above the target are made.
    ///
    /// When the answer is lost, it is asked for again: whichever of the two comes first moves it, and the other finds nothing to move,
    /// as long as nobody puts something there meanwhile.
    async fn rename_any(&self, from: &Path, to: &Path, may_replace: bool) -> Result<()> {
        self.create_parent(to).await?;
        let (source, target) = (in_hdfs(from), in_hdfs(to));
        let rename = move |client: Client| {
            let (source, target) = (source.clone(), target.clone());
            async move { Ok(client.rename(&source, &target, may_replace).await?) }
        };
        let Asked { answer, is_again } = self.connection.ask(rename).await;
        let Err(failed) = answer else { return Ok(()) };
        let has_happened = is_again
            && failed.effect() == Effect::Refused
            && self.status(from).await?.is_none()
            && self.status(to).await?.is_some();
        match has_happened {
            true => Ok(()),
            false => Err(failed.at(&self.place(to))),
        }
    }

    /// Removes a file. When the answer is lost, it is asked for again, and then it is no error that the file is not there.
    async fn delete(&self, path: &Path) -> Result<()> {
        let asked = in_hdfs(path);
        let delete = move |client: Client| {
            let asked = asked.clone();
            async move { Ok(client.delete(&asked, false).await?) }
        };
        let Asked { answer, is_again } = self.connection.ask(delete).await;
        match answer {
            Ok(true) => Ok(()),
            Ok(false) if is_again => Ok(()),
            Ok(false) => Err(Error::NotFound { path: self.place(path), source: "no such file".into() }),
            Err(failed) => Err(failed.at(&self.place(path))),
        }
    }
}

/// As [`Client::list_status`], which moves each of thousands of entries several times more.
async fn statuses_in(client: &Client, folder: &str) -> std::result::Result<Vec<FileStatus>, Failed> {
    let listing = client.list_status_iter(folder, false);
    let mut found = Vec::new();
    while let Some(entry) = listing.next().await {
        let entry = entry?;
        // A file lists as itself.
        if entry.path != folder {
            found.push(entry);
        }
    }
    Ok(found)
}

/// A path as HDFS has it.
fn in_hdfs(path: &Path) -> String {
    format!("/{path}")
}

fn name_of(entry: &FileStatus) -> &str {
    entry.path.rsplit('/').next().unwrap_or_default()
}

fn meta(location: Path, status: &FileStatus) -> ObjectMeta {
    let last_modified = DateTime::from_timestamp_millis(status.modification_time as i64).unwrap_or_default();
    ObjectMeta { location, last_modified, size: status.length as u64, e_tag: None, version: None }
}

fn entry(path: Path, status: FileStatus) -> Entry {
    const MODE_BITS: u16 = 0o1777;
    Entry {
        path,
        is_folder: status.isdir,
        size_bytes: status.length as u64,
        modified_ms: status.modification_time as i64,
        mode: status.permission & MODE_BITS,
        owner: status.owner,
        group: status.group,
        n_replicas: status.replication.filter(|_| !status.isdir),
    }
}

impl fmt::Display for HdfsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)
    }
}

#[async_trait]
impl ObjectStore for HdfsStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let may_replace = match options.mode {
            PutMode::Overwrite => true,
            PutMode::Create => false,
            PutMode::Update(_) => return Err(not_implemented("put with PutMode::Update")),
        };
        write::put(&self.connection, self.target(location, may_replace), payload).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(HdfsUpload::begin(&self.connection, self.target(location, true)).await?))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let meta = self.file(location).await?;
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            Some(range) => range.as_range(meta.size).map_err(|error| Error::Generic {
                store: "HDFS",
                source: std::io::Error::new(std::io::ErrorKind::InvalidInput, error.to_string()).into(),
            })?,
            None => 0..meta.size,
        };
        let stream = match range.end - range.start {
            _ if options.head => futures::stream::empty().boxed(),
            0..=WHOLE_BYTES => {
                let pieces = self.read(location, vec![range.clone()]).await?;
                futures::stream::iter(pieces.into_iter().map(Ok)).boxed()
            }
            _ => self.read_on(location, range.clone()).await?,
        };
        Ok(GetResult { payload: GetResultPayload::Stream(stream), meta, range, attributes: Attributes::default() })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.read(location, ranges.to_vec()).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = Arc::new(self.shared());
        let delete = move |location: Result<Path>| {
            let store = Arc::clone(&store);
            async move {
                let location = location?;
                store.delete(&location).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = Arc::new(self.shared());
        let root = prefix.cloned().unwrap_or(Path::ROOT);
        let folders = futures::stream::try_unfold(vec![root], move |mut open| {
            let store = Arc::clone(&store);
            async move {
                let Some(folder) = open.pop() else { return Ok(None) };
                let listed = store.list_folder(&folder).await?;
                open.extend(listed.common_prefixes);
                Ok::<_, Error>(Some((futures::stream::iter(listed.objects.into_iter().map(Ok::<_, Error>)), open)))
            }
        });
        folders.try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.list_folder(prefix.unwrap_or(&Path::ROOT)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let may_replace = options.mode != CopyMode::Create;
        let mut original = self.get_opts(from, GetOptions::default()).await?.into_stream();
        let mut upload = HdfsUpload::begin(&self.connection, self.target(to, may_replace)).await?;
        while let Some(piece) = original.try_next().await? {
            upload.put_part(piece.into()).await?;
        }
        upload.complete().await.map(|_| ())
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.rename_any(from, to, options.target_mode == RenameTargetMode::Overwrite).await
    }
}

#[async_trait]
impl Staging for HdfsStore {
    async fn stage(&self, path: &Path, content: Bytes, may_replace: bool) -> Result<Box<dyn StagedFile>> {
        let target = self.target(path, may_replace);
        Ok(Box::new(write::stage(&self.connection, target, content.into()).await?))
    }

    fn begin(&self, path: &Path, first: Bytes, may_replace: bool) -> Box<dyn BegunFile> {
        Box::new(write::begin_hidden(&self.connection, self.target(path, may_replace), first))
    }
}

#[async_trait]
impl Folders for HdfsStore {
    async fn folder_exists(&self, folder: &Path) -> Result<bool> {
        Ok(self.status(folder).await?.is_some_and(|status| status.isdir))
    }

    async fn create_folder(&self, folder: &Path) -> Result<()> {
        const PERMISSION: u32 = 0o755;
        let asked = in_hdfs(folder);
        let create = move |client: Client| {
            let asked = asked.clone();
            async move { Ok(client.mkdirs(&asked, PERMISSION, true).await?) }
        };
        let created = self.call(Repeat::Freely, create).await;
        created.map_err(|failed| failed.writing(&self.place(folder)))
    }

    async fn rename_folder(&self, from: &Path, to: &Path) -> Result<()> {
        self.rename_any(from, to, false).await
    }

    async fn remove_folder(&self, folder: &Path) -> Result<()> {
        let asked = in_hdfs(folder);
        let delete = move |client: Client| {
            let asked = asked.clone();
            async move { Ok(client.delete(&asked, true).await?) }
        };
        let deleted = self.call(Repeat::Freely, delete).await;
        deleted.map(|_| ()).map_err(|failed| failed.at(&self.place(folder)))
    }

    /// HDFS tells when a name last came or went, but not whether the folder holds folders: that is remembered of its last
    /// listing, and a folder that came since shows as a change.
    async fn version(&self, folder: &Path) -> Result<Option<FolderVersion>> {
        let is_flat = self.is_flat.lock().unwrap_or_else(PoisonError::into_inner).get(folder).copied();
        if is_flat != Some(true) {
            return Ok(None);
        }
        let status = self.status(folder).await?.filter(|status| status.isdir);
        Ok(status.map(|status| FolderVersion { modified_ns: i128::from(status.modification_time) * 1_000_000 }))
    }

    async fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        Ok(self.status(path).await?.map(|status| entry(path.clone(), status)))
    }

    async fn entries(&self, folder: &Path) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        for status in self.statuses(folder).await? {
            match Path::parse(&status.path) {
                Ok(path) => found.push(entry(path, status)),
                Err(_) => self.unnameable.note(format!("{}{:?}", self.root, status.path)),
            }
        }
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    async fn move_to_trash(&self, path: &Path) -> Result<Option<String>> {
        let asked = in_hdfs(path);
        let trash = move |client: Client| {
            let asked = asked.clone();
            async move {
                match client.trash(&asked).await {
                    Err(HdfsError::TrashNotEnabled) => Ok(None),
                    moved => Ok(moved?),
                }
            }
        };
        let moved = self.call(Repeat::IfNotServed, trash).await;
        let moved = moved.map_err(|failed| failed.at(&self.place(path)))?;
        Ok(moved.map(|place| format!("{}{place}", self.root)))
    }

    fn opened(&self, path: &Path) -> Option<Arc<dyn OpenedFile>> {
        Some(Arc::new(HdfsFile::new(&self.connection, in_hdfs(path), self.place(path))))
    }

    /// A file takes a dozen calls until every byte is on the disks, and one to be named.
    fn staging(&self) -> Option<Arc<dyn Staging>> {
        Some(Arc::new(self.shared()))
    }

    fn take_warnings(&self) -> Vec<String> {
        self.unnameable.take_untold()
    }

    /// Temporaries of another process are taken to be a dead one's: whoever sweeps a folder is the one that writes there. Should
    /// the other process live, it can no longer give that file a name, and its write fails with `Precondition`.
    async fn sweep(&self, folder: &Path) -> Result<usize> {
        let mut open = vec![folder.clone()];
        let mut n_removed = 0;
        while let Some(folder) = open.pop() {
            for entry in self.statuses(&folder).await? {
                let Ok(path) = Path::parse(&entry.path) else { continue };
                let name = name_of(&entry);
                if entry.isdir {
                    open.push(path);
                } else if is_temporary(name) && !is_of_this_process(name) {
                    match self.delete(&path).await {
                        Err(Error::NotFound { .. }) => {}
                        deleted => n_removed += deleted.map(|()| 1)?,
                    }
                }
            }
        }
        Ok(n_removed)
    }
}

fn not_implemented(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "HdfsStore".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rest: &str, conf: &[(&str, &str)], expect: Option<&str>) {
        let (authority, path) = split_authority(rest);
        let authority = match authority {
            "" => default_authority(&HadoopConf::of(conf)),
            written => Some(written.to_owned()),
        };
        let opened = authority.filter(|authority| check_authority(authority).is_ok());
        assert_eq!(opened.map(|authority| format!("{authority} {path}")).as_deref(), expect);
    }

    #[test]
    fn the_cluster_is_written_or_is_the_default_one() {
        let conf = [("fs.defaultFS", "hdfs://labns/")];
        check("//nn:8020/in/*.csv", &[], Some("nn:8020 /in/*.csv"));
        check("//nn", &[], Some("nn "));
        check("///in", &conf, Some("labns /in"));
        check("/in", &conf, Some("labns /in"));
        check("/in", &[], None);
        check("/in", &[("fs.defaultFS", "file:///")], None);
        check("//user@nn/in", &[], None);
        check("//nn:80200/in", &[], None);
    }
}
