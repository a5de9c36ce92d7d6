//! Logistic regressions on rows that a formula makes, against `fixtures/spark/<line>/regressions.json`, whose program is
//! `fixtures/spark/regressions.py`: more rows than a chunk, declared labels, initial models, corners of bounds and tolerances.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use ognivo_data::column::ML_ATTR;
use ognivo_data::dataset::Dataset;
use ognivo_data::vector::{VectorColumn, dense_column, vector_field};
use ognivo_data::version::SparkVersion;
use ognivo_ml::classification::{LogisticRegression, LogisticRegressionModel};
use ognivo_ml::evaluation::BinaryClassificationEvaluator;
use ognivo_ml::stage::{Configured, Transformer};
use serde_json::Value;

use crate::fixtures::{LINES, dataset, executors, json};

const N_FEATURES: usize = 6;

/// The rows of the formula; `declared` is a label column and how many labels its attribute declares.
pub(crate) fn table(n_rows: usize, declared: Option<(&str, u64)>) -> RecordBatch {
    let mut features = Vec::with_capacity(n_rows * N_FEATURES);
    let mut labels: [Vec<f64>; 4] = Default::default();
    for i in 0..n_rows {
        let slot = |j: usize| ((i * 7919 + j * 104_729 + i * j * 31 + (i * i % 127) * j) % 1009) as f64 / 64.0 - 7.0;
        let x: Vec<f64> = (0..N_FEATURES - 1).map(slot).chain([2.5]).collect();
        let noise = ((i * 6151) % 257) as f64 / 16.0 - 8.0;
        let score = x[0] - x[1] + noise;
        let is = |yes: bool| f64::from(u8::from(yes));
        labels[0].push(is(3.0 * x[0] - 2.0 * x[1] + x[2] + 2.0 * noise > 0.0));
        labels[1].push(is(score >= -5.0) + is(score >= 3.0));
        labels[2].push(is(x[0] > 0.5));
        labels[3].push(((i * 37) % 5) as f64 / 2.0);
        features.extend(x);
    }
    let column = |name: &str| {
        let field = Field::new(name, DataType::Float64, false);
        match declared.filter(|(declared, _)| *declared == name) {
            Some((_, n)) => {
                let attribute = format!(r#"{{"type":"nominal","num_vals":{n}}}"#);
                field.with_metadata([(ML_ATTR.to_owned(), attribute)].into())
            }
            None => field,
        }
    };
    let mut fields = vec![vector_field("features")];
    fields.extend(["binary", "ternary", "separable", "weight"].map(column));
    let mut columns = vec![dense_column(features, n_rows, N_FEATURES)];
    columns.extend(labels.map(|values| Arc::new(Float64Array::from(values)) as ArrayRef));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn estimator(params: &Value, version: SparkVersion) -> LogisticRegression {
    let mut estimator = LogisticRegression::new().spark_version(version);
    for (name, value) in params.as_object().unwrap() {
        estimator.params_mut().set_json(name, value).unwrap();
    }
    estimator
}

#[track_caller]
fn assert_near(what: &str, ours: &[f64], theirs: &Value, tolerance: f64) {
    let theirs: Vec<f64> = match theirs.as_array() {
        Some(list) => list.iter().map(|value| value.as_f64().unwrap()).collect(),
        None => vec![theirs.as_f64().unwrap()],
    };
    assert_eq!(ours.len(), theirs.len(), "{what}: {ours:?} against {theirs:?}");
    let scale = theirs.iter().fold(0.0, |scale: f64, value| scale.max(value.abs()));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let near = (ours - theirs).abs() <= tolerance * theirs.abs().max(scale * 1e-3);
        assert!(near, "{what}: {ours} against {theirs}");
    }
}

fn vectors(scored: &Dataset, name: &str) -> Vec<Vec<f64>> {
    let rows = scored.collect().unwrap().remove(0).remove(0);
    let column = VectorColumn::try_new(&rows[name]).unwrap();
    (0..3).map(|row| column.get(row).unwrap().to_owned().to_dense()).collect()
}

fn check(line: &str, version: SparkVersion, name: &str, expected: &Value) {
    let name = format!("{line}, {name}");
    let params = &expected["params"];
    let label = params["labelCol"].as_str().unwrap();
    let declared = expected["declared"].as_u64().map(|n| (label, n));
    let data = dataset(table(expected["rows"].as_u64().unwrap() as usize, declared));
    let mut estimator = estimator(params, version);
    if !expected["initial"].is_null() {
        estimator = estimator.initial_model(self::estimator(&expected["initial"], version).fit(&data).unwrap());
    }
    let model = estimator.fit(&data).unwrap_or_else(|error| panic!("{name}: {error}"));

    let summary = model.summary().unwrap();
    assert_near(&name, summary.objective_history(), &expected["objectiveHistory"], 1e-12);
    assert_near(&name, &model.coefficient_matrix().to_row_major(), &expected["coefficients"], 1e-9);
    assert_near(&name, &model.intercept_vector().to_dense(), &expected["intercepts"], 1e-9);
    assert_eq!(Some(model.n_classes() as u64), expected["numClasses"].as_u64(), "{name}");
    let performance = summary.performance().unwrap();
    assert_near(&name, &[performance.confusion.accuracy()], &expected["accuracy"], 1e-12);
    check_scores(&name, &model, &data, label, expected);
}

fn check_scores(name: &str, model: &LogisticRegressionModel, data: &Dataset, label: &str, expected: &Value) {
    let scored = model.transform(data).unwrap();
    for column in ["rawPrediction", "probability"] {
        for (ours, theirs) in vectors(&scored, column).iter().zip(expected[column].as_array().unwrap()) {
            assert_near(&format!("{name}, {column}"), ours, &theirs["values"], 1e-8);
        }
    }
    if expected["areaUnderROC"].is_null() {
        return;
    }
    let mut evaluator = BinaryClassificationEvaluator::new().label_col(label);
    evaluator.set_version(model.params().version());
    assert_near(name, &[evaluator.evaluate(&scored).unwrap()], &expected["areaUnderROC"], 1e-12);
    let curve = model.summary().unwrap().performance().unwrap().curve.as_ref().unwrap();
    assert_near(name, &[curve.area_under_roc()], &expected["summaryAreaUnderROC"], 1e-12);
    let area = evaluator.metric("areaUnderPR").evaluate(&scored).unwrap();
    assert_near(name, &[area], &expected["areaUnderPR"], 1e-12);
}

#[test]
fn every_case_of_both_sparks_comes_out() {
    for (line, version) in LINES {
        let cases = json(&format!("{line}/regressions.json"));
        let cases = cases.as_object().unwrap();
        assert_eq!(cases.len(), 20, "{line}");
        cases.iter().for_each(|(name, expected)| check(line, version, name, expected));
    }
}

#[test]
fn a_model_of_many_chunks_has_the_same_bits_with_any_number_of_threads() {
    let data = dataset(table(40_000, None));
    for estimator in [
        LogisticRegression::new().label_col("binary").weight_col("weight").max_iter(5),
        LogisticRegression::new().label_col("ternary").max_iter(3).reg_param(0.1),
    ] {
        let bits = |data: &Dataset| {
            let model = estimator.fit(data).unwrap();
            let numbers = [model.coefficient_matrix().to_row_major(), model.intercept_vector().to_dense()].concat();
            numbers.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        };
        let alone = bits(&data);
        // The last executor takes partitions of one chunk only.
        for executor in &executors()[..3] {
            let executor = Arc::clone(executor);
            assert_eq!(bits(&data.clone().with_executor(executor)), alone);
        }
    }
}
