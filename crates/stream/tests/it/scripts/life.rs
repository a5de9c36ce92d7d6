//! Ordinary life: rows come and are scored, over many batches and restarts.

use ognivo_stream::checkpoint::MIN_BATCHES_TO_RETAIN;
use ognivo_stream::memory::{MemoryWorld, WorldOptions};
use ognivo_stream::script::Action::{Add, Expect, ExpectDeadLetters, Restart};
use ognivo_stream::script::StreamScript;
use ognivo_stream::tally::Tally;

use crate::{run, worlds};

#[test]
fn rows_are_scored_as_they_come() {
    // Of the ids 0 to 9, 4 is skipped, 5 is malformed and 7 is rejected.
    run(async {
        for world in worlds() {
            StreamScript::new(world).run(&[Add(3), Expect(3), Add(7), Expect(7), ExpectDeadLetters(2)]).await;
        }
    });
}

#[test]
fn a_new_process_goes_on_where_the_old_one_was() {
    run(async {
        for world in worlds() {
            StreamScript::new(world)
                .run(&[Restart, Expect(0), Add(3), Expect(3), Restart, Expect(3), Add(7), Restart, Expect(7)])
                .await;
        }
    });
}

#[test]
fn the_second_the_third_and_the_hundredth_batch_are_like_the_first() {
    run(async {
        for options in worlds() {
            let mut world = MemoryWorld::new(WorldOptions { max_rows: 4, ..options });
            let mut query = world.start(0);
            for batch_id in 0..130 {
                world.add(2);
                query.process_all_available().await.unwrap();
                let progress = query.last_progress().unwrap();
                assert_eq!((progress.batch_id, progress.num_input_rows), (batch_id, 2));
                assert_eq!(world.check_at_the_end(), Ok(()));
            }
        }
    });
}

#[test]
fn a_hundred_batches_stay_in_the_logs_and_older_ones_go() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions { max_rows: 1, ..WorldOptions::default() });
        world.add(135);
        world.start(0).process_all_available().await.unwrap();
        let checkpoint = world.checkpoint(0);
        let oldest = 130 - MIN_BATCHES_TO_RETAIN;
        for id in 0..135 {
            let there = checkpoint.offsets().get(ognivo_stream::plan::BatchId(id)).await.unwrap().is_some();
            assert_eq!(there, id >= oldest, "offsets/{id}");
        }
        assert_eq!(world.start(0).process_all_available().await.unwrap().n_batches, 0);
    });
}

#[test]
fn the_summary_shows_what_became_of_every_row() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions::default());
        world.add(100);
        let mut query = world.start(0);
        let summary = query.process_all_available().await.unwrap();
        // Malformed are 5, 18, 31, …: 8 of them, one of which, 44, would have been skipped and one, 57, rejected.
        let expect = Tally { read: 100, written: 74, skipped: 9, dead_letters: 17, bad: 17 };
        assert_eq!(summary.rows, expect);
        assert_eq!(summary.n_batches, 20);
        let progress = serde_json::to_value(query.last_progress().unwrap()).unwrap();
        assert_eq!(
            progress["observedMetrics"]["rows"],
            serde_json::json!({"read": 5, "written": 3, "skipped": 0, "deadLetters": 2, "bad": 2})
        );
        assert_eq!(progress["sources"][0]["endOffset"], serde_json::json!({"logOffset": 19}));
    });
}
