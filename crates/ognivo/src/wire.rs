//! From a resolved job to the concrete parts that run it: the only file of the binary that names sources, sinks and stores.

mod letters;
mod selection;
mod sink;
mod source;
mod tables;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo::input::Input;
use ognivo::models::load_model;
use ognivo::session::Session;
use ognivo_data::outcome::Outcome;
use ognivo_data::prepare::{Prepare, bind};
use ognivo_files::checkpoint_lock::{CheckpointLock, lock_checkpoint};
use ognivo_files::open::{Location, open};
use ognivo_files::sink::{FileSinkConfig, LaneTarget};
use ognivo_ml::stage::BoundStage;
use ognivo_stream::checkpoint::Checkpoint;
use ognivo_stream::clock::{Clock, SystemClock};
use ognivo_stream::output_shape::written_schema;
use ognivo_stream::plan::ModelId;
use ognivo_stream::query::{QueryOptions, QueryParts};
use ognivo_stream::score::{ScoreError, Scorer};
use ognivo_stream::tally::{BadRow, BadRowPolicy};
use ognivo_stream::trigger::Trigger;

use crate::failure::{Failure, StoreFailure};
use crate::job::job::{ErrorsJob, Job, OnBadRow, ReadJob, StreamJob, TriggerJob};
use crate::job::route::batch_time;
pub(crate) use letters::LetterTopic;
use selection::Selection;
use sink::{SinkInputs, file_sink_config, sink};
pub(crate) use sink::{delivery, record_columns};
use source::{file_source_identity, source, source_schemas};
pub(crate) use tables::{new_tables, table_config};

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
    let scorer = scorer(job, stream, source.choices(stream)).await?;
    let source = source.with_columns(&scorer.input);
    let Selection { columns: select, positions } = Selection::of(stream, &scorer.output_schema());
    let parts = QueryParts {
        scorer: Arc::new(scorer),
        sink: sink(job, stream, files, kept.as_ref(), SinkInputs { group: source.group(), positions }, clock.clone())?,
        source: source.boxed(),
        checkpoint: kept.as_ref().map(|kept| kept.checkpoint.clone()),
    };
    let options = QueryOptions {
        name: Some(job.name.clone()),
        trigger: trigger(stream.trigger),
        bad_rows: policy(&stream.errors),
        batch_time: stream.batch_time.as_ref().map(batch_time).transpose()?,
        select,
        n_blocks_in_flight: session.n_threads() + 1,
        retry_deadline: stream.retry_deadline,
        clock,
        ..QueryOptions::default()
    };
    Ok(Wired { parts, options, lock: kept.and_then(|kept| kept.lock) })
}

/// The rows that a stream writes.
pub(crate) struct Written {
    /// Their columns.
    pub(crate) schema: SchemaRef,
    /// Those among them that tell where a row came from, and that nobody chose.
    pub(crate) positions: Vec<String>,
}

/// The columns of the rows that a stream writes.
pub(crate) async fn written_columns(job: &Job, stream: &StreamJob, session: &Session) -> Result<Written, Failure> {
    let scorer = scorer(job, stream, source_schemas(job, stream, session)?).await?;
    let time = stream.batch_time.as_ref().map(batch_time).transpose()?;
    let Selection { columns, positions } = Selection::of(stream, &scorer.output_schema());
    Ok(Written { schema: written_schema(&scorer.output_schema(), time, columns.as_deref())?, positions })
}

/// Loads the model and binds it to the columns of the stream; how many columns come out.
pub(crate) async fn bind_model(job: &Job, stream: &StreamJob, session: &Session) -> Result<usize, Failure> {
    let scorer = scorer(job, stream, source_schemas(job, stream, session)?).await?;
    Ok(scorer.output_schema().fields().len())
}

/// What the checkpoint of a stream notes of its source and of its sink; nothing is opened. None for a source of topics, whose
/// client would join its group.
pub(crate) fn identities(
    job: &Job,
    stream: &StreamJob,
    kept: KeptProgress,
) -> Result<(Option<String>, String), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let files = file_sink_config(job, stream, Some(&kept))?;
    let sink = sink(job, stream, files, Some(&kept), SinkInputs::default(), clock.clone())?;
    Ok((file_source_identity(job, stream, &kept, clock)?, sink.identity()))
}

/// A checkpoint that is ours while the process runs.
pub(crate) struct KeptProgress {
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
        let checkpoint = Checkpoint::new(place.store().clone(), place.path().clone());
        let checkpoint = checkpoint.with_staging(place.folders().staging());
        let query_id = checkpoint.open().await?;
        Ok(KeptProgress { checkpoint, place, lock, query_id })
    }

    /// One that is only looked at.
    pub(crate) fn of_others(place: Location, checkpoint: Checkpoint, query_id: String) -> KeptProgress {
        KeptProgress { checkpoint, place, lock: None, query_id }
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

/// So many rows take a large forest a millisecond or two, and all others some microseconds.
const QUICK_ROWS: usize = 16;

/// Prepare steps and the model, as the stream sees them: one pure function.
struct BoundScorer {
    input: SchemaRef,
    prepare: Prepare,
    model: Box<dyn BoundStage>,
    id: ModelId,
}

/// The model, bound to the first of these columns that it can be bound to.
///
/// # Errors
/// When it can be bound to none; told of the last.
async fn scorer(job: &Job, stream: &StreamJob, choices: Vec<SchemaRef>) -> Result<BoundScorer, Failure> {
    let loaded = load_model(&stream.model, &job.base).await?;
    let bound = |input: &SchemaRef| {
        let prepare = bind(&stream.prepare.steps, input, job.version)?;
        let model = loaded.model.bind(prepare.output_schema())?;
        Ok(BoundScorer { input: input.clone(), prepare, model, id: ModelId(loaded.id.clone()) })
    };
    let (last, others) = choices.split_last().expect("a source has columns");
    others.iter().find_map(|input| bound(input).ok()).map_or_else(|| bound(last), Ok)
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
    fn is_quick(&self, n_rows: usize) -> bool {
        n_rows <= QUICK_ROWS
    }
}
