//! The one way of a record into its lane.

use std::sync::MutexGuard;

use rdkafka::error::RDKafkaErrorCode as Code;

use super::state::{Shared, State};
use crate::batch_queue::Message;
use crate::lane::Lane;

/// How many records come before waiting readers are told.
const TELL_EVERY: usize = 1024;

/// Puts records into their lanes, those of partitions that are not ours nowhere. Readers see them when it ends.
pub(super) struct Intake<'s> {
    shared: &'s Shared,
    n_taken: usize,
    open: Option<OpenLane<'s>>,
}

/// The state, held from the first message on, and the lane of the message before: records come in long runs of one partition.
struct OpenLane<'s> {
    state: MutexGuard<'s, State>,
    origin: (usize, i32),
    lane_idx: Option<usize>,
}

impl<'s> OpenLane<'s> {
    fn new(state: MutexGuard<'s, State>, message: &Message<'_>) -> OpenLane<'s> {
        let mut open = OpenLane { state, origin: message.origin(), lane_idx: None };
        open.find(message);
        open
    }

    fn find(&mut self, message: &Message<'_>) {
        let is_its = |lane: &Lane| lane.is_of(message.topic(), message.partition());
        self.lane_idx = self.state.lanes.iter().position(is_its);
        self.origin = message.origin();
    }

    fn lane(&mut self) -> Option<&mut Lane> {
        self.lane_idx.map(|idx| &mut self.state.lanes[idx])
    }
}

impl<'s> Intake<'s> {
    pub(super) fn new(shared: &'s Shared) -> Intake<'s> {
        Intake { shared, n_taken: 0, open: None }
    }

    pub(super) fn take(&mut self, message: &Message<'_>) {
        if self.n_taken > 0 && self.n_taken.is_multiple_of(TELL_EVERY) {
            self.end();
        }
        self.n_taken += 1;
        let Shared { with_headers, uses_group, .. } = *self.shared;
        let open = self.open.get_or_insert_with(|| OpenLane::new(self.shared.state(), message));
        if open.origin != message.origin() {
            open.find(message);
        }
        match (message.failure(), open.lane()) {
            (None, Some(lane)) => lane.push(message.record(with_headers), with_headers),
            (Some(Code::PartitionEOF), Some(lane)) => lane.note_end(message.offset()),
            (None | Some(Code::PartitionEOF), None) => {}
            (Some(code), _) => open.state.note_failure(code, uses_group),
        }
    }

    /// Lets readers have what has been taken.
    pub(super) fn end(&mut self) {
        if self.open.take().is_some() {
            self.shared.changed.notify_waiters();
        }
    }
}
