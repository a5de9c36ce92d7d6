//! Why a codec cannot go on.

use super::avro::AvroSchemaError;
use super::mode::Malformed;
use crate::fault::{Explain, Fault};

/// A decoder could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A malformed record in mode [`RowMode::FailFast`](super::RowMode::FailFast).
    #[error("malformed {format} record at {record}")]
    Malformed {
        /// `CSV`, `JSON` or `Avro`.
        format: &'static str,
        /// The record and what is wrong with it.
        record: Box<Malformed>,
    },
    /// The header does not name the columns of the schema, and `enforceSchema` is false.
    #[error("header does not match the schema, column {index}: expected `{expected}`, found `{found}`")]
    Header {
        /// Position of the first column that differs, from 0.
        index: usize,
        /// Name in the schema; empty when the header has more columns.
        expected: String,
        /// Name in the header; empty when it has fewer columns.
        found: String,
    },
    /// A column has a type that text cannot be read as.
    #[error("column `{column}` cannot be read from {format}: {data_type}")]
    UnsupportedType {
        /// `CSV`, `JSON` or `Avro`.
        format: &'static str,
        /// The column.
        column: String,
        /// Its Arrow type.
        data_type: String,
    },
    /// The corrupt-record column is not a string column.
    #[error("column of corrupt records `{column}` must be a string: {data_type}")]
    CorruptColumn {
        /// The column.
        column: String,
        /// Its Arrow type.
        data_type: String,
    },
    /// The projection names a column that the schema does not have.
    #[error("projected column is not in the schema of {n_columns} columns: {index}")]
    Projection {
        /// The position asked for.
        index: usize,
        /// How many columns there are.
        n_columns: usize,
    },
    /// A single record is longer than a decoder is willing to hold in memory.
    #[error("record at byte {byte_pos} is longer than {limit_bytes} bytes")]
    RecordTooLong {
        /// Where it begins.
        byte_pos: u64,
        /// The limit.
        limit_bytes: usize,
    },
    /// The schema that records are written by is not given.
    #[error("option `avroSchema` is missing: it says what the bytes of a record mean")]
    NoAvroSchema,
    /// The schema that records are written by does not give the columns.
    #[error(transparent)]
    AvroSchema(#[from] AvroSchemaError),
    /// The text of one batch does not fit the 32-bit offsets of a string column.
    #[error("column `{column}` of one batch holds more than 2 GiB of text")]
    ColumnTooLarge {
        /// The column.
        column: String,
    },
}

impl Explain for DecodeError {
    fn fault(&self) -> Fault {
        match self {
            DecodeError::Malformed { .. }
            | DecodeError::Header { .. }
            | DecodeError::RecordTooLong { .. }
            | DecodeError::ColumnTooLarge { .. } => Fault::Data,
            DecodeError::UnsupportedType { .. } | DecodeError::CorruptColumn { .. } | DecodeError::NoAvroSchema => {
                Fault::Job
            }
            DecodeError::AvroSchema(cause) => cause.fault(),
            DecodeError::Projection { .. } => Fault::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            DecodeError::Malformed { .. } => {
                "mode PERMISSIVE reads such records with nulls, DROPMALFORMED leaves them out"
            }
            DecodeError::Header { .. } => {
                "give the schema in the order of the file, or set enforceSchema to go by position"
            }
            DecodeError::UnsupportedType { format: "Avro", .. } => {
                "name the wanted columns in `schema`, without this one"
            }
            DecodeError::UnsupportedType { .. } => "read the column as STRING, or leave it out of the schema",
            DecodeError::CorruptColumn { .. } => "declare the column as STRING",
            DecodeError::RecordTooLong { .. } => "is a quote missing, or lineSep wrong?",
            DecodeError::ColumnTooLarge { .. } => "ask for fewer rows per batch",
            DecodeError::NoAvroSchema => {
                "give its JSON (`${file:loan.avsc}` reads it from a file), or a `schema.registry.url` where records name theirs"
            }
            DecodeError::AvroSchema(cause) => return cause.hint(),
            DecodeError::Projection { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// A column cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The format has no text for the type.
    #[error("column `{column}` cannot be written as {format}: {data_type}")]
    UnsupportedType {
        /// `CSV`, `JSON` or `Avro`.
        format: &'static str,
        /// The column, with the path inside it for nested types.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// The schema that rows are to be written by does not go with the columns.
    #[error(transparent)]
    AvroSchema(#[from] AvroSchemaError),
    /// A value that the schema has no place for.
    #[error("column `{column}` has a value that Avro's {avro} cannot hold: {value}")]
    Value {
        /// The column, with the path inside it for nested types.
        column: String,
        /// The type that it is to be written as.
        avro: String,
        /// The value.
        value: String,
    },
}

impl Explain for EncodeError {
    fn fault(&self) -> Fault {
        match self {
            EncodeError::UnsupportedType { .. } | EncodeError::AvroSchema(_) => Fault::Job,
            EncodeError::Value { .. } => Fault::Data,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            EncodeError::UnsupportedType { .. } => {
                Some("cast the column to a type that Spark has, or leave it out".to_owned())
            }
            EncodeError::AvroSchema(cause) => cause.hint(),
            EncodeError::Value { .. } => Some("give `avroSchema` a wider type for the column".to_owned()),
        }
    }
}
