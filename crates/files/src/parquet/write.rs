//! Rows as a Parquet file that Spark reads with its own types.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::schema::to_json;
use ognivo_data::vector::is_vector;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::{ROW_METADATA_KEY, VERSION_KEY};

/// A row group ends when it holds about so many encoded bytes: what one open file costs in memory at most.
const ROW_GROUP_BYTES: usize = 32 << 20;
/// A row group ends after so many rows at the latest.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Spark's calendar of dates since version 3; what we write is of that calendar.
const CALENDAR_VERSION: &str = "3.5.0";

/// A Parquet file that is being made: rows go in, bytes come out as they are ready.
pub(crate) struct ParquetFile {
    writer: ArrowWriter<Vec<u8>>,
    schema: SchemaRef,
}

impl ParquetFile {
    /// An empty file of these columns.
    ///
    /// A type that Spark has no name for is written without Spark's schema in the footer.
    pub(crate) fn new(schema: &SchemaRef, compression: Compression) -> Result<ParquetFile, ParquetError> {
        let mut entries = vec![KeyValue::new(VERSION_KEY.to_owned(), CALENDAR_VERSION.to_owned())];
        if let Ok(json) = to_json(schema) {
            entries.push(KeyValue::new(ROW_METADATA_KEY.to_owned(), json));
        }
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_created_by(concat!("ognivo ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_key_value_metadata(Some(entries));
        let properties = schema.fields().iter().fold(properties, |properties, field| match numbers_of_vector(field) {
            // They hardly repeat: a dictionary would grow to its limit and be thrown away, for half of all the work.
            Some(numbers) => properties.set_column_dictionary_enabled(numbers, false),
            None => properties,
        });
        let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
        // Metadata of fields is in Spark's schema; Arrow's writer has nothing to do with it.
        let bare: Vec<_> =
            schema.fields().iter().map(|field| field.as_ref().clone().with_metadata(Default::default())).collect();
        let schema = Arc::new(Schema::new(bare));
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options)?;
        // So that the first bytes of the file are ready.
        writer.sync()?;
        Ok(ParquetFile { writer, schema })
    }

    /// Takes rows of the columns that `new` was told.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), rows.columns().to_vec())?;
        self.writer.write(&rows)?;
        if self.writer.in_progress_size() >= ROW_GROUP_BYTES {
            self.writer.flush()?;
        }
        Ok(())
    }

    /// Ends the open row group early, so that its memory becomes free once the bytes are taken.
    pub(crate) fn end_row_group(&mut self) -> Result<(), ParquetError> {
        self.writer.flush()
    }

    /// The bytes that are ready and were not taken before.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.inner_mut())
    }

    /// Bytes in memory: encoded rows of the open row group, and what was not taken.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.writer.memory_size() + self.writer.inner().len()
    }

    /// The bytes that are ready and were not taken, which stay.
    pub(crate) fn ready(&self) -> &[u8] {
        self.writer.inner()
    }

    /// Ends the file and gives its last bytes.
    pub(crate) fn finish(&mut self) -> Result<Vec<u8>, ParquetError> {
        self.writer.finish()?;
        Ok(self.take_bytes())
    }
}

/// The leaf that holds the numbers of a vector column: `name.values.list.element`.
fn numbers_of_vector(field: &Field) -> Option<ColumnPath> {
    let DataType::Struct(children) = field.data_type() else { return None };
    let values = children.iter().find(|child| child.name() == "values").filter(|_| is_vector(field.data_type()))?;
    let DataType::List(element) = values.data_type() else { return None };
    let path = [field.name().as_str(), values.name(), "list", element.name()];
    Some(ColumnPath::new(path.map(str::to_owned).into()))
}
