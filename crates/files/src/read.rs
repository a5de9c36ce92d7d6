//! Files as a dataset: the same rows in the same partitions as Spark's.
//!
//! 1. list the files ([`listing`](crate::listing)), or take those that the folder's `_spark_metadata` names;
//! 2. find the schema, given or inferred; partition folders add columns at the end;
//! 3. plan the partitions ([`partition_plan`](ognivo_data::partition_plan));
//! 4. decode lazily, piece by piece, each time a partition is scanned.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use ognivo_data::codec::csv::{CsvDecoder, CsvOptions, infer_schema};
use ognivo_data::codec::{DecodeError, RowDecoder};
use ognivo_data::column::{ColumnNotFound, find_column};
use ognivo_data::dataset::{CHUNK_ROWS, Dataset, DatasetError, Executor, Partitions, RowIter};
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_data::partition_plan::{FileLength, PartitionSettings, Piece, plan_partitions};

use crate::bytes::FileBytes;
use crate::file_error::FileError;
use crate::listing::{InputFile, ListError, ListingOptions, list_files, partition_columns};
use crate::open::Location;
use crate::parquet::{ParquetBlocks, file_schema};
use crate::partition::{constant_column, infer_type};
use crate::text::TextBlocks;

/// What a file holds, and how it is to be read.
#[derive(Debug, Clone)]
pub enum FileFormat {
    /// CSV, with Spark's reader options.
    Csv(CsvOptions),
    /// Parquet.
    Parquet,
}

/// Which files to read, and how.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// Folders, files, globs.
    pub locations: Vec<Location>,
    /// What they hold.
    pub format: FileFormat,
    /// The columns of the files, those of partition folders among them; inferred when None.
    pub schema: Option<SchemaRef>,
    /// Only these columns, in this order; the others are not read.
    pub columns: Option<Vec<String>>,
    /// Which files of a folder count.
    pub listing: ListingOptions,
    /// How files become partitions.
    pub partitions: PartitionSettings,
}

impl ReadRequest {
    /// Reads everything at `location`, with the schema that is found there.
    pub fn new(location: Location, format: FileFormat) -> ReadRequest {
        ReadRequest {
            locations: vec![location],
            format,
            schema: None,
            columns: None,
            listing: ListingOptions::default(),
            partitions: PartitionSettings::default(),
        }
    }
}

/// A dataset over files, and what became of the records that were read.
#[derive(Debug, Clone)]
pub struct FileDataset {
    /// The rows.
    pub dataset: Dataset,
    /// How many files there are.
    pub n_files: usize,
    counts: Arc<Counts>,
}

impl FileDataset {
    /// What became of the records, over all partitions that were scanned to their end.
    ///
    /// Scanning again changes nothing; before the first pass all counts are 0.
    pub fn counts(&self) -> RecordCounts {
        self.counts.total()
    }
}

/// What became of records. `n_read = n_kept + n_rejected + n_dropped`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Records of the files; blank lines and headers are none.
    pub n_read: u64,
    /// Those that are rows of the dataset.
    pub n_kept: u64,
    /// Those that did not fit the schema; with mode PERMISSIVE they are rows all the same.
    pub n_malformed: u64,
    /// Those that mode REJECT took out.
    pub n_rejected: u64,
    /// Those that mode DROPMALFORMED took out.
    pub n_dropped: u64,
}

/// Files cannot become a dataset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// They cannot be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// The schema cannot be found in them.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no file to find the schema in.
    #[error("no schema is given and there is no file to infer it from: {locations}")]
    NothingToInfer {
        /// Where files were looked for.
        locations: String,
    },
    /// A column is asked for that is not there.
    #[error(transparent)]
    Column(#[from] ColumnNotFound),
    /// The options do not suit the schema.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Explain for ReadError {
    fn fault(&self) -> Fault {
        match self {
            ReadError::List(error) => error.fault(),
            ReadError::File(error) => error.fault(),
            ReadError::NothingToInfer { .. } => Fault::Job,
            ReadError::Decode(error) => error.fault(),
            ReadError::Column(error) => error.fault(),
        }
    }
    fn retry(&self) -> Retry {
        match self {
            ReadError::List(error) => error.retry(),
            ReadError::File(error) => error.retry(),
            _ => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            ReadError::List(error) => error.hint(),
            ReadError::File(error) => error.hint(),
            ReadError::Column(error) => error.hint(),
            ReadError::NothingToInfer { .. } => Some("give the schema with `schema:`".to_owned()),
            ReadError::Decode(error) => error.hint(),
        }
    }
}

/// Lists the files and finds their schema now; rows are read when the dataset is scanned.
///
/// Call it, and scan the dataset, from a thread that may block, not from an async task.
///
/// # Errors
/// [`ReadError`]; errors of the rows themselves come when they are read.
pub fn read(request: &ReadRequest, executor: Arc<dyn Executor>) -> Result<FileDataset, ReadError> {
    let mut files = Vec::new();
    for location in &request.locations {
        let listed = location.wait_for(list_input(location, &request.listing))?;
        files.extend(listed.into_iter().map(|file| DatasetFile { store: location.clone(), file }));
    }
    let columns = find_columns(request, &files)?;
    let splittable = match &request.format {
        FileFormat::Csv(options) => !options.multi_line,
        FileFormat::Parquet => true,
    };
    let lengths: Vec<FileLength> =
        files.iter().map(|file| FileLength { bytes: file.file.size_bytes, splittable }).collect();
    let plan = plan_partitions(&lengths, &request.partitions);
    let counts = Arc::new(Counts(Mutex::new(vec![None; plan.len()])));
    let n_files = files.len();
    let partitions = FilePartitions {
        reader: PieceReader { format: request.format.clone(), columns, block_rows: CHUNK_ROWS },
        files,
        plan,
        counts: Arc::clone(&counts),
    };
    partitions.reader.check()?;
    Ok(FileDataset { dataset: Dataset::new(Arc::new(partitions), executor), n_files, counts })
}

/// The files of a folder: those that Spark's log in it names, when there is one, else those that are there.
async fn list_input(location: &Location, options: &ListingOptions) -> Result<Vec<InputFile>, ListError> {
    list_files(location, options).await
}

#[derive(Debug)]
struct DatasetFile {
    /// Any place in the store that holds the file.
    store: Location,
    file: InputFile,
}

impl DatasetFile {
    fn open(&self) -> Result<FileBytes, FileError> {
        FileBytes::open(&self.store, &self.file.path, self.file.size_bytes)
    }

    fn name(&self) -> String {
        self.store.at(self.file.path.clone()).to_string()
    }
}

/// The columns of a dataset over files, and where each comes from.
#[derive(Debug, Clone)]
pub(crate) struct FileColumns {
    /// The columns of the files themselves.
    pub(crate) file_schema: SchemaRef,
    /// The columns that come out.
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
        let fields: Vec<_> = fields.iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        FileColumns { file_schema, schema: Arc::new(Schema::new(fields)), origins }
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

    /// The rows of a file with the columns of its folders.
    fn complete(&self, rows: &RecordBatch, file: &InputFile, path: &str) -> Result<RecordBatch, FileError> {
        let mut from_file = rows.columns().iter();
        let column = |(origin, field): (&ColumnOrigin, &Arc<Field>)| -> Result<ArrayRef, FileError> {
            match origin {
                ColumnOrigin::File(_) => {
                    Ok(Arc::clone(from_file.next().expect("the reader was asked for each of these columns")))
                }
                ColumnOrigin::Folder(i) => {
                    let value = file.folders.get(*i).and_then(|folder| folder.value.as_deref());
                    constant_column(value, field.data_type(), rows.num_rows()).ok_or_else(|| {
                        FileError::PartitionValue {
                            path: path.to_owned(),
                            wanted: ognivo_data::schema::type_name(field.data_type()),
                            value: value.unwrap_or_default().to_owned(),
                        }
                    })
                }
            }
        };
        let columns = self.origins.iter().zip(self.schema.fields()).map(column).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .expect("columns have the types of the schema, which is nullable throughout, and one length"))
    }
}

/// The columns of the request over these files.
fn find_columns(request: &ReadRequest, files: &[DatasetFile]) -> Result<FileColumns, ReadError> {
    let listed: Vec<InputFile> = files.iter().map(|file| file.file.clone()).collect();
    let folders = folder_fields(&listed, request.schema.as_deref())?;
    let file_schema = match &request.schema {
        Some(given) => {
            let is_folder = |field: &Field| folders.iter().any(|f| f.name().eq_ignore_ascii_case(field.name()));
            let fields: Vec<_> = given.fields().iter().filter(|field| !is_folder(field)).cloned().collect();
            Arc::new(Schema::new(fields))
        }
        None => Arc::new(infer(request, files)?),
    };
    let columns = FileColumns::new(file_schema, &folders);
    match &request.columns {
        Some(names) => Ok(columns.select(names)?),
        None => Ok(columns),
    }
}

/// The columns that partition folders give, of the given type or of the narrowest that fits.
pub(crate) fn folder_fields(files: &[InputFile], given: Option<&Schema>) -> Result<Vec<Field>, ListError> {
    let names = partition_columns(files)?;
    let field = |(i, name): (usize, &String)| {
        let given =
            given.and_then(|schema| schema.fields().iter().find(|field| field.name().eq_ignore_ascii_case(name)));
        given.map(|field| field.as_ref().clone()).unwrap_or_else(|| {
            let values = files.iter().filter_map(|file| file.folders[i].value.as_deref());
            Field::new(name, infer_type(values), true)
        })
    };
    Ok(names.iter().enumerate().map(field).collect())
}

/// The columns of the files, found in them.
fn infer(request: &ReadRequest, files: &[DatasetFile]) -> Result<Schema, ReadError> {
    let with_bytes: Vec<&DatasetFile> = files.iter().filter(|file| file.file.size_bytes > 0).collect();
    let Some(first) = with_bytes.first() else {
        let locations: Vec<String> = request.locations.iter().map(ToString::to_string).collect();
        return Err(ReadError::NothingToInfer { locations: locations.join(", ") });
    };
    match &request.format {
        FileFormat::Parquet => {
            let found = file_schema(&first.open()?);
            Ok(found.map_err(|source| FileError::Parquet { path: first.name(), source })?)
        }
        FileFormat::Csv(options) => {
            // Names are in the first file; only types need all of them.
            let looked_at = if options.infer_schema { with_bytes.as_slice() } else { &with_bytes[..1] };
            let whole = |file: &&DatasetFile| -> Result<bytes::Bytes, FileError> {
                let end =
                    if options.infer_schema { file.file.size_bytes } else { file.file.size_bytes.min(HEAD_BYTES) };
                file.open()?.read(0..end).map_err(|source| FileError::Read { path: file.name(), source })
            };
            let contents = looked_at.iter().map(whole).collect::<Result<Vec<_>, _>>()?;
            let contents: Vec<&[u8]> = contents.iter().map(AsRef::as_ref).collect();
            Ok(infer_schema(&contents, options))
        }
    }
}

/// How much of a file is looked at for the names of its columns.
const HEAD_BYTES: u64 = 1 << 20;

/// Reads pieces of files into rows of the wanted columns.
#[derive(Debug, Clone)]
pub(crate) struct PieceReader {
    pub(crate) format: FileFormat,
    pub(crate) columns: FileColumns,
    pub(crate) block_rows: usize,
}

impl PieceReader {
    /// Finds out now whether the format can give columns of these types.
    fn check(&self) -> Result<(), DecodeError> {
        match &self.format {
            FileFormat::Csv(options) => self.csv(options).map(|_| ()),
            FileFormat::Parquet => Ok(()),
        }
    }

    fn csv(&self, options: &CsvOptions) -> Result<CsvDecoder, DecodeError> {
        let in_files = self.columns.in_files();
        CsvDecoder::new(Arc::clone(&self.columns.file_schema), options, Some(&in_files), self.block_rows)
    }

    /// The decoder of a text file, or of a range of it; None for a format that is no text.
    fn decoder(&self, range: Option<&Range<u64>>) -> Result<Option<Box<dyn RowDecoder>>, DecodeError> {
        match &self.format {
            FileFormat::Csv(options) => {
                let decoder = self.csv(options)?;
                let decoder = match range.filter(|_| !options.multi_line) {
                    Some(range) => decoder.with_range(range.start, range.end),
                    None => decoder,
                };
                Ok(Some(Box::new(decoder)))
            }
            FileFormat::Parquet => Ok(None),
        }
    }

    /// The columns that are read from files, in the order of the output.
    fn wanted_of_files(&self) -> SchemaRef {
        let schema = self.columns.file_schema.project(&self.columns.in_files());
        Arc::new(schema.expect("positions come from the schema"))
    }
}

/// Rows of one piece of a file.
enum PieceBlocks {
    Text(TextBlocks),
    Parquet(ParquetBlocks),
}

struct FilePartitions {
    reader: PieceReader,
    files: Vec<DatasetFile>,
    plan: Vec<Vec<Piece>>,
    counts: Arc<Counts>,
}

impl fmt::Debug for FilePartitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePartitions")
            .field("format", &self.reader.format)
            .field("n_files", &self.files.len())
            .field("n_partitions", &self.plan.len())
            .finish_non_exhaustive()
    }
}

impl FilePartitions {
    fn open(&self, piece: &Piece) -> Result<PieceBlocks, FileError> {
        let file = &self.files[piece.file_idx];
        let (path, bytes) = (file.name(), file.open()?);
        let decoder = self.reader.decoder(Some(&piece.bytes));
        match decoder.map_err(|source| FileError::Decode { path: path.clone(), source })? {
            Some(decoder) => TextBlocks::new(path, bytes, decoder, piece.bytes.clone(), false).map(PieceBlocks::Text),
            None => {
                let wanted = self.reader.wanted_of_files();
                ParquetBlocks::open(&bytes, path, Some(piece.bytes.clone()), &wanted, self.reader.block_rows)
                    .map(PieceBlocks::Parquet)
            }
        }
    }

    /// The next rows of a piece, and what became of the records behind them.
    fn next_rows(
        &self,
        piece: &Piece,
        blocks: &mut PieceBlocks,
    ) -> Option<Result<(RecordBatch, RecordCounts), FileError>> {
        let counted = match blocks {
            PieceBlocks::Text(blocks) => blocks.next()?.map(|block| {
                let counts = RecordCounts {
                    n_read: (block.decoded.rows.num_rows() + block.decoded.malformed.len() + block.decoded.n_dropped)
                        as u64,
                    n_kept: block.decoded.rows.num_rows() as u64,
                    n_malformed: block.decoded.n_malformed as u64,
                    n_rejected: block.decoded.malformed.len() as u64,
                    n_dropped: block.decoded.n_dropped as u64,
                };
                (block.decoded.rows, counts)
            }),
            PieceBlocks::Parquet(blocks) => blocks.next()?.map(|rows| {
                let n_rows = rows.num_rows() as u64;
                (rows, RecordCounts { n_read: n_rows, n_kept: n_rows, ..RecordCounts::default() })
            }),
        };
        let file = &self.files[piece.file_idx];
        Some(
            counted.and_then(|(rows, counts)| {
                Ok((self.reader.columns.complete(&rows, &file.file, &file.name())?, counts))
            }),
        )
    }
}

impl Partitions for FilePartitions {
    fn schema(&self) -> &SchemaRef {
        &self.reader.columns.schema
    }

    fn n_partitions(&self) -> usize {
        self.plan.len()
    }

    fn scan(&self, partition: usize) -> Result<RowIter<'_>, DatasetError> {
        Ok(Box::new(Scan {
            partitions: self,
            partition,
            pieces: self.plan[partition].iter(),
            open: None,
            counts: RecordCounts::default(),
        }))
    }
}

/// The rows of one partition, piece after piece.
struct Scan<'a> {
    partitions: &'a FilePartitions,
    partition: usize,
    pieces: std::slice::Iter<'a, Piece>,
    open: Option<(&'a Piece, PieceBlocks)>,
    counts: RecordCounts,
}

impl Iterator for Scan<'_> {
    type Item = Result<RecordBatch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((piece, blocks)) = &mut self.open {
                match self.partitions.next_rows(piece, blocks) {
                    Some(Ok((rows, counts))) => {
                        self.counts.add(&counts);
                        return Some(Ok(rows));
                    }
                    Some(Err(error)) => return Some(Err(DatasetError::new(error))),
                    None => self.open = None,
                }
            }
            let Some(piece) = self.pieces.next() else {
                self.partitions.counts.set(self.partition, self.counts);
                return None;
            };
            match self.partitions.open(piece) {
                Ok(blocks) => self.open = Some((piece, blocks)),
                Err(error) => return Some(Err(DatasetError::new(error))),
            }
        }
    }
}

impl RecordCounts {
    fn add(&mut self, other: &RecordCounts) {
        self.n_read += other.n_read;
        self.n_kept += other.n_kept;
        self.n_malformed += other.n_malformed;
        self.n_rejected += other.n_rejected;
        self.n_dropped += other.n_dropped;
    }
}

/// The counts of each partition, once it was scanned to its end.
#[derive(Debug)]
struct Counts(Mutex<Vec<Option<RecordCounts>>>);

impl Counts {
    fn set(&self, partition: usize, counts: RecordCounts) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[partition] = Some(counts);
    }

    fn total(&self) -> RecordCounts {
        let mut total = RecordCounts::default();
        for counts in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten() {
            total.add(counts);
        }
        total
    }
}
