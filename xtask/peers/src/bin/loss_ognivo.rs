//! ognivo's pass over rows in memory for logistic loss and gradient, one thread.
//!
//! ```text
//! loss_ognivo FILE N_ROWS N_FEATURES PASSES
//! ```
//!
//! The file is what `loss_sklearn.py` writes: little-endian doubles, the features row by row, then the labels, then the point:
//! coefficients and intercept. Prints one line of JSON: loss, gradient, and the CPU time of a pass, which is the mean of PASSES
//! after one that is not measured. Loss and gradient are those of the features as they are, so that they can be held against
//! others': that our variables belong to scaled and centred features is undone outside the measured time.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use ognivo_data::dataset::{CHUNK_ROWS, Dataset, LocalExecutor};
use ognivo_data::vector::{DenseBlock, dense_column};
use ognivo_ml::classification::LogisticRegression;
use ognivo_ml::optim::DiffFunction;
use ognivo_ml::stat::Summarizer;
use ognivo_peers::cpu_nanoseconds;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, n_rows, n_features, n_passes] = arguments.as_slice() else { panic!("FILE N_ROWS N_FEATURES PASSES") };
    let number = |word: &String| word.parse::<usize>().expect("counts are whole numbers");
    let (n_rows, n_features, n_passes) = (number(n_rows), number(n_features), number(n_passes));
    let (features, labels, point) = read(path, n_rows, n_features);

    let mut summarizer = Summarizer::new();
    let block = DenseBlock { values: &features, n_rows, n_features };
    summarizer.add_block(&block, None).expect("all rows have one size");
    let (mean, std) = (summarizer.mean(), summarizer.std());
    let x = variables(&point, &mean, &std);

    let data = dataset(&features, &labels, n_features);
    let mut objective = LogisticRegression::new().objective(&data).expect("the rows can be learned from");
    let mut slopes = vec![0.0; x.len()];
    let mut pass = || objective.value_gradient(&x, &mut slopes).expect("the rows are in memory");
    let loss = pass();
    let begin = cpu_nanoseconds();
    (0..n_passes).for_each(|_| assert_eq!(pass().to_bits(), loss.to_bits(), "every pass gives the same"));
    let cpu_seconds = (cpu_nanoseconds() - begin) as f64 / 1e9 / n_passes as f64;
    let gradient = gradient(&slopes, &mean, &std);
    println!(r#"{{"loss": {loss:?}, "gradient": {gradient:?}, "cpu_seconds": {cpu_seconds:?}}}"#);
}

/// Features, labels, and the point at which loss and gradient are wanted.
fn read(path: &str, n_rows: usize, n_features: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let bytes = std::fs::read(path).expect("the file can be read");
    let doubles = bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
    let mut features: Vec<f64> = doubles.collect();
    assert_eq!(features.len(), n_rows * (n_features + 1) + n_features + 1, "features, labels, point");
    let mut labels = features.split_off(n_rows * n_features);
    let point = labels.split_off(n_rows);
    (features, labels, point)
}

/// Rows as a fit keeps them: batches of a chunk.
fn dataset(features: &[f64], labels: &[f64], n_features: usize) -> Dataset {
    let batch = |(features, labels): (&[f64], &[f64])| {
        let features = dense_column(features.to_vec(), labels.len(), n_features);
        let labels: ArrayRef = Arc::new(Float64Array::from(labels.to_vec()));
        RecordBatch::try_from_iter([("features", features), ("label", labels)]).expect("both have as many rows")
    };
    let batches = features.chunks(CHUNK_ROWS * n_features).zip(labels.chunks(CHUNK_ROWS)).map(batch);
    let batches: Vec<RecordBatch> = batches.collect();
    let schema = batches.first().expect("there are rows").schema();
    Dataset::in_memory(schema, vec![batches], Arc::new(LocalExecutor::single_threaded()))
}

/// Coefficients and intercept as variables of the objective: those of scaled and centred features.
fn variables(point: &[f64], mean: &[f64], std: &[f64]) -> Vec<f64> {
    let (intercept, coefficients) = point.split_last().expect("there is an intercept");
    let moved: f64 = coefficients.iter().zip(mean).map(|(coefficient, mean)| coefficient * mean).sum();
    let scaled = coefficients.iter().zip(std).map(|(coefficient, std)| coefficient * std);
    scaled.chain([intercept + moved]).collect()
}

/// The way back for the gradient.
fn gradient(slopes: &[f64], mean: &[f64], std: &[f64]) -> Vec<f64> {
    let (of_intercept, slopes) = slopes.split_last().expect("there is an intercept");
    let slopes = slopes.iter().zip(std).zip(mean).map(|((slope, std), mean)| slope * std + of_intercept * mean);
    slopes.chain([*of_intercept]).collect()
}
