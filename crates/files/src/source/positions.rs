//! Where a row came from, as columns behind its own.
//!
//! ```text
//! loan_id  purpose  │ file               line
//! 17       car      │ file:///in/a.csv   2
//! 18       house    │ file:///in/a.csv   3
//! ```
//! The line is the one on which the record begins, counted from 1; in a Parquet file it is the number of the row. The same as in
//! the position of a dead letter.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

/// The columns, in order: a string with the file's URI, and a bigint.
pub const POSITION_COLUMNS: [&str; 2] = ["file", "line"];

/// The columns of `own` with those of the position behind them; `own` as it is when it has one of these names.
pub fn with_positions(own: &SchemaRef) -> SchemaRef {
    if POSITION_COLUMNS.iter().any(|name| own.column_with_name(name).is_some()) {
        return own.clone();
    }
    let [file, line] = POSITION_COLUMNS;
    let more = [Field::new(file, DataType::Utf8, false), Field::new(line, DataType::Int64, false)];
    let fields = own.fields().iter().cloned().chain(more.into_iter().map(Arc::new));
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), own.metadata().clone()))
}

/// Rows of the file `uri`, one for each of `lines`, as rows of `schema`, which [`with_positions`] made of theirs.
pub(super) fn add_positions(
    rows: &RecordBatch,
    schema: &SchemaRef,
    uri: &str,
    lines: impl Iterator<Item = u64>,
) -> RecordBatch {
    let files: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(uri, rows.num_rows())));
    let lines: ArrayRef = Arc::new(Int64Array::from_iter_values(lines.map(|line| line as i64)));
    let columns = rows.columns().iter().cloned().chain([files, lines]).collect();
    RecordBatch::try_new(schema.clone(), columns).expect("the schema is that of the rows with these two columns")
}
