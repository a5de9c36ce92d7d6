//! Files to read, from their description in a job or on the command line to a dataset.

use std::path::Path;

use arrow_schema::SchemaRef;
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_data::partition_plan::PartitionSettings;
use ognivo_files::config::{ConfigError, batch_read_options};
use ognivo_files::open::{OpenError, open};
use ognivo_files::read::{FileDataset, ReadError, ReadRequest, read};

use crate::session::Session;

/// Which files, and how to read them.
#[derive(Debug, Clone)]
pub struct Input {
    /// `csv`, `json` or `parquet`.
    pub format: String,
    /// Files, folders, globs.
    pub paths: Vec<String>,
    /// The columns; inferred when absent.
    pub schema: Option<SchemaRef>,
    /// Spark's options of the format and of files.
    pub options: Vec<(String, String)>,
    /// Spark's default parallelism, which decides partitions.
    pub parallelism: usize,
}

/// Files cannot be read as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// A path names no place that we can reach.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An option is unknown or its value cannot be used.
    #[error(transparent)]
    Option(#[from] ConfigError),
    /// A glob matches nothing.
    #[error("no file matches: {0}")]
    NoFile(String),
    /// The files cannot be listed or read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Explain for InputError {
    fn fault(&self) -> Fault {
        match self {
            InputError::Open(cause) => cause.fault(),
            InputError::Option(cause) => cause.fault(),
            InputError::NoFile(_) => Fault::Job,
            InputError::Read(cause) => cause.fault(),
        }
    }
    fn retry(&self) -> Retry {
        match self {
            InputError::Read(cause) => cause.retry(),
            _ => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            InputError::Open(cause) => cause.hint(),
            InputError::Option(cause) => cause.hint(),
            InputError::NoFile(_) => Some("look at the path and at pathGlobFilter".to_owned()),
            InputError::Read(cause) => cause.hint(),
        }
    }
}

impl Input {
    /// For whoever names a file and nothing else: a CSV file is expected to have a header, and its types are inferred when
    /// there is no schema. Options that were given stay as they are; other formats are left alone.
    pub fn with_csv_header(mut self) -> Input {
        if self.format == "csv" {
            self.set_if_absent("header", "true");
            if self.schema.is_none() {
                self.set_if_absent("inferSchema", "true");
            }
        }
        self
    }

    fn set_if_absent(&mut self, name: &str, value: &str) {
        if !self.options.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
            self.options.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Lists the files and finds their columns; rows are read when the dataset is scanned. Relative paths start in `base`.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn read(&self, base: &Path, session: &Session) -> Result<FileDataset, InputError> {
        let options = batch_read_options(&self.format, &self.options)?;
        let locations = self.paths.iter().map(|path| open(path, base)).collect::<Result<Vec<_>, _>>()?;
        let request = ReadRequest {
            locations,
            format: options.format,
            schema: self.schema.clone(),
            columns: None,
            listing: options.listing,
            partitions: PartitionSettings { parallelism: self.parallelism as u64, ..options.partitions },
        };
        let found = read(&request, session.executor().clone())?;
        if found.n_files == 0 {
            return Err(InputError::NoFile(self.paths.join(", ")));
        }
        Ok(found)
    }
}
