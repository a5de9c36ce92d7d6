//! Directories that real Spark wrote: they are read as they are, and what we write again says the same.

use std::path::{Path as DiskPath, PathBuf};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_select::concat::concat_batches;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use ognivo_data::dataset::{Dataset, LocalExecutor};
use ognivo_data::vector::VectorColumn;
use ognivo_data::version::SparkVersion;
use ognivo_ml::saved::SavedStage;
use ognivo_ml::stage::{Stage, Transformer};
use ognivo_model::{CopiedDirectories, Registry, SaveMode, build, describe, model_id, read_saved, write_saved};

use crate::rows::{input, record, scored};
use crate::stores::{fixtures, local};

/// Every saved directory of the fixtures: `<line>/<case>/estimator`, `…/model`, `…/evaluator`.
pub(crate) fn directories() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in ["2.4", "3.5", "4.3"] {
        for case in folders(&fixtures().join(line)) {
            found.extend(folders(&case).into_iter().filter(|folder| folder.join("metadata").is_dir()));
        }
    }
    found.sort();
    assert!(found.len() > 100, "only {} directories", found.len());
    found
}

/// Those whose stages we have: a fixture of its own holds one that we do not.
fn supported() -> impl Iterator<Item = PathBuf> {
    directories().into_iter().filter(|folder| !folder.parent().is_some_and(|case| case.ends_with("unsupported")))
}

fn folders(folder: &DiskPath) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

async fn read(folder: &DiskPath) -> SavedStage {
    let store = local(folder.parent().unwrap());
    let name = folder.file_name().unwrap().to_str().unwrap();
    let read = read_saved(store.as_ref(), &Path::from(name)).await;
    read.unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// The same directory under another release.
fn under_release(mut saved: SavedStage, release: &str) -> SavedStage {
    saved.spark_version = release.to_owned();
    saved.children = saved.children.into_iter().map(|(path, child)| (path, under_release(child, release))).collect();
    saved
}

#[tokio::test]
async fn every_directory_of_spark_is_read_and_written_again_in_every_layout() {
    let store = std::sync::Arc::new(InMemory::new());
    let directories_of_store = CopiedDirectories::new(store.clone());
    let path = Path::from("models/again");
    for folder in directories() {
        let saved = read(&folder).await;
        for version in SparkVersion::ALL {
            let saved = under_release(saved.clone(), version.release());
            let store: &dyn ObjectStore = store.as_ref();
            write_saved(store, &directories_of_store, &path, &saved, SaveMode::Overwrite, 1).await.unwrap();
            let again = read_saved(store, &path).await.unwrap();
            assert_eq!(again, saved, "{} in the layout of {version}", folder.display());
            assert_eq!(model_id(&again), model_id(&saved));
        }
    }
}

#[tokio::test]
async fn every_directory_of_spark_can_be_described() {
    for folder in directories() {
        let saved = read(&folder).await;
        let text = describe(&saved, &Registry::empty()).to_string();
        assert!(text.contains(saved.uid.as_str()) && text.contains("cannot be loaded"), "{text}");
    }
}

#[tokio::test]
async fn every_stage_and_evaluator_of_spark_is_made_from_its_directory() {
    let registry = Registry::default();
    for folder in supported() {
        let saved = read(&folder).await;
        let description = describe(&saved, &registry);
        assert!(description.is_loadable(), "{}: {description}", folder.display());
        let unfitted = folder.ends_with("estimator");
        match registry.stage(&saved) {
            Ok(stage) => assert_eq!(matches!(stage, Stage::Estimator(_)), unfitted, "{}", folder.display()),
            Err(_) => assert!(registry.evaluator(&saved).is_ok() && folder.ends_with("evaluator")),
        }
    }
}

#[tokio::test]
async fn every_stage_says_again_what_spark_said() {
    let registry = Registry::default();
    for folder in supported().filter(|folder| !folder.ends_with("evaluator")) {
        let saved = read(&folder).await;
        let stage = build(&saved, &Path::default(), &registry).unwrap();
        let again = stage.configured().to_saved(saved.version().unwrap()).unwrap();
        // Spark 2.4 fixtures are of 2.4.7, and PySpark's own pipelines become the JVM's.
        let again = under_release(again, &saved.spark_version);
        assert_eq!(without_default_seed(again), without_default_seed(as_jvm(saved)), "{}", folder.display());
    }
}

/// Without the default of a seed that is set: PySpark's is another one in every process, and no number depends on it.
fn without_default_seed(mut saved: SavedStage) -> SavedStage {
    if saved.param_map.contains_key("seed") {
        saved.default_param_map.shift_remove("seed");
    }
    saved.children = saved.children.into_iter().map(|(path, child)| (path, without_default_seed(child))).collect();
    saved
}

/// Pipelines that the Python writer wrote, as the JVM's writer would have.
fn as_jvm(mut saved: SavedStage) -> SavedStage {
    if let Some(class) = saved.class.strip_prefix("pyspark.ml.pipeline.") {
        saved.class = format!("org.apache.spark.ml.{class}");
        saved.param_map.shift_remove("language");
    }
    saved.children = saved.children.into_iter().map(|(path, child)| (path, as_jvm(child))).collect();
    saved
}

#[tokio::test]
async fn every_model_of_spark_gives_sparks_rows() {
    let (registry, mut n_checked) = (Registry::default(), 0);
    for folder in supported().filter(|folder| folder.ends_with("model")) {
        let case = folder.parent().unwrap();
        let record = record(case);
        let model = match build(&read(&folder).await, &Path::default(), &registry).unwrap() {
            Stage::Transformer(model) => model,
            Stage::Estimator(estimator) => panic!("{}: {estimator:?}", folder.display()),
        };
        let rows = transform(model.as_ref(), input(&record));
        match (rows, record["error"].as_str()) {
            (Ok(rows), None) => check_rows(case, &rows, &scored(case, &record)),
            (Err(_), Some(_)) => {}
            (rows, error) => panic!("{}: {rows:?}, Spark: {error:?}", case.display()),
        }
        n_checked += 1;
    }
    assert!(n_checked > 100, "only {n_checked} models");
}

fn transform(model: &dyn Transformer, rows: RecordBatch) -> Result<RecordBatch, String> {
    let executor = std::sync::Arc::new(LocalExecutor::single_threaded());
    let data = Dataset::in_memory(rows.schema(), vec![vec![rows]], executor);
    let scored = model.transform(&data).map_err(|error| error.to_string())?;
    let batches = scored.collect().map_err(|error| error.to_string())?;
    Ok(concat_batches(scored.schema(), batches.iter().flatten()).unwrap())
}

/// Equal rows, bit for bit; what comes from a dot product (margins, probabilities, predicted numbers) to 1e-12, since it may be
/// summed in another order.
fn check_rows(case: &DiskPath, rows: &RecordBatch, expected: &RecordBatch) {
    assert_eq!((rows.num_rows(), rows.num_columns()), (expected.num_rows(), expected.num_columns()));
    let pairs = rows.columns().iter().zip(expected.columns());
    for (field, (ours, spark)) in rows.schema().fields().iter().zip(pairs) {
        let what = format!("{}: {}", case.display(), field.name());
        if ours == spark {
            continue;
        }
        let near = |a: f64, b: f64| {
            a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * b.abs().max(1.0)
        };
        let numbers = (ours.as_primitive_opt::<Float64Type>(), spark.as_primitive_opt::<Float64Type>());
        if let (Some(ours), Some(spark)) = numbers {
            let same = |(ours, spark): (Option<f64>, Option<f64>)| match (ours, spark) {
                (Some(ours), Some(spark)) => near(ours, spark),
                (ours, spark) => ours.is_none() && spark.is_none(),
            };
            let is_regression = case.to_string_lossy().contains("linear_regression");
            assert!(is_regression && ours.iter().zip(spark).all(same), "{what}: {ours:?} {spark:?}");
            continue;
        }
        let vectors = (VectorColumn::try_new(ours), VectorColumn::try_new(spark));
        let (Ok(ours), Ok(spark)) = vectors else { panic!("{what}: {ours:?} {spark:?}") };
        for (ours, spark) in ours.iter().zip(spark.iter()) {
            let (ours, spark) = (ours.unwrap().to_owned().to_dense(), spark.unwrap().to_owned().to_dense());
            let all_near = ours.iter().zip(&spark).all(|(&a, &b)| near(a, b));
            assert!(ours.len() == spark.len() && all_near, "{what}: {ours:?} {spark:?}");
        }
    }
}

#[tokio::test]
async fn a_model_with_a_stage_that_we_lack_is_described_and_not_loaded() {
    for line in ["3.5", "4.3"] {
        let saved = read(&fixtures().join(line).join("unsupported/model")).await;
        let description = describe(&saved, &Registry::default());
        let obstacles: Vec<_> = description.children.iter().filter_map(|stage| stage.obstacle.as_deref()).collect();
        assert_eq!((description.is_loadable(), obstacles), (false, vec!["class not supported"]));
        let error = build(&saved, &Path::from("m"), &Registry::default()).unwrap_err().to_string();
        assert!(
            error.ends_with("class not supported: org.apache.spark.ml.classification.RandomForestClassificationModel"),
            "{error}"
        );
        assert!(error.contains("`/m/stages/"), "{error}");
    }
}

#[tokio::test]
async fn a_description_shows_what_inspect_prints() {
    let saved = read(&fixtures().join("3.5/pipeline/model")).await;
    expect_test::expect![[r#"
        PipelineModel  PipelineModel_660ac92f6440
          class: org.apache.spark.ml.PipelineModel
          written by: Spark 3.5.9
          StringIndexerModel  StringIndexer_9a2a536f0b1e
            columns: grade → grade_index
            handleInvalid: "keep"
            data: 1 row
              labelsArray (array<array<string>>): [[C, B, D, A, E, F, G]]
          StringIndexerModel  StringIndexer_1f69a1f10fae
            columns: term → term_index
            data: 1 row
              labelsArray (array<array<string>>): [[term_36, term_60]]
          VectorAssembler  VectorAssembler_d92a8000d1e1
            columns: int_rate, annual_inc, grade_index, term_index, revol_util → inputs
          LogisticRegressionModel  LogisticRegression_2a3b50a26eef
            columns: inputs → rawPrediction, probability, prediction
            maxIter: 10
            regParam: 0.01
            data: 1 row
              numClasses (int): 2
              numFeatures (int): 5
              interceptVector (vector): [-3.2028525238859866]
              coefficientMatrix (matrix): 1×5 [0.22569315014935065, 5.94287377487198e-6, -0.140116377406948, -0.6532363099207045, -0.0012284352126704237]
              isMultinomial (boolean): false
    "#]].assert_eq(&describe(&saved, &Registry::default()).to_string());
    let json = describe(&saved, &Registry::default()).to_json();
    assert_eq!(json["stages"][3]["outputs"], serde_json::json!(["rawPrediction", "probability", "prediction"]));
    assert_eq!((&json["loadable"], &json["stages"][0]["tables"][0]["rows"]), (&true.into(), &1.into()));
}
