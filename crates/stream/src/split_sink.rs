//! The two lanes of a batch in two targets: scored rows in one, dead letters in the other.
//!
//! No transaction spans two targets, so a batch becomes visible in two steps: dead letters first, scored rows last. What the
//! target of the scored rows says is what the whole says; a batch that it lacks and whose dead letters are there already is
//! replayed without writing those again. That needs a plan that is written ahead: without one, the rows of a batch that comes
//! again might be others.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use async_trait::async_trait;
use ognivo_data::fault::{Explain, Fault};

use crate::dead_letter::{self, without_payloads};
use crate::kill_point::{self, KillPoint};
use crate::offset::SourcePartition;
use crate::plan::BatchPlan;
use crate::sink::{BatchWriter, Committed, Delivery, Lane, RefusedRow, Sink, SinkError, Written};

/// A sink made of two: one takes the scored rows, the other takes the dead letters as if they were scored.
pub struct SplitSink {
    scored: Box<dyn Sink>,
    dead_letters: Box<dyn Sink>,
    /// What the target of the dead letters last said; None until it was asked.
    held: Option<Committed>,
    /// The columns of the dead letters.
    letters: SchemaRef,
}

impl SplitSink {
    /// Neither of them may hold the progress of the source itself ([`Committed::Offsets`]).
    pub fn new(scored: Box<dyn Sink>, dead_letters: Box<dyn Sink>) -> SplitSink {
        SplitSink { scored, dead_letters, held: None, letters: dead_letter::schema() }
    }

    /// Gives dead letters only the columns of [`dead_letter::envelope_schema`].
    pub fn with_envelopes_only(mut self) -> SplitSink {
        self.letters = dead_letter::envelope_schema();
        self
    }

    /// Whether an earlier attempt at this batch got as far as its dead letters.
    fn holds_dead_letters_of(&self, plan: &BatchPlan) -> bool {
        matches!(self.held, Some(Committed::Batch(newest)) if newest >= plan.id)
    }
}

#[async_trait]
impl Sink for SplitSink {
    fn description(&self) -> String {
        self.scored.description()
    }

    /// Dead letters may be sent elsewhere from one start to the next, as with targets that take both lanes.
    fn identity(&self) -> String {
        self.scored.identity()
    }

    fn delivery(&self) -> Delivery {
        match (self.scored.delivery(), self.dead_letters.delivery()) {
            (Delivery::ExactlyOnce { condition: scored }, Delivery::ExactlyOnce { condition: letters }) => {
                Delivery::ExactlyOnce { condition: format!("{scored}; dead letters: {letters}") }
            }
            (scored, Delivery::ExactlyOnce { .. }) => scored,
            (Delivery::ExactlyOnce { condition: scored }, Delivery::AtLeastOnce { condition: letters }) => {
                Delivery::AtLeastOnce { condition: format!("only dead letters: {letters}; scored rows once: {scored}") }
            }
            (Delivery::AtLeastOnce { condition: scored }, Delivery::AtLeastOnce { condition: letters }) => {
                Delivery::AtLeastOnce { condition: format!("{scored}; dead letters: {letters}") }
            }
        }
    }

    fn hides_until_commit(&self) -> bool {
        self.scored.hides_until_commit() && self.dead_letters.hides_until_commit()
    }

    async fn prepare(&mut self, scored: &SchemaRef) -> Result<(), SinkError> {
        self.dead_letters.prepare(&self.letters).await?;
        self.scored.prepare(scored).await
    }

    async fn last_committed(&mut self, partitions: &[SourcePartition]) -> Result<Committed, SinkError> {
        let committed = self.scored.last_committed(partitions).await?;
        let held = self.dead_letters.last_committed(partitions).await?;
        for (sink, answer) in [(&self.scored, &committed), (&self.dead_letters, &held)] {
            if matches!(answer, Committed::Offsets(_)) {
                return Err(SinkError::new(HoldsProgress { sink: sink.description() }));
            }
        }
        self.held = Some(held);
        Ok(committed)
    }

    async fn begin(&mut self, plan: &BatchPlan) -> Result<Box<dyn BatchWriter>, SinkError> {
        let scored = self.scored.begin(plan).await?;
        let dead_letters = match self.holds_dead_letters_of(plan) {
            true => None,
            false => match self.dead_letters.begin(plan).await {
                Ok(writer) => Some(writer),
                Err(error) => {
                    scored.abort().await;
                    return Err(error);
                }
            },
        };
        Ok(Box::new(SplitWriter { scored, dead_letters, n_held: 0, n_columns: self.letters.fields().len() }))
    }

    async fn reset(&mut self) -> Result<(), SinkError> {
        self.held = None;
        self.dead_letters.reset().await?;
        self.scored.reset().await
    }
}

/// The letters that were refused, without their payloads.
fn without_payloads_of(letters: &RecordBatch, refused: &[RefusedRow]) -> RecordBatch {
    let each: Vec<RecordBatch> = refused.iter().map(|refused| letters.slice(refused.row_idx, 1)).collect();
    let refused = concat_batches(&letters.schema(), &each).expect("rows of one batch have its columns");
    without_payloads(&refused, |_| true)
}

struct SplitWriter {
    scored: Box<dyn BatchWriter>,
    /// None when the target holds the dead letters of this batch.
    dead_letters: Option<Box<dyn BatchWriter>>,
    /// Dead letters that came again and were there.
    n_held: usize,
    /// How many columns dead letters are written with, the first ones.
    n_columns: usize,
}

#[async_trait]
impl BatchWriter for SplitWriter {
    async fn write(&mut self, lane: Lane, rows: RecordBatch) -> Result<(), SinkError> {
        match (lane, &mut self.dead_letters) {
            (Lane::Scored, _) => self.scored.write(Lane::Scored, rows).await,
            (Lane::DeadLetter, Some(writer)) => {
                let columns: Vec<usize> = (0..self.n_columns).collect();
                let rows = rows.project(&columns).expect("dead letters have the columns of their schema");
                writer.write(Lane::Scored, rows.clone()).await?;
                let refused = writer.take_refused();
                if !refused.is_empty() {
                    // It may be the payload that is too large.
                    writer.write(Lane::Scored, without_payloads_of(&rows, &refused)).await?;
                }
                match writer.take_refused().into_iter().next() {
                    Some(refused) => Err(SinkError::new(RefusedLetter { message: refused.message })),
                    None => Ok(()),
                }
            }
            (Lane::DeadLetter, None) => {
                self.n_held += rows.num_rows();
                Ok(())
            }
        }
    }

    fn take_refused(&mut self) -> Vec<RefusedRow> {
        self.scored.take_refused()
    }

    async fn stage(&mut self) -> Result<(), SinkError> {
        if let Some(writer) = &mut self.dead_letters {
            writer.stage().await?;
        }
        self.scored.stage().await
    }

    async fn commit(self: Box<Self>) -> Result<Written, SinkError> {
        let n_dead_letters = match self.dead_letters {
            Some(writer) => writer.commit().await?.n_scored,
            None => self.n_held,
        };
        kill_point::pass(KillPoint::SinkPartVisible)?;
        let n_scored = self.scored.commit().await?.n_scored;
        Ok(Written { n_scored, n_dead_letters, shown_ms: None })
    }

    async fn abort(self: Box<Self>) {
        if let Some(writer) = self.dead_letters {
            writer.abort().await;
        }
        self.scored.abort().await;
    }
}

/// A target that commits the source's progress with its rows cannot share a batch with another target.
#[derive(Debug, thiserror::Error)]
#[error("it holds the progress of the source, so dead letters must go to the same place: {sink}")]
struct HoldsProgress {
    sink: String,
}

impl Explain for HoldsProgress {
    fn fault(&self) -> Fault {
        Fault::Bug
    }
}

/// The target of the dead letters does not take one of them.
#[derive(Debug, thiserror::Error)]
#[error("a dead letter was refused: {message}")]
struct RefusedLetter {
    message: String,
}

impl Explain for RefusedLetter {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        Some("send the dead letters to files".to_owned())
    }
}
