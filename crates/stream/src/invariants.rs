//! What must hold at every moment, written once: used by the driver's own assertions, by scripts and by simulation.

use std::collections::BTreeMap;

use crate::plan::{BatchId, BatchPlan, Logs};
use crate::sink::Committed;
use crate::tally::Tally;

/// An invariant does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A row is neither in the target nor among its dead letters, nor was it skipped by rule.
    #[error("lost: {0}")]
    Lost(String),
    /// A row is there more than once.
    #[error("repeated: {0}")]
    Repeated(String),
    /// A row is there that was never read, or that a rule leaves out.
    #[error("invented: {0}")]
    Invented(String),
    /// The log says that a batch is done which the target does not hold.
    #[error("the log is ahead of the target: done {done}, target {target}")]
    ProgressAhead {
        /// What the log says.
        done: BatchId,
        /// What the target says.
        target: String,
    },
    /// A batch does not start where the one before ended.
    #[error("batch {batch} does not start where the one before ended")]
    Hole {
        /// The batch.
        batch: BatchId,
    },
    /// The counts of a batch do not add up.
    #[error("rows do not add up: {0:?}")]
    Sum(Tally),
}

/// Rows read = written + skipped + dead letters.
///
/// # Errors
/// [`Broken::Sum`] otherwise.
pub fn rows_add_up(tally: &Tally) -> Result<(), Broken> {
    match tally.read == tally.written + tally.skipped + tally.dead_letters {
        true => Ok(()),
        false => Err(Broken::Sum(*tally)),
    }
}

/// Every row that must be there is there, once, and no other.
///
/// Called when nothing is left to do. `expected` and `visible` are texts that name rows.
///
/// # Errors
/// [`Broken::Lost`], [`Broken::Repeated`] or [`Broken::Invented`] with the first such row.
pub fn every_row_once<'a>(
    expected: impl IntoIterator<Item = &'a str>,
    visible: impl IntoIterator<Item = &'a str>,
) -> Result<(), Broken> {
    let expected = counted(expected);
    let visible = counted(visible);
    no_row_twice_or_from_nowhere(&expected, &visible)?;
    match expected.iter().find(|(row, n)| visible.get(*row).copied().unwrap_or(0) < **n) {
        Some((row, _)) => Err(Broken::Lost((*row).to_owned())),
        None => Ok(()),
    }
}

/// No row is there more often than it was read: must hold at every moment, also between a crash and a restart.
///
/// # Errors
/// [`Broken::Repeated`] or [`Broken::Invented`] with the first such row.
pub fn no_row_repeats<'a>(
    expected: impl IntoIterator<Item = &'a str>,
    visible: impl IntoIterator<Item = &'a str>,
) -> Result<(), Broken> {
    no_row_twice_or_from_nowhere(&counted(expected), &counted(visible))
}

fn no_row_twice_or_from_nowhere(expected: &BTreeMap<&str, u64>, visible: &BTreeMap<&str, u64>) -> Result<(), Broken> {
    for (row, n) in visible {
        match expected.get(row) {
            None => return Err(Broken::Invented((*row).to_owned())),
            Some(n_expected) if n > n_expected => return Err(Broken::Repeated((*row).to_owned())),
            Some(_) => {}
        }
    }
    Ok(())
}

fn counted<'a>(rows: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row).or_default() += 1;
    }
    counts
}

/// What the log calls done is durable in the target, as far as the target remembers batches.
///
/// # Errors
/// [`Broken::ProgressAhead`] otherwise.
pub fn progress_is_not_ahead(logs: &Logs, target: &Committed) -> Result<(), Broken> {
    let Some(done) = logs.committed else { return Ok(()) };
    let ahead = |target: String| Err(Broken::ProgressAhead { done, target });
    match target {
        Committed::Batch(id) if done > *id => ahead(id.to_string()),
        Committed::Offsets(positions) if positions.is_empty() => ahead("no positions".to_owned()),
        Committed::Nothing => ahead("nothing".to_owned()),
        Committed::Unknown | Committed::Batch(_) | Committed::Offsets(_) => Ok(()),
    }
}

/// A batch starts where the one before ended, so that no row falls between two batches or into both.
///
/// # Errors
/// [`Broken::Hole`] otherwise.
pub fn batches_touch(before: Option<&BatchPlan>, next: &BatchPlan) -> Result<(), Broken> {
    match next.range.start.as_ref() == before.map(|plan| &plan.range.end) {
        true => Ok(()),
        false => Err(Broken::Hole { batch: next.id }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_a_repeated_and_an_invented_row_are_told_apart() {
        let check = |visible: &[&str], expect| assert_eq!(every_row_once(["a", "b"], visible.iter().copied()), expect);
        check(&["b", "a"], Ok(()));
        check(&["b"], Err(Broken::Lost("a".to_owned())));
        check(&["a", "b", "b"], Err(Broken::Repeated("b".to_owned())));
        check(&["a", "b", "c"], Err(Broken::Invented("c".to_owned())));
        assert_eq!(no_row_repeats(["a", "b"], ["b"]), Ok(()));
    }

    #[test]
    fn counts_that_do_not_add_up_are_found() {
        let tally = Tally { read: 4, written: 1, skipped: 1, dead_letters: 1, bad: 2 };
        assert_eq!(rows_add_up(&tally), Err(Broken::Sum(tally)));
        assert_eq!(rows_add_up(&Tally { skipped: 2, ..tally }), Ok(()));
    }
}
