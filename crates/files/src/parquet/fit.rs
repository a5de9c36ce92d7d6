//! Columns as a file stores them, made into columns as the schema wants them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, ListArray, MapArray, PrimitiveArray, StringArray, StructArray, new_null_array,
};
use arrow_schema::{DataType, TimeUnit};

/// `array` as a column of type `wanted`; None when the one cannot be the other.
///
/// Never loses a value: names and nullability flags inside are changed freely, numbers become wider, moments become
/// microseconds (finer digits are cut, as in Spark), bytes that are UTF-8 become text.
pub(super) fn fit(array: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    if array.data_type() == wanted {
        return Some(Arc::clone(array));
    }
    match (array.data_type(), wanted) {
        (DataType::Null, _) => Some(new_null_array(wanted, array.len())),
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let stored = array.as_struct();
            let columns: Option<Vec<ArrayRef>> =
                fields.iter().map(|field| fit(stored.column_by_name(field.name())?, field.data_type())).collect();
            let fitted = StructArray::try_new(fields.clone(), columns?, stored.nulls().cloned());
            Some(Arc::new(fitted.ok()?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let stored = array.as_list::<i32>();
            let items = fit(stored.values(), item.data_type())?;
            let fitted = ListArray::try_new(Arc::clone(item), stored.offsets().clone(), items, stored.nulls().cloned());
            Some(Arc::new(fitted.ok()?))
        }
        (DataType::Map(_, _), DataType::Map(entry, is_sorted)) => {
            let stored = array.as_map();
            let DataType::Struct(parts) = entry.data_type() else { return None };
            let [key, value] = parts.as_ref() else { return None };
            let columns = vec![fit(stored.keys(), key.data_type())?, fit(stored.values(), value.data_type())?];
            let entries = StructArray::try_new(parts.clone(), columns, None).ok()?;
            let (offsets, nulls) = (stored.offsets().clone(), stored.nulls().cloned());
            Some(Arc::new(MapArray::try_new(Arc::clone(entry), offsets, entries, nulls, *is_sorted).ok()?))
        }
        (DataType::Timestamp(unit, _), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            let micros: PrimitiveArray<TimestampMicrosecondType> = match unit {
                TimeUnit::Second => array.as_primitive::<TimestampSecondType>().unary_opt(|t| t.checked_mul(1_000_000)),
                TimeUnit::Millisecond => {
                    array.as_primitive::<TimestampMillisecondType>().unary_opt(|t| t.checked_mul(1_000))
                }
                TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().clone(),
                TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().unary(|t| t.div_euclid(1_000)),
            };
            // A moment too far away for microseconds would otherwise silently become null.
            (micros.null_count() == array.null_count())
                .then(|| Arc::new(micros.with_timezone_opt(zone.clone())) as ArrayRef)
        }
        (DataType::Decimal128(p, s), DataType::Decimal128(precision, scale)) if s == scale && p <= precision => {
            let stored = array.as_primitive().clone();
            let fitted: Decimal128Array = Decimal128Array::with_precision_and_scale(stored, *precision, *scale).ok()?;
            Some(Arc::new(fitted))
        }
        (DataType::Binary, DataType::Utf8) => {
            let text = StringArray::try_from_binary(array.as_binary::<i32>().clone()).ok()?;
            Some(Arc::new(text))
        }
        (stored, wanted) => widen(array, stored, wanted),
    }
}

/// A number in a type that holds all of its values.
fn widen(array: &ArrayRef, stored: &DataType, wanted: &DataType) -> Option<ArrayRef> {
    macro_rules! convert {
        ($from:ty => $to:ty, $value:ty) => {{
            let wide: PrimitiveArray<$to> = array.as_primitive::<$from>().unary(<$value>::from);
            Some(Arc::new(wide) as ArrayRef)
        }};
    }
    match (stored, wanted) {
        (DataType::Int8, DataType::Int16) => convert!(Int8Type => Int16Type, i16),
        (DataType::Int8, DataType::Int32) => convert!(Int8Type => Int32Type, i32),
        (DataType::Int8, DataType::Int64) => convert!(Int8Type => Int64Type, i64),
        (DataType::Int16, DataType::Int32) => convert!(Int16Type => Int32Type, i32),
        (DataType::Int16, DataType::Int64) => convert!(Int16Type => Int64Type, i64),
        (DataType::Int32, DataType::Int64) => convert!(Int32Type => Int64Type, i64),
        (DataType::Int8, DataType::Float64) => convert!(Int8Type => Float64Type, f64),
        (DataType::Int16, DataType::Float64) => convert!(Int16Type => Float64Type, f64),
        (DataType::Int32, DataType::Float64) => convert!(Int32Type => Float64Type, f64),
        (DataType::Float32, DataType::Float64) => convert!(Float32Type => Float64Type, f64),
        (DataType::UInt8, DataType::Int16) => convert!(UInt8Type => Int16Type, i16),
        (DataType::UInt16, DataType::Int32) => convert!(UInt16Type => Int32Type, i32),
        (DataType::UInt32, DataType::Int64) => convert!(UInt32Type => Int64Type, i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BinaryArray, Int32Array, Int64Array, TimestampNanosecondArray};
    use arrow_schema::Field;
    use ognivo_data::schema::timestamp_type;
    use ognivo_data::vector::{dense_column, vector_type};

    #[test]
    fn numbers_widen_and_never_narrow() {
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        assert_eq!(fit(&ints, &DataType::Int64).unwrap().as_ref(), &Int64Array::from(vec![Some(1), None]));
        let longs: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        assert!(fit(&longs, &DataType::Int32).is_none());
        assert!(fit(&longs, &DataType::Utf8).is_none());
    }

    #[test]
    fn moments_become_microseconds() {
        let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1, 1_999]));
        let micros = fit(&nanos, &timestamp_type()).unwrap();
        assert_eq!(micros.as_primitive::<TimestampMicrosecondType>().values(), &[-1, 1]);
        assert_eq!(micros.data_type(), &timestamp_type());
    }

    #[test]
    fn a_vector_of_another_writer_becomes_a_vector() {
        let ours = dense_column(vec![1.0, 2.0], 1, 2);
        let DataType::Struct(fields) = ours.data_type() else { panic!("a vector is a struct") };
        // Nullable throughout and with another name of list elements, as other writers have it.
        let theirs: Vec<Field> = fields
            .iter()
            .map(|field| match field.data_type() {
                DataType::List(item) => {
                    let item = Arc::new(Field::new("item", item.data_type().clone(), true));
                    Field::new(field.name(), DataType::List(item), true)
                }
                other => Field::new(field.name(), other.clone(), true),
            })
            .collect();
        let stored = fit(&ours, &DataType::Struct(theirs.into())).unwrap();
        assert_ne!(stored.data_type(), ours.data_type());
        assert_eq!(&fit(&stored, &vector_type()).unwrap(), &ours);
    }

    #[test]
    fn bytes_become_text_only_when_they_are_text() {
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"a"[..]]));
        assert_eq!(fit(&bytes, &DataType::Utf8).unwrap().as_string::<i32>().value(0), "a");
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&[0xff][..]]));
        assert!(fit(&bytes, &DataType::Utf8).is_none());
    }
}
