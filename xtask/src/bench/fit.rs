//! Reading, indexing, assembling and ten iterations of logistic regression on two threads, beside PySpark.

use std::process::Command;

use super::loans::N_ROWS_LARGE;
use super::peers::{self, measured, number};
use super::rounds::{Figures, rotate, seconds};
use super::{Part, Row, loans};
use crate::cache;
use crate::json::{self, Json};
use crate::program;
use crate::spark;

/// How far coefficients may be off, relative to their size: both end after ten iterations, not at the optimum.
const TOLERANCE: f64 = 1e-9;

/// What one program told.
struct Fit {
    /// Ours: the whole process; PySpark's: the second fit of a session.
    seconds: f64,
    /// PySpark's first fit of a session.
    cold_seconds: f64,
    coefficients: Vec<f64>,
}

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "fit",
    title: "Fit from CSV",
    how: "\
Ours is `ognivo train` from start to end, saving included; theirs is `Pipeline.fit` over the CSV file within a started
session, the first time and the second. Coefficients equal to 1e-9.",
    measure,
};

/// Fits in both, checks that the coefficients are equal, and measures.
///
/// # Errors
/// When a program fails, or the coefficients differ.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::build_ognivo()?;
    let python = spark::environment(spark::NEWEST)?;
    let input = loans::file(N_ROWS_LARGE)?;
    let job = cache::folder("bench")?.join("fit.yaml");
    std::fs::write(&job, job_text(&input.display().to_string())).map_err(|e| format!("{}: {e}", job.display()))?;
    let run = |program: usize| -> Result<Fit, String> {
        if program == 0 {
            let mut command = Command::new(program::built("release", "ognivo"));
            command.arg("train").arg(&job).args(["--output", "json", "--quiet"]);
            let taken = measured(&python, &command)?;
            let told = json::parse(&taken.stdout)?;
            let coefficients = told.get("stages").items().last().map(|stage| numbers(stage.get("coefficients")));
            let coefficients = coefficients.unwrap_or_default();
            return Ok(Fit { seconds: taken.wall_seconds, cold_seconds: taken.wall_seconds, coefficients });
        }
        let mut command = peers::script(&python, "fit_spark.py");
        let told = json::parse(&program::output(command.arg(&input).arg(loans::DDL))?)?;
        let (seconds, cold_seconds) = (number(&told, "warm_seconds")?, number(&told, "cold_seconds")?);
        Ok(Fit { seconds, cold_seconds, coefficients: numbers(told.get("coefficients")) })
    };

    let fits = rotate(n_rounds, 2, run)?;
    let worst = check_equal(&fits[0][0].coefficients, &fits[1][0].coefficients)?;
    println!("== fit: coefficients within {worst:.1e}");
    let values = |program: usize, of: fn(&Fit) -> f64| fits[program].iter().map(of).collect::<Vec<f64>>();
    let ours = values(0, |fit| fit.seconds);
    let row = |what: &str, theirs: Vec<f64>, goal: Option<f64>| {
        let peer = format!("PySpark {} local[2]", spark::NEWEST);
        Figures { ours: &ours, theirs: &theirs, shown: seconds }.row(what, &peer, goal)
    };
    let what = format!("fit: read {N_ROWS_LARGE} rows of CSV, index, assemble, 10 iterations; 2 threads, wall");
    Ok(vec![
        row(&format!("{what}; ours the whole process, theirs warm"), values(1, |fit| fit.seconds), Some(15.0)),
        row("the same, theirs the first fit of a started session", values(1, |fit| fit.cold_seconds), None),
    ])
}

/// Two partitions, as PySpark has on two cores.
fn job_text(input: &str) -> String {
    format!(
        "version: 1
name: fit
parallelism: 2
threads: 2
train:
  read: {{format: csv, path: '{input}', schema: '{schema}', options: {{header: true}}}}
  pipeline:
    - StringIndexer: {{inputCol: purpose, outputCol: purpose_index, handleInvalid: keep}}
    - VectorAssembler:
        inputCols: [credit_policy, int_rate, installment, log_annual_inc, dti, purpose_index]
        outputCol: features
    - LogisticRegression: {{labelCol: not_fully_paid, maxIter: 10, tol: 0.0, regParam: 0.01}}
  save: {{path: fit-model, mode: overwrite}}
",
        schema = loans::DDL
    )
}

fn numbers(array: &Json) -> Vec<f64> {
    array.items().iter().filter_map(Json::number).collect()
}

/// The largest relative difference.
fn check_equal(ours: &[f64], theirs: &[f64]) -> Result<f64, String> {
    if ours.len() != theirs.len() || ours.is_empty() {
        return Err(format!("{} coefficients here and {} there", ours.len(), theirs.len()));
    }
    let worst = ours.iter().zip(theirs).map(|(o, t)| (o - t).abs() / t.abs().max(1e-300)).fold(0.0, f64::max);
    if worst <= TOLERANCE { Ok(worst) } else { Err(format!("coefficients differ: {ours:?} {theirs:?}")) }
}
