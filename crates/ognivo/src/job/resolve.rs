//! The job as meant: typed, defaults filled, every complaint at once.
//!
//! [`read_job`] is the way in. It reads nothing but the job file and the files of its `${file:…}`, and writes nothing.

mod metrics;
mod read;
mod search;
mod stream;
mod train;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ognivo_data::quantity::parse_duration;
use ognivo_stream::retry::RETRY_DEADLINE;

use self::metrics::resolve_metrics;
use self::search::resolve_search;
use self::stream::resolve_stream;
use self::train::resolve_train;
use super::complaint::{Complaint, JobError};
use super::file::JOB;
use super::job::Job;
use super::node::{Node, Position, Value};
use super::route;
use super::shape::{Shape, check};
use super::substitute::{Substitution, hide_secrets, set_value};

pub(crate) use self::train::position_of_stage;

/// What the command line adds to a job file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// `--set path=value`, in order.
    pub(crate) set: Vec<(String, String)>,
    /// `--allow-env`.
    pub(crate) allow_env: bool,
}

/// More threads than any machine has cores, and fewer than a system gives.
const MAX_THREADS: usize = 1024;

/// Reads, checks and resolves the job file at `path`.
///
/// # Errors
/// [`JobError`] with everything that is wrong with the file.
pub(crate) fn read_job(path: &Path, overrides: &Overrides) -> Result<Job, JobError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let complaint = Complaint::new(Position { line: 1, column: 1 }, format!("cannot read the job file: {error}"));
        JobError::new(&shown, vec![complaint])
    })?;
    parse_job(&text, path, overrides).map_err(|complaints| JobError::new(&shown, complaints))
}

/// Checks and resolves the job in `text`, as if it stood in the file `path`.
pub(crate) fn parse_job(text: &str, path: &Path, overrides: &Overrides) -> Result<Job, Vec<Complaint>> {
    let mut document = Node::parse(text).map_err(|complaint| vec![complaint])?;
    let mut complaints = Vec::new();
    for (at, value) in &overrides.set {
        if let Err(message) = set_value(&mut document, at, value) {
            complaints.push(Complaint::new(Position::default(), message));
        }
    }
    let mut node = document.clone();
    let base = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let references = Substitution { base: &base, allow_env: overrides.allow_env };
    let secrets = references.apply(&mut node, &mut complaints);
    check(&node, Shape::Record(JOB), "the job", &mut complaints);
    // Resolving goes on with what has the right shape, so that all complaints come at once.
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let job = resolve(&node, document, base, stem, &mut complaints);
    hide_secrets(&secrets, &mut complaints);
    if complaints.is_empty() { Ok(job) } else { Err(complaints) }
}

/// Turns a document whose shape is right into a job; what only the meaning tells goes to `complaints`.
fn resolve(node: &Node, document: Node, base: PathBuf, stem: String, complaints: &mut Vec<Complaint>) -> Job {
    if let Some(version) = node.get("version").filter(|version| version.text() != Some("1")) {
        complaints.push(Complaint::new(version.at, format!("`version` must be 1: {}", version.describe())));
    }
    let version = text(node, "sparkVersion").and_then(|text| text.parse().ok()).unwrap_or_default();
    let train = node.get("train").and_then(|train| resolve_train(train, version, complaints));
    let search =
        node.get("search").and_then(|search| resolve_search(search, node, train.as_ref(), version, complaints));
    let job = Job {
        name: text(node, "name").unwrap_or(stem),
        version,
        parallelism: number(node, "parallelism").unwrap_or(1),
        threads: number(node, "threads"),
        train,
        search,
        stream: node.get("stream").and_then(|stream| resolve_stream(stream, version, complaints)),
        metrics: node.get("metrics").and_then(|metrics| resolve_metrics(metrics, complaints)),
        base,
        document,
    };
    if job.train.is_none() && job.stream.is_none() && complaints.is_empty() {
        let hint = Some("add `train:` or `stream:`".to_owned());
        complaints.push(Complaint::new(node.at, "the job does nothing".to_owned()).with_hint(hint));
    }
    if let Some(threads) = node.get("threads").filter(|_| job.threads.is_some_and(|threads| threads > MAX_THREADS)) {
        let message = format!("`threads` must be an integer from 1 to {MAX_THREADS}: {}", threads.describe());
        complaints.push(Complaint::new(threads.at, message));
    }
    route::check_overlaps(&job, node, complaints);
    job
}

/// The text at `key`.
fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key)?.text().map(str::to_owned)
}

/// The number at `key`.
fn number(node: &Node, key: &str) -> Option<usize> {
    text(node, key)?.parse().ok()
}

/// `retryDeadline`, or its default; a text that is no duration has been complained about.
fn retry_deadline(node: &Node) -> Duration {
    node.get("retryDeadline").and_then(|written| parse_duration(written.text()?)).unwrap_or(RETRY_DEADLINE)
}

/// The options of a format, as written.
fn options(node: &Node) -> Vec<(String, String)> {
    let entries = node.get("options").map(Node::entries).unwrap_or_default();
    let with_text = entries.iter().filter_map(|entry| match &entry.node.value {
        Value::Scalar { text, .. } => Some((entry.key.clone(), text.clone())),
        _ => None,
    });
    with_text.collect()
}
