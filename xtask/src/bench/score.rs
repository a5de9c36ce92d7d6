//! Batch scoring beside PySpark: small files as whole processes, a large one by CPU time on one warm core.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::loans::{N_ROWS, N_ROWS_LARGE};
use super::peers::{self, check_scored, measured, number, script};
use super::rounds::{Figures, rotate, seconds};
use super::{Part, Row, loans};
use crate::cache;
use crate::json;
use crate::program::{self, output};
use crate::spark;

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "score",
    title: "Batch scoring",
    how: "\
The whole process tree from start to end, Python and JVM included (measure.py); model and schema are given, the
model was trained by Spark, output is Parquet with all input columns and all that the stages add; all rows and scores equal to 1e-12.
The large file: theirs is the second run of a session of one core, without start and end.",
    measure,
};

/// Builds ognivo, lets Spark train a model, checks that all score the same, and measures.
///
/// # Errors
/// When a program fails, or the rows differ.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::build_ognivo()?;
    let model = peers::spark_model()?;
    let mut rows = whole_processes(&model, n_rounds)?;
    rows.push(large_file(&model, n_rounds)?);
    Ok(rows)
}

fn whole_processes(model: &Path, n_rounds: usize) -> Result<Vec<Row>, String> {
    let pythons: Vec<PathBuf> =
        spark::VERSIONS.iter().map(|version| spark::environment(version)).collect::<Result<_, _>>()?;
    let input = loans::file(N_ROWS)?;
    let folder = cache::folder("bench")?;
    let outputs =
        ["scored-ognivo.parquet", "scored-3.5.9.parquet", "scored-4.3.0.parquet"].map(|name| folder.join(name));
    let command = |program: usize| match program {
        0 => score_command(model, &input, &outputs[0]),
        _ => score_spark(&pythons[program - 1], "score", model, &input, &outputs[program]),
    };
    let run = |program: usize| {
        remove(&outputs[program])?;
        measured(&pythons[0], &command(program))
    };
    let rounds = rotate(n_rounds, outputs.len(), run)?;
    for other in &outputs[1..] {
        check_scored(&outputs[0], other)?;
    }

    let mut rows = Vec::new();
    for (program, version) in spark::VERSIONS.iter().enumerate() {
        let mut add = |what: &str, of: fn(&peers::Taken) -> f64, goal: Option<f64>| {
            let values = |program: usize| rounds[program].iter().map(of).collect::<Vec<f64>>();
            let (ours, theirs) = (values(0), values(program + 1));
            let what = format!("score {N_ROWS} rows, CSV to Parquet, whole process, {what}");
            let figures = Figures { ours: &ours, theirs: &theirs, shown: seconds };
            rows.push(figures.row(&what, &format!("PySpark {version}"), goal));
        };
        add("wall", |taken| taken.wall_seconds, Some(200.0));
        add("CPU", |taken| taken.cpu_seconds, None);
    }
    Ok(rows)
}

/// Ours is the whole process with one thread to compute on; theirs the second time in a session of one core.
fn large_file(model: &Path, n_rounds: usize) -> Result<Row, String> {
    let python = spark::environment(spark::NEWEST)?;
    let input = loans::file(N_ROWS_LARGE)?;
    let folder = cache::folder("bench")?;
    let outputs = ["scored-large-ognivo.parquet", "scored-large-spark.parquet"].map(|name| folder.join(name));
    let run = |program: usize| {
        remove(&outputs[program])?;
        if program == 0 {
            return Ok(measured(&python, &score_command(model, &input, &outputs[0]))?.cpu_seconds);
        }
        let told = output(&mut score_spark(&python, "warm", model, &input, &outputs[1]))?;
        number(&json::parse(&told)?, "cpu_seconds")
    };
    let rounds = rotate(n_rounds, outputs.len(), run)?;
    check_scored(&outputs[0], &outputs[1])?;
    let what = format!("score {N_ROWS_LARGE} rows, CSV to snappy Parquet with vectors, CPU; ours the whole process");
    let figures = Figures { ours: &rounds[0], theirs: &rounds[1], shown: seconds };
    Ok(figures.row(&what, &format!("PySpark {} local[1], warm", spark::NEWEST), Some(8.0)))
}

fn score_command(model: &Path, input: &Path, target: &Path) -> Command {
    let mut command = Command::new(program::built("release", "ognivo"));
    command.arg("score").arg(model).arg(input).args(["--schema", loans::DDL]).arg("-o").arg(target);
    command
}

fn score_spark(python: &Path, verb: &str, model: &Path, input: &Path, target: &Path) -> Command {
    let mut command = script(python, "score_spark.py");
    command.arg(verb).arg(model).arg(input).arg(loans::DDL).arg(target);
    command
}

fn remove(path: &Path) -> Result<(), String> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.or_else(|e| if path.exists() { Err(format!("{}: {e}", path.display())) } else { Ok(()) })
}
