//! Linear regression by the normal equation over rows in memory, two threads, beside PySpark and scikit-learn.

use std::process::Command;

use super::peers::{self, number, without_processor_settings};
use super::rounds::{Figures, rotate, seconds};
use super::{Part, Row};
use crate::cache;
use crate::json::{self, Json};
use crate::program::{self, output};
use crate::spark;

const N_ROWS: usize = 1_000_000;
const N_FEATURES: usize = 20;
const N_THREADS: usize = 2;
/// Fits of which a program tells the mean.
const N_FITS: usize = 5;
/// How far coefficients may be off, relative to their size: sums of a million terms in another order.
const TOLERANCE: f64 = 1e-10;

/// What a program told.
struct Fit {
    /// The coefficients, then the intercept.
    numbers: Vec<f64>,
    wall_seconds: f64,
    cpu_seconds: f64,
    /// Ours: of a fit with the metrics of the training rows.
    measured_wall_seconds: f64,
    measured_cpu_seconds: f64,
}

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "linear",
    title: "Linear regression",
    how: "\
All fit the same rows in memory, on two threads; coefficients equal to 1e-9. PySpark: solver `normal`, vectors cached, the third fit of
a session and later ones, which always compute the metrics of the training rows, so ours do too in those rows. scikit-learn:
`LinearRegression().fit`.",
    measure,
};

/// Fits the same rows in all three, checks that the coefficients are equal, and measures.
///
/// # Errors
/// When a program fails, or the coefficients differ.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    let (folder, python) = (peers::build()?, peers::python()?);
    let pyspark = spark::environment(spark::NEWEST)?;
    let file = cache::folder("bench")?.join(format!("linear-{N_ROWS}x{N_FEATURES}.f64"));
    let [n_rows, n_features, n_threads, n_fits] = [N_ROWS, N_FEATURES, N_THREADS, N_FITS].map(|n| n.to_string());
    if !file.exists() {
        let mut make = peers::script(&python, "linear_sklearn.py");
        program::run(make.arg("make").arg(&file).args([&n_rows, &n_features]))?;
    }
    let run = |program: usize| {
        let mut command = match program {
            0 => Command::new(folder.join("linear_ognivo")),
            1 => peers::script(&pyspark, "linear_spark.py"),
            _ => peers::script(&python, "linear_sklearn.py"),
        };
        command.arg(&file);
        match program {
            0 => command.args([&n_rows, &n_features, &n_fits, &n_threads]),
            1 => command.args([&n_features, &n_fits]),
            _ => command.args([&n_rows, &n_features, &n_fits]),
        };
        command.env("OMP_NUM_THREADS", &n_threads).env("OPENBLAS_NUM_THREADS", &n_threads);
        read(&json::parse(&output(without_processor_settings(&mut command))?)?)
    };
    let fits = rotate(n_rounds, 3, run)?;
    for (peer, name) in [(1, "PySpark"), (2, "scikit-learn")] {
        let worst = check_equal(&fits[0][0].numbers, &fits[peer][0].numbers)?;
        println!("== linear: coefficients within {worst:.1e} of those of {name}");
    }
    Ok(rows(&fits))
}

fn read(told: &Json) -> Result<Fit, String> {
    let mut numbers: Vec<f64> = told.get("coefficients").items().iter().filter_map(Json::number).collect();
    numbers.push(number(told, "intercept")?);
    let (wall_seconds, cpu_seconds) = (number(told, "wall_seconds")?, number(told, "cpu_seconds")?);
    Ok(Fit {
        numbers,
        wall_seconds,
        cpu_seconds,
        measured_wall_seconds: told.get("measured_wall_seconds").number().unwrap_or(wall_seconds),
        measured_cpu_seconds: told.get("measured_cpu_seconds").number().unwrap_or(cpu_seconds),
    })
}

fn rows(fits: &[Vec<Fit>]) -> Vec<Row> {
    let values = |program: usize, of: fn(&Fit) -> f64| fits[program].iter().map(of).collect::<Vec<f64>>();
    let row = |what: &str, peer: (usize, &str), of: fn(&Fit) -> f64, goal: Option<f64>| {
        let figures = Figures { ours: &values(0, of), theirs: &values(peer.0, of), shown: seconds };
        figures.row(what, peer.1, goal)
    };
    let pyspark = format!("PySpark {} local[2] warm", spark::NEWEST);
    let what = format!("linear regression, normal equation, {N_ROWS} x {N_FEATURES}, {N_THREADS} threads");
    let with_metrics = format!("{what}, with metrics of the training rows");
    vec![
        row(&format!("{with_metrics}, wall"), (1, &pyspark), |fit| fit.measured_wall_seconds, Some(15.0)),
        row(&format!("{with_metrics}, CPU"), (1, &pyspark), |fit| fit.measured_cpu_seconds, None),
        row(&format!("{what}, wall"), (2, "scikit-learn"), |fit| fit.wall_seconds, Some(1.5)),
        row(&format!("{what}, CPU"), (2, "scikit-learn"), |fit| fit.cpu_seconds, None),
    ]
}

/// The largest relative difference.
fn check_equal(ours: &[f64], theirs: &[f64]) -> Result<f64, String> {
    if ours.len() != theirs.len() || ours.len() != N_FEATURES + 1 {
        return Err(format!("{} numbers here and {} there", ours.len(), theirs.len()));
    }
    let worst = ours.iter().zip(theirs).map(|(o, t)| (o - t).abs() / t.abs().max(1e-300)).fold(0.0, f64::max);
    if worst <= TOLERANCE { Ok(worst) } else { Err(format!("coefficients differ: {ours:?} {theirs:?}")) }
}
