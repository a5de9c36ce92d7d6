//! What a query says of itself after each batch: one JSON with Spark's field names.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::dead_letter::iso_time;
use crate::histogram::Histogram;
use crate::lag::Lag;
use crate::latency::{Latency, LatencyMs};
use crate::offset::Offset;
use crate::plan::{BatchId, ModelId};
use crate::reasons::{CountedReason, Reasons};
use crate::tally::Tally;

/// The progress of one batch.
///
/// Same as Spark 4.3: names and order of the fields of `StreamingQueryProgress`, rates that are not finite are left out.
/// Ours is what stands under `observedMetrics`, where Spark puts metrics that a user defined:
///
/// ```text
/// "observedMetrics":{"rows":{"read":100,"written":97,"skipped":1,"deadLetters":2,"bad":3},
///                    "deadLetters":[{"stage":"strIdx_1","code":"unseen_label","rows":2}],
///                    "latencyMs":{"records":100,"p50":4,"p99":9,"max":11},
///                    "lag":{"records":{"loans-0":0}},
///                    "batch":{"model":"sha256:…","replayed":false}}
/// ```
/// `deadLetters` are left out when there is none, `latencyMs` and `lag` where the source does not know.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The query, over all restarts.
    pub id: String,
    /// The query since it was started.
    pub run_id: String,
    /// The job's name.
    pub name: Option<String>,
    /// When the trigger started, ISO 8601 in UTC with milliseconds.
    pub timestamp: String,
    /// The batch.
    pub batch_id: u64,
    /// How long the trigger took, in milliseconds.
    pub batch_duration: u64,
    /// Records that were read.
    pub num_input_rows: u64,
    /// Records per second since the trigger before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_rows_per_second: Option<f64>,
    /// Records per second of this trigger's own time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processed_rows_per_second: Option<f64>,
    /// Milliseconds of each part of the trigger, by Spark's names.
    pub duration_ms: DurationMs,
    /// Always empty: nothing here keeps state.
    pub state_operators: [(); 0],
    /// The source.
    pub sources: [SourceProgress; 1],
    /// The sink.
    pub sink: SinkProgress,
    /// What only we tell.
    pub observed_metrics: ObservedMetrics,
    /// How long each block of rows took to be scored.
    #[serde(skip)]
    pub scoring: Histogram,
    /// How long records took from their own time to the commit, in full; [`ObservedMetrics::latency_ms`] is this in short.
    #[serde(skip)]
    pub latency: Option<Histogram>,
}

/// Milliseconds of each part of a trigger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DurationMs(pub BTreeMap<&'static str, u64>);

/// The source's part in a progress.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceProgress {
    /// What the source calls itself.
    pub description: String,
    /// Where the batch started.
    pub start_offset: Option<Offset>,
    /// Where it ended.
    pub end_offset: Option<Offset>,
    /// Not known, as with Spark's file source.
    pub latest_offset: Option<Offset>,
    /// Records that were read.
    pub num_input_rows: u64,
    /// As in [`Progress`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_rows_per_second: Option<f64>,
    /// As in [`Progress`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processed_rows_per_second: Option<f64>,
    /// How far behind the source's newest record, in Spark's words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<&'static str, String>,
}

/// The sink's part in a progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkProgress {
    /// What the sink calls itself.
    pub description: String,
    /// Rows that were written.
    pub num_output_rows: u64,
}

/// What only we tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedMetrics {
    /// What became of the rows.
    pub rows: Tally,
    /// Why rows became dead letters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dead_letters: Vec<CountedReason>,
    /// How long records took from their own time to the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<LatencyMs>,
    /// What the source has and no batch has taken yet.
    #[serde(skip_serializing_if = "Lag::is_unknown")]
    pub lag: Lag,
    /// What the batch was.
    pub batch: BatchMetrics,
}

/// What a batch was, beside its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchMetrics {
    /// The model it was scored with.
    pub model: ModelId,
    /// Whether it had been planned by an earlier process.
    pub replayed: bool,
}

/// What a progress is made of.
pub(crate) struct Report<'a> {
    pub(crate) id: &'a str,
    pub(crate) run_id: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) source: String,
    pub(crate) sink: String,
    pub(crate) batch: BatchId,
    pub(crate) start: Option<Offset>,
    pub(crate) end: Offset,
    pub(crate) model: ModelId,
    pub(crate) replayed: bool,
    pub(crate) rows: Tally,
    pub(crate) reasons: Reasons,
    pub(crate) scoring: Histogram,
    pub(crate) latency: Option<Latency>,
    pub(crate) lag: Lag,
    pub(crate) trigger_start_ms: i64,
    pub(crate) previous_trigger_start_ms: Option<i64>,
    pub(crate) trigger_end_ms: i64,
    pub(crate) durations: DurationMs,
}

impl Report<'_> {
    pub(crate) fn into_progress(self) -> Progress {
        let took_ms = (self.trigger_end_ms - self.trigger_start_ms).max(0) as u64;
        // Spark says 0.0 for the first trigger, which has none before it.
        let since_ms = self.previous_trigger_start_ms.map(|previous_ms| self.trigger_start_ms - previous_ms);
        let input_rate = since_ms.map_or(Some(0.0), |since_ms| rate(self.rows.read, since_ms.max(0) as u64));
        let processed_rate = rate(self.rows.read, took_ms);
        Progress {
            id: self.id.to_owned(),
            run_id: self.run_id.to_owned(),
            name: self.name.map(str::to_owned),
            timestamp: iso_time(self.trigger_start_ms),
            batch_id: self.batch.0,
            batch_duration: took_ms,
            num_input_rows: self.rows.read,
            input_rows_per_second: input_rate,
            processed_rows_per_second: processed_rate,
            duration_ms: self.durations,
            state_operators: [],
            sources: [SourceProgress {
                description: self.source,
                start_offset: self.start,
                end_offset: Some(self.end),
                latest_offset: None,
                num_input_rows: self.rows.read,
                input_rows_per_second: input_rate,
                processed_rows_per_second: processed_rate,
                metrics: self.lag.to_spark_metrics(),
            }],
            sink: SinkProgress { description: self.sink, num_output_rows: self.rows.written },
            observed_metrics: ObservedMetrics {
                rows: self.rows,
                dead_letters: self.reasons.counted(),
                latency_ms: self.latency.as_ref().map(|latency| latency.summary),
                lag: self.lag,
                batch: BatchMetrics { model: self.model, replayed: self.replayed },
            },
            scoring: self.scoring,
            latency: self.latency.map(|latency| latency.histogram),
        }
    }
}

fn rate(n_rows: u64, ms: u64) -> Option<f64> {
    let rate = n_rows as f64 / Duration::from_millis(ms).as_secs_f64();
    rate.is_finite().then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_fields_have_sparks_names_and_order() {
        let report = Report {
            id: "q",
            run_id: "r",
            name: Some("loans"),
            source: "FileStreamSource[file:///in]".to_owned(),
            sink: "FileSink[file:///out]".to_owned(),
            batch: BatchId(3),
            start: None,
            end: Offset::new(json!({"logOffset": 3})),
            model: ModelId("m".to_owned()),
            replayed: false,
            rows: Tally { read: 10, written: 7, skipped: 1, dead_letters: 2, bad: 2 },
            reasons: Reasons::default(),
            scoring: Histogram::default(),
            latency: None,
            lag: Lag::Unknown,
            trigger_start_ms: 1_795_353_850_713,
            previous_trigger_start_ms: Some(1_795_353_845_713),
            trigger_end_ms: 1_795_353_850_713,
            durations: DurationMs(BTreeMap::from([("triggerExecution", 0), ("addBatch", 0)])),
        };
        let text = serde_json::to_string(&report.into_progress()).unwrap();
        expect_test::expect![[r#"{"id":"q","runId":"r","name":"loans","timestamp":"2026-11-22T13:24:10.713Z","batchId":3,"batchDuration":0,"numInputRows":10,"inputRowsPerSecond":2.0,"durationMs":{"addBatch":0,"triggerExecution":0},"stateOperators":[],"sources":[{"description":"FileStreamSource[file:///in]","startOffset":null,"endOffset":{"logOffset":3},"latestOffset":null,"numInputRows":10,"inputRowsPerSecond":2.0}],"sink":{"description":"FileSink[file:///out]","numOutputRows":7},"observedMetrics":{"rows":{"read":10,"written":7,"skipped":1,"deadLetters":2,"bad":2},"batch":{"model":"m","replayed":false}}}"#]].assert_eq(&text);
    }
}
