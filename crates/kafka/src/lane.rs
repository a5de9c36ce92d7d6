//! The records of one partition that were fetched and not read yet.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::offsets::TopicPartition;
use crate::records::{OpenBlock, Piece, Record};

/// The records of one partition that were fetched and not read yet.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) at: TopicPartition,
    /// Where the next reader goes on.
    pub(crate) next: i64,
    /// All records before this were fetched.
    pub(crate) reached: i64,
    /// Whether the client has found the end of the partition since the lane began.
    pub(crate) is_at_end: bool,
    pub(crate) is_paused: bool,
    pieces: VecDeque<Piece>,
    open: OpenBlock,
    n_bytes_in_pieces: usize,
}

impl Lane {
    pub(crate) fn new(at: TopicPartition, from: i64) -> Lane {
        Lane {
            at,
            next: from,
            reached: from,
            is_at_end: false,
            is_paused: false,
            pieces: VecDeque::new(),
            open: OpenBlock::new(),
            n_bytes_in_pieces: 0,
        }
    }

    pub(crate) fn is_of(&self, topic: &str, partition: i32) -> bool {
        self.at.partition == partition && self.at.topic == topic
    }

    pub(crate) fn push(&mut self, record: Record<'_>, with_headers: bool) {
        if record.offset < self.reached {
            return;
        }
        self.reached = record.offset + 1;
        self.open.push(record, with_headers);
        self.is_at_end = false;
        if self.open.is_full() {
            self.close_block();
        }
    }

    /// The client has seen everything before this offset, markers of transactions included, and nothing is behind.
    pub(crate) fn note_end(&mut self, end: i64) {
        self.reached = self.reached.max(end);
        self.is_at_end = true;
    }

    fn close_block(&mut self) {
        if self.open.len() > 0 {
            let block = self.open.close();
            let idx = 0..block.len();
            self.n_bytes_in_pieces += block.n_bytes();
            self.pieces.push_back(Piece { block: Arc::new(block), idx });
        }
    }

    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes_in_pieces + self.open.n_bytes()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.open.len() == 0
    }

    /// Behind the last record that was fetched; None when there is none to read.
    pub(crate) fn end_of_records(&self) -> Option<i64> {
        let in_pieces = || self.pieces.back().and_then(|piece| piece.block.offsets.values().last().copied());
        self.open.last_offset().or_else(in_pieces).map(|last| last + 1)
    }

    /// The next records before offset `end`; None when there are none (now).
    pub(crate) fn take(&mut self, end: i64) -> Option<Piece> {
        if self.pieces.is_empty() {
            self.close_block();
        }
        let first = self.pieces.front_mut()?;
        let taken = first.split_before(end)?;
        if first.n_records() == 0 {
            self.pieces.pop_front();
        }
        self.n_bytes_in_pieces = self.n_bytes_in_pieces.saturating_sub(taken.n_bytes());
        if self.pieces.is_empty() {
            self.n_bytes_in_pieces = 0;
        }
        self.next = taken.block.offsets.value(taken.idx.end - 1) + 1;
        Some(taken)
    }
}
