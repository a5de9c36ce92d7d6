use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema;
use arrow_select::concat::concat_batches;
use ognivo_data::column::ML_ATTR;
use ognivo_data::dataset::Dataset;
use ognivo_data::vector::{Vector, VectorColumn, VectorRef, number_from_json};
use ognivo_data::version::SparkVersion;
use ognivo_ml::feature::imputer::ImputerModel;
use ognivo_ml::feature::one_hot_encoder::OneHotEncoderModel;
use ognivo_ml::feature::string_indexer::StringIndexerModel;
use ognivo_ml::stage::{Stage, Transformer};
use serde_json::{Value, json};

use crate::fixtures::{Case, LINES, dataset};

#[test]
fn string_indexers_learn_and_give_spark_s_indices() {
    check_all("string_indexer", 15);
}

#[test]
fn vector_assemblers_give_spark_s_vectors_and_attributes() {
    check_all("vector_assembler", 5);
}

#[test]
fn indexes_get_spark_s_labels() {
    check_all("index_to_string", 3);
}

#[test]
fn one_hot_encoders_learn_and_give_spark_s_vectors_and_attributes() {
    check_all("one_hot_encoder", 12);
}

#[test]
fn bucketizers_give_spark_s_buckets_and_attributes() {
    check_all("bucketizer", 10);
}

#[test]
fn standard_scalers_learn_and_give_spark_s_numbers() {
    check_all("standard_scaler", 7);
}

#[test]
fn min_max_scalers_learn_and_give_spark_s_numbers() {
    check_all("min_max_scaler", 5);
}

#[test]
fn max_abs_scalers_learn_and_give_spark_s_numbers() {
    check_all("max_abs_scaler", 4);
}

#[test]
fn imputers_learn_and_give_spark_s_numbers() {
    check_all("imputer", 18);
}

#[test]
fn robust_scalers_learn_and_give_spark_s_numbers() {
    check_all("robust_scaler", 10);
}

#[test]
fn quantile_discretizers_learn_spark_s_splits() {
    check_all("quantile_discretizer", 10);
}

#[test]
fn normalizers_give_spark_s_vectors() {
    check_all("normalizer", 6);
}

#[test]
fn decision_trees_learn_and_give_spark_s_numbers() {
    check_all("decision_tree_classifier", 8);
    check_all("decision_tree_regressor", 4);
}

#[test]
fn tuners_find_and_fit_spark_s_best_setting() {
    check_all("cross_validator", 4);
    check_all("train_validation_split", 3);
}

#[test]
fn pipelines_give_spark_s_rows() {
    check_all("pipeline", 4);
}

/// Every case of both lines whose name begins with `prefix`; there are `n_cases` in each.
fn check_all(prefix: &str, n_cases: usize) {
    for (line, version) in LINES {
        let cases = Case::all(line, &[prefix]);
        assert_eq!(cases.len(), n_cases, "{line}/{prefix}*");
        cases.iter().for_each(|case| check(case, version));
    }
}

fn check(case: &Case, version: SparkVersion) {
    let path = &case.path;
    let stage = case.stage();
    assert_eq!(stage.configured().params().version(), version, "{path}");
    let model = match &stage {
        Stage::Transformer(transformer) => transformer.clone_box(),
        Stage::Estimator(estimator) => match estimator.fit(&dataset(case.table("fitOn"))) {
            Ok(model) => model,
            Err(error) => return assert!(case.expected["fitError"].is_string(), "{path}: {error}"),
        },
    };
    assert!(case.expected["fitError"].is_null(), "{path}: Spark refused the fit");
    check_labels(case, model.as_ref());
    check_surrogates(case, model.as_ref());
    check_splits(case, model.as_ref());
    check_vectors(case, model.as_ref());
    let scored = model.transform(&dataset(case.table("scoreOn"))).unwrap();
    match (all_rows(&scored), case.expected["error"].as_str()) {
        (Err(_), Some(_)) => {}
        (Err(ours), None) => panic!("{path}: {ours}"),
        (Ok(_), Some(spark)) => panic!("{path}: Spark fails: {spark}"),
        (Ok(rows), None) => check_rows(path, &rows, &case.scored()),
    }
    let expected = schema_json(&ognivo_data::schema::from_json(&case.expected["outputSchema"].to_string()).unwrap());
    assert_eq!(schema_json(scored.schema()), expected, "{path}");
}

/// Equal rows; but numbers that a fitted regression gives may differ by 1e-9, since sums are added up in another order.
fn check_rows(path: &str, rows: &RecordBatch, expected: &RecordBatch) {
    assert_eq!(rows.num_columns(), expected.num_columns(), "{path}");
    let pairs = rows.columns().iter().zip(expected.columns());
    for (field, (ours, spark)) in rows.schema().fields().iter().zip(pairs) {
        if !["rawPrediction", "probability"].contains(&field.name().as_str()) {
            assert!(ours == spark || same_vectors(ours, spark), "{path}: {}: {ours:?} and {spark:?}", field.name());
            continue;
        }
        let (ours, spark) = (VectorColumn::try_new(ours).unwrap(), VectorColumn::try_new(spark).unwrap());
        let (ours, spark) = (ours.dense_block().unwrap().values, spark.dense_block().unwrap().values);
        assert_eq!(ours.len(), spark.len());
        let differs = |(ours, spark): (&f64, &f64)| (ours - spark).abs() > 1e-9 * spark.abs().max(1.0);
        assert!(!ours.iter().zip(spark).any(differs), "{path}: {}: {ours:?} and {spark:?}", field.name());
    }
}

/// Vectors of the same form and the same bits, but for the sign of NaN, which processors choose.
fn same_vectors(ours: &ArrayRef, spark: &ArrayRef) -> bool {
    let (Ok(ours), Ok(spark)) = (VectorColumn::try_new(ours), VectorColumn::try_new(spark)) else { return false };
    let bits = |values: &[f64]| -> Vec<u64> {
        values.iter().map(|&value| if value.is_nan() { f64::NAN } else { value }.to_bits()).collect()
    };
    let plain = |vector: VectorRef<'_>| match vector {
        VectorRef::Dense(values) => (None, Vec::new(), bits(values)),
        VectorRef::Sparse { size, indices, values } => (Some(size), indices.to_vec(), bits(values)),
    };
    ours.len() == spark.len() && ours.iter().zip(spark.iter()).all(|(ours, spark)| ours.map(plain) == spark.map(plain))
}

/// A fitted StringIndexer has Spark's labels, and a fitted OneHotEncoder as many categories.
fn check_labels(case: &Case, model: &dyn Transformer) {
    let model: &dyn std::any::Any = model;
    if let Some(model) = model.downcast_ref::<OneHotEncoderModel>() {
        assert_eq!(json!(model.category_sizes()), case.expected["model"]["categorySizes"], "{}", case.path);
    }
    if let Some(model) = model.downcast_ref::<StringIndexerModel>() {
        assert_eq!(json!(model.labels_array()), case.expected["model"]["labelsArray"], "{}", case.path);
    }
}

/// A fitted Imputer has Spark's surrogates, bit for bit.
fn check_surrogates(case: &Case, model: &dyn Transformer) {
    let model: &dyn std::any::Any = model;
    let Some(model) = model.downcast_ref::<ImputerModel>() else { return };
    let spark = case.expected["model"]["surrogates"].as_object().unwrap();
    assert_eq!(model.surrogates().len(), spark.len(), "{}", case.path);
    for (column, ours) in model.surrogates() {
        let spark = number_from_json(&spark[column]).unwrap();
        assert_eq!(ours.to_bits(), spark.to_bits(), "{}: {column}: {ours} and {spark}", case.path);
    }
}

/// A Bucketizer that a QuantileDiscretizer gave has Spark's splits, bit for bit.
fn check_splits(case: &Case, model: &dyn Transformer) {
    let Some(spark) = case.expected["model"].get("splits") else { return };
    let spark: Vec<Vec<u64>> = spark.as_array().unwrap().iter().map(bits_of_list).collect();
    let params = model.params().param_map(model.params().version());
    let ours = match params.get("splitsArray") {
        Some(lists) => lists.as_array().unwrap().iter().map(bits_of_list).collect(),
        None => vec![bits_of_list(&params["splits"])],
    };
    assert_eq!(ours, spark, "{}: {params:?}", case.path);
}

fn bits_of_list(list: &serde_json::Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|number| number_from_json(number).unwrap().to_bits()).collect()
}

/// The vectors that a fitted stage keeps in its table are Spark's, bit for bit and in the same form.
fn check_vectors(case: &Case, model: &dyn Transformer) {
    let saved = model.to_saved(model.params().version()).unwrap();
    let facts = case.expected["model"].as_object().into_iter().flatten();
    for (name, expected) in facts.filter_map(|(name, fact)| Some((name, Vector::from_json(fact)?))) {
        let Some(column) = saved.tables.get("data").and_then(|table| table.column_by_name(name)) else { continue };
        let ours = VectorColumn::try_new(column).unwrap().get(0).unwrap().to_owned();
        assert_eq!(ours.to_json(), expected.to_json(), "{}: {name}", case.path);
    }
}

fn all_rows(data: &Dataset) -> Result<RecordBatch, String> {
    let batches = data.collect().map_err(|error| error.to_string())?;
    Ok(concat_batches(data.schema(), batches.iter().flatten()).unwrap())
}

/// Names, types, whether null is allowed, and attributes, whose keys have no order.
pub(crate) fn schema_json(schema: &Schema) -> Vec<(String, String, bool, Value)> {
    let describe = |field: &arrow_schema::Field| {
        let attribute = field.metadata().get(ML_ATTR).map_or("null", String::as_str);
        let attribute = serde_json::from_str(attribute).unwrap();
        (field.name().clone(), field.data_type().to_string(), field.is_nullable(), attribute)
    };
    schema.fields().iter().map(|field| describe(field)).collect()
}
