//! From a block of Arrow columns to the bytes of CQL values, row by row, without anything in between.
//!
//! Which type becomes which is decided once, by [`Encoder::of`]; a column of a block is opened once, by [`Values::open`]; after
//! that a row costs one look at an enum per column. A value that the column's type cannot hold is a [`Refusal`] of its row.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, BinaryArray, BooleanArray, ListArray, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};
use ognivo_data::vector::{VectorColumn, VectorRef, is_vector};
use scylla::cluster::metadata::{CollectionType, ColumnType, NativeType};
use scylla::serialize::writers::{CellWriter, WrittenCellProof};

use crate::text_values::{self, DAY_NS};

/// Days of CQL's date before 1970.
const DATE_ORIGIN: i64 = 1 << 31;

/// Why a row cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What is wrong with the value, as a sentence.
    pub(crate) message: String,
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { message: message.into() })
}

/// How values of one column become CQL values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoder {
    /// Bytes of a value that is not a list.
    Scalar(Scalar),
    /// An array as a list, its elements each so.
    List(Scalar),
    /// An array of numbers as a `vector<float, n>` or `vector<double, n>`.
    ArrayToVector(Float, usize),
    /// A vector as a list of all its slots.
    VectorToList(Float),
    /// A vector as a `vector<float, n>` or `vector<double, n>`.
    VectorToVector(Float, usize),
}

/// Which floating point number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Float {
    /// 4 bytes; doubles are rounded to the nearest.
    Single,
    /// 8 bytes.
    Double,
}

/// How a value that is not a list becomes a CQL value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// One byte.
    Boolean,
    /// An integer in so many bytes, as many as it has here or more.
    Integer {
        /// 1, 2, 4 or 8.
        n_bytes: usize,
    },
    /// An integer in as many bytes as it needs.
    Varint,
    /// A decimal or an integer, with its scale.
    Decimal,
    /// A float from a float.
    Float,
    /// A double from a float or a double.
    Double,
    /// A string as it is.
    Text,
    /// A string without letters beyond ASCII.
    Ascii,
    /// Bytes as they are.
    Blob,
    /// Days.
    Date,
    /// Milliseconds; parts of one are cut off.
    Timestamp,
    /// Nanoseconds of a day, from a number or from `hh:mm:ss.nnnnnnnnn`.
    Time,
    /// From text.
    Uuid,
    /// From text.
    Timeuuid,
    /// From text.
    Inet,
    /// From text such as `1mo2d3h`.
    Duration,
}

impl Encoder {
    /// How a column of `ours` becomes one of `cql`; None when it cannot.
    pub fn of(cql: &ColumnType<'_>, ours: &DataType) -> Option<Encoder> {
        match (cql, ours) {
            (ColumnType::Native(native), ours) => Scalar::of(native, ours).map(Encoder::Scalar),
            (ColumnType::Collection { typ: CollectionType::List(element), .. }, ours) => {
                let ColumnType::Native(element) = element.as_ref() else { return None };
                match ours {
                    ours if is_vector(ours) => float_of(element).map(Encoder::VectorToList),
                    DataType::List(ours) => Scalar::of(element, ours.data_type()).map(Encoder::List),
                    _ => None,
                }
            }
            (ColumnType::Vector { typ, dimensions }, ours) => {
                let ColumnType::Native(element) = typ.as_ref() else { return None };
                let (float, n) = (float_of(element)?, usize::from(*dimensions));
                match ours {
                    ours if is_vector(ours) => Some(Encoder::VectorToVector(float, n)),
                    DataType::List(ours) if matches!(ours.data_type(), DataType::Float32 | DataType::Float64) => {
                        Some(Encoder::ArrayToVector(float, n))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

fn float_of(native: &NativeType) -> Option<Float> {
    match native {
        NativeType::Float => Some(Float::Single),
        NativeType::Double => Some(Float::Double),
        _ => None,
    }
}

impl Scalar {
    fn of(native: &NativeType, ours: &DataType) -> Option<Scalar> {
        let width = match ours {
            DataType::Int8 => 1,
            DataType::Int16 => 2,
            DataType::Int32 => 4,
            DataType::Int64 => 8,
            _ => 9,
        };
        let is_integer = width <= 8;
        let integer = |n_bytes: usize| (width <= n_bytes).then_some(Scalar::Integer { n_bytes });
        let when = |holds: bool, scalar: Scalar| holds.then_some(scalar);
        let is_text = *ours == DataType::Utf8;
        match native {
            NativeType::Boolean => when(*ours == DataType::Boolean, Scalar::Boolean),
            NativeType::TinyInt => integer(1),
            NativeType::SmallInt => integer(2),
            NativeType::Int => integer(4),
            NativeType::BigInt => integer(8),
            NativeType::Varint => when(is_integer || matches!(ours, DataType::Decimal128(_, 0)), Scalar::Varint),
            NativeType::Decimal => when(is_integer || matches!(ours, DataType::Decimal128(..)), Scalar::Decimal),
            NativeType::Float => when(*ours == DataType::Float32, Scalar::Float),
            NativeType::Double => when(matches!(ours, DataType::Float32 | DataType::Float64), Scalar::Double),
            NativeType::Text => when(is_text, Scalar::Text),
            NativeType::Ascii => when(is_text, Scalar::Ascii),
            NativeType::Blob => when(*ours == DataType::Binary, Scalar::Blob),
            NativeType::Date => when(*ours == DataType::Date32, Scalar::Date),
            NativeType::Timestamp => when(matches!(ours, DataType::Timestamp(..)), Scalar::Timestamp),
            NativeType::Time => when(is_text || *ours == DataType::Int64, Scalar::Time),
            NativeType::Uuid => when(is_text, Scalar::Uuid),
            NativeType::Timeuuid => when(is_text, Scalar::Timeuuid),
            NativeType::Inet => when(is_text, Scalar::Inet),
            NativeType::Duration => when(is_text, Scalar::Duration),
            _ => None,
        }
    }
}

/// A column of a block, opened.
pub(crate) struct Values<'a> {
    nulls: Option<&'a NullBuffer>,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Scalar(Scalar, Source<'a>),
    List(&'a ListArray, Box<Values<'a>>),
    ArrayToVector(Float, usize, &'a ListArray, Source<'a>),
    VectorToList(Float, VectorColumn<'a>),
    VectorToVector(Float, usize, VectorColumn<'a>),
}

/// What a value is taken from.
enum Source<'a> {
    Boolean(&'a BooleanArray),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    Decimal(&'a [i128], i8),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    /// Ticks, and how many of them make a millisecond, or how many milliseconds make one (as a negative number).
    Ticks(&'a [i64], i64),
}

impl<'a> Source<'a> {
    fn open(array: &'a dyn Array) -> Source<'a> {
        match array.data_type() {
            DataType::Boolean => Source::Boolean(array.as_boolean()),
            DataType::Int8 => Source::I8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Source::I16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Source::I32(array.as_primitive::<Int32Type>().values()),
            DataType::Date32 => Source::I32(array.as_primitive::<Date32Type>().values()),
            DataType::Int64 => Source::I64(array.as_primitive::<Int64Type>().values()),
            DataType::Decimal128(_, scale) => Source::Decimal(array.as_primitive::<Decimal128Type>().values(), *scale),
            DataType::Float32 => Source::F32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Source::F64(array.as_primitive::<Float64Type>().values()),
            DataType::Utf8 => Source::Text(array.as_string()),
            DataType::Binary => Source::Bytes(array.as_binary()),
            DataType::Timestamp(TimeUnit::Second, _) => {
                Source::Ticks(array.as_primitive::<TimestampSecondType>().values(), -1000)
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                Source::Ticks(array.as_primitive::<TimestampMillisecondType>().values(), 1)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Source::Ticks(array.as_primitive::<TimestampMicrosecondType>().values(), 1000)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                Source::Ticks(array.as_primitive::<TimestampNanosecondType>().values(), 1_000_000)
            }
            other => unreachable!("an encoder was chosen for this type: {other}"),
        }
    }

    fn integer(&self, row_idx: usize) -> i64 {
        match self {
            Source::I8(values) => i64::from(values[row_idx]),
            Source::I16(values) => i64::from(values[row_idx]),
            Source::I32(values) => i64::from(values[row_idx]),
            Source::I64(values) => values[row_idx],
            _ => unreachable!("an encoder of integers was chosen for integers"),
        }
    }

    /// The unscaled number and its scale.
    fn decimal(&self, row_idx: usize) -> (i128, i8) {
        match self {
            Source::Decimal(values, scale) => (values[row_idx], *scale),
            integers => (i128::from(integers.integer(row_idx)), 0),
        }
    }

    fn double(&self, row_idx: usize) -> f64 {
        match self {
            Source::F32(values) => f64::from(values[row_idx]),
            Source::F64(values) => values[row_idx],
            _ => unreachable!("an encoder of floating point numbers was chosen for those"),
        }
    }

    fn text(&self, row_idx: usize) -> &'a str {
        match self {
            Source::Text(values) => values.value(row_idx),
            _ => unreachable!("an encoder of texts was chosen for texts"),
        }
    }
}

impl<'a> Values<'a> {
    /// Opens a column that `encoder` was chosen for.
    ///
    /// # Errors
    /// When a vector of it is none: rows come from our own stages, so this is a fault of ours.
    pub(crate) fn open(array: &'a dyn Array, encoder: &Encoder) -> Result<Values<'a>, Refusal> {
        let vectors = || VectorColumn::try_new(array).map_err(|error| Refusal { message: error.to_string() });
        let kind = match encoder {
            Encoder::Scalar(scalar) => Kind::Scalar(*scalar, Source::open(array)),
            Encoder::List(scalar) => {
                let lists: &ListArray = array.as_list();
                let elements = Values {
                    nulls: lists.values().nulls(),
                    kind: Kind::Scalar(*scalar, Source::open(lists.values().as_ref())),
                };
                Kind::List(lists, Box::new(elements))
            }
            Encoder::ArrayToVector(float, n) => {
                let lists: &ListArray = array.as_list();
                Kind::ArrayToVector(*float, *n, lists, Source::open(lists.values().as_ref()))
            }
            Encoder::VectorToList(float) => Kind::VectorToList(*float, vectors()?),
            Encoder::VectorToVector(float, n) => Kind::VectorToVector(*float, *n, vectors()?),
        };
        Ok(Values { nulls: array.nulls(), kind })
    }

    /// Whether the value of this row is null.
    #[inline]
    pub(crate) fn is_null(&self, row_idx: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row_idx))
    }

    /// Writes the value of a row in which it is not null.
    ///
    /// # Errors
    /// When the CQL type cannot hold it.
    #[inline]
    pub(crate) fn write<'b>(&self, row_idx: usize, out: CellWriter<'b>) -> Result<WrittenCellProof<'b>, Refusal> {
        match &self.kind {
            Kind::Scalar(scalar, source) => write_scalar(*scalar, source, row_idx, out),
            Kind::List(lists, elements) => write_list(lists, elements, row_idx, out),
            Kind::ArrayToVector(float, n, lists, elements) => {
                let (start, end) = range_of(lists, row_idx);
                if lists.values().nulls().is_some_and(|nulls| (start..end).any(|i| nulls.is_null(i))) {
                    return refuse("a vector has no place for null");
                }
                check_size(end - start, *n)?;
                write_block(*float, (start..end).map(|i| elements.double(i)), false, end - start, out)
            }
            Kind::VectorToList(float, vectors) => write_vector(*float, vectors, row_idx, true, None, out),
            Kind::VectorToVector(float, n, vectors) => write_vector(*float, vectors, row_idx, false, Some(*n), out),
        }
    }
}

fn range_of(lists: &ListArray, row_idx: usize) -> (usize, usize) {
    let offsets = lists.value_offsets();
    (offsets[row_idx] as usize, offsets[row_idx + 1] as usize)
}

fn put<'b>(out: CellWriter<'b>, bytes: &[u8]) -> Result<WrittenCellProof<'b>, Refusal> {
    out.set_value(bytes).map_err(|error| Refusal { message: error.to_string() })
}

#[inline]
fn write_scalar<'b>(
    scalar: Scalar,
    source: &Source<'_>,
    row_idx: usize,
    out: CellWriter<'b>,
) -> Result<WrittenCellProof<'b>, Refusal> {
    match scalar {
        Scalar::Boolean => match source {
            Source::Boolean(values) => put(out, &[u8::from(values.value(row_idx))]),
            _ => unreachable!("an encoder of booleans was chosen for booleans"),
        },
        Scalar::Integer { n_bytes } => put(out, &source.integer(row_idx).to_be_bytes()[8 - n_bytes..]),
        Scalar::Varint => put(out, shortest(&source.decimal(row_idx).0.to_be_bytes())),
        Scalar::Decimal => {
            let (unscaled, scale) = source.decimal(row_idx);
            let mut bytes = [0; 20];
            bytes[..4].copy_from_slice(&i32::from(scale).to_be_bytes());
            let unscaled = unscaled.to_be_bytes();
            let unscaled = shortest(&unscaled);
            bytes[4..4 + unscaled.len()].copy_from_slice(unscaled);
            put(out, &bytes[..4 + unscaled.len()])
        }
        Scalar::Float => match source {
            Source::F32(values) => put(out, &values[row_idx].to_be_bytes()),
            _ => unreachable!("an encoder of floats was chosen for floats"),
        },
        Scalar::Double => put(out, &source.double(row_idx).to_be_bytes()),
        Scalar::Text => put(out, source.text(row_idx).as_bytes()),
        Scalar::Ascii => match source.text(row_idx) {
            text if text.is_ascii() => put(out, text.as_bytes()),
            text => refuse(format!("ascii has no place for letters beyond ASCII: {}", shown(text))),
        },
        Scalar::Blob => match source {
            Source::Bytes(values) => put(out, values.value(row_idx)),
            _ => unreachable!("an encoder of bytes was chosen for bytes"),
        },
        Scalar::Date => put(out, &((source.integer(row_idx) + DATE_ORIGIN) as u32).to_be_bytes()),
        Scalar::Timestamp => match source {
            Source::Ticks(ticks, per_ms) => write_timestamp(ticks[row_idx], *per_ms, out),
            _ => unreachable!("an encoder of timestamps was chosen for timestamps"),
        },
        Scalar::Time => {
            let time = match source {
                Source::Text(values) => text_values::time(values.value(row_idx)),
                integers => Some(integers.integer(row_idx)).filter(|time| (0..DAY_NS).contains(time)),
            };
            match time {
                Some(time) => put(out, &time.to_be_bytes()),
                None => refuse("not a time of day (hh:mm:ss.nnnnnnnnn, or nanoseconds from 0 to 86399999999999)"),
            }
        }
        Scalar::Uuid => match text_values::uuid(source.text(row_idx)) {
            Some(bytes) => put(out, &bytes),
            None => refuse(format!("not a uuid: {}", shown(source.text(row_idx)))),
        },
        Scalar::Timeuuid => match text_values::timeuuid(source.text(row_idx)) {
            Some(bytes) => put(out, &bytes),
            None => refuse(format!("not a uuid of version 1: {}", shown(source.text(row_idx)))),
        },
        Scalar::Inet => match text_values::inet(source.text(row_idx)) {
            Some((bytes, length)) => put(out, &bytes[..length]),
            None => refuse(format!("not an address: {}", shown(source.text(row_idx)))),
        },
        Scalar::Duration => match text_values::duration(source.text(row_idx)) {
            Some(duration) => {
                let mut bytes = Vec::with_capacity(27);
                for number in [i64::from(duration.months), i64::from(duration.days), duration.nanoseconds] {
                    text_values::push_vint(number, &mut bytes);
                }
                put(out, &bytes)
            }
            None => refuse(format!("not a duration such as `1mo2d3h`: {}", shown(source.text(row_idx)))),
        },
    }
}

/// Milliseconds, down to the earlier one as Spark's own casts go.
fn write_timestamp(ticks: i64, per_ms: i64, out: CellWriter<'_>) -> Result<WrittenCellProof<'_>, Refusal> {
    let milliseconds = if per_ms < 0 { ticks.checked_mul(-per_ms) } else { Some(ticks.div_euclid(per_ms)) };
    match milliseconds {
        Some(milliseconds) => put(out, &milliseconds.to_be_bytes()),
        None => refuse("a timestamp beyond the years that milliseconds can count"),
    }
}

/// Two's complement in as few bytes as keep the sign.
fn shortest(bytes: &[u8; 16]) -> &[u8] {
    let is_surplus = |i: usize| (bytes[i] == 0 && bytes[i + 1] < 0x80) || (bytes[i] == 0xff && bytes[i + 1] >= 0x80);
    let start = (0..15).take_while(|&i| is_surplus(i)).count();
    &bytes[start..]
}

fn shown(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn write_list<'b>(
    lists: &ListArray,
    elements: &Values<'_>,
    row_idx: usize,
    out: CellWriter<'b>,
) -> Result<WrittenCellProof<'b>, Refusal> {
    let (start, end) = range_of(lists, row_idx);
    let mut list = out.into_value_builder();
    list.append_bytes(&((end - start) as i32).to_be_bytes());
    for i in start..end {
        if elements.is_null(i) {
            return refuse("a list has no place for null");
        }
        elements.write(i, list.make_sub_writer())?;
    }
    list.finish().map_err(|error| Refusal { message: error.to_string() })
}

fn write_vector<'b>(
    float: Float,
    vectors: &VectorColumn<'_>,
    row_idx: usize,
    as_list: bool,
    size: Option<usize>,
    out: CellWriter<'b>,
) -> Result<WrittenCellProof<'b>, Refusal> {
    let vector = vectors.get(row_idx).expect("a null is not written");
    if let Some(size) = size {
        check_size(vector.size(), size)?;
    }
    match vector {
        VectorRef::Dense(values) => write_block(float, values.iter().copied(), as_list, values.len(), out),
        sparse => {
            let mut values = vec![0.0; sparse.size()];
            sparse.write_dense(&mut values);
            write_block(float, values.iter().copied(), as_list, values.len(), out)
        }
    }
}

fn check_size(size: usize, expected: usize) -> Result<(), Refusal> {
    if size == expected { Ok(()) } else { refuse(format!("the column holds vectors of {expected} values: {size}")) }
}

/// Numbers one after the other: in a list each with its length before it, and the list with its own.
fn write_block<'b>(
    float: Float,
    values: impl Iterator<Item = f64>,
    as_list: bool,
    n: usize,
    out: CellWriter<'b>,
) -> Result<WrittenCellProof<'b>, Refusal> {
    let mut block = out.into_value_builder();
    if as_list {
        block.append_bytes(&(n as i32).to_be_bytes());
    }
    for value in values {
        match float {
            Float::Double if as_list => {
                let mut bytes = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
                bytes[4..].copy_from_slice(&value.to_be_bytes());
                block.append_bytes(&bytes);
            }
            Float::Double => block.append_bytes(&value.to_be_bytes()),
            Float::Single => {
                let single = value as f32;
                if single.is_infinite() && value.is_finite() {
                    return refuse(format!("float has no place for a number of this size: {value}"));
                }
                if as_list {
                    block.append_bytes(&[0, 0, 0, 4]);
                }
                block.append_bytes(&single.to_be_bytes());
            }
        }
    }
    block.finish().map_err(|error| Refusal { message: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Decimal128Array, Int16Array, StringArray, TimestampMicrosecondArray};

    fn bytes_of(native: NativeType, column: ArrayRef) -> Result<Vec<u8>, Refusal> {
        let encoder = Encoder::of(&ColumnType::Native(native), column.data_type()).expect("the types fit");
        let values = Values::open(column.as_ref(), &encoder)?;
        let mut bytes = Vec::new();
        values.write(0, CellWriter::new(&mut bytes))?;
        Ok(bytes[4..].to_vec())
    }

    #[test]
    fn integers_grow_and_keep_their_sign() {
        let minus_two: ArrayRef = Arc::new(Int16Array::from(vec![-2]));
        assert_eq!(bytes_of(NativeType::SmallInt, minus_two.clone()).unwrap(), [0xff, 0xfe]);
        assert_eq!(bytes_of(NativeType::Int, minus_two.clone()).unwrap(), [0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(bytes_of(NativeType::Varint, minus_two.clone()).unwrap(), [0xfe]);
        assert_eq!(Scalar::of(&NativeType::TinyInt, minus_two.data_type()), None);
    }

    #[test]
    fn decimals_take_as_few_bytes_as_keep_the_sign() {
        let decimal = |unscaled| -> ArrayRef {
            Arc::new(Decimal128Array::from(vec![unscaled]).with_precision_and_scale(20, 2).unwrap())
        };
        assert_eq!(bytes_of(NativeType::Decimal, decimal(0)).unwrap(), [0, 0, 0, 2, 0]);
        assert_eq!(bytes_of(NativeType::Decimal, decimal(-1)).unwrap(), [0, 0, 0, 2, 0xff]);
        assert_eq!(bytes_of(NativeType::Decimal, decimal(128)).unwrap(), [0, 0, 0, 2, 0, 128]);
        assert_eq!(bytes_of(NativeType::Decimal, decimal(-128)).unwrap(), [0, 0, 0, 2, 0x80]);
    }

    #[test]
    fn a_time_before_1970_is_cut_to_the_earlier_millisecond() {
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![-1]));
        assert_eq!(bytes_of(NativeType::Timestamp, column).unwrap(), (-1i64).to_be_bytes());
    }

    #[test]
    fn a_value_that_the_type_cannot_hold_is_refused_with_what_is_wrong() {
        for (native, text, message) in [
            (NativeType::Ascii, "é", "ascii has no place for letters beyond ASCII: é"),
            (NativeType::Uuid, "x", "not a uuid: x"),
            (NativeType::Inet, "300.1.1.1", "not an address: 300.1.1.1"),
            (NativeType::Duration, "1 day", "not a duration such as `1mo2d3h`: 1 day"),
        ] {
            let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
            assert_eq!(bytes_of(native, column).unwrap_err().message, message);
        }
    }
}
