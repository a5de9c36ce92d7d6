//! Where `score` writes: stdout, or a file, here or on a cluster, that appears whole.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo::session::Session;
use ognivo_data::codec::csv::{CsvEncoder, CsvOptions};
use ognivo_data::codec::json::{JsonEncoder, JsonOptions};
use ognivo_files::encode::{EncodeFileError, EncodedFile, Encoding};
use ognivo_files::open::Location;

use crate::failure::{Failure, FileFailure};
use crate::print;
use crate::remote_file::RemoteFile;

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
    File { file: Whole, parquet: Option<Box<EncodedFile>> },
}

/// A file that nobody sees before it is finished.
enum Whole {
    Here { file: File, temporary: PathBuf, path: PathBuf },
    There(RemoteFile),
}

impl Whole {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Whole::Here { file, path, .. } => Ok(file.write_all(bytes).map_err(FileFailure::of("write", path))?),
            Whole::There(file) => file.write(bytes),
        }
    }

    /// Gives it its name.
    fn finish(self) -> Result<(), Failure> {
        match self {
            Whole::Here { file, temporary, path } => {
                let named = file.sync_all().and_then(|()| std::fs::rename(&temporary, &path));
                Ok(named.map_err(FileFailure::of("write", &path))?)
            }
            Whole::There(file) => file.finish(),
        }
    }
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
        let file = File::create(&temporary).map_err(FileFailure::of("write", path))?;
        OutputFile::begin(Whole::Here { file, temporary, path: path.to_owned() }, encoder, &header, format, schema)
    }

    /// The same on a cluster.
    pub(crate) fn create_on_a_cluster(
        place: &Location,
        format: OutputFormat,
        schema: &SchemaRef,
        session: &Session,
    ) -> Result<OutputFile, Failure> {
        let (encoder, header) = encoder(format, schema)?;
        let file = RemoteFile::create(place, session.runtime().handle())?;
        OutputFile::begin(Whole::There(file), encoder, &header, format, schema)
    }

    fn begin(
        mut file: Whole,
        encoder: Encoder,
        header: &[u8],
        format: OutputFormat,
        schema: &SchemaRef,
    ) -> Result<OutputFile, Failure> {
        file.write(header)?;
        let parquet = match format {
            OutputFormat::Parquet => {
                let encoding = Encoding::parse("parquet", &[]).expect("parquet without options is always fine");
                Some(Box::new(encoding.start(schema)?))
            }
            OutputFormat::Csv | OutputFormat::Json => None,
        };
        Ok(OutputFile { encoder, target: Target::File { file, parquet } })
    }

    /// What makes bytes of batches.
    pub(crate) fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Takes the next batch, and its bytes where the encoder made some.
    pub(crate) fn write(&mut self, rows: &RecordBatch, encoded: Option<Vec<u8>>) -> Result<(), Failure> {
        match &mut self.target {
            Target::Stdout => print::bytes(&encoded.unwrap_or_default()),
            Target::File { file, parquet } => {
                let bytes = match parquet {
                    Some(parquet) => {
                        parquet.write(rows)?;
                        parquet.take_bytes()
                    }
                    None => encoded.unwrap_or_default(),
                };
                file.write(&bytes)
            }
        }
    }

    /// Writes what is left and gives the file its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Target::File { mut file, parquet } = self.target else { return Ok(()) };
        let last = parquet.map(|mut parquet| parquet.finish()).transpose()?.unwrap_or_default();
        file.write(&last)?;
        file.finish()
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
