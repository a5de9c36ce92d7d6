//! Where `score` writes: stdout, or a file that appears whole.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo_data::codec::csv::{CsvEncoder, CsvOptions};
use ognivo_data::codec::json::{JsonEncoder, JsonOptions};
use ognivo_files::encode::{EncodeFileError, EncodedFile, Encoding};

use crate::failure::{Failure, FileFailure};
use crate::print;

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// With a header.
    Csv,
    /// One object a line.
    Json,
    /// Spark's types and vectors.
    Parquet,
}

/// Makes bytes of a batch where the format allows to do so apart from other batches, so that many threads can.
pub(crate) enum Encoder {
    /// CSV.
    Csv(CsvEncoder),
    /// JSON lines.
    Json(JsonEncoder),
    /// Batches share pages; whoever has the file encodes.
    Whole,
}

impl Encoder {
    /// The bytes of these rows; None for a format that must see them in order.
    pub(crate) fn encode(&self, rows: &RecordBatch) -> Result<Option<Vec<u8>>, Failure> {
        let mut bytes = Vec::new();
        match self {
            Encoder::Csv(encoder) => encoder.encode(rows, &mut bytes).map_err(EncodeFileError::from)?,
            Encoder::Json(encoder) => encoder.encode(rows, &mut bytes).map_err(EncodeFileError::from)?,
            Encoder::Whole => return Ok(None),
        }
        Ok(Some(bytes))
    }
}

/// The output.
pub(crate) struct OutputFile {
    encoder: Encoder,
    target: Target,
}

enum Target {
    Stdout,
    File { file: File, temporary: PathBuf, path: PathBuf, parquet: Option<Box<EncodedFile>> },
}

impl OutputFile {
    /// Standard output.
    pub(crate) fn stdout(format: OutputFormat, schema: &SchemaRef) -> Result<OutputFile, Failure> {
        let (encoder, header) = encoder(format, schema)?;
        print::bytes(&header)?;
        Ok(OutputFile { encoder, target: Target::Stdout })
    }

    /// A file at `path`, which takes the place of one that is there when it is finished, and not before.
    pub(crate) fn create(path: &Path, format: OutputFormat, schema: &SchemaRef) -> Result<OutputFile, Failure> {
        let (encoder, header) = encoder(format, schema)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let mut file = File::create(&temporary).map_err(FileFailure::of("write", path))?;
        file.write_all(&header).map_err(FileFailure::of("write", path))?;
        let parquet = match format {
            OutputFormat::Parquet => {
                let encoding = Encoding::parse("parquet", &[]).expect("parquet without options is always fine");
                Some(Box::new(encoding.start(schema)?))
            }
            OutputFormat::Csv | OutputFormat::Json => None,
        };
        let target = Target::File { file, temporary, path: path.to_owned(), parquet };
        Ok(OutputFile { encoder, target })
    }

    /// What makes bytes of batches.
    pub(crate) fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Takes the next batch, and its bytes where the encoder made some.
    pub(crate) fn write(&mut self, rows: &RecordBatch, encoded: Option<Vec<u8>>) -> Result<(), Failure> {
        match &mut self.target {
            Target::Stdout => print::bytes(&encoded.unwrap_or_default()),
            Target::File { file, path, parquet, .. } => {
                let bytes = match parquet {
                    Some(parquet) => {
                        parquet.write(rows)?;
                        parquet.take_bytes()
                    }
                    None => encoded.unwrap_or_default(),
                };
                Ok(file.write_all(&bytes).map_err(FileFailure::of("write", path))?)
            }
        }
    }

    /// Writes what is left and gives the file its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Target::File { mut file, temporary, path, parquet } = self.target else { return Ok(()) };
        let last = parquet.map(|mut parquet| parquet.finish()).transpose()?.unwrap_or_default();
        let written = file.write_all(&last).and_then(|()| file.sync_all());
        let named = written.and_then(|()| std::fs::rename(&temporary, &path));
        Ok(named.map_err(FileFailure::of("write", &path))?)
    }
}

fn encoder(format: OutputFormat, schema: &SchemaRef) -> Result<(Encoder, Vec<u8>), Failure> {
    let mut header = Vec::new();
    let encoder = match format {
        OutputFormat::Csv => {
            let options = CsvOptions { header: true, ..CsvOptions::default() };
            let encoder = CsvEncoder::new(&options);
            encoder.check(schema).map_err(EncodeFileError::from)?;
            encoder.header(schema, &mut header);
            Encoder::Csv(encoder)
        }
        OutputFormat::Json => {
            let encoder = JsonEncoder::new(&JsonOptions::default());
            encoder.check(schema).map_err(EncodeFileError::from)?;
            Encoder::Json(encoder)
        }
        OutputFormat::Parquet => Encoder::Whole,
    };
    Ok((encoder, header))
}
