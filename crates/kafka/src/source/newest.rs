//! How much the brokers have beyond what batches have taken.
//!
//! Whoever takes what has been fetched asks no broker where a topic ends, so the ends are asked for beside the batches, now
//! and then: one small request to each leader, which nobody waits for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ognivo_stream::lag::Lag;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::fetcher::Fetcher;
use crate::lane::Lane;
use crate::offsets::{Offsets, TopicPartition};
use crate::starting;

/// How often the brokers are asked.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

/// The newest ends of partitions that a reader of committed records sees, as far as they were asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Newest(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    offsets: Offsets,
    asked: Option<Instant>,
    is_asking: bool,
}

impl Newest {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding this lock")
    }

    /// What was learned last.
    pub(super) fn offsets(&self) -> Offsets {
        self.state().offsets.clone()
    }

    /// What the brokers said a moment ago about all of these partitions; None when it is longer ago.
    pub(super) fn recent(&self, of: &Offsets) -> Option<Offsets> {
        let state = self.state();
        let is_recent = state.asked.is_some_and(|asked| asked.elapsed() < REFRESH_EVERY);
        let knows_all = of.0.keys().all(|at| state.offsets.get(at).is_some());
        (is_recent && knows_all).then(|| state.offsets.clone())
    }

    /// Nothing that was said holds any more.
    pub(super) fn forget(&self) {
        *self.state() = State::default();
    }

    /// The brokers were just asked.
    pub(super) fn note(&self, offsets: Offsets) {
        let mut state = self.state();
        state.offsets = offsets;
        state.asked = Some(Instant::now());
    }

    /// Has the brokers asked for the ends of these partitions, unless they were a moment ago; returns at once.
    pub(super) fn refresh(&self, fetcher: &Arc<Fetcher>, of: &Offsets) {
        let mut state = self.state();
        if state.is_asking || state.asked.is_some_and(|asked| asked.elapsed() < REFRESH_EVERY) {
            return;
        }
        (state.is_asking, state.asked) = (true, Some(Instant::now()));
        let (newest, fetcher) = (self.clone(), Arc::clone(fetcher));
        let partitions: Vec<TopicPartition> = of.0.keys().cloned().collect();
        spawn_blocking(move || {
            let found = starting::latest_soon(&fetcher.consumer, &partitions);
            let mut state = newest.state();
            state.is_asking = false;
            // A broker that does not answer is what the reader finds out about.
            if let Ok(offsets) = found {
                state.offsets = offsets;
            }
        });
    }
}

/// What is behind `done` in each of our partitions.
///
/// Behind the last record of a transaction stands a marker that is no record: a partition that was read to its end has
/// nothing left, whatever the difference of the offsets.
pub(super) fn lag_of(newest: &Offsets, lanes: &[Lane], done: impl Fn(&TopicPartition) -> Option<i64>) -> Lag {
    let each =
        lanes.iter().filter_map(|lane| Some((lane.at.name(), behind(newest.get(&lane.at)?, lane, done(&lane.at)?))));
    let behind: BTreeMap<_, _> = each.collect();
    if behind.is_empty() { Lag::Unknown } else { Lag::Records(behind) }
}

fn behind(newest: i64, lane: &Lane, done: i64) -> u64 {
    let end = newest.max(lane.reached);
    let from = if lane.is_empty() { done.max(lane.reached) } else { done };
    (end - from).max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(reached: i64) -> Lane {
        Lane::new(TopicPartition::new("t", 0), reached)
    }

    fn newest(end: i64) -> Offsets {
        Offsets([(TopicPartition::new("t", 0), end)].into())
    }

    #[test]
    fn what_the_brokers_have_beyond_what_is_done_is_behind() {
        assert_eq!(behind(100, &lane(40), 40), 60);
    }

    #[test]
    fn markers_of_transactions_at_the_end_are_no_records() {
        assert_eq!(behind(41, &lane(41), 40), 0);
        assert_eq!(behind(40, &lane(41), 41), 0, "the answer is older than what was read");
    }

    #[test]
    fn without_partitions_or_an_answer_nothing_is_known() {
        assert_eq!(lag_of(&Offsets::default(), &[lane(0)], |_| Some(0)), Lag::Unknown);
        assert_eq!(lag_of(&newest(5), &[], |_| Some(0)), Lag::Unknown);
        assert_eq!(lag_of(&newest(5), &[lane(0)], |_| None), Lag::Unknown);
    }
}
