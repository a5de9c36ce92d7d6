//! What became of the rows of a batch, counted; and what the job says about bad ones.

use std::ops::AddAssign;

use serde::Serialize;

/// What a job does with a bad record or row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRow {
    /// It becomes a dead letter.
    DeadLetter,
    /// It stops the job before its batch is committed.
    Fail,
    /// It is left out and counted as skipped.
    Drop,
}

/// What a job does with all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BadRowPolicy {
    /// Records that could not be decoded.
    pub malformed: BadRow,
    /// Rows that a stage rejected.
    pub invalid: BadRow,
    /// The share of bad rows above which a batch of at least [`MIN_ROWS_FOR_FRACTION`] rows stops the job.
    pub max_bad_fraction: Option<f64>,
}

impl Default for BadRowPolicy {
    /// Every bad row stops the job.
    fn default() -> BadRowPolicy {
        BadRowPolicy { malformed: BadRow::Fail, invalid: BadRow::Fail, max_bad_fraction: None }
    }
}

/// A smaller batch is never stopped for its share of bad rows: one bad row in ten says nothing.
pub const MIN_ROWS_FOR_FRACTION: u64 = 100;

/// Counts of one batch or of many: `read = written + skipped + dead_letters`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Records that the source read.
    pub read: u64,
    /// Rows that were scored and written.
    pub written: u64,
    /// Rows that a rule left out: `handleInvalid: skip`, `DROPMALFORMED`, `errors: drop`.
    pub skipped: u64,
    /// Rows that went to the dead letters.
    pub dead_letters: u64,
    /// Of those read, how many could not be decoded or were rejected, whatever became of them.
    pub bad: u64,
}

impl Tally {
    /// Whether the share of bad rows is above what the policy allows.
    pub fn is_too_bad(&self, policy: &BadRowPolicy) -> bool {
        let share = self.bad as f64 / self.read as f64;
        self.read >= MIN_ROWS_FOR_FRACTION && policy.max_bad_fraction.is_some_and(|limit| share > limit)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.read += other.read;
        self.written += other.written;
        self.skipped += other.skipped;
        self.dead_letters += other.dead_letters;
        self.bad += other.bad;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(read: u64, bad: u64, expect: bool) {
        let policy = BadRowPolicy { max_bad_fraction: Some(0.05), ..BadRowPolicy::default() };
        assert_eq!(Tally { read, bad, ..Tally::default() }.is_too_bad(&policy), expect);
    }

    #[test]
    fn a_share_above_the_limit_counts_from_a_hundred_rows_on() {
        check(99, 99, false);
        check(100, 5, false);
        check(100, 6, true);
        check(0, 0, false);
    }

    #[test]
    fn without_a_limit_no_share_is_too_bad() {
        assert!(!Tally { read: 1000, bad: 1000, ..Tally::default() }.is_too_bad(&BadRowPolicy::default()));
    }
}
