//! What the bytes of a datum mean.

mod parse;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

pub(super) use self::parse::is_name;
use self::parse::parse;
use crate::fault::{Explain, Fault};

/// How many parts a schema may have once every name in it is replaced by what it stands for.
const LARGEST_SCHEMA: usize = 100_000;

/// The schema of a record, as somebody wrote it and as we read it.
#[derive(Debug, Clone)]
pub struct AvroSchema {
    json: Arc<str>,
    root: Arc<Record>,
}

/// A schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AvroSchemaError {
    /// The text is none of Avro's schemas.
    #[error("not an Avro schema: {0}")]
    NotASchema(String),
    /// A schema of something else than records.
    #[error("an Avro schema of rows must be a record: {0}")]
    NotARecord(String),
    /// A type that holds itself.
    #[error("an Avro schema of rows cannot hold itself: {0}")]
    Recursive(String),
    /// A schema of more parts than any table has.
    #[error("an Avro schema is too large: more than {LARGEST_SCHEMA} parts")]
    TooLarge,
    /// A column that no field of the schema feeds, or a field that must have a column and has none.
    #[error("{needs} `{name}` is not among the {among}: {known}")]
    NoSuchName {
        /// `column` or `field`.
        needs: &'static str,
        /// Its name.
        name: String,
        /// `fields of the Avro schema` or `columns`.
        among: &'static str,
        /// What there is.
        known: String,
    },
    /// A field and a column that do not go together.
    #[error("column `{column}` of type {data_type} does not go with Avro's {avro}")]
    Types {
        /// The column, with the path inside it for nested types.
        column: String,
        /// Its type.
        data_type: String,
        /// The type of the field.
        avro: String,
    },
    /// A field of a type for which there is no column.
    #[error("there is no column for the Avro field `{field}`: {avro}")]
    NoColumn {
        /// The field, with the path to it.
        field: String,
        /// Its type.
        avro: String,
    },
    /// A name that Avro does not allow.
    #[error("column `{0}` cannot be written as Avro: names are of letters, digits and _, and begin with no digit")]
    Name(String),
}

impl Explain for AvroSchemaError {
    fn fault(&self) -> Fault {
        Fault::Job
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            AvroSchemaError::Types { .. } => "name the column with the type of the field, or leave it out",
            AvroSchemaError::NoColumn { .. } => "name the columns that are wanted in `schema`, without this one",
            AvroSchemaError::Name(_) => "give the column another name, or leave it out of `select`",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl AvroSchema {
    /// Reads a schema from its JSON.
    ///
    /// # Errors
    /// For a text that is none, and for a schema that is no record or holds itself.
    pub fn parse(json: &str) -> Result<AvroSchema, AvroSchemaError> {
        AvroSchema::parse_with(&[], json)
    }

    /// Reads a schema that names types of `others`, each of which may name those of the ones before it.
    ///
    /// # Errors
    /// As [`parse`](AvroSchema::parse), also for one of the others.
    pub fn parse_with(others: &[&str], json: &str) -> Result<AvroSchema, AvroSchemaError> {
        let others = others.iter().map(|other| value(other)).collect::<Result<Vec<Value>, _>>()?;
        match parse(&others, &value(json)?)? {
            Type::Record(record) => Ok(AvroSchema { json: json.into(), root: Arc::new(record) }),
            other => Err(AvroSchemaError::NotARecord(other.to_string())),
        }
    }

    /// The JSON that it was read from.
    pub fn json(&self) -> &str {
        &self.json
    }

    pub(super) fn root(&self) -> &Record {
        &self.root
    }
}

fn value(json: &str) -> Result<Value, AvroSchemaError> {
    serde_json::from_str(json).map_err(|error| AvroSchemaError::NotASchema(error.to_string()))
}

/// A record, its fields in the order of their bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) fields: Vec<(String, Type)>,
}

/// A type with every name in it replaced by what it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Null,
    Boolean,
    Int(IntKind),
    Long(LongKind),
    Float,
    Double,
    Bytes(Option<Decimal>),
    String,
    Fixed(usize, Option<Decimal>),
    Enum(Vec<String>),
    Array(Box<Type>),
    Map(Box<Type>),
    Union(Vec<Type>),
    Record(Record),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntKind {
    Plain,
    Date,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LongKind {
    Plain,
    TimestampMillis,
    TimestampMicros,
    LocalMillis,
    LocalMicros,
}

/// Digits in all, and behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) precision: usize,
    pub(super) scale: usize,
}

impl Type {
    /// Whether a value takes no bytes, so that any number of them fits into none.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Type::Null | Type::Fixed(0, _) => true,
            Type::Record(record) => record.fields.iter().all(|(_, field)| field.is_empty()),
            _ => false,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Null => f.write_str("null"),
            Type::Boolean => f.write_str("boolean"),
            Type::Int(IntKind::Plain) => f.write_str("int"),
            Type::Int(IntKind::Date) => f.write_str("date"),
            Type::Long(LongKind::Plain) => f.write_str("long"),
            Type::Long(LongKind::TimestampMillis) => f.write_str("timestamp-millis"),
            Type::Long(LongKind::TimestampMicros) => f.write_str("timestamp-micros"),
            Type::Long(LongKind::LocalMillis) => f.write_str("local-timestamp-millis"),
            Type::Long(LongKind::LocalMicros) => f.write_str("local-timestamp-micros"),
            Type::Float => f.write_str("float"),
            Type::Double => f.write_str("double"),
            Type::Bytes(None) => f.write_str("bytes"),
            Type::String => f.write_str("string"),
            Type::Fixed(size, None) => write!(f, "fixed({size})"),
            Type::Bytes(Some(Decimal { precision, scale })) | Type::Fixed(_, Some(Decimal { precision, scale })) => {
                write!(f, "decimal({precision},{scale})")
            }
            Type::Enum(_) => f.write_str("enum"),
            Type::Array(item) => write!(f, "array of {item}"),
            Type::Map(value) => write!(f, "map of {value}"),
            Type::Union(branches) => {
                let names: Vec<String> = branches.iter().map(Type::to_string).collect();
                write!(f, "union of {}", names.join(", "))
            }
            Type::Record(record) => write!(f, "record {}", record.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expect: AvroSchemaError) {
        assert_eq!(AvroSchema::parse(json).unwrap_err(), expect);
    }

    #[test]
    fn names_stand_for_what_was_said_before() {
        let json = r#"{"type":"record","name":"R","namespace":"n","fields":[
            {"name":"a","type":{"type":"fixed","name":"F","size":4}},
            {"name":"b","type":["null","F"]},
            {"name":"c","type":{"type":"string","logicalType":"uuid"}}]}"#;
        let schema = AvroSchema::parse(json).unwrap();
        let types: Vec<String> = schema.root().fields.iter().map(|(_, field)| field.to_string()).collect();
        assert_eq!(types, ["fixed(4)", "union of null, fixed(4)", "string"]);
        assert_eq!(schema.root().name, "n.R");
        assert_eq!(schema.json(), json);
    }

    #[test]
    fn a_schema_may_name_types_of_others() {
        let grade = r#"{"type":"enum","name":"Grade","namespace":"n","symbols":["A"]}"#;
        let who = r#"{"type":"record","name":"Who","namespace":"n","fields":[{"name":"g","type":"Grade"}]}"#;
        let loan =
            r#"{"type":"record","name":"Loan","fields":[{"name":"who","type":"n.Who"},{"name":"g","type":"n.Grade"}]}"#;
        let schema = AvroSchema::parse_with(&[grade, who], loan).unwrap();
        let types: Vec<String> = schema.root().fields.iter().map(|(_, field)| field.to_string()).collect();
        assert_eq!(types, ["record n.Who", "enum"]);
        assert_eq!(schema.json(), loan);
        check(loan, AvroSchemaError::NotASchema("no type of this name: n.Who".to_owned()));
    }

    #[test]
    fn a_schema_of_rows_is_a_record_that_does_not_hold_itself() {
        check(r#""int""#, AvroSchemaError::NotARecord("int".to_owned()));
        let list = r#"{"type":"record","name":"List","fields":[{"name":"next","type":["null","List"]}]}"#;
        check(list, AvroSchemaError::Recursive("List".to_owned()));
    }

    #[test]
    fn a_small_schema_that_means_a_large_one_is_refused() {
        let mut fields = vec![
            r#"{"name":"f0","type":{"type":"record","name":"R0","fields":[{"name":"x","type":"int"}]}}"#.to_owned(),
        ];
        for i in 1..20 {
            let before = i - 1;
            fields.push(format!(
                r#"{{"name":"f{i}","type":{{"type":"record","name":"R{i}","fields":[{{"name":"l","type":"R{before}"}},{{"name":"r","type":"R{before}"}}]}}}}"#
            ));
        }
        check(&format!(r#"{{"type":"record","name":"R","fields":[{}]}}"#, fields.join(",")), AvroSchemaError::TooLarge);
    }

    #[test]
    fn a_text_that_is_no_schema_says_what_is_wrong() {
        for (json, why) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            (r#"{"type":"record","fields":[]}"#, "a record lacks its name"),
            (r#"{"type":"record","name":"1","fields":[]}"#, "no name of Avro's: 1"),
            (r#"{"type":"record","name":"R"}"#, "R lacks its fields"),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":"nothing"}]}"#,
                "no type of this name: nothing",
            ),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#,
                "R has two fields of one name: a",
            ),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":["int","int"]}]}"#,
                "a union has a type twice: int",
            ),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":["int",["null"]]}]}"#,
                "a union holds another",
            ),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"enum","name":"R","symbols":[]}}]}"#,
                "two types of one name: R",
            ),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"F","size":-1}}]}"#,
                "F lacks its size",
            ),
        ] {
            check(json, AvroSchemaError::NotASchema(why.to_owned()));
        }
    }

    #[test]
    fn a_logical_type_that_does_not_go_with_its_type_is_none() {
        let json = r#"{"type":"record","name":"R","fields":[
            {"name":"a","type":{"type":"string","logicalType":"date"}},
            {"name":"b","type":{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":4,"scale":1}},
            {"name":"c","type":{"type":"fixed","name":"G","size":2,"logicalType":"decimal","precision":5}},
            {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}}]}"#;
        let schema = AvroSchema::parse(json).unwrap();
        let types: Vec<String> = schema.root().fields.iter().map(|(_, field)| field.to_string()).collect();
        assert_eq!(types, ["string", "decimal(4,1)", "fixed(2)", "bytes"]);
    }
}
