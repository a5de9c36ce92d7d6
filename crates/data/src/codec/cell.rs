//! The cells of a batch as text: what CSV and JSON have in common.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{
    Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, ListArray, MapArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};

use super::datetime::{Pattern, Zone};
use super::error::EncodeError;
use super::number::{write_double, write_float, write_long};
use crate::schema::type_name;

/// How dates and timestamps are written.
#[derive(Debug, Clone)]
pub(crate) struct TimeText {
    date: Pattern,
    timestamp: Pattern,
    timestamp_ntz: Pattern,
    zone: Zone,
}

impl TimeText {
    /// The formats given, or Spark's: `yyyy-MM-dd` and `yyyy-MM-dd'T'HH:mm:ss.SSSXXX`.
    pub(crate) fn new(
        date: Option<&Pattern>,
        timestamp: Option<&Pattern>,
        timestamp_ntz: Option<&Pattern>,
        zone: Zone,
    ) -> Self {
        let or = |given: Option<&Pattern>, default| {
            given.cloned().unwrap_or_else(|| Pattern::parse(default).expect("letters that are known"))
        };
        TimeText {
            date: or(date, "yyyy-MM-dd"),
            timestamp: or(timestamp, "yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]"),
            timestamp_ntz: or(timestamp_ntz, "yyyy-MM-dd'T'HH:mm:ss[.SSS]"),
            zone,
        }
    }
}

/// One column, or one part of a nested column, its type resolved.
#[derive(Debug)]
pub(crate) enum Cells<'a> {
    Null,
    Int8(&'a Int8Array),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Boolean(&'a BooleanArray),
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
    Date(&'a Date32Array),
    /// With a time zone or without.
    Timestamp(&'a TimestampMicrosecondArray, bool),
    Decimal(&'a Decimal128Array, i8),
    Struct(&'a StructArray, Vec<(String, Cells<'a>)>),
    List(&'a ListArray, Box<Cells<'a>>),
    Map(&'a MapArray, Box<Cells<'a>>, Box<Cells<'a>>),
}

impl<'a> Cells<'a> {
    /// # Errors
    /// A type that Spark does not have.
    pub(crate) fn new(format: &'static str, path: &str, array: &'a dyn Array) -> Result<Self, EncodeError> {
        Ok(match array.data_type() {
            DataType::Null => Cells::Null,
            DataType::Int8 => Cells::Int8(array.as_primitive::<Int8Type>()),
            DataType::Int16 => Cells::Int16(array.as_primitive::<Int16Type>()),
            DataType::Int32 => Cells::Int32(array.as_primitive::<Int32Type>()),
            DataType::Int64 => Cells::Int64(array.as_primitive::<Int64Type>()),
            DataType::Float32 => Cells::Float32(array.as_primitive::<Float32Type>()),
            DataType::Float64 => Cells::Float64(array.as_primitive::<Float64Type>()),
            DataType::Boolean => Cells::Boolean(array.as_boolean()),
            DataType::Utf8 => Cells::Text(array.as_string()),
            DataType::Binary => Cells::Binary(array.as_binary()),
            DataType::Date32 => Cells::Date(array.as_primitive::<Date32Type>()),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                Cells::Timestamp(array.as_primitive::<TimestampMicrosecondType>(), zone.is_some())
            }
            DataType::Decimal128(_, scale) => Cells::Decimal(array.as_primitive::<Decimal128Type>(), *scale),
            DataType::Struct(fields) => {
                let array = array.as_struct();
                let parts = fields.iter().zip(array.columns()).map(|(field, part)| {
                    let path = format!("{path}.{}", field.name());
                    Ok((field.name().clone(), Cells::new(format, &path, part)?))
                });
                Cells::Struct(array, parts.collect::<Result<_, EncodeError>>()?)
            }
            DataType::List(_) => {
                let array = array.as_list::<i32>();
                let items = Cells::new(format, &format!("{path}.element"), array.values())?;
                Cells::List(array, Box::new(items))
            }
            DataType::Map(_, _) => {
                let array = array.as_map();
                let keys = Cells::new(format, &format!("{path}.key"), array.keys())?;
                let values = Cells::new(format, &format!("{path}.value"), array.values())?;
                Cells::Map(array, Box::new(keys), Box::new(values))
            }
            other => {
                return Err(EncodeError::UnsupportedType {
                    format,
                    column: path.to_owned(),
                    data_type: type_name(other),
                });
            }
        })
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        match self {
            Cells::Null => true,
            Cells::Int8(a) => a.is_null(row),
            Cells::Int16(a) => a.is_null(row),
            Cells::Int32(a) => a.is_null(row),
            Cells::Int64(a) => a.is_null(row),
            Cells::Float32(a) => a.is_null(row),
            Cells::Float64(a) => a.is_null(row),
            Cells::Boolean(a) => a.is_null(row),
            Cells::Text(a) => a.is_null(row),
            Cells::Binary(a) => a.is_null(row),
            Cells::Date(a) => a.is_null(row),
            Cells::Timestamp(a, _) => a.is_null(row),
            Cells::Decimal(a, _) => a.is_null(row),
            Cells::Struct(a, _) => a.is_null(row),
            Cells::List(a, _) => a.is_null(row),
            Cells::Map(a, _, _) => a.is_null(row),
        }
    }

    /// Appends the text of a cell that is not null, the same in CSV and JSON but for JSON's quotes.
    ///
    /// # Panics
    /// For a nested cell, which has no plain text.
    pub(crate) fn write_plain(&self, row: usize, time: &TimeText, out: &mut Vec<u8>) {
        match self {
            Cells::Null => {}
            Cells::Int8(a) => write_long(out, a.value(row).into()),
            Cells::Int16(a) => write_long(out, a.value(row).into()),
            Cells::Int32(a) => write_long(out, a.value(row).into()),
            Cells::Int64(a) => write_long(out, a.value(row)),
            Cells::Float32(a) => write_float(out, a.value(row)),
            Cells::Float64(a) => write_double(out, a.value(row)),
            Cells::Boolean(a) => out.extend_from_slice(if a.value(row) { b"true" } else { b"false" }),
            Cells::Text(a) => out.extend_from_slice(a.value(row).as_bytes()),
            // `[61 62 FF]`, as Spark 4 writes bytes in CSV.
            Cells::Binary(a) => {
                let bytes: Vec<String> = a.value(row).iter().map(|b| format!("{b:02X}")).collect();
                out.extend_from_slice(format!("[{}]", bytes.join(" ")).as_bytes());
            }
            Cells::Date(a) => time.date.write_days(out, a.value(row)),
            Cells::Timestamp(a, true) => time.timestamp.write_micros(out, a.value(row), time.zone),
            Cells::Timestamp(a, false) => time.timestamp_ntz.write_micros(out, a.value(row), Zone::UTC),
            Cells::Decimal(a, scale) => write_decimal(out, a.value(row), *scale),
            Cells::Struct(..) | Cells::List(..) | Cells::Map(..) => {
                unreachable!("nested cells are written as JSON")
            }
        }
    }

    pub(crate) fn is_nested(&self) -> bool {
        matches!(self, Cells::Struct(..) | Cells::List(..) | Cells::Map(..))
    }
}

/// Appends a decimal as `java.math.BigDecimal.toString` does: plain unless it is below 10^-6.
fn write_decimal(out: &mut Vec<u8>, unscaled: i128, scale: i8) {
    let digits = unscaled.unsigned_abs().to_string();
    let scale = i64::from(scale);
    let magnitude = digits.len() as i64 - 1 - scale;
    if unscaled < 0 {
        out.push(b'-');
    }
    if scale == 0 {
        out.extend_from_slice(digits.as_bytes());
    } else if scale < 0 || magnitude < -6 {
        out.extend_from_slice(&digits.as_bytes()[..1]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits.as_bytes()[1..]);
        }
        out.push(b'E');
        if magnitude > 0 {
            out.push(b'+');
        }
        write_long(out, magnitude);
    } else {
        let padded = format!("{digits:0>width$}", width = scale as usize + 1);
        let (whole, decimals) = padded.split_at(padded.len() - scale as usize);
        out.extend_from_slice(whole.as_bytes());
        out.push(b'.');
        out.extend_from_slice(decimals.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_printed_as_java_prints_them() {
        let show = |unscaled, scale| {
            let mut out = Vec::new();
            write_decimal(&mut out, unscaled, scale);
            String::from_utf8(out).unwrap()
        };
        // java.math.BigDecimal(BigInteger, scale).toString(), JDK 17.
        assert_eq!(show(150, 2), "1.50");
        assert_eq!(show(-5, 2), "-0.05");
        assert_eq!(show(0, 2), "0.00");
        assert_eq!(show(1, 8), "1E-8");
        assert_eq!(show(-123, 10), "-1.23E-8");
        assert_eq!(show(1, 6), "0.000001");
        assert_eq!(show(123, 0), "123");
        assert_eq!(show(12, -3), "1.2E+4");
    }
}
