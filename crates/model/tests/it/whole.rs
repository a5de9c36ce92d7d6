//! A directory appears whole or not at all, whenever a save is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use ognivo_data::fault::{Explain, Retry};
use ognivo_ml::param::Params;
use ognivo_ml::saved::SavedStage;
use ognivo_ml::uid::Uid;
use ognivo_model::{CopiedDirectories, Directories, LoadError, SaveError, SaveMode, model_id, read_saved, write_saved};

use crate::stores::{
    Failure, FaultyDirectories, FaultyStore, Fuse, InterruptedDirectories, InterruptedStore, LocalDirectories,
    SlowStore, local,
};

/// A small pipeline directory whose content depends on `number`.
fn model(number: i64) -> SavedStage {
    let stage = |class: &str, uid: &str| {
        let mut params = Params::new("any", &[]);
        params.set_uid(Uid::new(uid));
        SavedStage::of_params(class, &params, ognivo_data::version::SparkVersion::V3_5).unwrap()
    };
    let column = Arc::new(arrow_array::Int64Array::from(vec![number]));
    let table = arrow_array::RecordBatch::try_from_iter([("number", column as arrow_array::ArrayRef)]).unwrap();
    let child = stage("a.Numbers", "Numbers_1").with_table("data", table);
    let mut pipeline = stage("org.apache.spark.ml.PipelineModel", "PipelineModel_1");
    pipeline.param_map.insert("stageUids".to_owned(), serde_json::json!(["Numbers_1"]));
    pipeline.with_child("stages/0_Numbers_1".to_owned(), child)
}

/// A place to save to, and the same place seen through a fuse.
struct World {
    store: Arc<dyn ObjectStore>,
    directories: Box<dyn Directories>,
    folder: Option<tempfile::TempDir>,
}

impl World {
    fn on_disk() -> World {
        let folder = tempfile::tempdir().unwrap();
        let store = local(folder.path());
        World { store: store.clone(), directories: Box::new(LocalDirectories(store)), folder: Some(folder) }
    }

    fn in_memory() -> World {
        let store = Arc::new(InMemory::new());
        World { store: store.clone(), directories: Box::new(CopiedDirectories::new(store)), folder: None }
    }

    async fn save(&self, number: i64, mode: SaveMode) -> Result<(), SaveError> {
        write_saved(self.store.as_ref(), self.directories.as_ref(), &path(), &model(number), mode, 1).await
    }

    /// Saves with calls that fail by plan; says whether one of them did.
    async fn save_with_fuse(&self, number: i64, fuse: Arc<Fuse>) -> (Result<(), SaveError>, bool) {
        let store = FaultyStore { inner: self.store.clone(), fuse: fuse.clone() };
        let directories: Box<dyn Directories> = match self.folder.as_ref() {
            Some(folder) => {
                Box::new(FaultyDirectories { inner: LocalDirectories(local(folder.path())), fuse: fuse.clone() })
            }
            None => Box::new(CopiedDirectories::new(Arc::new(store.clone()))),
        };
        let model = model(number);
        let result = write_saved(&store, directories.as_ref(), &path(), &model, SaveMode::Overwrite, 1).await;
        (result, fuse.has_blown())
    }

    /// The number of the model that a reader finds.
    async fn number(&self) -> Option<i64> {
        match read_saved(self.store.as_ref(), &path()).await {
            Ok(saved) => (0..10).find(|&number| saved == model(number)).or_else(|| panic!("a mixture: {saved:?}")),
            Err(LoadError::NotFound { .. } | LoadError::NotAModel { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Names of what lies beside the model.
    async fn siblings(&self) -> Vec<String> {
        let found = self.store.list_with_delimiter(Some(&Path::from("models"))).await.unwrap();
        let names = found.common_prefixes.iter().map(|folder| folder.filename().unwrap().to_owned());
        names.filter(|name| name != "loans").collect()
    }
}

fn path() -> Path {
    Path::from("models/loans")
}

#[tokio::test]
async fn a_save_leaves_nothing_but_the_model() {
    for world in [World::on_disk(), World::in_memory()] {
        world.save(1, SaveMode::ErrorIfExists).await.unwrap();
        world.save(2, SaveMode::Overwrite).await.unwrap();
        assert_eq!((world.number().await, world.siblings().await), (Some(2), vec![]));
    }
}

#[tokio::test]
async fn a_model_is_not_replaced_unless_asked_for() {
    for world in [World::on_disk(), World::in_memory()] {
        world.save(1, SaveMode::ErrorIfExists).await.unwrap();
        let error = world.save(2, SaveMode::ErrorIfExists).await.unwrap_err();
        assert_eq!(error.to_string(), "model directory already exists: /models/loans");
        assert_eq!(world.number().await, Some(1));
    }
}

#[tokio::test]
async fn something_other_than_a_model_is_never_replaced() {
    for (world, file) in [(World::on_disk(), "models/loans/rows.csv"), (World::in_memory(), "models/loans")] {
        world.store.put_opts(&Path::from(file), "a,b\n".into(), Default::default()).await.unwrap();
        let error = world.save(2, SaveMode::Overwrite).await.unwrap_err();
        assert!(matches!(error, SaveError::NotAModel { .. }), "{error}");
        assert_eq!(world.siblings().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_empty_directory_made_in_advance_gives_way() {
    let world = World::on_disk();
    std::fs::create_dir_all(world.folder.as_ref().unwrap().path().join("models/loans")).unwrap();
    world.save(1, SaveMode::ErrorIfExists).await.unwrap();
    assert_eq!((world.number().await, world.siblings().await), (Some(1), vec![]));
}

#[tokio::test]
async fn two_saves_at_a_time_leave_one_whole_model() {
    // The second save runs just before the n-th call of the first.
    for at in 0..40 {
        let world = World::on_disk();
        world.save(1, SaveMode::ErrorIfExists).await.unwrap();
        let folder = world.folder.as_ref().unwrap().path().to_owned();
        let save = async move {
            let (store, directories) = (local(&folder), LocalDirectories(local(&folder)));
            // It may lose against the first; then it says so.
            let saved = write_saved(store.as_ref(), &directories, &path(), &model(2), SaveMode::Overwrite, 1).await;
            assert!(matches!(saved, Ok(()) | Err(SaveError::Conflict { .. })), "{saved:?}");
        };
        let inner = LocalDirectories(local(world.folder.as_ref().unwrap().path()));
        let directories = InterruptedDirectories::new(inner, at, Box::pin(save));
        let saved = write_saved(world.store.as_ref(), &directories, &path(), &model(3), SaveMode::Overwrite, 1).await;
        assert!(matches!(saved, Ok(()) | Err(SaveError::Conflict { .. })), "call {at}: {saved:?}");
        let number = world.number().await;
        assert!(number == Some(2) || number == Some(3), "call {at}: {number:?}");
        if !directories.was_interrupted() {
            return assert!(at > 2, "{at}");
        }
    }
}

/// Saves model 2 over `before` with a failure at every call in turn, and checks what is there afterwards.
async fn check_every_failure(make: fn() -> World, before: Option<i64>, failure: Failure) {
    let mut n_failures = 0;
    for fails_at in 0.. {
        let world = make();
        if let Some(number) = before {
            world.save(number, SaveMode::ErrorIfExists).await.unwrap();
        }
        let (result, has_failed) = world.save_with_fuse(2, Fuse::new(fails_at, failure)).await;
        let what = format!("{failure:?} at call {fails_at}, before: {before:?}");
        if !has_failed {
            assert_eq!((result.is_ok(), world.number().await), (true, Some(2)), "{what}");
            break;
        }
        n_failures += 1;
        let number = world.number().await;
        match result {
            Ok(()) => assert_eq!(number, Some(2), "{what}"),
            Err(_) if failure == Failure::Once => assert_eq!(number, before, "{what}"),
            Err(_) => assert!(number == before || number == Some(2), "{what}: {number:?}"),
        }
        world.save(3, SaveMode::Overwrite).await.unwrap_or_else(|error| panic!("{what}, next save: {error}"));
        assert_eq!(world.number().await, Some(3), "{what}");
        let left = world.siblings().await;
        assert!(left.iter().all(|name| name.ends_with(".new")), "{what}: {left:?}");
    }
    assert!(n_failures > 10, "{n_failures}");
}

#[tokio::test]
async fn a_process_that_dies_at_any_call_leaves_a_whole_model() {
    for before in [None, Some(1)] {
        check_every_failure(World::on_disk, before, Failure::Crash).await;
        check_every_failure(World::in_memory, before, Failure::Crash).await;
    }
}

#[tokio::test]
async fn a_save_whose_call_fails_puts_back_what_was_there() {
    for before in [None, Some(1)] {
        check_every_failure(World::on_disk, before, Failure::Once).await;
    }
}

#[tokio::test]
async fn names_of_folders_and_uids_stay_as_they_are() {
    let world = World::on_disk();
    let odd = "modèles ~ 100%#1/löans {x}";
    let path = Path::parse(odd).unwrap();
    let mut saved = model(1);
    saved.param_map.insert("stageUids".to_owned(), serde_json::json!(["étage 50% #1"]));
    let (_, mut child) = saved.children.remove(0);
    child.uid = Uid::new("étage 50% #1");
    let saved = saved.with_child("stages/0_étage 50% #1".to_owned(), child);
    for _ in 0..2 {
        let (store, directories) = (world.store.as_ref(), world.directories.as_ref());
        write_saved(store, directories, &path, &saved, SaveMode::Overwrite, 1).await.unwrap();
        assert_eq!(read_saved(store, &path).await.unwrap(), saved);
    }
    let folder = world.folder.as_ref().unwrap().path().join(odd);
    assert!(folder.join("stages/0_étage 50% #1/metadata/part-00000").is_file());
    assert_eq!(std::fs::read_dir(folder.parent().unwrap()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_uid_that_cannot_be_a_folder_is_not_saved() {
    let world = World::on_disk();
    for name in ["stages/0_a/../../b", "stages/0_a\nb", "stages//x", ".hidden", "_temporary"] {
        let saved = model(1).with_child(name.to_owned(), model(2));
        let (store, directories) = (world.store.as_ref(), world.directories.as_ref());
        let result = write_saved(store, directories, &path(), &saved, SaveMode::Overwrite, 1).await;
        assert!(matches!(result, Err(SaveError::Unsavable { .. })), "{name}: {result:?}");
        assert_eq!(world.siblings().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_reader_finds_one_whole_model_whenever_another_is_saved() {
    let mut n_interruptions = 0;
    for at in 0.. {
        let world = World::on_disk();
        world.save(1, SaveMode::ErrorIfExists).await.unwrap();
        let (store, folder) = (world.store.clone(), world.folder.as_ref().unwrap().path().to_owned());
        let save = async move {
            let directories = LocalDirectories(local(&folder));
            let saved = write_saved(store.as_ref(), &directories, &path(), &model(2), SaveMode::Overwrite, 1).await;
            saved.unwrap();
        };
        let store = InterruptedStore::new(world.store.clone(), at, Box::pin(save));
        let saved = read_saved(&store, &path()).await.unwrap_or_else(|error| panic!("call {at}: {error}"));
        assert!(saved == model(1) || saved == model(2), "call {at}: a mixture: {saved:?}");
        if !store.was_interrupted() {
            break;
        }
        n_interruptions += 1;
    }
    assert!(n_interruptions > 5, "{n_interruptions}");
}

#[tokio::test]
async fn a_reader_and_a_save_at_a_time_meet_in_one_whole_model() {
    // The save begins before the reader's n-th call; between two calls of the reader it makes a few of its own.
    let mut n_changed = 0;
    for (at, turns) in (0..12).flat_map(|at| (1..40).map(move |turns| (at, turns))) {
        let world = World::in_memory();
        world.save(1, SaveMode::ErrorIfExists).await.unwrap();
        let slow: Arc<dyn ObjectStore> = Arc::new(SlowStore(world.store.clone()));
        let save = async move {
            let directories = CopiedDirectories::new(slow.clone());
            write_saved(slow.as_ref(), &directories, &path(), &model(2), SaveMode::Overwrite, 1).await.unwrap();
        };
        let store = InterruptedStore::in_turns(world.store.clone(), at, turns, Box::pin(save));
        match read_saved(&store, &path()).await {
            Ok(saved) => assert!(saved == model(1) || saved == model(2), "{at}, {turns}: a mixture: {saved:?}"),
            Err(LoadError::Changed { .. }) => n_changed += 1,
            Err(error) => panic!("{at}, {turns}: {error}"),
        }
    }
    assert!(n_changed < 100, "{n_changed} of 468 readers gave up");
}

#[tokio::test]
async fn a_reader_gives_up_on_a_directory_that_never_stands_still() {
    let world = World::on_disk();
    world.save(1, SaveMode::ErrorIfExists).await.unwrap();
    let number = Arc::new(AtomicI64::new(2));
    let folder = world.folder.as_ref().unwrap().path().to_owned();
    let mut store: Arc<dyn ObjectStore> = world.store.clone();
    // A save before each of the first hundred calls.
    for at in 0..100 {
        let (number, folder) = (number.clone(), folder.clone());
        let save = async move {
            let (store, next) = (local(&folder), number.fetch_add(1, Ordering::SeqCst));
            let directories = LocalDirectories(store.clone());
            write_saved(store.as_ref(), &directories, &path(), &model(next), SaveMode::Overwrite, 1).await.unwrap();
        };
        store = Arc::new(InterruptedStore::new(store, at, Box::pin(save)));
    }
    let error = read_saved(store.as_ref(), &path()).await.unwrap_err();
    assert_eq!(error.to_string(), "the model directory changed while it was read: /models/loans");
    assert_eq!(error.retry(), Retry::Backoff);
}

#[tokio::test]
async fn the_layout_of_a_saved_directory_is_sparks() {
    let world = World::on_disk();
    world.save(1, SaveMode::ErrorIfExists).await.unwrap();
    let mut files: Vec<String> = futures::TryStreamExt::try_collect::<Vec<_>>(world.store.list(Some(&path())))
        .await
        .unwrap()
        .iter()
        .map(|file| file.location.to_string())
        .collect();
    files.sort();
    let uuid = files.iter().find_map(|file| file.strip_suffix("-c000.snappy.parquet")?.split("part-00000-").nth(1));
    let uuid = uuid.unwrap().to_owned();
    let files: Vec<String> = files.iter().map(|file| file.replace(&uuid, "<uuid>")).collect();
    expect_test::expect![[r#"
        [
            "models/loans/metadata/_SUCCESS",
            "models/loans/metadata/part-00000",
            "models/loans/stages/0_Numbers_1/data/_SUCCESS",
            "models/loans/stages/0_Numbers_1/data/part-00000-<uuid>-c000.snappy.parquet",
            "models/loans/stages/0_Numbers_1/metadata/_SUCCESS",
            "models/loans/stages/0_Numbers_1/metadata/part-00000",
        ]
    "#]]
    .assert_debug_eq(&files);
    assert_eq!(model_id(&read_saved(world.store.as_ref(), &path()).await.unwrap()), model_id(&model(1)));
}
