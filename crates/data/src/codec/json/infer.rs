//! What fields the objects of JSON lines have and what types their values.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use super::options::JsonOptions;
use super::reader::{Kind, NoJson, Reader, Syntax};
use crate::codec::lines::{BYTE_ORDER_MARK, find_line};
use crate::codec::mode::RowMode;
use crate::codec::number::decimal_parts_of;

/// The fields of all objects in JSON lines, whose beginnings, or wholes, are `files`, in the order of their names.
///
/// Numbers are bigint, decimal where a bigint is too small, or double; strings, booleans, structs and lists are what
/// they are; what does not mix is a string; what is null everywhere, or an empty text, is a string. In mode PERMISSIVE
/// a line that is no JSON adds the corrupt-record column.
///
/// Same as Spark 3.5 and 4.3 for `samplingRatio` 1; with a smaller one every record given counts.
pub fn infer_schema(files: &[&[u8]], options: &JsonOptions) -> Schema {
    let syntax = Syntax::new(options);
    let line_sep = options.line_sep.as_deref().map(str::as_bytes);
    let mut fields = BTreeMap::new();
    let mut corrupt = false;
    for file in files {
        let file = file.strip_prefix(&BYTE_ORDER_MARK).unwrap_or(file);
        let mut at = 0;
        while at < file.len() {
            let (end, next) = find_line(file, at, line_sep).unwrap_or((file.len(), file.len()));
            let mut record = BTreeMap::new();
            match record_fields(&file[at..end], &syntax, options, &mut record) {
                Ok(()) => merge_fields(&mut fields, record),
                Err(NoJson) => corrupt = true,
            }
            at = next;
        }
    }
    if corrupt && options.mode == RowMode::Permissive {
        fields.insert(options.column_name_of_corrupt_record.clone(), Type::String);
    }
    let fields = fields.into_iter().filter_map(|(name, kind)| Some(Field::new(name, kind.data_type()?, true)));
    Schema::new(fields.collect::<Vec<_>>())
}

/// The type of a field so far.
#[derive(Debug, Clone, PartialEq)]
enum Type {
    Null,
    Boolean,
    Long,
    /// Digits in all and after the point.
    Decimal(u8, u8),
    Double,
    String,
    Struct(BTreeMap<String, Type>),
    List(Box<Type>),
}

impl Type {
    /// `None` for a struct without fields, which is no column.
    fn data_type(self) -> Option<DataType> {
        Some(match self {
            Type::Null | Type::String => DataType::Utf8,
            Type::Boolean => DataType::Boolean,
            Type::Long => DataType::Int64,
            Type::Decimal(precision, scale) => DataType::Decimal128(precision, scale as i8),
            Type::Double => DataType::Float64,
            Type::Struct(fields) => {
                let fields = fields.into_iter();
                let fields: Vec<Field> =
                    fields.filter_map(|(name, part)| Some(Field::new(name, part.data_type()?, true))).collect();
                match fields.is_empty() {
                    true => return None,
                    false => DataType::Struct(fields.into()),
                }
            }
            Type::List(element) => DataType::List(Arc::new(Field::new("element", element.data_type()?, true))),
        })
    }
}

/// The fields of the object, or of all objects of the array, on one line.
fn record_fields(
    line: &[u8],
    syntax: &Syntax,
    options: &JsonOptions,
    fields: &mut BTreeMap<String, Type>,
) -> Result<(), NoJson> {
    let mut reader = Reader::new(line, syntax);
    match reader.peek() {
        None => Ok(()),
        Some(b'{') => object(&mut reader, options, fields),
        Some(b'[') => reader.array(|reader| {
            let mut element = BTreeMap::new();
            object(reader, options, &mut element)?;
            merge_fields(fields, element);
            Ok(())
        }),
        Some(_) => Err(NoJson),
    }
}

fn object(reader: &mut Reader<'_>, options: &JsonOptions, fields: &mut BTreeMap<String, Type>) -> Result<(), NoJson> {
    reader.object(|name, reader| {
        let name = String::from_utf8_lossy(name).into_owned();
        let kind = value(reader, options)?;
        fields.insert(name, kind);
        Ok(())
    })
}

fn value(reader: &mut Reader<'_>, options: &JsonOptions) -> Result<Type, NoJson> {
    match reader.peek() {
        Some(b'{') => {
            // The depth of nesting is checked before the parts are looked at.
            reader.clone().value()?;
            let mut fields = BTreeMap::new();
            object(reader, options, &mut fields)?;
            return Ok(Type::Struct(fields));
        }
        Some(b'[') => {
            reader.clone().value()?;
            let mut element = Type::Null;
            reader.array(|reader| {
                let other = value(reader, options)?;
                element = merged(std::mem::replace(&mut element, Type::Null), other);
                Ok(())
            })?;
            return Ok(Type::List(Box::new(element)));
        }
        _ => {}
    }
    let (kind, text) = reader.value()?;
    Ok(match kind {
        Kind::Null => Type::Null,
        Kind::String if text.len() == 2 => Type::Null,
        Kind::String => Type::String,
        _ if options.primitives_as_string => Type::String,
        Kind::True | Kind::False => Type::Boolean,
        Kind::Integer => whole(text),
        Kind::Real if options.prefers_decimal => decimal(text).unwrap_or(Type::Double),
        _ => Type::Double,
    })
}

fn whole(text: &[u8]) -> Type {
    match crate::codec::number::parse_long(text) {
        Some(_) => Type::Long,
        None => decimal(text).unwrap_or(Type::Double),
    }
}

/// A decimal of 38 digits at most.
fn decimal(text: &[u8]) -> Option<Type> {
    let (digits, scale) = decimal_parts_of(text)?;
    let scale_digits = u8::try_from(scale).ok()?;
    let precision = digits.max(scale_digits);
    (precision <= 38).then_some(Type::Decimal(precision, scale_digits))
}

fn merge_fields(fields: &mut BTreeMap<String, Type>, other: BTreeMap<String, Type>) {
    for (name, kind) in other {
        match fields.remove(&name) {
            None => fields.insert(name, kind),
            Some(before) => fields.insert(name, merged(before, kind)),
        };
    }
}

/// The type of a field that holds values of both.
fn merged(a: Type, b: Type) -> Type {
    match (a, b) {
        (Type::Null, other) | (other, Type::Null) => other,
        (a, b) if a == b => a,
        (Type::Long | Type::Decimal(..), Type::Double) | (Type::Double, Type::Long | Type::Decimal(..)) => Type::Double,
        (Type::Long, Type::Decimal(precision, scale)) | (Type::Decimal(precision, scale), Type::Long) => {
            merged_decimals((20, 0), (precision, scale))
        }
        (Type::Decimal(p1, s1), Type::Decimal(p2, s2)) => merged_decimals((p1, s1), (p2, s2)),
        (Type::Struct(mut a), Type::Struct(b)) => {
            merge_fields(&mut a, b);
            Type::Struct(a)
        }
        (Type::List(a), Type::List(b)) => Type::List(Box::new(merged(*a, *b))),
        _ => Type::String,
    }
}

fn merged_decimals((p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> Type {
    let scale = s1.max(s2);
    let whole = (p1 - s1).max(p2 - s2);
    match whole + scale <= 38 {
        true => Type::Decimal(whole + scale, scale),
        false => Type::Double,
    }
}
