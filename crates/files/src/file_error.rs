//! What can go wrong with the contents of one file.

use std::io::{self, ErrorKind};

use ognivo_data::codec::DecodeError;
use ognivo_data::fault::{Explain, Fault, Retry};
use parquet::errors::ParquetError;

/// A file that cannot be read as what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It was listed or planned, and is not there any more.
    #[error("file is gone since it was listed: {path}")]
    Vanished {
        /// The file.
        path: String,
    },
    /// The file system failed.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the file system said.
        source: io::Error,
    },
    /// It has become shorter since it was listed.
    #[error("file is {found_bytes} bytes long and was {listed_bytes} when it was listed: {path}")]
    Shorter {
        /// The file.
        path: String,
        /// Its length when it was listed.
        listed_bytes: u64,
        /// How far it could be read.
        found_bytes: u64,
    },
    /// A record in it cannot be read, and the mode does not allow that; or its header does not match.
    #[error("{path}: {source}")]
    Decode {
        /// The file.
        path: String,
        /// What is wrong.
        source: DecodeError,
    },
    /// It is compressed text.
    #[error("compressed text cannot be read by this build: {path}")]
    Compressed {
        /// The file.
        path: String,
    },
    /// It is no Parquet file, or a damaged one.
    #[error("{path} is not a Parquet file that can be read: {source}")]
    Parquet {
        /// The file.
        path: String,
        /// What is wrong.
        source: ParquetError,
    },
    /// A column is stored as another type than the one asked for.
    #[error("{path}: column `{column}` is stored as {stored} and cannot be read as: {wanted}")]
    Column {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// Its type in the file.
        stored: String,
        /// The type that the schema says.
        wanted: String,
    },
    /// A value of a partition folder cannot be read as the column's type.
    #[error("{path}: partition value cannot be read as {wanted}: {value}")]
    PartitionValue {
        /// The file.
        path: String,
        /// The type of the column.
        wanted: String,
        /// The value.
        value: String,
    },
}

impl Explain for FileError {
    fn fault(&self) -> Fault {
        match self {
            FileError::Read { source, .. } if source.kind() == ErrorKind::PermissionDenied => Fault::Job,
            FileError::Read { .. } => Fault::Remote,
            FileError::Decode { source, .. } => source.fault(),
            _ => Fault::Data,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            FileError::Read { .. } if self.fault() == Fault::Remote => Retry::Backoff,
            _ => Retry::Never,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            FileError::Vanished { .. } => {
                Some("put the file back, or set `ignoreMissingFiles: true` to go on without it".to_owned())
            }
            FileError::Shorter { .. } => {
                Some("write files under a hidden name and rename them when they are whole".to_owned())
            }
            FileError::Decode { source, .. } => source.hint(),
            FileError::Compressed { .. } => Some("unpack the file, or write it as Parquet".to_owned()),
            _ => None,
        }
    }
}
