//! How far a query is behind its source.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::offset::SourcePartition;

/// What a source has and no batch has taken yet, as far as the source knows it without asking anybody.
///
/// ```text
/// {"records":{"loans-0":120,"loans-1":0}}     topics
/// {"files":17}                                a folder
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Lag {
    /// It does not know.
    #[default]
    Unknown,
    /// Records behind the newest one, by partition.
    Records(BTreeMap<SourcePartition, u64>),
    /// Files that were found and not taken.
    Files(u64),
}

impl Lag {
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Lag::Unknown
    }

    /// Records that wait, as far as they are known.
    pub(crate) fn n_records(&self) -> u64 {
        match self {
            Lag::Records(by_partition) => by_partition.values().sum(),
            Lag::Unknown | Lag::Files(_) => 0,
        }
    }

    /// Spark's words for it in a progress: `minOffsetsBehindLatest`, `maxOffsetsBehindLatest`, `avgOffsetsBehindLatest`.
    ///
    /// Empty for what Spark has no words for.
    pub(crate) fn to_spark_metrics(&self) -> BTreeMap<&'static str, String> {
        let Lag::Records(by_partition) = self else { return BTreeMap::new() };
        let (Some(min), Some(max)) = (by_partition.values().min(), by_partition.values().max()) else {
            return BTreeMap::new();
        };
        let mean = by_partition.values().sum::<u64>() as f64 / by_partition.len() as f64;
        BTreeMap::from([
            ("avgOffsetsBehindLatest", format!("{mean:?}")),
            ("maxOffsetsBehindLatest", max.to_string()),
            ("minOffsetsBehindLatest", min.to_string()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_behind_are_told_in_sparks_words() {
        let partition = |name: &str| SourcePartition(name.to_owned());
        let lag = Lag::Records(BTreeMap::from([(partition("a-0"), 3), (partition("a-1"), 0)]));
        let told = serde_json::to_string(&lag.to_spark_metrics()).unwrap();
        assert_eq!(
            told,
            r#"{"avgOffsetsBehindLatest":"1.5","maxOffsetsBehindLatest":"3","minOffsetsBehindLatest":"0"}"#
        );
        assert_eq!(serde_json::to_string(&lag).unwrap(), r#"{"records":{"a-0":3,"a-1":0}}"#);
        assert_eq!(serde_json::to_string(&Lag::Files(2)).unwrap(), r#"{"files":2}"#);
        assert!(Lag::Records(BTreeMap::new()).to_spark_metrics().is_empty());
    }
}
