//! Arrow columns under construction, one cell or one column after the other.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};

use super::error::DecodeError;
use crate::schema::type_name;
use crate::vector::{VectorBuilder, is_vector};

/// Why building a nested array cannot fail.
const NESTED: &str = "parts are built with the types and the lengths of the whole";

/// A column of a batch under construction.
#[derive(Debug)]
pub(crate) struct ColumnBuilder {
    /// The column's name, with the path inside it for nested types.
    pub(crate) path: String,
    pub(crate) values: Values,
    /// Rows without a value, ascending.
    pub(crate) nulls: Vec<u32>,
    pub(crate) n_rows: usize,
}

/// The values of a column under construction; of a null, the type's default.
#[derive(Debug)]
pub(crate) enum Values {
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Boolean(Vec<bool>),
    Text {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
        binary: bool,
    },
    Date(Vec<i32>),
    /// With or without a time zone.
    Timestamp(Vec<i64>, Option<Arc<str>>),
    Decimal(Vec<i128>, u8, i8),
    /// Spark's vectors.
    Vector(VectorBuilder),
    Struct(Fields, Vec<ColumnBuilder>),
    List {
        element: FieldRef,
        offsets: Vec<i32>,
        items: Box<ColumnBuilder>,
    },
}

/// The field with nulls allowed, in all its parts: text may lack any of them.
///
/// A vector stays as it is; its own builder keeps its parts together.
pub(crate) fn nullable(field: &Field) -> Field {
    let data_type = match field.data_type() {
        vector if is_vector(vector) => vector.clone(),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| nullable(f)).collect()),
        DataType::List(element) => DataType::List(Arc::new(nullable(element))),
        other => other.clone(),
    };
    field.clone().with_data_type(data_type).with_nullable(true)
}

impl ColumnBuilder {
    /// # Errors
    /// `UnsupportedType` for a type that `format` cannot be read as.
    pub(crate) fn new(format: &'static str, path: &str, field: &Field) -> Result<Self, DecodeError> {
        let values = match field.data_type() {
            DataType::Int8 => Values::Int8(Vec::new()),
            DataType::Int16 => Values::Int16(Vec::new()),
            DataType::Int32 => Values::Int32(Vec::new()),
            DataType::Int64 => Values::Int64(Vec::new()),
            DataType::Float32 => Values::Float32(Vec::new()),
            DataType::Float64 => Values::Float64(Vec::new()),
            DataType::Boolean => Values::Boolean(Vec::new()),
            DataType::Utf8 => Values::Text { offsets: vec![0], bytes: Vec::new(), binary: false },
            DataType::Binary => Values::Text { offsets: vec![0], bytes: Vec::new(), binary: true },
            DataType::Date32 => Values::Date(Vec::new()),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => Values::Timestamp(Vec::new(), zone.clone()),
            DataType::Decimal128(precision, scale) => Values::Decimal(Vec::new(), *precision, *scale),
            vector if is_vector(vector) => Values::Vector(VectorBuilder::new()),
            DataType::Struct(fields) => {
                let fields = Fields::from_iter(fields.iter().map(|field| nullable(field)));
                let parts = fields.iter().map(|part| Self::new(format, &format!("{path}.{}", part.name()), part));
                let parts = parts.collect::<Result<_, DecodeError>>()?;
                Values::Struct(fields, parts)
            }
            DataType::List(element) => {
                let element = Arc::new(nullable(element));
                let items = Box::new(Self::new(format, &format!("{path}.element"), &element)?);
                Values::List { element, offsets: vec![0], items }
            }
            other => {
                return Err(DecodeError::UnsupportedType {
                    format,
                    column: path.to_owned(),
                    data_type: type_name(other),
                });
            }
        };
        Ok(ColumnBuilder { path: path.to_owned(), values, nulls: Vec::new(), n_rows: 0 })
    }

    /// The finished column; the next batch starts empty.
    ///
    /// # Errors
    /// `ColumnTooLarge` when a string column's text does not fit 32-bit offsets.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef, DecodeError> {
        let n_rows = std::mem::take(&mut self.n_rows);
        let nulls = null_buffer(n_rows, &std::mem::take(&mut self.nulls));
        Ok(match &mut self.values {
            Values::Int8(out) => Arc::new(Int8Array::new(taken(out), nulls)),
            Values::Int16(out) => Arc::new(Int16Array::new(taken(out), nulls)),
            Values::Int32(out) => Arc::new(Int32Array::new(taken(out), nulls)),
            Values::Int64(out) => Arc::new(Int64Array::new(taken(out), nulls)),
            Values::Float32(out) => Arc::new(Float32Array::new(taken(out), nulls)),
            Values::Float64(out) => Arc::new(Float64Array::new(taken(out), nulls)),
            Values::Boolean(out) => Arc::new(BooleanArray::new(BooleanBuffer::from(std::mem::take(out)), nulls)),
            Values::Date(out) => Arc::new(Date32Array::new(taken(out), nulls)),
            Values::Timestamp(out, zone) => {
                Arc::new(TimestampMicrosecondArray::new(taken(out), nulls).with_timezone_opt(zone.clone()))
            }
            Values::Decimal(out, precision, scale) => Arc::new(
                Decimal128Array::new(taken(out), nulls)
                    .with_precision_and_scale(*precision, *scale)
                    .expect("the type of the schema was a valid decimal"),
            ),
            Values::Vector(out) => std::mem::replace(out, VectorBuilder::new()).finish(),
            Values::Struct(fields, parts) => {
                let parts = parts.iter_mut().map(ColumnBuilder::finish).collect::<Result<_, DecodeError>>()?;
                Arc::new(StructArray::try_new_with_length(fields.clone(), parts, nulls, n_rows).expect(NESTED))
            }
            Values::List { element, offsets, items } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(offsets, vec![0])));
                let items = items.finish()?;
                Arc::new(ListArray::try_new(Arc::clone(element), offsets, items, nulls).expect(NESTED))
            }
            Values::Text { offsets, bytes, binary } => {
                let offsets = std::mem::replace(offsets, vec![0]);
                // The next batch is most likely as long.
                let next = Vec::with_capacity(bytes.len());
                let bytes = std::mem::replace(bytes, next);
                text_array(offsets, bytes, nulls, *binary)
                    .ok_or_else(|| DecodeError::ColumnTooLarge { column: self.path.clone() })?
            }
        })
    }
}

fn taken<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    // The next batch is most likely as long.
    let next = Vec::with_capacity(values.len());
    ScalarBuffer::from(std::mem::replace(values, next))
}

/// The validity of `n_rows` rows of which those in `nulls` have no value.
pub(crate) fn null_buffer(n_rows: usize, nulls: &[u32]) -> Option<NullBuffer> {
    if nulls.is_empty() {
        return None;
    }
    let mut valid = BooleanBufferBuilder::new(n_rows);
    valid.append_n(n_rows, true);
    for row in nulls {
        valid.set_bit(*row as usize, false);
    }
    Some(NullBuffer::new(valid.finish()))
}

/// A string or binary array; `None` when an offset overflowed. What is no UTF-8 in a string becomes U+FFFD.
pub(crate) fn text_array(
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    nulls: Option<NullBuffer>,
    binary: bool,
) -> Option<ArrayRef> {
    if i32::try_from(bytes.len()).is_err() {
        return None;
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    if binary {
        return Some(Arc::new(BinaryArray::new(offsets, Buffer::from(bytes), nulls)));
    }
    let bytes = Buffer::from(bytes);
    match StringArray::try_new(offsets.clone(), bytes.clone(), nulls.clone()) {
        Ok(array) => Some(Arc::new(array)),
        Err(_) => {
            let texts = BinaryArray::new(offsets, bytes, nulls);
            let repaired: StringArray = texts.iter().map(|text| text.map(text_like_java)).collect();
            Some(Arc::new(repaired))
        }
    }
}

/// Bytes as a string, U+FFFD for what is no UTF-8.
///
/// Java makes one U+FFFD of the three bytes of a lone surrogate, where Rust makes three.
pub(crate) fn text_like_java(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(3).position(|w| matches!(w, [0xED, 0xA0..=0xBF, 0x80..=0xBF])) {
        text.push_str(&String::from_utf8_lossy(&rest[..at]));
        text.push(char::REPLACEMENT_CHARACTER);
        rest = &rest[at + 3..];
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}
