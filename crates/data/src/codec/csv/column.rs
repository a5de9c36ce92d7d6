//! Reads one column of a block: one decision about the type, then a loop over the rows.

use arrow_array::ArrayRef;
use arrow_schema::Field;

use super::options::{CsvOptions, Encoding};
use super::plain::Borders;
use super::tokenizer::Oddity;
use crate::codec::builder::{ColumnBuilder, Values, text_like_java};
use crate::codec::cpu::Avx2;
use crate::codec::datetime::TextTime;
use crate::codec::error::DecodeError;
use crate::codec::field::{BadCell, Block, Span};
#[cfg(target_arch = "x86_64")]
use crate::codec::number::sixteen;
use crate::codec::number::{
    ShortDecimal, parse_decimal, parse_double, parse_float, parse_long, parse_long_at, short_decimal_at,
};
use crate::schema::type_name;

/// What texts mean beyond their type.
#[derive(Debug)]
pub(super) struct Rules {
    null_value: Vec<u8>,
    empty_value: Vec<u8>,
    nan_value: Vec<u8>,
    positive_inf: Vec<u8>,
    negative_inf: Vec<u8>,
    /// A text of digits and signs means its number and nothing else.
    numbers_are_numbers: bool,
    latin1: bool,
    time: TextTime,
    avx2: Option<Avx2>,
}

impl Rules {
    pub(super) fn new(options: &CsvOptions) -> Self {
        let latin1 = options.encoding == Encoding::Latin1;
        // Texts are compared as they lie in the file.
        let encoded = |text: &str| match latin1 {
            false => text.as_bytes().to_vec(),
            true => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
        };
        let mut rules = Rules {
            null_value: encoded(&options.null_value),
            empty_value: encoded(options.empty_value_in_read()),
            nan_value: encoded(&options.nan_value),
            positive_inf: encoded(&options.positive_inf),
            negative_inf: encoded(&options.negative_inf),
            numbers_are_numbers: true,
            latin1,
            time: TextTime::of_csv(options),
            avx2: Avx2::detect(),
        };
        let is_number = |text: &Vec<u8>| !text.is_empty() && parse_double(text).is_some_and(f64::is_finite);
        let special = [&rules.null_value, &rules.nan_value, &rules.positive_inf, &rules.negative_inf];
        rules.numbers_are_numbers = !special.into_iter().any(is_number);
        rules
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

/// Rows whose fields have been located.
pub(super) struct Located<'a> {
    pub(super) block: &'a Block<Oddity>,
    /// Where the fields lie when it is not the block's spans that say so.
    pub(super) borders: Option<&'a Borders>,
    pub(super) input: &'a [u8],
}

impl Located<'_> {
    pub(super) fn span(&self, row: usize, file_column: usize) -> Span {
        match self.borders {
            Some(borders) => borders.span(row, file_column),
            None => self.block.spans[row * self.block.n_cols + file_column],
        }
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

    /// Appends the column's cells of all located rows; a cell that cannot be read is null and listed in `bad`.
    pub(super) fn read(&mut self, located: &Located<'_>, rules: &Rules, bad: &mut Vec<BadCell>) {
        let Column { file_column, builder } = self;
        let mut cells = Cells {
            located,
            input: located.input,
            rules,
            file_column: *file_column,
            first_row: builder.n_rows,
            nulls: &mut builder.nulls,
            bad,
        };
        match located.borders {
            Some(borders) => cells.read_plain(&mut builder.values, borders),
            None => cells.read(&mut builder.values, located.block.column(*file_column)),
        }
        builder.n_rows += located.block.n_rows();
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
    located: &'a Located<'a>,
    input: &'a [u8],
    rules: &'a Rules,
    file_column: usize,
    first_row: usize,
    nulls: &'a mut Vec<u32>,
    bad: &'a mut Vec<BadCell>,
}

impl Cells<'_> {
    fn read_plain(&mut self, values: &mut Values, borders: &Borders) {
        #[cfg(target_arch = "x86_64")]
        if self.rules.avx2.is_some() {
            #[allow(
                unsafe_code,
                reason = "`Avx2` is the proof that the processor has what the function is compiled for"
            )]
            return unsafe { self.read_by_avx2(values, borders) };
        }
        self.read(values, borders.column(self.file_column));
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn read_by_avx2(&mut self, values: &mut Values, borders: &Borders) {
        match values {
            Values::Int32(out) => self.integers_by_avx2(out, borders),
            Values::Int64(out) => self.integers_by_avx2(out, borders),
            Values::Float64(out) => self.doubles_by_avx2(out, borders),
            others => self.read(others, borders.column(self.file_column)),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn integers_by_avx2<T: TryFrom<i64> + Default + Copy>(&mut self, out: &mut Vec<T>, borders: &Borders) {
        let long = |input: &[u8], span: Span| sixteen::long(input, span.start(), span.len());
        self.integers(out, borders.column(self.file_column), long);
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn doubles_by_avx2(&mut self, out: &mut Vec<f64>, borders: &Borders) {
        let short = |input: &[u8], span: Span| sixteen::short_decimal(input, span.start(), span.len());
        self.doubles(out, borders.column(self.file_column), short);
    }

    fn read(&mut self, values: &mut Values, spans: impl ExactSizeIterator<Item = Span>) {
        let long = |input: &[u8], span: Span| {
            let (start, len) = span.in_input()?;
            parse_long_at(input, start, len)
        };
        let short = |input: &[u8], span: Span| {
            let (start, len) = span.in_input()?;
            short_decimal_at(input, start, len)
        };
        match values {
            Values::Int8(out) => self.integers(out, spans, long),
            Values::Int16(out) => self.integers(out, spans, long),
            Values::Int32(out) => self.integers(out, spans, long),
            Values::Int64(out) => self.integers(out, spans, long),
            Values::Float64(out) => self.doubles(out, spans, short),
            Values::Text { offsets, bytes, binary } => self.texts(spans, offsets, bytes, *binary),
            others => self.others(others, spans),
        }
    }

    /// Integers by `long` where it takes them, else by the slow path.
    #[inline(always)]
    fn integers<T: TryFrom<i64> + Default + Copy>(
        &mut self,
        out: &mut Vec<T>,
        spans: impl ExactSizeIterator<Item = Span>,
        long: impl Fn(&[u8], Span) -> Option<i64>,
    ) {
        let slow = |text: &[u8], _: &Rules| T::try_from(parse_long(text)?).ok();
        if !self.rules.numbers_are_numbers {
            return self.parsed(out, spans, slow);
        }
        let input = self.input;
        let n_before = out.len();
        out.resize(n_before + spans.len(), T::default());
        // A plain loop: chains of iterators are not inlined into code for more than the oldest processors.
        for (row, (value, span)) in out[n_before..].iter_mut().zip(spans).enumerate() {
            let read = long(input, span).and_then(|value| T::try_from(value).ok());
            *value = match read {
                Some(read) => read,
                None => self.cell(row, span, slow),
            };
        }
    }

    /// Doubles by `short` where it takes them, else by the slow path.
    #[inline(always)]
    fn doubles(
        &mut self,
        out: &mut Vec<f64>,
        mut spans: impl ExactSizeIterator<Item = Span>,
        short: impl Fn(&[u8], Span) -> Option<ShortDecimal>,
    ) {
        let slow = |text: &[u8], rules: &Rules| rules.special(text).or_else(|| parse_double(text));
        if !self.rules.numbers_are_numbers {
            return self.parsed(out, spans, slow);
        }
        let input = self.input;
        let n_before = out.len();
        out.resize(n_before + spans.len(), 0.0);
        let mut decimals = [ShortDecimal::ZERO; 64];
        for (chunk, values) in out[n_before..].chunks_mut(decimals.len()).enumerate() {
            let mut others = 0u64;
            for (i, (decimal, span)) in decimals.iter_mut().zip(&mut spans).enumerate() {
                *decimal = match short(input, span) {
                    Some(decimal) => decimal,
                    None => {
                        others |= 1 << i;
                        ShortDecimal::ZERO
                    }
                };
            }
            ShortDecimal::to_doubles(&decimals, values);
            while others != 0 {
                let i = others.trailing_zeros() as usize;
                others &= others - 1;
                let row = chunk * decimals.len() + i;
                values[i] = self.cell(row, self.located.span(row, self.file_column), slow);
            }
        }
    }

    /// Columns whose cells take longer than finding them.
    #[inline(never)]
    fn others(&mut self, values: &mut Values, spans: impl ExactSizeIterator<Item = Span>) {
        match values {
            Values::Float32(out) => self
                .parsed(out, spans, |text, rules| rules.special(text).map(|v| v as f32).or_else(|| parse_float(text))),
            Values::Boolean(out) => self.parsed(out, spans, |text, _| parse_boolean(text)),
            Values::Date(out) => self.parsed(out, spans, |text, rules| rules.time.days(text)),
            Values::Timestamp(out, Some(_)) => self.parsed(out, spans, |text, rules| rules.time.micros(text)),
            Values::Timestamp(out, None) => self.parsed(out, spans, |text, rules| rules.time.micros_ntz(text)),
            Values::Decimal(out, precision, scale) => {
                let (precision, scale) = (*precision, *scale);
                self.parsed(out, spans, move |text, _| parse_decimal(text, precision, scale));
            }
            _ => unreachable!("numbers and texts have their own loops, nested types were refused"),
        }
    }

    fn parsed<T: Default + Copy>(
        &mut self,
        out: &mut Vec<T>,
        spans: impl ExactSizeIterator<Item = Span>,
        slow: impl Fn(&[u8], &Rules) -> Option<T> + Copy,
    ) {
        out.extend(spans.enumerate().map(|(row, span)| self.cell(row, span, slow)));
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

    #[inline(never)]
    fn cell<T: Default>(&mut self, row: usize, span: Span, slow: impl Fn(&[u8], &Rules) -> Option<T>) -> T {
        match self.rules.token(span, self.located.block, self.input) {
            None => self.no_value(row, false),
            Some(text) => match slow(text, self.rules) {
                Some(value) => value,
                None => self.no_value(row, true),
            },
        }
    }

    #[inline(never)]
    fn texts(
        &mut self,
        spans: impl ExactSizeIterator<Item = Span>,
        offsets: &mut Vec<i32>,
        bytes: &mut Vec<u8>,
        binary: bool,
    ) {
        let (input, null_value) = (self.input, &self.rules.null_value[..]);
        let is_copied = binary || !self.rules.latin1;
        let mut staged = Staged { text: [0; STAGED_BYTES], n: 0 };
        let n_before = offsets.len();
        offsets.resize(n_before + spans.len(), 0);
        for (row, (offset, span)) in offsets[n_before..].iter_mut().zip(spans).enumerate() {
            let is_staged = is_copied && span.len() != null_value.len() && staged.push(input, span);
            if !is_staged {
                staged.append_to(bytes);
                self.text(row, span, bytes, is_copied);
            }
            // An offset beyond 31 bits is found when the column is finished.
            *offset = (bytes.len() + staged.n) as i32;
        }
        staged.append_to(bytes);
    }

    #[inline(never)]
    fn text(&mut self, row: usize, span: Span, bytes: &mut Vec<u8>, is_copied: bool) {
        match self.rules.token(span, self.located.block, self.input) {
            None => self.nulls.push((self.first_row + row) as u32),
            Some(text) if is_copied || text.is_ascii() => bytes.extend_from_slice(text),
            Some(text) => bytes.extend_from_slice(self.rules.decode(text).as_bytes()),
        }
    }
}

/// Text that is taken to be short is copied with this many bytes, however short it is.
const SHORT_TEXT_BYTES: usize = 32;

/// How much short text is collected before it is appended to a column.
const STAGED_BYTES: usize = 4096;

/// Short texts, one behind the other: copying a fixed number of bytes is cheaper than calling for a copy of some.
struct Staged {
    text: [u8; STAGED_BYTES],
    n: usize,
}

impl Staged {
    /// Whether the text of the field was copied: not when it has none in the input, is long, or finds no room.
    #[inline(always)]
    fn push(&mut self, input: &[u8], span: Span) -> bool {
        let source = input.get(span.start()..).and_then(|rest| rest.first_chunk::<SHORT_TEXT_BYTES>());
        let target = self.text.get_mut(self.n..).and_then(|rest| rest.first_chunk_mut::<SHORT_TEXT_BYTES>());
        match (source, target) {
            (Some(source), Some(target)) if span.len().wrapping_sub(1) < SHORT_TEXT_BYTES => {
                *target = *source;
                self.n += span.len();
                true
            }
            _ => false,
        }
    }

    fn append_to(&mut self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.text[..self.n]);
        self.n = 0;
    }
}
