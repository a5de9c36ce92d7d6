//! JSON lines as Spark reads and writes them: one object, one row.

mod cell;
mod column;
mod decoder;
mod encoder;
mod infer;
mod names;
mod options;
mod plain;
mod reader;

pub(crate) use cell::push_null;
pub use decoder::JsonDecoder;
pub(crate) use encoder::JsonCells;
pub use encoder::{JsonEncoder, JsonRows};
pub use infer::infer_schema;
pub use options::JsonOptions;
