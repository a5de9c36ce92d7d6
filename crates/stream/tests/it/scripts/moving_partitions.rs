//! Partitions that move between the members of a group, with their progress in the target.

use ognivo_stream::memory::{MemoryWorld, SourceKind, TargetKind, WorldOptions};
use ognivo_stream::sink::Lane;

use crate::run;

fn world() -> MemoryWorld {
    MemoryWorld::new(WorldOptions {
        source: SourceKind::Moving,
        target: TargetKind::Positions,
        n_partitions: 2,
        ..WorldOptions::default()
    })
}

#[test]
fn a_member_reads_only_its_own_partitions() {
    run(async {
        let mut world = world();
        world.membership.give(0, 0);
        world.membership.give(1, 1);
        world.add(4);
        world.start(0).process_all_available().await.unwrap();
        assert_eq!(world.target.visible(Lane::Scored), ["0", "2"]);
        world.start(1).process_all_available().await.unwrap();
        assert_eq!(world.target.visible(Lane::Scored), ["0", "2", "1", "3"]);
    });
}

#[test]
fn a_gained_partition_goes_on_where_its_last_owner_was() {
    run(async {
        let mut world = world();
        world.membership.give(0, 0);
        world.membership.give(1, 0);
        let (mut first, mut second) = (world.start(0), world.start(1));
        world.add(4);
        first.process_all_available().await.unwrap();
        second.process_all_available().await.unwrap();

        world.membership.give(1, 1);
        world.add(4);
        second.process_all_available().await.unwrap();
        first.process_all_available().await.unwrap();
        assert_eq!(world.check_at_the_end(), Ok(()));

        world.membership.give(1, 0);
        world.membership.give(0, 1);
        world.add(20);
        first.process_all_available().await.unwrap();
        second.process_all_available().await.unwrap();
        assert_eq!(world.check_at_the_end(), Ok(()));
    });
}

/// Found by the simulation, seed 6249: the member had the same partitions as before and went on from its old position.
#[test]
fn a_partition_that_went_and_came_back_goes_on_where_the_other_member_was() {
    run(async {
        let mut world = world();
        world.membership.give(0, 0);
        world.membership.give(1, 0);
        let (mut first, mut second) = (world.start(0), world.start(1));
        world.add(4);
        first.process_all_available().await.unwrap();

        world.membership.give(0, 1);
        world.add(4);
        second.process_all_available().await.unwrap();

        world.membership.give(0, 0);
        world.add(4);
        first.process_all_available().await.unwrap();
        assert_eq!(world.check_at_the_end(), Ok(()));
    });
}

#[test]
fn a_member_without_partitions_waits() {
    run(async {
        let mut world = world();
        world.membership.give(0, 0);
        world.membership.give(1, 0);
        world.add(4);
        let summary = world.start(1).process_all_available().await.unwrap();
        assert_eq!(summary.n_batches, 0);
    });
}
