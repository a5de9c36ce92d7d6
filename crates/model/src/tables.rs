//! Tables of a stage: record batches to and from Parquet files as Spark writes them.
//!
//! ```text
//! message spark_schema {                                   footer, key-value metadata:
//!   required int32 numClasses;                               org.apache.spark.version
//!   optional group interceptVector {                         org.apache.spark.sql.parquet.row.metadata
//!     required int32 type (INT(8,true));                       the columns as Spark's StructType JSON; it is what makes
//!     optional int32 size;                                     Spark see a vector in the struct
//!     optional group indices (LIST) { repeated group list { required int32 element; } }
//!     optional group values (LIST) { repeated group list { required double element; } }
//!   } }
//! ```
//!
//! Read tables come in one form, however the writer named the insides of lists and maps: see [`canonical`].

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use ognivo_data::schema;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::Compression;
use parquet::file::metadata::{KeyValue, PageIndexPolicy};
use parquet::file::properties::WriterProperties;

use crate::canonical::{canonical, canonical_type};
use crate::limits::{Budget, Exceeded};
use crate::parquet_guard::{Refusal, check_footer, check_pages};

/// The key of Spark's schema in a footer.
const ROW_METADATA: &str = "org.apache.spark.sql.parquet.row.metadata";
/// The key of the release that wrote a file.
const SPARK_VERSION: &str = "org.apache.spark.version";
/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 8_192;

/// Why a file is not a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TableError {
    /// It is no Parquet file that can be decoded.
    Broken(String),
    /// A column is of a type, or holds a value, that no stage of Spark's has.
    Column { column: String, reason: String },
    /// It is larger than we read.
    TooLarge(Exceeded),
}

impl From<Refusal> for TableError {
    fn from(refusal: Refusal) -> TableError {
        match refusal {
            Refusal::Broken(reason) => TableError::Broken(reason),
            Refusal::TooLarge(exceeded) => TableError::TooLarge(exceeded),
        }
    }
}

fn broken(error: impl fmt::Display) -> TableError {
    TableError::Broken(error.to_string())
}

/// Decodes one file.
pub(crate) fn decode(file: &Bytes, budget: &mut Budget) -> Result<RecordBatch, TableError> {
    check_footer(file)?;
    let metadata = ArrowReaderMetadata::load(file, reader_options()).map_err(broken)?;
    check_pages(file, metadata.metadata(), budget)?;
    let options = reader_options().with_schema(as_views(metadata.schema()));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).map_err(broken)?;
    let schema = canonical_schema(metadata.schema())?;
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata);
    let reader = reader.with_batch_size(BATCH_ROWS).build().map_err(broken)?;
    let mut batches = Vec::new();
    for batch in reader {
        batches.push(canonical_batch(&batch.map_err(broken)?, &schema, budget)?);
    }
    concat_batches(&schema, &batches).map_err(broken)
}

/// Puts the parts of a table, decoded, one below the other.
pub(crate) fn join(parts: &[RecordBatch]) -> Result<RecordBatch, TableError> {
    let Some(first) = parts.first() else { return Err(broken("no part")) };
    if parts.iter().any(|part| part.schema() != first.schema()) {
        return Err(broken("its columns are not those of the table's first file"));
    }
    concat_batches(&first.schema(), parts).map_err(broken)
}

fn reader_options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_page_index_policy(PageIndexPolicy::Skip)
}

/// `schema` with texts as views: a text that stands a million times in a file then stands once in memory.
fn as_views(schema: &Schema) -> SchemaRef {
    fn field_as_view(field: &FieldRef) -> FieldRef {
        Arc::new(field.as_ref().clone().with_data_type(type_as_view(field.data_type())))
    }
    fn type_as_view(data_type: &DataType) -> DataType {
        match data_type {
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            DataType::List(item) => DataType::List(field_as_view(item)),
            DataType::Map(entries, sorted) => DataType::Map(field_as_view(entries), *sorted),
            DataType::Struct(fields) => DataType::Struct(fields.iter().map(field_as_view).collect()),
            other => other.clone(),
        }
    }
    Arc::new(Schema::new(schema.fields().iter().map(field_as_view).collect::<Fields>()))
}

fn canonical_schema(schema: &Schema) -> Result<SchemaRef, TableError> {
    let field = |field: &FieldRef| {
        let data_type = canonical_type(field.data_type());
        let data_type = data_type.map_err(|reason| TableError::Column { column: field.name().clone(), reason })?;
        Ok(Field::new(field.name(), data_type, field.is_nullable()))
    };
    Ok(Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Result<Vec<_>, TableError>>()?)))
}

fn canonical_batch(rows: &RecordBatch, schema: &SchemaRef, budget: &mut Budget) -> Result<RecordBatch, TableError> {
    let mut columns = Vec::with_capacity(rows.num_columns());
    for (column, field) in rows.columns().iter().zip(schema.fields()) {
        let column = canonical(column, budget).map_err(|refusal| match refusal {
            Refusal::Broken(reason) => TableError::Column { column: field.name().clone(), reason },
            Refusal::TooLarge(exceeded) => TableError::TooLarge(exceeded),
        })?;
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(broken)
}

/// The bytes of the Parquet file of `rows`, as Spark `spark_version` writes it: snappy, with Spark's schema in the footer.
///
/// # Errors
/// The reason, when a column is of a type that Spark does not have.
pub(crate) fn encode(rows: &RecordBatch, spark_version: &str) -> Result<Vec<u8>, String> {
    let row_metadata = schema::to_json(&rows.schema()).map_err(|error| error.to_string())?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(vec![
            KeyValue::new(SPARK_VERSION.to_owned(), spark_version.to_owned()),
            KeyValue::new(ROW_METADATA.to_owned(), row_metadata),
        ]))
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true)
        .with_schema_root("spark_schema".to_owned());
    let write = || {
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), rows.schema(), options)?;
        writer.write(rows)?;
        writer.into_inner()
    };
    write().map_err(|error| error.to_string())
}
