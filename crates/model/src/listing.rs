//! The files of a directory as they were at one moment.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use object_store::path::{Path, PathPart};
use object_store::{ObjectMeta, ObjectStore};

use crate::layout::is_visible;

/// Every content file below a directory, by its path from there.
///
/// Two equal listings mean that no file came, went or changed in between, as far as the store's times and tags can tell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listing {
    pub(crate) root: Path,
    files: BTreeMap<String, ObjectMeta>,
}

/// Why there is no listing.
#[derive(Debug)]
pub(crate) enum ListingError {
    Store(object_store::Error),
    TooMany,
}

impl Listing {
    /// Lists at most `max_files` files below `root`.
    pub(crate) async fn of(store: &dyn ObjectStore, root: &Path, max_files: usize) -> Result<Listing, ListingError> {
        let mut files = BTreeMap::new();
        let mut found = store.list(Some(root));
        while let Some(file) = found.try_next().await.map_err(ListingError::Store)? {
            if let Some(path) = path_below(root, &file.location) {
                files.insert(path, file);
            }
            if files.len() > max_files {
                return Err(ListingError::TooMany);
            }
        }
        Ok(Listing { root: root.clone(), files })
    }

    /// The files in `folder` (not below it), in the order of their names.
    pub(crate) fn files_in<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a ObjectMeta)> {
        self.below(folder).filter(|(rest, _)| !rest.contains('/'))
    }

    /// The folders in `folder` that hold files, at any depth below.
    pub(crate) fn folders_in(&self, folder: &str) -> BTreeSet<&str> {
        self.below(folder).filter_map(|(rest, _)| Some(rest.split_once('/')?.0)).collect()
    }

    fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a ObjectMeta)> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let from = self.files.range(prefix.clone()..);
        from.map_while(move |(path, file)| Some((path.strip_prefix(&prefix)?, file)))
    }
}

/// The path from `root` to a content file; `None` for one that is hidden or in a hidden folder.
fn path_below(root: &Path, location: &Path) -> Option<String> {
    let parts: Vec<_> = location.prefix_match(root)?.collect();
    let visible = !parts.is_empty() && parts.iter().all(|part| is_visible(part.as_ref()));
    visible.then(|| parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("/"))
}

/// `path` with the folder or file `below` behind it, which may have several parts.
///
/// Names stay as they are: spaces, `#`, `%` and letters of all languages are names on disk, not to be escaped.
pub(crate) fn join(path: &Path, below: &str) -> Path {
    let part = |part| PathPart::parse(part).unwrap_or_else(|_| PathPart::from(part));
    below.split('/').filter(|name| !name.is_empty()).fold(path.clone(), |path, name| path.join(part(name)))
}
