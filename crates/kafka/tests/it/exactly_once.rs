//! From topic to topic: rows, dead letters and progress in one transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use ognivo_stream::kill_point::{self, KillPoint};
use ognivo_stream::stop::stop_pair;
use ognivo_stream::trigger::Trigger;

use crate::stream::Trial;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_comes_out_once_and_in_the_order_of_its_partition() {
    let mut trial = Trial::new("plain", 3).await;
    trial.add(1000);
    let (_handle, stop) = stop_pair();
    let summary = trial.start(&[], Trigger::AvailableNow).run(&stop).await.unwrap();
    assert_eq!(summary.rows.read, 1000);
    assert_eq!(summary.rows.read, summary.rows.written + summary.rows.skipped + summary.rows.dead_letters);
    trial.check();

    // Keys are those of the rows, so a row of a partition comes to one partition, behind its predecessors.
    let mut newest: BTreeMap<(i32, i64), i64> = BTreeMap::new();
    for seen in trial.output.committed() {
        let id: i64 = seen.key.unwrap().parse().unwrap();
        let newest = newest.entry((seen.partition, id % 3)).or_insert(-1);
        assert!(*newest < id, "{id} comes before {newest}");
        *newest = id;
    }

    // A second process finds nothing; a third takes only what came since.
    let again = trial.start(&[], Trigger::AvailableNow).run(&stop).await.unwrap();
    assert_eq!(again.rows.read, 0);
    trial.add(100);
    let more = trial.start(&[], Trigger::AvailableNow).run(&stop).await.unwrap();
    assert_eq!(more.rows.read, 100);
    trial.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_has_nothing_to_do_begins_no_transaction() {
    let mut trial = Trial::new("idle", 1).await;
    trial.add(20);
    let (handle, stop) = stop_pair();
    let mut query = trial.start(&[], Trigger::AsRowsArrive);
    let runtime = tokio::runtime::Handle::current();
    let running = tokio::task::spawn_blocking(move || runtime.block_on(query.run(&stop)).unwrap());
    trial.wait_until_done(Duration::from_secs(60)).await;
    // Long enough for the marker of the transaction, which is written after its commit was answered.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ends = || [trial.output.end(0), trial.output.end(1), trial.letters.end(0)];
    let before = ends();
    assert!(before.iter().sum::<i64>() > trial.output.committed().len() as i64, "markers are counted: {before:?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ends(), before);
    handle.stop();
    running.await.unwrap();
}

/// Where this route passes.
const POINTS: [KillPoint; 10] = [
    KillPoint::SourceFound,
    KillPoint::AfterBegin,
    KillPoint::AfterWrite,
    KillPoint::BeforeCommit,
    KillPoint::SinkStaged,
    KillPoint::SinkAllVisible,
    KillPoint::SinkLogged,
    KillPoint::AfterCommit,
    KillPoint::AfterDone,
    KillPoint::AfterAcknowledge,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_point_of_any_batch_loses_and_repeats_nothing() {
    kill_at_each_point(100, "10").await;
}

/// So many records wait that each batch is scored while the one before is committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_beside_the_commit_of_the_batch_before_loses_and_repeats_nothing() {
    kill_at_each_point(20_000, "1000").await;
}

async fn kill_at_each_point(n_records: i64, limit: &str) {
    let (_handle, stop) = stop_pair();
    for point in POINTS {
        let mut trial = Trial::new(point.name(), 2).await;
        trial.add(n_records);
        for nth in 1..=3 {
            let mut query = trial.start(&[("maxOffsetsPerTrigger", limit)], Trigger::AvailableNow);
            kill_point::kill_at(point, nth);
            let killed = query.run(&stop).await;
            assert!(killed.is_err(), "{}: the query was to die at pass {nth}", point.name());
        }
        assert!(!kill_point::spare());
        trial.start(&[], Trigger::AvailableNow).run(&stop).await.unwrap();
        trial.check();
    }
}
