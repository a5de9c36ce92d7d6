//! Damaged and hostile directories: a clear error or a model, never a panic, a hang, or memory for what a file only claims.

use std::path::Path as DiskPath;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use ognivo_data::fault::{Explain, Fault};
use ognivo_ml::saved::SavedStage;
use ognivo_ml::stage::Stage;
use ognivo_model::{
    CopiedDirectories, Limits, LoadError, Registry, SaveMode, load, model_id, read_saved, read_saved_within,
    write_saved,
};
use serde_json::json;

use crate::campaign::counts::{scale, tell};
use crate::stores::{fixtures, local};

/// Directories of every kind of file: two layouts of metadata, vectors, matrices, sparse ones, texts, nested stages.
const CASES: [&str; 7] = [
    "2.4/pipeline/model",
    "3.5/logistic_regression_sparse/model",
    "3.5/pipeline_nested/estimator",
    "3.5/string_indexer_many_keep/model",
    "4.3/logistic_regression_bounds/estimator",
    "4.3/pipeline/model",
    "4.3/train_validation_split_sub_models/model",
];

/// Every how many bytes a file is cut or changed; a larger scale makes it smaller. 1 takes minutes.
fn stride() -> usize {
    (37 / scale() as usize).max(1)
}

/// What became of damaged directories.
#[derive(Default)]
struct Outcomes {
    n_refused: usize,
    /// What was damaged says nothing about the model.
    n_same: usize,
    /// Another number or text, which nothing in the directory contradicts.
    n_other: usize,
}

impl Outcomes {
    /// Loads the directory, whose undamaged form has the fingerprint `right`.
    async fn try_one(&mut self, store: &InMemory, right: &str, what: &str) {
        if try_load(store, what).await.is_none() {
            self.n_refused += 1;
        } else if fingerprint(store).await == right {
            self.n_same += 1;
        } else {
            self.n_other += 1;
        }
    }

    fn tell(&self, what: &str) {
        let Outcomes { n_refused, n_same, n_other } = self;
        let ended =
            json!({"refused": n_refused, "loaded as it was": n_same, "loaded as another model, not told": n_other});
        tell(what, "damaged files", n_refused + n_same + n_other, json!({"ended": ended}));
    }
}

async fn fingerprint(store: &InMemory) -> String {
    model_id(&read_saved(store, &root()).await.unwrap())
}

fn root() -> Path {
    Path::from("m")
}

/// The files of a case in memory, without checksums of Hadoop's.
async fn in_memory(case: &str) -> (InMemory, Vec<(Path, Bytes)>) {
    let (store, disk) = (InMemory::new(), local(&fixtures().join(case)));
    let mut files = Vec::new();
    for file in disk.list(None).try_collect::<Vec<_>>().await.unwrap() {
        let content = disk.get(&file.location).await.unwrap().bytes().await.unwrap();
        let path = Path::from(format!("m/{}", file.location));
        store.put(&path, content.clone().into()).await.unwrap();
        files.push((path, content));
    }
    (store, files)
}

/// Loads; an error must name a place, and blame the model (or the path, when the model cannot be recognised any more).
async fn try_load(store: &InMemory, what: &str) -> Option<Stage> {
    match load(store, &root(), &Registry::default()).await {
        Ok(stage) => Some(stage),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("`/m") || text.contains("/m/") || text.ends_with(": /m"), "{what}: {text}");
            let is_recognised = !matches!(error, LoadError::NotAModel { .. } | LoadError::NotFound { .. });
            assert_eq!(error.fault(), if is_recognised { Fault::Model } else { Fault::Job }, "{what}: {text}");
            let needs_hint = !matches!(error, LoadError::Stage { .. } | LoadError::TooLarge { .. });
            assert!(error.hint().is_some() || !needs_hint, "{what}: {text}");
            None
        }
    }
}

#[tokio::test]
async fn a_missing_file_is_an_error_unless_it_is_a_mark_of_success() {
    let mut outcomes = Outcomes::default();
    for case in CASES {
        let (store, files) = in_memory(case).await;
        let right = fingerprint(&store).await;
        for (path, content) in files {
            store.delete(&path).await.unwrap();
            let what = format!("{case} without {path}");
            let n_refused = outcomes.n_refused;
            outcomes.try_one(&store, &right, &what).await;
            assert_eq!(outcomes.n_refused == n_refused, path.filename() == Some("_SUCCESS"), "{what}");
            store.put(&path, content.into()).await.unwrap();
        }
    }
    assert_eq!(outcomes.n_other, 0);
    outcomes.tell("a file of a model directory is missing; a `_SUCCESS` may be");
}

#[tokio::test]
async fn a_file_cut_at_any_length_is_an_error() {
    let mut outcomes = Outcomes::default();
    for case in CASES {
        let (store, files) = in_memory(case).await;
        let right = fingerprint(&store).await;
        for (path, content) in files {
            // The last byte of a metadata file is its line end, which nobody needs.
            let n_needed = content.len().saturating_sub(usize::from(content.ends_with(b"\n")));
            for length in (0..n_needed).step_by(stride()) {
                store.put(&path, content.slice(..length).into()).await.unwrap();
                outcomes.try_one(&store, &right, &format!("{case}: {path} cut to {length}")).await;
                assert_eq!(outcomes.n_same + outcomes.n_other, 0, "{case}: {path} cut to {length}");
            }
            store.put(&path, content.into()).await.unwrap();
        }
    }
    outcomes.tell("a file of a model directory is cut");
}

#[tokio::test]
async fn a_file_with_a_changed_byte_is_an_error_or_a_model() {
    let mut outcomes = Outcomes::default();
    for case in CASES {
        let (store, files) = in_memory(case).await;
        check_changed_bytes(&store, case, &files, &mut outcomes).await;
    }
    outcomes.tell("a byte of a file of Spark's model directories is changed");
}

async fn check_changed_bytes(store: &InMemory, case: &str, files: &[(Path, Bytes)], outcomes: &mut Outcomes) {
    let right = fingerprint(store).await;
    for (path, content) in files {
        for (count, position) in (0..content.len()).step_by(stride()).enumerate() {
            let mut changed = content.to_vec();
            changed[position] ^= [0xff, 0x01, 0x80, 0x10, 0x04][count % 5];
            store.put(path, changed.into()).await.unwrap();
            let what = format!("{case}: {path} with byte {position} changed");
            // A panic inside does not say where it came from.
            let _place = Place(&what);
            outcomes.try_one(store, &right, &what).await;
        }
        store.put(path, content.clone().into()).await.unwrap();
    }
}

/// Prints what was tried when the test panics.
struct Place<'a>(&'a str);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("this was {}", self.0);
        }
    }
}

/// Without page checksums every changed byte comes to the decoder; Spark's files have them, ours do not.
#[tokio::test]
async fn a_file_without_checksums_with_a_changed_byte_is_an_error_or_a_model() {
    let mut outcomes = Outcomes::default();
    for case in CASES {
        let (store, _) = in_memory(case).await;
        let saved = read_saved(&store, &root()).await.unwrap();
        let store = saved_again(&saved).await;
        let mut files = Vec::new();
        for file in store.list(None).try_collect::<Vec<_>>().await.unwrap() {
            files.push((file.location.clone(), store.get(&file.location).await.unwrap().bytes().await.unwrap()));
        }
        files.retain(|(path, _)| path.as_ref().ends_with(".parquet"));
        check_changed_bytes(&store, case, &files, &mut outcomes).await;
    }
    outcomes.tell("a byte of the tables of model directories without checksums, such as ours, is changed");
}

async fn saved_again(saved: &SavedStage) -> Arc<InMemory> {
    let store = Arc::new(InMemory::new());
    let directories = CopiedDirectories::new(store.clone());
    write_saved(store.as_ref(), &directories, &root(), saved, SaveMode::ErrorIfExists, 1).await.unwrap();
    store
}

/// Loads `case` with one metadata line changed.
async fn with_metadata(case: &str, folder: &str, change: impl Fn(&str) -> String) -> LoadError {
    let (store, files) = in_memory(case).await;
    let is_meant = |path: &Path| path.to_string().starts_with(&format!("m/{folder}metadata/part"));
    let (path, content) = files.iter().find(|(path, _)| is_meant(path)).unwrap();
    let changed = change(std::str::from_utf8(content).unwrap());
    assert_ne!(changed.as_bytes(), content, "the change must change something");
    store.put(path, changed.into()).await.unwrap();
    load(&store, &root(), &Registry::default()).await.unwrap_err()
}

#[tokio::test]
async fn an_unknown_class_is_named_with_what_can_be_loaded() {
    let folder = "stages/2_VectorAssembler_d92a8000d1e1/";
    let change = |line: &str| line.replace("feature.VectorAssembler", "feature.VectorSlicer");
    let error = with_metadata("3.5/pipeline/model", folder, change).await;
    let expect = "stage `VectorAssembler_d92a8000d1e1`, `/m/stages/2_VectorAssembler_d92a8000d1e1`: \
                  class not supported: org.apache.spark.ml.feature.VectorSlicer";
    assert_eq!((error.to_string().as_str(), error.fault()), (expect, Fault::Model));
    let hint = error.hint().unwrap();
    let known = hint.strip_prefix("stages that can be loaded: ").unwrap().split(", ");
    let mut expected: Vec<&str> = Registry::default().classes().filter_map(|class| class.rsplit('.').next()).collect();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(known.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn an_unknown_parameter_is_named_with_its_stage_and_folder() {
    let folder = "stages/2_VectorAssembler_d92a8000d1e1/";
    let change = |line: &str| line.replace(r#""paramMap":{"#, r#""paramMap":{"pruneTree":true,"#);
    let error = with_metadata("3.5/pipeline/model", folder, change).await;
    let text = error.to_string();
    assert!(
        text.starts_with("`/m/stages/2_VectorAssembler_d92a8000d1e1`, stage `VectorAssembler_d92a8000d1e1`"),
        "{text}"
    );
    assert!(text.contains("field `pruneTree`"), "{text}");
}

#[tokio::test]
async fn a_uid_that_leads_elsewhere_is_refused() {
    for uid in ["../../secret", "/etc", "..\\x", ""] {
        let change = |line: &str| line.replace("StringIndexer_9a2a536f0b1e", &uid.replace('\\', "\\\\"));
        let error = with_metadata("3.5/pipeline/model", "", change).await;
        assert_eq!(
            error.to_string(),
            format!("stage `PipelineModel_660ac92f6440`, `/m`, field `stageUids`: not a uid: {uid:?}")
        );
    }
}

#[tokio::test]
async fn a_pipeline_that_names_more_stages_than_there_are_is_refused() {
    let many = format!("\"stageUids\":[{}\"x\"]", "\"x\",".repeat(50_000));
    let change =
        |line: &str| line.replace(r#""stageUids":["StringIndexer_9a2a536f0b1e""#, &format!("{many},\"paramX\":[\"y\""));
    let error = with_metadata("3.5/pipeline/model", "", change).await;
    assert_eq!(error.to_string(), "stage `PipelineModel_660ac92f6440`, `/m`: the stage is missing: stages/00000_x");
}

#[tokio::test]
async fn every_limit_ends_in_an_error_that_names_it() {
    let (store, _) = in_memory("3.5/pipeline/model").await;
    let limits = Limits::default;
    for (limits, expect) in [
        (Limits { files: 3, ..limits() }, "more than 3 files in the directory: /m"),
        (Limits { metadata_bytes: 10, ..limits() }, "more than 10 bytes in a metadata file: /m/metadata/part-00000"),
        (Limits { stages: 3, ..limits() }, "more than 2 stages left to the directory: /m"),
        (
            Limits { depth: 0, ..limits() },
            "more than 0 stages inside each other: /m/stages/0_StringIndexer_9a2a536f0b1e",
        ),
        (Limits { table_bytes: 10, ..limits() }, "more than 10 bytes left to the directory's tables: /m/stages/0_"),
        (Limits { decoded_bytes: 10, ..limits() }, "more than 10 decoded bytes left to the directory's tables: /m/"),
    ] {
        let error = read_saved_within(&store, &root(), &limits).await.unwrap_err();
        assert!(error.to_string().starts_with(expect), "{error}");
        assert_eq!(error.fault(), Fault::Model);
    }
}

#[tokio::test]
async fn a_path_that_is_no_model_says_what_may_be_meant() {
    let store = local(&fixtures());
    let check = async |path: &str, expect: &str, hint: &str| {
        let error = read_saved(store.as_ref(), &Path::from(path)).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.fault()), (expect, Fault::Job));
        assert_eq!(error.hint().as_deref(), Some(hint));
    };
    let not_a_model = "not a model directory, since it has no folder `metadata`: /";
    check(
        "3.5/nothing",
        "model directory not found: /3.5/nothing",
        "check the path; `save` in a train job writes a model there",
    )
    .await;
    check(
        "3.5/index_to_string_labels",
        &format!("{not_a_model}3.5/index_to_string_labels"),
        "did you mean `/3.5/index_to_string_labels/model`?",
    )
    .await;
    check(
        "3.5/pipeline/model/stages",
        &format!("{not_a_model}3.5/pipeline/model/stages"),
        "did you mean `/3.5/pipeline/model`?",
    )
    .await;
    check("README.md", &format!("{not_a_model}README.md"), "it is a file; a Spark model is a directory").await;
}

#[tokio::test]
async fn a_directory_of_the_disk_with_nothing_in_it_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let error = read_saved(local(folder.path()).as_ref(), &Path::from("empty")).await.unwrap_err();
    assert!(matches!(error, LoadError::NotFound { .. }), "{error}");
    assert!(DiskPath::new(folder.path()).join("empty").exists());
}
