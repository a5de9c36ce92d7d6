//! ognivo growing one tree on rows in memory, binning included, one thread.
//!
//! ```text
//! tree_ognivo FILE N_ROWS N_FEATURES DEPTH BINS SEED
//! ```
//!
//! The file is that of `loss_sklearn.py`. Prints one line of JSON: the CPU time of a fit after one that is not measured, the share
//! of the first rows that are predicted right, and the tree's nodes: feature, threshold, impurity, gain, rows, and the statistics.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use ognivo_data::dataset::{CHUNK_ROWS, Dataset, LocalExecutor};
use ognivo_data::vector::dense_column;
use ognivo_ml::classification::{DecisionTreeClassificationModel, DecisionTreeClassifier};
use ognivo_ml::tree::{Node, Split};
use ognivo_peers::cpu_nanoseconds;

/// Rows on which the tree is tried.
const N_TRIED: usize = 100_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, numbers @ ..] = arguments.as_slice() else { panic!("FILE N_ROWS N_FEATURES DEPTH BINS SEED") };
    let numbers: Vec<i64> = numbers.iter().map(|word| word.parse().expect("a whole number")).collect();
    let [n_rows, n_features, depth, bins, seed] = numbers[..] else { panic!("five numbers") };
    let (features, labels) = read(path, n_rows as usize, n_features as usize);
    let data = dataset(&features, &labels, n_features as usize);
    let classifier = DecisionTreeClassifier::new().max_depth(depth as i32).max_bins(bins as i32).seed(seed);
    let fit = || classifier.fit(&data).expect("the rows can be learned from");
    fit();
    let begin = cpu_nanoseconds();
    let model = fit();
    let cpu_seconds = (cpu_nanoseconds() - begin) as f64 / 1e9;
    let nodes: Vec<String> = model.tree().nodes().iter().map(node).collect();
    let accuracy = accuracy(&model, &features, &labels);
    println!(r#"{{"cpu_seconds": {cpu_seconds:?}, "accuracy": {accuracy:?}, "nodes": [{}]}}"#, nodes.join(", "));
}

fn node(node: &Node) -> String {
    let (feature, threshold, gain) = match &node.branch {
        Some(branch) => match &branch.split {
            Split::Continuous { feature, threshold } => (*feature as f64, Some(*threshold), branch.gain),
            Split::Categorical { .. } => panic!("there are no categories"),
        },
        None => (-1.0, None, -1.0),
    };
    let numbers = [feature].into_iter().chain(threshold).chain([node.impurity, gain, node.n_rows as f64]);
    format!("{:?}", numbers.chain(node.stats.iter().copied()).collect::<Vec<f64>>())
}

fn accuracy(model: &DecisionTreeClassificationModel, features: &[f64], labels: &[f64]) -> f64 {
    let rows = features.chunks_exact(model.n_features()).zip(labels).take(N_TRIED);
    let right = rows.filter(|(row, label)| {
        let leaf = &model.tree().nodes()[model.tree().leaf_of(|slot| row[slot])];
        (leaf.prediction - **label).abs() < 0.5
    });
    right.count() as f64 / labels.len().min(N_TRIED) as f64
}

/// Features and labels.
fn read(path: &str, n_rows: usize, n_features: usize) -> (Vec<f64>, Vec<f64>) {
    let bytes = std::fs::read(path).expect("the file can be read");
    let mut features: Vec<f64> = bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let mut labels = features.split_off(n_rows * n_features);
    labels.truncate(n_rows);
    (features, labels)
}

/// Rows as a fit finds them: batches of a chunk.
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
