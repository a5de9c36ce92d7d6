//! Bytes of JSON lines in, Arrow columns out.

use std::ops::Range;

use arrow_array::ArrayRef;
use arrow_schema::{FieldRef, SchemaRef};

use super::cell::CellRules;
use super::column::{Spans, push_column};
use super::names::Names;
use super::options::JsonOptions;
use super::reader::{NoJson, Reader, Syntax};
use crate::codec::batch::{Layout, Rows};
use crate::codec::builder::{ColumnBuilder, text_like_java};
use crate::codec::error::DecodeError;
use crate::codec::field::{BadCell, Block, CAPACITY, Record, Span};
use crate::codec::lines::find_line;
use crate::codec::mode::Decoded;
use crate::codec::window::{Input, State, Stop, WindowDecoder};
use crate::codec::{RecordDecoder, RowDecoder};
use crate::schema::type_name;

/// How much of a bad value a message shows.
const SHOWN_CHARS: usize = 60;

/// Decodes pushed bytes of one file or payload of JSON lines; see [`RowDecoder`] for the order of calls.
///
/// One line holds one object, whose fields are taken by name, those of objects inside it by a dotted one: a column `a.b` has
/// the value 1 of `{"a":{"b":1}}`, and of `{"a.b":1}`; where both are there, the later one. An array of objects is as many rows. A field that is
/// missing or null is null; one that the schema does not have is skipped; a value of another type than its column's is
/// null and makes the record malformed, the other fields are kept; so does something else where a dotted name wants an object. A string column takes the text of any value.
///
/// Same as Spark 4.3 (3.5 writes objects, arrays and numbers that a string column takes in its own way).
///
/// ```
/// use std::sync::Arc;
/// use arrow_schema::{DataType, Field, Schema};
/// use ognivo_data::codec::{RowDecoder, json::{JsonDecoder, JsonOptions}};
///
/// let schema = Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)]);
/// let mut decoder = JsonDecoder::new(Arc::new(schema), &JsonOptions::default(), None, 1024).unwrap();
/// decoder.push(b"{\"b\":\"x\",\"a\":1}\n{\"a\":2}").unwrap();
/// decoder.finish().unwrap();
/// let decoded = decoder.take().unwrap().unwrap();
/// assert_eq!(decoded.rows.num_rows(), 2);
/// assert_eq!(decoded.rows.column(1).null_count(), 1);
/// ```
#[derive(Debug)]
pub struct JsonDecoder {
    syntax: Syntax,
    rules: CellRules,
    line_sep: Option<Vec<u8>>,
    input: Input,
    rows: Rows,
    /// The columns wanted, the place of each in the output, and its position among the located fields.
    columns: Vec<(usize, usize, ColumnBuilder)>,
    file_fields: Vec<FieldRef>,
    names: Names,
    block: Block<NoJson>,
    /// Values that are no objects where a dotted name wants one: the row, the column, and the value.
    no_objects: Vec<(BadCell, Span)>,
    bad: Vec<BadCell>,
}

impl JsonDecoder {
    /// A decoder for a whole file with these columns.
    ///
    /// A string column named as `columnNameOfCorruptRecord` gets the text of malformed records. `projection` lists the
    /// columns wanted, by position in `schema`, and their order in the output; a mistake in the others is not seen. The
    /// output is nullable throughout. A batch holds `batch_rows` rows at most, or a few more at the end of the file and
    /// where a line is an array.
    ///
    /// # Errors
    /// A column of a type that text cannot be read as; a corrupt-record column that is not a string.
    pub fn new(
        schema: SchemaRef,
        options: &JsonOptions,
        projection: Option<&[usize]>,
        batch_rows: usize,
    ) -> Result<Self, DecodeError> {
        let layout = Layout::new(&schema, &options.column_name_of_corrupt_record, projection)?;
        let columns = layout.wanted.iter().map(|(place, index)| {
            let field = &layout.file_fields[*index];
            Ok((*place, *index, ColumnBuilder::new("JSON", field.name(), field)?))
        });
        // Fields that nobody wants are skipped as those that the schema does not have.
        let names = layout.wanted.iter().map(|(_, index)| (layout.file_fields[*index].name().as_str(), *index));
        Ok(JsonDecoder {
            syntax: Syntax::new(options),
            rules: CellRules::new(options),
            line_sep: options.line_sep.clone().map(String::into_bytes),
            input: Input::new(),
            rows: Rows::new("JSON", options.mode, batch_rows, &layout),
            columns: columns.collect::<Result<_, DecodeError>>()?,
            names: Names::new(names),
            block: Block::new(layout.file_fields.len()),
            no_objects: Vec::new(),
            bad: Vec::new(),
            file_fields: layout.file_fields,
        })
    }

    /// Decodes only the records of the byte range `[start, end)` of a file, as Spark's splits do; see
    /// [`CsvDecoder::with_range`](crate::codec::csv::CsvDecoder::with_range).
    pub fn with_range(mut self, start: u64, end: u64) -> Self {
        self.input.set_range(start, end, self.line_sep.as_deref());
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

    /// Fills the block with the fields of up to `wanted` records from `at` on; says where it ended and why.
    fn locate(&mut self, window: &[u8], mut at: usize, last_start: usize, wanted: usize) -> (usize, Stop) {
        loop {
            if at > last_start {
                return (at, Stop::BeyondEnd);
            }
            let Some((end, next)) = find_line(window, at, self.line_sep.as_deref()) else {
                return (at, Stop::NeedMore);
            };
            let record = Record { start: at as u32, len: (end - at) as u32, line: self.input.count.line };
            let n_rows = self.block.n_rows();
            if self.locate_record(window, at, end, record).is_err() {
                self.give_up(n_rows);
                self.block.end_odd_row(record, NoJson);
            }
            match &self.line_sep {
                None => self.input.count.line_end(window, at, end),
                Some(_) => self.input.count.line += 1,
            }
            at = next;
            if self.block.n_rows() >= wanted {
                return (at, Stop::Full);
            }
        }
    }

    /// Forgets the rows of a record behind the first `n_rows`.
    fn give_up(&mut self, n_rows: usize) {
        self.block.truncate(n_rows);
        self.no_objects.retain(|(cell, _)| (cell.row as usize) < n_rows);
    }

    fn clear_block(&mut self) {
        self.block.clear();
        self.no_objects.clear();
    }

    /// Adds the rows of one line: none when it is blank, one of an object, as many as there are of an array.
    fn locate_record(&mut self, window: &[u8], start: usize, end: usize, record: Record) -> Result<(), NoJson> {
        let Self { syntax, block, names, no_objects, .. } = self;
        let mut reader = Reader::within(window, start..end, syntax);
        let mut object = |reader: &mut Reader<'_>| {
            block.make_room();
            block.open_row().fill(Span::NULL);
            let row = block.n_rows() as u32;
            names.locate(reader, block.open_row(), &mut |column, span| {
                no_objects.push((BadCell { row, file_column: column as u32 }, span));
            })?;
            block.end_row(record);
            Ok(())
        };
        match reader.peek() {
            None => Ok(()),
            // What follows the object is not looked at, as in Spark.
            Some(b'{') => object(&mut reader),
            Some(b'[') => reader.array(object),
            Some(_) => Err(NoJson),
        }
    }

    /// Reads the columns of the rows in the block, and deals with those that are malformed.
    fn read_block(&mut self, window: &[u8], position: u64) -> Result<(), DecodeError> {
        let Self { rows, rules, block, file_fields, columns, bad, syntax, no_objects, .. } = self;
        bad.clear();
        bad.extend(no_objects.iter().map(|(cell, _)| *cell));
        for (_, index, builder) in columns {
            let spans = Spans { of_rows: &block.spans, n_cols: block.n_cols, column: *index, n_rows: block.n_rows() };
            let wrong = |row| bad.push(BadCell { row: row as u32, file_column: *index as u32 });
            push_column(builder, spans, window, rules, syntax, wrong);
        }
        let odd = block.odd.iter().map(|(row, _)| (*row, None));
        let mut faults: Vec<_> = odd.chain(bad.iter().map(|cell| (cell.row, Some(cell.file_column)))).collect();
        faults.sort_unstable();
        faults.dedup_by_key(|(row, _)| *row);
        for (row, column) in faults {
            let describe = || match column {
                None => (None, "no JSON object".to_owned()),
                Some(column) => {
                    let field = &file_fields[column as usize];
                    let at = BadCell { row, file_column: column };
                    let no_object = no_objects.iter().find(|(cell, _)| *cell == at).map(|(_, span)| *span);
                    let span = block.spans[row as usize * block.n_cols + column as usize];
                    let (start, len) = no_object.unwrap_or(span).in_input().expect("only a value can be a bad one");
                    let text = text_like_java(&window[start..start + len]);
                    let shown: String = text.chars().take(SHOWN_CHARS).collect();
                    let more = if shown.len() < text.len() { "…" } else { "" };
                    let wanted = no_object
                        .map_or_else(|| format!("a {}", type_name(field.data_type())), |_| "an object".to_owned());
                    (Some(field.name().clone()), format!("not {wanted}: {shown}{more}"))
                }
            };
            rows.malformed(row, block.records[row as usize], window, position, text_like_java, describe)?;
        }
        rows.add(&block.records, position);
        Ok(())
    }
}

impl JsonDecoder {
    /// What has been decoded since the last call.
    fn finish_batch(&mut self) -> Result<Decoded, DecodeError> {
        let columns = self.columns.iter_mut().map(|(place, _, builder)| Ok((*place, builder.finish()?)));
        let columns = columns.collect::<Result<Vec<(usize, ArrayRef)>, DecodeError>>()?;
        Ok(self.rows.finish(columns))
    }
}

impl WindowDecoder for JsonDecoder {
    fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    fn batch_is_full(&self) -> bool {
        self.rows.is_full()
    }

    fn decode(&mut self, window: &[u8], position: u64, at_eof: bool) -> Result<usize, DecodeError> {
        let mut at = match self.input.first_record(window, self.line_sep.as_deref(), at_eof) {
            Ok(at) => at,
            Err(done) => return Ok(done),
        };
        while self.input.state == State::Records && (at_eof || !self.rows.is_full()) {
            let Some(last_start) = self.input.last_start_in_window(position, at) else {
                self.input.state = State::Done;
                break;
            };
            let wanted = if at_eof { CAPACITY } else { self.rows.n_free().min(CAPACITY) };
            self.clear_block();
            let (next, stop) = self.locate(window, at, last_start, wanted);
            at = next;
            self.read_block(window, position)?;
            match stop {
                Stop::NeedMore => break,
                Stop::BeyondEnd => self.input.state = State::Done,
                Stop::Full | Stop::Quoted => {}
            }
        }
        if at > 0 {
            self.input.count.after_cr = window[at - 1] == b'\r';
        }
        Ok(at)
    }
}

impl JsonDecoder {
    /// Adds the one row of a record that is a message: several objects in one would be rows that nobody can name.
    fn locate_message(&mut self, bytes: &[u8], record: Record) -> Result<(), NoJson> {
        let (start, end) = (record.start as usize, (record.start + record.len) as usize);
        let n_rows = self.block.n_rows();
        self.locate_record(bytes, start, end, record)?;
        match self.block.n_rows() - n_rows {
            1 => Ok(()),
            0 if bytes[start..end].iter().all(u8::is_ascii_whitespace) => {
                self.add_nulls(record);
                Ok(())
            }
            _ => Err(NoJson),
        }
    }

    fn add_nulls(&mut self, record: Record) {
        self.block.open_row().fill(Span::NULL);
        self.block.end_row(record);
    }
}

impl RecordDecoder for JsonDecoder {
    fn decode_records(&mut self, bytes: &[u8], records: &[Option<Range<usize>>]) -> Result<Decoded, DecodeError> {
        for (chunk_idx, chunk) in records.chunks(CAPACITY).enumerate() {
            self.clear_block();
            for (idx, range) in chunk.iter().enumerate() {
                let line = (chunk_idx * CAPACITY + idx) as u64;
                let Range { start, end } = range.clone().unwrap_or(0..0);
                let record = Record { start: start as u32, len: (end - start) as u32, line };
                let n_rows = self.block.n_rows();
                if range.is_none() {
                    self.add_nulls(record);
                } else if self.locate_message(bytes, record).is_err() {
                    self.give_up(n_rows);
                    self.block.end_odd_row(record, NoJson);
                }
            }
            self.read_block(bytes, 0)?;
        }
        self.finish_batch()
    }
}

impl RowDecoder for JsonDecoder {
    fn push(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        self.push_bytes(bytes)
    }

    fn finish(&mut self) -> Result<(), DecodeError> {
        let line_end = self.line_sep.clone().unwrap_or_else(|| b"\n".to_vec());
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
