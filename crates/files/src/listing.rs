//! Which files a folder, a glob or a file name stands for.
//!
//! ```text
//! in/            the files directly in it, and those in partition folders (k=v) below it, whose names become columns
//! in/*.csv       every file and folder that fits; partition folders that the glob itself names give no columns
//! in/a.csv       that file
//! ```
//! Names that begin with `_` or `.` are not seen, nor are `….COPYING_` uploads of `hdfs dfs -put`; `_a=1` is a partition
//! folder all the same. Files come sorted by path.
//!
//! A folder that holds `_spark_metadata` is the output of a query: the files that this log names are its files, and no
//! others, so that a batch that was not finished is not seen.

use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, ObjectStoreExt};
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_stream::checkpoint::{CheckpointError, CompactibleLog, CompactibleLogOptions};
use serde::{Deserialize, Serialize};

use crate::glob::{Glob, GlobError, expand_braces};
use crate::open::{Location, child};
use crate::partition::{PartitionFolder, parse_folder_name};

/// The folder in which a file sink of Spark's, or ours, keeps its log.
const SPARK_METADATA: &str = "_spark_metadata";

/// Which files of a folder count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListingOptions {
    /// `pathGlobFilter`: only files whose name fits this glob.
    pub path_glob_filter: Option<String>,
    /// `recursiveFileLookup`: files of all folders below, none of which gives a column.
    pub recursive_file_lookup: bool,
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Where it lies in its store.
    pub path: Path,
    /// Its length.
    pub size_bytes: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: i64,
    /// The partition folders between the listed folder and the file, outermost first.
    pub folders: Vec<PartitionFolder>,
}

/// Why files cannot be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// There is neither a file nor a folder of this name.
    #[error("no such file or folder: {location}")]
    NotFound {
        /// The name.
        location: String,
    },
    /// The glob cannot be understood.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// Two files of one folder lie below different partition columns.
    #[error("partition folders differ, {first} has the columns [{}], {second} has [{}]", .first_columns.join(", "), .second_columns.join(", "))]
    PartitionsDiffer {
        /// A file.
        first: String,
        /// Its partition columns.
        first_columns: Vec<String>,
        /// Another file.
        second: String,
        /// Its partition columns.
        second_columns: Vec<String>,
    },
    /// The log that says which files of a folder count cannot be read.
    #[error("cannot tell which files of {location} count: {source}")]
    SinkLog {
        /// The folder.
        location: String,
        /// What is wrong with its log.
        source: CheckpointError,
    },
    /// The file system failed.
    #[error("cannot list {location}: {source}")]
    Store {
        /// What was listed.
        location: String,
        /// What the file system said.
        source: object_store::Error,
    },
}

impl Explain for ListError {
    fn fault(&self) -> Fault {
        match self {
            ListError::NotFound { .. } | ListError::Glob(_) => Fault::Job,
            ListError::PartitionsDiffer { .. } => Fault::Data,
            ListError::SinkLog { source, .. } => source.fault(),
            ListError::Store { source: object_store::Error::PermissionDenied { .. }, .. }
            | ListError::Store { source: object_store::Error::Unauthenticated { .. }, .. } => Fault::Job,
            ListError::Store { source: object_store::Error::NotSupported { .. }, .. } => Fault::Data,
            ListError::Store { .. } => Fault::Remote,
        }
    }
    fn retry(&self) -> Retry {
        match self {
            ListError::Store { .. } if self.fault() == Fault::Remote => Retry::Backoff,
            ListError::SinkLog { source, .. } => source.retry(),
            _ => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            ListError::PartitionsDiffer { .. } => {
                Some("move the files so that all lie at the same depth, or set recursiveFileLookup".to_owned())
            }
            _ => None,
        }
    }
}

/// The files that `location` stands for, sorted by path.
///
/// # Errors
/// [`ListError::NotFound`] for a name that is no glob and is not there; a glob that fits nothing gives no files.
pub async fn list_files(location: &Location, options: &ListingOptions) -> Result<Vec<InputFile>, ListError> {
    let listing = Listing {
        location,
        filter: options.path_glob_filter.as_deref().map(Glob::new).transpose()?,
        is_recursive: options.recursive_file_lookup,
    };
    let mut files = Vec::new();
    if location.is_glob() {
        for root in glob_roots(location).await? {
            match root {
                Found::File(file) => listing.take(file, &[], &mut files),
                Found::Folder(folder) => listing.walk(folder, &mut files).await?,
            }
        }
    } else {
        listing.walk(location.path().clone(), &mut files).await?;
        // Most often there are some, and nothing needs to be asked.
        if files.is_empty() {
            match head(location, location.path()).await? {
                Some(file) => listing.take(file, &[], &mut files),
                None if folder_exists(location, location.path()).await? => {}
                None => return Err(ListError::NotFound { location: location.to_string() }),
            }
        }
    }
    files.sort_unstable_by(|a, b| a.path.as_ref().cmp(b.path.as_ref()));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

/// The columns that the partition folders of `files` give; the same for every file.
///
/// # Errors
/// [`ListError::PartitionsDiffer`].
pub fn partition_columns(files: &[InputFile]) -> Result<Vec<String>, ListError> {
    let columns = |file: &InputFile| file.folders.iter().map(|folder| folder.column.clone()).collect::<Vec<_>>();
    let Some(first) = files.first() else { return Ok(Vec::new()) };
    let first_columns = columns(first);
    match files.iter().find(|file| columns(file) != first_columns) {
        None => Ok(first_columns),
        Some(second) => Err(ListError::PartitionsDiffer {
            first: first.path.to_string(),
            first_columns,
            second: second.path.to_string(),
            second_columns: columns(second),
        }),
    }
}

/// Whether a file or folder of this name is passed over.
pub(crate) fn is_hidden(name: &str) -> bool {
    (name.starts_with('_') && !name.contains('=')) || name.starts_with('.') || name.ends_with("._COPYING_")
}

struct Listing<'a> {
    location: &'a Location,
    filter: Option<Glob>,
    is_recursive: bool,
}

impl Listing<'_> {
    /// Takes the files in `root`, and those below it that the options and the partition folders let in.
    async fn walk(&self, root: Path, files: &mut Vec<InputFile>) -> Result<(), ListError> {
        let mut open: Vec<(Path, Vec<PartitionFolder>)> = vec![(root, Vec::new())];
        let mut is_root = true;
        while let Some((folder, partitions)) = open.pop() {
            let listed = list(self.location, &folder).await?;
            let has_log = listed.common_prefixes.iter().any(|below| name_of(below) == SPARK_METADATA);
            if std::mem::take(&mut is_root) && has_log {
                return self.take_logged(&folder, files).await;
            }
            for file in listed.objects {
                if !is_hidden(name_of(&file.location)) {
                    self.take(file, &partitions, files);
                }
            }
            for below in listed.common_prefixes {
                let name = name_of(&below);
                if is_hidden(name) {
                    continue;
                }
                let partition = if self.is_recursive { None } else { parse_folder_name(name) };
                // As in Spark, what lies below a partition folder belongs to it, however the folders there are called.
                if self.is_recursive || partition.is_some() || !partitions.is_empty() {
                    open.push((below.clone(), partitions.iter().cloned().chain(partition).collect()));
                }
            }
        }
        Ok(())
    }

    /// Takes the files that the folder's log names.
    async fn take_logged(&self, folder: &Path, files: &mut Vec<InputFile>) -> Result<(), ListError> {
        let failed = |source| ListError::SinkLog { location: self.location.at(folder.clone()).to_string(), source };
        let log_folder =
            child(folder, SPARK_METADATA).map_err(|error| store_error(self.location, folder, error.into()))?;
        let store = self.location.store().clone();
        let log: CompactibleLog<LoggedFile> = CompactibleLog::new(store, log_folder, CompactibleLogOptions::default());
        let entries = log.all().await.map_err(failed)?.map_or_else(Vec::new, |(_, entries)| entries);
        // Spark 2 could take files back; a path that was deleted does not count, wherever in the log it stands.
        let is_deleted = |path: &str| entries.iter().any(|entry| entry.action == "delete" && entry.path == path);
        let has_deletions = entries.iter().any(|entry| entry.action == "delete");
        for entry in &entries {
            if entry.action == "delete" || (has_deletions && is_deleted(&entry.path)) {
                continue;
            }
            let path = self.location.path_of_uri(&entry.path).ok_or_else(|| {
                failed(CheckpointError::Damaged {
                    path: entry.path.clone(),
                    line: 1,
                    reason: "the file lies in another file system than the log that names it".to_owned(),
                })
            })?;
            if self.filter.as_ref().is_none_or(|filter| filter.matches(name_of(&path))) {
                let folders = if self.is_recursive { Vec::new() } else { folders_between(folder, &path) };
                files.push(InputFile { path, size_bytes: entry.size, modified_ms: entry.modification_time, folders });
            }
        }
        Ok(())
    }

    fn take(&self, file: ObjectMeta, folders: &[PartitionFolder], files: &mut Vec<InputFile>) {
        if self.filter.as_ref().is_none_or(|filter| filter.matches(name_of(&file.location))) {
            files.push(InputFile {
                size_bytes: file.size,
                modified_ms: file.last_modified.timestamp_millis(),
                path: file.location,
                folders: folders.to_vec(),
            });
        }
    }
}

/// A line of a file sink's log, as far as a reader needs it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoggedFile {
    path: String,
    size: u64,
    modification_time: i64,
    action: String,
}

/// The partition folders of a file that was found at `location` once, told from its path alone; a glob names none.
pub(crate) fn folders_of(location: &Location, options: &ListingOptions, path: &Path) -> Vec<PartitionFolder> {
    match location.is_glob() || options.recursive_file_lookup {
        true => Vec::new(),
        false => folders_between(location.path(), path),
    }
}

fn folders_between(folder: &Path, path: &Path) -> Vec<PartitionFolder> {
    let below = path.as_ref().strip_prefix(folder.as_ref()).unwrap_or_default().trim_start_matches('/');
    let (folders, _) = below.rsplit_once('/').unwrap_or_default();
    folders.split('/').filter_map(parse_folder_name).collect()
}

fn name_of(path: &Path) -> &str {
    path.filename().unwrap_or_default()
}

enum Found {
    File(ObjectMeta),
    Folder(Path),
}

/// The files and folders that fit a glob.
async fn glob_roots(location: &Location) -> Result<Vec<Found>, ListError> {
    let mut found = Vec::new();
    for pattern in expand_braces(location.path().as_ref())? {
        let parts: Vec<Glob> =
            pattern.split('/').filter(|part| !part.is_empty()).map(Glob::new).collect::<Result<_, _>>()?;
        let Some((last, above)) = parts.split_last() else { continue };
        let mut folders = vec![Path::ROOT];
        for part in above {
            folders = step_down(location, folders, part).await?;
        }
        for folder in folders {
            found.extend(fitting(location, &folder, last).await?);
        }
    }
    Ok(found)
}

/// The folders directly below `folders` that fit `part`.
async fn step_down(location: &Location, folders: Vec<Path>, part: &Glob) -> Result<Vec<Path>, ListError> {
    let mut below = Vec::new();
    for folder in folders {
        match part.literal() {
            // Whether it is there shows at the last part; until then, nothing needs to be asked.
            Some(name) => below.extend(child(&folder, &name)),
            None => {
                let listed = list(location, &folder).await?;
                below.extend(listed.common_prefixes.into_iter().filter(|path| fits(part, path)));
            }
        }
    }
    Ok(below)
}

/// The files and folders directly in `folder` that fit `part`.
async fn fitting(location: &Location, folder: &Path, part: &Glob) -> Result<Vec<Found>, ListError> {
    let Some(name) = part.literal() else {
        let ListResult { common_prefixes, objects } = list(location, folder).await?;
        let folders = common_prefixes.into_iter().filter(|path| fits(part, path)).map(Found::Folder);
        let files = objects.into_iter().filter(|file| fits(part, &file.location)).map(Found::File);
        return Ok(folders.chain(files).collect());
    };
    let Ok(path) = child(folder, &name) else { return Ok(Vec::new()) };
    if let Some(file) = head(location, &path).await? {
        return Ok(vec![Found::File(file)]);
    }
    let is_folder = folder_exists(location, &path).await?;
    Ok(is_folder.then_some(Found::Folder(path)).into_iter().collect())
}

fn fits(part: &Glob, path: &Path) -> bool {
    let name = name_of(path);
    part.matches(name) && (part.asks_for_hidden() || !is_hidden(name))
}

async fn list(location: &Location, folder: &Path) -> Result<ListResult, ListError> {
    match location.store().list_with_delimiter(Some(folder)).await {
        Err(object_store::Error::NotFound { .. }) => {
            Ok(ListResult { common_prefixes: Vec::new(), objects: Vec::new() })
        }
        listed => listed.map_err(|source| store_error(location, folder, source)),
    }
}

/// The file of this name; None when there is none.
async fn head(location: &Location, path: &Path) -> Result<Option<ObjectMeta>, ListError> {
    if path.is_root() {
        return Ok(None);
    }
    match location.store().head(path).await {
        Ok(file) => Ok(Some(file)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(store_error(location, path, source)),
    }
}

async fn folder_exists(location: &Location, path: &Path) -> Result<bool, ListError> {
    location.folders().folder_exists(path).await.map_err(|source| store_error(location, path, source))
}

fn store_error(location: &Location, path: &Path, source: object_store::Error) -> ListError {
    ListError::Store { location: location.at(path.clone()).to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::open;
    use std::fs;

    /// A folder with these files, each of one byte.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        folder
    }

    fn list_in(folder: &tempfile::TempDir, path: &str, options: &ListingOptions) -> Result<Vec<InputFile>, ListError> {
        let location = open(path, folder.path()).unwrap();
        futures::executor::block_on(list_files(&location, options))
    }

    #[track_caller]
    fn check(files: &[&str], path: &str, options: ListingOptions, expect: &[&str]) {
        let folder = folder(files);
        let base = format!("{}/", folder.path().to_str().unwrap().trim_start_matches('/'));
        let found = list_in(&folder, path, &options).unwrap();
        let names: Vec<&str> = found.iter().map(|file| file.path.as_ref().strip_prefix(&base).unwrap()).collect();
        assert_eq!(names, expect);
    }

    #[test]
    fn a_folder_stands_for_its_visible_files() {
        let files = ["in/b.csv", "in/a.csv", "in/.hidden", "in/_SUCCESS", "in/c._COPYING_", "in/sub/d.csv"];
        check(&files, "in", ListingOptions::default(), &["in/a.csv", "in/b.csv"]);
    }

    #[test]
    fn recursive_lookup_goes_into_every_visible_folder() {
        let files = ["in/a.csv", "in/sub/k=1/d.csv", "in/_x/0", "in/.x/e.csv"];
        let options = ListingOptions { recursive_file_lookup: true, ..ListingOptions::default() };
        check(&files, "in", options, &["in/a.csv", "in/sub/k=1/d.csv"]);
    }

    #[test]
    fn a_filter_looks_at_the_file_name() {
        let options = ListingOptions { path_glob_filter: Some("*.{csv,txt}".to_owned()), ..ListingOptions::default() };
        check(&["in/a.csv", "in/b.txt", "in/c.json"], "in", options, &["in/a.csv", "in/b.txt"]);
    }

    #[test]
    fn a_glob_stands_for_files_and_for_the_files_of_folders() {
        let files = ["in/1/a.csv", "in/2/b.csv", "in/2/c.json", "in/_x/d.csv", "other/e.csv"];
        check(&files, "in/*", ListingOptions::default(), &["in/1/a.csv", "in/2/b.csv", "in/2/c.json"]);
        check(&files, "in/*/*.csv", ListingOptions::default(), &["in/1/a.csv", "in/2/b.csv"]);
        check(&files, "{in/1,other}/*.csv", ListingOptions::default(), &["in/1/a.csv", "other/e.csv"]);
        check(&files, "in/[0-1]", ListingOptions::default(), &["in/1/a.csv"]);
        check(&files, "nowhere/*", ListingOptions::default(), &[]);
    }

    #[test]
    fn a_file_that_fits_twice_is_listed_once() {
        check(&["in/a.csv"], "in/{a,*}.csv", ListingOptions::default(), &["in/a.csv"]);
    }

    #[test]
    fn partition_folders_are_followed_and_named() {
        let folder = folder(&["in/p=1/q=a%3Ab/f.csv", "in/p=2/q=__HIVE_DEFAULT_PARTITION__/g.csv"]);
        let files = list_in(&folder, "in", &ListingOptions::default()).unwrap();
        assert_eq!(partition_columns(&files).unwrap(), ["p", "q"]);
        let values = |file: &InputFile| file.folders.iter().map(|folder| folder.value.clone()).collect::<Vec<_>>();
        assert_eq!(values(&files[0]), [Some("1".to_owned()), Some("a:b".to_owned())]);
        assert_eq!(values(&files[1]), [Some("2".to_owned()), None]);
    }

    #[test]
    fn files_beside_partition_folders_are_refused_and_not_lost() {
        let folder = folder(&["in/a.csv", "in/p=1/f.csv"]);
        let files = list_in(&folder, "in", &ListingOptions::default()).unwrap();
        let error = partition_columns(&files).unwrap_err();
        assert_eq!(error.fault(), Fault::Data);
        assert!(error.to_string().ends_with("has [p]"), "{error}");
    }

    #[test]
    fn a_folder_with_a_log_holds_the_files_that_the_log_names() {
        let folder = folder(&["out/p=1/a", "out/p=2/b", "out/p=1/unfinished"]);
        let entry = |file: &str| {
            let base = folder.path().to_str().unwrap();
            format!(
                r#"{{"path":"file://{base}/out/{file}","size":1,"isDir":false,"modificationTime":5,"blockReplication":1,"blockSize":1,"action":"add"}}"#
            )
        };
        fs::create_dir(folder.path().join("out/_spark_metadata")).unwrap();
        fs::write(folder.path().join("out/_spark_metadata/0"), format!("v1\n{}", entry("p=1/a"))).unwrap();
        fs::write(folder.path().join("out/_spark_metadata/1"), format!("v1\n{}", entry("p=2/b"))).unwrap();
        let files = list_in(&folder, "out", &ListingOptions::default()).unwrap();
        let names: Vec<&str> = files.iter().map(|file| name_of(&file.path)).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!((files[0].size_bytes, files[0].modified_ms), (1, 5));
        assert_eq!(files[1].folders, [PartitionFolder { column: "p".to_owned(), value: Some("2".to_owned()) }]);
        let location = open("out", folder.path()).unwrap();
        assert_eq!(folders_of(&location, &ListingOptions::default(), &files[1].path), files[1].folders);
    }

    #[test]
    fn a_single_file_is_taken_by_its_name_even_a_hidden_one() {
        check(&["in/_a.csv"], "in/_a.csv", ListingOptions::default(), &["in/_a.csv"]);
    }

    #[test]
    fn an_empty_folder_has_no_files_and_a_missing_one_is_an_error() {
        let folder = folder(&["x"]);
        fs::create_dir(folder.path().join("in")).unwrap();
        assert_eq!(list_in(&folder, "in", &ListingOptions::default()).unwrap(), []);
        let error = list_in(&folder, "gone", &ListingOptions::default()).unwrap_err();
        assert!(error.to_string().starts_with("no such file or folder: /"), "{error}");
    }
}
