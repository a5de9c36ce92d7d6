//! Positions in topics, in Spark's JSON.
//!
//! ```text
//! {"loans":{"0":52000,"1":51020}}     the next record of each partition; partitions sorted when written
//! ```

use std::collections::BTreeMap;
use std::fmt;

use ognivo_stream::offset::{Offset, Positions, SourcePartition};
use rdkafka::topic_partition_list::TopicPartitionList;
use serde_json::{Map, Value};

/// One partition of one topic, written `loans-0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The number of the partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition of this topic and number.
    pub fn new(topic: impl Into<String>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }

    pub(crate) fn of(name: &SourcePartition) -> Option<TopicPartition> {
        let (topic, partition) = name.0.rsplit_once('-')?;
        Some(TopicPartition::new(topic, partition.parse().ok()?))
    }

    pub(crate) fn name(&self) -> SourcePartition {
        SourcePartition(self.to_string())
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// The next record of each partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offsets(pub(crate) BTreeMap<TopicPartition, i64>);

impl Offsets {
    /// Reads Spark's JSON; None when it is anything else.
    pub(crate) fn of_json(json: &Value) -> Option<Offsets> {
        let mut offsets = BTreeMap::new();
        for (topic, partitions) in json.as_object()? {
            for (partition, at) in partitions.as_object()? {
                let partition = partition.parse().ok().filter(|number| *number >= 0)?;
                offsets.insert(TopicPartition::new(topic, partition), at.as_i64()?);
            }
        }
        Some(Offsets(offsets))
    }

    pub(crate) fn of_offset(offset: &Offset) -> Option<Offsets> {
        Offsets::of_json(offset.json())
    }

    pub(crate) fn to_offset(&self) -> Offset {
        let mut topics: Map<String, Value> = Map::new();
        for (at, next) in &self.0 {
            let topic = topics.entry(at.topic.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(partitions) = topic {
                partitions.insert(at.partition.to_string(), Value::from(*next));
            }
        }
        Offset::new(Value::Object(topics))
    }

    /// One position for each partition, for a target that stores those.
    pub(crate) fn to_positions(&self) -> Positions {
        Positions(self.0.iter().map(|(at, next)| (at.name(), Value::from(*next))).collect())
    }

    /// The inverse of [`to_positions`](Offsets::to_positions); None when a name or a position is not one of ours.
    pub(crate) fn of_positions(positions: &Positions) -> Option<Offsets> {
        let each = positions.0.iter().map(|(name, at)| Some((TopicPartition::of(name)?, at.as_i64()?)));
        each.collect::<Option<_>>().map(Offsets)
    }

    pub(crate) fn get(&self, at: &TopicPartition) -> Option<i64> {
        self.0.get(at).copied()
    }

    /// The form that the client takes.
    pub(crate) fn to_list(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(self.0.len());
        for (at, next) in &self.0 {
            list.add_partition_offset(&at.topic, at.partition, rdkafka::Offset::from_raw(*next))
                .expect("an offset that Kafka has");
        }
        list
    }
}

/// The partitions of a list of the client's.
pub(crate) fn partitions_of(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements().iter().map(|element| TopicPartition::new(element.topic(), element.partition())).collect()
}

/// A list for the client, without offsets.
pub(crate) fn list_of<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for at in partitions {
        list.add_partition(&at.topic, at.partition);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn offsets_are_written_as_spark_writes_them() {
        let text = r#"{"a":{"0":1,"2":30,"10":7},"b-c":{"1":5}}"#;
        let offsets = Offsets::of_json(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(offsets.to_offset().to_string(), text);
        let positions = offsets.to_positions();
        assert_eq!(positions.0.keys().map(|name| name.0.as_str()).collect::<Vec<_>>(), ["a-0", "a-10", "a-2", "b-c-1"]);
        assert_eq!(Offsets::of_positions(&positions), Some(offsets));
    }

    #[test]
    fn what_is_no_position_is_none() {
        for json in
            [json!(7), json!({"a": 7}), json!({"a": {"x": 7}}), json!({"a": {"-1": 7}}), json!({"a": {"0": "7"}})]
        {
            assert_eq!(Offsets::of_json(&json), None, "{json}");
        }
    }
}
