//! How one value becomes one of another type: one function per target type, which says what becomes of each kind of value.
//!
//! `None` is null, or under ANSI rules the failure of the cast.

use std::borrow::Cow;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, TimeUnit};

use super::CastRules;
use crate::codec::datetime::{Pattern, Zone, cast_date, cast_timestamp, cast_timestamp_dropping_zone};
use crate::codec::number::{
    double_to_spark_string, parse_decimal, parse_double, parse_float, parse_long, trim_java, write_float,
};
use crate::prepare::value::{Value, collect, reader};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Whether Spark has this cast and we have it too; if not, what else to do.
pub(in crate::prepare) fn check(from: &DataType, to: &DataType, rules: &CastRules) -> Result<(), Option<&'static str>> {
    use Kind::{Boolean, Date, Number, Text, Timestamp, TimestampNtz};
    const THROUGH_TEXT: &str = "cast it to STRING first";
    if from == to || *from == DataType::Null {
        return Ok(());
    }
    let (Some(from), Some(to)) = (kind(from), kind(to)) else { return Err(None) };
    let spark_has_it = match (from, to) {
        (Text, _) | (_, Text) => true,
        (Boolean | Number, Boolean | Number) | (Number, Timestamp) => true,
        (Date | Timestamp | TimestampNtz, Date | Timestamp | TimestampNtz) | (Timestamp, Number) => true,
        (Boolean, Timestamp) | (Timestamp, Boolean) | (Date, Boolean | Number) => !rules.ansi,
        _ => false,
    };
    if spark_has_it { Ok(()) } else { Err(Some(THROUGH_TEXT)) }
}

#[derive(Clone, Copy)]
enum Kind {
    Boolean,
    Number,
    Text,
    Date,
    Timestamp,
    TimestampNtz,
}

fn kind(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Boolean => Kind::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Kind::Number,
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) => Kind::Number,
        DataType::Utf8 => Kind::Text,
        DataType::Date32 => Kind::Date,
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => Kind::Timestamp,
        DataType::Timestamp(TimeUnit::Microsecond, None) => Kind::TimestampNtz,
        _ => return None,
    })
}

/// The column in another type; a pair of types that [`check`] takes.
///
/// # Panics
/// For another pair of types.
pub(in crate::prepare) fn cast_column(column: &ArrayRef, to: &DataType, rules: &CastRules) -> ArrayRef {
    let read = reader(column.as_ref());
    let values = (0..column.len()).map(|row| read(row).and_then(|value| cast(&value, to, rules)));
    collect(values, to)
}

/// The value in another type.
pub(in crate::prepare) fn cast<'a>(value: &Value<'a>, to: &DataType, rules: &CastRules) -> Option<Value<'a>> {
    let long = |least: i64, most: i64| to_long(value, least, most, rules);
    match to {
        DataType::Boolean => to_boolean(value, rules).map(Value::Boolean),
        DataType::Int8 => long(i8::MIN.into(), i8::MAX.into()).map(|v| Value::Long((v as i8).into())),
        DataType::Int16 => long(i16::MIN.into(), i16::MAX.into()).map(|v| Value::Long((v as i16).into())),
        DataType::Int32 => long(i32::MIN.into(), i32::MAX.into()).map(|v| Value::Long((v as i32).into())),
        DataType::Int64 => long(i64::MIN, i64::MAX).map(Value::Long),
        DataType::Float32 => to_float(value, rules).map(Value::Float),
        DataType::Float64 => to_double(value, rules).map(Value::Double),
        DataType::Decimal128(precision, scale) => {
            to_decimal(value, *precision, *scale, rules).map(|unscaled| Value::Decimal(unscaled, *scale))
        }
        DataType::Utf8 => Some(Value::Text(to_text(value))),
        DataType::Date32 => to_date(value).map(Value::Date),
        DataType::Timestamp(_, zone) => to_timestamp(value, zone.is_some(), rules).map(Value::Timestamp),
        _ => None,
    }
}

/// The value in `row`, which is not null, as text for messages.
pub(super) fn shown(column: &ArrayRef, row: usize) -> String {
    reader(column.as_ref())(row).map_or_else(|| "null".to_owned(), |value| to_text(&value).into_owned())
}

fn to_boolean(value: &Value<'_>, rules: &CastRules) -> Option<bool> {
    match *value {
        Value::Boolean(value) => Some(value),
        Value::Long(value) | Value::Timestamp(value) => Some(value != 0),
        Value::Float(value) => Some(value != 0.0),
        Value::Double(value) => Some(value != 0.0),
        Value::Decimal(unscaled, _) => Some(unscaled != 0),
        Value::Text(ref text) => match trimmed(text, rules).to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "1" => Some(true),
            "f" | "false" | "n" | "no" | "0" => Some(false),
            _ => None,
        },
        Value::Date(_) => None,
    }
}

/// A whole number between `least` and `most`, the limits of an integer type; the caller takes its low bits.
fn to_long(value: &Value<'_>, least: i64, most: i64, rules: &CastRules) -> Option<i64> {
    let whole = match *value {
        Value::Boolean(value) => i64::from(value),
        Value::Long(value) => value,
        Value::Float(value) => return double_to_long(value.into(), least, most, rules),
        Value::Double(value) => return double_to_long(value, least, most, rules),
        Value::Decimal(unscaled, scale) => {
            let whole = unscaled / pow10(scale);
            match i64::try_from(whole) {
                Ok(whole) => whole,
                Err(_) if rules.ansi => return None,
                Err(_) => whole as i64,
            }
        }
        // Text that does not fit is null under all rules.
        Value::Text(ref text) => {
            return text_to_long(trimmed(text, rules), rules).filter(|whole| (least..=most).contains(whole));
        }
        Value::Timestamp(micros) => micros.div_euclid(MICROS_PER_SECOND),
        Value::Date(_) => return None,
    };
    (!rules.ansi || (least..=most).contains(&whole)).then_some(whole)
}

/// Java's narrowing: towards zero, at most to the limits of an int (of a long for longs), NaN to 0.
fn double_to_long(value: f64, least: i64, most: i64, rules: &CastRules) -> Option<i64> {
    if rules.ansi && !(value.floor() <= most as f64 && value.ceil() >= least as f64) {
        return None;
    }
    // A byte or a short is cut out of an int.
    Some(if most > i64::from(i32::MAX) { value as i64 } else { i64::from(value as i32) })
}

/// An integer in text; outside of ANSI rules decimals behind a point are cut off.
fn text_to_long(text: &str, rules: &CastRules) -> Option<i64> {
    if !text.is_ascii() {
        return None;
    }
    let whole = match text.split_once('.') {
        Some((whole, decimals)) if !rules.ansi => {
            if !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
                return None;
            }
            if matches!(whole, "" | "-" | "+") { "0" } else { whole }
        }
        _ => text,
    };
    parse_long(whole.as_bytes())
}

fn to_double(value: &Value<'_>, rules: &CastRules) -> Option<f64> {
    match *value {
        Value::Boolean(value) => Some(f64::from(u8::from(value))),
        Value::Long(value) => Some(value as f64),
        Value::Float(value) => Some(value.into()),
        Value::Double(value) => Some(value),
        Value::Decimal(..) => parse_double(to_text(value).as_bytes()),
        Value::Text(ref text) => parse_double(text.as_bytes()).or_else(|| special_double(text, rules)),
        Value::Timestamp(micros) => Some(micros as f64 / MICROS_PER_SECOND as f64),
        Value::Date(_) => None,
    }
}

fn to_float(value: &Value<'_>, rules: &CastRules) -> Option<f32> {
    match *value {
        Value::Long(value) => Some(value as f32),
        Value::Float(value) => Some(value),
        Value::Decimal(..) => parse_float(to_text(value).as_bytes()),
        Value::Text(ref text) => parse_float(text.as_bytes()).or_else(|| special_double(text, rules).map(|v| v as f32)),
        _ => to_double(value, rules).map(|value| value as f32),
    }
}

/// Spellings of NaN and the infinities that Java does not know and Spark does.
fn special_double(text: &str, rules: &CastRules) -> Option<f64> {
    if !rules.lenient_text {
        return None;
    }
    match text.trim().to_ascii_lowercase().as_str() {
        "nan" => Some(f64::NAN),
        "inf" | "+inf" | "infinity" | "+infinity" => Some(f64::INFINITY),
        "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The unscaled number, rounded half up; `None` when it has more than `precision` digits.
fn to_decimal(value: &Value<'_>, precision: u8, scale: i8, rules: &CastRules) -> Option<i128> {
    let from_text = |text: &str| {
        let has_commas = text.contains(',');
        if has_commas { None } else { parse_decimal(text.as_bytes(), precision, scale) }
    };
    match *value {
        Value::Text(ref text) => from_text(trimmed(text, rules)),
        // Spark's decimal of a double has the digits that the double is printed with.
        Value::Float(value) => from_text(&double_to_spark_string(value.into())),
        Value::Double(value) => from_text(&double_to_spark_string(value)),
        Value::Timestamp(micros) => from_text(&double_to_spark_string(micros as f64 / MICROS_PER_SECOND as f64)),
        Value::Boolean(value) => from_text(if value { "1" } else { "0" }),
        Value::Long(_) | Value::Decimal(..) => from_text(&to_text(value)),
        Value::Date(_) => None,
    }
}

fn to_date(value: &Value<'_>) -> Option<i32> {
    match *value {
        Value::Date(days) => Some(days),
        Value::Timestamp(micros) => i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok(),
        Value::Text(ref text) => cast_date(text.as_bytes()),
        _ => None,
    }
}

fn to_timestamp(value: &Value<'_>, in_zone: bool, rules: &CastRules) -> Option<i64> {
    let seconds = match *value {
        Value::Timestamp(micros) => return Some(micros),
        Value::Date(days) => return i64::from(days).checked_mul(MICROS_PER_DAY),
        Value::Text(ref text) if in_zone => return cast_timestamp(text.as_bytes(), Zone::UTC),
        Value::Text(ref text) => return cast_timestamp_dropping_zone(text.as_bytes()),
        Value::Boolean(value) => return Some(i64::from(value)),
        Value::Long(seconds) => return Some(seconds.saturating_mul(MICROS_PER_SECOND)),
        Value::Decimal(unscaled, scale) => {
            // Wraps around under all rules.
            let micros = unscaled.checked_mul(i128::from(MICROS_PER_SECOND))? / pow10(scale);
            return Some(micros as i64);
        }
        Value::Float(seconds) => f64::from(seconds),
        Value::Double(seconds) => seconds,
    };
    if !seconds.is_finite() {
        return None;
    }
    let micros = seconds * MICROS_PER_SECOND as f64;
    let fits = micros.floor() <= i64::MAX as f64 && micros.ceil() >= i64::MIN as f64;
    (fits || !rules.ansi).then_some(micros as i64)
}

pub(in crate::prepare) fn to_text<'a>(value: &Value<'a>) -> Cow<'a, str> {
    Cow::Owned(match value {
        Value::Text(text) => return text.clone(),
        Value::Boolean(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
        Value::Double(value) => double_to_spark_string(*value),
        Value::Float(value) => {
            let mut text = Vec::new();
            write_float(&mut text, *value);
            String::from_utf8(text).expect("digits are ASCII")
        }
        Value::Decimal(unscaled, scale) => decimal_text(*unscaled, *scale),
        Value::Date(days) => written("yyyy-MM-dd", i64::from(*days) * MICROS_PER_DAY),
        Value::Timestamp(micros) => timestamp_text(*micros),
    })
}

fn decimal_text(unscaled: i128, scale: i8) -> String {
    let scale = usize::try_from(scale).unwrap_or(0);
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, decimals) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
}

/// `yyyy-MM-dd HH:mm:ss` and as many decimals as there are.
fn timestamp_text(micros: i64) -> String {
    let mut text = written("yyyy-MM-dd HH:mm:ss", micros);
    let rest = micros.rem_euclid(MICROS_PER_SECOND);
    if rest > 0 {
        text.push_str(format!(".{rest:06}").trim_end_matches('0'));
    }
    text
}

fn written(pattern: &str, micros: i64) -> String {
    let pattern = Pattern::parse(pattern).expect("letters that are known");
    let mut text = Vec::new();
    pattern.write_micros(&mut text, micros, Zone::UTC);
    String::from_utf8(text).expect("digits are ASCII")
}

fn trimmed<'a>(text: &'a str, rules: &CastRules) -> &'a str {
    if !rules.lenient_text {
        return text;
    }
    std::str::from_utf8(trim_java(text.as_bytes())).expect("only ASCII was taken off")
}

fn pow10(scale: i8) -> i128 {
    10_i128.pow(u32::try_from(scale).unwrap_or(0))
}
