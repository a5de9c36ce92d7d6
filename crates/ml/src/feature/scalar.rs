//! Numbers of scalar columns as doubles, the way Spark casts them.

use std::borrow::Cow;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_schema::DataType;

/// Whether a column holds numbers, by Spark's `NumericType`: no booleans.
pub(super) fn is_number(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(..)
    )
}

/// The values of a number or boolean column as doubles, null as NaN. A column of doubles without null is not copied.
///
/// Same as Spark's `CAST(x AS DOUBLE)`: long and decimal are rounded to the nearest double, true is 1.
///
/// # Panics
/// When the column is of another type: the stage did not check it.
pub(super) fn scalar_values(column: &dyn Array) -> Cow<'_, [f64]> {
    match column.data_type() {
        DataType::Float64 if column.null_count() == 0 => Cow::Borrowed(column.as_primitive::<Float64Type>().values()),
        DataType::Float64 => converted::<Float64Type>(column, |value| value),
        DataType::Float32 => converted::<Float32Type>(column, f64::from),
        DataType::Int8 => converted::<Int8Type>(column, f64::from),
        DataType::Int16 => converted::<Int16Type>(column, f64::from),
        DataType::Int32 => converted::<Int32Type>(column, f64::from),
        DataType::Int64 => converted::<Int64Type>(column, |value| value as f64),
        DataType::Decimal128(_, scale) => converted::<Decimal128Type>(column, |unscaled| decimal(unscaled, *scale)),
        DataType::Boolean => {
            let value = |value: Option<bool>| value.map_or(f64::NAN, |value| f64::from(u8::from(value)));
            column.as_boolean().iter().map(value).collect()
        }
        other => unreachable!("bound to a number or boolean column, and was given {other}"),
    }
}

fn converted<T: ArrowPrimitiveType>(column: &dyn Array, convert: impl Fn(T::Native) -> f64) -> Cow<'_, [f64]> {
    let column = column.as_primitive::<T>();
    if column.null_count() == 0 {
        return column.values().iter().map(|&value| convert(value)).collect();
    }
    column.iter().map(|value| value.map_or(f64::NAN, &convert)).collect()
}

/// The double nearest to `unscaled · 10^-scale`.
fn decimal(unscaled: i128, scale: i8) -> f64 {
    // Both operands are exact up to 2^53 and 10^22, so that one division rounds once.
    if unscaled.unsigned_abs() < 1 << 53 && (0..=22).contains(&scale) {
        return unscaled as f64 / 10_f64.powi(i32::from(scale));
    }
    format!("{unscaled}e{}", -i32::from(scale)).parse().expect("digits with an exponent are a number")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Decimal128Array;

    #[test]
    fn decimals_become_the_nearest_double() {
        // Spark 3.5.9 and 4.3.0: 9007199254740993.123456789 as DECIMAL(30, 9) assembles to 9007199254740994.0.
        let column = Decimal128Array::from(vec![Some(9_007_199_254_740_993_123_456_789), Some(110), None]);
        let column = column.with_precision_and_scale(30, 9).unwrap();
        let values = scalar_values(&column);
        assert_eq!(values[..2], [9_007_199_254_740_994.0, 1.1e-7]);
        assert!(values[2].is_nan());
    }
}
