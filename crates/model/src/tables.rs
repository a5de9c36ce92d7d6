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

#[cfg(test)]
mod tests {
    use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int64Array, ListArray, StringArray};
    use ognivo_data::matrix::{Matrix, matrix_column};
    use ognivo_data::vector::{Vector, VectorBuilder, vector_type};
    use parquet::file::properties::WriterVersion;

    use super::*;
    use crate::limits::Limits;

    fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
            .unwrap()
    }

    fn read(file: Vec<u8>, limits: &Limits) -> Result<RecordBatch, TableError> {
        decode(&Bytes::from(file), &mut Budget::new(limits))
    }

    /// As another program writes it, with these properties.
    fn foreign(rows: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
        writer.write(rows).unwrap();
        writer.into_inner().unwrap()
    }

    fn every_type() -> RecordBatch {
        let mut vectors = VectorBuilder::new();
        vectors.push(Vector::Dense(vec![0.5, -0.0]).as_ref());
        vectors.push(Vector::Sparse { size: 9, indices: vec![2, 8], values: vec![1.0, f64::NAN] }.as_ref());
        vectors.push_null();
        let by_rows = Matrix::from_row_major(1, 3, vec![1.0, 0.0, 2.0]);
        let matrices = [by_rows.clone(), by_rows.to_sparse(false), by_rows.to_sparse(true)];
        let mut maps = MapBuilder::new(None, Int32Builder::new(), StringBuilder::new());
        for key in 0..3 {
            maps.keys().append_value(key);
            maps.values().append_option((key != 1).then_some("ä"));
            maps.append(key != 2).unwrap();
        }
        let mut lists = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
        for texts in [&["a", ""][..], &[], &["b"]] {
            texts.iter().for_each(|text| lists.values().values().append_value(text));
            lists.values().append(true);
            lists.append(!texts.is_empty());
        }
        table(vec![
            ("vector", vectors.finish()),
            ("matrix", matrix_column(&matrices)),
            ("map", Arc::new(maps.finish())),
            ("lists", Arc::new(lists.finish())),
            ("long", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(3)]))),
        ])
    }

    #[test]
    fn tables_of_every_type_read_back_in_canonical_form() {
        // The builders call a list's item `item` and a map's entries `entries`: a first reading makes them canonical.
        let canonical = read(foreign(&every_type(), WriterProperties::default()), &Limits::default()).unwrap();
        assert_eq!(canonical.column(0).as_ref(), every_type().column(0).as_ref());
        assert_eq!(type_names(&canonical), "vector, matrix, map<int,string>, array<array<string>>, bigint");
        let file = encode(&canonical, "3.5.9").unwrap();
        assert_eq!(read(file, &Limits::default()), Ok(canonical));
    }

    fn type_names(rows: &RecordBatch) -> String {
        let names = rows.schema().fields().iter().map(|field| schema::type_name(field.data_type())).collect::<Vec<_>>();
        names.join(", ")
    }

    #[test]
    fn every_compression_and_both_versions_of_pages_are_read() {
        let canonical = read(foreign(&every_type(), WriterProperties::default()), &Limits::default()).unwrap();
        for compression in ["UNCOMPRESSED", "SNAPPY", "GZIP(6)", "ZSTD(1)"] {
            for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                let properties = WriterProperties::builder().set_writer_version(version);
                let properties = properties.set_compression(compression.parse().unwrap()).build();
                assert_eq!(read(foreign(&canonical, properties), &Limits::default()).as_ref(), Ok(&canonical));
            }
        }
    }

    #[test]
    fn a_file_of_ours_carries_what_spark_looks_for() {
        let file = Bytes::from(encode(&every_type().project(&[0]).unwrap(), "3.5.9").unwrap());
        let metadata = ArrowReaderMetadata::load(&file, reader_options()).unwrap();
        let metadata = metadata.metadata().file_metadata();
        let keys = metadata.key_value_metadata().unwrap();
        let value = |key: &str| keys.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone()).unwrap();
        assert_eq!((keys.len(), value(SPARK_VERSION).as_str()), (2, "3.5.9"));
        let fields = schema::from_json(&value(ROW_METADATA)).unwrap();
        assert_eq!(fields.field(0).data_type(), &vector_type());
        let mut message = Vec::new();
        parquet::schema::printer::print_schema(&mut message, metadata.schema());
        expect_test::expect![[r#"
            message spark_schema {
              OPTIONAL group vector {
                REQUIRED INT32 type (INTEGER(8,true));
                OPTIONAL INT32 size;
                OPTIONAL group indices (LIST) {
                  REPEATED group list {
                    REQUIRED INT32 element;
                  }
                }
                OPTIONAL group values (LIST) {
                  REPEATED group list {
                    REQUIRED DOUBLE element;
                  }
                }
              }
            }
        "#]]
        .assert_eq(&String::from_utf8(message).unwrap());
    }

    #[test]
    fn parts_are_joined_in_order_when_their_columns_agree() {
        let part = |numbers: &[f64]| table(vec![("x", Arc::new(Float64Array::from(numbers.to_vec())) as ArrayRef)]);
        assert_eq!(join(&[part(&[1.0, 2.0]), part(&[]), part(&[3.0])]), Ok(part(&[1.0, 2.0, 3.0])));
        let other = table(vec![("y", Arc::new(Float64Array::from(vec![1.0])) as ArrayRef)]);
        assert!(matches!(join(&[part(&[1.0]), other]), Err(TableError::Broken(_))));
    }

    #[test]
    fn a_text_that_a_small_file_repeats_is_counted_before_it_is_copied() {
        let text = StringArray::from(vec!["x".repeat(10_000)]);
        let keys = vec![0; 2_000];
        let repeated = DictionaryArray::<Int32Type>::try_new(keys.into(), Arc::new(text)).unwrap();
        let file = foreign(&table(vec![("text", Arc::new(repeated))]), WriterProperties::default());
        assert!(file.len() < 100_000, "{}", file.len());
        let limits = Limits { decoded_bytes: 10 << 20, ..Limits::default() };
        let error = read(file, &limits).unwrap_err();
        assert!(matches!(error, TableError::TooLarge(_)), "{error:?}");
    }

    /// Maps and lists whose parts no longer agree are what a decoder stumbles over most.
    #[test]
    fn a_changed_byte_of_a_nested_table_is_an_error_or_a_table() {
        let canonical = read(foreign(&every_type(), WriterProperties::default()), &Limits::default()).unwrap();
        for properties in
            [WriterProperties::default(), WriterProperties::builder().set_dictionary_enabled(false).build()]
        {
            let file = foreign(&canonical, properties);
            for position in (0..file.len()).step_by(3) {
                let mut changed = file.clone();
                changed[position] ^= [0x01, 0x02, 0x40, 0xff][position % 4];
                let limits = Limits { decoded_bytes: 1 << 20, ..Limits::default() };
                if let Err(TableError::Broken(reason) | TableError::Column { reason, .. }) = read(changed, &limits) {
                    assert!(!reason.is_empty());
                }
            }
        }
    }

    #[test]
    fn a_sparse_vector_that_claims_more_slots_than_fit_is_refused() {
        let mut vectors = VectorBuilder::new();
        vectors.push(Vector::Sparse { size: i32::MAX as usize, indices: vec![], values: vec![] }.as_ref());
        let file = encode(&table(vec![("vector", vectors.finish())]), "3.5.9").unwrap();
        let error = read(file, &Limits::default()).unwrap_err();
        assert!(matches!(error, TableError::TooLarge(_)), "{error:?}");
    }

    #[test]
    fn a_type_that_spark_does_not_have_is_named_with_its_column() {
        let column = arrow_array::UInt16Array::from(vec![1]);
        let file = foreign(&table(vec![("n", Arc::new(column))]), WriterProperties::default());
        let reason = "a type that no model has: UInt16".to_owned();
        assert_eq!(read(file, &Limits::default()), Err(TableError::Column { column: "n".to_owned(), reason }));
    }

    #[test]
    fn a_struct_that_only_looks_like_a_matrix_is_refused() {
        let matrix = matrix_column(&[Matrix::from_row_major(1, 1, vec![1.0])]);
        let mut columns = arrow_array::cast::AsArray::as_struct(&matrix).columns().to_vec();
        columns[5] = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]));
        let fields = arrow_array::cast::AsArray::as_struct(&matrix).fields().iter().zip(&columns);
        let fields: Fields = fields.map(|(f, c)| f.as_ref().clone().with_data_type(c.data_type().clone())).collect();
        let column = arrow_array::StructArray::new(fields, columns, None);
        let file = foreign(&table(vec![("m", Arc::new(column))]), WriterProperties::default());
        let reason = "not double: int".to_owned();
        assert_eq!(read(file, &Limits::default()), Err(TableError::Column { column: "m".to_owned(), reason }));
    }
}
