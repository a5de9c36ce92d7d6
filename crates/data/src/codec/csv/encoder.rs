//! Arrow columns in, bytes of a CSV file out.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::options::CsvOptions;
use crate::codec::cell::{Cells, TimeText};
use crate::codec::error::EncodeError;
use crate::codec::json::JsonCells;

/// The comment character that univocity's writer goes by when none is given.
const DEFAULT_COMMENT: u8 = b'#';

/// Encodes rows as Spark's CSV writer does.
///
/// A field is quoted when the separator, a line end or (`escapeQuotes`) a quote is in it, when it begins with a quote
/// or a line with the comment character, or by `quoteAll`; blanks around it go unless the two `ignore…WhiteSpace` are
/// off; null is `nullValue`, an empty string is `emptyValue`, by default `""`. Doubles have the shortest text that
/// reads back to the same double, in Java's form: `1.0`, `1.0E-5`, `NaN`, `Infinity`.
///
/// Differs from Spark: vectors, structs, lists and maps, which it refuses, are their JSON text; of a single column a
/// null is written as an empty string, where Spark loses the row.
#[derive(Debug)]
pub struct CsvEncoder {
    rules: FieldRules,
    header: bool,
    line_sep: Vec<u8>,
    null_value: Vec<u8>,
    empty_value: Vec<u8>,
    time: Arc<TimeText>,
}

impl CsvEncoder {
    /// An encoder with these options; `header` says whether [`Self::header`] writes anything.
    pub fn new(options: &CsvOptions) -> Self {
        let byte = |c: Option<char>| c.map_or(0, |c| c as u8);
        let line_sep = options.line_sep.as_deref().unwrap_or("\n").as_bytes().to_vec();
        CsvEncoder {
            rules: FieldRules {
                sep: options.sep.clone().into_bytes(),
                quote: byte(options.quote),
                escape: byte(options.escape),
                escape_escape: byte(options.escape_escape()),
                comment: options.comment.map_or(DEFAULT_COMMENT, |c| c as u8),
                line_sep: line_sep.clone(),
                quote_all: options.quote_all,
                escape_quotes: options.escape_quotes,
                trim_leading: options.ignore_leading_white_space.unwrap_or(true),
                trim_trailing: options.ignore_trailing_white_space.unwrap_or(true),
            },
            header: options.header,
            line_sep,
            null_value: options.null_value.clone().into_bytes(),
            empty_value: options.empty_value.as_deref().unwrap_or("\"\"").as_bytes().to_vec(),
            time: Arc::new(TimeText::new(
                options.date_format.as_ref(),
                options.timestamp_format.as_ref(),
                options.timestamp_ntz_format.as_ref(),
                options.time_zone,
            )),
        }
    }

    /// Checks that every column of `schema` can be written.
    ///
    /// # Errors
    /// The first column of a type that Spark does not have.
    pub fn check(&self, schema: &Schema) -> Result<(), EncodeError> {
        let empty = RecordBatch::new_empty(Arc::new(schema.clone()));
        self.columns(&empty).map(drop)
    }

    /// Appends the header line when `header` is set, else nothing; the first thing in a file.
    pub fn header(&self, schema: &Schema, out: &mut Vec<u8>) {
        if !self.header {
            return;
        }
        for (index, field) in schema.fields().iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.rules.sep);
            }
            let name = field.name().as_bytes();
            match name.is_empty() {
                true => self.rules.write(&self.empty_value, Kind::Empty, index, &self.empty_value, out),
                false => self.rules.write(name, Kind::Text, index, &self.empty_value, out),
            }
        }
        out.extend_from_slice(&self.line_sep);
    }

    /// Appends a line for each row.
    ///
    /// # Errors
    /// A column of a type that Spark does not have; nothing is appended then.
    pub fn encode(&self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let columns = self.columns(rows)?;
        let mut text = Vec::new();
        for row in 0..rows.num_rows() {
            self.row(&columns, row, &mut text, out);
            out.extend_from_slice(&self.line_sep);
        }
        Ok(())
    }

    /// Appends one row without a line end, for a message that holds one row.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_row(&self, rows: &RecordBatch, row_idx: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.row(&self.columns(rows)?, row_idx, &mut Vec::new(), out);
        Ok(())
    }

    fn columns<'a>(&self, rows: &'a RecordBatch) -> Result<Vec<Column<'a>>, EncodeError> {
        let schema = rows.schema_ref();
        let columns = schema.fields().iter().zip(rows.columns()).map(|(field, array)| {
            let cells = Cells::new("CSV", field.name(), array)?;
            Ok(match cells.is_nested() {
                true => Column::Nested(JsonCells::new(cells, Arc::clone(&self.time))),
                false => Column::Plain(cells),
            })
        });
        columns.collect()
    }

    fn row(&self, columns: &[Column<'_>], row: usize, text: &mut Vec<u8>, out: &mut Vec<u8>) {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.rules.sep);
            }
            if column.is_null(row) {
                // A line of nothing is no row when it is read back.
                match columns.len() == 1 && self.null_value.is_empty() {
                    true => self.rules.write(&self.empty_value, Kind::Empty, index, &self.empty_value, out),
                    false => self.rules.write(&self.null_value, Kind::Empty, index, &self.empty_value, out),
                }
                continue;
            }
            text.clear();
            match column {
                Column::Plain(cells) => cells.write_plain(row, &self.time, text),
                Column::Nested(cells) => cells.write(row, text),
            }
            match text.is_empty() {
                true => self.rules.write(&self.empty_value, Kind::Empty, index, &self.empty_value, out),
                false => self.rules.write(text, Kind::Text, index, &self.empty_value, out),
            }
        }
    }
}

/// A column of a batch being written.
enum Column<'a> {
    Plain(Cells<'a>),
    Nested(JsonCells<'a>),
}

impl Column<'_> {
    fn is_null(&self, row: usize) -> bool {
        match self {
            Column::Plain(cells) => cells.is_null(row),
            Column::Nested(cells) => cells.is_null(row),
        }
    }
}

/// When and how a field is quoted.
#[derive(Debug)]
struct FieldRules {
    sep: Vec<u8>,
    quote: u8,
    escape: u8,
    escape_escape: u8,
    comment: u8,
    line_sep: Vec<u8>,
    quote_all: bool,
    escape_quotes: bool,
    trim_leading: bool,
    trim_trailing: bool,
}

/// What a field's text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// The text of a null or of an empty string.
    Empty,
}

impl FieldRules {
    fn write(&self, text: &[u8], kind: Kind, index: usize, empty_value: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        let leading = text.iter().take_while(|b| self.trim_leading && **b <= b' ').count();
        let trimmed = &text[leading..];
        let quoted = self.quote_all
            || trimmed.first() == Some(&self.quote)
            || (index == 0 && !trimmed.is_empty() && text[0] == self.comment)
            || self.needs_quotes(trimmed);
        match quoted {
            true if kind == Kind::Empty && is_quoted_already(text, self.quote) => out.extend_from_slice(text),
            true => {
                out.push(self.quote);
                let start = out.len();
                self.write_escaped(trimmed, out);
                self.trim_end(start, out);
                out.push(self.quote);
            }
            false => {
                out.extend_from_slice(trimmed);
                self.trim_end(before, out);
            }
        }
        if out.len() == before && kind == Kind::Text {
            // There were only blanks.
            self.write(empty_value, Kind::Empty, index, empty_value, out);
        }
    }

    fn needs_quotes(&self, text: &[u8]) -> bool {
        let by_byte = |byte: u8| {
            matches!(byte, b'\n' | b'\r')
                || (self.escape_quotes && byte == self.quote)
                || (self.sep.len() == 1 && byte == self.sep[0])
        };
        text.iter().any(|byte| by_byte(*byte))
            || (self.sep.len() > 1 && memchr::memmem::find(text, &self.sep).is_some())
    }

    fn write_escaped(&self, text: &[u8], out: &mut Vec<u8>) {
        for byte in text {
            if *byte == self.quote {
                out.push(self.escape);
            } else if *byte == self.escape && self.escape_escape != 0 {
                out.push(self.escape_escape);
            }
            match byte {
                b'\n' => out.extend_from_slice(&self.line_sep),
                other => out.push(*other),
            }
        }
    }

    fn trim_end(&self, start: usize, out: &mut Vec<u8>) {
        while self.trim_trailing && out.len() > start && out[out.len() - 1] <= b' ' {
            out.pop();
        }
    }
}

fn is_quoted_already(text: &[u8], quote: u8) -> bool {
    text.len() >= 2 && text[0] == quote && text[text.len() - 1] == quote
}
