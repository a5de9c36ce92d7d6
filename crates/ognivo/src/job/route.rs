//! What only the connectors can say about a job, asked without touching a file: options, overlapping paths, date patterns.

use ognivo_data::codec::datetime::{Pattern, Zone};
use ognivo_data::fault::{Explain, Fault};
use ognivo_files::config::{ConfigError, batch_read_options, stream_read_options};
use ognivo_files::encode::{Encoding, EncodingError};
use ognivo_files::open::{Location, open};
use ognivo_files::overlap::{NamedLocation, find_overlaps};
use ognivo_files::sink::CommitLog;
use ognivo_stream::output_shape::BatchTimeColumn;

use super::complaint::Complaint;
use super::job::{BatchTimeJob, Job, ReadJob, StreamJob, WriteJob};
use super::node::{Node, Position};

/// `batchTimeColumn` has a pattern or a time zone that we cannot read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchTimeError {
    /// Not a Java date pattern.
    #[error("not a date pattern: {0}")]
    Pattern(String),
    /// Not a time zone.
    #[error("not a time zone: {0}")]
    Zone(String),
}

impl Explain for BatchTimeError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        Some(match self {
            BatchTimeError::Pattern(_) => {
                "Java's letters, such as yyyyMMddHHmmss; other letters in 'quotes'".to_owned()
            }
            BatchTimeError::Zone(_) => "a name such as UTC or Europe/Riga, or an offset such as +02:00".to_owned(),
        })
    }
}

/// The column that `batchTimeColumn` asks for.
///
/// # Errors
/// [`BatchTimeError`].
pub(crate) fn batch_time(job: &BatchTimeJob) -> Result<BatchTimeColumn, BatchTimeError> {
    let pattern = Pattern::parse(&job.format).ok_or_else(|| BatchTimeError::Pattern(job.format.clone()))?;
    let zone = Zone::parse(&job.time_zone).ok_or_else(|| BatchTimeError::Zone(job.time_zone.clone()))?;
    Ok(BatchTimeColumn { name: job.name.clone(), pattern, zone })
}

/// `options: {commitLog: …}` is none of `spark` and `none`.
#[derive(Debug, thiserror::Error)]
#[error("option `commitLog` must be spark or none: {0}")]
pub(crate) struct CommitLogError(String);

impl Explain for CommitLogError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
}

/// Options of a format, as written.
pub(crate) type Options = Vec<(String, String)>;

const COMMIT_LOG: &str = "commitLog";

/// The sink's own option, and the options of its format.
///
/// # Errors
/// [`CommitLogError`].
pub(crate) fn commit_log(write: &WriteJob) -> Result<(CommitLog, Options), CommitLogError> {
    let is_ours = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(COMMIT_LOG);
    let given = write.options.iter().find(is_ours).map(|(_, value)| value.as_str());
    let rest = write.options.iter().filter(|option| !is_ours(option)).cloned().collect();
    let log = match given {
        None | Some("spark") => CommitLog::Spark,
        Some("none") => CommitLog::Success,
        Some(other) => return Err(CommitLogError(other.to_owned())),
    };
    Ok((log, rest))
}

/// Checks the options of `train.read` or of `stream.readStream`.
pub(super) fn check_read_options(read: &ReadJob, is_stream: bool, node: &Node, complaints: &mut Vec<Complaint>) {
    let checked: Result<(), ConfigError> = if is_stream {
        stream_read_options(&read.format, &read.options, |path| open(path, std::path::Path::new("."))).map(|_| ())
    } else {
        batch_read_options(&read.format, &read.options).map(|_| ())
    };
    if let Err(error) = checked {
        complaints.push(Complaint::of(place_of_option(node, error.option()), &error));
    }
    for path in &read.paths {
        if let Err(error) = open(path, std::path::Path::new(".")) {
            complaints.push(Complaint::of(place_of(node, "path"), &error));
        }
    }
}

/// Checks format options and the path of a sink.
pub(super) fn check_write_options(write: &WriteJob, node: &Node, complaints: &mut Vec<Complaint>) {
    match commit_log(write) {
        Err(error) => complaints.push(Complaint::of(place_of_option(node, Some(COMMIT_LOG)), &error)),
        Ok((_, options)) => {
            let encoding: Result<Encoding, EncodingError> = Encoding::parse(&write.format, &options);
            if let Err(error) = encoding {
                complaints.push(Complaint::of(place_of_option(node, error.option()), &error));
            }
        }
    }
    if let Err(error) = open(&write.path, std::path::Path::new(".")) {
        complaints.push(Complaint::of(place_of(node, "path"), &error));
    }
}

fn place_of(node: &Node, key: &str) -> Position {
    node.get(key).map_or(node.at, |value| value.at)
}

fn place_of_option(node: &Node, option: Option<&str>) -> Position {
    let entries = node.get("options").map(Node::entries).unwrap_or_default();
    let named = entries.iter().find(|entry| option.is_some_and(|option| entry.key.eq_ignore_ascii_case(option)));
    named.map_or_else(|| place_of(node, "options"), |entry| entry.at)
}

/// Refuses a stream whose input would see its own output: the original job died of that at its second trigger.
pub(super) fn check_overlaps(job: &Job, node: &Node, complaints: &mut Vec<Complaint>) {
    let (Some(stream), Some(stream_node)) = (&job.stream, node.get("stream")) else { return };
    let Ok((inputs, others)) = places(job, stream) else { return };
    match find_overlaps(&inputs, &others) {
        Ok(overlaps) => complaints
            .extend(overlaps.iter().map(|overlap| Complaint::of(place_of_key(stream_node, &overlap.second), overlap))),
        Err(error) => {
            complaints.push(Complaint::new(place_of_key(stream_node, "readStream.path"), error.to_string()));
        }
    }
}

fn place_of_key(stream: &Node, key: &str) -> Position {
    let path: Vec<&str> = key.split('.').collect();
    stream.at_path(&path).map_or(stream.at, |node| node.at)
}

type Places = (Vec<NamedLocation>, Vec<NamedLocation>);

/// Where the stream reads, and where else it reads or writes; paths that cannot be opened were complained about before.
fn places(job: &Job, stream: &StreamJob) -> Result<Places, ognivo_files::open::OpenError> {
    let named = |name: &str, path: &str| -> Result<NamedLocation, _> {
        let location: Location = open(path, &job.base)?;
        Ok(NamedLocation { name: name.to_owned(), location })
    };
    let inputs = stream.read.paths.iter().map(|path| named("readStream.path", path)).collect::<Result<_, _>>()?;
    let mut others = vec![
        named("writeStream.path", &stream.write.path)?,
        named("writeStream.checkpointLocation", &stream.checkpoint)?,
        named("model", &stream.model)?,
    ];
    if let Some(dead_letter) = &stream.dead_letter {
        others.push(named("deadLetter.path", &dead_letter.path)?);
    }
    let archive = stream.read.options.iter().find(|(name, _)| name.eq_ignore_ascii_case("sourceArchiveDir"));
    if let Some((_, path)) = archive {
        others.push(named("readStream.options.sourceArchiveDir", path)?);
    }
    Ok((inputs, others))
}
