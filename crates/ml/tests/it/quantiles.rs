//! Approximate quantiles, and the stages on them, on rows that a formula makes, against `fixtures/spark/<line>/quantiles.json`,
//! whose program is `fixtures/spark/quantiles.py`: heads of 50,000 values that fill and that do not, one partition and many.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use ognivo_data::dataset::{Dataset, LocalExecutor};
use ognivo_data::vector::{Vector, dense_column, number_from_json};
use ognivo_data::version::SparkVersion;
use ognivo_ml::feature::imputer::Imputer;
use ognivo_ml::feature::quantile_discretizer::QuantileDiscretizer;
use ognivo_ml::feature::robust_scaler::RobustScaler;
use ognivo_ml::stage::Configured;
use ognivo_ml::stat::ApproxQuantile;
use serde_json::Value;

use crate::fixtures::{LINES, executors, json};

const COLUMNS: [&str; 5] = ["scattered", "repeated", "ascending", "descending", "holed"];

/// What each of [`COLUMNS`] has in row `id`.
fn formulas(id: i64) -> [Option<f64>; 5] {
    let scattered = ((id * 7919 + id * id % 127) % 1_000_003) as f64 / 64.0 - 7000.0;
    let repeated = (id * 31 % 17 - 8) as f64;
    let repeated = if repeated == 0.0 && id % 2 == 1 { -0.0 } else { repeated };
    let holed = match (id % 7, id % 11) {
        (3, _) => None,
        (_, 5) => Some(f64::NAN),
        _ => Some(scattered),
    };
    let (ascending, descending) = (id as f64 / 4.0, (300_000 - id) as f64 / 4.0);
    [Some(scattered), Some(repeated), Some(ascending), Some(descending), holed]
}

/// The rows of the formulas in partitions as `spark.range` cuts them, with all columns as a vector, where null is NaN.
fn table(shape: &Value) -> Dataset {
    let (n_rows, n_partitions) = (shape["rows"].as_i64().unwrap(), shape["partitions"].as_i64().unwrap());
    let partition = |partition: i64| {
        let rows = partition * n_rows / n_partitions..(partition + 1) * n_rows / n_partitions;
        let values: Vec<[Option<f64>; 5]> = rows.map(formulas).collect();
        let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
        for (at, name) in COLUMNS.into_iter().enumerate() {
            columns.push((name, Arc::new(values.iter().map(|row| row[at]).collect::<Float64Array>())));
        }
        // An assembler stores no zero, so that all of them are positive.
        let slots = values.iter().flatten().map(|value| value.unwrap_or(f64::NAN) + 0.0).collect();
        columns.push(("features", dense_column(slots, values.len(), COLUMNS.len())));
        vec![
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
                .unwrap(),
        ]
    };
    let partitions: Vec<Vec<RecordBatch>> = (0..n_partitions).map(partition).collect();
    let schema = partitions[0][0].schema();
    Dataset::in_memory(schema, partitions, Arc::new(LocalExecutor::single_threaded()))
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number_from_json(number).unwrap()).collect()
}

/// The same numbers, zeros of the same sign.
#[track_caller]
fn assert_same(what: &str, ours: &[f64], spark: &[f64]) {
    let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(ours), bits(spark), "{what}: {ours:?} and {spark:?}");
}

fn check_quantiles(version: SparkVersion, probabilities: &[f64], case: &Value) {
    let (columns, relative_error) = ((0..COLUMNS.len()).collect(), case["relativeError"].as_f64().unwrap());
    let asked = ApproxQuantile { columns, relative_error, ignored_value: None, version };
    let answers = asked.answers(&table(case), probabilities).unwrap();
    for (answers, name) in answers.into_iter().zip(COLUMNS) {
        let what =
            format!("{version}: {} rows, {} partitions, {name}, {relative_error}", case["rows"], case["partitions"]);
        assert_same(&what, &answers.unwrap(), &numbers(&case["values"][name]));
    }
}

#[test]
fn quantiles_are_spark_s_elements_of_the_data() {
    for (line, version) in LINES {
        let expected = json(&format!("{line}/quantiles.json"));
        let cases = expected["quantiles"].as_array().unwrap();
        assert_eq!(cases.len(), 28, "{line}");
        cases.iter().for_each(|case| check_quantiles(version, &numbers(&expected["probabilities"]), case));
    }
}

#[test]
fn quantiles_of_2_4_are_those_of_its_own_sketch() {
    let expected = json("2.4/quantiles.json");
    let cases = expected["quantiles"].as_array().unwrap();
    assert_eq!(cases.len(), 28);
    cases.iter().for_each(|case| check_quantiles(SparkVersion::V2_4, &numbers(&expected["probabilities"]), case));
}

#[test]
fn robust_scalers_learn_spark_s_numbers_from_many_rows_and_partitions() {
    for (line, version) in LINES {
        for case in json(&format!("{line}/quantiles.json"))["robustScalers"].as_array().unwrap() {
            let relative_error = case["relativeError"].as_f64().unwrap();
            let mut scaler = RobustScaler::new().input_col("features").lower(0.05).relative_error(relative_error);
            scaler.set_version(version);
            let model = scaler.fit(&table(case)).unwrap();
            let what = format!("{version}: {} rows, {} partitions, {relative_error}", case["rows"], case["partitions"]);
            for (ours, spark) in [(model.range(), &case["range"]), (model.median(), &case["median"])] {
                assert_same(&what, &ours.to_dense(), &Vector::from_json(spark).unwrap().to_dense());
            }
        }
    }
}

#[test]
fn imputers_learn_spark_s_surrogates_from_many_rows_and_partitions() {
    for (line, version) in LINES {
        for case in json(&format!("{line}/quantiles.json"))["imputers"].as_array().unwrap() {
            let mut imputer = Imputer::new().input_cols(COLUMNS).output_cols(COLUMNS).missing_value(-8.0);
            imputer.params_mut().set_json("strategy", &case["strategy"]).unwrap();
            imputer.set_version(version);
            let model = imputer.fit(&table(case)).unwrap();
            for (name, surrogate) in model.surrogates() {
                let what = format!("{version}: {} rows, {} partitions, {name}", case["rows"], case["partitions"]);
                assert_same(&what, &[*surrogate], &[number_from_json(&case["surrogates"][name]).unwrap()]);
            }
        }
    }
}

#[test]
fn quantile_discretizers_learn_spark_s_splits_from_many_rows_and_partitions() {
    for (line, version) in LINES {
        let expected = json(&format!("{line}/quantiles.json"));
        let cases = expected["discretizers"].as_array().unwrap();
        assert_eq!(cases.len(), 12, "{line}");
        for case in cases {
            let mut discretizer = QuantileDiscretizer::new().input_cols(COLUMNS).output_cols(["a", "b", "c", "d", "e"]);
            for (name, value) in case["params"].as_object().unwrap() {
                discretizer.params_mut().set_json(name, value).unwrap();
            }
            discretizer.set_version(version);
            let model = discretizer.fit(&table(case)).unwrap();
            let splits = model.params().param_map(version).remove("splitsArray").unwrap();
            for (at, name) in COLUMNS.into_iter().enumerate() {
                let what = format!("{version}: {} partitions, {name}, {}", case["partitions"], case["params"]);
                assert_same(&what, &numbers(&splits[at]), &numbers(&case["splits"][at]));
            }
        }
    }
}

/// Vectors of 1,001 slots.
fn wide_table(n_partitions: usize) -> Dataset {
    let slots = |id: usize| (0..1001).map(move |slot| (id * (slot + 3) % 31) as f64);
    let partition = |partition: usize| {
        let rows = partition * 60 / n_partitions..(partition + 1) * 60 / n_partitions;
        let n_rows = rows.len();
        let column = dense_column(rows.flat_map(slots).collect(), n_rows, 1001);
        vec![RecordBatch::try_from_iter_with_nullable([("features", column, true)]).unwrap()]
    };
    let partitions: Vec<Vec<RecordBatch>> = (0..n_partitions).map(partition).collect();
    Dataset::in_memory(partitions[0][0].schema(), partitions, Arc::new(LocalExecutor::single_threaded()))
}

#[test]
fn more_than_a_thousand_slots_are_sketched_too_also_where_spark_fails() {
    for (line, version) in LINES {
        for (n_partitions, spark) in json(&format!("{line}/quantiles.json"))["wideRobustScaler"].as_object().unwrap() {
            let mut scaler = RobustScaler::new().input_col("features");
            scaler.set_version(version);
            let model = scaler.fit(&wide_table(n_partitions.parse().unwrap())).unwrap();
            assert_eq!(model.median().size(), 1001);
            let fails = spark["error"].as_str();
            assert_eq!(fails.is_some(), n_partitions == "1", "{line}: {n_partitions} partitions: {fails:?}");
            if fails.is_none() {
                assert_same(line, &model.range().to_dense()[..40], &numbers(&spark["range"]));
                assert_same(line, &model.median().to_dense()[..40], &numbers(&spark["median"]));
            }
        }
    }
}

#[test]
fn quantiles_of_many_chunks_do_not_depend_on_the_number_of_threads() {
    let data = table(&serde_json::json!({"rows": 130_000, "partitions": 3}));
    let quantiles = |data: &Dataset| {
        let asked = ApproxQuantile {
            columns: vec![0, 1],
            relative_error: 0.01,
            ignored_value: None,
            version: SparkVersion::V4_3,
        };
        asked.sketches(data).unwrap()
    };
    let alone = quantiles(&data);
    // The last executor takes partitions of one chunk only.
    for executor in &executors()[..3] {
        assert_eq!(quantiles(&data.clone().with_executor(Arc::clone(executor))), alone);
    }
}
