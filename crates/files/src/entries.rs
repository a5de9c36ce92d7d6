//! What `ls` shows of a file or folder, and what a glob of `ls` stands for: everything, hidden or not.

use object_store::Result;
use object_store::path::Path;

use crate::glob::{Glob, GlobError, expand_braces};
use crate::open::{Location, child};

/// A file or folder, as its file system has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: Path,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Its length; 0 for a folder.
    pub size_bytes: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Its permission bits, the sticky one included.
    pub mode: u16,
    /// Whose it is.
    pub owner: String,
    /// Whose it is, too.
    pub group: String,
    /// On how many machines a file lies; None for a folder.
    pub n_replicas: Option<u32>,
}

/// Why a glob cannot be expanded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// It cannot be understood.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// The file system failed.
    #[error(transparent)]
    Store(#[from] object_store::Error),
}

/// Everything that the path, which may be a glob, stands for, sorted by name.
///
/// # Errors
/// [`ExpandError`]; what is not there is no error.
pub async fn expand(location: &Location) -> std::result::Result<Vec<Entry>, ExpandError> {
    if !location.is_glob() {
        return Ok(location.folders().entry(location.path()).await?.into_iter().collect());
    }
    let mut found = Vec::new();
    for pattern in expand_braces(location.path().as_ref())? {
        let parts: Vec<Glob> =
            pattern.split('/').filter(|part| !part.is_empty()).map(Glob::new).collect::<std::result::Result<_, _>>()?;
        found.extend(fitting(location, &parts).await?);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

async fn fitting(location: &Location, parts: &[Glob]) -> Result<Vec<Entry>> {
    let Some((last, above)) = parts.split_last() else { return Ok(Vec::new()) };
    let mut folders = vec![Path::ROOT];
    for part in above {
        let mut below = Vec::new();
        for folder in folders {
            match part.literal() {
                Some(name) => below.extend(child(&folder, &name)),
                None => {
                    let entries = fitting_in(location, &folder, part).await?;
                    below.extend(entries.into_iter().filter(|entry| entry.is_folder).map(|entry| entry.path));
                }
            }
        }
        folders = below;
    }
    let mut found = Vec::new();
    for folder in folders {
        match last.literal() {
            Some(name) => {
                let Ok(path) = child(&folder, &name) else { continue };
                found.extend(location.folders().entry(&path).await?);
            }
            None => found.extend(fitting_in(location, &folder, last).await?),
        }
    }
    Ok(found)
}

async fn fitting_in(location: &Location, folder: &Path, part: &Glob) -> Result<Vec<Entry>> {
    let entries = location.folders().entries(folder).await?;
    Ok(entries.into_iter().filter(|entry| part.matches(entry.path.filename().unwrap_or_default())).collect())
}
