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
mod status_page;
mod ticket;
mod write;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::Path as DiskPath;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use hdfs_native::client::FileStatus;
use hdfs_native::file::FileReader;
use hdfs_native::{Client, HdfsError};
use object_store::path::{Path, PathPart};
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    RenameTargetMode, Result,
};
use ognivo_stream::staging::{BegunFile, StagedFile, Staging};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::entries::Entry;
use crate::listing::is_hidden;
use crate::open::{FolderVersion, Folders, Location, OpenError, OpenedFile};
use crate::temporary::{is_of_this_process, is_temporary};
use crate::unnameable::Unnameable;
use crate::users;
use conf::HadoopConf;
use connection::{Connection, Repeat, detached};
use failed::{Effect, Failed};
use login::Security;
use ticket::{Cache, Ticket};
use write::{HdfsUpload, Target};

pub use conf::ConfError;
pub use failed::advice;
pub use patience::wait_for_servers;
pub(crate) use probe::probe;

/// Files up to this size are read as a whole; longer ones while they are used.
const WHOLE_BYTES: u64 = 8 << 20;

/// Bytes of a long file that are handed over at once, about sixteen packets of a DataNode's: waking whoever waits for them, on
/// another thread, costs as much as it does to read one.
const HANDFUL_BYTES: usize = 1 << 20;

/// Handfuls that wait for their reader.
const HANDFULS_AHEAD: usize = 4;

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

/// The home of the user that we are.
fn home(conf: &HadoopConf) -> String {
    let user = user(conf);
    let above = conf.get("dfs.user.home.dir.prefix").unwrap_or_else(|| "/user".to_owned());
    format!("{}/{user}", above.trim_end_matches('/'))
}

/// Who we are on a cluster with these settings.
fn user(conf: &HadoopConf) -> String {
    let named = std::env::var("HADOOP_USER_NAME").ok().filter(|name| !name.is_empty());
    let is_kerberos = Security::of(conf).is_kerberos;
    // A cache that only the library can read is taken to be that of the user who runs this process, as it mostly is.
    let ticket = if is_kerberos { Cache::of_environment().read().ok().flatten() } else { None };
    let proof = if is_kerberos { Proof::Ticket(ticket) } else { Proof::None { named } };
    proof.user(users::current())
}

/// How a cluster is told who we are.
enum Proof {
    /// By a Kerberos ticket, where its cache can be read.
    Ticket(Option<Ticket>),
    /// We say so, by `HADOOP_USER_NAME`, and are believed.
    None { named: Option<String> },
}

impl Proof {
    /// As Hadoop's client has it: with Kerberos, a name that is merely said counts for nothing.
    fn user(self, runs_process: Option<String>) -> String {
        let user = match self {
            Proof::Ticket(ticket) => ticket.map(|ticket| ticket.short_name().to_owned()),
            Proof::None { named } => named,
        };
        user.or(runs_process).unwrap_or_default()
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
        let place = self.place(path);
        let opened = self.call(Repeat::Freely, open).await;
        let reader = opened.map_err(|failed| failed.at(&place))?;
        let (handfuls, waiting) = mpsc::channel(HANDFULS_AHEAD);
        let fetch = {
            let connection = Arc::clone(&self.connection);
            async move {
                let (start, end) = within(&reader, range);
                let mut stream = reader.read_range_stream(start, end - start).boxed();
                let mut is_over = false;
                while !is_over {
                    let read = handful(&mut stream, connection.data_deadline(0)).await;
                    is_over = read.is_over;
                    let failed = read.failed.map(|failed| Err(connection.explained(failed).at(&place)));
                    let handful: Vec<Result<Bytes>> = read.pieces.into_iter().map(Ok).chain(failed).collect();
                    // Nobody waits for it any more.
                    is_over |= handfuls.send(handful).await.is_err();
                }
            }
        };
        detached(fetch).map_err(|failed| failed.at(&self.place(path)))?;
        let handfuls = futures::stream::unfold(waiting, |mut waiting| async { Some((waiting.recv().await?, waiting)) });
        Ok(handfuls.flat_map(futures::stream::iter).boxed())
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
        let again = match self.call(Repeat::IfNotServed, rename.clone()).await {
            Err(failed) if failed.effect() == Effect::Unknown => self.call(Repeat::Freely, rename).await,
            answer => return answer.map_err(|failed| failed.at(&self.place(to))),
        };
        let Err(failed) = again else { return Ok(()) };
        let has_happened = failed.effect() == Effect::Refused
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
        let deleted = match self.call(Repeat::IfNotServed, delete.clone()).await {
            Err(failed) if failed.effect() == Effect::Unknown => {
                self.call(Repeat::Freely, delete).await.map(|_is_first| true)
            }
            answer => answer,
        };
        match deleted {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::NotFound { path: self.place(path), source: "no such file".into() }),
            Err(failed) => Err(failed.at(&self.place(path))),
        }
    }
}

/// A file whose blocks were asked for once: each range of it costs a DataNode's answer, and none of the NameNode.
#[derive(Debug)]
struct HdfsFile {
    connection: Arc<Connection>,
    path: String,
    place: String,
    reader: Arc<Mutex<Held>>,
}

/// The reader of a file; none before the first range, and after a failure, when the blocks may lie elsewhere.
#[derive(Default)]
struct Held(Option<FileReader>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "open" } else { "to be opened" })
    }
}

#[async_trait]
impl OpenedFile for HdfsFile {
    async fn open(&self) -> Result<()> {
        self.read(0..0).await.map(drop)
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let n_bytes = range.end - range.start;
        let (path, held) = (self.path.clone(), Arc::clone(&self.reader));
        let read = move |client: Client| {
            let (path, held, range) = (path.clone(), Arc::clone(&held), range.clone());
            async move {
                let known = held.lock().unwrap_or_else(PoisonError::into_inner).0.take();
                let reader = match known.filter(|reader| range.end <= reader.file_length() as u64) {
                    Some(reader) => reader,
                    None => open_up_to(&client, &path, Some(range.end)).await?,
                };
                let bytes = read_range(&reader, range).await?;
                held.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(reader);
                Ok(bytes)
            }
        };
        let read = self.connection.call(Repeat::Freely, self.connection.data_deadline(n_bytes), read).await;
        read.map_err(|failed| failed.at(&self.place))
    }
}

/// The next bytes of a file, as they came.
#[derive(Default)]
struct Handful {
    pieces: Vec<Bytes>,
    /// What ended the reading before the end.
    failed: Option<Failed>,
    /// Whether nothing comes after these.
    is_over: bool,
}

/// The next [`HANDFUL_BYTES`], or what is left; each piece of it has `deadline`.
async fn handful(stream: &mut BoxStream<'static, hdfs_native::Result<Bytes>>, deadline: Duration) -> Handful {
    let mut handful = Handful::default();
    let mut n_bytes = 0;
    while n_bytes < HANDFUL_BYTES {
        match timeout(deadline, stream.next()).await {
            Ok(Some(Ok(piece))) => {
                n_bytes += piece.len();
                handful.pieces.push(piece);
            }
            Ok(None) => return Handful { is_over: true, ..handful },
            Ok(Some(Err(error))) => return Handful { failed: Some(error.into()), is_over: true, ..handful },
            Err(_) => return Handful { failed: Some(Failed::Late(deadline)), is_over: true, ..handful },
        }
    }
    handful
}

/// A reader of a file that reaches to `end`, or to the end of the file.
///
/// Of a file that was closed a moment ago the NameNode may not know the last block yet, where it lets files be closed before their blocks
/// are reported (`dfs.namenode.file.close.num-committed-allowed`): it tells the file's length, and only the blocks before. Hadoop's
/// client asks a DataNode then; here it is waited for, so that no file is taken to be shorter than it is.
pub(super) async fn open_up_to(
    client: &Client,
    path: &str,
    end: Option<u64>,
) -> std::result::Result<FileReader, Failed> {
    let reader = client.read(path).await?;
    let length = reader.file_length();
    if end.is_some_and(|end| end > length as u64) && client.get_file_info(path).await?.length > length {
        return Err(Failed::Incomplete);
    }
    Ok(reader)
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

async fn read_range(reader: &FileReader, range: Range<u64>) -> std::result::Result<Bytes, Failed> {
    let (start, end) = within(reader, range);
    Ok(reader.read_range(start, end - start).await?)
}

/// The part of a range that lies within the file: hdfs-native panics beyond.
fn within(reader: &FileReader, range: Range<u64>) -> (usize, usize) {
    let length = reader.file_length() as u64;
    let end = range.end.min(length);
    (range.start.min(end) as usize, end as usize)
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
        Some(Arc::new(HdfsFile {
            connection: Arc::clone(&self.connection),
            path: in_hdfs(path),
            place: self.place(path),
            reader: Arc::default(),
        }))
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

    #[test]
    fn with_kerberos_the_home_is_that_of_the_ticket_whatever_name_is_said() {
        let runs_process = || Some("root".to_owned());
        let ticket = |principal: &str| Ticket { principal: principal.to_owned(), ends_s: None, renewable_s: 0 };
        let said = |named: Option<&str>| Proof::None { named: named.map(str::to_owned) }.user(runs_process());
        assert_eq!([said(Some("mallory")), said(None)], ["mallory", "root"]);
        let shown = |ticket: Option<Ticket>| Proof::Ticket(ticket).user(runs_process());
        assert_eq!(shown(Some(ticket("alice@LAB.TEST"))), "alice");
        assert_eq!(shown(Some(ticket("hdfs/nn1.lab@LAB.TEST"))), "hdfs");
        assert_eq!(shown(None), "root");
    }
}
