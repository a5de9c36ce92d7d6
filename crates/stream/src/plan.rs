//! What a batch is, and which step comes next: decided here from values alone, carried out by [`query`](crate::query).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::offset::{OffsetRange, Positions};

/// Number of a batch; the first is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(pub u64);

impl BatchId {
    /// The number after this one.
    pub fn next(self) -> BatchId {
        BatchId(self.0 + 1)
    }

    /// The number before this one; None for the first.
    pub fn previous(self) -> Option<BatchId> {
        self.0.checked_sub(1).map(BatchId)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fingerprint of a model, made by whoever loaded it. Equal fingerprints mean equal scores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelId(pub String);

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a batch is. Once it is written ahead it is this work forever, with this model and this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPlan {
    /// Its number.
    pub id: BatchId,
    /// The rows it takes.
    pub range: OffsetRange,
    /// The end of the range, per source partition; stored by a target that holds the progress itself.
    pub positions: Positions,
    /// The batch's time in milliseconds since 1970; what `batchTimeColumn` writes.
    pub time_ms: i64,
    /// The model it is scored with; None in a plan that Spark wrote.
    pub model: Option<ModelId>,
}

impl BatchPlan {
    /// A plan over a source whose partitions never move.
    pub fn new(id: BatchId, range: OffsetRange, time_ms: i64, model: Option<ModelId>) -> BatchPlan {
        let positions = Positions::of_whole(&range.end);
        BatchPlan { id, range, positions, time_ms, model }
    }
}
