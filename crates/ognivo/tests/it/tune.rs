//! `train.tune`: settings are tried as Spark tries them, told as a table and as JSON, and what is saved is what a script would save.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::binary::Workplace;

fn fixture(name: &str) -> String {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures")).join(name);
    path.canonicalize().unwrap().to_str().unwrap().to_owned()
}

/// A job on the loans that the fixtures of both Sparks were fitted on.
fn job(version: &str, train: &str) -> String {
    format!(
        "version: 1
name: loans
sparkVersion: \"{version}\"
train:
  read:
    format: json
    path: {}
    schema: id INT, grade STRING, int_rate DOUBLE, annual_inc DOUBLE, label DOUBLE, status DOUBLE
{train}",
        fixture("spark/inputs/loans.jsonl")
    )
}

const STAGES: &str = "  pipeline:
    - StringIndexer: {inputCol: grade, outputCol: grade_index, handleInvalid: keep}
    - VectorAssembler: {inputCols: [int_rate, annual_inc, grade_index], outputCol: features}
    - LogisticRegression: {maxIter: 5}
";
const TUNE: &str = "  tune:
    CrossValidator: {numFolds: 3, seed: 42}
    paramGrid:
      LogisticRegression.regParam: [0.01, 0.1]
      LogisticRegression.elasticNetParam: [0.0, 1.0]
    evaluator: {BinaryClassificationEvaluator: {}}
";
const SAVE: &str = "  save: {path: model}\n";

/// Trains the job in a folder of its own and returns what `--output json` told.
fn train(place: &Workplace, job: &str) -> Value {
    place.write("job.yaml", job);
    place.run(&["train", "job.yaml", "--output", "json"]).json()
}

fn class_of(place: &Workplace, model: &str) -> String {
    let class = place.run(&["inspect", model, "--output", "json"]).json();
    class["class"].as_str().unwrap().rsplit('.').next().unwrap().to_owned()
}

/// The model in the folder scores the rows that it was trained on.
#[track_caller]
fn assert_scores(place: &Workplace) {
    let input = fixture("spark/inputs/loans.jsonl");
    let schema = "id INT, grade STRING, int_rate DOUBLE, annual_inc DOUBLE, label DOUBLE, status DOUBLE";
    let scored =
        place.run(&["score", "model", &input, "--format", "json", "--schema", schema, "--output", "json"]).ok();
    assert_eq!(scored.lines().count(), 200);
    assert!(scored.lines().all(|line| line.contains("\"prediction\"")));
}

#[test]
fn the_grid_is_told_as_json_with_every_fold_and_the_best_one() {
    let place = Workplace::new();
    let told = train(&place, &job("4.3", &[STAGES, TUNE, SAVE].concat()));
    let tuning = &told["tuning"];
    assert_eq!(
        (&tuning["tuner"], &tuning["metric"], &tuning["isLargerBetter"], &tuning["folds"]),
        (&json!("CrossValidator"), &json!("areaUnderROC"), &json!(true), &json!(3))
    );
    let grid = tuning["grid"].as_array().unwrap();
    assert_eq!(grid.len(), 4);
    let params = json!({"LogisticRegression.regParam": 0.01, "LogisticRegression.elasticNetParam": 1.0});
    assert_eq!(grid[1]["params"], params);
    let metrics: Vec<f64> = grid.iter().map(|setting| setting["metric"].as_f64().unwrap()).collect();
    let best = metrics.iter().copied().fold(f64::MIN, f64::max);
    assert_eq!(metrics[tuning["best"].as_u64().unwrap() as usize].to_bits(), best.to_bits());
    for setting in grid {
        let folds: Vec<f64> = setting["folds"].as_array().unwrap().iter().map(|fold| fold.as_f64().unwrap()).collect();
        assert!((folds.iter().sum::<f64>() / 3.0 - setting["metric"].as_f64().unwrap()).abs() < 1e-12);
    }
    assert_eq!(told["stages"].as_array().unwrap().len(), 3, "the stages are those of the best model");
    assert_eq!(class_of(&place, "model"), "CrossValidatorModel");
    assert_scores(&place);
}

#[test]
fn the_grid_is_told_as_a_table_with_the_best_one_marked() {
    let place = Workplace::new();
    place.write("job.yaml", &job("3.5", &[STAGES, TUNE].concat()));
    let text = place.run(&["train", "job.yaml"]).ok();
    let lines: Vec<&str> = text.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.starts_with("CrossValidator of 4 settings: areaUnderROC over 3 folds"))
        .unwrap();
    let header: Vec<&str> = lines[at + 1].split_whitespace().collect();
    assert_eq!(header, ["regParam", "elasticNetParam", "average", "deviation", "smallest", "largest"]);
    assert_eq!(lines[at + 2..].len(), 4, "{text}");
    assert_eq!(lines[at + 2..].iter().filter(|line| line.starts_with("  *")).count(), 1, "{text}");
}

#[test]
fn threads_change_nothing() {
    let told = |threads: usize| {
        let place = Workplace::new();
        let job = job("4.3", &[STAGES, TUNE].concat()).replace("train:", &format!("threads: {threads}\ntrain:"));
        train(&place, &job)["tuning"].clone()
    };
    assert_eq!(told(1), told(3));
}

#[test]
fn tuners_that_spark_saved_are_fitted_as_they_are() {
    for version in ["3.5", "4.3"] {
        for (case, key) in
            [("cross_validator_pipeline", "avgMetrics"), ("train_validation_split_pipeline", "validationMetrics")]
        {
            let place = Workplace::new();
            let load = format!("  pipeline: {{load: {}}}\n", fixture(&format!("spark/{version}/{case}/estimator")));
            let told = train(&place, &job(version, &[load.as_str(), SAVE].concat()));
            let text = std::fs::read_to_string(fixture(&format!("spark/{version}/{case}/expected.json"))).unwrap();
            let expected: Value = serde_json::from_str(&text).unwrap();
            let expected = expected["model"][key].as_array().unwrap();
            let grid = told["tuning"]["grid"].as_array().unwrap();
            assert_eq!(grid.len(), expected.len());
            for (ours, spark) in grid.iter().zip(expected) {
                let (ours, spark) = (ours["metric"].as_f64().unwrap(), spark.as_f64().unwrap());
                assert!((ours - spark).abs() <= 1e-9, "{version} {case}: {ours} {spark}");
            }
            let names = ["StandardScaler.withMean", "LogisticRegression.family", "LogisticRegression.maxIter"];
            assert!(names.iter().all(|name| grid[0]["params"].get(name).is_some()), "{}", grid[0]);
            assert_scores(&place);
        }
    }
}

#[test]
fn stages_before_the_split_come_first_and_the_tuner_s_model_last() {
    let place = Workplace::new();
    let split = "  randomSplit: {weights: [0.7, 0.3], seed: 1, after: VectorAssembler}\n  evaluate: [BinaryClassificationEvaluator]\n";
    let told = train(&place, &job("4.3", &[split, STAGES, TUNE, SAVE].concat()));
    assert_eq!(told["stages"].as_array().unwrap().len(), 3);
    assert!(told["metrics"]["areaUnderROC"].as_f64().unwrap() > 0.6);
    let model = place.run(&["inspect", "model", "--output", "json"]).json();
    let classes: Vec<&str> = model["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["class"].as_str().unwrap().rsplit('.').next().unwrap())
        .collect();
    assert_eq!(classes, ["StringIndexerModel", "VectorAssembler", "CrossValidatorModel"]);
    assert_scores(&place);
}

#[test]
fn what_only_the_loaded_pipeline_tells_is_refused_with_its_place() {
    let place = Workplace::new();
    let load = |path: &str| format!("  pipeline: {{load: {}}}\n", fixture(path));
    let refused = |train: &str, words: &str| {
        place.write("job.yaml", &job("4.3", train));
        let ran = place.run(&["train", "job.yaml"]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "`{words}` is not in: {}", ran.stderr);
    };
    let tuner = load("spark/4.3/cross_validator_pipeline/estimator");
    refused(&[tuner.as_str(), TUNE].concat(), "what is loaded tunes already");
    let after = "  randomSplit: {weights: [0.7, 0.3], seed: 1, after: VectorAssembler}\n";
    refused(&[tuner.as_str(), after].concat(), "what is loaded is a tuner");
    let pipeline = load("spark/4.3/pipeline/estimator");
    let other = TUNE.replace("LogisticRegression.regParam", "LogisticRegression.regPram");
    refused(
        &[pipeline.as_str(), &other].concat(),
        "line 13, column 7: unknown parameter of LogisticRegression: regPram",
    );
}
