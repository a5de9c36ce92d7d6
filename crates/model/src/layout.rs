//! The names of folders and files in a model directory.
//!
//! ```text
//! loans/                                                       a PipelineModel
//!   metadata/part-00000                                        one line of JSON (up to Spark 3.5)
//!   metadata/part-00000-<uuid>-c000.txt                        the same (from Spark 4.0 on)
//!   metadata/_SUCCESS                                          empty
//!   stages/0_StringIndexer_4a1b…/metadata/…                    one directory per stage; the number has as many digits
//!   stages/0_StringIndexer_4a1b…/data/_SUCCESS                 as the count of stages
//!   stages/0_StringIndexer_4a1b…/data/part-00000-<uuid>-c000.snappy.parquet
//! .loans.<uuid>.new/                                           a save that is going on, or was stopped
//! .loans.<uuid>.old/                                           what is being replaced, see `save`
//! ```
//!
//! Files and folders whose names begin with `_` or `.` are not content, for Spark as for us.

use object_store::path::{Path, PathPart};
use uuid::Uuid;

use crate::listing::join;
use crate::versions::{Change, Release};

/// The folder of the metadata line.
pub const METADATA: &str = "metadata";
/// The empty file that says that a folder is complete. Readers do not need it.
pub const SUCCESS: &str = "_SUCCESS";

/// The name of the metadata file in the layout of `release`.
pub fn metadata_file(release: Release, uuid: Uuid) -> String {
    match release.has(Change::TextMetadata) {
        true => format!("part-00000-{uuid}-c000.txt"),
        false => "part-00000".to_owned(),
    }
}

/// The name of a table's one file.
pub fn table_file(uuid: Uuid) -> String {
    format!("part-00000-{uuid}-c000.snappy.parquet")
}

/// Whether a file or folder of this name is content.
pub fn is_visible(name: &str) -> bool {
    !name.starts_with(['_', '.'])
}

/// Folders of a stage that hold further stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nested {
    /// `stages/<number>_<uid>`, in the order of the parameter `stageUids`.
    StageUids,
    /// One folder of this name.
    Folder(&'static str),
    /// Folders `<prefix>0`, `<prefix>1`, …, as many as the metadata key says.
    Counted(&'static str, &'static str),
    /// `subModels/fold0/0`, `subModels/fold0/1`, …, of a tuner's every fold and setting, when `persistSubModels` is true.
    SubModelsOfFolds,
    /// `subModels/0`, `subModels/1`, …, of a tuner's every setting, when `persistSubModels` is true.
    SubModels,
}

/// Which stages hold further stages, and where: Spark class → folders, in the order in which they are read.
pub const NESTED: &[(&str, &[Nested])] = &[
    ("org.apache.spark.ml.Pipeline", &[Nested::StageUids]),
    ("org.apache.spark.ml.PipelineModel", &[Nested::StageUids]),
    ("pyspark.ml.pipeline.Pipeline", &[Nested::StageUids]),
    ("pyspark.ml.pipeline.PipelineModel", &[Nested::StageUids]),
    ("org.apache.spark.ml.tuning.CrossValidator", &[Nested::Folder("estimator"), Nested::Folder("evaluator")]),
    (
        "org.apache.spark.ml.tuning.CrossValidatorModel",
        &[
            Nested::Folder("estimator"),
            Nested::Folder("evaluator"),
            Nested::Folder("bestModel"),
            Nested::SubModelsOfFolds,
        ],
    ),
    ("org.apache.spark.ml.tuning.TrainValidationSplit", &[Nested::Folder("estimator"), Nested::Folder("evaluator")]),
    (
        "org.apache.spark.ml.tuning.TrainValidationSplitModel",
        &[Nested::Folder("estimator"), Nested::Folder("evaluator"), Nested::Folder("bestModel"), Nested::SubModels],
    ),
    ("org.apache.spark.ml.classification.OneVsRest", &[Nested::Folder("classifier")]),
    (
        "org.apache.spark.ml.classification.OneVsRestModel",
        &[Nested::Folder("classifier"), Nested::Counted("model_", "numClasses")],
    ),
    ("org.apache.spark.ml.feature.RFormulaModel", &[Nested::Folder("pipelineModel")]),
];

/// The folders of `class` that hold further stages.
pub fn nested(class: &str) -> &'static [Nested] {
    NESTED.iter().find(|(known, _)| *known == class).map_or(&[], |(_, folders)| folders)
}

/// The names beside a directory that one save of it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Siblings {
    /// Where the new directory is written.
    pub(crate) new: Path,
    /// Where the one that it replaces waits for its end.
    pub(crate) old: Path,
}

/// Folder and name of a directory; `None` for the root of a store.
pub(crate) fn split_name(path: &Path) -> Option<(Path, String)> {
    let mut parts: Vec<PathPart<'_>> = path.parts().collect();
    let name = parts.pop()?.as_ref().to_owned();
    Some((parts.into_iter().collect(), name))
}

/// How the names beside a directory end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A directory that is being written.
    New,
    /// A directory that was moved aside.
    Old,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Ending::New => ".new",
            Ending::Old => ".old",
        }
    }
}

pub(crate) fn siblings(folder: &Path, name: &str, uuid: Uuid) -> Siblings {
    let sibling = |ending: Ending| join(folder, &format!(".{name}.{uuid}{}", ending.as_str()));
    Siblings { new: sibling(Ending::New), old: sibling(Ending::Old) }
}

/// Whether a save of `name` has made `sibling`, with this ending.
pub(crate) fn is_sibling_of(name: &str, sibling: &str, ending: Ending) -> bool {
    let uuid = sibling.strip_prefix('.').and_then(|rest| rest.strip_prefix(name));
    let uuid = uuid.and_then(|rest| rest.strip_prefix('.')?.strip_suffix(ending.as_str()));
    uuid.is_some_and(|uuid| Uuid::parse_str(uuid).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_files_are_named_as_their_release_names_them() {
        let uuid = Uuid::from_u128(7);
        assert_eq!(metadata_file(Release::new(2, 4), uuid), "part-00000");
        assert_eq!(metadata_file(Release::new(3, 5), uuid), "part-00000");
        let expect = "part-00000-00000000-0000-0000-0000-000000000007-c000.txt";
        assert_eq!(metadata_file(Release::new(4, 3), uuid), expect);
    }

    #[test]
    fn a_directory_moved_aside_is_known_by_its_name() {
        let names = siblings(&Path::from("models"), "loans", Uuid::from_u128(7));
        let (folder, old) = split_name(&names.old).unwrap();
        let is_old_of = |name, sibling: &str| is_sibling_of(name, sibling, Ending::Old);
        assert_eq!((folder.as_ref(), is_old_of("loans", &old)), ("models", true));
        assert!(!is_old_of("loan", &old) && !is_old_of("loans", ".loans.backup.old"));
        assert!(!is_old_of("loans", names.new.filename().unwrap()));
    }
}
