//! Records of one partition in one piece of memory each for values and keys, as the client handed them over.

use std::ops::Range;
use std::sync::Arc;

/// No block holds more records.
pub(crate) const BLOCK_RECORDS: usize = 4096;

/// A block that holds so many bytes takes no more records.
const BLOCK_BYTES: usize = 1 << 20;

/// Consecutive records of one partition.
#[derive(Debug, Default)]
pub(crate) struct RecordBlock {
    pub(crate) values: Pieces,
    pub(crate) keys: Pieces,
    pub(crate) offsets: Vec<i64>,
    /// Milliseconds since 1970; None where the record has none.
    pub(crate) times_ms: Vec<Option<i64>>,
    /// Spark's number: -1 none, 0 of the producer, 1 of the broker's log.
    pub(crate) time_types: Vec<i32>,
    /// Empty when headers are not wanted.
    pub(crate) headers: Vec<Vec<Header>>,
}

/// One record, as the client hands it over.
pub(crate) struct Record<'a> {
    pub(crate) offset: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) time_ms: Option<i64>,
    pub(crate) time_type: i32,
    pub(crate) headers: Vec<Header>,
}

/// Name and value of one header.
pub(crate) type Header = (String, Option<Vec<u8>>);

/// Byte strings, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ranges: Vec<Option<Range<usize>>>,
}

impl Pieces {
    fn push(&mut self, piece: Option<&[u8]>) {
        let range = piece.map(|piece| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(piece);
            start..self.bytes.len()
        });
        self.ranges.push(range);
    }

    pub(crate) fn get(&self, idx: usize) -> Option<&[u8]> {
        self.ranges[idx].clone().map(|range| &self.bytes[range])
    }
}

impl RecordBlock {
    /// An empty block with room for as much as this one has: the next is most likely as long.
    pub(crate) fn empty_like(&self) -> RecordBlock {
        let n = self.len();
        let pieces = |of: &Pieces| Pieces { bytes: Vec::with_capacity(of.bytes.len()), ranges: Vec::with_capacity(n) };
        RecordBlock {
            values: pieces(&self.values),
            keys: pieces(&self.keys),
            offsets: Vec::with_capacity(n),
            times_ms: Vec::with_capacity(n),
            time_types: Vec::with_capacity(n),
            headers: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, record: Record<'_>, with_headers: bool) {
        self.values.push(record.value);
        self.keys.push(record.key);
        self.offsets.push(record.offset);
        self.times_ms.push(record.time_ms);
        self.time_types.push(record.time_type);
        if with_headers {
            self.headers.push(record.headers);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.offsets.len()
    }

    pub(crate) fn n_bytes(&self) -> usize {
        // A record without bytes takes room too.
        self.values.bytes.len() + self.keys.bytes.len() + 64 * self.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= BLOCK_RECORDS || self.n_bytes() >= BLOCK_BYTES
    }
}

/// Some records of a block, in order.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) block: Arc<RecordBlock>,
    pub(crate) idx: Range<usize>,
}

impl Piece {
    pub(crate) fn n_bytes(&self) -> usize {
        self.block.n_bytes() / self.block.len().max(1) * self.idx.len()
    }

    pub(crate) fn n_records(&self) -> usize {
        self.idx.len()
    }

    /// Cuts off the records before offset `end`; None when there are none.
    pub(crate) fn split_before(&mut self, end: i64) -> Option<Piece> {
        let offsets = &self.block.offsets[self.idx.clone()];
        let at = self.idx.start + offsets.partition_point(|offset| *offset < end);
        let before = Piece { block: Arc::clone(&self.block), idx: self.idx.start..at };
        self.idx.start = at;
        (!before.idx.is_empty()).then_some(before)
    }
}
