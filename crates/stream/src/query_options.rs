//! What a query is made of, how it runs, and what it tells.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;

use crate::checkpoint::Checkpoint;
use crate::clock::{Clock, SystemClock};
use crate::lag::Lag;
use crate::output_shape::BatchTimeColumn;
use crate::plan::{BatchId, ModelId};
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
    pub observer: Observer,
}

/// Who is told what happens. The query waits for it, so it must be quick.
pub type Observer = Arc<dyn Fn(&QueryEvent<'_>) + Send + Sync>;

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
    /// Source and sink are ready for the first batch.
    Prepared {
        /// The query, over all restarts.
        id: &'a str,
        /// This run of it.
        run_id: &'a str,
        /// What the source calls itself.
        source: &'a str,
        /// What the sink calls itself.
        sink: &'a str,
        /// What rows are scored with.
        model: &'a ModelId,
    },
    /// A batch begins, or begins anew after it was given up.
    Started(BatchId),
    /// Rows of the open batch were scored and are about to be handed to the sink. They are not committed yet.
    Scored(&'a RecordBatch),
    /// The open batch was given up. It comes again, unless the query ends.
    Aborted(BatchId),
    /// A batch is done.
    Progress(&'a Progress),
    /// There is nothing to do for now.
    Resting {
        /// How far behind the source is known to be; None when it was not asked this time.
        lag: Option<&'a Lag>,
    },
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
