//! Arrow columns in, Avro datums out.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::cell::not_null;
use super::columns::schema_of;
use super::options::AvroOptions;
use super::schema::{AvroSchema, AvroSchemaError, IntKind, LongKind, Record, Type};
use crate::codec::cell::Cells;
use crate::codec::error::EncodeError;
use crate::schema::type_name;

/// Encodes rows as Spark's `to_avro` of a struct of all columns does: one datum a row.
///
/// Without `avroSchema` the schema is made of the columns, as Spark makes it. With one, fields are fed by name; every column must
/// have a field, and a field without a column must allow null.
#[derive(Debug, Clone)]
pub struct AvroEncoder {
    schema: AvroSchema,
}

impl AvroEncoder {
    /// An encoder of these columns.
    ///
    /// # Errors
    /// A column of a type or a name that Avro does not have, or that does not go with the schema given.
    pub fn new(columns: &Schema, options: &AvroOptions) -> Result<Self, EncodeError> {
        let schema = match &options.schema {
            None => schema_of(columns)?,
            Some(given) => {
                check_record("", columns.fields().iter().map(|field| &**field), given.root())?;
                given.clone()
            }
        };
        // What is no type of a cell is found out before the first row.
        let empty = RecordBatch::new_empty(columns.clone().into());
        cells_of(&empty)?;
        Ok(AvroEncoder { schema })
    }

    /// The schema of the datums.
    pub fn schema(&self) -> &AvroSchema {
        &self.schema
    }

    /// The rows of a batch, ready to be written one by one; its columns must be those of the encoder.
    ///
    /// # Errors
    /// A column of a type that Spark does not have.
    pub fn rows<'a>(&'a self, rows: &'a RecordBatch) -> Result<AvroRows<'a>, EncodeError> {
        Ok(AvroRows { record: self.schema.root(), cells: cells_of(rows)? })
    }
}

fn cells_of(rows: &RecordBatch) -> Result<Vec<(String, Cells<'_>)>, EncodeError> {
    let schema = rows.schema_ref();
    let columns = schema.fields().iter().zip(rows.columns());
    columns.map(|(field, array)| Ok((field.name().clone(), Cells::new("Avro", field.name(), array)?))).collect()
}

/// The rows of a batch.
#[derive(Debug)]
pub struct AvroRows<'a> {
    record: &'a Record,
    cells: Vec<(String, Cells<'a>)>,
}

impl AvroRows<'_> {
    /// Appends the datum of one row.
    ///
    /// # Errors
    /// A value that the schema has no place for, such as a null where there may be none; part of a datum may be appended then.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        write_record(self.record, &self.cells, row, "", out)
    }
}

/// Checks that the columns feed the record, and that no column is left over.
fn check_record<'a>(
    path: &str,
    columns: impl Iterator<Item = &'a Field> + Clone,
    record: &Record,
) -> Result<(), AvroSchemaError> {
    for column in columns.clone() {
        let inner = inner_path(path, column.name());
        match record.fields.iter().find(|(name, _)| name == column.name()) {
            Some((_, avro)) => check(&inner, column, avro)?,
            None => return Err(super::cell::lacks(&inner, record)),
        }
    }
    for (name, avro) in &record.fields {
        if !columns.clone().any(|column| column.name() == name) && null_branch(avro).is_none() {
            let known: Vec<&str> = columns.map(|column| column.name().as_str()).collect();
            let (needs, name) = ("Avro field", inner_path(path, name));
            return Err(AvroSchemaError::NoSuchName { needs, name, among: "columns", known: known.join(", ") });
        }
    }
    Ok(())
}

fn inner_path(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Where null stands among the branches, and whether it is all that there is.
fn null_branch(avro: &Type) -> Option<usize> {
    match avro {
        Type::Null => Some(0),
        Type::Union(branches) => branches.iter().position(|branch| *branch == Type::Null),
        _ => None,
    }
}

fn check(path: &str, column: &Field, avro: &Type) -> Result<(), AvroSchemaError> {
    let fits = match (column.data_type(), not_null(avro)) {
        (DataType::Struct(parts), Type::Record(record)) => {
            return check_record(path, parts.iter().map(|part| &**part), record);
        }
        (DataType::List(element), Type::Array(item)) => return check(&format!("{path}.element"), element, item),
        (DataType::Map(entries, _), Type::Map(value)) => match entries.data_type() {
            DataType::Struct(parts) if *parts[0].data_type() == DataType::Utf8 => {
                return check(&format!("{path}.value"), &parts[1], value);
            }
            _ => false,
        },
        (column, avro) => is_plain_fit(column, avro),
    };
    if fits {
        return Ok(());
    }
    let data_type = type_name(column.data_type());
    Err(AvroSchemaError::Types { column: path.to_owned(), data_type, avro: avro.to_string() })
}

fn is_plain_fit(column: &DataType, avro: &Type) -> bool {
    use LongKind::{LocalMicros, LocalMillis, TimestampMicros, TimestampMillis};
    match column {
        DataType::Null => null_branch(avro).is_some(),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => matches!(avro, Type::Int(IntKind::Plain)),
        DataType::Int64 => matches!(avro, Type::Long(LongKind::Plain)),
        DataType::Float32 => *avro == Type::Float,
        DataType::Float64 => *avro == Type::Double,
        DataType::Boolean => *avro == Type::Boolean,
        DataType::Utf8 => matches!(avro, Type::String | Type::Enum(_)),
        DataType::Binary => matches!(avro, Type::Bytes(None) | Type::Fixed(_, None)),
        DataType::Date32 => matches!(avro, Type::Int(IntKind::Date)),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            matches!(avro, Type::Long(TimestampMillis | TimestampMicros))
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => matches!(avro, Type::Long(LocalMillis | LocalMicros)),
        DataType::Decimal128(precision, scale) => match avro {
            Type::Bytes(Some(decimal)) | Type::Fixed(_, Some(decimal)) => {
                i8::try_from(decimal.scale) == Ok(*scale) && decimal.precision >= usize::from(*precision)
            }
            _ => false,
        },
        _ => false,
    }
}

fn write_record(
    record: &Record,
    cells: &[(String, Cells<'_>)],
    row: usize,
    path: &str,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    for (name, avro) in &record.fields {
        match cells.iter().find(|(known, _)| known == name) {
            Some((_, cell)) => write_cell(avro, cell, row, &|| inner_path(path, name), out)?,
            None => write_null(avro, &|| inner_path(path, name), out)?,
        }
    }
    Ok(())
}

type Path<'a> = &'a dyn Fn() -> String;

fn no_place(avro: &Type, path: Path<'_>, value: impl Into<String>) -> EncodeError {
    EncodeError::Value { column: path(), avro: avro.to_string(), value: value.into() }
}

fn write_null(avro: &Type, path: Path<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match (avro, null_branch(avro)) {
        (Type::Null, _) => Ok(()),
        (_, Some(branch)) => {
            write_long(branch as i64, out);
            Ok(())
        }
        (_, None) => Err(no_place(avro, path, "null")),
    }
}

fn write_cell(avro: &Type, cell: &Cells<'_>, row: usize, path: Path<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if cell.is_null(row) {
        return write_null(avro, path, out);
    }
    let Type::Union(branches) = avro else { return write_value(avro, cell, row, path, out) };
    let value = not_null(avro);
    let branch = branches.iter().position(|branch| branch == value).unwrap_or_default();
    write_long(branch as i64, out);
    write_value(value, cell, row, path, out)
}

/// Writes a value that is not null.
fn write_value(
    avro: &Type,
    cell: &Cells<'_>,
    row: usize,
    path: Path<'_>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    match cell {
        Cells::Null => return write_null(avro, path, out),
        Cells::Int8(a) => write_long(a.value(row).into(), out),
        Cells::Int16(a) => write_long(a.value(row).into(), out),
        Cells::Int32(a) => write_long(a.value(row).into(), out),
        Cells::Int64(a) => write_long(a.value(row), out),
        Cells::Float32(a) => out.extend_from_slice(&a.value(row).to_le_bytes()),
        Cells::Float64(a) => out.extend_from_slice(&a.value(row).to_le_bytes()),
        Cells::Boolean(a) => out.push(a.value(row).into()),
        Cells::Date(a) => write_long(a.value(row).into(), out),
        Cells::Timestamp(a, _) => write_long(in_unit(avro, a.value(row)), out),
        Cells::Text(a) => match avro {
            Type::Enum(symbols) => {
                let symbol = symbols.iter().position(|symbol| symbol == a.value(row));
                write_long(symbol.ok_or_else(|| no_place(avro, path, a.value(row)))? as i64, out);
            }
            _ => write_bytes(a.value(row).as_bytes(), out),
        },
        Cells::Binary(a) => match avro {
            Type::Fixed(n_bytes, _) if a.value(row).len() != *n_bytes => {
                return Err(no_place(avro, path, format!("{} bytes", a.value(row).len())));
            }
            Type::Fixed(..) => out.extend_from_slice(a.value(row)),
            _ => write_bytes(a.value(row), out),
        },
        Cells::Decimal(a, _) => write_decimal(avro, a.value(row), path, out)?,
        Cells::Struct(_, parts) => match avro {
            Type::Record(record) => write_record(record, parts, row, &path(), out)?,
            _ => return Err(no_place(avro, path, "a struct")),
        },
        Cells::List(list, items) => match avro {
            Type::Array(item) => {
                let (start, end) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
                let inner = || format!("{}.element", path());
                write_block(start..end, out, |idx, out| write_cell(item, items, idx, &inner, out))?;
            }
            _ => return Err(no_place(avro, path, "a list")),
        },
        Cells::Map(map, keys, values) => match (avro, &**keys) {
            (Type::Map(value), Cells::Text(keys)) => {
                let (start, end) = (map.value_offsets()[row] as usize, map.value_offsets()[row + 1] as usize);
                let inner = || format!("{}.value", path());
                write_block(start..end, out, |idx, out| {
                    write_bytes(keys.value(idx).as_bytes(), out);
                    write_cell(value, values, idx, &inner, out)
                })?;
            }
            _ => return Err(no_place(avro, path, "a map")),
        },
    }
    Ok(())
}

fn in_unit(avro: &Type, micros: i64) -> i64 {
    match avro {
        Type::Long(LongKind::TimestampMillis | LongKind::LocalMillis) => micros.div_euclid(1000),
        _ => micros,
    }
}

/// All items in one block, if there are any, and the block of none behind it.
fn write_block(
    idx: std::ops::Range<usize>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    if !idx.is_empty() {
        write_long(idx.len() as i64, out);
        for idx in idx {
            write(idx, out)?;
        }
    }
    out.push(0);
    Ok(())
}

/// In zigzag form, seven bits a byte, the lowest first.
fn write_long(value: i64, out: &mut Vec<u8>) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag > 0x7F {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

/// In two's complement, big-endian: in as few bytes as it takes, or filled up to the size of the type.
fn write_decimal(avro: &Type, unscaled: i128, path: Path<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let filler = if unscaled < 0 { 0xFF } else { 0 };
    let bytes = unscaled.to_be_bytes();
    let is_needed = |at: &usize| bytes[*at] != filler || (bytes[at + 1] ^ filler) & 0x80 != 0;
    let start = (0..bytes.len() - 1).find(is_needed).unwrap_or(bytes.len() - 1);
    let bytes = &bytes[start..];
    match avro {
        Type::Fixed(size, _) => {
            let n_filled = size.checked_sub(bytes.len()).ok_or_else(|| no_place(avro, path, unscaled.to_string()))?;
            out.resize(out.len() + n_filled, filler);
            out.extend_from_slice(bytes);
        }
        _ => write_bytes(bytes, out),
    }
    Ok(())
}
