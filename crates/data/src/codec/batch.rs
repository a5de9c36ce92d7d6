//! Rows that were decoded and not yet taken, and what becomes of the malformed ones.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;

use super::builder::nullable;
use super::error::DecodeError;
use super::field::Record;
use super::mode::{Decoded, Malformed, RecordSpan, RowMode};
use crate::schema::type_name;

/// Which columns the input has, which are wanted, and where they go.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The columns of the input: those of the schema but for the corrupt-record column.
    pub(crate) file_fields: Vec<FieldRef>,
    /// Place in the output and position in `file_fields` of each wanted column, in the order of the file.
    pub(crate) wanted: Vec<(usize, usize)>,
    pub(crate) all_wanted: bool,
    output: SchemaRef,
    corrupt_place: Option<usize>,
}

impl Layout {
    /// # Errors
    /// A corrupt-record column that is not a string; a projection beyond the schema.
    pub(crate) fn new(
        schema: &Schema,
        column_of_corrupt_records: &str,
        projection: Option<&[usize]>,
    ) -> Result<Self, DecodeError> {
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let corrupt = corrupt_column(schema, column_of_corrupt_records)?;
        let file_columns: Vec<usize> = all.iter().copied().filter(|i| Some(*i) != corrupt).collect();
        let mut wanted = Vec::new();
        let mut corrupt_place = None;
        let mut output = Vec::new();
        for (place, index) in projection.iter().enumerate() {
            let n_columns = all.len();
            let field = schema.fields().get(*index).ok_or(DecodeError::Projection { index: *index, n_columns })?;
            output.push(Arc::new(nullable(field)));
            match file_columns.iter().position(|i| i == index) {
                Some(file_column) => wanted.push((place, file_column)),
                None => corrupt_place = Some(place),
            }
        }
        wanted.sort_by_key(|(_, file_column)| *file_column);
        Ok(Layout {
            all_wanted: file_columns.iter().all(|i| projection.contains(i)),
            file_fields: file_columns.iter().map(|i| Arc::clone(&schema.fields()[*i])).collect(),
            wanted,
            output: Arc::new(Schema::new_with_metadata(output, schema.metadata().clone())),
            corrupt_place,
        })
    }

    pub(crate) fn has_corrupt_column(&self) -> bool {
        self.corrupt_place.is_some()
    }
}

/// Position of the corrupt-record column in `schema`.
fn corrupt_column(schema: &Schema, name: &str) -> Result<Option<usize>, DecodeError> {
    let Some((index, field)) = schema.fields().iter().enumerate().find(|(_, f)| f.name() == name) else {
        return Ok(None);
    };
    match field.data_type() {
        DataType::Utf8 => Ok(Some(index)),
        other => Err(DecodeError::CorruptColumn { column: name.to_owned(), data_type: type_name(other) }),
    }
}

/// The rows of a batch under construction, without their cells.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) output: SchemaRef,
    pub(crate) n_rows: usize,
    pub(crate) keep_spans: bool,
    format: &'static str,
    mode: RowMode,
    batch_rows: usize,
    corrupt: Option<CorruptColumn>,
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
    place: usize,
    texts: Vec<(u32, String)>,
}

impl Rows {
    pub(crate) fn new(format: &'static str, mode: RowMode, batch_rows: usize, layout: &Layout) -> Self {
        Rows {
            output: Arc::clone(&layout.output),
            n_rows: 0,
            keep_spans: false,
            format,
            mode,
            batch_rows: batch_rows.max(1),
            corrupt: layout.corrupt_place.map(|place| CorruptColumn { place, texts: Vec::new() }),
            left_out: Vec::new(),
            spans: Vec::new(),
            malformed: Vec::new(),
            n_malformed: 0,
            n_dropped: 0,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.n_rows >= self.batch_rows
    }

    /// How many more rows the batch takes.
    pub(crate) fn n_free(&self) -> usize {
        self.batch_rows.saturating_sub(self.n_rows)
    }

    /// Adds rows whose cells have been read; malformed ones among them come before, by [`Self::malformed`].
    pub(crate) fn add(&mut self, records: &[Record], position: u64) {
        if self.keep_spans {
            let spans = records.iter().map(|r| RecordSpan { start: position + u64::from(r.start), len: r.len });
            self.spans.extend(spans);
        }
        self.n_rows += records.len();
    }

    /// Does with a malformed row what the mode says; `row` counts from the first row that has not been added yet.
    ///
    /// # Errors
    /// The row itself in mode FAILFAST.
    pub(crate) fn malformed(
        &mut self,
        row: u32,
        record: Record,
        window: &[u8],
        position: u64,
        text: impl FnOnce(&[u8]) -> String,
        describe: impl FnOnce() -> (Option<String>, String),
    ) -> Result<(), DecodeError> {
        let raw = &window[record.start as usize..(record.start + record.len) as usize];
        let row = self.n_rows as u32 + row;
        self.n_malformed += 1;
        match self.mode {
            RowMode::Permissive => {
                if let Some(corrupt) = &mut self.corrupt {
                    corrupt.texts.push((row, text(raw)));
                }
            }
            RowMode::DropMalformed => {
                self.left_out.push(row);
                self.n_dropped += 1;
            }
            RowMode::FailFast | RowMode::Reject => {
                let (column, message) = describe();
                let byte_pos = position + u64::from(record.start);
                let malformed = Malformed { byte_pos, line: record.line, raw: raw.to_vec(), message, column };
                if self.mode == RowMode::FailFast {
                    return Err(DecodeError::Malformed { format: self.format, record: Box::new(malformed) });
                }
                self.left_out.push(row);
                self.malformed.push(malformed);
            }
        }
        Ok(())
    }

    /// Makes a batch of the columns, each with its place in the output; the next batch starts empty.
    pub(crate) fn finish(&mut self, columns: impl IntoIterator<Item = (usize, ArrayRef)>) -> Decoded {
        let n_rows = std::mem::take(&mut self.n_rows);
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.output.fields().len()];
        for (place, array) in columns {
            arrays[place] = Some(array);
        }
        if let Some(corrupt) = &mut self.corrupt {
            arrays[corrupt.place] = Some(corrupt.finish(n_rows));
        }
        let arrays = arrays.into_iter().map(|a| a.expect("every output column is of the input or corrupt")).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        let mut rows = RecordBatch::try_new_with_options(Arc::clone(&self.output), arrays, &options)
            .expect("columns are built with the types and the length of the batch");
        let mut spans = self.keep_spans.then(|| std::mem::take(&mut self.spans));
        if !self.left_out.is_empty() {
            let mut keep = vec![true; n_rows];
            for row in self.left_out.drain(..) {
                keep[row as usize] = false;
            }
            if let Some(spans) = &mut spans {
                let mut kept = keep.iter();
                spans.retain(|_| *kept.next().expect("a span for every row"));
            }
            rows = filter_record_batch(&rows, &BooleanArray::from(keep))
                .expect("the filter has as many rows as the batch");
        }
        Decoded {
            rows,
            spans,
            malformed: std::mem::take(&mut self.malformed),
            n_malformed: std::mem::take(&mut self.n_malformed),
            n_dropped: std::mem::take(&mut self.n_dropped),
        }
    }
}

impl CorruptColumn {
    fn finish(&mut self, n_rows: usize) -> ArrayRef {
        let mut column = StringBuilder::new();
        let mut at = 0;
        for (row, text) in self.texts.drain(..) {
            column.append_nulls(row as usize - at);
            column.append_value(text);
            at = row as usize + 1;
        }
        column.append_nulls(n_rows - at);
        Arc::new(column.finish())
    }
}
