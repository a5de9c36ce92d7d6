//! The columns of a stream of topics: those of the decoded value, then the record's own.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// Those of the record's own columns that tell where it stands; no other record has the same three.
pub const POSITION_COLUMNS: [&str; 3] = ["topic", "partition", "offset"];

/// The record's own columns, with Spark's names and types.
///
/// | column | type |
/// |---|---|
/// | `key` | binary, nullable |
/// | `topic` | string |
/// | `partition` | int |
/// | `offset` | bigint |
/// | `timestamp` | timestamp, nullable |
/// | `timestampType` | int: -1 none, 0 of the producer, 1 of the broker's log |
/// | `headers` | array of struct (key string, value binary), nullable; only with `includeHeaders` |
pub(crate) fn record_fields(include_headers: bool) -> Vec<Field> {
    let utc = Some(Arc::from("UTC"));
    let mut fields = vec![
        Field::new("key", DataType::Binary, true),
        Field::new("topic", DataType::Utf8, false),
        Field::new("partition", DataType::Int32, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("timestamp", DataType::Timestamp(TimeUnit::Microsecond, utc), true),
        Field::new("timestampType", DataType::Int32, false),
    ];
    if include_headers {
        fields.push(Field::new("headers", DataType::List(header_item()), true));
    }
    fields
}

/// One header, as an item of a list.
pub(crate) fn header_item() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Struct(header_fields()), false))
}

pub(crate) fn header_fields() -> Fields {
    static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
        Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)])
    });
    FIELDS.clone()
}

/// The columns of the value, then the record's own that the value has none of the same name of: a field of the value is
/// what the job's schema names.
pub(crate) fn stream_schema(value: &Schema, include_headers: bool) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = value.fields().iter().cloned().collect();
    for field in record_fields(include_headers) {
        if value.column_with_name(field.name()).is_none() {
            fields.push(Arc::new(field));
        }
    }
    Arc::new(Schema::new_with_metadata(fields, value.metadata().clone()))
}
