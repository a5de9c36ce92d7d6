//! What a training run says of itself: one screen, one JSON object, one HTML page with that object beside it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use object_store::ObjectStoreExt as _;
use object_store::path::Path as StorePath;
use ognivo::session::Session;
use ognivo_files::open::{Location, open};
use ognivo_ml::classification::LogisticRegressionModel;
use ognivo_ml::stage::Transformer;
use serde_json::{Value, json};

use crate::failure::{Failure, FileFailure, StoreFailure};
use crate::print::{table, thousands};
use crate::train::Trained;

/// The run as one JSON object, the same that `train --output json` prints.
pub(crate) fn to_json(trained: &Trained) -> Value {
    let rows = &trained.rows;
    let metrics: serde_json::Map<String, Value> =
        trained.metrics.iter().map(|(name, value)| (name.clone(), number(*value))).collect();
    json!({
        "name": trained.name,
        "sparkVersion": trained.version,
        "rows": {"read": rows.read, "kept": rows.kept, "train": rows.train, "test": rows.test},
        "metrics": metrics,
        "measuredOn": if trained.measured_on_training_rows { "training rows" } else { "test rows" },
        "model": trained.model_path,
        "stages": trained.model.stages().iter().map(|stage| stage_to_json(stage.as_ref())).collect::<Vec<_>>(),
        "iterations": trained.iterations,
        "objectiveHistory": trained.objective_history.iter().map(|&value| number(value)).collect::<Vec<_>>(),
        "seconds": trained.seconds,
    })
}

fn stage_to_json(stage: &dyn Transformer) -> Value {
    let params: serde_json::Map<String, Value> =
        stage.params().explicit().map(|(name, value)| (name.to_owned(), value.to_json())).collect();
    let mut object = json!({"class": short_class(stage), "uid": stage.uid().as_str(), "params": params});
    if let Some(model) = logistic_regression(stage) {
        object["coefficients"] = numbers(&model.coefficient_matrix().to_row_major());
        object["intercepts"] = numbers(&model.intercept_vector().to_dense());
    }
    object
}

/// A double as JSON; NaN and the infinities as strings.
fn number(value: f64) -> Value {
    if value.is_finite() {
        return json!(value);
    }
    json!(if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    })
}

fn numbers(values: &[f64]) -> Value {
    values.iter().map(|&value| number(value)).collect()
}

fn short_class(stage: &dyn Transformer) -> &'static str {
    stage.class().rsplit('.').next().unwrap_or_default()
}

fn logistic_regression(stage: &dyn Transformer) -> Option<&LogisticRegressionModel> {
    let any: &dyn std::any::Any = stage;
    any.downcast_ref()
}

/// The run as one screen.
pub(crate) fn to_text(trained: &Trained, report: Option<&Path>) -> String {
    let mut rows = facts(trained);
    if let Some(report) = report {
        rows.push(("report", report.display().to_string()));
    }
    let lines: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![format!("  {name}"), value]).collect();
    format!("trained {} with the numbers of Spark {}\n{}", trained.name, trained.version, table(&lines))
}

/// What there is to say, each under its name.
fn facts(trained: &Trained) -> Vec<(&'static str, String)> {
    let rows = &trained.rows;
    let count = |n: usize| thousands(n as u64);
    let mut facts = vec![("rows read", format!("{}, {} kept", count(rows.read), count(rows.kept)))];
    facts.push(match rows.test {
        0 => ("rows", format!("{} train", count(rows.train))),
        test => ("rows split", format!("{} train, {} test", count(rows.train), count(test))),
    });
    for stage in trained.model.stages() {
        facts.push(("stage", format!("{} {}", stage.uid(), columns(stage.as_ref()))));
    }
    if let (Some(n), Some(last)) = (trained.iterations, trained.objective_history.last()) {
        facts.push(("iterations", format!("{n}, objective {last}")));
    }
    let on = if trained.measured_on_training_rows { "training rows: optimistic" } else { "test rows" };
    for (name, value) in &trained.metrics {
        facts.push(("metric", format!("{name} {value} ({on})")));
    }
    let model = trained.model_path.clone();
    facts.push(("model", model.unwrap_or_else(|| "not saved, the job has no `save`".to_owned())));
    let seconds: Vec<String> = trained.seconds.iter().map(|(step, seconds)| format!("{step} {seconds:.2}")).collect();
    facts.push(("seconds", seconds.join(", ")));
    facts
}

/// `purpose -> purpose_index`, as far as the parameters name columns.
fn columns(stage: &dyn Transformer) -> String {
    let named = |names: &[&str]| -> Vec<String> {
        let values = stage.params().explicit().filter(|(name, _)| names.contains(name));
        values.map(|(_, value)| value.to_string()).collect()
    };
    let inputs = named(&["inputCol", "inputCols", "featuresCol"]);
    let outputs = named(&["outputCol", "outputCols", "predictionCol"]);
    match (inputs.is_empty(), outputs.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!("({})", inputs.join(", ")),
        _ => format!("({} -> {})", inputs.join(", "), outputs.join(", ")),
    }
}

/// Writes the page at `path` (relative paths start in `base`) and the JSON beside it.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn write(trained: &Trained, path: &Path, base: &Path, session: &Session) -> Result<PathBuf, Failure> {
    if let Some(uri) = path.to_str().filter(|path| path.starts_with("hdfs:/")) {
        return session.runtime().block_on(put(trained, &open(uri, base)?));
    }
    let page = base.join(path);
    if let Some(folder) = page.parent() {
        std::fs::create_dir_all(folder).map_err(FileFailure::of("make the folder", folder))?;
    }
    std::fs::write(&page, to_html(trained)).map_err(FileFailure::of("write the report", &page))?;
    let numbers = page.with_extension("json");
    let text = format!("{:#}\n", to_json(trained));
    std::fs::write(&numbers, text).map_err(FileFailure::of("write the report", &numbers))?;
    Ok(page)
}

/// The same two files on a cluster.
async fn put(trained: &Trained, page: &Location) -> Result<PathBuf, Failure> {
    let path = page.path().as_ref();
    let stem = path.rsplit_once('.').filter(|(_, ending)| !ending.contains('/')).map_or(path, |(stem, _)| stem);
    let numbers = StorePath::parse(format!("{stem}.json"));
    let numbers = page.at(numbers.expect("a path stays one with another ending"));
    for (file, text) in [(page, to_html(trained)), (&numbers, format!("{:#}\n", to_json(trained)))] {
        let written = file.store().put(file.path(), text.into()).await;
        written.map_err(StoreFailure::of("write the report", file.to_string()))?;
    }
    Ok(PathBuf::from(page.to_string()))
}

/// A page that needs no script, no network and no other file.
fn to_html(trained: &Trained) -> String {
    let mut body = format!("<h1>{}</h1>\n<p>Numbers of Spark {}.</p>\n", escape(&trained.name), trained.version);
    body.push_str("<h2>Run</h2>\n<table>\n");
    for (name, value) in facts(trained) {
        let _ = writeln!(body, "<tr><th>{name}</th><td>{}</td></tr>", escape(&value));
    }
    body.push_str("</table>\n");
    for stage in trained.model.stages() {
        if let Some(model) = logistic_regression(stage.as_ref()) {
            body.push_str(&coefficients_to_html(model));
        }
    }
    if trained.objective_history.len() > 1 {
        body.push_str("<h2>Objective by iteration</h2>\n<table>\n");
        for (iteration, value) in trained.objective_history.iter().enumerate() {
            let _ = writeln!(body, "<tr><th>{iteration}</th><td>{value}</td></tr>");
        }
        body.push_str("</table>\n");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\n<style>{STYLE}</style></head>\n<body>\n{body}</body></html>\n",
        escape(&trained.name)
    )
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color-scheme:light dark}table{border-collapse:collapse}th{text-align:left;font-weight:600;padding:.2rem 1.5rem .2rem 0;\
vertical-align:top}td{padding:.2rem 0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}";

fn coefficients_to_html(model: &LogisticRegressionModel) -> String {
    let matrix = model.coefficient_matrix();
    let intercepts = model.intercept_vector().to_dense();
    let mut out = String::from("<h2>Coefficients</h2>\n<table>\n");
    for class in 0..matrix.n_rows() {
        for slot in 0..matrix.n_cols() {
            let _ =
                writeln!(out, "<tr><th>class row {class}, slot {slot}</th><td>{}</td></tr>", matrix.get(class, slot));
        }
        let intercept = intercepts.get(class).copied().unwrap_or_default();
        let _ = writeln!(out, "<tr><th>class row {class}, intercept</th><td>{intercept}</td></tr>");
    }
    out.push_str("</table>\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
