//! One decision tree on rows in memory, binning included, beside PySpark and LightGBM.

use std::process::Command;

use super::peers::{self, number};
use super::rounds::{Figures, rotate, seconds};
use super::{Part, Row};
use crate::cache;
use crate::json::{self, Json};
use crate::program::{self, output};
use crate::spark;

const N_ROWS: usize = 1_000_000;
const N_FEATURES: usize = 20;
const DEPTH: usize = 5;
const BINS: usize = 32;
/// Draws the sample from which Spark and ognivo take thresholds.
const SEED: i64 = 20_260_101;
/// How far impurities and gains may be off, relative to one. Thresholds and counts must be equal.
const TOLERANCE: f64 = 1e-12;
/// How far LightGBM's share of right answers may be from ours: it takes other thresholds and another gain.
const ACCURACY: f64 = 0.01;

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "tree",
    title: "Decision tree",
    how: "\
All three grow one tree on the same numbers in memory. Ours and LightGBM's time is that of finding thresholds, binning
and growing, on one thread, after a run that is not measured; LightGBM: `Dataset` of a numpy matrix and `train` with one round.
PySpark: the second fit of a session over one cached partition, Python and JVM together. The tree must be Spark's node for node.",
    measure,
};

/// Lets all three grow a tree on the same numbers, checks that ours is Spark's and about as good as LightGBM's, and measures.
///
/// # Errors
/// When a program fails, or the trees differ.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    let (folder, python) = (peers::build()?, peers::python()?);
    let spark_python = spark::environment(spark::NEWEST)?;
    let file = cache::folder("bench")?.join(format!("loss-{N_ROWS}x{N_FEATURES}.f64"));
    let sizes = [N_ROWS, N_FEATURES, DEPTH, BINS].map(|size| size.to_string());
    if !file.exists() {
        program::run(peers::script(&python, "loss_sklearn.py").arg("make").arg(&file).args(&sizes[..2]))?;
    }
    let run = |program: usize| {
        let mut command = match program {
            0 => Command::new(folder.join("tree_ognivo")),
            1 => peers::script(&python, "tree_lightgbm.py"),
            _ => peers::script(&spark_python, "tree_spark.py"),
        };
        command.arg(&file).args(&sizes).env("OMP_NUM_THREADS", "1");
        if program != 1 {
            command.arg(SEED.to_string());
        }
        json::parse(&output(&mut command)?)
    };
    let told = rotate(n_rounds, 3, run)?;
    let n_nodes = check_equal(&told[0][0], &told[2][0])?;
    let (ours, lightgbm) = (number(&told[0][0], "accuracy")?, number(&told[1][0], "accuracy")?);
    if (ours - lightgbm).abs() > ACCURACY {
        return Err(format!("{ours} of the rows are predicted right here, and {lightgbm} by LightGBM"));
    }
    println!("== tree: {n_nodes} nodes equal to Spark's; {ours} right, LightGBM {lightgbm}");
    let values = |program: usize, key: &str| {
        told[program].iter().map(|told| number(told, key)).collect::<Result<Vec<f64>, String>>()
    };
    let ours = values(0, "cpu_seconds")?;
    let row = |what: &str, peer: &str, theirs: Vec<f64>, goal: Option<f64>| {
        Figures { ours: &ours, theirs: &theirs, shown: seconds }.row(what, peer, goal)
    };
    let what =
        format!("decision tree of depth {DEPTH}, {N_ROWS} x {N_FEATURES}, {BINS} bins, binning included, 1 thread");
    let spark = format!("PySpark {} local[1]", spark::NEWEST);
    Ok(vec![
        row(&format!("{what}, CPU; theirs warm"), &spark, values(2, "warm_cpu_seconds")?, Some(25.0)),
        row("the same, theirs wall", &spark, values(2, "warm_seconds")?, None),
        row("the same, CPU, beside one tree of LightGBM", "LightGBM", values(1, "cpu_seconds")?, Some(1.0)),
    ])
}

/// How many nodes both trees have, when all of them are equal.
fn check_equal(ours: &Json, theirs: &Json) -> Result<usize, String> {
    let numbers = |node: &Json| node.items().iter().filter_map(Json::number).collect::<Vec<f64>>();
    let nodes = |told: &Json| told.get("nodes").items().iter().map(numbers).collect::<Vec<_>>();
    let (ours, theirs) = (nodes(ours), nodes(theirs));
    let is_equal = |(ours, theirs): (&f64, &f64)| (ours - theirs).abs() <= TOLERANCE;
    let are_equal =
        |(ours, theirs): (&Vec<f64>, &Vec<f64>)| ours.len() == theirs.len() && ours.iter().zip(theirs).all(is_equal);
    if ours.len() != theirs.len() || ours.len() < 2 {
        return Err(format!("{} nodes here and {} there", ours.len(), theirs.len()));
    }
    match ours.iter().zip(&theirs).find(|&pair| !are_equal(pair)) {
        None => Ok(ours.len()),
        Some((ours, theirs)) => Err(format!("a node differs: {ours:?} {theirs:?}")),
    }
}
