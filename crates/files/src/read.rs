//! Files as a dataset: the same rows in the same partitions as Spark's.
//!
//! 1. list the files ([`listing`](crate::listing)), or take those that the folder's `_spark_metadata` names;
//! 2. find the schema, given or inferred; partition folders add columns at the end;
//! 3. plan the partitions ([`partition_plan`](ognivo_data::partition_plan));
//! 4. decode lazily, each time a partition is scanned; long pieces in parts, which an executor may scan side by side.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use bytes::Bytes;
use ognivo_data::codec::DecodeError;
use ognivo_data::codec::csv::{self, CsvOptions};
use ognivo_data::codec::json::{self, JsonOptions};
use ognivo_data::column::ColumnNotFound;
use ognivo_data::dataset::{CHUNK_ROWS, Dataset, DatasetError, Executor, Partitions, RowIter};
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_data::partition_plan::{FileLength, PartitionSettings, Piece, plan_partitions};

use crate::bytes::FileBytes;
use crate::file_error::FileError;
use crate::listing::{InputFile, ListError, ListingOptions, list_files, partition_columns};
use crate::open::Location;
use crate::parquet::file_schema;
use crate::partition::infer_type;
use crate::piece::{FileColumns, PieceBlocks, PieceReader, is_splittable};

/// What a file holds, and how it is to be read.
#[derive(Debug, Clone)]
pub enum FileFormat {
    /// CSV, with Spark's reader options.
    Csv(CsvOptions),
    /// JSON lines, with Spark's reader options.
    Json(JsonOptions),
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
    /// What a person should know of the listing, such as names that were passed over.
    pub warnings: Vec<String>,
    counts: Arc<Counts>,
}

impl FileDataset {
    /// What became of the records, over all parts of partitions that were scanned to their end.
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
        let listed = location.wait_for(list_files(location, &request.listing))?;
        files.extend(listed.into_iter().map(|file| DatasetFile { store: location.clone(), file }));
    }
    let columns = find_columns(request, &files)?;
    let splittable = is_splittable(&request.format);
    let lengths: Vec<FileLength> =
        files.iter().map(|file| FileLength { bytes: file.file.size_bytes, splittable }).collect();
    let plan = plan_partitions(&lengths, &request.partitions);
    let plan: Vec<Vec<Piece>> = plan.into_iter().map(|pieces| parts(pieces, &lengths)).collect();
    let counts = Arc::new(Counts(Mutex::new(plan.iter().map(|parts| vec![None; parts.len()]).collect())));
    let n_files = files.len();
    let warnings = request.locations.iter().flat_map(|location| location.folders().take_warnings()).collect();
    let partitions = FilePartitions {
        reader: PieceReader { format: request.format.clone(), columns, block_rows: CHUNK_ROWS, keep_raw: false },
        files,
        plan,
        counts: Arc::clone(&counts),
    };
    partitions.reader.check()?;
    Ok(FileDataset { dataset: Dataset::new(Arc::new(partitions), executor), n_files, warnings, counts })
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

/// The columns of the files, found in them; types need the files whole, in memory.
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
        // Names are in the first file; only types need all of them.
        FileFormat::Csv(options) if !options.infer_schema => {
            let head = contents(&with_bytes[..1], HEAD_BYTES)?;
            Ok(csv::infer_schema(&slices(&head), options))
        }
        FileFormat::Csv(options) => Ok(csv::infer_schema(&slices(&contents(&with_bytes, u64::MAX)?), options)),
        FileFormat::Json(options) => Ok(json::infer_schema(&slices(&contents(&with_bytes, u64::MAX)?), options)),
    }
}

/// The files, each up to so many bytes, in memory.
fn contents(files: &[&DatasetFile], max_bytes: u64) -> Result<Vec<Bytes>, FileError> {
    let content = |file: &&DatasetFile| {
        let read = file.open()?.read(0..file.file.size_bytes.min(max_bytes));
        read.map_err(|source| FileError::Read { path: file.name(), source })
    };
    files.iter().map(content).collect()
}

fn slices(contents: &[Bytes]) -> Vec<&[u8]> {
    contents.iter().map(AsRef::as_ref).collect()
}

/// How much of a file is looked at for the names of its columns.
const HEAD_BYTES: u64 = 1 << 20;

/// The longest part of a file that is read by one thread, where reading can begin in the middle.
const MAX_PART_BYTES: u64 = 4 << 20;

/// The pieces of a partition, cut where they are long. By the rule of pieces, those of a cut piece give the rows of the whole.
fn parts(pieces: Vec<Piece>, files: &[FileLength]) -> Vec<Piece> {
    let cut = |piece: Piece| {
        let Range { start, end } = piece.bytes;
        let n_parts = if files[piece.file_idx].splittable { (end - start).div_ceil(MAX_PART_BYTES).max(1) } else { 1 };
        let border = move |n: u64| start + (u128::from(end - start) * u128::from(n) / u128::from(n_parts)) as u64;
        (0..n_parts).map(move |n| Piece { file_idx: piece.file_idx, bytes: border(n)..border(n + 1) })
    };
    pieces.into_iter().flat_map(cut).collect()
}

struct FilePartitions {
    reader: PieceReader,
    files: Vec<DatasetFile>,
    /// The parts of each partition, each a piece of a file.
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
        let DatasetFile { store, file } = &self.files[piece.file_idx];
        self.reader.open(store, file, FileBytes::open(store, &file.path, file.size_bytes)?, Some(&piece.bytes))
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
        Ok(Box::new((0..self.n_parts(partition)).flat_map(move |part| Scan::new(self, partition, part))))
    }

    fn n_parts(&self, partition: usize) -> usize {
        self.plan[partition].len()
    }

    fn scan_part(&self, partition: usize, part: usize) -> Result<RowIter<'_>, DatasetError> {
        Ok(Box::new(Scan::new(self, partition, part)))
    }
}

/// The rows of one part of a partition.
struct Scan<'a> {
    partitions: &'a FilePartitions,
    partition: usize,
    part: usize,
    state: ScanState,
    counts: RecordCounts,
}

enum ScanState {
    New,
    Open(Box<PieceBlocks>),
    /// Nothing comes any more: all was read, or reading failed.
    Ended,
}

impl Scan<'_> {
    fn new(partitions: &FilePartitions, partition: usize, part: usize) -> Scan<'_> {
        Scan { partitions, partition, part, state: ScanState::New, counts: RecordCounts::default() }
    }

    fn next_block(&mut self) -> Result<Option<RecordBatch>, FileError> {
        if let ScanState::New = self.state {
            let piece = &self.partitions.plan[self.partition][self.part];
            self.state = ScanState::Open(Box::new(self.partitions.open(piece)?));
        }
        let ScanState::Open(blocks) = &mut self.state else { return Ok(None) };
        let Some(block) = blocks.next().transpose()? else {
            self.state = ScanState::Ended;
            self.partitions.counts.set(self.partition, self.part, self.counts);
            return Ok(None);
        };
        self.counts.add(&block.counts);
        Ok(Some(block.rows))
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<RecordBatch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = self.next_block();
        if block.is_err() {
            self.state = ScanState::Ended;
        }
        block.map_err(DatasetError::new).transpose()
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

/// The counts of each part of each partition, once it was scanned to its end.
#[derive(Debug)]
struct Counts(Mutex<Vec<Vec<Option<RecordCounts>>>>);

impl Counts {
    fn set(&self, partition: usize, part: usize, counts: RecordCounts) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[partition][part] = Some(counts);
    }

    fn total(&self) -> RecordCounts {
        let mut total = RecordCounts::default();
        for counts in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().flatten() {
            total.add(counts);
        }
        total
    }
}
