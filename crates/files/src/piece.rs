//! Files, or pieces of them, as blocks of rows in the columns that are wanted.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use ognivo_data::codec::csv::{CsvDecoder, CsvOptions};
use ognivo_data::codec::json::JsonDecoder;
use ognivo_data::codec::{DecodeError, Malformed, RowDecoder};
use ognivo_data::column::{ColumnNotFound, find_column};
use ognivo_data::schema::type_name;

use crate::bytes::FileBytes;
use crate::file_error::FileError;
use crate::listing::InputFile;
use crate::open::Location;
use crate::parquet::ParquetBlocks;
use crate::partition::{PartitionFolder, constant_column};
use crate::read::{FileFormat, RecordCounts};
use crate::text::{RawRecords, TextBlocks};

/// The columns of rows over files, and where each comes from.
#[derive(Debug, Clone)]
pub(crate) struct FileColumns {
    /// The columns of the files themselves.
    pub(crate) file_schema: SchemaRef,
    /// The columns that come out; nullable throughout.
    pub(crate) schema: SchemaRef,
    /// Where each of them comes from.
    origins: Vec<ColumnOrigin>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ColumnOrigin {
    /// The column of this position in the files.
    File(usize),
    /// The partition folder of this position in the path.
    Folder(usize),
}

impl FileColumns {
    /// All columns of the files, then those of the partition folders; a folder's value wins over a file's.
    pub(crate) fn new(file_schema: SchemaRef, folders: &[Field]) -> FileColumns {
        let is_folder = |field: &Field| folders.iter().any(|folder| folder.name().eq_ignore_ascii_case(field.name()));
        let in_file = (file_schema.fields().iter().enumerate()).filter(|(_, field)| !is_folder(field));
        let (mut fields, mut origins): (Vec<_>, Vec<_>) =
            in_file.map(|(i, field)| (Arc::clone(field), ColumnOrigin::File(i))).unzip();
        fields.extend(folders.iter().cloned().map(Arc::new));
        origins.extend((0..folders.len()).map(ColumnOrigin::Folder));
        FileColumns { schema: nullable(fields.iter().map(AsRef::as_ref)), file_schema, origins }
    }

    /// The columns of `schema` in its order: those that the folders of a file name come from there, the others are the
    /// file's own.
    pub(crate) fn of_file(schema: &Schema, folders: &[PartitionFolder]) -> FileColumns {
        let mut in_file = Vec::new();
        let mut origins = Vec::new();
        for field in schema.fields() {
            match folders.iter().position(|folder| folder.column.eq_ignore_ascii_case(field.name())) {
                Some(i) => origins.push(ColumnOrigin::Folder(i)),
                None => {
                    origins.push(ColumnOrigin::File(in_file.len()));
                    in_file.push(Arc::clone(field));
                }
            }
        }
        let schema = nullable(schema.fields().iter().map(AsRef::as_ref));
        FileColumns { file_schema: Arc::new(Schema::new(in_file)), schema, origins }
    }

    /// Only these columns, in this order.
    pub(crate) fn select(&self, names: &[String]) -> Result<FileColumns, ColumnNotFound> {
        let positions =
            names.iter().map(|name| find_column(&self.schema, name).map(|(i, _)| i)).collect::<Result<Vec<_>, _>>()?;
        Ok(FileColumns {
            file_schema: Arc::clone(&self.file_schema),
            schema: Arc::new(self.schema.project(&positions).expect("positions come from the schema")),
            origins: positions.iter().map(|&i| self.origins[i].clone()).collect(),
        })
    }

    /// Positions in the files of the columns that are read from them, in the order of the output.
    fn in_files(&self) -> Vec<usize> {
        let position = |origin: &ColumnOrigin| if let ColumnOrigin::File(i) = origin { Some(*i) } else { None };
        self.origins.iter().filter_map(position).collect()
    }

    /// The columns that are read from the files, in the order of the output.
    fn wanted_of_files(&self) -> SchemaRef {
        Arc::new(self.file_schema.project(&self.in_files()).expect("positions come from the schema"))
    }

    /// The rows of a file with the columns of its folders.
    fn complete(&self, rows: &RecordBatch, folders: &[PartitionFolder], path: &str) -> Result<RecordBatch, FileError> {
        let mut from_file = rows.columns().iter();
        let column = |(origin, field): (&ColumnOrigin, &Arc<Field>)| -> Result<ArrayRef, FileError> {
            let ColumnOrigin::Folder(i) = origin else {
                return Ok(Arc::clone(from_file.next().expect("the reader was asked for each of these columns")));
            };
            let value = folders.get(*i).and_then(|folder| folder.value.as_deref());
            constant_column(value, field.data_type(), rows.num_rows()).ok_or_else(|| FileError::PartitionValue {
                path: path.to_owned(),
                wanted: type_name(field.data_type()),
                value: value.unwrap_or_default().to_owned(),
            })
        };
        let columns = self.origins.iter().zip(self.schema.fields()).map(column).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .expect("columns have the types of the schema, which is nullable throughout, and one length"))
    }
}

/// A schema of these fields in which each may be null, as Spark reads every file.
pub(crate) fn nullable<'a>(fields: impl Iterator<Item = &'a Field>) -> SchemaRef {
    Arc::new(Schema::new(fields.map(|field| field.clone().with_nullable(true)).collect::<Vec<_>>()))
}

/// Reads files into rows of the wanted columns.
#[derive(Debug, Clone)]
pub(crate) struct PieceReader {
    pub(crate) format: FileFormat,
    pub(crate) columns: FileColumns,
    pub(crate) block_rows: usize,
    /// Whether blocks hold the bytes of their records, for dead letters.
    pub(crate) keep_raw: bool,
}

impl PieceReader {
    /// Finds out now whether the format can give columns of these types.
    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        self.decoder(None).map(drop)
    }

    /// Opens all of a file as it is now, whatever its length was when it was listed.
    ///
    /// The columns are those of `self` without folders, taken apart anew by the folders of this file.
    pub(crate) fn open_whole(&self, location: &Location, file: &InputFile) -> Result<PieceBlocks, FileError> {
        let reader = PieceReader { columns: FileColumns::of_file(&self.columns.schema, &file.folders), ..self.clone() };
        let bytes = FileBytes::open_whole(location, &file.path)?;
        reader.open(location, file, bytes, None)
    }

    /// Opens a piece of a file, or all of it.
    pub(crate) fn open(
        &self,
        location: &Location,
        file: &InputFile,
        bytes: FileBytes,
        piece: Option<&Range<u64>>,
    ) -> Result<PieceBlocks, FileError> {
        let path = location.at(file.path.clone()).to_string();
        let decoder = self.decoder(piece).map_err(|source| FileError::Decode { path: path.clone(), source })?;
        let inner = match decoder {
            Some(decoder) => {
                let range = piece.cloned().unwrap_or(0..bytes.size_bytes());
                Inner::Text(TextBlocks::new(path.clone(), bytes, decoder, range, self.keep_raw)?)
            }
            None => {
                let wanted = self.columns.wanted_of_files();
                Inner::Parquet(ParquetBlocks::open(&bytes, path.clone(), piece.cloned(), &wanted, self.block_rows)?)
            }
        };
        Ok(PieceBlocks { inner, columns: self.columns.clone(), folders: file.folders.clone(), path })
    }

    /// The decoder of a text file, or of a range of it; None for a format that is no text.
    fn decoder(&self, range: Option<&Range<u64>>) -> Result<Option<Box<dyn RowDecoder>>, DecodeError> {
        let in_files = self.columns.in_files();
        let schema = Arc::clone(&self.columns.file_schema);
        match &self.format {
            FileFormat::Csv(options) => {
                let mut decoder = CsvDecoder::new(schema, options, Some(&in_files), self.block_rows)?;
                if let Some(range) = range.filter(|_| !options.multi_line) {
                    decoder = decoder.with_range(range.start, range.end);
                }
                if self.keep_raw {
                    decoder = decoder.with_spans();
                }
                Ok(Some(Box::new(decoder)))
            }
            FileFormat::Json(options) => {
                let mut decoder = JsonDecoder::new(schema, options, Some(&in_files), self.block_rows)?;
                if let Some(range) = range {
                    decoder = decoder.with_range(range.start, range.end);
                }
                if self.keep_raw {
                    decoder = decoder.with_spans();
                }
                Ok(Some(Box::new(decoder)))
            }
            FileFormat::Parquet => Ok(None),
        }
    }
}

/// The rows of a file or a piece of one, block by block.
pub(crate) struct PieceBlocks {
    inner: Inner,
    columns: FileColumns,
    folders: Vec<PartitionFolder>,
    path: String,
}

enum Inner {
    Text(TextBlocks),
    Parquet(ParquetBlocks),
}

/// Some rows, and what became of the records behind them.
pub(crate) struct PieceBlock {
    pub(crate) rows: RecordBatch,
    pub(crate) counts: RecordCounts,
    /// The records that are no rows, in mode REJECT.
    pub(crate) malformed: Vec<Malformed>,
    /// The bytes of the records, when they were to be kept and the file is text.
    pub(crate) raw: Option<RawRecords>,
}

impl Iterator for PieceBlocks {
    type Item = Result<PieceBlock, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = match &mut self.inner {
            Inner::Text(blocks) => blocks.next()?.map(|block| {
                let decoded = block.decoded;
                let n_rows = decoded.rows.num_rows() as u64;
                let counts = RecordCounts {
                    n_read: n_rows + (decoded.malformed.len() + decoded.n_dropped) as u64,
                    n_kept: n_rows,
                    n_malformed: decoded.n_malformed as u64,
                    n_rejected: decoded.malformed.len() as u64,
                    n_dropped: decoded.n_dropped as u64,
                };
                PieceBlock { rows: decoded.rows, counts, malformed: decoded.malformed, raw: block.raw }
            }),
            Inner::Parquet(blocks) => blocks.next()?.map(|rows| {
                let n_rows = rows.num_rows() as u64;
                let counts = RecordCounts { n_read: n_rows, n_kept: n_rows, ..RecordCounts::default() };
                PieceBlock { rows, counts, malformed: Vec::new(), raw: None }
            }),
        };
        Some(block.and_then(|mut block| {
            block.rows = self.columns.complete(&block.rows, &self.folders, &self.path)?;
            Ok(block)
        }))
    }
}

/// Whether the files of a format can be read from the middle.
pub(crate) fn is_splittable(format: &FileFormat) -> bool {
    match format {
        FileFormat::Csv(CsvOptions { multi_line, .. }) => !multi_line,
        FileFormat::Json(_) | FileFormat::Parquet => true,
    }
}
