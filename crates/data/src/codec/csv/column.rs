//! Reads one column of a block: one decision about the type, then a loop over the rows.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, TimeUnit};

use super::field::{Block, Span};
use super::options::{CsvOptions, Encoding};
use crate::codec::datetime::TextTime;
use crate::codec::error::DecodeError;
use crate::codec::number::{parse_decimal, parse_double, parse_double_at, parse_float, parse_long, parse_long_at};

/// What texts mean beyond their type.
#[derive(Debug)]
pub(super) struct Rules {
    null_value: Vec<u8>,
    empty_value: Vec<u8>,
    nan_value: Vec<u8>,
    positive_inf: Vec<u8>,
    negative_inf: Vec<u8>,
    latin1: bool,
    time: TextTime,
}

impl Rules {
    pub(super) fn new(options: &CsvOptions) -> Self {
        let latin1 = options.encoding == Encoding::Latin1;
        // Texts are compared as they lie in the file.
        let encoded = |text: &str| match latin1 {
            false => text.as_bytes().to_vec(),
            true => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
        };
        Rules {
            null_value: encoded(&options.null_value),
            empty_value: encoded(options.empty_value_in_read()),
            nan_value: encoded(&options.nan_value),
            positive_inf: encoded(&options.positive_inf),
            negative_inf: encoded(&options.negative_inf),
            latin1,
            time: TextTime::of_csv(options),
        }
    }

    /// Text of the file's encoding as a string; what is no text becomes U+FFFD.
    pub(super) fn decode(&self, text: &[u8]) -> String {
        match self.latin1 {
            true => text.iter().map(|b| char::from(*b)).collect(),
            false => text_like_java(text),
        }
    }

    /// The text of a field for a message or as a name; empty when it has none.
    pub(super) fn text(&self, span: Span, block: &Block, input: &[u8]) -> String {
        self.decode(span.text(input, &block.scratch, &self.empty_value).unwrap_or_default())
    }

    /// The text of a field, `None` when it stands for null.
    #[inline]
    pub(super) fn token<'a>(&'a self, span: Span, block: &'a Block, input: &'a [u8]) -> Option<&'a [u8]> {
        span.text(input, &block.scratch, &self.empty_value).filter(|text| *text != self.null_value)
    }
}

/// A cell that its column's type could not be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BadCell {
    /// Row of the block.
    pub(super) row: u32,
    /// Column of the file.
    pub(super) file_column: u32,
}

/// One column of a batch under construction.
#[derive(Debug)]
pub(super) struct Column {
    /// Position among the fields of a record.
    pub(super) file_column: usize,
    name: String,
    values: Values,
    /// Rows of the batch without a value.
    nulls: Vec<u32>,
    n_rows: usize,
}

#[derive(Debug)]
enum Values {
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
}

impl Column {
    /// # Errors
    /// `UnsupportedType` for a type that text cannot be read as.
    pub(super) fn new(file_column: usize, field: &Field) -> Result<Self, DecodeError> {
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
            other => {
                return Err(DecodeError::UnsupportedType {
                    format: "CSV",
                    column: field.name().clone(),
                    data_type: crate::schema::type_name(other),
                });
            }
        };
        Ok(Column { file_column, name: field.name().clone(), values, nulls: Vec::new(), n_rows: 0 })
    }

    /// Appends the column's cells of all rows of `block`; a cell that cannot be read is null and listed in `bad`.
    pub(super) fn read(&mut self, block: &Block, input: &[u8], rules: &Rules, bad: &mut Vec<BadCell>) {
        let mut cells = Cells {
            block,
            input,
            rules,
            file_column: self.file_column,
            first_row: self.n_rows,
            nulls: &mut self.nulls,
            bad,
        };
        match &mut self.values {
            Values::Int8(out) => cells.integers(out),
            Values::Int16(out) => cells.integers(out),
            Values::Int32(out) => cells.integers(out),
            Values::Int64(out) => cells.integers(out),
            Values::Float64(out) => {
                cells.numbers(out, parse_double_at, |text, rules| rules.special(text).or_else(|| parse_double(text)))
            }
            Values::Float32(out) => {
                cells.parsed(out, |text, rules| rules.special(text).map(|v| v as f32).or_else(|| parse_float(text)))
            }
            Values::Boolean(out) => cells.parsed(out, |text, _| parse_boolean(text)),
            Values::Date(out) => cells.parsed(out, |text, rules| rules.time.days(text)),
            Values::Timestamp(out, Some(_)) => cells.parsed(out, |text, rules| rules.time.micros(text)),
            Values::Timestamp(out, None) => cells.parsed(out, |text, rules| rules.time.micros_ntz(text)),
            Values::Decimal(out, precision, scale) => {
                let (precision, scale) = (*precision, *scale);
                cells.parsed(out, move |text, _| parse_decimal(text, precision, scale));
            }
            Values::Text { offsets, bytes, binary } => cells.texts(offsets, bytes, *binary),
        }
        self.n_rows += block.n_rows();
    }

    /// The finished column; the next batch starts empty.
    ///
    /// # Errors
    /// `ColumnTooLarge` when a string column's text does not fit 32-bit offsets.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, DecodeError> {
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
            Values::Text { offsets, bytes, binary } => {
                let offsets = std::mem::replace(offsets, vec![0]);
                let bytes = std::mem::take(bytes);
                text_array(offsets, bytes, nulls, *binary)
                    .ok_or_else(|| DecodeError::ColumnTooLarge { column: self.name.clone() })?
            }
        })
    }
}

fn taken<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    ScalarBuffer::from(std::mem::take(values))
}

/// The validity of `n_rows` rows of which those in `nulls` have no value.
pub(super) fn null_buffer(n_rows: usize, nulls: &[u32]) -> Option<NullBuffer> {
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
pub(super) fn text_array(
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
pub(super) fn text_like_java(bytes: &[u8]) -> String {
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

impl Rules {
    /// The texts that stand for what digits cannot write.
    fn special(&self, text: &[u8]) -> Option<f64> {
        if text == self.nan_value {
            Some(f64::NAN)
        } else if text == self.negative_inf {
            Some(f64::NEG_INFINITY)
        } else if text == self.positive_inf {
            Some(f64::INFINITY)
        } else {
            None
        }
    }

    pub(super) fn is_special(&self, text: &[u8]) -> bool {
        self.special(text).is_some()
    }

    /// Whether a text of digits and signs may mean something else than its number.
    fn numbers_are_numbers(&self) -> bool {
        let is_number = |text: &[u8]| !text.is_empty() && parse_double(text).is_some_and(f64::is_finite);
        ![&self.null_value, &self.nan_value, &self.negative_inf, &self.positive_inf]
            .into_iter()
            .any(|text| is_number(text))
    }
}

fn parse_boolean(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

/// The cells of one column in one block.
struct Cells<'a> {
    block: &'a Block,
    input: &'a [u8],
    rules: &'a Rules,
    file_column: usize,
    first_row: usize,
    nulls: &'a mut Vec<u32>,
    bad: &'a mut Vec<BadCell>,
}

impl Cells<'_> {
    fn integers<T: TryFrom<i64> + Default>(&mut self, out: &mut Vec<T>) {
        self.numbers(
            out,
            |input, start, len| T::try_from(parse_long_at(input, start, len)?).ok(),
            |text, _| T::try_from(parse_long(text)?).ok(),
        );
    }

    /// Numbers by the fast path where the text lies in the input, else by the slow one.
    fn numbers<T: Default>(
        &mut self,
        out: &mut Vec<T>,
        fast: impl Fn(&[u8], usize, usize) -> Option<T>,
        slow: impl Fn(&[u8], &Rules) -> Option<T> + Copy,
    ) {
        if !self.rules.numbers_are_numbers() {
            return self.parsed(out, slow);
        }
        let block = self.block;
        let input = self.input;
        let spans = block.spans[self.file_column..].iter().step_by(block.n_cols).take(block.n_rows());
        out.extend(spans.enumerate().map(|(row, span)| {
            if let Some((start, len)) = span.in_input() {
                if let Some(value) = fast(input, start, len) {
                    return value;
                }
            }
            self.cell(row, *span, slow)
        }));
    }

    fn parsed<T: Default>(&mut self, out: &mut Vec<T>, slow: impl Fn(&[u8], &Rules) -> Option<T> + Copy) {
        let block = self.block;
        let spans = block.spans[self.file_column..].iter().step_by(block.n_cols).take(block.n_rows());
        out.extend(spans.enumerate().map(|(row, span)| self.cell(row, *span, slow)));
    }

    #[cold]
    #[inline(never)]
    fn no_value<T: Default>(&mut self, row: usize, bad: bool) -> T {
        self.nulls.push((self.first_row + row) as u32);
        if bad {
            self.bad.push(BadCell { row: row as u32, file_column: self.file_column as u32 });
        }
        T::default()
    }

    fn cell<T: Default>(&mut self, row: usize, span: Span, slow: impl Fn(&[u8], &Rules) -> Option<T>) -> T {
        match self.rules.token(span, self.block, self.input) {
            None => self.no_value(row, false),
            Some(text) => match slow(text, self.rules) {
                Some(value) => value,
                None => self.no_value(row, true),
            },
        }
    }

    fn texts(&mut self, offsets: &mut Vec<i32>, bytes: &mut Vec<u8>, binary: bool) {
        let block = self.block;
        let spans = block.spans[self.file_column..].iter().step_by(block.n_cols).take(block.n_rows());
        offsets.reserve(block.n_rows());
        for (row, span) in spans.enumerate() {
            match self.rules.token(*span, block, self.input) {
                None => self.nulls.push((self.first_row + row) as u32),
                Some(text) if self.rules.latin1 && !binary && !text.is_ascii() => {
                    bytes.extend_from_slice(self.rules.decode(text).as_bytes());
                }
                Some(text) => bytes.extend_from_slice(text),
            }
            // An offset beyond 31 bits is found when the column is finished.
            offsets.push(bytes.len() as i32);
        }
    }
}
