//! The loop that obeys the planner.
//!
//! A step of the loop looks at the facts, asks [`next_step`] what to do, and does it. A batch goes through these moments,
//! each of which is a place where a process may die:
//!
//! 1. the source says what it has;
//! 2. the source writes down what it needs to read that again, then the plan is written to `offsets/<n>` (not the plan for a sink
//!    that holds the progress itself);
//! 3. rows are read, scored and handed to the sink, which does what it can without showing any, beside 2 when it shows nothing
//!    before 4;
//! 4. the sink commits, once 2 and 3 are done;
//! 5. `commits/<n>` is written;
//! 6. the source is told;
//! 7. the progress is told.
//!
//! Where the sink lets batches go ahead, the next batch begins after 3, and 4 to 7 go on beside it, in the order of the batches
//! (`committing.rs`). Where it keeps their rows back, that is done only while many rows wait: else a batch that begins later has
//! more of them, and the next ones need not wait for its commit.
//!
//! A failure that may pass is met by forgetting everything that is held in memory and looking again, as a new process
//! would: there is one way to recover, and every error takes it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ognivo_data::fault::{Explain as _, Retry};
use serde_json::{Map, Value};
use tokio::select;
use uuid::Uuid;

use crate::batch::{Batch, Seen};
use crate::checkpoint::{Notes, OffsetEntry};
use crate::clock::Clock;
use crate::committing::{CommitTimes, Committing};
use crate::invariants;
use crate::kill_point::{self, KillPoint};
use crate::offset::{Offset, OffsetRange, SourcePartition};
use crate::output_shape::OutputShape;
use crate::plan::{Available, BatchId, BatchPlan, Facts, Logs, PlanError, Step, next_step};
use crate::progress::{Progress, Report};
use crate::query_error::QueryError;
use crate::retry::Backoff;
use crate::sink::{Ahead, BatchWriter, Committed, Sink};
use crate::source::{ReadLimit, Source};
use crate::stop::{GRACE, LIMIT, StopSignal};
use crate::stopwatch::Stopwatch;
use crate::tally::Tally;
use crate::trigger::{Pace, Trigger};

pub use crate::query_options::{Observer, QueryEvent, QueryOptions, QueryParts, RunSummary};

/// A query that scores a stream.
pub struct StreamingQuery {
    parts: QueryParts,
    options: QueryOptions,
    run_id: String,
    pace: Pace,
    partitions: Vec<SourcePartition>,
    partitions_move: bool,
    /// What was prepared before the first batch; None until then.
    prepared: Option<Prepared>,
    /// How far we are; None when it must be read again.
    known: Option<Known>,
    /// A failure may have left the source and the sink with a wrong memory.
    must_reset: bool,
    /// Batches that are being committed beside the next one, oldest first.
    committing: Committing<BatchAhead>,
    /// Whether many rows waited when the newest batch was handed over.
    is_behind: bool,
    /// Batches whose commit was asked for and which are not reported yet, oldest first: the answer may have been lost.
    unreported: Vec<RunningBatch>,
    n_batches: u64,
    rows: Tally,
    trigger_start_ms: Option<i64>,
    /// When the source was last asked how far behind we are.
    lag_asked_ms: Option<i64>,
    last_progress: Option<Progress>,
}

/// While there is nothing to do, the source is asked no more often than this how far behind we are.
const LAG_PAUSE_MS: i64 = 1_000;

/// While commits go on, a rest is no longer than this: then is looked which of them have ended.
const COMMIT_PAUSE: Duration = Duration::from_millis(10);

/// So many rows that wait are worth a batch of their own: scoring fewer takes less time than a commit.
const MANY_ROWS: u64 = 8_192;

/// A batch on its way from moment 2 to moment 7.
#[derive(Debug, Clone)]
struct RunningBatch {
    plan: BatchPlan,
    /// Whether an earlier attempt had planned it.
    replayed: bool,
    /// What was seen of its rows, once they were read.
    seen: Arc<Seen>,
    /// When the target had it; None until then, and when its answer was lost.
    committed: Option<CommitTimes>,
    watch: Stopwatch,
}

/// A batch that is being committed beside the next one, and the settings that its entry carries on.
struct BatchAhead {
    batch: RunningBatch,
    conf: Map<String, Value>,
}

struct Prepared {
    id: String,
    shape: OutputShape,
}

/// How far the query is, as read at start and moved on with each batch.
#[derive(Debug, Clone)]
struct Known {
    logs: Logs,
    target: Committed,
    /// Where the next batch starts.
    start: Option<Offset>,
    /// Spark's settings, carried on from entry to entry.
    conf: Map<String, Value>,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stepped {
    Moved,
    Resting,
    Finished,
}

impl fmt::Debug for StreamingQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamingQuery")
            .field("run_id", &self.run_id)
            .field("n_batches", &self.n_batches)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl StreamingQuery {
    /// A query at rest. Nothing is read or written yet.
    pub fn new(parts: QueryParts, options: QueryOptions) -> StreamingQuery {
        StreamingQuery {
            parts,
            run_id: Uuid::new_v4().to_string(),
            pace: Pace::new(options.trigger),
            options,
            partitions: vec![SourcePartition::all()],
            partitions_move: false,
            prepared: None,
            known: None,
            must_reset: false,
            committing: Committing::default(),
            is_behind: false,
            unreported: Vec::new(),
            n_batches: 0,
            rows: Tally::default(),
            trigger_start_ms: None,
            lag_asked_ms: None,
            last_progress: None,
        }
    }

    /// Runs until the trigger ends it or `stop` asks for the end.
    ///
    /// Asked to end, it finishes the open batch if that takes no longer than [`GRACE`], else gives it up; after
    /// [`LIMIT`] it ends wherever it is, as if killed.
    ///
    /// # Errors
    /// When going on is impossible or would lose or repeat rows.
    pub async fn run(&mut self, stop: &StopSignal) -> Result<RunSummary, QueryError> {
        let (clock, commits) = (self.options.clock.clone(), self.committing.commits());
        select! {
            biased;
            ended = self.obey(stop) => ended?,
            () = stop.requested_since(LIMIT, clock.as_ref()) => {}
            never = commits.go_on() => match never {},
        }
        Ok(self.summary(stop.is_requested()))
    }

    /// Runs all batches that can start now, then returns. For tests and for callers with a loop of their own.
    ///
    /// # Errors
    /// As [`run`](StreamingQuery::run), without trying again.
    pub async fn process_all_available(&mut self) -> Result<RunSummary, QueryError> {
        let (_handle, never) = crate::stop::stop_pair();
        let commits = self.committing.commits();
        let all = async {
            while self.step(&never).await? == Stepped::Moved {}
            self.settle(0).await
        };
        select! {
            biased;
            ended = all => ended?,
            never = commits.go_on() => match never {},
        }
        Ok(self.summary(false))
    }

    /// The progress of the newest batch of this run.
    pub fn last_progress(&self) -> Option<&Progress> {
        self.last_progress.as_ref()
    }

    fn summary(&self, stopped: bool) -> RunSummary {
        let id = self.prepared.as_ref().map(|prepared| prepared.id.clone()).unwrap_or_default();
        RunSummary { id, run_id: self.run_id.clone(), n_batches: self.n_batches, rows: self.rows, stopped }
    }

    /// Step after step, with rest where there is nothing to do and patience where something failed.
    async fn obey(&mut self, stop: &StopSignal) -> Result<(), QueryError> {
        let clock = self.options.clock.clone();
        let mut backoff = Backoff::new(self.options.retry_deadline);
        loop {
            if stop.is_requested() {
                (self.options.observer)(&QueryEvent::Stopping);
                return self.end(stop).await;
            }
            let pause = match self.step(stop).await {
                Ok(Stepped::Finished) => return Ok(()),
                Ok(Stepped::Moved) => {
                    backoff.succeeded();
                    continue;
                }
                Ok(Stepped::Resting) => {
                    backoff.succeeded();
                    let pause = self.pace.rest(clock.now_ms());
                    if self.committing.is_empty() { pause } else { pause.min(COMMIT_PAUSE) }
                }
                Err(error) => self.patience(error, &mut backoff, clock.now_ms())?,
            };
            select! {
                () = clock.sleep(pause) => {}
                () = stop.requested() => {}
            }
        }
    }

    /// Waits for what is still being committed, but not for longer than an open batch may take.
    async fn end(&mut self, stop: &StopSignal) -> Result<(), QueryError> {
        let clock = self.options.clock.clone();
        select! {
            biased;
            settled = self.settle(0) => match settled {
                Err(error) if error.retry() == Retry::Never => Err(error),
                // What is not there comes again with the next start.
                _ => Ok(()),
            },
            () = stop.requested_since(GRACE, clock.as_ref()) => Ok(()),
        }
    }

    /// The pause after a failure that may pass.
    ///
    /// # Errors
    /// With the failure when it will not pass, or has not for too long.
    fn patience(&mut self, error: QueryError, backoff: &mut Backoff, now_ms: i64) -> Result<Duration, QueryError> {
        if error.retry() == Retry::Never {
            return Err(error);
        }
        match backoff.failed(now_ms) {
            None => Err(QueryError::GaveUp { attempts: backoff.n_failures(), cause: Box::new(error) }),
            Some(pause) => {
                (self.options.observer)(&QueryEvent::Retrying {
                    error: &error,
                    n_failures: backoff.n_failures(),
                    pause,
                });
                Ok(pause)
            }
        }
    }

    /// One step of the planner. After an error everything held in memory is forgotten.
    async fn step(&mut self, stop: &StopSignal) -> Result<Stepped, QueryError> {
        let stepped = self.try_step(stop).await;
        stepped.map_err(|error| {
            self.known = None;
            self.must_reset = true;
            // What a batch suffers from is told by the one before it.
            self.give_up_commits().unwrap_or(error)
        })
    }

    /// Ends the commits that are on their way; with the failure of the oldest that has failed.
    fn give_up_commits(&mut self) -> Option<QueryError> {
        let (batches, failure) = self.committing.give_up();
        self.unreported.extend(batches.into_iter().map(|ahead| ahead.batch));
        failure
    }

    async fn try_step(&mut self, stop: &StopSignal) -> Result<Stepped, QueryError> {
        if self.must_reset {
            self.parts.source.reset().await?;
            self.parts.sink.reset().await?;
            self.must_reset = false;
        }
        self.prepare().await?;
        self.settle(self.n_commits_beside()).await?;
        if self.committing.is_empty() {
            self.follow_assignment().await?;
        }
        let mut watch = self.start_trigger();
        let known = match self.known.take() {
            Some(known) => known,
            None => self.look().await?,
        };
        let mut available = Available::Unknown;
        loop {
            match self.decide(&known, &available)? {
                Step::Ask => {
                    available = self.ask(&known).await?;
                    watch.lap("latestOffset", self.options.clock.as_ref());
                }
                Step::MarkDone(id) => {
                    self.mark_done(id).await?;
                    (self.options.observer)(&QueryEvent::FoundDone(id));
                    return Ok(Stepped::Moved);
                }
                Step::Replay(plan) => {
                    return self.run_batch(RunningBatch::new(plan, true, watch), known, stop).await;
                }
                Step::Run(plan) => {
                    return self.run_batch(RunningBatch::new(plan, false, watch), known, stop).await;
                }
                Step::Wait => {
                    if available == Available::Nothing {
                        self.pace.asked(self.options.clock.now_ms());
                    }
                    self.settle(self.n_commits_at_rest()).await?;
                    self.tell_rest(known.start.as_ref());
                    self.known = Some(known);
                    return Ok(Stepped::Resting);
                }
                Step::Finish => {
                    self.settle(0).await?;
                    self.known = Some(known);
                    return Ok(Stepped::Finished);
                }
            }
        }
    }

    /// How many commits may go on while the next batch is filled.
    fn n_commits_beside(&self) -> usize {
        match self.parts.sink.ahead() {
            _ if self.committing.is_empty() || self.parts.source.is_moving() => 0,
            Ahead::Nothing => 0,
            Ahead::Sent { n_batches } => n_batches,
            Ahead::Scored => usize::from(self.is_behind),
        }
    }

    /// How many commits may go on while there is nothing to do: what has been sent need not be waited for, and rows that come meanwhile
    /// would have to wait too.
    fn n_commits_at_rest(&self) -> usize {
        match self.parts.sink.ahead() {
            Ahead::Sent { .. } => self.n_commits_beside(),
            Ahead::Nothing | Ahead::Scored => 0,
        }
    }

    /// Every question to the source counts as a trigger, as in Spark, whether a batch comes of it or not.
    fn start_trigger(&mut self) -> Stopwatch {
        let now_ms = self.options.clock.now_ms();
        let previous_start_ms = self.trigger_start_ms.replace(now_ms);
        Stopwatch::start(now_ms, previous_start_ms)
    }

    /// Everything that is checked and opened before the first row is read.
    async fn prepare(&mut self) -> Result<(), QueryError> {
        if self.prepared.is_some() {
            return Ok(());
        }
        let QueryOptions { batch_time, select, trigger, .. } = &self.options;
        let shape = OutputShape::new(&self.parts.scorer.output_schema(), batch_time.clone(), select.as_deref())?;
        self.parts.sink.prepare(shape.schema()).await?;
        let id = match &self.parts.checkpoint {
            Some(checkpoint) => checkpoint.open().await?,
            None => self.run_id.clone(),
        };
        if *trigger == Trigger::AvailableNow {
            self.parts.source.fix_end().await?;
        }
        (self.options.observer)(&QueryEvent::Prepared {
            id: &id,
            run_id: &self.run_id,
            source: &self.parts.source.description(),
            sink: &self.parts.sink.description(),
            model: self.parts.scorer.model_id(),
        });
        self.prepared = Some(Prepared { id, shape });
        Ok(())
    }

    /// Tells that there is nothing to do, with what the source knows of its newest rows, now and then.
    fn tell_rest(&mut self, done: Option<&Offset>) {
        let now_ms = self.options.clock.now_ms();
        let is_due = self.lag_asked_ms.is_none_or(|asked_ms| now_ms - asked_ms >= LAG_PAUSE_MS);
        let lag = is_due.then(|| self.parts.source.lag(done));
        if is_due {
            self.lag_asked_ms = Some(now_ms);
        }
        (self.options.observer)(&QueryEvent::Resting { lag: lag.as_ref() });
    }

    /// Takes note of partitions that came or went; then the target must be asked about those that are ours now.
    async fn follow_assignment(&mut self) -> Result<(), QueryError> {
        let Some(moved) = self.parts.source.assignment().await? else { return Ok(()) };
        if !self.partitions_move {
            self.partitions_move = true;
            self.partitions.clear();
        }
        if !moved.is_empty() {
            self.partitions.retain(|partition| !moved.lost.contains(partition));
            self.partitions.extend(moved.gained);
            self.known = None;
        }
        Ok(())
    }

    /// Reads how far we are from the checkpoint and from the target.
    async fn look(&mut self) -> Result<Known, QueryError> {
        let QueryParts { source, sink, checkpoint, .. } = &mut self.parts;
        let target = sink.last_committed(&self.partitions).await?;
        let mut conf = Map::new();
        let mut logs = Logs::default();
        match checkpoint {
            Some(checkpoint) => {
                logs = checkpoint.logs().await?;
                if let Some(plan) = &logs.planned
                    && let Some(entry) = checkpoint.offsets().get(plan.id).await?
                {
                    check_owner(&entry.notes, source.as_ref(), sink.as_ref())?;
                    conf = entry.conf;
                }
            }
            None if matches!(target, Committed::Offsets(_)) => {}
            None => return Err(QueryError::NoCheckpoint { sink: sink.description() }),
        }
        let start = match &target {
            Committed::Offsets(positions) => source.offset_at(positions)?,
            Committed::Unknown | Committed::Nothing | Committed::Batch(_) => {
                logs.planned.as_ref().map(|plan| plan.range.end.clone())
            }
        };
        let is_done =
            matches!(target, Committed::Offsets(_)) || logs.planned.as_ref().map(|plan| plan.id) == logs.committed;
        if is_done && let Some(done) = &start {
            source.acknowledge(done).await?;
        }
        self.report_if_done(&logs, &target);
        Ok(Known { logs, target, start, conf })
    }

    /// Reports the batches of commits whose answers were lost, when they turn out to be done.
    fn report_if_done(&mut self, logs: &Logs, target: &Committed) {
        let mut batches = std::mem::take(&mut self.unreported);
        let is_held = |batch: &RunningBatch| match target {
            Committed::Unknown | Committed::Nothing => false,
            Committed::Batch(id) => *id == batch.plan.id,
            Committed::Offsets(positions) => *positions == batch.plan.positions,
        };
        let is_done = |batch: &RunningBatch| is_held(batch) || logs.committed == Some(batch.plan.id);
        // Each is done when one behind it is.
        batches.truncate(batches.iter().rposition(is_done).map_or(0, |newest| newest + 1));
        batches.into_iter().for_each(|batch| self.report(batch));
    }

    fn decide(&self, known: &Known, available: &Available) -> Result<Step, PlanError> {
        let now_ms = self.options.clock.now_ms();
        next_step(&Facts {
            logs: &known.logs,
            target: &known.target,
            available,
            turn: self.pace.turn(now_ms),
            partitions_move: self.partitions_move,
            model: self.parts.scorer.model_id(),
            now_ms,
        })
    }

    async fn ask(&mut self, known: &Known) -> Result<Available, QueryError> {
        let limit = match self.options.trigger {
            Trigger::Once => ReadLimit::Everything,
            _ => ReadLimit::Configured,
        };
        let source = &mut self.parts.source;
        let latest = source.latest(known.start.as_ref(), limit).await;
        for warning in source.take_warnings() {
            (self.options.observer)(&QueryEvent::Warning(&warning));
        }
        let Some(end) = latest? else { return Ok(Available::Nothing) };
        let positions = source.positions(&end)?;
        Ok(Available::Rows(OffsetRange { start: known.start.clone(), end }, positions))
    }

    async fn mark_done(&mut self, id: BatchId) -> Result<(), QueryError> {
        if let Some(checkpoint) = &self.parts.checkpoint {
            checkpoint.commits().add(id, &self.run_id).await?;
        }
        Ok(())
    }

    /// Moments 2 to 7 of a batch.
    async fn run_batch(
        &mut self,
        mut batch: RunningBatch,
        mut known: Known,
        stop: &StopSignal,
    ) -> Result<Stepped, QueryError> {
        let clock = self.options.clock.clone();
        let filled = match batch.replayed {
            true => self.fill(&mut batch, stop).await?,
            false => self.plan_and_fill(&mut batch, &known, stop).await?,
        };
        let Some(writer) = filled else { return Ok(Stepped::Finished) };
        if !known.is_planned_ahead() && self.parts.sink.ahead() != Ahead::Nothing {
            self.commit_beside(writer, batch, &mut known);
            self.known = Some(known);
            return Ok(Stepped::Moved);
        }
        self.unreported = vec![batch.clone()];
        batch.committed = Some(commit(writer, &batch.seen.tally, clock.as_ref()).await?);
        batch.watch.lap("addBatch", clock.as_ref());
        self.note_done(&mut batch, (!known.is_planned_ahead()).then_some(&known.conf)).await?;
        known.move_on(&batch.plan);
        debug_assert_eq!(invariants::progress_is_not_ahead(&known.logs, &known.target), Ok(()));
        self.unreported.clear();
        self.report(batch);
        self.known = Some(known);
        Ok(Stepped::Moved)
    }

    /// Moments 5 and 6; `conf` where the plan was not written ahead.
    async fn note_done(
        &mut self,
        batch: &mut RunningBatch,
        conf: Option<&Map<String, Value>>,
    ) -> Result<(), QueryError> {
        let clock = self.options.clock.clone();
        if let (Some(conf), Some(checkpoint)) = (conf, &self.parts.checkpoint) {
            checkpoint.offsets().add(batch.plan.id, &self.entry_of(&batch.plan, conf)).await?;
            checkpoint.purge(batch.plan.id).await?;
        }
        self.mark_done(batch.plan.id).await?;
        kill_point::pass(KillPoint::AfterDone)?;
        batch.watch.lap("commitOffsets", clock.as_ref());
        self.parts.source.acknowledge(&batch.plan.range.end).await?;
        kill_point::pass(KillPoint::AfterAcknowledge)?;
        Ok(())
    }

    /// Moment 4, beside the next batch.
    fn commit_beside(&mut self, writer: Box<dyn BatchWriter>, batch: RunningBatch, known: &mut Known) {
        let conf = known.conf.clone();
        known.move_on(&batch.plan);
        self.is_behind = self.parts.source.lag(known.start.as_ref()).n_records() >= MANY_ROWS;
        // The trigger goes by when rows were handed over: the next batch need not wait for more.
        self.pace.ran(self.options.clock.now_ms());
        let (seen, clock) = (Arc::clone(&batch.seen), self.options.clock.clone());
        self.committing
            .begin(BatchAhead { batch, conf }, async move { commit(writer, &seen.tally, clock.as_ref()).await });
    }

    /// Moments 5 to 7 of batches whose commits have ended, and of the oldest of the others until at most `n_left` are left.
    async fn settle(&mut self, n_left: usize) -> Result<(), QueryError> {
        while let Some((BatchAhead { mut batch, conf }, committed)) = self.committing.next(n_left).await {
            let noted = match committed {
                Ok(times) => {
                    batch.committed = Some(times);
                    batch.watch.lap_at("addBatch", times.ended_ms);
                    self.note_done(&mut batch, Some(&conf)).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = noted {
                self.unreported.push(batch);
                self.give_up_commits();
                return Err(error);
            }
            let end_ms = batch.committed.map_or(batch.watch.start_ms, |times| times.ended_ms);
            self.report_ended(batch, end_ms);
        }
        Ok(())
    }

    /// Moments 2 and 3, one after the other; at once where the target shows nothing before the commit, which then waits for both.
    async fn plan_and_fill(
        &mut self,
        batch: &mut RunningBatch,
        known: &Known,
        stop: &StopSignal,
    ) -> Result<Option<Box<dyn BatchWriter>>, QueryError> {
        let is_planned_ahead = known.is_planned_ahead();
        debug_assert!(!is_planned_ahead || invariants::batches_touch(known.logs.planned.as_ref(), &batch.plan).is_ok());
        let clock = self.options.clock.clone();
        let start_ms = clock.now_ms();
        let plan = {
            let remembering = self.parts.source.remember();
            let entry = is_planned_ahead.then(|| self.entry_of(&batch.plan, &known.conf));
            let planned = entry.zip(self.parts.checkpoint.clone());
            let (id, clock) = (batch.plan.id, clock.clone());
            async move {
                match planned {
                    None => remembering.await?,
                    Some((entry, checkpoint)) => {
                        let offsets = checkpoint.offsets();
                        let (remembered, staged) = futures::future::join(remembering, offsets.stage(id, &entry)).await;
                        remembered?;
                        kill_point::pass(KillPoint::BeforePlan)?;
                        offsets.show(staged?).await?;
                        checkpoint.purge(id).await?;
                        kill_point::pass(KillPoint::AfterPlan)?;
                    }
                }
                Ok::<i64, QueryError>(clock.now_ms() - start_ms)
            }
        };
        if !self.parts.sink.hides_until_commit() {
            plan.await?;
            batch.watch.lap("walCommit", clock.as_ref());
            return self.fill(batch, stop).await;
        }
        // Neither is dropped halfway: what becomes of the plan must be known before anything else is done.
        let (planned, filled) = futures::future::join(plan, self.fill(batch, stop)).await;
        match planned {
            Ok(took_ms) => {
                batch.watch.note("walCommit", took_ms);
                filled
            }
            Err(error) => {
                if !error.is_killed()
                    && let Ok(Some(writer)) = filled
                {
                    self.abort(writer, batch.plan.id).await;
                }
                Err(error)
            }
        }
    }

    /// The plan as the checkpoint holds it.
    fn entry_of(&self, plan: &BatchPlan, conf: &Map<String, Value>) -> OffsetEntry {
        let notes = Notes {
            model: plan.model.clone(),
            run: Some(self.run_id.clone()),
            source: Some(self.parts.source.identity()),
            sink: Some(self.parts.sink.identity()),
        };
        let ends = vec![Some(plan.range.end.clone())];
        OffsetEntry { time_ms: plan.time_ms, conf: conf.clone(), notes, ends }
    }

    async fn abort(&self, writer: Box<dyn BatchWriter>, id: BatchId) {
        writer.abort().await;
        (self.options.observer)(&QueryEvent::Aborted(id));
    }

    /// Moment 3: a writer that holds all rows of the batch; None when the query was asked to end and it was given up.
    async fn fill(
        &mut self,
        running: &mut RunningBatch,
        stop: &StopSignal,
    ) -> Result<Option<Box<dyn BatchWriter>>, QueryError> {
        let clock = self.options.clock.clone();
        let batch = Batch {
            plan: &running.plan,
            scorer: &self.parts.scorer,
            shape: &self.prepared.as_ref().expect("every step prepares before it runs a batch").shape,
            policy: self.options.bad_rows,
            n_blocks_in_flight: self.options.n_blocks_in_flight,
            clock: &clock,
            observer: &self.options.observer,
        };
        (self.options.observer)(&QueryEvent::Started(running.plan.id));
        let rows = self.parts.source.read(&running.plan.range).await?;
        running.watch.lap("getBatch", clock.as_ref());
        let mut writer = self.parts.sink.begin(&running.plan).await?;
        kill_point::pass(KillPoint::AfterBegin)?;
        let filled = select! {
            biased;
            filled = batch.fill(rows, writer.as_mut()) => filled.map(Some),
            () = stop.requested_since(GRACE, clock.as_ref()) => Ok(None),
        };
        match filled {
            Ok(Some(seen)) => {
                running.seen = Arc::new(seen);
                Ok(Some(writer))
            }
            Ok(None) => {
                self.abort(writer, running.plan.id).await;
                Ok(None)
            }
            // As a dead process would, we leave everything as it is.
            Err(error) if error.is_killed() => Err(error),
            Err(error) => {
                self.abort(writer, running.plan.id).await;
                Err(error)
            }
        }
    }

    fn report(&mut self, batch: RunningBatch) {
        let now_ms = self.options.clock.now_ms();
        self.report_ended(batch, now_ms);
    }

    /// Moment 7 of a batch that ended at this time, which may be a moment ago.
    fn report_ended(&mut self, batch: RunningBatch, trigger_end_ms: i64) {
        self.pace.ran(trigger_end_ms);
        self.n_batches += 1;
        let RunningBatch { plan, replayed, seen, committed, watch } = batch;
        self.rows += seen.tally;
        // Where the answer to the commit was lost, the rows were there by now.
        let shown_ms = committed.map_or(trigger_end_ms, |times| times.shown_ms);
        let age_ms = shown_ms.saturating_sub(seen.moment_ms).max(0) as u64;
        let lag = self.parts.source.lag(Some(&plan.range.end));
        self.lag_asked_ms = Some(trigger_end_ms);
        let report = Report {
            id: self.prepared.as_ref().map_or("", |prepared| &prepared.id),
            run_id: &self.run_id,
            name: self.options.name.as_deref(),
            source: self.parts.source.description(),
            sink: self.parts.sink.description(),
            batch: plan.id,
            start: plan.range.start,
            end: plan.range.end,
            model: self.parts.scorer.model_id().clone(),
            replayed,
            rows: seen.tally,
            reasons: seen.reasons.clone(),
            scoring: seen.scoring,
            latency: seen.ages.after(age_ms),
            lag,
            trigger_start_ms: watch.start_ms,
            previous_trigger_start_ms: watch.previous_start_ms,
            trigger_end_ms,
            durations: watch.into_durations(trigger_end_ms),
        };
        let progress = report.into_progress();
        (self.options.observer)(&QueryEvent::Progress(&progress));
        self.last_progress = Some(progress);
    }
}

/// Moment 4.
async fn commit(writer: Box<dyn BatchWriter>, rows: &Tally, clock: &dyn Clock) -> Result<CommitTimes, QueryError> {
    kill_point::pass(KillPoint::BeforeCommit)?;
    let written = writer.commit().await?;
    kill_point::pass(KillPoint::AfterCommit)?;
    debug_assert_eq!(written.n_scored as u64, rows.written, "the sink wrote what it was handed");
    debug_assert_eq!(written.n_dead_letters as u64, rows.dead_letters, "the sink wrote what it was handed");
    let ended_ms = clock.now_ms();
    Ok(CommitTimes { shown_ms: written.shown_ms.unwrap_or(ended_ms), ended_ms })
}

impl RunningBatch {
    fn new(plan: BatchPlan, replayed: bool, watch: Stopwatch) -> RunningBatch {
        RunningBatch { plan, replayed, seen: Arc::default(), committed: None, watch }
    }
}

impl Known {
    /// Whether a plan is written before the target commits; else the target itself says how far we are.
    fn is_planned_ahead(&self) -> bool {
        !matches!(self.target, Committed::Offsets(_))
    }

    /// The batch is done in the target and in the log.
    fn move_on(&mut self, plan: &BatchPlan) {
        self.logs = Logs { planned: Some(plan.clone()), committed: Some(plan.id) };
        self.start = Some(plan.range.end.clone());
        self.target = match &self.target {
            Committed::Unknown => Committed::Unknown,
            Committed::Nothing | Committed::Batch(_) => Committed::Batch(plan.id),
            Committed::Offsets(_) => Committed::Offsets(plan.positions.clone()),
        };
    }
}

/// A checkpoint whose newest plan names another source or sink is not ours.
fn check_owner(notes: &Notes, source: &dyn Source, sink: &dyn Sink) -> Result<(), PlanError> {
    for (end, planned, present) in
        [("source", &notes.source, source.identity()), ("sink", &notes.sink, sink.identity())]
    {
        if let Some(planned) = planned.as_ref().filter(|planned| **planned != present) {
            return Err(PlanError::OtherQuery { end, planned: planned.clone(), present });
        }
    }
    Ok(())
}
