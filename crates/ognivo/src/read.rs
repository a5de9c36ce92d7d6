//! Files to a dataset, in the words of `spark.read`.

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow_schema::SchemaRef;
use ognivo_data::dataset::Dataset;
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_data::schema::{DdlError, parse_ddl};

use crate::input::{Input, InputError};
use crate::session::{Session, SessionError};

/// A reader of files; nothing is read before [`load`](Reader::load).
///
/// Passes over the dataset run on all cores; a result never depends on how many there are.
pub fn read() -> Reader {
    Reader { format: String::new(), paths: Vec::new(), ddl: None, options: Vec::new() }
}

/// Which files to read, and how.
#[derive(Debug, Clone)]
pub struct Reader {
    format: String,
    paths: Vec<String>,
    ddl: Option<String>,
    options: Vec<(String, String)>,
}

impl Reader {
    /// CSV files: a file, a folder or a glob.
    ///
    /// Differs from Spark: a header line is expected; `option("header", false)` says that there is none.
    pub fn csv(self, path: impl AsRef<Path>) -> Reader {
        self.of("csv", path)
    }

    /// JSON lines.
    pub fn json(self, path: impl AsRef<Path>) -> Reader {
        self.of("json", path)
    }

    /// Parquet files; vectors that Spark wrote are vectors.
    pub fn parquet(self, path: impl AsRef<Path>) -> Reader {
        self.of("parquet", path)
    }

    fn of(mut self, format: &str, path: impl AsRef<Path>) -> Reader {
        self.format = format.to_owned();
        self.paths.push(path.as_ref().to_string_lossy().into_owned());
        self
    }

    /// The columns, in Spark's DDL: `a INT, b STRING`. Inferred as Spark does when not given.
    pub fn schema(mut self, ddl: &str) -> Reader {
        self.ddl = Some(ddl.to_owned());
        self
    }

    /// One of Spark's options of the format.
    pub fn option(mut self, name: &str, value: impl ToString) -> Reader {
        self.options.push((name.to_owned(), value.to_string()));
        self
    }

    /// Lists the files and finds their columns; rows are read when the dataset is worked on.
    ///
    /// # Errors
    /// [`ReadFailure`] for paths, options or a schema that cannot be used.
    pub fn load(self) -> Result<Dataset, ReadFailure> {
        let session = shared_session()?;
        let schema: Option<SchemaRef> = self.ddl.as_deref().map(parse_ddl).transpose()?.map(Into::into);
        let Reader { format, paths, options, .. } = self;
        let input = Input { format, paths, schema, options, parallelism: 1 }.with_csv_header();
        Ok(input.read(Path::new("."), &session)?.dataset)
    }
}

/// Files cannot be read as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadFailure {
    /// Paths, options, or the files themselves.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The schema.
    #[error(transparent)]
    Schema(#[from] DdlError),
    /// The threads.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Explain for ReadFailure {
    fn fault(&self) -> Fault {
        match self {
            ReadFailure::Input(cause) => cause.fault(),
            ReadFailure::Schema(cause) => cause.fault(),
            ReadFailure::Session(cause) => cause.fault(),
        }
    }
    fn retry(&self) -> Retry {
        match self {
            ReadFailure::Input(cause) => cause.retry(),
            _ => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            ReadFailure::Input(cause) => cause.hint(),
            ReadFailure::Schema(cause) => cause.hint(),
            ReadFailure::Session(cause) => cause.hint(),
        }
    }
}

/// The threads that the library's calls share; started at the first.
pub(crate) fn shared_session() -> Result<Arc<Session>, SessionError> {
    static SESSION: LazyLock<Mutex<Option<Arc<Session>>>> = LazyLock::new(|| Mutex::new(None));
    let mut session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    match session.as_ref() {
        Some(session) => Ok(Arc::clone(session)),
        None => Ok(Arc::clone(session.insert(Arc::new(Session::start(None)?)))),
    }
}
