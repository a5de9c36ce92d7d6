//! Several instances of one job, in one group.

use std::time::Duration;

use futures::TryStreamExt as _;
use ognivo_data::fault::{Explain as _, Retry};
use ognivo_kafka::{Delivery, KafkaSink, KafkaSource, Membership, Progress};
use ognivo_stream::offset::{Offset, OffsetRange, SourcePartition};
use ognivo_stream::plan::{BatchId, BatchPlan};
use ognivo_stream::sink::{BatchWriter, Committed, Lane, Sink as _};
use ognivo_stream::source::{ReadLimit, Source as _};
use ognivo_stream::stop::{StopHandle, stop_pair};
use ognivo_stream::trigger::Trigger;
use tokio::task::JoinHandle;

use crate::stream::{Options, Trial, sink_parts, source};

/// An instance that runs until it is told to stop.
fn run(trial: &Trial, options: Options<'_>) -> (StopHandle, JoinHandle<u64>) {
    let (handle, stop) = stop_pair();
    let mut query = trial.start(options, Trigger::AsRowsArrive);
    // The query stays in its thread.
    let runtime = tokio::runtime::Handle::current();
    let running = tokio::task::spawn_blocking(move || runtime.block_on(query.run(&stop)).unwrap().rows.read);
    (handle, running)
}

async fn instances_come_and_go(name: &str, options: Options<'_>) {
    let mut trial = Trial::new(name, 4).await;
    trial.add(200);
    let first = run(&trial, options);
    trial.wait_until_done(Duration::from_secs(60)).await;
    let second = run(&trial, options);
    for round in 0..60 {
        trial.add(50);
        if round == 30 {
            first.0.stop();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let third = run(&trial, options);
    trial.wait_until_done(Duration::from_secs(120)).await;
    let mut read = vec![first.1.await.unwrap()];
    for (handle, running) in [second, third] {
        handle.stop();
        read.push(running.await.unwrap());
    }
    trial.check();
    assert!(read[0] >= 200 && read[1] > 0, "{name}: both had partitions: {read:?}");
    // A batch whose commit was not answered may be counted by nobody, or by two.
    println!("{name}: rows read by each instance: {read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_come_and_go_lose_and_repeat_nothing() {
    instances_come_and_go("instances", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_share_the_work_by_the_new_protocol_too() {
    instances_come_and_go("kip-848", &[("kafka.group.protocol", "consumer")]).await;
}

/// An instance whose steps the test takes itself.
struct Steps {
    source: KafkaSource,
    sink: KafkaSink,
    partitions: Vec<SourcePartition>,
}

impl Steps {
    async fn new(trial: &Trial, options: Options<'_>) -> Steps {
        let options = [&[("startingOffsets", "earliest")], options].concat();
        let source = source(&trial.input, &options, Membership::Group(trial.job.clone()));
        let progress = Progress::Group(source.group().unwrap());
        let parts = sink_parts(&trial.output, &trial.letters, progress, Delivery::ExactlyOnce, &trial.job);
        let mut steps = Steps { source, sink: KafkaSink::new(parts), partitions: Vec::new() };
        steps.sink.prepare(&steps.source.schema()).await.unwrap();
        steps
    }

    /// Follows the group until so many partitions are ours.
    async fn follow(&mut self, n_partitions: usize) {
        let begin = std::time::Instant::now();
        while self.partitions.len() != n_partitions {
            assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", self.partitions);
            let moved = self.source.assignment().await.unwrap().unwrap();
            self.partitions.retain(|at| !moved.lost.contains(at));
            self.partitions.extend(moved.gained);
            if !self.partitions.is_empty() {
                // What was gained begins to be read here.
                let _ = self.latest().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn latest(&mut self) -> Option<(Option<Offset>, Offset)> {
        let Committed::Offsets(positions) = self.sink.last_committed(&self.partitions).await.unwrap() else {
            panic!("a group holds positions")
        };
        let start = self.source.offset_at(&positions).unwrap();
        let end = self.source.latest(start.as_ref(), ReadLimit::Configured).await.unwrap()?;
        Some((start, end))
    }

    /// A batch with all its rows, not committed.
    async fn open(&mut self) -> Box<dyn BatchWriter> {
        let (start, end) = loop {
            if let Some(found) = self.latest().await {
                break found;
            }
        };
        let range = OffsetRange { start, end };
        let mut plan = BatchPlan::new(BatchId(0), range.clone(), 0, None);
        plan.positions = self.source.positions(&range.end).unwrap();
        let mut rows = self.source.read(&range).await.unwrap();
        let mut writer = self.sink.begin(&plan).await.unwrap();
        while let Some(block) = rows.try_next().await.unwrap() {
            writer.write(Lane::Scored, block.rows).await.unwrap();
        }
        writer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_batch_is_finished_before_its_partition_is_let_go() {
    let trial = Trial::new("held", 2).await;
    trial.input.add(0, [r#"{"id":1}"#]);
    trial.input.add(1, [r#"{"id":2}"#]);
    let mut first = Steps::new(&trial, &[]).await;
    first.follow(2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let writer = first.open().await;
    let mut second = Steps::new(&trial, &[]).await;
    // The group asks for a partition meanwhile, and is told nothing yet.
    tokio::time::sleep(Duration::from_secs(5)).await;
    writer.commit().await.unwrap();
    assert_eq!(trial.output.fields("id"), ["1", "2"]);
    let (letting_go, taking) = (first.follow(1), second.follow(1));
    tokio::join!(letting_go, taking);
    trial.input.add(0, [r#"{"id":3}"#]);
    trial.input.add(1, [r#"{"id":4}"#]);
    let (one, other) = (first.open().await, second.open().await);
    one.commit().await.unwrap();
    other.commit().await.unwrap();
    assert_eq!(trial.output.fields("id"), ["1", "2", "3", "4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_cannot_commit_what_its_heir_has_taken_over() {
    let trial = Trial::new("zombie", 1).await;
    trial.input.add(0, [r#"{"id":1}"#]);
    let mut zombie = Steps::new(&trial, &[]).await;
    zombie.follow(1).await;
    let writer = zombie.open().await;
    // The heir of its partition takes its transactional id over, whatever the zombie thinks.
    let progress = Progress::Group(zombie.source.group().unwrap());
    let parts = sink_parts(&trial.output, &trial.letters, progress, Delivery::ExactlyOnce, &trial.job);
    let mut heir = KafkaSink::new(parts);
    heir.last_committed(&zombie.partitions).await.unwrap();
    let refused = writer.commit().await.unwrap_err();
    assert_eq!(refused.retry(), Retry::AfterRecreate, "{refused}");
    assert_eq!(trial.output.committed(), []);

    // As the driver does: everything anew, then the same rows again.
    zombie.source.reset().await.unwrap();
    zombie.sink.reset().await.unwrap();
    zombie.open().await.commit().await.unwrap();
    assert_eq!(trial.output.fields("id"), ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_not_committed_after_its_source_has_left_the_group() {
    let trial = Trial::new("left", 1).await;
    trial.input.add(0, [r#"{"id":1}"#]);
    let mut first = Steps::new(&trial, &[]).await;
    first.follow(1).await;
    let writer = first.open().await;
    drop(first.source);
    let refused = writer.commit().await.unwrap_err();
    assert_eq!(refused.retry(), Retry::Backoff, "{refused}");
    assert_eq!(trial.output.committed(), []);
}
