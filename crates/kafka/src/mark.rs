//! What stands beside each position in a group: whose it is, and which partitions there were when the job began.
//!
//! ```text
//! {"target":"KafkaSink[loans.scored]","began":{"loans":4}}
//! ```
//! The broker keeps such a text with each position and gives it back with it; every position that we store carries it on.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::offsets::TopicPartition;

/// A broker takes no longer text with a position (`offset.metadata.max.bytes`, 4096 by default).
const MOST_BYTES: usize = 2048;

/// Nor more than a million bytes for all positions of a transaction together.
const MOST_BYTES_IN_ALL: usize = 256 << 10;

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

    fn to_text(&self) -> String {
        let target = self.target.iter().map(|target| ("target", Value::from(target.as_str())));
        let began = self.began.iter().map(|began| ("began", began.to_json()));
        let json: Map<String, Value> = target.chain(began).map(|(name, value)| (name.to_owned(), value)).collect();
        Value::Object(json).to_string()
    }
}

/// A mark with its texts, which are needed far more often than it changes.
#[derive(Debug, Default)]
pub(crate) struct KeptMark {
    mark: Mark,
    whole: String,
    /// Without what the job began with.
    short: String,
}

impl KeptMark {
    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Mark)) {
        change(&mut self.mark);
        self.whole = self.mark.to_text();
        self.short = Mark { began: None, ..self.mark.clone() }.to_text();
    }

    /// What stands beside each of so many positions. A job that began with a thousand topics does not say so.
    pub(crate) fn text_for(&self, n_positions: usize) -> &str {
        let len = self.whole.len();
        if len <= MOST_BYTES && len * n_positions <= MOST_BYTES_IN_ALL { &self.whole } else { &self.short }
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

    /// Partitions of this topic are new ones from now on.
    pub(crate) fn forget(&mut self, topic: &str) {
        self.0.remove(topic);
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
        let (short, whole) = (r#"{"target":"KafkaSink[out]"}"#, r#"{"target":"KafkaSink[out]","began":{"a":1}}"#);
        let mut kept = KeptMark::default();
        kept.change(|mark| mark.target = Some("KafkaSink[out]".to_owned()));
        assert_eq!(kept.text_for(1), short);
        kept.change(|mark| mark.began = Some(Began::with(&[at("a", 0)])));
        assert_eq!((kept.text_for(1), kept.text_for(10_000)), (whole, short));
        let many: Vec<TopicPartition> = (0..1_000).map(|i| at(&format!("topic-{i}"), 0)).collect();
        kept.change(|mark| mark.began = Some(Began::with(&many)));
        assert_eq!(kept.text_for(1), short);
    }

    #[test]
    fn partitions_with_higher_numbers_and_other_topics_were_added_later() {
        let began = Began::with(&[at("a", 1)]);
        let had = [at("a", 0), at("a", 1), at("a", 2), at("b", 0)].map(|at| began.had(&at));
        assert_eq!(had, [true, true, false, false]);
        let mut began = began;
        began.forget("a");
        assert!(!began.had(&at("a", 0)), "it is another topic of that name");
    }
}
