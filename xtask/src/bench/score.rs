//! Batch scoring as a whole process, beside PySpark.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::rounds::{ratios, rotate, seconds, times};
use super::{Row, loans};
use crate::cache;
use crate::json;
use crate::program::{self, at_root, cargo, output};
use crate::spark;

/// The size of the loan data that the job was made for, and a hundred megabytes.
const SIZES: [usize; 2] = [9_578, 1_300_000];

struct Run {
    wall_seconds: f64,
    cpu_seconds: f64,
}

/// Builds ognivo, lets Spark train a model, checks that all score the same, and measures.
///
/// # Errors
/// When a program fails, or the rows differ.
pub(super) fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::run(cargo().args(["build", "--release", "--package", "ognivo"]))?;
    let pythons: Vec<PathBuf> =
        spark::VERSIONS.iter().map(|version| spark::environment(version)).collect::<Result<_, _>>()?;
    let folder = cache::folder("bench")?;
    let model = folder.join("model");
    let script = |python: &Path, verb: &str| {
        let mut command = at_root(python);
        command.arg("xtask/peers/score_spark.py").arg(verb);
        command
    };
    program::run(script(&pythons[0], "train").arg(&model).arg(loans::file(SIZES[0])?).arg(loans::DDL))?;

    let mut rows = Vec::new();
    for n_rows in SIZES {
        let input = loans::file(n_rows)?;
        let outputs =
            ["scored-ognivo.parquet", "scored-3.5.9.parquet", "scored-4.3.0.parquet"].map(|name| folder.join(name));
        let command = |program: usize| {
            let mut command;
            if program == 0 {
                command = Command::new(program::built("release", "ognivo"));
                command.arg("score").arg(&model).arg(&input).args(["--schema", loans::DDL]).arg("-o").arg(&outputs[0]);
            } else {
                command = script(&pythons[program - 1], "score");
                command.arg(&model).arg(&input).arg(loans::DDL).arg(&outputs[program]);
            }
            command
        };
        let run = |program: usize| {
            remove(&outputs[program])?;
            measured(&pythons[0], &command(program))
        };

        for program in 0..outputs.len() {
            run(program)?;
        }
        for other in &outputs[1..] {
            let told = output(script(&pythons[0], "compare").arg(&outputs[0]).arg(other))?;
            println!("== score, ognivo and {}: {}", other.display(), told.trim());
        }
        let rounds = rotate(n_rounds, outputs.len(), run)?;
        for (program, version) in spark::VERSIONS.iter().enumerate() {
            for (what, number) in [("wall", wall as fn(&Run) -> f64), ("CPU", cpu)] {
                let values = |program: usize| rounds[program].iter().map(number).collect::<Vec<f64>>();
                let (ours, theirs) = (values(0), values(program + 1));
                rows.push(Row {
                    what: format!("score {n_rows} rows, whole process, {what}"),
                    ours: seconds(&ours),
                    theirs: format!("PySpark {version} {}", seconds(&theirs)),
                    ratio: times(&ratios(&theirs, &ours)),
                });
            }
        }
    }
    Ok(rows)
}

fn wall(run: &Run) -> f64 {
    run.wall_seconds
}

fn cpu(run: &Run) -> f64 {
    run.cpu_seconds
}

fn remove(path: &Path) -> Result<(), String> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.or_else(|e| if path.exists() { Err(format!("{}: {e}", path.display())) } else { Ok(()) })
}

/// Runs a command with measure.py, which waits for everything that the command starts.
fn measured(python: &Path, command: &Command) -> Result<Run, String> {
    let mut outer = at_root(python);
    outer.arg("xtask/peers/measure.py").arg(command.get_program()).args(command.get_args());
    let told = json::parse(&output(&mut outer)?)?;
    let number = |key: &str| told.get(key).number().ok_or_else(|| format!("measure.py told no {key}"));
    Ok(Run { wall_seconds: number("wall_seconds")?, cpu_seconds: number("cpu_seconds")? })
}
