//! What a batch is, and which step comes next: decided here from values alone, carried out by [`query`](crate::query).

use std::fmt;

use ognivo_data::fault::{Explain, Fault};
use serde::{Deserialize, Serialize};

use crate::offset::{OffsetRange, Positions};
use crate::sink::Committed;

/// Number of a batch; the first is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(pub u64);

impl BatchId {
    /// The number after this one.
    pub fn next(self) -> BatchId {
        BatchId(self.0 + 1)
    }

    /// The number before this one; None for the first.
    pub fn previous(self) -> Option<BatchId> {
        self.0.checked_sub(1).map(BatchId)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fingerprint of a model, made by whoever loaded it. Equal fingerprints mean equal scores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelId(pub String);

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a batch is. Once it is written ahead it is this work forever, with this model and this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPlan {
    /// Its number.
    pub id: BatchId,
    /// The rows it takes.
    pub range: OffsetRange,
    /// The end of the range, per source partition; stored by a target that holds the progress itself.
    pub positions: Positions,
    /// The batch's time in milliseconds since 1970, later than that of the batch before; what `batchTimeColumn` writes.
    pub time_ms: i64,
    /// The model it is scored with; None in a plan that Spark wrote.
    pub model: Option<ModelId>,
}

impl BatchPlan {
    /// A plan over a source whose partitions never move.
    pub fn new(id: BatchId, range: OffsetRange, time_ms: i64, model: Option<ModelId>) -> BatchPlan {
        let positions = Positions::of_whole(&range.end);
        BatchPlan { id, range, positions, time_ms, model }
    }
}

/// The newest entries of a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logs {
    /// The newest planned batch.
    pub planned: Option<BatchPlan>,
    /// The newest batch that is noted as done.
    pub committed: Option<BatchId>,
}

/// What the source has beyond the last batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Available {
    /// It was not asked. It must not be while a planned batch is open: asking moves it on.
    Unknown,
    /// Nothing new.
    Nothing,
    /// The rows of this range, whose end is at these positions.
    Rows(OffsetRange, Positions),
}

/// What the trigger allows now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A new batch may start.
    Now {
        /// Whether the query is over when there is nothing new.
        finish_when_empty: bool,
    },
    /// Not before the trigger's next tick.
    Later,
    /// No new batch will start.
    Never,
}

/// Everything that decides the next step.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What the checkpoint says.
    pub logs: &'a Logs,
    /// What the target says.
    pub target: &'a Committed,
    /// What the source says.
    pub available: &'a Available,
    /// What the trigger says.
    pub turn: Turn,
    /// Whether the source's partitions come and go, so that ours may be new ones.
    pub partitions_move: bool,
    /// The model that we have.
    pub model: &'a ModelId,
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
}

/// What the driver does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The batch is in the target and not noted as done: note it, run nothing.
    MarkDone(BatchId),
    /// The batch was planned and is not in the target: run it as it was planned.
    Replay(BatchPlan),
    /// Ask the source what it has.
    Ask,
    /// Write this plan, then run it.
    Run(BatchPlan),
    /// Nothing to do for now.
    Wait,
    /// Nothing to do ever.
    Finish,
}

/// The next step, from facts alone.
///
/// Two kinds of targets ask for two lines of thought. A target that counts batches stands behind plans that are written
/// ahead: the newest plan is either done or open, and the target is at that batch or at the one before. A target that holds
/// the positions itself is the truth: a plan in our log is a report, and nothing is ever replayed.
///
/// # Errors
/// When the facts contradict each other, so that going on would lose or repeat rows.
pub fn next_step(facts: &Facts<'_>) -> Result<Step, PlanError> {
    let recovery = match facts.target {
        Committed::Offsets(positions) => check_positions(facts, positions).map(|()| None),
        Committed::Unknown => recover(facts, None),
        Committed::Nothing => recover(facts, None).and_then(|step| check_holds_something(facts, step)),
        Committed::Batch(id) => recover(facts, Some(*id)),
    };
    match recovery? {
        Some(step) => Ok(step),
        None => Ok(new_batch(facts)),
    }
}

/// What an earlier process left open behind a plan that is written ahead; None when nothing is.
fn recover(facts: &Facts<'_>, target: Option<BatchId>) -> Result<Option<Step>, PlanError> {
    let Logs { planned, committed } = facts.logs;
    let Some(plan) = planned else {
        return match (committed, target) {
            (Some(batch), _) => Err(PlanError::DoneWithoutPlan { batch: *batch, planned: None }),
            (None, Some(target)) => Err(PlanError::TargetAhead { target, planned: None }),
            (None, None) => Ok(None),
        };
    };
    if let Some(batch) = committed.filter(|batch| *batch > plan.id) {
        return Err(PlanError::DoneWithoutPlan { batch, planned: Some(plan.id) });
    }
    if let Some(target) = target.filter(|target| *target > plan.id) {
        return Err(PlanError::TargetAhead { target, planned: Some(plan.id) });
    }
    let open = *committed != Some(plan.id);
    let done = newest_done(facts.logs, plan);
    match target {
        Some(target) if open && target == plan.id => Ok(Some(Step::MarkDone(plan.id))),
        Some(target) if Some(target) < done => Err(PlanError::TargetBehind { target, done: done.unwrap_or(plan.id) }),
        _ if open => replay(plan, facts.model).map(Some),
        _ => Ok(None),
    }
}

/// A plan is written only after the batch before is done: all before the newest plan is done, whatever is noted.
fn newest_done(logs: &Logs, newest: &BatchPlan) -> Option<BatchId> {
    if logs.committed == Some(newest.id) { Some(newest.id) } else { newest.id.previous() }
}

fn replay(plan: &BatchPlan, present: &ModelId) -> Result<Step, PlanError> {
    match &plan.model {
        Some(planned) if planned != present => {
            Err(PlanError::ModelChanged { batch: plan.id, planned: planned.clone(), present: present.clone() })
        }
        _ => Ok(Step::Replay(plan.clone())),
    }
}

/// A target that holds no batch beside a log of finished batches is not the target that those batches went to.
fn check_holds_something(facts: &Facts<'_>, step: Option<Step>) -> Result<Option<Step>, PlanError> {
    match facts.logs.planned.as_ref().and_then(|plan| newest_done(facts.logs, plan)) {
        Some(done) => Err(PlanError::TargetForgot { done }),
        None => Ok(step),
    }
}

/// A target without positions beside a log of finished batches is not the target that those batches went to.
fn check_positions(facts: &Facts<'_>, positions: &Positions) -> Result<(), PlanError> {
    match facts.logs.committed {
        Some(done) if positions.is_empty() && !facts.partitions_move => Err(PlanError::TargetForgot { done }),
        _ => Ok(()),
    }
}

fn new_batch(facts: &Facts<'_>) -> Step {
    let finish_when_empty = match facts.turn {
        Turn::Never => return Step::Finish,
        Turn::Later => return Step::Wait,
        Turn::Now { finish_when_empty } => finish_when_empty,
    };
    match facts.available {
        Available::Unknown => Step::Ask,
        Available::Nothing if finish_when_empty => Step::Finish,
        Available::Nothing => Step::Wait,
        Available::Rows(range, positions) => Step::Run(BatchPlan {
            id: next_id(facts.logs),
            range: range.clone(),
            positions: positions.clone(),
            time_ms: next_time_ms(facts),
            model: Some(facts.model.clone()),
        }),
    }
}

/// Now, and in any case later than the batch before: targets that tell newer from older by the batch's time must not meet the
/// same time twice, nor go back when the clock was set back.
fn next_time_ms(facts: &Facts<'_>) -> i64 {
    let after_last = facts.logs.planned.as_ref().map_or(i64::MIN, |plan| plan.time_ms.saturating_add(1));
    facts.now_ms.max(after_last)
}

fn next_id(logs: &Logs) -> BatchId {
    let planned = logs.planned.as_ref().map(|plan| plan.id);
    planned.max(logs.committed).map_or(BatchId(0), BatchId::next)
}

/// The checkpoint, the target and the model contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The target holds a batch that we never planned.
    #[error("the target is ahead of the checkpoint: target is at batch {target}, newest plan is {}", or_none(planned))]
    TargetAhead {
        /// The newest batch of the target.
        target: BatchId,
        /// Our newest plan.
        planned: Option<BatchId>,
    },
    /// The target lacks a batch that we finished.
    #[error("the target is behind the checkpoint: target is at batch {target}, finished is batch {done}")]
    TargetBehind {
        /// The newest batch of the target.
        target: BatchId,
        /// The newest batch that is done.
        done: BatchId,
    },
    /// The target holds nothing although batches went to it.
    #[error("the target holds nothing, but the checkpoint has finished batch {done}")]
    TargetForgot {
        /// The newest batch that is done.
        done: BatchId,
    },
    /// A batch is noted as done whose plan is missing.
    #[error("batch {batch} is in commits, but the newest entry of offsets is {}", or_none(planned))]
    DoneWithoutPlan {
        /// The batch.
        batch: BatchId,
        /// Our newest plan.
        planned: Option<BatchId>,
    },
    /// An open batch was planned with another model.
    #[error("batch {batch} was planned with another model: planned {planned}, present {present}")]
    ModelChanged {
        /// The batch.
        batch: BatchId,
        /// The model that it was planned with.
        planned: ModelId,
        /// The model that we have.
        present: ModelId,
    },
    /// The checkpoint was written for another source or sink.
    #[error("the checkpoint belongs to another {end}: {planned}")]
    OtherQuery {
        /// `source` or `sink`.
        end: &'static str,
        /// The one it was written for.
        planned: String,
        /// The one of this job.
        present: String,
    },
}

fn or_none(id: &Option<BatchId>) -> String {
    id.map_or_else(|| "absent".to_owned(), |id| id.to_string())
}

impl Explain for PlanError {
    fn fault(&self) -> Fault {
        Fault::Job
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            PlanError::TargetAhead { .. } => {
                "somebody else writes to this target, or the checkpointLocation is not the one that it was written with"
            }
            PlanError::TargetBehind { .. } | PlanError::TargetForgot { .. } => {
                "rows that were finished are not in this target; put it back, or start with a new checkpoint and an empty target"
            }
            PlanError::DoneWithoutPlan { .. } => {
                "the newest file of offsets was lost; restore it from a copy, or start with a new checkpoint and an empty target"
            }
            PlanError::ModelChanged { .. } => {
                "put the planned model back until this batch is finished; the next batch takes the new one"
            }
            PlanError::OtherQuery { present, .. } => {
                return Some(format!("this job has {present}; give it a checkpointLocation of its own"));
            }
        };
        Some(hint.to_owned())
    }
}
