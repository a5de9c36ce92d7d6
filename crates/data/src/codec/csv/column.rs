//! Reads one column of a block: one decision about the type, then a loop over the rows.

use arrow_array::ArrayRef;
use arrow_schema::Field;

use super::options::{CsvOptions, Encoding};
use super::tokenizer::Oddity;
use crate::codec::builder::{ColumnBuilder, Values, text_like_java};
use crate::codec::datetime::TextTime;
use crate::codec::error::DecodeError;
use crate::codec::field::{BadCell, Block, Span};
use crate::codec::number::{parse_decimal, parse_double, parse_double_at, parse_float, parse_long, parse_long_at};
use crate::schema::type_name;

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
    pub(super) fn text(&self, span: Span, block: &Block<Oddity>, input: &[u8]) -> String {
        self.decode(span.text(input, &block.scratch, &self.empty_value).unwrap_or_default())
    }

    /// The text of a field, `None` when it stands for null.
    #[inline]
    pub(super) fn token<'a>(&'a self, span: Span, block: &'a Block<Oddity>, input: &'a [u8]) -> Option<&'a [u8]> {
        span.text(input, &block.scratch, &self.empty_value).filter(|text| *text != self.null_value)
    }
}

/// One column of a batch under construction, and where it comes from.
#[derive(Debug)]
pub(super) struct Column {
    /// Position among the fields of a record.
    pub(super) file_column: usize,
    builder: ColumnBuilder,
}

impl Column {
    /// # Errors
    /// `UnsupportedType` for a type that a field cannot be read as.
    pub(super) fn new(file_column: usize, field: &Field) -> Result<Self, DecodeError> {
        let builder = ColumnBuilder::new("CSV", field.name(), field)?;
        match builder.values {
            Values::Vector(_) | Values::Struct(..) | Values::List { .. } => Err(DecodeError::UnsupportedType {
                format: "CSV",
                column: field.name().clone(),
                data_type: type_name(field.data_type()),
            }),
            _ => Ok(Column { file_column, builder }),
        }
    }

    /// Appends the column's cells of all rows of `block`; a cell that cannot be read is null and listed in `bad`.
    pub(super) fn read(&mut self, block: &Block<Oddity>, input: &[u8], rules: &Rules, bad: &mut Vec<BadCell>) {
        let builder = &mut self.builder;
        let mut cells = Cells {
            block,
            input,
            rules,
            file_column: self.file_column,
            first_row: builder.n_rows,
            nulls: &mut builder.nulls,
            bad,
        };
        match &mut builder.values {
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
            Values::Vector(_) | Values::Struct(..) | Values::List { .. } => {
                unreachable!("nested types were refused when the column was made")
            }
        }
        builder.n_rows += block.n_rows();
    }

    /// The finished column; the next batch starts empty.
    ///
    /// # Errors
    /// `ColumnTooLarge` when a string column's text does not fit 32-bit offsets.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, DecodeError> {
        self.builder.finish()
    }
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
    block: &'a Block<Oddity>,
    input: &'a [u8],
    rules: &'a Rules,
    file_column: usize,
    first_row: usize,
    nulls: &'a mut Vec<u32>,
    bad: &'a mut Vec<BadCell>,
}

impl Cells<'_> {
    fn integers<T: TryFrom<i64> + Default + Copy>(&mut self, out: &mut Vec<T>) {
        self.numbers(
            out,
            |input, start, len| T::try_from(parse_long_at(input, start, len)?).ok(),
            |text, _| T::try_from(parse_long(text)?).ok(),
        );
    }

    /// Numbers by the fast path where the text lies in the input, else by the slow one.
    fn numbers<T: Default + Copy>(
        &mut self,
        out: &mut Vec<T>,
        fast: impl Fn(&[u8], usize, usize) -> Option<T>,
        slow: impl Fn(&[u8], &Rules) -> Option<T> + Copy,
    ) {
        if !self.rules.numbers_are_numbers() {
            return self.parsed(out, slow);
        }
        let (block, input, file_column) = (self.block, self.input, self.file_column);
        let start = out.len();
        out.resize(start + block.n_rows(), T::default());
        // A plain loop over rows: a chain of iterators over the strided spans cost half as much again.
        for (row, (value, spans)) in out[start..].iter_mut().zip(block.rows()).enumerate() {
            let span = spans[file_column];
            let read = span.in_input().and_then(|(start, len)| fast(input, start, len));
            *value = match read {
                Some(read) => read,
                None => self.cell(row, span, slow),
            };
        }
    }

    fn parsed<T: Default + Copy>(&mut self, out: &mut Vec<T>, slow: impl Fn(&[u8], &Rules) -> Option<T> + Copy) {
        let (block, file_column) = (self.block, self.file_column);
        let start = out.len();
        out.resize(start + block.n_rows(), T::default());
        for (row, (value, spans)) in out[start..].iter_mut().zip(block.rows()).enumerate() {
            *value = self.cell(row, spans[file_column], slow);
        }
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
        let (block, file_column) = (self.block, self.file_column);
        offsets.reserve(block.n_rows());
        for (row, spans) in block.rows().enumerate() {
            match self.rules.token(spans[file_column], block, self.input) {
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
