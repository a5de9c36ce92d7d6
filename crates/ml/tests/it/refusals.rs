//! What logistic regression refuses, and how it says so.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use ognivo_data::dataset::Dataset;
use ognivo_data::fault::{Explain, Fault};
use ognivo_data::matrix::Matrix;
use ognivo_data::outcome::RejectCode;
use ognivo_data::vector::{Vector, VectorBuilder, vector_field};
use ognivo_data::version::SparkVersion;
use ognivo_ml::classification::LogisticRegression;
use ognivo_ml::evaluation::BinaryClassificationEvaluator;
use ognivo_ml::stage::{Configured, Transformer};

use crate::fixtures::dataset;

/// Features, label and weight; `None` is a null vector.
pub(crate) type Row<'a> = (Option<&'a [f64]>, f64, f64);

pub(crate) fn rows(rows: &[Row<'_>]) -> RecordBatch {
    let mut features = VectorBuilder::new();
    for (vector, _, _) in rows {
        match vector {
            Some(values) => features.push(Vector::Dense(values.to_vec()).as_ref()),
            None => features.push_null(),
        }
    }
    let numbers = |column: fn(&Row<'_>) -> f64| {
        Arc::new(rows.iter().map(|row| Some(column(row))).collect::<Float64Array>()) as ArrayRef
    };
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let schema = Schema::new(vec![vector_field("features"), number("label"), number("weight")]);
    let columns = vec![features.finish(), numbers(|row| row.1), numbers(|row| row.2)];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

const GOOD: [Row<'static>; 4] = [
    (Some(&[1.0, 0.5]), 0.0, 1.0),
    (Some(&[2.0, -0.5]), 1.0, 1.0),
    (Some(&[3.0, 1.5]), 0.0, 2.0),
    (Some(&[4.0, 0.0]), 1.0, 1.0),
];

/// The good rows and one more.
fn with(row: Row<'_>) -> Dataset {
    let mut all = GOOD.to_vec();
    all.push(row);
    dataset(rows(&all))
}

fn good() -> Dataset {
    dataset(rows(&GOOD))
}

#[track_caller]
fn check(estimator: LogisticRegression, data: &Dataset, fault: Fault, expect: &str) {
    let uid = estimator.uid().to_string();
    let error = estimator.fit(data).unwrap_err();
    assert_eq!(error.to_string(), format!("stage `{uid}`: {expect}"));
    assert_eq!(error.fault(), fault, "{error}");
}

fn regression() -> LogisticRegression {
    LogisticRegression::new().weight_col("weight")
}

#[test]
fn rows_that_cannot_be_learned_from_end_the_fit() {
    check(regression(), &with((None, 1.0, 1.0)), Fault::Data, "column `features`: must not be null");
    let nan: &[f64] = &[f64::NAN, 0.0];
    check(regression(), &with((Some(nan), 1.0, 1.0)), Fault::Data, "column `features`: a value is NaN or infinite");
    let fine: &[f64] = &[1.0, 0.0];
    let label = "column `label`: must be a whole number from 0";
    check(regression(), &with((Some(fine), 0.5, 1.0)), Fault::Data, &format!("{label}: 0.5"));
    check(regression(), &with((Some(fine), -1.0, 1.0)), Fault::Data, &format!("{label}: -1"));
    check(regression(), &with((Some(fine), f64::NAN, 1.0)), Fault::Data, &format!("{label}: NaN"));
    let weight = "column `weight`: must be finite and not negative";
    check(regression(), &with((Some(fine), 1.0, -0.5)), Fault::Data, &format!("{weight}: -0.5"));
    check(regression(), &with((Some(fine), 1.0, f64::INFINITY)), Fault::Data, &format!("{weight}: inf"));
    let longer: &[f64] = &[1.0, 0.0, 2.0];
    let sizes = "the features have different sizes: a vector of size 3 among vectors of size 2";
    check(regression(), &with((Some(longer), 1.0, 1.0)), Fault::Data, sizes);
    check(regression(), &with((Some(longer), 1.0, 0.0)), Fault::Data, sizes);
}

#[test]
fn spark_2_4_trains_on_nan_and_counts_labels_that_are_no_classes() {
    let old = || regression().spark_version(SparkVersion::V2_4);
    let nan: &[f64] = &[f64::NAN, 0.0];
    let model = old().fit(&with((Some(nan), 1.0, 1.0))).unwrap();
    assert!(model.coefficients().unwrap()[0].is_nan());
    let fine: &[f64] = &[1.0, 0.0];
    let expect = "labels that are no classes (whole numbers from 0): 1";
    check(old(), &with((Some(fine), 0.5, 1.0)), Fault::Data, expect);
}

#[test]
fn nothing_can_be_learned_from_no_rows() {
    let expect = "there are no rows to learn from, or all have the weight 0";
    check(regression(), &dataset(rows(&[])), Fault::Data, expect);
    check(regression(), &dataset(rows(&[(Some(&[1.0]), 1.0, 0.0)])), Fault::Data, expect);
    let empty: &[f64] = &[];
    check(regression(), &dataset(rows(&[(Some(empty), 1.0, 1.0)])), Fault::Data, "the feature vectors are empty");
}

#[test]
fn parameters_that_contradict_each_other_are_refused() {
    let bounds = Matrix::from_row_major(1, 2, vec![0.0, 0.0]);
    let bounded = || regression().lower_bounds_on_coefficients(bounds.clone());
    check(
        bounded().elastic_net_param(0.5),
        &good(),
        Fault::Job,
        "`elasticNetParam` must be 0 when there are bounds: 0.5",
    );
    check(
        regression().fit_intercept(false).lower_bounds_on_intercepts([0.0]),
        &good(),
        Fault::Job,
        "there are bounds on intercepts, and `fitIntercept` is false",
    );
    check(
        bounded().upper_bounds_on_coefficients(Matrix::from_row_major(1, 2, vec![1.0, -1.0])),
        &good(),
        Fault::Job,
        "a lower bound is above its upper bound: 0 and -1",
    );
    check(
        regression().upper_bounds_on_coefficients(Matrix::from_row_major(2, 2, vec![0.0; 4])),
        &good(),
        Fault::Job,
        "`upperBoundsOnCoefficients` must fit 1 sets of 2 coefficients: 2 × 2",
    );
    check(
        regression().thresholds([0.5, 0.2, 0.3]),
        &good(),
        Fault::Job,
        "`thresholds` must have one entry for each of the 2 classes: [0.5, 0.2, 0.3]",
    );
    check(
        regression().thresholds([0.0, 0.0]),
        &good(),
        Fault::Job,
        "`thresholds` must not be negative and hold one 0 at most: [0.0, 0.0]",
    );
    let alone = dataset(rows(&[(Some(&[1.0, 0.0]), 0.0, 1.0), (Some(&[2.0, 0.0]), 0.0, 1.0)]));
    check(
        regression().thresholds([0.5]),
        &alone,
        Fault::Job,
        "`thresholds` must have one entry for each of the 2 classes: [0.5]",
    );
    check(regression().reg_param(-1.0), &good(), Fault::Job, "`regParam` must be at least 0: -1.0");
}

#[test]
fn setting_threshold_forgets_thresholds_and_the_other_way_round() {
    let names =
        |estimator: &LogisticRegression| estimator.params().explicit().map(|(name, _)| name).collect::<Vec<_>>();
    let first = LogisticRegression::new().threshold(0.3);
    assert_eq!(names(&first), ["threshold"]);
    let second = first.thresholds([0.7, 0.3]);
    assert_eq!(names(&second), ["thresholds"]);
    assert_eq!(names(&second.threshold(0.1)), ["threshold"]);
}

#[test]
fn threshold_and_thresholds_that_agree_may_both_be_set() {
    let set = |threshold: f64| {
        let mut estimator = regression();
        let params = estimator.params_mut();
        params.set_json("threshold", &serde_json::json!(threshold)).unwrap();
        params.set_json("thresholds", &serde_json::json!([0.75, 0.25])).unwrap();
        estimator
    };
    assert!(set(0.25).fit(&good()).is_ok());
    let expect = "`threshold` and `thresholds` are both set and do not agree: 0.3 and [0.75, 0.25]";
    check(set(0.3), &good(), Fault::Job, expect);
}

#[test]
fn a_row_that_cannot_be_scored_is_rejected_and_the_others_go_on() {
    let model = regression().max_iter(2).fit(&good()).unwrap();
    let longer: &[f64] = &[1.0, 0.0, 2.0];
    let batch = rows(&[GOOD[0], (None, 0.0, 1.0), (Some(longer), 0.0, 1.0), GOOD[1]]);
    let outcome = model.bind(&batch.schema()).unwrap().apply(batch).unwrap();
    assert_eq!((outcome.rows.num_rows(), outcome.fates.kept_rows()), (2, vec![0, 3]));
    let rejections: Vec<_> = outcome.fates.rejections().collect();
    let told = rejections.iter().map(|(row, why)| (*row, why.code, why.column.as_str(), why.message.as_str()));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (1, RejectCode::NullValue, "features", "must not be null"),
            (2, RejectCode::WrongSize, "features", "must have 2 slots: 3"),
        ]
    );
    assert_eq!(rejections[0].1.stage, model.uid().to_string());
}

#[test]
fn one_label_alone_needs_no_training() {
    let ones = || dataset(rows(&[(Some(&[1.0, 2.0]), 1.0, 1.0), (Some(&[2.0, 1.0]), 1.0, 1.0)]));
    for (version, history) in [(SparkVersion::V2_4, vec![]), (SparkVersion::V4_3, vec![0.0])] {
        let model = regression().spark_version(version).fit(&ones()).unwrap();
        assert_eq!((model.coefficients(), model.intercept()), (Some(vec![0.0, 0.0]), Some(f64::INFINITY)));
        assert_eq!(model.summary().unwrap().objective_history(), history);
    }
    let zeros = dataset(rows(&[(Some(&[1.0, 2.0]), 0.0, 1.0), (Some(&[2.0, 1.0]), 0.0, 1.0)]));
    assert_eq!(regression().fit(&zeros).unwrap().intercept(), Some(f64::NEG_INFINITY));
}

#[test]
fn the_evaluator_refuses_columns_and_rows_that_it_cannot_measure() {
    let evaluate = |evaluator: BinaryClassificationEvaluator, data: &Dataset| {
        let uid = evaluator.uid().to_string();
        evaluator.evaluate(data).unwrap_err().to_string().replace(&uid, "…")
    };
    let scores = || BinaryClassificationEvaluator::new().raw_prediction_col("features");
    assert_eq!(evaluate(scores(), &dataset(rows(&[]))), "evaluator `…`: the dataset has no rows");
    assert_eq!(evaluate(scores(), &with((None, 1.0, 1.0))), "stage `…`: column `features`: must not be null");
    let short: &[f64] = &[1.0];
    assert_eq!(
        evaluate(scores(), &with((Some(short), 1.0, 1.0))),
        "stage `…`: column `features`: must have two slots or more: 1"
    );
    assert_eq!(
        evaluate(scores().weight_col("weight"), &with((Some(&[1.0, 2.0]), 1.0, -2.0))),
        "stage `…`: column `weight`: must not be negative: -2"
    );
    assert!(
        evaluate(scores().label_col("features"), &good()).starts_with("stage `…`: column `features` must be numeric")
    );
    assert!(evaluate(scores().metric("area"), &good()).starts_with("stage `…`: `metricName` must be one of"));
}
