//! Bytes of a CSV file in, Arrow columns out.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;

use super::column::{BadCell, Column, Rules};
use super::field::{Block, Oddity, Record, Span};
use super::lines::{BYTE_ORDER_MARK, detect_line_end, find_line, line_ends_in};
use super::options::CsvOptions;
use super::scan::{LineCount, Scanner, Stop};
use super::tokenizer::{Ended, Tokenizer};
use crate::codec::RowDecoder;
use crate::codec::error::DecodeError;
use crate::codec::mode::{Decoded, Malformed, RecordSpan, RowMode};
use crate::schema::type_name;

/// Longest record that is held in memory while its end has not come.
const RECORD_LIMIT_BYTES: usize = 256 << 20;

/// Bytes that are decoded in one go: positions within them fit 30 bits.
const WINDOW_LIMIT_BYTES: usize = 256 << 20;

/// How much is added to a carried-over beginning of a record at once.
const CARRY_PIECE_BYTES: usize = 64 << 10;

/// How much of a bad field a message shows.
const SHOWN_CHARS: usize = 60;

/// Decodes pushed bytes of one CSV file or payload; see [`RowDecoder`] for the order of calls.
///
/// Same as Spark 3.5 and 4.3: what is a line, a field, a null, a number and a malformed record. Differs from Spark:
/// a record with too many columns, a field that is too long and RAISE_ERROR make a malformed record, not a failed job;
/// the line ends of a multi-line file are told from its first 64 KiB at most, as far as they were pushed at once.
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
    mode: RowMode,
    batch_rows: usize,
    output: SchemaRef,
    /// Columns of the output in the order of the file, and where each goes in the output.
    columns: Vec<(usize, Column)>,
    corrupt: Option<CorruptColumn>,
    /// Names of the file's columns, for messages and the header check.
    file_columns: Vec<(String, DataType)>,
    check_header: bool,
    /// A record with another number of fields than the schema is malformed.
    check_field_count: bool,
    max_columns: usize,
    keep_spans: bool,
    input: Input,
    batch: Batch,
    block: Block,
    fields: Vec<Span>,
    bad: Vec<BadCell>,
}

/// How the input is cut into records.
#[derive(Debug)]
enum Format {
    /// One line, one record.
    Lines {
        scanner: Scanner,
        tokenizer: Tokenizer,
        /// `None` for LF, CR and CRLF.
        line_sep: Option<Vec<u8>>,
        /// The scanner knows separator and line end, so that only lines with quotes need the tokenizer.
        plain: bool,
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
        let plain = options.sep.len() == 1
            && line_sep.as_deref().is_none_or(|sep| sep == b"\n")
            && options.max_chars_per_column.is_none()
            && n_columns <= options.max_columns;
        Format::Lines { scanner, tokenizer, line_sep, plain }
    }
}

/// What has come of the input and what is to come.
#[derive(Debug)]
struct Input {
    /// Position of the next byte that will be pushed, in the file.
    position: u64,
    /// The beginning of a record whose end has not come, or the beginning of a byte order mark.
    carry: Vec<u8>,
    /// A carry shorter than this was found to be incomplete.
    retry_at: usize,
    /// Position of the last byte at which a record of this range may begin.
    last_start: u64,
    count: LineCount,
    state: State,
    skip_header: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the first byte of the file, where a byte order mark may stand.
    Start,
    /// Within the line that belongs to the range before.
    PartialLine,
    Records,
    Done,
}

/// Rows that were decoded and not yet taken.
#[derive(Debug, Default)]
struct Batch {
    n_rows: usize,
    /// Rows that are decoded but not kept.
    left_out: Vec<u32>,
    spans: Vec<RecordSpan>,
    malformed: Vec<Malformed>,
    n_malformed: usize,
    n_dropped: usize,
}

/// The output column that gets the text of malformed records.
#[derive(Debug)]
struct CorruptColumn {
    output: usize,
    rows: Vec<(u32, String)>,
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
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let corrupt_idx = corrupt_column(&schema, options)?;
        let file_positions: Vec<usize> = all.iter().copied().filter(|i| Some(*i) != corrupt_idx).collect();

        let mut columns = Vec::new();
        let mut corrupt = None;
        let mut output = Vec::new();
        for (place, index) in projection.iter().enumerate() {
            let field =
                schema.fields().get(*index).ok_or(DecodeError::Projection { index: *index, n_columns: all.len() })?;
            output.push(Arc::new(Field::clone(field).with_nullable(true)));
            match file_positions.iter().position(|i| i == index) {
                Some(file_column) => columns.push((place, Column::new(file_column, field)?)),
                None => corrupt = Some(CorruptColumn { output: place, rows: Vec::new() }),
            }
        }
        columns.sort_by_key(|(_, column)| column.file_column);
        let all_wanted = file_positions.iter().all(|i| projection.contains(i));
        Ok(CsvDecoder {
            rules: Rules::new(options),
            format: Format::new(options, file_positions.len()),
            mode: options.mode,
            batch_rows: batch_rows.max(1),
            output: Arc::new(Schema::new_with_metadata(output, schema.metadata().clone())),
            columns,
            check_field_count: all_wanted || corrupt.is_some() || options.mode == RowMode::Reject,
            corrupt,
            check_header: options.header && !options.enforce_schema,
            file_columns: file_positions
                .iter()
                .map(|i| (schema.field(*i).name().clone(), schema.field(*i).data_type().clone()))
                .collect(),
            max_columns: options.max_columns,
            keep_spans: false,
            input: Input {
                position: 0,
                carry: Vec::new(),
                retry_at: 0,
                last_start: u64::MAX,
                count: LineCount { line: 1, after_cr: false },
                state: State::Start,
                skip_header: options.header,
            },
            batch: Batch::default(),
            block: Block::new(file_positions.len()),
            fields: Vec::new(),
            bad: Vec::new(),
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
        assert!(
            start == 0 || !matches!(self.format, Format::MultiLine { .. }),
            "a file of records over several lines is decoded from its beginning"
        );
        self.input.position = start;
        if let Format::Lines { line_sep, .. } = &self.format {
            // The range after this one may begin within a line end; it cannot see that a record begins behind it.
            let straddling = line_sep.as_ref().map_or(0, |sep| sep.len() as u64 - 1);
            self.input.last_start = end + straddling;
        }
        if start > 0 {
            self.input.state = State::PartialLine;
            self.input.skip_header = false;
        }
        self
    }

    /// Keeps the span of every row, so that its raw bytes can be found later.
    pub fn with_spans(mut self) -> Self {
        self.keep_spans = true;
        self
    }

    /// The schema of the rows.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    /// Decodes records of `window`, whose first byte is at `position` in the file, until the batch is full.
    ///
    /// Gives how many bytes are done with. With `at_eof` the window is all there is, and the batch may grow beyond.
    fn decode(&mut self, window: &[u8], position: u64, at_eof: bool) -> Result<usize, DecodeError> {
        let mut at = 0;
        if self.input.state == State::Start {
            if window.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(window) && !at_eof {
                return Ok(0);
            }
            if window.starts_with(&BYTE_ORDER_MARK) {
                at = BYTE_ORDER_MARK.len();
                // The first record begins at the mark, as far as ranges go.
                self.input.last_start = self.input.last_start.max(at as u64);
            }
            self.input.state = State::Records;
        }
        if self.input.state == State::PartialLine {
            let Format::Lines { line_sep, .. } = &self.format else {
                unreachable!("a range of a multi-line file begins at 0");
            };
            match find_line(window, at, line_sep.as_deref()) {
                Some((_, next)) => {
                    at = next;
                    self.input.count.line += 1;
                    self.input.state = State::Records;
                }
                // The last byte may be half a line end.
                None if line_sep.as_ref().is_some_and(|sep| sep.len() > 1) => return Ok(window.len() - 1),
                None => return Ok(window.len()),
            }
        }
        while self.input.state == State::Records && (at_eof || !self.is_full()) {
            let last_start = self.input.last_start.saturating_sub(position);
            if position + at as u64 > self.input.last_start {
                self.input.state = State::Done;
                break;
            }
            let wanted = match (self.input.skip_header, at_eof) {
                (true, _) => 1,
                (false, true) => Block::CAPACITY,
                (false, false) => (self.batch_rows - self.batch.n_rows).min(Block::CAPACITY),
            };
            self.block.clear();
            let last_start = usize::try_from(last_start).unwrap_or(usize::MAX);
            let (next, stop) = self.locate(window, at, last_start, wanted, at_eof);
            at = next;
            if self.input.skip_header {
                if self.block.n_rows() > 0 {
                    self.input.skip_header = false;
                    self.compare_header(window)?;
                }
            } else {
                self.read_block(window, position)?;
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
            Format::Lines { scanner, tokenizer, line_sep, plain } => loop {
                if *plain {
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
                if scanner.is_record(&window[at..end]) {
                    let record = Record { start: at as u32, len: (end - at) as u32, line: count.line };
                    let ended = tokenizer.line(&window[at..end], at, fields, &mut block.scratch);
                    add_row(block, record, fields, ended);
                }
                let after_cr = if at > 0 { window[at - 1] == b'\r' } else { count.after_cr };
                let second_half_of_crlf = at == end && window[end] == b'\n' && after_cr && line_sep.is_none();
                count.line += u64::from(!second_half_of_crlf);
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
        for (index, (expected, _)) in self.file_columns.iter().enumerate() {
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
        let n_rows = self.block.n_rows();
        if n_rows == 0 {
            return Ok(());
        }
        self.bad.clear();
        for (_, column) in &mut self.columns {
            column.read(&self.block, window, &self.rules, &mut self.bad);
        }
        if self.keep_spans {
            let spans = self.block.records.iter();
            self.batch.spans.extend(spans.map(|r| RecordSpan { start: position + u64::from(r.start), len: r.len }));
        }
        let mut faults = self.faults();
        faults.sort_by_key(|(row, _)| *row);
        faults.dedup_by_key(|(row, _)| *row);
        for (row, fault) in faults {
            self.malformed(window, position, row, fault)?;
        }
        self.batch.n_rows += n_rows;
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

    /// Does with a malformed row what the mode says; the row has been read, with nulls.
    fn malformed(&mut self, window: &[u8], position: u64, row: u32, fault: Fault) -> Result<(), DecodeError> {
        let record = self.block.records[row as usize];
        let raw = &window[record.start as usize..(record.start + record.len) as usize];
        let batch_row = self.batch.n_rows as u32 + row;
        self.batch.n_malformed += 1;
        match self.mode {
            RowMode::Permissive => {
                if let Some(corrupt) = &mut self.corrupt {
                    corrupt.rows.push((batch_row, self.rules.decode(raw)));
                }
            }
            RowMode::DropMalformed => {
                self.batch.left_out.push(batch_row);
                self.batch.n_dropped += 1;
            }
            RowMode::FailFast | RowMode::Reject => {
                let (column, message) = self.describe(window, fault);
                let malformed = Malformed {
                    byte_pos: position + u64::from(record.start),
                    line: record.line,
                    raw: raw.to_vec(),
                    message,
                    column,
                };
                if self.mode == RowMode::FailFast {
                    return Err(DecodeError::Malformed { format: "CSV", record: Box::new(malformed) });
                }
                self.batch.left_out.push(batch_row);
                self.batch.malformed.push(malformed);
            }
        }
        Ok(())
    }

    /// The column and the sentence for a fault.
    fn describe(&self, window: &[u8], fault: Fault) -> (Option<String>, String) {
        match fault {
            Fault::Cell(cell) => {
                let column = cell.file_column as usize;
                let (name, data_type) = &self.file_columns[column];
                let span = self.block.spans[cell.row as usize * self.block.n_cols + column];
                let text = self.rules.text(span, &self.block, window);
                let shown: String = text.chars().take(SHOWN_CHARS).collect();
                let more = if shown.len() < text.len() { "…" } else { "" };
                (Some(name.clone()), format!("not a {}: {shown}{more}", type_name(data_type)))
            }
            Fault::Record(oddity) => (
                None,
                match oddity {
                    Oddity::FieldCount(n) => {
                        format!("expected {} fields, found: {n}", self.block.n_cols)
                    }
                    Oddity::TooManyColumns => "more fields than maxColumns".to_owned(),
                    Oddity::FieldTooLong => "a field is longer than maxCharsPerColumn".to_owned(),
                    Oddity::UnescapedQuote => "text after a closing quote".to_owned(),
                    Oddity::NoFields => "no fields".to_owned(),
                },
            ),
        }
    }

    /// Decodes what was carried over, with as much of `bytes` as its last record takes; says how much that was.
    fn push_onto_carry(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        let mut carry = std::mem::take(&mut self.input.carry);
        let mut consumed = 0;
        while !carry.is_empty() && consumed < bytes.len() {
            let before = carry.len();
            let piece = (bytes.len() - consumed).min(before.max(CARRY_PIECE_BYTES));
            carry.extend_from_slice(&bytes[consumed..consumed + piece]);
            if carry.len() < self.input.retry_at && consumed + piece == bytes.len() {
                consumed += piece;
                break;
            }
            let done = self.decode(&carry, self.input.position, false)?;
            self.input.position += done as u64;
            if done >= before {
                consumed += done - before;
                carry.clear();
                self.input.retry_at = 0;
            } else if self.is_full() || self.input.state == State::Done {
                carry.truncate(before);
                carry.drain(..done);
                break;
            } else {
                consumed += piece;
                carry.drain(..done);
                // Whoever pushes a long record in small pieces has it looked at a few times, not at every piece.
                self.input.retry_at = if carry.len() > CARRY_PIECE_BYTES { 2 * carry.len() } else { 0 };
                if carry.len() > RECORD_LIMIT_BYTES {
                    return Err(DecodeError::RecordTooLong {
                        byte_pos: self.input.position,
                        limit_bytes: RECORD_LIMIT_BYTES,
                    });
                }
            }
        }
        self.input.carry = carry;
        Ok(consumed)
    }
}

impl RowDecoder for CsvDecoder {
    fn push(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        let mut consumed = 0;
        while consumed < bytes.len() && !self.is_full() && !self.is_done() {
            if !self.input.carry.is_empty() {
                consumed += self.push_onto_carry(&bytes[consumed..])?;
                continue;
            }
            let window = &bytes[consumed..bytes.len().min(consumed + WINDOW_LIMIT_BYTES)];
            let done = self.decode(window, self.input.position, false)?;
            consumed += done;
            self.input.position += done as u64;
            let wants_more = !self.is_full() && !self.is_done();
            if wants_more && (done == 0 || consumed < bytes.len()) {
                // What is left of the window is the beginning of a record.
                let rest = &window[done..];
                self.input.carry.extend_from_slice(rest);
                consumed += rest.len();
            }
        }
        Ok(consumed)
    }

    fn finish(&mut self) -> Result<(), DecodeError> {
        let mut carry = std::mem::take(&mut self.input.carry);
        if let (Format::Lines { line_sep, .. }, false) = (&self.format, carry.is_empty()) {
            carry.extend_from_slice(line_sep.as_deref().unwrap_or(b"\n"));
        }
        if self.input.state != State::Done {
            self.decode(&carry, self.input.position, true)?;
            self.input.state = State::Done;
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.batch.n_rows >= self.batch_rows
    }

    fn is_done(&self) -> bool {
        self.input.state == State::Done
    }

    fn take(&mut self) -> Result<Option<Decoded>, DecodeError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.n_rows == 0 {
            return Ok(None);
        }
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.output.fields().len()];
        for (place, column) in &mut self.columns {
            arrays[*place] = Some(column.finish()?);
        }
        if let Some(corrupt) = &mut self.corrupt {
            arrays[corrupt.output] = Some(corrupt.finish(batch.n_rows)?);
        }
        let arrays = arrays.into_iter().map(|a| a.expect("every output column is of the file or corrupt")).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.n_rows));
        let mut rows = RecordBatch::try_new_with_options(Arc::clone(&self.output), arrays, &options)
            .expect("columns are built with the types and the length of the batch");
        let mut spans = self.keep_spans.then_some(batch.spans);
        if !batch.left_out.is_empty() {
            let mut keep = vec![true; batch.n_rows];
            for row in &batch.left_out {
                keep[*row as usize] = false;
            }
            spans = spans
                .map(|spans| spans.into_iter().zip(&keep).filter(|(_, keep)| **keep).map(|(span, _)| span).collect());
            rows = filter_record_batch(&rows, &BooleanArray::from(keep))
                .expect("the filter has as many rows as the batch");
        }
        Ok(Some(Decoded {
            rows,
            spans,
            malformed: batch.malformed,
            n_malformed: batch.n_malformed,
            n_dropped: batch.n_dropped,
        }))
    }
}

impl CorruptColumn {
    fn finish(&mut self, n_rows: usize) -> Result<ArrayRef, DecodeError> {
        let texts = std::mem::take(&mut self.rows);
        let mut column = StringBuilder::new();
        let mut at = 0;
        for (row, text) in texts {
            column.append_nulls(row as usize - at);
            column.append_value(text);
            at = row as usize + 1;
        }
        column.append_nulls(n_rows - at);
        Ok(Arc::new(column.finish()))
    }
}

/// Why a row is malformed.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Record(Oddity),
    Cell(BadCell),
}

/// Position of the corrupt-record column in `schema`.
fn corrupt_column(schema: &Schema, options: &CsvOptions) -> Result<Option<usize>, DecodeError> {
    let name = &options.column_name_of_corrupt_record;
    let Some((index, field)) = schema.fields().iter().enumerate().find(|(_, f)| f.name() == name) else {
        return Ok(None);
    };
    match field.data_type() {
        DataType::Utf8 => Ok(Some(index)),
        other => Err(DecodeError::CorruptColumn { column: name.clone(), data_type: type_name(other) }),
    }
}

/// Adds a record that the tokenizer took apart to the block.
fn add_row(block: &mut Block, record: Record, fields: &[Span], ended: Result<(), Oddity>) {
    match ended {
        Ok(()) => {
            let n_written = fields.len().min(block.n_cols);
            let slot = block.n_rows() * block.n_cols;
            block.spans[slot..slot + n_written].copy_from_slice(&fields[..n_written]);
            block.end_row(record, fields.len());
        }
        Err(oddity) => block.end_odd_row(record, oddity),
    }
}
