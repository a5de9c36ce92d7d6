//! Directories that real Spark wrote: they are read as they are, and what we write again says the same.

use std::path::{Path as DiskPath, PathBuf};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use ognivo_data::version::SparkVersion;
use ognivo_ml::saved::SavedStage;
use ognivo_model::{CopiedDirectories, Registry, SaveMode, describe, model_id, read_saved, write_saved};

use crate::stores::{fixtures, local};

/// Every saved directory of the fixtures: `<line>/<case>/estimator`, `…/model`, `…/evaluator`.
pub(crate) fn directories() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in ["2.4", "3.5", "4.3"] {
        for case in folders(&fixtures().join(line)) {
            found.extend(folders(&case).into_iter().filter(|folder| folder.join("metadata").is_dir()));
        }
    }
    found.sort();
    assert!(found.len() > 100, "only {} directories", found.len());
    found
}

fn folders(folder: &DiskPath) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

async fn read(folder: &DiskPath) -> SavedStage {
    let store = local(folder.parent().unwrap());
    let name = folder.file_name().unwrap().to_str().unwrap();
    let read = read_saved(store.as_ref(), &Path::from(name)).await;
    read.unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// The same directory under another release.
fn under_release(mut saved: SavedStage, release: &str) -> SavedStage {
    saved.spark_version = release.to_owned();
    saved.children = saved.children.into_iter().map(|(path, child)| (path, under_release(child, release))).collect();
    saved
}

#[tokio::test]
async fn every_directory_of_spark_is_read_and_written_again_in_every_layout() {
    let store = std::sync::Arc::new(InMemory::new());
    let directories_of_store = CopiedDirectories::new(store.clone());
    let path = Path::from("models/again");
    for folder in directories() {
        let saved = read(&folder).await;
        for version in SparkVersion::ALL {
            let saved = under_release(saved.clone(), version.release());
            let store: &dyn ObjectStore = store.as_ref();
            write_saved(store, &directories_of_store, &path, &saved, SaveMode::Overwrite, 1).await.unwrap();
            let again = read_saved(store, &path).await.unwrap();
            assert_eq!(again, saved, "{} in the layout of {version}", folder.display());
            assert_eq!(model_id(&again), model_id(&saved));
        }
    }
}

#[tokio::test]
async fn every_directory_of_spark_can_be_described() {
    for folder in directories() {
        let saved = read(&folder).await;
        let text = describe(&saved, &Registry::empty()).to_string();
        assert!(text.contains(saved.uid.as_str()) && text.contains("cannot be loaded"), "{text}");
    }
}
