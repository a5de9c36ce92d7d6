//! CSV as Spark reads and writes it.
//!
//! ```text
//!   bytes ─▶ lines ─▶ fields (positions, no copies) ─▶ columns
//!            plain: lines without quotes, 64 bytes at a time
//!            scan: lines of which no field needs unescaping
//!            tokenizer: all other lines, character by character
//! ```
//! Spark reads CSV with the univocity parser; where it is peculiar, so are we, because models were trained on what it
//! gave. The cases are in `tests/it/csv_like_spark.rs`, with the rows that real Sparks returned.

mod column;
mod decoder;
mod encoder;
mod infer;
mod marks;
mod options;
mod plain;
mod scan;
mod tokenizer;

pub use decoder::CsvDecoder;
pub use encoder::CsvEncoder;
pub use infer::infer_schema;
pub use options::{CsvOptions, Encoding, UnescapedQuoteHandling};
