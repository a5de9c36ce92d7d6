//! `ognivo search`: every set's number is the one that Spark's own tuners give for it, whatever the threads, and after a stop the
//! search goes on where it was.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{Ran, Workplace};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/data/lending_club.csv");

/// The job of `fixtures/spark/searches.py`, judged by `validate`; `more` goes to the end of `search`.
fn job(version: &str, validate: &str, more: &str) -> String {
    format!(
        "version: 1
name: clubs
sparkVersion: \"{version}\"
train:
  read: {{format: csv, path: {DATA}, options: {{header: true, inferSchema: true}}}}
  pipeline:
    - StringIndexer: {{inputCol: Class, outputCol: label}}
    - StringIndexer: {{inputCol: sub_grade, outputCol: sub_grade_index, handleInvalid: keep, uid: grades}}
    - VectorAssembler: {{inputCols: [int_rate], outputCol: features}}
    - LogisticRegression: {{maxIter: 5, regParam: 0.01}}
  evaluate:
    - BinaryClassificationEvaluator: {{metricName: areaUnderROC}}
search:
  columns: [int_rate, annual_inc, revol_util, sub_grade_index]
  into: VectorAssembler.inputCols
  validate: {validate}
  evaluator: {{BinaryClassificationEvaluator: {{}}}}
{more}"
    )
}

const SPLIT: &str = "{TrainValidationSplit: {trainRatio: 0.75, seed: 42}}";
const FOLDS: &str = "{CrossValidator: {numFolds: 3, seed: 42}}";

fn search(place: &Workplace, job: &str, more: &[&str]) -> Ran {
    place.write("job.yaml", job);
    place.run(&[&["search", "job.yaml", "--output", "json"], more].concat())
}

/// The sets that were found, as `(columns, metric)`, sorted by their columns.
fn sets(found: &Value) -> Vec<(String, f64)> {
    let set = |set: &Value| (set["columns"].to_string(), set["metric"].as_f64().unwrap());
    let mut sets: Vec<(String, f64)> = found.as_array().unwrap().iter().map(set).collect();
    sets.sort_by(|a, b| a.0.cmp(&b.0));
    sets
}

#[track_caller]
fn check_against_spark(version: &str, expected: &str) {
    let expected: Value = serde_json::from_str(expected).unwrap();
    for (tuner, validate) in [("TrainValidationSplit", SPLIT), ("CrossValidator", FOLDS)] {
        let found = search(&Workplace::new(), &job(version, validate, ""), &[]).json();
        let (found, wanted) = (sets(&found["sets"]), sets(&expected[tuner]));
        assert_eq!(wanted.len(), 15);
        for ((columns, metric), (wanted_columns, wanted)) in found.iter().zip(&wanted) {
            assert_eq!(columns, wanted_columns);
            assert!((metric - wanted).abs() < 1e-9, "{tuner} {columns}: {metric}, Spark {version} says {wanted}");
        }
        assert_eq!(found.len(), wanted.len());
    }
}

#[test]
fn every_set_has_the_metric_of_spark_3_5() {
    check_against_spark("3.5", include_str!("../../../../fixtures/spark/3.5/searches.json"));
}

#[test]
fn every_set_has_the_metric_of_spark_4_3() {
    check_against_spark("4.3", include_str!("../../../../fixtures/spark/4.3/searches.json"));
}

#[test]
fn the_best_set_is_first_fitted_saved_and_measured_on_rows_that_no_set_saw() {
    let place = Workplace::new();
    let more = "  columns: [annual_inc, int_rate]
  randomSplit: {weights: [0.8, 0.2], seed: 7}
  save: {path: best}
  report: reports/search.html
";
    let job = job("4.3", SPLIT, more).replace("  columns: [int_rate, annual_inc, revol_util, sub_grade_index]\n", "");
    let found = search(&place, &job, &[]).json();
    assert_eq!(found["finished"], true);
    assert_eq!(found["sets"].as_array().unwrap().len(), 3);
    assert_eq!(found["best"], found["sets"][0]);
    let rows = &found["rows"];
    assert_eq!(rows["kept"].as_u64().unwrap(), rows["train"].as_u64().unwrap() + rows["test"].as_u64().unwrap());
    assert!(rows["test"].as_u64().unwrap() > 1500, "{rows}");
    assert!(found["metrics"]["areaUnderROC"].as_f64().unwrap() > 0.5);

    // Nothing reads `sub_grade_index`, and it never was a column to choose: the stage stays, as the job wrote it.
    let inspected = place.run(&["inspect", "best", "--output", "json"]).ok();
    assert!(inspected.contains("VectorAssembler") && inspected.contains("grades"), "{inspected}");
    place.run(&["score", "best", DATA, "-o", "scored.csv", "--select", "prediction"]).ok();
    assert_eq!(std::fs::read_to_string(place.at("scored.csv")).unwrap().lines().count(), 9858);

    // The page shows the sets and how the best one did; the file beside it says the same.
    let page = std::fs::read_to_string(place.at("reports/search.html")).unwrap();
    assert!(page.contains("Column search") && page.matches("<svg").count() >= 6, "{}", page.len());
    let told: Value = serde_json::from_str(&std::fs::read_to_string(place.at("reports/search.json")).unwrap()).unwrap();
    assert_eq!(told["sets"], found["sets"]);
    let sections: Vec<&str> = told["sections"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(sections[..2], ["search", "performance"], "{sections:?}");
}

#[test]
fn a_stage_that_only_feeds_a_column_that_was_left_out_is_not_in_the_model() {
    let place = Workplace::new();
    let more = "  require: [int_rate]
  strategy: forward
  save: {path: best}
";
    let job = job("4.3", SPLIT, more)
        .replace("int_rate, annual_inc, revol_util, sub_grade_index", "int_rate, sub_grade_index");
    let found = search(&place, &job, &[]).json();
    let best = found["best"]["columns"].as_array().unwrap();
    let stages: Vec<&str> = found["stages"].as_array().unwrap().iter().map(|s| s["class"].as_str().unwrap()).collect();
    let has_grades = best.contains(&json!("sub_grade_index"));
    let n_indexers = stages.iter().filter(|stage| **stage == "StringIndexerModel").count();
    assert_eq!(n_indexers, if has_grades { 2 } else { 1 }, "{best:?} {stages:?}");
    // Both cases are there: judged alone, the other set has the other number of stages.
    let metrics = sets(&found["sets"]);
    assert_eq!(metrics.len(), 2);
}

#[test]
fn the_numbers_do_not_depend_on_the_number_of_threads() {
    let run = |threads: &str| {
        let found = search(&Workplace::new(), &job("4.3", FOLDS, ""), &["--set", &format!("threads={threads}")]).json();
        (found["sets"].clone(), found["best"].clone(), found["columns"].clone())
    };
    let one = run("1");
    assert_eq!(one, run("2"));
    assert_eq!(one, run("5"));
}

#[test]
fn a_walk_tries_only_its_neighbours() {
    for (strategy, n_tried) in [("forward", 10), ("backward", 10), ("exhaustive", 15)] {
        let found = search(&Workplace::new(), &job("4.3", SPLIT, &format!("  strategy: {strategy}\n")), &[]).json();
        assert_eq!(found["sets"].as_array().unwrap().len(), n_tried, "{strategy}");
        let every = search(&Workplace::new(), &job("4.3", SPLIT, ""), &[]).json();
        let every = sets(&every["sets"]);
        for tried in sets(&found["sets"]) {
            assert!(every.contains(&tried), "{strategy} {tried:?}");
        }
    }
}

#[test]
fn what_is_known_is_not_tried_again() {
    let place = Workplace::new();
    let job = job("4.3", SPLIT, "  results: known/results.jsonl\n");
    let first = search(&place, &job, &[]).json();
    let path = place.at("known/results.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    assert_eq!(whole.lines().count(), 16, "a line that says whose results they are, and one for each set");

    // Seven sets are known, one of them with a number that nobody would find again; the eighth line was cut off by a crash.
    let mut lines: Vec<String> = whole.lines().take(8).map(str::to_owned).collect();
    let mut told: Value = serde_json::from_str(&lines[3]).unwrap();
    told["metrics"] = json!([0.9999]);
    lines[3] = told.to_string();
    std::fs::write(&path, format!("{}\n{}", lines.join("\n"), &whole.lines().nth(8).unwrap()[..9])).unwrap();
    let second = search(&place, &job, &[]).json();
    assert_eq!(second["best"]["metric"], json!(0.9999));
    assert_eq!(second["best"]["columns"], told["columns"]);
    let changed = told["columns"].to_string();
    let others = |found: &Value| -> Vec<(String, f64)> {
        sets(&found["sets"]).into_iter().filter(|set| set.0 != changed).collect()
    };
    assert_eq!(others(&first), others(&second));
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 16);
}

#[test]
fn the_results_of_another_search_are_refused() {
    let place = Workplace::new();
    search(&place, &job("4.3", SPLIT, "  results: results.jsonl\n"), &[]).ok();
    for (from, to, words) in [
        ("regParam: 0.01", "regParam: 0.02", "the results are of another search: pipeline differ"),
        ("trainRatio: 0.75", "trainRatio: 0.5", "the results are of another search: validate differ"),
        (
            "  pipeline:\n",
            "  prepare: [filter: int_rate > 10]\n  pipeline:\n",
            "the results are of another search: rows differ",
        ),
    ] {
        let job = job("4.3", SPLIT, "  results: results.jsonl\n").replace(from, to);
        let ran = search(&place, &job, &[]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "`{words}` is not in:\n{}", ran.stderr);
    }
}

#[test]
fn a_search_that_is_stopped_prints_what_it_knows_and_goes_on_later() {
    let place = Workplace::new();
    let columns: Vec<String> =
        ["int_rate", "annual_inc", "revol_util", "funded_amnt", "total_bal_il", "open_il_12m", "delinq_2yrs"]
            .map(str::to_owned)
            .into();
    let job = job("4.3", FOLDS, "  results: results.jsonl\n")
        .replace("int_rate, annual_inc, revol_util, sub_grade_index", &columns.join(", "))
        .replace("maxIter: 5", "maxIter: 300, tol: 0.0");
    place.write("job.yaml", &job);
    let child = place.start(&["search", "job.yaml", "--output", "json"]);
    let results = place.at("results.jsonl");
    let deadline = Instant::now() + Duration::from_secs(120);
    while std::fs::read_to_string(&results).unwrap_or_default().lines().count() < 4 {
        assert!(Instant::now() < deadline, "no set was judged");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let stopped = Ran::of_child(child);
    assert_eq!(stopped.code, Some(75), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("the same command goes on with what is in results.jsonl"), "{}", stopped.stderr);
    let known: Value = serde_json::from_str(&stopped.stdout).unwrap();
    assert_eq!(known["finished"], false);
    let n_known = known["sets"].as_array().unwrap().len();
    assert!((3..127).contains(&n_known), "{n_known}");

    let whole = place.run(&["search", "job.yaml", "--output", "json"]).json();
    let at_once = search(&Workplace::new(), &job.replace("  results: results.jsonl\n", ""), &[]).json();
    assert_eq!(whole["sets"].as_array().unwrap().len(), 127);
    assert_eq!(whole["sets"], at_once["sets"]);
}

#[test]
fn wrong_searches_are_refused_before_a_row_is_read() {
    let place = Workplace::new();
    let whole = job("4.3", SPLIT, "").replace(
        "options: {header: true, inferSchema: true}",
        "schema: \"int_rate DOUBLE, annual_inc INT, revol_util DOUBLE, sub_grade STRING, Class STRING\", options: {header: true}",
    );
    for (from, to, words) in [
        ("revol_util, sub_grade_index]", "revol_utl, sub_grade_index]", "revol_utl"),
        (
            "revol_util, sub_grade_index]",
            "revol_util, int_rate]",
            "a column is named twice in `search.columns`: int_rate",
        ),
        ("revol_util, sub_grade_index]", "label]", "column `label` is the label of stage `LogisticRegression_"),
        ("  into:", "  require: [int_rat]\n  into:", "a required column is not among `search.columns`: int_rat"),
        ("  into:", "  maxSets: 14\n  into:", "15 sets of columns are more than `search.maxSets` allows: 14"),
        ("VectorAssembler.inputCols", "VectorAssembler", "`into` must be a stage and its list"),
        ("VectorAssembler.inputCols", "VectorAssembler.inputCol", "did you mean `inputCols`?"),
        ("VectorAssembler.inputCols", "Assembler.inputCols", "the pipeline has no stage `Assembler`"),
        ("VectorAssembler.inputCols", "StringIndexer.inputCols", "several stages are called `StringIndexer`"),
        ("{BinaryClassificationEvaluator: {}}", "{BinaryClassificationEvaluator: {labelCol: lable}}", "lable"),
        ("search:\n  columns:", "search:\n  strategy: forwards\n  columns:", "forward"),
    ] {
        assert!(whole.contains(from), "{from}");
        place.write("job.yaml", &whole.replace(from, to));
        for verb in ["validate", "search"] {
            let ran = place.run(&[verb, "job.yaml"]);
            assert_eq!(ran.code, Some(2), "{to}: {}{}", ran.stdout, ran.stderr);
            let told = if verb == "validate" { &ran.stdout } else { &ran.stderr };
            assert!(told.contains(words), "`{words}` is not in:\n{told}");
        }
    }
    place.write("job.yaml", &whole);
    assert_eq!(place.run(&["validate", "job.yaml"]).ok(), "ok\n");
}

#[test]
fn a_set_that_cannot_be_judged_is_told_and_never_best() {
    // `sub_grade` alone has labels among the rows to judge that those to learn from have not, and they are refused.
    let place = Workplace::new();
    let data = "x,kind,label\n".to_owned()
        + &(0..200)
            .map(|i| format!("{},{},{}\n", i % 7, if i == 63 { "rare" } else { "usual" }, i % 2))
            .collect::<String>();
    place.write("rows.csv", &data);
    let job = "version: 1
train:
  read: {format: csv, path: rows.csv, options: {header: true, inferSchema: true}}
  pipeline:
    - StringIndexer: {inputCol: kind, outputCol: kind_index}
    - VectorAssembler: {inputCols: [x], outputCol: features}
    - LogisticRegression: {maxIter: 3}
search:
  columns: [x, kind_index]
  into: VectorAssembler.inputCols
  validate: {CrossValidator: {numFolds: 2, seed: 1}}
  evaluator: {BinaryClassificationEvaluator: {}}
";
    let found = search(&place, job, &[]).json();
    assert_eq!(found["best"]["columns"], json!(["x"]));
    let failed: Vec<&Value> = found["sets"].as_array().unwrap().iter().filter(|set| set["error"].is_string()).collect();
    assert_eq!(failed.len(), 2, "{found}");
    assert!(failed[0]["error"].as_str().unwrap().contains("unseen label: rare"), "{}", failed[0]);
}
