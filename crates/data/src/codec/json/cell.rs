//! Reads one JSON value into a cell of a column.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::options::JsonOptions;
use super::reader::{Kind, NoJson, Reader, Syntax, kind_of, unescape};
use crate::codec::builder::{ColumnBuilder, Values};
use crate::codec::cpu::Avx2;
use crate::codec::datetime::TextTime;
use crate::codec::number::{parse_decimal, parse_double, parse_float, parse_long};
use crate::vector::Vector;

/// What values mean beyond their type.
#[derive(Debug)]
pub(super) struct CellRules {
    time: TextTime,
    non_numeric: bool,
    pub(super) avx2: Option<Avx2>,
}

impl CellRules {
    pub(super) fn new(options: &JsonOptions) -> Self {
        CellRules {
            time: TextTime {
                date_format: options.date_format.clone(),
                timestamp_format: options.timestamp_format.clone(),
                timestamp_ntz_format: options.timestamp_ntz_format.clone(),
                fallback: options.enable_date_time_parsing_fallback,
                zone: options.time_zone,
            },
            non_numeric: options.allow_non_numeric_numbers,
            avx2: Avx2::detect(),
        }
    }
}

/// The value is none of the column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongType;

impl From<NoJson> for WrongType {
    fn from(_: NoJson) -> Self {
        WrongType
    }
}

/// Appends a null.
pub(crate) fn push_null(column: &mut ColumnBuilder) {
    column.nulls.push(column.n_rows as u32);
    push_default(column);
}

/// Appends the value that stands where there is none.
fn push_default(column: &mut ColumnBuilder) {
    column.n_rows += 1;
    match &mut column.values {
        Values::Int8(out) => out.push(0),
        Values::Int16(out) => out.push(0),
        Values::Int32(out) | Values::Date(out) => out.push(0),
        Values::Int64(out) | Values::Timestamp(out, _) => out.push(0),
        Values::Float32(out) => out.push(0.0),
        Values::Float64(out) => out.push(0.0),
        Values::Boolean(out) => out.push(false),
        Values::Decimal(out, _, _) => out.push(0),
        Values::Text { offsets, bytes, .. } => offsets.push(bytes.len() as i32),
        Values::Vector(out) => out.push_null(),
        Values::Struct(_, parts) => parts.iter_mut().for_each(push_null),
        Values::List { offsets, items, .. } => offsets.push(items.n_rows as i32),
    }
}

/// Appends a value that has been checked to be JSON.
///
/// # Errors
/// The value is of another type; a null was appended, or a struct with nulls for its parts of another type.
pub(super) fn push_cell(
    column: &mut ColumnBuilder,
    value: &[u8],
    rules: &CellRules,
    syntax: &Syntax,
) -> Result<(), WrongType> {
    let kind = kind_of(value);
    if kind == Kind::Null {
        push_null(column);
        return Ok(());
    }
    let pushed = match &mut column.values {
        Values::Int8(out) => put(out, byte(kind, value)),
        Values::Int16(out) => put(out, long(kind, value).and_then(|v| v.try_into().ok())),
        Values::Int32(out) => put(out, long(kind, value).and_then(|v| v.try_into().ok())),
        Values::Int64(out) => put(out, long(kind, value)),
        Values::Float32(out) => put(out, real(kind, value, rules, parse_float, |v| v as f32)),
        Values::Float64(out) => put(out, real(kind, value, rules, parse_double, |v| v)),
        Values::Boolean(out) => put(
            out,
            match kind {
                Kind::True => Some(true),
                Kind::False => Some(false),
                _ => None,
            },
        ),
        Values::Date(out) => put(out, text(kind, value).and_then(|t| rules.time.days(&t))),
        Values::Timestamp(out, zone) => put(
            out,
            match (kind, zone) {
                // A number is seconds.
                (Kind::Integer, Some(_)) => parse_long(value).and_then(|seconds| seconds.checked_mul(1_000_000)),
                (_, Some(_)) => text(kind, value).and_then(|t| rules.time.micros(&t)),
                (_, None) => text(kind, value).and_then(|t| rules.time.micros_ntz(&t)),
            },
        ),
        Values::Decimal(out, precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            put(
                out,
                match kind {
                    Kind::Integer | Kind::Real => parse_decimal(value, precision, scale),
                    _ => text(kind, value).and_then(|t| parse_decimal(&t, precision, scale)),
                },
            )
        }
        Values::Text { offsets, bytes, binary } => {
            let pushed = push_text(kind, value, *binary, bytes);
            if pushed {
                offsets.push(bytes.len() as i32);
            }
            pushed
        }
        Values::Vector(out) => match vector(value) {
            Some(vector) => {
                out.push(vector.as_ref());
                true
            }
            None => false,
        },
        Values::Struct(..) => return push_struct(column, kind, value, rules, syntax),
        Values::List { .. } => return push_list(column, kind, value, rules, syntax),
    };
    match pushed {
        true => {
            column.n_rows += 1;
            Ok(())
        }
        false => {
            push_null(column);
            Err(WrongType)
        }
    }
}

fn put<T>(out: &mut Vec<T>, value: Option<T>) -> bool {
    let found = value.is_some();
    out.extend(value);
    found
}

fn long(kind: Kind, value: &[u8]) -> Option<i64> {
    match kind {
        Kind::Integer => parse_long(value),
        _ => None,
    }
}

/// Bytes above 127 wrap around, as Jackson reads them.
fn byte(kind: Kind, value: &[u8]) -> Option<i8> {
    long(kind, value).filter(|v| (-128..=255).contains(v)).map(|v| v as i8)
}

fn real<T>(
    kind: Kind,
    value: &[u8],
    rules: &CellRules,
    parse: impl Fn(&[u8]) -> Option<T>,
    of: impl Fn(f64) -> T,
) -> Option<T> {
    let special = |text: &[u8]| match text {
        b"NaN" => Some(f64::NAN),
        b"Infinity" | b"+Infinity" | b"+INF" => Some(f64::INFINITY),
        b"-Infinity" | b"-INF" => Some(f64::NEG_INFINITY),
        _ => None,
    };
    match kind {
        Kind::Integer | Kind::Real => parse(value),
        Kind::NonNumeric => special(value).map(of),
        // The names of other numbers may stand in quotes; numbers may not.
        Kind::String if rules.non_numeric => special(&value[1..value.len() - 1]).map(of),
        _ => None,
    }
}

/// What a string says; nothing for an empty one, which stands for no value of another type than string.
fn text(kind: Kind, value: &[u8]) -> Option<Vec<u8>> {
    if kind != Kind::String || value.len() == 2 {
        return None;
    }
    let mut text = Vec::with_capacity(value.len());
    unescape(&value[1..value.len() - 1], &mut text);
    Some(text)
}

/// Appends a string, or of another value its text as it stands; bytes are base64.
fn push_text(kind: Kind, value: &[u8], binary: bool, out: &mut Vec<u8>) -> bool {
    if binary {
        let decoded = text(kind, value).and_then(|t| STANDARD.decode(t).ok());
        return match decoded {
            Some(decoded) => {
                out.extend_from_slice(&decoded);
                true
            }
            None => false,
        };
    }
    if std::str::from_utf8(value).is_err() {
        return false;
    }
    match kind {
        Kind::String => unescape(&value[1..value.len() - 1], out),
        _ => out.extend_from_slice(value),
    }
    true
}

fn vector(value: &[u8]) -> Option<Vector> {
    Vector::from_json(&serde_json::from_slice(value).ok()?)
}

fn push_struct(
    column: &mut ColumnBuilder,
    kind: Kind,
    value: &[u8],
    rules: &CellRules,
    syntax: &Syntax,
) -> Result<(), WrongType> {
    if kind != Kind::Object {
        push_null(column);
        return Err(WrongType);
    }
    let Values::Struct(fields, parts) = &mut column.values else {
        unreachable!("called for structs");
    };
    let mut found: Vec<Option<&[u8]>> = vec![None; parts.len()];
    Reader::new(value, syntax).object(|name, reader| {
        let (_, part) = reader.value()?;
        if let Some(index) = fields.iter().position(|field| field.name().as_bytes() == name) {
            found[index] = Some(part);
        }
        Ok(())
    })?;
    let mut wrong = false;
    for (part, value) in parts.iter_mut().zip(found) {
        match value {
            None => push_null(part),
            Some(value) => wrong |= push_cell(part, value, rules, syntax).is_err(),
        }
    }
    column.n_rows += 1;
    match wrong {
        true => Err(WrongType),
        false => Ok(()),
    }
}

fn push_list(
    column: &mut ColumnBuilder,
    kind: Kind,
    value: &[u8],
    rules: &CellRules,
    syntax: &Syntax,
) -> Result<(), WrongType> {
    if kind != Kind::Array {
        push_null(column);
        return Err(WrongType);
    }
    let Values::List { offsets, items, .. } = &mut column.values else {
        unreachable!("called for lists");
    };
    let mut wrong = false;
    Reader::new(value, syntax).array(|reader| {
        let (_, item) = reader.value()?;
        wrong |= push_cell(items, item, rules, syntax).is_err();
        Ok(())
    })?;
    offsets.push(items.n_rows as i32);
    // A list with an element of another type is no list; its elements stay behind, in nobody's row.
    if wrong {
        column.nulls.push(column.n_rows as u32);
    }
    column.n_rows += 1;
    match wrong {
        true => Err(WrongType),
        false => Ok(()),
    }
}
