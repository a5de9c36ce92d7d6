//! What a search says of itself: one screen, or one JSON object.

use std::collections::BTreeMap;
use std::path::Path;

use ognivo_ml::pipeline::PipelineModel;
use ognivo_ml::search::{ColumnGain, Trial, best_first, column_gains};
use ognivo_report::json::number;
use ognivo_report::section::Loss;
use serde_json::{Map, Value, json};

use crate::print::{table, thousands};
use crate::report;
use crate::report::evidence::Evidence;
use crate::train::RowCounts;

/// So many of the best sets are shown on the screen; the JSON has all.
const N_SHOWN: usize = 10;

/// What a search came to.
pub(super) struct Searched {
    /// The job's name.
    pub(super) name: String,
    /// Whose numbers they are.
    pub(super) version: String,
    /// Rows at each step.
    pub(super) rows: RowCounts,
    /// What the sets were compared by.
    pub(super) metric: String,
    /// Whether a larger value is better.
    pub(super) larger_is_better: bool,
    /// The columns to choose from.
    pub(super) columns: Vec<String>,
    /// Those of them that are in every set.
    pub(super) required: Vec<String>,
    /// How sets were chosen.
    pub(super) strategy: &'static str,
    /// How they were judged, for people.
    pub(super) validator: String,
    /// What took rows away before the search.
    pub(super) losses: Vec<Loss>,
    /// How many sets a whole search tries.
    pub(super) n_sets: u64,
    /// On how many folds each was judged.
    pub(super) n_folds: usize,
    /// All that is known.
    pub(super) trials: Vec<Trial>,
    /// What came of the best set; `None` when the search was stopped before its end.
    pub(super) found: Option<Found>,
    /// Seconds of each step, by name.
    pub(super) seconds: BTreeMap<&'static str, f64>,
}

/// The best set, fitted on all training rows.
pub(super) struct Found {
    /// The fitted pipeline, of exactly the stages that the set needs.
    pub(super) model: PipelineModel,
    /// Metric and value on the rows that were set apart, in the order of the job.
    pub(super) metrics: Vec<(String, f64)>,
    /// Where the model was saved.
    pub(super) model_path: Option<String>,
    /// Which rows the report looked at, for people.
    pub(super) measured_on: String,
    /// What only the report needs to know of them.
    pub(super) evidence: Option<Evidence>,
}

impl Searched {
    /// Whether every set was tried.
    pub(super) fn is_finished(&self) -> bool {
        self.found.is_some()
    }

    /// One JSON object, sets best first.
    pub(super) fn to_json(&self) -> Value {
        let sorted = best_first(&self.trials, self.larger_is_better);
        let mut object = json!({
            "name": self.name,
            "sparkVersion": self.version,
            "rows": self.rows.to_json(),
            "metric": self.metric,
            "isLargerBetter": self.larger_is_better,
            "folds": self.n_folds,
            "finished": self.is_finished(),
            "sets": sorted.iter().map(|trial| self.trial_to_json(trial)).collect::<Vec<_>>(),
            "columns": self.gains().iter().map(|gain| self.gain_to_json(gain)).collect::<Vec<_>>(),
            "seconds": self.seconds,
        });
        if let Some(found) = &self.found {
            let metrics: Map<String, Value> =
                found.metrics.iter().map(|(name, value)| (name.clone(), number(*value))).collect();
            object["best"] = sorted.first().map_or(Value::Null, |trial| self.trial_to_json(trial));
            object["metrics"] = Value::Object(metrics);
            object["model"] = json!(found.model_path);
            object["stages"] = report::stages_to_json(&found.model);
        }
        object
    }

    fn trial_to_json(&self, trial: &Trial) -> Value {
        let columns = trial.set.names(&self.columns);
        match &trial.metrics {
            Ok(metrics) => {
                let folds: Vec<Value> = metrics.iter().map(|&metric| number(metric)).collect();
                json!({"columns": columns, "metric": number(trial.metric()), "folds": folds})
            }
            Err(error) => json!({"columns": columns, "metric": "NaN", "error": error}),
        }
    }

    fn gain_to_json(&self, gain: &ColumnGain) -> Value {
        json!({
            "column": self.columns[gain.column],
            "bestWith": number(gain.best_with),
            "bestWithout": number(gain.best_without),
            "meanChange": gain.mean_change.map(number),
            "pairs": gain.n_pairs,
        })
    }

    fn gains(&self) -> Vec<ColumnGain> {
        column_gains(&self.trials, self.columns.len(), self.larger_is_better)
    }

    /// One screen; `report` is where the page lies.
    pub(super) fn to_text(&self, report: Option<&Path>) -> String {
        let n_tried = thousands(self.trials.len() as u64);
        let all = thousands(self.n_sets);
        let mut text = format!(
            "searched {n_tried} of {all} sets of columns of {} by {} with the numbers of Spark {}\n",
            self.name, self.metric, self.version
        );
        text.push_str(&table(&self.best_sets()));
        text.push_str("what each column changes\n");
        text.push_str(&table(&self.column_lines()));
        let mut facts = self.facts();
        facts.extend(report.map(|path| vec!["  report".to_owned(), path.display().to_string()]));
        text.push_str(&table(&facts));
        text
    }

    fn best_sets(&self) -> Vec<Vec<String>> {
        let has_spread = self.n_folds > 1;
        let line = |first: String, metric: String, spread: String, columns: String| match has_spread {
            true => vec![first, metric, spread, columns],
            false => vec![first, metric, columns],
        };
        let header = line("  rank".to_owned(), self.metric.clone(), "spread".to_owned(), "columns".to_owned());
        let sorted = best_first(&self.trials, self.larger_is_better);
        let lines = sorted.iter().take(N_SHOWN).enumerate().map(|(position, trial)| {
            let metric = match &trial.metrics {
                Ok(_) => trial.metric().to_string(),
                Err(error) => format!("failed: {error}"),
            };
            let spread = trial.spread().map_or_else(String::new, |spread| format!("{spread:.6}"));
            line(format!("  {}", position + 1), metric, spread, trial.set.names(&self.columns).join(", "))
        });
        std::iter::once(header).chain(lines).collect()
    }

    fn column_lines(&self) -> Vec<Vec<String>> {
        let header = ["  column", "best with it", "best without it", "mean change"].map(str::to_owned).to_vec();
        let short = |metric: f64| if metric.is_nan() { "-".to_owned() } else { format!("{metric:.6}") };
        let lines = self.gains().into_iter().map(|gain| {
            let mean_change = gain.mean_change.map_or_else(|| "-".to_owned(), |change| format!("{change:+.6}"));
            let name = format!("  {}", self.columns[gain.column]);
            vec![name, short(gain.best_with), short(gain.best_without), mean_change]
        });
        std::iter::once(header).chain(lines).collect()
    }

    fn facts(&self) -> Vec<Vec<String>> {
        let mut facts = self.rows.facts().to_vec();
        if let Some(found) = &self.found {
            for (name, value) in &found.metrics {
                facts.push(("metric", format!("{name} {value} (test rows)")));
            }
            let model = found.model_path.clone();
            facts.push(("model", model.unwrap_or_else(|| "not saved, the search has no `save`".to_owned())));
        }
        let seconds: Vec<String> = self.seconds.iter().map(|(step, seconds)| format!("{step} {seconds:.2}")).collect();
        facts.push(("seconds", seconds.join(", ")));
        facts.into_iter().map(|(name, value)| vec![format!("  {name}"), value]).collect()
    }
}
