//! Where scored rows and dead letters go.
//!
//! The driver calls a sink in this order:
//!
//! 1. [`prepare`](Sink::prepare) with the columns that will come, before a row is read.
//! 2. [`last_committed`](Sink::last_committed), at every start and after every error: the target itself is asked.
//! 3. Per batch: [`begin`](Sink::begin); then [`write`](BatchWriter::write) any number of times; then
//!    [`stage`](BatchWriter::stage); then [`commit`](BatchWriter::commit), or [`abort`](BatchWriter::abort) when the batch must not happen.
//! 4. After an error of anybody, [`reset`](Sink::reset), then 2.
//!
//! A sink that lets batches go [`ahead`](Sink::ahead) is asked for the next batch while commits are under way.
//!
//! A writer that is dropped without `commit` or `abort` is a process that died: nothing of it may become visible, and
//! what it left lying about is cleaned up by a later `begin` or `prepare`.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;

use crate::connector_error::connector_error;
use crate::offset::{Positions, SourcePartition};
use crate::plan::{BatchId, BatchPlan};

/// A target of batches. Each batch becomes visible as a whole, at most once. See the [module](self) for the order of calls.
#[async_trait]
pub trait Sink: Send {
    /// What progress reports call this sink, such as `FileSink[file:///data/output]`.
    fn description(&self) -> String;

    /// What must be equal for a checkpoint to belong to this sink; by default its description.
    fn identity(&self) -> String {
        self.description()
    }

    /// What this target can promise, and on what condition.
    fn delivery(&self) -> Delivery;

    /// Whether nothing of a batch shows before its [`commit`](BatchWriter::commit), nor changes what the target holds: then rows are
    /// handed over while the plan of the batch is still being written, and only the commit waits for it.
    fn hides_until_commit(&self) -> bool {
        false
    }

    /// What may be done for the next batch while batches are on their way through their [`commit`](BatchWriter::commit); by default
    /// nothing.
    ///
    /// Only for a target that holds the progress itself. Commits return, and progress is stored, in the order in which the batches
    /// were begun. When one of them fails or is given up, all behind it fail.
    fn ahead(&self) -> Ahead {
        Ahead::Nothing
    }

    /// Checks that rows of this schema can be written, and makes the target ready for the first batch.
    ///
    /// # Errors
    /// [`Fault::Job`](ognivo_data::fault::Fault::Job) for a column that the target cannot hold, naming it.
    async fn prepare(&mut self, scored: &SchemaRef) -> Result<(), SinkError>;

    /// How far the target itself says that it is.
    ///
    /// `partitions` are the source partitions that are ours; a target that holds positions answers for those, one that
    /// counts batches ignores them.
    async fn last_committed(&mut self, partitions: &[SourcePartition]) -> Result<Committed, SinkError>;

    /// Opens the batch of this plan. What an earlier attempt at the same batch left behind does not show in it.
    ///
    /// # Errors
    /// For a batch that the target already holds: it is never added again.
    async fn begin(&mut self, plan: &BatchPlan) -> Result<Box<dyn BatchWriter>, SinkError>;

    /// Makes the client anew and forgets what is cached; called after an error, also after one of the source.
    async fn reset(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// One open batch.
#[async_trait]
pub trait BatchWriter: Send {
    /// Takes rows of one lane. The order of the calls is the order of the rows.
    async fn write(&mut self, lane: Lane, rows: RecordBatch) -> Result<(), SinkError>;

    /// The rows of the last [`write`](BatchWriter::write) that the target does not take for what is in them, in ascending order;
    /// each is told once, and none of them counts as [`Written`].
    ///
    /// Asked after every write of scored rows: the driver makes dead letters of them, or what else the job says of invalid rows.
    /// A dead letter that is refused is an error, since there is no other place for it. For a target that takes every row of
    /// the schema that it was told, which is the rule, there is nothing to do.
    fn take_refused(&mut self) -> Vec<RefusedRow> {
        Vec::new()
    }

    /// Does what can be done of the commit without showing anything; no more rows come. Called once, perhaps while the plan of the
    /// batch is still being written, and left out by a caller in whose hands nothing runs beside it: then
    /// [`commit`](BatchWriter::commit) does that too. By default nothing.
    async fn stage(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Makes the batch durable and visible, both lanes together. When this returns, neither a kill nor a power cut undoes it.
    ///
    /// After an error the batch may be visible or not; [`Sink::last_committed`] tells which.
    async fn commit(self: Box<Self>) -> Result<Written, SinkError>;

    /// Gives the batch up; nothing of it stays. Called only when `commit` was not.
    async fn abort(self: Box<Self>);
}

/// A row that a target does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its position among the rows of the write.
    pub row_idx: usize,
    /// The column whose value was refused, where that is known.
    pub column: Option<String>,
    /// What the target says, as a sentence.
    pub message: String,
}

/// Which of a batch's two kinds of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Rows that were scored, in the schema that [`Sink::prepare`] was told.
    Scored,
    /// Dead letters, in [`dead_letter::schema`](crate::dead_letter::schema).
    DeadLetter,
}

/// What became visible with a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows of the scored lane.
    pub n_scored: usize,
    /// Rows of the dead letter lane.
    pub n_dead_letters: usize,
    /// When readers had all of them, in milliseconds since 1970, where that was before the commit came back.
    pub shown_ms: Option<i64>,
}

/// How far a target says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It remembers none, so what it holds cannot be told. A batch that comes again must end as if it had come once.
    Unknown,
    /// It remembers batches and holds none. Refused when some were finished: then it is not the target that they went to.
    Nothing,
    /// The newest batch that it holds: targets behind a plan that is written ahead.
    Batch(BatchId),
    /// The position after the newest batch, per source partition: targets that hold the progress themselves, stored in
    /// the same transaction as the rows. Empty when it holds none yet.
    Offsets(Positions),
}

/// What is done for a batch before the commits of those before it have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// Nothing: it begins after them.
    Nothing,
    /// All but its commit, while so many are on their way. Its rows may show before those of the batches before are durable, so
    /// this is for [`Delivery::AtLeastOnce`].
    Sent {
        /// The most that may be on their way.
        n_batches: usize,
    },
    /// It is read and scored beside the one before; the writer keeps its rows back until that one is committed.
    Scored,
}

/// What a target can promise about each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Every row once, also over kills and restarts.
    ExactlyOnce {
        /// On what condition, as a sentence for the contract's table.
        condition: String,
    },
    /// Every row at least once; after a kill some twice.
    AtLeastOnce {
        /// When rows come twice, as a sentence.
        condition: String,
    },
}

connector_error! {
    /// A sink could not do what it was asked; it carries the connector's own error.
    SinkError
}
