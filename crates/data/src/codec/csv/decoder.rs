//! Bytes of a CSV file in, Arrow columns out.

use std::ops::Range;

use arrow_schema::{FieldRef, SchemaRef};

use super::column::{Column, Located, Rules};
use super::options::CsvOptions;
use super::plain::{Borders, PlainScanner, Task};
use super::scan::{Records, Scanner};
use super::tokenizer::{Ended, Oddity, Tokenizer};
use crate::codec::batch::{Layout, Rows};
use crate::codec::cpu::Avx2;
use crate::codec::error::DecodeError;
use crate::codec::field::{BadCell, Block, CAPACITY, Record, Span};
use crate::codec::lines::{detect_line_end, find_line, line_ends_in};
use crate::codec::mode::{Decoded, RowMode};
use crate::codec::window::{Input, State, Stop, WindowDecoder};
use crate::codec::{RecordDecoder, RowDecoder};
use crate::schema::type_name;

/// How much of a bad field a message shows.
const SHOWN_CHARS: usize = 60;

/// Decodes pushed bytes of one CSV file or payload; see [`RowDecoder`] for the order of calls.
///
/// Same as Spark 3.5 and 4.3: what is a line, a field, a null, a number and a malformed record. Differs from Spark:
/// - a record with more than `maxColumns` fields, a field longer than `maxCharsPerColumn` and RAISE_ERROR make a
///   malformed record, not a failed job;
/// - text after a closing quote, which no writer of CSV makes, may be divided otherwise where the separator has several
///   characters, where `multiLine` meets `lineSep`, and under SKIP_VALUE and BACK_TO_DELIMITER.
///
/// ```
/// use std::sync::Arc;
/// use arrow_schema::{DataType, Field, Schema};
/// use ognivo_data::codec::{RowDecoder, csv::{CsvDecoder, CsvOptions}};
///
/// let schema = Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)]);
/// let options = CsvOptions::parse([("header", "true")]).unwrap();
/// let mut decoder = CsvDecoder::new(Arc::new(schema), &options, None, 1024).unwrap();
/// decoder.push(b"a,b\n1,x\n2,").unwrap();
/// decoder.finish().unwrap();
/// let decoded = decoder.take().unwrap().unwrap();
/// assert_eq!(decoded.rows.num_rows(), 2);
/// assert_eq!(decoded.rows.column(1).null_count(), 1);
/// ```
#[derive(Debug)]
pub struct CsvDecoder {
    rules: Rules,
    format: Format,
    input: Input,
    rows: Rows,
    /// The columns wanted, in the order of the file, and the place of each in the output.
    columns: Vec<(usize, Column)>,
    /// The columns of the file, for messages and the header check.
    file_fields: Vec<FieldRef>,
    skip_header: bool,
    check_header: bool,
    /// A record with another number of fields than the schema is malformed.
    check_field_count: bool,
    max_columns: usize,
    block: Block<Oddity>,
    /// The fields of the block when its rows are plain lines; else they are its spans.
    borders: Borders,
    is_plain: bool,
    fields: Vec<Span>,
    bad: Vec<BadCell>,
}

/// How the input is cut into records.
#[derive(Debug)]
enum Format {
    /// One line, one record.
    Lines {
        records: Records,
        scanner: Scanner,
        tokenizer: Tokenizer,
        /// `None` for LF, CR and CRLF.
        line_sep: Option<Vec<u8>>,
        /// The scanner knows separator and line end, so that only lines with quotes need the tokenizer.
        simple: bool,
        /// For lines without any quote, as long as there are some.
        plain: Option<PlainScanner>,
    },
    /// Records may span lines; the line end is found out from the beginning of the file.
    MultiLine { tokenizer: Tokenizer, line_end: Option<[u8; 2]> },
}

impl Format {
    fn new(options: &CsvOptions, n_columns: usize) -> Self {
        let tokenizer = Tokenizer::new(options);
        let line_sep = options.line_sep.clone().map(String::into_bytes);
        if options.multi_line {
            let line_end = line_sep.map(|sep| [sep[0], sep.get(1).copied().unwrap_or(0)]);
            return Format::MultiLine { tokenizer, line_end };
        }
        let scanner = Scanner::new(options);
        let simple = options.sep.len() == 1
            && line_sep.as_deref().is_none_or(|sep| sep == b"\n")
            && options.max_chars_per_column.is_none()
            && n_columns <= options.max_columns;
        let plain = PlainScanner::new(options, Avx2::detect()).filter(|_| simple);
        Format::Lines { records: Records::new(options), scanner, tokenizer, line_sep, simple, plain }
    }
}

impl CsvDecoder {
    /// A decoder for a whole file whose columns are those of `schema`, in this order.
    ///
    /// A string column named as `columnNameOfCorruptRecord` is not a column of the file; it gets the text of malformed
    /// records. `projection` lists the columns wanted, by position in `schema`, and their order in the output; the
    /// others are not read, and a mistake in them is not seen (as in Spark, where a reader of fewer columns does not
    /// notice a wrong number of fields either; mode Reject does). The output is nullable throughout. A batch holds
    /// `batch_rows` rows at most, or a few more at the end of the file.
    ///
    /// # Errors
    /// A column of a type that text cannot be read as; a corrupt-record column that is not a string.
    pub fn new(
        schema: SchemaRef,
        options: &CsvOptions,
        projection: Option<&[usize]>,
        batch_rows: usize,
    ) -> Result<Self, DecodeError> {
        let layout = Layout::new(&schema, &options.column_name_of_corrupt_record, projection)?;
        let columns = layout
            .wanted
            .iter()
            .map(|(place, file_column)| Ok((*place, Column::new(*file_column, &layout.file_fields[*file_column])?)));
        let n_columns = layout.file_fields.len();
        Ok(CsvDecoder {
            rules: Rules::new(options),
            format: Format::new(options, n_columns),
            input: Input::new(),
            rows: Rows::new("CSV", options.mode, batch_rows, &layout),
            columns: columns.collect::<Result<_, DecodeError>>()?,
            skip_header: options.header,
            check_header: options.header && !options.enforce_schema,
            check_field_count: layout.all_wanted || layout.has_corrupt_column() || options.mode == RowMode::Reject,
            max_columns: options.max_columns,
            block: Block::new(n_columns),
            borders: Borders::default(),
            is_plain: false,
            fields: Vec::new(),
            bad: Vec::new(),
            file_fields: layout.file_fields,
        })
    }

    /// Decodes only the records of the byte range `[start, end)` of a file, as Spark's splits do: every record belongs
    /// to exactly one of the ranges that a file is cut into.
    ///
    /// The first byte pushed is the one at `start`. The line on which a range begins belongs to the range before,
    /// unless `start` is 0; only there a header is skipped. Push past `end` until [`RowDecoder::is_done`]: the last
    /// record of the range goes on there. Malformed records count their lines from `start`.
    ///
    /// # Panics
    /// When `start` is not 0 and the options say `multiLine`: such a file cannot be cut.
    pub fn with_range(mut self, start: u64, end: u64) -> Self {
        match &self.format {
            Format::Lines { line_sep, .. } => self.input.set_range(start, end, line_sep.as_deref()),
            Format::MultiLine { .. } => {
                assert_eq!(start, 0, "a file of records over several lines is decoded from its beginning");
            }
        }
        self.skip_header &= start == 0;
        self
    }

    /// Keeps the span of every row, so that its raw bytes can be found later.
    pub fn with_spans(mut self) -> Self {
        self.rows.keep_spans = true;
        self
    }

    /// The schema of the rows.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.rows.output
    }

    /// Fills the block with the fields of up to `wanted` plain lines from `at` on; `None` when the first is not plain.
    fn locate_plain(&mut self, window: &[u8], at: usize, last_start: usize, wanted: usize) -> Option<(usize, Stop)> {
        let Self { format, block, borders, input: Input { count, .. }, .. } = self;
        let Format::Lines { plain: Some(scanner), .. } = format else { return None };
        let task = Task { input: window, from: at, last_start, max_rows: wanted, block, borders, count };
        let (next, stop) = scanner.scan(task);
        match stop {
            Stop::Quoted if next == at => None,
            // The lines before a quoted one are a block; the next block begins with that line.
            Stop::Quoted => Some((next, Stop::Full)),
            _ => Some((next, stop)),
        }
    }

    /// Fills the block with the fields of up to `wanted` records from `at` on; says where it ended and why.
    fn locate(
        &mut self,
        window: &[u8],
        mut at: usize,
        last_start: usize,
        wanted: usize,
        at_eof: bool,
    ) -> (usize, Stop) {
        let Self { format, block, fields, input: Input { count, .. }, .. } = self;
        match format {
            Format::Lines { scanner, records, tokenizer, line_sep, simple, .. } => loop {
                if *simple {
                    let (next, stop) = scanner.scan(window, at, last_start, wanted, block, count);
                    at = next;
                    if stop != Stop::Quoted {
                        return (at, stop);
                    }
                }
                if at > last_start {
                    return (at, Stop::BeyondEnd);
                }
                let Some((end, next)) = find_line(window, at, line_sep.as_deref()) else {
                    return (at, Stop::NeedMore);
                };
                if records.is_one(&window[at..end]) {
                    let record = Record { start: at as u32, len: (end - at) as u32, line: count.line };
                    let ended = tokenizer.line(&window[at..end], at, fields, &mut block.scratch);
                    add_row(block, record, fields, ended);
                }
                match line_sep {
                    None => count.line_end(window, at, end),
                    Some(_) => count.line += 1,
                }
                at = next;
                if block.n_rows() >= wanted {
                    return (at, Stop::Full);
                }
            },
            Format::MultiLine { tokenizer, line_end } => loop {
                if line_end.is_none() {
                    *line_end = detect_line_end(window, at_eof);
                }
                let Some(line_end) = *line_end else { return (at, Stop::NeedMore) };
                let (start, ended) = tokenizer.record(window, at, line_end, at_eof, fields, &mut block.scratch);
                count.line += line_ends_in(&window[at..start], line_end);
                let (next, end, ended) = match ended {
                    Ended::Nothing | Ended::NeedMore => return (start, Stop::NeedMore),
                    Ended::Record { next, end } => (next, end, Ok(())),
                    Ended::Odd { next, end, oddity } => (next, end, Err(oddity)),
                };
                let record = Record { start: start as u32, len: (end - start) as u32, line: count.line };
                add_row(block, record, fields, ended);
                count.line += line_ends_in(&window[start..next], line_end);
                at = next;
                if block.n_rows() >= wanted {
                    return (at, Stop::Full);
                }
            },
        }
    }

    /// Compares the header, the only row of the block, with the schema when `enforceSchema` is off.
    fn compare_header(&self, window: &[u8]) -> Result<(), DecodeError> {
        if !self.check_header {
            return Ok(());
        }
        let n_found = match self.block.odd.first() {
            Some((_, Oddity::FieldCount(n))) => *n,
            Some(_) => 0,
            None => self.block.n_cols,
        };
        for (index, field) in self.file_fields.iter().enumerate() {
            let expected = field.name();
            let found = match index < n_found {
                true => self.rules.text(self.block.spans[index], &self.block, window),
                false => String::new(),
            };
            if !found.eq_ignore_ascii_case(expected) || index >= n_found {
                return Err(DecodeError::Header { index, expected: expected.clone(), found });
            }
        }
        match n_found > self.block.n_cols {
            true => Err(DecodeError::Header {
                index: self.block.n_cols,
                expected: String::new(),
                found: format!("{} columns", n_found),
            }),
            false => Ok(()),
        }
    }

    /// Reads the columns of the rows in the block, and deals with those that are malformed.
    fn read_block(&mut self, window: &[u8], position: u64) -> Result<(), DecodeError> {
        self.bad.clear();
        let borders = self.is_plain.then_some(&self.borders);
        let located = Located { block: &self.block, borders, input: window };
        for (_, column) in &mut self.columns {
            column.read(&located, &self.rules, &mut self.bad);
        }
        let mut faults = self.faults();
        faults.sort_by_key(|(row, _)| *row);
        faults.dedup_by_key(|(row, _)| *row);
        let Self { rows, rules, block, borders, is_plain, file_fields, .. } = self;
        let located = Located { block, borders: is_plain.then_some(borders), input: window };
        for (row, fault) in faults {
            let record = block.records[row as usize];
            let text = |raw: &[u8]| rules.decode(raw);
            let describe = || describe(fault, file_fields, rules, &located);
            rows.malformed(row, record, window, position, text, describe)?;
        }
        rows.add(&block.records, position);
        Ok(())
    }

    /// What is wrong with the rows of the block; of one row, what comes first is the cause.
    fn faults(&mut self) -> Vec<(u32, Fault)> {
        if self.bad.is_empty() && self.block.odd.is_empty() {
            return Vec::new();
        }
        self.bad.sort_unstable();
        let check_field_count = self.check_field_count;
        let max_columns = self.max_columns;
        let odd = self.block.odd.iter().filter(|(_, oddity)| match oddity {
            Oddity::FieldCount(n) => check_field_count || *n > max_columns,
            _ => true,
        });
        let odd = odd.map(|(row, oddity)| (*row, Fault::Record(*oddity)));
        odd.chain(self.bad.iter().map(|cell| (cell.row, Fault::Cell(*cell)))).collect()
    }
}

impl WindowDecoder for CsvDecoder {
    fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    fn batch_is_full(&self) -> bool {
        self.rows.is_full()
    }

    fn decode(&mut self, window: &[u8], position: u64, at_eof: bool) -> Result<usize, DecodeError> {
        let line_sep = match &self.format {
            Format::Lines { line_sep, .. } => line_sep.as_deref(),
            Format::MultiLine { .. } => None,
        };
        let mut at = match self.input.first_record(window, line_sep, at_eof) {
            Ok(at) => at,
            Err(done) => return Ok(done),
        };
        while self.input.state == State::Records && (at_eof || !self.rows.is_full()) {
            let Some(last_start) = self.input.last_start_in_window(position, at) else {
                self.input.state = State::Done;
                break;
            };
            let wanted = match (self.skip_header, at_eof) {
                (true, _) => 1,
                (false, true) => CAPACITY,
                (false, false) => self.rows.n_free().min(CAPACITY),
            };
            self.block.clear();
            // The header is compared by its spans.
            let plain = match self.skip_header {
                true => None,
                false => self.locate_plain(window, at, last_start, wanted),
            };
            self.is_plain = plain.is_some();
            let (next, stop) = plain.unwrap_or_else(|| self.locate(window, at, last_start, wanted, at_eof));
            at = next;
            if self.block.n_rows() > 0 {
                match std::mem::take(&mut self.skip_header) {
                    true => self.compare_header(window)?,
                    false => self.read_block(window, position)?,
                }
            }
            match stop {
                Stop::Full => {}
                Stop::NeedMore => break,
                Stop::BeyondEnd => self.input.state = State::Done,
                Stop::Quoted => unreachable!("quoted lines are taken apart before a block is handed over"),
            }
        }
        if at > 0 {
            self.input.count.after_cr = window[at - 1] == b'\r';
        }
        Ok(at)
    }
}

impl CsvDecoder {
    /// What has been decoded since the last call.
    fn finish_batch(&mut self) -> Result<Decoded, DecodeError> {
        let columns = self.columns.iter_mut().map(|(place, column)| Ok((*place, column.finish()?)));
        let columns = columns.collect::<Result<Vec<_>, DecodeError>>()?;
        Ok(self.rows.finish(columns))
    }
}

impl RecordDecoder for CsvDecoder {
    /// A record is one line whatever is in it; there is no header.
    fn decode_records(&mut self, bytes: &[u8], records: &[Option<Range<usize>>]) -> Result<Decoded, DecodeError> {
        self.is_plain = false;
        for (chunk_idx, chunk) in records.chunks(CAPACITY).enumerate() {
            let Self { format, block, fields, .. } = self;
            let (Format::Lines { tokenizer, .. } | Format::MultiLine { tokenizer, .. }) = format;
            block.clear();
            for (idx, range) in chunk.iter().enumerate() {
                let line = (chunk_idx * CAPACITY + idx) as u64;
                let Range { start, end } = range.clone().unwrap_or(0..0);
                let record = Record { start: start as u32, len: (end - start) as u32, line };
                if range.is_none() {
                    block.open_row().fill(Span::NULL);
                    block.end_row(record);
                } else {
                    let ended = tokenizer.line(&bytes[start..end], start, fields, &mut block.scratch);
                    add_row(block, record, fields, ended);
                }
            }
            self.read_block(bytes, 0)?;
        }
        self.finish_batch()
    }
}

impl RowDecoder for CsvDecoder {
    fn push(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        self.push_bytes(bytes)
    }

    fn finish(&mut self) -> Result<(), DecodeError> {
        let line_end = match &self.format {
            Format::Lines { line_sep, .. } => line_sep.clone().unwrap_or_else(|| b"\n".to_vec()),
            Format::MultiLine { .. } => Vec::new(),
        };
        self.finish_bytes(&line_end)
    }

    fn is_full(&self) -> bool {
        self.rows.is_full()
    }

    fn is_done(&self) -> bool {
        self.input.state == State::Done
    }

    fn take(&mut self) -> Result<Option<Decoded>, DecodeError> {
        if self.rows.n_rows == 0 { Ok(None) } else { self.finish_batch().map(Some) }
    }
}

/// Why a row is malformed.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Record(Oddity),
    Cell(BadCell),
}

/// The column and the sentence for a fault.
fn describe(fault: Fault, file_fields: &[FieldRef], rules: &Rules, located: &Located<'_>) -> (Option<String>, String) {
    match fault {
        Fault::Cell(cell) => {
            let column = cell.file_column as usize;
            let field = &file_fields[column];
            let text = rules.text(located.span(cell.row as usize, column), located.block, located.input);
            let shown: String = text.chars().take(SHOWN_CHARS).collect();
            let more = if shown.len() < text.len() { "…" } else { "" };
            (Some(field.name().clone()), format!("not a {}: {shown}{more}", type_name(field.data_type())))
        }
        Fault::Record(oddity) => (
            None,
            match oddity {
                Oddity::FieldCount(n) => format!("expected {} fields, found: {n}", located.block.n_cols),
                Oddity::TooManyColumns => "more fields than maxColumns".to_owned(),
                Oddity::FieldTooLong => "a field is longer than maxCharsPerColumn".to_owned(),
                Oddity::UnescapedQuote => "text after a closing quote".to_owned(),
                Oddity::NoFields => "no fields".to_owned(),
            },
        ),
    }
}

/// Adds a record that the tokenizer took apart to the block.
fn add_row(block: &mut Block<Oddity>, record: Record, fields: &[Span], ended: Result<(), Oddity>) {
    if let Err(oddity) = ended {
        return block.end_odd_row(record, oddity);
    }
    let n_written = fields.len().min(block.n_cols);
    let row = block.open_row();
    row[..n_written].copy_from_slice(&fields[..n_written]);
    row[n_written..].fill(Span::NULL);
    if fields.len() != block.n_cols {
        block.note(Oddity::FieldCount(fields.len()));
    }
    block.end_row(record);
}
