//! Arrow columns in, JSON lines out.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::options::JsonOptions;
use crate::codec::cell::{Cells, TimeText};
use crate::codec::error::EncodeError;

/// Encodes rows as Spark's JSON writer and `to_json` do: one object a row.
///
/// Null fields are left out (`ignoreNullFields`), nulls in lists and maps are `null`. Doubles have the shortest text
/// that reads back to the same double, in Java's form (`1.0E-5`); `NaN` and the infinities are strings. Vectors are
/// `{"type":1,"values":[…]}` and `{"type":0,"size":n,"indices":[…],"values":[…]}`. Dates and timestamps are strings by
/// their formats, bytes base64.
#[derive(Debug)]
pub struct JsonEncoder {
    time: Arc<TimeText>,
    keep_nulls: bool,
    line_sep: Vec<u8>,
}

impl JsonEncoder {
    /// An encoder with these options.
    pub fn new(options: &JsonOptions) -> Self {
        JsonEncoder {
            time: Arc::new(TimeText::new(
                options.date_format.as_ref(),
                options.timestamp_format.as_ref(),
                options.timestamp_ntz_format.as_ref(),
                options.time_zone,
            )),
            keep_nulls: !options.ignore_null_fields,
            line_sep: options.line_sep.as_deref().unwrap_or("\n").as_bytes().to_vec(),
        }
    }

    /// Checks that every column of `schema` can be written.
    ///
    /// # Errors
    /// The first column of a type that Spark does not have.
    pub fn check(&self, schema: &Schema) -> Result<(), EncodeError> {
        self.rows(&RecordBatch::new_empty(Arc::new(schema.clone()))).map(drop)
    }

    /// Appends a line for each row.
    ///
    /// # Errors
    /// A column of a type that Spark does not have; nothing is appended then.
    pub fn encode(&self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let objects = self.rows(rows)?;
        for row in 0..rows.num_rows() {
            objects.write(row, out);
            out.extend_from_slice(&self.line_sep);
        }
        Ok(())
    }

    /// The rows of a batch as objects to be written one by one, for messages that hold one row.
    ///
    /// # Errors
    /// A column of a type that Spark does not have.
    pub fn rows<'a>(&self, rows: &'a RecordBatch) -> Result<JsonRows<'a>, EncodeError> {
        let fields = rows
            .schema_ref()
            .fields()
            .iter()
            .zip(rows.columns())
            .map(|(field, array)| Ok((lead_of(field.name()), Cells::new("JSON", field.name(), array)?)));
        Ok(JsonRows {
            fields: fields.collect::<Result<_, EncodeError>>()?,
            writer: Writer { time: Arc::clone(&self.time), keep_nulls: self.keep_nulls },
        })
    }
}

/// The rows of a batch, each an object.
#[derive(Debug)]
pub struct JsonRows<'a> {
    /// Each with its name as it stands before its value.
    fields: Vec<(Vec<u8>, Cells<'a>)>,
    writer: Writer,
}

impl JsonRows<'_> {
    /// Appends the object of one row, without a line end.
    pub fn write(&self, row_idx: usize, out: &mut Vec<u8>) {
        let fields = self.fields.iter().map(|(lead, cells)| (lead, cells));
        self.writer.object(fields, row_idx, out, |lead, out| out.extend_from_slice(lead));
    }
}

/// One column whose cells are written as JSON.
#[derive(Debug)]
pub(crate) struct JsonCells<'a> {
    cells: Cells<'a>,
    writer: Writer,
}

impl<'a> JsonCells<'a> {
    pub(crate) fn new(cells: Cells<'a>, time: Arc<TimeText>) -> Self {
        JsonCells { cells, writer: Writer { time, keep_nulls: false } }
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.cells.is_null(row)
    }

    pub(crate) fn write(&self, row: usize, out: &mut Vec<u8>) {
        self.writer.value(&self.cells, row, out);
    }
}

#[derive(Debug)]
struct Writer {
    time: Arc<TimeText>,
    keep_nulls: bool,
}

impl Writer {
    fn value(&self, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        if cells.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match cells {
            Cells::Float64(a) if !a.value(row).is_finite() => self.quoted(cells, row, out),
            Cells::Float32(a) if !a.value(row).is_finite() => self.quoted(cells, row, out),
            Cells::Date(_) | Cells::Timestamp(..) => self.quoted(cells, row, out),
            Cells::Text(a) => write_string(a.value(row), out),
            Cells::Binary(a) => write_string(&STANDARD.encode(a.value(row)), out),
            Cells::Struct(_, fields) => {
                let fields = fields.iter().map(|(name, cells)| (name, cells));
                self.object(fields, row, out, |name, out| write_lead(name, out));
            }
            Cells::List(list, items) => {
                let offsets = list.value_offsets();
                out.push(b'[');
                for item in offsets[row]..offsets[row + 1] {
                    if item > offsets[row] {
                        out.push(b',');
                    }
                    self.value(items, item as usize, out);
                }
                out.push(b']');
            }
            Cells::Map(map, keys, values) => {
                let offsets = map.value_offsets();
                out.push(b'{');
                for entry in offsets[row]..offsets[row + 1] {
                    if entry > offsets[row] {
                        out.push(b',');
                    }
                    self.key(keys, entry as usize, out);
                    out.push(b':');
                    self.value(values, entry as usize, out);
                }
                out.push(b'}');
            }
            plain => plain.write_plain(row, &self.time, out),
        }
    }

    fn object<'c, N>(
        &self,
        fields: impl Iterator<Item = (N, &'c Cells<'c>)>,
        row: usize,
        out: &mut Vec<u8>,
        write_lead: impl Fn(N, &mut Vec<u8>),
    ) {
        out.push(b'{');
        let mut first = true;
        for (name, cells) in fields {
            if !self.keep_nulls && cells.is_null(row) {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            write_lead(name, out);
            self.value(cells, row, out);
        }
        out.push(b'}');
    }

    /// Texts by a format may hold quotes.
    fn quoted(&self, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) {
        let mut text = Vec::new();
        cells.write_plain(row, &self.time, &mut text);
        write_string(&String::from_utf8_lossy(&text), out);
    }

    /// A map's key is a string, whatever its type.
    fn key(&self, keys: &Cells<'_>, entry: usize, out: &mut Vec<u8>) {
        let mut text = Vec::new();
        match keys.is_nested() {
            true => self.value(keys, entry, &mut text),
            false => keys.write_plain(entry, &self.time, &mut text),
        }
        write_string(&String::from_utf8_lossy(&text), out);
    }
}

/// A name as it stands before its value.
fn lead_of(name: &str) -> Vec<u8> {
    let mut lead = Vec::with_capacity(name.len() + 3);
    write_lead(name, &mut lead);
    lead
}

fn write_lead(name: &str, out: &mut Vec<u8>) {
    write_string(name, out);
    out.push(b':');
}

/// Appends a string with its quotes; control characters as Jackson escapes them, everything else as it is.
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|b| *b < b' ' || matches!(b, b'"' | b'\\')) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            other => out.extend_from_slice(format!("\\u{other:04X}").as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
