//! Why a model directory cannot be loaded: where, what, whose fault, and what to do.

use std::collections::BTreeSet;
use std::fmt;

use object_store::path::Path;
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_ml::saved::SavedError;
use ognivo_ml::uid::Uid;

use crate::limits::Exceeded;

/// A model directory cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is nothing at the path.
    #[error("model directory not found: /{path}")]
    NotFound {
        /// The path.
        path: Path,
    },
    /// There is something at the path, and it is no model directory.
    #[error("not a model directory, since it has no folder `metadata`: /{path}")]
    NotAModel {
        /// The path.
        path: Path,
        /// The directory that may be meant, where there is one.
        meant: Option<String>,
        /// What is known about the path.
        note: Option<&'static str>,
    },
    /// The store failed.
    #[error("cannot read the model directory: /{path}")]
    Store {
        /// The file or folder.
        path: Path,
        /// What the store says.
        source: object_store::Error,
    },
    /// Another process kept changing the directory.
    #[error("the model directory changed while it was read: /{path}")]
    Changed {
        /// The path.
        path: Path,
    },
    /// A limit was reached.
    #[error("more than {limit} {what}: /{path}")]
    TooLarge {
        /// The file or folder.
        path: Path,
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// The metadata of a stage says something impossible.
    #[error("{place}{}: {reason}", FieldNote(field))]
    Metadata {
        /// The file.
        place: Place,
        /// The key, where one is to blame.
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// A table of a stage cannot be read.
    #[error("{place}{}: {reason}", FieldNote(field))]
    Table {
        /// The file or folder.
        place: Place,
        /// The column, where one is to blame.
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// A file or folder that the stage needs is missing.
    #[error("{place}: {reason}")]
    Missing {
        /// The folder.
        place: Place,
        /// What is missing.
        reason: String,
    },
    /// A stage is of a class that we cannot load.
    #[error("{place}: class not supported: {class}")]
    UnknownClass {
        /// The folder.
        place: Place,
        /// The class.
        class: String,
        /// The classes that can be loaded.
        known: Vec<&'static str>,
    },
    /// A stage refuses what its directory says.
    #[error("{}{cause}", DirectoryNote(directory))]
    Stage {
        /// The stage's folder below the model directory, once it is known.
        directory: Option<String>,
        /// Stage, field and reason.
        cause: SavedError,
    },
    /// The directory holds something other than what was asked for.
    #[error("{place}: {found} cannot be used as {wanted}")]
    WrongKind {
        /// The folder.
        place: Place,
        /// What was asked for.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
}

/// A file or folder, and the stage that it belongs to where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file or folder.
    pub path: Path,
    /// The stage.
    pub uid: Option<Uid>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.uid {
            Some(uid) => write!(f, "stage `{uid}`, `/{}`", self.path),
            None => write!(f, "`/{}`", self.path),
        }
    }
}

struct FieldNote<'a>(&'a Option<String>);

impl fmt::Display for FieldNote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |field| write!(f, ", field `{field}`"))
    }
}

struct DirectoryNote<'a>(&'a Option<String>);

impl fmt::Display for DirectoryNote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            None | Some("") => Ok(()),
            Some(directory) => write!(f, "`/{directory}`, "),
        }
    }
}

impl LoadError {
    pub(crate) fn too_large(path: &Path, exceeded: &Exceeded) -> LoadError {
        LoadError::TooLarge { path: path.clone(), what: exceeded.what, limit: exceeded.limit }
    }
}

impl From<SavedError> for LoadError {
    fn from(cause: SavedError) -> LoadError {
        LoadError::Stage { directory: None, cause }
    }
}

impl Explain for LoadError {
    fn fault(&self) -> Fault {
        match self {
            LoadError::NotFound { .. } | LoadError::NotAModel { .. } | LoadError::WrongKind { .. } => Fault::Job,
            LoadError::Store { .. } | LoadError::Changed { .. } => Fault::Remote,
            _ => Fault::Model,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            LoadError::Store { .. } | LoadError::Changed { .. } => Retry::Backoff,
            _ => Retry::Never,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            LoadError::NotFound { .. } => Some("check the path; `save` in a train job writes a model there".to_owned()),
            LoadError::NotAModel { meant: Some(meant), .. } => Some(format!("did you mean `/{meant}`?")),
            LoadError::NotAModel { note: Some(note), .. } => Some((*note).to_owned()),
            LoadError::NotAModel { .. } => Some(
                "a model directory is what `model.save(path)` of Spark ML or `save` of a train job wrote".to_owned(),
            ),
            LoadError::Changed { .. } => Some("another process saves there; try again when it is done".to_owned()),
            LoadError::Metadata { .. } | LoadError::Table { .. } | LoadError::Missing { .. } => {
                Some("the directory is damaged or incomplete; save the model again or copy it again".to_owned())
            }
            LoadError::UnknownClass { known, .. } => Some(unknown_class_hint(known)),
            LoadError::WrongKind { found, .. } => {
                Some(format!("it is {found}; `ognivo inspect` shows what the directory holds"))
            }
            _ => None,
        }
    }
}

fn unknown_class_hint(known: &[&str]) -> String {
    let short = |class: &&str| class.rsplit('.').next().unwrap_or(class).to_owned();
    let names: BTreeSet<String> = known.iter().map(short).collect();
    format!("stages that can be loaded: {}", names.into_iter().collect::<Vec<_>>().join(", "))
}
