//! Avro datums in, Arrow columns out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, BooleanArray};
use arrow_schema::{FieldRef, SchemaRef};
use arrow_select::nullif::nullif;

use super::cell::push_cell;
use super::framing::{self, Framing};
use super::input::Input;
use super::options::AvroOptions;
use super::schema::AvroSchema;
use super::shape::Shape;
use crate::codec::RecordDecoder;
use crate::codec::batch::{Layout, Rows};
use crate::codec::builder::{ColumnBuilder, text_like_java};
use crate::codec::error::DecodeError;
use crate::codec::field::{Block, CAPACITY, Record, Span};
use crate::codec::json::push_null;
use crate::codec::mode::Decoded;
use crate::schema::type_name;

/// What is known of a schema's number.
#[derive(Debug, Clone)]
pub enum Known {
    /// It is that of this schema.
    Schema(AvroSchema),
    /// Nothing can be read by it, for this reason.
    Nothing(String),
}

/// Decodes records that are Avro datums.
///
/// Fields are taken by name, those of records inside by a dotted one; a field that no column wants is passed over. A datum that
/// breaks off, is none of the schema's or has a value that its column cannot hold (a number beyond the column's range, a string
/// that is no UTF-8) is malformed, and in mode PERMISSIVE a row of nulls: the same as Spark's `from_avro`.
///
/// Differs from Spark: bytes behind the datum make a record malformed, and Spark does not look there. They say that the record
/// was written by another schema, or is framed, and then the values before them may be anything.
///
/// With [`Framing::SchemaId`] a schema may lack a column, which is null then; a record whose schema has another type for a column
/// is malformed.
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::cast::AsArray;
/// use ognivo_data::codec::RecordDecoder;
/// use ognivo_data::codec::avro::{AvroDecoder, AvroOptions, Framing};
/// use ognivo_data::schema::parse_ddl;
///
/// let json = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","string"]}]}"#;
/// let options = AvroOptions::parse([("avroSchema", json)]).unwrap();
/// let columns = Arc::new(parse_ddl("b STRING").unwrap());
/// let mut decoder = AvroDecoder::new(columns, &options, Framing::Plain).unwrap();
/// let decoded = decoder.decode_records(&[2, 2, 2, b'x'], &[Some(0..4)]).unwrap();
/// assert_eq!(decoded.rows.column(0).as_string::<i32>().value(0), "x");
/// ```
#[derive(Debug)]
pub struct AvroDecoder {
    rows: Rows,
    /// The columns, and the place of each in the output.
    columns: Vec<(usize, usize, ColumnBuilder)>,
    fields: Vec<FieldRef>,
    shapes: Shapes,
    block: Block<String>,
    /// The number of the schema of each row of the block.
    row_ids: Vec<u32>,
    /// Rows of the batch of which a column cannot hold its value.
    unfit: Vec<usize>,
}

#[derive(Debug)]
enum Shapes {
    Plain(Shape),
    ById(BTreeMap<u32, Result<Shape, String>>),
}

impl Shapes {
    fn of(&self, id: u32) -> Option<Result<&Shape, &String>> {
        match self {
            Shapes::Plain(shape) => Some(Ok(shape)),
            Shapes::ById(shapes) => shapes.get(&id).map(Result::as_ref),
        }
    }
}

impl AvroDecoder {
    /// A decoder of records into these columns.
    ///
    /// # Errors
    /// A column of a type that Avro cannot be read as. With [`Framing::Plain`]: no schema, a column that it does not feed.
    pub fn new(schema: SchemaRef, options: &AvroOptions, framing: Framing) -> Result<Self, DecodeError> {
        // No column of a datum has the record's bytes: they are no text.
        let layout = Layout::new(&schema, "", None)?;
        let columns = layout.wanted.iter().map(|(place, index)| {
            let field = &layout.file_fields[*index];
            Ok((*place, *index, ColumnBuilder::new("Avro", field.name(), field)?))
        });
        let columns = columns.collect::<Result<_, DecodeError>>()?;
        let shapes = match framing {
            Framing::SchemaId => Shapes::ById(BTreeMap::new()),
            Framing::Plain => {
                let writer = options.schema.as_ref().ok_or(DecodeError::NoAvroSchema)?;
                Shapes::Plain(Shape::new(writer, &layout.file_fields, false)?)
            }
        };
        Ok(AvroDecoder {
            rows: Rows::new("Avro", options.mode, usize::MAX, &layout),
            columns,
            shapes,
            block: Block::new(layout.file_fields.len()),
            row_ids: Vec::with_capacity(CAPACITY),
            unfit: Vec::new(),
            fields: layout.file_fields,
        })
    }

    /// The schema of the rows.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.rows.output
    }

    /// The numbers of schemas that these records name and of which nothing is known; none with [`Framing::Plain`].
    pub fn unknown_ids(&self, bytes: &[u8], records: &[Option<Range<usize>>]) -> BTreeSet<u32> {
        let Shapes::ById(shapes) = &self.shapes else { return BTreeSet::new() };
        let named = records.iter().flatten().filter_map(|range| framing::split(&bytes[range.clone()]));
        named.map(|(id, _)| id).filter(|id| !shapes.contains_key(id)).collect()
    }

    /// Says what a number stands for.
    pub fn learn(&mut self, id: u32, known: &Known) {
        if let Shapes::ById(shapes) = &mut self.shapes {
            let shape = match known {
                Known::Schema(schema) => Shape::new(schema, &self.fields, true).map_err(|error| error.to_string()),
                Known::Nothing(why) => Err(why.clone()),
            };
            shapes.insert(id, shape);
        }
    }

    /// Adds the row of one record, or says what is wrong with it.
    fn locate(&mut self, bytes: &[u8], record: Record) -> Result<(), String> {
        let (start, end) = (record.start as usize, (record.start + record.len) as usize);
        let whole = &bytes[start..end];
        let (id, datum) = match self.shapes {
            Shapes::Plain(_) => (0, whole),
            Shapes::ById(_) => {
                framing::split(whole).ok_or_else(|| "no number of an Avro schema before it".to_owned())?
            }
        };
        let shape = self.shapes.of(id).unwrap_or(Err(&UNASKED)).map_err(|why| format!("Avro schema {id}: {why}"))?;
        let before = end - datum.len();
        let row = self.block.open_row();
        row.fill(Span::NULL);
        let located =
            shape.locate(datum, &mut |column, from, to| row[column] = Span::of_input(before + from, to - from));
        match located {
            Ok(0) => {}
            Ok(n_bytes) => return Err(format!("bytes are left behind the Avro datum of the schema: {n_bytes}")),
            Err(_) => return Err("no Avro datum of the schema".to_owned()),
        }
        self.row_ids.push(id);
        self.block.end_row(record);
        Ok(())
    }

    fn add_nulls(&mut self, record: Record) {
        self.block.open_row().fill(Span::NULL);
        self.block.end_row(record);
        self.row_ids.push(0);
    }

    /// Reads the columns of the rows in the block, and deals with those that are malformed.
    fn read_block(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let Self { rows, columns, fields, shapes, block, row_ids, unfit } = self;
        let mut faults: Vec<(u32, Option<u32>)> = block.odd.iter().map(|(row, _)| (*row, None)).collect();
        for (_, index, builder) in columns {
            for (row, span) in block.column(*index).enumerate() {
                let types = || shapes.of(row_ids[row])?.ok()?.types[*index].as_ref();
                let read = match (span.in_input(), types()) {
                    (Some((start, len)), Some(avro)) => {
                        push_cell(builder, avro, &mut Input::new(&bytes[start..start + len]))
                    }
                    _ => {
                        push_null(builder);
                        Ok(())
                    }
                };
                if read.is_err() {
                    faults.push((row as u32, Some(*index as u32)));
                }
            }
        }
        faults.sort_unstable();
        faults.dedup_by_key(|(row, _)| *row);
        for (row, column) in faults {
            unfit.extend(column.map(|_| rows.n_rows + row as usize));
            let describe = || match column {
                None => {
                    let odd = block.odd.iter().find(|(odd, _)| *odd == row);
                    (None, odd.map(|(_, why)| why.clone()).unwrap_or_default())
                }
                Some(column) => {
                    let field = &fields[column as usize];
                    (Some(field.name().clone()), format!("not a {}", type_name(field.data_type())))
                }
            };
            rows.malformed(row, block.records[row as usize], bytes, 0, text_like_java, describe)?;
        }
        rows.add(&block.records, 0);
        Ok(())
    }
}

impl AvroDecoder {
    /// The rows that are to be nulls throughout, because of one of their values; None when there are none.
    fn rows_to_empty(&mut self) -> Option<BooleanArray> {
        if self.unfit.is_empty() {
            return None;
        }
        let mut rows = vec![false; self.rows.n_rows];
        self.unfit.drain(..).for_each(|row| rows[row] = true);
        Some(BooleanArray::from(rows))
    }
}

fn emptied(column: &ArrayRef, rows: &BooleanArray) -> ArrayRef {
    nullif(column, rows).expect("the mask is as long as the column")
}

/// Why a record cannot be read whose number nobody was asked about.
static UNASKED: LazyLock<String> = LazyLock::new(|| "nobody was asked for it".to_owned());

impl RecordDecoder for AvroDecoder {
    fn decode_records(&mut self, bytes: &[u8], records: &[Option<Range<usize>>]) -> Result<Decoded, DecodeError> {
        for (chunk_idx, chunk) in records.chunks(CAPACITY).enumerate() {
            self.block.clear();
            self.row_ids.clear();
            for (idx, range) in chunk.iter().enumerate() {
                let line = (chunk_idx * CAPACITY + idx) as u64;
                let Range { start, end } = range.clone().unwrap_or(0..0);
                let record = Record { start: start as u32, len: (end - start) as u32, line };
                if range.is_none() {
                    self.add_nulls(record);
                } else if let Err(why) = self.locate(bytes, record) {
                    self.block.end_odd_row(record, why);
                    self.row_ids.push(0);
                }
            }
            self.read_block(bytes)?;
        }
        let without = self.rows_to_empty();
        let columns = self.columns.iter_mut().map(|(place, _, builder)| {
            let column = builder.finish()?;
            Ok((*place, without.as_ref().map_or(Arc::clone(&column), |rows| emptied(&column, rows))))
        });
        let columns = columns.collect::<Result<Vec<(usize, ArrayRef)>, DecodeError>>()?;
        Ok(self.rows.finish(columns))
    }
}
