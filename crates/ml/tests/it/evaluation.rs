//! Evaluators against `fixtures/spark/{3.5,4.3}/*_evaluator`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float32Array, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;
use ognivo_data::dataset::{CHUNK_ROWS, Dataset, LocalExecutor};
use ognivo_data::fault::{Explain, Fault};
use ognivo_data::vector::{Vector, VectorBuilder, number_from_json, vector_field};
use ognivo_data::version::SparkVersion;
use ognivo_ml::evaluation::{
    BinaryClassificationEvaluator, EvaluateError, Evaluator, MulticlassClassificationEvaluator, RegressionEvaluator,
};
use ognivo_ml::saved::{SavedError, SavedStage};
use ognivo_ml::stage::Configured;
use serde_json::Value;

use crate::fixtures::{LINES, dataset, executors, input, json, rows_of_input, saved};

type Make = fn() -> Box<dyn Evaluator>;
type FromSaved = fn(&SavedStage) -> Result<Box<dyn Evaluator>, SavedError>;

const BINARY: (&str, FromSaved) =
    ("binary_classification_evaluator", |saved| Ok(Box::new(BinaryClassificationEvaluator::from_saved(saved)?)));
const MULTICLASS: (&str, FromSaved) = ("multiclass_classification_evaluator", |saved| {
    Ok(Box::new(MulticlassClassificationEvaluator::from_saved(saved)?))
});
const REGRESSION: (&str, FromSaved) =
    ("regression_evaluator", |saved| Ok(Box::new(RegressionEvaluator::from_saved(saved)?)));

fn multiclass() -> Box<dyn Evaluator> {
    Box::new(MulticlassClassificationEvaluator::new())
}

fn regression() -> Box<dyn Evaluator> {
    Box::new(RegressionEvaluator::new())
}

/// With the parameters of a fixture.
fn configured(make: Make, version: SparkVersion, params: &Value) -> Box<dyn Evaluator> {
    let mut evaluator = make();
    evaluator.set_version(version);
    for (name, value) in params.as_object().unwrap() {
        evaluator.params_mut().set_json(name, value).unwrap();
    }
    evaluator
}

/// Both are refused, or equal to 1e-12 of their size or of one.
#[track_caller]
fn assert_same(what: &str, ours: Result<f64, EvaluateError>, theirs: &Value) {
    match (&ours, theirs.get("value")) {
        (Ok(ours), Some(value)) => {
            let theirs = number_from_json(value).unwrap();
            let is_near = (ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0);
            assert!(
                is_near || ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()),
                "{what}: {ours}, {theirs}"
            );
        }
        (Err(_), None) => {}
        _ => panic!("{what}: {ours:?}, Spark: {theirs}"),
    }
}

/// Every setting of a fixture, but for those that `differs` from Spark by what its documentation says.
fn check(name: &str, make: Make, differs: fn(&Value) -> bool) {
    for (line, version) in LINES {
        let expected = json(&format!("{line}/{name}/expected.json"));
        let table = expected["input"].as_str().unwrap();
        let rows = input(table);
        let (results, edges) = (expected["results"].as_array().unwrap(), expected["edges"].as_array().unwrap());
        let (mut n_values, mut n_errors) = (0, 0);
        for result in results.iter().chain(edges) {
            let measured = match result.get("row") {
                Some(row) => {
                    let odd = rows_of_input(table, &[row]);
                    concat_batches(&rows.schema(), [&rows.slice(0, 3), &odd]).unwrap()
                }
                None => rows.slice(0, result["rows"].as_u64().map_or(rows.num_rows(), |n_rows| n_rows as usize)),
            };
            let evaluator = configured(make, version, &result["params"]);
            assert_eq!(evaluator.is_larger_better(), result["isLargerBetter"], "{line} {}", result["params"]);
            let what = format!("{line} {} {} {}", result["params"], result["rows"], result["what"]);
            let ours = evaluator.evaluate(&dataset(measured));
            if differs(result) {
                assert!(ours.is_err() == result.get("value").is_some(), "{what}: {ours:?} is no difference");
                continue;
            }
            assert_same(&what, ours, result);
            match result.get("value") {
                Some(_) => n_values += 1,
                None => n_errors += 1,
            }
        }
        assert!(n_values > 80 && n_errors > 20, "{line} {name}: {n_values} values, {n_errors} errors");
    }
}

#[test]
fn multiclass_metrics_are_spark_s_in_every_setting_and_at_the_edges() {
    check("multiclass_classification_evaluator", multiclass, |result| {
        // No rows are an error, and so is a label of NaN; Spark has an answer for some metrics.
        let is_empty = result["rows"] == 0;
        (is_empty || result["what"] == "NaN as label") && result.get("value").is_some()
    });
}

#[test]
fn regression_metrics_are_spark_s_in_every_setting_and_at_the_edges() {
    check("regression_evaluator", regression, |_| false);
}

#[test]
fn areas_are_spark_s_for_every_metric_column_weight_and_number_of_bins() {
    for (line, version) in LINES {
        let expected = json(&format!("{line}/binary_classification_evaluator/expected.json"));
        let data = dataset(input(expected["input"].as_str().unwrap()));
        let results = expected["results"].as_array().unwrap();
        assert_eq!(results.len(), 32, "{line}");
        for result in results {
            let mut evaluator = BinaryClassificationEvaluator::new();
            evaluator.set_version(version);
            for (name, value) in result["params"].as_object().unwrap() {
                evaluator.params_mut().set_json(name, value).unwrap();
            }
            let (ours, theirs) = (evaluator.evaluate(&data).unwrap(), result["value"].as_f64().unwrap());
            assert!((ours - theirs).abs() <= 1e-14, "{line} {}: {ours} against {theirs}", result["params"]);
        }
    }
}

#[test]
fn an_evaluator_reads_what_it_saves() -> Result<(), SavedError> {
    let evaluator = BinaryClassificationEvaluator::new().label_col("y").metric("areaUnderPR").num_bins(7);
    for layout in [SparkVersion::V3_5, SparkVersion::V4_3] {
        let saved = evaluator.to_saved(layout)?;
        let again = BinaryClassificationEvaluator::from_saved(&saved)?;
        assert_eq!(again.to_saved(layout)?, saved);
        assert_eq!(again.metric_name(), "areaUnderPR");
    }
    assert!(evaluator.to_saved(SparkVersion::V2_4).is_err(), "2.4 has no numBins");
    Ok(())
}

#[test]
fn an_evaluator_says_again_what_spark_saved() -> Result<(), SavedError> {
    for (line, version) in LINES {
        for (name, from_saved) in [BINARY, MULTICLASS, REGRESSION] {
            let spark = saved(&format!("{line}/{name}/evaluator"));
            assert_eq!(from_saved(&spark)?.to_saved(version)?, spark, "{line} {name}");
        }
    }
    Ok(())
}

#[test]
fn the_layout_of_2_4_takes_only_metrics_and_parameters_that_it_knows() -> Result<(), SavedError> {
    let saved = MulticlassClassificationEvaluator::new().metric("accuracy").to_saved(SparkVersion::V2_4)?;
    assert_eq!(saved.default_param_map.keys().collect::<Vec<_>>(), ["labelCol", "metricName", "predictionCol"]);
    assert_eq!(
        MulticlassClassificationEvaluator::from_saved(&saved)?.to_saved(SparkVersion::V2_4)?.param_map,
        saved.param_map
    );
    let loss = MulticlassClassificationEvaluator::new().metric("logLoss").to_saved(SparkVersion::V2_4).unwrap_err();
    assert_eq!(
        (loss.field.as_str(), loss.reason.as_str()),
        ("metricName", "Spark 2.4 does not know this metric: logLoss")
    );
    assert!(RegressionEvaluator::new().metric("var").to_saved(SparkVersion::V2_4).is_err());
    assert!(RegressionEvaluator::new().through_origin(true).to_saved(SparkVersion::V2_4).is_err());
    RegressionEvaluator::new().metric("r2").to_saved(SparkVersion::V2_4).map(drop)
}

/// Partitions of two chunks and a bit, and of a few rows: labels, predictions, weights and probabilities of a formula.
fn many_rows() -> Dataset {
    let n_rows = [2 * CHUNK_ROWS + 100, 77];
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let fields = vec![number("label"), number("prediction"), number("weight"), vector_field("probability")];
    let schema = Arc::new(Schema::new(fields));
    let partition = |n_rows: usize| {
        let column =
            |value: fn(usize) -> f64| Arc::new((0..n_rows).map(value).map(Some).collect::<Float64Array>()) as ArrayRef;
        let mut probabilities = VectorBuilder::new();
        for i in 0..n_rows {
            let share = 1.0 / (1.0 + (i % 17) as f64);
            probabilities.push(Vector::Dense(vec![share, 1.0 - share, 0.0]).as_ref());
        }
        let columns = vec![
            column(|i| (i * 7 % 3) as f64),
            column(|i| (i * 5 % 4) as f64),
            column(|i| 0.1 + (i % 13) as f64 / 7.0),
            probabilities.finish(),
        ];
        vec![RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()]
    };
    let partitions = n_rows.map(partition).into();
    Dataset::in_memory(Arc::clone(&schema), partitions, Arc::new(LocalExecutor::single_threaded()))
}

#[test]
fn a_metric_has_the_same_bits_with_any_number_of_threads() {
    let data = many_rows();
    let multiclass = |metric: &str| MulticlassClassificationEvaluator::new().metric(metric).weight_col("weight");
    let regression = |metric: &str| RegressionEvaluator::new().metric(metric).weight_col("weight");
    let evaluators: [Box<dyn Evaluator>; 5] = [
        Box::new(multiclass("f1")),
        Box::new(multiclass("logLoss")),
        Box::new(regression("rmse")),
        Box::new(regression("r2")),
        Box::new(regression("var")),
    ];
    // The last one takes partitions of one chunk only.
    let executors = &executors()[..3];
    for evaluator in &evaluators {
        let alone = evaluator.evaluate(&data).unwrap();
        assert!(alone.is_finite());
        for executor in executors {
            let ours = evaluator.evaluate(&data.clone().with_executor(Arc::clone(executor))).unwrap();
            assert_eq!(ours.to_bits(), alone.to_bits(), "{} on {executor:?}", evaluator.metric_name());
        }
    }
}

#[test]
fn a_metric_is_the_same_when_passes_travel_as_bytes() {
    let remote = executors().pop().unwrap();
    for (table, make, metric) in [
        ("classified", multiclass as Make, "logLoss"),
        ("classified", multiclass, "f1"),
        ("measured", regression, "var"),
    ] {
        let mut evaluator = make();
        evaluator.params_mut().set_json("metricName", &metric.into()).unwrap();
        let data = dataset(input(table));
        let (here, there) = (evaluator.evaluate(&data), evaluator.evaluate(&data.with_executor(Arc::clone(&remote))));
        assert_eq!(here.unwrap().to_bits(), there.unwrap().to_bits(), "{metric}");
    }
}

/// The table with the column `name` replaced.
fn replaced(table: &str, name: &str, column: ArrayRef) -> Dataset {
    let rows = input(table);
    let position = rows.schema().index_of(name).unwrap();
    let mut fields: Vec<Field> = rows.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields[position] = Field::new(name, column.data_type().clone(), true);
    let mut columns = rows.columns().to_vec();
    columns[position] = column;
    dataset(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap())
}

#[test]
fn regression_takes_floats_as_predictions_and_classification_does_not() {
    let doubles: Vec<f64> = (0..70).map(|i| f64::from(i) * 0.25 + 240.0).collect();
    let floats: Float32Array = doubles.iter().map(|&value| Some(value as f32)).collect();
    let of_doubles =
        RegressionEvaluator::new().evaluate(&replaced("measured", "prediction", Arc::new(Float64Array::from(doubles))));
    let of_floats = RegressionEvaluator::new().evaluate(&replaced("measured", "prediction", Arc::new(floats)));
    assert_eq!(of_floats.unwrap().to_bits(), of_doubles.unwrap().to_bits());
    let floats = input("classified")["prediction"]
        .as_primitive::<Float64Type>()
        .unary::<_, arrow_array::types::Float32Type>(|value| value as f32);
    refuses(
        multiclass(),
        &replaced("classified", "prediction", Arc::new(floats)),
        Fault::Job,
        "stage `…`: column `prediction` must be a double: float",
    );
}

#[track_caller]
fn refuses(evaluator: Box<dyn Evaluator>, data: &Dataset, fault: Fault, expect: &str) {
    let error = evaluator.evaluate(data).unwrap_err();
    assert_eq!(error.to_string().replace(evaluator.uid().as_str(), "…"), expect);
    assert_eq!(error.fault(), fault, "{expect}");
}

/// Three good rows of a table and a fourth with this column changed.
fn with(table: &str, column: &str, value: Value) -> Dataset {
    let rows = input(table);
    let mut odd = json(&format!("4.3/{}/expected.json", if table == "measured" { REGRESSION.0 } else { MULTICLASS.0 }))
        ["edges"][0]["row"]
        .clone();
    odd["label"] = 1.0.into();
    odd[column] = value;
    dataset(concat_batches(&rows.schema(), [&rows.slice(0, 3), &rows_of_input(table, &[&odd])]).unwrap())
}

#[test]
fn what_cannot_be_measured_is_told_with_its_column() {
    let of = |metric: &str| MulticlassClassificationEvaluator::new().metric(metric).weight_col("weight");
    let check = |evaluator: MulticlassClassificationEvaluator, column: &str, value: Value, expect: &str| {
        refuses(Box::new(evaluator), &with("classified", column, value), Fault::Data, expect);
    };
    check(of("f1"), "label", Value::Null, "stage `…`: column `label`: must not be null");
    check(of("f1"), "label", "NaN".into(), "stage `…`: column `label`: must not be NaN");
    check(of("f1"), "prediction", Value::Null, "stage `…`: column `prediction`: must not be null");
    check(of("f1"), "weight", "NaN".into(), "stage `…`: column `weight`: must be finite: NaN");
    check(of("f1"), "weight", (-0.5).into(), "stage `…`: column `weight`: must not be negative: -0.5");
    check(
        of("logLoss"),
        "label",
        (-1.0).into(),
        "stage `…`: column `label`: must be 0, 1, 2 and so on for logLoss: -1",
    );
    check(of("logLoss"), "label", 1.5.into(), "stage `…`: column `label`: must be 0, 1, 2 and so on for logLoss: 1.5");
    check(
        of("logLoss"),
        "label",
        6.0.into(),
        "stage `…`: column `probability`: must have a slot for the label 6: 6 slots",
    );
    check(of("logLoss"), "probability", Value::Null, "stage `…`: column `probability`: must not be null");
    let nothing = dataset(input("classified").slice(0, 0));
    refuses(multiclass(), &nothing, Fault::Data, "evaluator `…`: the dataset has no rows");
    refuses(regression(), &nothing, Fault::Data, "evaluator `…`: the dataset has no rows");
    // The first row weighs nothing.
    let weightless = dataset(input("measured").slice(0, 1));
    let weighted = Box::new(RegressionEvaluator::new().weight_col("weight"));
    refuses(weighted, &weightless, Fault::Data, "evaluator `…`: no row has a weight above 0");
}

#[test]
fn a_label_that_no_row_has_is_told_with_those_that_there_are() {
    let data = dataset(input("classified"));
    let evaluator = MulticlassClassificationEvaluator::new().metric("recallByLabel").metric_label(4.0);
    let error = evaluator.evaluate(&data).unwrap_err();
    assert_eq!(error.hint().unwrap(), "labels that there are begin with: 0, 1, 2, 3, 5");
    let expect = "evaluator `…`: no row has the label that `metricLabel` asks for: 4";
    refuses(Box::new(evaluator), &data, Fault::Job, expect);
}

#[test]
fn parameters_out_of_range_are_refused_before_a_row_is_read() {
    let data = dataset(input("classified"));
    let new = MulticlassClassificationEvaluator::new;
    for (evaluator, expect) in [
        (new().eps(0.5), "stage `…`: `eps` must be above 0 and below 0.5: 0.5"),
        (new().eps(0.0), "stage `…`: `eps` must be above 0 and below 0.5: 0.0"),
        (new().beta(0.0), "stage `…`: `beta` must be above 0: 0.0"),
        (new().metric_label(-1.0), "stage `…`: `metricLabel` must be at least 0: -1.0"),
    ] {
        refuses(Box::new(evaluator), &data, Fault::Job, expect);
    }
    let error = RegressionEvaluator::new().metric("rmes").evaluate(&data).unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean `rmse`?");
}

#[test]
fn columns_are_looked_for_without_reading_rows() {
    let classified = input("classified").schema();
    assert!(multiclass().check(&classified).is_ok());
    let of_other_names = MulticlassClassificationEvaluator::new().probability_col("p");
    assert!(of_other_names.check(&classified).is_ok(), "f1 reads no probabilities");
    let error = of_other_names.metric("logLoss").check(&classified).unwrap_err();
    assert!(error.to_string().contains("column `p` not found"), "{error}");
    let error = RegressionEvaluator::new().label_col("probability").check(&classified).unwrap_err();
    assert!(error.to_string().contains("column `probability` must be numeric"), "{error}");
    let error = BinaryClassificationEvaluator::new().raw_prediction_col("whole").check(&classified).unwrap_err();
    assert!(error.to_string().contains("column `whole` must be a double or a vector"), "{error}");
}
