//! What readers and the thread know together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, mpsc};
use std::time::Instant;

use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::sync::Notify;

use super::Command;
use super::failure::{Failure, passes_by_itself};
use crate::lane::Lane;
use crate::offsets::TopicPartition;

/// The state, and how its changes are told.
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) changed: Notify,
    /// What the thread is asked.
    pub(super) commands: mpsc::Sender<Command>,
    /// How many readers wait for a change.
    n_waiting: AtomicUsize,
    /// Whether the headers of records are wanted.
    pub(super) with_headers: bool,
    /// Whether a group keeps our positions, which alone gives and takes partitions then; else whoever starts to read one has it.
    pub(super) uses_group: bool,
}

impl Shared {
    pub(super) fn new(with_headers: bool, uses_group: bool, commands: mpsc::Sender<Command>) -> Shared {
        let (changed, n_waiting) = (Notify::new(), AtomicUsize::new(0));
        Shared { state: Mutex::default(), changed, commands, n_waiting, with_headers, uses_group }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding this lock")
    }

    /// Counts a reader as waiting until what comes back is dropped.
    pub(super) fn waiting(&self) -> Waiting<'_> {
        self.n_waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self)
    }

    /// Records have come: whoever waits for a change looks, else the thread. Called under locks of the client.
    pub(super) fn ring(&self) {
        match self.n_waiting.load(Ordering::SeqCst) {
            0 => self.wake_thread(),
            _ => self.changed.notify_waiters(),
        }
    }

    /// Has the thread look what there is, where it has not ended.
    pub(super) fn wake_thread(&self) {
        let _ = self.commands.send(Command::Look);
    }
}

/// A reader that waits.
pub(super) struct Waiting<'s>(&'s Shared);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.n_waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What readers and the thread know together.
#[derive(Default)]
pub(crate) struct State {
    /// Partitions that are being read.
    pub(crate) lanes: Vec<Lane>,
    /// Partitions that the group has given us, with a number that is never used again.
    pub(crate) held: BTreeMap<TopicPartition, u64>,
    /// News for the driver.
    pub(crate) gained: BTreeSet<TopicPartition>,
    pub(crate) lost: BTreeSet<TopicPartition>,
    /// Whether the group has told us what is ours, be it nothing, and has not taken all of it back to tell us anew.
    pub(crate) has_joined: bool,
    /// Whether rows of a batch are on their way.
    pub(crate) batch_is_open: bool,
    pub(crate) failure: Option<Failure>,
    n_gained: u64,
    /// Given to us, and the client does not read them yet.
    pub(super) awaiting_start: Option<(Vec<TopicPartition>, Instant)>,
    /// Taken from us, and not let go yet.
    pub(super) awaiting_release: Option<(Vec<TopicPartition>, Instant)>,
    pub(super) is_closing: bool,
    /// Let go of, and still in the batch queue.
    pub(super) unread: Vec<TopicPartition>,
}

impl State {
    /// Whether the driver has something to hear of partitions that came or went, or one is to be let go.
    pub(crate) fn is_moving(&self) -> bool {
        !self.gained.is_empty() || !self.lost.is_empty() || self.awaiting_release.is_some()
    }

    /// These are ours from now on, and wait until somebody says where they start.
    pub(super) fn gain(&mut self, partitions: Vec<TopicPartition>) {
        self.has_joined = true;
        for at in &partitions {
            self.n_gained += 1;
            self.held.insert(at.clone(), self.n_gained);
            self.gained.insert(at.clone());
        }
        if !partitions.is_empty() {
            self.awaiting_start = Some((partitions, Instant::now()));
        }
    }

    pub(super) fn note_failure(&mut self, code: Code, uses_group: bool) {
        match code {
            Code::AutoOffsetReset => self.failure = Some(Failure::OutOfRange),
            // Who only names a group needs no right to it.
            Code::GroupAuthorizationFailed if !uses_group => {}
            code if passes_by_itself(code) => {}
            code => self.failure = Some(Failure::Client(code)),
        }
    }
}
