//! Each option of the source.

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use futures::TryStreamExt as _;
use ognivo_data::fault::{Explain as _, Retry};
use ognivo_kafka::{KafkaSource, Membership, SourceConfig};
use ognivo_stream::offset::{Offset, OffsetRange};
use ognivo_stream::source::{ReadLimit, Source as _, SourceError};
use std::time::{Duration, Instant};

use crate::broker::Topic;
use crate::stream::{given, id_schema, json, source};

/// The next batch after `start`, and where it ends; waits until there is one.
async fn next(source: &mut KafkaSource, start: Option<&Offset>) -> Result<(Vec<i64>, Offset), SourceError> {
    let begin = Instant::now();
    let end = loop {
        match source.latest(start, ReadLimit::Configured).await? {
            Some(end) => break end,
            None => assert!(begin.elapsed() < Duration::from_secs(30), "no batch comes"),
        }
    };
    let range = OffsetRange { start: start.cloned(), end };
    let blocks: Vec<_> = source.read(&range).await?.try_collect().await?;
    let ids = blocks.iter().flat_map(|block| block.rows.column(0).as_primitive::<Int64Type>().values().to_vec());
    Ok((ids.collect(), range.end))
}

async fn topic(n_partitions: i32, ids: std::ops::Range<i64>) -> Topic {
    let topic = Topic::new("options", n_partitions).await;
    add(&topic, n_partitions, ids);
    topic
}

fn add(topic: &Topic, n_partitions: i32, ids: std::ops::Range<i64>) {
    for id in ids {
        topic.add(id as i32 % n_partitions, [format!(r#"{{"id":{id}}}"#)]);
    }
}

fn open(options: &[(&str, &str)]) -> KafkaSource {
    let config = SourceConfig::parse(&given(options)).unwrap();
    KafkaSource::new(config, json(), id_schema(), Membership::Alone).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_where_starting_offsets_say() {
    let topic = topic(2, 0..10).await;
    let name = topic.name.as_str();
    let json = format!(r#"{{"{name}":{{"0":3,"1":-2}}}}"#);
    let mut given = source(&topic, &[("startingOffsets", &json), ("maxOffsetsPerTrigger", "100")], Membership::Alone);
    let (ids, end) = next(&mut given, None).await.unwrap();
    assert_eq!(ids, [6, 8, 1, 3, 5, 7, 9]);
    assert_eq!(end.to_string(), format!(r#"{{"{name}":{{"0":5,"1":5}}}}"#));

    for (option, value) in [("startingOffsets", "-2"), ("startingOffsetsByTimestamp", "0")] {
        let half = format!(r#"{{"{name}":{{"1":{value}}}}}"#);
        let mut source = source(&topic, &[(option, &half)], Membership::Alone);
        let error = source.latest(None, ReadLimit::Configured).await.unwrap_err();
        let expect = format!("option `{option}` names some partitions and leaves this one out: {name}-0");
        assert_eq!((error.to_string(), error.retry()), (expect, Retry::Never), "as Spark, which wants all of them");
    }

    let mut latest = source(&topic, &[], Membership::Alone);
    assert_eq!(latest.latest(None, ReadLimit::Configured).await.unwrap(), None);
    add(&topic, 2, 10..11);
    assert_eq!(next(&mut latest, None).await.unwrap().0, [10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_at_a_timestamp_or_refuses_one_that_nothing_is_as_young_as() {
    let topic = topic(1, 0..3).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis().to_string();
    add(&topic, 1, 3..5);
    let mut by_time = source(&topic, &[("startingTimestamp", &now_ms)], Membership::Alone);
    assert_eq!(next(&mut by_time, None).await.unwrap().0, [3, 4]);

    let future = "9999999999999";
    let by_partition = format!(r#"{{"{}":{{"0":{future}}}}}"#, topic.name);
    let mut refused = source(&topic, &[("startingOffsetsByTimestamp", &by_partition)], Membership::Alone);
    let error = refused.latest(None, ReadLimit::Configured).await.unwrap_err();
    assert!(error.to_string().contains("has no record that is as young as"), "{error}");
    assert!(error.hint().unwrap().contains("startingOffsetsByTimestampStrategy"), "{error}");
    let options = [("startingTimestamp", future), ("startingOffsetsByTimestampStrategy", "latest")];
    let mut at_end = source(&topic, &options, Membership::Alone);
    assert_eq!(at_end.latest(None, ReadLimit::Configured).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_keep_to_the_least_and_the_most_that_they_may_take() {
    let topic = topic(2, 0..40).await;
    let options = [("startingOffsets", "earliest"), ("maxOffsetsPerTrigger", "10")];
    let mut limited = source(&topic, &options, Membership::Alone);
    let (mut start, mut sizes) = (None, Vec::new());
    for _ in 0..4 {
        let (ids, end) = next(&mut limited, start.as_ref()).await.unwrap();
        sizes.push(ids.len());
        start = Some(end);
    }
    assert_eq!(sizes, [10, 10, 10, 10]);

    let options = [("startingOffsets", "earliest"), ("minOffsetsPerTrigger", "50"), ("maxTriggerDelay", "10m")];
    let mut patient = source(&topic, &options, Membership::Alone);
    assert_eq!(patient.latest(None, ReadLimit::Configured).await.unwrap(), None, "40 are fewer than 50");
    add(&topic, 2, 40..50);
    assert_eq!(next(&mut patient, None).await.unwrap().0.len(), 50);
    let options = [("startingOffsets", "earliest"), ("minOffsetsPerTrigger", "1000"), ("maxTriggerDelay", "1s")];
    let mut impatient = source(&topic, &options, Membership::Alone);
    assert_eq!(next(&mut impatient, None).await.unwrap().0.len(), 50, "after a second it does not wait any longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_taken_by_name_by_pattern_and_by_partition() {
    let (one, other) = (topic(1, 0..2).await, topic(1, 2..4).await);
    let both = format!("{},{}", one.name, other.name);
    for (name, value) in [
        ("subscribe", both.as_str()),
        ("subscribePattern", &format!("{}|{}", one.name, other.name)),
        ("assign", &format!(r#"{{"{}":[0],"{}":[0]}}"#, one.name, other.name)),
    ] {
        let mut source = open(&[(name, value), ("startingOffsets", "earliest"), ("maxOffsetsPerTrigger", "100")]);
        let (mut ids, _) = next(&mut source, None).await.unwrap();
        ids.sort_unstable();
        assert_eq!(ids, [0, 1, 2, 3], "{name}");
    }
    let mut nothing = open(&[("subscribe", "nothing-of-this-name"), ("startingOffsets", "earliest")]);
    let error = nothing.latest(None, ReadLimit::Configured).await.unwrap_err();
    assert_eq!(error.to_string(), "topic is not there: nothing-of-this-name");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_are_added_begin_at_their_first_record() {
    let topic = topic(1, 0..2).await;
    let mut source = source(&topic, &[("maxOffsetsPerTrigger", "100")], Membership::Alone);
    assert_eq!(source.latest(None, ReadLimit::Configured).await.unwrap(), None, "it begins at the end");
    topic.add_partitions(2).await;
    add(&topic, 2, 2..6);
    let mut ids = Vec::new();
    let mut start = None;
    while ids.len() < 4 {
        let (more, end) = next(&mut source, start.as_ref()).await.unwrap();
        ids.extend(more);
        start = Some(end);
    }
    ids.sort_unstable();
    assert_eq!(ids, [2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_gone_end_the_stream_unless_told_otherwise() {
    for fails in ["true", "false"] {
        let topic = topic(1, 0..10).await;
        let start = Offset::new(serde_json::json!({ topic.name.as_str(): { "0": 2 } }));
        topic.delete_before(0, 6).await;
        let mut source = source(&topic, &[("failOnDataLoss", fails)], Membership::Alone);
        let found = next(&mut source, Some(&start)).await;
        if fails == "true" {
            let error = found.unwrap_err();
            assert_eq!(error.retry(), Retry::Never);
            let expect =
                format!("records of {}-0 are gone before they were read: offset 2 is outside of 6..10", topic.name);
            assert_eq!(error.to_string(), expect);
        } else {
            assert_eq!(found.unwrap().0, [6, 7, 8, 9]);
            let warning = format!("records of {}-0 are gone before they were read: from 2 to 6", topic.name);
            assert_eq!(source.take_warnings(), [warning]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_transaction_gave_up_is_not_read_and_stops_no_batch() {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    let topic = topic(1, 0..2).await;
    let mut client = rdkafka::ClientConfig::new();
    client.set("bootstrap.servers", crate::broker::address()).set("transactional.id", &topic.name);
    let producer: BaseProducer = client.create().unwrap();
    let wait = Duration::from_secs(30);
    producer.init_transactions(wait).unwrap();
    for (id, commits) in [(90, false), (2, true), (91, false)] {
        producer.begin_transaction().unwrap();
        let value = format!(r#"{{"id":{id}}}"#);
        producer.send(BaseRecord::<str, str>::to(&topic.name).partition(0).payload(&value)).unwrap();
        producer.flush(wait).unwrap();
        if commits { producer.commit_transaction(wait).unwrap() } else { producer.abort_transaction(wait).unwrap() }
    }
    // The end of the partition is behind a marker, which is no record.
    let options = [("startingOffsets", "earliest"), ("maxOffsetsPerTrigger", "100")];
    let mut committed = source(&topic, &options, Membership::Alone);
    let (ids, end) = next(&mut committed, None).await.unwrap();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(end.to_string(), format!(r#"{{"{}":{{"0":8}}}}"#, topic.name));
    add(&topic, 1, 3..4);
    assert_eq!(next(&mut committed, Some(&end)).await.unwrap().0, [3]);
    let all = [&options[..], &[("kafka.isolation.level", "read_uncommitted")]].concat();
    assert_eq!(next(&mut source(&topic, &all, Membership::Alone), None).await.unwrap().0, [0, 1, 90, 2, 91, 3]);
}
