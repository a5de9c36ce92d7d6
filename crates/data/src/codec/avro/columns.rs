//! The columns of an Avro schema, and the Avro schema of columns, as Spark makes them of each other.

use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use serde_json::{Value, json};

use super::cell::{decimal_column, not_null};
use super::schema::{AvroSchema, AvroSchemaError, IntKind, LongKind, Record, Type, is_name};
use crate::codec::error::EncodeError;
use crate::schema::{array_type, map_type, timestamp_ntz_type, timestamp_type, type_name};

/// The name of the record of a row, as Spark writes it.
const ROOT: &str = "topLevelRecord";

impl AvroSchema {
    /// The columns that Spark makes of the fields: logical types that it does not know are their plain types, an enum is a string,
    /// fixed is binary, `[int, long]` is a long and `[float, double]` a double.
    ///
    /// # Errors
    /// `NoColumn` for a field that is null alone, and for any other union of several types.
    pub fn columns(&self) -> Result<Schema, AvroSchemaError> {
        Ok(Schema::new(fields(self.root(), "")?))
    }
}

fn fields(record: &Record, path: &str) -> Result<Fields, AvroSchemaError> {
    let each = record.fields.iter().map(|(name, avro)| {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let (data_type, nullable) = column(&inner, avro)?;
        Ok(Field::new(name, data_type, nullable))
    });
    each.collect()
}

/// The type, and whether there may be nulls.
fn column(path: &str, avro: &Type) -> Result<(DataType, bool), AvroSchemaError> {
    let none = || AvroSchemaError::NoColumn { field: path.to_owned(), avro: avro.to_string() };
    let data_type = match avro {
        Type::Null => return Err(none()),
        Type::Boolean => DataType::Boolean,
        Type::Int(IntKind::Plain) => DataType::Int32,
        Type::Int(IntKind::Date) => DataType::Date32,
        Type::Long(LongKind::Plain) => DataType::Int64,
        Type::Long(LongKind::TimestampMillis | LongKind::TimestampMicros) => timestamp_type(),
        Type::Long(LongKind::LocalMillis | LongKind::LocalMicros) => timestamp_ntz_type(),
        Type::Float => DataType::Float32,
        Type::Double => DataType::Float64,
        Type::Bytes(None) | Type::Fixed(_, None) => DataType::Binary,
        Type::Bytes(Some(decimal)) | Type::Fixed(_, Some(decimal)) => decimal_column(*decimal).ok_or_else(none)?,
        Type::String | Type::Enum(_) => DataType::Utf8,
        Type::Array(item) => {
            let (item, contains_null) = column(&format!("{path}.element"), item)?;
            array_type(item, contains_null)
        }
        Type::Map(value) => {
            let (value, contains_null) = column(&format!("{path}.value"), value)?;
            map_type(DataType::Utf8, value, contains_null)
        }
        Type::Record(record) => DataType::Struct(fields(record, path)?),
        Type::Union(branches) => {
            let nullable = branches.contains(&Type::Null);
            let of_one = not_null(avro);
            if of_one != avro {
                return Ok((column(path, of_one)?.0, nullable));
            }
            let is_all =
                |wanted: fn(&Type) -> bool| branches.iter().all(|branch| *branch == Type::Null || wanted(branch));
            let is_whole = |branch: &Type| matches!(branch, Type::Int(IntKind::Plain) | Type::Long(LongKind::Plain));
            let is_real = |branch: &Type| matches!(branch, Type::Float | Type::Double);
            let of_several = match () {
                () if branches.iter().all(|branch| *branch == Type::Null) => return Err(none()),
                () if is_all(is_whole) => DataType::Int64,
                () if is_all(is_real) => DataType::Float64,
                () => return Err(none()),
            };
            return Ok((of_several, nullable));
        }
    };
    Ok((data_type, false))
}

/// The schema that Spark writes rows of these columns by: a field that may be null is a union of its type and null, a decimal is
/// fixed bytes. A vector, which Spark refuses, is the record that it consists of.
///
/// # Errors
/// A column of a type that Avro does not have, or of a name that it does not allow.
pub(super) fn schema_of(columns: &Schema) -> Result<AvroSchema, EncodeError> {
    let json = record_json(columns.fields(), ROOT, "", "")?;
    Ok(AvroSchema::parse(&json.to_string())?)
}

fn record_json(fields: &Fields, name: &str, namespace: &str, path: &str) -> Result<Value, EncodeError> {
    let within = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") };
    let each = fields.iter().map(|field| {
        let inner = if path.is_empty() { field.name().clone() } else { format!("{path}.{}", field.name()) };
        if !is_name(field.name()) {
            return Err(AvroSchemaError::Name(inner).into());
        }
        let avro = nullable_json(field.data_type(), field.is_nullable(), field.name(), &within, &inner)?;
        Ok(json!({"name": field.name(), "type": avro}))
    });
    let fields = each.collect::<Result<Vec<Value>, EncodeError>>()?;
    Ok(match namespace {
        "" => json!({"type": "record", "name": name, "fields": fields}),
        _ => json!({"type": "record", "name": name, "namespace": namespace, "fields": fields}),
    })
}

fn nullable_json(
    data_type: &DataType,
    nullable: bool,
    name: &str,
    namespace: &str,
    path: &str,
) -> Result<Value, EncodeError> {
    let avro = type_json(data_type, name, namespace, path)?;
    Ok(if nullable && *data_type != DataType::Null { json!([avro, "null"]) } else { avro })
}

fn type_json(data_type: &DataType, name: &str, namespace: &str, path: &str) -> Result<Value, EncodeError> {
    let logical = |base: &str, kind: &str| json!({"type": base, "logicalType": kind});
    Ok(match data_type {
        DataType::Null => json!("null"),
        DataType::Boolean => json!("boolean"),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => json!("int"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 => json!("string"),
        DataType::Binary => json!("bytes"),
        DataType::Date32 => logical("int", "date"),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => logical("long", "timestamp-micros"),
        DataType::Timestamp(TimeUnit::Microsecond, None) => logical("long", "local-timestamp-micros"),
        DataType::Decimal128(precision, scale) if *scale >= 0 => json!({
            "type": "fixed", "name": "fixed", "namespace": format!("{namespace}.{name}"),
            "size": bytes_of_decimal(*precision), "logicalType": "decimal", "precision": precision, "scale": scale,
        }),
        DataType::List(element) => {
            let (inner, nullable) = (format!("{path}.element"), element.is_nullable());
            let items = nullable_json(element.data_type(), nullable, name, namespace, &inner)?;
            json!({"type": "array", "items": items})
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(parts) = entries.data_type() else { return Err(unsupported(data_type, path)) };
            let [key, value] = &parts[..] else { return Err(unsupported(data_type, path)) };
            if *key.data_type() != DataType::Utf8 {
                return Err(unsupported(data_type, path));
            }
            let (inner, nullable) = (format!("{path}.value"), value.is_nullable());
            let values = nullable_json(value.data_type(), nullable, name, namespace, &inner)?;
            json!({"type": "map", "values": values})
        }
        DataType::Struct(fields) => record_json(fields, name, namespace, path)?,
        other => return Err(unsupported(other, path)),
    })
}

fn unsupported(data_type: &DataType, path: &str) -> EncodeError {
    EncodeError::UnsupportedType { format: "Avro", column: path.to_owned(), data_type: type_name(data_type) }
}

/// The fewest bytes that hold every number of so many digits, in two's complement.
fn bytes_of_decimal(precision: u8) -> u32 {
    let largest = 10u128.pow(precision.into()) - 1;
    let n_bits = u128::BITS - largest.leading_zeros() + 1;
    n_bits.div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::parse_ddl;

    #[test]
    fn a_decimal_has_as_many_bytes_as_its_largest_number() {
        // Decimal.minBytesForPrecision of Spark.
        assert_eq!([1, 2, 4, 9, 10, 18, 19, 38].map(bytes_of_decimal), [1, 1, 2, 4, 5, 8, 9, 16]);
    }

    #[test]
    fn what_avro_does_not_have_is_refused_by_its_column() {
        let refused = |ddl: &str| schema_of(&parse_ddl(ddl).unwrap()).unwrap_err().to_string();
        assert!(refused("`a.b` INT").starts_with("column `a.b` cannot be written as Avro: names "));
        assert!(refused("s STRUCT<`1x`: INT>").starts_with("column `s.1x` cannot be written as Avro: names "));
        assert_eq!(refused("m MAP<INT, STRING>"), "column `m` cannot be written as Avro: map<int,string>");
    }

    #[test]
    fn a_field_without_a_column_is_refused_by_its_path() {
        let of = |field: &str| {
            let json = format!(r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":{field}}}]}}"#);
            AvroSchema::parse(&json).unwrap().columns().unwrap_err().to_string()
        };
        assert_eq!(of(r#""null""#), "there is no column for the Avro field `a`: null");
        assert_eq!(of(r#"["int","string"]"#), "there is no column for the Avro field `a`: union of int, string");
        let inner = r#"{"type":"record","name":"I","fields":[{"name":"b","type":{"type":"array","items":["null"]}}]}"#;
        assert_eq!(of(inner), "there is no column for the Avro field `a.b.element`: union of null");
    }
}
