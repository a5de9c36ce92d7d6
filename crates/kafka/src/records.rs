//! Records of one partition as columns, filled as the client hands them over and read without another copy.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder as _, BinaryBuilder, PrimitiveBuilder};
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, BinaryArray, Int32Array, Int64Array, TimestampMicrosecondArray};

/// No block holds more records.
pub(crate) const BLOCK_RECORDS: usize = 4096;

/// A block that holds so many bytes takes no more records.
const BLOCK_BYTES: usize = 1 << 20;

/// Consecutive records of one partition.
#[derive(Debug)]
pub(crate) struct RecordBlock {
    pub(crate) values: BinaryArray,
    pub(crate) keys: BinaryArray,
    pub(crate) offsets: Int64Array,
    /// In UTC; null where the record has none.
    pub(crate) timestamps: TimestampMicrosecondArray,
    /// Spark's number: -1 none, 0 of the producer, 1 of the broker's log.
    pub(crate) time_types: Int32Array,
    /// Empty when headers are not wanted.
    pub(crate) headers: Vec<Vec<Header>>,
}

/// One record, as the client hands it over.
pub(crate) struct Record<'a> {
    pub(crate) offset: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// Milliseconds since 1970; None where the record has none.
    pub(crate) time_ms: Option<i64>,
    pub(crate) time_type: i32,
    pub(crate) headers: Vec<Header>,
}

/// Name and value of one header.
pub(crate) type Header = (String, Option<Vec<u8>>);

/// A block that is being filled.
#[derive(Debug)]
pub(crate) struct OpenBlock {
    values: BinaryBuilder,
    keys: BinaryBuilder,
    offsets: PrimitiveBuilder<Int64Type>,
    timestamps: PrimitiveBuilder<TimestampMicrosecondType>,
    time_types: PrimitiveBuilder<Int32Type>,
    headers: Vec<Vec<Header>>,
}

/// How much a block has room for before it grows.
#[derive(Debug, Clone, Copy, Default)]
struct Room {
    n_records: usize,
    n_value_bytes: usize,
    n_key_bytes: usize,
}

impl OpenBlock {
    /// An empty block, without room.
    pub(crate) fn new() -> OpenBlock {
        OpenBlock::with_room(Room::default())
    }

    fn with_room(room: Room) -> OpenBlock {
        OpenBlock {
            values: BinaryBuilder::with_capacity(room.n_records, room.n_value_bytes),
            keys: BinaryBuilder::with_capacity(room.n_records, room.n_key_bytes),
            offsets: PrimitiveBuilder::with_capacity(room.n_records),
            timestamps: PrimitiveBuilder::with_capacity(room.n_records),
            time_types: PrimitiveBuilder::with_capacity(room.n_records),
            headers: Vec::new(),
        }
    }

    fn room_taken(&self) -> Room {
        let n_bytes = |of: &BinaryBuilder| of.values_slice().len();
        Room { n_records: self.len(), n_value_bytes: n_bytes(&self.values), n_key_bytes: n_bytes(&self.keys) }
    }

    pub(crate) fn push(&mut self, record: Record<'_>, with_headers: bool) {
        self.values.append_option(record.value);
        self.keys.append_option(record.key);
        self.offsets.append_value(record.offset);
        self.timestamps.append_option(record.time_ms.map(|ms| ms.saturating_mul(1000)));
        self.time_types.append_value(record.time_type);
        if with_headers {
            self.headers.push(record.headers);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.offsets.len()
    }

    pub(crate) fn last_offset(&self) -> Option<i64> {
        self.offsets.values_slice().last().copied()
    }

    pub(crate) fn n_bytes(&self) -> usize {
        let room = self.room_taken();
        n_bytes(room.n_records, room.n_value_bytes + room.n_key_bytes)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= BLOCK_RECORDS || self.n_bytes() >= BLOCK_BYTES
    }

    /// Ends the block and begins the next, with room for as much: that is most likely as long.
    pub(crate) fn close(&mut self) -> RecordBlock {
        let next = OpenBlock::with_room(self.room_taken());
        let mut full = std::mem::replace(self, next);
        RecordBlock {
            values: full.values.finish(),
            keys: full.keys.finish(),
            offsets: full.offsets.finish(),
            timestamps: full.timestamps.finish().with_timezone("UTC"),
            time_types: full.time_types.finish(),
            headers: full.headers,
        }
    }
}

/// What records count for; one without bytes takes room too.
fn n_bytes(n_records: usize, n_of_values_and_keys: usize) -> usize {
    n_of_values_and_keys + 64 * n_records
}

impl RecordBlock {
    pub(crate) fn len(&self) -> usize {
        self.offsets.len()
    }

    pub(crate) fn n_bytes(&self) -> usize {
        n_bytes(self.len(), self.values.value_data().len() + self.keys.value_data().len())
    }

    pub(crate) fn value(&self, idx: usize) -> Option<&[u8]> {
        self.values.is_valid(idx).then(|| self.values.value(idx))
    }

    pub(crate) fn key(&self, idx: usize) -> Option<&[u8]> {
        self.keys.is_valid(idx).then(|| self.keys.value(idx))
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
        let offsets = &self.block.offsets.values()[self.idx.clone()];
        let at = self.idx.start + offsets.partition_point(|offset| *offset < end);
        let before = Piece { block: Arc::clone(&self.block), idx: self.idx.start..at };
        self.idx.start = at;
        (!before.idx.is_empty()).then_some(before)
    }
}
