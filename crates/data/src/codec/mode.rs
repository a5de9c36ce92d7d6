//! What a decoder does with a record that does not fit the schema, and what it hands over.

use std::fmt;
use std::str::FromStr;

use arrow_array::RecordBatch;

/// What becomes of a malformed record: Spark's `mode` option, and one mode of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowMode {
    /// The record is a row with nulls where it could not be read, and its raw text in the corrupt-record column
    /// when the schema has one.
    #[default]
    Permissive,
    /// The record is left out and counted.
    DropMalformed,
    /// The first malformed record is an error.
    FailFast,
    /// The record is not a row but a [`Malformed`] with its raw bytes, for a dead letter. Not known to Spark.
    Reject,
}

impl FromStr for RowMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text.to_ascii_uppercase().as_str() {
            "PERMISSIVE" => Ok(RowMode::Permissive),
            "DROPMALFORMED" => Ok(RowMode::DropMalformed),
            "FAILFAST" => Ok(RowMode::FailFast),
            "REJECT" => Ok(RowMode::Reject),
            _ => Err(UnknownMode),
        }
    }
}

/// The text is none of the modes' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not PERMISSIVE, DROPMALFORMED, FAILFAST or REJECT")]
pub struct UnknownMode;

/// A record that does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Where the record begins, counted in bytes from the beginning of the file or payload.
    pub byte_pos: u64,
    /// The line on which the record begins, counted from 1 at the first byte that was pushed.
    pub line: u64,
    /// The record as it was pushed, without its line end.
    pub raw: Vec<u8>,
    /// What is wrong with it.
    pub message: String,
    /// The first column that could not be read; none when the number of fields is wrong or the record as a whole
    /// is no record.
    pub column: Option<String>,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Where the record of a row lies: `start` counted in bytes from the beginning of the file or payload, and its
/// length without the line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordSpan {
    /// Absolute position of the first byte.
    pub start: u64,
    /// Length in bytes.
    pub len: u32,
}

/// Rows that a decoder has ready, and what became of the records that are no rows.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The rows, in the order of their records.
    pub rows: RecordBatch,
    /// One span per row of `rows`, when the decoder was asked to keep them.
    pub spans: Option<Vec<RecordSpan>>,
    /// The malformed records, in order; filled in mode [`RowMode::Reject`] only.
    pub malformed: Vec<Malformed>,
    /// How many records were malformed, in every mode.
    pub n_malformed: usize,
    /// How many records are neither in `rows` nor in `malformed`: those that [`RowMode::DropMalformed`] dropped.
    pub n_dropped: usize,
}
