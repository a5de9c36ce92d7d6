//! `LogisticRegression` against `fixtures/spark/{3.5,4.3}/logistic_regression_*`, written by `fixtures/spark/make.py`.

use std::any::Any;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use ognivo_data::matrix::{Matrix, Storage};
use ognivo_data::schema;
use ognivo_data::vector::{Vector, VectorColumn, number_from_json};
use ognivo_ml::classification::{LogisticRegression, LogisticRegressionModel};
use ognivo_ml::param::Key;
use ognivo_ml::stage::{Configured, Stage, Transformer};
use serde_json::Value;

use crate::fixtures::{Case, LINES, dataset};
use crate::golden::schema_json;

#[track_caller]
fn assert_near(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}: {ours:?} against {theirs:?}");
    let scale = theirs.iter().filter(|value| value.is_finite()).fold(0.0, |scale: f64, value| scale.max(value.abs()));
    for (ours, theirs) in ours.iter().zip(theirs) {
        let same = ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan());
        let near = (ours - theirs).abs() <= tolerance * theirs.abs().max(scale.min(1.0) * 1e-3);
        assert!(same || near, "{what}: {ours} against {theirs}");
    }
}

/// A case, and the model that we fit from the same saved estimator on the same rows.
struct Fitted {
    case: Case,
    name: String,
    model: LogisticRegressionModel,
}

impl Fitted {
    fn of(case: Case) -> Fitted {
        let Stage::Estimator(estimator) = case.stage() else { panic!("{}: not an estimator", case.path) };
        let estimator: Box<dyn Any> = estimator;
        let estimator = estimator.downcast::<LogisticRegression>().expect("the case is of this estimator");
        let model = estimator.fit(&dataset(case.table("fitOn")));
        let model = model.unwrap_or_else(|error| panic!("{}: {error}", case.path));
        Fitted { name: case.path.clone(), case, model }
    }

    fn expect(&self, key: &str) -> &Value {
        &self.case.expected["model"][key]
    }

    fn check_history(&self) {
        let summary = self.model.summary().expect("a fitted model has a summary");
        assert_near(&self.name, summary.objective_history(), &numbers(self.expect("objectiveHistory")), 1e-12);
        assert_eq!(self.expect("totalIterations").as_u64(), Some(summary.total_iterations() as u64), "{}", self.name);
    }

    fn check_coefficients(&self) {
        let expect = self.expect("coefficientMatrix");
        let matrix = self.model.coefficient_matrix();
        assert_eq!(expect["numRows"].as_u64(), Some(matrix.n_rows() as u64));
        assert_eq!(expect["isTransposed"].as_bool(), Some(matrix.is_transposed()), "{}", self.name);
        match matrix.storage() {
            Storage::Dense(values) => {
                assert_eq!(expect["type"], 1, "{}: sparse in Spark", self.name);
                assert_near(&self.name, values, &numbers(&expect["values"]), 1e-9);
            }
            Storage::Sparse { pointers, indices, values } => {
                assert_eq!(expect["type"], 0, "{}: dense in Spark", self.name);
                assert_near(&self.name, values, &numbers(&expect["values"]), 1e-9);
                let integers = |values: &[i32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
                assert_near(&self.name, &integers(pointers), &numbers(&expect["colPtrs"]), 0.0);
                assert_near(&self.name, &integers(indices), &numbers(&expect["rowIndices"]), 0.0);
            }
        }
        let expect = vector(self.expect("interceptVector"));
        let intercepts = self.model.intercept_vector();
        assert_eq!(matches!(intercepts, Vector::Dense(_)), matches!(expect, Vector::Dense(_)), "{}", self.name);
        assert_near(&self.name, &intercepts.to_dense(), &expect.to_dense(), 1e-9);
        assert_eq!(self.expect("numClasses").as_u64(), Some(self.model.n_classes() as u64));
    }

    fn check_performance(&self) {
        let summary = self.model.summary().expect("a fitted model has a summary");
        let performance = summary.performance().expect("the rows are in memory");
        let confusion = &performance.confusion;
        let labels = confusion.labels();
        let check = |key: &str, ours: &[f64]| match self.expect(key) {
            Value::Array(_) => assert_near(&format!("{} {key}", self.name), ours, &numbers(self.expect(key)), 1e-12),
            theirs => assert_near(&format!("{} {key}", self.name), ours, &[number(theirs)], 1e-12),
        };
        let per_label = |metric: &dyn Fn(f64) -> f64| labels.iter().map(|&label| metric(label)).collect::<Vec<_>>();
        check("labels", &labels);
        check("accuracy", &[confusion.accuracy()]);
        check("precisionByLabel", &per_label(&|label| confusion.precision(label)));
        check("recallByLabel", &per_label(&|label| confusion.recall(label)));
        check("falsePositiveRateByLabel", &per_label(&|label| confusion.false_positive_rate(label)));
        check("fMeasureByLabel", &per_label(&|label| confusion.f_measure(label, 1.0)));
        check("weightedPrecision", &[confusion.weighted(|label| confusion.precision(label))]);
        check("weightedRecall", &[confusion.weighted(|label| confusion.recall(label))]);
        check("weightedFMeasure", &[confusion.weighted(|label| confusion.f_measure(label, 1.0))]);
        check("weightedFalsePositiveRate", &[confusion.weighted(|label| confusion.false_positive_rate(label))]);
        let Some(curve) = &performance.curve else { return };
        check("areaUnderROC", &[curve.area_under_roc()]);
        let check_curve = |key: &str, ours: Vec<(f64, f64)>| {
            let Some(theirs) = self.expect(key).as_array() else { return };
            let theirs: Vec<f64> = theirs.iter().flat_map(numbers).collect();
            let ours: Vec<f64> = ours.into_iter().flat_map(|(x, y)| [x, y]).collect();
            assert_near(&format!("{} {key}", self.name), &ours, &theirs, 1e-9);
        };
        check_curve("roc", curve.roc());
        check_curve("pr", curve.precision_recall());
        check_curve("precisionByThreshold", curve.precision_by_threshold());
        check_curve("recallByThreshold", curve.recall_by_threshold());
        check_curve("fMeasureByThreshold", curve.f_measure_by_threshold(1.0));
    }

    /// Scores with Spark's own coefficients, so that only the last bits of a margin may differ.
    fn check_scores(&self) {
        let spark =
            with_numbers_of_spark(&self.model, self.expect("coefficientMatrix"), self.expect("interceptVector"));
        let rows = self.case.table("scoreOn");
        let bound = spark.bind(&rows.schema()).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let expected = schema::from_json(&self.case.expected["outputSchema"].to_string()).expect("Spark's schema");
        assert_eq!(schema_json(bound.output_schema()), schema_json(&expected), "{}", self.name);
        let scored = bound.apply(rows).expect("the batch has the schema").rows;
        let expect = self.case.scored();
        assert!(expect.num_rows() > 0);
        for key in ["rawPredictionCol", "probabilityCol", "predictionCol"] {
            let column: String = spark.params().get(Key::new(key));
            for row_idx in (0..expect.num_rows()).filter(|_| !column.is_empty()) {
                let (ours, theirs) = (value(&scored, &column, row_idx), value(&expect, &column, row_idx));
                assert_near(&format!("{} row {row_idx} {column}", self.name), &ours, &theirs, 1e-13);
            }
        }
    }
}

/// A number of a fixture; `"NaN"`, `"Infinity"` and `"-Infinity"` are numbers too.
fn number(value: &Value) -> f64 {
    number_from_json(value).unwrap_or_else(|| panic!("not a number: {value}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn vector(value: &Value) -> Vector {
    Vector::from_json(value).expect("a vector")
}

fn with_numbers_of_spark(
    model: &LogisticRegressionModel,
    matrix: &Value,
    intercepts: &Value,
) -> LogisticRegressionModel {
    let size = |key: &str| matrix[key].as_u64().expect("a size") as usize;
    let integers = |key: &str| numbers(&matrix[key]).into_iter().map(|value| value as i32).collect();
    let values = numbers(&matrix["values"]);
    let storage = if matrix["type"] == 1 {
        Storage::Dense(values)
    } else {
        Storage::Sparse { pointers: integers("colPtrs"), indices: integers("rowIndices"), values }
    };
    let is_transposed = matrix["isTransposed"].as_bool().expect("a flag");
    let matrix = Matrix::try_new(size("numRows"), size("numCols"), storage, is_transposed).expect("Spark's matrix");
    let spark = LogisticRegressionModel::new(matrix, vector(intercepts), model.n_classes(), model.is_multinomial());
    let mut spark = spark.expect("the shapes are Spark's");
    spark.params_mut().inherit(model.params());
    spark
}

fn value(rows: &RecordBatch, column: &str, row_idx: usize) -> Vec<f64> {
    let column = rows.column_by_name(column).expect("the model adds its columns");
    if let Some(numbers) = column.as_primitive_opt::<Float64Type>() {
        return vec![numbers.value(row_idx)];
    }
    VectorColumn::try_new(column).expect("a vector column").get(row_idx).expect("a vector").to_owned().to_dense()
}

fn check(line: &str) {
    let cases = Case::all(line, &["logistic_regression_"]);
    assert_eq!(cases.len(), 26, "{line}");
    for case in cases.into_iter().map(Fitted::of) {
        case.check_history();
        case.check_coefficients();
        case.check_performance();
        case.check_scores();
    }
}

#[test]
fn every_case_of_both_sparks_comes_out() {
    LINES.iter().for_each(|(line, _)| check(line));
}
