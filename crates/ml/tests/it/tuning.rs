//! Tuners against real Spark: the rows of folds, the metrics of every setting, and what is said about what cannot be tuned.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch};
use arrow_schema::DataType;
use ognivo_data::dataset::{Dataset, LocalExecutor};
use ognivo_data::fault::Explain;
use ognivo_data::vector::dense_column;
use ognivo_data::version::SparkVersion;
use ognivo_ml::classification::LogisticRegression;
use ognivo_ml::evaluation::{BinaryClassificationEvaluator, RegressionEvaluator};
use ognivo_ml::param_map::ParamMap;
use ognivo_ml::saved::SavedStage;
use ognivo_ml::stage::{Configured, Estimator, Stage, Transformer};
use ognivo_ml::tuning::{
    CrossValidator, CrossValidatorModel, Language, ParamGridBuilder, Sampling, TrainValidationSplit,
    TrainValidationSplitModel, folds_of_column, k_folds, train_validation_split,
};
use ognivo_ml::uid::Uid;
use serde_json::Value;

use crate::fixtures::{Case, LINES, dataset, executors, input, json};

// ---- folds ----------------------------------------------------------------------------------------------------------

/// A table of fixtures/spark/splits.py, of which only the ids and their partitions matter here.
fn table(name: &str) -> Dataset {
    let text = json(&format!("inputs/splits/{name}.schema.json"));
    let lines = crate::fixtures::text(format!("inputs/splits/{name}.jsonl"));
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let partition = |number: u64| {
        let of_partition = rows.iter().filter(|row| row["partition"].as_u64() == Some(number));
        let ids: Vec<i64> = of_partition.clone().map(|row| row["id"].as_i64().unwrap()).collect();
        let keys = of_partition.map(|row| row["key"].as_i64().unwrap_or(0) as i32);
        let keys: ArrayRef = Arc::new(keys.collect::<Int32Array>());
        let ids: ArrayRef = Arc::new(Int64Array::from(ids));
        let rows = RecordBatch::try_from_iter([("key", keys), ("id", ids)]).unwrap();
        // Batches have no say in who falls where.
        (0..rows.num_rows()).step_by(11).map(|start| rows.slice(start, 11.min(rows.num_rows() - start))).collect()
    };
    let partitions: Vec<Vec<RecordBatch>> = (0..text["partitions"].as_u64().unwrap()).map(partition).collect();
    let schema = partitions[0][0].schema();
    Dataset::in_memory(schema, partitions, Arc::new(LocalExecutor::single_threaded()))
}

fn ids(data: &Dataset) -> Vec<i64> {
    let ids = |rows: &RecordBatch| -> Vec<i64> {
        let ids = rows.column_by_name("id").unwrap();
        match ids.data_type() {
            DataType::Int32 => ids.as_primitive::<Int32Type>().values().iter().map(|&id| i64::from(id)).collect(),
            _ => ids.as_primitive::<Int64Type>().values().to_vec(),
        }
    };
    data.collect().unwrap().iter().flatten().flat_map(ids).collect()
}

fn numbers<T>(value: &Value, number: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    value.as_array().unwrap().iter().map(|value| number(value).unwrap()).collect()
}

const LANGUAGES: [(&str, Language); 2] = [("python", Language::Python), ("scala", Language::Scala)];

#[test]
fn folds_hold_the_rows_of_spark_in_both_languages() {
    let mut n_checked = 0;
    for (line, version) in LINES {
        for case in json(&format!("{line}/folds.json"))["folds"].as_array().unwrap() {
            let data = table(case["table"].as_str().unwrap());
            let (n_folds, seed) = (case["numFolds"].as_u64().unwrap() as usize, case["seed"].as_i64().unwrap());
            let mut all = ids(&data);
            all.sort_unstable();
            for (key, language) in LANGUAGES {
                let folds = k_folds(&data, n_folds, seed, Sampling { version, language });
                let expected: Vec<Vec<i64>> = numbers(&case[key], |ids| Some(numbers(ids, Value::as_i64)));
                assert_eq!(
                    folds.iter().map(|fold| ids(&fold.validation)).collect::<Vec<_>>(),
                    expected,
                    "{line} {key} {case}"
                );
                for fold in folds {
                    let mut both = [ids(&fold.train), ids(&fold.validation)].concat();
                    both.sort_unstable();
                    assert_eq!(both, all);
                }
                n_checked += 1;
            }
        }
    }
    assert_eq!(n_checked, 2 * 2 * 27);
}

#[test]
fn splits_hold_the_rows_of_spark_in_both_languages() {
    for (line, version) in LINES {
        for case in json(&format!("{line}/folds.json"))["splits"].as_array().unwrap() {
            // Scala sorts by all columns: the table has those that Spark's had.
            let name = case["table"].as_str().unwrap();
            let columns: &[&str] = if name == "descending" { &["key", "id"] } else { &["id"] };
            let data = table(name).select(columns).unwrap();
            let (ratio, seed) = (case["trainRatio"].as_f64().unwrap(), case["seed"].as_i64().unwrap());
            for (key, language) in LANGUAGES {
                let fold = train_validation_split(&data, ratio, seed, Sampling { version, language }).unwrap();
                assert_eq!(ids(&fold.validation), numbers(&case[key], Value::as_i64), "{line} {key} {case}");
                assert_eq!(fold.train.count().unwrap() + fold.validation.count().unwrap(), data.count().unwrap());
            }
        }
    }
}

#[test]
fn the_seeds_of_2_4_are_other_ones() {
    let data = table("ids_1");
    for language in [Language::Python, Language::Scala] {
        let rows = |version| ids(&k_folds(&data, 3, 42, Sampling { version, language })[0].validation);
        assert_eq!(rows(SparkVersion::V3_5), rows(SparkVersion::V4_3));
        assert_ne!(rows(SparkVersion::V2_4), rows(SparkVersion::V3_5));
    }
}

#[test]
fn fold_columns_are_refused_as_spark_refuses_them() {
    let data = |folds: Vec<Option<i32>>| {
        let folds: ArrayRef = Arc::new(Int32Array::from(folds));
        dataset(RecordBatch::try_from_iter_with_nullable([("fold", folds, true)]).unwrap())
    };
    let refused = |folds: &[Option<i32>], n_folds: usize| {
        let error = folds_of_column(&data(folds.to_vec()), n_folds, "fold", &Uid::new("cv")).unwrap_err();
        assert!(error.hint().is_some(), "{error}");
        error.to_string()
    };
    let range = "column `fold`: fold number must be in the range [0, 3)";
    assert_eq!(refused(&[Some(0), Some(1), Some(3)], 3), format!("{range}: 3"));
    assert_eq!(refused(&[Some(0), Some(-1)], 3), format!("{range}: -1"));
    assert_eq!(refused(&[Some(0), None], 3), format!("{range}: null"));
    assert_eq!(refused(&[Some(0), Some(2)], 3), "stage `cv`: the validation data of a fold is empty: 1");
    assert_eq!(refused(&[Some(1), Some(1)], 2), "stage `cv`: the validation data of a fold is empty: 0");
    let folds = folds_of_column(&data(vec![Some(1), Some(0), Some(1)]), 2, "fold", &Uid::new("cv")).unwrap();
    assert_eq!(folds.iter().map(|fold| fold.validation.count().unwrap()).collect::<Vec<_>>(), [1, 2]);
    let text = Arc::new(Float64Array::from(vec![0.0])) as ArrayRef;
    let wrong = dataset(RecordBatch::try_from_iter([("fold", text)]).unwrap());
    let error = folds_of_column(&wrong, 2, "fold", &Uid::new("cv")).unwrap_err().to_string();
    assert_eq!(error, "stage `cv`: column `fold` must be an integer (int): double");
}

// ---- metrics --------------------------------------------------------------------------------------------------------

fn metrics_of(model: &dyn Transformer) -> (Vec<f64>, Option<Vec<f64>>) {
    let any: &dyn std::any::Any = model;
    match any.downcast_ref::<CrossValidatorModel>() {
        Some(model) => (model.avg_metrics().to_vec(), model.std_metrics().map(<[f64]>::to_vec)),
        None => (any.downcast_ref::<TrainValidationSplitModel>().unwrap().validation_metrics().to_vec(), None),
    }
}

/// The same tuner for another language.
fn in_language(tuner: &dyn Estimator, language: Language) -> Box<dyn Estimator> {
    let any: &dyn std::any::Any = tuner;
    match any.downcast_ref::<CrossValidator>() {
        Some(tuner) => Box::new(tuner.clone().language(language)),
        None => Box::new(any.downcast_ref::<TrainValidationSplit>().unwrap().clone().language(language)),
    }
}

#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-9, "{what}: {found} and {expected}");
    }
}

#[test]
fn every_setting_comes_to_what_it_comes_to_in_spark() {
    for (line, _) in LINES {
        let of_scala = &json(&format!("{line}/folds.json"))["scalaMetrics"];
        let cases = Case::all(line, &["cross_validator", "train_validation_split"]);
        assert_eq!(cases.len(), 7, "{line}");
        for case in cases {
            let Stage::Estimator(tuner) = case.stage() else { panic!("{}", case.path) };
            for executor in executors() {
                let data = dataset(case.table("fitOn")).with_executor(executor);
                let (metrics, deviations) = metrics_of(tuner.fit(&data).unwrap().as_ref());
                let expected = &case.expected["model"];
                let key = if deviations.is_some() { "avgMetrics" } else { "validationMetrics" };
                assert_near(&metrics, &numbers(&expected[key], Value::as_f64), &case.path);
                if let Some(deviations) = deviations {
                    assert_near(&deviations, &numbers(&expected["stdMetrics"], Value::as_f64), &case.path);
                }
            }
            let scala = in_language(tuner.as_ref(), Language::Scala).fit(&dataset(case.table("fitOn"))).unwrap();
            let name = case.path.rsplit('/').next().unwrap();
            let what = format!("{} in Scala", case.path);
            assert_near(&metrics_of(scala.as_ref()).0, &numbers(&of_scala[name], Value::as_f64), &what);
        }
    }
}

/// What is shared between settings changes no bit of any of them.
#[test]
fn settings_fitted_together_are_those_fitted_alone() {
    for (line, _) in LINES {
        for name in ["cross_validator", "cross_validator_pipeline"] {
            let case = Case::all(line, &[name]).into_iter().find(|case| case.path.ends_with(name)).unwrap();
            let Stage::Estimator(tuner) = case.stage() else { panic!("{}", case.path) };
            let any: &dyn std::any::Any = tuner.as_ref();
            let tuner = any.downcast_ref::<CrossValidator>().unwrap();
            let data = dataset(case.table("fitOn"));
            let together = tuner.estimator().fit_many(&data, tuner.param_maps()).unwrap();
            assert_eq!(together.len(), tuner.param_maps().len());
            for (map, model) in tuner.param_maps().iter().zip(together) {
                let alone = map.applied_to(tuner.estimator()).unwrap().fit(&data).unwrap();
                let saved = |model: &dyn Transformer| model.to_saved(model.params().version()).unwrap();
                assert_eq!(saved(model.as_ref()), saved(alone.as_ref()), "{}: {map}", case.path);
            }
        }
    }
}

#[test]
fn the_best_setting_is_fitted_on_all_rows() {
    let data = dataset(input("loans"));
    let regression = LogisticRegression::new().max_iter(5);
    let grid = ParamGridBuilder::new().add_grid(&regression, "regParam", [5.0, 0.01]).build();
    let alone = grid[1].applied_to(&regression).unwrap().fit(&data).unwrap();
    let model = CrossValidator::new(regression, grid, BinaryClassificationEvaluator::new())
        .seed(1)
        .collect_sub_models(true)
        .fit(&data)
        .unwrap();
    assert_eq!(model.best_index(), 1, "{:?}", model.avg_metrics());
    let saved = |model: &dyn Transformer| model.to_saved(SparkVersion::V4_3).unwrap();
    assert_eq!(saved(model.best_model()), saved(alone.as_ref()));
    let sub_models = model.sub_models().unwrap();
    assert_eq!((sub_models.len(), sub_models[0].len()), (3, 2));
    assert_ne!(saved(sub_models[0][1].as_ref()), saved(model.best_model()));
    assert!(model.clone().without_sub_models().sub_models().is_none());
}

// ---- what cannot be tuned -------------------------------------------------------------------------------------------

fn tuner(grid: Vec<ParamMap>) -> CrossValidator {
    CrossValidator::new(LogisticRegression::new().max_iter(3), grid, BinaryClassificationEvaluator::new()).seed(42)
}

/// Numbers with labels.
fn labelled(labels: &[f64]) -> Dataset {
    let features = dense_column((0..labels.len()).map(|i| i as f64).collect(), labels.len(), 1);
    let labels = Arc::new(Float64Array::from(labels.to_vec())) as ArrayRef;
    dataset(RecordBatch::try_from_iter([("features", features), ("label", labels)]).unwrap())
}

#[track_caller]
fn assert_refused(tuner: &CrossValidator, data: &Dataset, words: &str) {
    let error = tuner.fit(data).unwrap_err();
    assert!(error.to_string().contains(words), "`{words}` is not in: {error}");
}

#[test]
fn what_cannot_be_tuned_is_told_before_a_row_is_read() {
    let data = labelled(&[0.0, 1.0, 0.0, 1.0]);
    let other = LogisticRegression::new();
    assert_refused(&tuner(vec![]), &data, "there is no setting to try");
    assert_refused(&tuner(vec![ParamMap::new().with(&other, "regParam", 0.1)]), &data, "of a stage that is not there");
    assert_refused(&tuner(vec![ParamMap::new()]).num_folds(1), &data, "`numFolds` must be at least 2: 1");
    assert_refused(&tuner(vec![ParamMap::new()]).fold_col("fold"), &data, "fold");
    let with = |name: &str, value: f64| {
        let regression = LogisticRegression::new();
        let map = ParamMap::new().with(&regression, name, value);
        CrossValidator::new(regression, vec![map], BinaryClassificationEvaluator::new())
    };
    assert_refused(&with("regPram", 0.1), &data, "has no parameter: regPram");
    assert_refused(&with("regParam", -0.1), &data, "`regParam` must be at least 0: -0.1");
    assert_refused(&with("maxIter", 0.5), &data, "`maxIter` must be an integer");
    let evaluator = RegressionEvaluator::new().prediction_col("nothing");
    let wrong_evaluator = CrossValidator::new(LogisticRegression::new(), vec![ParamMap::new()], evaluator);
    assert_refused(&wrong_evaluator, &data, "nothing");
}

#[test]
fn a_fold_that_cannot_be_worked_on_is_named() {
    let data = labelled(&[0.0, 1.0]);
    let error = tuner(vec![ParamMap::new()]).num_folds(20).fit(&data).unwrap_err().to_string();
    assert!(error.starts_with("fold 0: "), "{error}");
    let wrong = labelled(&[0.0, 1.0, 0.5, 1.0, 0.0, 1.0]);
    let error = tuner(vec![ParamMap::new()]).fit(&wrong).unwrap_err().to_string();
    assert!(error.contains("must be a whole number from 0: 0.5"), "{error}");
}

#[test]
fn folds_of_one_class_are_measured_as_spark_measures_them() {
    // The last rows alone are of the other class: a fold trains or measures on one class only.
    let labels: Vec<f64> = (0..30).map(|i| f64::from(u8::from(i >= 29))).collect();
    let model = tuner(vec![ParamMap::new()]).fit(&labelled(&labels)).unwrap();
    let folds: Vec<f64> = model.fold_metrics().iter().map(|fold| fold[0]).collect();
    assert!(folds.iter().all(|metric| (0.0..=1.0).contains(metric)), "{folds:?}");
}

// ---- saved form -----------------------------------------------------------------------------------------------------

fn again(saved: &SavedStage) -> Stage {
    crate::fixtures::read_stage(saved).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn tuners_and_their_models_read_back_what_they_say() {
    let data = dataset(input("loans"));
    let regression = LogisticRegression::new().max_iter(2);
    let grid = ParamGridBuilder::new().add_grid(&regression, "regParam", [0.5, 0.1]).build();
    let evaluator = BinaryClassificationEvaluator::new();
    let cross = CrossValidator::new(regression.clone(), grid.clone(), evaluator.clone()).collect_sub_models(true);
    let split =
        TrainValidationSplit::new(regression, grid, evaluator).language(Language::Scala).collect_sub_models(true);
    let stages: Vec<Stage> = vec![
        cross.clone().into(),
        split.clone().into(),
        cross.fit(&data).unwrap().into(),
        split.fit(&data).unwrap().into(),
    ];
    for stage in stages {
        for version in [SparkVersion::V3_5, SparkVersion::V4_3] {
            let saved = stage.configured().to_saved(version).unwrap();
            let read = again(&saved);
            assert_eq!(read.configured().to_saved(version).unwrap(), saved);
        }
    }
    let saved = split.to_saved(SparkVersion::V4_3).unwrap();
    assert!(saved.uid.as_str().starts_with("tvs_"));
    // It still splits as Scala does.
    let Stage::Estimator(read) = again(&saved) else { panic!("a tuner is an estimator") };
    let metrics = |tuner: &dyn Estimator| metrics_of(tuner.fit(&data).unwrap().as_ref()).0;
    assert_eq!(metrics(read.as_ref()), metrics(&split));
}

#[test]
fn directories_that_contradict_themselves_are_refused() {
    let regression = LogisticRegression::new();
    let grid = ParamGridBuilder::new().add_grid(&regression, "regParam", [0.5]).build();
    let saved = CrossValidator::new(regression, grid, BinaryClassificationEvaluator::new());
    let saved = saved.to_saved(SparkVersion::V4_3).unwrap();
    let refused = |change: &dyn Fn(&mut SavedStage), words: &str| {
        let mut saved = saved.clone();
        change(&mut saved);
        let error = crate::fixtures::read_stage(&saved).unwrap_err().to_string();
        assert!(error.contains(words), "`{words}` is not in: {error}");
    };
    let entry =
        |change: fn(&mut Value)| move |saved: &mut SavedStage| change(&mut saved.param_map["estimatorParamMaps"][0][0]);
    refused(&entry(|entry| entry["parent"] = "LogisticRegression_0".into()), "no stage has the uid");
    refused(&entry(|entry| entry["name"] = "regPram".into()), "has no parameter: regPram");
    refused(&entry(|entry| entry["value"] = "much".into()), "is not JSON: much");
    refused(&entry(|entry| entry["value"] = "\"0.5\"".into()), "`regParam` must be a number");
    refused(&entry(|entry| entry["isJson"] = "false".into()), "a parameter that is a stage");
    refused(&|saved| saved.param_map["estimatorParamMaps"] = 3.into(), "not a list");
    refused(&|saved| saved.children.remove(1).0.clear(), "`evaluator`: the folder is missing");
    refused(&|saved| saved.children[0].1.class = "org.apache.spark.ml.feature.Normalizer".to_owned(), "");
}
