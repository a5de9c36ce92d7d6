//! Rows in and out of bytes: CSV, JSON lines and Avro, as Spark reads and writes them.
//!
//! A decoder is pushed bytes and gives typed Arrow columns; it never reads and never waits, so the same code serves a
//! file, a Kafka payload and standard input. An encoder appends bytes to a buffer.
//!
//! ```text
//!   bytes ──push──▶ RowDecoder ──take──▶ Decoded { rows, spans, malformed, … }
//! ```

pub mod avro;
mod batch;
mod builder;
mod cell;
mod cpu;
pub mod csv;
pub mod datetime;
#[cfg(test)]
mod dice;
mod error;
mod field;
pub mod json;
mod lines;
pub mod mode;
pub mod number;
pub mod option;
mod window;

use std::ops::Range;

pub use error::{DecodeError, EncodeError};
pub use mode::{Decoded, Malformed, RecordSpan, RowMode};
pub use option::OptionError;

/// Turns pushed bytes into rows.
///
/// Called as follows, by whoever has the bytes:
/// 1. `push` each piece of the input in order. When it consumes less than it was given, the batch is full: `take` it
///    and push the rest.
/// 2. `finish` once, after the last piece.
/// 3. `take` until it gives nothing.
///
/// ```
/// use ognivo_data::codec::{Decoded, DecodeError, RowDecoder};
///
/// fn decode_all(decoder: &mut dyn RowDecoder, mut bytes: &[u8]) -> Result<Vec<Decoded>, DecodeError> {
///     let mut batches = Vec::new();
///     while !bytes.is_empty() && !decoder.is_done() {
///         let consumed = decoder.push(bytes)?;
///         bytes = &bytes[consumed..];
///         if decoder.is_full() {
///             batches.extend(decoder.take()?);
///         }
///     }
///     decoder.finish()?;
///     batches.extend(decoder.take()?);
///     Ok(batches)
/// }
/// ```
pub trait RowDecoder: Send {
    /// Takes bytes in, and says how many: fewer than given when the batch is full or the decoder is done.
    ///
    /// # Errors
    /// A malformed record in mode FAILFAST, a header that must match and does not, a record beyond all bounds. After
    /// an error the decoder must not be used again.
    fn push(&mut self, bytes: &[u8]) -> Result<usize, DecodeError>;

    /// Says that there are no more bytes; a last line without a line end is decoded now.
    ///
    /// # Errors
    /// As `push`.
    fn finish(&mut self) -> Result<(), DecodeError>;

    /// Whether the batch holds as many rows as asked for; `push` takes nothing more until `take`.
    fn is_full(&self) -> bool;

    /// Whether every record of the asked byte range has been decoded; `push` takes nothing more.
    fn is_done(&self) -> bool;

    /// The rows decoded since the last call, be the batch full or not; `None` when there was no record at all.
    ///
    /// # Errors
    /// A string column above 2 GiB.
    fn take(&mut self) -> Result<Option<Decoded>, DecodeError>;
}

/// Decodes records whose borders are known, such as messages: line ends within a record mean nothing.
///
/// Each record is one row, or one [`Malformed`] whose `line` is its place among the records of the call, from 0. A record of
/// None, or (JSON) of blanks, is a row of nulls, as `from_json` and `from_csv` of null are in Spark.
pub trait RecordDecoder: Send {
    /// Decodes pieces of `bytes`, which are at most 256 MiB.
    ///
    /// # Errors
    /// As [`RowDecoder::push`] and [`RowDecoder::take`].
    fn decode_records(&mut self, bytes: &[u8], records: &[Option<Range<usize>>]) -> Result<Decoded, DecodeError>;
}
