//! The job that the product was made for gives the numbers of real Spark, for each version.
//!
//! The file `loan_data.csv` has no licence and is not in the repository. It is looked for in the folder that
//! `OGNIVO_LOAN_DATA` names, else in `../shared/data` beside the repository.

use std::path::PathBuf;

use serde_json::Value;

use crate::binary::Workplace;

/// The job of the documentation, with the places filled in.
const JOB: &str = include_str!("loan_job.yaml");

/// The data file, or `None` after a loud word.
fn loan_data() -> Option<PathBuf> {
    let repository = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let folder = std::env::var_os("OGNIVO_LOAN_DATA").map_or_else(|| repository.join("../shared/data"), PathBuf::from);
    let file = folder.join("loan_data.csv");
    if file.is_file() {
        return Some(file.canonicalize().unwrap());
    }
    eprintln!(
        "NOT CHECKED against the original job: {} is missing; name its folder in OGNIVO_LOAN_DATA",
        file.display()
    );
    None
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|item| item.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{what} {i}: {found} is not {expected}");
    }
}

/// `tolerance`: of the numbers after an optimiser's steps; the log of 2.4 has 12 to 14 decimals.
fn check(version: &str, expected: &str, tolerance: f64) {
    let Some(data) = loan_data() else { return };
    let expected: Value = serde_json::from_str(expected).unwrap();
    let place = Workplace::new();
    let job = JOB.replace("VERSION", version).replace("LOAN_DATA", data.to_str().unwrap());
    place.write("loans.yaml", &job);

    let trained = place.run(&["train", "loans.yaml", "--output", "json"]).json();
    assert_eq!(trained["rows"], expected["rows"]);
    let area = [trained["metrics"]["areaUnderROC"].as_f64().unwrap()];
    assert_near(&area, &[expected["areaUnderROC"].as_f64().unwrap()], 1e-12, "areaUnderROC");
    if let Some(iterations) = expected.get("iterations") {
        assert_eq!(&trained["iterations"], iterations);
        let model = &trained["stages"][2];
        assert_near(&numbers(&model["coefficients"]), &numbers(&expected["coefficients"]), tolerance, "coefficient");
        let intercept = [expected["intercept"].as_f64().unwrap()];
        assert_near(&numbers(&model["intercepts"]), &intercept, tolerance, "intercept");
        assert_near(
            &numbers(&trained["objectiveHistory"]),
            &numbers(&expected["objectiveHistory"]),
            1e-12,
            "objective",
        );
    }

    // What a stream of the same file gives is what Spark's stream gave, row by row.
    std::fs::create_dir(place.at("incoming")).unwrap();
    std::fs::copy(&data, place.at("incoming/loans.csv")).unwrap();
    place.run(&["stream", "loans.yaml"]).ok();
    let scored =
        place.run(&["score", "models/loans", data.to_str().unwrap(), "--schema", SCHEMA, "--output", "json"]).ok();
    let first: Vec<f64> = scored.lines().take(20).map(raw_prediction).collect();
    assert_near(&first, &numbers(&expected["streamedRawPrediction0"]), tolerance, "rawPrediction of streamed row");
}

fn raw_prediction(line: &str) -> f64 {
    let row: Value = serde_json::from_str(line).unwrap();
    row["rawPrediction"]["values"][0].as_f64().unwrap()
}

const SCHEMA: &str = "credit_policy INT, purpose STRING, int_rate DOUBLE, installment DOUBLE, log_annual_inc DOUBLE, \
dti DOUBLE, fico INT, days_with_cr_line DOUBLE, revol_bal INT, revol_util DOUBLE, inq_last_6mths INT, delinq_2yrs INT, \
pub_rec INT, not_fully_paid INT";

#[test]
fn the_loan_job_gives_the_numbers_of_spark_2_4() {
    check("2.4", include_str!("../../../../fixtures/spark/2.4/loan_job.json"), 1e-12);
}

#[test]
fn the_loan_job_gives_the_numbers_of_spark_3_5() {
    check("3.5", include_str!("../../../../fixtures/spark/3.5/loan_job.json"), 1e-9);
}

#[test]
fn the_loan_job_gives_the_numbers_of_spark_4_3() {
    check("4.3", include_str!("../../../../fixtures/spark/4.3/loan_job.json"), 1e-9);
}

/// All sets of nine columns; Spark's own tuner said what ten of them are worth (`loan_search.py`).
fn check_search(version: &str, expected: &str) {
    let Some(data) = loan_data() else { return };
    let expected: Value = serde_json::from_str(expected).unwrap();
    let place = Workplace::new();
    place.write(
        "search.yaml",
        &format!(
            "version: 1
sparkVersion: \"{version}\"
train:
  read: {{format: csv, path: {data}, schema: \"{SCHEMA}\", options: {{header: true}}}}
  dropna:
    subset: [credit_policy, int_rate, installment, log_annual_inc, dti, fico, revol_util, inq_last_6mths, purpose, not_fully_paid]
  pipeline:
    - StringIndexer: {{inputCol: purpose, outputCol: purpose_index, handleInvalid: keep}}
    - VectorAssembler: {{inputCols: [int_rate], outputCol: features}}
    - LogisticRegression: {{labelCol: not_fully_paid, maxIter: 10, regParam: 0.01}}
search:
  columns: [credit_policy, int_rate, installment, log_annual_inc, dti, fico, revol_util, inq_last_6mths, purpose_index]
  into: VectorAssembler.inputCols
  validate: {{TrainValidationSplit: {{trainRatio: 0.8, seed: 12345}}}}
  evaluator: {{BinaryClassificationEvaluator: {{labelCol: not_fully_paid, metricName: areaUnderROC}}}}
",
            data = data.display()
        ),
    );
    let found = place.run(&["search", "search.yaml", "--output", "json"]).json();
    let found = found["sets"].as_array().unwrap();
    assert_eq!(found.len(), 511);
    let expected = expected["sets"].as_array().unwrap();
    assert_eq!(expected.len(), 10);
    for wanted in expected {
        let set = found.iter().find(|set| set["columns"] == wanted["columns"]).unwrap();
        let (metric, wanted) = (set["metric"].as_f64().unwrap(), wanted["metric"].as_f64().unwrap());
        assert_near(&[metric], &[wanted], 1e-9, &set["columns"].to_string());
    }
}

#[test]
fn the_search_over_511_sets_gives_the_numbers_of_spark_3_5() {
    check_search("3.5", include_str!("../../../../fixtures/spark/3.5/loan_search.json"));
}

#[test]
fn the_search_over_511_sets_gives_the_numbers_of_spark_4_3() {
    check_search("4.3", include_str!("../../../../fixtures/spark/4.3/loan_search.json"));
}
