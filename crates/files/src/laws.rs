//! What every file system that a job may name must keep, as checks that panic with a sentence.
//!
//! The laws of checkpoints ([`ognivo_stream::laws`]) are among them. `cargo run -p ognivo-files --example store_laws PATH`
//! holds a folder of any cluster to them.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _, PutMode, PutOptions, Result};
use ognivo_stream::laws::checkpoint_laws;

use crate::open::Location;

/// How many writers race for one name.
const N_RACERS: usize = 16;

/// The store and its folders are what sources, sinks, checkpoints and models stand on.
///
/// `folder` is ours: it is not there yet, or is empty. That a file survives a power cut once it was written is a law too, which
/// no test here can show.
///
/// # Panics
/// When a law is broken.
pub async fn store_laws(folder: &Location) {
    checkpoint_laws(folder.store().clone(), folder.child("checkpoint").path().clone()).await;
    files_appear_whole(&Bench(folder.child("files"))).await;
    one_of_many_writers_wins(&Bench(folder.child("race"))).await;
    uploads_appear_whole(&Bench(folder.child("uploads"))).await;
    files_are_held_back(&Bench(folder.child("held"))).await;
    files_are_renamed(&Bench(folder.child("renamed"))).await;
    folders_move_in_one_step(&Bench(folder.child("folders"))).await;
    listings_show_what_is_there(&Bench(folder.child("listed"))).await;
    bytes_are_read_in_ranges(&Bench(folder.child("ranges"))).await;
    temporaries_of_the_dead_are_swept(&Bench(folder.child("swept"))).await;
}

/// A folder under test.
struct Bench(Location);

impl Bench {
    fn path(&self, name: &str) -> Path {
        self.0.child(name).path().clone()
    }

    async fn put(&self, name: &str, text: &str) {
        let put = self.0.store().put(&self.path(name), Bytes::from(text.to_owned()).into()).await;
        put.unwrap_or_else(|error| panic!("a file can be written: {error}"));
    }

    async fn create(&self, name: &str, text: String) -> Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.0.store().put_opts(&self.path(name), Bytes::from(text).into(), options).await.map(|_| ())
    }

    async fn text(&self, name: &str) -> String {
        let got = self.0.store().get(&self.path(name)).await.expect("the file is there");
        String::from_utf8(got.bytes().await.expect("the file can be read").to_vec()).expect("we wrote text")
    }

    /// The files and folders in a folder below, each as a name, folders with a slash.
    async fn names(&self, folder: &str) -> Vec<String> {
        let path = if folder.is_empty() { self.0.path().clone() } else { self.path(folder) };
        let listed = self.0.store().list_with_delimiter(Some(&path)).await.expect("a folder can be listed");
        let name = |path: &Path| path.filename().unwrap_or_default().to_owned();
        let files = listed.objects.iter().map(|file| name(&file.location));
        listed.common_prefixes.iter().map(|folder| format!("{}/", name(folder))).chain(files).collect()
    }
}

async fn files_appear_whole(bench: &Bench) {
    bench.put("a/b/f", "one").await;
    bench.put("a/b/f", "two").await;
    assert_eq!(bench.text("a/b/f").await, "two", "a file is replaced");
    assert_eq!(bench.names("a/b").await, ["f"], "its folders come by themselves, and nothing else stays");
    bench.put("empty", "").await;
    assert_eq!(bench.text("empty").await, "", "a file may be empty");
    let refused = bench.create("a/b/f", "three".to_owned()).await;
    assert!(matches!(refused, Err(Error::AlreadyExists { .. })), "what is there is not created: {refused:?}");
    assert_eq!(bench.text("a/b/f").await, "two", "a refused file leaves what is there");
    let missing = bench.0.store().get(&bench.path("a/b/g")).await.map(|_| ());
    assert!(matches!(missing, Err(Error::NotFound { .. })), "a missing file is not found: {missing:?}");
    let folder = bench.0.store().head(&bench.path("a/b")).await;
    assert!(matches!(folder, Err(Error::NotFound { .. })), "a folder is no file: {folder:?}");
    let below = bench.0.store().head(&bench.path("a/b/f/g")).await;
    assert!(matches!(below, Err(Error::NotFound { .. })), "there is nothing below a file: {below:?}");
    let through = bench.create("a/b/f/g", "x".to_owned()).await;
    assert!(through.is_err(), "nothing can be written below a file");
    bench.0.store().copy(&bench.path("a/b/f"), &bench.path("c")).await.expect("a file can be copied");
    assert_eq!(bench.text("c").await, "two", "a copy holds the same");
}

async fn one_of_many_writers_wins(bench: &Bench) {
    let texts: Vec<String> = (0..N_RACERS).map(|i| format!("writer {i}")).collect();
    let created = join_all(texts.iter().map(|text| bench.create("f", text.clone()))).await;
    let winners: Vec<&String> =
        texts.iter().zip(&created).filter(|(_, end)| end.is_ok()).map(|(text, _)| text).collect();
    assert_eq!(winners.len(), 1, "exactly one of {N_RACERS} writers creates the file: {created:?}");
    let refused = |end: &Result<()>| matches!(end, Ok(()) | Err(Error::AlreadyExists { .. }));
    assert!(created.iter().all(refused), "the others are told that it is there: {created:?}");
    assert_eq!(&bench.text("f").await, winners[0], "the file holds what the winner wrote");

    join_all(texts.iter().enumerate().map(|(i, text)| async move { bench.put(&format!("from/{i}"), text).await }))
        .await;
    let (store, target) = (bench.0.store(), bench.path("to"));
    let sources: Vec<Path> = (0..N_RACERS).map(|i| bench.path(&format!("from/{i}"))).collect();
    let renamed = join_all(sources.iter().map(|from| store.rename_if_not_exists(from, &target))).await;
    let winners: Vec<usize> = (0..N_RACERS).filter(|i| renamed[*i].is_ok()).collect();
    assert_eq!(winners.len(), 1, "exactly one of {N_RACERS} renames takes the name: {renamed:?}");
    assert_eq!(bench.text("to").await, texts[winners[0]], "the name holds the winner's file");
    assert_eq!(bench.names("from").await.len(), N_RACERS - 1, "the others stay where they were");
}

async fn uploads_appear_whole(bench: &Bench) {
    let path = bench.path("f");
    let mut upload = bench.0.store().put_multipart(&path).await.expect("an upload can begin");
    let parts: Vec<Bytes> = (0..3_u8).map(|i| Bytes::from(vec![b'a' + i; 1 << 20])).collect();
    let sent = join_all(parts.iter().map(|part| upload.put_part(part.clone().into()))).await;
    assert!(sent.iter().all(Result::is_ok), "parts can be written together: {sent:?}");
    assert_eq!(bench.names("").await, [""; 0], "an upload is hidden until it is complete");
    upload.complete().await.expect("an upload can be completed");
    let text = bench.text("f").await;
    assert!(text.as_bytes() == parts.concat(), "parts come in the order in which they were handed over");

    let mut upload = bench.0.store().put_multipart(&path).await.expect("an upload can begin");
    upload.put_part("xx".into()).await.expect("a part can be written");
    upload.abort().await.expect("an upload can be given up");
    assert_eq!(bench.names("").await, ["f"], "a given-up upload leaves nothing");
    assert_eq!(bench.text("f").await.len(), 3 << 20, "a given-up upload leaves what is there");
    let mut upload = bench.0.store().put_multipart(&path).await.expect("an upload can begin");
    upload.put_part("new".into()).await.expect("a part can be written");
    upload.complete().await.expect("an upload can be completed");
    assert_eq!(bench.text("f").await, "new", "an upload replaces what is there");
}

/// What goes by itself is looked for so often.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const MAX_LOOKS: usize = 500;

async fn files_are_held_back(bench: &Bench) {
    let Some(staging) = bench.0.folders().staging() else { return };
    let path = bench.path("p=1/f");
    let stage = async |text: &'static str, may_replace: bool| {
        let staged = staging.stage(&path, Bytes::from_static(text.as_bytes()), may_replace).await;
        staged.unwrap_or_else(|error| panic!("a file can be held back: {error}"))
    };
    let (first, second, third) = (stage("one", false).await, stage("two", false).await, stage("three", true).await);
    assert_eq!(bench.names("p=1").await, [""; 0], "a file that is held back is hidden");
    let modified_ms = 1_795_353_854_741;
    first.set_modified_ms(modified_ms).await.expect("its time can be set");
    first.show().await.expect("it can be shown");
    assert_eq!(bench.names("p=1").await, ["f"], "it has its name");
    let shown = bench.0.store().head(&path).await.expect("it is there");
    assert_eq!(shown.last_modified.timestamp_millis(), modified_ms, "its time is the one that was set before");
    let refused = second.show().await;
    assert!(matches!(refused, Err(Error::AlreadyExists { .. })), "what is there is not replaced: {refused:?}");
    assert_eq!(bench.text("p=1/f").await, "one", "a refused file leaves what is there");
    third.show().await.expect("a file may take the place of another");
    assert_eq!(bench.text("p=1/f").await, "three", "the file is replaced");
    stage("four", true).await.discard().await;
    drop(stage("five", true).await);
    stage("six", true).await.discard().await;
    for (first, content) in [("beg", "begun"), ("", "whole")] {
        let begun = staging.begin(&path, Bytes::from_static(first.as_bytes()), true);
        let staged = begun.stage(Bytes::from_static(content.as_bytes())).await;
        staged.expect("a begun file can be written").show().await.expect("and be shown");
        assert_eq!(bench.text("p=1/f").await, content, "a begun file holds its first bytes and the others");
    }
    drop(staging.begin(&path, Bytes::from_static(b"dropped"), true));
    staging.begin(&path, Bytes::from_static(b"discarded"), true).discard().await;
    let mut entries = Vec::new();
    for _ in 0..MAX_LOOKS {
        // What was begun is removed in its own time, at the latest with the next file that is given up.
        stage("seven", true).await.discard().await;
        entries = bench.0.folders().entries(&bench.path("p=1")).await.expect("a folder can be listed");
        if entries.len() == 1 {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    assert_eq!(bench.text("p=1/f").await, "whole", "files that are given up leave what is there");
    assert_eq!(entries.len(), 1, "and none of them stays under a hidden name: {entries:?}");
}

async fn files_are_renamed(bench: &Bench) {
    let store = bench.0.store();
    bench.put("a", "a").await;
    bench.put("b", "b").await;
    let refused = store.rename_if_not_exists(&bench.path("a"), &bench.path("b")).await;
    assert!(matches!(refused, Err(Error::AlreadyExists { .. })), "a rename keeps what is there: {refused:?}");
    assert_eq!((bench.text("a").await, bench.text("b").await), ("a".to_owned(), "b".to_owned()), "both stay");
    store.rename_if_not_exists(&bench.path("a"), &bench.path("deep/c")).await.expect("folders come by themselves");
    store.rename(&bench.path("deep/c"), &bench.path("b")).await.expect("a rename may replace");
    assert_eq!(bench.text("b").await, "a", "the target is the file that was renamed");
    let missing = store.rename(&bench.path("nowhere"), &bench.path("d")).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "what is not there cannot be renamed: {missing:?}");
    assert_eq!(bench.names("").await, ["deep/", "b"], "nothing else came or went");
    store.delete(&bench.path("b")).await.expect("a file can be deleted");
    let gone = store.delete(&bench.path("b")).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })), "what is gone is not found: {gone:?}");
}

async fn folders_move_in_one_step(bench: &Bench) {
    let folders = bench.0.folders();
    let exists = async |name: &str| folders.folder_exists(&bench.path(name)).await.expect("the file system answers");
    assert!(!exists("a").await, "a folder that was not made is not there");
    for _ in 0..2 {
        folders.create_folder(&bench.path("a/b")).await.expect("making a folder twice is fine");
    }
    assert!(exists("a").await && exists("a/b").await, "a folder and the one above it are there");
    bench.put("file", "x").await;
    assert!(!exists("file").await, "a file is no folder");
    let over = folders.create_folder(&bench.path("file")).await;
    assert!(over.is_err(), "a folder is not made over a file");

    bench.put("new/metadata/part-00000", "{}").await;
    folders.rename_folder(&bench.path("new"), &bench.path("models/m")).await.expect("a folder moves");
    assert!(!exists("new").await && exists("models/m/metadata").await, "it is there and not here");
    bench.put("new/metadata/part-00000", "other").await;
    let refused = folders.rename_folder(&bench.path("new"), &bench.path("models/m")).await;
    assert!(matches!(refused, Err(Error::AlreadyExists { .. })), "a folder does not move over another: {refused:?}");
    assert_eq!(bench.text("models/m/metadata/part-00000").await, "{}", "the other stays");
    let missing = folders.rename_folder(&bench.path("nowhere"), &bench.path("models/n")).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "what is not there does not move: {missing:?}");
    for _ in 0..2 {
        folders.remove_folder(&bench.path("models")).await.expect("removing a folder twice is fine");
    }
    assert!(!exists("models").await, "a removed folder is gone, with all in it");
}

async fn listings_show_what_is_there(bench: &Bench) {
    assert_eq!(bench.names("nowhere").await, [""; 0], "a folder that is not there has no files");
    for name in ["b", "a", "p=1/y", "p=1/deep/z", "ж 1%.csv", "_SUCCESS"] {
        bench.put(name, "x").await;
        let listed = bench.names(name.rsplit_once('/').map_or("", |(folder, _)| folder)).await;
        let file = name.rsplit('/').next().unwrap_or_default();
        assert!(
            listed.contains(&file.to_owned()),
            "a file is listed when its write has returned: {name} in {listed:?}"
        );
    }
    assert_eq!(bench.names("").await, ["p=1/", "_SUCCESS", "a", "b", "ж 1%.csv"], "sorted by name");
    assert_eq!(bench.names("a").await, [""; 0], "a file has no files in it");
    let below: Vec<_> = bench.0.store().list(Some(bench.0.path())).try_collect().await.expect("all can be listed");
    let prefix = format!("{}/", bench.0.path());
    let mut below: Vec<&str> =
        below.iter().map(|file| file.location.as_ref().strip_prefix(&prefix).unwrap_or_default()).collect();
    below.sort_unstable();
    assert_eq!(below, ["_SUCCESS", "a", "b", "p=1/deep/z", "p=1/y", "ж 1%.csv"], "files of all folders below");
    let version = async |name: &str| bench.0.folders().version(&bench.path(name)).await.expect("the folder is told");
    assert_eq!(version("p=1").await, None, "a folder that holds folders can change without a sign");
    let before = version("p=1/deep").await;
    assert!(before.is_some(), "one that was listed and holds none shows its changes");
    // Longer than the coarsest tick of a file system's clock.
    tokio::time::sleep(Duration::from_millis(20)).await;
    bench.put("p=1/deep/new", "x").await;
    assert_ne!(version("p=1/deep").await, before, "a name came");
    bench.0.store().delete(&bench.path("p=1/deep/new")).await.expect("a file can be deleted");
    let file = bench.0.store().head(&bench.path("a")).await.expect("the file is there");
    let later = bench.0.store().head(&bench.path("ж 1%.csv")).await.expect("the file is there");
    let is_told = file.last_modified.timestamp() > 0 && file.last_modified <= later.last_modified;
    assert!(file.size == 1 && is_told, "its size and time are told: {file:?}");
}

async fn bytes_are_read_in_ranges(bench: &Bench) {
    bench.put("f", "0123456789").await;
    let (store, path) = (bench.0.store(), bench.path("f"));
    let ranges = store.get_ranges(&path, &[2..5, 0..1, 9..10]).await.expect("ranges can be read");
    assert_eq!(ranges, ["234", "0", "9"], "the ranges that were asked for, in that order");
    assert_eq!(store.get_range(&path, 3..8).await.expect("a range can be read"), "34567");
    let missing = store.get_ranges(&bench.path("g"), std::slice::from_ref(&(0..1))).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "a missing file is not found: {missing:?}");

    let long: String = (0..3_000_000).map(|i| format!("{i:06}")).collect();
    bench.put("long", &long).await;
    let mut read = 0;
    let mut pieces = store.get(&bench.path("long")).await.expect("the file is there").into_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.expect("every piece can be read");
        assert!(long.as_bytes()[read..].starts_with(&piece), "the bytes after {read} are those that were written");
        read += piece.len();
    }
    assert_eq!(read, long.len(), "a long file is read to its end");

    let folders = bench.0.folders();
    let Some(opened) = folders.opened(&bench.path("long")) else { return };
    for start in [0, 9_000_000, 17_999_990] {
        let range = start..start + 1_000;
        let bytes = opened.read(range.clone()).await.expect("an opened file can be read");
        let expect = &long.as_bytes()[start as usize..long.len().min(range.end as usize)];
        assert!(bytes == expect, "an opened file has the bytes of {range:?}, as far as it goes");
    }
    let missing = folders.opened(&bench.path("g")).expect("this file system opens files").read(0..1).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })), "a missing file is not found when it is read: {missing:?}");
}

async fn temporaries_of_the_dead_are_swept(bench: &Bench) {
    bench.put("p=1/.ognivo-dead.tmp", "half").await;
    bench.put(".other.tmp", "not ours").await;
    let path = bench.path("f");
    let mut upload = bench.0.store().put_multipart(&path).await.expect("an upload can begin");
    upload.put_part("x".into()).await.expect("a part can be written");
    assert_eq!(bench.names("p=1").await, [""; 0], "a temporary is not listed");
    let n_swept = bench.0.folders().sweep(bench.0.path()).await.expect("a folder can be swept");
    assert_eq!(n_swept, 1, "the dead writer's file, in the folder below");
    upload.complete().await.expect("a file that is being written is not swept");
    assert_eq!(bench.names("").await, ["p=1/", ".other.tmp", "f"], "what is not ours stays");
    let n_swept = bench.0.folders().sweep(&bench.path("nowhere")).await.expect("a missing folder can be swept");
    assert_eq!(n_swept, 0);
}
