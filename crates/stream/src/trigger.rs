//! What starts the next batch.

use std::time::Duration;

use crate::plan::Turn;

/// When batches start.
///
/// Same as Spark: ticks of `ProcessingTime` are multiples of the interval since 1970; a batch that overruns its tick is
/// followed at the next multiple; `Once` takes everything in one batch whatever the source's limits; `AvailableNow` fixes
/// the end at start and takes as many batches as the limits ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trigger {
    /// As rows arrive.
    #[default]
    AsRowsArrive,
    /// At each multiple of this interval when there are rows.
    ProcessingTime(Duration),
    /// What is there at start, then the query is over.
    AvailableNow,
    /// One batch, then the query is over. An open batch of an earlier process counts.
    Once,
}

/// How long a query that takes rows as they arrive rests before it asks an empty source again (Spark's `pollingDelay`).
pub const POLLING_DELAY: Duration = Duration::from_millis(10);

/// The same in the [`BUSY_MS`] after a batch, when more rows are likely to come.
pub const BUSY_POLLING_DELAY: Duration = Duration::from_millis(2);

/// How long after its last batch a query counts as busy.
pub const BUSY_MS: i64 = 1_000;

/// Where a trigger stands in time.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    trigger: Trigger,
    /// When the next batch may start; the first may at once.
    next_tick_ms: i64,
    /// When the last batch ended.
    ran_ms: Option<i64>,
}

impl Pace {
    pub(crate) fn new(trigger: Trigger) -> Pace {
        Pace { trigger, next_tick_ms: i64::MIN, ran_ms: None }
    }

    pub(crate) fn turn(&self, now_ms: i64) -> Turn {
        match self.trigger {
            Trigger::AvailableNow => Turn::Now { finish_when_empty: true },
            Trigger::Once if self.ran_ms.is_some() => Turn::Never,
            Trigger::Once => Turn::Now { finish_when_empty: true },
            Trigger::ProcessingTime(_) if now_ms < self.next_tick_ms => Turn::Later,
            Trigger::AsRowsArrive | Trigger::ProcessingTime(_) => Turn::Now { finish_when_empty: false },
        }
    }

    /// A batch has ended, at this time.
    pub(crate) fn ran(&mut self, now_ms: i64) {
        self.ran_ms = Some(now_ms);
        self.asked(now_ms);
    }

    /// The source was asked and had nothing, at this time.
    pub(crate) fn asked(&mut self, now_ms: i64) {
        if let Trigger::ProcessingTime(interval) = self.trigger {
            self.next_tick_ms = next_tick_ms(now_ms, interval);
        }
    }

    /// How long there is nothing to do.
    pub(crate) fn rest(&self, now_ms: i64) -> Duration {
        match self.trigger {
            Trigger::ProcessingTime(_) => Duration::from_millis(self.next_tick_ms.saturating_sub(now_ms).max(0) as u64),
            _ if self.ran_ms.is_some_and(|ran_ms| (0..BUSY_MS).contains(&(now_ms - ran_ms))) => BUSY_POLLING_DELAY,
            _ => POLLING_DELAY,
        }
    }
}

/// The multiple of `interval` after `now_ms`; for an interval of 0, now.
fn next_tick_ms(now_ms: i64, interval: Duration) -> i64 {
    let interval_ms = interval.as_millis() as i64;
    if interval_ms == 0 { now_ms } else { now_ms / interval_ms * interval_ms + interval_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_multiples_since_1970_whatever_the_start() {
        let ten_s = Duration::from_secs(10);
        assert_eq!(
            [0, 1, 9_999, 10_000, 25_000].map(|now| next_tick_ms(now, ten_s)),
            [10_000, 10_000, 10_000, 20_000, 30_000]
        );
    }

    #[test]
    fn a_batch_that_overruns_is_followed_at_the_next_multiple() {
        let mut pace = Pace::new(Trigger::ProcessingTime(Duration::from_secs(10)));
        assert_eq!(pace.turn(12_345), Turn::Now { finish_when_empty: false });
        pace.ran(41_000);
        assert_eq!(pace.turn(41_000), Turn::Later);
        assert_eq!(pace.rest(41_000), Duration::from_secs(9));
        assert_eq!(pace.turn(50_000), Turn::Now { finish_when_empty: false });
    }

    #[test]
    fn rows_are_looked_for_more_often_soon_after_a_batch() {
        let mut pace = Pace::new(Trigger::AsRowsArrive);
        assert_eq!(pace.rest(5_000), POLLING_DELAY);
        pace.ran(5_000);
        assert_eq!([5_000, 5_999, 6_000, 4_999].map(|now_ms| pace.rest(now_ms).as_millis()), [2, 2, 10, 10]);
    }

    #[test]
    fn once_is_over_after_one_batch() {
        let mut pace = Pace::new(Trigger::Once);
        assert_eq!(pace.turn(0), Turn::Now { finish_when_empty: true });
        pace.ran(0);
        assert_eq!(pace.turn(0), Turn::Never);
    }

    #[test]
    fn an_interval_of_nothing_ticks_at_once() {
        let mut pace = Pace::new(Trigger::ProcessingTime(Duration::ZERO));
        pace.ran(7);
        assert_eq!(pace.turn(7), Turn::Now { finish_when_empty: false });
    }
}
