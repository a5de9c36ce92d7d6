//! One value of a column: what casts and expressions work on.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow_schema::{DataType, TimeUnit};

/// A value that is not null. Integers of all widths are longs here; the type of the column says how many bits count.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Boolean(bool),
    Long(i64),
    Float(f32),
    Double(f64),
    /// Unscaled, and the scale.
    Decimal(i128, i8),
    Text(Cow<'a, str>),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970; in UTC or without zone, as the type of the column says.
    Timestamp(i64),
}

/// Reads the value in a row, `None` for null.
pub(super) type Reader<'a> = Box<dyn Fn(usize) -> Option<Value<'a>> + 'a>;

/// Whether values of this type can be a [`Value`].
pub(super) fn is_readable(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Null
            | DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(..)
            | DataType::Utf8
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, _)
    )
}

/// Reads the values of a column.
///
/// # Panics
/// When the type is not [readable](is_readable).
pub(super) fn reader(column: &dyn Array) -> Reader<'_> {
    match column.data_type() {
        DataType::Null => Box::new(|_| None),
        DataType::Boolean => read(column, column.as_boolean(), |column, row| Value::Boolean(column.value(row))),
        DataType::Int8 => read(column, column.as_primitive::<Int8Type>(), |c, row| Value::Long(c.value(row).into())),
        DataType::Int16 => read(column, column.as_primitive::<Int16Type>(), |c, row| Value::Long(c.value(row).into())),
        DataType::Int32 => read(column, column.as_primitive::<Int32Type>(), |c, row| Value::Long(c.value(row).into())),
        DataType::Int64 => read(column, column.as_primitive::<Int64Type>(), |c, row| Value::Long(c.value(row))),
        DataType::Float32 => read(column, column.as_primitive::<Float32Type>(), |c, row| Value::Float(c.value(row))),
        DataType::Float64 => read(column, column.as_primitive::<Float64Type>(), |c, row| Value::Double(c.value(row))),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            read(column, column.as_primitive::<Decimal128Type>(), move |c, row| Value::Decimal(c.value(row), scale))
        }
        DataType::Utf8 => read(column, column.as_string::<i32>(), |c, row| Value::Text(Cow::Borrowed(c.value(row)))),
        DataType::Date32 => read(column, column.as_primitive::<Date32Type>(), |c, row| Value::Date(c.value(row))),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            read(column, column.as_primitive::<TimestampMicrosecondType>(), |c, row| Value::Timestamp(c.value(row)))
        }
        other => unreachable!("a type that is not read value by value: {other}"),
    }
}

fn read<'a, C>(column: &'a dyn Array, typed: &'a C, value: impl Fn(&'a C, usize) -> Value<'a> + 'a) -> Reader<'a> {
    match column.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => Box::new(move |row| Some(value(typed, row))),
        Some(nulls) => Box::new(move |row| nulls.is_valid(row).then(|| value(typed, row))),
    }
}

/// A column of these values; those of another kind than the type has become null.
///
/// # Panics
/// When the type is not [readable](is_readable).
pub(super) fn collect<'a>(values: impl Iterator<Item = Option<Value<'a>>>, data_type: &DataType) -> ArrayRef {
    /// The numbers of the values of one kind.
    macro_rules! numbers {
        ($array:ty, $kind:ident) => {
            values.map(|v| if let Some(Value::$kind(v)) = v { Some(v as _) } else { None }).collect::<$array>()
        };
    }
    match data_type {
        DataType::Null => new_null_array(data_type, values.count()),
        DataType::Boolean => {
            let booleans = values.map(|v| if let Some(Value::Boolean(v)) = v { Some(v) } else { None });
            Arc::new(booleans.collect::<BooleanArray>())
        }
        DataType::Int8 => Arc::new(numbers!(Int8Array, Long)),
        DataType::Int16 => Arc::new(numbers!(Int16Array, Long)),
        DataType::Int32 => Arc::new(numbers!(Int32Array, Long)),
        DataType::Int64 => Arc::new(numbers!(Int64Array, Long)),
        DataType::Float32 => Arc::new(numbers!(Float32Array, Float)),
        DataType::Float64 => Arc::new(numbers!(Float64Array, Double)),
        DataType::Decimal128(..) => {
            let unscaled = values.map(|v| if let Some(Value::Decimal(v, _)) = v { Some(v) } else { None });
            Arc::new(unscaled.collect::<Decimal128Array>().with_data_type(data_type.clone()))
        }
        DataType::Utf8 => {
            let text = values.map(|v| if let Some(Value::Text(v)) = v { Some(v) } else { None });
            Arc::new(text.collect::<StringArray>())
        }
        DataType::Date32 => Arc::new(numbers!(Date32Array, Date)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            Arc::new(numbers!(TimestampMicrosecondArray, Timestamp).with_timezone_opt(zone.clone()))
        }
        other => unreachable!("a type that is not made value by value: {other}"),
    }
}
