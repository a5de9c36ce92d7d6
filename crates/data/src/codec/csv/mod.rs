//! CSV as Spark reads and writes it.
//!
//! ```text
//!   bytes ─▶ lines ─▶ fields (positions, no copies) ─▶ columns
//!            scan: plain lines, 64 bytes at a time
//!            tokenizer: lines with quotes, character by character
//! ```
//! Spark reads CSV with the univocity parser; where it is peculiar, so are we, because models were trained on what it
//! gave. The cases are in `tests/it/csv_like_spark.rs`, with the rows that real Sparks returned.

mod column;
mod decoder;
mod encoder;
mod infer;
mod options;
mod scan;
mod tokenizer;

pub use decoder::CsvDecoder;
pub use encoder::CsvEncoder;
pub use infer::infer_schema;
pub use options::{CsvOptions, Encoding, UnescapedQuoteHandling};
