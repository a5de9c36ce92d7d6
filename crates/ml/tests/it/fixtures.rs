use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow_schema::{DataType, SchemaRef};
use ognivo_data::dataset::{
    AnyAggregate, CHUNK_ROWS, Dataset, DatasetError, Executor, LocalExecutor, Partitions, Rows,
};
use ognivo_data::schema;
use ognivo_data::vector::{Vector, VectorBuilder, is_vector, number_from_json};
use ognivo_data::version::SparkVersion;
use ognivo_ml::classification::{
    DecisionTreeClassificationModel, DecisionTreeClassifier, LogisticRegression, LogisticRegressionModel,
};
use ognivo_ml::evaluation::{BinaryClassificationEvaluator, Evaluator, MulticlassClassificationEvaluator};
use ognivo_ml::feature::bucketizer::Bucketizer;
use ognivo_ml::feature::imputer::{Imputer, ImputerModel};
use ognivo_ml::feature::index_to_string::IndexToString;
use ognivo_ml::feature::max_abs_scaler::{MaxAbsScaler, MaxAbsScalerModel};
use ognivo_ml::feature::min_max_scaler::{MinMaxScaler, MinMaxScalerModel};
use ognivo_ml::feature::normalizer::Normalizer;
use ognivo_ml::feature::one_hot_encoder::{OneHotEncoder, OneHotEncoderModel};
use ognivo_ml::feature::quantile_discretizer::QuantileDiscretizer;
use ognivo_ml::feature::robust_scaler::{RobustScaler, RobustScalerModel};
use ognivo_ml::feature::standard_scaler::{StandardScaler, StandardScalerModel};
use ognivo_ml::feature::string_indexer::{StringIndexer, StringIndexerModel};
use ognivo_ml::feature::vector_assembler::VectorAssembler;
use ognivo_ml::pipeline::{Pipeline, PipelineModel, stage_path, stage_uids};
use ognivo_ml::regression::{DecisionTreeRegressionModel, DecisionTreeRegressor};
use ognivo_ml::regression::{LinearRegression, LinearRegressionModel};
use ognivo_ml::saved::{SavedError, SavedStage};
use ognivo_ml::stage::Stage;
use ognivo_ml::tuning::{CrossValidator, CrossValidatorModel, TrainValidationSplit, TrainValidationSplitModel};
use ognivo_ml::uid::Uid;
use serde_json::{Map, Value};

/// The folders of fixtures that real Sparks wrote, with the version whose numbers they hold.
pub(crate) const LINES: [(&str, SparkVersion); 2] = [("3.5", SparkVersion::V3_5), ("4.3", SparkVersion::V4_3)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/spark")
}

pub(crate) fn text(path: impl AsRef<Path>) -> String {
    let path = folder().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A table of `inputs/`.
pub(crate) fn input(name: &str) -> RecordBatch {
    let schema = schema::from_json(&text(format!("inputs/{name}.schema.json"))).unwrap();
    rows(&Arc::new(schema), &text(format!("inputs/{name}.jsonl")))
}

/// Rows of a table of `inputs/` that a fixture holds as JSON objects.
pub(crate) fn rows_of_input(name: &str, values: &[&Value]) -> RecordBatch {
    let schema = schema::from_json(&text(format!("inputs/{name}.schema.json"))).unwrap();
    let lines: Vec<String> = values.iter().map(|value| value.to_string()).collect();
    rows(&Arc::new(schema), &lines.join("\n"))
}

/// One partition with these rows.
pub(crate) fn dataset(rows: RecordBatch) -> Dataset {
    Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::single_threaded()))
}

/// Executors of 1, 2 and 7 threads, and one that sends every aggregate to and fro as bytes.
pub(crate) fn executors() -> Vec<Arc<dyn Executor>> {
    let executor = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        Arc::new(LocalExecutor::new(Arc::new(pool))) as Arc<dyn Executor>
    };
    let mut executors: Vec<_> = [1, 2, 7].map(executor).into();
    executors.push(Arc::new(Remote));
    executors
}

/// Runs a pass as if every partition lay in another process: aggregates arrive and return as bytes. A partition is one chunk.
#[derive(Debug)]
struct Remote;

impl Executor for Remote {
    fn aggregate(&self, rows: &Rows, zero: Box<dyn AnyAggregate>) -> Result<Box<dyn AnyAggregate>, DatasetError> {
        let sent = zero.to_bytes().unwrap();
        let mut result: Option<Box<dyn AnyAggregate>> = None;
        for partition in 0..rows.partitions.n_partitions() {
            let batches = rows.partitions.scan(partition)?.collect::<Result<Vec<_>, _>>()?;
            let n_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert!(n_rows <= CHUNK_ROWS, "a partition of these tests is one chunk");
            if n_rows == 0 {
                continue;
            }
            let mut state = zero.read_bytes(&sent).unwrap();
            for batch in batches {
                state.update(&rows.mapped(batch)?)?;
            }
            state.finish_partition(partition);
            let returned = zero.read_bytes(&state.to_bytes().unwrap()).unwrap();
            match &mut result {
                Some(result) => result.merge(returned),
                None => result = Some(returned),
            }
        }
        Ok(result.unwrap_or(zero))
    }

    fn cache(&self, rows: &Rows) -> Result<Arc<dyn Partitions>, DatasetError> {
        LocalExecutor::single_threaded().cache(rows)
    }
}

/// A case of `<line>/<name>/`, as fixtures/spark/stages.py wrote it.
pub(crate) struct Case {
    pub(crate) path: String,
    /// `expected.json`.
    pub(crate) expected: Value,
}

impl Case {
    /// All cases of a line whose names begin with one of `prefixes`.
    pub(crate) fn all(line: &str, prefixes: &[&str]) -> Vec<Case> {
        let entries = fs::read_dir(folder().join(line)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect();
        names.sort();
        let case = |name: &String| {
            let path = format!("{line}/{name}");
            let expected = json(&format!("{path}/expected.json"));
            Case { path, expected }
        };
        names.iter().map(case).collect()
    }

    /// The table that `expected.json` names, or its first `scoredRows` rows.
    pub(crate) fn table(&self, key: &str) -> RecordBatch {
        let rows = input(self.expected[key].as_str().unwrap());
        let n_rows = self.expected["scoredRows"].as_u64().filter(|_| key == "scoreOn");
        rows.slice(0, n_rows.map_or(rows.num_rows(), |n_rows| rows.num_rows().min(n_rows as usize)))
    }

    /// The scored rows and the schema that Spark gave them.
    pub(crate) fn scored(&self) -> RecordBatch {
        let schema = Arc::new(schema::from_json(&self.expected["outputSchema"].to_string()).unwrap());
        rows(&schema, &text(format!("{}/expected.jsonl", self.path)))
    }

    /// The stage that Spark saved before the fit, or the transformer that needs none.
    pub(crate) fn stage(&self) -> Stage {
        let unfitted = format!("{}/estimator", self.path);
        let path = if folder().join(&unfitted).exists() { unfitted } else { format!("{}/model", self.path) };
        read_stage(&saved(&path)).unwrap()
    }
}

/// The JSON in a file below `fixtures/spark`.
pub(crate) fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap()
}

/// What a directory's metadata say, and those of the stages in it; without tables.
pub(crate) fn saved(path: &str) -> SavedStage {
    let metadata = folder().join(path).join("metadata");
    let names = fs::read_dir(&metadata).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let name = names.into_iter().find(|name| name.starts_with("part-")).unwrap();
    let metadata: Value = serde_json::from_str(&text(format!("{path}/metadata/{name}"))).unwrap();
    let word = |key: &str| metadata[key].as_str().unwrap().to_owned();
    let map = |key: &str| metadata[key].as_object().unwrap().clone();
    let mut saved = SavedStage {
        class: word("class"),
        uid: Uid::new(word("uid")),
        spark_version: word("sparkVersion"),
        param_map: map("paramMap"),
        default_param_map: map("defaultParamMap"),
        extra: Map::new(),
        tables: Default::default(),
        children: Vec::new(),
    };
    if let Ok(uids) = stage_uids(&saved) {
        for (position, uid) in uids.iter().enumerate() {
            let child = stage_path(position, uids.len(), uid);
            let stage = self::saved(&format!("{path}/{child}"));
            saved = saved.with_child(child, stage);
        }
    }
    for child in ["estimator", "evaluator", "bestModel"] {
        let path = format!("{path}/{child}");
        if folder().join(&path).is_dir() {
            saved = saved.with_child(child.to_owned(), self::saved(&path));
        }
    }
    saved
}

/// Any evaluator of these tests from its saved form.
fn read_evaluator(saved: &SavedStage) -> Result<Box<dyn Evaluator>, SavedError> {
    Ok(match saved.class.as_str() {
        BinaryClassificationEvaluator::CLASS => Box::new(BinaryClassificationEvaluator::from_saved(saved)?),
        MulticlassClassificationEvaluator::CLASS => Box::new(MulticlassClassificationEvaluator::from_saved(saved)?),
        other => panic!("no evaluator of these tests: {other}"),
    })
}

/// Any stage of this crate from its saved form.
pub(crate) fn read_stage(saved: &SavedStage) -> Result<Stage, SavedError> {
    Ok(match saved.class.as_str() {
        // The second name is what PySpark writes for a pipeline without stages.
        Pipeline::CLASS | "pyspark.ml.pipeline.Pipeline" => Pipeline::from_saved(saved, read_stage)?.into(),
        PipelineModel::CLASS => PipelineModel::from_saved(saved, read_stage)?.into(),
        StringIndexer::CLASS => StringIndexer::from_saved(saved)?.into(),
        StringIndexerModel::CLASS => StringIndexerModel::from_saved(saved)?.into(),
        Bucketizer::CLASS => Bucketizer::from_saved(saved)?.into(),
        Imputer::CLASS => Imputer::from_saved(saved)?.into(),
        ImputerModel::CLASS => ImputerModel::from_saved(saved)?.into(),
        IndexToString::CLASS => IndexToString::from_saved(saved)?.into(),
        DecisionTreeClassifier::CLASS => DecisionTreeClassifier::from_saved(saved)?.into(),
        DecisionTreeClassificationModel::CLASS => DecisionTreeClassificationModel::from_saved(saved)?.into(),
        DecisionTreeRegressor::CLASS => DecisionTreeRegressor::from_saved(saved)?.into(),
        DecisionTreeRegressionModel::CLASS => DecisionTreeRegressionModel::from_saved(saved)?.into(),
        LinearRegression::CLASS => LinearRegression::from_saved(saved)?.into(),
        LinearRegressionModel::CLASS => LinearRegressionModel::from_saved(saved)?.into(),
        LogisticRegression::CLASS => LogisticRegression::from_saved(saved)?.into(),
        LogisticRegressionModel::CLASS => LogisticRegressionModel::from_saved(saved)?.into(),
        MaxAbsScaler::CLASS => MaxAbsScaler::from_saved(saved)?.into(),
        MaxAbsScalerModel::CLASS => MaxAbsScalerModel::from_saved(saved)?.into(),
        MinMaxScaler::CLASS => MinMaxScaler::from_saved(saved)?.into(),
        MinMaxScalerModel::CLASS => MinMaxScalerModel::from_saved(saved)?.into(),
        Normalizer::CLASS => Normalizer::from_saved(saved)?.into(),
        OneHotEncoder::CLASS | OneHotEncoder::NAME_BEFORE_3_0 => OneHotEncoder::from_saved(saved)?.into(),
        OneHotEncoderModel::CLASS => OneHotEncoderModel::from_saved(saved)?.into(),
        QuantileDiscretizer::CLASS => QuantileDiscretizer::from_saved(saved)?.into(),
        RobustScaler::CLASS => RobustScaler::from_saved(saved)?.into(),
        RobustScalerModel::CLASS => RobustScalerModel::from_saved(saved)?.into(),
        StandardScaler::CLASS => StandardScaler::from_saved(saved)?.into(),
        StandardScalerModel::CLASS => StandardScalerModel::from_saved(saved)?.into(),
        VectorAssembler::CLASS => VectorAssembler::from_saved(saved)?.into(),
        CrossValidator::CLASS => CrossValidator::from_saved(saved, read_stage, read_evaluator)?.into(),
        CrossValidatorModel::CLASS => CrossValidatorModel::from_saved(saved, read_stage, read_evaluator)?.into(),
        TrainValidationSplit::CLASS => TrainValidationSplit::from_saved(saved, read_stage, read_evaluator)?.into(),
        TrainValidationSplitModel::CLASS => {
            TrainValidationSplitModel::from_saved(saved, read_stage, read_evaluator)?.into()
        }
        other => panic!("no stage of these tests: {other}"),
    })
}

/// JSON lines as columns of `schema`.
fn rows(schema: &SchemaRef, lines: &str) -> RecordBatch {
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let columns = schema.fields().iter().map(|field| {
        let values = rows.iter().map(|row| &row[field.name()]);
        column(field.data_type(), values)
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).unwrap()
}

fn column<'a>(data_type: &DataType, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    match data_type {
        DataType::Int8 => Arc::new(values.map(|value| value.as_i64().map(|value| value as i8)).collect::<Int8Array>()),
        DataType::Int32 => {
            Arc::new(values.map(|value| value.as_i64().map(|value| value as i32)).collect::<Int32Array>())
        }
        DataType::Int64 => Arc::new(values.map(Value::as_i64).collect::<Int64Array>()),
        DataType::Float32 => {
            Arc::new(values.map(|value| number_from_json(value).map(|value| value as f32)).collect::<Float32Array>())
        }
        DataType::Decimal128(..) => {
            // With all digits of the scale, as Spark prints it.
            let unscaled =
                values.map(|value| value.as_str().map(|text| text.replace('.', "").parse::<i128>().unwrap()));
            Arc::new(unscaled.collect::<Decimal128Array>().with_data_type(data_type.clone()))
        }
        DataType::Float64 => Arc::new(values.map(number_from_json).collect::<Float64Array>()),
        DataType::Boolean => Arc::new(values.map(Value::as_bool).collect::<BooleanArray>()),
        DataType::Utf8 => Arc::new(values.map(Value::as_str).collect::<StringArray>()),
        vector if is_vector(vector) => {
            let mut vectors = VectorBuilder::new();
            values.for_each(|value| match Vector::from_json(value) {
                Some(vector) => vectors.push(vector.as_ref()),
                None => vectors.push_null(),
            });
            vectors.finish()
        }
        other => panic!("no column of these fixtures: {other}"),
    }
}
