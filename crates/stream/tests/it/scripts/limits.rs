//! How much a batch takes, and in which order.

use ognivo_stream::memory::{MemoryWorld, WorldOptions};
use ognivo_stream::sink::Lane;

use crate::run;

#[test]
fn a_batch_takes_no_more_than_the_source_allows() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions { max_rows: 4, ..WorldOptions::default() });
        world.add(10);
        let mut query = world.start(0);
        let summary = query.process_all_available().await.unwrap();
        assert_eq!(summary.n_batches, 3);
        assert_eq!(query.last_progress().unwrap().num_input_rows, 2);
    });
}

#[test]
fn blocks_that_are_scored_at_the_same_time_are_written_in_order() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions { max_rows: 1000, ..WorldOptions::default() });
        world.add(1000);
        world.start(0).process_all_available().await.unwrap();
        let ids: Vec<i64> = world.target.visible(Lane::Scored).iter().map(|id| id.parse().unwrap()).collect();
        assert!(ids.is_sorted());
        assert_eq!(world.check_at_the_end(), Ok(()));
    });
}
