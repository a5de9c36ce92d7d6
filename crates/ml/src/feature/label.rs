//! Labels: how the values of a column read as text, the way Spark casts them.
//!
//! Texts are their own labels. Numbers are counted and looked up as numbers; their text is only made once for each distinct
//! number while fitting, and labels are turned back into numbers once, at binding. A number stands as an `i128` key:
//! integers and unscaled decimals as they are, floating point as its bits.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayAccessor};
use arrow_schema::DataType;
use ognivo_data::codec::number::{double_to_spark_string, float_to_spark_string};
use ognivo_data::version::SparkVersion;

/// What a column of labels must be, for messages.
pub(super) const WANTED: &str = "a text or number column";

/// How a column's values become labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum LabelType {
    /// They are texts.
    Text,
    /// They are whole numbers.
    Integer,
    /// They are 32-bit floating point numbers.
    Float,
    /// They are 64-bit floating point numbers.
    Double,
    /// They are decimals with this many digits after the point.
    Decimal(i8),
}

impl LabelType {
    /// The label type of a column; `None` for columns that Spark does not index either (booleans, dates, vectors).
    pub(super) fn of(data_type: &DataType) -> Option<LabelType> {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(LabelType::Text),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Some(LabelType::Integer),
            DataType::Float32 => Some(LabelType::Float),
            DataType::Float64 => Some(LabelType::Double),
            DataType::Decimal128(_, scale) => Some(LabelType::Decimal(*scale)),
            DataType::Dictionary(_, values) => LabelType::of(values),
            _ => None,
        }
    }

    /// The text of a number, as `CAST(x AS STRING)` gives it; NaN is `NaN`.
    ///
    /// Same as Spark: floating point as `Double.toString` of the JVMs before 19 that it runs on; decimals plain from 4.0 on, and in
    /// `BigDecimal.toString`'s form (`0E-7`) before.
    pub(super) fn text_of(self, key: i128, version: SparkVersion) -> String {
        match self {
            LabelType::Text | LabelType::Integer => key.to_string(),
            LabelType::Float => float_to_spark_string(f32::from_bits(key as u32)),
            LabelType::Double => double_to_spark_string(f64::from_bits(key as u64)),
            LabelType::Decimal(scale) => decimal_text(key, scale, version),
        }
    }

    /// The number whose label is `label`; `None` when no number has it.
    pub(super) fn key_of(self, label: &str, version: SparkVersion) -> Option<i128> {
        let key = match self {
            LabelType::Text => return None,
            LabelType::Integer => label.parse().ok()?,
            LabelType::Float => float_key(label.parse().ok()?),
            LabelType::Double => double_key(label.parse().ok()?),
            LabelType::Decimal(scale) => decimal_key(label, scale)?,
        };
        let is_its_label = self.text_of(key, version) == label || self.is_longer_java_text(label);
        is_its_label.then_some(key)
    }

    /// Whether `label` may be what a JVM before 19 writes: those give a few numbers a digit more than needed, so that a
    /// model fitted there has `9.999999999999999E22` where we write `1.0E23`.
    fn is_longer_java_text(self, label: &str) -> bool {
        let n_digits = label.split('E').next().map_or(0, |digits| digits.bytes().filter(u8::is_ascii_digit).count());
        match self {
            LabelType::Float => n_digits >= 8,
            LabelType::Double => n_digits >= 16,
            LabelType::Text | LabelType::Integer | LabelType::Decimal(_) => false,
        }
    }
}

/// Whether this key of a floating point column stands for NaN.
pub(super) fn is_nan_key(label_type: LabelType, key: i128) -> bool {
    match label_type {
        LabelType::Float => key == float_key(f32::NAN),
        LabelType::Double => key == double_key(f64::NAN),
        LabelType::Text | LabelType::Integer | LabelType::Decimal(_) => false,
    }
}

/// All NaNs are one label.
fn float_key(value: f32) -> i128 {
    let value = if value.is_nan() { f32::NAN } else { value };
    i128::from(value.to_bits())
}

fn double_key(value: f64) -> i128 {
    let value = if value.is_nan() { f64::NAN } else { value };
    i128::from(value.to_bits())
}

/// A decimal's text: plain, or before 4.0 with an exponent where Java's `BigDecimal` has one (below 10⁻⁶).
fn decimal_text(unscaled: i128, scale: i8, version: SparkVersion) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let sign = if unscaled < 0 { "-" } else { "" };
    let Ok(n_decimals @ 1..) = usize::try_from(scale) else { return format!("{sign}{digits}") };
    let exponent = digits.len() as i64 - 1 - n_decimals as i64;
    if version < SparkVersion::V4_3 && exponent < -6 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{point}{rest}E{exponent}");
    }
    let padded = format!("{digits:0>width$}", width = n_decimals + 1);
    let (whole, decimals) = padded.split_at(padded.len() - n_decimals);
    format!("{sign}{whole}.{decimals}")
}

/// The unscaled number of a decimal's text, plain or with an exponent; it may have no more digits than `scale`.
fn decimal_key(label: &str, scale: i8) -> Option<i128> {
    let (number, exponent) = match label.split_once('E') {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (label, 0),
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let unscaled: i128 = format!("{whole}{decimals}").parse().ok()?;
    let shift = exponent - i32::try_from(decimals.len()).ok()? + i32::from(scale);
    unscaled.checked_mul(10_i128.checked_pow(u32::try_from(shift).ok()?)?)
}

/// Calls `visit` with the text of each row of a text column, `None` for nulls.
pub(super) fn for_each_text(texts: &dyn Array, visit: impl FnMut(Option<&str>)) {
    match texts.data_type() {
        DataType::Utf8 => visit_texts(texts.as_string::<i32>(), visit),
        DataType::LargeUtf8 => visit_texts(texts.as_string::<i64>(), visit),
        DataType::Utf8View => visit_texts(texts.as_string_view(), visit),
        other => unreachable!("bound to a text column, and was given {other}"),
    }
}

fn visit_texts<'a>(texts: impl ArrayAccessor<Item = &'a str>, mut visit: impl FnMut(Option<&str>)) {
    if texts.null_count() == 0 {
        (0..texts.len()).for_each(|row_idx| visit(Some(texts.value(row_idx))));
    } else {
        (0..texts.len()).for_each(|row_idx| visit(texts.is_valid(row_idx).then(|| texts.value(row_idx))));
    }
}

/// Calls `visit` with the key of each row of a number column, `None` for nulls.
pub(super) fn for_each_key(numbers: &dyn Array, visit: impl FnMut(Option<i128>)) {
    match numbers.data_type() {
        DataType::Int8 => visit_keys::<Int8Type>(numbers, i128::from, visit),
        DataType::Int16 => visit_keys::<Int16Type>(numbers, i128::from, visit),
        DataType::Int32 => visit_keys::<Int32Type>(numbers, i128::from, visit),
        DataType::Int64 => visit_keys::<Int64Type>(numbers, i128::from, visit),
        DataType::Float32 => visit_keys::<Float32Type>(numbers, float_key, visit),
        DataType::Float64 => visit_keys::<Float64Type>(numbers, double_key, visit),
        DataType::Decimal128(..) => visit_keys::<Decimal128Type>(numbers, |unscaled| unscaled, visit),
        other => unreachable!("bound to a number column, and was given {other}"),
    }
}

fn visit_keys<T: ArrowPrimitiveType>(
    numbers: &dyn Array,
    key: impl Fn(T::Native) -> i128,
    mut visit: impl FnMut(Option<i128>),
) {
    numbers.as_primitive::<T>().iter().for_each(|number| visit(number.map(&key)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use SparkVersion::{V3_5, V4_3};

    /// The label is the number's text, and leads back to it.
    #[track_caller]
    fn check(label_type: LabelType, key: i128, version: SparkVersion, label: &str) {
        assert_eq!(label_type.text_of(key, version), label);
        assert_eq!(label_type.key_of(label, version), Some(key));
    }

    #[test]
    fn numbers_are_labelled_as_spark_casts_them() {
        // Labels that StringIndexer of Spark 3.5.9 and 4.3.0 gave.
        check(LabelType::Integer, -5, V4_3, "-5");
        check(LabelType::Integer, i128::from(i64::MAX), V4_3, "9223372036854775807");
        check(LabelType::Float, float_key(0.1), V4_3, "0.1");
        check(LabelType::Float, float_key(1e-4), V4_3, "1.0E-4");
        check(LabelType::Double, double_key(-0.0), V4_3, "-0.0");
        check(LabelType::Double, double_key(5e-324), V4_3, "4.9E-324");
        check(LabelType::Double, double_key(1e10), V4_3, "1.0E10");
        check(LabelType::Double, double_key(f64::INFINITY), V4_3, "Infinity");
    }

    #[test]
    fn a_tiny_decimal_has_an_exponent_before_spark_4() {
        // DECIMAL(20, 7) in StringIndexer of Spark 3.5.9 and 4.3.0.
        let decimal = LabelType::Decimal(7);
        for (key, before, since) in [
            (0, "0E-7", "0.0000000"),
            (1, "1E-7", "0.0000001"),
            (10_000_000, "1.0000000", "1.0000000"),
            (-25_000_000, "-2.5000000", "-2.5000000"),
            (1_234_565_000_000, "123456.5000000", "123456.5000000"),
        ] {
            check(decimal, key, V3_5, before);
            check(decimal, key, V4_3, since);
        }
        check(LabelType::Decimal(0), 12, V4_3, "12");
        check(LabelType::Decimal(9), 15, V3_5, "1.5E-8");
    }

    #[test]
    fn a_label_that_is_no_number_s_text_belongs_to_no_number() {
        for label in ["1", "1.00", "01.0", "1e10", "inf", "nan", "", " 1.0", "1.0E+10"] {
            assert_eq!(LabelType::Double.key_of(label, V4_3), None, "{label}");
        }
        assert_eq!(LabelType::Integer.key_of("+1", V4_3), None);
        assert_eq!(LabelType::Decimal(2).key_of("1.5", V4_3), None);
        assert_eq!(LabelType::Decimal(2).key_of("1E99", V4_3), None);
    }

    #[test]
    fn a_label_that_an_older_jvm_wrote_with_a_digit_too_many_is_found() {
        // Spark 3.5.9 on JDK 17 labels 1e23 and 2e23 so.
        assert_eq!(LabelType::Double.key_of("9.999999999999999E22", V3_5), Some(double_key(1e23)));
        assert_eq!(LabelType::Double.key_of("1.9999999999999998E23", V3_5), Some(double_key(2e23)));
    }
}
