//! The schema of a Parquet file, in Spark's types.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use ognivo_data::matrix::{is_matrix, matrix_type};
use ognivo_data::schema::{array_type, from_json, map_type, timestamp_ntz_type, timestamp_type};
use ognivo_data::vector::{is_vector, vector_type};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescPtr;

use super::ROW_METADATA_KEY;
use super::read::guarded;
use crate::bytes::FileBytes;

/// The columns of a file as Spark sees them: by Spark's own schema in the footer, else by Parquet's types.
///
/// Same as Spark: every column is nullable; a footer whose schema cannot be read counts as none. Differs from Spark: a
/// struct that looks like a vector or a matrix is one, even without Spark's schema.
pub(crate) fn file_schema(bytes: &FileBytes) -> Result<Schema, ParquetError> {
    let metadata = guarded(|| load(bytes))?;
    let stored = metadata.schema();
    let fields: Vec<Field> = match spark_schema(&metadata) {
        // The footer may speak of columns that the file does not have, when somebody rewrote it.
        Some(spark) => {
            let told: HashMap<&str, &FieldRef> = spark.fields().iter().map(|f| (f.name().as_str(), f)).collect();
            let told = |field: &FieldRef| match told.get(field.name().as_str()) {
                Some(told) => told.as_ref().clone(),
                None => Field::new(field.name(), spark_type(field.data_type()), true),
            };
            stored.fields().iter().map(told).collect()
        }
        None => {
            stored.fields().iter().map(|field| Field::new(field.name(), spark_type(field.data_type()), true)).collect()
        }
    };
    Ok(Schema::new(fields.into_iter().map(|field| field.with_nullable(true)).collect::<Vec<_>>()))
}

fn spark_schema(metadata: &ArrowReaderMetadata) -> Option<Schema> {
    let entries = metadata.metadata().file_metadata().key_value_metadata()?;
    let json = entries.iter().find(|entry| entry.key == ROW_METADATA_KEY)?.value.as_ref()?;
    from_json(json).ok()
}

/// Reads the footer; the timestamps that Spark still writes as INT96 are read as microseconds, which hold all of them.
pub(super) fn load(bytes: &FileBytes) -> Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(bytes, options)?;
    let leaves = metadata.parquet_schema().columns();
    if !leaves.iter().any(|leaf| leaf.physical_type() == PhysicalType::INT96) {
        return Ok(metadata);
    }
    let mut leaves = leaves.iter();
    let fields: Vec<FieldRef> = metadata.schema().fields().iter().map(|field| micros(field, &mut leaves)).collect();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)
}

/// `field` with each INT96 leaf as microseconds; leaves come in the order of the columns.
fn micros<'a>(field: &FieldRef, leaves: &mut impl Iterator<Item = &'a ColumnDescPtr>) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| micros(field, leaves)).collect()),
        DataType::List(item) => DataType::List(micros(item, leaves)),
        DataType::Map(entry, is_sorted) => DataType::Map(micros(entry, leaves), *is_sorted),
        leaf => match leaves.next().map(|column| column.physical_type()) {
            Some(PhysicalType::INT96) => timestamp_type(),
            _ => leaf.clone(),
        },
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// The type in which Spark reads a stored one; one that it does not know stays and is refused when it is read.
fn spark_type(stored: &DataType) -> DataType {
    if is_vector(stored) {
        return vector_type();
    }
    if is_matrix(stored) {
        return matrix_type();
    }
    match stored {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::Timestamp(_, Some(_)) => timestamp_type(),
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Millisecond | TimeUnit::Second, None) => {
            timestamp_ntz_type()
        }
        DataType::Timestamp(TimeUnit::Nanosecond, None) => timestamp_ntz_type(),
        DataType::List(item) => array_type(spark_type(item.data_type()), true),
        DataType::Struct(fields) => DataType::Struct(
            fields.iter().map(|field| Field::new(field.name(), spark_type(field.data_type()), true)).collect(),
        ),
        DataType::Map(entry, _) => match entry.data_type() {
            DataType::Struct(parts) if parts.len() == 2 => {
                map_type(spark_type(parts[0].data_type()), spark_type(parts[1].data_type()), true)
            }
            _ => stored.clone(),
        },
        other => other.clone(),
    }
}
