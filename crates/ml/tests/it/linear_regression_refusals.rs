//! What linear regression refuses, and how it says so.

use ognivo_data::dataset::Dataset;
use ognivo_data::fault::{Explain, Fault};
use ognivo_data::vector::dense_column;
use ognivo_data::version::SparkVersion;
use ognivo_ml::regression::LinearRegression;
use ognivo_ml::stage::Configured;

use crate::fixtures::dataset;
use crate::refusals::{Row, rows};

const GOOD: [Row<'static>; 5] = [
    (Some(&[1.0, 0.5]), 10.0, 1.0),
    (Some(&[2.0, -0.5]), 12.5, 1.0),
    (Some(&[3.0, 1.5]), 15.0, 2.0),
    (Some(&[4.0, 0.0]), 18.0, 1.0),
    (Some(&[5.0, 2.0]), 19.0, 0.0),
];

/// The good rows and one more.
fn with(row: Row<'_>) -> Dataset {
    let mut all = GOOD.to_vec();
    all.push(row);
    dataset(rows(&all))
}

fn regression() -> LinearRegression {
    LinearRegression::new().weight_col("weight")
}

/// With each solver and loss.
fn all_kinds() -> [LinearRegression; 3] {
    [regression().solver("normal"), regression().solver("l-bfgs"), regression().loss("huber")]
}

#[track_caller]
fn check(estimator: &LinearRegression, data: &Dataset, fault: Fault, expect: &str) {
    let error = estimator.fit(data).unwrap_err();
    assert_eq!(error.to_string(), format!("stage `{}`: {expect}", estimator.uid()));
    assert_eq!(error.fault(), fault, "{error}");
}

#[test]
fn rows_that_cannot_be_learned_from_end_the_fit() {
    let fine: &[f64] = &[1.0, 0.0];
    let longer: &[f64] = &[1.0, 0.0, 2.0];
    for regression in all_kinds() {
        let refused = |row: Row<'_>, expect: &str| check(&regression, &with(row), Fault::Data, expect);
        refused((None, 1.0, 1.0), "column `features`: must not be null");
        refused((Some(&[f64::NAN, 0.0]), 1.0, 1.0), "column `features`: a value is NaN or infinite");
        refused((Some(&[0.0, f64::INFINITY]), 1.0, 0.0), "column `features`: a value is NaN or infinite");
        refused((Some(fine), f64::NAN, 1.0), "column `label`: must be a finite number: NaN");
        refused((Some(fine), f64::NEG_INFINITY, 1.0), "column `label`: must be a finite number: -inf");
        refused((Some(fine), 1.0, -0.5), "column `weight`: must be finite and not negative: -0.5");
        refused((Some(fine), 1.0, f64::INFINITY), "column `weight`: must be finite and not negative: inf");
        let sizes = "the features have different sizes: a vector of size 3 among vectors of size 2";
        refused((Some(longer), 1.0, 1.0), sizes);
        refused((Some(longer), 1.0, 0.0), sizes);
    }
}

#[test]
fn nothing_can_be_learned_from_no_rows() {
    let empty: &[f64] = &[];
    for regression in all_kinds() {
        let expect = "there are no rows to learn from, or all have the weight 0";
        check(&regression, &dataset(rows(&[])), Fault::Data, expect);
        check(&regression, &dataset(rows(&[(Some(&[1.0]), 1.0, 0.0)])), Fault::Data, expect);
        let nothing = dataset(rows(&[(Some(empty), 1.0, 1.0)]));
        check(&regression, &nothing, Fault::Data, "the feature vectors are empty");
    }
}

#[test]
fn parameters_that_contradict_each_other_are_refused() {
    let refused = |regression: LinearRegression, expect: &str| {
        check(&regression, &dataset(rows(&GOOD)), Fault::Job, expect);
    };
    refused(
        regression().loss("huber").solver("normal"),
        "the huber loss has no normal equation: `solver` must be auto or l-bfgs",
    );
    refused(regression().loss("huber").elastic_net_param(0.5), "`elasticNetParam` must be 0 with the huber loss: 0.5");
    refused(regression().max_iter(0), "the normal equation needs `maxIter` to be at least 1: 0");
    refused(regression().loss("huber").epsilon(1.0), "`epsilon` must be above 1: 1.0");
    refused(regression().solver("newton"), "`solver` must be one of auto, normal, l-bfgs: newton");
}

#[test]
fn labels_that_are_all_the_same_cannot_be_learned_under_a_penalty_without_an_intercept() {
    let same = GOOD.map(|(features, _, weight)| (features, 7.5, weight));
    let expect = "all labels are 7.5 and there is no intercept: `regParam` must be 0: 0.5";
    for regression in all_kinds() {
        let penalised = regression.reg_param(0.5);
        check(&penalised.clone().fit_intercept(false), &dataset(rows(&same)), Fault::Data, expect);
        let model = penalised.fit(&dataset(rows(&same))).unwrap();
        assert_eq!((model.coefficients().to_dense(), model.intercept()), (vec![0.0, 0.0], 7.5));
        assert_eq!(model.summary().unwrap().objective_history(), [0.0]);
    }
}

#[test]
fn a_fit_without_a_finite_result_says_where_it_went_astray_and_why() {
    let huge: &[f64] = &[1e300, 0.0];
    let error = regression().solver("normal").fit(&with((Some(huge), 1e300, 1.0))).unwrap_err();
    assert!(error.to_string().contains("the fit diverged: a coefficient or the intercept is "), "{error}");
    assert_eq!(error.hint().unwrap(), "features or labels are so large that their squares overflow: scale them first");

    let error = regression().loss("huber").fit(&with((Some(huge), 1e308, 1.0))).unwrap_err();
    assert!(error.to_string().contains("the fit diverged: the objective is "), "{error}");
    assert!(error.to_string().ends_with(" at iteration 0"), "{error}");

    let nan: &[f64] = &[f64::NAN, 0.0];
    for regression in all_kinds() {
        let error = regression.spark_version(SparkVersion::V2_4).fit(&with((Some(nan), 1.0, 1.0))).unwrap_err();
        assert!(error.to_string().contains("the fit diverged"), "{error}");
        assert_eq!(error.hint().unwrap(), "Spark 2.4 takes rows with NaN and infinities: drop them first (dropna)");
    }
}

#[test]
fn more_features_than_sums_are_made_for_are_left_to_the_descent() {
    let n_features = 4097;
    let features = (0..2 * n_features).map(|at| ((at * 7) % 11) as f64).collect();
    let labels = std::sync::Arc::new(arrow_array::Float64Array::from(vec![1.0, 2.0])) as arrow_array::ArrayRef;
    let columns = [("features", dense_column(features, 2, n_features)), ("label", labels)];
    let wide = dataset(arrow_array::RecordBatch::try_from_iter(columns).unwrap());
    let regression = || LinearRegression::new().max_iter(2).reg_param(0.1);
    let expect = "the normal equation takes up to 4096 features: 4097";
    check(&regression().solver("normal"), &wide, Fault::Data, expect);
    let numbers = |solver: &str| regression().solver(solver).fit(&wide).unwrap().coefficients().to_dense();
    assert_eq!(numbers("auto"), numbers("l-bfgs"));
}
