//! Reads one Avro value into a cell of a column.

use arrow_schema::{DataType, Field, TimeUnit};

use super::input::{Input, NoAvro};
use super::schema::{AvroSchemaError, Decimal, LongKind, Record, Type};
use crate::codec::builder::{ColumnBuilder, Values};
use crate::codec::json::push_null;
use crate::schema::type_name;
use crate::vector::{Vector, is_vector};

/// Checks that every value of the type can stand in the column.
///
/// Avro's own promotions hold (int to long, float and double, long to float and double, float to double, string to bytes and
/// back), and Spark's: an enum is a string, fixed is bytes, a long without a unit is milliseconds where a timestamp is wanted.
///
/// # Errors
/// `Types`, or `NoSuchName` for a part of a struct that the record lacks, where `may_lack` is false.
pub(super) fn check(path: &str, column: &Field, avro: &Type, may_lack: bool) -> Result<(), AvroSchemaError> {
    let fits = match (column.data_type(), avro) {
        (_, Type::Union(branches)) if branches.iter().any(|branch| *branch != Type::Null) => {
            let branches = branches.iter().filter(|branch| **branch != Type::Null);
            return branches.into_iter().try_for_each(|branch| check(path, column, branch, may_lack));
        }
        (vector, Type::Record(record)) if is_vector(vector) => is_vector_record(record),
        (DataType::Struct(parts), Type::Record(record)) => {
            for part in parts {
                let inner = format!("{path}.{}", part.name());
                match record.fields.iter().find(|(name, _)| name == part.name()) {
                    Some((_, field)) => check(&inner, part, field, may_lack)?,
                    None if may_lack => {}
                    None => return Err(lacks(&inner, record)),
                }
            }
            true
        }
        (DataType::List(element), Type::Array(item)) => {
            return check(&format!("{path}.element"), element, item, may_lack);
        }
        (column, avro) => is_plain_fit(column, avro),
    };
    if fits {
        return Ok(());
    }
    let data_type = type_name(column.data_type());
    Err(AvroSchemaError::Types { column: path.to_owned(), data_type, avro: avro.to_string() })
}

/// No field of the record feeds the column.
pub(super) fn lacks(column: &str, record: &Record) -> AvroSchemaError {
    let known: Vec<&str> = record.fields.iter().map(|(name, _)| name.as_str()).collect();
    let (needs, among) = ("column", "fields of the Avro schema");
    AvroSchemaError::NoSuchName { needs, name: column.to_owned(), among, known: known.join(", ") }
}

fn is_plain_fit(column: &DataType, avro: &Type) -> bool {
    use LongKind::{LocalMicros, LocalMillis, Plain, TimestampMicros, TimestampMillis};
    match column {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Date32 => matches!(avro, Type::Int(_)),
        DataType::Int64 => matches!(avro, Type::Int(_) | Type::Long(_)),
        DataType::Float32 => matches!(avro, Type::Int(_) | Type::Long(_) | Type::Float),
        DataType::Float64 => matches!(avro, Type::Int(_) | Type::Long(_) | Type::Float | Type::Double),
        DataType::Boolean => *avro == Type::Boolean,
        DataType::Utf8 => matches!(avro, Type::String | Type::Enum(_) | Type::Bytes(None)),
        DataType::Binary => matches!(avro, Type::Bytes(_) | Type::Fixed(..) | Type::String),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            matches!(avro, Type::Long(Plain | TimestampMillis | TimestampMicros))
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            matches!(avro, Type::Long(Plain | LocalMillis | LocalMicros))
        }
        DataType::Decimal128(_, scale) => match avro {
            Type::Bytes(Some(decimal)) | Type::Fixed(_, Some(decimal)) => i8::try_from(decimal.scale) == Ok(*scale),
            _ => false,
        },
        _ => false,
    }
}

/// Spark's VectorUDT.
fn is_vector_record(record: &Record) -> bool {
    let is = |name: &str, wanted: fn(&Type) -> bool| {
        record.fields.iter().any(|(known, field)| known == name && wanted(not_null(field)))
    };
    let ints = |field: &Type| matches!(field, Type::Array(item) if matches!(**item, Type::Int(_)));
    let doubles = |field: &Type| matches!(field, Type::Array(item) if **item == Type::Double);
    let int = |field: &Type| matches!(field, Type::Int(_));
    is("type", int) && is("size", int) && is("indices", ints) && is("values", doubles)
}

/// The one type that a value has when it is not null; a union of several as it is.
pub(super) fn not_null(avro: &Type) -> &Type {
    let Type::Union(branches) = avro else { return avro };
    let mut others = branches.iter().filter(|branch| **branch != Type::Null);
    match (others.next(), others.next()) {
        (Some(only), None) => only,
        _ => avro,
    }
}

/// Why a cell is null although there was a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit;

impl From<NoAvro> for Unfit {
    fn from(_: NoAvro) -> Self {
        Unfit
    }
}

/// Appends the value that comes next, which has been checked to be one of the type.
///
/// # Errors
/// The column cannot hold the value (a number beyond its range, a string that is no UTF-8); a null was appended, or a struct
/// with nulls for such parts.
pub(super) fn push_cell(column: &mut ColumnBuilder, avro: &Type, input: &mut Input<'_>) -> Result<(), Unfit> {
    match avro {
        Type::Null => {
            push_null(column);
            Ok(())
        }
        Type::Union(branches) => {
            let branch = input.choice(branches.len())?;
            push_cell(column, &branches[branch], input)
        }
        Type::Record(record) => match &column.values {
            Values::Vector(_) => push_vector(column, record, input),
            _ => push_struct(column, record, input),
        },
        Type::Array(item) => push_list(column, item, input),
        plain => match push_plain(column, plain, input) {
            true => {
                column.n_rows += 1;
                Ok(())
            }
            false => {
                push_null(column);
                Err(Unfit)
            }
        },
    }
}

/// What a value of one piece says.
enum Plain<'a> {
    Boolean(bool),
    Whole(i64),
    Float(f32),
    Double(f64),
    Bytes(&'a [u8]),
}

fn read_plain<'a, 'b: 'a>(avro: &'a Type, input: &mut Input<'b>) -> Result<Plain<'a>, NoAvro> {
    Ok(match avro {
        Type::Boolean => Plain::Boolean(input.boolean()?),
        Type::Int(_) => Plain::Whole(input.int()?.into()),
        Type::Long(_) => Plain::Whole(input.long()?),
        Type::Float => Plain::Float(input.float()?),
        Type::Double => Plain::Double(input.double()?),
        Type::Bytes(_) | Type::String => Plain::Bytes(input.bytes()?),
        Type::Fixed(n_bytes, _) => Plain::Bytes(input.fixed(*n_bytes)?),
        Type::Enum(symbols) => Plain::Bytes(symbols[input.choice(symbols.len())?].as_bytes()),
        Type::Null | Type::Array(_) | Type::Map(_) | Type::Union(_) | Type::Record(_) => return Err(NoAvro),
    })
}

/// False when the value is none of the column's type; nothing was appended then.
fn push_plain(column: &mut ColumnBuilder, avro: &Type, input: &mut Input<'_>) -> bool {
    let Ok(value) = read_plain(avro, input) else { return false };
    match (&mut column.values, value) {
        (Values::Int8(out), Plain::Whole(value)) => put(out, value.try_into().ok()),
        (Values::Int16(out), Plain::Whole(value)) => put(out, value.try_into().ok()),
        (Values::Int32(out) | Values::Date(out), Plain::Whole(value)) => put(out, value.try_into().ok()),
        (Values::Int64(out), Plain::Whole(value)) => put(out, Some(value)),
        (Values::Timestamp(out, _), Plain::Whole(value)) => put(out, micros(avro, value)),
        (Values::Float32(out), Plain::Whole(value)) => put(out, Some(value as f32)),
        (Values::Float32(out), Plain::Float(value)) => put(out, Some(value)),
        (Values::Float64(out), Plain::Whole(value)) => put(out, Some(value as f64)),
        (Values::Float64(out), Plain::Float(value)) => put(out, Some(value.into())),
        (Values::Float64(out), Plain::Double(value)) => put(out, Some(value)),
        (Values::Boolean(out), Plain::Boolean(value)) => put(out, Some(value)),
        (Values::Decimal(out, precision, _), Plain::Bytes(value)) => put(out, decimal(value, *precision)),
        (Values::Text { offsets, bytes, binary }, Plain::Bytes(value)) => {
            let fits = *binary || std::str::from_utf8(value).is_ok();
            if fits {
                bytes.extend_from_slice(value);
                offsets.push(bytes.len() as i32);
            }
            fits
        }
        _ => false,
    }
}

fn put<T>(out: &mut Vec<T>, value: Option<T>) -> bool {
    let found = value.is_some();
    out.extend(value);
    found
}

/// A long without a unit is milliseconds, as it is to Spark.
fn micros(avro: &Type, value: i64) -> Option<i64> {
    match avro {
        Type::Long(LongKind::TimestampMicros | LongKind::LocalMicros) => Some(value),
        _ => value.checked_mul(1000),
    }
}

/// The number in two's complement, big-endian; None when it has more digits than the column, or no bytes.
fn decimal(bytes: &[u8], precision: u8) -> Option<i128> {
    let is_negative = bytes.first()? & 0x80 != 0;
    let filler = if is_negative { 0xFF } else { 0 };
    let significant = bytes.iter().position(|byte| *byte != filler).map_or(&bytes[..0], |at| &bytes[at..]);
    let mut padded = [filler; 16];
    let start = padded.len().checked_sub(significant.len())?;
    padded[start..].copy_from_slice(significant);
    let unscaled = i128::from_be_bytes(padded);
    let fits = (unscaled < 0) == is_negative && unscaled.unsigned_abs() < 10u128.pow(precision.into());
    fits.then_some(unscaled)
}

fn push_struct(column: &mut ColumnBuilder, record: &Record, input: &mut Input<'_>) -> Result<(), Unfit> {
    let Values::Struct(fields, parts) = &mut column.values else { return Err(Unfit) };
    let mut is_unfit = false;
    for (name, avro) in &record.fields {
        match fields.iter().position(|field| field.name() == name) {
            Some(idx) => is_unfit |= push_cell(&mut parts[idx], avro, input).is_err(),
            None => input.skip(avro)?,
        }
    }
    column.n_rows += 1;
    for part in parts.iter_mut().filter(|part| part.n_rows < column.n_rows) {
        push_null(part);
    }
    if is_unfit { Err(Unfit) } else { Ok(()) }
}

fn push_list(column: &mut ColumnBuilder, item: &Type, input: &mut Input<'_>) -> Result<(), Unfit> {
    let Values::List { offsets, items, .. } = &mut column.values else { return Err(Unfit) };
    // Of items without bytes there may be any number.
    let mut is_unfit = item.is_empty();
    if is_unfit {
        input.skip(&Type::Array(Box::new(item.clone())))?;
    } else {
        input.items(|input| {
            is_unfit |= push_cell(items, item, input).is_err();
            Ok(())
        })?;
    }
    offsets.push(items.n_rows as i32);
    // A list with an item that its column cannot hold is no list; its items stay behind, in nobody's row.
    if is_unfit {
        column.nulls.push(column.n_rows as u32);
    }
    column.n_rows += 1;
    if is_unfit { Err(Unfit) } else { Ok(()) }
}

fn push_vector(column: &mut ColumnBuilder, record: &Record, input: &mut Input<'_>) -> Result<(), Unfit> {
    let vector = read_vector(record, input)?;
    let Values::Vector(out) = &mut column.values else { return Err(Unfit) };
    match &vector {
        Some(vector) => {
            out.push(vector.as_ref());
            column.n_rows += 1;
            Ok(())
        }
        None => {
            push_null(column);
            Err(Unfit)
        }
    }
}

/// None when it is no vector of Spark's.
fn read_vector(record: &Record, input: &mut Input<'_>) -> Result<Option<Vector>, NoAvro> {
    let (mut kind, mut size, mut indices, mut values) = (None, None, Vec::new(), Vec::new());
    for (name, field) in &record.fields {
        let field = match field {
            Type::Union(branches) => &branches[input.choice(branches.len())?],
            other => other,
        };
        match (name.as_str(), field) {
            ("type", Type::Int(_)) => kind = Some(input.int()?),
            ("size", Type::Int(_)) => size = usize::try_from(input.int()?).ok(),
            ("indices", Type::Array(_)) => input.items(|input| {
                indices.push(input.int()?);
                Ok(())
            })?,
            ("values", Type::Array(_)) => input.items(|input| {
                values.push(input.double()?);
                Ok(())
            })?,
            (_, other) => input.skip(other)?,
        }
    }
    Ok(match (kind, size) {
        (Some(1), _) => Some(Vector::Dense(values)),
        (Some(0), Some(size)) => Vector::try_sparse(size, indices, values),
        _ => None,
    })
}

/// The digits of a decimal that a column can hold.
pub(super) fn decimal_column(decimal: Decimal) -> Option<DataType> {
    let (precision, scale) = (u8::try_from(decimal.precision).ok()?, i8::try_from(decimal.scale).ok()?);
    (precision <= 38 && decimal.scale <= decimal.precision).then_some(DataType::Decimal128(precision, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_a_number_in_twos_complement_of_any_length() {
        assert_eq!(decimal(&[], 5), None);
        assert_eq!(decimal(&[0x02, 0x00], 5), Some(512));
        assert_eq!(decimal(&[0xFF], 5), Some(-1));
        assert_eq!(decimal(&[0x00, 0xFF], 5), Some(255));
        assert_eq!(decimal(&[0xFF; 40], 5), Some(-1));
        assert_eq!(decimal(&[0x01, 0x86, 0x9F], 5), Some(99_999));
        assert_eq!(decimal(&[0x01, 0x86, 0xA0], 5), None);
        let mut beyond = [0u8; 17];
        beyond[1] = 0x80;
        assert_eq!(decimal(&beyond, 38), None);
        beyond[0] = 0xFF;
        beyond[1] = 0x7F;
        assert_eq!(decimal(&beyond, 38), None);
    }
}
