//! JSON lines as Spark reads and writes them: one object, one row.

mod encoder;
mod options;

pub(crate) use encoder::JsonCells;
pub use encoder::JsonEncoder;
pub use options::JsonOptions;
