//! The other ways through: plans written ahead, at least once.

use std::sync::Arc;

use ognivo_kafka::{Delivery, KafkaSink, Membership, Progress};
use ognivo_stream::kill_point::{self, KillPoint};
use ognivo_stream::memory::{MemoryScorer, MemoryWorld, WorldOptions};
use ognivo_stream::query::{QueryOptions, QueryParts, StreamingQuery};
use ognivo_stream::stop::stop_pair;
use ognivo_stream::trigger::Trigger;

use crate::stream::{Trial, query_options, sink_parts, source};

/// A source alone, behind a checkpoint, into a sink of this delivery.
fn planned(trial: &Trial, world: &MemoryWorld, options: &[(&str, &str)], delivery: Delivery) -> StreamingQuery {
    let checkpoint = world.checkpoint(0);
    let source = source(&trial.input, options, Membership::Alone).with_initial_offsets(checkpoint.initial_offsets(0));
    let parts = sink_parts(&trial.output, &trial.letters, Progress::Plans, delivery, &trial.job);
    let parts = QueryParts {
        source: Box::new(source),
        scorer: Arc::new(MemoryScorer::new("model")),
        sink: Box::new(KafkaSink::new(parts)),
        checkpoint: Some(checkpoint),
    };
    StreamingQuery::new(parts, QueryOptions { trigger: Trigger::AvailableNow, ..query_options() })
}

const POINTS: [KillPoint; 9] = [
    KillPoint::BeforePlan,
    KillPoint::AfterPlan,
    KillPoint::AfterBegin,
    KillPoint::AfterWrite,
    KillPoint::SinkStaged,
    KillPoint::SinkAllVisible,
    KillPoint::SinkLogged,
    KillPoint::AfterCommit,
    KillPoint::AfterDone,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_number_in_the_transaction_makes_a_planned_batch_come_once() {
    let (_handle, stop) = stop_pair();
    let options = [("startingOffsets", "earliest"), ("maxOffsetsPerTrigger", "10")];
    for point in POINTS {
        let mut trial = Trial::new(point.name(), 2).await;
        let world = MemoryWorld::new(WorldOptions::default());
        trial.add(60);
        for nth in 1..=2 {
            kill_point::kill_at(point, nth);
            let killed = planned(&trial, &world, &options, Delivery::ExactlyOnce).run(&stop).await;
            assert!(killed.is_err(), "{}: the query was to die", point.name());
        }
        planned(&trial, &world, &options, Delivery::ExactlyOnce).run(&stop).await.unwrap();
        trial.check();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_least_once_loses_nothing_whoever_keeps_the_progress() {
    let (_handle, stop) = stop_pair();
    for point in [KillPoint::AfterWrite, KillPoint::SinkStaged, KillPoint::SinkLogged] {
        let mut trial = Trial::new(point.name(), 2).await;
        let world = MemoryWorld::new(WorldOptions::default());
        trial.add(60);
        let options = [("startingOffsets", "earliest"), ("maxOffsetsPerTrigger", "10")];
        kill_point::kill_at(point, 2);
        let killed = planned(&trial, &world, &options, Delivery::AtLeastOnce).run(&stop).await;
        assert!(killed.is_err());
        planned(&trial, &world, &options, Delivery::AtLeastOnce).run(&stop).await.unwrap();
        trial.check_at_least();

        let mut trial = Trial::new(point.name(), 2).await;
        trial.add(60);
        kill_point::kill_at(point, 2);
        let limit = [("maxOffsetsPerTrigger", "10")];
        let killed = trial.start_as(&limit, Trigger::AvailableNow, Delivery::AtLeastOnce).run(&stop).await;
        assert!(killed.is_err());
        trial.start_as(&limit, Trigger::AvailableNow, Delivery::AtLeastOnce).run(&stop).await.unwrap();
        trial.check_at_least();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_began_at_the_end_replays_its_first_batch_from_there() {
    let (_handle, stop) = stop_pair();
    let trial = Trial::new("latest", 1).await;
    let world = MemoryWorld::new(WorldOptions::default());
    trial.input.add(0, [r#"{"id":1}"#]);
    // The first run notes where the end is.
    planned(&trial, &world, &[], Delivery::ExactlyOnce).run(&stop).await.unwrap();
    trial.input.add(0, [r#"{"id":2}"#]);
    kill_point::kill_at(KillPoint::AfterPlan, 1);
    let killed = planned(&trial, &world, &[], Delivery::ExactlyOnce).run(&stop).await;
    assert!(killed.is_err());
    trial.input.add(0, [r#"{"id":3}"#]);
    planned(&trial, &world, &[], Delivery::ExactlyOnce).run(&stop).await.unwrap();
    assert_eq!(trial.output.fields("id"), ["2", "3"]);
}
