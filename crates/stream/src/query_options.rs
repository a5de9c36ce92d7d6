//! What a query is made of, how it runs, and what it tells.

use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::Checkpoint;
use crate::clock::{Clock, SystemClock};
use crate::output_shape::BatchTimeColumn;
use crate::plan::BatchId;
use crate::progress::Progress;
use crate::query_error::QueryError;
use crate::retry::RETRY_DEADLINE;
use crate::score::Scorer;
use crate::sink::Sink;
use crate::source::Source;
use crate::tally::{BadRowPolicy, Tally};
use crate::trigger::Trigger;

/// What a query is made of.
pub struct QueryParts {
    /// Where rows come from.
    pub source: Box<dyn Source>,
    /// What scores them.
    pub scorer: Arc<dyn Scorer>,
    /// Where they go.
    pub sink: Box<dyn Sink>,
    /// Where progress is remembered. A sink that holds the progress itself does without.
    pub checkpoint: Option<Checkpoint>,
}

/// How a query runs.
#[derive(Clone)]
pub struct QueryOptions {
    /// The job's name, for progress reports.
    pub name: Option<String>,
    /// When batches start.
    pub trigger: Trigger,
    /// What becomes of bad rows.
    pub bad_rows: BadRowPolicy,
    /// The column with the batch's time.
    pub batch_time: Option<BatchTimeColumn>,
    /// The columns that are written; None writes all.
    pub select: Option<Vec<String>>,
    /// Blocks that are scored at the same time.
    pub n_blocks_in_flight: usize,
    /// How long failures that may pass are met with patience.
    pub retry_deadline: Duration,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happens.
    pub observer: Arc<dyn Fn(&QueryEvent<'_>) + Send + Sync>,
}

impl Default for QueryOptions {
    /// Rows as they arrive, every bad row stops the job, all columns are written, two blocks at a time.
    fn default() -> QueryOptions {
        QueryOptions {
            name: None,
            trigger: Trigger::default(),
            bad_rows: BadRowPolicy::default(),
            batch_time: None,
            select: None,
            n_blocks_in_flight: 2,
            retry_deadline: RETRY_DEADLINE,
            clock: Arc::new(SystemClock),
            observer: Arc::new(|_| {}),
        }
    }
}

/// What an observer is told.
#[derive(Debug)]
#[non_exhaustive]
pub enum QueryEvent<'a> {
    /// A batch is done.
    Progress(&'a Progress),
    /// An earlier process had committed this batch and died before it could say so.
    FoundDone(BatchId),
    /// A failure may pass; it is tried again after the pause.
    Retrying {
        /// The failure.
        error: &'a QueryError,
        /// Failures in a row, this one included.
        n_failures: u32,
        /// The pause before the next attempt.
        pause: Duration,
    },
    /// The source goes on, and a person should know of this.
    Warning(&'a str),
    /// The query was asked to end.
    Stopping,
}

/// What a query did from its start to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// The query, over all restarts.
    pub id: String,
    /// This run of it.
    pub run_id: String,
    /// Batches that were run.
    pub n_batches: u64,
    /// Rows of those batches.
    pub rows: Tally,
    /// Whether it ended because it was asked to.
    pub stopped: bool,
}
