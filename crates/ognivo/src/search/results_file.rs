//! The trials of a search in a file, so that a search that was stopped goes on where it was.
//!
//! ```text
//! {"search":{"evaluator":…,"pipeline":…,"rows":"5e0c…","validate":…}}
//! {"columns":["int_rate","fico"],"metrics":[0.6612]}
//! {"columns":["dti"],"error":"stage `LogisticRegression_…`: …"}
//! ```
//!
//! One line a trial, written when it is known. A last line that was cut off by a crash is written anew.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ognivo_data::vector::{number_from_json, number_to_json};
use ognivo_ml::search::{ColumnSet, Trial};
use serde_json::{Value, json};

use crate::failure::{Failure, FileFailure, Refusal};

/// The file of a search that goes on.
pub(super) struct ResultsFile {
    file: File,
    path: PathBuf,
    columns: Vec<String>,
}

impl ResultsFile {
    /// Opens or makes the file at `path`; gives the trials that it has of sets of `columns`.
    ///
    /// `identity` says what a trial's numbers depend on. Columns are told by their names, so that trials hold when columns
    /// are added to a search.
    ///
    /// # Errors
    /// When the file cannot be used, or holds the trials of another search.
    pub(super) fn open(
        path: &Path,
        identity: &Value,
        columns: &[String],
    ) -> Result<(ResultsFile, Vec<Trial>), Failure> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(FileFailure::of("make the folder", folder))?;
        }
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = options.map_err(FileFailure::of("open the results", path))?;
        let text = std::fs::read(path).map_err(FileFailure::of("read the results", path))?;
        let whole = &text[..text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)];
        let mut results = ResultsFile { file, path: path.to_owned(), columns: columns.to_vec() };
        results.cut_to(whole.len() as u64)?;
        let mut lines = whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        match lines.next() {
            None => results.write_line(&json!({"search": identity}))?,
            Some(line) => results.check_identity(line, identity)?,
        }
        let trials = lines.map(|line| results.trial(line)).collect::<Result<Vec<_>, _>>()?;
        Ok((results, trials.into_iter().flatten().collect()))
    }

    /// Adds a trial.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn add(&mut self, trial: &Trial) -> Result<(), Failure> {
        let columns = trial.set.names(&self.columns);
        self.write_line(&match &trial.metrics {
            Ok(metrics) => {
                let metrics: Vec<Value> = metrics.iter().map(|&metric| number_to_json(metric)).collect();
                json!({"columns": columns, "metrics": metrics})
            }
            Err(error) => json!({"columns": columns, "error": error}),
        })
    }

    fn cut_to(&mut self, length: u64) -> Result<(), Failure> {
        let cut = self.file.set_len(length).and_then(|()| self.file.seek(SeekFrom::End(0)));
        Ok(cut.map(|_| ()).map_err(FileFailure::of("write the results", &self.path))?)
    }

    fn write_line(&mut self, line: &Value) -> Result<(), Failure> {
        let written = self.file.write_all(format!("{line}\n").as_bytes());
        Ok(written.map_err(FileFailure::of("write the results", &self.path))?)
    }

    fn check_identity(&self, line: &[u8], identity: &Value) -> Result<(), Failure> {
        let found: Value = serde_json::from_slice(line).map_err(|_| self.not_results())?;
        let found = found.get("search").ok_or_else(|| self.not_results())?;
        let wanted = identity.as_object().expect("an identity is an object");
        let unlike: Vec<&str> =
            wanted.iter().filter(|(key, value)| found.get(key) != Some(value)).map(|(key, _)| key.as_str()).collect();
        if unlike.is_empty() {
            return Ok(());
        }
        let message =
            format!("{}: the results are of another search: {} differ", self.path.display(), unlike.join(", "));
        Err(Refusal::of_job(message, Some("name another file in `search.results`, or remove this one".to_owned()))
            .into())
    }

    /// The trial in `line`; `None` when its columns are not among those of this search.
    fn trial(&self, line: &[u8]) -> Result<Option<Trial>, Failure> {
        let line: Value = serde_json::from_slice(line).map_err(|_| self.not_results())?;
        let names = line.get("columns").and_then(Value::as_array).ok_or_else(|| self.not_results())?;
        let position = |name: &Value| self.columns.iter().position(|known| Some(known.as_str()) == name.as_str());
        let positions: Option<Vec<usize>> = names.iter().map(position).collect();
        // The order of columns is the order of coefficients, which decides the last bits.
        let Some(positions) = positions.filter(|positions| positions.is_sorted()) else { return Ok(None) };
        let metrics = match (line.get("metrics").and_then(Value::as_array), line.get("error").and_then(Value::as_str)) {
            (Some(metrics), _) => {
                let metrics: Option<Vec<f64>> = metrics.iter().map(number_from_json).collect();
                Ok(metrics.ok_or_else(|| self.not_results())?)
            }
            (None, Some(error)) => Err(error.to_owned()),
            (None, None) => return Err(self.not_results()),
        };
        Ok(ColumnSet::new(positions).map(|set| Trial { set, metrics }))
    }

    fn not_results(&self) -> Failure {
        let hint = Some("name another file in `search.results`".to_owned());
        Refusal::of_job(format!("{}: these are not the results of a search", self.path.display()), hint).into()
    }
}
