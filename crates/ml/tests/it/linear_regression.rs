//! `LinearRegression` against `fixtures/spark/{3.5,4.3}/linear_regression_*` and `linear_regressions.json`, whose program is
//! `fixtures/spark/linear_regressions.py`.

use std::any::Any;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use ognivo_data::dataset::Dataset;
use ognivo_data::schema;
use ognivo_data::vector::{Vector, number_from_json};
use ognivo_data::version::SparkVersion;
use ognivo_ml::param::Key;
use ognivo_ml::regression::linear_regression::Performance;
use ognivo_ml::regression::{LinearRegression, LinearRegressionModel};
use ognivo_ml::stage::{Configured, FitError, Stage, Transformer};
use serde_json::Value;

use crate::fixtures::{Case, LINES, dataset, executors, input, json};
use crate::golden::schema_json;
use crate::regressions::table;

/// Of numbers that come from sums alone, and of those that an optimiser leaves behind.
const TOLERANCE_OF_EQUATION: f64 = 1e-10;
const TOLERANCE_OF_DESCENT: f64 = 1e-9;

#[track_caller]
fn assert_near(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}: {ours:?} against {theirs:?}");
    let scale = theirs.iter().filter(|value| value.is_finite()).fold(0.0, |scale: f64, value| scale.max(value.abs()));
    for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let same = ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan());
        let near = (ours - theirs).abs() <= tolerance * theirs.abs().max(scale * 1e-3);
        assert!(same || near, "{what}, {at}: {ours} against {theirs}");
    }
}

/// Errors and what is made of them; those of a perfect fit are rounding, on either side.
#[track_caller]
fn assert_near_or_rounding(what: &str, ours: &[f64], theirs: &[f64]) {
    let rounded = |values: &[f64]| -> Vec<f64> {
        values.iter().map(|&value| if value.abs() < 1e-9 { 0.0 } else { value }).collect()
    };
    assert_near(what, &rounded(ours), &rounded(theirs), 1e-9);
}

/// A number of a fixture; `"NaN"`, `"Infinity"` and `"-Infinity"` are numbers too.
fn number(value: &Value) -> f64 {
    number_from_json(value).unwrap_or_else(|| panic!("not a number: {value}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

/// What Spark knows of a model, and ours of the same rows.
struct Fitted<'a> {
    name: String,
    model: LinearRegressionModel,
    expected: &'a Value,
}

impl Fitted<'_> {
    fn expect(&self, key: &str) -> &Value {
        &self.expected[key]
    }

    fn name(&self, key: &str) -> String {
        format!("{} {key}", self.name)
    }

    fn check(&self) {
        self.check_coefficients();
        self.check_history();
        let summary = self.model.summary().expect("a fitted model has a summary");
        let performance = summary.performance().expect("the rows are in memory");
        self.check_metrics(performance);
        self.check_inference(performance);
        let residuals = summary.residuals().collect().expect("the rows are in memory").remove(0).remove(0);
        let residuals = residuals["residuals"].as_primitive::<Float64Type>().values().to_vec();
        let expect = numbers(self.expect("residuals"));
        assert_near_or_rounding(&self.name("residuals"), &residuals[..expect.len()], &expect);
    }

    fn check_coefficients(&self) {
        let is_of_equation = numbers(self.expect("objectiveHistory")) == [0.0];
        let tolerance = if is_of_equation { TOLERANCE_OF_EQUATION } else { TOLERANCE_OF_DESCENT };
        let expect = Vector::from_json(self.expect("coefficients")).map_or_else(
            || numbers(self.expect("coefficients")),
            |expect| {
                let is_sparse = |vector: &Vector| matches!(vector, Vector::Sparse { .. });
                assert_eq!(is_sparse(self.model.coefficients()), is_sparse(&expect), "{}", self.name);
                expect.to_dense()
            },
        );
        assert_near(&self.name("coefficients"), &self.model.coefficients().to_dense(), &expect, tolerance);
        // The intercept is what is left after predictions at the mean.
        let size = expect.iter().fold(number(self.expect("intercept")).abs(), |size, value| size.max(value.abs()));
        let off = (self.model.intercept() - number(self.expect("intercept"))).abs();
        assert!(off <= tolerance * size, "{}: {} off", self.name("intercept"), off);
        assert_near(&self.name("scale"), &[self.model.scale()], &[number(self.expect("scale"))], tolerance);
    }

    fn check_history(&self) {
        let summary = self.model.summary().expect("a fitted model has a summary");
        let (ours, theirs) = (summary.objective_history(), numbers(self.expect("objectiveHistory")));
        assert_eq!(ours.len(), theirs.len(), "{}: {ours:?} against {theirs:?}", self.name);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            // A perfect fit leaves nothing but rounding.
            let near = (ours - theirs).abs() <= 1e-12 * theirs.abs() + 1e-15;
            assert!(near, "{}: {ours} against {theirs}", self.name("objectiveHistory"));
        }
        assert_eq!(self.expect("totalIterations").as_u64(), Some(summary.total_iterations() as u64), "{}", self.name);
    }

    fn check_metrics(&self, performance: &Performance) {
        let check =
            |key: &str, ours: f64| assert_near_or_rounding(&self.name(key), &[ours], &[number(self.expect(key))]);
        check("r2", performance.r2());
        check("r2adj", performance.r2_adjusted());
        check("explainedVariance", performance.explained_variance());
        check("meanAbsoluteError", performance.mean_absolute_error());
        check("meanSquaredError", performance.mean_squared_error());
        check("rootMeanSquaredError", performance.root_mean_squared_error());
        assert_eq!(self.expect("numInstances").as_u64(), Some(performance.n_instances()), "{}", self.name);
        assert_eq!(self.expect("degreesOfFreedom").as_i64(), Some(performance.degrees_of_freedom()), "{}", self.name);
        let residuals = numbers(self.expect("devianceResiduals"));
        assert_near_or_rounding(&self.name("devianceResiduals"), &performance.deviance_residuals(), &residuals);
    }

    fn check_inference(&self, performance: &Performance) {
        let errors = performance.coefficient_standard_errors();
        if self.expect("coefficientStandardErrors").is_string() {
            assert!(errors.is_none() && performance.t_values().is_none() && performance.p_values().is_none());
            return;
        }
        let errors = errors.unwrap_or_else(|| panic!("{}: Spark has standard errors", self.name));
        let (t, p) = (performance.t_values().expect("there are errors"), performance.p_values().expect("as well"));
        let near = |key: &str, ours: &[f64]| assert_near(&self.name(key), ours, &numbers(self.expect(key)), 1e-9);
        near("coefficientStandardErrors", errors);
        near("tValues", &t);
        if self.expect("pValues").is_string() {
            assert!(p.iter().all(|p| p.is_nan()), "{}: Spark has no p-values", self.name);
            return;
        }
        for (ours, theirs) in p.iter().zip(numbers(self.expect("pValues"))) {
            let same = (ours - theirs).abs() <= 1e-12 || (ours.is_nan() && theirs.is_nan());
            assert!(same, "{}: {ours} against {theirs}", self.name("pValues"));
        }
    }
}

/// Scores with Spark's own coefficients, so that only the last bits of a prediction may differ.
fn check_scores(case: &Case, model: &LinearRegressionModel) {
    let expected = &case.expected["model"];
    let coefficients = Vector::from_json(&expected["coefficients"]).expect("a vector");
    let mut spark = LinearRegressionModel::new(coefficients, number(&expected["intercept"]), 1.0);
    spark.params_mut().inherit(model.params());
    let rows = case.table("scoreOn");
    let bound = spark.bind(&rows.schema()).unwrap_or_else(|error| panic!("{}: {error}", case.path));
    let schema = schema::from_json(&case.expected["outputSchema"].to_string()).expect("Spark's schema");
    assert_eq!(schema_json(bound.output_schema()), schema_json(&schema), "{}", case.path);
    let (scored, expect) = (bound.apply(rows).expect("the batch has the schema").rows, case.scored());
    let column: String = spark.params().get(Key::new("predictionCol"));
    if column.is_empty() {
        return;
    }
    let values =
        |name: &str, rows: &arrow_array::RecordBatch| rows[name].as_primitive::<Float64Type>().values().to_vec();
    assert_near(&case.path, &values(&column, &scored), &values(&column, &expect), 1e-13);
}

/// A fit is refused where Spark refuses it, and else gives what Spark knows of its model.
fn check_fit(name: String, fitted: Result<LinearRegressionModel, FitError>, expected: &Value) {
    match (fitted, expected["fitError"].as_str()) {
        (Ok(model), None) => Fitted { name, model, expected }.check(),
        (Err(_), Some(_)) => {}
        (Ok(_), Some(spark)) => panic!("{name}: Spark refuses: {spark}"),
        (Err(ours), None) => panic!("{name}: {ours}"),
    }
}

fn check(case: &Case) {
    let Stage::Estimator(estimator) = case.stage() else { panic!("{}: not an estimator", case.path) };
    let estimator: Box<dyn Any> = estimator;
    let estimator = estimator.downcast::<LinearRegression>().expect("the case is of this estimator");
    let model = estimator.fit(&dataset(case.table("fitOn"))).unwrap_or_else(|error| panic!("{}: {error}", case.path));
    check_scores(case, &model);
    Fitted { name: case.path.clone(), model, expected: &case.expected["model"] }.check();
}

#[test]
fn directories_of_both_sparks_come_out() {
    for (line, _) in LINES {
        let cases = Case::all(line, &["linear_regression_"]);
        assert_eq!(cases.len(), 12, "{line}");
        cases.iter().for_each(check);
    }
}

fn estimator(params: &Value, version: SparkVersion) -> LinearRegression {
    let mut estimator = LinearRegression::new().spark_version(version);
    for (name, value) in params.as_object().expect("parameters by name") {
        estimator.params_mut().set_json(name, value).expect("a parameter of linear regression");
    }
    estimator
}

#[test]
fn fits_of_every_kind_and_on_more_rows_than_a_chunk_come_out_as_spark_s() {
    for (line, version) in LINES {
        let cases = json(&format!("{line}/linear_regressions.json"));
        let cases = cases.as_object().expect("cases by name");
        assert_eq!(cases.len(), 56, "{line}");
        for (name, expected) in cases {
            let name = format!("{line}, {name}");
            let rows = match expected["table"].as_str() {
                Some(table) => input(table),
                None => table(expected["rows"].as_u64().expect("a count") as usize, None),
            };
            let fitted = estimator(&expected["params"], version).fit(&dataset(rows));
            check_fit(name, fitted, expected);
        }
    }
}

#[test]
fn the_ways_of_2_4_lead_to_the_same_minimum() {
    let regression = || LinearRegression::new().reg_param(0.05).tol(1e-13).max_iter(500).weight_col("weight");
    for estimator in [regression(), regression().solver("l-bfgs"), regression().loss("huber")] {
        let numbers = |version: SparkVersion| {
            let model = estimator.clone().spark_version(version).fit(&dataset(input("houses"))).expect("houses fit");
            [model.coefficients().to_dense(), vec![model.intercept(), model.scale()]].concat()
        };
        // A descent within bounds stops when its next step is below 1e-5.
        assert_near("2.4", &numbers(SparkVersion::V2_4), &numbers(SparkVersion::V3_5), 1e-4);
    }
}

/// Bits of a model's numbers.
fn bits(estimator: &LinearRegression, data: &Dataset) -> Vec<u64> {
    let model = estimator.fit(data).expect("the rows can be learned from");
    let numbers = [model.coefficients().to_dense(), vec![model.intercept(), model.scale()]].concat();
    numbers.into_iter().map(f64::to_bits).collect()
}

#[test]
fn a_model_of_many_chunks_has_the_same_bits_with_any_number_of_threads() {
    let data = dataset(table(40_000, None));
    let regression = || LinearRegression::new().label_col("ternary");
    for estimator in [
        regression(),
        regression().weight_col("weight").reg_param(0.1),
        regression().solver("l-bfgs").max_iter(3),
        regression().loss("huber").max_iter(3),
    ] {
        let alone = bits(&estimator, &data);
        // The last executor takes partitions of one chunk only.
        for executor in &executors()[..3] {
            assert_eq!(bits(&estimator, &data.clone().with_executor(Arc::clone(executor))), alone);
        }
    }
}
