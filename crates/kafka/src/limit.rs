//! How far a batch goes, decided from numbers alone.

use std::time::Duration;

use crate::offsets::{Offsets, TopicPartition};

/// Limits of one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// `maxOffsetsPerTrigger`
    pub(crate) max: Option<u64>,
    /// `minOffsetsPerTrigger`
    pub(crate) min: Option<u64>,
    /// `maxTriggerDelay`
    pub(crate) max_delay: Duration,
}

/// The end of a batch that begins at `begin` when the partitions end at `newest`; None when there is to be none now.
///
/// Same as Spark: `max` is shared in proportion to what each partition has; a share below one record is rounded up.
pub(crate) fn batch_end(begin: &Offsets, newest: &Offsets, limits: Limits, waited: Duration) -> Option<Offsets> {
    let total = backlog(begin, newest);
    if total == 0 || (limits.min.is_some_and(|min| total < min) && waited < limits.max_delay) {
        return None;
    }
    let end = begin.0.iter().map(|(at, from)| {
        let all = backlog_of(newest, at, *from);
        let taken = match limits.max {
            Some(max) if max < total => share(max, all, total),
            _ => all,
        };
        (at.clone(), from + taken)
    });
    Some(Offsets(end.collect()))
}

/// A partition that ends before where we are, or before where it was fixed to end, the offset that we know of, and its end.
pub(crate) fn ends_too_early(begin: &Offsets, fixed: &Offsets, newest: &Offsets) -> Option<(TopicPartition, i64, i64)> {
    begin.0.iter().find_map(|(at, from)| {
        let known = fixed.get(at).map_or(*from, |fixed| fixed.max(*from));
        let end = newest.get(at).filter(|end| *end < known)?;
        Some((at.clone(), known, end))
    })
}

/// How many offsets are between the two.
pub(crate) fn backlog(begin: &Offsets, newest: &Offsets) -> u64 {
    begin.0.iter().map(|(at, from)| backlog_of(newest, at, *from) as u64).sum()
}

fn backlog_of(newest: &Offsets, at: &TopicPartition, from: i64) -> i64 {
    (newest.get(at).unwrap_or(from) - from).max(0)
}

fn share(max: u64, backlog: i64, total: u64) -> i64 {
    let share = max as f64 * (backlog as f64 / total as f64);
    let share = if share < 1.0 { share.ceil() } else { share.floor() };
    (share as i64).min(backlog)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(each: &[i64]) -> Offsets {
        Offsets(each.iter().enumerate().map(|(i, at)| (TopicPartition::new("t", i as i32), *at)).collect())
    }

    #[test]
    fn an_end_before_what_is_known_is_found() {
        let (begin, fixed) = (offsets(&[6, 3]), offsets(&[10, 3]));
        assert_eq!(ends_too_early(&begin, &fixed, &offsets(&[10, 3])), None);
        assert_eq!(ends_too_early(&begin, &fixed, &offsets(&[12, 9])), None);
        assert_eq!(ends_too_early(&begin, &fixed, &offsets(&[0, 3])), Some((TopicPartition::new("t", 0), 10, 0)));
        assert_eq!(ends_too_early(&begin, &offsets(&[]), &offsets(&[6, 2])), Some((TopicPartition::new("t", 1), 3, 2)));
        assert_eq!(ends_too_early(&begin, &fixed, &offsets(&[10])), None, "nothing was said about the other");
    }

    #[track_caller]
    fn check(newest: &[i64], max: Option<u64>, min: Option<u64>, waited_s: u64, expect: Option<&[i64]>) {
        let limits = Limits { max, min, max_delay: Duration::from_secs(60) };
        let end = batch_end(&offsets(&[10, 20, 30]), &offsets(newest), limits, Duration::from_secs(waited_s));
        assert_eq!(end, expect.map(offsets));
    }

    #[test]
    fn without_limits_a_batch_takes_everything() {
        check(&[15, 20, 40], None, None, 0, Some(&[15, 20, 40]));
        check(&[10, 20, 30], None, None, 0, None);
        check(&[9, 20, 31], None, None, 0, Some(&[10, 20, 31]));
    }

    #[test]
    fn a_maximum_is_shared_by_what_each_partition_has() {
        check(&[110, 120, 30], Some(50), None, 0, Some(&[35, 45, 30]));
        check(&[11, 1020, 31], Some(10), None, 0, Some(&[11, 29, 31]));
        check(&[11, 21, 31], Some(3), None, 0, Some(&[11, 21, 31]));
    }

    #[test]
    fn a_minimum_is_waited_for_but_not_forever() {
        check(&[15, 20, 30], None, Some(6), 59, None);
        check(&[15, 20, 30], None, Some(6), 60, Some(&[15, 20, 30]));
        check(&[15, 21, 30], None, Some(6), 0, Some(&[15, 21, 30]));
    }
}
