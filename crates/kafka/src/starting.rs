//! Questions about where partitions begin and end, answered by the brokers.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::Consumer as _;
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::task::spawn_blocking;

use crate::config::{SourceConfig, Starting, Topics};
use crate::error::KafkaError;
use crate::fetcher::{Consumer, Fetcher};
use crate::offsets::{Offsets, TopicPartition};

/// How long brokers may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

/// How long they may take where nobody waits for the answer, and its absence harms nothing.
const SOON: Duration = Duration::from_secs(3);

/// Spark's numbers for the two ends of a partition.
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// Asks in a thread that may block.
pub(crate) async fn ask<T: Send + 'static>(
    fetcher: &Arc<Fetcher>,
    question: impl FnOnce(&Consumer) -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, KafkaError> {
    let fetcher = Arc::clone(fetcher);
    spawn_blocking(move || question(&fetcher.consumer)).await.map_err(|_| KafkaError::FetcherEnded)?
}

/// The partitions that there are of these topics.
///
/// # Errors
/// When a topic that is named is not there; of a pattern, one that matches nothing is fine.
pub(crate) fn partitions(consumer: &Consumer, topics: &Topics) -> Result<Vec<TopicPartition>, KafkaError> {
    all_partitions(consumer, topics, partitions_of)
}

/// The same, where a topic that is named and not there has none; of those that the job assigns, all.
pub(crate) fn remaining_partitions(consumer: &Consumer, topics: &Topics) -> Result<Vec<TopicPartition>, KafkaError> {
    all_partitions(consumer, topics, |consumer, name| match partitions_of(consumer, name) {
        Err(KafkaError::NoTopic { .. }) => Ok(Vec::new()),
        found => found,
    })
}

fn all_partitions(
    consumer: &Consumer,
    topics: &Topics,
    partitions_of: impl Fn(&Consumer, &str) -> Result<Vec<TopicPartition>, KafkaError>,
) -> Result<Vec<TopicPartition>, KafkaError> {
    match topics {
        Topics::Assign(partitions) => Ok(partitions.clone()),
        Topics::Subscribe(names) => {
            let mut found = Vec::new();
            for name in names {
                found.extend(partitions_of(consumer, name)?);
            }
            Ok(found)
        }
        Topics::Pattern(_) => {
            // The client matches by itself what it is subscribed to; without a group it is asked for the names.
            let metadata = consumer
                .fetch_metadata(None, ANSWER_DEADLINE)
                .map_err(|cause| KafkaError::client("cannot ask for the topics", &cause))?;
            let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
            let matching: Vec<String> = names.filter(|name| topics.takes(name)).collect();
            let mut found = Vec::new();
            for name in matching {
                found.extend(partitions_of(consumer, &name)?);
            }
            Ok(found)
        }
    }
}

fn partitions_of(consumer: &Consumer, name: &str) -> Result<Vec<TopicPartition>, KafkaError> {
    let failed = |cause| KafkaError::client(format!("cannot ask for topic {name}"), &cause);
    let metadata = consumer.fetch_metadata(Some(name), ANSWER_DEADLINE).map_err(failed)?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    match topic.map(|topic| (topic.error(), topic.partitions())) {
        Some((Some(error), _)) if is_unknown(error.into()) => Err(KafkaError::NoTopic { topic: name.to_owned() }),
        Some((Some(error), _)) => Err(KafkaError::code(format!("cannot ask for topic {name}"), error.into())),
        Some((None, partitions)) if !partitions.is_empty() => {
            Ok(partitions.iter().map(|partition| TopicPartition::new(name, partition.id())).collect())
        }
        _ => Err(KafkaError::NoTopic { topic: name.to_owned() }),
    }
}

fn is_unknown(code: rdkafka::types::RDKafkaErrorCode) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition)
}

/// The first offset of each partition.
pub(crate) fn earliest(consumer: &Consumer, partitions: &[TopicPartition]) -> Result<Offsets, KafkaError> {
    ends(consumer, partitions, Offset::Beginning, ANSWER_DEADLINE)
}

/// The offset behind the last record of each partition that a reader of committed records sees.
pub(crate) fn latest(consumer: &Consumer, partitions: &[TopicPartition]) -> Result<Offsets, KafkaError> {
    ends(consumer, partitions, Offset::End, ANSWER_DEADLINE)
}

/// The same, given up after a moment.
pub(crate) fn latest_soon(consumer: &Consumer, partitions: &[TopicPartition]) -> Result<Offsets, KafkaError> {
    ends(consumer, partitions, Offset::End, SOON)
}

fn ends(
    consumer: &Consumer,
    partitions: &[TopicPartition],
    which: Offset,
    patience: Duration,
) -> Result<Offsets, KafkaError> {
    let mut list = TopicPartitionList::new();
    for at in partitions {
        let added = list.add_partition_offset(&at.topic, at.partition, which);
        added.map_err(|cause| KafkaError::client("cannot name a partition", &cause))?;
    }
    let found = at_times(consumer, list, patience)?;
    found
        .into_iter()
        .map(|(at, offset)| match offset {
            Offset::Offset(offset) => Ok((at, offset)),
            _ => Err(KafkaError::PartitionGone { partition: at }),
        })
        .collect::<Result<_, _>>()
        .map(Offsets)
}

fn at_times(
    consumer: &Consumer,
    list: TopicPartitionList,
    patience: Duration,
) -> Result<Vec<(TopicPartition, Offset)>, KafkaError> {
    if list.count() == 0 {
        return Ok(Vec::new());
    }
    let failed = |cause| KafkaError::client("cannot ask for offsets", &cause);
    let found = consumer.offsets_for_times(list, patience).map_err(failed)?;
    let each = found.elements().into_iter().map(|element| {
        let at = TopicPartition::new(element.topic(), element.partition());
        match element.error() {
            Ok(()) => Ok((at, element.offset())),
            Err(cause) => Err(KafkaError::client(format!("cannot ask for the offsets of {at}"), &cause)),
        }
    });
    each.collect()
}

/// Where partitions begin that nobody has read.
///
/// # Errors
/// [`KafkaError::NoSuchTime`] where no record is as young as the timestamp and the strategy is `error`;
/// [`KafkaError::StartMissing`] where some partitions are named and one of these is not.
pub(crate) fn resolve(
    consumer: &Consumer,
    config: &SourceConfig,
    partitions: &[TopicPartition],
) -> Result<Offsets, KafkaError> {
    match &config.starting {
        Starting::Earliest => earliest(consumer, partitions),
        Starting::Latest => latest(consumer, partitions),
        Starting::Offsets(offsets) => {
            check_all_named("startingOffsets", offsets, partitions)?;
            let (earliest, latest) = (earliest(consumer, partitions)?, latest(consumer, partitions)?);
            let each = partitions.iter().map(|at| {
                let from = match offsets.get(at) {
                    Some(EARLIEST) => earliest.get(at),
                    Some(LATEST) => latest.get(at),
                    from => from,
                };
                (at.clone(), from.unwrap_or_default())
            });
            Ok(Offsets(each.collect()))
        }
        Starting::Timestamp(time_ms) => by_time(consumer, config, partitions, |_| *time_ms),
        Starting::Timestamps(times) => {
            check_all_named("startingOffsetsByTimestamp", times, partitions)?;
            by_time(consumer, config, partitions, |at| times.get(at).unwrap_or_default())
        }
    }
}

/// As Spark, which would else have to guess for the others.
fn check_all_named(option: &'static str, named: &Offsets, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
    match partitions.iter().find(|at| named.get(at).is_none()) {
        None => Ok(()),
        Some(at) => Err(KafkaError::StartMissing { option, partition: at.clone() }),
    }
}

fn by_time(
    consumer: &Consumer,
    config: &SourceConfig,
    partitions: &[TopicPartition],
    time_ms: impl Fn(&TopicPartition) -> i64,
) -> Result<Offsets, KafkaError> {
    let mut list = TopicPartitionList::new();
    for at in partitions {
        let added = list.add_partition_offset(&at.topic, at.partition, Offset::from_raw(time_ms(at)));
        added.map_err(|cause| KafkaError::client("cannot name a partition", &cause))?;
    }
    let ends = latest(consumer, partitions)?;
    let mut offsets = Offsets::default();
    for (at, found) in at_times(consumer, list, ANSWER_DEADLINE)? {
        let time_ms = time_ms(&at);
        let from = match found {
            Offset::Offset(from) => from,
            _ if config.latest_when_no_timestamp => ends.get(&at).unwrap_or_default(),
            _ => return Err(KafkaError::NoSuchTime { partition: at, time_ms }),
        };
        offsets.0.insert(at, from);
    }
    Ok(offsets)
}
