//! Spark's types and schemas, and the Arrow ones that stand for them.
//!
//! A schema comes to us as text in two forms, and goes back into both: the **DDL** that users write in job files
//! ([`parse_ddl`], [`to_ddl`]), and the **JSON** that Spark stores in Parquet footers ([`from_json`], [`to_json`]).
//!
//! ```text
//! Spark (DDL, JSON)                     Arrow
//! TINYINT byte · SMALLINT short         Int8 · Int16
//! INT integer · BIGINT long             Int32 · Int64
//! FLOAT float · DOUBLE double           Float32 · Float64
//! DECIMAL(p,s) decimal(p,s)             Decimal128(p, s), p ≤ 38
//! BOOLEAN · STRING (CHAR, VARCHAR)      Boolean · Utf8
//! BINARY · DATE                         Binary · Date32
//! TIMESTAMP (TIMESTAMP_LTZ)             Timestamp(Microsecond, "UTC")
//! TIMESTAMP_NTZ                         Timestamp(Microsecond, none)
//! ARRAY<T> · MAP<K,V> · STRUCT<a T,…>   List(element) · Map(entries) · Struct
//! VOID                                  Null
//! udt VectorUDT, MatrixUDT              their structs, see `vector` and `matrix`
//! ```

mod ddl;
mod json;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, TimeUnit};

pub use ddl::{DdlError, parse_ddl, parse_type, to_ddl};
pub use json::{SchemaJsonError, from_json, to_json};

use crate::fault::{Explain, Fault};
use crate::matrix::is_matrix;
use crate::vector::is_vector;

/// A moment, as Spark's TIMESTAMP: microseconds since 1970 in UTC.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A wall-clock time without time zone, as Spark's TIMESTAMP_NTZ.
pub fn timestamp_ntz_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// A list of `element`s, as Spark's ARRAY.
pub fn array_type(element: DataType, contains_null: bool) -> DataType {
    DataType::List(Arc::new(Field::new("element", element, contains_null)))
}

/// A map, as Spark's MAP; keys are never null.
pub fn map_type(key: DataType, value: DataType, value_contains_null: bool) -> DataType {
    let entries = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, value_contains_null)]);
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries), false)), false)
}

/// A type of Arrow's that Spark has no word for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}` has a type that Spark does not know: {data_type}")]
pub struct UnknownToSpark {
    /// The column, with the path inside it for nested types (`a.element`).
    pub column: String,
    /// Its type.
    pub data_type: DataType,
}

impl Explain for UnknownToSpark {
    fn fault(&self) -> Fault {
        Fault::Data
    }
    fn hint(&self) -> Option<String> {
        Some("cast the column to a type that Spark has, or leave it out".to_owned())
    }
}

/// Spark's short name of a type, for messages: `int`, `bigint`, `decimal(10,2)`, `array<string>`, `vector`, `matrix`.
///
/// Same as Spark: `DataType.simpleString`, also for the variants of a type that Spark does not tell apart (`Utf8View`).
/// A type that Spark does not know is named as Arrow names it.
pub fn type_name(data_type: &DataType) -> String {
    if is_vector(data_type) {
        return "vector".to_owned();
    }
    if is_matrix(data_type) {
        return "matrix".to_owned();
    }
    match data_type {
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            format!("array<{}>", type_name(element.data_type()))
        }
        DataType::Map(entries, _) => match map_fields(entries) {
            Some((key, value)) => format!("map<{},{}>", type_name(key.data_type()), type_name(value.data_type())),
            None => data_type.to_string(),
        },
        DataType::Struct(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|field| format!("{}:{}", field.name(), type_name(field.data_type()))).collect();
            format!("struct<{}>", fields.join(","))
        }
        DataType::Dictionary(_, values) => type_name(values),
        atomic => atomic_word(atomic).map_or_else(|| atomic.to_string(), |word| word.name()),
    }
}

/// Key and value of a map's entries.
fn map_fields(entries: &Field) -> Option<(&Field, &Field)> {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Some((&fields[0], &fields[1])),
        _ => None,
    }
}

/// A type without parts, in Spark's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Atomic {
    /// (in SQL and messages, in JSON)
    Word(&'static str, &'static str),
    Decimal(u8, i8),
}

impl Atomic {
    /// As messages and, in upper case, DDL say it.
    fn name(self) -> String {
        match self {
            Atomic::Word(name, _) => name.to_owned(),
            Atomic::Decimal(precision, scale) => format!("decimal({precision},{scale})"),
        }
    }

    /// As Spark's schema JSON says it.
    fn json(self) -> String {
        match self {
            Atomic::Word(_, json) => json.to_owned(),
            decimal @ Atomic::Decimal(..) => decimal.name(),
        }
    }
}

/// What Spark calls an Arrow type without parts; `None` for nested types and for those that it does not know.
fn atomic_word(data_type: &DataType) -> Option<Atomic> {
    let (name, json) = match data_type {
        DataType::Int8 => ("tinyint", "byte"),
        DataType::Int16 => ("smallint", "short"),
        DataType::Int32 => ("int", "integer"),
        DataType::Int64 => ("bigint", "long"),
        DataType::Float32 => ("float", "float"),
        DataType::Float64 => ("double", "double"),
        DataType::Boolean => ("boolean", "boolean"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ("string", "string"),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => ("binary", "binary"),
        DataType::Date32 => ("date", "date"),
        DataType::Timestamp(_, Some(_)) => ("timestamp", "timestamp"),
        DataType::Timestamp(_, None) => ("timestamp_ntz", "timestamp_ntz"),
        DataType::Null => ("void", "void"),
        DataType::Decimal128(precision, scale) => return Some(Atomic::Decimal(*precision, *scale)),
        _ => return None,
    };
    Some(Atomic::Word(name, json))
}

/// Whether a type has no parts and Spark has a word for it.
pub(crate) fn is_atomic(data_type: &DataType) -> bool {
    atomic_word(data_type).is_some()
}

/// The largest number of digits of a decimal.
const MAX_PRECISION: u8 = 38;

/// The type of `DECIMAL(precision, scale)`; `None` where Spark refuses it.
fn decimal_type(precision: u64, scale: u64) -> Option<DataType> {
    let fits = (1..=u64::from(MAX_PRECISION)).contains(&precision) && scale <= precision;
    fits.then_some(DataType::Decimal128(precision as u8, scale as i8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::vector_type;

    #[test]
    fn types_are_named_as_spark_names_them() {
        // pyspark 3.5.9: StructType.fromDDL(…)[0].dataType.simpleString()
        for (ddl, name) in [
            ("INTEGER", "int"),
            ("LONG", "bigint"),
            ("REAL", "float"),
            ("DEC", "decimal(10,0)"),
            ("ARRAY<STRUCT<a: INT, b: MAP<STRING, DATE>>>", "array<struct<a:int,b:map<string,date>>>"),
            ("TIMESTAMP_NTZ", "timestamp_ntz"),
            ("VOID", "void"),
        ] {
            assert_eq!(type_name(&parse_type(ddl).unwrap()), name);
        }
        assert_eq!(type_name(&vector_type()), "vector");
        assert_eq!(type_name(&DataType::UInt8), "UInt8");
    }
}
