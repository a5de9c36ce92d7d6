//! What happened to a stream so far, as far as the pages show it.

use std::collections::VecDeque;
use std::time::Duration;

use ognivo_data::fault::causes;
use ognivo_stream::histogram::Histogram;
use ognivo_stream::lag::Lag;
use ognivo_stream::plan::BatchId;
use ognivo_stream::progress::Progress;
use ognivo_stream::query::QueryEvent;
use ognivo_stream::query_error::QueryError;
use ognivo_stream::reasons::Reasons;
use ognivo_stream::tally::Tally;

use super::rates::Rates;

/// Progress of so many batches is kept, as in Spark (`spark.sql.streaming.numRecentProgressUpdates`).
pub(crate) const MAX_RECENT: usize = 100;

/// Warnings that are kept.
const MAX_WARNINGS: usize = 10;

/// Everything that is remembered of a stream. Time is passed in, in milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) name: String,
    pub(crate) started_ms: i64,
    pub(crate) phase: Phase,
    pub(crate) query: Option<QueryIdentity>,
    /// The batch that is being worked on, and since when.
    pub(crate) open_batch: Option<(BatchId, i64)>,
    pub(crate) rows: Tally,
    /// Rows that came out of the model, those of batches that were given up included.
    pub(crate) n_scored: u64,
    pub(crate) reasons: Reasons,
    pub(crate) n_commits: u64,
    pub(crate) n_replayed: u64,
    pub(crate) n_aborts: u64,
    pub(crate) n_failures: u64,
    pub(crate) n_warnings: u64,
    pub(crate) batch_durations: Histogram,
    pub(crate) score_durations: Histogram,
    pub(crate) latencies: Histogram,
    pub(crate) lag: Lag,
    pub(crate) committed_ms: Option<i64>,
    /// Oldest first.
    pub(crate) recent: VecDeque<Progress>,
    /// Oldest first.
    pub(crate) warnings: VecDeque<String>,
    pub(crate) rates: Rates,
}

/// Where a stream is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Source and sink are not ready yet.
    Starting,
    /// Batches succeed, or there is nothing to do.
    Running,
    /// Something failed that may pass.
    Waiting {
        /// What, with its causes.
        reason: String,
        /// Failures in a row.
        n_failures: u32,
        /// The pause before the next attempt.
        pause: Duration,
        /// When it failed for the first time in a row.
        since_ms: i64,
    },
    /// It was asked to end.
    Stopping,
}

/// What runs.
#[derive(Debug, Clone)]
pub(crate) struct QueryIdentity {
    pub(crate) id: String,
    pub(crate) run_id: String,
    pub(crate) source: String,
    pub(crate) sink: String,
    pub(crate) model: String,
}

impl Observed {
    /// Nothing has happened yet.
    pub(crate) fn new(name: &str, now_ms: i64) -> Observed {
        Observed {
            name: name.to_owned(),
            started_ms: now_ms,
            phase: Phase::Starting,
            query: None,
            open_batch: None,
            rows: Tally::default(),
            n_scored: 0,
            reasons: Reasons::default(),
            n_commits: 0,
            n_replayed: 0,
            n_aborts: 0,
            n_failures: 0,
            n_warnings: 0,
            batch_durations: Histogram::default(),
            score_durations: Histogram::default(),
            latencies: Histogram::default(),
            lag: Lag::Unknown,
            committed_ms: None,
            recent: VecDeque::new(),
            warnings: VecDeque::new(),
            rates: Rates::default(),
        }
    }

    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: &QueryEvent<'_>, now_ms: i64) {
        match event {
            QueryEvent::Prepared { id, run_id, source, sink, model } => {
                self.query = Some(QueryIdentity {
                    id: (*id).to_owned(),
                    run_id: (*run_id).to_owned(),
                    source: (*source).to_owned(),
                    sink: (*sink).to_owned(),
                    model: model.0.clone(),
                });
                self.succeeded();
            }
            QueryEvent::Started(id) => self.open_batch = Some((*id, now_ms)),
            QueryEvent::Scored(rows) => self.n_scored += rows.num_rows() as u64,
            QueryEvent::Aborted(_) => {
                self.n_aborts += 1;
                self.open_batch = None;
            }
            QueryEvent::Progress(progress) => self.batch_done(progress, now_ms),
            QueryEvent::Resting { lag } => {
                if let Some(lag) = lag {
                    self.lag = (*lag).clone();
                }
                self.succeeded();
            }
            QueryEvent::FoundDone(_) => self.succeeded(),
            QueryEvent::Retrying { error, n_failures, pause } => self.failed(error, *n_failures, *pause, now_ms),
            QueryEvent::Warning(text) => {
                self.n_warnings += 1;
                keep(&mut self.warnings, (*text).to_owned(), MAX_WARNINGS);
            }
            QueryEvent::Stopping => self.phase = Phase::Stopping,
            _ => {}
        }
    }

    fn batch_done(&mut self, progress: &Progress, now_ms: i64) {
        let observed = &progress.observed_metrics;
        self.rows += observed.rows;
        for counted in &observed.dead_letters {
            self.reasons.add(counted.reason.clone(), counted.rows);
        }
        self.n_commits += 1;
        self.n_replayed += u64::from(observed.batch.replayed);
        self.batch_durations.add(Duration::from_millis(progress.batch_duration));
        self.score_durations += &progress.scoring;
        if let Some(latency) = &progress.latency {
            self.latencies += latency;
        }
        self.lag = observed.lag.clone();
        self.rates.add(observed.rows.read, now_ms);
        self.committed_ms = Some(now_ms);
        // The next may have begun.
        self.open_batch.take_if(|(id, _)| id.0 == progress.batch_id);
        keep(&mut self.recent, progress.clone(), MAX_RECENT);
        self.succeeded();
    }

    /// A stream that was asked to end stays so, whatever still succeeds.
    fn succeeded(&mut self) {
        if self.phase != Phase::Stopping && self.query.is_some() {
            self.phase = Phase::Running;
        }
    }

    fn failed(&mut self, error: &QueryError, n_failures: u32, pause: Duration, now_ms: i64) {
        self.n_failures += 1;
        self.open_batch = None;
        let since_ms = match &self.phase {
            Phase::Waiting { since_ms, .. } => *since_ms,
            _ => now_ms,
        };
        self.phase = Phase::Waiting { reason: with_causes(error), n_failures, pause, since_ms };
    }
}

/// An error and its causes in one line.
pub(crate) fn with_causes(error: &QueryError) -> String {
    let told = std::iter::once(error.to_string()).chain(causes(error));
    told.collect::<Vec<_>>().join(": ")
}

/// Appends, and forgets the oldest when there are more than `max`.
fn keep<T>(kept: &mut VecDeque<T>, new: T, max: usize) {
    if kept.len() == max {
        kept.pop_front();
    }
    kept.push_back(new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ognivo_stream::plan::ModelId;

    fn prepared() -> Observed {
        let mut observed = Observed::new("loans", 0);
        observed.note(&QueryEvent::Resting { lag: None }, 1);
        assert_eq!(observed.phase, Phase::Starting, "there is nothing to rest from");
        let model = ModelId("m".to_owned());
        let event = QueryEvent::Prepared { id: "q", run_id: "r", source: "in", sink: "out", model: &model };
        observed.note(&event, 2);
        observed
    }

    fn fail(observed: &mut Observed, n_failures: u32, now_ms: i64) {
        let (error, pause) = (QueryError::ShutDown, Duration::from_millis(100));
        observed.note(&QueryEvent::Retrying { error: &error, n_failures, pause }, now_ms);
    }

    #[test]
    fn it_waits_from_the_first_failure_until_something_succeeds() {
        let mut observed = prepared();
        assert_eq!(observed.phase, Phase::Running);
        fail(&mut observed, 1, 10);
        fail(&mut observed, 2, 20);
        assert!(matches!(observed.phase, Phase::Waiting { n_failures: 2, since_ms: 10, .. }), "{observed:?}");
        observed.note(&QueryEvent::Started(BatchId(3)), 30);
        assert!(matches!(observed.phase, Phase::Waiting { .. }), "a batch that begins has not succeeded");
        observed.note(&QueryEvent::FoundDone(BatchId(3)), 40);
        assert_eq!((&observed.phase, observed.n_failures), (&Phase::Running, 2));
        fail(&mut observed, 1, 50);
        assert!(matches!(observed.phase, Phase::Waiting { since_ms: 50, .. }), "{observed:?}");
    }

    #[test]
    fn a_stream_that_was_asked_to_end_is_not_ready_any_more() {
        let mut observed = prepared();
        observed.note(&QueryEvent::Stopping, 10);
        observed.note(&QueryEvent::Resting { lag: None }, 20);
        assert_eq!(observed.phase, Phase::Stopping);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut observed = prepared();
        for i in 0..1_000 {
            observed.note(&QueryEvent::Warning(&i.to_string()), i);
        }
        assert_eq!((observed.n_warnings, observed.warnings.len()), (1_000, MAX_WARNINGS));
        assert_eq!(observed.warnings.back().unwrap(), "999");
    }
}
