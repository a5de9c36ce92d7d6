//! Parquet as Spark reads and writes it.
//!
//! The footer of a file holds, under the key below, Spark's schema as JSON. It is what makes a struct a vector:
//!
//! ```text
//! org.apache.spark.sql.parquet.row.metadata = {"type":"struct","fields":[{"name":"features","type":{"type":"udt",…}}]}
//! org.apache.spark.version = 3.5.0             dates are of the calendar that Spark 3 uses
//! ```
//! Without it the columns are what Parquet itself says, and a struct that looks like a vector is taken for one.

mod fit;
mod read;
mod schema;
mod write;

pub(crate) use read::ParquetBlocks;
pub(crate) use schema::file_schema;
pub(crate) use write::ParquetFile;

/// Key of Spark's schema in the footer.
const ROW_METADATA_KEY: &str = "org.apache.spark.sql.parquet.row.metadata";
/// Key of the version that wrote the file, by which Spark tells the calendar of old dates.
const VERSION_KEY: &str = "org.apache.spark.version";
