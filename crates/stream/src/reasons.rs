//! Why rows became dead letters, counted.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dead_letter::DeadLetter;

/// Different reasons that are told apart; what comes after them counts as [`OTHER`].
pub const MAX_REASONS: usize = 64;

/// Stage and code of dead letters whose reason is one too many.
pub const OTHER: &str = "other";

/// How many rows became dead letters for which reason. Together they are as many as the tally's dead letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons(BTreeMap<Reason, u64>);

/// Who rejected a row, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reason {
    /// Uid of the stage; None when no stage did: the record could not be decoded, or the target refused the row.
    pub stage: Option<String>,
    /// A word that programs can match.
    pub code: String,
}

/// A reason with its count, as a progress tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CountedReason {
    /// The reason.
    #[serde(flatten)]
    pub reason: Reason,
    /// Rows.
    pub rows: u64,
}

impl Reasons {
    /// Counts dead letters.
    pub(crate) fn count(&mut self, letters: &[DeadLetter]) {
        for letter in letters {
            self.add(Reason { stage: letter.stage.clone(), code: letter.code.clone() }, 1);
        }
    }

    /// Counts `n` rows more for a reason.
    pub fn add(&mut self, reason: Reason, n: u64) {
        let is_known = self.0.contains_key(&reason);
        let reason = match is_known || self.0.len() < MAX_REASONS {
            true => reason,
            false => Reason { stage: Some(OTHER.to_owned()), code: OTHER.to_owned() },
        };
        *self.0.entry(reason).or_default() += n;
    }

    /// Every reason with its count, in the order of stage and code.
    pub fn counted(&self) -> Vec<CountedReason> {
        self.0.iter().map(|(reason, rows)| CountedReason { reason: reason.clone(), rows: *rows }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_are_too_many_count_together() {
        let mut reasons = Reasons::default();
        for i in 0..1_000 {
            reasons.add(Reason { stage: None, code: format!("code_{}", i % 500) }, 1);
        }
        let counted = reasons.counted();
        assert_eq!(counted.len(), MAX_REASONS + 1);
        assert_eq!(counted.iter().map(|reason| reason.rows).sum::<u64>(), 1_000);
        assert_eq!(counted.iter().filter(|counted| counted.rows == 2).count(), MAX_REASONS);
    }
}
