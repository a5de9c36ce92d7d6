//! The columns that a stage reads and adds: one check and one wording for all stages.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::column::find_column;

use crate::stage::StageError;
use crate::uid::Uid;

/// Position and field of the input column `name` of the stage `uid`.
///
/// # Errors
/// [`StageError::ColumnNotFound`].
pub fn input_column<'a>(uid: &Uid, input: &'a Schema, name: &str) -> Result<(usize, &'a Field), StageError> {
    find_column(input, name).map_err(|cause| StageError::ColumnNotFound { uid: uid.clone(), cause })
}

/// `input` with the output columns of the stage `uid` at its end.
///
/// # Errors
/// [`StageError::OutputExists`] for a name that is there already, or that is among the new ones twice.
pub fn with_columns(
    uid: &Uid,
    input: &Schema,
    added: impl IntoIterator<Item = Field>,
) -> Result<SchemaRef, StageError> {
    let mut fields: Vec<Arc<Field>> = input.fields().iter().cloned().collect();
    for field in added {
        if fields.iter().any(|known| known.name() == field.name()) {
            return Err(StageError::OutputExists { uid: uid.clone(), column: field.name().clone() });
        }
        fields.push(Arc::new(field));
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, input.metadata().clone())))
}

/// `rows` with further columns at its end; `schema` is what [`with_columns`] gave. No column is copied.
///
/// # Panics
/// When a column has not the type or length that the schema and the rows ask for: the stage made it wrong.
pub fn append_columns(
    schema: &SchemaRef,
    rows: &RecordBatch,
    added: impl IntoIterator<Item = ArrayRef>,
) -> RecordBatch {
    let columns = rows.columns().iter().cloned().chain(added).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let extended = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
    extended.expect("a stage adds the columns that it announced")
}

/// The error that `column` of the stage `uid` is of type `found` and not `wanted`.
pub fn wrong_type(uid: &Uid, column: &str, wanted: &'static str, found: &DataType) -> StageError {
    StageError::WrongType { uid: uid.clone(), column: column.to_owned(), wanted, found: found.to_string() }
}
