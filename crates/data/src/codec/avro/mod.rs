//! Avro as Spark's `from_avro` and `to_avro` read and write it: one datum, one row.
//!
//! ```text
//!  schema as JSON ──▶ AvroSchema ── what each byte means
//!                         │
//!  records ──▶ AvroDecoder ──▶ columns         columns ──▶ AvroEncoder ──▶ records
//! ```
//!
//! A record is the datum alone, or the datum behind the id of its schema ([`Framing`]); who knows the schema of an id is
//! somebody else's business.

mod cell;
mod columns;
mod decoder;
mod encoder;
mod framing;
mod input;
mod options;
mod schema;
mod shape;

pub use decoder::{AvroDecoder, Known};
pub use encoder::{AvroEncoder, AvroRows};
pub use framing::{Framing, frame};
pub use options::AvroOptions;
pub use schema::{AvroSchema, AvroSchemaError};
