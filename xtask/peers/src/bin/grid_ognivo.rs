//! ognivo's CrossValidator over 8 regParams and 3 folds, on two threads and rows in memory.
//!
//! ```text
//! grid_ognivo CSV N_FEATURES FOLDS
//! ```
//!
//! The file is what `grid_sklearn.py make` writes. Prints one line of JSON: the average metric of each setting, and the seconds of
//! the second fit; the fold of every row goes to FOLDS, a byte each, for the peer that cannot deal rows as Spark does.

use std::path::Path;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use ognivo::input::Input;
use ognivo::session::Session;
use ognivo_data::dataset::Dataset;
use ognivo_data::schema::parse_ddl;
use ognivo_ml::classification::LogisticRegression;
use ognivo_ml::evaluation::BinaryClassificationEvaluator;
use ognivo_ml::feature::vector_assembler::VectorAssembler;
use ognivo_ml::stage::Transformer;
use ognivo_ml::tuning::{CrossValidator, ParamGridBuilder, Sampling, k_folds};

const N_THREADS: usize = 2;
const N_FOLDS: usize = 3;
const SEED: i64 = 42;
const REG_PARAMS: [f64; 8] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [csv, n_features, folds] = arguments.as_slice() else { panic!("CSV N_FEATURES FOLDS") };
    let n_features: usize = n_features.parse().expect("a count is a whole number");
    let session = Session::start(Some(N_THREADS)).expect("there are threads");
    let data = read(csv, n_features, &session);
    write_folds(&data, folds);
    let data = data.select(&["features", "label"]).and_then(|data| data.cached()).expect("the columns are there");

    let regression = LogisticRegression::new().max_iter(100).tol(1e-6);
    let grid = ParamGridBuilder::new().add_grid(&regression, "regParam", REG_PARAMS).build();
    let evaluator = BinaryClassificationEvaluator::new().num_bins(0);
    let tuner = CrossValidator::new(regression, grid, evaluator).num_folds(N_FOLDS as i32).seed(SEED);
    let fit = || {
        let begin = Instant::now();
        let model = tuner.fit(&data).expect("the rows can be learned from");
        (model.avg_metrics().to_vec(), begin.elapsed().as_secs_f64())
    };
    let (first, _) = fit();
    let (metrics, seconds) = fit();
    assert_eq!(first, metrics, "every fit gives the same");
    println!(r#"{{"metrics": {metrics:?}, "seconds": {seconds:?}}}"#);
}

/// The rows in the partitions that Spark makes of the file on two cores, with their features as a vector.
fn read(csv: &str, n_features: usize, session: &Session) -> Dataset {
    let names: Vec<String> = (0..n_features).map(|at| format!("x{at}")).collect();
    let columns: Vec<String> = names.iter().map(|name| format!("{name} DOUBLE")).collect();
    let ddl = format!("id INT, {}, label DOUBLE", columns.join(", "));
    let input = Input {
        format: "csv".to_owned(),
        paths: vec![csv.to_owned()],
        schema: Some(parse_ddl(&ddl).expect("the columns are Spark's").into()),
        options: Vec::new(),
        parallelism: N_THREADS,
    };
    let rows = input.read(Path::new("."), session).expect("the file can be read").dataset;
    let assembler = VectorAssembler::new().input_cols(names.iter().map(String::as_str)).output_col("features");
    assembler.transform(&rows).and_then(|rows| Ok(rows.cached().expect("the rows are numbers"))).expect("they fit")
}

fn write_folds(data: &Dataset, path: &str) {
    let ids = |data: &Dataset| -> Vec<usize> {
        let ids = |rows: &RecordBatch| rows["id"].as_primitive::<Int32Type>().values().to_vec();
        let batches = data.collect().expect("the rows are in memory");
        batches.iter().flatten().flat_map(ids).map(|id| id as usize).collect()
    };
    let mut folds = vec![u8::MAX; data.count().expect("the rows are in memory")];
    for (fold, rows) in k_folds(data, N_FOLDS, SEED, Sampling::default()).iter().enumerate() {
        ids(&rows.validation).into_iter().for_each(|id| folds[id] = fold as u8);
    }
    std::fs::write(path, folds).expect("the folds can be written");
}
