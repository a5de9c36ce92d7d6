//! Checkpoints that real Sparks wrote (`fixtures/spark/checkpoint.py`): of fourteen batches the last is not marked done.

use std::path::{Path as DiskPath, PathBuf};
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use ognivo_stream::checkpoint::{Checkpoint, CompactibleLog, CompactibleLogOptions};
use ognivo_stream::memory::{MemoryWorld, WorldOptions};
use ognivo_stream::plan::{Available, BatchId, Facts, ModelId, Step, Turn, next_step};
use ognivo_stream::sink::Committed;
use serde_json::{Map, Value, json};

use crate::run;

const SPARKS: [&str; 2] = ["3.5", "4.3"];

fn fixture(spark: &str) -> PathBuf {
    DiskPath::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/spark").join(spark).join("checkpoint")
}

/// Its folders `checkpoint` and `output` in a store.
async fn load(spark: &str) -> Arc<dyn ObjectStore> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let root = fixture(spark);
    let mut folders = vec![root.join("checkpoint"), root.join("output/_spark_metadata")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            store.put(&Path::from(name), std::fs::read(&path).unwrap().into()).await.unwrap();
        }
    }
    store
}

fn log(store: &Arc<dyn ObjectStore>, folder: &str) -> CompactibleLog<Map<String, Value>> {
    CompactibleLog::new(store.clone(), Path::from(folder), CompactibleLogOptions::default())
}

#[test]
fn the_open_batch_of_a_spark_is_replayed_as_it_was_planned_or_found_done() {
    run(async {
        for spark in SPARKS {
            let checkpoint = Checkpoint::new(load(spark).await, Path::from("checkpoint"));
            assert_eq!(checkpoint.open().await.unwrap().len(), 36, "the id of the query stays");
            let logs = checkpoint.logs().await.unwrap();
            let plan = logs.planned.clone().unwrap();
            assert_eq!((plan.id, logs.committed), (BatchId(13), Some(BatchId(12))));
            assert_eq!(plan.range.to_string(), r#"({"logOffset":12}..{"logOffset":13}]"#);
            let model = ModelId("ours".to_owned());
            let step = |target: u64| {
                next_step(&Facts {
                    logs: &logs,
                    target: &Committed::Batch(BatchId(target)),
                    available: &Available::Unknown,
                    turn: Turn::Now { finish_when_empty: false },
                    partitions_move: false,
                    model: &model,
                    now_ms: 0,
                })
            };
            assert_eq!(step(12), Ok(Step::Replay(plan)));
            assert_eq!(step(13), Ok(Step::MarkDone(BatchId(13))));
        }
    });
}

#[test]
fn the_log_of_a_sparks_source_is_read_whole_and_continued() {
    run(async {
        for spark in SPARKS {
            let store = load(spark).await;
            let source = log(&store, "checkpoint/sources/0");
            let (newest, entries) = source.all().await.unwrap().unwrap();
            assert_eq!((newest, entries.len()), (13, 14));
            assert_eq!(entries[3]["path"], "file:///OGNIVO-QUERY/incoming/loans%203%20é.csv");
            assert_eq!(entries[3]["timestamp"], 1_700_000_003_000_i64);

            for id in 14..20 {
                let entry = json!({"path": format!("file:///in/{id}"), "timestamp": 0, "batchId": id});
                source.add(id, &[entry.as_object().unwrap().clone()], 0).await.unwrap();
            }
            let compacted =
                store.get(&Path::from("checkpoint/sources/0/19.compact")).await.unwrap().bytes().await.unwrap();
            assert_eq!(compacted.split(|byte| *byte == b'\n').count(), 21);
            let spark_lines = std::fs::read(fixture(spark).join("checkpoint/sources/0/9.compact")).unwrap();
            assert!(compacted.starts_with(&spark_lines), "what Spark compacted stays as it was");
        }
    });
}

#[test]
fn the_log_of_a_sparks_sink_is_read_whole() {
    run(async {
        for spark in SPARKS {
            let (newest, entries) = log(&load(spark).await, "output/_spark_metadata").all().await.unwrap().unwrap();
            assert_eq!((newest, entries.len()), (13, 14));
            assert!(entries.iter().all(|entry| entry["action"] == "add"));
        }
    });
}

#[test]
fn the_settings_that_spark_froze_are_read() {
    run(async {
        for spark in SPARKS {
            let checkpoint = Checkpoint::new(load(spark).await, Path::from("checkpoint"));
            let entry = checkpoint.offsets().get(BatchId(13)).await.unwrap().unwrap();
            assert_eq!(entry.conf["spark.sql.shuffle.partitions"], "2");
            assert_eq!(entry.notes.model, None);
        }
    });
}

#[test]
fn a_progress_has_the_fields_of_sparks_in_sparks_order() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions::default());
        world.add(1);
        let mut query = world.start(0);
        query.process_all_available().await.unwrap();
        let ours = serde_json::to_value(query.last_progress().unwrap()).unwrap();
        for spark in SPARKS {
            let expected = std::fs::read(fixture(spark).join("expected.json")).unwrap();
            let theirs = &serde_json::from_slice::<Value>(&expected).unwrap()["progress"];
            let mut ours = ours.clone();
            let fields = ours.as_object_mut().unwrap();
            // Theirs has no metrics of a user; 3.5 does not tell how long a batch took; the clock of this test stands still.
            fields.shift_remove("observedMetrics").unwrap();
            fields.shift_insert(8, "processedRowsPerSecond".to_owned(), Value::Null);
            if spark == "3.5" {
                fields.shift_remove("batchDuration").unwrap();
            }
            let sources = ours["sources"][0].as_object_mut().unwrap();
            sources.insert("processedRowsPerSecond".to_owned(), Value::Null);
            for path in ["", "/durationMs", "/sources/0", "/sink"] {
                assert_eq!(names(ours.pointer(path)), names(theirs.pointer(path)), "{spark} {path}");
            }
        }
    });
}

fn names(object: Option<&Value>) -> Vec<&str> {
    object.and_then(Value::as_object).unwrap().keys().map(String::as_str).collect()
}
