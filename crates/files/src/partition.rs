//! Partition folders: `column=value` in a path, as Hive and Spark write it.
//!
//! ```text
//! p_date=20261123/city=a%3Ab/part-00000-….parquet      "a:b"
//! p_date=__HIVE_DEFAULT_PARTITION__                    null, and the empty string
//! ```

use std::sync::Arc;

use arrow_array::types::{Date32Type, Decimal128Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, PrimitiveArray,
    StringArray, new_null_array,
};
use arrow_schema::{DataType, TimeUnit};
use chrono::{NaiveDate, NaiveDateTime};
use ognivo_data::codec::number::{parse_decimal, parse_double, parse_float, parse_int, parse_long};
use ognivo_data::schema::timestamp_type;

/// The name of the folder that holds null.
const DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// One `column=value` of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionFolder {
    /// The column.
    pub column: String,
    /// Its value as text; None for null.
    pub value: Option<String>,
}

/// What a folder's name says; None when it is no partition folder.
pub(crate) fn parse_folder_name(name: &str) -> Option<PartitionFolder> {
    let (column, value) = name.split_once('=')?;
    if column.is_empty() || value.is_empty() {
        return None;
    }
    let value = (value != DEFAULT_PARTITION).then(|| unescape(value));
    Some(PartitionFolder { column: unescape(column), value })
}

/// The folder's name for a value; null and the empty string share one, as in Spark.
pub(crate) fn folder_name(column: &str, value: Option<&str>) -> String {
    let value = value.filter(|value| !value.is_empty());
    format!("{}={}", escape(column), value.map_or_else(|| DEFAULT_PARTITION.to_owned(), escape))
}

/// Replaces what Hive does not allow in a folder's name by `%` and two digits; NUL too, which no path can hold.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0'..='\u{1f}' | '\u{7f}' => escaped.push_str(&format!("%{:02X}", c as u32)),
            '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '[' | ']' | '^' => {
                escaped.push_str(&format!("%{:02X}", c as u32));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// The inverse of [`escape`]; a `%` that no two digits follow stands for itself.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                rest = &rest[at + 3..];
            }
            None => {
                plain.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// The narrowest type that every value of a partition column fits: int, bigint, decimal, double, timestamp, date, string.
///
/// Same as Spark with `spark.sql.sources.partitionColumnTypeInference.enabled`, which is its default. Differs from Spark:
/// dates and timestamps mixed are strings.
pub(crate) fn infer_type<'a>(values: impl Iterator<Item = &'a str>) -> DataType {
    values.map(type_of).reduce(common_type).unwrap_or(DataType::Utf8)
}

fn type_of(value: &str) -> DataType {
    let bytes = value.as_bytes();
    let n_digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    if parse_int(bytes).is_some() {
        DataType::Int32
    } else if parse_long(bytes).is_some() {
        DataType::Int64
    } else if n_digits.len() <= 38 && !n_digits.is_empty() && n_digits.bytes().all(|digit| digit.is_ascii_digit()) {
        DataType::Decimal128(38, 0)
    } else if parse_double(bytes).is_some() && !value.ends_with(['d', 'D', 'f', 'F']) {
        DataType::Float64
    } else if timestamp_micros(value).is_some() {
        timestamp_type()
    } else if days(value).is_some() {
        DataType::Date32
    } else {
        DataType::Utf8
    }
}

fn common_type(a: DataType, b: DataType) -> DataType {
    use DataType::{Decimal128, Float64, Int32, Int64};
    match (&a, &b) {
        _ if a == b => a,
        (Int32, Int64) | (Int64, Int32) => Int64,
        (Int32 | Int64, Decimal128(..)) | (Decimal128(..), Int32 | Int64) => Decimal128(38, 0),
        (Int32 | Int64 | Decimal128(..), Float64) | (Float64, Int32 | Int64 | Decimal128(..)) => Float64,
        _ => DataType::Utf8,
    }
}

/// A column of `n_rows` times the same value; None when the value is not of that type.
pub(crate) fn constant_column(value: Option<&str>, data_type: &DataType, n_rows: usize) -> Option<ArrayRef> {
    let Some(value) = value else { return Some(new_null_array(data_type, n_rows)) };
    let bytes = value.as_bytes();
    Some(match data_type {
        DataType::Utf8 => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, n_rows))),
        DataType::Boolean => {
            let value = if value.eq_ignore_ascii_case("true") {
                true
            } else if value.eq_ignore_ascii_case("false") {
                false
            } else {
                return None;
            };
            Arc::new(BooleanArray::from(vec![value; n_rows]))
        }
        DataType::Int8 => Arc::new(Int8Array::from_value(i8::try_from(parse_long(bytes)?).ok()?, n_rows)),
        DataType::Int16 => Arc::new(Int16Array::from_value(i16::try_from(parse_long(bytes)?).ok()?, n_rows)),
        DataType::Int32 => Arc::new(Int32Array::from_value(parse_int(bytes)?, n_rows)),
        DataType::Int64 => Arc::new(Int64Array::from_value(parse_long(bytes)?, n_rows)),
        DataType::Float32 => Arc::new(Float32Array::from_value(parse_float(bytes)?, n_rows)),
        DataType::Float64 => Arc::new(Float64Array::from_value(parse_double(bytes)?, n_rows)),
        DataType::Decimal128(precision, scale) => {
            let value = parse_decimal(bytes, *precision, *scale)?;
            let column = PrimitiveArray::<Decimal128Type>::from_value(value, n_rows);
            Arc::new(column.with_precision_and_scale(*precision, *scale).ok()?)
        }
        DataType::Date32 => Arc::new(PrimitiveArray::<Date32Type>::from_value(days(value)?, n_rows)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let column = PrimitiveArray::<TimestampMicrosecondType>::from_value(timestamp_micros(value)?, n_rows);
            Arc::new(column.with_timezone_opt(zone.clone()))
        }
        _ => return None,
    })
}

fn days(value: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// `2026-11-23 10:15:00` and up to six decimals, in UTC.
fn timestamp_micros(value: &str) -> Option<i64> {
    let time = NaiveDateTime::parse_from_str(value, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(time.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;

    #[test]
    fn the_type_of_a_partition_column_fits_all_its_values() {
        let inferred = |values: &[&str]| infer_type(values.iter().copied());
        assert_eq!(inferred(&["1", "2"]), DataType::Int32);
        assert_eq!(inferred(&["1", "20261123101500"]), DataType::Int64);
        assert_eq!(inferred(&["1", "1.5"]), DataType::Float64);
        assert_eq!(inferred(&["1", "99999999999999999999"]), DataType::Decimal128(38, 0));
        assert_eq!(inferred(&["2026-11-23"]), DataType::Date32);
        assert_eq!(inferred(&["2026-11-23 10:15:00"]), timestamp_type());
        assert_eq!(inferred(&["1", "a"]), DataType::Utf8);
        assert_eq!(inferred(&["1d"]), DataType::Utf8);
        assert_eq!(inferred(&[]), DataType::Utf8);
    }

    #[test]
    fn a_partition_value_is_a_column_of_its_type_or_refused() {
        let column = constant_column(Some("20261123101500"), &DataType::Int64, 2).unwrap();
        assert_eq!(column.as_primitive::<Int64Type>().values(), &[20_261_123_101_500; 2]);
        assert_eq!(constant_column(None, &DataType::Int32, 3).unwrap().null_count(), 3);
        assert!(constant_column(Some("a"), &DataType::Int32, 1).is_none());
    }

    #[track_caller]
    fn check(value: Option<&str>, name: &str) {
        assert_eq!(folder_name("p", value), name);
        let back = parse_folder_name(name).unwrap();
        assert_eq!(back.value.as_deref(), value.filter(|value| !value.is_empty()));
    }

    #[test]
    fn folder_names_escape_as_hive_does_and_come_back() {
        check(Some("20261123101500"), "p=20261123101500");
        check(Some("a b"), "p=a b");
        check(Some("10:15/x=%"), "p=10%3A15%2Fx%3D%25");
        check(Some("é\u{1}\0"), "p=é%01%00");
        check(None, "p=__HIVE_DEFAULT_PARTITION__");
        check(Some(""), "p=__HIVE_DEFAULT_PARTITION__");
    }

    #[test]
    fn other_names_are_no_partition_folders() {
        for name in ["sub", "=1", "p="] {
            assert_eq!(parse_folder_name(name), None, "{name}");
        }
        assert_eq!(parse_folder_name("p=100%").unwrap().value.as_deref(), Some("100%"));
    }
}
