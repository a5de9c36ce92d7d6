//! The original project's job, whole, against numbers of real Sparks: `fixtures/spark/<line>/loan_job.json`, whose program is
//! `fixtures/spark/loan_job.py` (3.5 and 4.3) or the project's own log (2.4.7).

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use ognivo_data::codec::RowDecoder;
use ognivo_data::codec::csv::{CsvDecoder, CsvOptions};
use ognivo_data::dataset::Dataset;
use ognivo_data::schema::parse_ddl;
use ognivo_data::vector::VectorColumn;
use ognivo_data::version::SparkVersion;
use ognivo_ml::classification::{LogisticRegression, LogisticRegressionModel};
use ognivo_ml::evaluation::BinaryClassificationEvaluator;
use ognivo_ml::feature::HandleInvalid;
use ognivo_ml::feature::string_indexer::StringIndexer;
use ognivo_ml::feature::vector_assembler::VectorAssembler;
use ognivo_ml::pipeline::Pipeline;
use ognivo_ml::stage::{Configured, Transformer};
use serde_json::Value;

use crate::fixtures::{dataset, json};

const SCHEMA: &str = "credit_policy INT, purpose STRING, int_rate DOUBLE, installment DOUBLE, log_annual_inc DOUBLE, \
    dti DOUBLE, fico INT, days_with_cr_line DOUBLE, revol_bal INT, revol_util DOUBLE, inq_last_6mths INT, \
    delinq_2yrs INT, pub_rec INT, not_fully_paid INT";
const FEATURES: [&str; 6] = ["credit_policy", "int_rate", "installment", "log_annual_inc", "dti", "purpose_index"];
const NEEDED: [&str; 7] =
    ["credit_policy", "int_rate", "installment", "log_annual_inc", "dti", "purpose", "not_fully_paid"];

/// The rows of the data set without nulls in the needed columns; `None` where the file is not at hand.
///
/// It bears no licence and is not in the repository.
#[allow(clippy::print_stderr, reason = "a check that did not run must be seen")]
fn loans() -> Option<RecordBatch> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/loan_data.csv");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("SKIPPED: the loan job is not checked, because the data set is missing: {}", path.display());
        return None;
    };
    let schema = Arc::new(parse_ddl(SCHEMA).unwrap());
    let options = CsvOptions::parse([("header", "true")]).unwrap();
    let mut decoder = CsvDecoder::new(schema, &options, None, 100_000).unwrap();
    assert_eq!(decoder.push(&bytes).unwrap(), bytes.len());
    decoder.finish().unwrap();
    let rows = decoder.take().unwrap().unwrap().rows;
    let is_whole = |row| NEEDED.iter().all(|name| rows[*name].is_valid(row));
    let whole: BooleanArray = (0..rows.num_rows()).map(|row| Some(is_whole(row))).collect();
    Some(filter_record_batch(&rows, &whole).unwrap())
}

#[track_caller]
fn assert_near(what: &str, ours: &[f64], theirs: &Value, tolerance: f64) {
    let theirs: Vec<f64> = match theirs.as_array() {
        Some(list) => list.iter().map(|value| value.as_f64().unwrap()).collect(),
        None => vec![theirs.as_f64().unwrap()],
    };
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!((ours - theirs).abs() <= tolerance * theirs.abs(), "{what}: {ours} against {theirs}");
    }
}

fn first_raw_predictions(scored: &Dataset, n_rows: usize) -> Vec<f64> {
    let rows = concat_batches(scored.schema(), scored.collect().unwrap().iter().flatten()).unwrap();
    let raw = VectorColumn::try_new(&rows["rawPrediction"]).unwrap();
    raw.iter().take(n_rows).map(|vector| vector.unwrap().to_owned().to_dense()[0]).collect()
}

/// The parts of the rows, and the model with the stages before it.
struct Trained {
    test: Dataset,
    n_train: usize,
    model: LogisticRegressionModel,
    prepare: Box<dyn Transformer>,
}

fn train(loans: &RecordBatch, version: SparkVersion) -> Trained {
    let indexer = StringIndexer::new().input_col("purpose").output_col("purpose_index");
    let assembler = VectorAssembler::new().input_cols(FEATURES).output_col("features");
    let mut prepare = Pipeline::new([indexer.handle_invalid(HandleInvalid::Keep).into(), assembler.into()]);
    prepare.set_version(version);
    let prepare = prepare.fit(&dataset(loans.clone())).unwrap();
    let prepared = prepare.transform(&dataset(loans.clone())).unwrap();
    let prepared = prepared.select(&["features", "not_fully_paid"]).unwrap();
    let parts = prepared.random_split_weights(&[0.8, 0.2], 12345, version).unwrap();
    let [train, test] = <[Dataset; 2]>::try_from(parts).unwrap();
    let regression = LogisticRegression::new().label_col("not_fully_paid").max_iter(10).reg_param(0.01);
    let model = regression.spark_version(version).fit(&train).unwrap();
    Trained { test, n_train: train.count().unwrap(), model, prepare: Box::new(prepare) }
}

fn check(loans: &RecordBatch, line: &str, version: SparkVersion, digits: f64) {
    let expected = json(&format!("{line}/loan_job.json"));
    let Trained { test, n_train, model, prepare } = train(loans, version);
    let n_test = test.count().unwrap();
    assert_eq!([n_train, n_test].map(|n| Some(n as u64)), ["train", "test"].map(|key| expected["rows"][key].as_u64()));

    let scored = model.transform(&test).unwrap();
    let mut evaluator = BinaryClassificationEvaluator::new().label_col("not_fully_paid");
    evaluator.set_version(version);
    assert_near("areaUnderROC", &[evaluator.evaluate(&scored).unwrap()], &expected["areaUnderROC"], digits.max(1e-12));
    assert_near("rawPrediction", &first_raw_predictions(&scored, 10), &expected["rawPrediction0"], digits);
    let all = model.transform(&prepare.transform(&dataset(loans.clone())).unwrap()).unwrap();
    assert_near("streamed", &first_raw_predictions(&all, 20), &expected["streamedRawPrediction0"], digits);
    if expected["coefficients"].is_null() {
        return;
    }
    let summary = model.summary().unwrap();
    assert_eq!(Some(summary.total_iterations() as u64), expected["iterations"].as_u64());
    assert_near("objectiveHistory", summary.objective_history(), &expected["objectiveHistory"], 1e-12);
    assert_near("coefficients", &model.coefficients().unwrap(), &expected["coefficients"], 1e-9);
    assert_near("intercept", &[model.intercept().unwrap()], &expected["intercept"], 1e-9);
    let pr = evaluator.metric("areaUnderPR").evaluate(&scored).unwrap();
    assert_near("areaUnderPR", &[pr], &expected["areaUnderPR"], 1e-12);
}

#[test]
fn the_loan_job_ends_with_the_numbers_of_spark_2_4_and_3_5_and_4_3() {
    let Some(loans) = loans() else { return };
    assert_eq!(loans.num_rows(), 9578);
    // The log of 2.4.7 gives 12 digits of the area and 15 of each prediction.
    check(&loans, "2.4", SparkVersion::V2_4, 1e-14);
    check(&loans, "3.5", SparkVersion::V3_5, 1e-9);
    check(&loans, "4.3", SparkVersion::V4_3, 1e-9);
}
