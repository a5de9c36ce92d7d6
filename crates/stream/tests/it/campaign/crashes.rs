//! Every named place at which a process may die.

use ognivo_stream::kill_point::KillPoint;
use ognivo_stream::memory::{SourceKind, TargetKind, WorldOptions};
use ognivo_stream::script::Action::{Add, Crash, Expect, Restart};
use ognivo_stream::script::StreamScript;
use serde_json::json;

use crate::campaign::counts::tell;
use crate::{run, worlds};

/// Those that this world passes in every batch.
fn points(options: WorldOptions) -> Vec<KillPoint> {
    let is_passed = |point: &&KillPoint| match point {
        KillPoint::SourceLogged => options.source == SourceKind::Logged,
        KillPoint::BeforePlan | KillPoint::AfterPlan => options.target != TargetKind::Positions,
        KillPoint::SinkPartVisible => options.target == TargetKind::Upserting || options.dead_letters_apart,
        KillPoint::SinkAllVisible | KillPoint::Purging => false,
        _ => true,
    };
    KillPoint::OF_BATCHES.iter().filter(is_passed).copied().collect()
}

#[test]
fn a_crash_in_the_first_batch_loses_and_repeats_nothing() {
    run(async {
        for world in worlds() {
            for point in points(world) {
                StreamScript::new(world).run(&[Add(4), Crash(point), Restart, Expect(4), Add(6), Expect(7)]).await;
            }
        }
    });
}

#[test]
fn a_crash_in_a_later_batch_loses_and_repeats_nothing() {
    run(async {
        for world in worlds() {
            for point in points(world) {
                let actions = [Add(12), Expect(9), Add(3), Crash(point), Restart, Expect(11), Add(5), Expect(14)];
                StreamScript::new(world).run(&actions).await;
            }
        }
    });
}

#[test]
fn a_second_crash_while_recovering_loses_and_repeats_nothing() {
    run(async {
        let mut n_kills = 0;
        for world in worlds() {
            for first in points(world) {
                for second in points(world) {
                    let mut script = StreamScript::new(world);
                    script.run(&[Add(4), Crash(first), Restart, Add(9)]).await;
                    script.run(&[Crash(second), Restart, Expect(10)]).await;
                    assert_eq!(script.world.check_at_the_end(), Ok(()), "{world:?}: {first:?}, then {second:?}");
                    n_kills += 2;
                }
            }
        }
        let what = "a process dies at every named place, and at every named place again while it recovers";
        tell(what, "kills", n_kills, json!({}));
    });
}

#[test]
fn a_batch_that_the_target_holds_is_noted_and_not_run_again() {
    run(async {
        let mut script = StreamScript::new(WorldOptions::default());
        script.run(&[Add(4), Crash(KillPoint::AfterCommit), Restart]).await;
        let summary = script.world.start(0).process_all_available().await.unwrap();
        assert_eq!(summary.n_batches, 0);
        assert_eq!(script.world.check_at_the_end(), Ok(()));
    });
}

#[test]
fn an_open_batch_is_replayed_with_its_range_and_its_time() {
    run(async {
        let mut script = StreamScript::new(WorldOptions::default());
        script.run(&[Add(4), Crash(KillPoint::AfterPlan)]).await;
        let planned = script.world.checkpoint(0).logs().await.unwrap().planned.unwrap();
        script.run(&[Add(4), ognivo_stream::script::Action::Advance(std::time::Duration::from_secs(60))]).await;

        let mut query = script.world.start(0);
        query.process_all_available().await.unwrap();
        let replayed = script.world.checkpoint(0).offsets().plan(planned.id).await.unwrap().unwrap();
        assert_eq!(replayed, planned);
        assert_eq!(query.last_progress().unwrap().batch_id, 1);
        assert_eq!(script.world.check_at_the_end(), Ok(()));
    });
}

#[test]
fn a_crash_while_old_entries_are_purged_loses_and_repeats_nothing() {
    run(async {
        let mut script = StreamScript::new(WorldOptions { max_rows: 1, ..WorldOptions::default() });
        script.run(&[Add(120), Crash(KillPoint::Purging), Restart]).await;
        script.world.start(0).process_all_available().await.unwrap();
        assert_eq!(script.world.check_at_the_end(), Ok(()));
    });
}
