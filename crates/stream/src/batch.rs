//! One batch: its rows are read, scored and handed to the sink, block by block, in order.
//!
//! ```text
//!  read ──► decode ──► score ──► score ──► … up to n blocks at a time, on threads that may block
//!                         │ back in order
//!                         ▼
//!                 scored rows, dead letters ──► writer
//! ```
//! Memory is bounded by the blocks in flight; nothing is collected over the batch.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use futures::future::{Either, ready};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use ognivo_data::outcome::{Outcome, Rejection};
use tokio::task::spawn_blocking;

use crate::clock::Clock;
use crate::dead_letter::{self, DeadLetter};
use crate::histogram::Histogram;
use crate::invariants;
use crate::kill_point::{self, KillPoint};
use crate::latency::RecordAges;
use crate::output_shape::OutputShape;
use crate::plan::BatchPlan;
use crate::query_error::QueryError;
use crate::query_options::{Observer, QueryEvent};
use crate::reasons::Reasons;
use crate::score::{ScoreError, Scorer};
use crate::sink::{BatchWriter, Lane, RefusedRow};
use crate::source::{Malformed, RowStream, SourceRows};
use crate::tally::{BadRow, BadRowPolicy, Tally};

/// What a batch needs beside its rows.
pub(crate) struct Batch<'a> {
    pub(crate) plan: &'a BatchPlan,
    pub(crate) scorer: &'a Arc<dyn Scorer>,
    pub(crate) shape: &'a OutputShape,
    pub(crate) policy: BadRowPolicy,
    pub(crate) n_blocks_in_flight: usize,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) observer: &'a Observer,
}

/// What was seen of the rows of a batch while they were handed to the writer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) tally: Tally,
    pub(crate) reasons: Reasons,
    /// How long each block took to be scored.
    pub(crate) scoring: Histogram,
    /// How old the records were at `moment_ms`.
    pub(crate) ages: RecordAges,
    pub(crate) moment_ms: i64,
}

/// A block and what became of its rows.
struct ScoredBlock {
    block: SourceRows,
    outcome: Outcome,
    took: Duration,
}

impl Batch<'_> {
    /// Hands all rows of the batch to the writer, which is left staged and uncommitted.
    ///
    /// # Errors
    /// When somebody fails, a bad row meets the policy `fail`, or there are too many of them.
    pub(crate) async fn fill(&self, rows: RowStream, writer: &mut dyn BatchWriter) -> Result<Seen, QueryError> {
        let mut seen = Seen { moment_ms: self.clock.now_ms(), ..Seen::default() };
        let mut blocks = std::pin::pin!(self.scored(rows));
        while let Some(scored) = blocks.try_next().await? {
            seen.scoring.add(scored.took);
            seen.ages.add(&scored.block.origin.timestamps_ms(), seen.moment_ms);
            seen.tally += self.write(scored, writer, &mut seen.reasons).await?;
            kill_point::pass(KillPoint::AfterWrite)?;
        }
        self.check_share(&seen.tally)?;
        writer.stage().await?;
        Ok(seen)
    }

    /// Scores blocks on other threads, several at a time, and gives them back in order; what is quickly done, here.
    fn scored(&self, rows: RowStream) -> impl Stream<Item = Result<ScoredBlock, QueryError>> {
        let batch = self.plan.id;
        let start = move |block: Result<SourceRows, _>| {
            let (scorer, clock) = (self.scorer.clone(), self.clock.clone());
            // Started here and not when first polled, so that blocks are scored while others wait for the writer.
            let task = block.map(|block| {
                let is_quick = scorer.is_quick(block.rows.num_rows());
                let work = move || score(scorer.as_ref(), block, clock.as_ref());
                if is_quick { Either::Left(ready(Ok(work()))) } else { Either::Right(spawn_blocking(work)) }
            });
            async move {
                match task?.await {
                    Ok(scored) => scored.map_err(|cause| QueryError::Score { batch, cause }),
                    Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
                    Err(_) => Err(QueryError::ShutDown),
                }
            }
        };
        rows.map(start).buffered(self.n_blocks_in_flight.max(1))
    }

    async fn write(
        &self,
        scored: ScoredBlock,
        writer: &mut dyn BatchWriter,
        reasons: &mut Reasons,
    ) -> Result<Tally, QueryError> {
        let ScoredBlock { block, outcome, .. } = scored;
        let fates = &outcome.fates;
        assert_eq!(fates.n_rows(), block.rows.num_rows(), "the scorer speaks of each row of the block");

        let n_decoded = block.rows.num_rows() + block.malformed.len();
        let mut letters = self.letters(&block, &outcome)?;
        let refused = self.write_scored(&outcome, writer).await?;
        letters.extend(self.by_policy(self.policy.invalid, of_refused(&block, &outcome, &refused).into_iter())?);

        let n_bad = block.malformed.len() + fates.n_rejected() + refused.len();
        let tally = Tally {
            read: block.n_records_read as u64,
            written: (outcome.rows.num_rows() - refused.len()) as u64,
            skipped: (block.n_records_read - n_decoded + fates.n_skipped() + n_bad - letters.len()) as u64,
            dead_letters: letters.len() as u64,
            bad: n_bad as u64,
        };
        debug_assert_eq!(invariants::rows_add_up(&tally), Ok(()));

        if !letters.is_empty() {
            reasons.count(&letters);
            writer.write(Lane::DeadLetter, dead_letter::to_rows(&letters, self.plan)).await?;
        }
        Ok(tally)
    }

    /// Hands the scored rows of a block to the writer; those come back that the target does not take.
    async fn write_scored(
        &self,
        outcome: &Outcome,
        writer: &mut dyn BatchWriter,
    ) -> Result<Vec<RefusedRow>, QueryError> {
        if outcome.rows.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let rows: RecordBatch = self.shape.apply(&outcome.rows, self.plan.time_ms);
        (self.observer)(&QueryEvent::Scored(&rows));
        writer.write(Lane::Scored, rows).await?;
        Ok(writer.take_refused())
    }

    /// The dead letters of a block, as far as the policy wants any, before the target was asked.
    fn letters(&self, block: &SourceRows, outcome: &Outcome) -> Result<Vec<DeadLetter>, QueryError> {
        let malformed = block.malformed.iter().map(of_malformed);
        let rejected = outcome.fates.rejections().map(|(row_idx, rejection)| of_rejected(block, row_idx, rejection));
        let mut letters = self.by_policy(self.policy.malformed, malformed)?;
        letters.extend(self.by_policy(self.policy.invalid, rejected)?);
        Ok(letters)
    }

    fn by_policy(
        &self,
        policy: BadRow,
        mut bad: impl Iterator<Item = DeadLetter>,
    ) -> Result<Vec<DeadLetter>, QueryError> {
        match policy {
            BadRow::DeadLetter => Ok(bad.collect()),
            BadRow::Drop => Ok(Vec::new()),
            BadRow::Fail => match bad.next() {
                None => Ok(Vec::new()),
                Some(first) => Err(QueryError::BadRow {
                    batch: self.plan.id,
                    position: first.position,
                    stage: first.stage,
                    code: first.code,
                    message: first.message,
                }),
            },
        }
    }

    fn check_share(&self, tally: &Tally) -> Result<(), QueryError> {
        match self.policy.max_bad_fraction {
            Some(limit) if tally.is_too_bad(&self.policy) => {
                Err(QueryError::TooManyBadRows { batch: self.plan.id, bad: tally.bad, read: tally.read, limit })
            }
            _ => Ok(()),
        }
    }
}

fn score(scorer: &dyn Scorer, block: SourceRows, clock: &dyn Clock) -> Result<ScoredBlock, ScoreError> {
    let started = clock.monotonic();
    let outcome = scorer.score(block.rows.clone())?;
    Ok(ScoredBlock { block, outcome, took: clock.monotonic().saturating_sub(started) })
}

fn of_malformed(bad: &Malformed) -> DeadLetter {
    DeadLetter {
        payload: bad.payload.clone(),
        position: bad.position.clone(),
        stage: None,
        column: None,
        code: bad.code.clone(),
        message: bad.message.clone(),
        record: bad.record.clone(),
    }
}

fn of_rejected(block: &SourceRows, row_idx: usize, rejection: &Rejection) -> DeadLetter {
    DeadLetter {
        payload: block.origin.payload(row_idx).into_owned(),
        position: block.origin.position(row_idx),
        stage: Some(rejection.stage.clone()),
        column: Some(rejection.column.clone()),
        code: rejection.code.as_str().to_owned(),
        message: rejection.message.clone(),
        record: block.origin.record(row_idx).map(Box::new),
    }
}

/// The code of dead letters of rows that the target did not take.
const REFUSED: &str = "refused_by_target";

fn of_refused(block: &SourceRows, outcome: &Outcome, refused: &[RefusedRow]) -> Vec<DeadLetter> {
    if refused.is_empty() {
        return Vec::new();
    }
    let input_rows = outcome.fates.kept_rows();
    let letter = |refused: &RefusedRow| {
        let row_idx = input_rows[refused.row_idx];
        DeadLetter {
            payload: block.origin.payload(row_idx).into_owned(),
            position: block.origin.position(row_idx),
            stage: None,
            column: refused.column.clone(),
            code: REFUSED.to_owned(),
            message: refused.message.clone(),
            record: block.origin.record(row_idx).map(Box::new),
        }
    };
    refused.iter().map(letter).collect()
}
