//! Why a query ended before its time.

use ognivo_data::fault::{Explain, Fault, Retry};

use crate::checkpoint::CheckpointError;
use crate::kill_point::Killed;
use crate::output_shape::ShapeError;
use crate::plan::{BatchId, PlanError};
use crate::score::ScoreError;
use crate::sink::SinkError;
use crate::source::SourceError;

/// A query failed. Whatever the reason, a restart loses and repeats nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The source failed.
    #[error("source: {0}")]
    Source(#[source] SourceError),
    /// The sink failed.
    #[error("sink: {0}")]
    Sink(#[source] SinkError),
    /// The checkpoint failed.
    #[error("checkpoint: {0}")]
    Checkpoint(#[source] CheckpointError),
    /// The checkpoint, the target and the model contradict each other.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The pipeline failed as such.
    #[error("batch {batch}: {cause}")]
    Score {
        /// The batch.
        batch: BatchId,
        /// The stage's own error.
        #[source]
        cause: ScoreError,
    },
    /// The job's `select` or `batchTimeColumn` does not fit the scored rows.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A sink behind plans that are written ahead needs a checkpoint.
    #[error("the sink needs a checkpoint: {sink}")]
    NoCheckpoint {
        /// What the sink calls itself.
        sink: String,
    },
    /// A bad row met the policy `fail`.
    #[error("batch {batch}: {position}: {}{message}", by_stage(stage.as_deref()))]
    BadRow {
        /// The batch.
        batch: BatchId,
        /// Where the record stands.
        position: String,
        /// Uid of the stage that rejected it; None when it could not be decoded.
        stage: Option<String>,
        /// A word that programs can match.
        code: String,
        /// A sentence.
        message: String,
    },
    /// The share of bad rows is above the limit; the batch was not committed.
    #[error("batch {batch}: share of bad rows is above {limit}: {bad} of {read}")]
    TooManyBadRows {
        /// The batch.
        batch: BatchId,
        /// Bad rows.
        bad: u64,
        /// Rows read.
        read: u64,
        /// The job's `maxBadFraction`.
        limit: f64,
    },
    /// Trying again did not help within the deadline.
    #[error("gave up after {attempts} attempts: {cause}")]
    GaveUp {
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        #[source]
        cause: Box<QueryError>,
    },
    /// The program is shutting down its threads. What was open is as after a kill.
    #[error("the threads that score were shut down")]
    ShutDown,
    /// A test stopped the process.
    #[error(transparent)]
    Killed(Killed),
}

fn by_stage(stage: Option<&str>) -> String {
    stage.map_or_else(String::new, |stage| format!("stage `{stage}`: "))
}

impl QueryError {
    /// Whether a test stopped the process, so that nothing may be tidied.
    pub fn is_killed(&self) -> bool {
        matches!(self, QueryError::Killed(_))
    }
}

impl From<Killed> for QueryError {
    fn from(killed: Killed) -> QueryError {
        QueryError::Killed(killed)
    }
}

impl From<SourceError> for QueryError {
    fn from(error: SourceError) -> QueryError {
        match error.killed() {
            Some(killed) => QueryError::Killed(killed.clone()),
            None => QueryError::Source(error),
        }
    }
}

impl From<SinkError> for QueryError {
    fn from(error: SinkError) -> QueryError {
        match error.killed() {
            Some(killed) => QueryError::Killed(killed.clone()),
            None => QueryError::Sink(error),
        }
    }
}

impl From<CheckpointError> for QueryError {
    fn from(error: CheckpointError) -> QueryError {
        match error {
            CheckpointError::Killed(killed) => QueryError::Killed(killed),
            error => QueryError::Checkpoint(error),
        }
    }
}

impl Explain for QueryError {
    fn fault(&self) -> Fault {
        match self {
            QueryError::Source(error) => error.fault(),
            QueryError::Sink(error) => error.fault(),
            QueryError::Checkpoint(error) => error.fault(),
            QueryError::Plan(error) => error.fault(),
            QueryError::Score { cause, .. } => cause.fault(),
            QueryError::Shape(error) => error.fault(),
            QueryError::NoCheckpoint { .. } => Fault::Job,
            QueryError::BadRow { .. } | QueryError::TooManyBadRows { .. } => Fault::Data,
            QueryError::GaveUp { cause, .. } => cause.fault(),
            QueryError::ShutDown => Fault::Remote,
            QueryError::Killed(killed) => killed.fault(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            QueryError::Source(error) => error.retry(),
            QueryError::Sink(error) => error.retry(),
            QueryError::Checkpoint(error) => error.retry(),
            _ => Retry::Never,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            QueryError::Source(error) => error.hint(),
            QueryError::Sink(error) => error.hint(),
            QueryError::Checkpoint(error) => error.hint(),
            QueryError::Plan(error) => error.hint(),
            QueryError::Score { cause, .. } => cause.hint(),
            QueryError::Shape(error) => error.hint(),
            QueryError::NoCheckpoint { .. } => Some("give the job a checkpointLocation".to_owned()),
            QueryError::BadRow { stage: None, .. } => {
                Some("`errors: {malformed: deadLetter}` with a deadLetter target keeps such records apart".to_owned())
            }
            QueryError::BadRow { stage: Some(_), .. } => {
                Some("`errors: {invalid: deadLetter}` with a deadLetter target keeps such rows apart".to_owned())
            }
            QueryError::TooManyBadRows { .. } => {
                Some("look at the input; nothing of this batch was written, a restart tries it again".to_owned())
            }
            QueryError::GaveUp { cause, .. } => cause.hint(),
            QueryError::ShutDown | QueryError::Killed(_) => None,
        }
    }
}
