//! What is shown of a stream to people: the page at `/`, and `ognivo top`, which asks for it as JSON at `/status`.

use chrono::{DateTime, SecondsFormat};
use ognivo_stream::lag::Lag;
use ognivo_stream::progress::Progress;
use serde::{Deserialize, Serialize};

use super::observed::{Observed, Phase};

/// Batches that are shown.
const MAX_BATCHES: usize = 10;

/// Partitions whose lag is shown, those furthest behind.
const MAX_PARTITIONS: usize = 12;

/// A stream at one moment. Times are ISO 8601 in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    /// The job's name.
    pub(crate) name: String,
    /// Version of the program.
    pub(crate) version: String,
    /// Where it is in its life.
    pub(crate) state: State,
    /// What it waits for.
    pub(crate) reason: Option<String>,
    /// When the process started.
    pub(crate) started: String,
    /// When this was told.
    pub(crate) now: String,
    /// How long the process runs.
    pub(crate) uptime_ms: u64,
    /// What runs; None until source and sink are ready.
    pub(crate) query: Option<QueryStatus>,
    /// Rows of committed batches.
    pub(crate) rows: RowCounts,
    /// Rows read a second.
    pub(crate) rates: RateStatus,
    /// Batches.
    pub(crate) batches: BatchCounts,
    /// Time since the last commit of this process.
    pub(crate) checkpoint_age_ms: Option<u64>,
    /// The batch that is being worked on.
    pub(crate) open_batch: Option<OpenBatch>,
    /// What the source has and no batch has taken; None when it does not know.
    pub(crate) lag: Option<LagStatus>,
    /// From the records' time to the commit of the newest batch; None when the source knows no times.
    pub(crate) latency_ms: Option<LatencyStatus>,
    /// Why rows became dead letters.
    pub(crate) dead_letters: Vec<DeadLetterStatus>,
    /// The newest batches, newest first.
    pub(crate) last_batches: Vec<BatchStatus>,
    /// The newest warnings, newest first.
    pub(crate) warnings: Vec<String>,
    /// Who looks at scored rows.
    pub(crate) n_taps: usize,
}

/// Where a stream is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    /// Source and sink are not ready yet.
    Starting,
    /// Batches succeed, or there is nothing to do.
    Running,
    /// Something failed that may pass.
    Waiting,
    /// It was asked to end.
    Stopping,
}

impl State {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Running => "running",
            State::Waiting => "waiting",
            State::Stopping => "stopping",
        }
    }
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it, as in a progress")]
pub(crate) struct QueryStatus {
    pub(crate) id: String,
    pub(crate) run_id: String,
    pub(crate) source: String,
    pub(crate) sink: String,
    pub(crate) model: String,
}

/// `read = written + skipped + dead letters`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names say it, as in a progress")]
pub(crate) struct RowCounts {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) skipped: u64,
    pub(crate) dead_letters: u64,
}

/// Rows read a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RateStatus {
    /// Over the last ten seconds.
    pub(crate) ten_seconds: f64,
    /// Over the last minute.
    pub(crate) minute: f64,
    /// Each second of the last minute, oldest first.
    pub(crate) by_second: Vec<u64>,
}

/// Counts since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchCounts {
    /// Batches that were committed.
    pub(crate) committed: u64,
    /// Of these, those that an earlier attempt had planned.
    pub(crate) replayed: u64,
    /// Attempts that were given up.
    pub(crate) aborted: u64,
    /// Failures that were met with another attempt.
    pub(crate) failures: u64,
}

/// A batch that is being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenBatch {
    /// Its number.
    pub(crate) batch_id: u64,
    /// For how long.
    pub(crate) since_ms: u64,
}

/// What no batch has taken yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LagStatus {
    /// `records` or `files`.
    pub(crate) unit: String,
    /// All of them.
    pub(crate) total: u64,
    /// Number of partitions; 0 for files.
    pub(crate) n_partitions: usize,
    /// The partitions that are furthest behind, with what they have.
    pub(crate) partitions: Vec<(String, u64)>,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it, as in a progress")]
pub(crate) struct LatencyStatus {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

/// Rows that became dead letters for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeadLetterStatus {
    /// Uid of the stage; None when no stage rejected them.
    pub(crate) stage: Option<String>,
    /// A word.
    pub(crate) code: String,
    /// How many.
    pub(crate) rows: u64,
}

/// A committed batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchStatus {
    /// Its number.
    pub(crate) batch_id: u64,
    /// When its trigger started.
    pub(crate) timestamp: String,
    /// Its rows.
    #[serde(flatten)]
    pub(crate) rows: RowCounts,
    /// How long it took.
    pub(crate) duration_ms: u64,
    /// Whether an earlier attempt had planned it.
    pub(crate) replayed: bool,
}

impl Status {
    /// What is known at this moment.
    pub(super) fn of(observed: &Observed, n_taps: usize, now_ms: i64) -> Status {
        let since = |ms: i64| (now_ms - ms).max(0) as u64;
        let newest = observed.recent.back();
        let latency = newest.and_then(|progress| progress.observed_metrics.latency_ms);
        let mean = |n_seconds| observed.rates.mean(n_seconds, observed.started_ms, now_ms);
        Status {
            name: observed.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: observed.phase.state(),
            reason: matches!(observed.phase, Phase::Waiting { .. }).then(|| observed.phase.words()),
            started: iso(observed.started_ms),
            now: iso(now_ms),
            uptime_ms: since(observed.started_ms),
            query: observed.query.as_ref().map(|query| QueryStatus {
                id: query.id.clone(),
                run_id: query.run_id.clone(),
                source: query.source.clone(),
                sink: query.sink.clone(),
                model: query.model.clone(),
            }),
            rows: RowCounts::of(&observed.rows),
            rates: RateStatus { ten_seconds: mean(10), minute: mean(60), by_second: observed.rates.by_second(now_ms) },
            batches: BatchCounts {
                committed: observed.n_commits,
                replayed: observed.n_replayed,
                aborted: observed.n_aborts,
                failures: observed.n_failures,
            },
            checkpoint_age_ms: observed.committed_ms.map(since),
            open_batch: observed
                .open_batch
                .map(|(id, since_ms)| OpenBatch { batch_id: id.0, since_ms: since(since_ms) }),
            lag: LagStatus::of(&observed.lag),
            latency_ms: latency.map(|ms| LatencyStatus { p50: ms.p50, p99: ms.p99, max: ms.max }),
            dead_letters: dead_letters(observed),
            last_batches: observed.recent.iter().rev().take(MAX_BATCHES).map(BatchStatus::of).collect(),
            warnings: observed.warnings.iter().rev().cloned().collect(),
            n_taps,
        }
    }
}

impl Phase {
    fn state(&self) -> State {
        match self {
            Phase::Starting => State::Starting,
            Phase::Running => State::Running,
            Phase::Waiting { .. } => State::Waiting,
            Phase::Stopping => State::Stopping,
        }
    }

    /// What a person or a supervisor is told.
    pub(super) fn words(&self) -> String {
        match self {
            Phase::Starting => "starting: source and sink are being opened".to_owned(),
            Phase::Running => "running".to_owned(),
            Phase::Waiting { reason, n_failures, pause, since_ms } => {
                let pause_ms = pause.as_millis();
                format!("waiting {pause_ms} ms after failure {n_failures}, failing since {}: {reason}", iso(*since_ms))
            }
            Phase::Stopping => "stopping: the open batch is being finished".to_owned(),
        }
    }
}

impl RowCounts {
    fn of(rows: &ognivo_stream::tally::Tally) -> RowCounts {
        RowCounts { read: rows.read, written: rows.written, skipped: rows.skipped, dead_letters: rows.dead_letters }
    }
}

impl LagStatus {
    fn of(lag: &Lag) -> Option<LagStatus> {
        match lag {
            Lag::Unknown => None,
            Lag::Files(n) => {
                Some(LagStatus { unit: "files".to_owned(), total: *n, n_partitions: 0, partitions: Vec::new() })
            }
            Lag::Records(by_partition) => {
                let mut partitions: Vec<(String, u64)> =
                    by_partition.iter().map(|(partition, n)| (partition.0.clone(), *n)).collect();
                // The sort is stable: those that are equally far behind stay in the order of their names.
                partitions.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
                partitions.truncate(MAX_PARTITIONS);
                let total = by_partition.values().sum();
                Some(LagStatus { unit: "records".to_owned(), total, n_partitions: by_partition.len(), partitions })
            }
        }
    }
}

fn dead_letters(observed: &Observed) -> Vec<DeadLetterStatus> {
    let mut letters: Vec<DeadLetterStatus> = observed
        .reasons
        .counted()
        .into_iter()
        .map(|counted| DeadLetterStatus { stage: counted.reason.stage, code: counted.reason.code, rows: counted.rows })
        .collect();
    letters.sort_by_key(|letter| std::cmp::Reverse(letter.rows));
    letters
}

impl BatchStatus {
    fn of(progress: &Progress) -> BatchStatus {
        BatchStatus {
            batch_id: progress.batch_id,
            timestamp: progress.timestamp.clone(),
            rows: RowCounts::of(&progress.observed_metrics.rows),
            duration_ms: progress.batch_duration,
            replayed: progress.observed_metrics.batch.replayed,
        }
    }
}

fn iso(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `3 d 4 h`, `2 min 5 s`, `1.2 s`, `38 ms`.
pub(crate) fn duration_words(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600, seconds / 60);
    match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min {} s", seconds % 60),
        () if seconds >= 10 => format!("{seconds} s"),
        () if seconds > 0 => format!("{}.{} s", seconds, ms % 1000 / 100),
        () => format!("{ms} ms"),
    }
}

/// A rate in few digits: `1,234`, `12.3`, `0`.
pub(crate) fn rate_words(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 => "0".to_owned(),
        rate if rate < 100.0 => format!("{rate:.1}"),
        rate => crate::print::thousands(rate.round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let words = [0, 38, 1_250, 12_345, 125_000, 3_725_000, 273_600_000].map(duration_words);
        assert_eq!(words, ["0 ms", "38 ms", "1.2 s", "12 s", "2 min 5 s", "1 h 2 min", "3 d 4 h"]);
    }

    #[test]
    fn rates_have_few_digits() {
        assert_eq!([0.0, 0.25, 12.34, 1234.4].map(rate_words), ["0", "0.2", "12.3", "1,234"]);
    }

    #[test]
    fn the_partitions_that_are_furthest_behind_are_shown() {
        use ognivo_stream::offset::SourcePartition;
        let partitions = (0..40).map(|i| (SourcePartition(format!("t-{i:02}")), i % 7));
        let status = LagStatus::of(&Lag::Records(partitions.collect())).unwrap();
        assert_eq!((status.n_partitions, status.total, status.partitions.len()), (40, 115, MAX_PARTITIONS));
        assert_eq!(status.partitions[0], ("t-06".to_owned(), 6));
        assert_eq!(status.partitions[5], ("t-05".to_owned(), 5));
    }
}
