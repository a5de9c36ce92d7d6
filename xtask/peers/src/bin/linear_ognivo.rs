//! ognivo's linear regression by the normal equation, rows in memory.
//!
//! ```text
//! linear_ognivo FILE N_ROWS N_FEATURES FITS N_THREADS
//! ```
//!
//! The file is what `linear_sklearn.py` makes: little-endian doubles, row by row the features and the label. Prints one line of JSON:
//! coefficients, intercept, r2, the wall and CPU time of a fit, and of a fit with the metrics of the training rows, which are
//! the means of FITS after one that is not measured.

use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use ognivo_data::dataset::{CHUNK_ROWS, Dataset, LocalExecutor};
use ognivo_data::vector::dense_column;
use ognivo_ml::regression::{LinearRegression, LinearRegressionModel};
use ognivo_peers::cpu_nanoseconds_of_all_threads;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, counts @ ..] = arguments.as_slice() else { panic!("FILE N_ROWS N_FEATURES FITS N_THREADS") };
    let counts: Vec<usize> = counts.iter().map(|word| word.parse().expect("counts are whole numbers")).collect();
    let [n_rows, n_features, n_fits, n_threads] = counts.as_slice() else { panic!("four counts") };
    let data = dataset(&std::fs::read(path).expect("the file can be read"), *n_rows, *n_features, *n_threads);

    let fit = || LinearRegression::new().solver("normal").fit(&data).expect("the rows can be learned from");
    let model = fit();
    let alone = measure(*n_fits, || drop(fit()));
    let r2 = |model: &LinearRegressionModel| {
        let summary = model.summary().expect("a fitted model has a summary");
        summary.performance().expect("the rows are in memory").r2()
    };
    let measured = measure(*n_fits, || assert_eq!(r2(&fit()).to_bits(), r2(&model).to_bits(), "every fit is the same"));
    println!(
        r#"{{"coefficients": {:?}, "intercept": {:?}, "r2": {:?}, "wall_seconds": {:?}, "cpu_seconds": {:?}, "measured_wall_seconds": {:?}, "measured_cpu_seconds": {:?}}}"#,
        model.coefficients().to_dense(),
        model.intercept(),
        r2(&model),
        alone.0,
        alone.1,
        measured.0,
        measured.1,
    );
}

/// Mean wall and CPU seconds of a run.
fn measure(n_runs: usize, run: impl Fn()) -> (f64, f64) {
    let (wall, cpu) = (Instant::now(), cpu_nanoseconds_of_all_threads());
    (0..n_runs).for_each(|_| run());
    let cpu_seconds = (cpu_nanoseconds_of_all_threads() - cpu) as f64 / 1e9;
    (wall.elapsed().as_secs_f64() / n_runs as f64, cpu_seconds / n_runs as f64)
}

/// One partition of batches of a chunk, on so many threads.
fn dataset(bytes: &[u8], n_rows: usize, n_features: usize, n_threads: usize) -> Dataset {
    let numbers: Vec<f64> = bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    assert_eq!(numbers.len(), n_rows * (n_features + 1), "features and label of every row");
    let batch = |rows: &[f64]| {
        let rows = rows.chunks_exact(n_features + 1);
        let n_rows = rows.len();
        let features = rows.clone().flat_map(|row| &row[..n_features]).copied().collect();
        let labels: Float64Array = rows.map(|row| Some(row[n_features])).collect();
        let columns =
            [("features", dense_column(features, n_rows, n_features)), ("label", Arc::new(labels) as ArrayRef)];
        RecordBatch::try_from_iter(columns).expect("both have as many rows")
    };
    let batches: Vec<RecordBatch> = numbers.chunks(CHUNK_ROWS * (n_features + 1)).map(batch).collect();
    let schema = batches.first().expect("there are rows").schema();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads can be started");
    Dataset::in_memory(schema, vec![batches], Arc::new(LocalExecutor::new(Arc::new(pool))))
}
