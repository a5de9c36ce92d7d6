//! Positions of a source, and the half-open range of rows that a batch takes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A position of one source: JSON that this source wrote and only this source reads.
///
/// ```text
/// {"logOffset":7}                   a folder: the newest entry of its log
/// {"loans":{"0":52000,"1":51020}}   topics: the next record of each partition
/// ```
/// Two offsets are equal when their JSON is. No order is known outside the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(Value);

impl Offset {
    /// The position that this JSON names.
    pub fn new(json: Value) -> Offset {
        Offset(json)
    }

    /// The JSON itself.
    pub fn json(&self) -> &Value {
        &self.0
    }
}

impl fmt::Display for Offset {
    /// Compact JSON on one line, as it stands in a checkpoint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The rows after `start` up to and including `end`; without a start, from the beginning of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetRange {
    /// Where the batch before ended.
    pub start: Option<Offset>,
    /// Where this batch ends.
    pub end: Offset,
}

impl fmt::Display for OffsetRange {
    /// `({"logOffset":3}..{"logOffset":4}]`, with `-` for an absent start.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            Some(start) => write!(f, "({start}..{}]", self.end),
            None => write!(f, "(-..{}]", self.end),
        }
    }
}

/// Name of one partition of a source, such as `loans-0`. A source whose partitions never move has one, named `all`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourcePartition(pub String);

impl SourcePartition {
    /// The only partition of a source whose partitions never move.
    pub fn all() -> SourcePartition {
        SourcePartition("all".to_owned())
    }
}

impl fmt::Display for SourcePartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A position for each of some source partitions: what a target stores that holds the progress itself.
///
/// The JSON of one position is the source's own, as an [`Offset`] is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Positions(pub BTreeMap<SourcePartition, Value>);

impl Positions {
    /// The position of a source whose partitions never move.
    pub fn of_whole(offset: &Offset) -> Positions {
        Positions(BTreeMap::from([(SourcePartition::all(), offset.json().clone())]))
    }

    /// The inverse of [`of_whole`](Positions::of_whole); None when no position is known.
    pub fn whole(&self) -> Option<Offset> {
        self.0.get(&SourcePartition::all()).cloned().map(Offset)
    }

    /// Whether no partition has a position.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_range_prints_which_end_belongs_to_it() {
        let end = Offset::new(json!({"logOffset": 4}));
        let first = OffsetRange { start: None, end: end.clone() };
        assert_eq!(first.to_string(), r#"(-..{"logOffset":4}]"#);
        let next = OffsetRange { start: Some(end), end: Offset::new(json!(5)) };
        assert_eq!(next.to_string(), r#"({"logOffset":4}..5]"#);
    }

    #[test]
    fn the_whole_position_of_an_unpartitioned_source_comes_back() {
        let offset = Offset::new(json!({"logOffset": 4}));
        assert_eq!(Positions::of_whole(&offset).whole(), Some(offset));
        assert_eq!(Positions::default().whole(), None);
    }
}
