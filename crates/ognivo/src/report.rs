//! What a training run says of itself: one screen, one JSON object, one HTML page with that object and all that the page shows in
//! a JSON file beside it: `reports/loans.html` and `reports/loans.json`.

mod certainty;
pub(crate) mod evidence;
pub(crate) mod learned;
pub(crate) mod page;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use object_store::ObjectStoreExt as _;
use object_store::path::Path as StorePath;
use ognivo::session::Session;
use ognivo_data::vector::Vector;
use ognivo_files::open::{Location, open};
use ognivo_ml::classification::{DecisionTreeClassificationModel, LogisticRegressionModel};
use ognivo_ml::pipeline::PipelineModel;
use ognivo_ml::regression::{DecisionTreeRegressionModel, LinearRegressionModel};
use ognivo_ml::stage::Transformer;
use ognivo_report::content::Page;
use ognivo_report::html;
use ognivo_report::json::number;
use serde_json::{Value, json};

use self::certainty::Certainty;
use crate::failure::{Failure, FileFailure, Refusal, StoreFailure};
use crate::print::table;
use crate::train::Trained;
use crate::tuned::Tuned;

/// The run as one JSON object, the same that `train --output json` prints.
pub(crate) fn to_json(trained: &Trained) -> Value {
    let metrics: serde_json::Map<String, Value> =
        trained.metrics.iter().map(|(name, value)| (name.clone(), number(*value))).collect();
    json!({
        "name": trained.name,
        "sparkVersion": trained.version,
        "rows": trained.rows.to_json(),
        "metrics": metrics,
        "measuredOn": if trained.measured_on_training_rows { "training rows" } else { "test rows" },
        "model": trained.model_path,
        "tuning": trained.tuned.as_ref().map(Tuned::to_json),
        "stages": stages_to_json(&trained.model),
        "iterations": trained.iterations,
        "objectiveHistory": trained.objective_history.iter().map(|&value| number(value)).collect::<Vec<_>>(),
        "seconds": trained.seconds,
    })
}

/// Class, uid, parameters and what was learned of each stage.
pub(crate) fn stages_to_json(model: &PipelineModel) -> Value {
    model.stages().iter().map(|stage| stage_to_json(stage.as_ref())).collect()
}

fn stage_to_json(stage: &dyn Transformer) -> Value {
    let params: serde_json::Map<String, Value> =
        stage.params().explicit().map(|(name, value)| (name.to_owned(), value.to_json())).collect();
    let mut object = json!({"class": short_class(stage), "uid": stage.uid().as_str(), "params": params});
    if let Some(model) = logistic_regression(stage) {
        object["coefficients"] = numbers(&model.coefficient_matrix().to_row_major());
        object["intercepts"] = numbers(&model.intercept_vector().to_dense());
    }
    if let Some(tree) = DecisionTree::of(stage) {
        object["numNodes"] = json!(tree.n_nodes);
        object["depth"] = json!(tree.depth);
        object["featureImportances"] = tree.importances.to_json();
        object["debugString"] = json!(tree.debug_string);
    }
    if let Some(model) = linear_regression(stage) {
        object["coefficients"] = numbers(&model.coefficients().to_dense());
        object["intercept"] = number(model.intercept());
        object["scale"] = number(model.scale());
        if let Some(certainty) = Certainty::of(model) {
            certainty.add_to(&mut object);
        }
    }
    object
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

/// What a fitted tree tells, whatever it predicts.
struct DecisionTree {
    n_nodes: usize,
    depth: usize,
    importances: Vector,
    debug_string: String,
}

impl DecisionTree {
    fn of(stage: &dyn Transformer) -> Option<DecisionTree> {
        let any: &dyn std::any::Any = stage;
        if let Some(model) = any.downcast_ref::<DecisionTreeClassificationModel>() {
            let (importances, debug_string) = (model.feature_importances(), model.to_debug_string());
            return Some(DecisionTree { n_nodes: model.n_nodes(), depth: model.depth(), importances, debug_string });
        }
        let model = any.downcast_ref::<DecisionTreeRegressionModel>()?;
        let (importances, debug_string) = (model.feature_importances(), model.to_debug_string());
        Some(DecisionTree { n_nodes: model.n_nodes(), depth: model.depth(), importances, debug_string })
    }
}

fn linear_regression(stage: &dyn Transformer) -> Option<&LinearRegressionModel> {
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
    let grid = trained.tuned.as_ref().map(Tuned::to_text).unwrap_or_default();
    let certainty = certainty_to_text(trained);
    format!(
        "trained {} with the numbers of Spark {}\n{}{certainty}{grid}",
        trained.name,
        trained.version,
        table(&lines)
    )
}

/// A table for each linear regression of which more is known than its coefficients.
fn certainty_to_text(trained: &Trained) -> String {
    let models = trained.model.stages().iter().filter_map(|stage| linear_regression(stage.as_ref()));
    let told = models.filter_map(|model| Some(Certainty::of(model)?.to_text(model, &trained.features)));
    told.collect()
}

/// What there is to say, each under its name.
fn facts(trained: &Trained) -> Vec<(&'static str, String)> {
    let mut facts = trained.rows.facts().to_vec();
    for stage in trained.model.stages() {
        facts.push(("stage", format!("{} {}", stage.uid(), columns(stage.as_ref()))));
        facts.extend(stage.in_short().map(|in_short| ("", in_short)));
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

/// The page of a report at `path` (relative paths start in `base`), and the file of its numbers.
fn places(path: &Path, base: &Path) -> (PathBuf, PathBuf) {
    let page = base.join(path);
    let numbers = page.with_extension("json");
    (page, numbers)
}

/// First key of the file of numbers, by which a later run knows that it may write over it.
const MARK: &str = "ognivoReport";

/// Refuses a report whose numbers would be written over a file that is none of ours.
///
/// # Errors
/// When there is such a file.
pub(crate) fn check_place(path: &Path, base: &Path) -> Result<(), Failure> {
    if path.starts_with("hdfs:") {
        return Ok(());
    }
    let (page, numbers) = places(path, base);
    if page == numbers {
        let message = format!("the report must not end in .json, where its numbers go: {}", path.display());
        let hint = format!("call it {}", path.with_extension("html").display());
        return Err(Refusal::of_job(message, Some(hint)).into());
    }
    let mut start = Vec::new();
    let read = std::fs::File::open(&numbers).and_then(|file| file.take(100).read_to_end(&mut start));
    if read.is_ok() && !String::from_utf8_lossy(&start).contains(MARK) {
        let message = format!("the report's numbers would be written over another file: {}", numbers.display());
        return Err(Refusal::of_job(message, Some("give the report another name".to_owned())).into());
    }
    Ok(())
}

/// Writes the page of a training run and its numbers; the page's place.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn write(trained: &Trained, path: &Path, base: &Path, session: &Session) -> Result<PathBuf, Failure> {
    write_page(&page::page(trained), to_json(trained), path, base, session)
}

/// Writes a page, and beside it `run` with all that the page shows; the page's place.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn write_page(
    page: &Page,
    run: Value,
    path: &Path,
    base: &Path,
    session: &Session,
) -> Result<PathBuf, Failure> {
    let mut object = serde_json::Map::from_iter([(MARK.to_owned(), json!(env!("CARGO_PKG_VERSION")))]);
    if let Value::Object(run) = run {
        object.extend(run);
    }
    object.insert("sections".to_owned(), ognivo_report::json::sections(&page.sections));
    let (page, numbers) = (html::to_html(page), format!("{}\n", Value::Object(object)));
    if let Some(uri) = path.to_str().filter(|path| path.starts_with("hdfs:/")) {
        return session.runtime().block_on(put(&open(uri, base)?, page, numbers));
    }
    let (place, numbers_place) = places(path, base);
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).map_err(FileFailure::of("make the folder", folder))?;
    }
    std::fs::write(&place, page).map_err(FileFailure::of("write the report", &place))?;
    std::fs::write(&numbers_place, numbers).map_err(FileFailure::of("write the report", &numbers_place))?;
    Ok(place)
}

/// The same two files on a cluster.
async fn put(place: &Location, page: String, numbers: String) -> Result<PathBuf, Failure> {
    let path = place.path().as_ref();
    let stem = path.rsplit_once('.').filter(|(_, ending)| !ending.contains('/')).map_or(path, |(stem, _)| stem);
    let beside = StorePath::parse(format!("{stem}.json"));
    let beside = place.at(beside.expect("a path stays one with another ending"));
    for (file, text) in [(place, page), (&beside, numbers)] {
        let written = file.store().put(file.path(), text.into()).await;
        written.map_err(StoreFailure::of("write the report", file.to_string()))?;
    }
    Ok(PathBuf::from(place.to_string()))
}
