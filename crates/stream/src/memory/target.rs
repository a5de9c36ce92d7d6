//! Targets of every kind that the driver knows.

use std::sync::{Arc, Mutex, MutexGuard};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use ognivo_data::fault::{Explain, Fault};

use super::MemoryFaults;
use crate::kill_point::{self, KillPoint};
use crate::offset::{Positions, SourcePartition};
use crate::plan::{BatchId, BatchPlan};
use crate::sink::{BatchWriter, Committed, Delivery, Lane, RefusedRow, Sink, SinkError, Written};

/// What a target can remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// The newest batch, as a folder with a log does.
    Counting,
    /// The positions after the newest batch, in one transaction with its rows, as Kafka does.
    Positions,
    /// Nothing; a row that comes again takes the place of the first, as in a table with a key.
    Upserting,
}

/// A target in memory, shared by the sinks of one query's lives.
#[derive(Debug, Clone)]
pub struct MemoryTarget(Arc<Mutex<State>>, TargetKind);

#[derive(Debug, Default)]
struct State {
    scored: Vec<String>,
    dead_letters: Vec<String>,
    newest: Option<BatchId>,
    positions: Positions,
    refused: Vec<i64>,
}

impl MemoryTarget {
    /// An empty target.
    pub fn new(kind: TargetKind) -> MemoryTarget {
        MemoryTarget(Arc::default(), kind)
    }

    /// From now on it does not take scored rows of this id.
    pub fn refuse(&self, id: i64) {
        self.state().refused.push(id);
    }

    /// What a reader sees in this lane, row by row: ids of scored rows, payloads of dead letters.
    pub fn visible(&self, lane: Lane) -> Vec<String> {
        let state = self.state();
        match lane {
            Lane::Scored => state.scored.clone(),
            Lane::DeadLetter => state.dead_letters.clone(),
        }
    }

    /// What it answers when it is asked how far it is.
    pub fn committed(&self, partitions: &[SourcePartition]) -> Committed {
        let state = self.state();
        match self.1 {
            TargetKind::Upserting => Committed::Unknown,
            TargetKind::Counting => state.newest.map_or(Committed::Nothing, Committed::Batch),
            TargetKind::Positions => {
                let ours = state.positions.0.iter().filter(|(partition, _)| partitions.contains(partition));
                Committed::Offsets(Positions(ours.map(|(partition, at)| (partition.clone(), at.clone())).collect()))
            }
        }
    }

    fn holds(&self, plan: &BatchPlan) -> bool {
        let state = self.state();
        match self.1 {
            TargetKind::Upserting => false,
            TargetKind::Counting => state.newest >= Some(plan.id),
            TargetKind::Positions => plan.positions.0.iter().all(|(part, at)| state.positions.0.get(part) == Some(at)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding this lock")
    }
}

impl State {
    fn lane(&mut self, lane: Lane) -> &mut Vec<String> {
        match lane {
            Lane::Scored => &mut self.scored,
            Lane::DeadLetter => &mut self.dead_letters,
        }
    }
}

/// A sink into a [`MemoryTarget`].
#[derive(Debug)]
pub struct MemorySink {
    target: MemoryTarget,
    faults: MemoryFaults,
}

impl MemorySink {
    /// A sink into `target`.
    pub fn new(target: MemoryTarget, faults: MemoryFaults) -> MemorySink {
        MemorySink { target, faults }
    }

    fn call(&self, call: &str) -> Result<(), SinkError> {
        self.faults.call(call).map_err(SinkError::new)
    }
}

#[async_trait]
impl Sink for MemorySink {
    fn description(&self) -> String {
        "MemorySink".to_owned()
    }

    fn delivery(&self) -> Delivery {
        let condition = "until the process ends".to_owned();
        Delivery::ExactlyOnce { condition }
    }

    async fn prepare(&mut self, _scored: &SchemaRef) -> Result<(), SinkError> {
        self.call("sink.prepare")
    }

    async fn last_committed(&mut self, partitions: &[SourcePartition]) -> Result<Committed, SinkError> {
        self.call("sink.last_committed")?;
        Ok(self.target.committed(partitions))
    }

    async fn begin(&mut self, plan: &BatchPlan) -> Result<Box<dyn BatchWriter>, SinkError> {
        self.call("sink.begin")?;
        if self.target.holds(plan) {
            return Err(SinkError::new(HeldAlready { batch: plan.id }));
        }
        let (target, faults) = (self.target.clone(), self.faults.clone());
        Ok(Box::new(MemoryWriter { target, faults, plan: plan.clone(), staged: Vec::new(), refused: Vec::new() }))
    }
}

/// The batch is in the target already.
#[derive(Debug, thiserror::Error)]
#[error("the target holds this batch already: {batch}")]
struct HeldAlready {
    batch: BatchId,
}

impl Explain for HeldAlready {
    fn fault(&self) -> Fault {
        Fault::Bug
    }
}

struct MemoryWriter {
    target: MemoryTarget,
    faults: MemoryFaults,
    plan: BatchPlan,
    staged: Vec<(Lane, String)>,
    refused: Vec<RefusedRow>,
}

impl MemoryWriter {
    /// Rows appear one after the other; a crash leaves some, and the replay puts each in its own place again.
    fn upsert(self) -> Result<(), SinkError> {
        for (lane, row) in self.staged {
            let mut state = self.target.state();
            let rows = state.lane(lane);
            if !rows.contains(&row) {
                rows.push(row);
            }
            drop(state);
            kill_point::pass(KillPoint::SinkPartVisible)?;
        }
        Ok(())
    }

    /// Rows and progress appear together.
    fn transact(self) {
        let mut state = self.target.state();
        for (lane, row) in self.staged {
            state.lane(lane).push(row);
        }
        state.newest = Some(self.plan.id);
        state.positions.0.extend(self.plan.positions.0);
    }
}

#[async_trait]
impl BatchWriter for MemoryWriter {
    async fn write(&mut self, lane: Lane, rows: RecordBatch) -> Result<(), SinkError> {
        self.faults.call("sink.write").map_err(SinkError::new)?;
        let names = rows.column(0);
        match names.as_primitive_opt::<Int64Type>() {
            Some(ids) => {
                let unwanted = self.target.state().refused.clone();
                for (row_idx, id) in ids.values().iter().enumerate() {
                    if unwanted.contains(id) {
                        let message = format!("the target does not take: {id}");
                        self.refused.push(RefusedRow { row_idx, column: Some("id".to_owned()), message });
                    } else {
                        self.staged.push((lane, id.to_string()));
                    }
                }
            }
            None => {
                let payloads = names.as_string::<i32>();
                self.staged.extend(payloads.iter().flatten().map(|payload| (lane, payload.to_owned())));
            }
        }
        Ok(())
    }

    fn take_refused(&mut self) -> Vec<RefusedRow> {
        std::mem::take(&mut self.refused)
    }

    async fn commit(self: Box<Self>) -> Result<Written, SinkError> {
        let faults = self.faults.clone();
        faults.call("sink.commit").map_err(SinkError::new)?;
        kill_point::pass(KillPoint::SinkStaged)?;
        let count = |lane| self.staged.iter().filter(|(its, _)| *its == lane).count();
        let written =
            Written { n_scored: count(Lane::Scored), n_dead_letters: count(Lane::DeadLetter), shown_ms: None };
        match self.target.1 {
            TargetKind::Upserting => self.upsert()?,
            TargetKind::Counting | TargetKind::Positions => self.transact(),
        }
        kill_point::pass(KillPoint::SinkLogged)?;
        faults.call("sink.commit answered").map_err(SinkError::new)?;
        Ok(written)
    }

    async fn abort(self: Box<Self>) {}
}
