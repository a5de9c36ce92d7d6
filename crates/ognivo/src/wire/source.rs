//! The source of a stream: files or topics.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use ognivo::session::Session;
use ognivo_data::codec::RowMode;
use ognivo_files::config::stream_read_options;
use ognivo_files::open::{Location, open};
use ognivo_files::read::{FileFormat, ReadRequest};
use ognivo_files::source::{FileSource, FileSourceConfig, with_positions};
use ognivo_kafka::{GroupHandle, KafkaSource, Membership, SourceConfig, ValueFormat};
use ognivo_stream::clock::Clock;
use ognivo_stream::source::Source;

use super::KeptProgress;
use crate::failure::Failure;
use crate::job::job::{Job, OnBadRow, ReadJob, SinkJob, SourceJob, StreamJob, TopicReadJob};
use crate::job::route::value_format;

/// A source, with what is asked of its kind alone.
pub(super) enum AnySource {
    Files(Box<FileSource>),
    Topics(Box<KafkaSource>),
}

impl AnySource {
    fn schema(&self) -> SchemaRef {
        match self {
            AnySource::Files(source) => source.schema(),
            AnySource::Topics(source) => source.schema(),
        }
    }

    /// The columns that its rows may have, the first choice first.
    pub(super) fn choices(&self, stream: &StreamJob) -> Vec<SchemaRef> {
        choices(stream, self.schema())
    }

    /// The same with rows of these columns, which are one of its [choices](AnySource::choices).
    pub(super) fn with_columns(self, columns: &SchemaRef) -> AnySource {
        match self {
            AnySource::Files(source) if source.schema() != *columns => {
                AnySource::Files(Box::new(source.with_positions()))
            }
            source => source,
        }
    }

    /// The consumer group that it reads as.
    pub(super) fn group(&self) -> Option<GroupHandle> {
        match self {
            AnySource::Files(_) => None,
            AnySource::Topics(source) => source.group(),
        }
    }

    pub(super) fn boxed(self) -> Box<dyn Source> {
        match self {
            AnySource::Files(source) => source,
            AnySource::Topics(source) => source,
        }
    }
}

/// The source of a stream; topics are asked nothing yet.
pub(super) fn source(
    job: &Job,
    stream: &StreamJob,
    session: &Session,
    kept: Option<&KeptProgress>,
    clock: Arc<dyn Clock>,
) -> Result<AnySource, Failure> {
    match (&stream.read, kept) {
        (SourceJob::Topics(read), kept) => topic_source(job, stream, read, kept).map(Box::new).map(AnySource::Topics),
        (SourceJob::Files(read), Some(kept)) => {
            let schema = schema_of_files(job, read, session)?;
            file_source(job, stream, read, schema, kept, clock).map(Box::new).map(AnySource::Files)
        }
        (SourceJob::Files(_), None) => unreachable!("a resolved stream of files has a checkpoint"),
    }
}

fn topic_source(
    job: &Job,
    stream: &StreamJob,
    read: &TopicReadJob,
    kept: Option<&KeptProgress>,
) -> Result<KafkaSource, Failure> {
    let format = value_format_of(stream, read)?;
    let membership = match stream.progress_in_group {
        true => Membership::Group(job.name.clone()),
        false => Membership::Alone,
    };
    let config = SourceConfig::parse(&read.options)?;
    let source = KafkaSource::new(config, format, read.value.schema.clone(), membership)?;
    Ok(match kept {
        Some(kept) => source.with_initial_offsets(kept.checkpoint.initial_offsets(0)),
        None => source,
    })
}

/// How values are decoded; malformed ones come out as such, unless the job wants Spark's nulls.
fn value_format_of(stream: &StreamJob, read: &TopicReadJob) -> Result<ValueFormat, Failure> {
    let mut format = value_format(&read.value.format, &read.value.options)?;
    if stream.errors.malformed != OnBadRow::Permissive {
        match &mut format {
            ValueFormat::Json(options) => options.mode = RowMode::Reject,
            ValueFormat::Csv(options) => options.mode = RowMode::Reject,
            ValueFormat::Avro(format) => format.options.mode = RowMode::Reject,
            ValueFormat::Binary => {}
        }
    }
    Ok(format)
}

/// The columns that rows of the source may have, without opening it for reading; the first choice first.
pub(super) fn source_schemas(job: &Job, stream: &StreamJob, session: &Session) -> Result<Vec<SchemaRef>, Failure> {
    let own = match &stream.read {
        SourceJob::Topics(read) => {
            let config = SourceConfig::parse(&read.options)?;
            KafkaSource::schema_of(&config, &value_format_of(stream, read)?, &read.value.schema)?
        }
        SourceJob::Files(read) => schema_of_files(job, read, session)?,
    };
    Ok(choices(stream, own))
}

/// Rows of files tell where they came from where the key of a table may be fed by that; not when the pipeline itself makes columns of
/// these names.
fn choices(stream: &StreamJob, own: SchemaRef) -> Vec<SchemaRef> {
    match (&stream.read, &stream.write) {
        (SourceJob::Files(_), SinkJob::Table(_)) => vec![with_positions(&own), own],
        _ => vec![own],
    }
}

fn file_source(
    job: &Job,
    stream: &StreamJob,
    read: &ReadJob,
    schema: SchemaRef,
    kept: &KeptProgress,
    clock: Arc<dyn Clock>,
) -> Result<FileSource, Failure> {
    let options = stream_read_options(&read.format, &read.options, |path| open(path, &job.base))?;
    let config = FileSourceConfig {
        schema,
        location: location_of(job, read)?,
        format: in_mode(options.format, stream.errors.malformed),
        options: options.source,
        log_store: kept.place.store().clone(),
        log_folder: kept.checkpoint.source_folder(0),
    };
    Ok(FileSource::new(config, clock)?)
}

/// What the checkpoint notes of a source of files; None for topics.
pub(super) fn file_source_identity(
    job: &Job,
    stream: &StreamJob,
    kept: &KeptProgress,
    clock: Arc<dyn Clock>,
) -> Result<Option<String>, Failure> {
    let SourceJob::Files(read) = &stream.read else { return Ok(None) };
    // Its columns are no part of it.
    let schema = Arc::new(Schema::empty());
    Ok(Some(file_source(job, stream, read, schema, kept, clock)?.identity()))
}

fn location_of(job: &Job, read: &ReadJob) -> Result<Location, Failure> {
    let path = read.paths.first().expect("a resolved stream of files has a path");
    Ok(open(path, &job.base)?)
}

/// The columns that the job names, else those of the Parquet files that are there.
fn schema_of_files(job: &Job, read: &ReadJob, session: &Session) -> Result<SchemaRef, Failure> {
    if let Some(schema) = &read.schema {
        return Ok(schema.clone());
    }
    let request = ReadRequest::new(location_of(job, read)?, FileFormat::Parquet);
    let found = tokio::task::block_in_place(|| ognivo_files::read::read(&request, session.executor().clone()))?;
    Ok(found.dataset.schema().clone())
}

/// Malformed records come out as such, unless the job wants Spark's nulls: then the mode of the options holds.
fn in_mode(mut format: FileFormat, malformed: OnBadRow) -> FileFormat {
    if malformed != OnBadRow::Permissive {
        match &mut format {
            FileFormat::Csv(options) => options.mode = RowMode::Reject,
            FileFormat::Json(options) => options.mode = RowMode::Reject,
            FileFormat::Parquet => {}
        }
    }
    format
}
