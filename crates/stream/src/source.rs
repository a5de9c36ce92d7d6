//! Where rows come from.
//!
//! The driver calls a source in this order:
//!
//! 1. [`schema`](Source::schema) and [`identity`](Source::identity), before anything else.
//! 2. [`fix_end`](Source::fix_end), once, when the trigger takes only what is there now.
//! 3. [`acknowledge`](Source::acknowledge) of the newest finished batch, since the process before may have died before it did.
//! 4. Per batch: [`assignment`](Source::assignment), [`latest`](Source::latest), [`remember`](Source::remember) and
//!    [`read`](Source::read) at once, and after the batch is durable `acknowledge`. A batch that is replayed is read without the
//!    first three.
//! 5. After an error of anybody, [`reset`](Source::reset); then it goes on with 3.
//!
//! The loop belongs to the driver; a source answers questions. It decides nothing about bad rows either: it hands the
//! malformed records over and the job's policy says what becomes of them.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::Stream;

use crate::connector_error::connector_error;
use crate::lag::Lag;
use crate::offset::{Offset, OffsetRange, Positions, SourcePartition};

/// The rows of a range, block by block, in order.
///
/// The stream borrows nothing: it may outlive the call and run while the source is asked other things.
pub type RowStream = Pin<Box<dyn Stream<Item = Result<SourceRows, SourceError>> + Send>>;

/// What a source does in order to be able to read a range again. It borrows nothing, so that the range can be read beside it.
pub type Remembering = Pin<Box<dyn Future<Output = Result<(), SourceError>> + Send>>;

/// A source of rows. See the [module](self) for the order of calls.
#[async_trait]
pub trait Source: Send {
    /// What progress reports call this source, such as `FileStreamSource[file:///data/incoming]`.
    fn description(&self) -> String;

    /// What must be equal for a checkpoint to belong to this source; by default its description.
    fn identity(&self) -> String {
        self.description()
    }

    /// The columns of every block that [`read`](Source::read) gives.
    fn schema(&self) -> SchemaRef;

    /// The newest end after `start` that one batch may take; None when there is nothing new.
    ///
    /// Calling it again without reading gives the same end or a later one.
    async fn latest(&mut self, start: Option<&Offset>, limit: ReadLimit) -> Result<Option<Offset>, SourceError>;

    /// Makes durable what the source needs in order to read after a crash what [`latest`](Source::latest) has found.
    ///
    /// No plan that goes so far is written before it is done; the range may be read beside it.
    fn remember(&mut self) -> Remembering {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The rows of a range that `latest` of this or an earlier process gave.
    ///
    /// Repeatable: the same range gives the same records in the same order until its end has been acknowledged. Where the
    /// blocks are cut may differ.
    async fn read(&mut self, range: &OffsetRange) -> Result<RowStream, SourceError>;

    /// Rows up to `end` will not be asked for again. A hint that may come twice for the same end, or never.
    #[doc(alias = "commit")]
    async fn acknowledge(&mut self, end: &Offset) -> Result<(), SourceError> {
        let _ = end;
        Ok(())
    }

    /// From now on, also after [`reset`](Source::reset), `latest` does not go beyond what is there at this moment.
    async fn fix_end(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Forgets what is cached and goes by what is durable; called after an error, also after one of the sink.
    async fn reset(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Whether partitions came or went, or are asked for by somebody else: then batches that are still being committed are waited
    /// for, so that [`assignment`](Source::assignment) can be asked.
    fn is_moving(&self) -> bool {
        false
    }

    /// Partitions that came and went since the last call; None for a source whose partitions never move.
    ///
    /// Asked only when no batch is open. Lost partitions may be let go when the next call of any method comes.
    async fn assignment(&mut self) -> Result<Option<Assignment>, SourceError> {
        Ok(None)
    }

    /// What a person should know and nothing fails of, such as files that were passed over; each is told once.
    fn take_warnings(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// What it has and the batches up to `done` have not taken, going by what it learned when it was last asked.
    ///
    /// Asked after each batch, and now and then while there is nothing new; it must cost little.
    fn lag(&self, done: Option<&Offset>) -> Lag {
        let _ = done;
        Lag::Unknown
    }

    /// `offset` as one position per partition, for a target that stores those.
    fn positions(&self, offset: &Offset) -> Result<Positions, SourceError> {
        Ok(Positions::of_whole(offset))
    }

    /// The inverse of [`positions`](Source::positions); None when there is no position at all, which means the beginning.
    fn offset_at(&self, positions: &Positions) -> Result<Option<Offset>, SourceError> {
        Ok(positions.whole())
    }
}

/// How much one batch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadLimit {
    /// As the source's own options say (`maxFilesPerTrigger`, `maxOffsetsPerTrigger`).
    Configured,
    /// Everything there is, whatever the options say.
    Everything,
}

/// How the partitions of a source moved.
///
/// A partition that went and came back since the last call is in both lists: somebody else may have moved its position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Partitions that are ours from now on; their positions are asked of the target.
    pub gained: Vec<SourcePartition>,
    /// Partitions that are somebody else's from now on.
    pub lost: Vec<SourcePartition>,
}

impl Assignment {
    /// Whether nothing moved.
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

/// Some records of a range: the rows that could be decoded, and those that could not.
///
/// `n_records_read = rows + malformed + dropped`, where dropped are the records that a rule of the source's own options
/// left out (`mode: DROPMALFORMED`); they count as skipped.
pub struct SourceRows {
    /// The decoded rows.
    pub rows: RecordBatch,
    /// Where row `i` of `rows` came from, and what it looked like.
    pub origin: Arc<dyn Origin>,
    /// The records that could not be decoded.
    pub malformed: Vec<Malformed>,
    /// Records of the source that this block speaks of.
    pub n_records_read: usize,
}

impl fmt::Debug for SourceRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceRows")
            .field("n_rows", &self.rows.num_rows())
            .field("malformed", &self.malformed)
            .field("n_records_read", &self.n_records_read)
            .finish_non_exhaustive()
    }
}

/// The origin of each row of a block. Position and payload are asked only for rows that are rejected.
pub trait Origin: Send + Sync {
    /// Position of row `row_idx` as text, such as `file:///in/a.csv:17` (path and line) or `loans-0:5123`.
    fn position(&self, row_idx: usize) -> String;

    /// The record as it was read, without its line end. A source without records of bytes gives a JSON object.
    fn payload(&self, row_idx: usize) -> Cow<'_, [u8]>;

    /// The times that the records of the block carry, in milliseconds since 1970, in any order; those without one are left out.
    ///
    /// Asked once for a block: what latencies are measured from.
    fn timestamps_ms(&self) -> Vec<i64> {
        Vec::new()
    }

    /// The record of row `row_idx`, where the source has records of topics; None for a source of files.
    fn record(&self, row_idx: usize) -> Option<SourceRecord> {
        let _ = row_idx;
        None
    }
}

/// What names a record of a topic, and what of it a payload cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRecord {
    /// The topic.
    pub topic: String,
    /// Its partition, from 0.
    pub partition: i32,
    /// Where in the partition, from 0.
    pub offset: i64,
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// Whether it has no value at all (a tombstone); its payload is empty then.
    pub is_tombstone: bool,
}

/// A record that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Where it stands; the same text as [`Origin::position`] gives.
    pub position: String,
    /// The record as it was read, without its line end.
    pub payload: Vec<u8>,
    /// What is wrong with it, as a word that programs can match, such as `wrong_number_of_columns`.
    pub code: String,
    /// What is wrong with it, as a sentence.
    pub message: String,
    /// The record, as [`Origin::record`] gives it.
    pub record: Option<Box<SourceRecord>>,
}

connector_error! {
    /// A source could not answer; it carries the connector's own error.
    SourceError
}
