//! How far a source says that it is behind.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use ognivo_kafka::{KafkaSource, Membership};
use ognivo_stream::lag::Lag;
use ognivo_stream::offset::{Offset, OffsetRange};
use ognivo_stream::source::{ReadLimit, Source as _};
use ognivo_stream::stop::stop_pair;
use ognivo_stream::trigger::Trigger;

use crate::broker::Topic;
use crate::stream::{Trial, source};

const PATIENCE: Duration = Duration::from_secs(30);

async fn topic() -> Topic {
    let topic = Topic::new("lag", 2).await;
    topic.add(0, (0..10).map(|id| format!(r#"{{"id":{id}}}"#)));
    topic.add(1, (0..3).map(|id| format!(r#"{{"id":{id}}}"#)));
    topic
}

/// Reads the next batch; how many records it has, and where it ends.
async fn next(source: &mut KafkaSource, start: Option<&Offset>) -> Option<(usize, Offset)> {
    let end = source.latest(start, ReadLimit::Configured).await.unwrap()?;
    let range = OffsetRange { start: start.cloned(), end };
    let blocks: Vec<_> = source.read(&range).await.unwrap().try_collect().await.unwrap();
    Some((blocks.iter().map(|block| block.n_records_read).sum(), range.end))
}

/// Reads batches until nothing of the topic is behind any more.
async fn catch_up(source: &mut KafkaSource, topic: &Topic) -> Option<Offset> {
    let (begin, mut done) = (Instant::now(), None);
    while source.lag(done.as_ref()) != behind(topic, [0, 0]) {
        assert!(begin.elapsed() < PATIENCE, "{:?}", source.lag(done.as_ref()));
        done = next(source, done.as_ref()).await.map(|(_, end)| end).or(done);
    }
    done
}

fn behind(topic: &Topic, records: [u64; 2]) -> Lag {
    let each = records.into_iter().enumerate().map(|(partition, n)| (format!("{}-{partition}", topic.name), n));
    let each: BTreeMap<_, _> = each.map(|(name, n)| (ognivo_stream::offset::SourcePartition(name), n)).collect();
    Lag::Records(each)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_limited_batch_leaves_is_behind_by_partition() {
    let topic = topic().await;
    let options = [("startingOffsets", "earliest"), ("maxOffsetsPerTrigger", "8")];
    let mut source = source(&topic, &options, Membership::Alone);
    assert_eq!(source.lag(None), Lag::Unknown, "nobody has been asked");
    let (n_records, first) = next(&mut source, None).await.unwrap();
    let Lag::Records(left) = source.lag(Some(&first)) else { panic!("the lag is known") };
    assert_eq!((left.len(), left.values().sum::<u64>()), (2, 13 - n_records as u64), "{left:?}");
    assert!(n_records <= 8, "{n_records}");
    let (n_records, second) = next(&mut source, Some(&first)).await.unwrap();
    assert_eq!(n_records as u64, left.values().sum::<u64>());
    assert_eq!(source.lag(Some(&second)), behind(&topic, [0, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_since_is_learned_without_reading_it() {
    let topic = topic().await;
    let mut source = source(&topic, &[("startingOffsets", "earliest")], Membership::Alone);
    let done = catch_up(&mut source, &topic).await;
    let begin = Instant::now();
    topic.add(1, [r#"{"id":3}"#, r#"{"id":4}"#]);
    while source.lag(done.as_ref()) != behind(&topic, [0, 2]) {
        assert!(begin.elapsed() < PATIENCE, "{:?}", source.lag(done.as_ref()));
        source.latest(done.as_ref(), ReadLimit::Configured).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_markers_of_transactions_are_nothing_to_be_behind_of() {
    let mut trial = Trial::new("lag-of-transactions", 1).await;
    trial.add(100);
    trial.start(&[], Trigger::AvailableNow).run(&stop_pair().1).await.unwrap();
    trial.check();
    let mut source = source(&trial.output, &[("startingOffsets", "earliest")], Membership::Alone);
    assert!(catch_up(&mut source, &trial.output).await.is_some());
}
