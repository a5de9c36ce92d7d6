//! From a resolved job to the concrete parts that run it: the only file of the binary that names sources, sinks and stores.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo::input::Input;
use ognivo::models::load_model;
use ognivo::session::Session;
use ognivo_cassandra::{CassandraConfig, CassandraSink};
use ognivo_data::codec::RowMode;
use ognivo_data::outcome::Outcome;
use ognivo_data::prepare::{Prepare, bind};
use ognivo_files::checkpoint_lock::{CheckpointLock, lock_checkpoint};
use ognivo_files::config::stream_read_options;
use ognivo_files::encode::Encoding;
use ognivo_files::open::{Location, open};
use ognivo_files::read::{FileFormat, ReadRequest, read};
use ognivo_files::sink::{CommitLog, FileSink, FileSinkConfig, LaneTarget};
use ognivo_files::source::{FileSource, FileSourceConfig};
use ognivo_kafka::{
    Delivery, GroupHandle, KafkaSink, KafkaSource, Membership, Progress, SinkColumns, SinkConfig, SinkParts, SourceConfig,
    ValueFormat,
};
use ognivo_ml::stage::BoundStage;
use ognivo_stream::checkpoint::Checkpoint;
use ognivo_stream::clock::{Clock, SystemClock};
use ognivo_stream::plan::ModelId;
use ognivo_stream::query::{QueryOptions, QueryParts};
use ognivo_stream::score::{ScoreError, Scorer};
use ognivo_stream::sink::Sink;
use ognivo_stream::source::Source;
use ognivo_stream::split_sink::SplitSink;
use ognivo_stream::tally::{BadRow, BadRowPolicy};
use ognivo_stream::trigger::Trigger;

use crate::failure::{Failure, StoreFailure};
use crate::job::job::{
    DeliveryJob, ErrorsJob, Job, OnBadRow, ReadJob, SinkJob, SourceJob, StreamJob, TableWriteJob, TopicReadJob,
    TopicWriteJob, TriggerJob, WriteJob,
};
use crate::job::route::{batch_time, commit_log, is_one_cluster, value_format};

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
    let mut kept = match &stream.checkpoint {
        Some(path) => Some(KeptProgress::open(path, job).await?),
        None => None,
    };
    let files = file_sink_config(job, stream, kept.as_ref())?;
    let files = match (files, &mut kept) {
        (Some(config), Some(kept)) => Some(kept.in_order(config)),
        (config, _) => config,
    };
    let source = source(job, stream, session, kept.as_ref(), clock.clone())?;
    let parts = QueryParts {
        scorer: Arc::new(scorer(job, stream, &source.schema()).await?),
        sink: sink(job, stream, files, kept.as_ref(), source.group(), clock.clone())?,
        source: source.boxed(),
        checkpoint: kept.as_ref().map(|kept| kept.checkpoint.clone()),
    };
    let options = QueryOptions {
        name: Some(job.name.clone()),
        trigger: trigger(stream.trigger),
        bad_rows: policy(&stream.errors),
        batch_time: stream.batch_time.as_ref().map(batch_time).transpose()?,
        select: stream.select.clone(),
        n_blocks_in_flight: session.n_threads() + 1,
        clock,
        ..QueryOptions::default()
    };
    Ok(Wired { parts, options, lock: kept.and_then(|kept| kept.lock) })
}

/// A checkpoint that is ours while the process runs.
struct KeptProgress {
    checkpoint: Checkpoint,
    /// Where its logs are written.
    place: Location,
    lock: Option<CheckpointLock>,
    query_id: String,
}

impl KeptProgress {
    async fn open(path: &str, job: &Job) -> Result<KeptProgress, Failure> {
        let place = open(path, &job.base)?;
        let lock = lock_checkpoint(&place)?;
        // What a killed process left half-written; the sink sweeps its own folders.
        let swept = place.folders().sweep(place.path()).await;
        swept.map_err(StoreFailure::of("sweep the checkpoint", place.to_string()))?;
        let mut checkpoint = Checkpoint::new(place.store().clone(), place.path().clone());
        let query_id = checkpoint.open().await?;
        Ok(KeptProgress { checkpoint, place, lock, query_id })
    }

    /// The sink with files whose names become durable in order, as those of our logs then do, which costs a batch half the
    /// waiting; as it is unless all of them lie where such an order is kept. `commits/<n>`, written at once, ends each batch.
    fn in_order(&mut self, sink: FileSinkConfig) -> FileSinkConfig {
        let Some((place, sink)) = ordered(&self.place, &sink) else { return sink };
        self.checkpoint = self.checkpoint.clone().with_plans_through(place.store().clone());
        self.place = place;
        sink
    }
}

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

/// A source, with what is asked of its kind alone.
enum AnySource {
    Files(FileSource),
    Topics(KafkaSource),
}

impl AnySource {
    fn schema(&self) -> SchemaRef {
        match self {
            AnySource::Files(source) => source.schema(),
            AnySource::Topics(source) => source.schema(),
        }
    }

    /// The consumer group that it reads as.
    fn group(&self) -> Option<GroupHandle> {
        match self {
            AnySource::Files(_) => None,
            AnySource::Topics(source) => source.group(),
        }
    }

    fn boxed(self) -> Box<dyn Source> {
        match self {
            AnySource::Files(source) => Box::new(source),
            AnySource::Topics(source) => Box::new(source),
        }
    }
}

fn source(
    job: &Job,
    stream: &StreamJob,
    session: &Session,
    kept: Option<&KeptProgress>,
    clock: Arc<dyn Clock>,
) -> Result<AnySource, Failure> {
    match (&stream.read, kept) {
        (SourceJob::Topics(read), kept) => topic_source(job, stream, read, kept).map(AnySource::Topics),
        (SourceJob::Files(read), Some(kept)) => {
            file_source(job, stream, read, session, kept, clock).map(AnySource::Files)
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
    let mut format = value_format(&read.value.format, &read.value.options)?;
    if stream.errors.malformed != OnBadRow::Permissive {
        match &mut format {
            ValueFormat::Json(options) => options.mode = RowMode::Reject,
            ValueFormat::Csv(options) => options.mode = RowMode::Reject,
            ValueFormat::Binary => {}
        }
    }
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

fn file_source(
    job: &Job,
    stream: &StreamJob,
    read: &ReadJob,
    session: &Session,
    kept: &KeptProgress,
    clock: Arc<dyn Clock>,
) -> Result<FileSource, Failure> {
    let options = stream_read_options(&read.format, &read.options, |path| open(path, &job.base))?;
    let path = read.paths.first().expect("a resolved stream of files has a path");
    let location = open(path, &job.base)?;
    let config = FileSourceConfig {
        schema: match &read.schema {
            Some(schema) => schema.clone(),
            None => schema_of_files(&location, session)?,
        },
        location,
        format: in_mode(options.format, stream.errors.malformed),
        options: options.source,
        log_store: kept.place.store().clone(),
        log_folder: kept.checkpoint.source_folder(0),
    };
    Ok(FileSource::new(config, clock)?)
}

/// The columns of the Parquet files that are there.
fn schema_of_files(location: &Location, session: &Session) -> Result<SchemaRef, Failure> {
    let request = ReadRequest::new(location.clone(), FileFormat::Parquet);
    let found = tokio::task::block_in_place(|| read(&request, session.executor().clone()))?;
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

/// The folder of the scored rows, with that of the dead letters where both are folders; None when scored rows go elsewhere.
fn file_sink_config(
    job: &Job,
    stream: &StreamJob,
    kept: Option<&KeptProgress>,
) -> Result<Option<FileSinkConfig>, Failure> {
    let (SinkJob::Files(write), Some(kept)) = (&stream.write, kept) else { return Ok(None) };
    let (commit_log, options) = commit_log(write)?;
    Ok(Some(FileSinkConfig {
        scored: lane(write, &options, job)?,
        partition_by: write.partition_by.clone(),
        commit_log,
        dead_letters: match &stream.dead_letter {
            Some(SinkJob::Files(letters)) => Some(lane(letters, &letters.options, job)?),
            _ => None,
        },
        query_id: kept.query_id.clone(),
    }))
}

fn lane(write: &WriteJob, options: &[(String, String)], job: &Job) -> Result<LaneTarget, Failure> {
    Ok(LaneTarget { location: open(&write.path, &job.base)?, encoding: Encoding::parse(&write.format, options)? })
}

/// Where both lanes go: one sink where one target takes both, else two side by side.
fn sink(
    job: &Job,
    stream: &StreamJob,
    files: Option<FileSinkConfig>,
    kept: Option<&KeptProgress>,
    group: Option<GroupHandle>,
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Sink>, Failure> {
    let mut apart = stream.dead_letter.as_ref();
    let scored: Box<dyn Sink> = match (&stream.write, files) {
        (SinkJob::Files(_), files) => {
            apart = apart.filter(|letters| !matches!(letters, SinkJob::Files(_)));
            let config = files.expect("a resolved stream into files has a checkpoint");
            Box::new(FileSink::new(config, clock.clone()))
        }
        (SinkJob::Topic(write), _) => {
            let topic_beside = apart.and_then(|letters| topic_of_the_same_cluster(letters, write));
            apart = apart.filter(|_| topic_beside.is_none());
            Box::new(topic_sink(job, write, topic_beside, group)?)
        }
        (SinkJob::Table(write), _) => Box::new(table_sink(job, write, kept, clock.clone())?),
    };
    match apart {
        None => Ok(scored),
        Some(letters) => Ok(Box::new(SplitSink::new(scored, letter_sink(job, letters, kept, clock)?))),
    }
}

/// A sink that takes dead letters alone.
fn letter_sink(
    job: &Job,
    letters: &SinkJob,
    kept: Option<&KeptProgress>,
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Sink>, Failure> {
    Ok(match letters {
        SinkJob::Files(write) => Box::new(FileSink::new(
            FileSinkConfig {
                scored: lane(write, &write.options, job)?,
                partition_by: Vec::new(),
                commit_log: CommitLog::Success,
                dead_letters: None,
                query_id: kept.map(|kept| kept.query_id.clone()).expect("two targets stand behind a checkpoint"),
            },
            clock,
        )),
        SinkJob::Topic(write) => Box::new(topic_sink(job, write, None, None)?),
        SinkJob::Table(write) => Box::new(table_sink(job, write, kept, clock)?),
    })
}
/// A topic, with another of the same cluster for dead letters.
fn topic_sink(
    job: &Job,
    write: &TopicWriteJob,
    dead_letter_topic: Option<String>,
    group: Option<GroupHandle>,
) -> Result<KafkaSink, Failure> {
    let config = SinkConfig::parse(&write.options)?;
    let columns = SinkColumns {
        key: write.key.clone(),
        topic: config.topic.is_none().then(|| "topic".to_owned()),
        partition: None,
        headers: config.include_headers.then(|| "headers".to_owned()),
    };
    Ok(KafkaSink::new(SinkParts {
        config,
        value: value_format(&write.value.format, &write.value.options)?,
        columns,
        dead_letter_topic,
        delivery: match write.delivery {
            DeliveryJob::ExactlyOnce => Delivery::ExactlyOnce,
            DeliveryJob::AtLeastOnce => Delivery::AtLeastOnce,
        },
        progress: group.map_or(Progress::Plans, Progress::Group),
        job: job.name.clone(),
    }))
}

/// The topic of dead letters that share the transactions of the scored rows.
fn topic_of_the_same_cluster(letters: &SinkJob, write: &TopicWriteJob) -> Option<String> {
    let SinkJob::Topic(letters) = letters else { return None };
    if !is_one_cluster(Some(&letters.options), Some(&write.options)) {
        return None;
    }
    SinkConfig::parse(&letters.options).ok()?.topic
}

fn table_sink(
    job: &Job,
    write: &TableWriteJob,
    kept: Option<&KeptProgress>,
    clock: Arc<dyn Clock>,
) -> Result<CassandraSink, Failure> {
    let config = CassandraConfig::parse(&write.options, &write.columns)?.with_base(&job.base);
    let query_id = kept.map(|kept| kept.query_id.clone()).expect("a resolved stream into a table has a checkpoint");
    Ok(CassandraSink::new(config, query_id, clock))
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
