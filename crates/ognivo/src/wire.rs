//! From a resolved job to the concrete parts that run it: the only file of the binary that names sources, sinks and stores.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo::input::Input;
use ognivo::models::load_model;
use ognivo::session::Session;
use ognivo_data::codec::RowMode;
use ognivo_data::outcome::Outcome;
use ognivo_data::prepare::{Prepare, bind};
use ognivo_files::checkpoint_lock::{CheckpointLock, lock_checkpoint};
use ognivo_files::config::stream_read_options;
use ognivo_files::encode::Encoding;
use ognivo_files::open::{Location, open};
use ognivo_files::read::{FileFormat, ReadRequest, read};
use ognivo_files::sink::{FileSink, FileSinkConfig, LaneTarget};
use ognivo_files::source::{FileSource, FileSourceConfig};
use ognivo_ml::stage::BoundStage;
use ognivo_stream::checkpoint::Checkpoint;
use ognivo_stream::clock::{Clock, SystemClock};
use ognivo_stream::plan::ModelId;
use ognivo_stream::query::{QueryOptions, QueryParts};
use ognivo_stream::score::{ScoreError, Scorer};
use ognivo_stream::tally::{BadRow, BadRowPolicy};
use ognivo_stream::trigger::Trigger;

use crate::failure::{Failure, StoreFailure};
use crate::job::job::{ErrorsJob, Job, OnBadRow, ReadJob, StreamJob, TriggerJob, WriteJob};
use crate::job::route::{batch_time, commit_log};

/// The files that a job reads at once.
pub(crate) fn input(read: &ReadJob, job: &Job) -> Input {
    Input {
        format: read.format.clone(),
        paths: read.paths.clone(),
        schema: read.schema.clone(),
        options: read.options.clone(),
        parallelism: job.parallelism,
    }
}

/// A stream that is ready to run.
pub(crate) struct Wired {
    /// Source, scorer, sink, checkpoint.
    pub(crate) parts: QueryParts,
    /// How they run.
    pub(crate) options: QueryOptions,
    /// Keeps other drivers away from the checkpoint while the query runs.
    pub(crate) lock: Option<CheckpointLock>,
}

/// Opens what the stream is made of; the model is loaded and bound, no row is read.
pub(crate) async fn stream(job: &Job, stream: &StreamJob, session: &Session) -> Result<Wired, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let place = open(&stream.checkpoint, &job.base)?;
    let lock = lock_checkpoint(&place)?;
    // What a killed process left half-written; the sink sweeps its own folders.
    let swept = place.folders().sweep(place.path()).await;
    swept.map_err(StoreFailure::of("sweep the checkpoint", place.to_string()))?;
    let mut checkpoint = Checkpoint::new(place.store().clone(), place.path().clone());
    let query_id = checkpoint.open().await?;
    let schema = source_schema(job, stream, session)?;
    let mut sink = sink_config(job, stream, query_id)?;
    let mut log_place = place;
    if let Some(ordered) = ordered(&log_place, &sink) {
        (log_place, sink) = ordered;
        checkpoint = checkpoint.with_plans_through(log_place.store().clone());
    }
    let parts = QueryParts {
        source: Box::new(source(job, stream, schema.clone(), &checkpoint, &log_place, clock.clone())?),
        scorer: Arc::new(scorer(job, stream, &schema).await?),
        sink: Box::new(FileSink::new(sink, clock.clone())),
        checkpoint: Some(checkpoint),
    };
    let options = QueryOptions {
        name: Some(job.name.clone()),
        trigger: trigger(stream.trigger),
        bad_rows: policy(&stream.errors),
        batch_time: stream.batch_time.as_ref().map(batch_time).transpose()?,
        select: stream.select.clone(),
        n_blocks_in_flight: session.n_threads() + 1,
        retry_deadline: stream.retry_deadline,
        clock,
        ..QueryOptions::default()
    };
    Ok(Wired { parts, options, lock })
}

/// Checkpoint and sink with files whose names become durable in order, which costs a batch half the waiting; None unless all of
/// them lie where such an order is kept. `commits/<n>`, written at once, ends each batch.
fn ordered(checkpoint: &Location, sink: &FileSinkConfig) -> Option<(Location, FileSinkConfig)> {
    let lane = |lane: &LaneTarget| Some(LaneTarget { location: lane.location.with_ordered_names()?, ..lane.clone() });
    let dead_letters = match &sink.dead_letters {
        Some(target) => Some(lane(target)?),
        None => None,
    };
    Some((
        checkpoint.with_ordered_names()?,
        FileSinkConfig { scored: lane(&sink.scored)?, dead_letters, ..sink.clone() },
    ))
}

/// The columns of the stream: those of the job, else those of the Parquet files that are there.
fn source_schema(job: &Job, stream: &StreamJob, session: &Session) -> Result<SchemaRef, Failure> {
    if let Some(schema) = &stream.read.schema {
        return Ok(schema.clone());
    }
    let location = source_location(job, stream)?;
    let request = ReadRequest::new(location, FileFormat::Parquet);
    let found = tokio::task::block_in_place(|| read(&request, session.executor().clone()))?;
    Ok(found.dataset.schema().clone())
}

fn source_location(job: &Job, stream: &StreamJob) -> Result<Location, Failure> {
    let path = stream.read.paths.first().expect("a resolved stream of files has a path");
    Ok(open(path, &job.base)?)
}

fn source(
    job: &Job,
    stream: &StreamJob,
    schema: SchemaRef,
    checkpoint: &Checkpoint,
    log_place: &Location,
    clock: Arc<dyn Clock>,
) -> Result<FileSource, Failure> {
    let options = stream_read_options(&stream.read.format, &stream.read.options, |path| open(path, &job.base))?;
    let config = FileSourceConfig {
        location: source_location(job, stream)?,
        format: in_mode(options.format, stream.errors.malformed),
        schema,
        options: options.source,
        log_store: log_place.store().clone(),
        log_folder: checkpoint.source_folder(0),
    };
    Ok(FileSource::new(config, clock)?)
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

fn sink_config(job: &Job, stream: &StreamJob, query_id: String) -> Result<FileSinkConfig, Failure> {
    let (commit_log, options) = commit_log(&stream.write)?;
    Ok(FileSinkConfig {
        scored: lane(&stream.write, &options, job)?,
        partition_by: stream.write.partition_by.clone(),
        commit_log,
        dead_letters: stream.dead_letter.as_ref().map(|write| lane(write, &write.options, job)).transpose()?,
        query_id,
    })
}

fn lane(write: &WriteJob, options: &[(String, String)], job: &Job) -> Result<LaneTarget, Failure> {
    Ok(LaneTarget { location: open(&write.path, &job.base)?, encoding: Encoding::parse(&write.format, options)? })
}

fn trigger(trigger: TriggerJob) -> Trigger {
    match trigger {
        TriggerJob::AsRowsArrive => Trigger::AsRowsArrive,
        TriggerJob::ProcessingTime(interval) => Trigger::ProcessingTime(interval),
        TriggerJob::AvailableNow => Trigger::AvailableNow,
        TriggerJob::Once => Trigger::Once,
    }
}

fn policy(errors: &ErrorsJob) -> BadRowPolicy {
    let bad_row = |on| match on {
        OnBadRow::DeadLetter => BadRow::DeadLetter,
        OnBadRow::Drop => BadRow::Drop,
        // A permissive decoder gives no malformed record.
        OnBadRow::Fail | OnBadRow::Permissive => BadRow::Fail,
    };
    BadRowPolicy {
        malformed: bad_row(errors.malformed),
        invalid: bad_row(errors.invalid),
        max_bad_fraction: errors.max_bad_fraction,
    }
}

/// Prepare steps and the model, as the stream sees them: one pure function.
struct BoundScorer {
    prepare: Prepare,
    model: Box<dyn BoundStage>,
    id: ModelId,
}

async fn scorer(job: &Job, stream: &StreamJob, schema: &SchemaRef) -> Result<BoundScorer, Failure> {
    let loaded = load_model(&stream.model, &job.base).await?;
    let prepare = bind(&stream.prepare.steps, schema, job.version)?;
    let model = loaded.model.bind(prepare.output_schema())?;
    Ok(BoundScorer { prepare, model, id: ModelId(loaded.id) })
}

impl Scorer for BoundScorer {
    fn model_id(&self) -> &ModelId {
        &self.id
    }
    fn output_schema(&self) -> SchemaRef {
        self.model.output_schema().clone()
    }
    fn score(&self, rows: RecordBatch) -> Result<Outcome, ScoreError> {
        self.prepare.apply(rows).then(|rows| self.model.apply(rows)).map_err(ScoreError::new)
    }
}
