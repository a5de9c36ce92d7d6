//! From the path in a job file to a store and a place in it.
//!
//! ```text
//! data/in              relative to the folder of the job file
//! /data/in/*.csv       absolute, here with a glob
//! file:///data/in      the same disk; what follows the slashes is taken as it stands, as Hadoop does
//! hdfs://host:port/in  a Hadoop cluster; also hdfs:///in and hdfs://nameservice/in, see `hdfs`
//! ```
//!
//! Spark writes files into its logs as URIs and compares them as text. [`Location::uri`] makes them exactly so.

use std::fmt;
use std::ops::Range;
use std::path::{Path as DiskPath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;
use ognivo_data::fault::{Explain, Fault};
use ognivo_stream::staging::Staging;

use crate::entries::Entry;
use crate::hdfs::{self, ConfError};
use crate::local::{LocalStore, on_disk};

/// What folders can do that [`ObjectStore`] has no word for; local disks and HDFS have all of it.
#[async_trait]
pub trait Folders: Send + Sync + fmt::Debug {
    /// Whether there is such a folder, empty or not.
    ///
    /// # Errors
    /// Those of the file system.
    async fn folder_exists(&self, folder: &Path) -> object_store::Result<bool>;

    /// Makes the folder and those above it, durably; one that exists is left as it is.
    ///
    /// # Errors
    /// Those of the file system.
    async fn create_folder(&self, folder: &Path) -> object_store::Result<()>;

    /// Moves a folder in one step; the folders above the target are made.
    ///
    /// # Errors
    /// `AlreadyExists` when there is something at the target; `NotFound`.
    async fn rename_folder(&self, from: &Path, to: &Path) -> object_store::Result<()>;

    /// Removes a folder with all that it holds; none there is no error. Not one step: whoever needs that renames first.
    ///
    /// # Errors
    /// Those of the file system.
    async fn remove_folder(&self, folder: &Path) -> object_store::Result<()>;

    /// What changes whenever a name in the folder comes or goes; None where the file system does not tell, or where a change
    /// below the folder would not show in it because it holds folders.
    ///
    /// # Errors
    /// Those of the file system.
    async fn version(&self, folder: &Path) -> object_store::Result<Option<FolderVersion>>;

    /// What there is of that name, a file or a folder.
    ///
    /// # Errors
    /// Those of the file system.
    async fn entry(&self, path: &Path) -> object_store::Result<Option<Entry>>;

    /// Everything directly in a folder, hidden or not, sorted by name; nothing when there is no such folder.
    ///
    /// # Errors
    /// Those of the file system.
    async fn entries(&self, folder: &Path) -> object_store::Result<Vec<Entry>>;

    /// Moves what is at the path to where its owner can find it again, and says where that is; None where there is no such place.
    ///
    /// # Errors
    /// Those of the file system.
    async fn move_to_trash(&self, _path: &Path) -> object_store::Result<Option<String>> {
        Ok(None)
    }

    /// The file, to be opened once for many ranges of it; None where reading by its path costs no more. Nothing is asked yet.
    fn opened(&self, _path: &Path) -> Option<Arc<dyn OpenedFile>> {
        None
    }

    /// How files of this store are written before they show; None where that would save nothing.
    fn staging(&self) -> Option<Arc<dyn Staging>> {
        None
    }

    /// What a person should know of the listings so far, such as names that were passed over; each is told once.
    fn take_warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Removes what crashed writers of ours left half-written in the folder and below, and says how many files.
    ///
    /// # Errors
    /// Those of the file system.
    async fn sweep(&self, folder: &Path) -> object_store::Result<usize>;
}

/// A file that is opened at its first read and stays so.
///
/// As with an open file on a disk, its bytes may go on to be the old ones when another file has taken its name.
#[async_trait]
pub trait OpenedFile: Send + Sync + fmt::Debug {
    /// Opens it, which the first read would do.
    ///
    /// # Errors
    /// Those of the file system.
    async fn open(&self) -> object_store::Result<()>;

    /// The bytes of a range; fewer where the file ends before.
    ///
    /// # Errors
    /// Those of the file system.
    async fn read(&self, range: Range<u64>) -> object_store::Result<Bytes>;
}

/// The state of a folder's list of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderVersion {
    /// When a name last came or went, in nanoseconds since 1970 by the file system's clock.
    pub modified_ns: i128,
}

/// A file, folder or glob in a store.
#[derive(Clone)]
pub struct Location {
    store: Arc<dyn ObjectStore>,
    folders: Arc<dyn Folders>,
    /// What URIs begin with: `file://`, `hdfs://host:port`.
    root: String,
    path: Path,
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri())
    }
}

/// As a user would write it.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_local() {
            true => write!(f, "/{}", self.path),
            false => write!(f, "{}/{}", self.root, self.path),
        }
    }
}

impl Location {
    /// A place in a store; `root` is what its URIs begin with (`hdfs://host:port`).
    pub fn new(
        store: Arc<dyn ObjectStore>,
        folders: Arc<dyn Folders>,
        root: impl Into<String>,
        path: Path,
    ) -> Location {
        Location { store, folders, root: root.into(), path }
    }

    /// A place on the local disks, given by its absolute path without the leading slash.
    pub fn local(path: Path) -> Location {
        let store = Arc::new(LocalStore::new());
        Location::new(Arc::clone(&store) as _, store, LOCAL_ROOT, path)
    }

    /// The same place, whose files get names that are durable before the next file of this process gets its own, not at
    /// once; None where the file system has no such promise.
    pub fn with_ordered_names(&self) -> Option<Location> {
        self.is_local().then(|| self.clone().with_store(Arc::new(LocalStore::with_ordered_names())))
    }

    /// The same place, reached through another store; for tests that let a store fail.
    pub fn with_store(mut self, store: Arc<dyn ObjectStore>) -> Location {
        self.store = store;
        self
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// What the store's folders can do.
    pub fn folders(&self) -> &Arc<dyn Folders> {
        &self.folders
    }

    /// The place in the store; for a glob, its text.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another place in the same store.
    pub fn at(&self, path: Path) -> Location {
        Location { path, ..self.clone() }
    }

    /// The place called `name` (or `a/b`) in this folder, whatever characters are in it.
    ///
    /// # Panics
    /// When `name` has an empty, `.` or `..` part or a control character; names that come from outside are checked before.
    pub fn child(&self, name: &str) -> Location {
        self.at(child(&self.path, name).expect("the name is one that a path can have"))
    }

    /// Whether the path has a glob's characters; as in Spark these are `{}[]*?\`.
    pub fn is_glob(&self) -> bool {
        self.path.as_ref().contains(['{', '}', '[', ']', '*', '?', '\\'])
    }

    /// The URI that Spark would write into its logs for `path`, which lies in this store.
    pub fn uri_of(&self, path: &Path) -> String {
        format!("{}/{}", self.root, encode(path.as_ref()))
    }

    /// The URI of this place.
    pub fn uri(&self) -> String {
        self.uri_of(&self.path)
    }

    /// The path in this store that such a URI names; `None` for another store's.
    pub fn path_of_uri(&self, uri: &str) -> Option<Path> {
        let encoded = match uri.strip_prefix(self.root.as_str()) {
            Some(path) => path,
            None if self.is_local() => uri.strip_prefix("file:")?,
            None => return None,
        };
        encoded.starts_with('/').then(|| decode(encoded)).flatten().and_then(|path| Path::parse(path).ok())
    }

    /// Where `path` lies on a local disk; `None` in another kind of store.
    pub fn on_disk(&self, path: &Path) -> Option<PathBuf> {
        self.is_local().then(|| on_disk(path))
    }

    /// Waits for the answer of the store, on a thread that may block: never on one that runs async tasks.
    pub(crate) fn wait_for<T>(&self, answer: impl Future<Output = T>) -> T {
        futures::executor::block_on(answer)
    }

    /// What URIs of this store begin with.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    pub(crate) fn is_local(&self) -> bool {
        self.root == LOCAL_ROOT
    }
}

const LOCAL_ROOT: &str = "file://";

/// `folder/name`; the name is taken as it stands.
pub(crate) fn child(folder: &Path, name: &str) -> Result<Path, object_store::path::Error> {
    Path::parse(format!("{folder}/{name}"))
}

/// A path that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file system is one that this build cannot reach.
    #[error("{scheme} is not in this build: {location}")]
    NotInThisBuild {
        /// The scheme as written.
        scheme: String,
        /// The path as written.
        location: String,
    },
    /// The text is no path.
    #[error("not a path ({reason}): {location}")]
    NotAPath {
        /// What is wrong with it.
        reason: String,
        /// The path as written.
        location: String,
    },
    /// The path leaves it to the cluster's settings which cluster is meant, and they do not say.
    #[error("no fs.defaultFS says which cluster is meant: {location}")]
    NoDefaultFs {
        /// The path as written.
        location: String,
    },
    /// The cluster's settings cannot be read.
    #[error(transparent)]
    Conf(ConfError),
}

impl Explain for OpenError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match self {
            OpenError::NotInThisBuild { .. } => Some(
                "paths are local (absolute, relative to the job file, or file:///…) or on a cluster (hdfs://host:port/…)"
                    .to_owned(),
            ),
            OpenError::NoDefaultFs { .. } => {
                Some("write hdfs://host:port/…, or let HADOOP_CONF_DIR name the folder of core-site.xml".to_owned())
            }
            OpenError::NotAPath { .. } | OpenError::Conf(_) => None,
        }
    }
}

/// Opens a path as a job file writes it; relative ones begin in `base`. Nothing is read or made.
///
/// `.`, `..` and doubled slashes are resolved in the text, as Hadoop does.
///
/// # Errors
/// [`OpenError`] for a file system that is not in this build and for text that is no path.
pub fn open(location: &str, base: &DiskPath) -> Result<Location, OpenError> {
    let not_a_path = |reason: &str| OpenError::NotAPath { reason: reason.to_owned(), location: location.to_owned() };
    if location.is_empty() {
        return Err(not_a_path("empty"));
    }
    match split_scheme(location) {
        None => {
            let base = std::path::absolute(base).map_err(|error| not_a_path(&error.to_string()))?;
            let path = base.join(location);
            open_local(path.to_str().ok_or_else(|| not_a_path("the base folder is not UTF-8"))?, location)
        }
        Some(("file", rest)) => {
            let path = match rest.strip_prefix("//") {
                Some(after) => after.strip_prefix("localhost").unwrap_or(after),
                None => rest,
            };
            match path.starts_with('/') {
                true => open_local(path, location),
                false => Err(not_a_path("file:// is followed by a host")),
            }
        }
        Some(("hdfs", rest)) => hdfs::open(rest, location),
        Some((scheme, _)) => {
            Err(OpenError::NotInThisBuild { scheme: scheme.to_owned(), location: location.to_owned() })
        }
    }
}

fn open_local(path: &str, location: &str) -> Result<Location, OpenError> {
    resolve_dots(path)
        .map(Location::local)
        .map_err(|error| OpenError::NotAPath { reason: error.to_string(), location: location.to_owned() })
}

/// The path without `.`, `..` and doubled slashes.
pub(crate) fn resolve_dots(path: &str) -> Result<Path, object_store::path::Error> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    Path::parse(parts.join("/"))
}

/// `scheme:` and the rest, when a slash follows; `a:b` is a file's name.
fn split_scheme(location: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = location.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    (is_scheme && rest.starts_with('/')).then_some((scheme, rest))
}

/// Percent-encodes a path as Java's `URI` does: ASCII that a path may not have, and spaces and control characters beyond it.
fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for c in path.chars() {
        let stands = match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => true,
            '\0'..='\x7f' => "/_-!.~'()*,;:$&+=@".contains(c),
            _ => !c.is_whitespace() && !c.is_control(),
        };
        if stands {
            encoded.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    encoded
}

/// The text that [`encode`] made this of; `None` when it is not UTF-8.
fn decode(encoded: &str) -> Option<String> {
    let bytes = encoded.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| encoded.get(i + 1..i + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                i += 3;
            }
            None => {
                decoded.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(location: &str, expect: &str) {
        assert_eq!(open(location, DiskPath::new("/jobs")).unwrap().to_string(), expect);
    }

    #[test]
    fn paths_are_absolute_relative_to_the_job_or_file_uris() {
        check("/data/in", "/data/in");
        check("data//in/./x/../y/", "/jobs/data/in/y");
        check("../in/*.csv", "/in/*.csv");
        check("file:///data/a b%20c", "/data/a b%20c");
        check("file:/data", "/data");
        check("file://localhost/data", "/data");
        check("a:b", "/jobs/a:b");
        check("hdfs://nn:8020/in//./x/../a b.csv", "hdfs://nn:8020/in/a b.csv");
        check("hdfs://nn:8020", "hdfs://nn:8020/");
    }

    #[test]
    fn another_file_system_is_refused_by_name() {
        let error = open("s3a://nn:8020/in", DiskPath::new("/")).unwrap_err();
        assert_eq!(error.to_string(), "s3a is not in this build: s3a://nn:8020/in");
        assert_eq!(error.fault(), Fault::Job);
        assert!(matches!(open("file://host/x", DiskPath::new("/")), Err(OpenError::NotAPath { .. })));
        assert!(matches!(open("", DiskPath::new("/")), Err(OpenError::NotAPath { .. })));
    }

    #[test]
    fn a_uri_is_written_as_spark_writes_it_and_read_back() {
        // Files of these names in a log of ours were known as seen to Spark 3.5.9 and 4.3.0, which went on with the query.
        for (name, uri) in [
            ("f 1.csv", "file:///tmp/f%201.csv"),
            ("p=a%20b", "file:///tmp/p=a%2520b"),
            ("ü#[x]", "file:///tmp/ü%23%5Bx%5D"),
            ("a+b,c;d@e=f&g", "file:///tmp/a+b,c;d@e=f&g"),
            ("q?{x}*", "file:///tmp/q%3F%7Bx%7D*"),
            ("til~de!'()", "file:///tmp/til~de!'()"),
            ("caret^`\"<>|", "file:///tmp/caret%5E%60%22%3C%3E%7C"),
            ("nb\u{a0}sp😀", "file:///tmp/nb%C2%A0sp😀"),
        ] {
            let location = open("/tmp", DiskPath::new("/")).unwrap();
            let file = location.child(name);
            assert_eq!(file.uri(), uri);
            assert_eq!(location.path_of_uri(uri).as_ref(), Some(file.path()));
        }
    }

    #[test]
    fn older_forms_of_local_uris_name_the_same_file() {
        let location = open("/tmp", DiskPath::new("/")).unwrap();
        assert_eq!(location.path_of_uri("file:/tmp/x"), Some(Path::parse("tmp/x").unwrap()));
        assert_eq!(location.path_of_uri("hdfs://nn/tmp/x"), None);
    }
}
