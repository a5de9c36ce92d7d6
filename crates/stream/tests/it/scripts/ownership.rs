//! Whose checkpoint it is, and what a damaged or foreign one gets.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use ognivo_data::fault::{Explain, Fault};
use ognivo_stream::kill_point::KillPoint;
use ognivo_stream::memory::{MemoryWorld, SourceKind, WorldOptions};
use ognivo_stream::plan::PlanError;
use ognivo_stream::query::{QueryOptions, QueryParts, StreamingQuery};
use ognivo_stream::query_error::QueryError;
use ognivo_stream::script::Action::{Add, Crash, Expect};
use ognivo_stream::script::StreamScript;
use ognivo_stream::trigger::Trigger;

use crate::run;

#[test]
fn a_second_driver_on_a_checkpoint_is_found_out_at_its_next_batch() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions { source: SourceKind::Numbered, ..WorldOptions::default() });
        let (mut first, mut second) = (world.start(0), world.start(0));
        world.add(2);
        first.process_all_available().await.unwrap();
        second.process_all_available().await.unwrap();
        world.add(2);
        first.process_all_available().await.unwrap();
        let error = second.process_all_available().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "checkpoint: somebody else has written to this checkpoint: /checkpoint-0/offsets/1"
        );
        assert_eq!(error.fault(), Fault::Job);
        world.add(2);
        first.process_all_available().await.unwrap();
        assert_eq!(world.check_at_the_end(), Ok(()));
    });
}

#[test]
fn a_planned_batch_is_not_replayed_with_another_model() {
    run(async {
        let mut script = StreamScript::new(WorldOptions::default());
        script.run(&[Add(3), Crash(KillPoint::AfterPlan)]).await;
        let mut changed = script.world.start_with(0, Trigger::AsRowsArrive, "another model");
        let error = changed.process_all_available().await.unwrap_err();
        assert!(matches!(error, QueryError::Plan(PlanError::ModelChanged { .. })), "{error}");
        script.world.start(0).process_all_available().await.unwrap();
        script.world.add(2);
        changed.process_all_available().await.unwrap();
        assert_eq!(script.world.check_at_the_end(), Ok(()));
    });
}

#[test]
fn a_checkpoint_of_another_source_or_sink_is_refused() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions::default());
        world.add(1);
        world.start(0).process_all_available().await.unwrap();
        let other = MemoryWorld::new(WorldOptions { source: SourceKind::Numbered, ..world.options });
        let (foreign, options) = other.parts(0, "model");
        let (ours, _) = world.parts(0, "model");
        let parts = QueryParts { source: foreign.source, ..ours };
        let error = StreamingQuery::new(parts, options).process_all_available().await.unwrap_err();
        assert_eq!(error.to_string(), "the checkpoint belongs to another source: MemoryLoggedSource");
        assert_eq!(error.hint().unwrap(), "this job has MemorySource; give it a checkpointLocation of its own");
    });
}

#[test]
fn a_sink_behind_written_plans_needs_a_checkpoint() {
    run(async {
        let world = MemoryWorld::new(WorldOptions::default());
        let (parts, options) = world.parts(0, "model");
        let parts = QueryParts { checkpoint: None, ..parts };
        let error = StreamingQuery::new(parts, QueryOptions { ..options }).process_all_available().await.unwrap_err();
        assert_eq!(error.to_string(), "the sink needs a checkpoint: MemorySink");
    });
}

async fn put(world: &MemoryWorld, file: &str, content: &'static str) {
    let store: Arc<dyn ObjectStore> = Arc::new(world.store.clone());
    store
        .put(&Path::from(format!("checkpoint-0/{file}")), Bytes::from_static(content.as_bytes()).into())
        .await
        .unwrap();
}

async fn remove(world: &MemoryWorld, file: &str) {
    let store: Arc<dyn ObjectStore> = Arc::new(world.store.clone());
    store.delete(&Path::from(format!("checkpoint-0/{file}"))).await.unwrap();
}

/// A world with three finished batches.
async fn three_batches() -> MemoryWorld {
    let mut script = StreamScript::new(WorldOptions { max_rows: 1, ..WorldOptions::default() });
    script.run(&[Add(3), Expect(3)]).await;
    script.world
}

/// The query refuses and writes nothing.
async fn check_refused(world: &mut MemoryWorld, expect: &str) {
    let before = world.target.visible(ognivo_stream::sink::Lane::Scored);
    world.add(1);
    let error = world.start(0).process_all_available().await.unwrap_err();
    assert_eq!(error.to_string(), expect);
    // Damage is nobody's usage error; a newer version and an exchanged target are.
    let is_damage = [", line ", " is missing beside "].iter().any(|words| expect.contains(words));
    assert_eq!(error.fault(), if is_damage { Fault::Data } else { Fault::Job }, "{error}");
    assert!(error.hint().is_some());
    assert_eq!(world.target.visible(ognivo_stream::sink::Lane::Scored), before);
}

#[test]
fn a_lost_newest_commit_is_mended_from_the_target() {
    run(async {
        let mut world = three_batches().await;
        remove(&world, "commits/2").await;
        world.add(1);
        assert_eq!(world.start(0).process_all_available().await.unwrap().n_batches, 1);
        assert_eq!(world.check_at_the_end(), Ok(()));
    });
}

#[test]
fn lost_commits_of_long_ago_do_not_matter() {
    run(async {
        let mut world = three_batches().await;
        for id in 0..3 {
            remove(&world, &format!("commits/{id}")).await;
        }
        world.add(1);
        assert_eq!(world.start(0).process_all_available().await.unwrap().n_batches, 1);
        assert_eq!(world.check_at_the_end(), Ok(()));
    });
}

#[test]
fn a_lost_newest_plan_is_refused() {
    run(async {
        let mut world = three_batches().await;
        remove(&world, "offsets/2").await;
        check_refused(&mut world, "batch 2 is in commits, but the newest entry of offsets is 1").await;
    });
}

#[test]
fn a_newest_plan_and_commit_lost_together_are_seen_in_the_target() {
    run(async {
        let mut world = three_batches().await;
        remove(&world, "offsets/2").await;
        remove(&world, "commits/2").await;
        check_refused(&mut world, "the target is ahead of the checkpoint: target is at batch 2, newest plan is 1")
            .await;
    });
}

#[test]
fn a_damaged_newest_entry_is_refused_with_its_name() {
    run(async {
        for (file, content, expect) in [
            ("offsets/2", "", "checkpoint: /checkpoint-0/offsets/2, line 1: the file is empty"),
            (
                "offsets/2",
                "v1\n{\"batchWaterm",
                "checkpoint: /checkpoint-0/offsets/2, line 2: not JSON: EOF while parsing a string at line 1 column 13",
            ),
            (
                "offsets/2",
                "v1\n{}",
                "checkpoint: /checkpoint-0/offsets/2, line 3: a query of one source was expected, sources: 0",
            ),
            ("offsets/2", "v1\n{}\n-", "checkpoint: /checkpoint-0/offsets/2, line 3: the source has no offset"),
            ("offsets/2", "v9\n{}\n1", "checkpoint: /checkpoint-0/offsets/2: version is not known: v9"),
            (
                "offsets/1",
                "v1\n{}\n1\n2",
                "checkpoint: /checkpoint-0/offsets/1, line 3: a query of one source was expected, sources: 2",
            ),
            ("commits/2", "", "checkpoint: /checkpoint-0/commits/2, line 1: the file is empty"),
            ("metadata", "", "checkpoint: /checkpoint-0/metadata, line 1: not of the form {\"id\":\"…\"}"),
            (
                "sources/0/2",
                "v1\n{\"to\":",
                "source: /checkpoint-0/sources/0/2, line 2: not an entry: EOF while parsing a value at line 1 column 6",
            ),
        ] {
            let mut world = three_batches().await;
            put(&world, file, content).await;
            check_refused(&mut world, expect).await;
        }
    });
}

#[test]
fn a_missing_metadata_beside_plans_is_refused() {
    run(async {
        let mut world = three_batches().await;
        remove(&world, "metadata").await;
        check_refused(&mut world, "checkpoint: /checkpoint-0/metadata is missing beside offsets").await;
    });
}

#[test]
fn a_missing_plan_before_the_newest_is_refused() {
    run(async {
        let mut world = three_batches().await;
        remove(&world, "offsets/1").await;
        check_refused(&mut world, "checkpoint: /checkpoint-0/offsets/1 is missing beside /checkpoint-0/offsets/2")
            .await;
    });
}

#[test]
fn a_target_that_was_exchanged_is_refused() {
    run(async {
        let mut world = three_batches().await;
        let mut other = three_batches().await;
        other.add(3);
        other.start(0).process_all_available().await.unwrap();
        world.target = other.target.clone();
        check_refused(&mut world, "the target is ahead of the checkpoint: target is at batch 5, newest plan is 2")
            .await;
    });
}

#[test]
fn a_target_that_was_emptied_is_refused() {
    run(async {
        let mut world = three_batches().await;
        world.target = MemoryWorld::new(world.options).target;
        check_refused(&mut world, "the target holds nothing, but the checkpoint has finished batch 2").await;
    });
}

#[test]
fn a_plan_that_is_there_twice_is_an_empty_batch() {
    run(async {
        let mut world = three_batches().await;
        put(&world, "offsets/3", "v1\n{\"batchTimestampMs\":1}\n{\"logOffset\":2}").await;
        world.add(1);
        let summary = world.start(0).process_all_available().await.unwrap();
        assert_eq!((summary.n_batches, summary.rows.read), (2, 1));
        assert_eq!(world.check_at_the_end(), Ok(()));
    });
}

#[test]
fn a_commit_that_is_there_twice_is_refused() {
    run(async {
        let mut world = three_batches().await;
        put(&world, "commits/3", "v1\n{\"nextBatchWatermarkMs\":0}").await;
        check_refused(&mut world, "batch 3 is in commits, but the newest entry of offsets is 2").await;
    });
}
