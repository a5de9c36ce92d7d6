//! Numeric columns as doubles, as Spark casts labels, weights and scalar features.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, Float64Array};
use arrow_schema::DataType;

/// Whether Spark calls a column of this type numeric; booleans are not.
pub fn is_numeric(data_type: &DataType) -> bool {
    data_type.is_integer() || matches!(data_type, DataType::Float32 | DataType::Float64 | DataType::Decimal128(..))
}

/// A numeric column as doubles, with its nulls; `None` when the column is not numeric.
///
/// Integers beyond 2⁵³ and decimals become the nearest double. A column of doubles is not copied.
pub fn to_doubles(column: &dyn Array) -> Option<Float64Array> {
    fn cast<T: ArrowPrimitiveType>(column: &dyn Array, to_double: impl Fn(T::Native) -> f64) -> Option<Float64Array> {
        Some(column.as_primitive::<T>().unary(to_double))
    }
    match column.data_type() {
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().clone()),
        DataType::Float32 => cast::<Float32Type>(column, f64::from),
        DataType::Int8 => cast::<Int8Type>(column, f64::from),
        DataType::Int16 => cast::<Int16Type>(column, f64::from),
        DataType::Int32 => cast::<Int32Type>(column, f64::from),
        DataType::Int64 => cast::<Int64Type>(column, |value| value as f64),
        DataType::UInt8 => cast::<UInt8Type>(column, f64::from),
        DataType::UInt16 => cast::<UInt16Type>(column, f64::from),
        DataType::UInt32 => cast::<UInt32Type>(column, f64::from),
        DataType::UInt64 => cast::<UInt64Type>(column, |value| value as f64),
        DataType::Decimal128(_, scale) => cast::<Decimal128Type>(column, |digits| decimal(digits, *scale)),
        _ => None,
    }
}

/// The double nearest to `digits · 10^−scale`.
fn decimal(digits: i128, scale: i8) -> f64 {
    // Both operands are exact up to 2^53 and 10^22, so that one division rounds once.
    if digits.unsigned_abs() < 1 << 53 && (0..=22).contains(&scale) {
        return digits as f64 / 10_f64.powi(i32::from(scale));
    }
    let text = format!("{digits}e{}", -i32::from(scale));
    text.parse().expect("digits with an exponent are a number")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Decimal128Array, Int32Array};

    #[test]
    fn integers_and_decimals_become_the_nearest_double_and_nulls_stay() {
        let integers: ArrayRef = Arc::new(Int32Array::from(vec![Some(-3), None]));
        let doubles = to_doubles(&integers).unwrap();
        assert_eq!(doubles.iter().collect::<Vec<_>>(), [Some(-3.0), None]);
        let decimals = Decimal128Array::from(vec![1_234_567]).with_precision_and_scale(10, 4).unwrap();
        let decimals: ArrayRef = Arc::new(decimals);
        assert_eq!(to_doubles(&decimals).unwrap().iter().collect::<Vec<_>>(), [Some(123.4567)]);
    }

    #[test]
    fn booleans_are_not_numeric() {
        let booleans: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        assert!(to_doubles(&booleans).is_none());
        assert!(!is_numeric(booleans.data_type()));
    }
}
