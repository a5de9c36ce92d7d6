//! What stands beside each position in a group: whose it is, and which partitions there were when the job began.
//!
//! ```text
//! {"target":"KafkaSink[loans.scored]","began":{"loans":4}}
//! ```
//! The broker keeps such a text with each position and gives it back with it; every position that we store carries it on.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::offsets::TopicPartition;

/// A broker takes no longer text with a position (`offset.metadata.max.bytes`, 4096 by default). What a subscription to a thousand topics
/// began with is left out, then.
const MOST_BYTES: usize = 2048;

/// What we write beside our positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Where the rows go whose positions these are; None until a sink has said so.
    pub(crate) target: Option<String>,
    /// None where nobody had to know: a job that begins at the earliest records begins there in all partitions.
    pub(crate) began: Option<Began>,
}

impl Mark {
    /// None for what another program wrote, or nobody.
    pub(crate) fn of_text(text: &str) -> Option<Mark> {
        let json: Value = serde_json::from_str(text).ok()?;
        let target = json.get("target").and_then(Value::as_str).map(str::to_owned);
        let began = json.get("began").and_then(Began::of_json);
        (target.is_some() || began.is_some()).then_some(Mark { target, began })
    }

    pub(crate) fn to_text(&self) -> String {
        let target = self.target.iter().map(|target| ("target", Value::from(target.as_str())));
        let began = self.began.iter().map(|began| ("began", began.to_json()));
        let text = |json: Vec<(&str, Value)>| {
            let json: Map<String, Value> = json.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            Value::Object(json).to_string()
        };
        let whole = text(target.clone().chain(began).collect());
        if whole.len() <= MOST_BYTES { whole } else { text(target.collect()) }
    }
}

/// The partitions that there were when the job began: how many of each topic. Partitions are numbered from 0, and none goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Began(BTreeMap<String, i32>);

impl Began {
    /// With these, and so with those of smaller numbers.
    pub(crate) fn with<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> Began {
        let mut counts = BTreeMap::new();
        for at in partitions {
            let count = counts.entry(at.topic.clone()).or_default();
            *count = (at.partition + 1).max(*count);
        }
        Began(counts)
    }

    /// Whether it was there; else it was added later.
    pub(crate) fn had(&self, at: &TopicPartition) -> bool {
        self.0.get(&at.topic).is_some_and(|count| at.partition < *count)
    }

    fn of_json(json: &Value) -> Option<Began> {
        let each = json.as_object()?.iter();
        let counts = each.map(|(topic, count)| Some((topic.clone(), i32::try_from(count.as_i64()?).ok()?)));
        counts.collect::<Option<_>>().map(Began)
    }

    fn to_json(&self) -> Value {
        Value::Object(self.0.iter().map(|(topic, count)| (topic.clone(), Value::from(*count))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition::new(topic, partition)
    }

    #[test]
    fn a_mark_is_read_as_it_was_written_and_what_others_write_is_none() {
        let mark = Mark {
            target: Some("KafkaSink[out]".to_owned()),
            began: Some(Began::with(&[at("a", 0), at("a", 3), at("b", 0)])),
        };
        assert_eq!(mark.to_text(), r#"{"target":"KafkaSink[out]","began":{"a":4,"b":1}}"#);
        assert_eq!(Mark::of_text(&mark.to_text()), Some(mark));
        for text in ["", "NO_METADATA", "7", "{}", r#"{"target":7}"#, r#"{"began":{"a":"x"}}"#] {
            assert_eq!(Mark::of_text(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_job_of_many_topics_began_with_is_left_out_where_there_is_no_room_for_it() {
        let many: Vec<TopicPartition> = (0..1_000).map(|i| at(&format!("topic-{i}"), 0)).collect();
        let mark = Mark { target: Some("KafkaSink[out]".to_owned()), began: Some(Began::with(&many)) };
        assert_eq!(mark.to_text(), r#"{"target":"KafkaSink[out]"}"#);
    }

    #[test]
    fn partitions_with_higher_numbers_and_other_topics_were_added_later() {
        let began = Began::with(&[at("a", 1)]);
        let had = [at("a", 0), at("a", 1), at("a", 2), at("b", 0)].map(|at| began.had(&at));
        assert_eq!(had, [true, true, false, false]);
    }
}
