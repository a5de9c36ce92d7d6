//! Rows in, the bytes of one file out: Parquet, CSV or JSON lines.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo_data::codec::csv::{CsvEncoder, CsvOptions};
use ognivo_data::codec::json::{JsonEncoder, JsonOptions};
use ognivo_data::codec::{EncodeError, OptionError};
use ognivo_data::fault::{Explain, Fault, nearest};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;

use crate::parquet::ParquetFile;

/// How rows become a file.
#[derive(Debug, Clone)]
pub enum Encoding {
    /// Parquet that Spark reads with its own types, vectors as vectors.
    Parquet(Compression),
    /// CSV, with Spark's writer options.
    Csv(Box<CsvOptions>),
    /// JSON lines, with Spark's writer options.
    Json(Box<JsonOptions>),
}

/// A format cannot be written as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodingError {
    /// The format is none of ours.
    #[error("unknown format (known: parquet, csv, json): {0}")]
    UnknownFormat(String),
    /// An option of a text format.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// An option that Parquet does not take.
    #[error("parquet has no option of this name: {0}")]
    UnknownOption(String),
    /// A codec that we do not have.
    #[error("option `compression` must be snappy, zstd, gzip or none: {0}")]
    Compression(String),
}

impl EncodingError {
    /// The option that is wrong, as the user wrote it, where one is.
    pub fn option(&self) -> Option<&str> {
        match self {
            EncodingError::UnknownFormat(_) => None,
            EncodingError::Option(OptionError::Unknown { name, .. }) => Some(name),
            EncodingError::Option(OptionError::Value { name, .. }) => Some(name),
            EncodingError::Option(_) => None,
            EncodingError::UnknownOption(name) => Some(name),
            EncodingError::Compression(_) => Some(COMPRESSION),
        }
    }
}

impl Explain for EncodingError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        let near = |name: &str, known: &[&str]| nearest(name, known.iter().copied()).map(str::to_owned);
        let meant = match self {
            EncodingError::UnknownFormat(name) => near(name, &["parquet", "csv", "json"]),
            EncodingError::Option(cause) => return cause.hint(),
            EncodingError::UnknownOption(name) => near(name, &[COMPRESSION]),
            EncodingError::Compression(name) => near(name, &["snappy", "zstd", "gzip", "none"]),
        };
        meant.map(|name| format!("did you mean `{name}`?"))
    }
}

const COMPRESSION: &str = "compression";

impl Encoding {
    /// Reads Spark's writer options of `format`: `parquet`, `csv` or `json`.
    ///
    /// # Errors
    /// [`EncodingError`] for the first that cannot be used.
    pub fn parse(format: &str, options: &[(String, String)]) -> Result<Encoding, EncodingError> {
        let given = || options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        match format {
            "parquet" => {
                let mut compression = Compression::SNAPPY;
                for (name, value) in given() {
                    if !name.eq_ignore_ascii_case(COMPRESSION) {
                        return Err(EncodingError::UnknownOption(name.to_owned()));
                    }
                    compression = parse_compression(value)?;
                }
                Ok(Encoding::Parquet(compression))
            }
            "csv" => Ok(Encoding::Csv(Box::new(CsvOptions::parse(given())?))),
            "json" => Ok(Encoding::Json(Box::new(JsonOptions::parse(given())?))),
            other => Err(EncodingError::UnknownFormat(other.to_owned())),
        }
    }

    /// The end of a file's name.
    pub fn extension(&self) -> &'static str {
        match self {
            Encoding::Parquet(Compression::UNCOMPRESSED) => ".parquet",
            Encoding::Parquet(Compression::ZSTD(_)) => ".zstd.parquet",
            Encoding::Parquet(Compression::GZIP(_)) => ".gz.parquet",
            Encoding::Parquet(_) => ".snappy.parquet",
            Encoding::Csv(_) => ".csv",
            Encoding::Json(_) => ".json",
        }
    }

    /// Checks that rows of `schema` can be written.
    ///
    /// # Errors
    /// The first column that cannot.
    pub fn check(&self, schema: &SchemaRef) -> Result<(), EncodeFileError> {
        self.start(schema).map(|_| ())
    }

    /// An empty file of these columns.
    ///
    /// # Errors
    /// The first column that cannot be written.
    pub fn start(&self, schema: &SchemaRef) -> Result<EncodedFile, EncodeFileError> {
        Ok(EncodedFile(match self {
            Encoding::Parquet(compression) => Kind::Parquet(Box::new(ParquetFile::new(schema, *compression)?)),
            Encoding::Csv(options) => {
                let encoder = CsvEncoder::new(options);
                encoder.check(schema)?;
                let mut bytes = Vec::new();
                encoder.header(schema, &mut bytes);
                Kind::Csv { encoder, bytes }
            }
            Encoding::Json(options) => {
                let encoder = JsonEncoder::new(options);
                encoder.check(schema)?;
                Kind::Json { encoder, bytes: Vec::new() }
            }
        }))
    }
}

/// Spark's names; `lz4`, `lzo`, `brotli` are not in this build.
fn parse_compression(value: &str) -> Result<Compression, EncodingError> {
    match value.to_ascii_lowercase().as_str() {
        "snappy" => Ok(Compression::SNAPPY),
        "zstd" => Ok(Compression::ZSTD(ZstdLevel::default())),
        "gzip" => Ok(Compression::GZIP(GzipLevel::default())),
        "none" | "uncompressed" => Ok(Compression::UNCOMPRESSED),
        _ => Err(EncodingError::Compression(value.to_owned())),
    }
}

/// Rows cannot be written in this format.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeFileError {
    /// Into text.
    #[error(transparent)]
    Text(#[from] EncodeError),
    /// Into Parquet.
    #[error("cannot write Parquet: {0}")]
    Parquet(#[from] ParquetError),
}

impl Explain for EncodeFileError {
    fn fault(&self) -> Fault {
        match self {
            EncodeFileError::Text(cause) => cause.fault(),
            EncodeFileError::Parquet(_) => Fault::Job,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            EncodeFileError::Text(cause) => cause.hint(),
            EncodeFileError::Parquet(_) => None,
        }
    }
}

/// A file that is being made: rows go in, bytes come out as they are ready.
pub struct EncodedFile(Kind);

enum Kind {
    Parquet(Box<ParquetFile>),
    Csv { encoder: CsvEncoder, bytes: Vec<u8> },
    Json { encoder: JsonEncoder, bytes: Vec<u8> },
}

impl std::fmt::Debug for EncodedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodedFile").field("memory_bytes", &self.memory_bytes()).finish_non_exhaustive()
    }
}

impl EncodedFile {
    /// Takes rows of the columns that the file was started with.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), EncodeFileError> {
        match &mut self.0 {
            Kind::Parquet(file) => Ok(file.write(rows)?),
            Kind::Csv { encoder, bytes } => Ok(encoder.encode(rows, bytes)?),
            Kind::Json { encoder, bytes } => Ok(encoder.encode(rows, bytes)?),
        }
    }

    /// The bytes that are ready and were not taken before, which stay.
    pub fn ready(&self) -> &[u8] {
        match &self.0 {
            Kind::Parquet(file) => file.ready(),
            Kind::Csv { bytes, .. } | Kind::Json { bytes, .. } => bytes,
        }
    }

    /// The bytes that are ready and were not taken before.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        match &mut self.0 {
            Kind::Parquet(file) => file.take_bytes(),
            Kind::Csv { bytes, .. } | Kind::Json { bytes, .. } => std::mem::take(bytes),
        }
    }

    /// Makes the bytes of all rows taken so far ready; a Parquet file gets a row group for it.
    ///
    /// # Errors
    /// When the rows cannot be encoded.
    pub fn flush(&mut self) -> Result<(), EncodeFileError> {
        match &mut self.0 {
            Kind::Parquet(file) => Ok(file.end_row_group()?),
            Kind::Csv { .. } | Kind::Json { .. } => Ok(()),
        }
    }

    /// Bytes in memory: what is ready and was not taken, and what still waits for its row group.
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Kind::Parquet(file) => file.memory_bytes(),
            Kind::Csv { bytes, .. } | Kind::Json { bytes, .. } => bytes.len(),
        }
    }

    /// Bytes that are ready and were not taken.
    pub fn ready_bytes(&self) -> usize {
        self.ready().len()
    }

    /// Ends the file and gives its last bytes; no row can be added after.
    ///
    /// # Errors
    /// When the last rows cannot be encoded.
    pub fn finish(&mut self) -> Result<Vec<u8>, EncodeFileError> {
        match &mut self.0 {
            Kind::Parquet(file) => Ok(file.finish()?),
            Kind::Csv { bytes, .. } | Kind::Json { bytes, .. } => Ok(std::mem::take(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int32Array;
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn what_is_ready_before_the_first_row_is_how_the_file_begins() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true)]));
        let rows = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int32Array::from(vec![1, 2]))]).unwrap();
        let csv = Encoding::Csv(Box::new(CsvOptions { header: true, ..CsvOptions::default() }));
        let json = Encoding::Json(Box::default());
        for (encoding, first) in [(Encoding::Parquet(Compression::SNAPPY), "PAR1"), (csv, "a\n"), (json, "")] {
            let mut file = encoding.start(&schema).unwrap();
            assert_eq!(file.ready(), first.as_bytes(), "{encoding:?}");
            file.write(&rows).unwrap();
            let all = file.finish().unwrap();
            assert!(all.len() > first.len() && all.starts_with(first.as_bytes()), "{encoding:?}: {all:?}");
        }
    }
}
