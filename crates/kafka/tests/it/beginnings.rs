//! Where a job begins in partitions that it has not read, whose positions are its own, and what it does when topics go.

use std::time::{Duration, Instant};

use ognivo_data::fault::{Explain as _, Fault, Retry};
use ognivo_kafka::Membership;
use ognivo_stream::query_error::QueryError;
use ognivo_stream::source::{ReadLimit, Source as _};
use ognivo_stream::stop::{StopHandle, stop_pair};
use ognivo_stream::trigger::Trigger;
use tokio::task::JoinHandle;

use crate::broker::Topic;
use crate::stream::{Options, Trial, source};

const PATIENCE: Duration = Duration::from_secs(60);

/// Added partitions are found within two seconds, not after half a minute.
const LOOKS_OFTEN: (&str, &str) = ("kafka.topic.metadata.refresh.interval.ms", "2000");

/// A stream that runs until it is told to stop, or fails.
fn run(trial: &Trial, options: Options<'_>) -> (StopHandle, JoinHandle<Result<u64, QueryError>>) {
    let (handle, stop) = stop_pair();
    let mut query = trial.start(options, Trigger::AsRowsArrive);
    let runtime = tokio::runtime::Handle::current();
    let running =
        tokio::task::spawn_blocking(move || runtime.block_on(query.run(&stop)).map(|summary| summary.rows.read));
    (handle, running)
}

async fn wait_for_positions(trial: &Trial) {
    let begin = Instant::now();
    while !trial.input.is_positioned(&trial.job, trial.n_partitions) {
        assert!(begin.elapsed() < PATIENCE, "{}: it does not begin", trial.job);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_added_is_read_from_its_first_record_wherever_the_job_began() {
    let mut trial = Trial::new("added", 1).await;
    trial.input.add(0, [r#"{"id":1000000}"#]);
    let (handle, running) = run(&trial, &[("startingOffsets", "latest"), LOOKS_OFTEN]);
    wait_for_positions(&trial).await;
    trial.add(30);
    trial.wait_until_done(PATIENCE).await;
    // They come before anybody has seen the partition.
    trial.input.add_partitions(2).await;
    trial.n_partitions = 2;
    trial.add(30);
    trial.wait_until_done(PATIENCE).await;
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap(), 60);
    trial.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_finds_the_others_just_begun_begins_as_they_do() {
    let mut trial = Trial::new("begun", 2).await;
    let options = [("startingOffsets", "latest")];
    let (handle, running) = run(&trial, &options);
    wait_for_positions(&trial).await;
    handle.stop();
    running.await.unwrap().unwrap();
    // As if the other instance had died before it began in the partition that it had.
    trial.input.keep_position(&trial.job, 0).await;
    trial.input.add(1, [r#"{"id":1000000}"#]);
    let (handle, running) = run(&trial, &options);
    wait_for_positions(&trial).await;
    trial.add(30);
    trial.wait_until_done(PATIENCE).await;
    handle.stop();
    assert_eq!(running.await.unwrap().unwrap(), 30, "what was there before is not read");
    trial.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_name_another_stream_has_is_refused_before_it_moves_a_position() {
    let mut trial = Trial::new("named-alike", 1).await;
    trial.add(10);
    let no_stop = stop_pair();
    trial.start(&[], Trigger::AvailableNow).run(&no_stop.1).await.unwrap();
    trial.check();
    trial.add(10);
    let first_output = std::mem::replace(&mut trial.output, Topic::new("elsewhere", 2).await);
    let error = trial.start(&[], Trigger::AvailableNow).run(&no_stop.1).await.unwrap_err();
    assert_eq!((error.retry(), error.fault()), (Retry::Never, Fault::Job), "{error}");
    let expect = format!(
        "the positions of group {} belong to a stream into KafkaSink[{}], and this one writes to KafkaSink[{}]",
        trial.job, first_output.name, trial.output.name
    );
    assert!(error.to_string().contains(&expect), "{error}");
    assert!(trial.output.committed().is_empty());
    trial.output = first_output;
    trial.start(&[], Trigger::AvailableNow).run(&no_stop.1).await.unwrap();
    trial.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_the_job_assigns_are_read_exactly_once_from_start_to_start() {
    let mut trial = Trial::new("assigned", 3).await;
    // The third is not ours.
    trial.n_partitions = 2;
    trial.input.add(2, [r#"{"id":1000000}"#]);
    let assign = format!(r#"{{"{}":[0,1]}}"#, trial.input.name);
    for _ in 0..3 {
        trial.add(40);
        let mut query = trial.start(&[("assign", &assign)], Trigger::AvailableNow);
        assert_eq!(query.run(&stop_pair().1).await.unwrap().rows.read, 40);
        trial.check();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_of_a_pattern_are_read_exactly_once_by_either_protocol_of_the_group() {
    for protocol in ["classic", "consumer"] {
        let mut trial = Trial::new("pattern", 2).await;
        let pattern = format!("{}|nothing-else", trial.input.name);
        // Its name begins alike, and it is not one of them.
        let other = Topic::new(&trial.input.name, 1).await;
        other.add(0, [r#"{"id":1000000}"#]);
        for _ in 0..2 {
            trial.add(40);
            let options = [("subscribePattern", pattern.as_str()), ("kafka.group.protocol", protocol)];
            let mut query = trial.start(&options, Trigger::AvailableNow);
            assert_eq!(query.run(&stop_pair().1).await.unwrap().rows.read, 40, "{protocol}");
            trial.check();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_topic_is_deleted() {
    let mut trial = Trial::new("deleted", 2).await;
    trial.add(20);
    let (_handle, running) = run(&trial, &[LOOKS_OFTEN]);
    trial.wait_until_done(PATIENCE).await;
    trial.input.delete().await;
    let error = tokio::time::timeout(PATIENCE, running).await.expect("it ends by itself").unwrap().unwrap_err();
    assert_eq!((error.retry(), error.fault()), (Retry::Never, Fault::Data), "{error}");
    assert!(
        error.to_string().contains(&format!("a partition that was read is gone: {}-", trial.input.name)),
        "{error}"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("failOnDataLoss")), "{:?}", error.hint());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_may_lose_data_goes_on_with_another_topic_of_the_same_name() {
    let mut trial = Trial::new("made-again", 2).await;
    trial.add(20);
    let (handle, running) = run(&trial, &[("failOnDataLoss", "false"), ("startingOffsets", "latest"), LOOKS_OFTEN]);
    wait_for_positions(&trial).await;
    trial.add(20);
    tokio::time::sleep(Duration::from_secs(1)).await;
    trial.input.delete().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    trial.input.make_again(2).await;
    let before = trial.output.committed().len();
    trial.input.add(0, [r#"{"id":2000000}"#, r#"{"id":2000001}"#]);
    let begin = Instant::now();
    while trial.output.committed().len() < before + 2 {
        assert!(begin.elapsed() < PATIENCE, "its records do not come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_goes_under_a_reader_of_its_own_offsets_ends_it_unless_data_may_be_lost() {
    for fails in ["true", "false"] {
        let topic = Topic::new("gone", 1).await;
        topic.add(0, [r#"{"id":0}"#]);
        let start = ognivo_stream::offset::Offset::new(serde_json::json!({ topic.name.as_str(): { "0": 1 } }));
        topic.delete().await;
        let mut source = source(&topic, &[("failOnDataLoss", fails)], Membership::Alone);
        let found = source.latest(Some(&start), ReadLimit::Configured).await;
        let gone = format!("a partition that was read is gone: {}-0", topic.name);
        if fails == "true" {
            assert_eq!(found.unwrap_err().to_string(), gone);
        } else {
            assert_eq!(found.unwrap(), None);
            assert_eq!(source.take_warnings(), [gone]);
        }
    }
}
