//! A stage is not there before it has laws, a fixture of real Spark, and a page of reference.

use super::{files, report, text};

/// A Spark class that ml implements: `org.apache.spark.ml.feature.StringIndexer`, from the constant `CLASS` beside it.
struct Stage {
    class: String,
    path: String,
}

/// Their models are called otherwise than their estimators.
const TREE_FAMILIES: [&str; 3] = ["DecisionTree", "RandomForest", "GBT"];

impl Stage {
    /// The class without its package, models under the name of their estimator.
    fn name(&self) -> String {
        let name = self.class.rsplit('.').next().unwrap_or(&self.class);
        let of_trees = |kind: &str| name.strip_suffix(kind).filter(|family| TREE_FAMILIES.contains(family));
        match (of_trees("ClassificationModel"), of_trees("RegressionModel")) {
            (Some(family), _) => format!("{family}Classifier"),
            (_, Some(family)) => format!("{family}Regressor"),
            _ => name.strip_suffix("Model").unwrap_or(name).to_owned(),
        }
    }

    /// The name as files bear it: `string_indexer`.
    fn snake_name(&self) -> String {
        let mut snake = String::new();
        for c in self.name().chars() {
            if c.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.extend(c.to_lowercase());
        }
        snake
    }
}

fn stages() -> Vec<Stage> {
    let mut stages = Vec::new();
    for path in files().into_iter().filter(|path| path.starts_with("crates/ml/src/") && path.ends_with(".rs")) {
        let text = text(&path).unwrap_or_default();
        for line in text.lines().filter(|line| line.contains("const ") && line.contains("CLASS")) {
            let class = line.split('"').nth(1).filter(|class| class.starts_with("org.apache.spark.ml."));
            stages.extend(class.map(|class| Stage { class: class.to_owned(), path: path.clone() }));
        }
    }
    stages
}

fn check(advice: &str, is_there: impl Fn(&Stage) -> bool) {
    let missing = stages().into_iter().filter(|stage| !is_there(stage));
    report(missing.map(|stage| format!("{}: {} has none", stage.path, stage.name())).collect(), advice);
}

#[test]
fn the_stages_of_ml_are_found() {
    let names: Vec<String> = stages().iter().map(Stage::snake_name).collect();
    for known in ["string_indexer", "vector_assembler", "logistic_regression", "pipeline"] {
        assert!(names.iter().any(|name| name == known), "{known} is not among {names:?}");
    }
}

#[test]
fn every_stage_passes_the_laws() {
    let is_rust =
        |path: &String| path.starts_with("crates/ml/") && path.ends_with(".rs") && path != "crates/ml/src/laws.rs";
    let sources = files().into_iter().filter(is_rust).filter_map(|path| text(&path));
    let runs: String = sources.filter(|text| text.contains("_laws(")).collect();
    // Evaluators have no rows to give, so no law speaks of them.
    let is_evaluator = |stage: &Stage| stage.class.contains(".evaluation.");
    check("run the laws of ml/src/laws.rs in its tests", |stage| is_evaluator(stage) || runs.contains(&stage.name()));
}

#[test]
fn every_stage_has_a_fixture_of_real_spark() {
    let files = files();
    let has_fixture = |name: &str| {
        let mut folders = files.iter().filter_map(|path| path.strip_prefix("fixtures/spark/")?.split('/').nth(1));
        folders.any(|folder| folder.starts_with(name))
    };
    check("add a case to fixtures/spark/stages.py and run cargo xtask fixtures", |stage| {
        has_fixture(&stage.snake_name())
    });
}

#[test]
fn every_stage_has_a_page_of_reference() {
    let pages: Vec<String> = files().into_iter().filter(|path| path.starts_with("docs/reference/")).collect();
    if pages.is_empty() {
        return;
    }
    let reference: String = pages.iter().filter_map(|path| text(path)).collect();
    check("docs/reference is printed from the stages' parameter tables", |stage| reference.contains(&stage.name()));
}
