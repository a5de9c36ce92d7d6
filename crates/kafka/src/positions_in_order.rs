//! Positions of batches that are on their way at the same time, stored in the group in the order of the batches.
//!
//! The records of a batch may arrive before those of the batch before it. Its positions wait until those have arrived too, so that
//! the group never holds a position beyond a record that may still be lost; then one call stores all that have arrived in a row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::select;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::error::KafkaError;
use crate::group::{GroupHandle, Holding};
use crate::offsets::Offsets;

/// Positions are stored no more often, unless many batches wait: with a record a millisecond, storing each batch by itself would cost
/// more than its rows, and most of all the broker, which writes each store down. After a kill, rows of so long come again.
const STORE_EVERY: Duration = Duration::from_millis(50);

/// So many batches that wait are stored at once: the next ones would soon find no room.
const MANY_BATCHES: u64 = 32;

/// The batches that were begun since the target was asked last.
pub(crate) struct PositionsInOrder {
    group: GroupHandle,
    state: Mutex<State>,
    changed: Notify,
    /// Held by who stores.
    storing: tokio::sync::Mutex<()>,
    /// When positions may be stored again.
    next_store: Mutex<Instant>,
    /// Told when many batches wait.
    crowded: Notify,
}

#[derive(Default)]
struct State {
    n_begun: u64,
    /// Of the first so many batches the positions are stored.
    n_stored: u64,
    /// Positions of batches whose records have arrived, by the number of the batch.
    arrived: BTreeMap<u64, (Offsets, Holding)>,
    /// The first batch that was given up or could not be stored: nothing behind it may be.
    broken: Option<u64>,
}

/// Where a batch whose records have arrived stands.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Stored,
    /// All before it have arrived too.
    Ready,
    Behind,
    /// One before it was given up.
    Lost,
}

impl State {
    fn progress_of(&self, number: u64) -> Progress {
        match number {
            _ if number < self.n_stored => Progress::Stored,
            _ if self.broken.is_some_and(|first| first < number) => Progress::Lost,
            _ if number < self.end_of_row() => Progress::Ready,
            _ => Progress::Behind,
        }
    }

    /// The number after the last of those that have arrived and have no gap before them.
    fn end_of_row(&self) -> u64 {
        let mut end = self.n_stored;
        while self.arrived.contains_key(&end) {
            end += 1;
        }
        end
    }

    /// What is to be stored of them.
    fn in_a_row(&self) -> (u64, Offsets, Holding) {
        let (end, mut offsets, mut holding) = (self.end_of_row(), Offsets::default(), Holding::new());
        for (its_offsets, its_holding) in self.arrived.range(..end).map(|(_, arrived)| arrived) {
            offsets.0.extend(its_offsets.0.clone());
            holding.extend(its_holding.clone());
        }
        (end, offsets, holding)
    }

    fn is_crowded(&self) -> bool {
        self.n_begun - self.n_stored >= MANY_BATCHES
    }

    fn note_stored(&mut self, n_stored: u64) {
        self.n_stored = n_stored;
        self.arrived = self.arrived.split_off(&n_stored);
    }
}

impl PositionsInOrder {
    pub(crate) fn new(group: GroupHandle) -> PositionsInOrder {
        PositionsInOrder {
            group,
            state: Mutex::default(),
            changed: Notify::new(),
            storing: tokio::sync::Mutex::default(),
            next_store: Mutex::new(Instant::now()),
            crowded: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding this lock")
    }

    fn next_store(&self) -> MutexGuard<'_, Instant> {
        self.next_store.lock().expect("nobody panics while holding this lock")
    }

    /// Waits until positions may be stored again.
    async fn rest(&self) {
        let next_store = *self.next_store();
        let mut crowded = std::pin::pin!(self.crowded.notified());
        crowded.as_mut().enable();
        if !self.state().is_crowded() {
            select! {
                () = sleep_until(next_store) => {}
                () = crowded => {}
            }
        }
    }

    /// The place of a batch that begins now.
    pub(crate) fn begin(self: &Arc<PositionsInOrder>) -> Place {
        let mut state = self.state();
        let number = state.n_begun;
        state.n_begun += 1;
        if state.is_crowded() {
            self.crowded.notify_waiters();
        }
        Place { order: Arc::clone(self), number }
    }

    /// Stores what has arrived in a row, unless the positions of the batch of this number have been stored meanwhile.
    async fn store(&self, number: u64) -> Result<(), KafkaError> {
        let _alone = self.storing.lock().await;
        if self.state().n_stored > number {
            return Ok(());
        }
        self.rest().await;
        // Batches that have rested until now too say first what has arrived: one call stores all of it.
        tokio::task::yield_now().await;
        let (next, offsets, holding) = self.state().in_a_row();
        // A batch that moved no position has none to store.
        if !offsets.0.is_empty() {
            // Refused when a partition was taken from us: who has it now has moved it.
            self.group.generation_of(&holding)?;
            self.group.commit(offsets).await?;
            *self.next_store() = Instant::now() + STORE_EVERY;
        }
        self.state().note_stored(next);
        self.changed.notify_waiters();
        Ok(())
    }
}

/// The place of one batch among the others. Dropped before its positions are stored, it takes those behind it along.
pub(crate) struct Place {
    order: Arc<PositionsInOrder>,
    number: u64,
}

impl Place {
    /// Waits until positions may be stored again. Whoever does so before looking whether its records have arrived is woken
    /// together with the batches around it, and not by the arrival of each.
    pub(crate) async fn rest(&self) {
        self.order.rest().await;
    }

    /// The records of the batch have arrived: comes back when its positions are stored.
    ///
    /// # Errors
    /// When they cannot be, or a batch before was given up.
    pub(crate) async fn store(&self, offsets: Offsets, holding: Holding) -> Result<(), KafkaError> {
        let order = &self.order;
        order.state().arrived.insert(self.number, (offsets, holding));
        loop {
            let mut changed = std::pin::pin!(order.changed.notified());
            changed.as_mut().enable();
            let progress = order.state().progress_of(self.number);
            match progress {
                Progress::Stored => return Ok(()),
                Progress::Ready => order.store(self.number).await?,
                Progress::Behind => changed.await,
                Progress::Lost => return Err(KafkaError::BatchBefore),
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.order.state();
        if state.n_stored <= self.number {
            state.arrived.remove(&self.number);
            state.broken = Some(state.broken.map_or(self.number, |first| first.min(self.number)));
            drop(state);
            self.order.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offsets::TopicPartition;

    fn at(next: i64) -> (Offsets, Holding) {
        let partition = TopicPartition::new("t", 0);
        (Offsets([(partition.clone(), next)].into()), Holding::from([(partition, 1)]))
    }

    #[test]
    fn what_has_arrived_before_the_batch_ahead_of_it_is_not_stored() {
        let mut state = State { n_begun: 4, ..State::default() };
        state.arrived.extend([(1, at(20)), (3, at(40))]);
        assert_eq!(state.in_a_row(), (0, Offsets::default(), Holding::new()));
        state.arrived.insert(0, at(10));
        let (next, offsets, _) = state.in_a_row();
        assert_eq!((next, offsets), (2, at(20).0), "the newest position of those in a row");
        assert_eq!([1, 3].map(|number| state.progress_of(number)), [Progress::Ready, Progress::Behind]);
        state.note_stored(2);
        assert_eq!(state.in_a_row().0, 2, "the third has not arrived");
        state.arrived.insert(2, at(30));
        assert_eq!(state.in_a_row().1, at(40).0);
        assert_eq!([1, 2].map(|number| state.progress_of(number)), [Progress::Stored, Progress::Ready]);
        state.broken = Some(2);
        assert_eq!(state.progress_of(3), Progress::Lost);
    }

    #[test]
    fn many_batches_that_wait_are_stored_at_once() {
        let mut state = State { n_begun: 10 + MANY_BATCHES, n_stored: 11, ..State::default() };
        assert!(!state.is_crowded());
        state.n_begun += 1;
        assert!(state.is_crowded());
        state.note_stored(12);
        assert!(!state.is_crowded());
    }
}
