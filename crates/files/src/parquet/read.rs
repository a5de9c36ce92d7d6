//! Parquet files as blocks of rows.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{Schema, SchemaRef};
use ognivo_data::schema::type_name;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;

use super::fit::fit;
use super::schema::load;
use crate::bytes::FileBytes;
use crate::file_error::FileError;

/// The rows of those row groups of a file whose middle lies in a byte range, in the columns that are wanted.
///
/// Columns are found by name, in any case unless two differ in case only; one that the file does not have is null.
pub(crate) struct ParquetBlocks {
    path: String,
    schema: SchemaRef,
    reader: ParquetRecordBatchReader,
    has_failed: bool,
}

impl ParquetBlocks {
    /// Opens a file; `range` None takes all of it.
    pub(crate) fn open(
        bytes: &FileBytes,
        path: String,
        range: Option<Range<u64>>,
        schema: &SchemaRef,
        block_rows: usize,
    ) -> Result<ParquetBlocks, FileError> {
        let open = || -> Result<ParquetRecordBatchReader, ParquetError> {
            let metadata = load(bytes)?;
            let wanted = schema.fields().iter().filter_map(|field| find(metadata.schema(), field.name()));
            let mask = ProjectionMask::roots(metadata.parquet_schema(), wanted);
            let row_groups = metadata.metadata().row_groups().iter().enumerate();
            let row_groups = row_groups
                .filter(|(_, group)| range.as_ref().is_none_or(|range| range.contains(&middle(group))))
                .map(|(i, _)| i)
                .collect();
            ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata)
                .with_projection(mask)
                .with_row_groups(row_groups)
                .with_batch_size(block_rows)
                .build()
        };
        match guarded(open) {
            Ok(reader) => Ok(ParquetBlocks { path, schema: Arc::clone(schema), reader, has_failed: false }),
            Err(source) => Err(FileError::Parquet { path, source }),
        }
    }

    fn fitted(&self, rows: &RecordBatch) -> Result<RecordBatch, FileError> {
        let column = |field: &arrow_schema::FieldRef| -> Result<ArrayRef, FileError> {
            let Some(position) = find(rows.schema_ref(), field.name()) else {
                return Ok(new_null_array(field.data_type(), rows.num_rows()));
            };
            let stored = rows.column(position);
            fit(stored, field.data_type()).ok_or_else(|| FileError::Column {
                path: self.path.clone(),
                column: field.name().clone(),
                stored: type_name(stored.data_type()),
                wanted: type_name(field.data_type()),
            })
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let fitted = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        fitted.map_err(|error| FileError::Parquet { path: self.path.clone(), source: error.into() })
    }
}

impl Iterator for ParquetBlocks {
    type Item = Result<RecordBatch, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let rows = guarded(|| self.reader.next().transpose().map_err(ParquetError::from));
        let rows = match rows {
            Ok(rows) => self.fitted(&rows?),
            Err(source) => Err(FileError::Parquet { path: self.path.clone(), source }),
        };
        self.has_failed = rows.is_err();
        Some(rows)
    }
}

/// What `work` gives; a damaged file over which the Parquet reader trips is an error like any other.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    // Nothing that was being changed is used after a panic: whoever reads gives the file up.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let reason =
            panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(ParquetError::General(format!("damaged: {}", reason.unwrap_or("the reader broke off"))))
    })
}

/// Position of a column: by its exact name, else by the only one that differs in case.
fn find(schema: &Schema, name: &str) -> Option<usize> {
    if let Some((position, _)) = schema.column_with_name(name) {
        return Some(position);
    }
    let name = name.to_lowercase();
    let mut alike = schema.fields().iter().enumerate().filter(|(_, field)| field.name().to_lowercase() == name);
    match (alike.next(), alike.next()) {
        (Some((position, _)), None) => Some(position),
        _ => None,
    }
}

/// The middle byte of a row group, by which it belongs to a piece of the file.
fn middle(group: &RowGroupMetaData) -> u64 {
    let start = group.columns().first().map_or(0, |column| {
        let data = column.data_page_offset();
        column.dictionary_page_offset().filter(|&offset| offset > 0 && offset < data).unwrap_or(data)
    });
    (start + group.compressed_size() / 2).max(0) as u64
}
