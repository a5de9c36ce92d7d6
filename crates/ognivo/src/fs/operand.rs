//! A path on the command line of `ognivo fs`, and what is there.

use std::fmt;
use std::path::Path as DiskPath;

use object_store::path::Path;
use ognivo_files::entries::{Entry, ExpandError, expand};
use ognivo_files::hdfs::{advice, open_as_hadoop};
use ognivo_files::open::{Location, OpenError, open};

/// Why an operand could not be dealt with, in the words of Hadoop.
#[derive(Debug)]
pub(crate) enum Trouble {
    NotFound(String),
    /// A target whose folder is missing: as written, and as a URI.
    NoFolderFor(String, String),
    Exists(String),
    IsAFolder(String),
    NotAFolder(String),
    OtherFileSystem(String),
    /// A folder cannot be copied or moved into itself.
    Within(String),
    /// The root of a file system is not removed.
    Root(String),
    Open(OpenError),
    Expand(ExpandError),
    Store(object_store::Error),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NotFound(path) => write!(f, "`{path}': No such file or directory"),
            Trouble::NoFolderFor(path, uri) => write!(f, "`{path}': No such file or directory: `{uri}'"),
            Trouble::Exists(path) => write!(f, "`{path}': File exists"),
            Trouble::IsAFolder(path) => write!(f, "`{path}': Is a directory"),
            Trouble::NotAFolder(path) => write!(f, "`{path}': Is not a directory"),
            Trouble::OtherFileSystem(path) => write!(f, "`{path}': Does not match target filesystem"),
            Trouble::Within(path) => write!(f, "`{path}': is a subdirectory of itself"),
            Trouble::Root(path) => write!(f, "`{path}': the root is not removed"),
            Trouble::Open(error) => write!(f, "{error}"),
            Trouble::Expand(error) => write!(f, "{error}"),
            // What the server says is a sentence of its own: `Permission denied: user=…`.
            Trouble::Store(
                object_store::Error::PermissionDenied { source, .. }
                | object_store::Error::Unauthenticated { source, .. },
            ) => write!(f, "{source}"),
            Trouble::Store(error) => write!(f, "{error}"),
        }
    }
}

impl Trouble {
    /// What to do about it, where the cluster's part of the program knows.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Trouble::Store(error) => advice(error),
            Trouble::Expand(error) => advice(error),
            _ => None,
        }
    }
}

/// A path as it was written, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Operand {
    /// As written, without a slash at its end.
    pub(crate) shown: String,
    pub(crate) location: Location,
}

impl Operand {
    /// Where Hadoop would look for it.
    pub(crate) fn remote(text: &str) -> Result<Operand, Trouble> {
        // Nothing written is the user's home, or the working directory.
        let written = if text.is_empty() { "." } else { text };
        // Hadoop shows `./a` as `a`.
        let shown = without_slash(text.strip_prefix("./").filter(|rest| !rest.is_empty()).unwrap_or(text));
        Ok(Operand { shown, location: open_as_hadoop(written).map_err(Trouble::Open)? })
    }

    /// On a local disk.
    pub(crate) fn local(text: &str) -> Result<Operand, Trouble> {
        let location = open(text, DiskPath::new(".")).map_err(Trouble::Open)?;
        Ok(Operand { shown: without_slash(text), location })
    }

    /// A name in this folder.
    pub(crate) fn child(&self, name: &str) -> Operand {
        Operand { shown: below(&self.shown, name), location: self.location.child(name) }
    }

    /// What is there, if anything; a glob is taken as a name.
    pub(crate) async fn entry(&self) -> Result<Option<Entry>, Trouble> {
        self.location.folders().entry(self.location.path()).await.map_err(Trouble::Store)
    }

    /// The trouble of its missing folder, unless the folder is there.
    pub(crate) async fn check_parent(&self, missing: impl FnOnce(&Location) -> Trouble) -> Result<(), Trouble> {
        let (parent, _) = self.location.path().as_ref().rsplit_once('/').unwrap_or_default();
        let parent = self.location.at(Path::parse(parent).map_err(|error| Trouble::Store(error.into()))?);
        match parent.folders().entry(parent.path()).await.map_err(Trouble::Store)? {
            Some(entry) if entry.is_folder => Ok(()),
            Some(_) => Err(Trouble::NotAFolder(parent.to_string())),
            None => Err(missing(&parent)),
        }
    }
}

/// Something that is there.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// As it is shown: as the operand was written.
    pub(crate) shown: String,
    pub(crate) entry: Entry,
    at: Location,
}

/// Everything that the operand, which may be a glob, stands for.
///
/// # Errors
/// When that is nothing, or the operand could not be opened.
pub(crate) async fn find(operand: Result<Operand, Trouble>) -> Result<Vec<Found>, Trouble> {
    let operand = operand?;
    let entries = expand(&operand.location).await.map_err(Trouble::Expand)?;
    if entries.is_empty() {
        let shown = if operand.shown.is_empty() { ".".to_owned() } else { operand.shown };
        return Err(Trouble::NotFound(shown));
    }
    let has_scheme = operand.shown.contains(":/");
    let shown = |entry: &Entry| match (operand.location.is_glob(), has_scheme) {
        (false, _) => operand.shown.clone(),
        (true, true) => operand.location.at(entry.path.clone()).to_string(),
        (true, false) => format!("/{}", entry.path),
    };
    Ok(entries
        .into_iter()
        .map(|entry| Found { shown: shown(&entry), at: operand.location.at(entry.path.clone()), entry })
        .collect())
}

impl Found {
    pub(crate) fn location(&self) -> &Location {
        &self.at
    }

    /// What is directly in this folder.
    pub(crate) async fn below(&self) -> Result<Vec<Found>, Trouble> {
        let entries = self.at.folders().entries(&self.entry.path).await.map_err(Trouble::Store)?;
        let found = |entry: Entry| {
            let name = entry.path.filename().unwrap_or_default();
            Found { shown: below(&self.shown, name), at: self.at.at(entry.path.clone()), entry }
        };
        Ok(entries.into_iter().map(found).collect())
    }
}

fn without_slash(text: &str) -> String {
    match text.trim_end_matches('/') {
        "" if text.starts_with('/') => "/".to_owned(),
        text => text.to_owned(),
    }
}

fn below(folder: &str, name: &str) -> String {
    match folder {
        "" | "." => name.to_owned(),
        folder if folder.ends_with('/') => format!("{folder}{name}"),
        folder => format!("{folder}/{name}"),
    }
}
