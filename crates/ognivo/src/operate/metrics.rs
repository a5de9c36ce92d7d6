//! What a monitoring system scrapes, as OpenMetrics text.
//!
//! ```text
//! # TYPE ognivo_rows_read counter
//! # HELP ognivo_rows_read Records that were read, of committed batches.
//! ognivo_rows_read_total 8193
//! # EOF
//! ```
//! Counters begin at 0 when the process does. They move when a batch is committed, so that rows read = written + skipped + dead
//! letters at every scrape; only `ognivo_rows_scored`, `ognivo_aborts` and `ognivo_failures` speak of attempts. Families without a
//! value yet are there without a sample. `docs/how-to/watch-a-stream.md` lists them all, which a test holds.

use std::fmt::Write as _;
use std::time::Duration;

use ognivo_stream::histogram::Histogram;
use ognivo_stream::lag::Lag;

use super::observed::{Observed, Phase};

/// What the text is.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Partitions whose lag has a sample of its own; those after them count together as `other`.
const MAX_PARTITIONS: usize = 500;

/// The stage of dead letters that no stage rejected.
const NO_STAGE: &str = "none";

/// Everything, at this moment.
pub(super) fn write(observed: &Observed, now_ms: i64) -> String {
    let mut out = Exposition::default();
    about_the_process(&mut out, observed);
    about_rows(&mut out, observed);
    about_batches(&mut out, observed, now_ms);
    about_durations(&mut out, observed);
    about_lag(&mut out, &observed.lag);
    out.end()
}

fn about_the_process(out: &mut Exposition, observed: &Observed) {
    out.family("ognivo_build", Kind::Info, "The program.");
    out.sample("_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.family("ognivo_stream", Kind::Info, "The stream that runs.");
    if let Some(query) = &observed.query {
        let labels =
            [("name", observed.name.as_str()), ("id", &query.id), ("source", &query.source), ("sink", &query.sink)];
        out.sample("_info", &labels, 1);
    }
    out.family("ognivo_model", Kind::Info, "The model that rows are scored with.");
    if let Some(query) = &observed.query {
        out.sample("_info", &[("model", query.model.as_str())], 1);
    }
    out.family("ognivo_start_time_seconds", Kind::Gauge, "When the process started, since 1970.");
    out.sample("", &[], seconds_of_ms(observed.started_ms));
    out.family("ognivo_ready", Kind::Gauge, "1 while batches succeed or there is nothing to do, else 0.");
    out.sample("", &[], u8::from(observed.phase == Phase::Running));
}

fn about_rows(out: &mut Exposition, observed: &Observed) {
    let rows = &observed.rows;
    out.family("ognivo_rows_read", Kind::Counter, "Records that were read, of committed batches.");
    out.sample("_total", &[], rows.read);
    out.family("ognivo_rows_scored", Kind::Counter, "Rows that came out of the model, of all attempts at a batch.");
    out.sample("_total", &[], observed.n_scored);
    out.family("ognivo_rows_written", Kind::Counter, "Scored rows that were committed.");
    out.sample("_total", &[], rows.written);
    out.family("ognivo_rows_skipped", Kind::Counter, "Rows that a rule left out, of committed batches.");
    out.sample("_total", &[], rows.skipped);
    out.family("ognivo_rows_bad", Kind::Counter, "Rows that were malformed or rejected, whatever became of them.");
    out.sample("_total", &[], rows.bad);
    out.family("ognivo_dead_letters", Kind::Counter, "Rows that became dead letters, by stage and code.");
    for counted in observed.reasons.counted() {
        let stage = counted.reason.stage.as_deref().unwrap_or(NO_STAGE);
        out.sample("_total", &[("stage", stage), ("code", &counted.reason.code)], counted.rows);
    }
}

fn about_batches(out: &mut Exposition, observed: &Observed, now_ms: i64) {
    out.family("ognivo_commits", Kind::Counter, "Batches that were committed.");
    out.sample("_total", &[], observed.n_commits);
    out.family("ognivo_replays", Kind::Counter, "Batches among them that an earlier attempt had planned.");
    out.sample("_total", &[], observed.n_replayed);
    out.family("ognivo_aborts", Kind::Counter, "Attempts at a batch that were given up before their commit.");
    out.sample("_total", &[], observed.n_aborts);
    out.family("ognivo_failures", Kind::Counter, "Failures that were met with a pause and another attempt.");
    out.sample("_total", &[], observed.n_failures);
    out.family("ognivo_warnings", Kind::Counter, "Things that a person should know and nothing failed of.");
    out.sample("_total", &[], observed.n_warnings);
    out.family("ognivo_batch_id", Kind::Gauge, "Number of the newest committed batch.");
    if let Some(progress) = observed.recent.back() {
        out.sample("", &[], progress.batch_id);
    }
    out.family("ognivo_checkpoint_age_seconds", Kind::Gauge, "Time since the last commit of this process.");
    if let Some(committed_ms) = observed.committed_ms {
        out.sample("", &[], seconds_of_ms((now_ms - committed_ms).max(0)));
    }
}

fn about_durations(out: &mut Exposition, observed: &Observed) {
    out.family("ognivo_batch_duration_seconds", Kind::Histogram, "How long batches took, from trigger to commit.");
    out.histogram(&observed.batch_durations);
    out.family("ognivo_score_duration_seconds", Kind::Histogram, "How long each block of rows took to be scored.");
    out.histogram(&observed.score_durations);
    out.family(
        "ognivo_latency_seconds",
        Kind::Histogram,
        "From the time that a record carries until readers have it, by record.",
    );
    out.histogram(&observed.latencies);
}

fn about_lag(out: &mut Exposition, lag: &Lag) {
    out.family("ognivo_lag_records", Kind::Gauge, "Records that the source has and no batch has taken, by partition.");
    if let Lag::Records(by_partition) = lag {
        for (partition, n) in by_partition.iter().take(MAX_PARTITIONS) {
            out.sample("", &[("partition", &partition.0)], n);
        }
        if by_partition.len() > MAX_PARTITIONS {
            let others: u64 = by_partition.values().skip(MAX_PARTITIONS).sum();
            out.sample("", &[("partition", "other")], others);
        }
    }
    out.family("ognivo_lag_files", Kind::Gauge, "Files that were found and no batch has taken.");
    if let Lag::Files(n) = lag {
        out.sample("", &[], n);
    }
}

/// `1.5` of 1500.
fn seconds_of_ms(ms: i64) -> String {
    format!("{:?}", ms as f64 / 1000.0)
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// The text, family by family.
#[derive(Debug, Default)]
struct Exposition {
    text: String,
    /// The family that samples go to.
    name: &'static str,
}

impl Exposition {
    /// A family begins. A name that ends in a unit has that unit.
    fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        };
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        if name.ends_with("_seconds") {
            let _ = writeln!(self.text, "# UNIT {name} seconds");
        }
        let _ = writeln!(self.text, "# HELP {name} {help}");
        self.name = name;
    }

    /// A value of the family.
    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let name = self.name;
        let labels: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{suffix}{labels} {value}");
    }

    /// All values of a family of histograms.
    fn histogram(&mut self, histogram: &Histogram) {
        for (bound, n) in histogram.cumulated() {
            let bound = bound.as_ref().map_or_else(|| "+Inf".to_owned(), seconds);
            self.sample("_bucket", &[("le", &bound)], n);
        }
        self.sample("_sum", &[], seconds(&histogram.sum()));
        self.sample("_count", &[], histogram.n_counted());
    }

    fn end(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }
}

/// With a point, as OpenMetrics wants the bounds of buckets.
fn seconds(duration: &Duration) -> String {
    format!("{:?}", duration.as_secs_f64())
}

/// The text of a label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ognivo_stream::offset::SourcePartition;
    use ognivo_stream::reasons::Reason;

    #[test]
    fn values_stand_under_their_families_and_label_texts_are_escaped() {
        let mut observed = Observed::new("loans", 1_000);
        let reason = Reason { stage: Some("a\"b\\c\nd".to_owned()), code: "unseen_label".to_owned() };
        observed.reasons.add(reason, 3);
        observed.reasons.add(Reason { stage: None, code: "bad_record".to_owned() }, 2);
        observed.latencies.add_many(Duration::from_millis(3), 4);
        let text = write(&observed, 5_000);
        for lines in [
            "# TYPE ognivo_dead_letters counter\n# HELP ognivo_dead_letters Rows that became dead letters, by stage and code.\n\
             ognivo_dead_letters_total{stage=\"none\",code=\"bad_record\"} 2\n\
             ognivo_dead_letters_total{stage=\"a\\\"b\\\\c\\nd\",code=\"unseen_label\"} 3\n#",
            "# TYPE ognivo_latency_seconds histogram\n# UNIT ognivo_latency_seconds seconds\n",
            "ognivo_latency_seconds_bucket{le=\"0.0025\"} 0\nognivo_latency_seconds_bucket{le=\"0.005\"} 4\n",
            "ognivo_latency_seconds_bucket{le=\"86400.0\"} 4\nognivo_latency_seconds_bucket{le=\"+Inf\"} 4\n\
             ognivo_latency_seconds_sum 0.012\nognivo_latency_seconds_count 4\n",
            "ognivo_start_time_seconds 1.0\n",
            "ognivo_ready 0\n",
        ] {
            assert!(text.contains(lines), "{lines}\nis not in\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn the_lag_of_many_partitions_is_bounded_and_whole() {
        let mut observed = Observed::new("loans", 0);
        let partitions = (0..2_000).map(|i| (SourcePartition(format!("t-{i:04}")), 2));
        observed.lag = Lag::Records(partitions.collect());
        let text = write(&observed, 0);
        let samples: Vec<&str> = text.lines().filter(|line| line.starts_with("ognivo_lag_records{")).collect();
        assert_eq!(samples.len(), 501);
        assert_eq!(samples[500], "ognivo_lag_records{partition=\"other\"} 3000");
    }
}
