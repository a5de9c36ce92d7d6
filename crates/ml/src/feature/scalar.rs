//! Numbers and booleans of scalar columns as doubles without nulls, as stages that make features take them.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;

use crate::numeric::{is_numeric, to_doubles};

/// Whether a column holds numbers, by Spark's `NumericType`: no booleans, and no unsigned integers, which Spark has not.
pub(super) fn is_number(data_type: &DataType) -> bool {
    is_numeric(data_type) && !data_type.is_unsigned_integer()
}

/// The values of a number or boolean column as doubles, null as NaN. A column of doubles without null is not copied.
///
/// Same as Spark's `CAST(x AS DOUBLE)`: long and decimal are rounded to the nearest double, true is 1.
///
/// # Panics
/// When the column is of another type: the stage did not check it.
pub(super) fn scalar_values(column: &dyn Array) -> ScalarBuffer<f64> {
    if let Some(booleans) = column.as_boolean_opt() {
        return booleans.iter().map(|value| value.map_or(f64::NAN, |value| f64::from(u8::from(value)))).collect();
    }
    let doubles = to_doubles(column).expect("a stage is bound to a number or boolean column");
    if doubles.null_count() == 0 {
        return doubles.values().clone();
    }
    doubles.iter().map(|value| value.unwrap_or(f64::NAN)).collect()
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
