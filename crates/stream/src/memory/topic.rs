//! Records in memory, in partitions that only grow.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::source::{Malformed, Origin, SourceRows};

/// Records of bytes. A record that is a number decodes to a row with that `id`; any other is malformed.
#[derive(Debug, Clone)]
pub struct MemoryTopic(Arc<Mutex<Vec<Vec<StoredRecord>>>>);

/// A record, and the time that it carries.
type StoredRecord = (Vec<u8>, Option<i64>);

impl MemoryTopic {
    /// An empty topic of so many partitions.
    pub fn new(n_partitions: usize) -> MemoryTopic {
        MemoryTopic(Arc::new(Mutex::new(vec![Vec::new(); n_partitions])))
    }

    /// Appends a record.
    pub fn add(&self, partition: usize, record: impl Into<Vec<u8>>) {
        self.partitions()[partition].push((record.into(), None));
    }

    /// Appends a record that carries this time, in milliseconds since 1970.
    pub fn add_at(&self, time_ms: i64, partition: usize, record: impl Into<Vec<u8>>) {
        self.partitions()[partition].push((record.into(), Some(time_ms)));
    }

    /// Number of partitions.
    pub fn n_partitions(&self) -> usize {
        self.partitions().len()
    }

    /// Number of records in a partition.
    pub fn len(&self, partition: usize) -> usize {
        self.partitions()[partition].len()
    }

    /// Whether there is no record at all.
    pub fn is_empty(&self) -> bool {
        self.partitions().iter().all(Vec::is_empty)
    }

    /// Records `from..to` of a partition, decoded in blocks of a few rows.
    pub(super) fn blocks(&self, partition: usize, from: usize, to: usize) -> Vec<SourceRows> {
        let records: Vec<Record> = self.partitions()[partition][from..to]
            .iter()
            .enumerate()
            .map(|(i, (payload, time_ms))| Record {
                position: format!("memory-{partition}:{}", from + i),
                payload: payload.clone(),
                time_ms: *time_ms,
            })
            .collect();
        records.chunks(BLOCK_RECORDS).map(decode).collect()
    }

    fn partitions(&self) -> MutexGuard<'_, Vec<Vec<StoredRecord>>> {
        self.0.lock().expect("nobody panics while holding this lock")
    }
}

/// So few that a batch of a test has several blocks.
const BLOCK_RECORDS: usize = 3;

/// The columns of decoded records: `id`.
pub(super) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> =
        LazyLock::new(|| Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)])));
    SCHEMA.clone()
}

#[derive(Debug, Clone)]
struct Record {
    position: String,
    payload: Vec<u8>,
    time_ms: Option<i64>,
}

struct Records(Vec<Record>);

impl Origin for Records {
    fn position(&self, row_idx: usize) -> String {
        self.0[row_idx].position.clone()
    }
    fn payload(&self, row_idx: usize) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0[row_idx].payload)
    }
    fn timestamps_ms(&self) -> Vec<i64> {
        self.0.iter().filter_map(|record| record.time_ms).collect()
    }
}

fn decode(records: &[Record]) -> SourceRows {
    let mut ids = Vec::new();
    let mut decoded = Vec::new();
    let mut malformed = Vec::new();
    for record in records {
        match std::str::from_utf8(&record.payload).ok().and_then(|text| text.parse::<i64>().ok()) {
            Some(id) => {
                ids.push(id);
                decoded.push(record.clone());
            }
            None => malformed.push(Malformed {
                position: record.position.clone(),
                payload: record.payload.clone(),
                code: "not_a_number".to_owned(),
                message: "the record is not a number".to_owned(),
                record: None,
            }),
        }
    }
    let rows = RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(ids))])
        .expect("one column of the type that schema() says");
    SourceRows { rows, origin: Arc::new(Records(decoded)), malformed, n_records_read: records.len() }
}
