//! What came out of trying settings: the best model, and a table of how each setting did.

use ognivo_data::dataset::Dataset;
use ognivo_ml::evaluation::Evaluator;
use ognivo_ml::param_map::ParamMap;
use ognivo_ml::pipeline::PipelineModel;
use ognivo_ml::stage::{Configured, FitError, Transformer};
use ognivo_ml::tuning::Progress;
use ognivo_report::section::{Candidate, Tuning};
use serde_json::{Value, json};

use crate::job::tune::Tuner;
use crate::print::table;

/// How each setting of a grid did.
pub(crate) struct Tuned {
    /// The tuner's class without its package.
    tuner: &'static str,
    /// The evaluator's.
    evaluator: &'static str,
    /// What a person calls the metric.
    metric: String,
    is_larger_better: bool,
    n_folds: usize,
    settings: Vec<Setting>,
    best: usize,
}

/// One setting.
struct Setting {
    /// `Stage.parameter` and value; the stage is told where several have a parameter of this name.
    params: Vec<(String, Value)>,
    /// Over all folds.
    metric: f64,
    /// Over the folds; only with several of them.
    deviation: Option<f64>,
    /// For each fold.
    folds: Vec<f64>,
}

/// Fits the tuner: the model of the whole tuner, the best model as a pipeline, and how each setting did.
pub(crate) fn fit(
    tuner: &Tuner,
    data: &Dataset,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<(Box<dyn Transformer>, PipelineModel, Tuned), FitError> {
    match tuner {
        Tuner::CrossValidator(tuner) => {
            let model = tuner.fit_watched(data, watch)?;
            let deviations = model.std_metrics().unwrap_or_default();
            let setting = |(at, map): (usize, &ParamMap)| Setting {
                params: params_of(map, tuner.param_maps(), tuner),
                metric: model.avg_metrics()[at],
                deviation: deviations.get(at).copied(),
                folds: model.fold_metrics().iter().map(|fold| fold[at]).collect(),
            };
            let settings = tuner.param_maps().iter().enumerate().map(setting).collect();
            let tuned = Tuned::new(tuner, tuner.evaluator(), model.fold_metrics().len(), settings, model.best_index());
            let best = as_pipeline(model.best_model());
            Ok((Box::new(model), best, tuned))
        }
        Tuner::TrainValidationSplit(tuner) => {
            let model = tuner.fit_watched(data, watch)?;
            let setting = |(at, map): (usize, &ParamMap)| Setting {
                params: params_of(map, tuner.param_maps(), tuner),
                metric: model.validation_metrics()[at],
                deviation: None,
                folds: vec![model.validation_metrics()[at]],
            };
            let settings = tuner.param_maps().iter().enumerate().map(setting).collect();
            let tuned = Tuned::new(tuner, tuner.evaluator(), 1, settings, model.best_index());
            let best = as_pipeline(model.best_model());
            Ok((Box::new(model), best, tuned))
        }
    }
}

fn as_pipeline(model: &dyn Transformer) -> PipelineModel {
    let any: &dyn std::any::Any = model;
    match any.downcast_ref::<PipelineModel>() {
        Some(pipeline) => pipeline.clone(),
        None => PipelineModel::new(model.uid().clone(), vec![model.clone_box()]),
    }
}

/// What sets a setting apart: parameters that have several values in the grid.
fn params_of(map: &ParamMap, maps: &[ParamMap], tuner: &dyn Configured) -> Vec<(String, Value)> {
    let entries = map.entries().iter();
    let varies = |stage: &ognivo_ml::uid::Uid, name: &str| {
        let value = |map: &ParamMap| map.of_stage(stage).find(|entry| entry.name == name).map(|e| e.value.clone());
        let first = maps.first().and_then(&value);
        maps.len() == 1 || maps.iter().any(|map| value(map) != first)
    };
    let told = entries.filter(|entry| varies(&entry.stage, &entry.name));
    told.map(|entry| (format!("{}.{}", stage_name(tuner, &entry.stage), entry.name), entry.value.to_json())).collect()
}

/// The class of a stage, or its uid where several are of that class.
fn stage_name(tuner: &dyn Configured, uid: &ognivo_ml::uid::Uid) -> String {
    let mut names = Vec::new();
    ognivo_ml::param_map::each_stage(tuner, &mut |stage| names.push((stage.uid().clone(), stage.name())));
    let name = names.iter().find(|(known, _)| known == uid).map_or("", |(_, name)| name);
    let n_alike = names.iter().filter(|(_, other)| *other == name).count();
    if n_alike == 1 { name.to_owned() } else { uid.to_string() }
}

impl Tuned {
    fn new(
        tuner: &dyn Configured,
        evaluator: &dyn Evaluator,
        n_folds: usize,
        settings: Vec<Setting>,
        best: usize,
    ) -> Tuned {
        Tuned {
            tuner: tuner.name(),
            evaluator: evaluator.name(),
            metric: evaluator.title(),
            is_larger_better: evaluator.is_larger_better(),
            n_folds,
            settings,
            best,
        }
    }

    /// Settings whose metric is not a number, of which Spark's rule may have taken one for the best.
    pub(crate) fn warning(&self) -> Option<String> {
        let n_bad = self.settings.iter().filter(|setting| setting.metric.is_nan()).count();
        let is_best = self.settings[self.best].metric.is_nan();
        let taken = if is_best { "; the best is one of them, as in Spark" } else { "" };
        (n_bad > 0).then(|| format!("the metric of {n_bad} of {} settings is NaN{taken}", self.settings.len()))
    }

    /// For a program.
    pub(crate) fn to_json(&self) -> Value {
        let number = ognivo_report::json::number;
        let setting = |setting: &Setting| {
            json!({
                "params": setting.params.iter().cloned().collect::<serde_json::Map<_, _>>(),
                "metric": number(setting.metric),
                "deviation": setting.deviation.map(number),
                "folds": setting.folds.iter().map(|&metric| number(metric)).collect::<Vec<_>>(),
            })
        };
        json!({
            "tuner": self.tuner,
            "evaluator": self.evaluator,
            "metric": self.metric,
            "isLargerBetter": self.is_larger_better,
            "folds": self.n_folds,
            "best": self.best,
            "grid": self.settings.iter().map(setting).collect::<Vec<_>>(),
        })
    }

    /// For the page of a report.
    pub(crate) fn to_report(&self) -> Tuning {
        let candidate = |setting: &Setting| Candidate {
            params: setting.params.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
            average: setting.metric,
            folds: setting.folds.clone(),
        };
        Tuning {
            validator: match self.n_folds {
                1 => self.tuner.to_owned(),
                n => format!("{}, {n} folds", self.tuner),
            },
            metric: self.metric.clone(),
            is_larger_better: self.is_larger_better,
            candidates: self.settings.iter().map(candidate).collect(),
        }
    }

    /// For a person: a line for each setting, the best one marked.
    pub(crate) fn to_text(&self) -> String {
        let n_settings = self.settings.len();
        let settings = if n_settings == 1 { "setting" } else { "settings" };
        let better = if self.is_larger_better { "larger" } else { "smaller" };
        let on = match self.n_folds {
            1 => "on the validation rows".to_owned(),
            n => format!("over {n} folds"),
        };
        let mut text = format!("{} of {n_settings} {settings}: {} {on}, {better} is better\n", self.tuner, self.metric);
        text.push_str(&table(&self.rows()));
        text
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let names: Vec<&String> =
            self.settings.iter().take(1).flat_map(|s| s.params.iter().map(|(name, _)| name)).collect();
        let measured: &[&str] =
            if self.n_folds > 1 { &["average", "deviation", "smallest", "largest"] } else { &["metric"] };
        let mut header = vec!["  ".to_owned()];
        header.extend(without_stages(&names));
        header.extend(measured.iter().map(|&name| name.to_owned()));
        let row = |(at, setting): (usize, &Setting)| {
            let mut row = vec![if at == self.best { "  *".to_owned() } else { "  ".to_owned() }];
            row.extend(setting.params.iter().map(|(_, value)| shown(value)));
            row.push(setting.metric.to_string());
            if self.n_folds > 1 {
                let folds = || setting.folds.iter().copied();
                row.push(setting.deviation.map_or(String::new(), |deviation| format!("{deviation:.6}")));
                row.push(format!("{:.6}", folds().fold(f64::NAN, f64::min)));
                row.push(format!("{:.6}", folds().fold(f64::NAN, f64::max)));
            }
            row
        };
        std::iter::once(header).chain(self.settings.iter().enumerate().map(row)).collect()
    }
}

/// Names without their stage, where they are still told apart.
fn without_stages(names: &[&String]) -> Vec<String> {
    let short: Vec<&str> = names.iter().map(|name| name.rsplit('.').next().unwrap_or(name)).collect();
    let is_unique = |at: usize| !short[..at].contains(&short[at]) && !short[at + 1..].contains(&short[at]);
    let name = |at: usize| if is_unique(at) { short[at].to_owned() } else { names[at].clone() };
    (0..names.len()).map(name).collect()
}

/// A value as a person writes it.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
